"""The colour of strands: the photo's, with its light divided out, as a shader's input."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.harmonics import shade
from ..geometry.srgb import LUMINANCE, SRGB_TO_LINEAR
from ..texture.channels import mean_of

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Blender's Principled Hair, Chiang's model with direct colour: colour given, and what a dense
#: patch of such hair shows under light of shading 1 (rendered in Blender 4.3 and 5.0).  The floor
#: is the highlight's.
_GIVEN = np.array([0.0, 0.01, 0.022, 0.045, 0.09, 0.2, 0.28, 0.4, 0.6, 0.9])
_SHOWN = np.array([0.012, 0.028, 0.040, 0.062, 0.10, 0.19, 0.25, 0.31, 0.37, 0.45])
#: What the lightest channel of any hair shows: over it the table is so flat that hair of the
#: photo's red and green in a highlight is rendered green.
_LIGHTEST = 0.37
#: The same in equal steps.
_STEPS = 9000  # 0.00005, a part of all of them
_TABLE = np.interp(np.arange(_STEPS + 1) / _STEPS * _SHOWN[-1], _SHOWN, _GIVEN)
#: Linear RGB as shown where a photo tells none: dark brown.
UNKNOWN = np.array([0.075, 0.055, 0.042])
#: The same of hair that is chosen by its name, as the option ``hair_colour`` has them; by eye.
HAIR_COLOURS = {
    name: SRGB_TO_LINEAR[list(rgb)].astype(np.float64)
    for name, rgb in {
        "black": (24, 21, 21),
        "dark-brown": (52, 38, 30),
        "brown": (84, 59, 42),
        "light-brown": (124, 90, 62),
        "blond": (178, 142, 96),
        "platinum": (210, 192, 158),
        "auburn": (98, 46, 30),
        "red": (156, 76, 40),
        "grey": (128, 126, 124),
        "white": (196, 194, 190),
    }.items()
}
#: Least and most light, in parts of the mean.
_LIGHT = (0.4, 2.5)
#: Exponent of the light's hue.
_LIGHT_HUE = 0.5
#: Of the logarithm of brightness from strand to strand.
STREAKS = 0.12
#: Input for black hair.
_DARKEST = 0.002
#: How much further from grey than in the photo the input's channels may be, in logarithms.
_MOST_SATURATED = 1.35
#: The same of hue over which a strand shows something else.
_ODD_HUE = 0.3
#: What log red is above green of what green is above blue, at least; up to where that counts, and
#: how much of it may lack.
_LEAST_RED, _MOST_BLUE_GONE, _NO_DYE = 0.5, 0.6, 0.25
#: Strands that are worked on at a time, and that tell a median.
_PART = 2048
#: Strands that are seen nearest to one that is not.
_NEIGHBOURS = 8
#: Within so many mm strands are like their neighbours, further on like the hair's median.
_LIKE_NEIGHBOURS_MM = 40.0
#: How wide a rim against the light is, and the blur it is seen by, in faces; squared faces of hair
#: further in, under which none is told; the part of these that is darker than a rim, and how much
#: brighter that is, in logarithms.  By eye on 28 photos: five have one.
_RIM, _RIM_BLUR, _RIM_FEW, _RIM_USUAL, _RIM_LIGHT = 0.15, 0.012, 0.02, 0.9, (0.1, 0.4)
#: How far strands are apart from the median, in the logarithm of brightness and of hue: what is
#: further is leaves or clothing.
_MOST_APART, _MOST_HUE = 1.3, 0.25


def light_on(normals: NDArray, sh_light: NDArray) -> NDArray:
    """(N, 3) the shading that ``sh_light`` (9, 3) gives on ``normals`` (N, 3); 1 where the light is
    not known.

    Within :data:`_LIGHT` of its mean: away from the face it is a guess.  Its hue, which is what the
    skin is redder than usual by, is taken for the light's by half: hair would turn green.
    """
    if not np.abs(sh_light).max() > 0:
        return np.ones((len(normals), 3))
    light = np.maximum(shade(normals, sh_light), 0)
    middle = np.maximum(light.mean(axis=0), 0.05)
    light = np.clip(light, _LIGHT[0] * middle, _LIGHT[1] * middle)
    bright = (light @ LUMINANCE)[:, None]
    return bright * (light / bright) ** _LIGHT_HUE


def own_colour(picture: NDArray[np.uint8], hair: Bool, ground: Bool, face: float) -> Float:
    """(h, w) 0..1 how far the ``hair`` (h, w) of ``picture`` (h, w, 3) sRGB shows its own colour:
    not in a rim along the ``ground`` (h, w), what is behind the person, that is brighter than what
    lies deeper.  Light from behind shines through there.  ``face`` is in pixels.
    """
    log = np.log(SRGB_TO_LINEAR[picture] @ LUMINANCE.astype(np.float32) + 0.003)
    log = cv2.GaussianBlur(log, (0, 0), _RIM_BLUR * face)
    away = cv2.distanceTransform((~ground).astype(np.uint8), cv2.DIST_L2, 5)
    deep = hair & (away > _RIM * face)
    if deep.sum() < _RIM_FEW * face**2:
        return np.ones(hair.shape, np.float32)
    brightest = float(np.quantile(log[deep], _RIM_USUAL))
    rim = (log - brightest - _RIM_LIGHT[0]) / (_RIM_LIGHT[1] - _RIM_LIGHT[0])
    return np.where(hair & (away <= _RIM * face), 1 - np.clip(rim, 0, 1), 1).astype(np.float32)


def shader_colour(shown: NDArray) -> NDArray:
    """(..., 3) the shader's input for linear albedo ``shown`` (..., 3) of hair.

    By its luminance, and each channel for itself as far as that does not overdo: the highlight has
    no colour, and hair of the photo's hue below it would look dull and, being brown, green.  Of
    dark hair the channels are all but lost in the highlight.
    """
    # Lighter than any hair by a highlight of the photo's: of its hue nevertheless.
    lightest = np.maximum(np.maximum(shown[..., 0], shown[..., 1]), shown[..., 2])
    shown = shown * np.minimum(_LIGHTEST / np.maximum(lightest, 1e-6), 1)[..., None]
    light = np.maximum(shown @ LUMINANCE.astype(shown.dtype), 1e-4)[..., None]
    given = np.maximum(_given(light), _DARKEST)
    own = np.maximum(_given(shown), 1e-5)
    hue = np.log(np.maximum(shown, 1e-5) / light)
    wanted = np.log(own / given)
    most = _MOST_SATURATED * np.abs(hue)
    return given * np.exp(np.clip(wanted, np.minimum(hue, -most), np.maximum(hue, most)))


def _given(shown: NDArray) -> NDArray:
    """(...) the input for what is ``shown`` (...), each channel for itself."""
    # In equal steps: numpy.interp takes three times as long.
    at = np.clip(shown * float(_STEPS / _SHOWN[-1]), 0, _STEPS)
    low = np.minimum(at.astype(np.int32), _STEPS - 1)
    before = _TABLE.take(low)
    return (before + (at - low) * (_TABLE.take(low + 1) - before)).astype(shown.dtype, copy=False)


def _odd(log: NDArray, middle: NDArray) -> NDArray[np.bool_]:
    """(S,) which strands of log colours ``log`` (S, C, 3) are of another hue than ``middle``
    (C, 3), or most of them are: what is seen there is the ground behind, or a ribbon."""
    apart = log.mean(axis=1) - middle.mean(axis=0)
    hue = np.abs(apart - apart.mean(axis=1, keepdims=True)).max(axis=1)
    odd = hue > _ODD_HUE
    return odd if odd.mean() < 0.5 else np.zeros(len(log), bool)


def _natural(log: NDArray) -> NDArray:
    """(3,) factors by which hair of the log colour ``log`` (3,) has no green in it.

    Melanin takes more light the shorter the wave: who has less blue than green has less green than
    red.  What lacks of it is the light's hue, which is not told for certain; much of it is dye.
    """
    red, green, blue = log
    lacks = float(
        np.clip(_LEAST_RED * np.clip(green - blue, 0, _MOST_BLUE_GONE) - (red - green), 0, _NO_DYE)
    )
    return np.exp(lacks * np.array([0.6, -0.4, 0.0]))


def strand_colours(
    roots: NDArray,
    measured: NDArray,
    seen: NDArray,
    rng: np.random.Generator,
    usual: NDArray = UNKNOWN,
) -> NDArray[np.float32]:
    """(S, C, 3) the shader's colours of strands at ``roots`` (S, 3).

    ``measured`` (S, C, 3) float32 linear albedo of those that are ``seen`` (S,); the others are
    like their nearest neighbours, and where none are seen all have the linear albedo ``usual``
    (3,).
    """
    if seen.sum() < _NEIGHBOURS:
        albedo = np.broadcast_to(usual, measured.shape).astype(np.float32)
    else:
        albedo = np.exp(_filled_in(roots, np.log(np.maximum(measured, 1e-4)), seen, rng))
    natural = _natural(np.log(np.maximum(np.median(_some(albedo), axis=(0, 1)), 1e-4)))
    shade_of = np.exp(rng.normal(0, STREAKS, (len(roots), 1, 1))).astype(np.float32)
    natural = natural.astype(np.float32)
    # Part by part, and in place: all at once takes 90 MB.
    for first in range(0, len(albedo), _PART):
        part = albedo[first : first + _PART]
        shown = shader_colour(part * natural) * shade_of[first : first + _PART]
        part[:] = np.clip(shown, 0.001, 0.9)
    return albedo


def _some(values: NDArray) -> NDArray:
    """About 2,000 of ``values`` (S, ...), or all: enough for a median."""
    return values[:: max(1, len(values) // _PART)]


def _filled_in(roots: NDArray, log: NDArray, seen: NDArray, rng: np.random.Generator) -> NDArray:
    """``log`` (S, C, 3), changed in place: the log colours of the strands at ``roots`` (S, 3) that
    are ``seen`` (S,), within what one head's hair is apart by, and of the others."""
    middle = np.median(_some(log[seen]), axis=0)
    seen = seen & ~_odd(log, middle)
    log -= middle
    bright = mean_of(log)[..., None]
    log -= bright
    np.clip(log, -_MOST_HUE, _MOST_HUE, out=log)
    log += np.clip(bright, -_MOST_APART, _MOST_APART)
    drawn = rng.integers(0, _NEIGHBOURS, len(roots))
    hidden, shown = np.flatnonzero(~seen), np.flatnonzero(seen)
    if len(hidden):
        away, nearest = cKDTree(roots[shown]).query(roots[hidden], _NEIGHBOURS)
        # One of them, not their mean: light and dark locks stay apart.  Far from all that is seen,
        # the last of it, often a hairline, says nothing any more.
        near = np.exp(-away[:, 0] / _LIKE_NEIGHBOURS_MM).astype(np.float32)[:, None, None]
        log[hidden] = near * log[shown[nearest[np.arange(len(hidden)), drawn[hidden]]]]
    log += middle
    return log
