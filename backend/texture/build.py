"""One photo to one texture.

Everything is put together in the logarithm of linear albedo, relative to the fitted model:

    log texture = base + w D + w' (1 - w) D'

``base`` is the model's fitted albedo times a smooth per-vertex colour correction that is measured
where the photo is seen and diffused over the rest; ``D`` the photo's detail relative to ``base``,
``w`` its weight, ``D'`` and ``w'`` those of the mirror image.  Where w = 1 the texture is the
photo, exactly; where w falls to 0 only high frequencies are left to fade, so no seam shows.  (Two
bands of Burt and Adelson 1983, the lower one on the mesh.)  ``photo`` mode multiplies the fitted
shading back in everywhere, so mirrored and unseen parts are lit from the right side.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from ..raster import shade
from .eyes import EyeColours, eye_colours, tint_eyes
from .hair import Hair, find_hair
from .layout import Float, Layout, interpolate_texels, layout_of, sample, smoothstep
from .light import LightFit, fit_light, luminance
from .trust import Trust, judge, log_linear, photo_weight
from .view import SRGB_TO_LINEAR, View, look

MODES = ("albedo", "photo")

#: Fitted shading is divided out between these factors of its mean over the face.
SHADING_RANGE = (0.4, 1.8)
#: Under this weighted number of visible skin vertices the fit says little.
_FEW_SAMPLES = 60.0
#: Log brightness over the base beyond which detail is taken for a highlight, in albedo mode.
_HIGHLIGHT = 0.3

#: Log brightness between strands of painted hair.
_STRAND_CONTRAST = 0.14

# Steps of log linear light, exp(-8) being black, to sRGB bytes.
_CODE_LOW, _CODE_STEPS = -8.0, 8192


@dataclass(frozen=True, eq=False)
class Texture:
    """A finished texture and the appearance it was made with."""

    image: NDArray[np.uint8]  #: (size, size, 3) sRGB, row 0 at v = 1
    albedo_coefficients: Float  #: (A,) standard deviations
    sh_light: Float  #: (9, 3) head coordinates, linear RGB
    coverage: Float  #: (size, size) 0..1 how much of the texel came from the photo
    warnings: tuple[str, ...] = ()


def warm_texture(model: FaceModel, size: int = 2048) -> None:
    """Work out what does not depend on the photo (about half a second, once per process)."""
    layout_of(model, size)


def build_texture(
    model: FaceModel,
    photo_pixels: NDArray[np.uint8],
    vertices_posed: NDArray,
    camera_matrix: NDArray,
    rotation: NDArray,
    translation: NDArray,
    *,
    mode: str = "albedo",
    size: int = 2048,
    landmarks2d: NDArray | None = None,
    grey: bool = False,
) -> Texture:
    """Texture of the head ``vertices_posed`` (V, 3) mm, head coordinates, from the photo.

    ``photo_pixels`` (H, W, 3) uint8 sRGB, upright; ``camera_matrix`` (3, 3) its pixels,
    ``rotation`` (3, 3), ``translation`` (3,) mm: head to camera.  ``mode`` "albedo" divides the
    fitted light out, "photo" leaves it in.  ``landmarks2d`` (68, 2) detected pixels line the
    photo up with the head.  ``grey``: the photo has no colour; the skin's is then the model's.

    Raises ValueError for an unknown mode or a photo of another shape.
    """
    if mode not in MODES:
        raise ValueError(f"The texture mode is {mode!r}; give one of {MODES}.")
    if photo_pixels.ndim != 3 or photo_pixels.shape[2] != 3 or photo_pixels.dtype != np.uint8:
        raise ValueError(
            f"The photo is {photo_pixels.dtype} {photo_pixels.shape}; give uint8 (H, W, 3)."
        )
    layout = layout_of(model, size)
    view = look(
        model,
        photo_pixels,
        vertices_posed,
        camera_matrix,
        rotation,
        translation,
        landmarks2d,
        size,
    )
    light, samples = _fit(model, layout, view, grey)
    log_albedo, log_shading = _fitted(layout, view, light)
    trust = judge(view, model, layout, log_albedo + log_shading, log_shading, grey)
    hair = find_hair(model, layout, view, trust)
    eyes = None if grey else eye_colours(model, layout, view, log_shading)
    base = _base(model, layout, light, trust.correction, hair, eyes, log_shading, mode == "photo")
    detail, weight = _detail(model, layout, view, trust, base, mode, log_shading, grey)
    _add_mirrored(model, layout, base, detail, weight)
    warnings = ()
    if samples < _FEW_SAMPLES:
        warnings = (
            "Hardly any skin is visible in the photo, so light and skin colour are guesses; "
            "use a photo that shows more of the face.",
        )
    return Texture(
        image=_encode(base),
        albedo_coefficients=light.albedo_coefficients,
        sh_light=light.sh_light,
        coverage=weight,
        warnings=warnings,
    )


def _fit(model: FaceModel, layout: Layout, view: View, grey: bool) -> tuple[LightFit, float]:
    """Light and albedo from the visible vertices of bare skin, and how many there were."""
    blur = max(0.5, 0.012 * view.face_size)
    linear = cv2.GaussianBlur(SRGB_TO_LINEAR[view.small_photo], (0, 0), blur)
    regions = layout.regions
    everything = (view.raster.mask & view.inside).astype(np.float32)
    seen = photo_weight(view, everything, view.pixels, view.depth, view.facing)
    # Hair and beards belong to the core and the forehead, but must not be fitted as dark skin.
    extra = 0.2 * regions.bare_skin * np.maximum(regions.core, regions.forehead)
    if "beard" in model.mask_names:
        extra = extra * (1 - model.mask("beard"))
    weight = seen * np.maximum(regions.sure, extra)
    # A blown-out or black pixel says only that the light was strong or weak.
    colours = sample(linear, view.to_small(view.pixels))
    weight = weight * (colours.max(axis=1) < 0.97) * (colours.max(axis=1) > 0.004)
    chosen = weight > 0.02
    fit = fit_light(
        colours[chosen],
        view.normals[chosen],
        weight[chosen],
        layout.albedo_mean[chosen],
        layout.albedo_basis[:, chosen],
        grey=grey,
    )
    return fit, float(weight.sum())


def _fitted(layout: Layout, view: View, light: LightFit) -> tuple[Float, Float]:
    """(V, 3) logs of the fitted albedo and of the shading, within its range."""
    albedo = layout.albedo_mean + np.tensordot(light.albedo_coefficients, layout.albedo_basis, 1)
    shading = shade(view.normals, light.sh_light)
    front = layout.regions.core > 0.5
    mean = np.maximum(shading[front].mean(axis=0), 0.05) if front.any() else np.ones(3)
    low, high = SHADING_RANGE
    relative = _soft_clip(np.log(np.maximum(shading / mean, 1e-3)), np.log(low), np.log(high))
    log_albedo = np.log(np.maximum(albedo, 0.002))
    return log_albedo.astype(np.float32), (relative + np.log(mean)).astype(np.float32)


def _soft_clip(value: NDArray, low: float, high: float) -> NDArray:
    """Identity near 0, bending towards ``low`` and ``high``: no crease where the limit bites."""
    return np.where(value < 0, low * np.tanh(value / low), high * np.tanh(value / high))


def _base(
    model: FaceModel,
    layout: Layout,
    light: LightFit,
    correction: Float,
    hair: Hair,
    eyes: EyeColours | None,
    log_shading: Float,
    relight: bool,
) -> Float:
    """(size, size, 3) log linear: the model's albedo, corrected, with the hair's colour."""
    small = layout.small
    base = np.log(model.albedo(light.albedo_coefficients))
    if eyes is not None:
        tint_eyes(base, model, eyes)
    covered = small.mask
    face, weights = small.face_id[covered], small.barycentric[covered]
    table = np.column_stack([correction, hair.colour, hair.cover, log_shading])
    field = interpolate_texels(table, model.faces, face, weights)
    strands = layout.small_strands[covered][:, None]
    cover = np.clip(layout.small_scalp[covered] * hair.amount + field[:, 6], 0, 1)[:, None]
    # Strands part at the hairline, and break up what would look like a cap.
    cover = smoothstep(0.2, 0.8, cover + strands * cover * (1 - cover))
    scalp = layout.small_scalp[covered][:, None]
    # The model's own stubble on the scalp gives way to plain skin, then to the hair seen.
    bare = layout.skin_face[face] & (scalp[:, 0] < 0.01)
    plain = np.median(base[covered][bare], axis=0)
    skin = base[covered] * (1 - scalp) + plain * scalp + field[:, :3]
    on_skin = skin * (1 - cover) + (field[:, 3:6] + _STRAND_CONTRAST * strands) * cover
    values = np.where(layout.skin_face[face][:, None], on_skin, base[covered])
    if relight:
        values += field[:, 7:10]
    base[covered] = values
    return cv2.resize(base, (layout.size, layout.size), interpolation=cv2.INTER_LINEAR)


def _detail(
    model: FaceModel,
    layout: Layout,
    view: View,
    trust: Trust,
    base: Float,
    mode: str,
    log_shading: Float,
    grey: bool,
) -> tuple[Float, Float]:
    """The photo's log colours over ``base`` (size, size, 3), and their weights (size, size)."""
    turned = view.facing[model.faces].max(axis=1) > 0.15
    chosen = np.flatnonzero((turned & layout.skin_face)[layout.texel_face])
    table = np.column_stack([view.pixels, view.depth, view.facing, log_shading])
    fields = interpolate_texels(
        table.astype(np.float32),
        model.faces,
        layout.texel_face[chosen],
        layout.texel_barycentric[chosen],
    )
    own = photo_weight(
        view, trust.weight, np.ascontiguousarray(fields[:, :2]), fields[:, 2], fields[:, 3]
    )
    kept = own > 0.004
    texel, fields, own = layout.texel[chosen[kept]], fields[kept], own[kept]
    values = log_linear(sample(view.photo, np.ascontiguousarray(fields[:, :2]), cubic=True))
    if mode == "albedo":
        values -= fields[:, 4:7]
    ground = base.reshape(-1, 3)[texel]
    values = _compare(values, ground, grey)
    if mode == "albedo":
        values = _without_highlights(values)
    detail = np.zeros_like(base)
    weight = np.zeros(base.shape[:2], np.float32)
    detail.reshape(-1, 3)[texel] = values
    weight.ravel()[texel] = own
    return detail, weight


def _compare(values: Float, ground: Float, grey: bool) -> Float:
    """Log of photo over base; of a grey photo the brightness only, alike in each channel."""
    if not grey:
        return values - ground
    middle = values.mean(axis=1) - np.log(luminance(np.exp(ground)))
    return np.repeat(middle[:, None], 3, axis=1)


def _without_highlights(detail: Float) -> Float:
    """Press down what is much brighter than the skin around it."""
    bright = np.maximum(detail.min(axis=1, keepdims=True), _HIGHLIGHT)
    # Scaled, not shifted: a clipped highlight is white and would leave a grey stain.
    return detail * ((_HIGHLIGHT + 0.35 * (bright - _HIGHLIGHT)) / bright)


def _add_mirrored(
    model: FaceModel, layout: Layout, base: Float, detail: Float, weight: Float
) -> None:
    """Finish ``base`` in place: own detail, then mirrored detail where it is clearly better seen.

    ``weight`` becomes the part of each texel that came from the photo, mirrored or not.
    """
    own = weight.ravel()[layout.texel]
    seen = layout.texel[own > 0]
    base.reshape(-1, 3)[seen] += detail.reshape(-1, 3)[seen] * own[own > 0, None]
    lacking = np.flatnonzero(own < 0.9)
    place = layout.mirror[lacking]
    other = sample(weight, place)
    # Where both sides see about the same, the own side stands alone: no double image.
    part = smoothstep(0.1, 0.5, other - own[lacking]) * other * (1 - own[lacking])
    used = part > 0.004
    texel = layout.texel[lacking[used]]
    mirrored = sample(detail, np.ascontiguousarray(place[used]))
    base.reshape(-1, 3)[texel] += mirrored * part[used, None]
    weight.ravel()[texel] += part[used]


def _encode(log_values: Float) -> NDArray[np.uint8]:
    """Log linear light to sRGB bytes by table (IEC 61966-2-1)."""
    linear = np.exp(np.linspace(_CODE_LOW, 0, _CODE_STEPS))
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = np.round(srgb * 255).astype(np.uint8)
    scale = (_CODE_STEPS - 1) / -_CODE_LOW

    def encode(rows: Float) -> NDArray[np.uint8]:
        code = rows * scale
        code += _CODE_STEPS - 1
        np.maximum(code, 0, out=code)
        np.minimum(code, _CODE_STEPS - 1, out=code)
        return table[code.astype(np.int16)]

    # numpy lets go of the GIL in these loops; narrow bands stay in the cache.
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(encode, np.array_split(log_values, 32))))
