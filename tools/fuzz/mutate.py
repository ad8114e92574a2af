"""Ways to damage a file, each from a seeded generator: the same case is the same bytes."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng], bytes]

#: Whole numbers that arithmetic on sizes goes wrong with.
_NUMBERS = (
    0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, -(2**31),
    10**6, 10**9,
)  # fmt: skip
_WORDS = (
    "nan", "inf", "-inf", "1e308", "-1e308", "1e12", "-5", "0", "1" * 5000, "", "x",
    "\u00e9\U0001f600", "None", "1,5", "1_0", '"', "'", "\\", "\0", "99:99:99:99",
    "23:59:59:59", "\x1b[31m",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 10**30, "", "x" * 300, "\x1b[31m\n", [], {}, [[]],
    [1] * 50, {"a": {"b": 1}}, ["a", 1, None], float("nan"), float("inf"),
)  # fmt: skip
_TYPES = (
    "<f8", ">f4", "<i8", "<u1", "|O", "<U900", "<M8[s]", "<m8", "|V8", "|S5", "<c16", "|b1", "<f16",
    "<U0", "|V0", "<f2", "e", "?", "O", "<f99",
)  # fmt: skip


def one_of(rng: Rng, things: Any) -> Any:
    """One of them."""
    return things[int(rng.integers(len(things)))]


def binary(data: bytes, rng: Rng) -> bytes:
    """Bits, bytes, blocks, numbers and the end of a file."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        size = len(out)
        at = int(rng.integers(max(1, min(size, one_of(rng, (64, 512, size or 1))))))
        length = int(rng.integers(1, max(2, size // one_of(rng, (4, 50, 1000)))))
        way = int(rng.integers(8))
        if way == 0:
            for place in rng.integers(0, max(size, 1), int(rng.integers(1, 20))):
                if size:
                    out[int(place)] ^= 1 << int(rng.integers(8))
        elif way == 1:
            del out[at:]
        elif way == 2:
            out[at : at + length] = bytes(length)
        elif way == 3:
            del out[at : at + length]
        elif way == 4:
            out[at:at] = out[at : at + length]
        elif way == 5:
            out[at:at] = rng.bytes(min(length, 5000))
        elif way == 6:
            code, width = one_of(rng, (("H", 2), ("I", 4), ("Q", 8)))
            number = one_of(rng, _NUMBERS) % (1 << (8 * width))
            out[at : at + width] = struct.pack(("<" if rng.random() < 0.8 else ">") + code, number)
        else:
            out += rng.bytes(min(length, 5000))
    return bytes(out)


def text(data: bytes, rng: Rng) -> bytes:
    """Words, lines and brackets of a text."""
    if rng.random() < 0.2:
        return binary(data, rng)
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(int(rng.integers(1, 4))):
        row = int(rng.integers(len(lines)))
        way = int(rng.integers(8))
        separator = max(",\t =;", key=lines[row].count)
        words = lines[row].split(separator)
        if way == 0:
            words[int(rng.integers(len(words)))] = one_of(rng, _WORDS)
            lines[row] = separator.join(words)
        elif way == 1:
            lines[row] = separator.join(words[: int(rng.integers(len(words) + 1))])
        elif way == 2:
            lines[row] = separator.join(words * int(rng.integers(2, 400)))
        elif way == 3:
            lines[row:row] = [lines[row]] * int(rng.integers(1, 300))
        elif way == 4:
            lines.insert(row, one_of(rng, ("[", "{", "[[", "a.", '"a".', "(")) * 100_000)
        elif way == 5:
            lines[row] = one_of(rng, ("a = ", "")) + one_of(rng, _WORDS) * int(rng.integers(1, 99))
        elif way == 6:
            del lines[row:]
        else:
            rng.shuffle(lines)
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def record(data: bytes, rng: Rng) -> bytes:
    """A JSON document with another value somewhere, or one nested too deep."""
    way = rng.random()
    if way < 0.2:
        return binary(data, rng)
    if way < 0.3:
        deep = one_of(rng, ("[", '{"a":', '[{"a":')) * int(rng.integers(20, 200_000))
        return deep.encode() if rng.random() < 0.5 else data[:-2] + b', "z": ' + deep.encode()
    try:
        return json.dumps(changed_value(json.loads(data), rng)).encode()
    except (ValueError, RecursionError):  # of a document that was damaged before
        return binary(data, rng)


def changed_value(value: Any, rng: Rng) -> Any:
    """``value`` (JSON) with one of the values in it replaced, left out or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = one_of(rng, sorted(value))
        if rng.random() < 0.15:
            return {key: one for key, one in value.items() if key != name}
        return value | {name: changed_value(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = int(rng.integers(len(value)))
        return [*value[:at], changed_value(value[at], rng), *value[at + 1 :]]
    return one_of(rng, _VALUES)


def npz(data: bytes, rng: Rng) -> bytes:
    """Members, headers and numbers of an archive of arrays."""
    if rng.random() < 0.3:
        return binary(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    method = zipfile.ZIP_DEFLATED
    for _ in range(int(rng.integers(1, 3))):
        name = one_of(rng, sorted(members))
        way = int(rng.integers(10))
        if way == 0:
            del members[name]
            members = members or {"a.npy": b""}
        elif way == 1:
            members[one_of(rng, sorted(members))] = members[name]
        elif way == 2:
            members[name] = binary(members[name], rng)
        elif way in (3, 4):
            members[name] = _other_header(members[name], rng)
        elif way in (5, 6):
            members[name] = _other_numbers(members[name], rng)
        elif way == 7:
            members["unknown.npy"] = _npy(np.zeros(int(rng.integers(1, 5_000_000)), np.uint8))
        elif way == 8 and "header.npy" in members:
            header = _array(members["header.npy"])
            if header is not None:
                changed = record(header.tobytes(), rng)
                members["header.npy"] = _npy(np.frombuffer(changed, np.uint8))
        else:
            method = one_of(rng, (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            # A fixed date: the clock's would make the same case other bytes.
            archive.writestr(zipfile.ZipInfo(name), content, method)
    made = out.getvalue()
    return _other_directory(made, rng) if rng.random() < 0.2 else made


def _array(data: bytes) -> np.ndarray | None:
    """None for a member that an earlier change has damaged: numpy raises all kinds for it."""
    try:
        return np.load(io.BytesIO(data))
    except Exception:
        return None


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def _other_header(data: bytes, rng: Rng) -> bytes:
    """A member whose array declares something else than it has."""
    length = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + length], data[10 + length :]
    way = int(rng.integers(6))
    descr, shape = header.split(b"'")[3] if header.count(b"'") > 4 else b"<f4", "(3,)"
    if way == 0:
        descr = one_of(rng, _TYPES).encode()
    elif way == 1:
        shape = one_of(
            rng,
            ("()", "(1000000000000,)", "(-1,)", "(2, 3)", "(0, 99999999999)", "(5, -5)", "(1e9,)"),
        )
    elif way == 2:
        header = b"(" * 5000
    elif way == 3:
        header = b"{'descr': [('a', '<f4')], 'fortran_order': 0, 'shape': 'x'}\n"
    elif way == 4:
        header = one_of(rng, (b"{'descr': 5}", b"[1]", b"", b"'" * 3000, b"{'shape':()   " * 500))
    else:
        return binary(data[: 10 + length], rng) + body
    if way < 2:
        header = f"{{'descr': '{descr.decode('latin-1')}', 'fortran_order': False, ".encode()
        header += f"'shape': {shape}, }}\n".encode()
    return data[:8] + len(header).to_bytes(2, "little") + header + body


def _other_numbers(data: bytes, rng: Rng) -> bytes:
    """A member with another number in it, another type or another shape."""
    array = _array(data)
    if array is None:
        return data
    way = int(rng.integers(6))
    if way == 0 and array.size and array.dtype.kind == "f":
        array.reshape(-1)[int(rng.integers(array.size))] = one_of(rng, (np.nan, np.inf, 1e38, -1))
    elif way == 1 and array.size and array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        array.reshape(-1)[int(rng.integers(array.size))] = one_of(rng, (info.min, info.max))
    elif way == 2 and array.dtype.kind in "fiu":
        array = array.astype(np.float64) + 0.5
    elif way == 3:
        array = array[..., None] if array.ndim < 3 or not len(array) else array[0]
    elif way == 4:
        array = array.reshape(-1)[: int(rng.integers(array.size + 1))]
    elif array.dtype.kind in "fiu":
        array = array.astype(one_of(rng, ("<i8", ">f8", "<c16", "<U20", "<f2", "|b1")))
    return _npy(array)


def _other_directory(data: bytes, rng: Rng) -> bytes:
    """An archive whose list of members says something else than its members."""
    at = data.rfind(b"PK\x01\x02") if rng.random() < 0.7 else data.rfind(b"PK\x05\x06")
    out = bytearray(data)
    field = at + int(rng.integers(4, 40))
    number = one_of(rng, _NUMBERS) % 2**32
    out[field : field + 4] = struct.pack("<I", number)
    return bytes(out[: len(data)])


def mat(data: bytes, rng: Rng) -> bytes:
    """A MATLAB file, changed outside or inside of what it compresses."""
    kind, size = struct.unpack("<II", data[128:136])
    if kind != 15 or rng.random() < 0.3:
        return binary(data, rng)
    inner = zlib.decompress(data[136 : 136 + size])
    packed = zlib.compress(binary(inner, rng))
    return data[:128] + struct.pack("<II", 15, len(packed)) + packed


def hdf5(data: bytes, rng: Rng) -> bytes:
    """Mostly the tables of an HDF5 file: they lie at its beginning and between the arrays."""
    if rng.random() < 0.3:
        return binary(data, rng)
    out = bytearray(data)
    marks = [b"OHDR", b"TREE", b"HEAP", b"SNOD", b"\x89HDF"]
    places = [i for mark in marks for i in _places(data, mark)] or [0]
    for _ in range(int(rng.integers(1, 6))):
        at = one_of(rng, places) + int(rng.integers(0, 200))
        number = one_of(rng, _NUMBERS) % 256
        out[at : at + 1] = bytes([number])
    return bytes(out)


def _places(data: bytes, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0 and len(found) < 500:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def pickled(data: bytes, rng: Rng) -> bytes:
    """Instructions of a pickle, and pickles that ask for much with few of them."""
    way = int(rng.integers(10))
    if way < 5:
        return binary(data, rng)
    count = int(rng.integers(10, 300_000))
    nasty = (
        b"\x80\x02" + b")" + b"\x85" * count + b".",  # nested tuples
        b"\x80\x02}" + b")" + b"\x85" * count + b"K\x01s.",  # one as a key
        b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (i, i - 1, i - 1) for i in range(1, 100))
        + b".",  # lists of the one before, twice each
        b"\x80\x02cbuiltins\nset\ncbuiltins\nbytearray\nJ\xff\xff\xff\x2b\x85R\x85R.",
        b"\x80\x02}(I" + b"7" * 6000 + b"\nK\x01u.",
        b"\x80\x02}(L" + b"7" * 6000 + b"L\nK\x01u.",
        b"\x80\x02}(X\x0a\x00\x00\x00v_template](](K\x01K\x02e]K\x03aeX\x09\x00\x00\x00shapedirs]u.",
        b"\x80\x02(" + b"(" * count + b"t." ,
        b"\x80\x02" + b"]q\x00h\x00a" * (count // 8) + b".",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
        b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.",
        pickle.dumps({"v_template": [[1.0, 2.0], [3.0]], "shapedirs": {1: 2}}, 2),
    )  # fmt: skip
    return one_of(rng, nasty)
