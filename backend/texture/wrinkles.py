"""Wrinkles that come with an expression: where its shapes press skin together, across the pressure.

A finished texture shows the photo's lines whatever the face does; a slider moves the skin without
folding it.  Skin folds where it is shortened, at right angles to the shortening (as in Rohmer et
al. 2010, "Animation Wrinkling: Augmenting Coarse Cloth Simulations with Realistic-Looking
Wrinkles"), so the lines of each group of expressions follow from the shapes themselves: the strain
of the mean head gives depth and direction, noise drawn out along it (Cabral and Leedom 1993,
"Imaging Vector Fields Using Line Integral Convolution") the lines.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange.wrinkles import GROUPS, Group
from ..kept import kept
from ..model import FaceModel
from ..model.cached import cached
from ..photo.encode import encode_png
from .layout import Float, Int, Layout, interpolate_texels, layout_of, sample, smoothstep

Bytes = NDArray[np.uint8]

#: Side of the maps: a texel is 0.33 mm of the face.
SIZE = 1024
#: Shortening of the skin from which on it folds, and at which the lines are deepest.
FOLDS, DEEPEST = 0.06, 0.30
#: mm: how far apart lines are and how long they run to either side of a point.
APART_MM, RUN_MM = 4.0, 11.0
#: Correlation of the noise with its mirror image, by its root.
_ALIKE = 0.9
#: Landmarks around which lines come, and how far, in parts of the height from chin to brows: a
#: cheek that is pushed up swells instead.  Foreheads fold all over.
NEAR = {
    "smile": ((36, 45, 48, 54), 0.2),
    "frown": ((21, 22, 27, 28, 29), 0.22),
}


def wrinkle_maps(model: FaceModel, size: int) -> tuple[Bytes, Bytes] | None:
    """The wrinkles of the face's right and left half, (SIZE, SIZE, 3) uint8 each.

    Row 0 at v = 1; a channel for each of :data:`~..exchange.wrinkles.GROUPS`, 0 being smooth, 255
    as deep as its ``DEEPEST_MM``.  They are the same for all heads of a ``model``; ``size`` is that
    of the texture that they go with, whose layout is known already.  None for a model without
    ARKit's shapes.
    """
    known = {name for group in GROUPS for side in group.expressions for name in side}
    if not known <= set(model.expression_names):
        return None
    return _maps(model, size)


@kept(maxsize=1)
@cached
def wrinkle_pictures(model: FaceModel, size: int) -> tuple[Bytes, Bytes] | None:
    """:func:`wrinkle_maps` as PNG files (N,) uint8 each."""
    halves = wrinkle_maps(model, size)
    return None if halves is None else (encode_png(halves[0]), encode_png(halves[1]))


def _maps(model: FaceModel, size: int) -> tuple[Bytes, Bytes]:
    layout = layout_of(model, size)
    noise = _noise(layout)
    skin = _skin_of(model, layout)
    halves = [smoothstep(-4, 4, sign * model.mean[:, 0]) for sign in (-1, 1)]
    right, left = (
        np.stack([_depth(model, layout, skin, group, side, half, noise) for group in GROUPS], 2)
        for side, half in enumerate(halves)
    )
    return right, left


def _depth(
    model: FaceModel,
    layout: Layout,
    skin: _Skin,
    group: Group,
    side: int,
    half: Float,
    noise: Float,
) -> Bytes:
    """(SIZE, SIZE) of a group's expressions at 1 together, on one ``half`` (V,) 0..1 of a face."""
    moved = model.mean + sum(
        model.expression_basis[model.expression_names.index(name)]
        for name in group.expressions[side]
    )
    where = _at_texels((half * _foldable(model, group))[:, None], skin)[0]
    amount, along = _shortening(model, layout, skin, moved)
    folds = smoothstep(FOLDS, DEEPEST, amount) * where
    lines = _drawn_out(noise, along, folds > 0.01, round(RUN_MM / _texel_mm(layout)))
    grooves = np.clip(lines - 0.4, 0, 1.6) / 1.6
    depth = cv2.resize(folds * grooves, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * depth + 0.5, 0, 255).astype(np.uint8)


def _foldable(model: FaceModel, group: Group) -> Float:
    """(V,) 1 on skin that folds into lines: not lips, brows, lids, ears and scalp."""
    out = np.ones(len(model.mean), np.float32)
    for name in ("lips", "brows", "lids", "ears", "scalp", "neck"):
        if name in model.mask_names:
            out *= 1 - model.mask(name)
    if group.name in NEAR:
        marks, reach = NEAR[group.name]
        points = model.mean[model.landmarks68]
        height = points[17:27, 1].mean() - points[8, 1]
        gap = np.linalg.norm(model.mean[:, None] - points[list(marks)], axis=2).min(axis=1)
        out *= 1 - smoothstep(0.5 * reach, reach, gap / height)
    return out


def _texel_mm(layout: Layout) -> float:
    """Side in mm of a texel of the small atlas on the face."""
    return layout.texel_mm * layout.size / len(layout.small.mask)


class _Skin(NamedTuple):
    """The N texels of the small atlas, T x T, that show skin, and what lies there."""

    side: int  #: T
    texel: NDArray[np.intp]  #: (N,) flat index
    faces: Int  #: (F, 3)
    face: Int  #: (N,)
    weights: Float  #: (N, 3)


def _skin_of(model: FaceModel, layout: Layout) -> _Skin:
    small = layout.small
    skin = small.mask & layout.skin_face[np.maximum(small.face_id, 0)]
    at = small.face_id[skin], small.barycentric[skin]
    return _Skin(len(skin), np.flatnonzero(skin), model.faces, *at)


def _at_texels(values: Float, skin: _Skin) -> Float:
    """(C, T, T) of vertex fields (V, C) on the skin, 0 elsewhere."""
    out = np.zeros((values.shape[1], skin.side, skin.side), np.float32)
    found = interpolate_texels(values, skin.faces, skin.face, skin.weights)
    out.reshape(len(out), -1)[:, skin.texel] = found.T
    return out


def _shortening(
    model: FaceModel, layout: Layout, skin: _Skin, moved: NDArray
) -> tuple[Float, Float]:
    """How much of its length the skin of the mean head loses on the way to ``moved`` (V, 3).

    (T, T) the share lost in the direction that loses most, and (T, T, 2) the unit vector in columns
    and rows across it, along which a fold runs.  The texture counts as conformal, which it nearly
    is where skin folds.
    """
    tensor = _at_texels(_vertex_strain(model, layout.skin_face, moved), skin)
    xx, xy, yy = (cv2.GaussianBlur(one, (0, 0), 2.0) for one in tensor)
    # Eigenvalues and eigenvector of the symmetric 2 x 2 matrix, in closed form.
    middle, half = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    across = 0.5 * np.arctan2(2 * xy, xx - yy)
    along = np.stack([-np.sin(across), np.cos(across)], axis=2)
    return middle + half, along * np.array([1, -1], np.float32)  # rows run against v


def _vertex_strain(model: FaceModel, skin_face: NDArray[np.bool_], moved: NDArray) -> Float:
    """(V, 3) xx, xy, yy of the skin's shortening in the directions of u and v, means over the
    triangles around: the symmetric matrix that has 1 - stretch for eigenvalues, 0 where longer."""
    faces = model.faces[skin_face]
    uv = model.uv[model.uv_faces[skin_face]].astype(np.float64)
    edges = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], axis=2)  # (F, 2, 2)
    whole = np.abs(np.linalg.det(edges)) > 1e-12
    edges[~whole] = np.eye(2)
    before, after = (
        _metric(points.astype(np.float64), faces, edges) for points in (model.mean, moved)
    )
    # In a frame in which the metric before is 1, aligned with u: that of Cholesky.
    root = np.linalg.cholesky(before + 1e-9 * np.eye(2))
    inverse = _inverse(root)
    stretch, axes = np.linalg.eigh(inverse @ after @ inverse.transpose(0, 2, 1))
    lost = np.clip(1 - np.sqrt(np.maximum(stretch, 0)), 0, 1)
    shortened = (axes * lost[:, None, :]) @ axes.transpose(0, 2, 1)
    shortened[~whole] = 0
    of_face = shortened[:, [0, 0, 1], [0, 1, 1]]
    total, count = np.zeros((len(moved), 3)), np.zeros(len(moved))
    for corner in range(3):
        np.add.at(total, faces[:, corner], of_face)
        np.add.at(count, faces[:, corner], 1)
    return (total / np.maximum(count, 1)[:, None]).astype(np.float32)


def _metric(points: NDArray, faces: NDArray, edges: NDArray) -> NDArray:
    """(F, 2, 2) the first fundamental form of ``points`` over the texture."""
    corners = points[faces]
    sides = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], axis=2)
    jacobian = sides @ _inverse(edges)
    return jacobian.transpose(0, 2, 1) @ jacobian


def _inverse(matrices: NDArray) -> NDArray:
    """Of (F, 2, 2); numpy's own takes twenty times as long for so many small ones."""
    (a, b), (c, d) = np.moveaxis(matrices, 0, 2)
    adjugate = np.moveaxis(np.array([[d, -b], [-c, a]]), 2, 0)
    return adjugate / (a * d - b * c)[:, None, None]


def _noise(layout: Layout) -> Float:
    """(T, T) blobs as far apart as lines are, mean 0, rms 1."""
    side = len(layout.small.mask)
    rng = np.random.default_rng(6)
    white, other = (rng.standard_normal((side, side), np.float32) for _ in range(2))
    # Both sides of a face wrinkle alike, and not quite: the texture's halves are mirror images.
    white = _ALIKE * (white + white[:, ::-1]) / np.sqrt(2) + np.sqrt(1 - _ALIKE**2) * other
    width = APART_MM / 4 / _texel_mm(layout)
    band = cv2.GaussianBlur(white, (0, 0), width) - cv2.GaussianBlur(white, (0, 0), 2 * width)
    return band / band.std()


def _drawn_out(noise: Float, along: Float, where: NDArray[np.bool_], steps: int) -> Float:
    """The mean of ``noise`` (T, T) over ``steps`` texels to either side along ``along`` (T, T, 2)
    at the texels ``where``, rms 1 there; 0 elsewhere."""
    rows, columns = np.nonzero(where)
    out = np.zeros_like(noise)
    if not len(rows):
        return out
    start = np.column_stack([columns, rows]).astype(np.float32)
    total = sample(noise, start).copy()
    for side in (1.0, -1.0):
        at, heading = start, side * along[rows, columns]
        for _ in range(steps):
            at = np.clip(at + heading, 0, len(noise) - 1).astype(np.float32)
            column, row = np.rint(at).astype(int).T
            new = along[row, column]
            # A fold's line has no sense: go on, never back.
            heading = new * np.sign((new * heading).sum(axis=1, keepdims=True) + 1e-9)
            total += sample(noise, at)
    out[rows, columns] = total / max(float(total.std()), 1e-6)
    return out
