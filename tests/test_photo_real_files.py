"""Photos as cameras, phones and broken downloads leave them, built here byte by byte."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from reconstruct_face.backend.detect import Detection
from reconstruct_face.backend.errors import PhotoError
from reconstruct_face.backend.fit.faces import detect_faces
from reconstruct_face.backend.photo import read_photo

from tests.errors import has, raises
from tests.test_photo import STORED, difference
from tests.test_photo_colour import ADOBE_RGB, SRGB, to_srgb_bytes

ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"


def picture(height: int = 160, width: int = 240) -> np.ndarray:
    """(height, width, 3) uint8, smooth, no row of one colour."""
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    channels = 40 + 180 * x, 30 + 150 * y * x, 200 - 160 * x * y
    return np.stack(channels, axis=-1).round().astype(np.uint8)


# -- camera raw


def directory(
    tags: dict[int, tuple[int, int, bytes]], at: int, order: str, following: int
) -> bytes:
    """A TIFF's directory at ``at``: tag to type, count and value; long values stand behind it."""
    entries, behind = b"", b""
    past = at + 2 + 12 * len(tags) + 4
    for tag, (kind, count, value) in sorted(tags.items()):
        if len(value) > 4:
            place = struct.pack(order + "I", past + len(behind))
            behind += value
        else:
            place = value.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, kind, count) + place
    head = struct.pack(order + "H", len(tags))
    return head + entries + struct.pack(order + "I", following) + behind


def raw_file(order: str, make: bytes, first: dict[int, int], inner: dict[int, int]) -> bytes:
    """A TIFF with a page that PIL can read, a thumbnail, and a sub-directory of the sensor."""

    def short(value: int) -> tuple[int, int, bytes]:
        return 3, 1, struct.pack(order + "H", value)

    pixels = bytes(range(256)) * 12  # 32 x 32 RGB
    start = 8 + len(pixels)
    page = {
        256: short(32), 257: short(32), 258: (3, 3, struct.pack(order + "3H", 8, 8, 8)),
        259: short(1), 262: short(2), 271: (2, len(make), make), 277: short(3), 278: short(32),
        273: (4, 1, struct.pack(order + "I", 8)), 279: (4, 1, struct.pack(order + "I", 3072)),
        330: (4, 1, b"\0\0\0\0"),
    } | {tag: short(value) for tag, value in first.items()}  # fmt: skip
    sub = start + len(directory(page, start, order, 0))
    page[330] = 4, 1, struct.pack(order + "I", sub)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    sensor = {tag: short(value) for tag, value in inner.items()}
    return head + pixels + directory(page, start, order, 0) + directory(sensor, sub, order, 0)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (raw_file("<", b"NIKON CORPORATION\0", {254: 1}, {254: 0, 262: 32803}), "Nikon"),
        (raw_file(">", b"PENTAX\0", {254: 1}, {262: 34892}), "Pentax"),
        (raw_file("<", b"Apple\0", {254: 1, 50706: 0x0401}, {254: 0, 262: 2}), "DNG"),
        (raw_file("<", b"Leica\0", {254: 0, 50706: 0x0401}, {262: 32803}), "DNG"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(100), "CR2"),
        (b"IIRO\x08\0\0\0" + bytes(100), "ORF"),
        (b"IIU\0\x18\0\0\0" + bytes(100), "RW2"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(100), "RAF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100), "CR3"),
    ],
)
def test_camera_raw_is_no_thumbnail(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / "IMG_0001.tif"
    path.write_bytes(data)
    with raises(PhotoError, path, "raw", name, "JPEG"):
        read_photo(path)


def test_the_same_tiff_without_the_sensors_tags_is_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(raw_file("<", b"Scanner\0", {254: 0}, {254: 1, 262: 2}))
    assert read_photo(path).size == (32, 32)


@pytest.mark.parametrize("bits", [8, 16])
def test_small_copies_before_the_photo_are_passed_over(tmp_path: Path, bits: int) -> None:
    path, whole = tmp_path / "a.tif", picture()
    deep = whole.astype(np.uint16) * 257 if bits == 16 else whole
    with tifffile.TiffWriter(path) as out:
        out.write(deep[::4, ::4], photometric="rgb", subfiletype=1)
        out.write(deep, photometric="rgb")
        out.write(deep[::2, ::2], photometric="rgb", subfiletype=1)
    photo = read_photo(path)
    assert photo.size == (240, 160) and difference(photo.pixels, whole) < 0.6
    has(photo.notes[0], 2, 3)


# -- JPEG that was cut off


def jpeg(pixels: np.ndarray, orientation: int = 1, **options: object) -> bytes:
    out, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(out, "JPEG", quality=95, exif=exif, **options)
    return out.getvalue()


@pytest.mark.parametrize("lost", [1, 2, 20])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_last_bytes_is_read(lost: int, progressive: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 240, 3)).astype(np.uint8)
    data = jpeg(noise, progressive=progressive)
    photo = read_photo("a.jpg", data[:-lost])
    whole = read_photo("a.jpg", data)
    assert photo.there is None and difference(photo.pixels, whole.pixels) < 2
    if lost > 2:
        assert len(photo.notes) == 1 and "cut off" in photo.notes[0]
    assert whole.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_there_of_half_a_jpeg_is_right(orientation: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 240, 3)).astype(np.uint8)
    data = jpeg(np.ascontiguousarray(STORED[orientation](noise)), orientation)
    whole, half = read_photo("a.jpg", data), read_photo("a.jpg", data[: len(data) * 6 // 10])
    assert whole.size == half.size == (240, 160) and whole.there is None
    assert half.there is not None and len(half.notes) == 1
    x0, y0, x1, y1 = half.there
    share = (x1 - x0) * (y1 - y0) / (240 * 160)
    assert 0.35 < share < 0.6
    assert np.array_equal(half.pixels[y0:y1, x0:x1], whole.pixels[y0:y1, x0:x1])
    assert np.array_equal(half.pixels[-1, -1], half.pixels[y1 - 1, x1 - 1]), "it goes on as it ends"
    # The far edge is that which the file would have held last.
    edge = {1: (0, 159), 2: (0, 159), 3: (0, 0), 4: (0, 0), 5: (239, 0), 6: (0, 0), 7: (0, 0),
            8: (239, 0)}[orientation]  # fmt: skip
    assert not (x0 <= edge[0] < x1 and y0 <= edge[1] < y1)


@pytest.mark.seconds
def test_a_large_jpeg_that_was_cut_off_is_reduced() -> None:
    data = jpeg(np.asarray(Image.fromarray(picture()).resize((6000, 4500))))
    photo = read_photo("a.jpg", data[: len(data) // 2])
    assert photo.size == (3000, 2250) and photo.there is not None
    assert 500 < photo.there[3] < 1700 and len(photo.notes) == 2


@pytest.mark.parametrize("kept", [300, 700])
def test_a_jpeg_without_rows_is_refused(kept: int) -> None:
    with raises(PhotoError, "a.jpg", "damaged"):
        read_photo("a.jpg", ASTRONAUT.read_bytes()[:kept])


class Seen:
    """A detector that sees the astronaut's face, and another one."""

    def __init__(self, *boxes: tuple[float, ...]) -> None:
        self._found = [Detection(np.array(box), 1.0, "hog") for box in boxes]

    def detect(self, pixels: np.ndarray, **_: object) -> list[Detection]:
        return self._found


FACE = (170.0, 70.0, 290.0, 190.0)


def test_a_face_whose_rows_are_missing_is_refused() -> None:
    data = ASTRONAUT.read_bytes()
    most, some = (read_photo(ASTRONAUT, data[: len(data) * n // 3]) for n in (2, 1))
    assert most.there == (0, 0, 512, 351) and some.there == (0, 0, 512, 191)
    (face,) = detect_faces(most, "largest", Seen(FACE))
    assert face.number == 1
    with raises(PhotoError, ASTRONAUT, "512 x 512", "512 x 191"):
        detect_faces(some, "largest", Seen(FACE))
    with raises(PhotoError, ASTRONAUT, "512 x 191"):
        detect_faces(some, "largest", Seen())
    (small,) = detect_faces(some, "largest", Seen(FACE, (20.0, 20.0, 80.0, 80.0)))
    assert small.detection.box[0] == 20


# -- colour


@pytest.mark.parametrize(("space", "index"), [(65535, "R03"), (2, None)])
def test_adobe_rgb_by_exif_alone(tmp_path: Path, space: int, index: str | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    if index:
        exif.get_ifd(0x8769)[0xA005] = {1: index, 2: b"0100"}
    colours = picture(64, 96)
    Image.fromarray(colours).save(tmp_path / "a.webp", exif=exif, lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    linear = (colours / 255.0) ** (563 / 256)
    expected = to_srgb_bytes(linear @ ADOBE_RGB.T @ np.linalg.inv(SRGB).T)
    assert difference(expected, colours) > 4
    assert np.abs(photo.pixels - expected).max() < 2.0
    assert photo.notes == ("colours were converted from Adobe RGB to sRGB",)


@pytest.mark.parametrize(("space", "index"), [(1, "R98"), (65535, None), (65535, "R98")])
def test_what_is_not_adobe_rgb_stays(tmp_path: Path, space: int, index: str | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    if index:
        exif.get_ifd(0x8769)[0xA005] = {1: index}
    Image.fromarray(picture()).save(tmp_path / "a.webp", exif=exif, lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    assert np.array_equal(photo.pixels, picture()) and photo.notes == ()


# -- kinds that are not read


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        (b"\xff\x0a" + bytes(range(60)), ("JPEG XL", "export")),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), ("JPEG XL", "export")),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), ("JPEG 2000", "export")),
        (b"v/1\x01\x02\0\0\0channels\0" + bytes(60), ("OpenEXR", "PNG")),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", ("Radiance", "PNG")),
        (b"\0\0\0\x1cftyphevc\0\0\0\0msf1hevc" + bytes(60), ("HEIC sequence", "frames")),
        (b"\0\0\0\x1cftypmsf1\0\0\0\0mif1heic" + bytes(60), ("HEIC sequence", "frames")),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp41" + bytes(60), ("video", "frames")),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01" + bytes(60), ("video", "frames")),
        (b"8BPS\0\x01" + bytes(60), ("Photoshop", "export")),
        (b"gimp xcf v011" + bytes(60), ("GIMP", "export")),
    ],
)
def test_other_pictures_are_named_with_the_way_out(
    tmp_path: Path, data: bytes, facts: tuple[str, ...]
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with raises(PhotoError, path, *facts):
        read_photo(path)


def test_damaged_tiffs_are_refused_in_one_sentence(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.tif", np.random.default_rng(0)
    data = raw_file("<", b"NIKON\0", {254: 1}, {262: 32803})
    for _ in range(150):
        other = bytearray(data[: rng.integers(8, len(data))])
        for at in rng.integers(0, len(other), 6):
            other[at] = rng.integers(256)
        other[:4] = b"II*\0"
        path.write_bytes(other)
        try:
            read_photo(path)
        except PhotoError as error:
            has(str(error), path)
