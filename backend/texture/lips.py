"""What the photo does not show of the lips: what they hide of each other, and their inside.

Every open mouth shows both.  The face model has its own lips' red for the one, beside lipstick as
brown as skin, and for the other a pale pink, a bright rim between dark lips.  Here they have the
colour of the lips that the photo shows; mucosa goes over into the lips' red.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..kept import kept
from ..model import FaceModel
from ..model.lips import SEAM
from .evening import on_texels
from .layout import Float, Layout, sample, smoothstep
from .trust import log_linear, photo_weight
from .view import View

#: Weight of the photo above which a vertex of the lips is seen, and how many have to be.
_SEEN, _FEWEST = 0.4, 30
#: Quantiles of their brightness whose mean is taken: the line between lips is dark, gloss bright.
_QUANTILES = (0.45, 0.85)
#: mm from the lips' seam between which the mouth's inside becomes its own.
_REACH_MM = (2.0, 14.0)
#: How much of the lips' colour the inside has at the seam: lipstick ends there, and dark lips are
#: paler inside.  By eye, as all here.
_SHARE = 0.75


def lips_colour(
    model: FaceModel, layout: Layout, view: View, trust: Float, log_shading: Float
) -> Float | None:
    """(3,) log linear albedo of the lips; None where the photo shows too little of them.

    ``trust`` (h, w) in analysis pixels; ``log_shading`` (V, 3) is divided out.
    """
    if "lips" not in model.mask_names:
        return None
    red = np.flatnonzero((model.mask("lips") > 0.9) & layout.skin_vertex)
    places = view.pixels[red], view.depth[red], view.facing[red]
    red = red[photo_weight(view, trust, *places) > _SEEN]
    if len(red) < _FEWEST:
        return None
    values = log_linear(sample(view.photo, view.pixels[red])) - log_shading[red]
    order = np.argsort(values.mean(axis=1))
    low, high = (int(share * len(order)) for share in _QUANTILES)
    return values[order[low:high]].mean(axis=0).astype(np.float32)


def tint_lips(
    painted: Float, texels: NDArray[np.intp], model: FaceModel, layout: Layout, colour: NDArray
) -> None:
    """Give the lips in ``painted`` (3, N), log linear, the ``colour`` (3,) and let the mouth's
    inside begin with it; ``texels`` (N,) are flat indices into the small atlas."""
    red, inside = model.uv_mask("lips").ravel()[texels], _inside(model, layout).ravel()[texels]
    sure = red > 0.9
    if not sure.any():
        return
    shift = colour - np.median(painted[:, sure], axis=1)
    some = np.flatnonzero(red)
    painted[:, some] += red[some] * shift[:, None]
    some = np.flatnonzero(inside)
    painted[:, some] += _SHARE * inside[some] * (colour[:, None] - painted[:, some])


@kept(maxsize=2)
def _inside(model: FaceModel, layout: Layout) -> Float:
    """(T, T) 1 at the lips' seam, falling towards the mouth's back; 0 off its inside."""
    small = layout.small
    if model.lip_rings is None:
        return np.zeros(small.mask.shape, np.float32)
    away = cKDTree(model.mean[model.lip_rings[SEAM]]).query(model.mean)[0]
    found = on_texels(model, layout, 1 - smoothstep(*_REACH_MM, away))
    kinds = np.array([kind == "mouth" for kind in model.material_kinds])
    inside = kinds[model.polygon_material][model.polygon_of_face]
    found[small.mask] *= inside[small.face_id[small.mask]]
    return found
