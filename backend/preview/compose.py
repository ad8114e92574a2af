"""The four-panel preview: photo, fit, rendering from the photo's camera, three-quarter view.

Of a person every further photo has a small panel below, with the fit over it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..exchange import Reconstruction
from ..photo.encode import decode
from .overlay import DETECTED, FITTED, draw_overlay
from .window import preview_window, window_pixels

Bytes = NDArray[np.uint8]
Text = Sequence[tuple[str, tuple[int, int, int]]]

PANEL = 512
GAP = 8
CAPTION = 34
SMALLEST_TEXT = 13  # pixels, which can still be read
BACKGROUND = (24, 25, 28)
TEXT = (222, 224, 228)
QUIET = (150, 154, 162)


def compose_preview(
    reconstruction: Reconstruction,
    photo_render: Bytes | None,
    three_quarter: Bytes | None,
    window: NDArray,
    panel: int = PANEL,
) -> Bytes:
    """(H, W, 3) uint8 sRGB: the panels in a row, each ``panel`` square with a caption under it.

    ``photo_render`` and ``three_quarter`` are Blender's renderings, (h, w, 3 | 4) uint8 sRGB, the
    first of ``window`` (4,) seen by the photo's camera; without them there are two panels.  Below,
    at half the size, are the head's ``views``: each photo with the mesh over it, its name and how
    far the landmarks are off.
    """
    r = reconstruction
    photo = window_pixels(decode(r.photo), window, panel)
    legend = [("mesh", TEXT), ("detected", DETECTED), ("fitted", FITTED)]
    legend.append((f"{r.landmark_error:.1f} px", QUIET))
    panels: list[tuple[Bytes, Text]] = [
        (photo, [(_title(r), TEXT)]),
        (draw_overlay(photo, r, window), legend),
    ]
    if photo_render is not None:
        panels.append((_over(photo_render, _dimmed(photo)), [("photo's camera", TEXT)]))
    if three_quarter is not None:
        panels.append((_over(three_quarter, _backdrop(panel)), [("three-quarter view", TEXT)]))
    first = _row(panels, panel)
    if not r.views:
        return first
    # Two small panels and what is between them are as wide as a large one.
    small, columns = (panel - GAP) // 2, 2 * len(panels)
    rows = [first]
    for begin in range(1, len(r.views) + 1, columns):
        numbers = range(begin, min(begin + columns, len(r.views) + 1))
        rows.append(_row([_view(r.seen_in(number), small) for number in numbers], small))
    sheet = np.full((sum(map(len, rows)), first.shape[1], 3), BACKGROUND, np.uint8)
    top = 0
    for row in rows:
        sheet[top : top + len(row), : row.shape[1]] = row
        top += len(row)
    return sheet


def _view(seen: Reconstruction, size: int) -> tuple[Bytes, Text]:
    """The panel of a further photo and its caption."""
    window = preview_window(seen)
    # Drawn like a large one and made smaller: at this size the mesh's lines would cover the face.
    large = draw_overlay(window_pixels(decode(seen.photo), window, 2 * size), seen, window)
    small = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
    caption = [(_title(seen), TEXT), (f"{seen.landmark_error:.1f} px", QUIET)]
    return small, caption


def text_font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)


def shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """``text``, its end replaced by "..." where it is wider than ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _title(reconstruction: Reconstruction) -> str:
    name = reconstruction.photo_name or "photo"
    return name if reconstruction.face_index == 1 else f"{name}, face {reconstruction.face_index}"


def _dimmed(photo: Bytes) -> Bytes:
    """The photo, greyed and dark, so that the rendering before it stands out."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    return np.repeat((grey[..., None] * 0.35 + 12).astype(np.uint8), 3, axis=2)


def _backdrop(size: int) -> Bytes:
    """A studio grey that falls off towards the corners."""
    y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    light = 92 - 70 * (x**2 + (y + 0.08) ** 2)
    return np.repeat(light[..., None].astype(np.uint8), 3, axis=2)


def _over(picture: Bytes, background: Bytes) -> Bytes:
    """``picture`` (h, w, 3 | 4) at the size of ``background``, over it where it is transparent."""
    size = background.shape[1], background.shape[0]
    colour, alpha = picture[..., :3].astype(np.float32), np.ones(picture.shape[:2], np.float32)
    if picture.shape[2] == 4:
        alpha = picture[..., 3].astype(np.float32) / 255
    # Scaled with alpha multiplied in: the colour of transparent pixels must not bleed.
    both = np.dstack([colour * alpha[..., None], alpha])
    both = cv2.resize(both, size, interpolation=cv2.INTER_AREA)
    mixed = both[..., :3] + background * (1 - both[..., 3:])
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _row(panels: list[tuple[Bytes, Text]], size: int) -> Bytes:
    width = GAP + len(panels) * (size + GAP)
    sheet = Image.new("RGB", (width, size + GAP + CAPTION), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = text_font(max(size / 30, SMALLEST_TEXT))
    gap = size / 36
    for i, (picture, text) in enumerate(panels):
        left = GAP + i * (size + GAP)
        sheet.paste(Image.fromarray(picture), (left, GAP))
        x: float = left + 2
        room = size - 4 - sum(font.getlength(word) + gap for word, _ in text[1:])
        for word, colour in text:
            word = shortened(word, font, room)
            draw.text((x, GAP + size + CAPTION / 2), word, colour, font, anchor="lm")
            x += font.getlength(word) + gap
            room = size - 4  # of the first word, which may be long
    return np.asarray(sheet)
