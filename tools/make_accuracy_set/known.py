"""What ``bench albedo`` asks of a head: an albedo known to the texel, folds, lashes, hard light.

The texture is the truth as it stands; hair and brows as curves would cover it, so there is only
hair on the scalp.  Folds are displaced, not painted: what a texture keeps of them is a fault.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.geometry.triangles import vertex_normals
from scipy.spatial.transform import Rotation

from .hair import POINTS, build_curves, grow_on_scalp, random_colour, random_style
from .surroundings import build_body, build_lamp

#: Of the panorama, against the lamp.
HARD_SKY = 0.35
LASH_MM, LASH_RADIUS, LASHES = 9.0, 0.07, 110
#: Levels on top of the one that ``keep_surface`` adds: edges of half a millimetre.
_FINER = 2


def is_known(head: dict[str, NDArray]) -> bool:
    """Whether ``head`` is of such a set."""
    return "fold_mm" in head


def furnish_known(
    head: dict[str, NDArray], mesh: dict[str, NDArray], rng: np.random.Generator
) -> tuple[NDArray, list[bpy.types.Object], NDArray]:
    """As :func:`..picture.furnish`: texture, hair of the scalp, lashes and body, hair's colour."""
    tone, vertices = float(head["tone"]), head["vertices_posed"].astype(float)
    triangles = mesh["triangles"]
    texture = head["albedo"].astype(float) / 255
    skin = np.median(texture[mesh["uv_mask_skin"] > 0.9], axis=0) ** 2.2
    colour, style = random_colour(tone, rng), random_style(tone, rng)
    things = [lashes(vertices, triangles, ring, rng) for ring in head["lid_edges"]]
    hair, texture = grow_on_scalp(style, vertices, mesh, texture, colour, rng)
    things += hair
    things += build_body(vertices, triangles, skin, rng)
    return texture, things, colour


def lashes(
    vertices: NDArray, triangles: NDArray, edge: NDArray, rng: np.random.Generator
) -> bpy.types.Object:
    """Upper lashes, forwards and bending up, along the lid whose ``edge`` is vertices (N,)."""
    normals = vertex_normals(vertices, triangles)
    along = np.sort(rng.uniform(0.06, 0.94, LASHES)) * (len(edge) - 1)
    place, way = (
        np.stack([np.interp(along, np.arange(len(edge)), field[edge, k]) for k in range(3)], 1)
        for field in (vertices, normals)
    )
    way = way + (0.0, -0.3, 0.8)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    t = np.linspace(0, 1, POINTS)[:, None]
    length = LASH_MM * rng.uniform(0.6, 1.0, (LASHES, 1, 1))
    strands = place[:, None] + length * (t * way[:, None] + 0.5 * t**2 * np.array([0, 1.0, 0]))
    return build_curves("lashes", strands, LASH_RADIUS, np.array([0.01, 0.008, 0.007]), rng)


def fold(body: bpy.types.Object, head: dict[str, NDArray]) -> None:
    """Press the folds ``fold_mm`` (T, T), depths in the UV layout, into the head's surface."""
    finer = body.modifiers.new("Finer", "SUBSURF")
    finer.levels = finer.render_levels = _FINER
    depth = head["fold_mm"].astype(np.float32)
    size = len(depth)
    image = bpy.data.images.new("folds", size, size, float_buffer=True, is_data=True)
    rgba = np.ones((size, size, 4), np.float32)
    rgba[..., :3] = depth[::-1, :, None] / max(float(depth.max()), 1e-6)
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    texture = bpy.data.textures.new("folds", "IMAGE")
    texture.image = image
    press = body.modifiers.new("Folds", "DISPLACE")
    press.texture, press.texture_coords, press.uv_layer = texture, "UV", "UVMap"
    press.mid_level, press.strength = 0.0, -float(depth.max()) / 1000


def hard_lamps(head: dict[str, NDArray]) -> list[bpy.types.Object]:
    """A small bright lamp from ``lamp`` (yaw, pitch; degrees about the way to the camera), and a
    weaker one of colour ``stage`` (3,) from the other side."""
    middle = head["vertices_posed"].mean(0)
    eye = -head["rotation"].T @ head["translation"] - middle
    eye /= np.linalg.norm(eye)
    yaw, pitch = head["lamp"]
    key, stage = (
        Rotation.from_euler("YX", angles, degrees=True).apply(eye)
        for angles in ([yaw, pitch], [-1.2 * yaw, 0.3 * pitch])
    )
    return [
        build_lamp("key", middle, key, 0.08, 16.0, (1.0, 0.97, 0.93)),
        build_lamp("stage", middle, stage, 0.3, 5.0, head["stage"].tolist()),
    ]
