"""A Blender camera that reproduces the photo's view, pixel for pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from .coordinates import camera_to_blender
from .materials import packed_image

#: The long side of the sensor in mm: the lens then reads as for a 35 mm film camera.
SENSOR_MM = 36.0

#: Custom properties of our cameras: fx, fy, cx, cy, width, height of the photo in pixels ...
VIEW = "reconstruct_face_view"
#: ... and the 16 numbers, row by row, of their place relative to the head.
PLACE = "reconstruct_face_place"

#: Blender keeps render sizes within these.
_SMALLEST_PX, _LARGEST_PX = 4, 65536


@dataclass(frozen=True)
class CameraView:
    """Blender's way to say a camera matrix; ``width`` and ``height`` are the picture's pixels."""

    lens: float  #: mm
    sensor_fit: str  #: "HORIZONTAL" or "VERTICAL", the picture's long side
    shift_x: float  #: in units of the long side
    shift_y: float
    width: int
    height: int
    pixel_aspect: tuple[float, float]  #: width and height of a pixel, the smaller one is 1

    @classmethod
    def from_matrix(cls, camera_matrix: NDArray, size: tuple[int, int]) -> CameraView:
        """The view of ``camera_matrix`` (3, 3) in pixels over a picture of ``size``.

        Pixel (0, 0) is the *centre* of the top-left pixel, as in :class:`Reconstruction`, so the
        picture's centre is at ((width - 1) / 2, (height - 1) / 2).  Skew is not representable in
        Blender and is left out (the backend never makes any).
        """
        (fx, _, cx), (_, fy, cy) = camera_matrix[0], camera_matrix[1]
        width, height = size
        aspect = (max(1.0, fy / fx), max(1.0, fx / fy))
        horizontal = width * aspect[0] >= height * aspect[1]
        long_side = width * aspect[0] if horizontal else height * aspect[1]
        return cls(
            lens=float(fx * aspect[0] / long_side * SENSOR_MM),
            sensor_fit="HORIZONTAL" if horizontal else "VERTICAL",
            shift_x=float(((width - 1) / 2 - cx) * aspect[0] / long_side),
            shift_y=float((cy - (height - 1) / 2) * aspect[1] / long_side),
            width=width,
            height=height,
            pixel_aspect=aspect,
        )

    def apply_to_camera(self, data: bpy.types.Camera) -> None:
        """Set lens, sensor and shift of ``data``."""
        data.type = "PERSP"
        data.sensor_fit = self.sensor_fit
        data.sensor_width = data.sensor_height = SENSOR_MM
        data.lens_unit = "MILLIMETERS"
        data.lens = self.lens
        data.shift_x, data.shift_y = self.shift_x, self.shift_y

    def apply_to_render(self, render: bpy.types.RenderSettings) -> None:
        """Set the picture's size; only for a scene that the caller owns."""
        render.resolution_x = min(max(self.width, _SMALLEST_PX), _LARGEST_PX)
        render.resolution_y = min(max(self.height, _SMALLEST_PX), _LARGEST_PX)
        render.resolution_percentage = 100
        render.pixel_aspect_x, render.pixel_aspect_y = self.pixel_aspect

    @classmethod
    def in_frame(
        cls, camera_matrix: NDArray, size: tuple[int, int], frame: tuple[float, float]
    ) -> CameraView:
        """The view of a picture of ``size`` that is fitted into the middle of a ``frame``.

        ``frame`` is width and height of what Blender renders, in square pixels of any size; of the
        picture nothing is cut off.  The result's own size is that of the frame, in pixels of the
        picture.
        """
        width, height = size
        scale = max(width / frame[0], height / frame[1])
        wide, high = frame[0] * scale, frame[1] * scale
        shifted = np.array(camera_matrix, np.float64)
        shifted[:2, 2] += (wide - width) / 2, (high - height) / 2
        # A whole number of pixels would move the picture: scaled up, rounding is invisible.
        much = 1000
        shifted[:2] *= much
        shifted[:2, 2] += (much - 1) / 2  # pixel centres
        view = cls.from_matrix(shifted, (round(wide * much), round(high * much)))
        return replace(view, width=round(wide), height=round(high))


def view_of_photo(reconstruction: Reconstruction) -> CameraView:
    """The view of the whole photo."""
    return CameraView.from_matrix(reconstruction.camera_matrix, reconstruction.image_size)


def view_of_window(
    reconstruction: Reconstruction, window: Sequence[float], size: int
) -> CameraView:
    """The view of ``window`` (x0, y0, x1, y1: outer edges in pixels of the photo).

    Its long side is drawn with ``size`` pixels.  The window may reach outside the photo.  An edge
    at pixel coordinate ``x0`` cuts through the centre of column ``x0``: the window (-0.5, -0.5,
    width - 0.5, height - 0.5) is the whole photo.
    """
    x0, y0, x1, y1 = window
    scale = size / max(x1 - x0, y1 - y0)
    width, height = (max(1, round(side * scale)) for side in (x1 - x0, y1 - y0))
    # Edge x0 becomes -0.5: the outer edge of the new picture's first column.
    place = np.array([[scale, 0, -scale * x0 - 0.5], [0, scale, -scale * y0 - 0.5], [0, 0, 1]])
    return CameraView.from_matrix(place @ reconstruction.camera_matrix, (width, height))


def build_camera(
    reconstruction: Reconstruction,
    name: str = "Photo camera",
    *,
    view: CameraView | None = None,
    background: bool = True,
) -> bpy.types.Object:
    """A new camera object, in no collection yet, that sees the head as the photo does.

    The picture's aspect is the scene's business (:meth:`CameraView.apply_to_render`).  With
    ``background`` the photo lies behind the head in camera view.  ``view`` replaces the photo's.
    """
    view = view or view_of_photo(reconstruction)
    data = bpy.data.cameras.new(name)
    view.apply_to_camera(data)
    camera = bpy.data.objects.new(name, data)
    data.display_size = 0.03  # small beside a head of 0.25 m
    place_camera(camera, reconstruction)
    if background and reconstruction.photo.size:
        _add_background(data, packed_image(f"{name} photo", reconstruction.photo, ".jpg"))
    return camera


def place_camera(camera: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Put a camera of ours where the photo of a head at the origin was taken from.

    Its lens is left as it is.
    """
    place = camera_to_blender(reconstruction.rotation, reconstruction.translation)
    camera.matrix_world = Matrix(place.tolist())
    camera[PLACE] = place.ravel().tolist()
    data = camera.data
    assert isinstance(data, bpy.types.Camera)
    distance = float(np.linalg.norm(place[:3, 3]))
    data.clip_start = min(0.01, 0.05 * distance)
    data.clip_end = max(100.0, 10 * distance)
    matrix, size = reconstruction.camera_matrix, reconstruction.image_size
    camera[VIEW] = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *map(float, size)]


def align_to_head(camera: bpy.types.Object, head: bpy.types.Object) -> None:
    """Put a camera of ours before ``head`` as the photo's was, wherever that stands now."""
    place = np.array(camera[PLACE]).reshape(4, 4)
    camera.matrix_world = head.matrix_world @ Matrix(place.tolist())


def fit_to_scene(camera: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Have a camera of ours show the whole photo in the middle of what ``scene`` renders.

    The scene's picture size is the user's, so the lens gives way.
    """
    fx, fy, cx, cy, width, height = camera[VIEW]
    render = scene.render
    frame = (
        render.resolution_x * render.pixel_aspect_x,
        render.resolution_y * render.pixel_aspect_y,
    )
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    assert isinstance(camera.data, bpy.types.Camera)
    CameraView.in_frame(matrix, (int(width), int(height)), frame).apply_to_camera(camera.data)


def photo_frame(camera: bpy.types.Object) -> CameraView | None:
    """The photo's view, if that is what a camera of ours is set for; None after a change."""
    data = camera.data
    if VIEW not in camera or not isinstance(data, bpy.types.Camera):
        return None
    fx, fy, cx, cy, width, height = camera[VIEW]
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    view = CameraView.from_matrix(matrix, (int(width), int(height)))
    wanted = (view.lens, view.shift_x, view.shift_y)
    same = np.allclose((data.lens, data.shift_x, data.shift_y), wanted, rtol=1e-5, atol=1e-6)
    return view if same and data.sensor_fit == view.sensor_fit else None


def background_of(camera: bpy.types.Object) -> bpy.types.CameraBackgroundImage | None:
    """The photo behind a camera of ours, if the user has not removed it."""
    assert isinstance(camera.data, bpy.types.Camera)
    return next(iter(camera.data.background_images), None)


def _add_background(data: bpy.types.Camera, photo: bpy.types.Image) -> None:
    data.show_background_images = True
    background = data.background_images.new()
    background.image = photo
    background.alpha = 0.75
    background.display_depth = "BACK"
    background.frame_method = "FIT"
