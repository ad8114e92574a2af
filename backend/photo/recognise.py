"""What bytes that are no photo that can be read are, and what to do about it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..exchange.formats import PHOTO_KINDS

#: Ways out, as the end of a sentence.
_EXPORT = "export it as a JPEG or PNG"
_RAW = "export it as a JPEG from the camera's or another raw converter"
_STILL = "export one of its frames as a JPEG or PNG"
_OTHER = f"give a {PHOTO_KINDS} file"


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str  #: with its article
    advice: str = _OTHER


def _raw(name: str) -> Kind:
    return Kind(f"a camera's raw picture ({name})", _RAW)


#: Where in the file, what stands there, what it is.
_SIGNATURES = (
    (0, b"%PDF", Kind("a PDF document", _EXPORT)),
    (0, b"PK\x03\x04", Kind("a ZIP archive or office document")),
    (0, b"\x1f\x8b", Kind("a gzip archive")),
    (0, b"8BPS", Kind("a Photoshop document", _EXPORT)),
    (0, b"gimp xcf", Kind("a GIMP picture (XCF)", _EXPORT)),
    (0, b"\xff\x0a", Kind("a JPEG XL picture", _EXPORT)),
    (0, b"\0\0\0\x0cJXL ", Kind("a JPEG XL picture", _EXPORT)),
    (0, b"\0\0\0\x0cjP  ", Kind("a JPEG 2000 picture", _EXPORT)),
    (0, b"\xff\x4f\xff\x51", Kind("a JPEG 2000 picture", _EXPORT)),
    (0, b"II\xbc\x01", Kind("a JPEG XR picture", _EXPORT)),
    (0, b"v/1\x01", Kind("an OpenEXR picture", "save its sRGB view as a PNG")),
    (0, b"#?R", Kind("a Radiance HDR picture", "save its sRGB view as a PNG")),
    (0, b"DDS ", Kind("a DirectDraw texture (DDS)", _EXPORT)),
    (0, b"qoif", Kind("a QOI picture", _EXPORT)),
    (0, b"\0\0\1\0", Kind("an icon (ICO)", _EXPORT)),
    (0, b"IIRO", _raw("Olympus ORF")),
    (0, b"IIRS", _raw("Olympus ORF")),
    (0, b"MMOR", _raw("Olympus ORF")),
    (0, b"IIU\0", _raw("Panasonic RW2")),
    (0, b"FUJIFILMCCD-RAW", _raw("Fujifilm RAF")),
    (0, b"FOVb", _raw("Sigma X3F")),
    (0, b"\0MRM", _raw("Minolta MRW")),
    (6, b"HEAPCCDR", _raw("Canon CRW")),
    (4, b"ftypcrx ", _raw("Canon CR3")),
    (0, b"\x1aE\xdf\xa3", Kind("a video", _STILL)),
    (0, b"\x7fELF", Kind("a program")),
    (0, b"MZ", Kind("a program")),
    (0, b"BLENDER", Kind("a Blender file")),
    (0, b"\xff\xd8\xff", Kind("the start of a JPEG that is broken")),
    (0, b"\x89PNG", Kind("the start of a PNG that is broken")),
    (0, b"RIFF", Kind("a RIFF container (broken WebP, AVI or WAV)")),
    (0, b"II*\0", Kind("a TIFF that is broken or of a rare kind", _EXPORT)),
    (0, b"MM\0*", Kind("a TIFF that is broken or of a rare kind", _EXPORT)),
)
_VIDEO = Kind("a video", _STILL)
_SEQUENCE = Kind("a HEIC sequence (moving pictures)", _STILL)
_BROKEN_HEIF = Kind("the start of a HEIC or AVIF that is broken")
_UNKNOWN = Kind("data of an unknown kind")

#: Of ISO/IEC 23008-12 (HEIF), annex B, and of AVIF.
_PICTURE_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif", b"mif1",
    b"mif2", b"msf1", b"avif", b"avis", b"miaf", b"MA1A", b"MA1B", b"MiHE", b"MiHB",
}  # fmt: skip
_SEQUENCE_BRANDS = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}


def describe(data: bytes) -> Kind:
    """What bytes that could not be opened seem to be."""
    raw = camera_raw(data)
    if raw is not None:
        return raw
    for at, signature, kind in _SIGNATURES:
        if data.startswith(signature, at):
            return kind
    if data[4:8] == b"ftyp":
        return _of_brands(data)
    head = data[:4096]
    try:
        text = head.decode("utf-8") if len(data) <= 4096 else head.decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return _UNKNOWN
    if any(ord(c) < 32 and c not in "\t\n\r\f\x1b" for c in text):
        return _UNKNOWN
    start = text.lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html")):
        return Kind("a web page")
    return Kind("an SVG drawing", _EXPORT) if "<svg" in start else Kind("text")


def _of_brands(data: bytes) -> Kind:
    """Its brand, then a version, then those that it is compatible with."""
    brands = {data[at : at + 4] for at in range(16, min(int.from_bytes(data[:4]), 64), 4)}
    if data[8:12] in _SEQUENCE_BRANDS:
        return _SEQUENCE
    return _BROKEN_HEIF if (brands | {data[8:12]}) & _PICTURE_BRANDS else _VIDEO


# -- camera raw that is a TIFF (TIFF 6.0, TIFF/EP, DNG 1.6): its first page is often a small preview

_PHOTOMETRIC, _MAKE, _SUB_IFDS, _DNG_VERSION = 262, 271, 330, 50706
_SENSOR = (32803, 34892)  # photometric interpretations: colour filter array, linear raw
_MOST_IFDS = 64


def camera_raw(data: bytes) -> Kind | None:
    """The kind of camera raw that the TIFF ``data`` is; None for TIFFs of pictures and others."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    if data[8:10] == b"CR":
        return _raw("Canon CR2")
    make, sensor = b"", False
    for tags in _ifds(data, order):
        if _DNG_VERSION in tags:
            return _raw("DNG")
        make = make or bytes(tags.get(_MAKE, b"")).split(b"\0")[0].strip()
        value = tags.get(_PHOTOMETRIC, b"")
        sensor |= len(value) >= 2 and struct.unpack(order + "H", value[:2])[0] in _SENSOR
    name = make.decode("ascii", "replace").title() or "of an unknown camera"
    return _raw(name[:40] if name.isprintable() else "of an unknown camera") if sensor else None


def _ifds(data: bytes, order: str) -> Iterator[dict[int, bytes]]:
    """The tags of every directory, the sub-directories too: number to the value's bytes."""
    waiting, seen = [struct.unpack(order + "I", data[4:8].ljust(4, b"\0"))[0]], set()
    while waiting and len(seen) < _MOST_IFDS:
        at = waiting.pop(0)
        if at in seen or not 0 < at <= len(data) - 2:
            continue
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        end = at + 2 + 12 * count
        if end > len(data):
            continue
        tags = {}
        for start in range(at + 2, end, 12):
            tag, kind, length = struct.unpack_from(order + "HHI", data, start)
            if tag not in (_PHOTOMETRIC, _MAKE, _SUB_IFDS, _DNG_VERSION):
                continue
            size = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4}.get(kind, 0) * min(length, 256)
            place = start + 8 if size <= 4 else struct.unpack_from(order + "I", data, start + 8)[0]
            tags[tag] = data[place : place + size]
        yield tags
        subs = tags.get(_SUB_IFDS, b"")
        waiting += struct.unpack(f"{order}{len(subs) // 4}I", subs[: len(subs) // 4 * 4])
        if end + 4 <= len(data):
            waiting += struct.unpack_from(order + "I", data, end)
