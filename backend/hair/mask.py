"""Where the photo shows hair: a network tells the person, and colours of this one photo the rest.

A pixel of the scalp that is unlike skin is hair, and so is what of the person stands off the drawn
skull above the eyes: a skull cannot be there.  From such seeds GrabCut (Rother, Kolmogorov and
Blake 2004) finds the rest, within the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import project
from ..model import FaceModel
from ..texture.layout import sample
from .likelihood import FLOOR, SURE, bare_skin, histogram, log_likelihood, shaded, without_tails
from .shapes import between, closed, fallen, hanging, opened, tidied
from .window import Window, person_in, window_of

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Hair stands off the skull, in faces, where it is looked for.
_RING = 0.16
#: A person's pixels so far off the drawn skull, in faces, are hair even where it looks like skin.
_SURELY_OFF = 0.05
#: What is further from the head is not its hair, in faces.
_REACH = 1.6
#: From so far under the eyes on, in faces, what is unlike hair is clothing.
_CLOTHES = 1.1
#: Under this much further down all is.
_ONLY_CLOTHES = 2.0
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
_SEED = 7
#: From the upper end of the face's core down to the brows, and to the upper lids, in faces.
_OVER_BROWS, _OVER_LIDS = 0.17, 0.33
#: Log of how much likelier a pixel of the forehead, and its neighbours, must be hair's, or skin's,
#: to be so whatever GrabCut says; how far one pixel counts.
_TOLD, _TOLD_MOST = 1.5, 4.0
#: Behind the ears, where a tail begins: so far under the eyes, in faces.  Collars begin lower.
_BEHIND = (0.2, 0.55)
#: Gaps in the hair that are none, in faces: on the scalp, and at its outline in the photo, where
#: nobody goes bald first.
_GAP, _GAP_AT_CROWN = 0.22, 0.45
#: Median b of Lab: caps and scarves had -23 and -40, the hair of 17 photos 0 to 34.
_BLUER_THAN_HAIR = -12.0


def hair_mask(window: Window) -> Bool:
    """(h, w) True where ``window`` shows hair; nowhere where there is none to be found."""
    look = _Look(window)
    certain = look.certain_skin()
    like_skin = _like_skin(look, certain)
    unlike = FLOOR
    if certain.any():
        unlike = max(FLOOR, float(np.quantile(like_skin[certain], 0.03)))
    stands_off = look.off & (like_skin < unlike + SURE)
    found = _seeds(look, stands_off, like_skin, unlike)
    if found is None:
        return np.zeros(look.person.shape, bool)
    seeds, like_hair = found
    like_other = _like_other(look, certain, like_skin, like_hair)
    sure = stands_off | (seeds & (like_hair > like_other + SURE))
    labels = _labels(look, certain, sure, like_hair, like_other)
    hair = _cut(look, labels)
    return _finished(look, hair, seeds, like_hair - like_other)


class _Look:
    """A window and the places in it by which hair is looked for, (h, w) each."""

    def __init__(self, window: Window) -> None:
        self.window, self.face, self.head = window, window.face_px, window.head
        lab = cv2.cvtColor(window.picture, cv2.COLOR_RGB2LAB)
        self.lab = cv2.GaussianBlur(lab, (0, 0), 0.8)
        self.scalp, core, self.forehead, self.sure = np.moveaxis(window.fields, 2, 0)
        self.person = person_in(window) > 0.5
        self.rows = np.arange(len(lab))[:, None] + np.zeros(lab.shape[:2])
        #: The row in which the face's core begins.
        self.above = len(lab) / 2 - 0.25 * self.face
        if (core > 0.5).any():
            self.above = float(self.rows[core > 0.5].min())
        self.eyes = self.above + 0.25 * self.face
        #: Where no hair is.  A fringe reaches down to the brows.
        self.features = np.where(self.rows > self.above + _OVER_BROWS * self.face, core, 0)
        #: Faces to the drawn head.
        self.away = _faces_to(self.head, self.face)
        self.on_top = (self.scalp > 0.6) & self.person
        beside = (self.away > 0.015) & (self.away < _RING)
        self.ring = beside & (self.rows < self.eyes) & self.person
        #: The part of the ring where nothing but hair can be, or a hat, or a hand.
        self.off = self.ring & (self.away > _SURELY_OFF)

    @cached_property
    def shade(self) -> Bool:
        """Cheeks, ears and neck, where hair may hang but shadows surely lie."""
        return self.head & (self.scalp < 0.3) & (self.forehead < 0.3)

    def certain_skin(self) -> Bool:
        """The face where no hair hangs over it."""
        sure = (self.sure > 0.5) & self.window.inside
        return bare_skin(self.lab, sure, self.on_top | self.off, self.face)


def _faces_to(place: Bool, face: float) -> Float:
    return cv2.distanceTransform((~place).astype(np.uint8), cv2.DIST_L2, 5) / face


def _like_skin(look: _Look, certain: Bool) -> Float:
    """Log of how much each pixel is like the ``certain`` skin, on forehead and crown in more light
    too: skin that faces it is brighter than any of the face, and is no hair."""
    lab = look.lab
    like = log_likelihood(histogram(without_tails(lab[certain])), lab)
    if not certain.any():
        return like
    lit = log_likelihood(histogram(shaded(look.window.picture[certain], _LIT)), lab)
    bright = lab[..., 0] > np.median(lab[certain][:, 0])
    upper = (look.forehead > 0.3) | (look.scalp > 0.3)
    return np.where(bright & upper, np.maximum(like, lit), like)


def _seeds(
    look: _Look, stands_off: Bool, like_skin: Float, unlike: float
) -> tuple[Bool, Float] | None:
    """Where hair is looked for and found by its colour, or because it ``stands_off``, and log of
    how much each pixel is like it; None where that is too little.  What of ``like_skin`` is under
    ``unlike`` is no skin."""
    around = look.on_top | look.ring
    seeds = stands_off | (around & (like_skin < unlike - SURE))
    like_hair = like_skin
    for _ in range(2):
        if seeds.sum() < _FEW * look.face**2:
            return None
        like_hair = log_likelihood(histogram(look.lab[seeds]), look.lab)
        seeds = around & ((like_hair > like_skin + 0.3) | stands_off)
    if seeds.sum() < _FEW * look.face**2:
        return None
    return seeds, like_hair


def _like_other(look: _Look, certain: Bool, like_skin: Float, like_hair: Float) -> Float:
    """Log of how much each pixel is like skin, clothing or skin in shadow, whichever is most."""
    lab, eyes, face = look.lab, look.eyes, look.face
    # What the person wears begins under the chin, and little hair hangs to the window's end.
    below = look.person & ~look.head & (look.rows > eyes + _CLOTHES * face)
    worn = below & ((like_hair < FLOOR) | (look.rows > eyes + _ONLY_CLOTHES * face))
    like = like_skin
    if worn.sum() > _FEW * face**2:
        like_worn = log_likelihood(histogram(lab[worn]), lab)
        # Nobody wears it on the face.
        like_worn[look.head & (look.rows < eyes + _CLOTHES * face)] = -np.inf
        like = np.maximum(like, like_worn)
    in_shadow = log_likelihood(histogram(shaded(look.window.picture[certain], _SHADOWS)), lab)
    return np.where(look.shade, np.maximum(like, in_shadow + 1.0), like)


def _labels(
    look: _Look, certain: Bool, sure: Bool, like_hair: Float, like_other: Float
) -> NDArray[np.uint8]:
    """What GrabCut begins with; ``sure`` hair stays."""
    labels = np.full(sure.shape, cv2.GC_PR_BGD, np.uint8)
    labels[(like_hair > like_other) & (look.features < 0.5)] = cv2.GC_PR_FGD
    labels[look.shade & (like_hair < like_other)] = cv2.GC_BGD
    labels[(look.features > 0.7) | (look.away > _REACH)] = cv2.GC_BGD
    light = look.lab[..., 0]
    dim = np.quantile(light[certain], 0.25) if certain.any() else 255
    bare = (look.forehead > 0.3) & (like_other > like_hair + _BARE) & (light > dim)
    # A highlight on hair is small.
    labels[opened(bare, _HIGHLIGHT * look.face)] = cv2.GC_BGD
    labels[sure] = cv2.GC_FGD
    labels[~look.person] = cv2.GC_BGD
    return labels


def _cut(look: _Look, labels: NDArray[np.uint8]) -> Bool:
    """The hair that GrabCut finds, beginning with ``labels`` (h, w)."""
    # A colour that nobody has: what is behind says nothing of what is skin or clothing.
    cut = look.lab.copy()
    cut[~look.person] = _NOBODYS
    models = np.zeros((2, 1, 65), np.float64)
    cv2.setRNGSeed(_SEED)  # its first clusters are drawn by lot: else no two looks are the same
    # First at half the size: two rounds at the whole one find the same (IoU 0.999, the median of 29
    # photos, 0.92 at least) in 1.8 times the time; a third one lost its way on three of them.
    small = np.ascontiguousarray(labels[::2, ::2])
    cv2.grabCut(np.ascontiguousarray(cut[::2, ::2]), small, None, *models, 1, cv2.GC_INIT_WITH_MASK)
    open_to = (labels == cv2.GC_PR_BGD) | (labels == cv2.GC_PR_FGD)
    enlarged = small.repeat(2, axis=0).repeat(2, axis=1)[: len(labels), : labels.shape[1]]
    hair = np.where(_is_hair(enlarged), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels = np.where(open_to, hair, labels)
    cv2.grabCut(cut, labels, None, *models, 1, cv2.GC_EVAL)
    return _is_hair(labels) & look.person


def _is_hair(labels: NDArray[np.uint8]) -> Bool:
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _finished(look: _Look, found: Bool, seeds: Bool, told: Float) -> Bool:
    """``found`` as colours and shapes correct it; ``told`` (h, w) is the log of how much likelier
    hair's colour is."""
    face = look.face
    # Between hair and forehead GrabCut rounds off what their colours tell apart.
    told = cv2.GaussianBlur(np.clip(told, -_TOLD_MOST, _TOLD_MOST), (0, 0), 1.0)
    on_forehead = (look.forehead > 0.3) & (look.features < 0.5) & look.person
    found = found | (on_forehead & (told > _TOLD))
    found &= ~opened(on_forehead & (told < -_TOLD), _HIGHLIGHT * face)
    found = hanging(found, look.head, round(look.eyes + _HANGS * face))
    # Highlights on the scalp are no bald spots.
    down = (look.rows - look.eyes) / face
    behind = (down > _BEHIND[0]) & (down < _BEHIND[1]) & (look.away > 0) & (look.away < _RING)
    clean = closed(
        tidied(found, seeds, behind & (told > 0), face), look.on_top | look.ring, _GAP * face
    )
    crown = look.ring | (look.on_top & (_faces_to(~look.head, face) < _RING))
    clean = closed(clean, crown, _GAP_AT_CROWN * face)
    clean |= look.person & ~look.head & between(clean, look.head)
    lids = round(look.above + _OVER_LIDS * face)
    return fallen(clean, (told > 0) & (look.features >= 0.5) & look.person, lids)


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
