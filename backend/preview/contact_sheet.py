"""Many previews on one page."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..errors import PhotoError
from .compose import BACKGROUND, TEXT, shortened, text_font

WIDEST = 16_000  #: pixels; JPEG ends at 65,535 and viewers give up earlier


def contact_sheet(
    files: Sequence[str | os.PathLike[str]],
    titles: Sequence[str],
    columns: int | None = None,
    cell_width: int = 960,
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the pictures ``files`` in ``columns``, each under its title.

    One column for a few pictures, two for more, unless given.
    Pictures are scaled to ``cell_width``, or less where the page would be too long.  Raises
    :class:`PhotoError` when one cannot be read, ValueError when there is none or titles are
    missing.
    """
    if not files or len(files) != len(titles):
        raise ValueError(
            f"{len(files)} pictures and {len(titles)} titles; give one title for each."
        )
    if columns is None:
        columns = 1 if len(files) <= 5 else 2
    columns = max(1, min(columns, len(files)))
    rows = -(-len(files) // columns)
    sizes = [_size(file) for file in files]
    tallest = max(height / width for width, height in sizes)
    cell_width = max(64, min(cell_width, int(WIDEST / (rows * (tallest + 0.04)))))
    bar, gap = max(14, cell_width // 30), max(4, cell_width // 80)
    cell_height = bar + int(np.ceil(cell_width * tallest))
    page = Image.new(
        "RGB",
        (gap + columns * (cell_width + gap), gap + rows * (cell_height + gap)),
        BACKGROUND,
    )
    draw, font = ImageDraw.Draw(page), text_font(bar * 0.6)
    for i, (file, title) in enumerate(zip(files, titles, strict=True)):
        x = gap + i % columns * (cell_width + gap)
        y = gap + i // columns * (cell_height + gap)
        with Image.open(file) as picture:
            height = round(cell_width * picture.height / picture.width)
            scaled = picture.convert("RGB").resize((cell_width, height), Image.Resampling.LANCZOS)
        page.paste(scaled, (x, y + bar))
        draw.text((x + 2, y + bar / 2), shortened(title, font, cell_width), TEXT, font, anchor="lm")
    return np.asarray(page)


def _size(file: str | os.PathLike[str]) -> tuple[int, int]:
    try:
        with Image.open(file) as picture:
            picture.load()
            return picture.size
    except OSError as error:
        raise PhotoError(f"The preview {os.fspath(file)} cannot be read ({error}).") from error
