"""How far two pictures of a head are apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from skimage.metrics import structural_similarity

from ..exchange.passes import Passes
from ..geometry import srgb

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: What is compared inside must be inside by so many pixels in both pictures: at the very outline
#: one pixel's rounding shows another part of the head, and the silhouette measures see to that.
INNER_PX = 1
#: Colours that agree to the last bit would have an infinite PSNR.
_HIGHEST_PSNR = 100.0


def passes_measures(expected: Passes, found: Passes, *, textured: bool = True) -> dict[str, float]:
    """The measures of the group "scene" by name; ``expected`` is PyTorch3D's, ``found`` Cycles'.

    Without ``textured`` those of colour are left out.  Where the silhouettes have nothing in
    common, all else is as wrong as can be.
    """
    a, b = expected.covered, found.covered
    both = binary_erosion(a & b, iterations=INNER_PX)
    values = {"silhouette_iou": silhouette_iou(a, b), "boundary_px": boundary_distance(a, b)}
    if not both.any():
        worst = {"depth_mm": np.inf, "depth_worst_mm": np.inf, "normals_deg": 180.0}
        colours = {"unlit_psnr_db": 0.0, "unlit_ssim": 0.0, "shaded_psnr_db": 0.0}
        return values | worst | ((colours | {"shaded_ssim": 0.0}) if textured else {})
    depth = np.abs(expected.depth.astype(np.float64) - found.depth)[both]
    values["depth_mm"] = float(depth.mean())
    values["depth_worst_mm"] = float(np.percentile(depth, 99))
    values["normals_deg"] = float(angles(expected.normals, found.normals)[both].mean())
    if textured:
        for name in ("unlit", "shaded"):
            one, two = (srgb.encode(getattr(side, name)) for side in (expected, found))
            values[f"{name}_psnr_db"] = psnr(one, two, both)
            values[f"{name}_ssim"] = ssim(one, two, both)
    return values


def silhouette_iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks (H, W); 0 where both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def boundary_distance(a: Mask, b: Mask) -> float:
    """Mean distance in pixels between the outlines of two masks, both ways; infinite without one.

    An outline are the pixels inside a mask beside one that is not.  The picture's own edge is none.
    """
    first, second = (_outline(mask) for mask in (a, b))
    if not first.any() or not second.any():
        return 0.0 if (a == b).all() and a.any() else float("inf")
    to_first, to_second = (distance_transform_edt(~line) for line in (first, second))
    return float((to_second[first].mean() + to_first[second].mean()) / 2)


def angles(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """(...) degrees between vectors (..., 3); 0 where one of them is nothing."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    # Unlike the arc cosine this is exact for small angles (Kahan 2006).
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def psnr(a: NDArray, b: NDArray, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB of (H, W, 3) pictures of 0..1 inside ``mask``."""
    error = float(((a.astype(np.float64) - b)[mask] ** 2).mean())
    return min(_HIGHEST_PSNR, -10 * float(np.log10(max(error, 1e-30))))


def ssim(a: NDArray, b: NDArray, mask: Mask) -> float:
    """Mean structural similarity (Wang et al. 2004) of (H, W, 3) pictures inside ``mask``.

    Gaussian windows of sigma 1.5, as in the paper; pictures narrower than the window have none
    of their own and count as 1 where they are the same.
    """
    if min(mask.shape) < 11:
        return float(np.allclose(a[mask], b[mask]))
    each: NDArray[np.float64] = structural_similarity(
        a.astype(np.float64),
        b.astype(np.float64),
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )[1]
    return float(each.mean(axis=2)[mask].mean())


def _outline(mask: Mask) -> Mask:
    return mask & ~binary_erosion(mask, border_value=1)
