"""The ``export`` command: reconstructed heads to files for a program.  See ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..blender import Blender
from ..errors import ExchangeError, FaceError
from ..exchange import load_reconstruction
from ..exchange.arguments import a_path
from ..exchange.output import prepare_output
from ..exchange.targets import CHANGEABLE, TARGETS, changed, target_named
from ..files import plain_name
from ..terminal import interrupted_status

#: Bytes that have to be free: the largest of the targets' files and its copy beside it.
_NEEDED = 100_000_000
_HELP = {
    "texture": "longest side of the pictures in pixels; 0: as they are",
    "levels": "levels of detail: 1 to 3",
    "visemes": "names of the 15 visemes' shapes",
    "compression": "of the numbers in a .glb",
    "skeleton": "names of the bones that go along",
    "licence": "what others may do with the avatar in a .vrm",
}


_POSES = ("neutral", "photo")


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status: that of what failed where all of that has
    the same, else 1."""
    args = _parser().parse_args(argv)
    target = target_named(args.target)
    changes = {key: getattr(args, key) for key in _HELP if getattr(args, key) is not None}
    if args.pose is not None:
        changes["neutral"] = args.pose == _POSES[0]
    if args.author is not None:
        changes["author"] = args.author
    statuses = set()
    try:
        changed(target, changes)
        with Blender() as blender:
            for head in _heads(args.heads):
                try:
                    _write(head, args.out, target.name, changes, blender)
                except FaceError as error:
                    print(f"export: {error}", file=sys.stderr)
                    statuses.add(error.exit_status)
    except FaceError as error:
        print(f"export: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as end:
        print("Interrupted.", file=sys.stderr)
        return interrupted_status(end)
    return 0 if not statuses else statuses.pop() if len(statuses) == 1 else 1


def _heads(given: Sequence[Path]) -> list[Path]:
    """The files, and for a folder all reconstructions in it.  Raises :class:`ExchangeError`."""
    found: list[Path] = []
    for path in given:
        inside = sorted(path.glob("[!.]*.npz")) if os.path.isdir(path) else [path]
        if not inside:
            raise ExchangeError(f"There are no .npz files in {path}; run reconstruct first.")
        found += inside
    return found


def _write(head: Path, out: Path, target: str, changes: dict[str, Any], blender: Blender) -> None:
    load_reconstruction(head)  # in this process: damage is told before Blender is started
    folder = prepare_output(out, _NEEDED)
    name = plain_name(head.stem) or "head"
    for path in blender.export_for(head, folder, name, target, changes).values():
        print(path, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="export",
        description="Write the heads of reconstructions for a program; what is not given is as the "
        "program wants it.",
        epilog="\n".join(f"{one.name}: {one.about}." for one in TARGETS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "heads",
        nargs="+",
        metavar="NAME.npz",
        type=a_path,
        help="what 'reconstruct' has written, or folders of that",
    )
    add("--for", dest="target", choices=tuple(TARGETS), required=True, help="the program")
    add("-o", "--out", metavar="FOLDER", type=a_path, required=True, help="where the files go")
    for key, text in _HELP.items():
        values: tuple[Any, ...] = CHANGEABLE[key]
        add(f"--{key}", choices=values, type=type(values[0]), help=text)
    add("--author", metavar="NAME", help="whose avatar it is, in a .vrm")
    add("--pose", choices=_POSES, help="the face at rest, or with the photo's expression")
    return parser
