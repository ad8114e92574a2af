"""Where the eyes look: the iris found in the photo, as weights of the eyeLook shapes.

Landmarks surround the eyes but say nothing of the irises, and a head that stares straight ahead is
not the person in the photo.
"""

from __future__ import annotations

import cv2
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
#: Side in pixels to which an iris' radius is scaled for the search.
_SEARCH_RADIUS = 10.0
#: An iris smaller than this in the photo cannot be placed.
SMALLEST_IRIS_PX = 2.0
#: Lids closer than this part of the eye's width hide where it looks.
CLOSED = 0.14
#: Luma, of 255, by which the iris must be darker than the rest of the opening.
FAINTEST = 18.0
#: Share of the turn (left, up) that is believed, by the ratio of what eyes do (about 10 degrees) to
#: how well the disc is placed: lashes and the upper lid's shadow draw it up.
TRUST = (0.95, 0.6)
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
    pixels: NDArray[np.uint8],
    landmarks: NDArray,
    vertices: NDArray,
    camera: Camera,
) -> Double:
    """(E,) weights of the model's expressions, only those named eyeLook... not 0.

    ``pixels`` (H, W, 3) uint8 sRGB, ``landmarks`` (68, 2) in its pixels, ``vertices`` (V, 3) the
    fitted head in mm, seen by ``camera``.  Both eyes get the same direction, the mean of what is
    found; all 0 when that is unclear (closed, too small, no contrast, the eyes disagree).
    """
    weights = np.zeros(len(model.expression_names))
    eyes = model.globes
    if not (eyes and any(name.startswith("eyeLook") for name in model.expression_names)):
        return weights
    turns, depth = [], _iris_depth(model)
    larger = 1.0
    for eye, points in zip(eyes, EYES, strict=True):
        centre, radius = fit_sphere(vertices[eye])
        if depth is not None:
            radius *= depth
            larger = LEVER_MM / radius
        iris = find_iris(pixels, landmarks[points], _iris_radius_px(camera, centre))
        if iris is not None:
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


def find_iris(
    pixels: NDArray[np.uint8], outline: NDArray, radius: float
) -> tuple[float, float] | None:
    """The iris' centre in pixels within the lids' ``outline`` (6, 2), or None if unclear.

    The disc of ``radius`` pixels that is darkest against the rest of the opening: Daugman's (1993)
    integro-differential operator with the areas inside and outside for the circles.
    """
    outline = np.asarray(outline, np.float64)
    width = float(np.linalg.norm(outline[3] - outline[0]))
    height = float(np.linalg.norm(outline[[1, 2]] - outline[[5, 4]], axis=1).mean())
    if radius < SMALLEST_IRIS_PX or height < CLOSED * width:
        return None
    margin = 2 * radius
    low = np.maximum(np.floor(outline.min(axis=0) - margin).astype(int), 0)
    # Not below 0, which would count from the picture's other end.
    high = np.maximum(np.ceil(outline.max(axis=0) + margin).astype(int) + 1, 0)
    patch = pixels[low[1] : high[1], low[0] : high[0]]
    if min(patch.shape[:2]) < 4:
        return None
    scale = _SEARCH_RADIUS / radius
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    luma = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)
    luma = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=interpolation)
    # (p + 1/2) s - 1/2: pixel centres of the scaled patch
    corners = (outline - low + 0.5) * scale - 0.5
    opening = np.zeros(luma.shape, np.uint8)
    cv2.fillPoly(opening, [np.round(corners).astype(np.int32)], 1)
    place = _darkest_disc(luma.astype(np.float32), opening.astype(np.float32))
    if place is None:
        return None
    x, y = (np.array(place) + 0.5) / scale - 0.5 + low
    return float(x), float(y)


def _darkest_disc(
    luma: NDArray[np.float32], opening: NDArray[np.float32]
) -> tuple[int, int] | None:
    """Column and row of the disc whose part of the opening is darkest against the rest."""
    reach = int(np.ceil(_SEARCH_RADIUS))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x**2 + y**2 <= _SEARCH_RADIUS**2).astype(np.float32)

    def within(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.filter2D(values, cv2.CV_32F, disc, borderType=cv2.BORDER_CONSTANT)

    area, total = within(opening), float(opening.sum())
    light, all_light = within(luma * opening), float((luma * opening).sum())
    inside = light / np.maximum(area, 1.0)
    outside = (all_light - light) / np.maximum(total - area, 1.0)
    # Centre inside the opening, a good part of the disc seen, and some white beside it.
    usable = (opening > 0) & (area > 0.35 * disc.sum()) & (total - area > 0.1 * total)
    contrast = np.where(usable, outside - inside, -np.inf)
    row, column = np.unravel_index(int(np.argmax(contrast)), contrast.shape)
    if contrast[row, column] < FAINTEST:
        return None
    return int(column), int(row)


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


def _turn(
    camera: Camera, centre: Double, radius: float, iris: tuple[float, float]
) -> tuple[float, float]:
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
