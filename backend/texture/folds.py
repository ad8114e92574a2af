"""The photo's folds, as Blender gives them back with the expression that made them.

What :func:`~.neutral.tidied` takes out of the neutral texture belongs to the face that the photo
shows. Each half of it comes back as far as the shape keys are what they are in the photo: those
that shorten the skin where the folds lie, each by its part in that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..exchange.wrinkles import FOLD_STEP, NO_FOLD
from ..model import FaceModel
from .layout import Float, Int, Layout, layout_of, smoothstep
from .neutral import at_vertices, principal_stretches

#: Weights under which an expression is not there: sliders that are not at rest by fitting noise.
_AT_REST = 0.02
#: An expression with a smaller part in a half's folds does not count, and so many do: a driver's
#: text has room for about ten.
_LEAST_PART, _MOST = 0.05, 8
#: Part of the deepest vertex's folds under which one is left out, to save time.
_LEAST_DEPTH = 0.01
#: mm to either side of the middle between which one half passes into the other.
_SEAM_MM = 4.0


def fold_picture(model: FaceModel, size: int, folds: Float) -> NDArray[np.uint8]:
    """(T, T, 3) for the exchange: in red the right, in green the left half of ``folds`` (T, T).

    ``folds`` is log brightness, row 0 at v = 1; ``size`` the side of the texture that lacks it.
    ``NO_FOLD`` and ``FOLD_STEP`` of :mod:`..exchange.wrinkles` say how it is written.
    """
    layout = layout_of(model, size)
    skin, corners, barycentric = _skin_texels(model, layout)
    picture = np.full((*folds.shape, 3), NO_FOLD, np.uint8)
    depth = folds[skin] / FOLD_STEP
    for half, of_vertex in enumerate(_halves(model).T):
        share = sum(
            weight * of_vertex[corner]
            for weight, corner in zip(barycentric.T, corners.T, strict=True)
        )
        picture[skin, half] = np.clip(np.rint(NO_FOLD + share * depth), 0, 255)
    return picture


def fold_parts(
    model: FaceModel, size: int, folds: Float, neutral: NDArray, basis: NDArray, weights: NDArray
) -> Float:
    """(2, E) what each expression at 1 gives back of the ``folds`` (T, T) of the right, left half.

    The sum over the expressions is 1 at ``weights`` (E,), those of the photo, where the head
    ``neutral`` (V, 3) mm is moved by ``basis`` (E, V, 3) mm; 0 for a half without folds.
    """
    layout = layout_of(model, size)
    skin, corners, barycentric = _skin_texels(model, layout)
    deep = np.abs(folds[skin])[:, None] * barycentric
    depth = np.bincount(corners.ravel(), deep.ravel(), len(neutral))[:, None] * _halves(model)
    faces = model.faces[layout.skin_face]
    deep = depth.max(axis=1) > _LEAST_DEPTH * depth.max()
    faces = faces[deep[faces].any(axis=1)]
    there = np.abs(weights) > _AT_REST
    parts = np.zeros((2, len(weights)))
    for index in np.flatnonzero(there):
        moved = neutral + weights[index] * basis[index]
        short = at_vertices(_pressed(neutral, moved, faces), faces, len(neutral))
        parts[:, index] = np.maximum(short, 0) @ depth
    for half in parts:
        half /= max(half.sum(), 1e-9)
        half[half < max(_LEAST_PART, np.sort(half)[-_MOST])] = 0
        half /= max(half.sum(), 1e-9)
    parts[:, there] /= weights[there]
    return parts.astype(np.float32)


def _pressed(neutral: NDArray, moved: NDArray, faces: NDArray) -> NDArray:
    """(F,) by how much, in parts, triangles are shorter one way without being longer the other.

    What is only pulled becomes narrower with no fold: the skin beside an open mouth.
    """
    least, greatest = principal_stretches(neutral, moved, faces)
    return 1 - least * np.maximum(greatest, 1)


def _skin_texels(model: FaceModel, layout: Layout) -> tuple[NDArray[np.bool_], Int, Float]:
    """(T, T) where the skin is, and the N triangles' corners (N, 3) and weights there (N, 3)."""
    small = layout.small
    skin = small.mask & layout.skin_face[np.maximum(small.face_id, 0)]
    return skin, model.faces[small.face_id[skin]], small.barycentric[skin]


def _halves(model: FaceModel) -> Float:
    """(V, 2) 0..1 how far each vertex is of the face's right, of its left half."""
    left = smoothstep(-_SEAM_MM, _SEAM_MM, model.mean[:, 0])
    return np.stack([1 - left, left], axis=1).astype(np.float32)
