"""What workers get, and what becomes of what was lost: no Ray needed."""

from __future__ import annotations

import argparse

import pytest
from reconstruct_face.backend.cluster.options import ClusterOptions, add_cluster, cluster_options
from reconstruct_face.backend.cluster.plan import DEPTH, Plan
from reconstruct_face.backend.errors import OptionError

from tests.errors import raises

NODES = {"a", "b"}


def test_every_item_is_given_once_and_few_at_a_time() -> None:
    plan = Plan(7)
    held: dict[str, list[int]] = {"a": [], "b": []}
    done: list[int] = []
    while not plan.finished:
        for node, items in held.items():
            while (item := plan.take(node, NODES, items)) is not None:
                items.append(item)
            assert len(items) <= DEPTH
        for items in held.values():
            if items:
                done.append(items.pop(0))
                assert plan.done(done[-1])
    assert sorted(done) == list(range(7))
    assert plan.waiting == 0 and not plan.done(3)


def test_what_was_lost_is_done_once_more_elsewhere_and_alone() -> None:
    plan = Plan(4)
    assert [plan.take("a", NODES, held) for held in ([], [0])] == [0, 1]
    assert plan.take("b", NODES, []) == 2
    assert plan.lost([0, 1], "a") == []
    assert plan.take("b", NODES, [2]) == 3, "a worker that is busy gets no lost one"
    assert plan.done(2) and plan.done(3)
    assert plan.take("a", NODES, []) is None, "it was lost there"
    assert plan.take("b", NODES, []) == 0
    assert plan.take("b", NODES, [0]) is None, "nothing goes with it"
    assert plan.take("a", {"a"}, []) == 1, "there is no other node any more"
    assert plan.lost([0], "b") == [0], "given up after the second loss"
    assert plan.done(1) and plan.finished


def test_few_at_a_time_is_one_where_a_job_can_do_no_more() -> None:
    plan = Plan(2, depth=1)
    assert plan.take("a", NODES, []) == 0 and plan.take("a", NODES, [0]) is None
    assert plan.take("b", NODES, []) == 1


def test_what_was_done_before_its_worker_was_lost_stays_done() -> None:
    plan = Plan(2)
    first, second = plan.take("a", NODES, []), plan.take("a", NODES, [0])
    assert plan.done(0)
    assert plan.lost([first, second], "a") == [] and plan.waiting == 1
    assert plan.take("b", NODES, []) == 1
    assert plan.done(1) and not plan.done(1) and plan.finished


def parsed(*arguments: str) -> ClusterOptions | None:
    parser = argparse.ArgumentParser()
    add_cluster(parser)
    return cluster_options(parser.parse_args(arguments))


def test_the_command_lines_options() -> None:
    assert parsed() is None
    assert parsed("--cluster", "auto") == ClusterOptions()
    given = parsed("--cluster", "10.0.0.1:6379", "--cluster-workers", "3", "--cluster-gpus", "0.5")
    assert given == ClusterOptions("10.0.0.1:6379", workers=3, gpus=0.5)
    assert (given.cpus_for(True), given.cpus_for(False)) == (2, 1)
    assert ClusterOptions(cpus=4).cpus_for(True) == 4


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["--cluster-gpus", "1"], ["--cluster-gpus", "--cluster"]),
        (["--cluster", "ray://head:10001"], ["ray://head:10001", "HOST:PORT"]),
        (["--cluster", ""], ["HOST:PORT"]),
        (["--cluster", "auto", "--cluster-workers", "0"], [0]),
        (["--cluster", "auto", "--cluster-cpus", "nan"], ["nan"]),
        (["--cluster", "auto", "--cluster-gpus", "1.5"], ["1.5"]),
        (["--cluster", "auto", "--cluster-gpus", "-1"], ["-1.0"]),
    ],
)
def test_options_that_cannot_be(arguments: list[str], facts: list[object]) -> None:
    with raises(OptionError, *facts):
        parsed(*arguments)
