"""Pictures of a mesh without colours, in which a detector sees a face, and the way back to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import intrinsics, project
from ..geometry.rotation import from_euler
from ..geometry.triangles import unit
from ..raster import Raster, interpolate, rasterize

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: A skin's colour in sRGB, the light's direction about the head and how much comes from all sides:
#: dlib's detector finds the default head, ICT-FaceKit's and MakeHuman's so.
SKIN = np.array([222.0, 178.0, 155.0])
LIGHT = np.array([0.25, 0.6, 1.0]) / np.linalg.norm([0.25, 0.6, 1.0])
AMBIENT = 0.3
#: The white of an eye and its iris; without them landmarks lie within the lids.
WHITE, IRIS = np.array([250.0, 250.0, 250.0]), np.array([70.0, 45.0, 30.0])
IRIS_MM = 5.9  #: radius of people's irises
BACKGROUND = 90
#: Distance of the camera in widths of the picture: a portrait lens.
AWAY = 5.0


@dataclass(frozen=True, eq=False)
class View:
    """A square picture of ``half`` units to each side of ``middle`` (3,), turned about it.

    Axes of the points: x to the head's left, y up, z forward, any unit.
    """

    middle: Double
    half: float
    yaw: float = 0.0  #: degrees by which the head is turned
    pitch: float = 0.0
    side: int = 400  #: pixels

    @property
    def camera_matrix(self) -> Double:
        """(3, 3) pixels."""
        return intrinsics(self.side * AWAY, (self.side, self.side))

    @property
    def turn(self) -> Double:
        """(3, 3) to the camera's axes."""
        return from_euler(np.deg2rad(self.yaw), np.deg2rad(self.pitch), 0.0)

    def to_camera(self, points: NDArray) -> Double:
        """(N, 3) OpenCV camera coordinates."""
        away = np.array([0, 0, 2 * self.half * AWAY])
        return (np.asarray(points, np.float64) - self.middle) @ self.turn.T + away

    def toward(self, points: NDArray) -> Double:
        """(N, 3) unit vectors from ``points`` (N, 3) to the camera."""
        return unit(-self.to_camera(points)) @ self.turn

    def project(self, points: NDArray) -> Double:
        """(N, 2) pixels."""
        return project(self.to_camera(points), self.camera_matrix)

    def raster(self, points: NDArray, triangles: Int) -> Raster:
        """What is seen where."""
        size = (self.side, self.side)
        return rasterize(self.to_camera(points), triangles, self.camera_matrix, size)


def draw(
    view: View,
    points: NDArray,
    triangles: Int,
    normals: NDArray,
    raster: Raster | None = None,
    eyes: NDArray[np.bool_] | None = None,
    centres: NDArray | None = None,
) -> NDArray[np.uint8]:
    """(S, S, 3) sRGB: the mesh ``points`` (V, 3), ``triangles`` (F, 3), as matt skin.

    ``normals`` (V, 3); ``raster`` of the same view where there is one.  ``eyes`` (F,) are drawn
    white, with an iris where they are next to the eyes' ``centres`` (2, 3), both in mm.
    """
    raster = raster or view.raster(points, triangles)
    facing = interpolate(raster, triangles, np.asarray(normals))
    lit = np.abs(facing @ LIGHT)  # polygons may be turned inside out
    lit /= np.maximum(np.linalg.norm(facing, axis=2), 1e-9)
    colour = np.broadcast_to(SKIN, facing.shape)
    if eyes is not None and centres is not None:
        colour = np.where(_of(raster, eyes)[..., None], WHITE, colour)
        place = interpolate(raster, triangles, np.asarray(points))
        away = np.linalg.norm(place[..., None, :2] - centres[:, :2], axis=3).min(axis=2)
        colour = np.where((_of(raster, eyes) & (away < IRIS_MM))[..., None], IRIS, colour)
    shade = (AMBIENT + (1 - AMBIENT) * lit)[..., None] ** (1 / 2.2) * colour
    picture = np.where(raster.mask[..., None], shade, BACKGROUND)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _of(raster: Raster, triangles: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S, S) where one of the ``triangles`` (F,) is seen."""
    return np.append(triangles, False)[raster.face_id]
