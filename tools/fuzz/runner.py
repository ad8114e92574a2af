"""Runs cases in processes that are watched, and counts what came of them.

Linux only: what a case took is told by ``/proc``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .kinds import KINDS

#: Outcomes that are as they should be, beside the codes of errors.
GOOD = {"ok", "photo", "no_face", "model", "exchange", "training", "output"}
#: Seconds of processor time that a case may take, and on a clock: on a busy machine one has little
#: of the other, and what waits for something for ever has none.
LIMIT_S, CLOCK_S = 10.0, 400.0
#: MB that a case of a small file may take; a full-size model takes 1,500.
LIMIT_MB = 1500.0
_START_S = 900.0  #: for the process to start, or to make a case
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Failure:
    """A case that did more than be refused."""

    kind: str
    index: int
    outcome: str
    said: str

    def told(self) -> str:
        """For people."""
        return f"FAILED {self.kind} {self.index}: {self.outcome}: {self.said}"


@dataclass
class Report:
    """What came of the cases."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    slowest_s: dict[str, float] = field(default_factory=dict)
    most_mb: dict[str, float] = field(default_factory=dict)

    def add(self, kind: str, index: int, result: dict[str, Any]) -> Failure | None:
        """Count one; what it is if it failed."""
        outcome = result["outcome"]
        self.counts.setdefault(kind, Counter())[outcome] += 1
        self.slowest_s[kind] = max(self.slowest_s.get(kind, 0), result.get("seconds", 0))
        self.most_mb[kind] = max(self.most_mb.get(kind, 0), result.get("memory_mb", 0))
        if outcome in GOOD:
            return None
        self.failures.append(Failure(kind, index, outcome, result.get("said", "")))
        return self.failures[-1]

    def table(self) -> str:
        """For people."""
        lines = [f"{'kind':10} {'cases':>6} {'slowest s':>10} {'most MB':>8}  outcomes"]
        for kind, counts in self.counts.items():
            told = ", ".join(f"{name} {count}" for name, count in counts.most_common())
            lines.append(
                f"{kind:10} {counts.total():6} {self.slowest_s[kind]:10.1f} "
                f"{self.most_mb[kind]:8.0f}  {told}"
            )
        return "\n".join([*lines, *(one.told() for one in self.failures)])


def run(
    kinds: Iterable[str],
    seed: int,
    counts: dict[str, int],
    folder: Path,
    seconds: float | None = None,
    first: int = 0,
) -> Report:
    """``counts`` cases of each of ``kinds``, from number ``first``; fewer where time is over.

    ``folder`` takes the good files and the cases.
    """
    report, end = Report(), None if seconds is None else time.monotonic() + seconds
    kinds = list(kinds)
    for kind in kinds:
        if not (folder / "good" / kind).is_dir():
            (folder / "good" / kind).mkdir(parents=True)
            KINDS[kind].make(folder / "good" / kind)
    child: _Child | None = None
    for done, (kind, index) in enumerate(_alternating(kinds, counts, first)):
        if end is not None and time.monotonic() > end:
            break
        if child is None or done % 500 == 0:
            if child:
                child.close()
            child = _Child(folder)
        result = child.ask(kind, seed, index)
        if failure := report.add(kind, index, result):
            print(failure.told(), file=sys.stderr, flush=True)
        if result["outcome"] in ("crash", "hang", "not made"):
            child.close()
            child = None
    if child:
        child.close()
    return report


def _alternating(kinds: list[str], counts: dict[str, int], first: int) -> Iterator[tuple[str, int]]:
    """All kinds in step, so that a round that is cut short has some of each."""
    places = [
        ((index + 0.5) / counts[kind], kind, first + index)
        for kind in kinds
        for index in range(counts[kind])
    ]
    for _, kind, index in sorted(places):
        yield kind, index


class _Child:
    def __init__(self, folder: Path) -> None:
        cases = folder / "cases"
        cases.mkdir(exist_ok=True)
        self._said = folder / "child.txt"  # its standard error
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tools.fuzz.child", str(folder / "good"), str(cases)],
                cwd=ROOT,
                env=os.environ | {"PYTHONFAULTHANDLER": "", "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def ask(self, kind: str, seed: int, index: int) -> dict[str, Any]:
        """What came of the case."""
        assert self._process.stdin
        case = json.dumps({"kind": kind, "seed": seed, "index": index})
        with contextlib.suppress(BrokenPipeError):  # it has ended: told by its next line
            self._process.stdin.write(case + "\n")
            self._process.stdin.flush()
        made = self._next(_START_S)
        if "made" not in made:
            return {"outcome": "not made", "said": f"{made['outcome']}: {made['said']}"}
        result = self._next(CLOCK_S, self._processor_s() + LIMIT_S)
        if result.get("memory_mb", 0) > LIMIT_MB:
            said = f"{result['memory_mb']:.0f} MB; {result['outcome']}: {result['said']}"
            result |= {"outcome": "memory", "said": said}
        return result

    def _next(self, clock: float, processor: float = float("inf")) -> dict[str, Any]:
        """Its next line, or that it takes too long."""
        end = time.monotonic() + clock
        while True:
            try:
                line = self._lines.get(timeout=0.5)
                break
            except queue.Empty:
                if time.monotonic() > end:
                    return {"outcome": "hang", "said": f"more than {clock:.0f} s on a clock"}
                if self._processor_s() > processor:
                    return {"outcome": "hang", "said": f"more than {LIMIT_S:.0f} s"}
        if line is None:
            said = self._said.read_text(errors="replace")[-600:].replace("\n", " | ")
            return {"outcome": "crash", "said": f"exit status {self._process.wait()}: {said}"}
        return json.loads(line)

    def _processor_s(self) -> float:
        """Processor time that it and the processes it has waited for took."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return 0.0
        ticks = text.rpartition(")")[2].split()[11:15]  # utime, stime, and of its children
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
