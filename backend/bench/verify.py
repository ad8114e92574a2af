"""``bench verify``: seconds of a verification's steps, and how exactly the two renderers agree."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from ..cli.verify import find_pairs
from ..errors import FaceError
from ..verify.blender import SceneRenderer
from ..verify.pytorch3d import PyTorch3D
from ..verify.verify import SIZE, Verification, verify


def run(pairs: Sequence[tuple[Path, Path]], size: int, repeat: int) -> list[Verification]:
    """Every (npz, blend) verified ``repeat`` times, by one PyTorch3D and one Blender.

    The first is not in the list: libraries are loaded and kernels made in it.
    """
    with PyTorch3D() as pytorch3d, SceneRenderer() as blender:
        done = [
            verify(npz, blend, pytorch3d=pytorch3d, blender=blender, size=size)
            for npz, blend in [pairs[0], *list(pairs) * repeat]
        ]
    return done[1:]


def summary(results: Sequence[Verification]) -> str:
    """Seconds per step (median, longest), then the measures of the scene (median, worst)."""
    versions = ", ".join(f"{name} {version}" for name, version in results[0].versions.items())
    lines = [f"{len(results)} verifications; {versions}", f"{'':44}{'median':>10}{'worst':>10}"]
    steps = {step: [result.seconds[step] for result in results] for step in results[0].seconds}
    steps["whole"] = [sum(result.seconds.values()) for result in results]
    for step, seconds in steps.items():
        lines.append(f"{step + ', s':44}{statistics.median(seconds):>10.2f}{max(seconds):>10.2f}")
    for one in results[0].measures:
        rule = one.threshold
        if rule.group == "scene":
            values = [m.value for r in results for m in r.measures if m.threshold is rule]
            worst = max(values) if rule.most is not None else min(values)
            name = f"{rule.title}, {rule.unit}" if rule.unit else rule.title
            lines.append(f"{name:44}{statistics.median(values):>10.4f}{worst:>10.4f}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench verify", description="Verifications timed, after one that is not counted."
    )
    add = parser.add_argument
    add("reconstruction", nargs="+", type=Path, metavar="NAME.npz", help="or folders of them")
    add("--size", type=int, default=SIZE, help=f"long side in pixels (default {SIZE})")
    add("--repeat", type=int, default=3, help="times each head is verified (default 3)")
    args = parser.parse_args(argv)
    if args.repeat < 1 or not 64 <= args.size <= 4096:
        parser.error("--repeat starts at 1, --size is 64 to 4096")
    try:
        print(summary(run(find_pairs(args.reconstruction, None), args.size, args.repeat)))
    except FaceError as error:
        print(f"bench verify: {error}", file=sys.stderr)
        return error.exit_status
    return 0
