"""The process that makes and reads cases: ``python -m tools.fuzz.child GOOD CASES``.

Standard input has a case a line (JSON: kind, seed, index); on standard output each gets a line when
its file is made and one when it is read, or one that says why it could not be made.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import traceback
import zlib
from pathlib import Path

import numpy as np
from reconstruct_face.backend.errors import FaceError

from .kinds import KINDS, Sample
from .readers import READERS

#: Address space beyond what there is at the start, so that a bomb does not end the machine.
_MOST = 6_000_000_000


def make_case(kind: str, seed: int, index: int, good: Path, cases: Path) -> tuple[Path, Sample]:
    """The damaged file, or folder with one, of that number, below ``cases``."""
    samples = KINDS[kind].samples
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed, index])
    weights = np.array([sample.weight for sample in samples])
    sample = samples[int(rng.choice(len(samples), p=weights / weights.sum()))]
    source, target = good / kind / sample.path, cases / f"case{index}" / sample.path
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link)
        files = sorted(path for path in target.rglob("*") if path.is_file())
        file = files[int(rng.integers(len(files)))]
        data = file.read_bytes()
        file.unlink()
    else:
        file, data = target, source.read_bytes()
    file.write_bytes(sample.mutations(data, rng))
    return target, sample


def read_case(path: Path, sample: Sample, good: Path) -> dict[str, object]:
    """What came of reading it: ``outcome`` is "ok", the code of an error, or "unexpected"."""
    others = [good / other for other in sample.others]
    try:
        READERS[sample.reader](path, others)
    except FaceError as error:
        text = str(error)
        names = {path.name, *(other.name for other in others)}
        if path.is_dir():
            names |= {part.name for part in path.rglob("*")}
        names |= {name.rsplit(".", 1)[0] for name in names}
        if len(text) > 1000 or not any(name in text for name in names):
            return {"outcome": "no sentence", "said": text[:300]}
        return {"outcome": error.code, "said": text[:300]}
    except BaseException as error:
        return {"outcome": f"unexpected {type(error).__name__}", "said": _told()}
    return {"outcome": "ok", "said": ""}


def _told() -> str:
    """The end of the traceback of the exception at hand."""
    return " | ".join(traceback.format_exc().strip().splitlines()[-5:])[-600:]


def main(good: Path, cases: Path) -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + _MOST, now + _MOST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        case = json.loads(line)
        try:
            path, sample = make_case(**case, good=good, cases=cases)
        except Exception:
            out.write(json.dumps({"outcome": "exception", "said": _told()}) + "\n")
            continue
        before = _reset_peak()
        out.write(json.dumps({"made": str(path), "reader": sample.reader}) + "\n")
        start = time.process_time()
        result = read_case(path, sample, good / case["kind"])
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        result |= {
            "seconds": time.process_time() - start,
            "memory_mb": max(_status("VmHWM") - before, children),
        }
        out.write(json.dumps(result) + "\n")
        shutil.rmtree(cases / f"case{case['index']}", ignore_errors=True)


def _reset_peak() -> float:
    """Resident MB now, from which the peak is counted again."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
