"""Hair that is tied: the knot at the back, or a tail or a bun that the photo shows beside the neck.

All strands of the head run to one place.  There they are rolled into a ball, or go on as a bundle
along the middle of what is seen, as wide as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import project
from ..geometry.triangles import norm, unit
from .locks import CLEAR_MM
from .outline import turn_of
from .photo import PhotoHair
from .strands import Float, resampled
from .styles import Style
from .surface import Roots, Surface

#: The size of a knot that is not seen, its radius in faces.
_KNOT = 0.21
#: A tail is told below this, in faces under the ears, where nothing but it and the neck is, and
#: reaches down at least so far.  Hair that stands off more, mm, is not drawn to a knot, unless what
#: hangs is somewhere so much narrower than over and under it: there it is bound.  0.2 and 0.5 of
#: it on two who wear a tail and a braid, 0.6 to 1 on eleven with hair that hangs free.
_BELOW, _LEAST, _FLAT_MM, _BOUND = 0.12, 0.45, 20.0, 0.4
#: Of the hair there so much is in one piece, and that no wider than so many faces (the median of
#: rows).  0.9 and 0.3 to 0.45 on two of 28 photos, who wear a braid and a bun; seven with long hair
#: that is flat or beside the neck have 0.5 to 0.8, or wider ones.
_ONE, _WIDE = 0.85, 0.5
#: What is narrower, in faces, is wisps.
_WISPS = 0.1
#: Beyond this turn of the head, a sine, what is behind the neck may be the collar.
_TURNED = 0.8
#: Steps along it, in faces, and how long it is at least, in its widths: else it is a bun.
_STEP, _BUN = 0.08, 2.5
#: Behind the skull's middle, in half widths, where hair is tied that is seen beside the neck.
_BEHIND = 0.45
#: Share of the head's roots, those nearest to where it is tied, whose hair is the tail's, how much
#: thinner that gets at its end, and where its strands end, in parts of it.
_SHARE, _END, _ENDS = 4, 0.5, (0.8, 1.0)
#: A turn of the bundle in so many of its widths: a braid's, or what a tail twists.
_TWIST = 6.0


@dataclass(frozen=True, eq=False)
class Tail:
    """Hair from where it is tied on; head coordinates, mm."""

    line: NDArray[np.float64]  #: (K, 3) its middle, the first where it is tied
    radius: NDArray[np.float64]  #: (K,) half its width
    aside: NDArray[np.float64]  #: (3,) unit, across it as it is seen

    @property
    def is_bun(self) -> bool:
        """Whether it is a ball rather than a bundle."""
        long = norm(np.diff(self.line, axis=0)).sum()
        return float(long) < _BUN * 2 * float(np.median(self.radius))


def tail_of(seen: PhotoHair) -> Tail | None:
    """The :class:`Tail` that the photo shows beside the neck; None where it shows none for sure."""
    surface, window = seen.surface, seen.window
    if not seen.is_long or abs(turn_of(seen.camera)) > _TURNED:
        return None
    face = window.face_px
    ears = np.array([[surface.middle[0], surface.ears, surface.middle[2]]])
    first = round(float(project(seen.camera.to_camera(ears), window.matrix)[0, 1]))
    top = max(first + round(_BELOW * face), 0)
    rows = [(row, *_widest(seen.mask[row])) for row in range(top, len(seen.mask))]
    rows = [one for one in rows if one[2] > one[1]]
    if not rows or rows[-1][0] - first < _LEAST * face:
        return None
    row, low, high = np.array(rows, np.float64).T
    width = high - low
    usual = float(np.median(width)) / face
    if width.sum() < _ONE * seen.mask[top:].sum() or not _WISPS < usual < _WIDE:
        return None
    if seen.usual > _FLAT_MM and _waist(width) > _BOUND:
        return None
    at = np.arange(row[0], row[-1], _STEP * face)
    middle, wide = (np.interp(at, row, one) for one in ((low + high - 1) / 2, width))
    behind = surface.middle - np.array([0.0, 0.0, _BEHIND * surface.half_width])
    depth = float(seen.camera.to_camera(behind[None])[0, 2])
    rays = np.column_stack([middle, at, np.ones(len(at))]) @ np.linalg.inv(window.matrix).T
    line = (rays * depth - seen.camera.translation) @ seen.camera.rotation
    radius = wide / 2 * depth / window.matrix[0, 0]
    line = surface.pushed_out(line, CLEAR_MM + 0.7 * radius)
    return Tail(line, radius, np.asarray(seen.camera.rotation[0], np.float64))


def _waist(width: NDArray) -> float:
    """0..1 how narrow ``width`` (N,) is in one row beside the widest over it and under it."""
    over = np.maximum.accumulate(width)
    under = np.maximum.accumulate(width[::-1])[::-1]
    return float((width / np.minimum(over, under)).min())


def _widest(row: NDArray[np.bool_]) -> tuple[int, int]:
    """First and one past the last of the longest run of True in ``row`` (w,); equal without any."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def knot_of(surface: Surface, style: Style) -> NDArray:
    """(3,) mm where hair of ``style`` is tied: else at the back of the skull, over the nape."""
    if style.knot is not None:
        return np.array(style.knot, np.float32)
    y = surface.ears + 0.45 * (surface.top - surface.ears)
    z = surface.middle[2] - 0.6 * surface.half_width
    start = np.array([[surface.middle[0], y, z - 60]])
    for _ in range(4):
        start = start - surface.outward(start) * surface.height(start)[:, None]
    return start[0].astype(np.float32)


def with_knot(
    surface: Surface,
    roots: Roots,
    strands: Float,
    style: Style,
    rng: np.random.Generator,
    tail: Tail | None = None,
) -> tuple[Roots, Float]:
    """The ``strands`` (S, P, 3) of ``roots`` and those of the knot, rolled into a ball, or those of
    the ``tail``."""
    knot = knot_of(surface, style)
    away = np.argsort(norm(roots.points - knot))
    if tail is None or tail.is_bun:
        size = _KNOT * surface.face if tail is None else float(np.median(tail.radius))
        outward = surface.outward(knot[None])[0]
        middle = knot + outward * 0.75 * size if tail is None else tail.line.mean(axis=0)
        near = away[: len(away) // 7]
        more = _ball(middle, size, outward, len(near), style.points, rng)
    else:
        near = away[: len(away) // _SHARE]
        more = _bundle(tail, roots.points[near].astype(np.float64), style.points, rng)
    more = surface.pushed_out(more, CLEAR_MM)
    more[:, 0] = roots.points[near]
    both = np.concatenate([np.arange(len(roots.points)), near])
    order = rng.permutation(len(both))
    everything = np.concatenate([strands, more.astype(np.float32)])
    return roots.chosen(both[order]), everything[order]


def _ball(
    middle: NDArray,
    size: float,
    outward: NDArray,
    count: int,
    points: int,
    rng: np.random.Generator,
) -> NDArray:
    """(``count``, ``points``, 3) rings of a ball about the way ``outward``, flattened a little."""
    turn = np.linspace(0, 1.4 * np.pi, points)[None]
    aside = unit(np.cross(outward, [0.0, 1.0, 0.0]))
    up = np.cross(aside, outward)
    start = rng.uniform(0, 2 * np.pi, (count, 1))
    ring = np.sqrt(rng.uniform(0.05, 1, (count, 1)))
    bulge = np.sqrt(1 - 0.9 * ring**2) * size * rng.uniform(0.82, 1, (count, 1))
    tilt = 0.25 * size * np.sin(turn * 1.5 + start)
    across = ring * size * (1 - 0.06 * turn)
    return (
        middle
        + (across * np.cos(turn + start))[..., None] * aside
        + (across * np.sin(turn + start))[..., None] * up
        + (bulge + tilt * 0.4)[..., None] * outward
    )


def _bundle(tail: Tail, roots: NDArray, points: int, rng: np.random.Generator) -> Float:
    """(S, ``points``, 3) from the ``roots`` (S, 3) to where the ``tail`` is tied and along it."""
    count, steps = len(roots), len(tail.line)
    along = unit(np.gradient(tail.line, axis=0))
    depth = unit(np.cross(along, tail.aside))
    share = np.linspace(0, 1, steps)
    thick = tail.radius * (1 - (1 - _END) * share**2)
    far = np.sqrt(rng.random((count, 1)))
    length = np.concatenate([[0], np.cumsum(norm(np.diff(tail.line, axis=0)))])
    turn = 2 * np.pi * length / (_TWIST * 2 * float(np.median(tail.radius)))
    turn = turn + rng.uniform(0, 2 * np.pi, (count, 1))
    path = tail.line + far[..., None] * thick[:, None] * (
        np.cos(turn)[..., None] * tail.aside + 0.8 * np.sin(turn)[..., None] * depth
    )
    # Together where they are tied.
    path[:, 0] = tail.line[0] + 0.5 * (path[:, 0] - tail.line[0])
    path = np.concatenate([roots[:, None], path], axis=1)
    end = np.round(rng.uniform(*_ENDS, count) * steps)
    return resampled(path, end, points)
