"""Region masks, defined once as functions of a surface point and evaluated at vertices and at
texels alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

MASK_NAMES = (
    "skin",
    "lips",
    "brows",
    "lids",
    "sclera",
    "iris",
    "teeth",
    "tongue",
    "mouth",
    "ears",
    "neck",
    "scalp",
    "face",
    "nose",
    "beard",
)
IRIS_RADIUS = 5.9
"""mm; human irises are 11.7 mm wide with little variation."""
PUPIL_RADIUS = 2.0
BROW_CURVE = np.array([[10.0, 14.5], [20.0, 18.5], [32.0, 21.0], [43.0, 20.5], [52.0, 16.0]])
"""Middle line of the left brow in the front view, mm from (0, height of the eye centres)."""
BROW_HALF_WIDTH = np.array([4.2, 4.8, 4.4, 3.4, 1.6])
FACE_RADIUS = 95.0


@dataclass(frozen=True)
class SurfacePoints:
    """Points on the mean head's surface.

    Attributes:
        position: (N, 3) mm.
        source_uv: (N, 2) UV in the base mesh's layout (NaN on the eyeballs).
        island: (N,) str, island of the UV layout.
        part: (N,) str, part of the mesh.
    """

    position: np.ndarray
    source_uv: np.ndarray
    island: np.ndarray
    part: np.ndarray


@dataclass(frozen=True)
class Anatomy:
    """The measures of the mean head that the regions refer to; mm."""

    eye_centers: np.ndarray
    eye_radius: float
    nose_tip: np.ndarray
    mouth: np.ndarray
    chin: np.ndarray
    crown: float


def smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, a smooth cubic between; falling where low > high."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def sample_source_mask(mask: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear look-up of a (H, W) mask at source UVs (N, 2); 0 where the UV is NaN."""
    height, width = mask.shape
    known = ~np.isnan(uv[:, 0])
    values = np.zeros(len(uv))
    rows = (1 - uv[known, 1]) * height - 0.5
    columns = uv[known, 0] * width - 0.5
    values[known] = map_coordinates(mask, [rows, columns], order=1, mode="nearest")
    return values


def gaze_angle(points: SurfacePoints, anatomy: Anatomy) -> np.ndarray:
    """(N,) angle in radians from the optical axis on the eyeballs, pi elsewhere."""
    angle = np.full(len(points.position), np.pi)
    for part, center in zip(("eye_right", "eye_left"), anatomy.eye_centers, strict=True):
        rows = points.part == part
        arm = points.position[rows] - center
        angle[rows] = np.arccos(np.clip(arm[:, 2] / np.linalg.norm(arm, axis=1), -1, 1))
    return angle


def brow_distance(points: SurfacePoints, anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance from the brow's middle line over its half width (|.| < 1 inside), and 0..1
    along the brow."""
    x = np.abs(points.position[:, 0])
    y = points.position[:, 1] - anatomy.eye_centers[:, 1].mean()
    line = np.interp(x, BROW_CURVE[:, 0], BROW_CURVE[:, 1])
    half = np.interp(x, BROW_CURVE[:, 0], BROW_HALF_WIDTH)
    along = (x - BROW_CURVE[0, 0]) / np.ptp(BROW_CURVE[:, 0])
    return (y - line) / half, along


def _brows(points: SurfacePoints, anatomy: Anatomy, skin: np.ndarray) -> np.ndarray:
    distance, along = brow_distance(points, anatomy)
    across = smooth_step(np.abs(distance), 1.25, 0.55)
    ends = smooth_step(along, -0.06, 0.10) * smooth_step(along, 1.04, 0.9)
    front = points.position[:, 2] > anatomy.eye_centers[0, 2] - 15
    return across * ends * front * skin


def _scalp(points: SurfacePoints, anatomy: Anatomy, skin: np.ndarray) -> np.ndarray:
    """Behind a hairline that runs over the forehead, down before the ears and round the nape."""
    x, y, z = points.position.T
    eye_y, eye_z = anatomy.eye_centers[0, 1:]
    # Height above which hair grows, falling with depth: forehead 72 mm above the eyes, temple, ear,
    # nape.
    depth = eye_z - z
    line = np.interp(depth, [-25, 0, 30, 62, 88, 110, 160, 230], [78, 68, 38, 22, 12, 2, -48, -60])
    return smooth_step(y - eye_y - line, -5, 9) * skin


def _neck(points: SurfacePoints, anatomy: Anatomy, skin: np.ndarray) -> np.ndarray:
    """Below the plane through the chin's underside that rises backwards to below the ears."""
    _, y, z = points.position.T
    chin_y, chin_z = anatomy.chin[1], anatomy.chin[2]
    line = np.interp(chin_z - z, [-20, 5, 40, 85, 130, 220], [-12, -5, 10, 42, 46, 40])
    return smooth_step(y - chin_y - line, 5, -5) * skin


def _beard(
    points: SurfacePoints, anatomy: Anatomy, skin: np.ndarray, lips: np.ndarray
) -> np.ndarray:
    """Moustache, chin, jaw and sideburns: under the line from the nose's base over the cheek to the
    ear."""
    x, y, z = points.position.T
    x = np.abs(x)
    top = (
        np.interp(x, [0, 12, 25, 38, 52, 62, 72], [-13, -15, -26, -34, -26, -5, 8])
        + anatomy.nose_tip[1]
    )
    under = smooth_step(y - top, 4, -6)
    throat = smooth_step(y - anatomy.chin[1], -35, -5)
    front = smooth_step(z, 0, 14)
    return under * throat * front * skin * (1 - lips)


def region_masks(
    points: SurfacePoints, anatomy: Anatomy, source_masks: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """All masks of ``MASK_NAMES`` at N points: name -> (N,) float64 in 0..1.

    ``skin`` is the whole outer surface of head and neck (lips, lids and ears included), without the
    mouth's inside, the eye sockets behind the lids, eyeballs, teeth and tongue.
    """
    skin = (points.island == "skin").astype(float)
    lips = sample_source_mask(source_masks["lips"], points.source_uv) * skin
    lids = sample_source_mask(source_masks["eyelids"], points.source_uv) * skin
    ears = sample_source_mask(source_masks["ears"], points.source_uv) * skin
    eye = np.isin(points.part, ("eye_left", "eye_right")).astype(float)
    rim = np.arcsin(IRIS_RADIUS / anatomy.eye_radius)
    iris = smooth_step(gaze_angle(points, anatomy), rim + 0.02, rim - 0.02) * eye
    neck = _neck(points, anatomy, skin)
    from_tip = np.linalg.norm(points.position - (anatomy.nose_tip - [0, 0, 30]), axis=1)
    front = smooth_step(points.position[:, 2] - anatomy.eye_centers[0, 2], -62, -42)
    radius = smooth_step(
        np.linalg.norm(points.position - anatomy.nose_tip, axis=1), FACE_RADIUS + 3, FACE_RADIUS - 5
    )
    face = skin * radius * front * (1 - ears) * (1 - neck) * (from_tip < 130)
    x, y, z = points.position.T
    eye_y = anatomy.eye_centers[0, 1]
    nose_low = anatomy.nose_tip[1] - 12
    share = np.clip((eye_y + 4 - y) / (eye_y + 4 - nose_low), 0, 1)
    half = np.interp(share, [0, 0.5, 0.8, 1], [8, 11.5, 17.5, 17])
    nose = _ramp(np.abs(x), half)
    nose = nose * smooth_step(y - nose_low, -3, 2) * smooth_step(eye_y + 6 - y, -4, 4)
    nose = nose * skin * smooth_step(z - anatomy.mouth[2], -22, -12)
    masks = {
        "skin": skin,
        "lips": lips,
        "brows": _brows(points, anatomy, skin),
        "lids": lids,
        "sclera": eye * (1 - iris),
        "iris": iris,
        "teeth": np.isin(points.part, ("teeth_upper", "teeth_lower")).astype(float),
        "tongue": (points.part == "tongue").astype(float),
        "mouth": (points.island == "mouth").astype(float),
        "ears": ears,
        "neck": neck,
        "scalp": _scalp(points, anatomy, skin) * (1 - ears),
        "face": face,
        "nose": nose,
        "beard": _beard(points, anatomy, skin, lips),
    }
    return {name: np.clip(masks[name], 0, 1) for name in MASK_NAMES}


def _ramp(value: np.ndarray, edge: np.ndarray, softness: float = 2.0) -> np.ndarray:
    """1 below ``edge``, 0 above, smooth over +-``softness``."""
    t = np.clip((edge + softness - value) / (2 * softness), 0, 1)
    return t * t * (3 - 2 * t)
