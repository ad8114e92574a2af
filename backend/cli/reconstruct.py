"""The ``reconstruct`` command: photos in, heads out.  See ``--help``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from .. import terminal
from ..at_once import MOST_AT_ONCE, photos_at_once
from ..blender import Blender
from ..cluster.options import ClusterOptions, add_cluster, cluster_options
from ..errors import FaceError, OptionError, shown
from ..estimator import Estimator, Estimators
from ..exchange.arguments import a_path, add_formats, add_options, at_least_one, options_of
from ..exchange.batch import BatchOptions, SummaryRow, write_summary
from ..exchange.output import prepare_output
from ..exchange.photo_tasks import PhotoTask, collect, collect_persons
from ..model.load import ASSETS
from .memory import peak_memory_mb

if TYPE_CHECKING:
    from .run import Outcome

SAMPLE = ASSETS / "astronaut.jpg"

EXIT_CODES = """\
exit status:
  0  every photo was reconstructed, or was finished before
  2  the command line is wrong
  3  a photo cannot be read
  4  no face was found, or not the one asked for
  5  the output cannot be written
  6  a face model or detector file is missing or damaged
  7  an exchange file is damaged or of another version
  8  the Blender process failed, or the one that looks at photos
  9  (train) the training's configuration, data or checkpoint cannot be used
 10  (verify) a head is not what was reconstructed, or could not be compared
 11  (--cluster) the cluster cannot be used, or a photo was lost with two workers
  1  several different failures, or an unexpected one
130  interrupted
143  ended by SIGTERM, as an interrupt ends it; 129: by SIGHUP
One bad photo never stops the others; the status tells what went wrong.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    if argv is None:  # as the program 'reconstruct'
        if said := terminal.too_little_memory():
            print(f"reconstruct: {said}", file=sys.stderr)
            return 1
        return terminal.run(main, sys.argv[1:])
    parser = _parser()
    args = parser.parse_args(argv)
    request, cluster = _request(args, parser)
    with _Progress(args) as show:
        outcomes: list[Outcome] = []
        status = 0
        try:
            folder = prepare_output(args.out)
            with _workers(request, cluster, show) as where:
                tasks = (collect_persons if args.person else collect)(args.photos, folder)
                show.start(len(tasks))
                at_once = args.jobs or photos_at_once(len(tasks))
                with closing(_run(tasks, folder, request, show, where, at_once)) as found:
                    for outcome in found:
                        show.outcome(outcome, folder)
                        outcomes.append(outcome)
            place = {task.name: number for number, task in enumerate(tasks)}
            outcomes.sort(key=lambda outcome: place[outcome.task.name])
            if any(os.path.isdir(photo) for photo in args.photos):
                write_summary(folder, map(_row, outcomes))
        except FaceError as error:
            show.problem(str(error))
            status = error.exit_status
            show.failure = error
        except KeyboardInterrupt as end:
            show.problem("Interrupted; unfinished results were removed.")
            return terminal.interrupted_status(end)
    status = status or exit_status(outcomes)
    if args.json:
        document = _document(args.out, outcomes, status, show.failure)
        document["peak_memory_mb"] = show.memory
        print(json.dumps(document, indent=1))
    return status


def exit_status(outcomes: list[Outcome]) -> int:
    """0, or the status that all failures share, or 1 when they differ."""
    found = {outcome.error.exit_status for outcome in outcomes if outcome.error is not None}
    if not found:
        return 0
    return found.pop() if len(found) == 1 else 1


@contextmanager
def _workers(
    request: BatchOptions, cluster: ClusterOptions | None, show: _Progress
) -> Iterator[tuple[Blender, Estimators] | ClusterOptions]:
    """The cluster, or the processes beside the command, which start while it still loads."""
    if cluster is not None:
        yield cluster
        return
    with Blender() as blender, Estimators(1, Estimator) as estimators:
        try:
            estimators.start()
            if request.needs_blender:
                blender.start()
            yield blender, estimators
        finally:
            first, *others = estimators.pids
            named = {f"backend {number}": pid for number, pid in enumerate(others, start=2)}
            show.memory = peak_memory_mb({"backend": first, **named, "blender": blender.pid})
            # They have nothing left to write, and an orderly end takes half a second.
            estimators.kill()
            blender.kill()


def _run(
    tasks: list[PhotoTask],
    folder: Path,
    request: BatchOptions,
    show: _Progress,
    where: tuple[Blender, Estimators] | ClusterOptions,
    at_once: int,
) -> Generator[Outcome, None, None]:
    if isinstance(where, ClusterOptions):
        from ..cluster.photos import run_photos

        yield from run_photos(tasks, folder, request, show.report, where, show.problem)
    else:
        from .run import run

        blender, estimators = where
        estimators.most = at_once
        estimators.start()
        yield from run(
            tasks,
            folder,
            request,
            show.report,
            blender,
            estimate=estimators.reconstruct,
            estimate_person=estimators.reconstruct_person,
            at_once=at_once,
            stop=estimators.kill,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reconstruct",
        description="Reconstruct textured, animatable 3D heads from photos.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("photos", metavar="PHOTO", nargs="*", type=a_path, help="photo, or folder of photos")
    add(
        "-o",
        "--out",
        metavar="OUT",
        type=a_path,
        default="out",
        help="output folder (default: out)",
    )
    add(
        "--person",
        action="store_true",
        help="one head from all photos that are named; of each folder, and of each video's best "
        "frames, a head of its own",
    )
    add_options(parser)
    add_formats(parser)
    add_cluster(parser)
    add(
        "--jobs",
        metavar="N",
        type=at_least_one,
        help="photos looked at at a time (default: as many as processors and free memory allow, "
        f"at most {MOST_AT_ONCE}); each takes a processor and 0.6 to 0.9 GB",
    )
    add("--no-preview", action="store_true", help="no NAME_preview.png (it takes seconds)")
    add("--force", action="store_true", help="do finished photos again")
    add("--json", action="store_true", help="one JSON document on standard output")
    add("--quiet", action="store_true", help="no progress bar, only errors")
    add("--sample", action="store_true", help="without PHOTO, do the sample photo in assets/")
    return parser


def _request(
    args: argparse.Namespace, parser: argparse.ArgumentParser
) -> tuple[BatchOptions, ClusterOptions | None]:
    if not args.photos and args.sample:
        args.photos = [SAMPLE]
    if not args.photos:
        parser.error("name a photo or a folder of photos")
    try:
        options, cluster = options_of(args), cluster_options(args)
    except OptionError as error:
        parser.error(str(error))
    if args.person and cluster is not None:
        parser.error("--person is not done on a cluster; leave --cluster out")
    if args.jobs and cluster is not None:
        parser.error("a cluster says itself how many photos are done at a time; leave --jobs out")
    if args.person and options.face != "largest":
        parser.error("--person takes the face that all photos show; leave --face out")
    preview = not args.no_preview
    request = BatchOptions(
        options, args.format, preview, args.force, args.compact, person=args.person
    )
    return request, cluster


def _row(outcome: Outcome) -> SummaryRow:
    return SummaryRow(
        outcome.task,
        outcome.status,
        list(outcome.faces),
        outcome.landmark_errors,
        sum(outcome.timings.values()),
        outcome.warnings,
        str(outcome.error or ""),
    )


class _Progress:
    """The progress bar and messages on standard error, results on standard output."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.failure: FaceError | None = None
        self.memory: dict[str, float] = {}  #: MB by process
        self._quiet, self._json = args.quiet, args.json
        self._bar: tqdm | None = None
        self._lock = threading.Lock()
        self._done: dict[str, float] = {}

    def start(self, photos: int) -> None:
        """Show the bar; nothing where standard error is no terminal."""
        self._bar = tqdm(
            total=photos,
            unit="photo",
            disable=True if self._quiet else None,
            leave=False,
            bar_format="{desc} |{bar}| {percentage:3.0f}% {elapsed}",
        )

    def report(self, task: PhotoTask, fraction: float, step: str) -> None:
        """Called from several threads: several photos are in the works at a time."""
        with self._lock:
            self._done[task.name] = max(fraction, self._done.get(task.name, 0.0))
            if self._bar is not None:
                self._bar.n = round(sum(self._done.values()), 3)
                self._bar.set_description_str(f"{task.photo.name}: {step}", refresh=True)

    def outcome(self, outcome: Outcome, folder: Path) -> None:
        """A line for a finished photo, its warnings, or its error."""
        self.report(outcome.task, 1.0, outcome.status)
        photo = shown(outcome.task.photo.name)  # line breaks too
        if outcome.error is not None:
            self.problem(f"{photo}: {outcome.error}")
        for warning in outcome.warnings:
            if not self._quiet:
                self.problem(f"{photo}: warning: {warning}")
        if self._json or self._quiet:
            return
        for name, files in outcome.faces.items():
            if outcome.status == "skipped":
                text = "was finished before; --force does it again"
            else:
                text = ", ".join(file.removeprefix(name) for file in files)
            self._write(f"{photo}: {folder / name} ({text})", sys.stdout)

    def problem(self, sentence: str) -> None:
        """A sentence on standard error."""
        self._write(f"reconstruct: {sentence}", sys.stderr)

    def _write(self, text: str, file: Any) -> None:
        with self._lock:
            tqdm.write(text, file=file)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _document(
    out: str, outcomes: list[Outcome], status: int, failure: FaceError | None
) -> dict[str, Any]:
    """What ``--json`` prints."""
    document: dict[str, Any] = {
        "out": _absolute(out),
        "exit_status": status,
        "photos": [_describe(outcome) for outcome in outcomes],
    }
    if failure is not None:
        document["error"] = {"code": failure.code, "message": str(failure)}
    return document


def _absolute(path: str) -> str:
    try:
        return str(Path(path).absolute())
    except OSError:  # the current folder was deleted
        return str(path)


def _describe(outcome: Outcome) -> dict[str, Any]:
    described: dict[str, Any] = {
        "photo": str(outcome.task.photo),
        "status": outcome.status,
        "faces": outcome.faces,
        "warnings": outcome.warnings,
        "timings": {step: round(seconds, 4) for step, seconds in outcome.timings.items()},
    }
    if outcome.error is not None:
        error = outcome.error
        described["error"] = {
            "code": error.code,
            "message": str(error),
            "exit_status": error.exit_status,
        }
    return described


if __name__ == "__main__":
    sys.exit(main())
