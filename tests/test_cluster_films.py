"""A film's shares done by a worker's job are what this process makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reconstruct_face.backend.animate import appearance
from reconstruct_face.backend.animate.prepared import Prepared, prepare
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.cluster.films import FilmJob, OnWorkers
from reconstruct_face.backend.errors import ClusterError, FaceError, ModelError
from reconstruct_face.backend.exchange.options import Options
from threadpoolctl import threadpool_limits

from tests import animate_clip as clips
from tests.errors import raises


class TwoWorkers:
    """As ``Pool``: two jobs in this process, the last items first."""

    def __init__(self) -> None:
        self.jobs = [FilmJob({"model": "default", "expressions": "native"}) for _ in range(2)]
        self.done = [0, 0]

    def put(self, value: dict[str, Any]) -> dict[str, Any]:
        return value

    def run(
        self, count: int, prepare: Callable[[int, Any], Any], depth: int
    ) -> Iterator[tuple[int, Any]]:
        assert depth == 1, "a job does one share at a time"
        for number in reversed(range(count)):
            self.done[number % 2] += 1
            (event,) = self.jobs[number % 2].do(prepare(number, {}))
            yield number, event


@pytest.mark.slow
def test_the_head_of_a_film_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = clips.film(tmp_path / "film.mp4", 30, 2)
    options = Options(texture_size=512, quality="fast")
    monkeypatch.setattr(appearance, "SAMPLES", 90)

    def made(shares: OnWorkers | None) -> Prepared:
        with threadpool_limits(limits=1, user_api="blas"):
            source = open_source(film.path)
            return prepare(source, None, options, True, lambda part, step: None, shares)

    pool = TwoWorkers()
    here, there = made(None), made(OnWorkers(pool))
    assert min(pool.done) > 5
    np.testing.assert_array_equal(here.subject.identity, there.subject.identity)
    np.testing.assert_array_equal(here.subject.person, there.subject.person)
    assert here.appearance is not None and there.appearance is not None
    arrays, others = here.appearance.arrays(), there.appearance.arrays()
    assert set(arrays) == set(others)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)
    for one in fields(here.reconstruction):
        a, b = (getattr(x.reconstruction, one.name) for x in (here, there))
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=one.name)


def squares(common: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def work(share: dict[str, Any]) -> dict[str, Any]:
        if share["x"] == common["refused"]:
            raise ModelError(f"{share['x']} is refused.")
        return {"x": share["x"] ** 2}

    return work


def test_shares_come_in_their_order_and_errors_as_they_are() -> None:
    films = OnWorkers(TwoWorkers())  # type: ignore[arg-type]
    shares = ({"x": x} for x in range(7))
    squared = films.map(squares, {"refused": -1}, shares)
    assert [one["x"] for one in squared] == [0, 1, 4, 9, 16, 25, 36]
    with raises(ModelError, 3):
        list(films.map(squares, {"refused": 3}, [{"x": 3}]))


@pytest.mark.parametrize(
    ("event", "kind"),
    [({"lost": "The node died"}, ClusterError), ({"failed": "KeyError: 'x'"}, FaceError)],
)
def test_a_share_that_was_lost_ends_the_run_with_a_sentence(
    event: dict[str, str], kind: type[FaceError]
) -> None:
    class Loses(TwoWorkers):
        def run(self, count, prepare, depth):
            yield 0, event

    with raises(kind, *event.values()):
        list(OnWorkers(Loses()).map(squares, {}, [{"x": 1}]))  # type: ignore[arg-type]
