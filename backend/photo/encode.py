"""Pictures to bytes and back, for what crosses to Blender."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError

Bytes = NDArray[np.uint8]


def encode_jpeg(pixels: Bytes, quality: int = 92) -> Bytes:
    """``pixels`` (H, W, 3) or (H, W) uint8 sRGB as the (N,) uint8 bytes of a JPEG file."""
    return _encode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_png(pixels: Bytes, compression: int = 1) -> Bytes:
    """``pixels`` (H, W, 3|4) or (H, W) uint8 sRGB as the (N,) uint8 bytes of a PNG file.

    ``compression`` is zlib's level, 0 to 9; 1 is several times faster than 6 and a tenth larger.
    """
    # Runs of bytes alone, which after PNG's filter are what there is: in the same time a texture is
    # a quarter smaller than with the default.
    strategy = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, compression, *strategy])


def decode(data: Bytes | bytes) -> Bytes:
    """The (H, W, 3) uint8 sRGB pixels of bytes made by :func:`encode_jpeg` or :func:`encode_png`.

    Raises :class:`PhotoError` when ``data`` is no picture.
    """
    raw = np.frombuffer(bytes(data), dtype=np.uint8)
    # Ours are upright and have no EXIF; a stranger's orientation is not applied behind our back.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(raw, flags) if raw.size else None
    if pixels is None:
        raise PhotoError(f"These {raw.size} bytes hold no picture that can be decoded.")
    return np.ascontiguousarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _encode(kind: str, pixels: Bytes, options: list[int]) -> Bytes:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise ValueError(f"expected (H, W, C) uint8 pixels, found {pixels.shape} {pixels.dtype}")
    if pixels.ndim == 3:
        swap = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), swap)
    done, data = cv2.imencode(kind, pixels, options)
    if not done:
        raise ValueError(f"OpenCV could not encode {pixels.shape} as {kind}")
    return data.reshape(-1)
