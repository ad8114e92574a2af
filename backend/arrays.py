"""Arrays in files that strangers made: ``.npy`` and ``.npz``, read within bounds.

``numpy.load`` hands the header of an array to Python's parser, makes whatever type and size it
names, and reads every member of an archive.  Here a header is one of plain numbers or text or it is
refused, and what an archive's known members declare is held against what they have to be, against
each other and against the bytes that are there, before the first of them is read.

Numpy and the standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bounded import DAMAGE, MB, Damaged, open_regular, short

#: The largest arrays that are known are the bases of the Basel Face Model 2019's whole head, 58,203
#: vertices x 3 x 199 modes: 278 MB in float64.  This is about twice that.
LARGEST_ARRAY = 600 * MB
#: Its file has two of them, and one of 100 modes for the expressions: 700 MB.
LARGEST_FILE = 1200 * MB
#: Members of an archive: the most in one of ours is 40, in a FLAME 20.
_MOST_MEMBERS = 1000
#: The largest list of an archive's members that is read: 1,000 with long names.
_LARGEST_LIST = MB
_CHUNK = MB

# Quantifiers that give nothing back (*+): else spaces between many keys take exponential time.
_HEADER = re.compile(
    rb"\{(?:\s*+(?:'descr':\s*+'(?P<descr>[^']*+)'|'fortran_order':\s*+(?P<fortran>True|False)"
    rb"|'shape':\s*+\((?P<shape>[0-9L, ]*+)\))\s*+,?+)++\s*+\}\s*+"
)
_PLAIN = re.compile(r"[<>=|]?(?:f[248]|[iu][1248]|b1|\?|U[1-9]\d{0,2})")
#: Which kinds of numbers stand for which: a file made by a script may have float64 for float32.
_INSTEAD = {"f": "fiu", "i": "iu", "u": "iu", "b": "biu", "U": "U"}


class Declared(NamedTuple):
    """What an array's header says."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool

    @property
    def size(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Member:
    """What an array has to be.

    ``shape`` has a number for each axis, or a name: axes of one name are equally long.  ``None`` is
    any shape.  ``dtype`` is what it is given as; ``None`` leaves numbers as they are.
    """

    dtype: str | None
    shape: tuple[int | str, ...] | None = None
    optional: bool = False
    finite: bool = True  #: whether NaN and infinity are refused


def read_header(stream: IO[bytes]) -> Declared:
    """The header of the ``.npy`` that begins here.

    Raises :class:`Damaged`: no header, anything but plain numbers and text, or too large.
    """
    start = stream.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY":
        raise Damaged("it has no array where one is expected")
    wide = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(wide), "little")
    if length > 10_000:
        raise Damaged("an array's header is too long")
    text = stream.read(length)
    found = _HEADER.fullmatch(text)
    if found is None or None in found.groups():
        objects = b"O'" in text or b"'object" in text
        raise Damaged(
            "an array holds Python objects, which could run code and are not read"
            if objects
            else "an array's header is none of plain numbers"
        )
    kind = found["descr"].decode("ascii", "replace")
    if _PLAIN.fullmatch(kind) is None:
        if kind[-1:] == "O":
            raise Damaged("an array holds Python objects, which could run code and are not read")
        raise Damaged(f"an array holds {short(repr(kind))}, not plain numbers or text")
    words = found["shape"].replace(b"L", b"").replace(b",", b" ").split()
    if len(words) > 8 or any(len(word) > 12 for word in words):
        raise Damaged("an array has a shape beyond reason")
    declared = Declared(np.dtype(kind), tuple(map(int, words)), found["fortran"] == b"True")
    if declared.nbytes > LARGEST_ARRAY:
        raise Damaged(f"an array in it would take {declared.nbytes / MB:,.0f} MB")
    return declared


def read_content(stream: IO[bytes], declared: Declared) -> NDArray:
    """The array whose header was read, in the machine's byte order.

    Raises :class:`Damaged` where the stream ends before it does.
    """
    out = np.empty(declared.size, declared.dtype)
    view = out.view(np.uint8).data
    at = 0
    while at < len(view):
        data = stream.read(min(_CHUNK, len(view) - at))
        if not data:
            raise Damaged("an array is cut off")
        view[at : at + len(data)] = data
        at += len(data)
    if declared.dtype.kind == "b":
        out = out.view(np.uint8) != 0
    if declared.dtype.kind == "U":
        _check_text(out)
    return out.astype(declared.dtype.newbyteorder("="), copy=False).reshape(
        declared.shape, order="F" if declared.fortran else "C"
    )


def map_npy(path: str | os.PathLike[str], mode: str = "c") -> NDArray:
    """The array in the ``.npy`` file ``path``, mapped into memory and read when it is used.

    ``mode`` as :class:`numpy.memmap` has it: "c" may be written to, in memory alone.  Raises
    OSError, :class:`Damaged`.
    """
    with open_regular(path, 1 << 62) as file:  # what is mapped need not fit into memory
        size = os.fstat(file.fileno()).st_size
        declared = read_header(file)
        start = file.tell()
    if declared.dtype.kind not in "fiub" or start + declared.nbytes != size:
        raise Damaged(f"it has {size:,} bytes, which is not what its header says")
    if not declared.size:
        return np.empty(declared.shape, declared.dtype)
    mapped = np.memmap(
        path,
        declared.dtype,
        mode,  # type: ignore[arg-type]
        start,
        declared.shape,
        "F" if declared.fortran else "C",
    )
    return mapped.view(np.ndarray)


class Npz:
    """An archive of arrays that :func:`open_npz` opened."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {
            info.filename.removesuffix(".npy"): info for info in reversed(archive.infolist())
        }
        if len(archive.infolist()) > _MOST_MEMBERS:
            raise Damaged(f"it has {len(archive.infolist())} members")

    @property
    def names(self) -> tuple[str, ...]:
        """All members' names, known or not."""
        return tuple(reversed(self._members))

    def read(self, wanted: Mapping[str, Member], most: int = LARGEST_FILE) -> dict[str, NDArray]:
        """The members ``wanted`` as they are wanted; others are not read.

        Raises :class:`Damaged` before anything is read where one is missing, is of another kind or
        shape, or all together would take more than ``most`` bytes.
        """
        if missing := [n for n in wanted if n not in self._members and not wanted[n].optional]:
            raise Damaged(f"it lacks {', '.join(missing)}")
        there = {name: member for name, member in wanted.items() if name in self._members}
        declared = {name: self._declared(name) for name in there}
        for name, member in there.items():
            _check_kind(name, declared[name].dtype, member.dtype)
        check_shapes({name: one.shape for name, one in declared.items()}, there)
        self._check_total(declared, most)
        return {
            name: converted(name, self._content(name), member) for name, member in there.items()
        }

    def read_all(self, most: int = LARGEST_FILE) -> dict[str, NDArray]:
        """Every member, whatever it is: of files that this project wrote for itself alone."""
        declared = {name: self._declared(name) for name in self._members}
        self._check_total(declared, most)
        return {name: self._content(name) for name in declared}

    def _check_total(self, declared: Mapping[str, Declared], most: int) -> None:
        total = sum(one.nbytes for one in declared.values())
        if total > most:
            raise Damaged(
                f"its arrays would take {total / MB:,.0f} MB, and no such file has more than "
                f"{most / MB:,.0f}"
            )

    def _open(self, name: str) -> IO[bytes]:
        info = self._members[name]
        if info.flag_bits & 0x1:
            raise Damaged(f"'{name}' is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Damaged(f"'{name}' is compressed in a way that numpy never writes")
        return self._archive.open(info)

    def _declared(self, name: str) -> Declared:
        with self._open(name) as stream:
            declared = read_header(stream)
            size = stream.tell() + declared.nbytes
        if size != self._members[name].file_size:
            raise Damaged(f"'{name}' has another size than its header says")
        return declared

    def _content(self, name: str) -> NDArray:
        with self._open(name) as stream:
            array = read_content(stream, read_header(stream))
            if stream.read(1):  # its end is also where the checksum is compared
                raise Damaged(f"'{name}' has another size than its header says")
        return array


@contextmanager
def open_npz(path: str | os.PathLike[str]) -> Iterator[Npz]:
    """The archive ``path``.  Raises OSError, :class:`Damaged`."""
    try:
        with (
            open_regular(path, LARGEST_FILE) as file,
            zipfile.ZipFile(_SmallReads(file)) as archive,
        ):  # type: ignore[arg-type]
            yield Npz(archive)
    except (Damaged, OSError):
        raise
    except (zipfile.BadZipFile, *DAMAGE) as error:
        raise Damaged(short(error)) from error


def read_npz(
    path: str | os.PathLike[str], wanted: Mapping[str, Member], most: int = LARGEST_FILE
) -> dict[str, NDArray]:
    """The members ``wanted`` of the archive ``path``.  Raises OSError, :class:`Damaged`."""
    with open_npz(path) as archive:
        return archive.read(wanted, most)


class _SmallReads:
    """A file of which at most a MB is read at once.

    ``zipfile`` reads the list of an archive's members in one piece and makes an object of each,
    before it can be asked how many there are.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_LARGEST_LIST + 1 if size < 0 else min(size, _LARGEST_LIST + 1))
        if len(data) > _LARGEST_LIST:
            raise Damaged("its list of members is beyond reason")
        return data

    def seekable(self) -> bool:
        return True


def check_shapes(
    shapes: Mapping[str, tuple[int, ...]], wanted: Mapping[str, Member]
) -> dict[str, int]:
    """The length of every axis that has a name in ``wanted``.

    Raises :class:`Damaged` naming the first array whose shape is another one.
    """
    lengths: dict[str, int] = {}
    for name, member in wanted.items():
        if member.shape is None or name not in shapes:
            continue
        found = shapes[name]
        expected = tuple(lengths.get(a, a) if isinstance(a, str) else a for a in member.shape)
        fits = len(found) == len(expected) and all(
            isinstance(axis, str) or axis == length
            for axis, length in zip(expected, found, strict=True)
        )
        if fits:  # an axis may come twice in one shape
            own = dict(zip(member.shape, found, strict=True))
            fits = all(
                own[axis] == length for axis, length in zip(member.shape, found, strict=True)
            )
        if not fits:
            text = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
            raise Damaged(f"'{name}' has shape {found} where ({text}) is expected")
        for axis, length in zip(member.shape, found, strict=True):
            if isinstance(axis, str):
                lengths[axis] = length
    return lengths


def converted(name: str, array: NDArray, member: Member) -> NDArray:
    """``array`` as ``member`` has it.

    Raises :class:`Damaged` for another kind, numbers too large, and values that are not finite.
    """
    _check_kind(name, array.dtype, member.dtype)
    wanted = array.dtype if member.dtype in (None, "U") else np.dtype(member.dtype)
    if array.dtype != wanted:
        if wanted.kind in "iu" and array.size:
            low, high = np.iinfo(wanted).min, np.iinfo(wanted).max
            if int(array.min()) < low or int(array.max()) > high:
                raise Damaged(f"'{name}' holds numbers that are too large")
        with np.errstate(over="ignore"):
            array = array.astype(wanted)
    _check_finite(name, array, member)
    return array


def check_arrays(arrays: Mapping[str, NDArray], wanted: Mapping[str, Member]) -> dict[str, int]:
    """The length of every axis with a name, of arrays that are in memory already.

    Raises :class:`Damaged` naming the first that is not as it is ``wanted``.
    """
    there = {name: member for name, member in wanted.items() if name in arrays}
    if missing := [n for n in wanted if n not in there and not wanted[n].optional]:
        raise Damaged(f"it lacks {', '.join(missing)}")
    lengths = check_shapes({name: arrays[name].shape for name in there}, there)
    for name, member in there.items():
        _check_kind(name, arrays[name].dtype, member.dtype)
        _check_finite(name, arrays[name], member)
    return lengths


def all_finite(array: NDArray) -> bool:
    """Whether no number of ``array`` is NaN or infinite, without a copy of it."""
    if not array.size:
        return True
    if array.dtype == np.float16:  # numpy compares these in software; all bits of the exponent say
        return bool((array.view(np.uint16) & 0x7C00).max() < 0x7C00)
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def check_range(name: str, indices: NDArray, limit: int, first: int = 0) -> None:
    """Raise :class:`Damaged` unless all ``indices`` are ``first`` to ``limit - 1``."""
    if indices.size and (indices.min() < first or indices.max() >= limit):
        raise Damaged(f"'{name}' points outside {first}..{limit - 1}")


def _check_finite(name: str, array: NDArray, member: Member) -> None:
    if member.finite and array.dtype.kind == "f" and not all_finite(array):
        raise Damaged(f"'{name}' holds values that are not finite")


def _check_kind(name: str, found: np.dtype, wanted: str | None) -> None:
    kinds = "fiub" if wanted is None else _INSTEAD[np.dtype(wanted).kind]
    if found.kind not in kinds:
        called = "numbers" if wanted is None else np.dtype(wanted).name
        raise Damaged(f"'{name}' holds {found.name}, not {'text' if wanted == 'U' else called}")


def _check_text(array: NDArray[Any]) -> None:
    """Four bytes that are no character would be met where the text is used."""
    if array.nbytes:
        codes = array.view(array.dtype.str[0] + "u4")
        if int(codes.max()) > 0x10FFFF:
            raise Damaged("a text in it holds what is no character")
