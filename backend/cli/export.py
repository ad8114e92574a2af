"""The ``export`` command: a reconstructed head to files for a program.  See ``--help``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..blender import Blender
from ..errors import FaceError
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
}


_POSES = ("neutral", "photo")


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    target = target_named(args.target)
    changes = {key: getattr(args, key) for key in _HELP if getattr(args, key) is not None}
    if args.pose is not None:
        changes["neutral"] = args.pose == _POSES[0]
    try:
        changed(target, changes)
        load_reconstruction(args.head)  # in this process, so that damage is told before Blender is
        folder = prepare_output(args.out, _NEEDED)
        name = plain_name(args.head.stem) or "head"
        with Blender() as blender:
            files = blender.export_for(args.head, folder, name, target.name, changes)
    except FaceError as error:
        print(f"export: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as end:
        print("Interrupted.", file=sys.stderr)
        return interrupted_status(end)
    for path in files.values():
        print(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="export",
        description="Write the head of a reconstruction for a program; what is not given is as the "
        "program wants it.",
        epilog="\n".join(f"{one.name}: {one.about}." for one in TARGETS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("head", metavar="NAME.npz", type=a_path, help="what 'reconstruct' has written")
    add("--for", dest="target", choices=tuple(TARGETS), required=True, help="the program")
    add("-o", "--out", metavar="FOLDER", type=a_path, required=True, help="where the files go")
    for key, text in _HELP.items():
        values: tuple[Any, ...] = CHANGEABLE[key]
        add(f"--{key}", choices=values, type=type(values[0]), help=text)
    add("--pose", choices=_POSES, help="the face at rest, or with the photo's expression")
    return parser
