"""Reading photos: every format, depth and colour space, and every bad input."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.errors import PhotoError, shown
from reconstruct_face.backend.photo import decode, encode_jpeg, encode_png, read_photo

from tests.errors import raises

WIDTH, HEIGHT = 96, 64


def picture() -> np.ndarray:
    """A smooth coloured picture without any symmetry, (64, 96, 3) uint8."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    channels = 40 + 180 * x, 30 + 150 * y, 200 - 160 * x * y
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


# --- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.jpg", {"quality": 95}, 1.5),
        ("a.jpg", {"quality": 95, "progressive": True}, 1.5),
        ("a.png", {}, 0.0),
        ("a.webp", {"lossless": True}, 0.0),
        ("a.tif", {"compression": "tiff_lzw"}, 0.0),
        ("a.bmp", {}, 0.0),
        ("a.heic", {"quality": 95}, 3.0),
        ("a.avif", {"quality": 95}, 3.0),
    ],
)
def test_formats(tmp_path: Path, name: str, options: dict, tolerance: float) -> None:
    path = tmp_path / name
    Image.fromarray(picture()).save(path, **options)
    photo = read_photo(path)
    assert photo.pixels.shape == (HEIGHT, WIDTH, 3) and photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous
    assert photo.size == (WIDTH, HEIGHT) and photo.path == path
    assert difference(photo.pixels, picture()) <= tolerance
    assert not photo.grey and photo.notes == () and photo.focal_px is None


def test_the_content_counts_not_the_name_and_names_may_be_anything(tmp_path: Path) -> None:
    folder = tmp_path / "Bilder von Jürgen 顔"
    folder.mkdir()
    path = folder / "ma photo d’été.jpg"
    Image.fromarray(picture()).save(path, format="PNG")
    assert difference(read_photo(str(path)).pixels, picture()) == 0


@pytest.mark.parametrize("kind", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded(tmp_path: Path, kind: str, channels: int) -> None:
    deep = np.linspace(0, 65535, HEIGHT * WIDTH * channels).reshape(HEIGHT, WIDTH, channels)
    deep = deep.round().astype(np.uint16)
    if channels == 4:
        deep[..., 3] = 65535
    stored = deep if channels == 1 else deep[..., [2, 1, 0, 3][:channels]]  # OpenCV writes BGR(A)
    cv2.imwrite(str(tmp_path / f"a{kind}"), stored)
    photo = read_photo(tmp_path / f"a{kind}")
    expected = np.rint(deep[..., :3].astype(float) * 255 / 65535)
    assert np.abs(photo.pixels - expected).max() == 0
    assert "16 bits per channel were reduced to 8" in photo.notes


def test_one_bit_grey_and_palette(tmp_path: Path) -> None:
    grey = Image.fromarray(picture()).convert("L")
    cases = {
        "1": (grey.convert("1"), True),
        "L": (grey, True),
        "P": (Image.fromarray(picture()).quantize(256), False),
    }
    for mode, (image, is_grey) in cases.items():
        image.save(tmp_path / f"{mode}.png")
        photo = read_photo(tmp_path / f"{mode}.png")
        assert photo.grey == is_grey, mode
        assert difference(photo.pixels, np.asarray(image.convert("RGB"))) == 0, mode


def test_grey_saved_as_colour_counts_as_grey(tmp_path: Path) -> None:
    Image.fromarray(picture()).convert("L").convert("RGB").save(tmp_path / "a.jpg", quality=60)
    assert read_photo(tmp_path / "a.jpg").grey
    tinted = (picture() // 2 + np.array([0, 10, 0])).astype(np.uint8)
    Image.fromarray(tinted).save(tmp_path / "b.png")
    assert not read_photo(tmp_path / "b.png").grey


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "key"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    colour = np.full((40, 40, 3), 100, np.uint8)
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 20:] = 255
    if mode == "key":
        colour[:, :20] = (1, 2, 3)
        Image.fromarray(colour).save(tmp_path / "a.png", transparency=(1, 2, 3))
    else:
        if mode != "P":
            alpha[:20, 20:] = 128
        image = Image.fromarray(np.dstack([colour, alpha]))
        image = image.quantize() if mode == "P" else image.convert(mode)
        image.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert (photo.pixels[:, :20] == 255).all()
    assert (photo.pixels[20:, 20:] == 100).all()
    if mode in ("RGBA", "LA"):
        half = 100 * 128 / 255 + 255 * 127 / 255
        assert np.abs(photo.pixels[:20, 20:] - half).max() <= 1
    assert "the transparent parts were laid over white" in photo.notes


def test_first_of_several_frames(tmp_path: Path) -> None:
    first, second = Image.fromarray(picture()), Image.fromarray(picture()[::-1].copy())
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    photo = read_photo(tmp_path / "a.tif")
    assert difference(photo.pixels, picture()) == 0
    assert photo.notes == ("the first of 2 frames was used",)


# --- EXIF ------------------------------------------------------------------------------------

# What the file holds when the upright picture is ``u`` (EXIF 2.32, tag 274: where the file's first
# row and first column are on the upright picture).
STORED = {
    1: lambda u: u,  # row 0 top, column 0 left
    2: lambda u: u[:, ::-1],  # top, right
    3: lambda u: u[::-1, ::-1],  # bottom, right
    4: lambda u: u[::-1],  # bottom, left
    5: lambda u: u.swapaxes(0, 1),  # left, top
    6: lambda u: u[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda u: u[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda u: u[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp", "heic", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](picture())))
    # As bytes: only so does pillow-heif write the orientation the way HEIC wants it.
    stored.save(tmp_path / f"a.{kind}", exif=exif.tobytes(), quality=95)
    photo = read_photo(tmp_path / f"a.{kind}")
    assert photo.pixels.shape == (HEIGHT, WIDTH, 3)
    assert difference(photo.pixels, picture()) < 3.0
    assert photo.pixels.flags.c_contiguous


def test_orientation_of_sixteen_bits(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    deep = STORED[6](picture()).astype(np.uint16)[..., ::-1] * 257
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    data = (tmp_path / "a.png").read_bytes()
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])  # after IHDR
    assert difference(read_photo(tmp_path / "a.png").pixels, picture()) == 0


def saved_with_exif(path: Path, size: tuple[int, int], tags: dict[int, object]) -> Path:
    exif = Image.Exif()
    exif[274] = tags.pop(274, 1)
    exif.get_ifd(0x8769).update(tags)
    Image.new("RGB", size, (90, 80, 70)).save(path, exif=exif)
    return path


def test_focal_length_in_pixels(tmp_path: Path) -> None:
    def focal(size: tuple[int, int], **tags: object) -> float | None:
        numbered = {int(key[1:], 16): value for key, value in tags.items()}
        return read_photo(saved_with_exif(tmp_path / "a.jpg", size, numbered)).focal_px

    # 3:2 at 50 mm: 50 / 36 of the width, on its side too
    assert focal((300, 200), xA405=50) == pytest.approx(300 * 50 / 36, rel=1e-4)
    assert focal((300, 200), xA405=50, x112=6) == pytest.approx(300 * 50 / 36, rel=1e-4)
    # 4:3: the diagonal, 500 pixels, is 43.267 mm
    assert focal((400, 300), xA405=28) == pytest.approx(500 * 28 / 43.2666, rel=1e-4)
    # Canon EOS 350D: 3456 pixels over 22.2 mm, here saved at 1/8 size; 50 mm lens
    sensor = {"x920A": 50.0, "xA20E": 3456 / 0.874, "xA210": 2, "xA002": 3456, "xA003": 2304}
    assert focal((432, 288), **sensor) == pytest.approx(432 * 50 / 22.2, rel=1e-3)
    # cropped to a square after the shot, 0 (unknown), absurd, and none at all
    assert focal((288, 288), **sensor) is None
    assert focal((300, 200), xA405=0) is None
    assert focal((300, 200), xA405=5000) is None
    assert focal((300, 200)) is None


# --- size ------------------------------------------------------------------------------------


def test_a_large_photo_is_halved(tmp_path: Path) -> None:
    saved_with_exif(tmp_path / "a.jpg", (6000, 4500), {0xA405: 28})
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.size == (3000, 2250)
    assert photo.notes == ("read at 1/2 size, 3000 x 2250 pixels",)
    assert photo.focal_px == pytest.approx(3750 * 28 / 43.2666, rel=1e-4)
    Image.fromarray(picture()).resize((6000, 4500), Image.Resampling.NEAREST).save(
        tmp_path / "a.png", compress_level=1
    )
    photo = read_photo(tmp_path / "a.png")
    assert photo.size == (3000, 2250)
    small = Image.fromarray(photo.pixels).resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    assert difference(np.asarray(small), picture()) < 1.0


def huge_png(path: Path, width: int, height: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 1)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def huge_jpeg(path: Path, width: int, height: int) -> None:
    data = bytearray(encode_jpeg(picture()).tobytes())
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    path.write_bytes(data)


# --- bad input -------------------------------------------------------------------------------


def make_bad(folder: Path, name: str) -> Path:
    path = folder / name
    jpeg, png = encode_jpeg(picture()).tobytes(), encode_png(picture()).tobytes()
    plain = {
        "empty.jpg": b"",
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.png": png[: len(png) // 2],
        "header.jpg": jpeg[:10],
        "text.jpg": "Not a photo, grüße\n".encode() * 400,
        "page.jpg": b"<!DOCTYPE html><html><body>404</body></html>",
        "drawing.png": b'<?xml version="1.0"?><svg width="9"></svg>',
        "document.jpg": b"%PDF-1.7 \x00\x01",
        "noise.jpg": bytes(range(256)) * 9,
        "swapped.heic": b"\0\0\0\x1cftypxxxx\0\0\0\0mif1heic" + bytes(64),
        "movie.heic": b"\0\0\0\x18ftypisom" + bytes(64),
    }
    sized = {"one.png": (1, 1), "thin.png": (500, 31)}
    if name in plain:
        path.write_bytes(plain[name])
    elif name in sized:
        Image.new("RGB", sized[name]).save(path)
    elif name == "huge.png":
        huge_png(path, 20000, 20000)
    elif name == "huge.jpg":
        huge_jpeg(path, 20000, 20000)
    elif name == "float.tif":
        Image.fromarray(np.eye(40, dtype=np.float32)).save(path)
    elif name == "cut16.png":
        noise = np.random.default_rng(0).integers(0, 65535, (90, 90), np.uint16)
        data = cv2.imencode(".png", noise)[1].tobytes()
        path.write_bytes(data[: len(data) // 2])
    elif name == "cut.heic":
        Image.fromarray(picture()).save(path)
        path.write_bytes(path.read_bytes()[:-200])
    elif name == "cut.webp":
        Image.fromarray(picture()).save(path, lossless=True)
        path.write_bytes(path.read_bytes()[:-200])
    elif name == "folder.jpg":
        path.mkdir()
    elif name == "pipe.jpg":
        os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("missing.jpg", ()),
        ("folder.jpg", ("folder",)),
        ("pipe.jpg", ()),
        ("empty.jpg", ("0 bytes",)),
        ("cut.jpg", ()),
        ("cut.png", ()),
        ("cut16.png", ()),
        ("cut.webp", ()),
        ("cut.heic", ()),
        ("swapped.heic", ("HEIC", "broken")),
        ("header.jpg", ()),
        ("text.jpg", ("text", "JPEG", "HEIC")),
        ("page.jpg", ("web page", "JPEG")),
        ("drawing.png", ("SVG", "JPEG")),
        ("document.jpg", ("PDF", "JPEG")),
        ("movie.heic", ("video", "JPEG")),
        ("noise.jpg", ("JPEG", "HEIC")),
        ("one.png", ("1 x 1", 32)),
        ("thin.png", ("500 x 31", 32)),
        ("huge.png", ("20000 x 20000", "120 megapixels")),
        ("huge.jpg", ("20000 x 20000", "250 megapixels")),
        ("float.tif", ("32 bits", 8, 16)),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, name: str, facts: tuple[object, ...]) -> None:
    path = make_bad(tmp_path, name)
    with raises(PhotoError, path, *facts) as caught:
        read_photo(path)
    assert str(caught.value).endswith(".")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(picture()).save(path)
    path.chmod(0)
    is_root = os.geteuid() == 0  # whom permissions do not stop
    if is_root:
        os.seteuid(65534)
    try:
        with raises(PhotoError, path, "permissions"):
            read_photo(path)
    finally:
        if is_root:
            os.seteuid(0)


def test_a_name_no_file_can_have() -> None:
    for name in ("a\0b.jpg", "a" * 5000 + ".jpg"):
        with raises(PhotoError, shown(name)):
            read_photo(name)


# --- encoding --------------------------------------------------------------------------------


def test_encode_and_decode() -> None:
    png, jpeg = encode_png(picture()), encode_jpeg(picture(), quality=95)
    assert png.dtype == jpeg.dtype == np.uint8 and png.ndim == jpeg.ndim == 1
    assert png.tobytes().startswith(b"\x89PNG") and jpeg.tobytes().startswith(b"\xff\xd8\xff")
    assert difference(decode(png), picture()) == 0
    assert difference(decode(jpeg), picture()) < 2.0
    assert difference(decode(encode_png(picture()[..., 0])), picture()[..., :1]) == 0
    with raises(PhotoError, 0):
        decode(b"")
    with raises(PhotoError, 7):
        decode(b"nothing")
