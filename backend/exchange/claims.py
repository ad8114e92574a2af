"""Names in an output folder into which several processes write at once.

A name is claimed by a lock on the hidden file ``.NAME.claim``, which the system lets go of when
the process ends, however it does; what such a process left is removed by the next.  The file holds
the photo's digest, so that two processes with one photo do it once.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Cancelled, OutputError
from ..files import plain_name, reason
from .photo_tasks import Names, PhotoTask, read_record

if TYPE_CHECKING:
    from .reconstruction import Reconstruction

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_ENDING = ".claim"
#: What the name of a further face of a photo ends with.
_FACE = re.compile(r"_face\d+$")
#: Seconds between two looks at a name that another process has for the same photo.
_POLL = 0.1
#: The byte that is locked where files are locked by bytes: none that is read.
_LOCKED_BYTE = 1 << 20


class Claims:
    """The names of one photo's results, while they are written."""

    def __init__(
        self, task: PhotoTask, folder: Path, names: Names, ended: threading.Event | None
    ) -> None:
        self.task = task  #: under the name that was claimed
        self._folder, self._names, self._ended = folder, names, ended or threading.Event()
        self._held: dict[str, int] = {}

    def name_of(self, head: Reconstruction) -> str:
        """The name of one face's files: the photo's, and its number for all but the largest."""
        if head.face_index == 1:
            return self.task.name
        name = f"{self.task.name}_face{head.face_index}"
        return self._claim(self._names.reserve(name, self.task.digest), wait=False)

    def take(self, name: str) -> bool:
        """Whether ``name`` itself could be claimed; False where it is another photo's."""
        return name in self._held or bool(self._taken(name))

    def _taken(self, name: str) -> bool | None:
        """Whether ``name`` is claimed now; None where another process has it, False: another photo.

        Raises :class:`OutputError`.
        """
        try:
            number = _lock(self._folder, name, self.task.digest)
        except OSError as error:
            raise OutputError(f"Cannot write into {self._folder}: {reason(error)}.") from error
        if number is None:
            return None
        if self._names.is_free(name, self.task.digest):
            self._held[name] = number
            _remove_parts(self._folder, name)
            return True
        _unlock(self._folder, name, number)
        return False

    def _claim(self, name: str, wait: bool) -> str:
        """``name``, or one with a number where another process has it for another photo."""
        digest, wanted = self.task.digest, name
        while True:
            taken = self._taken(name)
            if taken:
                return name
            if taken is None and wait and digest and _holder(self._folder, name) in (digest, ""):
                if self._ended.wait(_POLL):
                    raise Cancelled("Cancelled.")
                continue
            name = self._names.reserve(wanted, digest)

    def _claim_photo(self) -> None:
        """Wait until no other process does this photo."""
        name = f"photo {self.task.digest}"
        while True:
            try:
                number = _lock(self._folder, name, self.task.digest)
            except OSError as error:
                raise OutputError(f"Cannot write into {self._folder}: {reason(error)}.") from error
            if number is not None:
                self._held[name] = number
                return
            if self._ended.wait(_POLL):
                raise Cancelled("Cancelled.")

    def release(self) -> None:
        """Let go of all of them."""
        for name, number in reversed(self._held.items()):
            _unlock(self._folder, name, number)
        self._held.clear()


@contextmanager
def claimed(
    task: PhotoTask, folder: Path, names: Names, ended: threading.Event | None = None
) -> Iterator[Claims]:
    """The name of ``task`` in ``folder``, for this process alone meanwhile.

    Waits while another process does the same photo, and takes the name under which it was done;
    where the name is another photo's, a number is added.  Raises :class:`OutputError`, and
    :class:`Cancelled` when ``ended`` is set meanwhile.
    """
    claims = Claims(task, folder, names, ended)
    try:
        wanted = task.name
        if task.digest:
            # Two processes may have given the photo different names: so itself is claimed first.
            claims._claim_photo()
            wanted = _name_of(task, folder) or wanted
        claims.task = replace(task, name=claims._claim(wanted, wait=True))
        yield claims
    finally:
        claims.release()


def _name_of(task: PhotoTask, folder: Path) -> str | None:
    """The name under which ``folder`` has results of the photo."""
    stem = plain_name(task.photo.stem) or "photo"
    found = folder.glob(f"{glob.escape(stem)}*.json")
    for name in sorted({_FACE.sub("", path.stem) for path in found}):
        faces = (path.stem for path in folder.glob(f"{glob.escape(name)}_face*.json"))
        for one in (name, *faces):
            if read_record(folder, one).get("photo_sha256") == task.digest:
                return name
    return None


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left in ``folder``."""
    for path in folder.glob(f".*{_ENDING}"):
        name = path.name[1 : -len(_ENDING)]
        with suppress(OSError):
            number = _lock(folder, name, "")
            if number is not None:
                _remove_parts(folder, name)
                _unlock(folder, name, number)


def _path(folder: Path, name: str) -> Path:
    return folder / f".{name}{_ENDING}"


def _lock(folder: Path, name: str, digest: str) -> int | None:
    """The number of the locked file; None where another has it."""
    path = _path(folder, name)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        number = os.open(path, flags, 0o666)
        try:
            if not _locked(number):
                os.close(number)
                return None
            # Whoever had it may have removed the file between the two.
            if os.path.samestat(os.fstat(number), os.stat(path)):
                os.ftruncate(number, 0)
                os.write(number, digest.encode())
                return number
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _locked(number: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            os.lseek(number, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            os.lseek(number, 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _unlock(folder: Path, name: str, number: int) -> None:
    if fcntl is None:  # Windows removes no open file
        os.close(number)
    with suppress(OSError):
        _path(folder, name).unlink()
    if fcntl is not None:
        os.close(number)


def _holder(folder: Path, name: str) -> str:
    """The digest of the photo for which another process has ``name``; "" when that is over."""
    with suppress(OSError, ValueError), open(_path(folder, name), encoding="ascii") as file:
        return file.read(64)
    return ""


def _remove_parts(folder: Path, name: str) -> None:
    """What was staged under ``name`` by a process that is gone (:func:`.output.staging`)."""
    for path in folder.glob(f".{glob.escape(name)}.????????.part"):
        shutil.rmtree(path, ignore_errors=True)
