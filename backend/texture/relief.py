"""Relief finer than the mesh, from the shading of photos: added up view by view, solved once.

A height h (mm, outwards) in the texture's layout changes the log shading of a texel by

    d = g . grad h

to first order, where ``g`` follows from the light and the surface's normal (linear shape from
shading: Pentland 1990, "Linear Shape from Shading").  Each texel of a view adds its equation to
2 x 2 sums, so that views and lights add up, and one regularised least squares gives the height.

One photo cannot tell such a ``d`` from paint.  What does is form: wrinkles and folds are lines,
freckles, moles and blotches are none.  So ``d`` is taken apart by direction and width, and only
what is much stronger in one direction than in the others, and than such lines are all over the
face, is kept (coring of oriented bands, as denoising does it: Simoncelli and Adelson 1996, "Noise
Removal via Bayesian Wavelet Coring").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..geometry.harmonics import SH_CONSTANT, sh_basis, sh_gradient
from ..kept import kept
from ..model import FaceModel
from .compose import Detail
from .layout import Float, Layout, box_of, interpolate_texels, smoothstep
from .view import FACE_MM, View

# Chosen on four drawn heads (``bench detail --development``) but for what is told otherwise.

#: Of red, green and blue: light goes farther below the skin the redder it is, and takes relief
#: along.  Blue alone is noisier.
CHANNELS = np.array([0.1, 0.5, 0.4], np.float32)
#: mm: wavelengths of the bands; directions; width of a band, log.
WAVES_MM, DIRECTIONS, _BAND = (1.2, 2.1, 3.6), 10, 0.55
#: Of the bands' sum below which they are not raised to 1.
_LEAST_SUM = 0.6
#: A line is this many times as strong as what there is of its width all over the face, and as the
#: mean over the directions.
OVER_ALL, OVER_ROUND = 2.0, 1.3
#: Pixels of the photo to a wavelength between which it is believed: less is noise, or JPEG.
PIXELS = (2.0, 3.5)
#: Part of the shading that linear theory promises: skin scatters light sideways.
GAIN = 0.7
#: Weight of smoothness and of smallness, against log shading squared.
SMOOTH, SMALL = 0.5, 0.05
#: Change of log shading with the slope that is believed: more is where hardly any light is.
STEEPEST = 1.5
#: mm, and log brightness beyond which a difference is none of shading.
DEEPEST_MM, MOST_SHADING = 1.0, 0.3
#: Log brightness, mean over the directions, that lines have to be over in any case.
FAINTEST = 0.001
#: Curvature of the mesh, per mm, between which what is seen is its own.
BENT = (0.05, 0.1)
#: mm, standard deviation of how far from the border of what is seen; set by eye.
OFF_BORDER_MM = 2.5
#: mm about features whose borders are lines and no relief; set by eye.
AROUND_MM = {"lips": 5.0, "brows": 3.5, "lids": 3.0, "scalp": 3.5, "nostrils": 8.0}
_NOSTRILS = range(31, 36)
_ITERATIONS = 40


@dataclass(frozen=True, eq=False)
class Relief:
    """Sums over views, (S, S) of the texture's layout, row 0 at v = 1; see :func:`merged`."""

    squares: Float  #: (S, S, 3) of g_x g_x, g_x g_y, g_y g_y, per mm and texel
    products: Float  #: (S, S, 2) of g d
    response: Float  #: (S, S, 2) of g
    weight: Float  #: (S, S)


def relief_side(size: int) -> int:
    """S for a texture of ``size``: a photo hardly holds more, and it is smooth."""
    return min(size, max(size // 2, 1024), 2048)


def relief_of(
    model: FaceModel,
    layout: Layout,
    view: View,
    vertices: NDArray,
    sh_light: NDArray,
    detail: Detail,
) -> Relief:
    """What one view says.  ``vertices`` (V, 3) mm posed, ``sh_light`` (9, 3) its light, ``detail``
    the photo over the smooth shaded skin."""
    side = relief_side(layout.size)
    texel = layout.texel_mm * layout.size / side
    tangents = tangents_of(model, layout, vertices, view.normals)
    slope = response(tangents, sh_light) * GAIN
    steep = np.linalg.norm(slope, axis=2) * tangents.texel
    slope *= (np.minimum(steep, STEEPEST) / np.maximum(steep, 1e-6))[..., None]
    # Per texel of S instead of T.
    slope = _resized(slope, side) * (side / len(slope))
    seen = _resized(detail.weight, side)
    # Where what is seen ends there are lines, too: outlines, hair.
    inside = cv2.GaussianBlur(smoothstep(0.2, 0.7, seen), (0, 0), OFF_BORDER_MM / texel)
    weight = smoothstep(0.7, 0.98, inside) * smoothstep(0.1, 0.6, seen)
    weight *= _resized(even_skin(model) * _flat(tangents), side)
    log = _resized((detail.colour @ CHANNELS) * detail.weight, side) / np.maximum(seen, 1e-3)
    box = box_of(weight)
    shading = np.zeros_like(weight)
    if box is not None:
        photo_mm = FACE_MM / max(view.face_size / view.small_scale, 1.0)
        shading[box] = lines_of(log[box], weight[box], texel, photo_mm)
    x, y = slope[..., 0], slope[..., 1]
    return Relief(
        weight[..., None] * np.stack([x * x, x * y, y * y], 2),
        (weight * shading)[..., None] * slope,
        weight[..., None] * slope,
        weight,
    )


def _flat(tangents: Tangents) -> Float:
    """(T, T) 1 where the mesh is flat, 0 in its own creases and on its ridges: lines there are its
    shadows and highlights."""
    across, down = (
        cv2.Sobel(tangents.normal, cv2.CV_32F, *axis, ksize=3, scale=1 / 8)
        for axis in ((1, 0), (0, 1))
    )
    bent = np.sqrt((across * across + down * down).sum(axis=2)) / tangents.texel
    bent = cv2.GaussianBlur(bent * tangents.there, (0, 0), 2.0)
    return 1 - smoothstep(*BENT, bent)


def merged(reliefs: Iterable[Relief]) -> Relief:
    """The sum of what views say of one head; they share its layout."""
    total: Relief | None = None
    for one in reliefs:
        if total is None:
            total = one
            continue
        total = Relief(
            total.squares + one.squares,
            total.products + one.products,
            total.response + one.response,
            total.weight + one.weight,
        )
    if total is None:
        raise ValueError("no relief to merge")
    return total


def displacement(relief: Relief) -> Float:
    """(S, S) mm outwards: the least squares height, 0 where nothing was seen."""
    out = np.zeros_like(relief.weight)
    box = box_of(relief.weight)
    if box is None:
        return out
    height = _solved(relief.squares[box], relief.products[box])
    height *= np.minimum(relief.weight[box], 1)
    out[box] = DEEPEST_MM * np.tanh(height / DEEPEST_MM)
    return out


def shading_of(relief: Relief, height: Float) -> Float:
    """(S, S) the log shading that ``height`` (S, S) mm has in the views, on average: what a texture
    made of them shows of it."""
    across, down = _slopes(height)
    seen = relief.response[..., 0] * across + relief.response[..., 1] * down
    return seen / np.maximum(relief.weight, 1.0)


def without_shading(detail: Detail, shading: Float) -> None:
    """Take the ``shading`` (S, S), log, out of ``detail.colour``, in place."""
    size, box = len(detail.colour), box_of(np.abs(shading))
    if box is None:
        return
    whole = _resized(shading, size)
    detail.colour[...] -= whole[..., None]


@kept(maxsize=2)
def even_skin(model: FaceModel) -> Float:
    """(T, T) 1 on skin of the face whose lines are relief: off lips, brows, lids, nostrils, hair,
    ears and neck."""
    side = len(model.albedo_mean)
    skin = model.uv_mask("skin") if "skin" in model.mask_names else np.ones((side, side))
    if "face" in model.mask_names:
        skin = skin * model.uv_mask("face")
    first = np.zeros(len(model.mean), np.int64)
    first[model.polygons.ravel()[::-1]] = model.uv_polygons.ravel()[::-1]
    texel = _texel_mm(model, side)
    near = np.zeros((side, side), np.float32)
    for name, reach in AROUND_MM.items():
        width = max(1, round(reach / texel))
        mask = np.zeros((side, side), np.uint8)
        if name == "nostrils":
            for u, v in model.uv[first[model.landmarks68[list(_NOSTRILS)]]]:
                cv2.circle(mask, (round(u * side), round((1 - v) * side)), width, 1, -1)
        elif name in model.mask_names:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
            mask = cv2.dilate((model.uv_mask(name) > 0.1).astype(np.uint8), kernel)
        np.maximum(near, mask, out=near)
    soft = cv2.GaussianBlur(near, (0, 0), side / 200)
    return (np.clip(1 - soft, 0, 1) * skin).astype(np.float32)


def _texel_mm(model: FaceModel, side: int) -> float:
    """mm of a texel of the albedo between the eyes' outer corners."""
    first = np.zeros(len(model.mean), np.int64)
    first[model.polygons.ravel()[::-1]] = model.uv_polygons.ravel()[::-1]
    ends = model.landmarks68[[36, 45]]
    texels = np.linalg.norm(np.diff(model.uv[first[ends]], axis=0)) * side
    return float(np.linalg.norm(np.diff(model.mean[ends], axis=0)) / max(texels, 1e-6))


def lines_of(log: Float, weight: Float, texel_mm: float, photo_mm: float) -> Float:
    """(h, w) what of ``log`` (h, w), log brightness, are lines of relief.

    ``weight`` (h, w) 0..1 is where it counts; ``photo_mm`` is a pixel's side on the face.
    """
    wide = 2 * WAVES_MM[-1] / texel_mm / 1.7
    mean = cv2.GaussianBlur(log * weight, (0, 0), wide)
    mean /= np.maximum(cv2.GaussianBlur(weight, (0, 0), wide), 1e-3)
    apart = MOST_SHADING * np.tanh((log - mean) / MOST_SHADING) * weight
    shape = tuple(fft.next_fast_len(n + 32) for n in apart.shape)
    spectrum = fft.fft2(apart, shape)
    del mean
    lines = np.zeros(apart.shape, np.float32)
    rows, columns = (slice(0, n) for n in apart.shape)
    sure = weight > 0.5
    if not sure.any():
        return lines
    for wave, bands in _bands(shape, texel_mm):
        share = smoothstep(*PIXELS, np.array(wave / photo_mm))
        if share <= 0 or wave < 3 * texel_mm:
            continue
        # The quarter-phase partner of a real band gives its strength whatever its phase.
        parts = [fft.ifft2(spectrum * band)[rows, columns].astype(np.complex64) for band in bands]
        strength = [cv2.GaussianBlur(np.abs(part), (0, 0), wave / texel_mm / 4) for part in parts]
        around = np.mean(strength, axis=0)
        usual = max(float(np.median(around[sure])), FAINTEST)
        for part, strong in zip(parts, strength, strict=True):
            safe = np.maximum(strong, 1e-9)
            clear = np.clip(1 - (OVER_ALL * usual / safe) ** 2, 0, 1)
            clear *= np.clip(1.6 * (strong - OVER_ROUND * around) / safe, 0, 1)
            lines += 2 * float(share) * clear * part.real
    return lines


@dataclass(frozen=True, eq=False)
class Tangents:
    """The head's surface in the texture's layout, T x T."""

    normal: Float  #: (T, T, 3) unit, head coordinates
    dual: Float  #: (T, T, 2, 3) grad of column and row, per mm: slopes to vectors
    texel: Float  #: (T, T) mm, side of a texel
    there: NDArray[np.bool_]  #: (T, T)


def tangents_of(model: FaceModel, layout: Layout, vertices: NDArray, normals: NDArray) -> Tangents:
    """The :class:`Tangents` of the skin of ``vertices`` (V, 3) mm with ``normals`` (V, 3)."""
    small = layout.small
    there = small.mask & layout.skin_face[np.maximum(small.face_id, 0)]
    face, weights = small.face_id[there], small.barycentric[there]
    table = np.column_stack([vertices, normals]).astype(np.float32)
    fields = np.zeros((*there.shape, 6), np.float32)
    fields[there] = interpolate_texels(table, model.faces, face, weights)
    share = there.astype(np.float32)
    # Differences within the islands, a little smoothed: triangles would show.
    across, down = (_slope(fields[..., :3], share, axis) for axis in (1, 0))
    normal = fields[..., 3:]
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-6)
    a, b, c = (across * across).sum(2), (across * down).sum(2), (down * down).sum(2)
    whole = np.maximum(a * c - b * b, 1e-6)[..., None]
    dual = np.stack(
        [
            (c[..., None] * across - b[..., None] * down) / whole,
            (a[..., None] * down - b[..., None] * across) / whole,
        ],
        axis=2,
    )
    return Tangents(normal, dual, np.sqrt(np.sqrt(np.maximum(a * c - b * b, 1e-6))), there)


def _slope(points: Float, share: Float, axis: int) -> Float:
    """(T, T, 3) mm per texel along ``axis``, smooth."""
    before, after = np.roll(share, 1, axis), np.roll(share, -1, axis)
    both = share * before * after
    difference = (np.roll(points, -1, axis) - np.roll(points, 1, axis)) / 2 * both[..., None]
    total = cv2.GaussianBlur(both, (0, 0), 2.0)[..., None]
    return cv2.GaussianBlur(difference, (0, 0), 2.0) / np.maximum(total, 1e-4)


def response(tangents: Tangents, sh_light: NDArray) -> Float:
    """(T, T, 2) change of the log shading (of luminance) for a rise of 1 mm per mm ... by column,
    row: texels of the T x T layout."""
    light = np.asarray(sh_light, np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    shading = np.maximum(sh_basis(tangents.normal) @ light, 0.25 * light[0] * SH_CONSTANT)
    towards = np.einsum("...ic,i->...c", sh_gradient(tangents.normal), light) / shading[..., None]
    return -np.einsum("...kc,...c->...k", tangents.dual, towards).astype(np.float32)


def _bands(shape: tuple[int, ...], texel_mm: float) -> Iterator[tuple[float, list[Float]]]:
    """By wavelength in mm, the one-sided bands (H, W) of all directions in the spectrum.

    All together add up to about 1 between the widest and the narrowest.
    """
    down, across = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None]
    radius, angle = np.hypot(across, down), np.arctan2(down, across)
    radius[0, 0] = 1
    step = np.pi / DIRECTIONS
    rings = [np.exp(-(np.log(radius * wave / texel_mm) ** 2) / (2 * _BAND**2)) for wave in WAVES_MM]
    # The squared cosines, three steps wide, add up to 3 / 2.
    total = 1.5 * np.maximum(np.sum(rings, axis=0), _LEAST_SUM)
    for wave, whole in zip(WAVES_MM, rings, strict=True):
        ring = whole / total
        ring[0, 0] = 0
        bands = []
        for number in range(DIRECTIONS):
            off = np.angle(np.exp(1j * (angle - number * step)))
            lobe = np.cos(np.clip(off / (1.5 * step), -1, 1) * np.pi / 2) ** 2
            bands.append((ring * lobe).astype(np.float32))
        yield wave, bands


def _solved(squares: Float, products: Float) -> Float:
    """(h, w) minimum of sum (g . grad h - d)^2 + SMOOTH |grad h|^2 + SMALL h^2, by conjugate
    gradients with the diagonal as preconditioner."""
    xx, xy, yy = np.moveaxis(squares, 2, 0)
    right = _slopes_back(products[..., 0], products[..., 1])
    diagonal = SMALL + 4 * SMOOTH + 0.5 * (xx + yy)

    def applied(height: Float) -> Float:
        across, down = _slopes(height)
        out = _slopes_back(xx * across + xy * down, xy * across + yy * down)
        out += SMALL * height
        right_of, below = SMOOTH * np.diff(height, axis=1), SMOOTH * np.diff(height, axis=0)
        out[:, 1:] += right_of
        out[:, :-1] -= right_of
        out[1:] += below
        out[:-1] -= below
        return out

    height = np.zeros_like(right)
    residual = right.copy()
    step = way = residual / diagonal
    size = first = float(np.vdot(residual, step))
    for _ in range(_ITERATIONS):
        if size <= 1e-4 * first or first == 0:
            break
        pushed = applied(way)
        length = size / float(np.vdot(way, pushed))
        height += length * way
        residual -= length * pushed
        step = residual / diagonal
        size, before = float(np.vdot(residual, step)), size
        way = step + (size / before) * way
    return height


def _slopes(height: Float) -> tuple[Float, Float]:
    """(h, w) each, central differences by column and row, 0 at the border."""
    across, down = np.zeros_like(height), np.zeros_like(height)
    across[:, 1:-1] = (height[:, 2:] - height[:, :-2]) / 2
    down[1:-1] = (height[2:] - height[:-2]) / 2
    return across, down


def _slopes_back(across: Float, down: Float) -> Float:
    """The adjoint of :func:`_slopes`."""
    out = np.zeros_like(across)
    out[:, 2:] += across[:, 1:-1] / 2
    out[:, :-2] -= across[:, 1:-1] / 2
    out[2:] += down[1:-1] / 2
    out[:-2] -= down[1:-1] / 2
    return out


def _resized(field: NDArray, side: int) -> Float:
    finer = side > len(field)
    mode = cv2.INTER_LINEAR if finer else cv2.INTER_AREA
    return cv2.resize(np.asarray(field, np.float32), (side, side), interpolation=mode)
