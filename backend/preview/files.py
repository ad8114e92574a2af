"""Previews and contact sheets from files to files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PhotoError
from ..exchange import Reconstruction
from ..exchange.own_pictures import marked
from ..files import write_bytes
from ..photo.encode import encode_jpeg, encode_png
from .compose import compose_preview
from .contact_sheet import contact_sheet

FilePath = str | os.PathLike[str]


def write_preview(
    reconstruction: Reconstruction,
    path: FilePath,
    photo_render: FilePath | None,
    three_quarter: FilePath | None,
    window: NDArray,
) -> Path:
    """:func:`compose_preview` of Blender's two rendering files, written to the PNG ``path``.

    Raises :class:`PhotoError` when a rendering cannot be read, :class:`OutputError` when ``path``
    cannot be written.
    """
    views = [None if view is None else _read_rgba(view) for view in (photo_render, three_quarter)]
    picture = compose_preview(reconstruction, views[0], views[1], window)
    return write_bytes(path, marked(encode_png(picture, compression=6).tobytes()))


def write_contact_sheet(
    files: Sequence[FilePath], titles: Sequence[str], path: FilePath, columns: int | None = None
) -> Path:
    """:func:`contact_sheet` of ``files``, written to ``path`` as JPEG, or PNG if it ends so."""
    page = contact_sheet(files, titles, columns)
    png = Path(path).suffix.lower() == ".png"
    data = (encode_png(page, 6) if png else encode_jpeg(page)).tobytes()
    return write_bytes(path, marked(data))


def _read_rgba(path: FilePath) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGBA"))
    except OSError as error:
        raise PhotoError(f"The rendering {os.fspath(path)} cannot be read ({error}).") from error
