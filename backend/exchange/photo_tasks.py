"""Which photos to do, under which names, and which are done already; both sides' batches ask."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bounded import Damaged, checked, open_regular, read_json, reading
from ..errors import FaceError, PhotoError, as_face_error
from ..files import plain_name
from .formats import FORMATS, LARGEST_PHOTO_FILE, names_picture, names_video
from .own_pictures import PREVIEW, is_own

#: Of the ``run`` record (:func:`..bounded.fits`).
_RECORD = {"photo_sha256": str, "request": dict, "faces": {str: {str: (int, str)}}}

#: What one reconstruction leaves in the output folder, behind its name.
ENDINGS = (
    ".json", ".npz", *(kind.suffix for kind in FORMATS.values()), ".mtl", PREVIEW,
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
    #: Of one person, who is named after ``photo``: the folder, the video or the first of them
    person: tuple[Path, ...] = ()


def collect(arguments: Sequence[str | Path], folder: Path) -> list[PhotoTask]:
    """The photos named by ``arguments``, files or folders, each once, with names of their own.

    A name is the photo's stem; when ``folder`` or this run has that name for another photo, a
    number is added: ``anna_2``.  Of a folder's pictures those are left out that this project made
    (:mod:`.own_pictures`), of pictures named one by one those of them that lie in ``folder``: who
    names all of its files means the photos.  Where nothing else is named, that is the error.
    """
    names = Names(folder)
    tasks: dict[str, PhotoTask] = {}
    left: list[Path] = []
    for argument in arguments:
        try:
            pictures = _pictures(argument)
        except FaceError as error:
            path = Path(argument)
            tasks.setdefault(str(path), PhotoTask(path, path.name, "", error))
            continue
        for picture in pictures:
            key = _place(picture)
            if key in tasks:
                continue
            if os.path.dirname(key) == os.path.realpath(folder) and is_own(picture):
                left.append(picture)
                continue
            tasks[key] = _task(picture, names)
    if left and not tasks:
        error = PhotoError(f"{left[0]} is no photo: this program made it; name a photo.")
        return [PhotoTask(left[0], left[0].name, "", error)]
    return list(tasks.values())


def collect_persons(arguments: Sequence[str | Path], folder: Path) -> list[PhotoTask]:
    """The persons named by ``arguments``: all loose photos are of one, the photos of each folder of
    another, and a video shows one by itself.

    A person is named after the first photo, the folder or the video; names, and which pictures of
    a folder are left out, are as :func:`collect` has it.
    """
    names = Names(folder)
    loose = [one for one in arguments if not os.path.isdir(one) and not names_video(str(one))]
    persons: dict[str, PhotoTask] = {}
    if loose:
        photos = list({_place(Path(one)): Path(one) for one in loose}.values())
        persons[""] = _person(Path(photos[0].stem), photos, names, photos[0])
    for one in arguments:
        path = Path(one)
        if one in loose or _place(path) in persons:
            continue
        try:
            photos = _pictures(one) if os.path.isdir(path) else [path]
        except FaceError as error:
            persons[_place(path)] = PhotoTask(path, path.name, "", error)
            continue
        stem = path.resolve().name if os.path.isdir(path) else path.stem
        persons[_place(path)] = _person(Path(stem), photos, names, path)
    return list(persons.values())


def _person(stem: Path, photos: Sequence[Path], names: Names, called: Path) -> PhotoTask:
    """All ``photos`` as one task; a photo that cannot be read is told of when it is looked at."""
    digests = [digest_of(photo) for photo in photos]
    whole = "" if "" in digests else hashlib.sha256(" ".join(digests).encode()).hexdigest()
    name = names.reserve(plain_name(stem.name) or "person", whole)
    return PhotoTask(called, name, whole, person=tuple(photos))


def _place(picture: Path) -> str:
    """One path for all names of a file; its own where the current folder was deleted."""
    try:
        return os.path.realpath(picture)
    except OSError:
        return str(picture)


def _pictures(argument: str | Path) -> list[Path]:
    """The picture ``argument``, or those in the folder.  Raises :class:`PhotoError`."""
    path = Path(argument)
    if not os.fspath(argument) or "\0" in os.fspath(argument):
        raise PhotoError("A photo's name is empty or holds a zero byte; name a photo.")
    if not os.path.isdir(path):
        return [path]
    with reading(PhotoError, path, "a folder of photos"):
        pictures = sorted(p for p in path.iterdir() if names_picture(p.name))
    photos = [picture for picture in pictures if not is_own(picture)]
    if not photos:
        own = f" but {len(pictures)} that this program made" if pictures else ""
        raise PhotoError(f"There is no picture in the folder {path}{own}; name a photo.")
    return photos


def _task(picture: Path, names: Names) -> PhotoTask:
    """Whatever is wrong with this one, the others are done."""
    stem, digest = plain_name(picture.stem) or "photo", ""
    try:
        digest = digest_of(picture)
        return PhotoTask(picture, names.reserve(stem, digest), digest)
    except Exception as error:
        return PhotoTask(picture, stem, digest, as_face_error(error))


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
        while name.lower() in self._reserved or not self.is_free(name, digest):
            number += 1
            name = f"{stem}_{number}"
        self._reserved.add(name.lower())  # as Windows and macOS compare names
        return name

    def is_free(self, name: str, digest: str) -> bool:
        """Whether no other photo's results have ``name``."""
        if name in self._elsewhere:
            return bool(digest) and self._elsewhere[name] == digest
        there = [x for x in ENDINGS if os.path.lexists(self._folder / (name + x))]
        if not there or (there == [PREVIEW] and is_own(self._folder / (name + PREVIEW))):
            return True  # a picture of a head that is gone keeps no name
        return bool(digest) and read_record(self._folder, name).get("photo_sha256") == digest


def names_taken(folder: Path, containing: str = "") -> dict[str, str]:
    """The names that ``folder`` has results of, with the digests of their photos ("": not known).

    Only those with ``containing`` in them.  A preview of ours alone takes no name.
    """
    names = {
        file.name.removesuffix(ending)
        for file in folder.iterdir()
        for ending in ENDINGS
        if containing in file.name and file.name.endswith(ending)
        if ending != PREVIEW or not is_own(file)
    }
    return {name: str(read_record(folder, name).get("photo_sha256", "")) for name in names}


def read_record(folder: Path, name: str) -> dict[str, Any]:
    """The ``run`` record in ``folder/name.json``; empty when there is none."""
    try:
        document = read_json(folder / f"{name}.json")
        checked(document, {"run": dict})
        checked(document["run"], _RECORD)
    except (OSError, Damaged):
        return {}
    return document["run"]


def finished(folder: Path, name: str, digest: str, request: dict[str, Any]) -> list[str]:
    """The names of the faces done earlier from the same photo with the same ``request``.

    Empty unless every file of every face is there as it was written.
    """
    record = read_record(folder, name)
    if not digest or record.get("photo_sha256") != digest or record.get("request") != request:
        return []
    faces: dict[str, dict[str, list[Any]]] = record["faces"]
    for face, files in faces.items():
        # One record stands in the JSON files of all faces of a photo.
        if read_record(folder, face) != record:
            return []
        if any(described(folder / file) != told for file, told in files.items()):
            return []
    return list(faces)


def described(path: Path) -> list[Any]:
    """Size and SHA-256 of the result ``path``; none where it cannot be read."""
    try:
        with open_regular(path, 1 << 62) as file:
            return [
                os.fstat(file.fileno()).st_size,
                hashlib.file_digest(file, "sha256").hexdigest(),
            ]
    except (OSError, ValueError):
        return []


def digest_of(path: Path) -> str:
    """The sha256 of a file; "" where it cannot be read, which reading the photo explains."""
    try:
        with open_regular(path, LARGEST_PHOTO_FILE) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
