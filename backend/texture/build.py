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

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.harmonics import shade
from ..geometry.srgb import SRGB_TO_LINEAR
from ..model import FaceModel
from ..raster.ambient import openness
from .brows import brows_shown
from .channels import tripled
from .compose import Detail, Ground, compose, paint_ground, project
from .eyes import EyeColours, eye_colours
from .far_side import far_side_believed
from .hair import Hair, find_hair
from .iris import warm_eyes
from .layout import Float, Layout, layout_of, sample
from .light import LightFit, fit_light
from .lips import lips_colour
from .neutral import even_correction, face_tone, fields_of, movement_of, neck_weight, tidied
from .relief import Relief, displacement, relief_of, shading_of, without_shading
from .shadow import find_shadow
from .skin import warm_skin
from .teeth import teeth_colour
from .trust import SMOOTHING, judge, photo_weight
from .view import View, make_view
from .wrinkles import wrinkle_pictures

MODES = ("albedo", "photo")

#: Fitted shading is divided out between these factors of its mean over the face.
SHADING_RANGE = (0.4, 1.8)
#: Under this weighted number of visible skin vertices the fit says little.
_FEW_SAMPLES = 60.0
#: What part of the light comes from all sides, about, as a power of what a place sees of them, and
#: the least that this is.  By ``bench albedo``, lids and smile lines: 0.139 and 0.124 without,
#: 0.121 and 0.119 with 0.3, 0.119 and 0.120 with 0.4, 0.117 and 0.120 with a half.  With that the
#: sample's ``verify``, whose light knows no hollows, gets FLIP 0.242 bald; with 0.35 it is 0.236.
HOLLOWS, LEAST_OPEN = 0.35, 0.15
_FEW_SAMPLES_WARNING = (
    "Hardly any skin is visible in the photo, so light and skin colour are guesses; "
    "use a photo that shows more of the face."
)


_SHADOW_WARNING = (
    "Part of the face lies in a hard shadow; the texture is lightened there, so skin and details "
    "are less certain."
)


@dataclass(frozen=True, eq=False)
class Texture:
    """A finished texture and the appearance it was made with."""

    image: NDArray[np.uint8]  #: (size, size, 3) sRGB, row 0 at v = 1
    albedo_coefficients: Float  #: (A,) standard deviations
    sh_light: Float  #: (9, 3) head coordinates, linear RGB
    coverage: Float  #: (size, size) 0..1 how much of the texel came from the photo
    warnings: tuple[str, ...] = ()
    #: (T, T) log brightness of the expression's folds, which ``image`` lacks; None in "photo" mode
    folds: Float | None = None
    #: (2, E) what each expression at 1 gives back of either half's, see :func:`.folds.fold_parts`
    fold_parts: Float | None = None
    #: (S, S) mm outwards, what the photo shows of lines; None unless asked for
    displacement: Float | None = None


def warm_texture(model: FaceModel, size: int = 2048) -> None:
    """Work out what does not depend on the photo (about half a second, once per process)."""
    layout_of(model, size)
    warm_skin(model, size)
    warm_eyes(model, size)
    wrinkle_pictures(model, size)


@dataclass(frozen=True, eq=False)
class Shot:
    """One photo of the head, and how the head stands in it."""

    pixels: NDArray[np.uint8]  #: (H, W, 3) sRGB, upright
    vertices_posed: NDArray  #: (V, 3) mm, head coordinates
    camera_matrix: NDArray  #: (3, 3) pixels
    rotation: NDArray  #: (3, 3) head to camera
    translation: NDArray  #: (3,) mm
    #: (68, 2) detected pixels, by which the photo is lined up with the head
    landmarks2d: NDArray | None = None
    grey: bool = False  #: the photo has no colour; the skin's is then the model's
    #: (H, W) where the photo shows something before the head: left out, and completed
    covered: NDArray[np.bool_] | None = None
    #: (V, 3) mm the head without its expression; without it the head counts as neutral
    vertices_neutral: NDArray | None = None
    weight: float = 1.0  #: how far the photo is believed beside others
    #: gives (V,) 0..1 how far hair that the head has as strands lies over it in the photo: none of
    #: it is painted.  Without it, or where that is None, hair is painted.
    under_hair: Callable[[], NDArray | None] | None = None


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
    covered: NDArray[np.bool_] | None = None,
    vertices_neutral: NDArray | None = None,
    relief: bool = False,
) -> Texture:
    """Texture of the head ``vertices_posed`` (V, 3) mm, head coordinates, from the photo.

    ``photo_pixels`` (H, W, 3) uint8 sRGB, upright; ``camera_matrix`` (3, 3) its pixels,
    ``rotation`` (3, 3), ``translation`` (3,) mm: head to camera.  ``mode`` "albedo" divides the
    fitted light out, "photo" leaves it in.  ``relief``: look for a displacement, and take its
    shading out of the texture in "albedo" mode.  The others are those of :class:`Shot`; in "albedo"
    mode what the expression has painted is taken out by ``vertices_neutral``.

    Raises ValueError for an unknown mode or a photo of another shape.
    """
    shot = Shot(
        photo_pixels, vertices_posed, camera_matrix, rotation, translation, landmarks2d, grey,
        covered, vertices_neutral,
    )  # fmt: skip
    layout = layout_of(model, size)
    return finished(look_at(model, layout, shot, mode, relief), layout, mode)


def finished(shown: Shown, layout: Layout, mode: str) -> Texture:
    """The texture of what one photo has ``shown``."""
    height = raised(shown.lines, shown.detail, mode)
    image, coverage = compose(layout, shown.ground, shown.detail)
    return Texture(
        image=image,
        albedo_coefficients=shown.light.albedo_coefficients,
        sh_light=shown.light.sh_light,
        coverage=coverage,
        warnings=shown.warnings,
        folds=shown.folds,
        displacement=height,
    )


def raised(lines: Relief | None, detail: Detail, mode: str) -> Float | None:
    """The displacement by ``lines``, whose shading is taken out of ``detail`` in "albedo" mode."""
    if lines is None:
        return None
    height = displacement(lines)
    if mode == "albedo":
        without_shading(detail, shading_of(lines, height))
    return height


@dataclass(frozen=True, eq=False)
class Painted:
    """What of a head is painted where no photo shows it, and what that is made of."""

    albedo_coefficients: Float  #: (A,)
    correction: Float  #: (V, 3) log ratio of the photo to the model, smooth
    hair: Hair
    eyes: EyeColours | None
    teeth: Float | None  #: (3,) log linear
    lips: Float | None  #: (3,) log linear
    brows: float  #: 0..1 how much of the painted brows gives way to the photo's
    log_light: Float  #: (V, 3) log, multiplied in

    def ground(self, model: FaceModel, layout: Layout) -> Ground:
        """It, as texels."""
        albedo = model.albedo(self.albedo_coefficients)
        return paint_ground(
            model, layout, albedo, self.correction, self.hair, self.eyes, self.log_light,
            self.brows, self.teeth, self.lips,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shown:
    """What one photo tells of the texture."""

    painted: Painted
    ground: Ground
    detail: Detail  #: the photo over ``ground``
    light: LightFit
    folds: Float | None
    warnings: tuple[str, ...]
    grey: bool
    seen: Float  #: (V,) 0..1 weight of the photo at the vertices
    geometry: Float  #: (V,) 0..1 the same whatever the photo shows there
    skin: Float  #: (V,) 0..1 how much like the face's skin; 1 where skin is of uneven colour
    facing: Float  #: (V,) cosine to the camera
    face_px: float  #: brows to chin in pixels of the photo, no finer than the texture
    lines: Relief | None  #: what it shows of relief, where that was asked for


def look_at(model: FaceModel, layout: Layout, shot: Shot, mode: str, relief: bool = False) -> Shown:
    """What ``shot`` shows of the head; :func:`build_texture` says of what and what it raises."""
    _check(shot.pixels, mode)
    camera = (shot.camera_matrix, shot.rotation, shot.translation)
    posed, grey = shot.vertices_posed, shot.grey
    view = make_view(
        model, shot.pixels, posed, *camera, shot.landmarks2d, layout.size, shot.covered
    )
    shadow = find_shadow(model, layout, view)
    projected = view  # in "photo" mode the shadow stays
    if shadow is not None:
        view = shadow.lifted(view)
        projected = projected if mode == "photo" else view
    light, samples = _fit(model, layout, view, grey)
    log_albedo, log_shading = _fitted(layout, view, light)
    log_shading += tripled(_hollows(model, layout, view, posed))
    under = shot.under_hair() if shot.under_hair is not None else None
    trust = judge(view, model, layout, log_albedo + log_shading, log_shading, grey, under)
    if shadow is not None:
        off_edge = shadow.off_edge(view)
        trust = replace(trust, weight=trust.weight * off_edge, clear=trust.clear * off_edge)
    bare = mode == "albedo"
    middle, correction = face_tone(layout, view, trust), trust.correction
    if bare:
        correction = even_correction(model, layout, correction, middle)
    painted = Painted(
        light.albedo_coefficients,
        correction,
        find_hair(model, layout, view, trust, painted=under is None),
        None if grey else eye_colours(model, layout, view, log_shading),
        None if grey else teeth_colour(layout, view, log_shading),
        None if grey else lips_colour(model, layout, view, trust.weight, log_shading),
        brows_shown(model, view, trust.weight),
        np.zeros_like(log_shading) if bare else log_shading,
    )
    ground = painted.ground(model, layout)
    folds, believed = None, far_side_believed(model, view, trust.weight)
    if bare:
        neutral = posed if shot.vertices_neutral is None else shot.vertices_neutral
        moved = movement_of(model, layout, view, posed, neutral)
        believed = believed * neck_weight(model)
        detail = project(model, layout, projected, trust, ground, log_shading, grey, believed)
        fields = fields_of(model, layout, trust, view, moved, correction - middle, middle)
        detail, folds = tidied(model, layout, detail, fields)
    else:
        detail = project(model, layout, projected, trust, ground, None, grey, believed)
    # After the folds: what the expression made comes back with its shape keys.
    lines = relief_of(model, layout, view, posed, light.sh_light, detail) if relief else None
    places = (view.pixels, view.depth, view.facing)
    like = sample(trust.like, view.to_small(view.pixels))
    return Shown(
        painted,
        ground,
        detail,
        light,
        folds,
        tuple(_warnings(samples, shadow is not None)),
        grey,
        seen=photo_weight(view, trust.weight, *places),
        geometry=photo_weight(view, trust.clear, *places),
        skin=1 - layout.regions.bare_skin * (1 - like),
        facing=view.facing,
        face_px=view.face_size / view.small_scale,
        lines=lines,
    )


def _warnings(samples: float, shadow: bool) -> Iterator[str]:
    if samples < _FEW_SAMPLES:
        yield _FEW_SAMPLES_WARNING
    if shadow:
        yield _SHADOW_WARNING


def _check(photo_pixels: NDArray, mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"The texture mode is {mode!r}; give one of {MODES}.")
    if photo_pixels.ndim != 3 or photo_pixels.shape[2] != 3 or photo_pixels.dtype != np.uint8:
        raise ValueError(
            f"The photo is {photo_pixels.dtype} {photo_pixels.shape}; give uint8 (H, W, 3)."
        )


def _fit(model: FaceModel, layout: Layout, view: View, grey: bool) -> tuple[LightFit, float]:
    """Light and albedo from the visible vertices of bare skin, and how many there were."""
    blur = max(0.5, SMOOTHING * view.face_size)
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
    log_albedo = log_albedo_of(layout, light.albedo_coefficients)
    return log_albedo, log_shading_of(view.normals, light.sh_light, layout.regions.core > 0.5)


def _hollows(model: FaceModel, layout: Layout, view: View, posed: NDArray) -> Float:
    """(V,) log, by how much darker than the face the skin's hollows are: a light that is fitted to
    normals does not know that brows and nose stand before it."""
    skin = layout.skin_vertex
    seen = openness(posed[skin], view.normals[skin], posed, model.faces)
    log = np.zeros(len(posed), np.float32)
    log[skin] = HOLLOWS * np.log(np.maximum(seen, LEAST_OPEN))
    even = skin & (layout.regions.sure > 0.5)
    if even.any():
        log[skin] -= np.median(log[even])
    return log


def log_albedo_of(layout: Layout, coefficients: NDArray) -> Float:
    """(V, 3) log of the model's albedo at the vertices."""
    albedo = layout.albedo_mean + np.tensordot(coefficients, layout.albedo_basis, 1)
    return np.log(np.maximum(albedo, 0.002)).astype(np.float32)


def log_shading_of(normals: NDArray, sh_light: NDArray, front: NDArray[np.bool_]) -> Float:
    """(V, 3) log of the light ``sh_light`` (9, 3) on ``normals`` (V, 3), within
    :data:`SHADING_RANGE` of its mean over the vertices ``front`` (V,)."""
    shading = shade(normals, sh_light)
    mean = np.maximum(shading[front].mean(axis=0), 0.05) if front.any() else np.ones(3)
    low, high = SHADING_RANGE
    relative = _soft_clip(np.log(np.maximum(shading / mean, 1e-3)), np.log(low), np.log(high))
    return (relative + np.log(mean)).astype(np.float32)


def _soft_clip(value: NDArray, low: float, high: float) -> NDArray:
    """Identity near 0, bending towards ``low`` and ``high``: no crease where the limit bites."""
    return np.where(value < 0, low * np.tanh(value / low), high * np.tanh(value / high))
