"""OpenEXR files of one channel of 32-bit floats: what a displacement is kept and handed on in.

"OpenEXR File Layout" (openexr.com), version 2, one part, scan lines, ZIP compression.  Written here
because neither side may count on a library for it; numpy and the standard library only.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

#: Rows that are compressed together, as the layout has it for ZIP.
_ROWS = 16
_FLOAT, _ZIP = 2, 3


def encode_exr(values: NDArray, software: str = "Reconstruct Face") -> NDArray[np.uint8]:
    """The bytes of a file that holds ``values`` (H, W) float32 as the channel "Y", row 0 on top."""
    values = np.ascontiguousarray(values, "<f4")
    height, width = values.shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channel = b"Y\0" + struct.pack("<iB3xii", _FLOAT, 0, 1, 1) + b"\0"
    header = struct.pack("<ii", 20000630, 2)
    for name, kind, data in (
        ("channels", "chlist", channel),
        ("compression", "compression", bytes([_ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        ("software", "string", software.encode()),
    ):
        header += f"{name}\0{kind}\0".encode() + struct.pack("<i", len(data)) + data
    header += b"\0"
    chunks = [_chunk(values[row : row + _ROWS], row) for row in range(0, height, _ROWS)]
    ends = np.cumsum([len(header) + 8 * len(chunks), *map(len, chunks)])
    table = ends[:-1].astype("<u8").tobytes()
    return np.frombuffer(b"".join([header, table, *chunks]), np.uint8)


def _chunk(rows: NDArray, first: int) -> bytes:
    """``rows`` (R, W) from row ``first``: number, length, data."""
    raw = np.frombuffer(rows.tobytes(), np.uint8)
    # Even bytes, then odd ones; then differences, which compress better.
    mixed = np.concatenate([raw[::2], raw[1::2]]).astype(np.int16)
    mixed[1:] = np.diff(mixed) + 128
    packed = zlib.compress((mixed & 255).astype(np.uint8).tobytes(), 4)
    data = packed if len(packed) < len(raw) else raw.tobytes()
    return struct.pack("<ii", first, len(data)) + data
