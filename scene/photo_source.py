"""Photos that are not chosen as a file: an image open in Blender, the clipboard, a finished head.

All of them end up as a file, which is what the backend reads.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import bpy
import numpy as np

from ..backend.errors import PhotoError
from ..backend.exchange.formats import PHOTO_SUFFIXES
from ..backend.geometry import srgb
from .camera import background_of
from .mesh import KEY, photo_name
from .photo_cameras import camera_for
from .photo_places import place_of

#: Blender's names of formats whose bytes are a picture file that the backend reads.
_AS_THEY_ARE = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}


def photo_of_image(image: bpy.types.Image) -> Path:
    """A file with what ``image`` shows: its own, or one written for it.

    Raises :class:`PhotoError`.
    """
    if not image.is_dirty and image.source == "FILE":
        if image.packed_file is not None:
            suffix = _AS_THEY_ARE.get(image.file_format)
            if suffix is not None:
                return _write(image.packed_file.data, image.name, suffix)
        else:
            path = Path(bpy.path.abspath(image.filepath, library=image.library))
            if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file():
                return path
    if not (image.size[0] and image.size[1] and image.channels):
        raise PhotoError(f"The image {image.name} holds no pixels; choose another one.")
    return _save(image)


def _save(image: bpy.types.Image) -> Path:
    """What ``image`` shows, painted or not, as a PNG; ``image`` itself is left alone.

    Saving the image, or a copy of it, would change its path or lose what was painted.
    """
    path = _new_file(image.name, ".png")
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(-1, image.channels)
    rgba = np.ones((len(pixels), 4), np.float32)
    rgba[:, :3] = pixels[:, : min(image.channels, 3)]  # grey goes to all three
    if image.is_float:
        rgba[:, :3] = srgb.encode(rgba[:, :3])
    copy = bpy.data.images.new("photo", width, height)
    try:
        copy.pixels.foreach_set(rgba.ravel())
        copy.filepath_raw, copy.file_format = str(path), "PNG"
        copy.save()
    except RuntimeError as error:
        reason = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
        raise PhotoError(f"The image {image.name} cannot be saved: {reason}.") from error
    finally:
        bpy.data.images.remove(copy)
    return path


def photo_of_text(text: str) -> Path | None:
    """The picture file that a clipboard's ``text`` names, if it does.

    A path, in quotes or not, or a file's address as file managers copy it.
    """
    for line in text.strip().splitlines()[:3]:
        line = line.strip().strip("\"'")
        if line.startswith("file:"):
            line = path_of_address(line, windows=sys.platform == "win32")
        path = Path(line).expanduser()
        try:
            if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file():
                return path
        except (OSError, ValueError):  # no path at all: too long, a zero byte
            continue
    return None


def path_of_address(address: str, *, windows: bool) -> str:
    """The path that a "file:" ``address`` names; with ``windows``, there.

    "file:///C:/a%20b.jpg" is "C:/a b.jpg" and "file://server/share/a.jpg" is "//server/share/a.jpg"
    on Windows; elsewhere the path is all there is (RFC 8089).
    """
    parts = urlsplit(address)
    path = unquote(parts.path)
    if not windows:
        return path
    if parts.netloc and parts.netloc != "localhost":
        return f"//{parts.netloc}{path}"
    return re.sub(r"^/+([A-Za-z])[:|](?=/|$)", r"\1:", path)


def photo_of_head(head: bpy.types.Object, number: int = 0) -> Path:
    """Photo ``number`` of a head of ours: the file, or what is packed behind its camera.

    Raises :class:`PhotoError` when both are gone.
    """
    known = place_of(head.get(KEY, ""), number)
    if known is not None:
        return known
    name = photo_name(head, number)
    camera = camera_for(head, number)
    behind = background_of(camera) if camera is not None else None
    image = behind.image if behind is not None else None
    if image is None or image.packed_file is None:
        raise PhotoError(
            f"The photo of {head.name} ({name or 'its name is not known'}) is neither where it was "
            "nor in this file any more; use Replace Photo to choose it again."
        )
    return _write(image.packed_file.data, Path(name).stem or head.name, ".jpg")


def _write(data: bytes, name: str, suffix: str) -> Path:
    path = _new_file(name, suffix)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise PhotoError(
            f"The photo cannot be put into {path.parent}: {error.strerror}."
        ) from error
    return path


def _new_file(name: str, suffix: str) -> Path:
    """A file that does not exist, in a folder of its own so that its name is what heads get."""
    folder = tempfile.mkdtemp(prefix="photo-", dir=bpy.app.tempdir)
    safe = bpy.path.clean_name(Path(name).stem) or "photo"
    return Path(folder) / f"{safe}{suffix}"
