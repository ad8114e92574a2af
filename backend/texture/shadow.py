"""A hard shadow on the face: where its edge runs, how dark it is, and the photo without it.

Spherical harmonics know light that turns dark where the surface turns away, not what stands in its
way.  A cast shadow is told by its edge: skin on both sides, of two brightnesses, with hardly
anything between.  (Two classes by Otsu 1979, on the log of the photo over the mean albedo.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.harmonics import shade
from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes
from ..model import FaceModel
from ..raster import interpolate
from .diffuse import diffuse
from .layout import Float, Layout, sample, smoothstep
from .light import fit_light
from .trust import log_linear, photo_weight
from .view import View

#: Step in log brightness from which there may be a hard shadow: half the light.
LEAST_STEP = 0.7
#: Share of the skin's variance between the two classes, and share of the skin that each has.  Six
#: photos in even and in soft light have up to 0.74 between; two with a drawn shadow 0.89 and 0.90.
LEAST_APART, LEAST_SHARE = 0.8, 0.12
#: Share of the step that is made between neighbouring vertices at the edge: 0.36 to 0.53 of drawn
#: shadows, up to 0.33 of the six photos where the classes are apart by 0.7.
LEAST_SHARPNESS = 0.345
#: Log by which the channels' steps may differ: the sky's blue, but no other thing than skin.
MOST_HUE = 0.7
#: Mm from the edge within which both sides are compared: beyond its blur, before the face turns.
_COMPARED_MM = (2.5, 14.0)
#: Standard deviations in faces: of the photo before vertices look at it, of the edge.
_SMOOTHING, _EDGE = 0.004, 0.006
#: Edges of the mesh over which the shadow is carried to where there is no bare skin.
_REACH_EDGES = 60.0
#: How much where the shadow is around says beside what the pixel shows.
_AROUND = 0.5
#: In faces: half the band about the edge in which pixels tell, of the cheeks, and of the forehead,
#: where hair may hang.
_BAND, _FOREHEAD_BAND = 0.12, 0.04
#: Islands of light or shadow that are smaller, in squares of the face's size, are none.
_SMALLEST = 0.02
#: In faces from the edge: between them the photo's weight rises from 0 to 1.
OFF_EDGE = (0.008, 0.025)
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True, eq=False)
class Shadow:
    """A hard shadow in a view."""

    depth: NDArray  #: (3,) log linear light that it takes
    score: Float  #: (h, w) in analysis pixels: over 0 in the shadow, about -1..1

    def off_edge(self, view: View) -> Float:
        """(h, w) 0..1 away from the edge, where what is lifted and what is not are mixed."""
        away = _edge_distance(self.score) / view.face_size
        return smoothstep(*OFF_EDGE, away)

    def lifted(self, view: View) -> View:
        """``view`` with its photo as it would be without the shadow."""
        height, width = view.photo.shape[:2]
        score = cv2.resize(self.score, (width, height), interpolation=cv2.INTER_LINEAR)
        share = np.clip(0.5 + 4 * score, 0, 1)[..., None]  # a step, as soft as the photo's
        gain = np.exp(share * self.depth.astype(np.float32))
        photo = encode_bytes(np.clip(SRGB_TO_LINEAR[view.photo] * gain, 0, 1))
        size = view.small_photo.shape[1::-1]
        return replace(
            view, photo=photo, small_photo=cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        )


def find_shadow(model: FaceModel, layout: Layout, view: View) -> Shadow | None:
    """The hard shadow on the face that ``view`` shows, or None where its light is even or soft."""
    blur = max(0.5, _SMOOTHING * view.face_size)
    linear = cv2.GaussianBlur(SRGB_TO_LINEAR[view.small_photo], (0, 0), blur)
    colours = np.maximum(sample(linear, view.to_small(view.pixels)), 1e-3)
    everything = (view.raster.mask & view.inside).astype(np.float32)
    sure = photo_weight(view, everything, view.pixels, view.depth, view.facing)
    sure = sure * layout.regions.sure
    ratio = np.log(colours) - np.log(np.maximum(layout.albedo_mean, 1e-3))
    dark = _two_classes(ratio.mean(axis=1), sure)
    if dark is None or not _is_hard(layout, ratio.mean(axis=1), sure, dark):
        return None
    sides = _sides(model, sure, dark)
    if sides is None:
        return None
    depth = _median(ratio[sides[0]]) - _median(ratio[sides[1]])
    depth = depth + _missed(layout, view, colours, sure, dark, depth, sides)
    if depth.mean() < LEAST_STEP or np.ptp(depth) > MOST_HUE:
        return None
    return Shadow(depth, _score(model, layout, view, ratio, sure, dark, depth))


def _two_classes(brightness: NDArray, weight: NDArray) -> NDArray[np.bool_] | None:
    """(V,) True for the darker of two classes, or None where there are no two."""
    used = weight > _LEAST_WEIGHT
    if used.sum() < 50:
        return None
    order = np.argsort(brightness[used])
    value, share = brightness[used][order], weight[used][order] / weight[used].sum()
    below = np.cumsum(share)[:-1]
    first = np.cumsum(share * value)[:-1]
    mean = float(share @ value)
    low, high = first / below, (mean - first) / np.maximum(1 - below, 1e-9)
    between = below * (1 - below) * (high - low) ** 2
    best = int(np.argmax(between))
    variance = float(share @ (value - mean) ** 2)
    alike = min(below[best], 1 - below[best]) < LEAST_SHARE
    if alike or high[best] - low[best] < LEAST_STEP or between[best] < LEAST_APART * variance:
        return None
    return brightness <= value[best]


def _is_hard(layout: Layout, brightness: NDArray, weight: NDArray, dark: NDArray) -> bool:
    """Whether most of the step is made from one vertex to the next."""
    i, j = layout.graph.edges.T
    across = (dark[i] != dark[j]) & (np.minimum(weight[i], weight[j]) > _LEAST_WEIGHT)
    if across.sum() < 8:
        return False
    used = weight > _LEAST_WEIGHT
    step = np.median(brightness[used & ~dark]) - np.median(brightness[used & dark])
    jump = np.median(np.abs(brightness[i] - brightness[j])[across])
    return bool(jump > LEAST_SHARPNESS * step)


def _sides(
    model: FaceModel, weight: NDArray, dark: NDArray
) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Vertices of bare skin in the light and in the dark, near the edge."""
    used = weight > 0.3
    low, high = _COMPARED_MM
    found = []
    for own, other in ((used & ~dark, used & dark), (used & dark, used & ~dark)):
        if own.sum() < 5 or other.sum() < 5:
            return None
        ids = np.flatnonzero(own)
        away = cKDTree(model.mean[other]).query(model.mean[ids])[0]
        found.append(ids[(away > low) & (away < high)])
    return (found[0], found[1]) if min(map(len, found)) >= 5 else None


def _missed(
    layout: Layout,
    view: View,
    colours: Float,
    weight: NDArray,
    dark: NDArray,
    depth: NDArray,
    sides: tuple[NDArray, NDArray],
) -> NDArray:
    """(3,) what ``depth`` still lacks when the light is fitted to the face without the shadow."""
    lifted = colours * np.exp(dark[:, None] * depth)
    used = weight > _LEAST_WEIGHT
    fit = fit_light(
        lifted[used],
        view.normals[used],
        weight[used],
        layout.albedo_mean[used],
        layout.albedo_basis[:, used],
    )
    albedo = layout.albedo_mean + np.tensordot(fit.albedo_coefficients, layout.albedo_basis, 1)
    model = np.maximum(albedo, 1e-3) * np.maximum(shade(view.normals, fit.sh_light), 0.05)
    left = np.log(lifted) - np.log(model)
    return _median(left[sides[0]]) - _median(left[sides[1]])


def _score(
    model: FaceModel,
    layout: Layout,
    view: View,
    ratio: Float,
    weight: NDArray,
    dark: NDArray,
    depth: NDArray,
) -> Float:
    """(h, w) over 0 where the shadow lies.

    On bare skin the pixel itself tells, against the brightness midway between light and shadow;
    elsewhere (brows, eyes, hair) what lies around does, and the forehead's pixels in a band about
    the edge that is carried there.
    """
    regions, step = layout.regions, float(depth.mean())
    lit = ratio.mean(axis=1) + step * dark
    table = np.column_stack([lit, np.where(dark, 1.0, -1.0)])
    resting = np.array([np.average(lit, weights=weight), 0.0])
    own = np.arange(len(lit))  # a shadow is not mirrored
    field = diffuse(layout.graph, table, weight, resting, own, _REACH_EDGES)
    skin = layout.skin_vertex.astype(np.float64)
    forehead = regions.forehead * regions.bare_skin
    told = regions.believed * regions.bare_skin
    columns = np.column_stack([field * skin[:, None], skin, told, forehead, layout.albedo_mean])
    seen = interpolate(view.raster, model.faces, columns.astype(np.float32))
    wide = max(1.0, 0.03 * view.face_size)
    mask = (seen[..., 2] > 0.5).astype(np.float32)
    total = np.maximum(cv2.GaussianBlur(mask, (0, 0), wide), 1e-4)
    near = cv2.GaussianBlur(seen[..., 1] * mask, (0, 0), wide) / total
    around = np.where(mask > 0, seen[..., 1], near)
    # By size, not by certainty: a vertex far from the edge knows as well on which side it is.
    around = np.tanh(3 * around)
    expected = np.log(np.maximum(seen[..., 5:8], 1e-3)).mean(axis=2)
    shown = log_linear(view.small_photo).mean(axis=2) - expected
    pixel = np.clip((seen[..., 0] - step / 2 - shown) / (step / 2), -1, 1)
    away = _edge_distance(around) / view.face_size
    here = np.maximum(seen[..., 3] * (away < _BAND), seen[..., 4] * (away < _FOREHEAD_BAND))
    score = pixel * here * mask + _AROUND * around
    score = cv2.GaussianBlur(score.astype(np.float32), (0, 0), max(0.5, _EDGE * view.face_size))
    return _without_islands(score, _SMALLEST * view.face_size**2)


def _without_islands(score: Float, smallest: float) -> Float:
    """``score`` (h, w) with its smaller areas of one sign given the other."""
    score = score.copy()
    for sign in (1, -1):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (sign * score > 0).astype(np.uint8), connectivity=4
        )
        small = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] < smallest]
        score[np.isin(labels, small)] *= -1
    return score


def _edge_distance(score: NDArray) -> Float:
    """(h, w) pixels to where ``score`` changes its sign."""
    dark = (score > 0).astype(np.uint8)
    inside, outside = (cv2.distanceTransform(side, cv2.DIST_L2, 5) for side in (dark, 1 - dark))
    return np.maximum(inside, outside)


def _median(values: NDArray) -> NDArray:
    return np.median(values, axis=0)
