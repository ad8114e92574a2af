"""Many photos to finished files: while Blender builds photo N, the backend works on N + 1."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..at_once import in_order
from ..blender import Blender
from ..errors import Cancelled, FaceError, as_face_error
from ..exchange import Reconstruction, save_reconstruction
from ..exchange.batch import BatchOptions, finished_faces, write_records
from ..exchange.claims import claimed
from ..exchange.options import Options
from ..exchange.output import publish, staging
from ..exchange.photo_tasks import Names, PhotoTask

if TYPE_CHECKING:
    from ..photo import Photo

# Decoders, the pipeline and the preview are loaded where they are needed: most of a command's work
# is done by its two workers, which wait for the processor meanwhile.

#: The share of a photo's progress that the backend has; the rest is Blender's.
BACKEND_SHARE = 0.5

Report = Callable[[PhotoTask, float, str], None]
Estimate = Callable[[Path, Options, Callable[[float, str], None]], list[Reconstruction]]
EstimatePerson = Callable[
    [Sequence[Path], Options, Callable[[float, str], None]], list[Reconstruction]
]


@dataclass
class Outcome:
    """What became of one photo: "ok", "skipped" (finished before) or "failed"."""

    task: PhotoTask
    status: str
    faces: dict[str, list[str]] = field(default_factory=dict)  #: files by name of the face
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)  #: seconds per step, over all faces
    landmark_errors: list[float] = field(default_factory=list)  #: mean, pixels, one per face
    error: FaceError | None = None


def run(
    tasks: Iterable[PhotoTask],
    folder: Path,
    request: BatchOptions,
    report: Report,
    blender: Blender,
    names: Names | None = None,
    estimate: Estimate | None = None,
    estimate_person: EstimatePerson | None = None,
    at_once: int = 1,
    stop: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Do every task, in order; whatever happens to one, the others are done.

    ``folder`` is what ``prepare_output`` returned.  ``report(task, fraction, step)`` is called from
    several threads.  ``names`` is given where ``tasks`` are not all of a run, or come by and by.
    ``estimate`` takes the place of ``pipeline.reconstruct``, ``estimate_person`` that of
    ``person.reconstruct_person``; both are called from ``at_once`` threads, and ``stop`` makes
    them return.
    """
    if names is None:
        tasks = list(tasks)
        names = Names(folder, [task.name for task in tasks])
    ended = threading.Event()

    def look_at(task: PhotoTask) -> list[Reconstruction] | Outcome:
        return _estimate(
            task, folder, request, report, estimate or _here, estimate_person or _together
        )

    with (
        ThreadPoolExecutor(max_workers=1) as pool,
        closing(in_order(tasks, look_at, at_once, stop)) as found,
    ):
        try:
            if request.needs_blender:
                pool.submit(blender.warm_up)
            building: Future[Outcome] | None = None
            for task, result in found:
                if building is not None:
                    yield building.result()
                    building = None
                if isinstance(result, Outcome):
                    yield result
                else:
                    building = pool.submit(
                        _build, task, result, folder, request, report, blender, names, ended
                    )
            if building is not None:
                yield building.result()
        except BaseException:  # interrupted: leaving the pool would wait for Blender's answer
            ended.set()
            blender.kill()
            raise


def settled(task: PhotoTask, folder: Path, request: BatchOptions) -> Outcome | None:
    """The outcome of a photo that need not or cannot be done."""
    if task.error is not None:
        return Outcome(task, "failed", error=task.error)
    done = finished_faces(task, folder, request)
    return Outcome(task, "skipped", {name: [] for name in done}) if done else None


def _here(
    photo: Path | Photo, options: Options, progress: Callable[[float, str], None]
) -> list[Reconstruction]:
    from .. import pipeline

    return pipeline.reconstruct(photo, options, progress)


def _together(
    photos: Sequence[Path], options: Options, progress: Callable[[float, str], None]
) -> list[Reconstruction]:
    from ..person import reconstruct_person

    return [reconstruct_person(photos, options, progress)]


def _estimate(
    task: PhotoTask,
    folder: Path,
    request: BatchOptions,
    report: Report,
    estimate: Estimate,
    estimate_person: EstimatePerson,
) -> list[Reconstruction] | Outcome:
    """The heads in the photo, or the outcome where Blender is not needed any more."""

    def progress(fraction: float, step: str) -> None:
        report(task, BACKEND_SHARE * fraction, step)

    try:
        if (known := settled(task, folder, request)) is not None:
            return known
        if task.person:
            return estimate_person(task.person, request.options, progress)
        if task.content is None:
            return estimate(task.photo, request.options, progress)
        from ..photo import read_photo

        return _here(read_photo(task.photo, task.content), request.options, progress)
    except Exception as error:
        return Outcome(task, "failed", error=as_face_error(error))


def _build(
    task: PhotoTask,
    heads: list[Reconstruction],
    folder: Path,
    request: BatchOptions,
    report: Report,
    blender: Blender,
    names: Names,
    ended: threading.Event,
) -> Outcome:
    outcome = Outcome(task, "ok")
    try:
        with ExitStack() as stack:
            claims = stack.enter_context(claimed(task, folder, names, ended))
            if done := finished_faces(claims.task, folder, request):  # by another process
                return Outcome(task, "skipped", {name: [] for name in done})
            staged: dict[str, tuple[Path, Reconstruction]] = {}
            for i, head in enumerate(heads):
                # A person's best photo may show others too: the number says nothing here.
                name = claims.task.name if task.person else claims.name_of(head)

                def progress(fraction: float, step: str, done: int = i) -> None:
                    share = (1 - BACKEND_SHARE) / len(heads)
                    report(task, BACKEND_SHARE + share * (done + fraction), step)

                beside = stack.enter_context(staging(folder, name))
                staged[name] = beside, head
                outcome.landmark_errors.append(head.landmark_error)
                _write_face(head, name, beside, request, blender, progress, ended)
                outcome.warnings += [w for w in head.warnings if w not in outcome.warnings]
                for step, seconds in head.timings.items():
                    outcome.timings[step] = outcome.timings.get(step, 0.0) + seconds
            if ended.is_set():
                raise Cancelled("Cancelled.")
            write_records(claims.task, staged, request)
            for name, (beside, _) in staged.items():
                outcome.faces[name] = publish(beside, folder)
    except Exception as error:
        return Outcome(task, "failed", error=as_face_error(error))
    return outcome


def _write_face(
    head: Reconstruction,
    name: str,
    folder: Path,
    request: BatchOptions,
    blender: Blender,
    progress: Callable[[float, str], None],
    ended: threading.Event,
) -> None:
    """``name.npz``, the Blender files and the preview of one head, into ``folder``."""
    progress(0.0, "Saving")
    start = time.perf_counter()
    npz = save_reconstruction(head, folder / f"{name}.npz")
    head.timings["save"] = time.perf_counter() - start
    if not request.needs_blender:
        return
    window = None
    if request.preview:
        from ..preview import preview_window

        window = preview_window(head)
    built = blender.build(
        npz, folder, name, request.formats, window, progress, ended, compact=request.compact
    )
    head.timings.update(built["timings"])
    if window is None:
        return
    from ..preview import write_preview

    start = time.perf_counter()
    photo_render, three_quarter = Path(built["photo_render"]), Path(built["three_quarter"])
    write_preview(head, folder / f"{name}_preview.png", photo_render, three_quarter, window)
    for view in (photo_render, three_quarter):  # what is left in the folder will be published
        view.unlink()
    head.timings["preview"] = time.perf_counter() - start
