"""From a fitted head and its photo to strands of hair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.polylines import of_count
from ..geometry.triangles import vertex_normals
from ..model import FaceModel
from ..texture.hair import upper_forehead
from ..texture.layout import layout_of, smoothstep
from .colour import HAIR_COLOURS, UNKNOWN, strand_colours
from .grow import CLEAR_MM, flow_at, grow, source_of
from .mask import SeenHair, see_hair
from .photo import PhotoHair, photo_hair
from .strands import Strands, of_length, resampled
from .styles import STYLES, Style, scaled
from .surface import Roots, Skin, Surface, roots_on, surface_of
from .tied import tail_of, with_knot

NO_HAIR = "No hair was found in the photo, so the head has none; choose a style to give it one."
HEADWEAR = (
    "What covers the head looks like headwear, so the head has no hair; choose a style to give it "
    "one."
)
NO_SCALP = "This face model has no scalp, so the head has no hair; use the default model for hair."
_SEED = 11
#: Colours along a strand: one for about 5 mm of short hair, what a lock's light and dark take.
COLOURS = 24
#: Of the window's fields, see :class:`.mask.Window`.
_FOREHEAD = 2
#: Partings that are tried, in half widths of the head (None: the crown alone), weights of combing
#: back, and the gain in :meth:`.photo.PhotoHair.agreement` that another one has to bring.
_PARTINGS = (None, -0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5)
_COMBED = (0.0, 0.35, 0.9)
_HARDLY = 0.1
#: The same for one without the fringe that the covered forehead tells of.
_FRINGE_GOES = 0.5
#: The sides of the head: further from its middle, in half widths, and no higher over the brows, in
#: faces.  Short hair falls there, long hair runs back to a knot: who has it up gains 0.3 by that,
#: 20 others lose 0.2 at least.
_ASIDE, _ASIDE_UNDER, _DRAWN_BACK = 0.55, 0.45, 0.1
#: What hangs no further under the ears than so many faces may be wisps of hair that is up.
_WISPS = 0.6
#: Roots at which the directions are compared, about.
_ASKED = 2000
#: A fringe covers so much of the forehead; who has so much of it covered surely has one.
_FRINGE, _SURELY_FRINGE = 0.27, 0.6
#: Under so many mm over the skull hair is cropped.
_CROPPED_MM = 6.0
#: Hair that stands off less than so many mm, times its order, lies flat: it is long and tied
#: back.  1.9 to 5.8 on three who tie it back, 9.1 to 15 on four with short hair.
_FLAT = 7.5
#: Short hair that stands off the skull beside the ears by so much of what it does on top is not
#: cut closer there: 1.4 and 1.5 on two who wear it full, 0.3 to 0.9 on seven with cropped sides.
_FULL = (0.95, 1.3)
#: And is longer by so many mm: what falls from the top reaches down to where it ends.
_FULLER_MM = 70.0
#: See :meth:`.photo.PhotoHair.order`: under the first tight curls, under the second waves.
_CURLS, _WAVES = 0.6, 0.72
#: The same, and the share of hairs that fly from the outline; by eye.
_FLYAWAYS = ((0.5, 0.65, 0.8), (0.5, 0.15, 0.02))


def make_hair(
    model: FaceModel,
    photo: NDArray[np.uint8],
    neutral: NDArray,
    posed: NDArray,
    camera: Camera,
    sh_light: NDArray | Callable[[], NDArray],
    hair: str,
    texture_size: int = 1024,
    *,
    density: float = 1.0,
    length: float = 1.0,
    colour: str | None = None,
    shown: SeenHair | None = None,
) -> tuple[Strands | None, tuple[str, ...]]:
    """The :class:`Strands` for the option ``hair`` and sentences about what stood in the way.

    ``photo`` (H, W, 3) uint8 sRGB, upright; ``neutral`` and ``posed`` (V, 3) mm, head coordinates;
    ``sh_light`` (9, 3) as in :class:`~..exchange.Reconstruction`, or what gives it: that is asked
    last, so that hair can grow while it is found.  ``density`` and ``length`` are parts of what
    there are without them, ``colour`` one of :data:`.colour.HAIR_COLOURS`.  ``shown`` is what
    :func:`.mask.see_hair` gave, if that was asked.  None for "none" and where the photo shows no
    hair.
    """
    if hair == "none":
        return None, ()
    regions = layout_of(model, texture_size).regions
    if not (regions.scalp > 0.5).any():
        return None, (NO_SCALP,)
    if shown is None:
        shown = see_hair(model, photo, camera.to_camera(posed), camera.camera_matrix, texture_size)
    none = shown.worn or not shown.mask.any()
    if hair == "photo" and none:
        return None, (HEADWEAR if shown.worn else NO_HAIR,)
    surface = surface_of(model, neutral)
    seen = None if none else photo_hair(shown.window, shown.mask, camera, surface)
    guide = seen if hair == "photo" else None
    style = scaled(STYLES[hair], surface.face) if guide is None else style_of(guide, surface)
    tail = None if guide is None or style.tied else tail_of(guide)
    if tail is not None:
        style = replace(STYLES["bun"], flyaways=style.flyaways, knot=tuple(tail.line[0].tolist()))
    rng = np.random.default_rng(_SEED)
    scalp = with_sideburns(surface, neutral, regions.scalp)
    if guide is not None:
        outward = vertex_normals(np.asarray(neutral, np.float64), model.faces)
        covered = guide.shows_hair(np.asarray(neutral, np.float64), outward) * regions.forehead
        scalp = with_forehead(surface, neutral, scalp, covered)
    roots = roots_on(model, neutral, scalp, round(style.strands * density), rng)
    if guide is not None:
        roots = roots.chosen(~guide.bare(roots.points, surface.outward(roots.points)))
    if not len(roots.points):
        return None, (NO_HAIR,)
    if guide is not None:
        style = combed(style, guide, surface, roots)
        if style.tied and tail is None:
            guide = guide.without_wisps()
    points = grow(surface, roots, style, rng, guide)
    if style.tied:
        roots, points = with_knot(surface, roots, points, style, rng, tail)
    if length != 1:
        down = np.array([0.0, -1.0, 0.0]) if guide is None else guide.down
        points = of_length(points, length, down)
        points[:, 1:] = surface.pushed_out(points[:, 1:], CLEAR_MM)
    roots, points = _outside(Skin(model, neutral), surface, roots, points)
    if not len(points):
        return None, (NO_HAIR,)
    return Strands(
        points=points,
        root_triangle=roots.triangle,
        root_weights=roots.weights,
        colour=_colours(seen, points, sh_light() if callable(sh_light) else sh_light, rng, colour),
        radius=np.full(len(points), style.radius / np.sqrt(density), np.float32),
    ), ()


def _outside(
    skin: Skin, surface: Surface, roots: Roots, points: NDArray[np.float32]
) -> tuple[Roots, NDArray[np.float32]]:
    """The strands ended where they would pass through the skin, and without those that start so.

    The grid that they grow by does not know an ear's edge.
    """
    for _ in range(3):
        outward = surface.outward(roots.points)
        end = skin.first_crossed(points, outward)
        ended = end < points.shape[1] - 1
        if not ended.any():
            break
        points = points.copy()
        points[ended] = resampled(points[ended], end[ended], points.shape[1])
        kept = end > 0
        roots, points = roots.chosen(kept), points[kept]
    else:
        kept = skin.first_crossed(points, surface.outward(roots.points))
        kept = kept == points.shape[1] - 1
        roots, points = roots.chosen(kept), points[kept]
    return roots, points


def style_of(seen: PhotoHair, surface: Surface) -> Style:
    """What can be told of the style of the photo's hair; the flow itself is the photo's."""
    standing = seen.usual
    long = seen.is_long
    order = seen.order()
    fringe = seen.covered(_FOREHEAD) > _FRINGE
    if long:
        base = replace(
            STYLES["long-straight"], back=0.0 if fringe else 0.35,
            part=None if fringe else 0.0, fringe=-0.4 if fringe else None, jitter=0.06,
        )  # fmt: skip
        reach = surface.top - min(seen.lowest)
        base = replace(base, top=1.25 * reach + 60, side=1.1 * reach + 30)
    elif standing * order < _FLAT and not fringe:
        return replace(STYLES["bun"], flyaways=0.02)
    elif standing < _CROPPED_MM:
        base = replace(STYLES["crop"], out=0.4)
    else:
        full = float(smoothstep(*_FULL, np.array(seen.beside / standing)))
        cap = float(np.clip(2.6 * standing + 22, 25, 110)) + _FULLER_MM * full
        base = replace(
            STYLES["side-part"], taper=(1 - full) * STYLES["side-part"].taper, top=cap,
            side=0.6 * cap, part=None if fringe else 0.3,
            back=0.0 if fringe else 0.8, fringe=-0.4 if fringe else None, points=24,
            # What is long enough for it falls over the ears.
            down=STYLES["side-part"].down + full * (1 - STYLES["side-part"].down),
        )  # fmt: skip
    # As many strands cover more the further out they lie.
    wider = 1 + standing / surface.half_width
    flies = float(np.interp(order, *_FLYAWAYS))
    base = replace(base, flyaways=flies, radius=base.radius * wider)
    if order < _CURLS and standing >= _CROPPED_MM:
        curls = {"wave": 5.0, "pitch": 24.0, "points": 28, "wild": 0.5, "clump": 0.7}
        return replace(base, **curls, strands=14_000)
    if order < _WAVES and long:
        waves = {"wave": 6.5, "pitch": 65.0, "points": 36, "clump": 0.75, "lock": 40}
        return replace(base, **waves, strands=11_000, radius=0.085 * wider)
    return base


def combed(style: Style, seen: PhotoHair, surface: Surface, roots: Roots) -> Style:
    """``style`` with the parting and the way it is combed that explain the photo's directions best.

    These say along which line hair runs, not which way on it, nor how it goes on where it is not
    seen: both come from the style.  One that explains them hardly better than ``style`` is not
    taken.  Who has a fringe keeps it, swept as they say; where not much of the forehead is covered
    it goes if they speak against it: a lock over the temple covers as much.
    """
    if style.tied:
        return style
    points = roots.points[:: max(1, len(roots.points) // _ASKED)]
    outward = surface.outward(points)

    def agreement(way: Style) -> float:
        source = source_of(surface, way)
        return seen.agreement(
            points, outward, flow_at(surface, way, source, points, outward, seen.down)
        )

    low = (np.abs(points[:, 0]) > _ASIDE * surface.half_width) & (
        points[:, 1] < surface.brows + _ASIDE_UNDER * surface.face
    )

    def at_the_side(way: Style) -> float:
        flow = flow_at(surface, way, source_of(surface, way), points[low], outward[low], seen.down)
        return seen.agreement(points[low], outward[low], flow)

    fringe = style.fringe if seen.covered(_FOREHEAD) > _SURELY_FRINGE else None
    ways = [replace(style, part=part, back=back, down=down, fringe=fringe)
            for part in _PARTINGS for back in _COMBED for down in (style.down, 1.0)]  # fmt: skip
    hangs = surface.ears - min(seen.lowest) > _WISPS * surface.face
    if style.fringe is None and not hangs:
        back = replace(STYLES["bun"], flyaways=style.flyaways)
        if at_the_side(back) > max(map(at_the_side, ways)) + _DRAWN_BACK:
            return back
    found = [agreement(way) for way in ways]
    best = int(np.argmax(found))
    more = _HARDLY if style.fringe == fringe else _FRINGE_GOES
    return ways[best] if found[best] > agreement(style) + more else style


def with_sideburns(surface: Surface, neutral: NDArray, scalp: NDArray) -> NDArray:
    """``scalp`` (V,) 0..1 and the strip before the ears, down to their middle."""
    x, y, z = neutral.T
    front = (z - surface.middle[2] - 26) / 9
    strip = np.clip(1.2 - np.abs(front), 0, 1) * (np.abs(x) > 0.8 * surface.half_width)
    low, high = surface.ears - 0.04 * surface.face, surface.brows + 0.35 * surface.face
    strip = strip * (y > low) * (y < high)
    return np.maximum(scalp, 0.75 * strip)


def with_forehead(surface: Surface, neutral: NDArray, scalp: NDArray, covered: NDArray) -> NDArray:
    """``scalp`` (V,) 0..1 and the upper forehead where it is ``covered`` (V,) 0..1 by hair: there
    the hairline is lower than the model's, or not to be seen."""
    return np.maximum(scalp, covered * upper_forehead(neutral, surface.brows, surface.face))


def _colours(
    seen: PhotoHair | None,
    points: NDArray,
    sh_light: NDArray,
    rng: np.random.Generator,
    chosen: str | None,
) -> NDArray[np.float32]:
    places = of_count(points.astype(np.float32), COLOURS)
    measured, known = np.zeros(places.shape, np.float32), np.zeros(len(points), bool)
    if seen is not None and chosen is None:
        measured, known = seen.colours(places, sh_light)
    usual = UNKNOWN if chosen is None else HAIR_COLOURS[chosen]
    return strand_colours(points[:, 0], measured, known, rng, usual)
