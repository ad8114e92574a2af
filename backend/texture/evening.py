"""Skin that a photo shows badly, evened out to what it shows around."""

from __future__ import annotations

import cv2
import numpy as np

from ..model import FaceModel
from .channels import tripled, wide_blur
from .layout import Float, Layout, bands, box_of, enlarged, interpolate_texels, scaled

#: mm, standard deviation of the mean of the photo's weight around.
_WIDE_MM = 12.0
#: Of a weight that is divided by.
_LEAST = 1e-6


def on_texels(model: FaceModel, layout: Layout, values: Float) -> Float:
    """(T, T) ``values`` (V,) of vertices on the small atlas; 0 off it."""
    small = layout.small
    found = np.zeros(small.mask.shape, np.float32)
    face, weights = small.face_id[small.mask], small.barycentric[small.mask]
    found[small.mask] = interpolate_texels(values[:, None], model.faces, face, weights)[:, 0]
    return found


def settle(
    detail: tuple[Float, Float],
    weight: Float,
    zone: Float,
    even: Float,
    most: Float,
    texel_mm: float,
) -> None:
    """Even out ``detail``: log over the ground (H, W, 3) and the photo's weight (H, W), in place.

    All else is smaller: ``weight`` (h, w) the photo's; ``zone`` (h, w) 0..1 where that is to be;
    ``even`` (h, w, 3) log over the ground, what it should be like there, and ``most`` (h, w) by how
    much it may differ, bent towards that limit; ``texel_mm`` the side of a texel.  The weight
    becomes what it is around: what the photo shows from the side only is as what it shows beside.
    """
    box = box_of(zone, 1)
    if box is None:
        return
    there, seen = detail
    # By itself, so that it is that of what is seen around.
    mine: Float = zone * weight
    least = zone * mean_around(weight * mine, mine, _WIDE_MM / texel_mm)
    for band in bands(scaled(box, len(there) / len(zone))):
        share, fine = (tripled(enlarged(one, len(there), band)) for one in (zone, most))
        wide = enlarged(even, len(there), band)
        evened = wide + fine * np.tanh((there[band] - wide) / fine)
        there[band] += share * (evened - there[band])
        seen[band] = np.maximum(seen[band], enlarged(least, len(there), band))


def weighted_mean(colour: Float, weight: Float, share: Float, sigma: float) -> Float:
    """(h, w, 3) Gaussian mean by ``weight`` (h, w) of ``colour`` (h, w, 3) times ``share`` (h, w).

    Of a colour that has the photo's weight in it, ``weight`` is ``share`` times the photo's.
    """
    table = cv2.merge([*cv2.split(colour * tripled(share)), weight])
    *means, total = cv2.split(wide_blur(table, sigma))
    return cv2.merge(means) / tripled(np.maximum(total, _LEAST))


def mean_around(values: Float, weight: Float, sigma: float) -> Float:
    """(h, w) Gaussian mean by ``weight`` (h, w) of ``values`` (h, w), times it already."""
    mean, total = cv2.split(wide_blur(cv2.merge([values, weight]), sigma))
    return mean / np.maximum(total, _LEAST)
