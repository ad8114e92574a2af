"""Where the photo shows hair: a network tells the person, and colours of this one photo the rest.

A pixel of the scalp that is unlike skin is hair, and so is what of the person stands off the drawn
skull above the eyes: a skull cannot be there.  From such seeds GrabCut (Rother, Kolmogorov and
Blake 2004) finds the rest, within the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..detect.person import person_mask
from ..geometry.camera import project
from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes
from ..model import FaceModel
from ..raster import interpolate, rasterize
from ..texture.layout import layout_of, sample

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
#: A person's pixels so far off the drawn skull, in faces, are hair even where it looks like skin.
_SURELY_OFF = 0.05
#: What is further from the head is not its hair, in faces.
_REACH = 1.6
#: From so far under the eyes on, in faces, what is unlike hair is clothing.
_CLOTHES = 1.1
#: The closer look at a person, in parts of the window: rows and columns.
_CLOSER, _CLOSER_X = (0.12, 0.74), (0.19, 0.81)
#: Under this much further down all is.
_ONLY_CLOTHES = 2.0
#: So far round the middle of the face, in faces, is skin and no hair.
_MIDDLE = 0.2
#: Light in shadows of the face, in parts of its own.
_SHADOWS = (0.35, 0.5, 0.7)
#: Light on forehead and crown, which face it more than cheeks do, in parts of the face's own.
_LIT = (1.5, 2.2)
#: From so far under the eyes on, in faces, hair hangs from what is above it.
_HANGS = 0.9
#: Log of how much likelier a pixel of the forehead must be skin's to be no hair for sure, and how
#: wide such a place must be, in faces.
_BARE, _HIGHLIGHT = 2.0, 0.12
#: Lab that no hair and no skin has.
_NOBODYS = (255, 0, 0)
#: Beyond the mask hair is thin, and what it shades dark, so far, in faces.
_SOFT_EDGE = 0.05
#: Seeds, in squared faces, under which there is no hair.
_FEW = 0.03
_ROUNDS = 3
_SEED = 7
#: From the upper end of the face's core down to the brows, and to the upper lids, in faces.
_OVER_BROWS, _OVER_LIDS = 0.17, 0.33
#: Log of how much likelier a pixel of the forehead, and its neighbours, must be hair's, or skin's,
#: to be so whatever GrabCut says; how far one pixel counts.
_TOLD, _TOLD_MOST = 1.5, 4.0
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


def person_in(window: Window) -> Float:
    """(h, w) 0..1 how surely ``window`` shows a person; 0 outside the photo.

    Seen twice, whole and closer: a small head is a few pixels to the network.
    """
    side = len(window.picture)
    found = person_mask(window.picture)
    low, high = (round(end * side) for end in _CLOSER)
    left, right = (round(end * side) for end in _CLOSER_X)
    closer = np.s_[low:high, left:right]
    found[closer] = (found[closer] + person_mask(window.picture[closer])) / 2
    return found * window.inside


def hair_mask(window: Window) -> Bool:
    """(h, w) True where ``window`` shows hair; nowhere where there is none to be found."""
    lab = cv2.cvtColor(window.picture, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
    scalp, core, forehead, sure = np.moveaxis(window.fields, 2, 0)
    face, inside = window.face_px, window.inside
    person = person_in(window) > 0.5
    rows = np.arange(len(lab))[:, None] + np.zeros(lab.shape[:2])
    above = rows[core > 0.5].min() if (core > 0.5).any() else len(lab) / 2 - 0.25 * face
    eyes = above + 0.25 * face
    # A fringe reaches down to the brows.
    features = np.where(rows > above + _OVER_BROWS * face, core, 0)
    away = cv2.distanceTransform((~window.head).astype(np.uint8), cv2.DIST_L2, 5) / face
    on_top = (scalp > 0.6) & person
    ring = (away > 0.015) & (away < _RING) & (rows < eyes) & person
    certain = _bare_skin(lab, (sure > 0.5) & inside, on_top | (ring & (away > _SURELY_OFF)), face)
    like_skin = _log_likelihood(_colours(_without_tails(lab[certain])), lab)
    dim = np.quantile(lab[certain][:, 0], 0.25) if certain.any() else 255
    if certain.any():
        # Skin that faces the light is brighter than any of the face, and is no hair.
        lit = _log_likelihood(_colours(_shaded(window.picture[certain], _LIT)), lab)
        bright = lab[..., 0] > np.median(lab[certain][:, 0])
        like_skin = np.where(
            bright & ((forehead > 0.3) | (scalp > 0.3)), np.maximum(like_skin, lit), like_skin
        )
    floor = np.log(1.0 / _BINS**3)
    unlike = max(floor, np.quantile(like_skin[certain], 0.03)) if certain.any() else floor
    # A skull cannot be there: hair, whatever its colour, or a hat, or a hand.
    stands_off = ring & (away > _SURELY_OFF) & (like_skin < unlike + _SURE)
    seeds = stands_off | ((on_top | ring) & (like_skin < unlike - _SURE))
    if seeds.sum() < _FEW * face**2:
        return np.zeros(seeds.shape, bool)
    for _ in range(2):
        like_hair = _log_likelihood(_colours(lab[seeds]), lab)
        seeds = (on_top | ring) & ((like_hair > like_skin + 0.3) | stands_off)
        if seeds.sum() < _FEW * face**2:
            return np.zeros(seeds.shape, bool)
    # What the person wears begins under the chin, and little hair hangs to the window's end.
    below = person & ~window.head & (rows > eyes + _CLOTHES * face)
    worn = below & ((like_hair < floor) | (rows > eyes + _ONLY_CLOTHES * face))
    like_other = like_skin
    if worn.sum() > _FEW * face**2:
        like_worn = _log_likelihood(_colours(lab[worn]), lab)
        # Nobody wears it on the face.
        like_worn[window.head & (rows < eyes + _CLOTHES * face)] = -np.inf
        like_other = np.maximum(like_skin, like_worn)
    # Cheeks, ears and neck, where hair may hang but shadows surely lie.
    shaded = window.head & (scalp < 0.3) & (forehead < 0.3)
    in_shadow = _log_likelihood(_colours(_shaded(window.picture[certain], _SHADOWS)), lab)
    like_other = np.where(shaded, np.maximum(like_other, in_shadow + 1.0), like_other)
    labels = np.full(seeds.shape, cv2.GC_PR_BGD, np.uint8)
    labels[(like_hair > like_other) & (features < 0.5)] = cv2.GC_PR_FGD
    labels[shaded & (like_hair < like_other)] = cv2.GC_BGD
    labels[(features > 0.7) | (away > _REACH)] = cv2.GC_BGD
    bare = (forehead > 0.3) & (like_other > like_hair + _BARE) & (lab[..., 0] > dim)
    # A highlight on hair is small.
    labels[_opened(bare, _HIGHLIGHT * face)] = cv2.GC_BGD
    labels[seeds & ((like_hair > like_other + 1.0) | stands_off)] = cv2.GC_FGD
    labels[~person] = cv2.GC_BGD
    # A colour that nobody has: what is behind says nothing of what is skin or clothing.
    cut = lab.copy()
    cut[~person] = _NOBODYS
    models = np.zeros((2, 1, 65), np.float64)
    cv2.setRNGSeed(_SEED)  # its first clusters are drawn by lot: else no two looks are the same
    cv2.grabCut(cut, labels, None, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) & person
    # Between hair and forehead GrabCut rounds off what their colours tell apart.
    told = cv2.GaussianBlur(np.clip(like_hair - like_other, -_TOLD_MOST, _TOLD_MOST), (0, 0), 1.0)
    on_forehead = (forehead > 0.3) & (features < 0.5) & person
    found |= on_forehead & (told > _TOLD)
    found &= ~_opened(on_forehead & (told < -_TOLD), _HIGHLIGHT * face)
    found = _hanging(found, window.head, round(eyes + _HANGS * face))
    # Highlights on the scalp are no bald spots.
    clean = _closed(_tidied(found, seeds, face), on_top | ring, face, _GAP)
    within = cv2.distanceTransform(window.head.astype(np.uint8), cv2.DIST_L2, 5) / face
    crown = ring | (on_top & (within < _RING))
    clean = _closed(clean, crown, face, _GAP_AT_CROWN)
    lids = round(above + _OVER_LIDS * face)
    return _fallen(clean, (told > 0) & (features >= 0.5) & person, lids)


def _fallen(found: Bool, like_hair: Bool, lids: int) -> Bool:
    """``found`` (h, w) and, down to the row ``lids``, what is ``like_hair`` (h, w) right under it:
    a fringe that falls over the brows, which have its colour but stand apart from it."""
    out = found.copy()
    for k in range(1, min(lids, len(out))):
        above = out[k - 1].copy()
        above[1:] |= out[k - 1, :-1]
        above[:-1] |= out[k - 1, 1:]
        out[k] |= above & like_hair[k]
    return out


def _hanging(found: Bool, head: Bool, row: int) -> Bool:
    """``found`` (h, w) without what, above ``row``, is apart from the ``head`` (h, w), and what,
    from there on, does not hang from it: other people, and shoulders.  Hair goes aside no more than
    down."""
    out = found.copy()
    parts = cv2.connectedComponents((found | head)[:row].astype(np.uint8), connectivity=4)[1]
    out[:row] &= np.isin(parts, np.unique(parts[head[:row]]))
    for k in range(max(row, 1), len(out)):
        above = out[k - 1].copy()
        above[1:] |= out[k - 1, :-1]
        above[:-1] |= out[k - 1, 1:]
        out[k] &= above
    return out


@dataclass(frozen=True, eq=False)
class SeenHair:
    """What a photo shows on a head: hair, or what is worn in its place."""

    window: Window
    mask: Bool  #: (h, w) True where it is seen
    worn: bool  #: whether it looks like headwear

    def over(self, model: FaceModel, camera_vertices: NDArray) -> Float | None:
        """(V,) 0..1 how far the skin at ``camera_vertices`` (V, 3) mm, camera coordinates, lies
        under hair, or in its shadow, or at its soft edge; None where the photo shows no hair."""
        if self.worn or not self.mask.any():
            return None
        face = self.window.face_px
        wide = 2 * max(1, round(_SOFT_EDGE * face)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
        soft = cv2.dilate(self.mask.astype(np.uint8), kernel).astype(np.float32)
        soft = cv2.GaussianBlur(soft, (0, 0), 0.5 * _SOFT_EDGE * face)
        pixels = project(np.asarray(camera_vertices, np.float64), self.window.matrix)
        return np.clip(sample(soft, pixels.astype(np.float32)), 0, 1)


def see_hair(
    model: FaceModel,
    photo: NDArray[np.uint8],
    camera_vertices: NDArray,
    camera_matrix: NDArray,
    texture_size: int = 1024,
) -> SeenHair:
    """The :class:`SeenHair` of ``photo``; all as :func:`window_of` has it."""
    window = window_of(model, photo, camera_vertices, camera_matrix, texture_size=texture_size)
    mask = hair_mask(window)
    return SeenHair(window, mask, looks_worn(window, mask))


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


def _opened(found: Bool, width: float) -> Bool:
    """``found`` (h, w) without what is narrower than ``width`` pixels."""
    side = 2 * max(1, round(0.5 * width)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0


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


def _bare_skin(lab: NDArray[np.uint8], sure: Bool, above: Bool, face: float) -> Bool:
    """``sure`` (h, w) without what hair hangs over: pixels that are more like those ``above`` than
    like the middle of the face."""
    rows, columns = np.nonzero(sure)
    if not len(rows) or not above.any():
        return sure
    gap = np.hypot(rows - np.median(rows), columns - np.median(columns))
    middle = _colours(lab[rows, columns][gap < _MIDDLE * face])
    hidden = _log_likelihood(_colours(lab[above]), lab) > _log_likelihood(middle, lab) + _SURE
    return sure & ~hidden if (sure & ~hidden).any() else sure


def _shaded(rgb: NDArray[np.uint8], light: Sequence[float]) -> NDArray[np.uint8]:
    """(N, 3) Lab of skin ``rgb`` (M, 3) sRGB in ``light``, parts of its own."""
    linear = SRGB_TO_LINEAR[_without_tails(rgb)]
    shown = encode_bytes(np.clip(np.concatenate([linear * part for part in light]), 0, 1))
    return cv2.cvtColor(shown[None], cv2.COLOR_RGB2LAB)[0]


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
