"""What runs on a node: a Ray actor that keeps one job warm and does item after item with it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol

from ..errors import FaceError
from ..exchange.npz import EXCHANGE_VERSION

Item = dict[str, Any]


class Job(Protocol):
    """What a worker does; made once on each from what :class:`.pool.Pool` was given."""

    def greeting(self) -> Item:
        """What the driver has to know of this node."""
        ...

    def do(self, item: Item) -> Iterator[Item]:
        """Any number of ``{"progress": fraction, "step": text}``, then ``{"result": ...}``."""
        ...

    def close(self) -> None:
        """End processes, remove files; also while another thread is in :meth:`do`."""
        ...


class Host:
    """The actor.  What crosses to it and back is of plain types: no class of ours is pickled."""

    def __init__(self) -> None:
        self._job: Job | None = None

    def start(self, job: str, setup: Item, environment: Mapping[str, str], version: int) -> Item:
        """Make the ``job``, "module:class", of ``setup``; its greeting, or the ``error``, a phrase.

        ``environment`` is that of the driver; what the node has itself goes before.
        """
        import ray  # here, for tests without it

        node = str(ray.get_runtime_context().get_node_id())
        for name, value in environment.items():
            os.environ.setdefault(name, value)
        host = socket.gethostname()
        if version != EXCHANGE_VERSION:
            differs = (
                f"{host} has exchange version {EXCHANGE_VERSION} where the driver has {version}"
            )
            return {"error": f"{differs}; install the same release on all nodes"}
        try:
            module, _, name = job.partition(":")
            made: Job = getattr(import_module(module), name)(setup)
            self._job = made
            return {"host": host, "node": node} | made.greeting()
        except FaceError as error:
            return {"error": str(error).rstrip(".")}

    def do(self, item: Item) -> Iterator[Item]:
        """As :meth:`Job.do`."""
        assert self._job is not None
        yield from self._job.do(item)

    def close(self) -> None:
        """End the job."""
        if self._job is not None:
            self._job.close()
