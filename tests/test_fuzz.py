"""The fuzz command: the same cases each time, failures are noticed, and a short round of it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tools.fuzz import kinds, readers, runner
from tools.fuzz.child import make_case, read_case
from tools.fuzz.kinds import KINDS, Kind, Sample
from tools.fuzz.mutate import binary, record

#: Of a round that takes three minutes with the other kinds.
SECONDS, COUNT = 60.0, 150


def test_a_case_is_the_same_each_time(tmp_path: Path) -> None:
    import tools.fuzz.good  # noqa: F401  # KINDS loads it by name; the tiers of tests follow imports

    (tmp_path / "good" / "motion").mkdir(parents=True)
    KINDS["motion"].make(tmp_path / "good" / "motion")
    contents = set()
    for index in range(30):
        made = [
            make_case("motion", 7, index, tmp_path / "good", tmp_path / part)[0].read_bytes()
            for part in ("a", "b")
        ]
        assert made[0] == made[1]
        contents.add(made[0])
    assert len(contents) > 25


def test_what_is_no_sentence_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reconstruct_face.backend.errors import ExchangeError

    def outcome(error: Exception) -> object:
        def read(path: Path, others: list[Path]) -> None:
            raise error

        monkeypatch.setitem(readers.READERS, "odd", read)
        return read_case(tmp_path / "oddity.bin", Sample("oddity.bin", "odd", binary), tmp_path)[
            "outcome"
        ]

    assert outcome(ExchangeError("/x/oddity.bin is damaged.")) == "exchange"
    assert outcome(ExchangeError("Something is damaged.")) == "no sentence"
    assert outcome(ExchangeError("oddity.bin " + "is " * 500)) == "no sentence"
    assert outcome(KeyError("oddity.bin")) == "unexpected KeyError"


def test_a_case_that_cannot_be_made_ends_nothing(tmp_path: Path) -> None:
    """It counts as a failure with the exception that says why."""
    import tools.fuzz.good  # noqa: F401

    (tmp_path / "good" / "motion").mkdir(parents=True)
    KINDS["motion"].make(tmp_path / "good" / "motion")
    for name in ("motion.npz", "live.csv", "own.csv"):
        (tmp_path / "good" / "motion" / name).unlink()
    report = runner.run(["motion"], 1, {"motion": 12}, tmp_path)
    made, failed = report.counts["motion"], {one.outcome for one in report.failures}
    assert made.total() == 12 and 0 < made["not made"] < 12 and failed == {"not made"}
    assert all("FileNotFoundError" in one.told() for one in report.failures)


def test_a_document_is_damaged_that_was_nested_too_deep_before() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert all(record(deep, np.random.default_rng(seed)) for seed in range(20))


BAD = {
    "crash": "os.kill(os.getpid(), 11)",
    "hang": "[None for _ in iter(int, 1)]",
    "memory": "bytearray(600_000_000)",
}


@pytest.mark.slow
@pytest.mark.parametrize("outcome", list(BAD))
def test_crashes_hangs_and_bombs_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """A reader that does it stands in for one of the project's, in the process that reads."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nfrom pathlib import Path\n"
        "import reconstruct_face.backend.training.config as config\n"
        f"config.read_toml = lambda path: {BAD[outcome]}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # Each under its own limit alone: a slow machine takes seconds to hand out a bomb's memory.
    if outcome == "hang":
        monkeypatch.setattr(runner, "LIMIT_S", 2.0)
    if outcome == "memory":
        monkeypatch.setattr(runner, "LIMIT_MB", 500.0)
    only = Kind(3, "good:records", (Sample("train.toml", "config", binary),))
    monkeypatch.setitem(kinds.KINDS, "records", only)
    report = runner.run(["records"], 1, {"records": 3}, tmp_path)
    failed = {one.outcome for one in report.failures}
    assert outcome in failed, report.table()


@pytest.mark.slow
def test_a_short_round_of_readers(tmp_path: Path) -> None:
    import torch  # noqa: F401  # tools.fuzz.good makes a checkpoint with it

    start = time.monotonic()
    names = list(kinds.GROUPS["readers"])
    counts = dict.fromkeys(names, COUNT)
    report = runner.run(names, 20, counts, tmp_path, SECONDS)
    print(report.table(), f"\n{time.monotonic() - start:.0f} s")
    assert not report.failures, report.table()
    assert all(report.counts[name].total() >= 5 for name in names), report.table()
    assert all(set(report.counts[name]) - {"ok"} for name in names), "something was refused"


def test_a_short_round_of_pictures(tmp_path: Path) -> None:
    """In one process, as a batch has it; the whole cascade of detectors takes a second each."""
    report = runner.run(["pictures"], 3, {"pictures": 12}, tmp_path, 120.0)
    assert not report.failures, report.table()
