"""The shares of a film's work that workers do, by the functions of :mod:`..animate`.

What they do depends on nothing before it; what follows from frame to frame stays where the command
runs.  So the result is that of one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from ..animate.shares import Share, Work
from ..errors import ClusterError, FaceError, error_from_code
from ..exchange import load_reconstruction
from ..exchange.options import Options
from ..model import FaceModel, load_model
from .host import Item
from .options import ClusterOptions
from .pool import Pool

JOB = f"{__name__}:FilmJob"


@contextmanager
def film_shares(
    options: ClusterOptions,
    reconstruction: Options,
    head: Path | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[OnWorkers]:
    """What :func:`..animate.job.animate` takes as ``shares``, given the same options and ``head``.

    Raises :class:`ClusterError` where there is no cluster, or no room on it, and as
    :func:`load_reconstruction` does for the head.
    """
    model = reconstruction.model
    if head is not None:
        model = str(load_reconstruction(head).model["name"])
    setup = {"model": model, "expressions": reconstruction.expressions}
    with Pool(options, JOB, setup, say=say) as pool:
        yield OnWorkers(pool)


class OnWorkers:
    """Does shares on the workers of ``pool``, whose job is a :class:`FilmJob`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._works = 0

    def map(self, work: Work, common: Share, shares: Iterable[Share]) -> Iterator[Share]:
        """As :meth:`..animate.shares.Shares.map`; all of ``shares`` are taken first.

        Raises :class:`ClusterError` where a share was lost twice, and what the work raised.
        """
        given = list(shares)
        own = {name: value for name, value in common.items() if not isinstance(value, FaceModel)}
        self._works += 1
        asked: Item = {
            "work": f"{work.__module__}:{work.__name__}",
            "number": self._works,
            "common": self._pool.put(own),
            "models": [name for name in common if name not in own],
        }
        results: dict[int, Share] = {}
        following = 0
        done = self._pool.run(len(given), lambda i, _: asked | {"share": given[i]}, depth=1)
        for number, event in done:
            if "result" not in event:
                raise _error(event)
            if "error" in event["result"]:
                raise error_from_code(**event["result"]["error"])
            results[number] = event["result"]
            while following in results:
                yield results.pop(following)
                following += 1


def _error(event: Item) -> FaceError:
    if "lost" in event:
        return ClusterError(
            f"Two workers were lost with the same part of the film ({event['lost']}); do it on one "
            "machine to see why."
        )
    return FaceError(f"{event['failed']}.")


class FilmJob:
    """On a worker: functions with what they have in common, kept until there is another."""

    def __init__(self, setup: Item) -> None:
        self._setup = setup
        self._number = 0
        self._work: Callable[[Share], Share] | None = None

    def greeting(self) -> Item:
        """Nothing to say; the face model is loaded then."""
        load_model(self._setup["model"], self._setup["expressions"])
        return {}

    def do(self, item: Item) -> Iterator[Item]:
        """As :meth:`.host.Job.do`."""
        with threadpool_limits(limits=1, user_api="blas"):  # as animate: the same numbers
            try:
                if item["number"] != self._number:
                    self._work, self._number = self._made(item), item["number"]
                assert self._work is not None
                yield {"result": self._work(item["share"])}
            except FaceError as error:
                told = {"code": error.code, "message": str(error), "details": error.details}
                yield {"result": {"error": told}}

    def close(self) -> None:
        """Nothing was started."""

    def _made(self, item: Item) -> Callable[[Share], Share]:
        common = dict(got(item["common"]))
        for name in item["models"]:
            common[name] = load_model(self._setup["model"], self._setup["expressions"])
        module, _, name = item["work"].partition(":")
        return getattr(import_module(module), name)(common)


def got(value: Any) -> Share:
    """``value``, or what it refers to in Ray's object store."""
    if isinstance(value, dict):
        return value
    import ray  # here, for tests without it

    return ray.get(value)
