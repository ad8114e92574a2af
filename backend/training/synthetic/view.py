"""Where the camera of a synthetic picture stands, and the crop it gives.

The crop is made as for a photo: from landmarks that err as dlib's were measured to
(``assets/landmark_noise.npz``), or, for the mode without landmarks, from a detector's upright box,
which errs in place and size and does not turn with the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...align import ffhq_quad
from ...fit.noise import dlib_noise
from ...geometry.camera import Camera, intrinsics
from ...geometry.rotation import from_euler, roll_matrix
from ...model import FaceModel
from ...model.contour import landmark_points, visible_jaw

Double = NDArray[np.float64]
Rng = np.random.Generator

YAW, PITCH, ROLL = 75.0, 35.0, 25.0  #: degrees, the largest of each
#: Focal lengths for a 36 mm wide film, and the half width of the head's surroundings in mm, which
#: together say how far a photographer stands.
FOCAL_MM, FILM_MM = (24.0, 135.0), 36.0
FRAME_MM = (170.0, 700.0)
DISTANCE_MM = (280.0, 4000.0)
#: Crops from a detector's box: share, and standard deviations of log size and of place.
BOX_SHARE, BOX_SIZE_SIGMA, BOX_SHIFT_SIGMA = 0.3, 0.12, 0.10


@dataclass(frozen=True, eq=False)
class View:
    """A crop's camera."""

    camera: Camera  #: looks through the crop's centre
    jaw: NDArray[np.int32]  #: (17,) vertex ids of landmarks 0..16 as seen from here


def sample_view(model: FaceModel, vertices: NDArray, size: int, rng: Rng) -> View:
    """A camera for the posed ``vertices`` (V, 3) mm, cropped to ``size`` pixels."""
    rotation = from_euler(*np.radians(sample_angles(rng)))
    return crop_view(model, vertices, rotation, sample_distance(rng), size, rng)


def crop_view(
    model: FaceModel, vertices: NDArray, rotation: NDArray, distance: float, size: int, rng: Rng
) -> View:
    """The camera, ``distance`` mm away, of the crop that a detector's errors would give."""
    at = np.array([0.0, 0.0, distance])
    wide = Camera(intrinsics(distance, (1, 1)), rotation, at)  # about a pixel per mm
    jaw = visible_jaw(model, vertices, wide)
    points = landmark_points(model, vertices, jaw)
    pixels = wide.project(points)
    if rng.random() < BOX_SHARE:
        centre, right, half = _box_square(pixels, rng)
    else:
        centre, right, half = _landmark_square(wide, points, pixels, rng)
    # Look through the square's centre, rows along its right, half a side to half the crop.
    forward = np.append(centre / wide.focal, 1.0)
    forward /= np.linalg.norm(forward)
    x = np.append(right, 0.0)
    x -= (x @ forward) * forward
    x /= np.linalg.norm(x)
    look = np.stack([x, np.cross(forward, x), forward])
    focal = wide.focal / half * size / 2
    camera = Camera(
        intrinsics(focal, (size, size)),
        np.asarray(look @ rotation, np.float64),
        np.asarray(look @ at, np.float64),
    )
    return View(camera, jaw[:17])


def sample_angles(rng: Rng) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees: half of the heads near the front, half anywhere."""
    wide = rng.random() < 0.5
    yaw = rng.uniform(-YAW, YAW) if wide else np.clip(rng.normal(0, 18), -YAW, YAW)
    pitch = np.clip(rng.normal(0, 14 if wide else 9), -PITCH, PITCH)
    roll = np.clip(rng.normal(0, 10), -ROLL, ROLL)
    return float(yaw), float(pitch), float(roll)


def sample_distance(rng: Rng) -> float:
    """From a focal length and how much of the scene the photographer wants around the head."""
    focal = np.exp(rng.uniform(*np.log(FOCAL_MM)))
    frame = np.exp(rng.uniform(*np.log(FRAME_MM)))
    return float(np.clip(2 * frame * focal / FILM_MM, *DISTANCE_MM))


def _landmark_square(
    camera: Camera, points: Double, pixels: Double, rng: Rng
) -> tuple[Double, Double, float]:
    """Centre, unit right and half side of the FFHQ square from landmarks with dlib's errors."""
    quad = ffhq_quad(detected_marks(camera, points, pixels, rng)[0])
    right = quad[3] - quad[0]
    side = float(np.linalg.norm(right))
    return quad.mean(axis=0), right / side, side / 2


def detected_marks(
    camera: Camera, points: Double, pixels: Double, rng: Rng
) -> tuple[Double, float]:
    """(68, 2) pixels of landmarks with dlib's errors, and how far its votes disagree about them.

    ``points`` (68, 3) mm are the true ones, seen by ``camera`` at ``pixels`` (68, 2).  The
    disagreement is in sides of the face's box.
    """
    noise = dlib_noise()
    yaw, _, roll = camera.euler_degrees
    scale = camera.focal / float(camera.to_camera(points)[:, 2].mean())
    # Votes of good photos agree better than those measured; turned heads' worse.
    spread = rng.uniform(0.4, 1.3) * (1.0 + max(0.0, abs(yaw) - 35.0) / 30.0)
    error = spread * (np.linalg.cholesky(noise.covariance) @ rng.normal(size=136))
    marks = pixels + scale * error.reshape(68, 2) @ roll_matrix(roll).T
    marks += noise.offset(float(np.clip(yaw, -40, 40)), roll, scale)
    return marks, spread * noise.spread


def _box_square(pixels: Double, rng: Rng) -> tuple[Double, Double, float]:
    """The upright square that stands for FFHQ's when only a box is known.

    A box tells where a face is and how large, as the extent of its landmarks does.
    """
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    half = box_half_side(low, high) * np.exp(rng.normal(0, BOX_SIZE_SIGMA))
    centre = (low + high) / 2 + BOX_RISE * (high - low)[1] * np.array([0, -1])
    centre = centre + half * rng.normal(0, BOX_SHIFT_SIGMA, 2)
    return centre, np.array([1.0, 0.0]), half


#: Of the landmarks' extent: FFHQ's square is so much larger, and its centre so much higher.
BOX_GROWTH, BOX_RISE = 0.90, 0.24


def box_half_side(low: NDArray, high: NDArray) -> float:
    """Half the side of the FFHQ-like square around landmarks within ``low`` and ``high`` (2,)."""
    return BOX_GROWTH * float(np.sqrt(np.prod(high - low)))
