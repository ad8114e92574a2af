"""Step 1, read the photo: any common picture file becomes upright 8-bit sRGB pixels."""

from .encode import decode, encode_jpeg, encode_png
from .read import Photo, photo_bytes, read_photo

__all__ = ["Photo", "decode", "encode_jpeg", "encode_png", "photo_bytes", "read_photo"]
