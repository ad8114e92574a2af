"""Videos as OpenCV does not write them: containers changed or written by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def box(name: bytes, content: bytes) -> bytes:
    """Of ISO/IEC 14496-12."""
    return struct.pack(">I4s", 8 + len(content), name) + content


def add_to_entry(path: Path, *boxes: bytes) -> Path:
    """Put ``boxes`` into the sample entry of the MPEG-4 that OpenCV wrote to ``path``.

    All boxes around it grow; the tables stand behind the pictures, so that nothing else moves.
    """
    data, more = bytearray(path.read_bytes()), b"".join(boxes)
    entry = data.index(b"mp4v", data.index(b"stsd")) - 4
    assert data.index(b"mdat") < entry
    end = entry + int.from_bytes(data[entry : entry + 4], "big")
    starts = [entry, *(data.index(n) - 4 for n in (b"stsd", b"stbl", b"minf", b"mdia", b"trak"))]
    for start in [*starts, data.index(b"moov") - 4]:
        size = int.from_bytes(data[start : start + 4], "big") + len(more)
        data[start : start + 4] = size.to_bytes(4, "big")
    data[end:end] = more
    path.write_bytes(data)
    return path


def colour(primaries: int, transfer: int, matrix: int, kind: bytes = b"nclx") -> bytes:
    """The box of an MPEG-4's colour (``nclx``) or of a QuickTime film's (``nclc``)."""
    content = kind + struct.pack(">3H", primaries, transfer, matrix)
    return box(b"colr", content + (b"\0" if kind == b"nclx" else b""))


def aspect(across: int, down: int) -> bytes:
    """The box of the shape of pixels."""
    return box(b"pasp", struct.pack(">2I", across, down))


#: a, b, c, d of the track's matrix that turns clockwise by so many degrees: shown x = a x + c y.
_TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def turn(path: Path, degrees: int) -> Path:
    """Have the MPEG-4 shown clockwise by ``degrees``, as telephones write it."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: behind times, number, duration, layer, volume
    a, b, c, d = (n << 16 & 0xFFFFFFFF for n in _TURNS[degrees])
    data[at : at + 36] = struct.pack(">9I", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def packets(pictures: Sequence[np.ndarray], folder: Path) -> list[bytes]:
    """(H, W, 3) RGB ``pictures`` as VP9, each compressed frame by itself."""
    path, (height, width) = folder / "packets.webm", pictures[0].shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*"VP90")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 25.0, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    found = []
    while True:
        ok, data = capture.read()
        if not ok:
            return found
        found.append(data.tobytes())


def element(name: int, content: bytes | int) -> bytes:
    """Of Matroska (RFC 8794)."""
    if isinstance(content, int):
        content = content.to_bytes(max(1, (content.bit_length() + 7) // 8), "big")
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return head + (len(content) | 1 << 56).to_bytes(8, "big") + content


def webm(
    path: Path,
    frames: Sequence[bytes],
    alphas: Sequence[bytes | None],
    size: tuple[int, int],
    colour: dict[int, int] | None = None,
) -> Path:
    """A WebM of VP9 ``frames``, with transparency where ``alphas`` have some (AlphaMode 1)."""
    kind = b"".join(element(k, v) for k, v in {0x4286: 1, 0x42F7: 1, 0x42F2: 4, 0x42F3: 8}.items())
    kind += element(0x4282, b"webm") + element(0x4287, 4) + element(0x4285, 2)
    video = element(0xB0, size[0]) + element(0xBA, size[1])
    if any(alphas):
        video += element(0x53C0, 1)
    if colour:
        video += element(0x55B0, b"".join(element(k, v) for k, v in colour.items()))
    track = element(0xD7, 1) + element(0x73C5, 1) + element(0x83, 1) + element(0x86, b"V_VP9")
    segment = element(0x1549A966, element(0x2AD7B1, 1_000_000) + element(0x4D80, b"by hand"))
    segment += element(0x1654AE6B, element(0xAE, track + element(0xE0, video)))
    cluster = element(0xE7, 0)
    for i, (frame, alpha) in enumerate(zip(frames, alphas, strict=True)):
        block = b"\x81" + struct.pack(">hB", 40 * i, 0) + frame
        group = element(0xA1, block)
        if alpha is not None:
            more = element(0xA6, element(0xEE, 1) + element(0xA5, alpha))
            group += element(0x75A1, more)
        if i:
            group += element(0xFB, b"\xd8")  # the frame 40 ms before is needed
        cluster += element(0xA0, group)
    segment += element(0x1F43B675, cluster)
    path.write_bytes(element(0x1A45DFA3, kind) + element(0x18538067, segment))
    return path
