"""Strands that grow from their roots, step by step, in a shell round the head.

All at once: each step goes where the style's flow says, or the photo's where it is seen; then it is
brought into the shell, out of the skin and off the face.  What is imitated is the geometric half of
Chai et al. 2013, "Dynamic Hair Manipulation in Images and Videos".
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..geometry.triangles import dot, norm, unit
from ..texture.channels import tripled
from ..texture.layout import smoothstep
from .locks import CLEAR_MM, Locks, dressed, locks_of
from .strands import Float, resampled
from .styles import Style
from .surface import Roots, Surface, on_ring
from .tied import knot_of

#: Steps of the longest strand, and mm of the shortest step.
_STEPS, _LEAST_STEP_MM = 48, 1.5
#: Share of the direction that is kept from the step before.
_INERTIA = 0.55
#: mm along the strand until it has risen to its height in the shell.
_RISE_MM = 10.0
#: So near to the parting and the whorl hair stands up first: else there would be a furrow.
_UPRIGHT_MM = 30.0
#: Spread of where locks, and strands in one, take the parting to be.
_STRAY_MM, _OWN_STRAY_MM = 7.0, 1.5
#: How far what flies leaves the outline, the mean, in faces; single hairs beside locks.
_FLYAWAY, _SINGLE = 0.03, 0.01
#: A lock's height in the shell is drawn evenly to this power, most at the outside; a strand's own.
_OUTSIDE, _OWN_LAYER = 0.35, 0.1
#: Hair lies on what begins further from the parting, so many mm, by this share of the way in the
#: shell, if it is so long.
_BELOW_MM, _OVER, _REACHES_MM = 130.0, 0.3, (60.0, 160.0)
#: Of a lock's own way, or its end's spread, what a strand has besides.
_OWN = 0.25
#: Strands that are resampled together.
_PART = 2048
#: Of a curl's radius, what the outline of curled hair is further out than the strands' middle.
_CURLED = 0.6
#: Steps round the head in which its lower hairline is known, and half the width of one's look.
_AZIMUTHS, _AZIMUTH_WIDTH = 48, 1.5
#: So near to where hair is tied it ends.
_AT_KNOT_MM = 14.0
#: From afar hair is drawn back to the knot by so much of the way there.
_ROUND_BACK = 0.35
#: Before the head's middle, in half widths, hair that is cut closer goes over to what falls freely.
_FRONT = (0.15, 0.5)
#: The way of hair that is combed back.
_BACKWARDS = np.array([0.0, 0.25, -1.0], np.float32)
#: Tapered hair is so long at its end, mm, and stands off by so much of what it does above; layers
#: are cut to between this much of the length and all of it.
_CUT_MM, _CLOSE, _LAYERS = 12.0, 0.4, 0.6


class Seen(Protocol):
    """What a photo says of hair while it grows; (S, 3) points and directions, mm."""

    @property
    def down(self) -> NDArray:
        """(3,) unit: where things fall."""
        ...

    def turned(self, points: NDArray, outward: NDArray, flow: NDArray) -> NDArray:
        """(S, 3) unit directions: ``flow`` as far as the photo does not say another."""
        ...

    def kept_inside(
        self, points: NDArray, outward: NDArray, going: NDArray, stray: NDArray
    ) -> NDArray:
        """(S, 3) ``points`` not further outside the hair than ``stray`` (S,), in faces, unless the
        directions ``going`` (S, 3) lead straight out."""
        ...

    def widened(self, points: NDArray, moved: NDArray) -> NDArray:
        """(S, 3) ``moved``, that were at ``points`` (S, 3) a step before, further aside as far as
        hair that hangs gets wider from there to here."""
        ...

    def shell(self, points: NDArray) -> NDArray:
        """(S,) mm that the hair stands off the skin here."""
        ...

    def ended(self, points: NDArray, outward: NDArray, ragged: NDArray) -> NDArray:
        """(S,) True where no hair is any more; ``ragged`` (S,) a normal deviate of each strand."""
        ...


def grow(
    surface: Surface, roots: Roots, style: Style, rng: np.random.Generator, seen: Seen | None = None
) -> Float:
    """(S, P, 3) mm: a strand of ``style.points`` points from each of the ``roots``."""
    count = len(roots.points)
    if not count:
        return np.empty((0, style.points, 3), np.float32)
    line = lower_hairline(surface, roots)
    length = _lengths(surface, roots, style, line, rng)
    step = max(float(length.max()) / _STEPS, _LEAST_STEP_MM)
    steps = int(np.ceil(length.max() / step))
    source = source_of(surface, style)
    down = np.array([0, -1, 0], np.float32) if seen is None else seen.down
    here = roots.points
    locks = locks_of(roots.points, style.lock, rng)
    live = _started(surface, roots, style, source, length, locks, rng)
    path, end = [here], np.full(count, steps)
    for k in range(1, steps + 1):
        flow = flow_at(surface, style, source, live.point + live.stray, live.outward, down)
        # What hangs free hangs straight.
        hangs = smoothstep(-0.3, 0.1, (surface.ears - live.point[:, 1]) / surface.face)[:, None]
        flow = flow + live.swerve * (1 - 0.75 * hangs)
        stands = 2.5 * live.upright * np.exp(-k * step / _UPRIGHT_MM)
        flow = unit(flow + stands[:, None] * live.outward)
        if seen is not None:
            flow = seen.turned(live.point, live.outward, flow)
        keep = _INERTIA if k > 2 else 0.2
        going = unit(keep * live.going + (1 - keep) * flow)
        moved = live.point + going * step
        risen = k * step * (1 + 3 * live.upright)
        moved = _settled(surface, style, moved, live.layer, risen, line, seen)
        moved = _off_the_face(surface, style, live, moved)
        if seen is not None:
            moved = seen.widened(live.point, moved)
            moved = seen.kept_inside(moved, live.outward, going, live.flyaway)
        moved = surface.pushed_out(moved, CLEAR_MM)
        outward = surface.outward(moved)
        ended = (k * step > live.length) | _cut(surface, style, moved, live)
        if seen is not None:
            ended |= seen.ended(moved, outward, live.ragged)
        end[live.index[ended]] = k - 1
        live = replace(live, going=unit(moved - live.point), point=moved, outward=outward)
        live = live.chosen(~ended)
        here = here.copy()
        here[live.index] = live.point
        path.append(here)
        if not len(live.index):
            break
    end = np.minimum(end, len(path) - 1)
    # Part by part: all at once takes 70 MB.
    strands = [
        resampled(np.stack([at[part] for at in path], axis=1), end[part], style.points)
        for part in (slice(first, first + _PART) for first in range(0, count, _PART))
    ]
    del path, here, live
    return dressed(surface, np.concatenate(strands), locks, style, rng)


@dataclass(frozen=True, eq=False)
class _Live:
    """The strands that still grow, and what is a strand's own; mm."""

    index: NDArray[np.intp]  #: (S,) of the root
    root_x: NDArray
    point: NDArray  #: (S, 3) its tip so far
    going: NDArray  #: (S, 3) unit, the last step's direction
    outward: NDArray  #: (S, 3) unit, off the skin
    length: NDArray  #: it is to have
    layer: NDArray  #: 0..1 how high in the shell
    swerve: NDArray  #: (S, 3) its own way
    stray: NDArray  #: (S, 3) where it takes the parting to be
    upright: NDArray  #: 0..1 near the parting and the whorl
    flyaway: NDArray  #: how far it may leave the outline, in faces
    ragged: NDArray  #: normal deviate, of where it is cut below
    fringe: NDArray  #: y where it ends over the forehead, -inf where it is kept off the face

    def chosen(self, which: NDArray) -> _Live:
        """Those that ``which`` (S,) bool says."""
        return _Live(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def _started(
    surface: Surface,
    roots: Roots,
    style: Style,
    source: NDArray,
    length: NDArray,
    locks: Locks,
    rng: np.random.Generator,
) -> _Live:
    """All strands at their ``roots``."""
    count, many = len(roots.points), len(locks.guide)
    point = roots.points
    outward = surface.outward(point)
    gap = norm(roots.points - source[_nearest(source, roots.points)])

    def drawn(spread: float, own: float, *size: int) -> NDArray:
        """Normal deviates of locks, and in them of strands."""
        each = locks.each(rng.normal(0, spread, (many, *size)).astype(np.float32))
        return each + rng.normal(0, own, (count, *size)).astype(np.float32)

    upright = 1 - smoothstep(8, _UPRIGHT_MM, gap)
    layer = locks.each(rng.random(many) ** _OUTSIDE)
    # What begins at the parting lies on what begins below it, as far as it reaches there.
    order = 1 - smoothstep(0, _BELOW_MM, gap)
    over = 0.0 if style.tied else _OVER * smoothstep(*_REACHES_MM, np.array(style.top))
    layer += over * (order - layer)
    layer += 0.7 * upright * (1 - layer) + rng.normal(0, _OWN_LAYER, count)
    layer = np.clip(layer, 0.03, 1) * (0.25 + 0.75 * roots.depth)
    flies = locks.each(rng.random(many) < style.flyaways) | (rng.random(count) < _SINGLE)
    return _Live(
        index=np.arange(count),
        root_x=point[:, 0],
        point=point,
        going=outward,
        outward=outward,
        length=length,
        # Whole locks have a height: strands each of its own would be a haze round the head.
        layer=layer.astype(np.float32),
        swerve=_swerve(roots.points, locks, style.wild, rng),
        # Else hair would part along a line as if cut with a knife, and the whorl be a hole.
        stray=drawn(_STRAY_MM, _OWN_STRAY_MM, 3),
        upright=upright,
        flyaway=np.where(flies, locks.each(rng.exponential(_FLYAWAY, many)), 0).astype(np.float32),
        ragged=drawn(1.0, _OWN),
        fringe=_fringe(surface, style, drawn(1.0, _OWN)),
    )


def lower_hairline(surface: Surface, roots: Roots) -> NDArray:
    """(_AZIMUTHS,) y of the lowest of the ``roots`` by the angle round the head's upright axis."""
    turn = _azimuth(surface, roots.points)
    low = np.full(_AZIMUTHS, np.nan)
    for k in range(_AZIMUTHS):
        gap = np.abs((turn - k + _AZIMUTHS / 2) % _AZIMUTHS - _AZIMUTHS / 2)
        near = roots.points[gap < _AZIMUTH_WIDTH, 1]
        if len(near):
            low[k] = np.quantile(near, 0.02)
    known = np.flatnonzero(np.isfinite(low))
    return np.interp(np.arange(_AZIMUTHS), known, low[known], period=_AZIMUTHS)


def _azimuth(surface: Surface, points: NDArray) -> NDArray:
    """(...) 0 to _AZIMUTHS round the head's upright axis, of ``points`` (..., 3)."""
    gap = points - surface.middle
    return np.arctan2(gap[..., 0], gap[..., 2]) / (2 * np.pi) % 1 * _AZIMUTHS


def _tapered(surface: Surface, style: Style, points: NDArray, line: NDArray) -> NDArray:
    """(S,) 0 at the lower hairline ``line`` to 1 from ``style.taper`` over it on, at the sides and
    behind: there short hair is cut closer and closer."""
    if not style.taper:
        return np.ones(len(points), np.float32)
    turn = _azimuth(surface, points)
    over = points[:, 1] - on_ring(line, turn)
    forward = (points[:, 2] - surface.middle[2]) / surface.half_width
    front = smoothstep(*_FRONT, forward)
    return np.maximum(smoothstep(0, style.taper, over), front)


def _lengths(
    surface: Surface, roots: Roots, style: Style, line: NDArray, rng: np.random.Generator
) -> NDArray:
    """(S,) mm: the top's going over to the side's, the hairline's shorter."""
    low = smoothstep(0.1, 0.75, (surface.top - roots.points[:, 1]) / (surface.top - surface.ears))
    length = style.top + (style.side - style.top) * low
    length = length * np.exp(rng.normal(0, style.jitter, len(length)))
    if style.taper:
        # Layers: what reaches the hairline from far above would all end there, as on a bowl.
        near = _tapered(surface, style, roots.points, line)
        cut = _CUT_MM + (length - _CUT_MM) * near
        length = np.minimum(length, np.maximum(cut, 0)) * rng.uniform(_LAYERS, 1, len(length))
    return length * (0.45 + 0.55 * roots.depth) if style.top < 120 else length


def _swerve(roots: NDArray, locks: Locks, wild: float, rng: np.random.Generator) -> NDArray:
    """(S, 3) the own ways of locks and of single strands."""
    middle = roots[locks.guide]
    waves = rng.normal(0, 0.3, middle.shape)
    for _ in range(6):
        turn = rng.normal(0, 1 / 18, (3, 3))
        waves += np.sin(middle @ turn + rng.uniform(0, 6.3, 3)) / 2.4
    own = rng.normal(0, 0.3 * _OWN, roots.shape)
    return (wild * (locks.each(waves) + own)).astype(np.float32)


def source_of(surface: Surface, style: Style) -> NDArray:
    """(N, 3) mm: points just over the skin from the crown along the parting to the forehead."""
    back = np.array([-0.12, 0.80, -0.55])  # the whorl: right of the middle in most people
    if style.part is None:
        ways = back[None]
    else:
        # On over the forehead, so that hair at its hairline goes aside, not forward.
        front = np.array([style.part, 0.55, 0.98])
        share = np.linspace(0, 1, 10)[:, None]
        ways = back * (1 - share) + front * share
        ways[:, 0] = style.part * (1 - 0.5 * (1 - share[:, 0]))
    radius = surface.top - surface.middle[1]
    return (surface.middle + unit(ways) * radius).astype(np.float32)


def flow_at(
    surface: Surface,
    style: Style,
    source: NDArray,
    point: NDArray,
    outward: NDArray,
    down: NDArray,
) -> NDArray:
    """(S, 3) where hair of ``style`` goes at ``point`` (S, 3), about of length 1, by itself.

    ``source`` is that of :func:`source_of`, ``outward`` (S, 3) points off the skin.
    """
    nearest = source[_nearest(source, point)]
    away = unit(_along(point - nearest, outward))
    if style.tied:
        return _to_knot(surface, style, point, outward)
    sink = smoothstep(0.0, 0.9, (surface.top - point[:, 1]) / (surface.top - surface.ears))
    falling = tripled(sink)
    flow = away * (1 - 0.85 * falling * min(style.down, 1)) + down * falling * style.down * 1.2
    front = smoothstep(-0.5, 0.4, (point[:, 2] - surface.middle[2]) / surface.half_width)
    combed = _along(np.broadcast_to(_BACKWARDS, point.shape), outward)
    back = style.back * (0.25 + 1.5 * front) * (1 - 0.8 * falling[:, 0] * min(style.down, 1))
    flow = flow + tripled(back) * combed
    return flow + style.out * (1 - falling * min(style.down, 1)) * outward


def _nearest(source: NDArray, points: NDArray) -> NDArray[np.intp]:
    """(S,) which of the ``source`` (M, 3) is nearest to each of the ``points`` (S, 3).

    They are ten at most: all distances take a fraction of what a tree does.
    """
    gaps = (points - place for place in source)
    away = [dot(gap, gap) for gap in gaps]
    return np.argmin(np.stack(away), axis=0)


def _to_knot(surface: Surface, style: Style, point: NDArray, outward: NDArray) -> NDArray:
    """(S, 3) unit: to where hair is tied, along the skin and round the back of the head.  Straight
    on, what comes from the other side would run down to the neck first."""
    gap = knot_of(surface, style) - point
    gap[:, 2] -= _ROUND_BACK * norm(gap)
    return unit(_along(gap, outward))


def _settled(
    surface: Surface,
    style: Style,
    point: NDArray,
    layer: NDArray,
    length: NDArray,
    line: NDArray,
    seen: Seen | None,
) -> NDArray:
    """``point`` (S, 3) in the shell: at its layer's height over the skull, free below the ears.

    ``length`` (S,) mm tells how far it has risen.
    """
    low = smoothstep(0.15, 0.8, (surface.top - point[:, 1]) / (surface.top - surface.ears))
    volume = style.volume + (style.side_volume - style.volume) * low
    if seen is not None:
        # The photo shows the curls' outside.
        volume = np.maximum(seen.shell(point) - _CURLED * style.wave, 1.0)
    volume = volume * (_CLOSE + (1 - _CLOSE) * _tapered(surface, style, point, line))
    wanted = layer * volume * smoothstep(0, _RISE_MM * (0.5 + volume / 30), length)
    height, outward = surface.height_and_outward(point)
    # What is cut closer lies on the neck too.
    below = 0.0 if style.taper else smoothstep(0, 30, surface.ears - 10 - point[:, 1])
    slack = 0.05 * volume + 0.6
    moved = np.clip(height, CLEAR_MM + 0.9 * wanted, CLEAR_MM + wanted + slack)
    moved = np.where(height > moved, height + (moved - height) * (1 - below), moved)
    return point + outward * (moved - height)[:, None]


def _fringe(surface: Surface, style: Style, deviate: NDArray) -> NDArray:
    """(S,) y where hair over the forehead ends; -inf where it is kept off the face.

    ``deviate`` (S,) are normal.
    """
    if style.fringe is None:
        return np.full(len(deviate), -np.inf)
    return surface.brows + surface.face * (style.fringe + 0.035 * deviate)


def _off_the_face(surface: Surface, style: Style, live: _Live, point: NDArray) -> NDArray:
    """``point`` (S, 3) turned about the head's axis until the face is free, as a curtain parts."""
    if style.fringe is not None or style.tied:
        return point
    x, z = point[:, 0] - surface.middle[0], point[:, 2] - surface.middle[2]
    phi = np.arctan2(x, z)
    line = surface.brows + 0.5 * surface.face
    free = np.radians(style.opening) * smoothstep(0, 0.3, (line - point[:, 1]) / surface.face)
    side = np.sign(live.root_x - (style.part or 0.0) * surface.half_width)
    turned = np.where(np.abs(phi) < free, side * free, phi)
    # Only the near side: a strand that came round is not sent back across the face.
    turned = np.where(np.abs(phi) < free, phi + 0.35 * (turned - phi), phi)
    across = np.hypot(x, z)
    out = point.copy()
    out[:, 0] = surface.middle[0] + np.sin(turned) * across
    out[:, 2] = surface.middle[2] + np.cos(turned) * across
    return out


def _cut(surface: Surface, style: Style, point: NDArray, live: _Live) -> NDArray:
    """(S,) True where scissors, or the knot, end a strand."""
    cut = np.zeros(len(point), bool)
    if style.ends is not None:
        line = style.ends + 1.5 * style.jitter * (live.layer - 0.5)
        cut |= point[:, 1] < surface.chin - surface.face * line
    before = point[:, 2] > surface.middle[2] + 0.55 * surface.half_width
    cut |= before & (point[:, 1] < live.fringe)
    if style.tied:
        cut |= norm(point - knot_of(surface, style)) < _AT_KNOT_MM
    return cut


def _along(vectors: NDArray, outward: NDArray) -> NDArray:
    """``vectors`` (S, 3) without what points away from the skin."""
    return vectors - outward * tripled(dot(vectors, outward))
