"""Which photos to do, under which names, and which are done already; both sides' batches ask."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import FaceError, PhotoError
from .formats import FORMATS, PHOTO_SUFFIXES

#: What one reconstruction leaves in the output folder, behind its name.
ENDINGS = (
    ".json", ".npz", *(kind.suffix for kind in FORMATS.values()), ".mtl", "_preview.png",
)  # fmt: skip


@dataclass(frozen=True)
class PhotoTask:
    """A photo to reconstruct under ``name``, or the error that keeps it from being done."""

    photo: Path
    name: str
    digest: str  #: sha256 of the file, "" when it cannot be read
    error: FaceError | None = None
    #: Of the file, where ``photo`` is its path on another machine
    content: bytes | None = field(default=None, repr=False, compare=False)


def collect(arguments: Sequence[str | Path], folder: Path) -> list[PhotoTask]:
    """The photos named by ``arguments``, files or folders, each once, with names of their own.

    A name is the photo's stem; when ``folder`` or this run has that name for another photo, a
    number is added: ``anna_2``.
    """
    names = Names(folder)
    tasks: dict[str, PhotoTask] = {}
    for argument in map(Path, arguments):
        pictures = [argument]
        if argument.is_dir():
            pictures = sorted(p for p in argument.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
            if not pictures:
                error = PhotoError(f"There is no picture in the folder {argument}; name a photo.")
                tasks.setdefault(str(argument), PhotoTask(argument, argument.name, "", error))
        for picture in pictures:
            key = str(picture.resolve())
            if key not in tasks:
                digest = digest_of(picture)
                tasks[key] = PhotoTask(
                    picture, names.reserve(picture.stem or "photo", digest), digest
                )
    return list(tasks.values())


class Names:
    """Names in the output folder, so that no photo overwrites another's result."""

    def __init__(
        self,
        folder: Path,
        reserved: Iterable[str] = (),
        elsewhere: Mapping[str, str] | None = None,
    ) -> None:
        """``elsewhere``: names that are taken as well, with the digests of their photos."""
        self._folder = folder
        self._reserved = {name.lower() for name in reserved}
        self._elsewhere = elsewhere or {}

    def reserve(self, stem: str, digest: str) -> str:
        """``stem``, or ``stem_2``, ``stem_3`` ... when that belongs to another photo."""
        name, number = stem, 1
        while name.lower() in self._reserved or not self._is_free(name, digest):
            number += 1
            name = f"{stem}_{number}"
        self._reserved.add(name.lower())  # as Windows and macOS compare names
        return name

    def _is_free(self, name: str, digest: str) -> bool:
        if name in self._elsewhere:
            return bool(digest) and self._elsewhere[name] == digest
        if not any((self._folder / (name + ending)).exists() for ending in ENDINGS):
            return True
        return bool(digest) and read_record(self._folder, name).get("photo_sha256") == digest


def names_taken(folder: Path, containing: str = "") -> dict[str, str]:
    """The names that ``folder`` has results of, with the digests of their photos ("": not known).

    Only those with ``containing`` in them.
    """
    names = {
        file.name.removesuffix(ending)
        for file in folder.iterdir()
        for ending in ENDINGS
        if containing in file.name and file.name.endswith(ending)
    }
    return {name: str(read_record(folder, name).get("photo_sha256", "")) for name in names}


def read_record(folder: Path, name: str) -> dict[str, Any]:
    """The ``run`` record in ``folder/name.json``; empty when there is none."""
    try:
        record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["run"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return record if isinstance(record, dict) else {}


def finished(folder: Path, name: str, digest: str, request: dict[str, Any]) -> list[str]:
    """The names of the faces done earlier from the same photo with the same ``request``.

    Empty unless every file of every face is there.
    """
    record = read_record(folder, name)
    if not digest or record.get("photo_sha256") != digest or record.get("request") != request:
        return []
    faces: dict[str, list[str]] = record.get("faces", {})
    complete = all((folder / file).is_file() for files in faces.values() for file in files)
    return list(faces) if complete else []


def digest_of(path: Path) -> str:
    """The sha256 of a file, "" when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
