"""What the ``reconstruct`` command and Blender's batch make of many photos, and record of it.

Both write these records, so that either skips what the other has finished.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..files import write_bytes
from .formats import DEFAULT_FORMATS, FORMATS
from .options import Options
from .output import write_json
from .photo_tasks import PhotoTask, described, finished
from .reconstruction import Reconstruction
from .summary import summarise

#: The table of a batch, in the output folder.
SUMMARY = "summary.csv"
_COLUMNS = ("photo", "name", "status", "landmark_error_px", "seconds", "warnings", "error")


@dataclass(frozen=True)
class SummaryRow:
    """What became of one photo, for :func:`write_summary`."""

    task: PhotoTask
    status: str  #: "ok", "skipped" (finished before) or "failed"
    names: Sequence[str] = ()  #: one per face
    landmark_errors: Sequence[float] = ()  #: mean, pixels, one per face
    seconds: float = 0.0
    warnings: Sequence[str] = ()
    error: str = ""


@dataclass(frozen=True)
class BatchOptions:
    """What to make of every photo.  Raises :class:`OptionError` for a format that is none."""

    options: Options = Options()
    formats: tuple[str, ...] = DEFAULT_FORMATS  #: names of :data:`~.formats.FORMATS`
    preview: bool = True  #: NAME_preview.png, which takes most of the time
    force: bool = False  #: also what was finished before
    compact: bool = False  #: numbers of a .glb in fewer bits
    person: bool = False  #: all photos of a task together

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise OptionError(
                    f"There is no format {name!r}; give some of {', '.join(FORMATS)}."
                )

    @property
    def needs_blender(self) -> bool:
        """Whether anything but numbers is wanted."""
        return bool(self.formats) or self.preview

    def record(self) -> dict[str, Any]:
        """What has to be the same for a result to count as finished: JSON types only."""
        wanted = {"formats": list(self.formats), "preview": self.preview}
        # Left out where it is off, so that what older versions finished counts as finished.
        told = self.options.to_dict()
        switches = {"compact": self.compact, "person": self.person}
        switches |= {name: told.pop(name) for name in ("force_person", "detail")}
        return told | wanted | {name: True for name, on in switches.items() if on}


def finished_faces(task: PhotoTask, folder: Path, options: BatchOptions) -> list[str]:
    """The names of the faces that were finished before and need not be done again."""
    if options.force:
        return []
    first = task.name
    if options.options.face not in ("largest", "all", 1):
        first = f"{task.name}_face{options.options.face}"
    return finished(folder, first, task.digest, options.record())


def write_records(
    task: PhotoTask,
    staged: Mapping[str, tuple[Path, Reconstruction]],
    options: BatchOptions,
) -> None:
    """``NAME.json`` of every face into its folder; its ``run`` record is what later runs go by.

    ``staged`` holds by name the folder with all other files of a face, and the face.
    """
    files = {
        name: {file.name: described(file) for file in sorted(folder.iterdir())}
        for name, (folder, _) in staged.items()
    }
    record = {"photo_sha256": task.digest, "request": options.record(), "faces": files}
    for name, (folder, head) in staged.items():
        write_json(folder / f"{name}.json", summarise(head) | {"run": record})


def write_summary(folder: Path, rows: Iterable[SummaryRow]) -> Path:
    """``summary.csv`` in ``folder``: a line per photo.  Raises :class:`OutputError`."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for row in rows:
        table.writerow(
            (
                str(row.task.photo),
                " ".join(row.names) or row.task.name,
                row.status,
                " ".join(f"{error:.2f}" for error in row.landmark_errors),
                f"{row.seconds:.2f}",
                " ".join(row.warnings),
                row.error,
            )
        )
    # The mark at the start makes spreadsheets read it as UTF-8.
    return write_bytes(folder / SUMMARY, text.getvalue().encode("utf-8-sig", "backslashreplace"))
