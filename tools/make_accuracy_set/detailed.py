"""What ``bench detail`` asks of a head: relief finer than its mesh, known to the texel.

What a mesh with edges of half a millimetre can hold is true displacement, with its shadows; the
rest (pores) is bump.  The skin has no other bumps.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .hair import BROWS, Style, grow, grow_on_scalp, random_colour, random_style
from .surroundings import build_body, build_lamp

#: Levels on top of the one that ``keep_surface`` adds.
_FINER = 2
#: Standard deviation in texels of what is displaced.
_COARSE = 2.0
STUBBLE = Style(0.9, 0.5, (0, -0.9, 0.2), 0.0, 0.0, 0.1, 5000, 0.05, 0.4)
STUBBLE_SHARE = 0.25


def is_detailed(head: dict[str, NDArray]) -> bool:
    """Whether ``head`` is of such a set."""
    return "relief_mm" in head


def furnish_detailed(
    head: dict[str, NDArray], mesh: dict[str, NDArray], rng: np.random.Generator
) -> tuple[NDArray, list[bpy.types.Object], NDArray]:
    """As :func:`..picture.furnish`: texture, hair and brows, body, hair's colour."""
    tone, vertices = float(head["tone"]), head["vertices_posed"].astype(float)
    triangles = mesh["triangles"]
    texture = head["albedo"].astype(float) / 255
    step = len(texture) // len(mesh["uv_mask_skin"])
    skin = np.median(texture[::step, ::step][mesh["uv_mask_skin"] > 0.9], axis=0) ** 2.2
    colour, style = random_colour(tone, rng), random_style(tone, rng)
    fine = mesh | {"uv_mask_scalp": mesh["uv_mask_scalp"].repeat(step, 0).repeat(step, 1)}
    things = [grow("brows", BROWS, vertices, triangles, mesh["mask_brows"], colour, rng)]
    hair, texture = grow_on_scalp(style, vertices, fine, texture, colour, rng)
    if rng.random() < STUBBLE_SHARE:
        beard = grow("stubble", STUBBLE, vertices, triangles, mesh["mask_beard"], colour, rng)
        hair.append(beard)
    return texture, things + hair + build_body(vertices, triangles, skin, rng), colour


def _height_image(name: str, height: NDArray) -> tuple[bpy.types.Image, float, float]:
    """``height`` (S, S) mm as a picture from 0 to 1, its lowest and its range in mm."""
    low, high = float(height.min()), float(height.max())
    size, span = len(height), max(high - low, 1e-6)
    image = bpy.data.images.new(name, size, size, float_buffer=True, is_data=True)
    rgba = np.ones((size, size, 4), np.float32)
    rgba[..., :3] = ((height[::-1] - low) / span)[..., None]
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image, low, span


def emboss(body: bpy.types.Object, head: dict[str, NDArray]) -> None:
    """Give the head's surface the relief ``relief_mm`` (S, S), outwards, in the UV layout."""
    from scipy.ndimage import gaussian_filter

    relief = head["relief_mm"].astype(np.float32)
    coarse = gaussian_filter(relief, _COARSE)
    finer = body.modifiers.new("Finer", "SUBSURF")
    finer.levels = finer.render_levels = _FINER
    image, low, span = _height_image("relief", coarse)
    texture = bpy.data.textures.new("relief", "IMAGE")
    texture.image = image
    press = body.modifiers.new("Relief", "DISPLACE")
    press.texture, press.texture_coords, press.uv_layer = texture, "UV", "UVMap"
    press.mid_level, press.strength = -low / span, span / 1000
    image, _, span = _height_image("pores", relief - coarse)
    for material in body.data.materials:
        tree = material.node_tree
        bump = next((node for node in tree.nodes if node.type == "BUMP"), None)
        if bump is None:
            continue
        fine = tree.nodes.new("ShaderNodeTexImage")
        fine.image, fine.interpolation = image, "Cubic"
        bump.inputs["Strength"].default_value = 1.0
        bump.inputs["Distance"].default_value = span / 1000
        tree.links.new(fine.outputs["Color"], bump.inputs["Height"])


def detail_lamps(head: dict[str, NDArray]) -> list[bpy.types.Object]:
    """A lamp from ``lamp`` (yaw, pitch; degrees about the way to the camera)."""
    middle = head["vertices_posed"].mean(0)
    eye = -head["rotation"].T @ head["translation"] - middle
    eye /= np.linalg.norm(eye)
    key = Rotation.from_euler("YX", head["lamp"], degrees=True).apply(eye)
    size, watts = float(head["lamp_size"]), float(head["lamp_watts"])
    return [build_lamp("key", middle, key, size, watts, (1.0, 0.98, 0.95))]
