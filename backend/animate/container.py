"""What a video's container says of its pixels, which OpenCV does not tell: colour and transparency.

Read are the boxes of MP4 and QuickTime (ISO/IEC 14496-12) and the elements of Matroska and WebM
(RFC 9559), of the first video track.  Numbers are those of ITU-T H.273.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..bounded import open_regular

LARGEST = 1 << 62  #: bytes; only headers of its parts are read
#: Reads after which a damaged file is given up; to find what is said of a video takes some dozens.
_MOST_READS = 20_000
UNSPECIFIED = 2  #: of H.273: not told
SHORT = (EOFError, OSError, ValueError, struct.error)


@dataclass(frozen=True)
class VideoTags:
    """Of the first video track; code points of ITU-T H.273, :data:`UNSPECIFIED` where not told."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full_range: bool = False
    alpha: bool = False  #: transparency beside the picture, as WebM keeps it


def read_tags(path: Path) -> VideoTags:
    """What is told in ``path``; nothing in other containers and in damaged ones."""
    with suppress(*SHORT), open_regular(path, LARGEST) as opened:
        file = _Reader(opened, _MOST_READS)
        start = file.read(12)
        if start[:4] == _EBML.to_bytes(4, "big"):
            return _matroska_tags(file)
        if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return _mp4_tags(file)
    return VideoTags()


def write_alpha(path: Path, out: Path) -> bytes:
    """The transparency of the WebM ``path`` as a video ``out`` (IVF), whose luma is the opacity.

    WebM keeps it as a second VP8 or VP9 stream in the BlockAdditions.  Returns a byte for every
    frame of the video: 1 where the next frame of ``out`` belongs to it, 0 where there is none.
    Raises what :data:`SHORT` lists where the file ends within it.
    """
    there = bytearray()
    with open_regular(path, LARGEST) as opened, open(out, "wb") as ivf:
        file = _Reader(opened, LARGEST)
        track = _video_track(file)
        codec = {b"V_VP8": b"VP80", b"V_VP9": b"VP90"}.get(track.codec)
        if codec is None:
            raise ValueError(f"alpha of {track.codec!r}")
        ivf.write(_ivf_header(codec, track.width, track.height))
        with suppress(*SHORT):  # of a file that was cut there is what there is
            for alpha in _blocks(file, track.number):
                if alpha is not None:
                    ivf.write(struct.pack("<IQ", len(alpha), len(there)) + alpha)
                there.append(alpha is not None)
    return bytes(there)


class _Reader:
    """A file that can be read so many times: damage may send one round and round."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left = file, most
        self.size = file.seek(0, os.SEEK_END)
        self.seek(0)

    def seek(self, at: int) -> None:
        """Read from there next."""
        self._file.seek(at)

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes, or those that there are."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("it has too many parts")
        return self._file.read(count)


def _ivf_header(codec: bytes, width: int, height: int) -> bytes:
    """Signature, version, length, codec, size, rate, scale, count, unused."""
    return struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, codec, width, height, 30, 1, 0, 0)


# -- MP4 and QuickTime


def _mp4_tags(file: _Reader) -> VideoTags:
    for track in _boxes_at(file, 0, file.size, b"moov", b"trak"):
        for start, stop in _boxes_at(file, *track, b"mdia", b"hdlr"):
            file.seek(start + 8)
            if stop - start >= 12 and file.read(4) == b"vide":
                return _sample_entry(file, track)
    return VideoTags()


def _sample_entry(file: _Reader, track: tuple[int, int]) -> VideoTags:
    for start, stop in _boxes_at(file, *track, b"mdia", b"minf", b"stbl", b"stsd"):
        for _, first, last in _boxes(file, start + 8, stop):
            # VisualSampleEntry: 78 bytes of its own, then boxes.
            for name, at, past in _boxes(file, first + 78, last):
                if name == b"colr" and past - at >= 10:
                    file.seek(at)
                    kind, *numbers = struct.unpack(">4s3H", file.read(10))
                    if kind not in (b"nclx", b"nclc"):  # an ICC profile
                        continue
                    full = kind == b"nclx" and bool(file.read(1)[0] & 0x80)
                    return VideoTags(*numbers, full_range=full)
            break
    return VideoTags()


def _boxes_at(file: _Reader, start: int, end: int, *names: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes under this path of ``names`` begin and end."""
    for name, at, past in _boxes(file, start, end):
        if name == names[0]:
            if len(names) == 1:
                yield at, past
            else:
                yield from _boxes_at(file, at, past, *names[1:])


def _boxes(file: _Reader, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each box from ``start`` to ``end``."""
    while start + 8 <= end:
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            head = 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield name, start + head, min(start + size, end)
        start += size


# -- Matroska and WebM

_EBML, _SEGMENT, _TRACKS, _TRACK, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675
_NUMBER, _KIND, _CODEC, _VIDEO = 0xD7, 0x83, 0x86, 0xE0
_WIDTH, _HEIGHT, _ALPHA, _COLOUR = 0xB0, 0xBA, 0x53C0, 0x55B0
_MATRIX, _RANGE, _TRANSFER, _PRIMARIES = 0x55B1, 0x55B9, 0x55BA, 0x55BB
_SIMPLE, _GROUP, _BLOCK, _ADDITIONS, _MORE, _ADD_ID, _ADDITIONAL = (
    0xA3, 0xA0, 0xA1, 0x75A1, 0xA6, 0xEE, 0xA5,
)  # fmt: skip
#: Bytes of a compressed frame's transparency.
_LARGEST_ALPHA = 64_000_000


@dataclass
class _Track:
    number: int = 0
    kind: int = 0
    codec: bytes = b""
    width: int = 0
    height: int = 0
    tags: VideoTags = VideoTags()


def _matroska_tags(file: _Reader) -> VideoTags:
    return _video_track(file).tags


def _video_track(file: _Reader) -> _Track:
    for found, at, past in _segment(file):
        if found == _CLUSTER:
            break
        if found != _TRACKS:
            continue
        for entry, start, stop in _elements(file, at, past):
            track = _track(file, start, stop) if entry == _TRACK else _Track()
            if track.kind == 1:
                return track
    raise ValueError("no video track")


def _track(file: _Reader, start: int, stop: int) -> _Track:
    track, numbers = _Track(), {}
    for found, at, past in _elements(file, start, stop):
        if found == _NUMBER:
            track.number = _unsigned(file, at, past)
        elif found == _KIND:
            track.kind = _unsigned(file, at, past)
        elif found == _CODEC:
            file.seek(at)
            track.codec = file.read(min(past - at, 100)).rstrip(b"\0")
        elif found == _VIDEO:
            for inner, first, last in _elements(file, at, past):
                if inner == _COLOUR:
                    for told, begin, end in _elements(file, first, last):
                        if told in (_MATRIX, _RANGE, _TRANSFER, _PRIMARIES):
                            numbers[told] = _unsigned(file, begin, end)
                elif inner in (_WIDTH, _HEIGHT, _ALPHA):
                    numbers[inner] = _unsigned(file, first, last)
    track.width, track.height = (numbers.get(side, 0) & 0xFFFF for side in (_WIDTH, _HEIGHT))
    told = (numbers.get(name, UNSPECIFIED) for name in (_PRIMARIES, _TRANSFER, _MATRIX))
    alpha = bool(numbers.get(_ALPHA, 0))
    track.tags = VideoTags(*told, full_range=numbers.get(_RANGE) == 2, alpha=alpha)
    return track


def _blocks(file: _Reader, track: int) -> Iterator[bytes | None]:
    """For every block of ``track`` the transparency that comes with it, if any."""
    for found, at, past in _segment(file):
        if found not in (_SIMPLE, _GROUP):
            continue
        number, alpha = 0, None
        if found == _SIMPLE:
            number = _size(file, at)[0]
        else:
            for inner, start, stop in _elements(file, at, past):
                if inner == _BLOCK:
                    number = _size(file, start)[0]
                elif inner == _ADDITIONS:
                    alpha = _addition(file, start, stop)
        if number == track:
            yield alpha


def _addition(file: _Reader, start: int, stop: int) -> bytes | None:
    for more, at, past in _elements(file, start, stop):
        if more != _MORE:
            continue
        name, data = 1, None  # 1: transparency, and what it is unless told
        for inner, first, last in _elements(file, at, past):
            if inner == _ADD_ID:
                name = _unsigned(file, first, last)
            elif inner == _ADDITIONAL and last - first <= _LARGEST_ALPHA:
                file.seek(first)
                data = file.read(last - first)
        if name == 1 and data:
            return data
    return None


def _segment(file: _Reader) -> Iterator[tuple[int, int, int]]:
    """The segment's elements, and those of its clusters, which need not say how long they are."""
    at = 0
    while at < file.size:
        found, start, past = _element(file, at, file.size)
        if found in (_SEGMENT, _CLUSTER):
            if found == _CLUSTER:
                yield found, start, past
            at = start
        else:
            yield found, start, past
            at = past


def _elements(file: _Reader, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    while start < end:
        found, at, past = _element(file, start, end)
        yield found, at, past
        start = past


def _element(file: _Reader, start: int, end: int) -> tuple[int, int, int]:
    """Name, begin and end of the content of the element at ``start``."""
    file.seek(start)
    first = file.read(1)
    length = 9 - first[0].bit_length() if first and first[0] else 9
    if length > 4:
        raise ValueError("no element")
    name = int.from_bytes(first + file.read(length - 1), "big")
    size, at = _size(file, start + length)
    return name, at, end if size is None else min(at + size, end)


def _size(file: _Reader, at: int) -> tuple[int | None, int]:
    """A number of RFC 8794's variable length, None for the one that says "unknown"; its end."""
    file.seek(at)
    first = file.read(1)
    if not first or not first[0]:
        raise ValueError("no size")
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 else value), at + length


def _unsigned(file: _Reader, start: int, stop: int) -> int:
    if stop - start > 8:
        raise ValueError("no number")
    file.seek(start)
    return int.from_bytes(file.read(stop - start), "big")
