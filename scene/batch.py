"""Many photos to finished files inside Blender; ``examples/03_folder.py`` is its command line.

The files, names and records are those of the ``reconstruct`` command, so that either of the two
skips what the other has finished.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..backend.errors import FaceError
from ..backend.exchange import Reconstruction, load_reconstruction, save_reconstruction
from ..backend.exchange.batch import (
    BatchOptions,
    SummaryRow,
    finished_faces,
    write_records,
    write_summary,
)
from ..backend.exchange.claims import claimed
from ..backend.exchange.output import prepare_output, publish, staging
from ..backend.exchange.photo_tasks import Names, PhotoTask, collect, collect_persons
from .backend_process import BackendProcess
from .build import build_scene, prepare_file
from .export import export_head
from .render import render_preview

CONTACT_SHEET = "contact_sheet.jpg"


@dataclass
class PhotoResult:
    """What became of one photo: "ok", "skipped" (finished before) or "failed"."""

    task: PhotoTask
    status: str
    names: list[str] = field(default_factory=list)  #: one per face
    landmark_errors: list[float] = field(default_factory=list)  #: mean, pixels, one per face
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""


def run_batch(
    photos: Sequence[str | Path],
    out: str | Path,
    options: BatchOptions | None = None,
    *,
    backend: BackendProcess | None = None,
    report: Callable[[str], None] = print,
) -> list[PhotoResult]:
    """Reconstruct every photo (or every picture of a folder) into the folder ``out``; with
    ``options.person`` one head from all the photos, and one from those of each folder.

    Per face ``NAME.npz``, ``NAME.json``, ``NAME_preview.png`` and the export formats; at the end
    ``summary.csv`` and ``contact_sheet.jpg``.  A photo that fails does not stop the others; one
    that was finished before, with the same options, is skipped.  ``report`` gets a line per photo.

    Discards what is open in Blender.  Raises :class:`OutputError` when ``out`` cannot be written.
    """
    options = options or BatchOptions()
    folder = prepare_output(out)
    tasks = (collect_persons if options.person else collect)(photos, folder)
    names = Names(folder, [task.name for task in tasks])
    results = []
    with ExitStack() as stack:
        if backend is None:
            backend = stack.enter_context(BackendProcess())
        for number, task in enumerate(tasks, start=1):
            result = _one_photo(task, folder, options, backend, names)
            results.append(result)
            report(f"[{number}/{len(tasks)}] {_line(result)}")
        write_summary(folder, map(_row, results))
        if options.preview:
            _write_contact_sheet(folder, results, backend)
    return results


def _one_photo(
    task: PhotoTask, folder: Path, options: BatchOptions, backend: BackendProcess, names: Names
) -> PhotoResult:
    start = time.perf_counter()
    result = PhotoResult(task, "ok")
    try:
        if task.error is not None:
            raise task.error
        if done := finished_faces(task, folder, options):
            return PhotoResult(task, "skipped", done)
        _reconstruct(task, folder, options, backend, names, result)
    except FaceError as error:
        result.status, result.error = "failed", str(error)
    except Exception as error:  # one bad photo never stops the rest
        traceback.print_exc()
        result.status, result.error = "failed", f"Unexpected {type(error).__name__}: {error}"
    result.seconds = time.perf_counter() - start
    return result


def _reconstruct(
    task: PhotoTask,
    folder: Path,
    options: BatchOptions,
    backend: BackendProcess,
    names: Names,
    result: PhotoResult,
) -> None:
    """Every face of one photo, published together when all of them are done."""
    with ExitStack() as stack:
        claims = stack.enter_context(claimed(task, folder, names))
        if done := finished_faces(claims.task, folder, options):  # by another process
            result.status, result.names = "skipped", done
            return
        work = stack.enter_context(staging(folder, claims.task.name))
        if task.person:
            answer = backend.reconstruct_person_to(task.person, work, options.options)
        else:
            answer = backend.reconstruct_to(task.photo, work, options.options)
        result.warnings = answer["warnings"]
        staged: dict[str, tuple[Path, Reconstruction]] = {}
        # Of a person there is one file, with a window for each photo: the first is the main one's.
        for npz, window in zip(answer["files"], answer["windows"], strict=not task.person):
            head = load_reconstruction(npz)
            # A person's best photo may show others too: the number says nothing here.
            name = claims.task.name if task.person else claims.name_of(head)
            beside = stack.enter_context(staging(folder, name))
            _write_face(head, Path(npz), window, name, beside, work, options, backend)
            staged[name] = (beside, head)
            result.landmark_errors.append(head.landmark_error)
        write_records(claims.task, staged, options)
        for beside, _ in staged.values():
            publish(beside, folder)
        result.names = list(staged)


def _write_face(
    head: Reconstruction,
    npz: Path,
    window: Sequence[float],
    name: str,
    folder: Path,
    work: Path,
    options: BatchOptions,
    backend: BackendProcess,
) -> None:
    """``name.*`` of one head into ``folder``; what is only needed on the way goes to ``work``."""
    start = time.perf_counter()
    prepare_file(head)
    head_scene = build_scene(head, name=name, set_active=True)
    head.timings["blender build"] = time.perf_counter() - start
    export_head(head_scene, folder, name, options.formats, compact=options.compact)
    if options.preview:
        photo_render, three_quarter = work / "photo_render.png", work / "three_quarter.png"
        render_preview(head_scene, head, window, photo_render, three_quarter)
        backend.preview(
            npz,
            folder / f"{name}_preview.png",
            photo_render=photo_render,
            three_quarter=three_quarter,
            window=window,
        )
    head.timings["blender total"] = time.perf_counter() - start
    save_reconstruction(head, folder / f"{name}.npz")


def _line(result: PhotoResult) -> str:
    what = result.error or ", ".join(result.names)
    return f"{result.task.photo.name}: {result.status} ({what}), {result.seconds:.1f} s"


def _row(result: PhotoResult) -> SummaryRow:
    return SummaryRow(
        result.task,
        result.status,
        result.names,
        result.landmark_errors,
        result.seconds,
        result.warnings,
        result.error,
    )


def _write_contact_sheet(folder: Path, results: list[PhotoResult], backend: BackendProcess) -> None:
    names = [name for result in results for name in result.names]
    previews = {name: folder / f"{name}_preview.png" for name in names}
    previews = {name: path for name, path in previews.items() if path.is_file()}
    if previews:
        backend.contact_sheet(list(previews.values()), list(previews), folder / CONTACT_SHEET)
