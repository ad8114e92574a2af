"""Many photos to finished files: while Blender builds photo N, the backend works on N + 1."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .. import pipeline
from ..errors import FaceError
from ..exchange import Reconstruction, save_reconstruction
from ..exchange.output import publish, staging, write_json
from ..exchange.photo_tasks import Names, PhotoTask, finished
from ..exchange.summary import summarise
from ..preview import preview_window, write_preview
from .blender import Blender

FORMATS = ("blend", "glb", "fbx", "obj", "usd")
#: The share of a photo's progress that the backend has; the rest is Blender's.
BACKEND_SHARE = 0.5
#: Set to see the whole traceback of an unexpected error.
DEBUG_VARIABLE = "RECONSTRUCT_FACE_DEBUG"

Report = Callable[[PhotoTask, float, str], None]


@dataclass(frozen=True)
class Request:
    """What to make of every photo."""

    options: pipeline.Options
    formats: tuple[str, ...] = ("blend", "glb")
    preview: bool = True
    force: bool = False  #: also what was finished before

    @property
    def needs_blender(self) -> bool:
        """Whether anything but numbers is wanted."""
        return bool(self.formats) or self.preview

    def record(self) -> dict[str, Any]:
        """What has to be the same for a result to count as finished."""
        return asdict(self.options) | {"formats": list(self.formats), "preview": self.preview}


@dataclass
class Outcome:
    """What became of one photo: "ok", "skipped" (finished before) or "failed"."""

    task: PhotoTask
    status: str
    faces: dict[str, list[str]] = field(default_factory=dict)  #: files by name of the face
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)  #: seconds per step, over all faces
    error: FaceError | None = None


def run(
    tasks: Sequence[PhotoTask], folder: Path, request: Request, report: Report, blender: Blender
) -> Iterator[Outcome]:
    """Do every task, in order; whatever happens to one, the others are done.

    ``folder`` is what ``prepare_output`` returned.  ``report(task, fraction, step)`` is called from
    two threads.
    """
    names = Names(folder, [task.name for task in tasks])
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            if request.needs_blender:
                pool.submit(blender.warm_up)
            building: Future[Outcome] | None = None
            for task in tasks:
                result = _estimate(task, folder, request, report)
                if building is not None:
                    yield building.result()
                    building = None
                if isinstance(result, Outcome):
                    yield result
                else:
                    building = pool.submit(
                        _build, task, result, folder, request, report, blender, names
                    )
            if building is not None:
                yield building.result()
        except BaseException:  # interrupted: leaving the pool would wait for Blender's answer
            blender.kill()
            raise


def _estimate(
    task: PhotoTask, folder: Path, request: Request, report: Report
) -> list[Reconstruction] | Outcome:
    """The heads in the photo, or the outcome where Blender is not needed any more."""
    if task.error is not None:
        return Outcome(task, "failed", error=task.error)
    first = task.name
    if request.options.face not in ("largest", "all", 1):
        first = f"{task.name}_face{request.options.face}"
    done = finished(folder, first, task.digest, request.record())
    if done and not request.force:
        return Outcome(task, "skipped", {name: [] for name in done})

    def progress(fraction: float, step: str) -> None:
        report(task, BACKEND_SHARE * fraction, step)

    try:
        return pipeline.reconstruct(task.photo, request.options, progress)
    except Exception as error:
        return Outcome(task, "failed", error=as_face_error(error))


def _build(
    task: PhotoTask,
    heads: list[Reconstruction],
    folder: Path,
    request: Request,
    report: Report,
    blender: Blender,
    names: Names,
) -> Outcome:
    outcome = Outcome(task, "ok")
    try:
        with ExitStack() as stack:
            staged: dict[str, Path] = {}
            for i, head in enumerate(heads):
                name = task.name
                if head.face_index > 1:
                    name = names.claim(f"{task.name}_face{head.face_index}", task.digest)

                def progress(fraction: float, step: str, done: int = i) -> None:
                    share = (1 - BACKEND_SHARE) / len(heads)
                    report(task, BACKEND_SHARE + share * (done + fraction), step)

                staged[name] = stack.enter_context(staging(folder, name))
                _write_face(head, name, staged[name], request, blender, progress)
                outcome.warnings += [w for w in head.warnings if w not in outcome.warnings]
                for step, seconds in head.timings.items():
                    outcome.timings[step] = outcome.timings.get(step, 0.0) + seconds
            _write_records(task, heads, staged, request)
            for name, path in staged.items():
                outcome.faces[name] = publish(path, folder)
    except Exception as error:
        return Outcome(task, "failed", error=as_face_error(error))
    return outcome


def _write_face(
    head: Reconstruction,
    name: str,
    folder: Path,
    request: Request,
    blender: Blender,
    progress: Callable[[float, str], None],
) -> None:
    """``name.npz``, the Blender files and the preview of one head, into ``folder``."""
    progress(0.0, "Saving")
    start = time.perf_counter()
    npz = save_reconstruction(head, folder / f"{name}.npz")
    head.timings["save"] = time.perf_counter() - start
    if not request.needs_blender:
        return
    window = preview_window(head) if request.preview else None
    built = blender.build(npz, folder, name, request.formats, window, progress)
    head.timings.update(built["timings"])
    if window is None:
        return
    start = time.perf_counter()
    photo_view, three_quarter = Path(built["photo_view"]), Path(built["three_quarter"])
    write_preview(head, folder / f"{name}_preview.png", photo_view, three_quarter, window)
    for view in (photo_view, three_quarter):  # what is left in the folder will be published
        view.unlink()
    head.timings["preview"] = time.perf_counter() - start


def _write_records(
    task: PhotoTask, heads: list[Reconstruction], staged: dict[str, Path], request: Request
) -> None:
    """``name.json`` of every face; the ``run`` record in it tells later runs what is finished."""
    files = {
        name: sorted([*(file.name for file in folder.iterdir()), f"{name}.json"])
        for name, folder in staged.items()
    }
    record = {"photo_sha256": task.digest, "request": request.record(), "faces": files}
    for (name, folder), head in zip(staged.items(), heads, strict=True):
        write_json(folder / f"{name}.json", summarise(head) | {"run": record})


def as_face_error(error: Exception) -> FaceError:
    """``error``, or a sentence about an unexpected one."""
    if isinstance(error, FaceError):
        return error
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    if isinstance(error, MemoryError):
        return FaceError("There is not enough memory; use a smaller photo or texture.")
    return FaceError(
        f"Unexpected {type(error).__name__}: {error} (please report it; "
        f"{DEBUG_VARIABLE}=1 shows where)."
    )
