"""``bench animate``: how fast a video becomes a motion, and how true it is to known curves."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..animate.frames import Clock, follow
from ..animate.job import AnimateOptions, animate
from ..animate.prepared import load_prepared, prepare, save_prepared
from ..animate.smooth import FILTERS, score, smooth_motion
from ..animate.source import open_source
from ..errors import FaceError
from ..exchange.motion import Motion, load_motion
from ..files import write_bytes
from ..model import load_model
from .animation_set import CLIPS, FRAMES, SEED, SIZE, Clip, animation_set, default_folder

Double = NDArray[np.float64]

#: A key counts as visible where the clip uses it by more.
USED = 0.05
#: A blink is found when the lids close by so much within so many frames of the true one.
BLINK, NEAR = 0.5, 3
#: Frames by which curves are shifted to look for a lag.
SHIFTS = 5
#: Frames that are not timed, where there are more.
WARM = 10
HD = (1280, 720)


@dataclass(frozen=True)
class Accuracy:
    """One clip."""

    correlation: dict[str, float]  #: by shape, of those the clip uses
    error: dict[str, float]  #: mean absolute, of all shapes
    used: tuple[str, ...]
    lag: dict[str, int]  #: frames by which the found curve is late
    blinks: int
    blinks_found: int
    blinks_imagined: int
    turn: float  #: degrees, median, of the head's rotation less its mean difference
    frames: int

    @property
    def visible_error(self) -> float:
        """Mean absolute weight error over the shapes that the clip uses."""
        return float(np.mean([self.error[name] for name in self.used]))


def measure(clip: Clip, motion: Motion) -> Accuracy:
    """``motion`` against the truth of ``clip``, frame by frame."""
    count = min(len(clip.weights), len(motion.times))
    truth = clip.weights[:count]
    at = [motion.names.index(name) for name in clip.names]
    found = motion.weights[:count, at].astype(np.float64)
    used = tuple(n for n, top in zip(clip.names, truth.max(axis=0), strict=True) if top > USED)
    correlation, lag = {}, {}
    for name in used:
        i = clip.names.index(name)
        a, b = truth[:, i], found[:, i]
        correlation[name] = _correlation(a, b)
        alike = {
            k: _correlation(a[SHIFTS:-SHIFTS], b[SHIFTS + k : count - SHIFTS + k])
            for k in range(-SHIFTS, SHIFTS + 1)
        }
        lag[name] = max(alike, key=lambda k: alike[k])
    error = dict(zip(clip.names, np.abs(truth - found).mean(axis=0).tolist(), strict=True))
    blinks, seen, more = count_blinks(clip.names, truth, found)
    return Accuracy(
        correlation, error, used, lag, blinks, seen, more, _turn_error(clip, motion, count), count
    )


def count_blinks(names: tuple[str, ...], truth: Double, found: Double) -> tuple[int, int, int]:
    """Blinks of the true curves, how many of them the found ones have, and how many more."""
    lids = [names.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    true, seen = truth[:, lids].mean(axis=1), found[:, lids].mean(axis=1)
    closed = np.flatnonzero(true > 0.8)
    starts = closed[np.diff(closed, prepend=-10) > 2]
    ends = closed[np.diff(closed, append=closed[-1:] + 10) > 2] if len(closed) else closed
    hits = sum(
        float(seen[max(a - NEAR, 0) : b + NEAR + 1].max()) > BLINK
        for a, b in zip(starts, ends, strict=True)
    )
    shut = np.flatnonzero((seen > BLINK) & (np.append(0.0, seen[:-1]) <= BLINK))
    open_ = [float(true[max(i - NEAR, 0) : i + NEAR + 1].max()) < 0.1 for i in shut]
    return len(starts), hits, int(np.sum(open_))


def _turn_error(clip: Clip, motion: Motion, count: int) -> float:
    """Which way is straight ahead is a matter of the identity: the mean difference is left out."""
    from scipy.spatial.transform import Rotation

    assert motion.rotation is not None
    apart = Rotation.from_matrix(motion.rotation[:count].transpose(0, 2, 1) @ clip.rotation[:count])
    left = apart.mean().inv() * apart
    return float(np.degrees(np.median(left.magnitude())))


def _correlation(a: Double, b: Double) -> float:
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def accuracy_table(many: list[Accuracy]) -> str:
    """For people."""
    names = sorted({name for one in many for name in one.used})
    heads = "".join(f"{f'clip {i}':^22}" for i in range(len(many)))
    lines = [f"{'':<22}{heads}", f"{'':<22}" + f"{'corr.':>8}{'error':>7}{'lag':>5}  " * len(many)]
    for name in names:
        cells = "".join(
            f"{one.correlation[name]:8.3f}{one.error[name]:7.3f}{one.lag[name]:5d}  "
            if name in one.used
            else " " * 22
            for one in many
        )
        lines.append(f"{name:<22}{cells}")
    blinks, found = sum(o.blinks for o in many), sum(o.blinks_found for o in many)
    more = sum(o.blinks_imagined for o in many)
    lines += [
        f"frames                    {sum(o.frames for o in many)}",
        f"mean error, used shapes   {np.mean([o.visible_error for o in many]):.3f}",
        f"mean error, all shapes    {np.mean([list(o.error.values()) for o in many]):.3f}",
        f"blinks found              {found} of {blinks}, and {more} that are none",
        "head's rotation, median   " + ", ".join(f"{o.turn:.1f}" for o in many) + " degrees",
    ]
    return "\n".join(lines)


def speed(video: Path, folder: Path, frames: int | None = None) -> dict[str, Any]:
    """Milliseconds a frame by stage and frames a second, the head being solved; of ``video``."""
    source = open_source(video)
    with threadpool_limits(limits=1, user_api="blas"):
        start = time.perf_counter()
        if not (folder / "head.npz").is_file():
            options = AnimateOptions()
            prepared = prepare(
                source, None, options.reconstruction, options.appearance, lambda p, s: None
            )
            save_prepared(prepared, folder)
        prepared = load_prepared(folder)
        head = time.perf_counter() - start
        results, clock, warm, cold = [], Clock(), 0.0, {}
        begun = time.perf_counter()
        for result, _ in follow(source, prepared, clock=clock):
            results.append(result)
            if len(results) == WARM:  # what is loaded on first use is loaded
                warm, cold = time.perf_counter(), dict(clock.seconds)
            if frames is not None and len(results) >= frames:
                break
        counted = len(results)
        if counted > WARM:
            counted, begun = counted - WARM, warm
            clock.seconds = {name: s - cold.get(name, 0.0) for name, s in clock.seconds.items()}
        wall = time.perf_counter() - begun
        start = time.perf_counter()
        smooth_motion(
            np.array([r.weights for r in results]),
            np.array([r.rotation for r in results]),
            np.array([r.translation for r in results]),
            np.array([r.valid for r in results]),
            np.array([r.begins for r in results]),
            source.rate,
        )
        clock.add("smooth", start)
    return {
        "size": list(source.size),
        "frames": counted,
        "head_seconds": head,
        "stages_ms": {name: 1000 * s / counted for name, s in clock.seconds.items()},
        "frames_per_second": counted / wall,
    }


def speed_table(found: dict[str, Any]) -> str:
    """For people."""
    width, height = found["size"]
    lines = [
        f"{width} x {height}, {found['frames']} frames, {os.cpu_count()} CPUs; "
        f"head solved in {found['head_seconds']:.0f} s"
    ]
    lines += [f"{name:<12}{value:8.1f} ms" for name, value in found["stages_ms"].items()]
    lines.append(
        f"{'together':<12}{1000 / found['frames_per_second']:8.1f} ms, "
        f"{found['frames_per_second']:.1f} frames a second (decode, track and the rest overlap)"
    )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench animate",
        description="Milliseconds a frame by stage, for a video of 1280 x 720 made of a synthetic "
        "clip, or for VIDEO; with --accuracy how true the curves of all clips are.",
    )
    add = parser.add_argument
    add("video", nargs="?", type=Path, help="default: the first synthetic clip, enlarged to 720p")
    add("--accuracy", action="store_true", help="measure the curves, not the speed")
    add("--filters", action="store_true", help="score the filters, and nothing else")
    add("--set", type=Path, metavar="FOLDER", help=f"the clips (default: {default_folder()})")
    add("--seed", type=int, default=SEED, help="of the clips that --set is made with: other heads")
    add("--clips", type=int, default=CLIPS, help=argparse.SUPPRESS)
    add("--frames", type=int, default=FRAMES, help=argparse.SUPPRESS)
    add("--json", type=Path, metavar="FILE", help="write all numbers there")
    args = parser.parse_args(argv)
    if args.filters:
        for kind in FILTERS:
            numbers = "  ".join(f"{name} {value:6.3f}" for name, value in score(kind).items())
            print(f"{kind:<16}{numbers}")
        return 0
    try:
        document = _run(args)
    except FaceError as error:
        print(f"bench animate: {error}", file=sys.stderr)
        return error.exit_status
    if args.json:
        write_bytes(args.json, json.dumps(document, indent=1).encode())
    return 0


def _run(args: argparse.Namespace) -> dict[str, Any]:
    folder = args.set or default_folder()
    clips: list[Clip] = []
    if args.accuracy or args.video is None:
        clips = animation_set(folder, load_model(), args.clips, args.frames, SIZE, args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        if not args.accuracy:
            video = args.video or clips[0].write_video(place / "hd.mp4", HD)
            found = speed(video, place)
            print(speed_table(found))
            return {"speed": found}
        many = []
        for i, clip in enumerate(clips):
            video = clip.write_video(place / f"clip_{i}.mp4")
            done = animate(video, place / f"clip_{i}.npz")
            many.append(measure(clip, load_motion(done.motion)))
        print(accuracy_table(many))
    return {"clips": [vars(one) | {"visible_error": one.visible_error} for one in many]}
