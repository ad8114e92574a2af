"""Buffer views of a .glb in glTF's EXT_meshopt_compression, version 0 of its bitstreams.

Written after the extension's specification (KhronosGroup/glTF,
extensions/2.0/Vendor/EXT_meshopt_compression): ATTRIBUTES, where every byte of an element is told
as its difference from the one before, in groups of 16; INDICES, where an index is told as its
difference from one of two others.  No filters: what is written is what is read, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .glb import Glb

NAME = "EXT_meshopt_compression"
_GROUP, _TAIL = 16, 32
_ATTRIBUTES, _SEQUENCE = 0xA0, 0xD1
#: Bits of a difference by the mode of a group; the largest says that a byte follows.
_BITS = {1: 2, 2: 4}
#: The encoder's own choice: from this difference on the other base is taken.
_NEAR = 30
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_KINDS = {2: "<u2", 4: "<u4"}


def encode_attributes(elements: NDArray[np.uint8]) -> bytes:
    """(N, S) the bytes of N elements as a stream of mode ATTRIBUTES; S is 4, 8 or so up to 256."""
    count, stride = elements.shape
    assert count and stride % 4 == 0 and 0 < stride <= 256
    before = np.concatenate([elements[:1], elements[:-1]])
    change = (elements.astype(np.int16) - before).astype(np.int8).astype(np.int16)
    zigzag = ((change << 1) ^ (change >> 7)).astype(np.uint8)
    block = min((8192 // stride) & ~(_GROUP - 1), 256)
    out = [bytes((_ATTRIBUTES,))]
    out += [_block(zigzag[start : start + block]) for start in range(0, count, block)]
    out += [bytes(max(_TAIL - stride, 0)), elements[0].tobytes()]
    return b"".join(out)


def _block(zigzag: NDArray[np.uint8]) -> bytes:
    """A block: for each byte of an element what all elements have there, in groups."""
    count, stride = zigzag.shape
    groups = -(-count // _GROUP)
    padded = np.zeros((groups * _GROUP, stride), np.uint8)
    padded[:count] = zigzag
    grouped = padded.T.reshape(stride * groups, _GROUP)
    rows, lengths, modes = _groups(grouped)
    filled = np.zeros((stride, -(-groups // 4) * 4), np.uint8)
    filled[:, :groups] = modes.reshape(stride, groups)
    headers = (filled.reshape(stride, -1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(
        axis=2, dtype=np.uint8
    )
    there = np.arange(rows.shape[1]) < lengths[:, None]
    ends = np.cumsum(lengths.reshape(stride, groups).sum(axis=1))
    data = np.split(rows[there], ends[:-1])
    return b"".join(
        header.tobytes() + part.tobytes() for header, part in zip(headers, data, strict=True)
    )


def _groups(values: NDArray[np.uint8]) -> tuple[NDArray, NDArray, NDArray]:
    """For each group (G, 16) its bytes, left aligned (G, 24), how many they are, and its mode."""
    rows = np.zeros((len(values), 24), np.uint8)
    rows[:, :_GROUP] = values
    lengths = np.full(len(values), _GROUP)
    modes = np.full(len(values), 3, np.uint8)
    for mode, bits in _BITS.items():
        most = (1 << bits) - 1
        long = values >= most
        size = _GROUP * bits // 8 + long.sum(axis=1)
        better = size < lengths
        chosen, follows = values[better], long[better]
        codes = np.where(follows, most, chosen).reshape(-1, _GROUP * bits // 8, 8 // bits)
        shifts = np.arange(8 // bits)[::-1] * bits  # the first is in the highest bits
        packed = (codes.astype(np.uint16) << shifts).sum(axis=2).astype(np.uint8)
        new = np.zeros((len(chosen), 24), np.uint8)
        new[:, : packed.shape[1]] = packed
        order = np.argsort(~follows, axis=1, kind="stable")
        behind = np.take_along_axis(chosen, order, axis=1)
        new[:, packed.shape[1] : packed.shape[1] + _GROUP] = behind[:, : 24 - packed.shape[1]]
        rows[better], lengths[better], modes[better] = new, size[better], mode
    still = ~values.any(axis=1)
    lengths[still], modes[still] = 0, 0
    return rows, lengths, modes


def encode_indices(indices: NDArray) -> bytes:
    """(N,) whole numbers below 2**30 as a stream of mode INDICES."""
    out = bytearray((_SEQUENCE,))
    last, current = [0, 0], 0
    for index in indices.tolist():
        if abs(index - last[current]) >= _NEAR:
            current ^= 1
        change = index - last[current]
        value = (((change << 1) ^ (change >> 31)) << 1) | current
        last[current] = index
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out + bytes(4))


def compress(glb: Glb) -> None:
    """Code every buffer view of ``glb`` that gets smaller by it; pictures stay as they are.

    The uncompressed buffer that the extension wants is named without data ("fallback"), so a
    reader has to know the extension.
    """
    document = glb.document
    views, parts, raw = document["bufferViews"], [], 0
    uses = dict(_uses(document))
    for number, view in enumerate(views):
        data = glb.view(number)
        coded = _coded(data, view, uses.get(number))
        if coded is None:
            parts.append((view, data))
            continue
        stream, about = coded
        parts.append((about, stream))
        view |= {"buffer": 1, "byteOffset": raw, "byteLength": about["count"] * about["byteStride"]}
        view["extensions"] = {NAME: about}
        raw += -(-view["byteLength"] // 4) * 4
    glb.blob = bytearray()
    for about, data in parts:
        glb.blob += bytes(-len(glb.blob) % 4)
        about |= {"buffer": 0, "byteOffset": len(glb.blob), "byteLength": len(data)}
        glb.blob += data
    fallback = {"byteLength": max(raw, 1), "extensions": {NAME: {"fallback": True}}}
    document["buffers"] = [{"byteLength": len(glb.blob)}, fallback]
    for told in ("extensionsUsed", "extensionsRequired"):
        names = document.setdefault(told, [])
        if NAME not in names:
            names.append(NAME)


def _uses(document: dict[str, Any]) -> Iterator[tuple[int, tuple[str, int, int]]]:
    """For each buffer view of an accessor: what it holds, how many and of how many bytes each."""
    indices = {p["indices"] for m in document["meshes"] for p in m["primitives"] if "indices" in p}
    for number, accessor in enumerate(document["accessors"]):
        size = _WIDTHS[accessor["type"]] * _BYTES[accessor["componentType"]]
        if "bufferView" in accessor:
            kind = "INDICES" if number in indices else "ATTRIBUTES"
            yield accessor["bufferView"], (kind, accessor["count"], size)
        if sparse := accessor.get("sparse"):
            told = sparse["indices"]
            wide = _BYTES[told["componentType"]]
            yield told["bufferView"], ("INDICES", sparse["count"], wide)
            yield sparse["values"]["bufferView"], ("ATTRIBUTES", sparse["count"], size)


def _coded(
    data: bytes, view: dict[str, Any], use: tuple[str, int, int] | None
) -> tuple[bytes, dict[str, Any]] | None:
    """The stream of a buffer view and what the extension says of it; None to leave it alone."""
    if use is None:
        return None
    kind, count, size = use
    if kind == "INDICES":
        if size not in _KINDS or len(data) != count * size:
            return None
        stream = encode_indices(np.frombuffer(data, _KINDS[size]))
        stride = size
    else:
        stride = view.get("byteStride", size)
        if stride % 4:
            # Values of sparse accessors lie close together: several are one element.
            stride = stride * 4 // np.gcd(stride, 4)
        if len(data) % stride:
            data += bytes(stride - len(data) % stride)
        elements = np.frombuffer(data, np.uint8).reshape(-1, stride)
        count, stream = len(elements), encode_attributes(elements)
    if len(stream) >= len(data):
        return None
    return stream, {"byteStride": int(stride), "count": count, "mode": kind}
