"""Seconds in a glTF that Blender wrote.

Blender's exporter (4.2 to 5.2) takes ``fps * fps_base`` for the rate, where it is the quotient:
at 29.97 frames a second an animation is 0.2 percent too fast, and runs away from its sound.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

_HEADER, _CHUNK = 12, 8
_FLOAT = 5126
#: A ratio this close to 1 is what the exporter's own 32 bits give.
_CLOSE = 1e-5


def retime(path: Path, seconds: float) -> None:
    """Scale the times in the .glb ``path`` so that its animation lasts ``seconds``.

    A file that lasts so long already is not touched: so it is in a Blender that does it right.
    """
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, _HEADER)[0]
    document: dict[str, Any] = json.loads(data[_HEADER + _CHUNK : _HEADER + _CHUNK + size])
    body = bytearray(data[_HEADER + _CHUNK + size :])
    samplers = [s for a in document.get("animations", ()) for s in a["samplers"]]
    inputs = [document["accessors"][i] for i in sorted({s["input"] for s in samplers})]
    lasts = max((accessor["max"][0] for accessor in inputs), default=0.0)
    if lasts <= 0 or abs(seconds / lasts - 1) < _CLOSE:
        return
    for accessor in inputs:
        view = document["bufferViews"][accessor["bufferView"]]
        start = _CHUNK + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        assert accessor["componentType"] == _FLOAT
        times = np.frombuffer(body, "<f4", accessor["count"], start)
        times = (times * (seconds / lasts)).astype("<f4")
        body[start : start + times.nbytes] = times.tobytes()
        accessor["min"], accessor["max"] = [float(times.min())], [float(times.max())]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunk = struct.pack("<I4s", len(text), b"JSON") + text
    whole = data[:8] + struct.pack("<I", _HEADER + len(chunk) + len(body)) + chunk + bytes(body)
    path.write_bytes(whole)
