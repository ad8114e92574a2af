"""People's shapes for a model that has too few of them: the default head's, on its mesh.

A folder of blendshapes may hold a handful of identities, or a part of them.  With those alone no
photo's face could be met.  The default head's modes are carried over to the counterparts, made
smooth where these are not believed, and follow the model's own, without what those already say.
"""

from __future__ import annotations

import igl
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .correspondence import Correspondence
from .parts import Parts
from .solver import factor

Float = NDArray[np.float32]
Int = NDArray[np.int32]

#: Own modes from which on a model is left as it is; the original system used 100, FLAME 300.
ENOUGH = 20
#: What is narrower than this on the mesh comes from the counterparts, not from people.
SMOOTH_MM = 4.0
#: Belief below which a counterpart only fixes what nothing else does.
LEAST_BELIEF = 1e-3


def with_default_modes(
    own: Float, match: Correspondence, frame: NDArray, mean: NDArray, triangles: Int, parts: Parts
) -> Float:
    """(K + 144, V, 3) the modes ``own`` (K, V, 3), mm per standard deviation, and the default's.

    ``frame`` (3, 3) is the scaled rotation from the default's axes to those of the mesh ``mean``
    (V, 3), ``triangles`` (F, 3).
    """
    points = np.asarray(mean, np.float64)
    place, belief = _places(match, points, triangles, parts)
    area = np.zeros(len(points))  # libigl leaves out what follows the last vertex that is used
    used = igl.massmatrix(points, triangles.astype(np.int64)).diagonal()
    area[: len(used)] = np.where(np.isfinite(used), used, 0)
    area += 1e-6
    weight = area * np.maximum(belief, LEAST_BELIEF)
    stiffness = -igl.cotmatrix(points, triangles.astype(np.int64)).tocsr()
    stiffness.data[~np.isfinite(stiffness.data)] = 0
    smooth = factor((sp.diags(weight) + SMOOTH_MM**2 * stiffness).tocsc()).solve
    modes = match.template.model.identity_basis.astype(np.float64)
    carried = np.stack([smooth(weight[:, None] * (place @ (m @ frame.T))) for m in modes])
    flat = own.reshape(len(own), -1).astype(np.float64)
    root = np.repeat(np.sqrt(weight), 3)
    known = np.linalg.lstsq((flat * root).T, (carried.reshape(len(carried), -1) * root).T, 1e-6)[0]
    rest = carried.reshape(len(carried), -1) - known.T @ flat
    return np.concatenate([own, rest.reshape(carried.shape).astype(np.float32)])


def _places(
    match: Correspondence, points: NDArray, triangles: Int, parts: Parts
) -> tuple[sp.csr_matrix, NDArray]:
    """(V, D) which vertices of the default each one goes with, and (V,) belief in it.

    Teeth and tongue go with the nearest of the default's.
    """
    place, belief = match.matrix().tolil(), match.belief.copy()
    model = match.template.model
    kinds = np.array(parts.kind)[parts.material]
    for kind in ("teeth", "tongue"):
        mine = np.unique(triangles[kinds == kind])
        if not len(mine) or kind not in model.material_kinds:
            continue
        its = model.polygon_material == model.material_kinds.index(kind)
        there = np.unique(model.polygons[its])
        near = there[cKDTree(match.registered[there]).query(points[mine])[1]]
        rows = sp.csr_matrix(
            (np.ones(len(mine)), (np.arange(len(mine)), near)), (len(mine), place.shape[1])
        )
        place[mine] = rows
        belief[mine] = 1.0
    return place.tocsr(), belief
