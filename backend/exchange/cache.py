"""Arrays that can be worked out again, kept on disk from one process to the next.

Nobody needs the files of the user's cache folder: one that is missing, damaged or cannot be written
is no error.  They are written beside and renamed, and read with their checksums.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import map_npy, open_npz
from ..bounded import DAMAGE
from ..errors import OutputError
from ..files import write_bytes
from ..folders import cache_folder
from .npz import write_arrays

#: Bytes that all files together may take: the default model's, for textures of 2048 and of 4096.
MOST = 500_000_000


def read_cached(name: str, key: object) -> dict[str, NDArray] | None:
    """The arrays of this ``name`` that were written with an equal ``key``; None where there are
    none that can be read.

    A key's ``repr`` is all that the arrays depend on.
    """
    with suppress(OSError, OutputError, *DAMAGE):
        path = _place(name, key)
        with open_npz(path) as archive:
            arrays = archive.read_all(MOST)
        with suppress(OSError):  # it is another user's
            os.utime(path)  # those go first that were not read for longest
        return arrays
    return None


def write_cached(name: str, key: object, arrays: Mapping[str, NDArray]) -> None:
    """Keep ``arrays`` for :func:`read_cached`, where that is possible."""
    with suppress(OSError, OutputError):
        path = _place(name, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, arrays)
        _make_room(path)


def read_mapped(name: str, key: object, checksum: int) -> NDArray | None:
    """The array that :func:`write_mapped` wrote, mapped into memory and read when it is used; None
    where there is none of this ``checksum``."""
    with suppress(OSError, OutputError, *DAMAGE):
        path = _place(name, key, "npy")
        array = map_npy(path, "r")
        if zlib.crc32(array.data) == checksum:
            let_go(array)
            with suppress(OSError):
                os.utime(path)
            return array
    return None


def write_mapped(name: str, key: object, array: NDArray) -> int:
    """Keep ``array`` for :func:`read_mapped`, where that is possible; its checksum."""
    array = np.ascontiguousarray(array)
    with suppress(OSError, OutputError):
        path = _place(name, key, "npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = io.BytesIO()
        np.lib.format.write_array(packed, array, allow_pickle=False)
        write_bytes(path, packed.getbuffer())
        _make_room(path)
    return zlib.crc32(array.data)


def let_go(array: NDArray) -> None:
    """Give back the memory of a mapped ``array``; what is used again is read again."""
    mapped = getattr(array.base, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _place(name: str, key: object, kind: str = "npz") -> Path:
    """The file of what has this ``name`` and ``key``.  Raises :class:`OutputError`."""
    ending = hashlib.sha256(repr(key).encode()).hexdigest()[:32]
    return cache_folder() / "arrays" / f"{name}-{ending}.{kind}"


def _make_room(newest: Path) -> None:
    """Remove what was not read for longest until all but ``newest`` fit into :data:`MOST`."""
    there = [(path.stat(), path) for path in newest.parent.glob("*.np[yz]")]
    total = 0
    for found, path in sorted(there, key=lambda one: -one[0].st_mtime):
        total += found.st_size
        if total > MOST and path != newest:
            path.unlink(missing_ok=True)
