"""The .glb files of tests, read by hand as a viewer does."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np


def read_glb(path: Path) -> tuple[dict, bytes]:
    """The JSON and the binary chunk of a .glb (glTF 2.0 specification, section 4.4)."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    document = json.loads(data[20 : 20 + size])
    return document, data[28 + size :]


def floats(document: dict, binary: bytes, index: int) -> np.ndarray:
    """(count, 3) the VEC3 accessor ``index``, dense or sparse."""
    accessor = document["accessors"][index]
    out = np.zeros((accessor["count"], 3), np.float32)
    if "bufferView" in accessor:
        view = document["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        out[:] = np.frombuffer(binary, "<f4", accessor["count"] * 3, start).reshape(-1, 3)
    if "sparse" in accessor:
        sparse = accessor["sparse"]
        kind = {5121: "<u1", 5123: "<u2", 5125: "<u4"}[sparse["indices"]["componentType"]]
        where = document["bufferViews"][sparse["indices"]["bufferView"]].get("byteOffset", 0)
        ids = np.frombuffer(binary, kind, sparse["count"], where)
        where = document["bufferViews"][sparse["values"]["bufferView"]].get("byteOffset", 0)
        out[ids] = np.frombuffer(binary, "<f4", sparse["count"] * 3, where).reshape(-1, 3)
    return out


_KINDS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_LARGEST = {5120: 127, 5121: 255, 5122: 32767, 5123: 65535}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def decoded(document: dict, binary: bytes, index: int) -> np.ndarray:
    """(count, width) float64 of the accessor ``index``: normalized, padded and sparse ones too.

    glTF 2.0 specification, sections 3.6.2 and 5.1.
    """
    accessor = document["accessors"][index]
    kind = np.dtype(_KINDS[accessor["componentType"]])
    width = _WIDTHS[accessor["type"]]

    def read(part: dict, kind: np.dtype, count: int, width: int) -> np.ndarray:
        view = document["bufferViews"][part["bufferView"]]
        start = view.get("byteOffset", 0) + part.get("byteOffset", 0)
        stride = view.get("byteStride", width * kind.itemsize)
        end = view.get("byteOffset", 0) + view["byteLength"]
        assert start + (count - 1) * stride + width * kind.itemsize <= end
        return np.ndarray((count, width), kind, binary, start, (stride, kind.itemsize))

    out = np.zeros((accessor["count"], width))
    if "bufferView" in accessor:
        out[:] = read(accessor, kind, accessor["count"], width)
    if sparse := accessor.get("sparse"):
        of = np.dtype(_KINDS[sparse["indices"]["componentType"]])
        ids = read(sparse["indices"], of, sparse["count"], 1)[:, 0]
        assert (np.diff(ids.astype(int)) > 0).all()
        out[ids] = read(sparse["values"], kind, sparse["count"], width)
    if accessor.get("normalized"):
        return np.maximum(out / _LARGEST[accessor["componentType"]], -1)
    return out
