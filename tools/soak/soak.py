"""The runs, and what has to hold after each."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from reconstruct_face.backend.exchange.photo_tasks import finished, read_record
from reconstruct_face.backend.model.load import ASSETS

ENTRY = Path(__file__).parents[2] / "backend" / "__main__.py"
#: Small and soon done; without Blender's files, but with the process that makes the previews.
QUICK = ("--format", "none", "--quality", "fast", "--texture-size", "256", "--quiet")
#: Results of so many runs are collected in one folder before it is looked at as a whole.
_GROUP = 8
#: Seconds for the processes that a killed one leaves behind to notice, and some.
_NOTICE = 8.0
_PATIENCE = 900.0


class Soak:
    """Photos of one name and others, an output folder, a temporary folder of their own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.failures: list[str] = []
        self._counts: Counter[str] = Counter()
        self._folder, self._rng = folder, random.Random(seed)  # noqa: S311 - times, no secrets
        self._place, self._out = folder / "temporary", folder / "out0"
        self._place.mkdir()
        self._runs = 0
        self._kept: set[str] = set()
        self._photos = [self._photo(f"{name}/anna.jpg") for name in "ab"]
        self._photos.append(self._photo("a/otto.jpg"))

    def _photo(self, name: str) -> Path:
        """A photo of its own: the sample with a few bytes behind its end."""
        path = self._folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ASSETS / "astronaut.jpg").read_bytes() + name.encode())
        return path

    def _start(self, photos: list[Path]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(ENTRY), "reconstruct", *map(str, photos), "-o", str(self._out)]
            + list(QUICK),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(self._place)},
            # Shells start what runs in the background with the signal ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def ended_in_a_hurry(self, seconds: float, kill: bool) -> None:
        """One run that is killed, or told to end, at a random moment."""
        process = self._start(self._photos)
        moment = self._rng.uniform(0.0, seconds)
        number = signal.SIGKILL if kill else self._rng.choice((signal.SIGINT, signal.SIGTERM))
        what = f"run {self._runs}, {number.name} after {moment:.2f} s"
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        begun = time.monotonic()
        said = process.communicate(timeout=_PATIENCE)[1]
        took = time.monotonic() - begun
        # A signal before the program has taken it over ends Python itself.
        expected = {0, -int(number)} | ({130, 143} if not kill else set())
        self._expect(process.returncode in expected, f"{what}: exit status {process.returncode}")
        self._expect(
            process.returncode < 0 or "Traceback" not in said, f"{what}: {said.strip()[-300:]}"
        )
        if not kill:
            self._expect(took < 15.0, f"{what}: {took:.0f} s to end")
            if process.returncode >= 0:
                self._nothing_left(what)
        self._counts["killed" if kill else "signalled"] += process.returncode != 0
        self._whole(what)
        self._runs += 1
        if self._runs % _GROUP == 0:
            self.completed()

    def completed(self) -> None:
        """A run that is left alone: every photo once, and nothing of those before."""
        time.sleep(_NOTICE)
        process = self._start(self._photos)
        said = process.communicate(timeout=_PATIENCE)[1]
        what = f"the whole run after {self._runs}"
        self._expect(process.returncode == 0, f"{what}: exit status {process.returncode}: {said}")
        self._each_once(self._photos, what)
        self._another_folder()

    def many(self, count: int) -> None:
        """``count`` processes in one folder, with photos they share and ones of the same name."""
        runs = []
        own = [self._photo(f"own{number}/anna.jpg") for number in range(count)]
        for photo in own:
            photos = [*self._photos, photo]
            self._rng.shuffle(photos)
            runs.append(self._start(photos))
        for number, process in enumerate(runs):
            said = process.communicate(timeout=_PATIENCE)[1]
            self._expect(process.returncode == 0, f"process {number} of {count}: {said[-300:]}")
        self._each_once([*self._photos, *own], f"{count} processes in one folder")
        self._counts["at once"] += count
        self._another_folder()

    def told(self) -> str:
        """What was done and what went wrong."""
        done = ", ".join(f"{number} {what}" for what, number in self._counts.items())
        return "\n".join([*self.failures, f"{done}; {len(self.failures)} failures"])

    def _expect(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.failures.append(sentence)

    def _results(self) -> dict[str, str]:
        """The photo's digest by the name of each result."""
        names = [path.stem for path in self._out.glob("*.json")]
        return {name: str(read_record(self._out, name).get("photo_sha256", "")) for name in names}

    def _whole(self, what: str) -> None:
        """What is there is whole, and what was there before still is."""
        results = self._results()
        for name, digest in results.items():
            request = read_record(self._out, name).get("request", {})
            whole = bool(finished(self._out, name, digest, request))
            self._expect(whole, f"{what}: {name} is not whole")
        self._expect(self._kept <= set(results), f"{what}: lost {self._kept - set(results)}")
        self._kept = set(results)

    def _each_once(self, photos: list[Path], what: str) -> None:
        self._whole(what)
        wanted = Counter(hashlib.sha256(photo.read_bytes()).hexdigest() for photo in photos)
        found = Counter(self._results().values())
        self._expect(not wanted - found, f"{what}: {len(wanted - found)} photos lost")
        self._expect(not found - wanted, f"{what}: {len(found - wanted)} results twice")
        self._nothing_left(what)

    def _nothing_left(self, what: str) -> None:
        """Of the run that has ended; what one that was killed leaves the next removes."""
        if self._counts["killed"] and "whole run" not in what and "processes" not in what:
            return
        left = [path.name for path in self._place.iterdir()]
        if self._out.is_dir():
            left += [path.name for path in self._out.iterdir() if path.name.startswith(".")]
        self._expect(not left, f"{what}: left {left}")

    def _another_folder(self) -> None:
        shutil.rmtree(self._out)
        self._out = self._folder / f"out{self._runs + 1}"
        self._kept = set()
