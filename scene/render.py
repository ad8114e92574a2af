"""Cycles pictures of a head: from the photo's camera, and turned to three quarters.

Each picture is made in a scene of its own that is removed afterwards, so the user's render
settings, world and camera are never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..backend.errors import OutputError
from ..backend.exchange import Reconstruction
from ..backend.geometry.camera import project
from ..backend.geometry.rotation import FACING, about
from .build import HeadScene, can_denoise
from .camera import CameraView, build_camera, view_of_window
from .coordinates import camera_to_blender
from .export import staged
from .light import build_suns, even_suns, studio_suns
from .quiet import quiet

PREVIEW_SAMPLES = 12
SAMPLES_WITHOUT_DENOISER = 3  #: times as many
THREE_QUARTER_DEGREES = 35.0
BACKGROUND_GREY = 0.865  #: sRGB
AMBIENT = 0.18  #: linear, what the grey room adds to the light

#: Focal length of the 3/4 view on the 36 mm long side: a portrait lens.
_PORTRAIT_LENS = 85.0


def render_photo_view(
    head_scene: HeadScene,
    reconstruction: Reconstruction,
    window: Sequence[float],
    path: str | Path,
    *,
    size: int = 512,
    samples: int = PREVIEW_SAMPLES,
) -> Path:
    """Render what the photo's camera sees in ``window`` to the PNG ``path``; no background.

    ``window`` is (x0, y0, x1, y1), outer edges in pixels of the photo
    (:func:`~.camera.view_of_window`); its long side gets ``size`` pixels.  RGBA with the alpha of
    the head, so that it can be laid over the photo.  Raises :class:`OutputError`.
    """
    view = view_of_window(reconstruction, window, size)
    camera = build_camera(reconstruction, "render", view=view, background=False)
    path = Path(path)
    with (
        _render_scene(head_scene.head, camera, head_scene.lights, view, samples) as scene,
        staged(path.parent) as folder,
    ):
        _render(scene, folder / path.name)
    return path


def render_three_quarter(
    head_scene: HeadScene,
    reconstruction: Reconstruction,
    path: str | Path,
    *,
    size: int = 512,
    samples: int = PREVIEW_SAMPLES,
) -> Path:
    """Render the whole head turned by 35 degrees on light grey to the square PNG ``path``.

    Studio light, or even light where the texture holds the photo's.  Raises :class:`OutputError`.
    """
    baked = reconstruction.texture_mode == "photo"
    rotation, translation, camera_matrix = _three_quarter(reconstruction.vertices_posed, size)
    view = CameraView.from_matrix(camera_matrix, (size, size))
    camera = build_camera(reconstruction, "render", view=view, background=False)
    camera.matrix_world = Matrix(camera_to_blender(rotation, translation).tolist())
    towards = -rotation.T @ translation
    suns = even_suns(towards / np.linalg.norm(towards)) if baked else studio_suns()
    lights = build_suns(suns, "render light")
    world = None if baked else _ambient_world()
    path = Path(path)
    try:
        with _render_scene(head_scene.head, camera, lights, view, samples) as scene:
            scene.world = world
            with staged(path.parent) as folder:
                _lay_on_grey(_render(scene, folder / path.name))
            return path
    finally:
        rig = [light.data for light in lights]
        bpy.data.batch_remove([thing for thing in (*rig, world) if thing is not None])


def square_around_head(
    reconstruction: Reconstruction, margin: float = 0.08
) -> tuple[float, float, float, float]:
    """The square window (x0, y0, x1, y1) in pixels of the photo that holds the projected head.

    It may reach outside the photo.
    """
    camera = reconstruction.vertices_posed @ reconstruction.rotation.T + reconstruction.translation
    pixels = project(camera, reconstruction.camera_matrix)
    low, high = pixels.min(0), pixels.max(0)
    centre, half = (low + high) / 2, (high - low).max() * (0.5 + margin)
    x0, y0, x1, y1 = (*(centre - half), *(centre + half))
    return float(x0), float(y0), float(x1), float(y1)


def _three_quarter(vertices: NDArray, size: int) -> tuple[NDArray, NDArray, NDArray]:
    """Rotation, translation (mm) and camera matrix that frame ``vertices`` (V, 3) head mm.

    The camera looks from slightly above eye height at a head whose left cheek is turned to it.
    """
    yaw, tilt = np.radians(THREE_QUARTER_DEGREES), np.radians(4.0)
    rotation = FACING @ about(tilt, 0) @ about(-yaw, 1)
    turned = vertices.astype(np.float64) @ rotation.T
    low, high = turned.min(0), turned.max(0)
    extent = float((high - low)[:2].max())
    # Far enough for a portrait lens to frame the head as deep as its nearest point.
    distance = extent * _PORTRAIT_LENS / 36.0 + (high - low)[2] / 2
    translation = -(low + high) / 2 + (0.0, 0.0, distance)
    camera = turned + translation
    plane = project(camera, np.eye(3))
    low, high = plane.min(0), plane.max(0)
    focal = 0.88 * size / float((high - low).max())
    centre = (size - 1) / 2 - focal * (low + high) / 2
    matrix = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    return rotation, translation, matrix


@contextmanager
def _render_scene(
    head: bpy.types.Object,
    camera: bpy.types.Object,
    lights: tuple[bpy.types.Object, ...] | list[bpy.types.Object],
    view: CameraView,
    samples: int,
) -> Iterator[bpy.types.Scene]:
    """A scene of our own with these objects; it and ``camera`` are removed in the end."""
    scene = bpy.data.scenes.new("render")
    # At this size a second level of subdivision shows nothing and costs a second.
    subdivision = [modifier for modifier in head.modifiers if modifier.type == "SUBSURF"]
    levels = [modifier.render_levels for modifier in subdivision]
    try:
        for modifier in subdivision:
            modifier.render_levels = 1
        for thing in (head, camera, *lights):
            scene.collection.objects.link(thing)
        scene.camera = camera
        _set_up_cycles(scene, samples)
        view.apply_to_render(scene.render)
        yield scene
    finally:
        for modifier, level in zip(subdivision, levels, strict=True):
            modifier.render_levels = level
        bpy.data.scenes.remove(scene)
        bpy.data.batch_remove([thing for thing in (camera.data,) if thing is not None])


def _set_up_cycles(scene: bpy.types.Scene, samples: int) -> None:
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_light_tree = False  # a handful of suns: picking one costs more
    scene.cycles.max_bounces = 4
    scene.cycles.use_denoising = can_denoise(scene)
    if not scene.cycles.use_denoising:
        scene.cycles.samples = samples * SAMPLES_WITHOUT_DENOISER
    # "High" takes 2 s for 512 x 512 on two cores, more than the samples it saves.
    scene.cycles.denoising_quality = "FAST"
    scene.cycles.denoising_prefilter = "FAST"
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.use_persistent_data = False


def _render(scene: bpy.types.Scene, path: Path) -> Path:
    scene.render.filepath = str(path)
    try:
        with quiet():
            bpy.ops.render.render(write_still=True, scene=scene.name)
    except RuntimeError as error:
        raise OutputError(f"Cannot render {path.name}: {str(error).strip()}") from error
    if not path.exists():
        raise OutputError(f"Blender wrote no picture {path.name}; is the disk full?")
    return path


def _lay_on_grey(path: Path) -> None:
    """Put a plain background behind the picture ``path``, in place.

    A background that Cycles draws gets specks from its denoiser, most at the picture's edges.
    """
    image = bpy.data.images.load(str(path))
    try:
        pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
        rgba = pixels.reshape(-1, 4)
        rgba[:, :3] = rgba[:, 3:] * rgba[:, :3] + (1 - rgba[:, 3:]) * BACKGROUND_GREY
        rgba[:, 3] = 1.0
        image.pixels.foreach_set(pixels)
        image.save()
    finally:
        bpy.data.images.remove(image)


def _ambient_world() -> bpy.types.World:
    world = bpy.data.worlds.new("render")
    if world.node_tree is None:  # Blender 5 makes the nodes at once
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (AMBIENT, AMBIENT, AMBIENT, 1.0)
    background.inputs["Strength"].default_value = 1.0
    return world
