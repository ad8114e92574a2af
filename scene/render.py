"""Cycles pictures of a head: from the photo's camera, and turned to three quarters.

They are made in a scene of its own (``studio.py``) that is removed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from ..backend.geometry.camera import project
from ..backend.geometry.rotation import FACING, about
from .build import HeadScene
from .camera import CameraView, build_camera, view_of_window
from .coordinates import camera_to_blender
from .export import staged
from .light import even_suns, studio_suns, suns_for
from .studio import Studio, pixels_of, studio

#: On the sample, 6 without the skin's subsurface are 3.3 of 255 levels off 400 samples with it
#: (RMS), where 12 with it were 2.6 off and took 2.5 times as long.  Against 160 samples of the same
#: the two pictures are 3.6 and 1.9 off with 7, 3.8 and 2.0 with 5, 3.9 and 2.1 with 4, where the
#: outline gets ragged.
PREVIEW_SAMPLES = 5
THREE_QUARTER_DEGREES, THREE_QUARTER_TILT = 35.0, 4.0  #: from slightly above eye height
BACKGROUND_GREY = 0.865  #: sRGB

#: Focal length of the 3/4 view on the 36 mm long side: a portrait lens.
_PORTRAIT_LENS = 85.0


def render_preview(
    head_scene: HeadScene,
    reconstruction: Reconstruction,
    window: Sequence[float],
    photo_view: str | Path,
    three_quarter: str | Path,
    *,
    size: int = 512,
    samples: int | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> None:
    """:func:`render_photo_view` and :func:`render_three_quarter`, quicker than one by one."""
    tell = progress or (lambda fraction, step: None)
    with _stage(head_scene.head, samples) as (stage, samples):
        tell(0.0, "Rendering the photo's view")
        _photo_view(stage, reconstruction, window, Path(photo_view), size, samples)
        tell(0.5, "Rendering the three-quarter view")
        _three_quarter_view(stage, reconstruction, Path(three_quarter), size, samples)


def render_photo_view(
    head_scene: HeadScene,
    reconstruction: Reconstruction,
    window: Sequence[float],
    path: str | Path,
    *,
    size: int = 512,
    samples: int | None = None,
) -> Path:
    """Render what the photo's camera sees in ``window`` to the PNG ``path``; no background.

    ``window`` is (x0, y0, x1, y1), outer edges in pixels of the photo
    (:func:`~.camera.view_of_window`); its long side gets ``size`` pixels.  RGBA with the alpha of
    the head, so that it can be laid over the photo.  Raises :class:`OutputError`.
    """
    with _stage(head_scene.head, samples) as (stage, samples):
        _photo_view(stage, reconstruction, window, Path(path), size, samples)
    return Path(path)


def render_three_quarter(
    head_scene: HeadScene,
    reconstruction: Reconstruction,
    path: str | Path,
    *,
    size: int = 512,
    samples: int | None = None,
) -> Path:
    """Render the whole head turned by 35 degrees on light grey to the square PNG ``path``.

    Studio light, or even light where the texture holds the photo's.  Raises :class:`OutputError`.
    """
    with _stage(head_scene.head, samples) as (stage, samples):
        _three_quarter_view(stage, reconstruction, Path(path), size, samples)
    return Path(path)


def square_around_head(
    reconstruction: Reconstruction, margin: float = 0.08
) -> tuple[float, float, float, float]:
    """The square window (x0, y0, x1, y1) in pixels of the photo that holds the projected head.

    It may reach outside the photo.
    """
    points = reconstruction.vertices_posed[: reconstruction.head_count]
    camera = points @ reconstruction.rotation.T + reconstruction.translation
    pixels = project(camera, reconstruction.camera_matrix)
    low, high = pixels.min(0), pixels.max(0)
    centre, half = (low + high) / 2, (high - low).max() * (0.5 + margin)
    x0, y0, x1, y1 = (*(centre - half), *(centre + half))
    return float(x0), float(y0), float(x1), float(y1)


@contextmanager
def _stage(head: bpy.types.Object, samples: int | None) -> Iterator[tuple[Studio, int]]:
    """The studio for ``head`` and how many samples a pixel gets: ``samples``, or a preview's."""
    with studio(head, wrinkles=False, glowing=samples is None) as stage:
        yield stage, samples or PREVIEW_SAMPLES


def _photo_view(
    stage: Studio,
    reconstruction: Reconstruction,
    window: Sequence[float],
    path: Path,
    size: int,
    samples: int,
) -> None:
    view = view_of_window(reconstruction, window, size)
    stage.light(suns_for(reconstruction))
    with (
        _camera(reconstruction, view) as camera,
        staged(path.parent) as folder,
        stage.without_bust(),  # the photo's clothes are there
    ):
        stage.render(camera, view, samples, folder / path.name)


def _three_quarter_view(
    stage: Studio, reconstruction: Reconstruction, path: Path, size: int, samples: int
) -> None:
    baked = reconstruction.texture_mode == "photo"
    hair = reconstruction.hair_points.reshape(-1, 3)
    rotation, translation, camera_matrix = look_at(
        # A bust is shown as far as it is in view.
        np.concatenate([reconstruction.vertices_posed[: reconstruction.head_count], hair]),
        size,
        THREE_QUARTER_DEGREES,
        THREE_QUARTER_TILT,
    )
    view = CameraView.from_matrix(camera_matrix, (size, size))
    towards = -rotation.T @ translation
    suns = even_suns(towards / np.linalg.norm(towards)) if baked else studio_suns()
    stage.light(suns, ambient=not baked)
    with _camera(reconstruction, view) as camera, staged(path.parent) as folder:
        camera.matrix_world = Matrix(camera_to_blender(rotation, translation).tolist())
        stage.render(camera, view, samples, folder / path.name)
        lay_on_grey(folder / path.name)


@contextmanager
def _camera(reconstruction: Reconstruction, view: CameraView) -> Iterator[bpy.types.Object]:
    camera = build_camera(reconstruction, "preview", view=view, background=False)
    try:
        yield camera
    finally:
        bpy.data.batch_remove([cast(bpy.types.ID, camera.data)])


def look_at(
    vertices: NDArray, size: int, yaw: float, tilt: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Rotation, translation (mm) and camera matrix that frame ``vertices`` (V, 3) head mm.

    ``yaw`` degrees turn the head's left cheek to the camera, which looks down by ``tilt`` degrees;
    the picture is ``size`` pixels square.
    """
    rotation = FACING @ about(np.radians(tilt), 0) @ about(-np.radians(yaw), 1)
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


def lay_on_grey(path: Path) -> None:
    """Put a plain background behind the picture ``path``, in place.

    A background that Cycles draws gets specks from its denoiser, most at the picture's edges.
    """
    with pixels_of(path) as rgba:
        alpha = rgba[..., 3:]
        rgba[..., :3] = alpha * rgba[..., :3] + (1 - alpha) * BACKGROUND_GREY
        alpha[:] = 1.0
