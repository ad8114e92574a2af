"""What the scene's own camera sees of the head it holds, by Cycles, pass by pass.

The conventions are in ``backend/verify/view.py``.  Each pass is a rendering of its own in which
the head's materials, or copies of them, emit what is asked for; that says what the scene holds
without the sampling noise of light, and one sample is enough.  The file is left as it was: scene
and materials of ours are removed, and nobody saves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.errors import ExchangeError, OutputError
from ..backend.exchange.passes import Passes
from .build import head_scene_of
from .camera import photo_frame
from .context import scene_of
from .coordinates import MM_PER_M
from .mesh import about, is_head, photo_name
from .parts import whole
from .passes_material import Emitted, emitting
from .quiet import quiet

#: Pixels: the least that Cycles takes, so that the one ray goes through the pixel's middle.
_FILTER_WIDTH = 0.01
#: Alpha of a picture of one sample is 0 or 1.
_COVERED = 0.5
#: A ray may go through so many back faces.
_LAYERS = 64


@dataclass(frozen=True)
class Window:
    """A part of what the scene renders, scaled: see ``backend.verify.view.Window``."""

    frame: tuple[int, int]  #: width, height of the whole picture at that scale
    left: int
    top: int
    width: int
    height: int


def find_head(name: str | None = None, photo: str = "", face_index: int = 1) -> bpy.types.Object:
    """The head called ``name``; else the only one, or the only one of that face of that photo.

    Raises :class:`ExchangeError` with the names there are.
    """
    heads = [thing for thing in bpy.data.objects if is_head(thing)]
    if name is not None:
        found = [head for head in heads if head.name == name]
    elif len(heads) == 1:
        found = heads
    else:
        wanted = (photo, face_index)
        told = [(photo_name(head), about(head).get("face_index")) for head in heads]
        found = [head for head, what in zip(heads, told, strict=True) if what == wanted]
    if len(found) == 1:
        return found[0]
    names = ", ".join(head.name for head in heads) or "none"
    raise ExchangeError(
        f"The file has no single head {'called ' + name if name else 'of this reconstruction'} "
        f"(heads: {names}); name one of them."
    )


def frame_of(head: bpy.types.Object) -> dict[str, Any]:
    """``{"width", "height", "pixel_aspect"}`` of the picture that ``head``'s camera is set for.

    The photo's as long as nobody fitted the camera to the scene (``camera.fit_to_scene``): a scene
    of another shape then only cuts elsewhere.  Else what the scene renders.

    Raises :class:`ExchangeError` where the head's camera is gone.
    """
    camera = _camera_of(head)
    photo = photo_frame(camera)
    if photo is not None:
        return {"width": photo.width, "height": photo.height, "pixel_aspect": photo.pixel_aspect}
    render = _scene_of(camera).render
    percentage = render.resolution_percentage / 100
    return {
        "width": int(render.resolution_x * percentage),
        "height": int(render.resolution_y * percentage),
        "pixel_aspect": [render.pixel_aspect_x, render.pixel_aspect_y],
    }


def render_passes(head: bpy.types.Object, window: Window, sh_light: NDArray) -> Passes:
    """``window`` of what the camera of ``head`` sees of it, lit by ``sh_light`` (9, 3), head axes.

    Subdivision is taken off.  Raises :class:`ExchangeError` where a material has no base colour to
    be read, :class:`OutputError` where Cycles fails.
    """
    camera = _camera_of(head)
    with _pass_scene(head, camera, window, subdivided=False) as scene:
        shots = {
            kind: _shoot(scene, head, window, kind, sh_light)
            for kind in (Emitted.NORMAL, Emitted.DEPTH, Emitted.UNLIT, Emitted.SHADED)
        }
    covered = shots[Emitted.NORMAL][..., 3] > _COVERED
    world = 2 * shots[Emitted.NORMAL][..., :3].astype(np.float64) - 1
    world /= np.maximum(np.linalg.norm(world, axis=-1, keepdims=True), 1e-12)
    # Blender's camera looks along its -z with y up; ours along z with y down.
    turn = np.array(camera.matrix_world.to_3x3().normalized()) @ np.diag([1.0, -1.0, -1.0])
    return Passes(
        covered,
        _inside(MM_PER_M * shots[Emitted.DEPTH][..., 0], covered),
        _inside(world @ turn, covered),
        _inside(shots[Emitted.UNLIT][..., :3], covered),
        _inside(shots[Emitted.SHADED][..., :3], covered),
    ).validate()


def render_subdivided_depth(head: bpy.types.Object, window: Window) -> NDArray[np.float32]:
    """(H, W) mm, 0 where there is nothing: depth of the surface with its subdivision."""
    with _pass_scene(head, _camera_of(head), window, subdivided=True) as scene:
        shot = _shoot(scene, head, window, Emitted.DEPTH, np.zeros((9, 3)))
    return _inside(MM_PER_M * shot[..., 0], shot[..., 3] > _COVERED)


def _inside(values: NDArray, covered: NDArray) -> NDArray[np.float32]:
    mask = covered if values.ndim == 2 else covered[..., None]
    return np.where(mask, values, 0).astype(np.float32)


def _camera_of(head: bpy.types.Object) -> bpy.types.Object:
    camera = head_scene_of(head).camera
    if camera is None:
        raise ExchangeError(f"The camera of {head.name} is gone; reconstruct it again.")
    return camera


def _scene_of(camera: bpy.types.Object) -> bpy.types.Scene:
    scenes = list(camera.users_scene)
    return scenes[0] if scenes else scene_of(bpy.context)


@contextmanager
def _pass_scene(
    head: bpy.types.Object, camera: bpy.types.Object, window: Window, *, subdivided: bool
) -> Iterator[bpy.types.Scene]:
    """A scene of our own with head and camera as they are, that renders the window."""
    smooth = [modifier for modifier in head.modifiers if modifier.type == "SUBSURF"]
    shown = [modifier.show_render for modifier in smooth]
    scene = bpy.data.scenes.new("verification")
    try:
        for modifier in smooth:
            modifier.show_render = subdivided and modifier.show_render
        for thing in (head, camera):
            scene.collection.objects.link(thing)
        scene.camera = camera
        render = scene.render
        render.engine = "CYCLES"
        render.resolution_x, render.resolution_y = window.frame
        render.resolution_percentage = 100
        render.pixel_aspect_x, render.pixel_aspect_y = frame_of(head)["pixel_aspect"]
        # Blender cuts by parts of the picture and rounds down: half a pixel more keeps it exact.
        width, height = window.frame
        render.use_border = render.use_crop_to_border = True
        render.border_min_x = (window.left + 0.5) / width
        render.border_max_x = (window.left + window.width + 0.5) / width
        render.border_min_y = (height - window.top - window.height + 0.5) / height
        render.border_max_y = (height - window.top + 0.5) / height
        render.film_transparent = True
        settings: Any = scene.cycles
        settings.samples = 1
        settings.use_adaptive_sampling = settings.use_denoising = False
        settings.pixel_filter_type = "BLACKMAN_HARRIS"
        settings.filter_width = _FILTER_WIDTH
        settings.transparent_max_bounces = _LAYERS
        settings.max_bounces = 0
        settings.sample_clamp_direct = settings.sample_clamp_indirect = 0.0
        pictures = render.image_settings
        pictures.file_format = "OPEN_EXR"
        pictures.color_mode = "RGBA"
        pictures.color_depth = "32"
        with whole(head):
            yield scene
    finally:
        for modifier, show in zip(smooth, shown, strict=True):
            modifier.show_render = show
        bpy.data.scenes.remove(scene)


def _shoot(
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    window: Window,
    kind: Emitted,
    sh_light: NDArray,
) -> NDArray[np.float32]:
    """(H, W, 4) linear RGBA, row 0 on top, of ``head`` with all materials emitting ``kind``."""
    with tempfile.TemporaryDirectory() as folder, emitting(head, kind, sh_light):
        path = Path(folder) / "pass.exr"
        scene.render.filepath = str(path)
        try:
            with quiet():
                bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise OutputError(f"Cycles cannot render: {str(error).strip()}") from error
        if not path.exists():
            raise OutputError("Blender wrote no picture; is the disk full?")
        return _read(path, window)


def _read(path: Path, window: Window) -> NDArray[np.float32]:
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    if (width, height) != (window.width, window.height):
        raise OutputError(
            f"Blender rendered {width} x {height} pixels where {window.width} x {window.height} "
            "were asked for."
        )
    return pixels.reshape(height, width, 4)[::-1]
