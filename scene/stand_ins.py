"""A pixel each in place of packed pictures, while Blender's glTF exporter runs.

The exporter decodes every picture, and draws that of the roughness anew; with a stand-in for each
it takes half the time, and the file gets the bytes that the .blend has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

import bpy
import numpy as np

from ..backend.exchange.png import encode_png
from .formats.glb import Picture
from .materials import SOCKETS, is_ours, is_painted, packed_image

#: Inputs of the shader that a picture may feed for the exporter to take it as it is.  Of the
#: roughness glTF reads the green channel of a picture (and blue, times a metallic factor of 0).
_STRAIGHT = (SOCKETS["colour"], SOCKETS["roughness"])


@contextmanager
def stand_ins(things: Sequence[bpy.types.Object]) -> Iterator[dict[str, Picture]]:
    """Materials of ``things`` with stand-ins, and by their names in the file what they stand for.

    Left alone are pictures that somebody painted on, or that a material has in nodes of the user's
    own: what the exporter makes of these is its own business.
    """
    trees = [
        material.node_tree
        for material in {slot.material for thing in things for slot in thing.material_slots}
        if material is not None and material.node_tree is not None
    ]
    nodes: dict[bpy.types.Image, list[Any]] = {}
    others: set[bpy.types.Image] = set()
    for tree in trees:
        found = [node for node in tree.nodes if node.type == "TEX_IMAGE" and node.image]
        if not _as_built(tree):
            others.update(node.image for node in found)
        for node in found:
            nodes.setdefault(node.image, []).append(node)
    made: list[tuple[bpy.types.Image, bpy.types.Image]] = []
    pictures = {}
    try:
        for number, image in enumerate(nodes):
            if image in others or not _packed(image):
                continue
            name = f"stand-in {number}"
            # Of a colour of its own, so that the exporter takes no two for the same.
            pixel = np.full((1, 1, 3), number % 256, np.uint8)
            one = packed_image(name, np.frombuffer(encode_png(pixel), np.uint8), ".png")
            made.append((image, one))
            one.colorspace_settings.name = image.colorspace_settings.name
            pictures[PurePath(one.filepath_raw).stem] = Picture(
                PurePath(image.filepath_raw).stem, bytes(image.packed_file.data)
            )
            for node in nodes[image]:
                node.image = one
        yield pictures
    finally:
        for image, one in made:
            for node in nodes[image]:
                node.image = image
            bpy.data.images.remove(one)


def _packed(image: bpy.types.Image) -> bool:
    return is_ours(image) and image.packed_file is not None and not is_painted(image)


def _as_built(tree: Any) -> bool:
    """Whether pictures feed the shader of ``tree`` as ``materials.py`` has it, and nothing else."""
    shaders = [node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"]
    if len(shaders) != 1 or any(node.type == "GROUP" for node in tree.nodes):
        return False
    for socket in shaders[0].inputs:
        for link in socket.links:
            source = link.from_node
            if socket.name == SOCKETS["normal"] and source.type == "NORMAL_MAP":
                sources = [one.from_node for one in source.inputs["Color"].links]
            else:
                sources = [source] if socket.name in _STRAIGHT else []
            if [one.type for one in sources] != ["TEX_IMAGE"]:
                return False
    return True
