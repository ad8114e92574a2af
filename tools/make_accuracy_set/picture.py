"""One head to one PNG."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.geometry.camera import project
from reconstruct_face.backend.geometry.triangles import area_vectors
from reconstruct_face.scene.build import can_denoise
from reconstruct_face.scene.camera import CameraView
from reconstruct_face.scene.context import scene_of
from reconstruct_face.scene.quiet import quiet

from .detailed import detail_lamps, emboss, furnish_detailed, is_detailed
from .develop import develop
from .hair import BROWS, beard_style, grow, grow_on_scalp, random_colour, random_style
from .head import build_head
from .known import HARD_SKY, fold, furnish_known, hard_lamps, is_known
from .surroundings import build_body, build_camera, build_lamps, build_sky

SAMPLES = 12
#: Where fine detail counts, which denoising would take away.
FINE_SAMPLES = 16
BEARD_SHARE = 0.22


def render_head(head: dict[str, NDArray], mesh: dict[str, NDArray], path: Path) -> None:
    """Render ``head`` (of ``NNNN.npz``) with what all share (``mesh.npz``) to the PNG ``path``."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    rng = np.random.default_rng(head["look_seed"])
    scene = scene_of(bpy.context)
    known, fine, several = is_known(head), is_detailed(head), "view_seed" in head
    if known or fine:
        texture, things, _ = (furnish_known if known else furnish_detailed)(head, mesh, rng)
    else:
        texture, things, _ = furnish(head, mesh, rng, apart=several)
    look = rng
    if several:  # of one head: what is the picture's own
        rng = np.random.default_rng(head["view_seed"])
    camera, view = build_camera(head)
    if known or fine:
        lamps = hard_lamps(head) if known else detail_lamps(head)
    else:
        lamps = build_lamps(head, rng)
    body = build_head(head, mesh, texture, look)
    if known:
        fold(body, head)
    if fine:
        emboss(body, head)
    things += [body, camera, *lamps]
    for thing in things:
        scene.collection.objects.link(thing)
    scene.camera = camera
    sky = float(head["sky"]) if fine else HARD_SKY if known else 1.0
    scene.world = build_sky(head["rotation"], rng, sky)
    set_up_cycles(scene, view)
    if fine:
        scene.cycles.samples = FINE_SAMPLES
        scene.cycles.denoising_quality, scene.cycles.denoising_prefilter = "HIGH", "ACCURATE"
    linear = render_linear(scene)
    picture = develop(linear, face_pixels(head, mesh), float(head["tone"]), rng)
    write_png(picture, path)


def furnish(
    head: dict[str, NDArray],
    mesh: dict[str, NDArray],
    rng: np.random.Generator,
    *,
    apart: bool = False,
) -> tuple[NDArray, list[bpy.types.Object], NDArray]:
    """The head's texture (T, T, 3) sRGB 0..1, its hair and body, and the hair's colour.

    ``apart``: what grows is drawn from generators of its own.  How much of it is drawn depends on
    the expression, which shall not change whether there is a beard.
    """

    def own() -> np.random.Generator:
        return rng.spawn(1)[0] if apart else rng

    tone, vertices = float(head["tone"]), head["vertices_posed"].astype(float)
    triangles = mesh["triangles"]
    texture = head["albedo"].astype(float) / 255
    skin = np.median(texture[mesh["uv_mask_skin"] > 0.9], axis=0) ** 2.2
    colour = random_colour(tone, rng)
    style = random_style(tone, rng)
    things = [grow("brows", BROWS, vertices, triangles, mesh["mask_brows"], colour, own())]
    hair, texture = grow_on_scalp(style, vertices, mesh, texture, colour, own())
    things += hair
    if rng.random() < BEARD_SHARE:
        beard = beard_style(rng)
        things.append(grow("beard", beard, vertices, triangles, mesh["mask_beard"], colour, own()))
    texture = _freckles(texture, mesh["uv_mask_skin"], rng)
    things += build_body(vertices, triangles, skin, rng)
    return texture, things, colour


def _freckles(texture: NDArray, skin: NDArray, rng: np.random.Generator) -> NDArray:
    """``texture`` with a few moles, and on some faces freckles."""
    size = len(texture)
    count = int(rng.exponential(6)) + (int(rng.uniform(100, 500)) if rng.random() < 0.25 else 0)
    y, x = np.mgrid[:size, :size]
    dark = np.zeros((size, size))
    for _ in range(count):
        row, column = rng.integers(int(0.15 * size), int(0.85 * size), 2)
        radius = rng.uniform(0.5, 1.6)
        part = (slice(max(row - 6, 0), row + 7), slice(max(column - 6, 0), column + 7))
        spot = np.exp(-((y[part] - row) ** 2 + (x[part] - column) ** 2) / (2 * radius**2))
        dark[part] = np.maximum(dark[part], rng.uniform(0.1, 0.35) * spot)
    return texture * (1 - dark * skin)[..., None] ** (0.7, 1.0, 1.2)


def face_pixels(head: dict[str, NDArray], mesh: dict[str, NDArray]) -> NDArray:
    """(S, S) bool: pixels near the centres of the face's triangles turned to the camera."""
    size = int(head["size"])
    points = head["vertices_posed"] @ head["rotation"].T + head["translation"]
    face = mesh["triangles"][mesh["mask_face"][mesh["triangles"]].min(axis=1) > 0.9]
    normals, middle = area_vectors(points, face), points[face].mean(axis=1)
    seen = project(middle[(normals * middle).sum(axis=1) < 0], head["camera_matrix"])
    x, y = np.clip(np.rint(seen), 0, size - 1).astype(int).T
    out = np.zeros((size, size), bool)
    out[y, x] = True
    return out


def set_up_cycles(scene: bpy.types.Scene, view: CameraView) -> None:
    """Cycles for a quick picture of ``view``, in linear light."""
    scene.render.engine = "CYCLES"
    view.apply_to_render(scene.render)
    cycles = scene.cycles
    cycles.samples, cycles.seed = SAMPLES, 0
    cycles.use_adaptive_sampling = False
    cycles.max_bounces, cycles.transmission_bounces = 4, 3
    cycles.sample_clamp_indirect = 5.0
    cycles.use_denoising = can_denoise(scene)
    cycles.denoising_quality = "FAST"
    cycles.denoising_prefilter = "FAST"
    scene.cycles_curves.shape = "RIBBONS"
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_mode = "RGB"


def render_linear(scene: bpy.types.Scene) -> NDArray:
    """(H, W, 3) scene-linear."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "linear.exr"
        scene.render.filepath = str(path)
        with quiet():
            bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path))
        width, height = image.size
        pixels = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, -1)[::-1, :, :3].astype(float)


def write_png(picture: NDArray, path: Path) -> None:
    """``picture`` (H, W, 3) sRGB 0..1; beside first, so that no half-written one is taken."""
    from PIL import Image

    beside = path.with_suffix(".part")
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(beside, "PNG")
    beside.replace(path)
