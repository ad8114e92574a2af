"""The camera of a crop: between the network's pose entries and a pinhole camera of the photo.

The network sees a square crop, not the photo, so it speaks of a virtual camera that stands where
the photo's camera stands, looks through the crop's centre and has its rows along the crop's.  Pose
in it: a rotation, where the anchor appears, how large 100 mm there are, and how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera, intrinsics
from ..geometry.rotation import FACING, look_along
from .layout import REFERENCE_DISTANCE_MM, REFERENCE_LENGTH_MM

Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CropPose:
    """Pose of a head in a crop; the first four parts of :class:`~.layout.Layout`."""

    rotation: Double  #: (3, 3) head to virtual camera (OpenCV axes)
    shift: Double  #: (2,) the anchor's x, y in half sides from the crop's centre
    scale: float  #: log(half sides per 100 mm at the anchor)
    distance: float  #: log(depth of the anchor / 900 mm)

    def vector(self) -> Double:
        """(10,) as in the layout."""
        upright = FACING.T @ self.rotation
        return np.concatenate(
            [upright[:, 0], upright[:, 1], self.shift, [self.scale, self.distance]]
        )

    @classmethod
    def from_vector(cls, vector: NDArray) -> CropPose:
        """Of (10,); the rotation is made orthonormal (Gram and Schmidt, as Zhou et al. 2019)."""
        vector = np.asarray(vector, np.float64)
        x = vector[:3] / max(float(np.linalg.norm(vector[:3])), 1e-9)
        y = vector[3:6] - (x @ vector[3:6]) * x
        y /= max(float(np.linalg.norm(y)), 1e-9)
        upright = np.stack([x, y, np.cross(x, y)], axis=1)
        return cls(FACING @ upright, vector[6:8], float(vector[8]), float(vector[9]))

    def camera(self, anchor: NDArray, size: int) -> Camera:
        """The virtual camera for a crop of ``size`` pixels; ``anchor`` (3,) mm."""
        depth = REFERENCE_DISTANCE_MM * np.exp(self.distance)
        focal = np.exp(self.scale) / REFERENCE_LENGTH_MM * depth  # half sides
        at = np.append(self.shift / focal, 1.0) * depth
        matrix = intrinsics(focal * size / 2, (size, size))
        return Camera(matrix, self.rotation, at - self.rotation @ np.asarray(anchor, np.float64))

    @classmethod
    def of_camera(cls, camera: Camera, anchor: NDArray, size: int) -> CropPose:
        """The inverse of :meth:`camera`."""
        at = camera.to_camera(np.asarray(anchor)[None])[0]
        focal = camera.focal / (size / 2)
        return cls(
            camera.rotation,
            focal * at[:2] / at[2],
            float(np.log(focal * REFERENCE_LENGTH_MM / at[2])),
            float(np.log(at[2] / REFERENCE_DISTANCE_MM)),
        )


def photo_camera(
    pose: CropPose,
    anchor: NDArray,
    to_photo: NDArray,
    size: int,
    image_size: tuple[int, int],
    focal_px: float | None = None,
) -> Camera:
    """The camera of the whole photo that sees the head as ``pose`` says the crop does.

    ``to_photo`` (3, 3) maps crop pixels to photo pixels (a similarity: :class:`~..align.Crop`).
    ``focal_px`` is the photo's focal length where known; None takes the pose's own.
    """
    virtual = pose.camera(anchor, size)
    zoom = float(np.sqrt(abs(np.linalg.det(to_photo[:2, :2]))))  # photo pixels per crop pixel
    centre = to_photo @ np.array([(size - 1) / 2, (size - 1) / 2, 1.0])
    cosine = 1.0
    for _ in range(1 if focal_px else 3):  # the focal length depends on the ray and it on that
        focal = focal_px or virtual.focal * zoom * cosine
        matrix = intrinsics(focal, image_size)
        ray = np.linalg.solve(matrix, centre)
        cosine = float(1 / np.linalg.norm(ray))
    turn = look_along(ray) @ _roll(to_photo)
    depth = virtual.to_camera(np.asarray(anchor)[None])[0]
    # With another focal length the head keeps its size in the picture, so its distance changes.
    depth = depth * (focal / cosine) / (virtual.focal * zoom)
    rotation = turn @ pose.rotation
    shift = np.array([*depth[:2] * virtual.focal * zoom * cosine / focal, depth[2]])
    return Camera(matrix, rotation, turn @ shift - rotation @ np.asarray(anchor, np.float64))


def _roll(to_photo: NDArray) -> Double:
    """(3, 3) how the crop's axes lie in the photo, about the optical axis."""
    c, s = to_photo[:2, 0] / np.linalg.norm(to_photo[:2, 0])
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
