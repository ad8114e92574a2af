"""Cycles pictures of one head in many expressions, from cameras that go round it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from .build import HeadScene
from .camera import CameraView, build_camera
from .coordinates import camera_to_blender
from .export import staged
from .light import even_suns, studio_suns
from .mesh import expression_keys
from .render import lay_on_grey, look_at
from .studio import Studio, studio

#: iBUG 300-W landmarks that a close view frames.
CLOSE = {"eyes": (*range(17, 27), 28, *range(36, 48)), "mouth": (30, 31, 35, 5, 11, 8)}


@dataclass(frozen=True)
class Angle:
    """Where a camera stands: the head's left cheek turned to it by ``yaw`` degrees, looking down
    by ``tilt``, at the whole head or one of :data:`CLOSE`."""

    name: str
    yaw: float = 0.0
    tilt: float = 0.0
    close: str = ""


def render_poses(
    head_scene: HeadScene,
    reconstruction: Reconstruction,
    poses: Sequence[Mapping[str, float]],
    angles: Sequence[Sequence[Angle]],
    folder: str | Path,
    *,
    size: int,
    samples: int,
    progress: Callable[[float], None] | None = None,
) -> list[dict[str, Path]]:
    """A square PNG for every pose and each of its ``angles``; angle's name to file, pose by pose.

    A pose is shape key names to values; all others are 0, names that the head lacks are left out.
    Studio light from key, fill and rim, or even light where the texture holds the photo's; ``size``
    pixels a side on light grey.  The head has the last pose afterwards.
    Raises :class:`OutputError`.
    """
    folder = Path(folder)
    keys = expression_keys(head_scene.head)
    views = {angle: _frame(reconstruction, angle, size) for group in angles for angle in group}
    done = 0
    files: list[dict[str, Path]] = []
    for number, (pose, group) in enumerate(zip(poses, angles, strict=True)):
        for key in keys:
            key.value = pose.get(key.name, 0.0)
        bpy.context.view_layer.update()
        row: dict[str, Path] = {}
        with studio(head_scene.head) as stage:
            for angle in group:
                row[angle.name] = folder / f"{number:02d}_{angle.name}.png"
                _light(stage, reconstruction, views[angle][0])
                _render(stage, reconstruction, views[angle], row[angle.name], size, samples)
                done += 1
                if progress is not None:
                    progress(done / sum(len(one) for one in angles))
        files.append(row)
    return files


View = tuple[NDArray, NDArray, NDArray]  #: rotation, translation (mm), camera matrix


def _frame(reconstruction: Reconstruction, angle: Angle, size: int) -> View:
    """What of the neutral head the camera at ``angle`` frames."""
    points = reconstruction.vertices_neutral[: reconstruction.head_count].astype(float)
    if angle.close:
        points = points[reconstruction.landmarks68[list(CLOSE[angle.close])]]
    return look_at(points, size, angle.yaw, angle.tilt)


def _light(stage: Studio, reconstruction: Reconstruction, rotation: NDArray) -> None:
    """Lamps that stay with the head; a baked texture is lit from the camera."""
    baked = reconstruction.texture_mode == "photo"
    stage.light(even_suns(-rotation[2]) if baked else studio_suns(), ambient=not baked)


def _render(
    stage: Studio, reconstruction: Reconstruction, view: View, path: Path, size: int, samples: int
) -> None:
    rotation, translation, camera_matrix = view
    frame = CameraView.from_matrix(camera_matrix, (size, size))
    camera = build_camera(reconstruction, "pose", view=frame, background=False)
    camera.matrix_world = Matrix(np.asarray(camera_to_blender(rotation, translation)).tolist())
    try:
        with staged(path.parent) as folder:
            stage.render(camera, frame, samples, folder / path.name)
            lay_on_grey(folder / path.name)
    finally:
        bpy.data.batch_remove([cast(bpy.types.ID, camera.data)])
