"""Locks: strands whose roots lie together grow as one and gather, as hair does.

Strands that each go their own way are a haze round the head, and smooth as a helmet from afar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geometry.triangles import norm, unit
from ..texture.layout import smoothstep
from .strands import Float
from .styles import Style
from .surface import Surface

#: Strands that are worked on at a time.
_PART = 2048
#: mm that hair keeps from the skin.
CLEAR_MM = 0.5
#: mm per turn between which curls, of which each lock has its own, go over to waves, of which
#: locks are apart by so much of a turn at most, radians.
_WAVE_PITCH, _PHASE = (30.0, 55.0), 0.6
#: mm over which the phase of waves changes.
_ALIKE_MM = 45.0


@dataclass(frozen=True, eq=False)
class Locks:
    """Which of S strands are of which lock; each lock is named by a strand in its middle."""

    of: NDArray[np.intp]  #: (S,) number of the lock
    guide: NDArray[np.intp]  #: (L,) index of the strand

    def each(self, values: NDArray) -> NDArray:
        """(S, ...) of every strand what its lock has in ``values`` (L, ...)."""
        return values[self.of]


def locks_of(roots: NDArray, size: int, rng: np.random.Generator) -> Locks:
    """:class:`Locks` of about ``size`` strands by their ``roots`` (S, 3)."""
    guide = rng.permutation(len(roots))[: max(1, len(roots) // size)]
    return Locks(cKDTree(roots[guide]).query(roots)[1], guide)


def dressed(
    surface: Surface, strands: Float, locks: Locks, style: Style, rng: np.random.Generator
) -> Float:
    """``strands`` (S, P, 3) gathered in locks and waved as ``style`` says, outside the skin."""
    along = np.linspace(0, 1, strands.shape[1], dtype=np.float32)
    gap = strands - locks.each(strands[locks.guide])
    # Locks of which one grew the other way stay apart.
    near = 1 - smoothstep(15, 40, norm(gap[:, -1]))
    pull = style.clump * along[None] ** 1.2 * near[:, None]
    out = strands - gap * pull[..., None]
    del gap, pull
    waves = _waves_of(out[:, 0], locks, style, rng) if style.wave else None
    # Part by part: all at once takes 50 MB.
    for first in range(0, len(out), _PART):
        part = slice(first, first + _PART)
        some = out[part]
        if waves is not None:
            some += waves.chosen(part).on(surface, some, style)
        some[:, 1:] = surface.pushed_out(some[:, 1:], CLEAR_MM)
        moved = np.arange(len(some))
        for _ in range(3):  # those that were not moved need not be looked at again
            moved = _chords_out(surface, some, moved)
    return out.astype(np.float32, copy=False)


def _chords_out(surface: Surface, strands: NDArray, which: NDArray) -> NDArray:
    """Those of ``which`` (W,), numbers of ``strands`` (S, P, 3), that have pieces in the skin: the
    ends of these are moved out, but for the roots."""
    chosen = strands[which]
    middle = (chosen[:, :-1] + chosen[:, 1:]) / 2
    height = surface.height(middle)
    missing = np.maximum(CLEAR_MM - height, 0)
    # The first piece comes out of the skin.
    missing[:, 0] = np.maximum(-height[:, 0], 0)
    dips = np.flatnonzero(missing.any(axis=1))
    chosen, middle, missing = chosen[dips], middle[dips], missing[dips]
    push = np.zeros_like(middle)
    deep = missing > 0
    push[deep] = surface.outward(middle[deep]) * missing[deep][:, None]
    total, count = np.zeros_like(chosen), np.zeros(chosen.shape[:2])
    for part in (np.s_[:, :-1], np.s_[:, 1:]):
        total[part] += push
        count[part] += deep
    moved = chosen + 1.5 * total / np.maximum(count, 1)[..., None]
    strands[which[dips], 1:] = moved[:, 1:]
    return which[dips]


@dataclass(frozen=True, eq=False)
class _Waves:
    """The waves of S strands.

    A lock is of one phase, which changes little from one to the next: crests that lie beside each
    other are what is seen as waves.
    """

    phase: Float  #: (S,) radians at the root
    pitch: Float  #: (S,) mm per turn
    size: Float  #: (S,) mm, the radius

    def chosen(self, which: slice) -> _Waves:
        """Those of some strands."""
        return _Waves(self.phase[which], self.pitch[which], self.size[which])

    def on(self, surface: Surface, strands: NDArray, style: Style) -> NDArray:
        """(S, P, 3) mm: helices round the ``strands`` (S, P, 3), growing from the root, those of
        curls round and of waves flat on the head."""
        along = unit(np.gradient(strands, axis=1))
        aside = unit(np.cross(along, surface.outward(strands)))
        up = np.cross(aside, along)
        steps = norm(np.diff(strands, axis=1))
        length = np.concatenate([np.zeros((len(strands), 1)), np.cumsum(steps, axis=1)], axis=1)
        flat = smoothstep(*_WAVE_PITCH, np.array(style.pitch))
        size = self.size[:, None] * smoothstep(0, 1.5 * style.pitch, length)
        turn = 2 * np.pi * length / self.pitch[:, None] + self.phase[:, None]
        depth = 0.8 - 0.4 * flat
        out = aside * np.cos(turn)[..., None] + depth * up * np.sin(turn)[..., None]
        return out * size[..., None]


def _waves_of(roots: NDArray, locks: Locks, style: Style, rng: np.random.Generator) -> _Waves:
    """The :class:`_Waves` of strands with these ``roots`` (S, 3)."""
    count = len(locks.guide)
    flat = smoothstep(*_WAVE_PITCH, np.array(style.pitch))
    apart = np.pi * (1 - flat) + _PHASE * flat
    phase = _smooth(roots[locks.guide], rng) * np.pi + rng.uniform(-apart, apart, count)
    phase = locks.each(phase) + rng.normal(0, 0.2, len(roots))
    pitch = style.pitch * locks.each(np.exp(rng.normal(0, 0.15 - 0.08 * flat, count)))
    size = style.wave * locks.each(np.exp(rng.normal(0, 0.25, count)))
    return _Waves(*(one.astype(np.float32) for one in (phase, pitch, size)))


def _smooth(points: NDArray, rng: np.random.Generator) -> NDArray:
    """(L,) about -1 to 1, alike at neighbours among ``points`` (L, 3) mm."""
    total = np.zeros(len(points))
    for _ in range(4):
        turn = rng.normal(0, 1 / _ALIKE_MM, 3)
        total += np.sin(points @ turn + rng.uniform(0, 2 * np.pi))
    return total / 2
