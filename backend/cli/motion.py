"""The ``motion`` command: a motion file to one of another kind.  See ``--help``."""

from __future__ import annotations

import argparse
import sys

from ..errors import FaceError
from ..exchange.arguments import a_path, above_zero
from ..exchange.motion import Motion
from ..exchange.output import prepare_output
from ..motion.files import KINDS, lost_in, read_motion_file, write_motion_file
from ..motion.livelink import UNITS

#: Bytes that have to be free: a long motion.
_NEEDED = 50_000_000
#: Frames a second of a mouth that speaks, unless told.
_SPOKEN_RATE = 30.0


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    try:
        motion = _heard(args) if args.motion.suffix.lower() == ".wav" else _read(args)
        prepare_output(args.out.parent, _NEEDED)
        print(write_motion_file(args.out, motion, args.kind or ""))
    except FaceError as error:
        print(f"motion: {error}", file=sys.stderr)
        return error.exit_status
    kind = args.kind or args.out.suffix.lower().removeprefix(".")
    for note in (*motion.header.get("notes", ()), *lost_in(motion, kind)):
        print(f"note: {note}", file=sys.stderr)
    return 0


def _read(args: argparse.Namespace) -> Motion:
    return read_motion_file(
        args.motion,
        frame_rate=args.frame_rate,
        angles=args.angles,
        swap_yaw_pitch=args.swap_yaw_pitch,
    )


def _heard(args: argparse.Namespace) -> Motion:
    from ..ear import hear  # the other kinds need none of its packages

    return hear(args.motion, frame_rate=args.frame_rate or _SPOKEN_RATE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motion",
        description="Read a motion file (Live Link Face's CSV, this project's CSV or .npz, a list "
        "of phonemes with times) and write it as another kind.  What is odd about it is said.  "
        "Of a .wav of speech the phonemes are heard, with the extra 'ear'.",
    )
    add = parser.add_argument
    add("motion", metavar="FILE", type=a_path, help="what is read")
    add(
        "-o",
        "--out",
        metavar="FILE",
        type=a_path,
        required=True,
        help="what is written, by its ending: .npz or .csv",
    )
    add("--kind", choices=tuple(KINDS), help="of the file that is written: which CSV")
    add("--frame-rate", type=above_zero, metavar="N", help="where the file does not tell")
    add(
        "--angles",
        choices=tuple(UNITS),
        default="radians",
        help="unit of the head's angles in Live Link Face's CSV (default: radians)",
    )
    add(
        "--swap-yaw-pitch",
        action="store_true",
        help="read the head's yaw from the column of the pitch, and the other way round",
    )
    return parser
