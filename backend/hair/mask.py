"""Where the photo shows hair, without a network: colours of this one photo, and the fitted head.

A pixel of the scalp that is unlike skin is hair, and so is what stands off the drawn skull above
the eyes and is unlike what lies further away: a skull cannot be there.  From such seeds GrabCut
(Rother, Kolmogorov and Blake 2004) finds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..geometry.camera import project
from ..model import FaceModel
from ..raster import interpolate, rasterize
from ..texture.layout import layout_of

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Side of the window, in faces (brows to chin), and pixels of a face in it.
WINDOW_FACES, FACE_PX = 4.4, 104
#: Bins of a colour histogram per Lab axis, and its blur in bins.
_BINS, _BLUR = 32, 1.3
#: Log of how much likelier one colour model must find a seed than the other.
_SURE = 1.0
#: Hair stands off the skull, in faces, where it is looked for.
_RING = 0.16
#: Where the background is surely seen: so far from the head, in faces.
_FAR = 0.95
#: Seeds, in squared faces, under which there is no hair.
_FEW = 0.03
_ROUNDS = 3
#: From the upper end of the face's core down to the brows, in faces.
_OVER_BROWS = 0.17
#: Gaps in the hair that are none, in faces: on the scalp, and at its outline in the photo, where
#: nobody goes bald first.
_GAP, _GAP_AT_CROWN = 0.22, 0.45
#: Median b of Lab: caps and scarves had -23 and -40, the hair of 17 photos 0 to 34.
_BLUER_THAN_HAIR = -12.0
#: Quantiles of the skin's brightness between which it is believed.
_TAILS = (0.08, 0.995)


@dataclass(frozen=True, eq=False)
class Window:
    """The photo around a head, at ``face_px`` pixels from brows to chin."""

    picture: NDArray[np.uint8]  #: (h, w, 3) sRGB
    inside: Bool  #: (h, w) within the photo
    matrix: NDArray[np.float64]  #: (3, 3) camera matrix of the window's pixels
    face_px: float
    head: Bool  #: (h, w) the drawn head
    fields: Float  #: (h, w, 4) scalp, core, forehead, surely skin; 0 off the head


def window_of(
    model: FaceModel,
    photo: NDArray[np.uint8],
    camera_vertices: NDArray,
    camera_matrix: NDArray,
    face_px: float = FACE_PX,
    texture_size: int = 1024,
) -> Window:
    """The :class:`Window` of ``photo`` (H, W, 3) sRGB round ``camera_vertices`` (V, 3) mm in camera
    coordinates."""
    matrix = np.asarray(camera_matrix, np.float64)
    pixels = project(np.asarray(camera_vertices, np.float64), matrix)
    marks = pixels[model.landmarks68]
    tall = np.linalg.norm(marks[17:27].mean(axis=0) - marks[8])
    face = max(float(tall), float(np.ptp(marks[17:68, 0])), 1.0)
    scale = face_px / face
    side = round(WINDOW_FACES * face_px)
    # A bit below the brows: hair hangs further down than it stands up.
    middle = marks[27:36].mean(axis=0)
    to_window = np.array(
        [
            [scale, 0, side / 2 - scale * middle[0]],
            [0, scale, 0.46 * side - scale * middle[1]],
            [0, 0, 1],
        ]
    )
    if scale < 0.5:  # warpAffine does not average
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        sx, sy = small.shape[1] / photo.shape[1], small.shape[0] / photo.shape[0]
        shrink = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
        source, warp = small, to_window @ np.linalg.inv(shrink)
    else:
        source, warp = photo, to_window
    picture = cv2.warpAffine(
        source, warp[:2], (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    covered = np.full(source.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(covered, warp[:2], (side, side), flags=cv2.INTER_NEAREST) > 0
    window_matrix = to_window @ matrix
    raster = rasterize(camera_vertices, model.faces, window_matrix, (side, side))
    regions = layout_of(model, texture_size).regions
    fields = np.column_stack([regions.scalp, regions.core, regions.forehead, regions.sure])
    drawn = interpolate(raster, model.faces, fields.astype(np.float32))
    return Window(picture, inside, window_matrix, face_px, raster.mask, drawn)


def hair_mask(window: Window) -> Bool:
    """(h, w) True where ``window`` shows hair; nowhere where there is none to be found."""
    lab = cv2.cvtColor(window.picture, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    scalp, core, _, sure = np.moveaxis(window.fields, 2, 0)
    face, inside = window.face_px, window.inside
    rows = np.arange(len(lab))[:, None] + np.zeros(lab.shape[:2])
    above = rows[core > 0.5].min() if (core > 0.5).any() else len(lab) / 2 - 0.25 * face
    eyes = above + 0.25 * face
    # A fringe reaches down to the brows.
    features = np.where(rows > above + _OVER_BROWS * face, core, 0)
    away = cv2.distanceTransform((~window.head).astype(np.uint8), cv2.DIST_L2, 5) / face
    skin = _colours(_without_tails(lab[(sure > 0.5) & inside]))
    far = (away > _FAR) & inside & (rows < eyes + 1.2 * face)
    behind = _colours(lab[far]) if far.sum() > 0.2 * face**2 else None
    like_skin = _log_likelihood(skin, lab)
    like_behind = _log_likelihood(behind, lab) if behind is not None else like_skin * 0 - 12.0
    on_top = (scalp > 0.6) & inside
    ring = (away > 0.015) & (away < _RING) & (rows < eyes) & inside
    floor = np.log(1.0 / _BINS**3)
    certain = (sure > 0.5) & inside
    unlike = max(floor, np.quantile(like_skin[certain], 0.03)) if certain.any() else floor
    seeds = on_top & (like_skin < unlike - _SURE)
    seeds |= ring & (like_behind < floor - _SURE) & (like_skin < floor)
    if seeds.sum() < _FEW * face**2:
        return np.zeros(seeds.shape, bool)
    for _ in range(2):
        hair = _colours(lab[seeds])
        like_hair = _log_likelihood(hair, lab)
        others = np.maximum(like_skin, np.where(on_top, -np.inf, like_behind))
        seeds = (on_top | ring) & (like_hair > others + 0.3)
        if seeds.sum() < _FEW * face**2:
            return np.zeros(seeds.shape, bool)
    labels = np.full(seeds.shape, cv2.GC_PR_BGD, np.uint8)
    reach = away < 1.3
    others = np.maximum(like_skin, like_behind)
    labels[reach & (like_hair > others) & (features < 0.5)] = cv2.GC_PR_FGD
    labels[(features > 0.7) | (~window.head & (away > 1.6)) | ~inside] = cv2.GC_BGD
    labels[(like_behind > like_hair + 2.5) & ~window.head] = cv2.GC_BGD
    labels[seeds & (like_hair > others + 1.0)] = cv2.GC_FGD
    models = np.zeros((2, 1, 65), np.float64)
    cv2.grabCut(lab, labels, None, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) & inside
    # Highlights on the scalp are no bald spots.
    clean = _closed(_tidied(found, seeds, face), (on_top | ring) & inside, face, _GAP)
    within = cv2.distanceTransform(window.head.astype(np.uint8), cv2.DIST_L2, 5) / face
    crown = ring | (on_top & (within < _RING))
    return _closed(clean, crown & inside, face, _GAP_AT_CROWN)


def looks_worn(window: Window, mask: Bool) -> bool:
    """Whether what ``mask`` covers has a colour that hair has not: blue, green or violet.

    Black, brown and grey headwear cannot be told from hair.
    """
    if not mask.any():
        return False
    lab = cv2.cvtColor(window.picture, cv2.COLOR_RGB2LAB)[mask].astype(np.float64) - 128
    return float(np.median(lab[:, 2])) < _BLUER_THAN_HAIR


def _closed(found: Bool, where: Bool, face: float, gap: float) -> Bool:
    """``found`` without gaps narrower than ``gap`` faces in the area ``where``."""
    side = 2 * max(1, round(0.5 * gap * face)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # With room beyond the border, which closing would take for hair.
    wide = cv2.copyMakeBorder(found.astype(np.uint8), *(4 * [side]), cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel)[side:-side, side:-side]
    return found | ((closed > 0) & where)


def _tidied(found: Bool, seeds: Bool, face: float) -> Bool:
    """``found`` without specks and holes, and without what no seed is in."""
    side = 2 * max(1, round(0.02 * face)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    clean = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=4)
    held = np.bincount(labels[seeds], minlength=len(stats))
    kept = (held > 0.01 * face**2) | (held > 0.2 * stats[:, cv2.CC_STAT_AREA])
    kept[0] = False
    clean = cv2.morphologyEx(kept[labels].astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return clean > 0


def _without_tails(lab: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``lab`` (N, 3) without its darkest and brightest: nostrils, lashes, glare."""
    if not len(lab):
        return lab
    low, high = np.quantile(lab[:, 0], _TAILS)
    return lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)]


def _colours(lab: NDArray[np.uint8]) -> Float:
    """A smoothed histogram of ``lab`` (N, 3), of sum 1."""
    bins = (lab.astype(np.int64) * _BINS) >> 8
    index = (bins[:, 0] * _BINS + bins[:, 1]) * _BINS + bins[:, 2]
    counted = np.bincount(index, minlength=_BINS**3).reshape(_BINS, _BINS, _BINS)
    smooth = gaussian_filter(counted.astype(np.float32), (_BLUR, _BLUR * 0.6, _BLUR * 0.6))
    return smooth / max(float(smooth.sum()), 1e-9)


def _log_likelihood(histogram: Float, lab: NDArray[np.uint8]) -> Float:
    bins = (lab.astype(np.int64) * _BINS) >> 8
    return np.log(histogram[bins[..., 0], bins[..., 1], bins[..., 2]] + 1e-7)
