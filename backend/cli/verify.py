"""``verify NAME.npz --blend NAME.blend``: see ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import FaceError, VerificationError, shown
from ..exchange.arguments import a_path
from ..exchange.output import prepare_output
from ..exchange.own_pictures import marked
from ..files import write_bytes
from ..photo.encode import encode_png
from ..verify.blender import SceneRenderer
from ..verify.pytorch3d import PyTorch3D
from ..verify.report import html_report, json_report, line, table
from ..verify.verify import SIZE, Verification, verify

#: Bytes that have to be free: a picture of each of a few heads.
_NEEDED = 20_000_000


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        pairs = find_pairs(args.reconstruction, args.blend)
        if args.pictures:
            prepare_output(args.pictures, _NEEDED)
        with PyTorch3D() as pytorch3d, SceneRenderer() as blender:
            results, failures, status = _run(pairs, args, pytorch3d, blender)
        _write(args, results, failures)
    except FaceError as error:
        print(f"verify: {error}", file=sys.stderr)
        return error.exit_status
    return status


def find_pairs(
    reconstructions: Sequence[Path], blends: Sequence[Path] | None
) -> list[tuple[Path, Path]]:
    """(npz, blend) of every head: each file's own ``blend``, or the one of its name beside it.

    A folder stands for all reconstructions in it.  Raises :class:`VerificationError`.
    """
    found: list[Path] = []
    for path in reconstructions:
        found += sorted(path.glob("[!.]*.npz")) if os.path.isdir(path) else [path]
    if not found:
        raise VerificationError(f"There are no .npz files in {reconstructions[0]}.")
    if blends is None:
        return [(path, path.with_suffix(".blend")) for path in found]
    if len(blends) != len(found):
        raise VerificationError(
            f"{len(found)} reconstructions and {len(blends)} .blend files were given; give one "
            "of each, or leave --blend out where they lie side by side."
        )
    return list(zip(found, blends, strict=True))


def _run(
    pairs: Sequence[tuple[Path, Path]],
    args: argparse.Namespace,
    pytorch3d: PyTorch3D,
    blender: SceneRenderer,
) -> tuple[list[Verification], list[tuple[str, str]], int]:
    results: list[Verification] = []
    failures: list[tuple[str, str]] = []
    statuses: set[int] = set()
    for npz, blend in pairs:
        try:
            result = verify(
                npz, blend, pytorch3d=pytorch3d, blender=blender, head=args.head, size=args.size
            )
        except FaceError as error:
            failures.append((npz.stem, str(error)))
            statuses.add(error.exit_status)
            print(f"{shown(npz.stem)}: {error}", file=sys.stderr)
            continue
        results.append(result)
        if not result.passed("scene"):
            statuses.add(VerificationError.exit_status)
        if not args.quiet:
            print(line(result) if len(pairs) > 1 else f"{line(result)}\n{table(result)}")
    return results, failures, _one(statuses)


def _one(statuses: set[int]) -> int:
    """The exit status of a batch: that of its failures where they have the same, else 1."""
    return 0 if not statuses else statuses.pop() if len(statuses) == 1 else 1


def _write(
    args: argparse.Namespace,
    results: Sequence[Verification],
    failures: Sequence[tuple[str, str]],
) -> None:
    if args.report:
        write_bytes(args.report, html_report(results, failures).encode())
    if args.json:
        write_bytes(args.json, json_report(results, failures).encode())
    if args.pictures:
        for result in results:
            data = marked(encode_png(result.sheet).tobytes())
            write_bytes(args.pictures / f"{result.name}_verification.png", data)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify",
        description="Compare what a Blender file shows of a head with what was reconstructed, and "
        "with the photo.  Exit status 10: the scene shows something else.",
    )
    add = parser.add_argument
    add("reconstruction", nargs="+", type=a_path, metavar="NAME.npz", help="or folders of them")
    add("--blend", nargs="+", type=a_path, metavar="NAME.blend", help="else the one beside each")
    add("--head", metavar="OBJECT", help="the head's name, where a file holds several")
    add("--size", type=_size, default=SIZE, help=f"long side in pixels, {SIZE} unless given")
    add("--report", type=a_path, metavar="OUT.html", help="a page with all pictures in it")
    add("--json", type=a_path, metavar="OUT.json", help="all numbers")
    add("--pictures", type=a_path, metavar="FOLDER", help="the pictures alone, as PNG")
    add("--quiet", action="store_true", help="only errors")
    return parser


def _size(text: str) -> int:
    size = int(text)
    if not 64 <= size <= 4096:
        raise argparse.ArgumentTypeError(f"{size} pixels; give 64 to 4096")
    return size
