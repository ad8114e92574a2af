"""What the network's vector becomes when the picture is flipped left to right.

One matrix: signs for pose and light, Left and Right exchanged for expressions, least squares for
identity, whose components need not be symmetric.  Albedo stays: on the face each component differs
from its own mirror image by 2 to 10 %.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from ..model.cached import cached
from .layout import Layout

Double = NDArray[np.float64]

_MIRROR = np.array([-1.0, 1.0, 1.0])
#: Of the nine spherical harmonics (``geometry.harmonics.sh_basis``): x, xy and xz change sign.
_SH_SIGNS = np.array([1.0, 1, 1, -1, -1, 1, 1, -1, 1])


@lru_cache(maxsize=4)
@cached
def mirror_matrix(model: FaceModel) -> Double:
    """(size, size): ``vector @ mirror_matrix(model).T`` describes the flipped picture.

    Its upper left (label_size, label_size) part does the same for labels.
    """
    layout = Layout.of(model)
    matrix = np.zeros((layout.size, layout.size))
    blocks = {
        # upright' = M upright M, of which the first two columns are kept
        "rotation": np.diag(np.concatenate([-_MIRROR, _MIRROR])),
        "shift": np.diag([-1.0, 1.0]),
        "scale": np.eye(1),
        "distance": np.eye(1),
        "identity": _identity(model),
        "expression": _permutation(mirrored_names(model.expression_names)),
        "albedo": np.eye(layout.albedo),
        "illumination": np.diag(np.repeat(_SH_SIGNS, 3)),
        "landmark_sigma": _permutation(mirrored_landmarks(model)),
    }
    for name, place in layout.slices.items():
        matrix[place, place] = blocks[name]
    return matrix


def mirrored_landmarks(model: FaceModel) -> NDArray[np.intp]:
    """(68,) which landmark of the flipped face each landmark is."""
    place = {int(vertex): i for i, vertex in enumerate(model.landmarks68)}
    return np.array([place[int(v)] for v in model.symmetry[model.landmarks68]])


def mirrored_names(names: tuple[str, ...]) -> NDArray[np.intp]:
    """(E,) the place of each shape's other side; its own where there is none."""
    swap = {"Left": "Right", "Right": "Left"}
    other = []
    for name in names:
        side = next((s for s in swap if name.endswith(s)), None)
        partner = name.removesuffix(side) + swap[side] if side else name
        other.append(names.index(partner) if partner in names else names.index(name))
    return np.array(other)


def _permutation(order: NDArray[np.intp]) -> Double:
    return np.eye(len(order))[order]


def _identity(model: FaceModel) -> Double:
    basis = model.identity_basis.astype(np.float64)
    flipped = basis[:, model.symmetry] * _MIRROR
    return _least_squares(basis.reshape(len(basis), -1), flipped.reshape(len(basis), -1))


def _least_squares(basis: Double, flipped: Double) -> Double:
    """(N, N) M: ``(M c) @ basis`` is nearest to ``c @ flipped`` for every c."""
    return np.linalg.solve(basis @ basis.T, basis @ flipped.T)
