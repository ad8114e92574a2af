"""Several photos of one head to one texture.

In two bands (Burt and Adelson 1983): what is smooth, the ratio of each photo to the model at the
vertices, is a mean over the photos, each shifted by a gain of its own, since a photo tells skin
and light apart only up to a factor.  What is fine, the detail over that, is taken texel by texel
from the photos that show it best, and less from one that disagrees with the others: there a hand
or a lock of hair is before the skin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.chunks import each, in_parts
from ..model import FaceModel
from .build import Painted, Shot, Shown, Texture, finished, log_albedo_of, look_at, raised
from .compose import Detail, compose
from .eyes import EyeColours
from .hair import Hair
from .layout import Float, Layout, enlarged, interpolate_texels, layout_of
from .relief import Relief, merged
from .trust import weighted_median

#: How strongly a texel is taken from the photo that shows it best.
SHARPNESS = 5
#: The same of the light: a photo of half as many pixels counts a quarter as much.
_BY_PIXELS = 2.0
#: A place that is not like skin is wanted as much as one of this likeness.
_UNLIKE = 0.05
#: Rounds in which the photos' gains settle.
_ROUNDS = 4
#: Side of what is compared between photos, rounds of the median, and the distance of log colours
#: beyond which one disagrees.
_CONSENSUS, _WEISZFELD, _DISAGREES = 256, 8, 0.2
#: Standard deviation of the seams between photos, in parts of the texture's side.
_SEAM = 1 / 128
#: Rows that are put together at a time.
_BAND_ROWS = 32
_LEAST = 1e-4
#: Share of a texel's detail that cannot be seen.
_UNSEEN = 0.004
#: Bytes that the photos' details may take, and how many photos there are at least and at most.
_BYTES, _FEWEST, _MOST = 200_000_000, 3, 8
#: Share of the texels that a photo shows, and bytes of each, as they are kept.
_SHOWN_SHARE, _TEXEL_BYTES = 0.4, 12


def most_shots(size: int) -> int:
    """How many photos a texture of ``size`` is made of at most: memory does not grow with more."""
    each = size * size * _SHOWN_SHARE * _TEXEL_BYTES
    return int(np.clip(_BYTES // each, _FEWEST, _MOST))


@dataclass(frozen=True, eq=False)
class _Kept:
    """A photo's detail where it shows anything."""

    place: NDArray[np.int32]  #: (N,) texels
    colour: NDArray[np.float16]  #: (N, 3)
    weight: NDArray[np.float16]  #: (N,)
    small: Float  #: (S, S, 3) the detail averaged down
    small_weight: Float  #: (S, S)

    @classmethod
    def of(cls, detail: Detail) -> _Kept:
        """What is there of ``detail``."""
        place = np.flatnonzero(detail.weight.ravel() > 0).astype(np.int32)
        side = (_CONSENSUS, _CONSENSUS)
        weight = cv2.resize(detail.weight, side, interpolation=cv2.INTER_AREA)
        weighted = detail.colour * detail.weight[..., None]
        colour = cv2.resize(weighted, side, interpolation=cv2.INTER_AREA)
        return cls(
            place,
            detail.colour.reshape(-1, 3)[place].astype(np.float16),
            detail.weight.ravel()[place].astype(np.float16),
            colour / np.maximum(weight, 1e-6)[..., None],
            weight,
        )


def build_texture_of(
    model: FaceModel,
    shots: Sequence[Callable[[], Shot]],
    *,
    mode: str = "albedo",
    size: int = 2048,
    relief: bool = False,
) -> tuple[Texture, Float]:
    """One texture of the head in N ``shots``, and the light of each, (N, 9, 3), for its albedo.

    The first one is the one that the head is shown by: its light and its expression's folds are
    the texture's, and in "photo" mode the texture is lit as it is.  ``shots`` are called when their
    turn comes, two at a time, so that not all photos are in memory.  Modes, errors and one photo's
    texture are those of :func:`.build.build_texture`.

    Raises ValueError without a photo.
    """
    layout = layout_of(model, size)
    if not shots:
        raise ValueError("There is no photo to make a texture of.")
    if len(shots) == 1:
        shown = look_at(model, layout, shots[0](), mode, relief)
        texture = finished(shown, layout, mode)
        return texture, texture.sh_light[None]

    lines = _Sum()

    def look(taken: Callable[[], Shot]) -> tuple[Shown, _Kept, float]:
        shot = taken()
        one = look_at(model, layout, shot, mode, relief)
        lines.add(one.lines)
        # The full detail is held for two photos at a time.
        small = replace(one, detail=None, ground=None, lines=None)  # type: ignore[arg-type]
        return small, _Kept.of(one.detail), shot.weight

    shown, kept, weights = map(list, zip(*each(look, shots, 2), strict=True))
    share = _shares(shown, np.array(weights))
    painted, gains = _painted(model, layout, shown, share)
    colour, weight = _merged(model, layout, shown, kept, share)
    detail = Detail(colour, weight)
    height = raised(lines.total, detail, mode)
    image, coverage = compose(layout, painted.ground(model, layout), detail)
    lights = np.stack(
        [one.light.sh_light * np.exp(-g) for one, g in zip(shown, gains, strict=True)]
    )
    return (
        Texture(
            image=image,
            albedo_coefficients=painted.albedo_coefficients,
            sh_light=lights[0],
            coverage=coverage,
            warnings=shown[0].warnings,
            folds=shown[0].folds,
            displacement=height,
        ),
        lights,
    )


class _Sum:
    """The relief of photos that are looked at on several threads; their order changes nothing that
    can be seen."""

    def __init__(self) -> None:
        self.total: Relief | None = None
        self._lock = Lock()

    def add(self, one: Relief | None) -> None:
        """Add a photo's, if there is any."""
        if one is not None:
            with self._lock:
                self.total = one if self.total is None else merged([self.total, one])


def _shares(shown: list[Shown], weights: NDArray) -> NDArray:
    """(N,) how far each photo counts, 1 for the best: as it is believed, and by its pixels."""
    pixels = np.array([one.face_px for one in shown])
    share = weights * (pixels / pixels.max()) ** _BY_PIXELS
    return share / max(float(share.max()), 1e-9)


def _painted(
    model: FaceModel, layout: Layout, shown: list[Shown], share: NDArray
) -> tuple[Painted, NDArray]:
    """What is painted below the photos, and the (N, 3) gains, log, that their ratios get."""
    first = shown[0].painted
    colour = np.array([not one.grey for one in shown])
    believed = share * colour if colour.any() else share
    believed = believed / believed.sum()
    coefficients = np.tensordot(
        believed, np.stack([one.painted.albedo_coefficients for one in shown]), 1
    ).astype(np.float32)
    base = log_albedo_of(layout, coefficients)
    ratios = np.stack(
        [
            one.painted.correction + log_albedo_of(layout, one.painted.albedo_coefficients) - base
            for one in shown
        ]
    )
    sure = np.stack([(one.seen + _LEAST) * layout.regions.sure for one in shown])
    known = np.stack([one.seen**2 for one in shown]) * layout.skin_vertex + _LEAST
    known *= np.maximum(believed, 1e-6)[:, None]
    gains = _gains(ratios, sure * known, believed)
    ratios = ratios + gains[:, None]
    correction = (known[..., None] * ratios).sum(axis=0) / known.sum(axis=0)[:, None]
    painted = Painted(
        coefficients,
        correction.astype(np.float32),
        _hair([one.painted.hair for one in shown], shown, layout, believed),
        _eyes(shown, share),
        _middle([one.painted.teeth for one in shown], share),
        _middle([one.painted.lips for one in shown], share),
        max(one.painted.brows for one in shown),
        first.log_light,
    )
    return painted, gains


def _gains(ratios: NDArray, weights: NDArray, believed: NDArray) -> NDArray:
    """(N, 3) that bring N ``ratios`` (N, V, 3) together where ``weights`` (N, V) see the same.

    Their mean, as far as each is ``believed`` (N,), is kept: one photo's exposure is a guess, and
    those of several err in different directions.
    """
    gains = np.zeros((len(ratios), 3))
    for _ in range(_ROUNDS):
        at = ratios + gains[:, None]
        total = np.maximum(weights.sum(axis=0), 1e-12)
        middle = (weights[..., None] * at).sum(axis=0) / total[:, None]
        gains += np.stack(
            [weighted_median(middle - own, weight) for own, weight in zip(at, weights, strict=True)]
        )
        gains -= believed @ gains
    return gains


def _hair(hair: list[Hair], shown: list[Shown], layout: Layout, believed: NDArray) -> Hair:
    """The painted hair: where several photos show the scalp, their mean."""
    seen = np.stack([one.geometry for one in shown]) * layout.regions.hairable
    weight = seen * believed[:, None]
    weight[0] += _LEAST  # where nobody sees it, the first one's guess
    weight /= weight.sum(axis=0)
    return Hair(
        cover=np.einsum("nv,nv->v", weight, [one.cover for one in hair]).astype(np.float32),
        colour=np.einsum("nv,nvc->vc", weight, [one.colour for one in hair]).astype(np.float32),
        amount=float(believed @ [one.amount for one in hair]),
    )


def _eyes(shown: list[Shown], share: NDArray) -> EyeColours | None:
    """The middle of their colours, and the pattern of the best photo that has one."""
    found = [
        (part, one.painted.eyes)
        for part, one in zip(share, shown, strict=True)
        if one.painted.eyes is not None
    ]
    if not found:
        return None
    weights = np.array([part for part, _ in found])
    iris, white = (
        weighted_median(np.stack([getattr(eyes, name) for _, eyes in found]), weights)
        for name in ("iris", "white")
    )
    patterned = [(part, eyes) for part, eyes in found if eyes.patterns[0] is not None]
    best = max(patterned or found, key=lambda one: one[0])[1]
    return EyeColours(iris, white, best.patterns)


def _middle(colours: list[Float | None], share: NDArray) -> Float | None:
    """(3,) the middle of the ``colours`` (3,) of the photos that show any."""
    found = [
        (part, colour) for part, colour in zip(share, colours, strict=True) if colour is not None
    ]
    if not found:
        return None
    parts, those = zip(*found, strict=True)
    return weighted_median(np.stack(those), np.array(parts)).astype(np.float32)


def _merged(
    model: FaceModel,
    layout: Layout,
    shown: list[Shown],
    kept: list[_Kept],
    share: NDArray,
) -> tuple[Float, Float]:
    """(size, size, 3) and (size, size): the photos' details together, and their weight.

    What is wider than a seam is a mean; what is finer comes from one photo, so that pores do not
    cancel each other.
    """
    size = layout.size
    wanted = _preferences(model, layout, shown, kept, share)
    fine = _winners(wanted)
    wide = [_widened(one) for one in kept]
    middle = np.einsum("nrc,nrcd->rcd", wanted / wanted.sum(axis=0), np.stack(wide))
    colour = np.zeros((size, size, 3), np.float32)
    weight = np.zeros((size, size), np.float32)

    def band(rows: slice) -> None:
        box, base = (rows, slice(0, size)), rows.start * size
        count = (rows.stop - rows.start) * size
        out, total = np.zeros((count, 3), np.float32), np.full(count, 1e-9, np.float32)
        there = weight[rows].reshape(-1)
        for own, low, chosen in zip(kept, wide, fine, strict=True):
            ends = np.searchsorted(own.place, [base, base + count])
            texel, part = own.place[slice(*ends)] - base, slice(*ends)
            if not len(texel):
                continue
            own_weight = own.weight[part].astype(np.float32)
            there[texel] = np.maximum(there[texel], own_weight)
            mine = enlarged(chosen, size, box).ravel()[texel]
            used = np.flatnonzero(mine > _UNSEEN)
            if not len(used):
                continue
            texel, mine = texel[used], mine[used] * own_weight[used]
            over = own.colour[part][used] - enlarged(low, size, box).reshape(-1, 3)[texel]
            out[texel] += mine[:, None] * over
            total[texel] += mine
        out /= total[:, None]
        out += enlarged(middle, size, box).reshape(-1, 3)
        colour[rows] = out.reshape(-1, size, 3) * (weight[rows, :, None] > 0)

    in_parts(band, size, _BAND_ROWS)
    return colour, weight


def _preferences(
    model: FaceModel, layout: Layout, shown: list[Shown], kept: list[_Kept], share: NDArray
) -> Float:
    """(N, S, S) how far each photo is wanted, above 0.

    Between photos that both see a place well, the one that faces it is sharper, and the one that
    shows what is like skin has no lock of hair or highlight before it.
    """
    found = []
    for one, own, part, agreed in zip(shown, kept, share, _agreement(kept), strict=True):
        facing = np.maximum(one.facing, 0.05) ** 2 * np.maximum(one.skin, _UNLIKE) ** 2
        facing = _texel_field(model, layout, facing.astype(np.float32))
        seen = cv2.GaussianBlur(own.small_weight, (0, 0), _SEAM * _CONSENSUS)
        found.append(part * (seen**SHARPNESS * agreed * facing + _LEAST))
    return np.stack(found).astype(np.float32)


def _winners(wanted: Float) -> Float:
    """(N, S, S) 1 for the photo that is ``wanted`` most, with soft borders."""
    best = wanted.argmax(axis=0)
    return np.stack(
        [
            cv2.GaussianBlur((best == number).astype(np.float32), (0, 0), _SEAM * _CONSENSUS)
            for number in range(len(wanted))
        ]
    )


def _widened(own: _Kept) -> Float:
    """(S, S, 3) what of a detail is wider than a seam."""
    table = np.dstack([own.small * own.small_weight[..., None], own.small_weight])
    table = cv2.GaussianBlur(table, (0, 0), _SEAM * _CONSENSUS)
    return table[..., :3] / np.maximum(table[..., 3:], 1e-4)


def _texel_field(model: FaceModel, layout: Layout, values: Float) -> Float:
    """(S, S) ``values`` (V,) at the texels of the comparison."""
    small = layout.small
    field = np.zeros(small.mask.shape, np.float32)
    face, weights = small.face_id[small.mask], small.barycentric[small.mask]
    table = values[:, None].astype(np.float32)
    field[small.mask] = interpolate_texels(table, model.faces, face, weights)[:, 0]
    return cv2.resize(field, (_CONSENSUS, _CONSENSUS), interpolation=cv2.INTER_LINEAR)


def _agreement(kept: list[_Kept]) -> NDArray[np.float32]:
    """(N, S, S) how far each of N details is believed, by its distance from what most show.

    What most show is the spatial median (Weiszfeld 1937), weighed by how well each sees a texel;
    the belief falls as in Geman and McClure (1985).  Two photos do not outvote each other.
    """
    colours = np.stack([one.small for one in kept])
    if len(kept) < 3:
        return np.ones(colours.shape[:3], np.float32)
    seen = np.maximum(np.stack([one.small_weight for one in kept]), 1e-3)
    weights = seen
    middle = away = np.zeros(0)
    for _ in range(_WEISZFELD):
        middle = (weights[..., None] * colours).sum(0) / weights.sum(0)[..., None]
        away = np.linalg.norm(colours - middle, axis=-1)
        weights = seen / np.maximum(away, 0.01)
    belief = (1 + (away / _DISAGREES) ** 2) ** -2.0
    blurred = [cv2.GaussianBlur(one, (0, 0), _CONSENSUS / 250) for one in belief]
    return np.stack(blurred).astype(np.float32)
