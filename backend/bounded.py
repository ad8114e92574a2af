"""What every reader of a stranger's file needs: refuse it before anything is built of it.

A file that a user can hand in may be damaged or made to do harm.  Its reader asks how large it is
before it is opened, what its parts will hold before they are read, and turns whatever damaged
content leads to into one sentence that names the file (:func:`reading`).  Arrays are in
:mod:`.arrays`, files that libraries in C parse in :mod:`.isolated`.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import FaceError
from .files import reason

MB = 1_000_000
#: The largest header of our own has 20 kB.  The worst 4 MB, brackets alone, take 5 s and 100 MB.
LARGEST_JSON = 4 * MB
#: Settings have some kB; this is a list of 8,000 pictures.  tomllib takes 1 s for the worst.
LARGEST_TOML = MB // 4
#: The deepest of our own (options in provenance in a header) has 6.
DEEPEST = 32

#: What decoding damaged content leads to in Python's, numpy's and other libraries.
DAMAGE = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,  # NotImplementedError and RecursionError are such
    struct.error,
    zlib.error,
)


class Damaged(ValueError):
    """What is wrong with a file: a part of a sentence that :func:`reading` completes."""


@contextmanager
def reading(
    kind: type[FaceError], path: str | os.PathLike[str], what: str, then: str = ""
) -> Iterator[None]:
    """Turns what reading the file ``path`` leads to into a ``kind`` with one sentence.

    ``what`` is what it ought to be ("a motion file"), ``then`` what to do about it ("copy it
    again").  Errors that are a :class:`FaceError` already stay as they are, but for the file's
    name where they lack it.
    """
    advice = f"; {then}." if then else "."
    try:
        yield
    except FaceError as error:
        if Path(path).name in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise kind(f"There is no {_bare(what)} at {path}.") from error
    except Damaged as error:
        raise kind(f"{path} is not {what}, or is damaged: {error}{advice}") from error
    except MemoryError as error:
        raise kind(f"There is not enough memory to read {path}.") from error
    except OSError as error:
        raise kind(f"{path} cannot be read: {short(reason(error))}.") from error
    except DAMAGE as error:
        raise kind(f"{path} is not {what}, or is damaged ({short(error)}){advice}") from error


def short(error: object) -> str:
    """The first line of what a library said, so that it fits into a sentence."""
    lines = str(error).strip().splitlines()
    return plain(lines[0] if lines else "").rstrip(". ") or type(error).__name__


def plain(text: str, most: int = 160) -> str:
    """A file's ``text`` for a sentence: its beginning, without control characters."""
    text = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return text if len(text) <= most else text[:most] + "..."


def regular_size(path: str | os.PathLike[str], most: int) -> int:
    """The size in bytes of the file ``path``, asked before it is opened.

    Opening a pipe waits for ever, and a device has no end.  Raises OSError, and :class:`Damaged`
    where it is no file, empty or larger than ``most``.
    """
    size = _checked_size(os.stat(path), most)
    if size == 0:
        raise Damaged("it is empty")
    return size


def open_regular(path: str | os.PathLike[str], most: int) -> io.BufferedReader:
    """The file ``path``, opened for reading bytes; every file that was handed in is opened here.

    It is asked what it is before it is opened, and again once it is open, since another process may
    have put a pipe in its place; opening that does not wait.  What has no size is read as empty:
    some files of ``/proc`` (kmsg, a trace) claim to be regular, and reading them waits or never
    ends.  Raises OSError, and :class:`Damaged` where it is no file or larger than ``most``.
    """
    _checked_size(os.stat(path), most)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(path, flags)
    try:
        if _checked_size(os.fstat(number), most):
            return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise
    os.close(number)
    return open(os.devnull, "rb")


def _checked_size(found: os.stat_result, most: int) -> int:
    if stat.S_ISDIR(found.st_mode):
        raise Damaged("it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise Damaged("it is no regular file, but a pipe or a device")
    if found.st_size > most:
        raise Damaged(
            f"it has {size_of(found.st_size)}, and no such file has more than {size_of(most)}"
        )
    return found.st_size


def size_of(count: int) -> str:
    """So many bytes for a sentence: in MB from 2 MB on, else in kB."""
    return f"{count / MB:,.0f} MB" if count >= 2 * MB else f"{count / 1000:,.0f} kB"


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """The content of the file ``path``.  Raises as :func:`regular_size`."""
    with open_regular(path, most) as file:
        # Python allocates what it is asked to read: a gigabyte for the smallest photo.
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1)
        if len(data) > size:  # it grows meanwhile
            data += file.read(most + 1 - len(data))
    if len(data) > most:
        raise Damaged(f"it has more than {size_of(most)}")
    return data


def read_json(path: str | os.PathLike[str], most: int = LARGEST_JSON) -> Any:
    """The JSON document in the file ``path``.  Raises OSError, :class:`Damaged`."""
    return parse_json(read_bytes(path, most), most)


#: The next bracket, past what does not count: strings, closed or not, and empty pairs.
_BRACKET = re.compile(
    rb'(?:[^"\[\]{}]|"(?:[^"\\]|\\.)*+(?:"|\Z)|\[\]|\{\})*+([\[\]{}]|\Z)', re.DOTALL
)


def parse_json(data: bytes | bytearray | memoryview | str, most: int = LARGEST_JSON) -> Any:
    """The JSON document ``data``.  Raises :class:`Damaged`: no JSON, too long or nested too deep.

    The depth is looked at first: Python's parser goes down on the stack of the thread, which may
    be a small one, and what it built could not be written again.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    elif not isinstance(data, bytes):
        data = bytes(memoryview(data))  # a TypeError for what is neither text nor bytes
    if len(data) > most:
        raise Damaged(f"its JSON has more than {size_of(most)}")
    depth = 0
    for bracket in _BRACKET.finditer(data):
        depth += {b"[": 1, b"{": 1, b"": 0}.get(bracket[1], -1)
        if depth > DEEPEST:
            raise Damaged(f"its JSON is nested deeper than {DEEPEST}")
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"its JSON cannot be read ({short(error)})") from error


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The TOML document in the file ``path``.  Raises OSError, :class:`Damaged`."""
    return parse_toml(read_bytes(path, LARGEST_TOML))


#: More parts than DEEPEST in one dotted key.  tomllib takes time with their number squared.
_DOTTED = re.compile(
    r"""(?<![\w.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){"""
    f"{DEEPEST}}}"
)


def parse_toml(data: bytes) -> dict[str, Any]:
    """The TOML document ``data``.  Raises :class:`Damaged`."""
    import tomllib  # Blender starts without it

    try:
        text = data.decode("utf-8-sig")
        if _DOTTED.search(text):
            raise Damaged(f"a key in it has more than {DEEPEST} parts")
        return tomllib.loads(text)
    except RecursionError as error:
        raise Damaged("it is nested too deep") from error
    except Damaged:
        raise
    except ValueError as error:  # no UTF-8, no TOML, or a number of thousands of digits
        raise Damaged(f"it is not TOML ({short(error)})") from error


def fits(value: Any, kind: Any) -> bool:
    """Whether the JSON ``value`` is of ``kind``.

    That is ``str``, ``bool``, ``dict``; ``int`` (64 bits), ``float`` (any finite number);
    ``[kind]`` for a list of any length, ``(kind, kind)`` for one of this length, ``{str: kind}``
    for an object with any names; ``None`` for anything.
    """
    if kind is None:
        return True
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(one, kind[0]) for one in value)
    if isinstance(kind, tuple):
        return (
            isinstance(value, list)
            and len(value) == len(kind)
            and all(fits(one, wanted) for one, wanted in zip(value, kind, strict=True))
        )
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(fits(one, kind[str]) for one in value.values())
    if kind in (int, float):
        number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        return number or (kind is float and isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def checked(values: Any, kinds: dict[str, Any], optional: dict[str, Any] | None = None) -> None:
    """Raise :class:`Damaged` unless ``values`` is an object with ``kinds`` (:func:`fits`) by name.

    Names that are in neither are not looked at.
    """
    if not isinstance(values, dict):
        raise Damaged("it holds no object of names and values")
    for name, kind in (kinds | (optional or {})).items():
        if name not in values:
            if name in kinds:
                raise Damaged(f"it lacks {name}")
        elif not fits(values[name], kind):
            raise Damaged(f"its '{name}' is of another kind than is expected")


def _bare(what: str) -> str:
    """Without its article."""
    return re.sub(r"^(an?|the) ", "", what)
