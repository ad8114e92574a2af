"""Workers on the nodes of a Ray cluster, and the items that they do between them.

Ray places the workers, restarts nothing by itself and carries what crosses; what is lost with a
node is given to another one here (:mod:`.plan`).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ..errors import ClusterError
from ..exchange.npz import EXCHANGE_VERSION
from ..lifeline import VARIABLE as LIFELINE
from .host import Host, Item
from .options import ClusterOptions
from .plan import DEPTH, Plan

#: Memory that a worker asks for, bytes: the backend holds up to 1.9 GB, Blender 0.6 (measured).
BACKEND_MEMORY, BLENDER_MEMORY = 2_000_000_000, 1_000_000_000
#: How long a run waits for its first worker (a node may have to be switched on), and how long for
#: another one when all are lost.
START_S, RETURN_S = 600.0, 60.0
#: How long an address may take to answer.
REACH_S = 5.0
#: Between two looks at what nodes there are.
_LOOK_S = 2.0
#: Workers that failed in a row before any started.
_FAILURES = 3
#: How long workers may take to tidy up.
_CLOSE_S = 5.0
#: Items in the works, one more waiting and the end: calls that a worker answers at a time.
_CALLS = 6
INSTALL = "pip install 'reconstruct-face[cluster]', or pip install ray in this environment"

Prepare = Callable[[int, Item], Item]


@dataclass
class _Worker:
    """An actor, from when it was asked for."""

    actor: Any
    start: Any  #: the reference of its greeting
    greeting: Item | None = None
    node: str = ""
    host: str = ""
    streams: dict[int, Any] = field(default_factory=dict)  #: by item what is coming of it


class Pool:
    """The workers of one run; a context, at whose end they are gone."""

    def __init__(
        self,
        options: ClusterOptions,
        job: str,
        setup: Item,
        blender: bool = False,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        """Each worker makes the ``job`` ("module:class", see :class:`.host.Job`) of ``setup``,
        which is of plain types.  ``blender``: it has a Blender beside it.  ``say`` gets a sentence
        about a worker that cannot start or was lost.
        """
        self._say = say
        self._options, self._job, self._setup = options, job, setup
        self._memory = BACKEND_MEMORY + (BLENDER_MEMORY if blender else 0)
        self._cpus = options.cpus_for(blender)
        self._workers: list[_Worker] = []
        self._failures: list[str] = []
        self._wanted, self._looked = 0, 0.0
        self._started = False  # any worker
        self._ray: Any = None
        self._connection: Any = None

    def __enter__(self) -> Pool:
        self._connection = connected(self._options.address)
        self._ray = self._connection.__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        try:
            self._end()
        finally:
            self._connection.__exit__(*how)

    def run(self, count: int, prepare: Prepare, depth: int = DEPTH) -> Iterator[tuple[int, Item]]:
        """Do the items 0 to ``count`` - 1; each with its events, in whatever order they come.

        A worker has ``depth`` items at a time: its job does so many at once, on a thread each.

        ``prepare(item, greeting)`` is what the worker that greeted so gets for the item.  An event
        is ``{"progress": fraction, "step": text}``; the last one of an item is ``{"result": ...}``
        as the job gave it, ``{"failed": sentence}``, or ``{"lost": sentence}`` after two lost
        workers.

        Raises :class:`ClusterError` when no worker can be had.
        """
        plan = Plan(count, depth)
        until = time.monotonic() + START_S
        while not plan.finished:
            self._keep_workers(plan)
            if any(worker.greeting for worker in self._workers):
                until = time.monotonic() + RETURN_S
                self._started = True
            else:
                self._give_up(until)
            self._give(plan, prepare)
            yield from self._collect(plan)

    def put(self, value: Any) -> Any:
        """A reference to ``value`` in the object store: what several items need crosses once."""
        return self._ray.put(value)

    # -- workers

    def _keep_workers(self, plan: Plan) -> None:
        """As many as there is room and work for; nodes may come and go."""
        if not self._wanted or time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            self._wanted = self._room()
            if self._options.workers is not None:
                self._wanted = min(self._wanted, self._options.workers)
        held = sum(len(worker.streams) for worker in self._workers)
        while len(self._workers) < min(self._wanted, plan.waiting + held):
            if len(self._failures) >= _FAILURES:
                return
            self._workers.append(self._hired())

    def _room(self) -> int:
        """How many workers the nodes have room for, whether or not others use it now."""
        wants = {"CPU": self._cpus, "GPU": self._options.gpus, "memory": self._memory}
        wants = {name: amount for name, amount in wants.items() if amount}
        room = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                there = node["Resources"]
                room += min(int(there.get(n, 0.0) / need + 1e-6) for n, need in wants.items())
        return room

    def _hired(self) -> _Worker:
        kind = self._ray.remote(Host).options(
            num_cpus=self._cpus,
            num_gpus=self._options.gpus,
            memory=self._memory,
            max_restarts=0,
            max_concurrency=_CALLS,
        )
        actor = kind.remote()
        start = actor.start.remote(
            self._job, self._setup, _environment(self._options), EXCHANGE_VERSION
        )
        return _Worker(actor, start)

    def _give_up(self, until: float) -> None:
        """Raise where no worker is to be expected, or none came ``until`` then."""
        if len(self._failures) >= _FAILURES and not self._workers:
            raise ClusterError(f"No worker of the cluster could start: {self._failures[-1]}.")
        if time.monotonic() > until or not (self._wanted or self._started):
            asked = f"{self._cpus:g} CPUs, {self._memory / 1e9:g} GB of memory"
            if self._options.gpus:
                asked += f", {self._options.gpus:g} GPUs"
            raise ClusterError(
                f"No node of the cluster has room for a worker ({asked}); start nodes that have, "
                "or ask for less with --cluster-cpus and --cluster-gpus."
            )

    # -- items

    def _give(self, plan: Plan, prepare: Prepare) -> None:
        ready = [worker for worker in self._workers if worker.greeting]
        nodes = {worker.node for worker in ready}
        given = True
        while given:  # in rounds, so that few items are not all with the first
            given = False
            for worker in sorted(ready, key=lambda one: len(one.streams)):
                item = plan.take(worker.node, nodes, worker.streams)
                if item is not None:
                    assert worker.greeting is not None
                    asked = prepare(item, worker.greeting)
                    worker.streams[item] = worker.actor.do.remote(asked)
                    given = True

    def _collect(self, plan: Plan) -> Iterator[tuple[int, Item]]:
        """Whatever comes next, after at most half a second."""
        waited: dict[Any, tuple[_Worker, int | None]] = {}
        for worker in self._workers:
            if worker.greeting is None:
                waited[worker.start] = worker, None
            waited |= {stream: (worker, item) for item, stream in worker.streams.items()}
        if not waited:
            time.sleep(0.1)
            return
        ready, _ = self._ray.wait(list(waited), num_returns=1, timeout=0.5)
        for one in ready:
            worker, item = waited[one]
            if item is None:
                self._greet(worker)
            else:
                yield from self._event(worker, item, one, plan)

    def _greet(self, worker: _Worker) -> None:
        try:
            greeting = self._ray.get(worker.start)
        except self._ray.exceptions.RayError as error:
            greeting = {"error": _sentence(error)}
        if "error" in greeting:
            self._failures.append(greeting["error"])
            self._say(f"A worker could not start: {greeting['error']}.")
            self._dismiss(worker)
            return
        self._failures.clear()
        worker.greeting = greeting
        worker.node, worker.host = greeting["node"], greeting["host"]

    def _event(
        self, worker: _Worker, item: int, stream: Any, plan: Plan
    ) -> Iterator[tuple[int, Item]]:
        errors = self._ray.exceptions
        try:
            event: Item = self._ray.get(next(stream))
        except errors.RayTaskError as error:  # the job's own fault: it would fail elsewhere too
            event = {"failed": _sentence(error)}
        except (errors.RayError, StopIteration) as error:
            held = list(worker.streams)
            self._dismiss(worker)
            self._say(f"A worker on {worker.host} was lost; what it had is tried once more.")
            for lost in plan.lost(held, worker.node):
                yield lost, {"lost": _sentence(error)}
            return
        if "progress" not in event:
            del worker.streams[item]
            if not plan.done(item):
                return
        yield item, event

    # -- the end

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        with suppress(Exception):
            self._ray.kill(worker.actor)

    def _end(self) -> None:
        """No worker is left, nor what it started."""
        calls = []
        for worker in self._workers:
            with suppress(self._ray.exceptions.RayError):
                call = worker.actor.close.remote()
                if worker.greeting:  # one that no node has yet would never answer
                    calls.append(call)
        try:
            if calls:
                self._ray.wait(calls, num_returns=len(calls), timeout=_CLOSE_S)
        finally:
            for worker in list(self._workers):
                self._dismiss(worker)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster at ``address``; what was connected before stays.

    Raises :class:`ClusterError` where there is no Ray or no cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise ClusterError(f"--cluster needs Ray, which is not installed: {INSTALL}.") from error
    if ray.is_initialized():
        yield ray
        return
    if address != "auto":
        _reach(address)
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"The Ray cluster {address} cannot be used ({_sentence(error)}); start one with 'ray "
            "start --head', or name its head."
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)  # Ray puts its own there
    # Ray says on standard output, which is the command's own, what it thinks of lost nodes; there
    # is no public way to have it quiet (2.60; its debugger does it so).
    logs: Any = import_module("ray._private.worker")
    logs._worker_logs_enabled = False
    try:
        yield ray
    finally:
        ray.shutdown()
        logs._worker_logs_enabled = True


def _reach(address: str) -> None:
    """Raise :class:`ClusterError` where nobody answers: Ray would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise ClusterError(
            f"Nothing answers at {address}; give HOST:PORT of the cluster's head, as 'ray start "
            "--head' said it."
        ) from error


def _environment(options: ClusterOptions) -> dict[str, str]:
    """This program's own variables; where GPUs are asked for, they are used or missed."""
    own = {n: v for n, v in os.environ.items() if n.startswith("RECONSTRUCT_FACE_")}
    own.pop(LIFELINE, None)
    if options.gpus:
        own.setdefault("RECONSTRUCT_FACE_DEVICE", "cuda")
    return own


def _sentence(error: BaseException) -> str:
    """The line of a Ray error that says most: its last one, without a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
