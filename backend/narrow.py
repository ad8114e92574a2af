"""Names of files for libraries in C that open them by bytes.

On Windows such a library takes a name in the code page of the machine, so that one with other
letters ("C:\\Users\\Zoë") cannot be opened; elsewhere names are bytes anyway.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: Whether names have to be narrow here.
NARROW = sys.platform == "win32"


def is_narrow(path: str | os.PathLike[str]) -> bool:
    """Whether any library opens ``path`` by its own name."""
    return not NARROW or os.fspath(path).isascii()


@contextmanager
def narrow_name(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name by which any library opens the file ``path``, for as long as this lasts.

    Its own where that will do, else Windows' short one, else that of a link to it, or of a copy.
    Raises :class:`OSError` where none can be had.
    """
    name = os.fspath(path)
    if is_narrow(name):
        yield name
        return
    if short := _short_name(name):
        yield short
        return
    folder = tempfile.mkdtemp(prefix="reconstruct_face-", dir=_ascii_folder())
    try:
        yield _linked(name, Path(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a library may still hold it


def _short_name(name: str) -> str:
    """Windows' "C:\\Users\\ZO~1"; "" where the volume has none, or not in plain letters."""
    windows: Any = getattr(ctypes, "windll", None)
    if windows is None:
        return ""
    room = ctypes.create_unicode_buffer(32_768)
    found = windows.kernel32.GetShortPathNameW(name, room, len(room))
    return room.value if found and room.value.isascii() else ""


def _ascii_folder() -> str:
    """One that can be written to, with a plain name."""
    places = (tempfile.gettempdir(), os.environ.get("PROGRAMDATA", ""), os.environ.get("PUBLIC"))
    for place in places:
        if place and place.isascii() and os.access(place, os.W_OK):
            return place
    raise OSError(
        "No folder with a plain name can be written to; set the variable TEMP to one, such as "
        "C:\\Temp."
    )


def _linked(name: str, folder: Path) -> str:
    there = folder / f"file{Path(name).suffix if Path(name).suffix.isascii() else ''}"
    with suppress(OSError):  # another disk, or one without links
        os.link(name, there)
        return str(there)
    shutil.copyfile(name, there)
    return str(there)
