"""A beard as strands, where the photo shows one: darker skin whose red has gone.

Shadow takes red, green and blue alike; hair over skin, be it a day old, takes red first, as what
reddens skin is under it.  So both are asked for, at the chin and at the jaw, and where there is
doubt there is no beard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.camera import project
from ..geometry.harmonics import shade
from ..geometry.srgb import LUMINANCE, SRGB_TO_LINEAR
from ..geometry.triangles import dot, unit, vertex_normals
from ..model import FaceModel
from ..raster.visibility import occluded
from ..texture.build import Shot
from ..texture.channels import tripled
from ..texture.layout import Layout, sample, smoothstep
from .colour import STREAKS, shader_colour
from .short import Patch, lying, patch_of
from .strands import Float, Strands
from .surface import Skin

#: Points on a square mm in which the photo is looked up; hairs on one where a beard is full.
_POINTS, _HAIRS = 1.0, 0.45
#: Pixels of the photo on a mm, at most: finer ones show single hairs.
_PX_PER_MM = 2.0
#: Of the photo around them.
_MARGIN_PX = 8
#: Cosine to the camera from which a point counts as seen; the darkest light that is divided out.
_FACING, _LEAST_LIGHT = 0.3, 0.05
#: How much more the loss of red counts than darkness, both logarithms; and their limits.
_RED, _MOST_DARK, _MOST_RED = 2.0, 0.6, 0.35
#: What both together come to: at the chin, at the jaw, and there where one side alone is seen;
#: and the mean loss of red.  Of 28 photos (four with a beard): 0.40 to 0.93 at the chin and 0.25 to
#: 1.28 at the jaw with one, at most 0.49 and 0.06 without, and red 0.07 to 0.28 with.
_CHIN, _JAW, _ONE_JAW, _LOSS = 0.3, 0.15, 0.4, 0.04
#: Between which a point has none, or a full beard.
_HAIRY = (0.2, 0.75)
#: Points that are looked at together, and the fewest in which a place is seen at all.
_NEIGHBOURS, _FEW = 16, 25
#: mm under the chin between which a beard ends.
_NECK_MM = (2.0, 26.0)
#: mm from what is seen within which the rest is like it.
_LIKE_MM = 12.0
#: What both together come to at the jaw, and mm that the beard is long.  By eye on the four: days
#: of stubble cannot be told from a short beard by anything else here.
_STRENGTH, _LENGTH_MM = (0.3, 0.9, 1.3), (1.5, 3.5, 6.5)
#: Points of a strand, half its thickness in mm, and how far it stands off, in parts of its length.
_STRAND_POINTS, _RADIUS_MM, _STANDING = 6, 0.05, (0.25, 0.55)
_PROFILE = np.linspace(0, 1, _STRAND_POINTS) ** 0.8
#: How much darker hairs are than the skin between them and they together (log), and what stays of
#: the hue.
_DARKER, _HUE = 0.75, 0.5
_SEED = 19


@dataclass(frozen=True, eq=False)
class _Seen:
    """The points of a patch in the photo."""

    log: Float  #: (N, 3) logarithm of the linear albedo
    light: Float  #: (N, 3) that of the light, which is divided out
    seen: NDArray[np.bool_]  #: (N,)


def make_beard(
    model: FaceModel,
    layout: Layout,
    shot: Shot,
    sh_light: NDArray,
    *,
    lit: bool = False,
) -> Strands | None:
    """Strands of the beard that the photo of ``shot`` shows; None where it shows none for sure, has
    no colour, and of a model that does not say where beards grow.

    ``layout`` is the model's, of any size; ``sh_light`` (9, 3) as in
    :class:`~..exchange.Reconstruction`.  With ``lit`` their colours have that light in them.
    """
    neutral = shot.vertices_neutral
    if neutral is None or "beard" not in model.mask_names:
        return None
    rng = np.random.default_rng(_SEED)
    beard, cheek = model.mask("beard"), _cheeks(model, layout)
    where = (beard[model.faces] > 0.2).any(axis=1) | (cheek[model.faces] > 0).all(axis=1)
    patch = patch_of(model, neutral, where, _POINTS, rng)
    if patch is None:
        return None
    looked = _look(model, patch, shot, sh_light)
    mask, on_cheek = (patch.interpolated(model.faces, x[:, None])[:, 0] for x in (beard, cheek))
    skin = looked.seen & (on_cheek > 0.8)
    if skin.sum() < _FEW:
        return None
    strength, loss = _against(looked.log, np.median(looked.log[skin], axis=0))
    places = _places(model, patch, mask, looked.seen)
    # First what takes no time, and is missing on most faces.
    if not places or np.mean([np.median(loss[place]) for place in places]) < _LOSS:
        return None
    strength = _smooth(patch, strength, looked.seen)
    jaw = _told(strength, places)
    if jaw is None:
        return None
    # Nowhere denser than at chin and jaw: under them there is shadow too.
    hairy = smoothstep(*_HAIRY, np.minimum(strength, jaw)) * smoothstep(0.2, 0.8, mask)
    hairy = hairy * _above_neck(model, patch)
    if lit:
        looked = replace(looked, log=looked.log + looked.light)
    return _grown(model, neutral, patch, hairy, looked, jaw, rng)


def _cheeks(model: FaceModel, layout: Layout) -> Float:
    """(V,) 1 on the skin under the eyes and beside the nose, where no beard grows."""
    marks, y = model.mean[model.landmarks68], model.mean[:, 1]
    eyes = marks[36:48, 1].mean()
    # From a finger's width under the eyes down to the tip of the nose.
    high, low = eyes - 0.2 * (eyes - marks[57, 1]), marks[33, 1] - 6
    plain = (layout.regions.bare_skin > 0.8) & (layout.regions.core > 0.1)
    return (plain & (model.mask("beard") < 0.05) & (y < high) & (y > low)).astype(np.float32)


def _look(model: FaceModel, patch: Patch, shot: Shot, sh_light: NDArray) -> _Seen:
    posed = np.asarray(shot.vertices_posed, np.float64)
    points = patch.interpolated(model.faces, posed)
    normals = unit(patch.interpolated(model.faces, vertex_normals(posed, model.faces)))
    eye = -shot.rotation.T @ shot.translation
    at = points @ shot.rotation.T + shot.translation
    given = project(at, shot.camera_matrix)
    high, wide = np.array(shot.pixels.shape[:2])
    (left, top), (right, low) = (
        np.clip(end, 0, [wide, high]).astype(int)
        for end in (given.min(axis=0) - _MARGIN_PX, given.max(axis=0) + _MARGIN_PX)
    )
    small = shot.pixels[top:low, left:right]
    if min(small.shape[:2]) < 2:
        dark = np.zeros((len(points), 3), np.float32)
        return _Seen(dark, dark, np.zeros(len(points), bool))
    scale = min(1.0, _PX_PER_MM * float(np.median(at[:, 2])) / float(shot.camera_matrix[0, 0]))
    if scale < 1:
        small = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    pixels = ((given - [left, top] + 0.5) * scale - 0.5).astype(np.float32)
    inside = ((pixels >= 0) & (pixels < np.array(small.shape[1::-1]) - 1)).all(axis=1)
    seen = inside & (dot(unit(eye - points), normals) > _FACING)
    seen[seen] = ~occluded(points[seen].astype(np.float32), posed, model.faces, eye)
    if shot.covered is not None:
        seen &= sample(shot.covered.astype(np.float32), given.astype(np.float32)) < 0.5
    log = np.log(np.maximum(SRGB_TO_LINEAR[small], 0.003)).astype(np.float32)
    light = np.log(np.maximum(shade(normals, sh_light), _LEAST_LIGHT)).astype(np.float32)
    return _Seen(sample(cv2.GaussianBlur(log, (0, 0), 1.2), pixels) - light, light, seen)


def _against(log: Float, skin: NDArray) -> tuple[NDArray, NDArray]:
    """(N,) how beard-like ``log`` (N, 3) is beside the person's ``skin`` (3,), and its loss of
    red against blue."""
    dark = (skin - log) @ LUMINANCE
    loss = (skin[0] - skin[2]) - (log[:, 0] - log[:, 2])
    both = np.clip(dark, -_MOST_DARK, _MOST_DARK) + _RED * np.clip(loss, -_MOST_RED, _MOST_RED)
    return both, loss


def _smooth(patch: Patch, strength: NDArray, seen: NDArray[np.bool_]) -> NDArray:
    """(N,) ``strength`` among neighbours; where the photo shows nothing as on the other side, or
    as nearby."""
    points = patch.points.astype(np.float64)
    places = np.stack([points, points * [-1, 1, 1]])
    tree = cKDTree(points[seen])
    near = np.exp(-np.maximum(tree.query(places)[0] - 3.0, 0) / _LIKE_MM)
    side = np.where(seen | (near[0] >= near[1]), 0, 1)
    chosen = side, np.arange(len(points))
    _, nearest = tree.query(places[chosen], min(_NEIGHBOURS, int(seen.sum())))
    return np.median(strength[seen][nearest], axis=1) * near[chosen]


def _places(
    model: FaceModel, patch: Patch, mask: NDArray, seen: NDArray[np.bool_]
) -> list[NDArray[np.bool_]]:
    """(N,) each: the points of the chin and of either side of the jaw that are ``seen``; none where
    these are too few to tell a beard by."""
    marks = model.mean[model.landmarks68]
    x, y, _ = patch.interpolated(model.faces, model.mean.astype(np.float64)).T
    lip, chin = marks[57, 1], marks[8, 1]
    inner, outer = abs(marks[48, 0]) * 0.8, abs(marks[48, 0]) * 1.35
    here = seen & (mask > 0.5) & (y > chin)
    places = [here & (np.abs(x) < inner) & (y < lip - 6)]
    places += [here & (side * x > outer) & (y < lip + 5) for side in (-1, 1)]
    there = [place for place in places if place.sum() > _FEW]
    return there if len(there) >= 2 and there[0] is places[0] else []


def _told(strength: NDArray, places: list[NDArray[np.bool_]]) -> float | None:
    """How strong the beard is at the jaw; None where there surely is none."""
    at_chin, *at_jaw = (float(np.median(strength[place])) for place in places)
    enough = _JAW if len(at_jaw) == 2 else _ONE_JAW
    if at_chin < _CHIN or min(at_jaw) < enough:
        return None
    return float(np.mean([at_chin, *at_jaw]))


def _grown(
    model: FaceModel,
    neutral: NDArray,
    patch: Patch,
    hairy: NDArray,
    looked: _Seen,
    jaw: float,
    rng: np.random.Generator,
) -> Strands | None:
    start = np.flatnonzero(rng.random(len(hairy)) < hairy * _HAIRS / patch.density)
    if not len(start):
        return None
    flow = _flow(model, patch)
    own = rng.normal(0, 0.25, (len(start), 3))

    def way(here: NDArray[np.intp]) -> NDArray:
        return flow[here] + own

    length = np.interp(jaw, _STRENGTH, _LENGTH_MM) * np.exp(rng.normal(0, 0.2, len(start)))
    length = length * (0.35 + 0.65 * hairy[start])
    height = length * rng.uniform(*_STANDING, len(start))
    points = lying(patch, start, way, length, height, hairy <= 0, _PROFILE)
    crossed = Skin(model, neutral).first_crossed(points, patch.normals[start])
    kept = crossed == points.shape[1] - 1
    start, points = start[kept], points[kept]
    if not len(start):
        return None
    roots = patch.roots.chosen(start)
    return Strands(
        points=points,
        root_triangle=roots.triangle,
        root_weights=roots.weights,
        colour=_colours(patch, start, hairy, looked, rng),
        radius=np.full(len(start), _RADIUS_MM, np.float32),
    )


def _above_neck(model: FaceModel, patch: Patch) -> NDArray:
    """(N,) 1 down to the jaw, 0 well under it: there lies its shadow, and beards are shaved."""
    y = patch.interpolated(model.faces, model.mean[:, 1:2].astype(np.float64))[:, 0]
    return 1 - smoothstep(*_NECK_MM, model.mean[model.landmarks68[8], 1] - y)


def _flow(model: FaceModel, patch: Patch) -> NDArray:
    """(N, 3) unit: down over the cheeks and the chin, aside under the nose."""
    marks = model.mean[model.landmarks68]
    x, y, _ = patch.interpolated(model.faces, model.mean.astype(np.float64)).T
    corner, lip = abs(marks[48, 0]), marks[51, 1]
    moustache = smoothstep(lip - 4, lip + 3, y) * (
        1 - smoothstep(0.9 * corner, 1.6 * corner, abs(x))
    )
    aside = np.sign(x) * (0.1 + 0.9 * moustache * smoothstep(0, 0.4 * corner, abs(x)))
    way = np.stack([aside, np.full(len(x), -1.0), 0.15 * (1 - moustache)], axis=1)
    return unit(way - patch.normals * tripled(dot(way, patch.normals)))


def _colours(
    patch: Patch,
    start: NDArray[np.intp],
    hairy: NDArray,
    looked: _Seen,
    rng: np.random.Generator,
) -> Float:
    """(S, 2, 3) the shader's: where hair is densest the photo has most of its colour."""
    dense = looked.seen & (hairy >= np.quantile(hairy[looked.seen & (hairy > 0)], 0.5))
    away, nearest = cKDTree(patch.points[dense]).query(patch.points[start], _NEIGHBOURS)
    log = looked.log[dense]
    middle = np.median(log, axis=0)
    near = np.exp(-away[:, :1] / _LIKE_MM)
    log = middle + near * (np.median(log[nearest], axis=1) - middle) - _DARKER
    bright = log.mean(axis=1, keepdims=True)
    log = bright + _HUE * (log - bright) + rng.normal(0, STREAKS, (len(start), 1))
    return shader_colour(np.repeat(np.exp(log)[:, None], 2, axis=1)).astype(np.float32)
