"""Pictures of a head no larger than a program wants them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from ..formats.glb import Glb
from ..materials import ROLE, packed_image, role_of
from ..wrinkles import DRIVEN_ROLES

#: Of JPEG.  The sample's colours, of half the size, are off by 0.7 of 255 in the mean, 1 percent of
#: them by more than 3.5; at 80 it is 0.9 and 4.8, in two thirds of the bytes.
_QUALITY = 92
#: Of names: what our copies end in while the real ones are there.
_APART = " (whole)"


def smaller(data: bytes, size: int) -> bytes:
    """The picture ``data`` (PNG or JPEG, opaque) as a JPEG of at most ``size`` pixels a side."""
    image = packed_image("smaller", np.frombuffer(data, np.uint8), ".png")
    try:
        _shrink(image, size)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "smaller.jpg"
            image.file_format = "JPEG"
            image.save(filepath=str(path), quality=_QUALITY)
            return path.read_bytes()
    finally:
        bpy.data.images.remove(image)


def _shrink(image: bpy.types.Image, size: int) -> None:
    width, height = image.size
    most = max(width, height)
    if most > size:
        image.scale(max(round(width * size / most), 1), max(round(height * size / most), 1))


@contextmanager
def smaller_pictures(head: bpy.types.Object, size: int) -> Iterator[None]:
    """The pictures of the materials of ``head`` that are larger than ``size`` pixels replaced by
    smaller ones of the same names for the while; 0 replaces none."""
    nodes = [
        node
        for material in head.data.materials
        if material is not None and material.node_tree is not None
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and node.image is not None and node.image.packed_file
    ]
    whole = dict.fromkeys(
        node.image
        for node in nodes
        if role_of(node.image) not in DRIVEN_ROLES and 0 < size < max(node.image.size)
    )
    instead = {}
    try:
        for image in whole:
            data = np.frombuffer(smaller(image.packed_file.data, size), np.uint8)
            name = image.name
            image.name = name + _APART
            copy = instead[image] = packed_image(name, data, ".jpg")
            copy[ROLE] = role_of(image)
            copy.colorspace_settings.name = image.colorspace_settings.name
            copy.filepath_raw = str(Path(image.filepath_raw).with_suffix(".jpg"))
        for node in nodes:
            node.image = instead.get(node.image, node.image)
        yield
    finally:
        back = {copy: image for image, copy in instead.items()}
        for node in nodes:
            node.image = back.get(node.image, node.image)
        for copy, image in back.items():
            name = copy.name
            bpy.data.images.remove(copy)
            image.name = name


def shrink_glb(glb: Glb, size: int) -> None:
    """Rewrite the opaque pictures of ``glb`` that are PNG or larger than ``size`` as JPEG.

    Blender's exporter makes a PNG of the roughness whatever it was.
    """
    for image in glb.document.get("images", ()):
        data = glb.view(image["bufferView"])
        if _is_clear(data) or not (data.startswith(b"\x89PNG") or max(_size(data)) > size):
            continue
        image["mimeType"] = "image/jpeg"
        glb.replace(image["bufferView"], smaller(data, size))


def _size(data: bytes) -> tuple[int, int]:
    image = packed_image("size", np.frombuffer(data, np.uint8), ".png")
    try:
        width, height = image.size
        return width, height
    finally:
        bpy.data.images.remove(image)


def _is_clear(data: bytes) -> bool:
    """Whether a PNG has an alpha channel (its colour type's third bit), as cards of hair need."""
    return data.startswith(b"\x89PNG") and bool(data[25] & 4)
