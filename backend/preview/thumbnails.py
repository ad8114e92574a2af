"""Small pictures of a photo and of the faces in it, to pick one from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..align import box_quad, quad_crop
from ..detect import Detection
from ..files import write_bytes
from ..photo.encode import encode_png
from .compose import text_font
from .overlay import DETECTED

Bytes = NDArray[np.uint8]

PHOTO_SIDE, FACE_SIDE = 512, 128
#: Pillow's lines have no soft edges: drawn so many times larger, then averaged.
_FINER = 4
_LINE, _HALO = 3.0, 6.0  # pixels
_DARK = (16, 18, 22)


def photo_thumbnail(pixels: Bytes, boxes: NDArray, side: int = PHOTO_SIDE) -> Bytes:
    """(h, w, 3) uint8: the photo, its longest side ``side``, each face with an outline.

    ``pixels`` (H, W, 3) uint8 sRGB; ``boxes`` (N, 4) x0, y0, x1, y1 in its pixels.  Outlines are
    numbered from 1 where there are several.
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    if not len(boxes):
        return np.asarray(picture)
    marks = Image.new("RGBA", (size[0] * _FINER, size[1] * _FINER))
    draw = ImageDraw.Draw(marks)
    # Pixels count from their centres, Pillow's drawing from the first one's corner.
    at = (np.asarray(boxes, np.float64) + 0.5) * scale * _FINER
    # The largest last: its number must not be covered by those behind it.
    for number in range(len(at), 0, -1):
        _outline(draw, at[number - 1], str(number) if len(at) > 1 else "")
    marks = marks.resize(size, Image.Resampling.BOX)
    return np.asarray(Image.alpha_composite(picture.convert("RGBA"), marks).convert("RGB"))


def face_thumbnail(pixels: Bytes, face: Detection, side: int = FACE_SIDE) -> Bytes:
    """(side, side, 3) uint8: the face, upright, with the hair and chin around it."""
    return quad_crop(pixels, box_quad(face.box, face.quarter_turns), side).image


def write_thumbnails(
    pixels: Bytes, faces: Sequence[Detection], folder: str | Path
) -> tuple[Path, list[Path]]:
    """``photo.png`` and ``face1.png``, ``face2.png`` ... in ``folder``, in the order of ``faces``.

    Raises :class:`OutputError` when one cannot be written.
    """
    folder = Path(folder)
    boxes = np.array([face.box for face in faces]).reshape(-1, 4)
    photo = _write(folder / "photo.png", photo_thumbnail(pixels, boxes))
    return photo, [
        _write(folder / f"face{number}.png", face_thumbnail(pixels, face))
        for number, face in enumerate(faces, start=1)
    ]


def _write(path: Path, picture: Bytes) -> Path:
    return write_bytes(path, encode_png(picture).tobytes())


def _outline(draw: ImageDraw.ImageDraw, box: NDArray, label: str) -> None:
    """A rounded box in ``_FINER`` pixels, bright with a dark rim: seen on any photo."""
    radius = 0.12 * float((box[2:] - box[:2]).min())
    for colour, thickness in ((_DARK, _HALO), (DETECTED, _LINE)):
        grown = thickness * _FINER / 2
        corners = [*(box[:2] - grown), *(box[2:] + grown)]
        draw.rounded_rectangle(
            corners, radius + grown, outline=(*colour, 255), width=round(thickness * _FINER)
        )
    if not label:
        return
    font = text_font(18 * _FINER)
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font, anchor="lt")
    # On the corner: a small face stays seen.
    half = np.array([max(right - left, bottom - top), bottom - top]) / 2 + 4 * _FINER
    x, y = np.maximum(box[:2], half)
    tag = (x - half[0], y - half[1], x + half[0], y + half[1])
    draw.rounded_rectangle(tag, radius=4 * _FINER, fill=(*DETECTED, 255))
    draw.text((x, y), label, (*_DARK, 255), font, anchor="mm")
