"""Painted eyebrows give way where the photo shows real ones.

The fitted albedo has brows of its own.  A face whose brows lie elsewhere would get both: the skin
that the photo shows in the painted ones' place is far lighter than they are, which is what a
highlight is, and the photo's weight ends before the painted tails do.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..kept import kept
from ..model import FaceModel
from .channels import tripled, wide_blur
from .layout import Float, Layout, box_of, smoothstep
from .trust import photo_weight
from .view import View

#: Mean weight of the photo over a brow between which the painted ones go.
SHOWN = (0.35, 0.65)
#: Parts of the side of the model's albedo: how far around the mask brows are taken out, how soft
#: that ends, and the width of the blur that fills in.
_GROWN, _SOFT, _FILL = 1 / 57, 1 / 170, 0.03


def brows_shown(model: FaceModel, view: View, trust: Float) -> float:
    """0..1 how far the photo shows a real brow, the right or the left: the other is mirrored.

    ``trust`` (h, w) in analysis pixels, as :func:`~.trust.photo_weight` has it.
    """
    if "brows" not in model.mask_names:
        return 0.0
    brows = model.mask("brows")
    weight = photo_weight(view, trust, view.pixels, view.depth, view.facing)
    sides = []
    for side in (model.mean[:, 0] < 0, model.mean[:, 0] > 0):
        own = brows * side
        sides.append(float(own @ weight) / max(float(own.sum()), 1e-6))
    return float(smoothstep(*SHOWN, np.array(max(sides))))


def without_brows(base: Float, model: FaceModel, layout: Layout, share: float) -> Float:
    """``base`` (T, T, 3) log albedo with ``share`` (0..1) of the painted brows filled with skin."""
    if share <= 0 or "brows" not in model.mask_names:
        return base
    brows, around = _regions(model, layout)
    box = box_of(brows)
    if box is None:
        return base
    width = _FILL * len(base)
    total = np.maximum(wide_blur(around, width), 1e-4)[box]
    filled = wide_blur(base * tripled(around), width)[box] / tripled(total)
    base = base.copy()
    base[box] += tripled(np.float32(share) * brows[box]) * (filled - base[box])
    return base


@kept(maxsize=2)
def _regions(model: FaceModel, layout: Layout) -> tuple[Float, Float]:
    """(T, T) how much of a texel is painted brow, and 1 on the skin around."""
    small, side = layout.small, len(layout.small.mask)
    width = max(3, round(2 * _GROWN * side) // 2 * 2 + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    grown = cv2.dilate((model.uv_mask("brows") > 0.1).astype(np.float32), kernel)
    skin = np.zeros_like(grown)
    skin[small.mask] = layout.skin_face[small.face_id[small.mask]]
    for name in ("lids", "scalp"):
        if name in model.mask_names:
            skin *= model.uv_mask(name) < 0.3
    # Soft inwards, so that the fill is skin alone.
    return cv2.GaussianBlur(grown, (0, 0), _SOFT * side), (skin * (1 - grown)).astype(np.float32)
