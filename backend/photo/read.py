"""Reading a photo file of any common kind into upright 8-bit sRGB pixels.

One path for every file: bytes -> open and check the header -> decode (reduced when huge, as far as
it goes when a JPEG is cut off) -> turn upright -> sRGB over white -> array.
"""

from __future__ import annotations

import io
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ExifTags, Image

from ..bounded import Damaged, read_bytes
from ..errors import PhotoError
from ..exchange.formats import LARGEST_PHOTO_FILE
from ..files import reason
from .colour import to_srgb
from .exif import focal_in_pixels, is_adobe_rgb
from .recognise import camera_raw, describe

Image.init()  # PIL registers most decoders only after a first failure; ours are named, so now
pillow_heif.register_heif_opener()

# Only these decoders run: PIL knows 40 more, some of which (EPS) start other programs.
_FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF"]

SMALLEST_SIDE = 32  # pixels; no face can be made out in less
WORK_PIXELS = 24_000_000  # larger pictures are halved until they fit
# Refused above: a 200-megapixel phone's JPEG still passes, since JPEG decodes at reduced size; the
# others have to be decoded whole first (120 megapixels RGBA are half a gigabyte).
LARGEST_JPEG = 250_000_000
LARGEST_OTHER = 120_000_000
_BLOCK = 16  # rows that a JPEG has at once, at most
_MOST_PAGES = 100  # of a TIFF, that are looked at

_open_lock = threading.Lock()


@dataclass(frozen=True)
class Photo:
    """A photo ready for detection."""

    pixels: NDArray[np.uint8]  #: (H, W, 3) sRGB, upright, C-contiguous
    path: Path  #: as given
    focal_px: float | None  #: from EXIF, in pixels of ``pixels``; see :func:`focal_in_pixels`
    grey: bool  #: there is no colour in it
    notes: tuple[str, ...] = ()  #: what was done to it beyond decoding, for the report
    #: x0, y0, x1, y1 in pixels: what is there of a file that was cut off; None: all of it
    there: tuple[int, int, int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of ``pixels``."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_photo(path: str | os.PathLike[str], content: bytes | None = None) -> Photo:
    """Read a JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF file (8 or 16 bits, grey or colour).

    EXIF orientation is applied, ICC profiles and Adobe RGB are converted to sRGB, transparency is
    laid over white, the first of several frames that is no small copy is used, and pictures of over
    24 megapixels are halved until they fit.  Of a JPEG that was cut off there is what can be
    decoded (``there``).  What was done is in ``notes``.  ``content`` is the file's, where ``path``
    is one on another machine.

    Raises :class:`PhotoError` with one sentence on what was found and what to do.
    """
    path = Path(path)
    data = photo_bytes(path) if content is None else content
    try:
        image, factor, notes = _open(path, data)
        exif = image.getexif()
        profile = image.info.get("icc_profile")
        bits = _bits_per_channel(image, data)
        image, rows = _decode(path, image, data, bits, factor)
        if bits == 16:
            notes.append("16 bits per channel were reduced to 8")
        if factor > 1:
            notes.append(f"read at 1/{factor} size, {image.width} x {image.height} pixels")
        turn = exif.get(ExifTags.Base.Orientation, 1)
        there = None
        if rows is not None:
            notes.append("the file was cut off; what could be decoded of it was used")
            if rows < image.height:
                there = _upright(_mask(image.size, rows), turn).getbbox()
        image, colour_notes = to_srgb(_upright(image, turn), profile, is_adobe_rgb(exif))
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoError(
            f"There is not enough memory to read {path}: save it at a smaller size."
        ) from error
    except Exception as error:  # decoders raise anything on damaged files, some over many lines
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise PhotoError(
            f"{path} is damaged or incomplete ({said}): copy or download it again."
        ) from error
    pixels = np.ascontiguousarray(np.asarray(image, dtype=np.uint8))
    if there is not None:
        pixels = _continued(pixels, there)
    focal = focal_in_pixels(exif, *image.size)
    return Photo(pixels, path, focal, _is_grey(pixels), tuple(notes + colour_notes), there)


def photo_bytes(path: Path) -> bytes:
    """What is in the file ``path``.  Raises :class:`PhotoError`, as :func:`read_photo` does."""
    try:
        if os.path.isdir(path):
            raise PhotoError(f"{path} is a folder: give the photo files in it.")
        data = read_bytes(path, LARGEST_PHOTO_FILE)
    except Damaged as error:
        raise PhotoError(f"{path} is no photo ({error}).") from error
    except FileNotFoundError as error:
        raise PhotoError(f"There is no file {path}: check its name.") from error
    except PermissionError as error:
        raise PhotoError(f"{path} may not be read: change its permissions.") from error
    except MemoryError as error:
        raise PhotoError(f"There is not enough memory to read {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise PhotoError(f"{path} cannot be read ({reason(error)}).") from error
    if not data:
        raise PhotoError(f"{path} is empty (0 bytes): copy or download it again.")
    return data


@contextmanager
def _no_size_guard() -> Iterator[None]:
    """PIL's limit (179 megapixels) off while only a header is read; :func:`_open` has its own."""
    with _open_lock:
        guard, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = guard


def _open(path: Path, data: bytes) -> tuple[Image.Image, int, list[str]]:
    """The picture with only its header read, by how much to reduce it (1, 2, 4 ...), and notes."""
    raw = camera_raw(data)
    if raw is not None:  # its first page is a small preview, or no picture at all
        raise PhotoError(f"{path} holds {raw.name}: {raw.advice}.")
    try:
        with _no_size_guard():
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.UnidentifiedImageError as error:
        kind = describe(data)
        raise PhotoError(
            f"{path} holds {kind.name}, not a readable photo: {kind.advice}."
        ) from error
    notes = _choose_frame(image)
    width, height = image.size
    if min(width, height) < SMALLEST_SIDE:
        raise PhotoError(
            f"{path} is too small ({width} x {height} pixels): use a photo of at least "
            f"{SMALLEST_SIDE} pixels each way, better 512."
        )
    largest = LARGEST_JPEG if image.format in ("JPEG", "MPO") else LARGEST_OTHER
    if width * height > largest:
        raise PhotoError(
            f"{path} is too large ({width} x {height} pixels): reduce it to at most "
            f"{largest // 1_000_000} megapixels."
        )
    factor = 1
    while width * height > WORK_PIXELS * factor * factor:
        factor *= 2
    return image, factor, notes


def _decode(
    path: Path, image: Image.Image, data: bytes, bits: int, factor: int
) -> tuple[Image.Image, int | None]:
    """Decode, at 1/``factor`` size, to a mode that :func:`to_srgb` understands.

    With it comes how many rows are there of a JPEG that was cut off; None: it was not.
    """
    full, rows = image.size, None
    _draft(image, full, factor)
    try:
        image.load()  # raises on truncated files, also before OpenCV, which would not
    except OSError as error:
        if image.format not in ("JPEG", "MPO") or "truncated" not in str(error):
            raise
        image, rows = _what_is_there(data, factor)
        if rows == 0:
            raise
    if bits == 16:
        image = _from_16_bits(image, data)
    if image.mode.startswith(("I", "F")):
        raise PhotoError(
            f"{path} has pixels of 32 bits (mode {image.mode}): save it with 8 or 16 bits."
        )
    if factor > 1 and image.size == full:
        info = image.info
        image = image.reduce(factor)
        image.info = info  # reduce() drops the transparent colour
    return image, rows


def _draft(image: Image.Image, full: tuple[int, int], factor: int) -> None:
    """Have libjpeg scale while it decodes, which it can up to 1/8."""
    if factor > 1 and image.format in ("JPEG", "MPO"):
        image.draft(image.mode, (math.ceil(full[0] / factor), math.ceil(full[1] / factor)))


def _what_is_there(data: bytes, factor: int) -> tuple[Image.Image, int]:
    """A JPEG that was cut off, and how many of its rows are there.

    With an end put behind it, libjpeg makes what is missing one colour, which no photo's rows are.
    """
    with _no_size_guard():
        image = Image.open(io.BytesIO(data + b"\xff\xd9"), formats=_FORMATS)
    _draft(image, image.size, factor)
    image.load()
    pixels = np.asarray(image)
    uneven = np.flatnonzero(np.ptp(pixels.reshape(len(pixels), image.width, -1), axis=1).max(1) > 0)
    last = int(uneven[-1]) + 1 if len(uneven) else 0
    if last == image.height:
        return image, last
    # The last row of blocks may be there in part, and gives its colour to the row above.
    return image, max((last // _BLOCK - 1) * _BLOCK - 1, 0)


def _continued(pixels: NDArray[np.uint8], there: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The nearest pixel that is there in the place of those that are not: no edge of grey."""
    rows = np.clip(np.arange(pixels.shape[0]), there[1], there[3] - 1)
    columns = np.clip(np.arange(pixels.shape[1]), there[0], there[2] - 1)
    return np.ascontiguousarray(pixels[rows[:, None], columns])


def _mask(size: tuple[int, int], rows: int) -> Image.Image:
    """White in the first ``rows`` rows, black below."""
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0], rows))
    return mask


def _from_16_bits(image: Image.Image, data: bytes) -> Image.Image:
    """16 bits per channel, rounded to 8.  PIL keeps the high bytes of colour, OpenCV all."""
    first = image.tell() == 0  # the page that OpenCV reads
    deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if first else None
    if deep is None or deep.dtype != np.uint16 or deep.shape[:2] != (image.height, image.width):
        if not image.mode.startswith("I;16"):
            return image  # a layout OpenCV lacks (CMYK, planes); PIL's high bytes will do
        deep = np.asarray(image).astype(np.uint16)
    shallow = cv2.convertScaleAbs(deep, alpha=1.0 / 257.0)  # 65535 = 255 * 257; rounds
    if shallow.ndim == 3 and shallow.shape[2] in (3, 4):
        swap = cv2.COLOR_BGR2RGB if shallow.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        shallow = cv2.cvtColor(shallow, swap)
    return Image.fromarray(shallow)


def _bits_per_channel(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[24]  # IHDR: signature 8, length and name 8, width and height 8, then depth
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(258, (1,))))  # type: ignore[attr-defined]
    return 8


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turned as EXIF asks; by hand since the EXIF may not have survived :func:`_decode`.

    HEIC and AVIF files carry their orientation elsewhere; their decoders apply it or hand it over
    as EXIF.
    """
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    if turn is None:
        return image
    info, image = image.info, image.transpose(turn)
    image.info = info
    return image


def _choose_frame(image: Image.Image) -> list[str]:
    """Go to the frame that is the photo: the first that is no small copy.  Returns notes."""
    frames = getattr(image, "n_frames", 1)
    # The further pictures in a camera's MPO are its preview, depth or gain map.
    if frames == 1 or image.format == "MPO":
        return []
    if image.format != "TIFF":
        return [f"the first of {frames} frames was used"]
    chosen = next((i for i in range(min(frames, _MOST_PAGES)) if _is_page(image, i)), 0)
    image.seek(chosen)
    if chosen == 0:
        return [f"the first of {frames} frames was used"]
    return [f"page {chosen + 1} of {frames} was used; those before are small copies"]


def _is_page(image: Image.Image, number: int) -> bool:
    """Whether that page of a TIFF is neither a small copy nor a mask (TIFF 6.0, tags 254, 255)."""
    image.seek(number)
    tags = image.tag_v2  # type: ignore[attr-defined]
    return not int(tags.get(254, 0)) & 0b101 and int(tags.get(255, 1)) != 2


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    """No colour but for what chroma compression leaves (a few levels), judged on a thinned copy."""
    step = max(1, min(pixels.shape[:2]) // 256)
    thin = pixels[::step, ::step].astype(np.int16)
    return bool(np.percentile(np.ptp(thin, axis=2), 99.0) <= 4)
