"""Pictures that this project made for people, marked in the file: none is taken for a photo.

Input and output folder may be the same; a preview among the photos would be the next photo.
Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from ..bounded import open_regular

_MADE_BY = b"Made by Reconstruct Face"
_PNG = b"\x89PNG\r\n\x1a\n"
#: A PNG's signature and its first chunk, which has to be IHDR.
_PNG_HEADER = len(_PNG) + 25
_JPEG = b"\xff\xd8"
#: Our files have the mark in their first 100 bytes, where JFIF's header has no thumbnail.
_FAR = 4096
PREVIEW = "_preview.png"


def marked(data: bytes | memoryview) -> bytes:
    """The bytes ``data`` of a PNG or a JPEG with our mark; of another kind of file as they are.

    A text chunk "Software" (PNG, section 11.3.4), a comment segment (JPEG, after JFIF's header,
    which has to come first).
    """
    data = bytes(data)
    if data.startswith(_PNG):
        text = b"tEXtSoftware\0" + _MADE_BY
        chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        return data[:_PNG_HEADER] + chunk + data[_PNG_HEADER:]
    if data.startswith(_JPEG):
        at = len(_JPEG)
        if data[at : at + 2] == b"\xff\xe0":
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segment = b"\xff\xfe" + struct.pack(">H", len(_MADE_BY) + 2) + _MADE_BY
        return data[:at] + segment + data[at:]
    return data


def is_own(path: Path) -> bool:
    """Whether the file ``path`` is a picture that this project made.

    By its mark, or as ``NAME_preview.png`` beside ``NAME.npz``: version 0.1.0 marked nothing.
    """
    try:
        with open_regular(path, 1 << 62) as file:
            if _MADE_BY in file.read(_FAR):
                return True
    except (OSError, ValueError):
        return False
    name = path.name
    return name.endswith(PREVIEW) and os.path.isfile(
        path.with_name(f"{name.removesuffix(PREVIEW)}.npz")
    )
