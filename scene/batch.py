"""Many photos to finished files inside Blender; ``examples/03_folder.py`` is its command line.

The files, names and records are those of the ``reconstruct`` command, so that either of the two
skips what the other has finished.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..backend.at_once import Pool, in_order, photos_at_once
from ..backend.errors import FaceError, OptionError
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
from ..backend.exchange.temporary import temporary_folder
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
    jobs: int | None = None,
    python: str | os.PathLike[str] | None = None,
    report: Callable[[str], None] = print,
) -> list[PhotoResult]:
    """Reconstruct every photo (or every picture of a folder) into the folder ``out``; with
    ``options.person`` one head from all the photos, and one from those of each folder.

    Per face ``NAME.npz``, ``NAME.json``, ``NAME_preview.png`` and the export formats; at the end
    ``summary.csv`` and ``contact_sheet.jpg``.  A photo that fails does not stop the others; one
    that was finished before, with the same options, is skipped.  ``report`` gets a line per photo.

    While Blender builds a head, ``jobs`` photos are looked at, each by a process of its own: as
    many as there are processors and free memory, at most four, unless given.  ``python`` is theirs
    where it is not to be looked for.  A ``backend`` of the caller's does one after the other.

    Discards what is open in Blender.  Raises :class:`OutputError` when ``out`` cannot be written,
    :class:`OptionError` for ``jobs`` under 1.
    """
    options = options or BatchOptions()
    if jobs is not None and jobs < 1:
        raise OptionError(f"{jobs} photos cannot be looked at at a time: give jobs of 1 or more.")
    folder = prepare_output(out)
    tasks = (collect_persons if options.person else collect)(photos, folder)
    names = Names(folder, [task.name for task in tasks])
    at_once = 1 if backend is not None else jobs or photos_at_once(len(tasks))
    results = []
    with ExitStack() as stack:
        if backend is not None:
            backends = Pool([backend])
        else:
            made = (BackendProcess(python) for _ in range(at_once))
            backends = Pool(map(stack.enter_context, made))
        work = Path(stack.enter_context(temporary_folder()))

        def look_at(task: PhotoTask) -> _Seen:
            return _look_at(task, folder, work, options, backends)

        def stop() -> None:
            for process in backends.all:
                process.kill()

        looked_at = in_order(tasks, look_at, at_once, stop)
        for number, (task, seen) in enumerate(stack.enter_context(closing(looked_at)), start=1):
            result = _built(task, seen, folder, options, backends, names)
            results.append(result)
            report(f"[{number}/{len(tasks)}] {_line(result)}")
        write_summary(folder, map(_row, results))
        if options.preview:
            _write_contact_sheet(folder, results, backends)
    return results


@dataclass
class _Seen:
    """What the backend says of one photo; without an ``answer`` the ``result`` is final."""

    result: PhotoResult
    work: Path | None = None  #: where the files of ``answer`` are
    answer: dict[str, Any] | None = None


def _look_at(
    task: PhotoTask, folder: Path, work: Path, options: BatchOptions, backends: Pool[BackendProcess]
) -> _Seen:
    """Called from a thread of its own: nothing of Blender here."""
    result = PhotoResult(task, "ok")
    start = time.perf_counter()
    with _failing(result):
        if task.error is not None:
            raise task.error
        if done := finished_faces(task, folder, options):
            result.status, result.names = "skipped", done
            return _Seen(result)
        mine = Path(tempfile.mkdtemp(dir=work))
        with backends.one() as backend:
            if task.person:
                answer = backend.reconstruct_person_to(task.person, mine, options.options)
            else:
                answer = backend.reconstruct_to(task.photo, mine, options.options)
        result.seconds = time.perf_counter() - start
        return _Seen(result, mine, answer)
    result.seconds = time.perf_counter() - start
    return _Seen(result)


def _built(
    task: PhotoTask,
    seen: _Seen,
    folder: Path,
    options: BatchOptions,
    backends: Pool[BackendProcess],
    names: Names,
) -> PhotoResult:
    result, start = seen.result, time.perf_counter()
    if seen.answer is not None and seen.work is not None:
        with _failing(result):
            _build(task, seen.work, seen.answer, folder, options, backends, names, result)
        shutil.rmtree(seen.work, ignore_errors=True)
    result.seconds += time.perf_counter() - start
    return result


@contextmanager
def _failing(result: PhotoResult) -> Iterator[None]:
    """One bad photo never stops the rest: its error goes to ``result``."""
    try:
        yield
    except FaceError as error:
        result.status, result.error = "failed", str(error)
    except Exception as error:
        traceback.print_exc()
        result.status, result.error = "failed", f"Unexpected {type(error).__name__}: {error}"


def _build(
    task: PhotoTask,
    work: Path,
    answer: dict[str, Any],
    folder: Path,
    options: BatchOptions,
    backends: Pool[BackendProcess],
    names: Names,
    result: PhotoResult,
) -> None:
    """Every face of one photo, published together when all of them are done."""
    with ExitStack() as stack:
        claims = stack.enter_context(claimed(task, folder, names))
        if done := finished_faces(claims.task, folder, options):  # by another process
            result.status, result.names = "skipped", done
            return
        result.warnings = answer["warnings"]
        staged: dict[str, tuple[Path, Reconstruction]] = {}
        # Of a person there is one file, with a window for each photo: the first is the main one's.
        for npz, window in zip(answer["files"], answer["windows"], strict=not task.person):
            head = load_reconstruction(npz)
            # A person's best photo may show others too: the number says nothing here.
            name = claims.task.name if task.person else claims.name_of(head)
            beside = stack.enter_context(staging(folder, name))
            _write_face(head, Path(npz), window, name, beside, work, options, backends)
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
    backends: Pool[BackendProcess],
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
        with backends.one() as backend:
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


def _write_contact_sheet(
    folder: Path, results: list[PhotoResult], backends: Pool[BackendProcess]
) -> None:
    names = [name for result in results for name in result.names]
    previews = {name: folder / f"{name}_preview.png" for name in names}
    previews = {name: path for name, path in previews.items() if path.is_file()}
    if previews:
        with backends.one() as backend:
            backend.contact_sheet(list(previews.values()), list(previews), folder / CONTACT_SHEET)
