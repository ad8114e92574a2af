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
