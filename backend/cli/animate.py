"""The ``animate`` command: a video in, a head and its motion out.  See ``--help``."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext

from tqdm import tqdm

from ..animate.job import AnimateOptions, animate
from ..animate.shares import Shares
from ..animate.sheet import EVERY, write_sheet
from ..animate.smooth import DEFAULT_FILTER, FILTERS
from ..animate.source import open_source, record, recorded_rate
from ..cluster.films import film_shares
from ..cluster.options import add_cluster, cluster_options
from ..errors import FaceError
from ..exchange import load_reconstruction
from ..exchange.arguments import a_path, above_zero, add_options, options_of
from ..exchange.motion import load_motion
from ..exchange.output import prepare_output
from ..files import plain_name
from ..terminal import interrupted_status

#: How the head is made unless the arguments say otherwise.
_HEAD = AnimateOptions().reconstruction
_HAIR = ("hair", "hair_density", "hair_length", "hair_colour", "brows", "beard")


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    bar = tqdm(total=100, unit="%", disable=args.quiet or not sys.stderr.isatty())

    def progress(part: float, step: str) -> None:
        bar.set_description(step)
        bar.update(round(100 * part) - bar.n)

    try:
        folder = prepare_output(args.out)
        video, rate, stem = args.video, args.frame_rate, plain_name(args.video.stem)
        if str(video).isdecimal() and not os.path.lexists(video):
            stem = f"camera{args.video}"
            video = record(int(str(video)), folder / f"{stem}_frames", args.seconds)
        rate = rate or (recorded_rate(video) if os.path.isdir(video) else None)
        motion, head = folder / f"{stem}_motion.npz", folder / f"{stem}_head.npz"
        options = AnimateOptions(
            frame_rate=rate,
            appearance=not args.landmarks_only,
            smoothing=args.smoothing,
            whole_blinks=not args.partial_blinks,
            reconstruction=options_of(args, _HEAD),
        )
        with _shares(args, options) as shares:
            done = animate(
                video,
                motion,
                head=args.identity,
                head_out=head,
                options=options,
                progress=progress,
                shares=shares,
            )
        bar.close()
        print(done.motion)
        print(done.reconstruction)
        if args.sheet:
            sheet = folder / f"{stem}_sheet.jpg"
            source = open_source(video, rate)
            print(write_sheet(sheet, source, load_motion(motion), load_reconstruction(head), EVERY))
        for note in done.notes:
            print(f"note: {note}", file=sys.stderr)
    except FaceError as error:
        bar.close()
        print(f"animate: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as end:
        bar.close()
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
        return interrupted_status(end)
    return 0


def _shares(
    args: argparse.Namespace, options: AnimateOptions
) -> AbstractContextManager[Shares | None]:
    """Who does what another machine can do: nobody else without ``--cluster``."""
    cluster = cluster_options(args)
    if cluster is None:
        return nullcontext()
    return film_shares(cluster, options.reconstruction, args.identity, _say)


def _say(sentence: str) -> None:
    tqdm.write(f"animate: {sentence}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animate",
        description="Follow the face in a video: NAME_motion.npz (weights, head pose) and "
        "NAME_head.npz (the head, as 'reconstruct' makes it).  A run that was stopped goes on "
        "where it was.",
    )
    add = parser.add_argument
    add(
        "video",
        metavar="VIDEO",
        type=a_path,
        help="video file, folder of frames, or a camera's number",
    )
    add(
        "-o",
        "--out",
        type=a_path,
        default="out",
        metavar="DIR",
        help="output folder (default: out)",
    )
    add("--identity", type=a_path, metavar="NAME.npz", help="keep this reconstruction's head")
    add("--frame-rate", type=above_zero, metavar="N", help="of a folder of frames (default: 30)")
    add("--seconds", type=above_zero, default=10.0, help="to record from a camera (default: 10)")
    add_options(parser, ("model", "expressions", "quality", "texture_size", "bust", *_HAIR), _HEAD)
    add("--smoothing", choices=tuple(FILTERS), default=DEFAULT_FILTER, help="of the curves")
    add("--partial-blinks", action="store_true", help="leave blinks as far as they were seen")
    add(
        "--landmarks-only",
        action="store_true",
        help="do not look at the pixels: starts sooner, but hardly sees blinks and gaze",
    )
    add("--sheet", action="store_true", help=f"NAME_sheet.jpg: every {EVERY}th frame and the head")
    add("--quiet", action="store_true", help="no progress")
    add_cluster(parser)
    return parser
