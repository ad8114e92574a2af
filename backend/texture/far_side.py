"""The far side of a turned face: what the near one's mirror image shows better."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..kept import kept
from ..model import FaceModel
from .brows import SHOWN
from .layout import Float, smoothstep
from .trust import photo_weight
from .view import View

# By eye, on the six of 28 photos whose faces are turned most.

#: By how much more the near side faces the camera, cosines, between which the far one is not taken:
#: of skin, vertex by vertex, and of brows in the mean.
_SKIN, _BROW = (0.3, 0.5), (0.2, 0.35)
#: Weight that the photo has on the near side's skin for that, and mm around a brow.
_SEEN, _AROUND_MM = (0.6, 0.9), (5.0, 10.0)


def far_side_believed(model: FaceModel, view: View, trust: Float) -> Float:
    """(V,) 0..1 what of the photo is taken: not the far side of a turned face where the near one is
    seen far better, whose mirror image stands in.

    At the far edge everything is drawn out, beside what is behind the head.  A brow goes as a
    whole: half of each would be two.  ``trust`` (h, w) in analysis pixels.
    """
    weight = photo_weight(view, trust, view.pixels, view.depth, view.facing)
    more = view.facing[model.symmetry] - view.facing
    believed = 1 - smoothstep(*_SKIN, more) * smoothstep(*_SEEN, weight[model.symmetry])
    if "brows" not in model.mask_names:
        return believed
    brows = model.mask("brows")
    means = []
    for side in (-1, 1):
        own = brows * (side * model.mean[:, 0] > 0)
        means.append((own @ np.column_stack([view.facing, weight])) / max(own.sum(), 1e-6))
    around = _around_brows(model)
    for side, own, other in ((-1, *means), (1, *means[::-1])):
        better = smoothstep(*_BROW, other[0] - own[0]) * smoothstep(*SHOWN, other[1])
        believed *= 1 - better * around * smoothstep(0, 4, side * model.mean[:, 0])
    return believed


@kept(maxsize=2)
def _around_brows(model: FaceModel) -> Float:
    """(V,) 1 on the brows, falling to 0 within :data:`_AROUND_MM`."""
    brows = model.mean[model.mask("brows") > 0.5]
    if not len(brows):
        return np.zeros(len(model.mean), np.float32)
    return 1 - smoothstep(*_AROUND_MM, cKDTree(brows).query(model.mean)[0])
