"""Where the eyes look: the irises found in the photo, as weights of the eyeLook shapes.

Landmarks surround the eyes but say nothing of the irises, and a head that stares straight ahead is
not the person in the photo.  The irises are MediaPipe's (:mod:`..network.face_landmarker`): of 42
open eyes of ``bench accuracy`` their middles are off by 1.4 mm in the median, 3.4 at the 90th
percentile, the darkest disc between the lids, which was looked for before, by 2.4 and 8.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..model import FaceModel
from ..model.face_model import fit_sphere

Double = NDArray[np.float64]

#: Radius of the human iris in mm; it hardly differs between people (Hashemi et al. 2015).
IRIS_RADIUS_MM = 5.9
#: Landmarks around the person's right and left eye.
EYES = (slice(36, 42), slice(42, 48))
#: An iris smaller than this in the photo cannot be placed.
SMALLEST_IRIS_PX = 2.0
#: Lids closer than this part of the eye's width hide where it looks.
CLOSED = 0.14
#: Share of the turn (left, up) that is believed, by the ratio of what eyes do (about 10 degrees) to
#: how well the irises are placed, 1.4 mm each way for one of them, half of it in common.
TRUST = (0.95, 0.9)
#: Radians by which the eyes may differ; more, and at least one disc is not the iris.
DISAGREEMENT = 0.35
#: mm from the eye's centre to the iris for which both numbers were found, on plain eyeballs.  Where
#: an iris of its own lies nearer, a pixel is a larger turn, and so are its errors.
LEVER_MM = 15.7
#: Head turn in degrees from which one eye may be hidden, so that the other speaks alone.
ONE_EYE_YAW = 30.0
#: Beyond this the shapes no longer look natural, and the detection is doubtful.
MOST = 0.9


def estimate_gaze(
    model: FaceModel,
    irises: NDArray | None,
    landmarks: NDArray,
    vertices: NDArray,
    camera: Camera,
) -> Double:
    """(E,) weights of the model's expressions, only those named eyeLook... not 0.

    ``irises`` (2, 2) pixels of the right and the left iris, None where none are seen, ``landmarks``
    (68, 2) pixels, ``vertices`` (V, 3) the fitted head in mm, seen by ``camera``.  Both eyes get
    the same direction, the mean of what is found; all 0 when that is unclear (closed, too small,
    the eyes disagree).
    """
    weights = np.zeros(len(model.expression_names))
    eyes = model.globes
    known = any(name.startswith("eyeLook") for name in model.expression_names)
    if irises is None or not (eyes and known):
        return weights
    landmarks = np.asarray(landmarks, np.float64)
    turns, depth = [], _iris_depth(model)
    larger = 1.0
    for eye, points, iris in zip(eyes, EYES, irises, strict=True):
        centre, radius = fit_sphere(vertices[eye])
        if depth is not None:
            radius *= depth
            larger = LEVER_MM / radius
        large = _iris_radius_px(camera, centre) >= SMALLEST_IRIS_PX
        if large and _open(landmarks[points]):
            turns.append(_turn(camera, centre, radius, iris))
    alone = len(turns) == 1 and abs(camera.euler_degrees[0]) > ONE_EYE_YAW
    agree = len(turns) == 2 and np.linalg.norm(np.subtract(*turns)) < larger * DISAGREEMENT
    if not (alone or agree):
        return weights
    left, up = np.mean(turns, axis=0) / (1 + (1 / np.array(TRUST) - 1) * larger**2)
    for name, angle in (
        ("eyeLookOutLeft", left),
        ("eyeLookInRight", left),
        ("eyeLookInLeft", -left),
        ("eyeLookOutRight", -left),
        ("eyeLookUpLeft", up),
        ("eyeLookUpRight", up),
        ("eyeLookDownLeft", -up),
        ("eyeLookDownRight", -up),
    ):
        if name in model.expression_names and angle > 0:
            index = model.expression_names.index(name)
            weights[index] = min(MOST, angle / _full_turn(model, index))
    return weights


def _open(outline: Double) -> bool:
    """Whether lids with landmarks ``outline`` (6, 2) are so far apart that an iris is seen."""
    width = np.linalg.norm(outline[3] - outline[0])
    height = np.linalg.norm(outline[[1, 2]] - outline[[5, 4]], axis=1).mean()
    return bool(height >= CLOSED * width)


def _iris_depth(model: FaceModel) -> float | None:
    """How far before the globe's centre the iris lies, in its radii; None: it is painted on."""
    if "iris" not in model.material_kinds:
        return None
    mine = model.polygon_material == model.material_kinds.index("iris")
    ids = np.intersect1d(model.polygons[mine], model.eyeballs[1])
    centre, radius = fit_sphere(model.mean[model.globes[1]])
    return float(model.mean[ids, 2].max() - centre[2]) / radius


def _iris_radius_px(camera: Camera, centre: Double) -> float:
    return IRIS_RADIUS_MM * camera.focal / float(camera.to_camera(centre[None])[0, 2])


def _turn(camera: Camera, centre: Double, radius: float, iris: Double) -> tuple[float, float]:
    """Radians to the head's left and up, from straight ahead, that put the iris at that pixel."""
    ray = np.linalg.solve(camera.camera_matrix, [*iris, 1.0])
    ray /= np.linalg.norm(ray)
    middle = camera.to_camera(centre[None])[0]
    # The nearer crossing of the ray with the eyeball, or its nearest point to a ray that misses.
    along = float(ray @ middle)
    under = radius**2 - float(middle @ middle) + along**2
    x, y, z = camera.rotation.T @ ((along - np.sqrt(max(under, 0.0))) * ray - middle)
    return float(np.arctan2(x, z)), float(np.arctan2(y, np.hypot(x, z)))


def _full_turn(model: FaceModel, index: int) -> float:
    """Radians by which the expression ``index`` turns the eyeball that it moves most."""
    eyes = max(model.globes, key=lambda ids: np.abs(model.expression_basis[index, ids]).sum())
    arms = model.mean[eyes] - fit_sphere(model.mean[eyes])[0]
    # Least squares: where the middle of the front goes (an eye's white has a hole there).
    turn = np.linalg.lstsq(arms, arms + model.expression_basis[index, eyes], rcond=None)[0]
    x, y, z = turn[2]
    return max(0.1, float(np.arctan2(np.hypot(x, y), z)))
