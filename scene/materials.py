"""Materials of the head: one packed texture atlas, one Principled shader per kind of surface.

The texture goes straight into Base Color, and the skin's maps straight into Roughness, Specular and
Normal: that is what Cycles, EEVEE and the glTF, FBX and USD exporters all understand, and what a
person finds where it is expected.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeGuard

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.exchange import MaterialSlot, Reconstruction
from ..backend.exchange.exr import encode_exr
from ..backend.exchange.reconstruction import BUST, SEEN_THROUGH
from . import eye_materials

UV_MAP = "UVMap"

#: Custom property that marks our images; its value is the digest of what was packed.
TAG = "reconstruct_face_image"

#: Custom property of our images: what they hold, a key of :data:`PICTURES`.
ROLE = "reconstruct_face_role"
#: What the images are called after the head's name.
PICTURES = {
    "colour": "texture",
    "normal": "normal map",
    "roughness": "roughness map",
    "specular": "specular map",
    "wrinkles right": "wrinkles right",
    "wrinkles left": "wrinkles left",
    "bust colour": "bust texture",
    "bust normal": "bust normal map",
    "folds": "folds",
    "displacement": "displacement",
}
#: Mean free path of light in skin, in metres for red, green and blue (Jensen et al. 2001, "A
#: Practical Model for Subsurface Light Transport", skin1: 3.67, 1.37, 0.68 mm), as a ratio: the
#: shader multiplies it by its Subsurface Scale.
_SKIN_RADIUS = (1.0, 0.37, 0.19)

#: Inputs of the Principled BSDF by name (Blender 4.0 and later), per kind of surface.
_LOOKS: dict[str, dict[str, Any]] = {
    "skin": {
        "Roughness": 0.5,
        "IOR": 1.4,
        "Subsurface Weight": 1.0,
        "Subsurface Radius": _SKIN_RADIUS,
        "Subsurface Scale": 0.00367,
    },
    **eye_materials.LOOKS,
    "teeth": {
        "Roughness": 0.22,
        # By eye, on a smile, an open mouth and bared teeth: with 0.7 and 6 mm more light is lost
        # in the mouth behind, and teeth are grey.
        "Subsurface Weight": 0.3,
        "Subsurface Radius": (1.0, 0.9, 0.75),
        "Subsurface Scale": 0.002,
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

#: Input of the shader that a picture feeds, and what its frame in the node editor says.
SOCKETS = {
    "colour": "Base Color",
    "roughness": "Roughness",
    "specular": "Specular IOR Level",
    "normal": "Normal",
}
#: By kind of surface the roles of its pictures; of the others it is the colour alone.
_PICTURED = {
    "skin": SOCKETS,
    BUST: {"bust colour": SOCKETS["colour"], "bust normal": SOCKETS["normal"]},
}
_ONLY_COLOUR = {"colour": SOCKETS["colour"]}
#: Of a bust with a texture: the neck's in the skin's map (``ROUGHNESS`` in ``texture/skin.py``).
_NECK_ROUGHNESS = 0.55
_FRAMES = {
    "colour": "Colour",
    "roughness": "Roughness: oily forehead and nose, dry cheeks and neck",
    "specular": "Specular: less in lines and pores",
    "normal": "Relief: lines of the photo, pores",
    "bust colour": "Colour: the neck's, then plain skin",
    "bust normal": "Relief: pores",
}

#: Linear RGB where there is no texture.
_PLAIN = {
    "skin": (0.53, 0.32, 0.23),
    **eye_materials.PLAIN,
    "teeth": (0.74, 0.68, 0.55),
    "tongue": (0.42, 0.12, 0.11),
    "mouth": (0.25, 0.06, 0.05),
}


#: Roles of pictures that hold colours, not numbers.
_COLOURS = ("colour", "bust colour")


def build_materials(
    reconstruction: Reconstruction, name: str, images: dict[str, bpy.types.Image]
) -> list[bpy.types.Material]:
    """A new material per slot of ``reconstruction.materials``, named after ``name``.

    They share one packed image of the texture, skin and bust have their maps, as in ``images``
    (:func:`build_images`), a bust its own texture; plain colours without a texture.
    """
    return [_build_material(slot, name, images) for slot in reconstruction.materials]


def build_images(reconstruction: Reconstruction, name: str) -> dict[str, bpy.types.Image]:
    """The packed images of the head's surface that there are, by role (:data:`PICTURES`)."""
    encoded = {
        "colour": (reconstruction.texture, ".png"),
        "normal": (reconstruction.normal_map, ".jpg"),
        "roughness": (reconstruction.roughness_map, ".jpg"),
        "specular": (reconstruction.specular_map, ".jpg"),
        "wrinkles right": (reconstruction.wrinkles_right, ".png"),
        "wrinkles left": (reconstruction.wrinkles_left, ".png"),
        "bust colour": (reconstruction.bust_texture, ".png"),
        "bust normal": (reconstruction.bust_normal_map, ".jpg"),
        "folds": (reconstruction.folds, ".png"),
        "displacement": (_displacement_file(reconstruction), ".exr"),
    }
    images = {}
    for role, (data, suffix) in encoded.items():
        if data.size:
            images[role] = image = packed_image(f"{name} {PICTURES[role]}", data, suffix)
            image[ROLE] = role
            if role not in _COLOURS:
                image.colorspace_settings.name = "Non-Color"
    return images


def _displacement_file(reconstruction: Reconstruction) -> NDArray:
    """The displacement's picture, encoded; empty without one."""
    height = reconstruction.displacement
    return encode_exr(height) if height.size else np.empty(0, np.uint8)


def role_of(image: bpy.types.Image) -> str:
    """What an image of ours holds; those of earlier versions hold colours."""
    return str(image.get(ROLE, "colour"))


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
    slot: MaterialSlot, name: str, images: dict[str, bpy.types.Image]
) -> bpy.types.Material:
    material = bpy.data.materials.new(f"{name} {slot.name}")
    material[eye_materials.KIND] = slot.kind
    if material.node_tree is None:  # Blender 5 makes the nodes at once
        material.use_nodes = True
    tree: Any = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    for key, value in _LOOKS.get(slot.kind, _LOOKS["skin"]).items():
        shader.inputs[key].default_value = value
    wanted = _PICTURED.get(slot.kind, _ONLY_COLOUR)
    textured = not wanted.keys().isdisjoint(images) and slot.kind not in SEEN_THROUGH
    if textured and slot.kind == BUST:
        shader.inputs["Roughness"].default_value = _NECK_ROUGHNESS
    plain = (*_PLAIN.get(slot.kind, _PLAIN["skin"]), 1.0)
    # White under a texture: importers of FBX multiply both, which turns skin dark red.
    shader.inputs["Base Color"].default_value = (1.0, 1.0, 1.0, 1.0) if textured else plain
    material.diffuse_color = plain
    material.roughness = shader.inputs["Roughness"].default_value
    eye_materials.set_solid_look(material, slot.kind)
    if slot.kind in eye_materials.CLEAR:
        eye_materials.make_clear(material)
    if slot.kind in SEEN_THROUGH:
        return material
    for row, (role, socket) in enumerate(wanted.items()):
        if role in images:
            _add_picture(tree, shader, images[role], role, socket, row)
    if slot.kind in ("skin", BUST):
        shader.subsurface_method = "RANDOM_WALK_SKIN"
    return material


def _add_picture(
    tree: bpy.types.NodeTree,
    shader: bpy.types.Node,
    image: bpy.types.Image,
    role: str,
    socket: str,
    row: int,
) -> None:
    """An image that feeds ``socket`` of the ``shader``, in a frame of its own beside it."""
    frame = tree.nodes.new("NodeFrame")
    frame.label = frame.name = _FRAMES[role]
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image, texture.parent = image, frame
    texture.label = texture.name = PICTURES[role].capitalize()
    x, y = shader.location
    texture.location = (x - 640, y - 320 * row)
    source = texture.outputs["Color"]
    if socket == SOCKETS["normal"]:
        relief = tree.nodes.new("ShaderNodeNormalMap")
        relief.uv_map, relief.parent = UV_MAP, frame
        relief.location = (x - 320, y - 320 * row)
        tree.links.new(source, relief.inputs["Color"])
        source = relief.outputs["Normal"]
    tree.links.new(source, shader.inputs[socket])
    if socket == SOCKETS["colour"]:
        tree.nodes.active = texture  # what solid shading's "Texture" mode shows
