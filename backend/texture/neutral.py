"""What expression and light have painted on a face, taken out of its neutral texture.

Three things a fitted light does not explain.  Skin that the expression folds is darker than its
normals say: a smile line is not albedo.  Light of two colours, or a shade with a soft edge, leaves
wide patches: skin does not vary so much over centimetres.  And an open eye shows most of its lid
from the side, so that lashes and liner would be drawn out over a lid that shuts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange.reconstruction import OWN_BLINKS
from ..geometry.triangles import triangle_areas
from ..kept import kept
from ..model import FaceModel
from ..model.own import own_expressions
from .channels import mean_of, tripled, wide_blur
from .compose import Detail
from .diffuse import diffuse
from .eyelids import around_eyes, even_out
from .layout import (
    BAND_ROWS,
    Box,
    Float,
    Layout,
    bands,
    box_of,
    enlarged,
    interpolate_texels,
    sample,
    scaled,
    smoothstep,
)
from .mouth_line import around_line, even_line
from .spectacles import without_frame
from .trust import Trust, photo_weight, weighted_median
from .view import View

# Set by eye on 28 photos and by ``bench albedo``: its errors of lids, smile lines, neck and face
# fell from 0.240, 0.241, 0.099 and 0.194 to 0.117, 0.119, 0.032 and 0.128; that of the brows is
# 0.61 where it was 0.60, since they lie elsewhere: on the true head it is 0.42.
# The sample's ``verify`` gets FLIP 0.236 with the folds given back (at most 0.24); with wide
# differences within 0.3 and 0.08 it was 0.217.

#: Shortening of the skin, in the direction in which it is most, between which folds are expected.
SHORTENED = (0.02, 0.08)
#: Standard deviations, in parts of the texture's side, between which a fold's width lies.
FOLD_WIDTHS = (1 / 640, 1 / 30)
#: Part of a fold that is taken out: of its dark bottom and of its bright flanks.
FOLD_DARK, FOLD_BRIGHT = 1.0, 1.0
#: Log brightness of a fold's bottom between which the sharp line in it goes as well, and mm to
#: either side; what may be left there, of brightness and of chroma.
CREASED, CREASE_MM, CREASE_FINE = (0.04, 0.14), 1.6, (0.03, 0.02)
#: What is left of wide differences, log: of brightness, and of red and blue against green.  Their
#: width, in parts of the side.
MOST_BRIGHTNESS, MOST_CHROMA = 0.14, 0.05
PATCH_WIDTH = 1 / 64
#: What is left of narrower differences, log, of brightness and of each channel about it, on a face
#: that is ``SMALL_FACE`` or fewer pixels of the photo from brows to chin, and on one of
#: ``LARGE_FACE``.  JPEG files hold the colours of 16 x 16 pixels in a few numbers: on a small face
#: these are spots of a centimetre.
FINE_IF_SMALL, FINE_IF_LARGE = (0.05, 0.02), (0.6, 0.3)
SMALL_FACE, LARGE_FACE = 60.0, 160.0
#: Log brightness under the skin's around between which it is no spot: brows that are raised.
_FEATURE = (0.15, 0.35)
#: mm from the landmarks under the nose between which that begins: nostrils are dark.
_NOSTRILS_MM = (6.0, 11.0)
#: Part of a lid's shut area that is seen between which the photo is taken, and mm that a blink
#: moves the skin between which that counts.
SEEN_OF_LID, MOVED_BY_BLINK = (0.25, 0.55), (1.0, 3.0)
#: Rounds in which what is not taken grows by a ring of vertices.
_ROUNDS = 2
#: What a beard is: log brightness that it is darker by, and log of red to green against the skin's.
BEARD_DARK, BEARD_RED = (0.1, 0.2), (-0.04, 0.02)
#: What is around lips and brows belongs to them, in parts of the texture's side.
_AROUND_FEATURES = 1 / 170
#: A moustache grows so far from the lips, in parts of the side.
_MOUSTACHE = 1 / 20
#: How unlike skin hair before it is, between the two.
UNLIKE = (0.15, 0.5)
#: Log ratio to the face's tone between which what hangs there is hair, not skin.
SHADE = (0.3, 0.6)
#: By how much more blue than red and green, log, and how bright, skin in blue light surely is.
BLUE, LIT = (0.15, 0.4), (-0.7, -0.3)
_LEAST = 1e-4
_UNDER_NOSE = slice(31, 36)  #: of the 68 landmarks


@dataclass(frozen=True, eq=False)
class Movement:
    """What the expression does to the skin of the neutral head, at the vertices (V,) 0..1."""

    shortened: Float  #: where folds are expected
    lids_seen: Float  #: 0 where the photo shows too little of what a blink draws out


def movement_of(
    model: FaceModel, layout: Layout, view: View, posed: NDArray, neutral: NDArray
) -> Movement:
    """The :class:`Movement` from ``neutral`` to ``posed``, both (V, 3) mm."""
    skin = layout.skin_face
    faces = model.faces[skin]
    shortest = least_stretch(neutral, posed, faces)
    short = at_vertices(1 - shortest, faces, len(neutral))
    # A fold's bottom lies at the edge of what is shortened as often as in it.
    short = np.maximum(short, at_vertices(short[faces].max(axis=1), faces, len(neutral)))
    fold = smoothstep(*SHORTENED, short) * layout.regions.bare_skin
    return Movement(fold, _lids_seen(model, view, posed, neutral, faces))


def least_stretch(neutral: NDArray, posed: NDArray, faces: NDArray) -> NDArray:
    """(F,) the least of the two principal stretches of each triangle."""
    return principal_stretches(neutral, posed, faces)[0]


def principal_stretches(
    neutral: NDArray, posed: NDArray, faces: NDArray
) -> tuple[NDArray, NDArray]:
    """The least and the greatest principal stretch (F,) of each triangle."""

    def metric(vertices: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        origin = vertices[faces[:, 0]].astype(np.float64)
        p, q = vertices[faces[:, 1]] - origin, vertices[faces[:, 2]] - origin
        return (p * p).sum(axis=1), (p * q).sum(axis=1), (q * q).sum(axis=1)

    # The eigenvalues of before^-1 after are the squares of the stretches.
    (a, b, c), (d, e, f) = metric(neutral), metric(posed)
    before = np.maximum(a * c - b * b, 1e-12)
    half = (c * d - 2 * b * e + a * f) / (2 * before)
    root = np.sqrt(np.maximum(half**2 - (d * f - e * e) / before, 0))
    return np.sqrt(np.maximum(half - root, 0)), np.sqrt(half + root)


def at_vertices(values: NDArray, faces: NDArray, count: int) -> Float:
    """(count,) mean over the triangles at each vertex of ``values`` (F,)."""
    corner = faces.ravel()
    total = np.bincount(corner, np.repeat(values, 3), count)
    return (total / np.maximum(np.bincount(corner, minlength=count), 1)).astype(np.float32)


def _lids_seen(
    model: FaceModel, view: View, posed: NDArray, neutral: NDArray, faces: NDArray
) -> Float:
    """See :class:`Movement`."""
    count = len(neutral)
    if not set(OWN_BLINKS) <= set(model.expression_names):
        return np.ones(count, np.float32)
    basis = own_expressions(model, np.asarray(neutral, np.float32))
    blink = sum(basis[model.expression_names.index(name)] for name in OWN_BLINKS)
    facing = view.facing[faces].mean(axis=1)
    seen = triangle_areas(posed, faces) * np.maximum(facing, 0)
    shut = triangle_areas(neutral + blink, faces)
    share = at_vertices(seen, faces, count) / np.maximum(at_vertices(shut, faces, count), 1e-9)
    moved = smoothstep(*MOVED_BY_BLINK, np.linalg.norm(blink, axis=1))
    kept = 1 - moved * (1 - smoothstep(*SEEN_OF_LID, share))
    for _ in range(_ROUNDS):
        least = kept[faces].min(axis=1)
        grown = np.ones_like(kept)
        np.minimum.at(grown, faces.ravel(), np.repeat(least, 3))
        kept = np.minimum(kept, 1 - moved * (1 - grown))
    return kept.astype(np.float32)


def face_tone(layout: Layout, view: View, trust: Trust) -> NDArray:
    """(3,) log ratio of photo to model: the median of the skin of the face that is seen."""
    seen = photo_weight(view, trust.weight, view.pixels, view.depth, view.facing)
    return weighted_median(trust.correction, (seen + _LEAST) * layout.regions.sure)


def even_correction(model: FaceModel, layout: Layout, correction: Float, middle: NDArray) -> Float:
    """``correction`` (V, 3) of :class:`Trust` without patches, the neck's carried from the jaw.

    ``middle`` (3,) is the :func:`face_tone` about which it is evened out.
    """
    apart = _limited(correction - middle, MOST_BRIGHTNESS, MOST_CHROMA)
    if "neck" in model.mask_names:
        known = (1 - model.mask("neck")) * layout.skin_vertex
        apart = diffuse(layout.graph, apart, known, np.zeros(3), model.symmetry)
    return (middle + apart).astype(np.float32)


def fine_limits(face_px: float) -> tuple[float, float]:
    """Limits of fine differences on a face of so many pixels of the photo from brows to chin."""
    share = float(smoothstep(SMALL_FACE, LARGE_FACE, np.array(face_px)))
    low, high = FINE_IF_SMALL, FINE_IF_LARGE
    return low[0] + share * (high[0] - low[0]), low[1] + share * (high[1] - low[1])


def _limited(ratio: NDArray, brightness: float, chroma: float) -> NDArray:
    """Log colour ratios (..., 3) bent towards limits of brightness and of each channel about it."""
    middle = mean_of(ratio)
    colour = ratio - tripled(middle)
    # By the strongest channel, so that the hue stays.
    red, green, blue = (np.abs(colour[..., k]) for k in range(3))
    most = np.maximum(np.maximum(np.maximum(red, green), blue), 1e-6)
    colour *= tripled(chroma * np.tanh(most / chroma) / most)
    colour += tripled(brightness * np.tanh(middle / brightness))
    return colour


def neck_weight(model: FaceModel) -> Float:
    """(V,) 0..1: nothing of the neck is taken from the photo.

    It is hardly seen, in the jaw's shade, and what is seen is collar, hair and necklace as often.
    """
    if "neck" not in model.mask_names:
        return np.ones(len(model.mean), np.float32)
    return 1 - model.mask("neck")


@dataclass(frozen=True, eq=False)
class Fields:
    """What :func:`tidied` needs to know of the texels, (T, T) each, 0..1 but for ``apart``."""

    plain: Float  #: skin of even colour, apart from hair before it
    smooth: Float  #: such skin without the nostrils
    folded: Float  #: where folds are expected
    lids: Float  #: where lashes would be drawn out
    eyes: Float  #: the skin around the eyes
    line: Float  #: where lips touch
    lips: Float  #: their red
    apart: Float  #: (T, T, 3) log, by how much the ground differs from the face's middle
    fine: tuple[float, float]  #: limits of fine differences, of brightness and of chroma

    def part(self, box: Box) -> Fields:
        """Of some rows and columns."""
        maps = {one.name: getattr(self, one.name) for one in fields(self)}
        fine = maps.pop("fine")
        return Fields(fine=fine, **{name: texels[box] for name, texels in maps.items()})


def fields_of(
    model: FaceModel,
    layout: Layout,
    trust: Trust,
    view: View,
    moved: Movement,
    apart: Float,
    middle: NDArray,
) -> Fields:
    """The :class:`Fields`; ``apart`` (V, 3) is :func:`even_correction` less ``middle``."""
    regions = layout.regions
    unlike = smoothstep(*UNLIKE, 1 - sample(trust.like, view.to_small(view.pixels)))
    # Hair can be so like skin that it was taken for skin in the shade.
    shade = np.abs(trust.correction - middle).max(axis=1)
    unlike = np.maximum(unlike, smoothstep(*SHADE, shade))
    unlike = unlike * (1 - _blue(sample(trust.ratio, view.to_small(view.pixels)) - middle))
    plain = regions.bare_skin * layout.skin_vertex * (1 - regions.overhung * unlike)
    small = layout.small
    face, weights = small.face_id[small.mask], small.barycentric[small.mask]
    under_nose = model.mean[model.landmarks68[_UNDER_NOSE]]
    away = np.linalg.norm(model.mean[:, None] - under_nose, axis=2).min(axis=1)
    smooth = plain * smoothstep(*_NOSTRILS_MM, away)
    table = np.column_stack([plain, smooth, moved.shortened, 1 - moved.lids_seen, apart])
    values = interpolate_texels(table.astype(np.float32), model.faces, face, weights)
    # Field by field, as the values lie.
    found = np.zeros((table.shape[1], *small.mask.shape), np.float32)
    found.reshape(len(found), -1)[:, np.flatnonzero(small.mask)] = values.T
    features = 1 - _features(model)
    eyes, line = around_eyes(model, layout), around_line(model, layout)
    fine = fine_limits(view.face_size / view.small_scale)
    return Fields(
        found[0] * features,
        found[1] * features,
        found[2],
        found[3],
        eyes,
        line,
        _lips(model),
        cv2.merge(list(found[4:])),
        fine,
    )


def _blue(apart: Float) -> Float:
    """(V,) 0..1 how surely colours, log against the face's tone (V, 3), are those of skin in blue
    light or under a highlight: hair is darker, and no bluer than skin by so much."""
    blue = apart[:, 2] - np.maximum(apart[:, 0], apart[:, 1])
    return smoothstep(*BLUE, blue) * smoothstep(*LIT, mean_of(apart))


def tidied(model: FaceModel, layout: Layout, detail: Detail, known: Fields) -> tuple[Detail, Float]:
    """``detail`` without folds, patches and lashes on lids, and the folds' log brightness (T, T).

    The second was taken out; it can be multiplied in again where an expression shortens the skin.
    ``detail`` is changed in place.
    """
    size = len(layout.small.mask)
    folds = np.zeros((size, size), np.float32)
    weight = cv2.resize(detail.weight, (size, size), interpolation=cv2.INTER_AREA)
    box = box_of(weight, 1)
    if box is None:
        return detail, folds
    # Only what the photo shows is looked at: a third of the map.
    whole = scaled(box, layout.size / size)
    weight, there, known = weight[box], detail.colour[whole], known.part(box)
    colour = _reduced(there, detail.weight[whole], weight.shape)
    texel_mm = layout.texel_mm * layout.size / size
    shown = (there, detail.weight[whole])
    colour = without_frame(model, layout, shown, weight, colour, known.plain, box, texel_mm)
    weighed = _weighed(colour, weight, known.plain)
    wide = _blurred(weighed, PATCH_WIDTH * size)
    beardless = 1 - _bearded(_beard(model)[box], wide + known.apart)
    shaved = known.plain * beardless
    change = tripled(shaved) * (_limited(wide, MOST_BRIGHTNESS, MOST_CHROMA) - wide)
    ground = (wide + change).astype(np.float32, copy=False)
    narrow, broad = (_blurred(weighed, part * size) for part in FOLD_WIDTHS)
    removed = narrow - broad
    removed *= tripled(shaved * known.folded * smoothstep(0.1, 0.5, weight))
    dark = mean_of(removed) < 0
    removed *= tripled(np.where(dark, FOLD_DARK, FOLD_BRIGHT).astype(np.float32))
    change -= removed
    for band in bands((slice(0, there.shape[0]), slice(0, there.shape[1]))):
        there[band] += enlarged(change, len(there), band)
        if known.fine < FINE_IF_LARGE:
            fine = there[band] - enlarged(ground, len(there), band)
            share = enlarged(known.smooth * beardless, len(there), band)
            share = tripled(share * (1 - smoothstep(*_FEATURE, -mean_of(fine))))
            there[band] += share * (_limited(fine, *known.fine) - fine)
    _without_lines(there, ground, _creased(removed, texel_mm) * shaved * known.folded)
    colour += change * tripled(weight)
    even_out(shown, weight, colour, known.eyes, known.lids, known.plain, texel_mm)
    even_line(shown, weight, colour, known.line, known.lips, texel_mm)
    folds[box] = mean_of(removed)
    return detail, folds


def _creased(removed: Float, texel_mm: float) -> Float:
    """(h, w) 0..1 the bottoms of the folds that were ``removed`` (h, w, 3) log, and their edges."""
    bottom = smoothstep(*CREASED, -mean_of(removed))
    width = round(CREASE_MM / texel_mm) * 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.GaussianBlur(cv2.dilate(bottom, kernel), (0, 0), CREASE_MM / texel_mm / 2)


def _without_lines(there: Float, even: Float, creased: Float) -> None:
    """Limit what is finer than ``even`` (h, w, 3) in ``there`` (H, W, 3), in place, where the skin
    is ``creased`` (h, w) 0..1."""
    box = box_of(creased, 1)
    if box is None:
        return
    for band in bands(scaled(box, len(there) / len(creased))):
        fine = there[band] - enlarged(even, len(there), band)
        share = tripled(enlarged(creased, len(there), band))
        there[band] += share * (_limited(fine, *CREASE_FINE) - fine)


def _reduced(colour: Float, weight: Float, shape: tuple[int, ...]) -> Float:
    """``colour`` (H, W, 3) times ``weight`` (H, W), averaged down to ``shape`` (h, w)."""
    scale = len(colour) / shape[0]
    rows = BAND_ROWS if scale.is_integer() else shape[0]  # else bands would share a row
    out = np.empty((*shape, 3), np.float32)
    for start in range(0, shape[0], rows):
        band = slice(start, min(start + rows, shape[0]))
        whole, _ = scaled((band, band), scale)
        part = colour[whole] * tripled(weight[whole])
        size = (shape[1], band.stop - start)
        out[band] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return out


def _weighed(colour: Float, weight: Float, share: Float) -> Float:
    """(h, w, 4) ``colour``, which is multiplied by ``weight``, and ``weight``, times ``share``."""
    return cv2.merge([*cv2.split(colour * tripled(share)), weight * share])


def _blurred(weighed: Float, sigma: float) -> Float:
    """(h, w, 3) Gaussian mean of the colours in what :func:`_weighed` gives."""
    *blurred, total = cv2.split(wide_blur(weighed, sigma))
    return cv2.merge(blurred) / tripled(np.maximum(total, 1e-3))


def _bearded(beard: Float, tone: Float) -> Float:
    """(h, w) 0..1 how much the skin's ``tone`` (h, w, 3), log against the face's, is a beard's.

    It is darker, and less red: a shade is redder, as light that has gone through skin.  ``beard``
    (h, w) is where one may be.
    """
    dark = smoothstep(*BEARD_DARK, -mean_of(tone))
    return beard * dark * (1 - smoothstep(*BEARD_RED, tone[..., 0] - tone[..., 1]))


@kept(maxsize=2)
def _beard(model: FaceModel) -> Float:
    """(T, T) the model's beard, and a moustache, which its mask lacks."""
    size = len(model.albedo_mean)
    if not {"beard", "lips"} <= set(model.mask_names):
        return np.zeros((size, size), np.float32)
    lips = (model.uv_mask("lips") > 0.1).astype(np.float32)
    width = round(_MOUSTACHE * size) * 2 + 1
    around = cv2.dilate(lips, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    around = cv2.GaussianBlur(around, (0, 0), _AROUND_FEATURES * size)
    return np.maximum(model.uv_mask("beard"), around).astype(np.float32)


def _lips(model: FaceModel) -> Float:
    """(T, T) 0..1 the lips' red; 0 where the model names none."""
    if "lips" not in model.mask_names:
        return np.zeros((len(model.albedo_mean),) * 2, np.float32)
    return model.uv_mask("lips").astype(np.float32)


@kept(maxsize=2)
def _features(model: FaceModel) -> Float:
    """(T, T) 1 on lips and brows, and softly a few millimetres around: people's are larger."""
    names = [name for name in ("lips", "brows") if name in model.mask_names]
    size = len(model.albedo_mean)
    found = np.max(
        [model.uv_mask(name) > 0.1 for name in names] or [np.zeros((size, size))], axis=0
    )
    width = round(_AROUND_FEATURES * size) * 2 + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    grown = cv2.dilate(found.astype(np.float32), kernel)
    return cv2.GaussianBlur(grown, (0, 0), _AROUND_FEATURES * size / 2)
