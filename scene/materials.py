"""Materials of the head: one packed texture atlas, one Principled shader per kind of surface.

The texture goes straight into Base Color, which is what Cycles, EEVEE and the glTF, FBX and USD
exporters all understand.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeGuard

import bpy
from numpy.typing import NDArray

from ..backend.exchange import MaterialSlot, Reconstruction

UV_MAP = "UVMap"

#: Custom property that marks our images; its value is the digest of what was packed.
TAG = "reconstruct_face_image"

#: Mean free path of light in skin, in metres for red, green and blue (Jensen et al. 2001, "A
#: Practical Model for Subsurface Light Transport", skin1: 3.67, 1.37, 0.68 mm), as a ratio: the
#: shader multiplies it by its Subsurface Scale.
_SKIN_RADIUS = (1.0, 0.37, 0.19)

#: Inputs of the Principled BSDF by name (Blender 4.0 and later), per kind of surface.
_LOOKS: dict[str, dict[str, Any]] = {
    "skin": {
        "Roughness": 0.52,
        "Specular IOR Level": 0.35,
        "Subsurface Weight": 0.12,
        "Subsurface Radius": _SKIN_RADIUS,
        "Subsurface Scale": 0.0035,
    },
    "eye": {
        # Only the coat (the tear film) mirrors: a rougher gloss below would veil the iris.
        "Roughness": 0.7,
        "Specular IOR Level": 0.1,
        "Coat Weight": 1.0,
        "Coat Roughness": 0.0,
    },
    "teeth": {
        "Roughness": 0.22,
        # Enamel carries light far: without it the lip's shadow turns the upper teeth grey.
        "Subsurface Weight": 0.7,
        "Subsurface Radius": (1.0, 0.9, 0.75),
        "Subsurface Scale": 0.006,
        "Coat Weight": 0.3,
        "Coat Roughness": 0.1,
    },
    "tongue": {
        "Roughness": 0.35,
        "Subsurface Weight": 0.15,
        "Subsurface Radius": _SKIN_RADIUS,
        "Subsurface Scale": 0.003,
        "Coat Weight": 0.25,
        "Coat Roughness": 0.2,
    },
    "mouth": {"Roughness": 0.4, "Coat Weight": 0.2, "Coat Roughness": 0.2},
}

#: Linear RGB where there is no texture.
_PLAIN = {
    "skin": (0.53, 0.32, 0.23),
    "eye": (0.75, 0.73, 0.70),
    "teeth": (0.74, 0.68, 0.55),
    "tongue": (0.42, 0.12, 0.11),
    "mouth": (0.25, 0.06, 0.05),
}


def build_materials(reconstruction: Reconstruction, name: str) -> list[bpy.types.Material]:
    """A new material per slot of ``reconstruction.materials``, named after ``name``.

    They share one packed image of ``reconstruction.texture``; plain colours without a texture.
    """
    image = None
    if reconstruction.texture.size:
        image = packed_image(f"{name} texture", reconstruction.texture, ".png")
    return [_build_material(slot, name, image) for slot in reconstruction.materials]


def packed_image(name: str, encoded: NDArray, suffix: str) -> bpy.types.Image:
    """A new image holding the ``encoded`` picture's bytes inside the .blend, with no file on disk.

    ``suffix`` (".png", ".jpg") names it where an exporter or the user unpacks it.
    """
    data = encoded.tobytes()
    image = bpy.data.images.new(name, 1, 1)
    image.source = "FILE"
    # Only the raw path is set: assigning image.filepath would look for the file on disk.  The USD
    # exporter takes the texture's file name from the packed file.
    image.filepath_raw = f"//{name.replace(' ', '_')}{suffix}"
    image.pack(data=data, data_len=len(data))
    image.colorspace_settings.name = "sRGB"
    image[TAG] = _digest(data)
    return image


def is_painted(image: bpy.types.Image) -> bool:
    """Whether an image of ours shows something else than :func:`packed_image` gave it."""
    if image.is_dirty:
        return True
    known, packed = image.get(TAG), image.packed_file
    # Files of earlier versions hold a number there, which says nothing.
    return isinstance(known, str) and packed is not None and known != _digest(packed.data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def is_ours(image: bpy.types.Image | None) -> TypeGuard[bpy.types.Image]:
    """Whether :func:`packed_image` made ``image``."""
    return image is not None and TAG in image


def _build_material(
    slot: MaterialSlot, name: str, image: bpy.types.Image | None
) -> bpy.types.Material:
    material = bpy.data.materials.new(f"{name} {slot.name}")
    if material.node_tree is None:  # Blender 5 makes the nodes at once
        material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    for key, value in _LOOKS.get(slot.kind, _LOOKS["skin"]).items():
        shader.inputs[key].default_value = value
    plain = (*_PLAIN.get(slot.kind, _PLAIN["skin"]), 1.0)
    # White under a texture: importers of FBX multiply both, which turns skin dark red.
    shader.inputs["Base Color"].default_value = plain if image is None else (1.0, 1.0, 1.0, 1.0)
    material.diffuse_color = plain
    material.roughness = shader.inputs["Roughness"].default_value
    if image is not None:
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = image
        texture.location = (shader.location.x - 360, shader.location.y)
        tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
        tree.nodes.active = texture  # what solid shading's "Texture" mode shows
    return material
