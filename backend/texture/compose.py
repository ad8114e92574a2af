"""Putting the texture together from the fitted model, the hair, the photo and its mirror image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..geometry.chunks import in_parts
from ..geometry.srgb import encode_bytes, luminance
from ..model import FaceModel
from .brows import without_brows
from .channels import mean_of, tripled
from .eyes import EyeColours, tint_eyes
from .hair import Hair
from .iris import FinerEyes, finer_eyes
from .layout import (
    Float,
    Layout,
    enlarged,
    interpolate_texels,
    mirrored_texels,
    sample,
    smoothstep,
)
from .lips import tint_lips
from .teeth import tint_teeth
from .trust import Trust, log_linear, photo_weight
from .view import View

# Set by eye.  On 12 drawn heads (tools/measure_sensitivity) 0.7 and 1.4 times the highlight's and
# the mirror's change the error of the face's log albedo (0.26) by at most 1 %; strands are not
# measured.

#: Log brightness over the skin beyond which detail is taken for a highlight, in albedo mode, and
#: the part of the rest that is kept.
HIGHLIGHT, HIGHLIGHT_KEPT = 0.3, 0.35
#: Weight that the other side's must have more between which its mirrored detail is taken.
BETTER_SEEN = (0.1, 0.5)
#: Cosine below which a triangle's corners are not worth projecting, and weight below which a texel
#: is not: both give weights that cannot be seen.
_TURNED_AWAY, _LEAST_WEIGHT = 0.15, 0.004
#: Log brightness between strands of painted hair.
_STRAND_CONTRAST = 0.14
#: How far strands part the hairline; more looks like saw teeth at the temples, where the UV layout
#: is stretched.  Then the cover between which it rises from none to all.
_PARTING = 0.4
HAIRLINE = (0.1, 0.9)
#: Weight of the photo above which a texel needs nothing from the other side.
_WELL_SEEN = 0.9
#: Steps of log linear light, exp(-8) being black, to sRGB bytes.
_CODE_LOW, _CODE_STEPS = -8.0, 8192
#: Rows that are finished at a time: they stay in the cache.
_BAND_ROWS = 32


@dataclass(frozen=True, eq=False)
class Ground:
    """What is painted where the photo shows nothing, log linear.

    A few rows are made at a time: all of a colour at 2048 would take 50 MB.
    """

    size: int  #: side of the texture
    base: Float  #: (T, T, 3) the fitted albedo, colour corrected; teeth, mouth
    hair: Float  #: (T, T, 3) what the hair adds to the skin
    eyes: FinerEyes | None  #: what is finer than T x T

    def skin(self, rows: slice) -> Float:
        """(R, size, 3) rows of the texture without hair."""
        found = enlarged(self.base, self.size, (rows, slice(0, self.size)))
        if self.eyes is not None:
            self.eyes.paint(found, rows.start)
        return found

    def hair_rows(self, rows: slice) -> Float:
        """(R, size, 3) what the hair adds to them."""
        return enlarged(self.hair, self.size, (rows, slice(0, self.size)))


def paint_ground(
    model: FaceModel,
    layout: Layout,
    albedo: Float,
    correction: Float,
    hair: Hair,
    eyes: EyeColours | None,
    log_light: Float,
    brows_shown: float = 0.0,
    teeth: NDArray | None = None,
    lips: NDArray | None = None,
) -> Ground:
    """The :class:`Ground` of the fitted ``albedo`` (T, T, 3) linear, worked out at T x T.

    ``correction`` (V, 3) log ratio of the photo to the model; ``log_light`` (V, 3) is multiplied
    in (zeros for an albedo texture).  ``brows_shown`` (0..1): so much of the painted brows gives
    way to the photo's.  ``teeth``, ``lips`` (3,) log linear: their colours in the photo.
    """
    base = without_brows(np.log(albedo), model, layout, brows_shown)
    if eyes is not None:
        tint_eyes(base, model, eyes)
    if teeth is not None:
        tint_teeth(base, model, teeth)
    # (channel, texel) each: numpy is ten times quicker along the texels than along the channels.
    covered = np.flatnonzero(layout.small.mask)
    face = layout.small.face_id.ravel()[covered]
    weights = layout.small.barycentric.reshape(-1, 3)[covered]
    table = np.column_stack([correction, hair.colour, hair.cover, log_light]).astype(np.float32)
    field = interpolate_texels(table, model.faces, face, weights).T
    on_skin = layout.skin_face[face]
    scalp, strands = (
        whole.ravel()[covered] for whole in (layout.small_scalp, layout.small_strands)
    )
    painted = np.ascontiguousarray(base.reshape(-1, 3)[covered].T)
    # The model's own stubble on the scalp gives way to plain skin, then to the hair seen.
    plain = np.median(painted[:, on_skin & (scalp < 0.01)], axis=1)
    skin = painted * (1 - scalp) + plain[:, None] * scalp + field[:3]
    skin = np.where(on_skin, skin, painted)
    cover = np.clip(scalp * hair.amount + field[6], 0, 1) * on_skin
    # Strands part at the hairline, and break up what would look like a cap.
    cover = smoothstep(*HAIRLINE, cover + _PARTING * strands * cover * (1 - cover))
    layer = np.zeros_like(base)
    layer.reshape(-1, 3)[covered] = ((field[3:6] + _STRAND_CONTRAST * strands - skin) * cover).T
    if lips is not None:
        tint_lips(skin, covered, model, layout, lips)
    base.reshape(-1, 3)[covered] = (skin + field[7:10]).T
    patterns = eyes.patterns if eyes is not None else (None, None)
    return Ground(layout.size, base, layer, finer_eyes(model, layout.size, patterns))


@dataclass(frozen=True, eq=False)
class Detail:
    """The photo in the texture's layout."""

    colour: Float  #: (size, size, 3) log of the photo over the skin of the ground
    weight: Float  #: (size, size) 0..1


def project(
    model: FaceModel,
    layout: Layout,
    view: View,
    trust: Trust,
    ground: Ground,
    log_shading: Float | None,
    grey: bool,
    believed: Float | None = None,
) -> Detail:
    """Sample the photo at every texel that it shows; ``log_shading`` (V, 3) is divided out.

    ``believed`` (V,) 0..1 is multiplied into the photo's weight.
    """
    shown = (view.facing[model.faces].max(axis=1) > _TURNED_AWAY) & layout.skin_face
    whole = np.ones(len(model.mean), np.float32) if believed is None else believed
    table = np.column_stack([view.pixels, view.depth, view.facing, whole]).astype(np.float32)
    size = layout.size
    colour = np.zeros((size, size, 3), np.float32)
    weight = np.zeros(colour.shape[:2], np.float32)
    flat_colour, flat_weight = colour.reshape(-1, 3), weight.ravel()

    def part(texels: slice) -> None:
        chosen = texels.start + np.flatnonzero(shown[layout.texels.face[texels]])
        face, weights = layout.texels.face[chosen], layout.texels.barycentric(chosen)
        fields = interpolate_texels(table, model.faces, face, weights)
        pixels = np.ascontiguousarray(fields[:, :2])
        own = photo_weight(view, trust.weight, pixels, fields[:, 2], fields[:, 3])
        own *= np.minimum(fields[:, 4], 1)
        kept = np.flatnonzero(own > _LEAST_WEIGHT)
        texel = layout.texels.place[chosen[kept]]
        if not len(texel):
            return
        rows = slice(int(texel[0]) // size, int(texel[-1]) // size + 1)
        skin = ground.skin(rows).reshape(-1, 3).take(texel - rows.start * size, axis=0)
        values = log_linear(sample(view.photo, pixels.take(kept, axis=0), cubic=True))
        if log_shading is None:
            values = _compare(values, skin, grey)
        else:
            weights = weights.take(kept, axis=0)
            values -= interpolate_texels(log_shading, model.faces, face.take(kept), weights)
            values = _without_highlights(_compare(values, skin, grey))
        flat_colour[texel] = values
        flat_weight[texel] = own[kept]

    in_parts(part, len(layout.texels))
    return Detail(colour, weight)


def _compare(values: Float, ground: Float, grey: bool) -> Float:
    """Log of photo over base; of a grey photo the brightness only, alike in each channel."""
    if not grey:
        return values - ground
    middle = mean_of(values) - np.log(luminance(np.exp(ground)))
    return tripled(middle)


def _without_highlights(detail: Float) -> Float:
    """Press down what is much brighter than the skin around it."""
    # Column by column: numpy's minimum along an axis of three takes eight times as long.
    least = np.minimum(np.minimum(detail[:, 0], detail[:, 1]), detail[:, 2])
    bright = np.maximum(least, HIGHLIGHT)
    # Scaled, not shifted: a clipped highlight is white and would leave a grey stain.
    return detail * tripled((HIGHLIGHT + HIGHLIGHT_KEPT * (bright - HIGHLIGHT)) / bright)


def compose(layout: Layout, ground: Ground, detail: Detail) -> tuple[NDArray[np.uint8], Float]:
    """(size, size, 3) sRGB texture, and the part (size, size) that came from the photo.

    Mirrored detail counts only where the other side is clearly better seen: where both see about
    the same, the own side stands alone, without a double image.
    """
    weight, own_weight = detail.weight.copy(), detail.weight.ravel()
    image = np.empty((*weight.shape, 3), np.uint8)

    def mirror(out: Float, rows: slice) -> None:
        # Numbers of another type would have all texels copied.
        ends = np.array([rows.start, rows.stop], np.int32) * np.int32(size)
        ends = np.searchsorted(layout.texels.place, ends)
        own = own_weight[layout.texels.place[slice(*ends)]]
        chosen = ends[0] + np.flatnonzero(own < _WELL_SEEN)
        texel, place = layout.texels.place[chosen], mirrored_texels(layout, chosen)
        own, other = own_weight[texel], sample(detail.weight, place)
        share = smoothstep(*BETTER_SEEN, other - own) * other * (1 - own)
        used = share > _LEAST_WEIGHT
        texel, share = texel[used], share[used]
        seen = sample(detail.colour, place[used]) * tripled(share)
        out.reshape(-1, 3)[texel - rows.start * size] += seen
        weight.ravel()[texel] += share

    def band(rows: slice) -> None:
        out = ground.skin(rows)
        mirror(out, rows)
        out += detail.colour[rows] * tripled(detail.weight[rows])
        out += ground.hair_rows(rows) * tripled(1 - weight[rows])
        image[rows] = encode(out)

    size = layout.size
    in_parts(band, size, _BAND_ROWS)
    return image, weight


@cache
def _codes() -> NDArray[np.uint8]:
    """(_CODE_STEPS,) sRGB bytes of log linear light from ``_CODE_LOW`` to 0."""
    return encode_bytes(np.exp(np.linspace(_CODE_LOW, 0, _CODE_STEPS)))


def encode(log_values: Float) -> NDArray[np.uint8]:
    """Log linear light to sRGB bytes by table."""
    code = log_values * ((_CODE_STEPS - 1) / -_CODE_LOW)
    code += _CODE_STEPS - 1
    return _codes().take(code.astype(np.intp), mode="clip")
