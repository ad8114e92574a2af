"""The lids moulded around a globe of people's size: on the mean head, with identity and expression.

The source's eyeballs are 31 mm wide and its lids lie around them.  Here the lids' back edges
(ring ``BACK``) are laid on the smaller globe and its cornea, for every head; what lies behind them
goes into it, and what lies before them keeps clear of it, by as little as possible: the rings in
front carry landmarks and the photo's skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .eye_shape import GLOBE_RADIUS, cornea_height

CENTER = (29.5, 19.0, 67.75)
"""mm, of the left globe in the mean head.  Where the middle thirds of both lids need the least
moulding (least squares: 29.5, 18.3, 67.9), but 0.7 mm higher: people's pupils stand 3.5 mm below
the upper and 5.2 mm above the lower margin (Rana et al. 2023), here 3.1 and 5.2.
"""
SEAM, BACK, EDGE = 2, 3, 4
"""Rows of ``lid_rings``: where outer skin begins, the margin's back and its visible edge."""
CONTACT = -0.3
"""mm over the globe of the lids' back edges; the rest of the lids covers what is below 0."""
CORNER_SLOPE = 0.35
"""Of what a back edge stands off the globe in the eye's corners this much stays."""
CORNER_MM, CARUNCLE_MM, CARUNCLE_HEIGHT = 2.0, 1.3, 0.6
"""mm from the inner corner of the margins that form the caruncle, how far they reach towards the
pupil, and over the globe."""
BEHIND = -1.2
"""mm over the globe of the seam behind the back edge, at most: so no gap is seen beside it."""
CLEAR = {EDGE: 0.6, EDGE + 1: 0.95, EDGE + 2: 1.1}
"""mm over the globe of further rings, at least."""
MIDDLE = (slice(4, 10), slice(18, 24))
"""Columns of the upper and lower lid that lie on the globe; towards the corners they lift off."""
CORNER_WEIGHT = 0.3
IDENTITY_SHARE = np.array([0.3, 0.6, 1.0, 1.0, 0.6, 0.3, 0.1])
"""Of what an identity component lifts the lids, taken back by each row: of the back edge's lift by
it and all behind, of the visible edge's by it and those before."""
SHAPE_SHARE = np.array([0.5, 1, 1, 1, 0.5, 0.25, 0.1, 0, 0, 0, 0, 0, 0, 0])
"""The same for an expression."""
MOST_SCALE = 0.02
"""Standard deviation of the globes' size over random heads: people's differ by about 3 %, none by
over 6 %."""
MOVES_MM = 0.05
"""Expressions that move no lid by more are left alone."""
ROUNDS = 2


@dataclass(frozen=True)
class Globes:
    """How the left globe follows the K components: ``shift`` (K, 3) mm and ``scale`` (K,)."""

    shift: np.ndarray
    scale: np.ndarray


def height_over(points: np.ndarray, turn: np.ndarray | None = None) -> np.ndarray:
    """(...) mm of ``points`` (..., 3), left head side, over the mean's eye, turned by ``turn``."""
    arms = points - CENTER
    away = np.linalg.norm(arms, axis=-1)
    axis = np.array([0.0, 0.0, 1.0]) if turn is None else turn @ [0.0, 0.0, 1.0]
    return away - cornea_height(arms @ axis / away)


def moulded(lids: np.ndarray) -> np.ndarray:
    """(R, L, 3) mm by which the mean head's left ``lids`` (R, L, 3) move to lie on the globe."""
    # Over the inner corner the margin reaches towards the pupil, as caruncle and fold do.
    across = lids[BACK, :, 0] - lids[BACK, :, 0].min()
    corner = np.clip(1 - across / CORNER_MM, 0, 1)
    slid = lids.copy()
    slid[SEAM : BACK + 1, :, 0] += CARUNCLE_MM * corner
    over = height_over(slid)
    wanted = over.copy()
    wanted[BACK] = CONTACT + CORNER_SLOPE * np.maximum(over[BACK] - CONTACT, 0)
    wanted[BACK] = np.maximum(wanted[BACK], CARUNCLE_HEIGHT * corner)
    wanted[SEAM] = np.minimum(over[SEAM], BEHIND)
    lift = wanted - over
    lift[EDGE:] = _pushed(over[EDGE:])
    return slid - lids + lift[..., None] * _outward(slid)


def globes(lids: np.ndarray, basis: np.ndarray) -> tuple[Globes, np.ndarray]:
    """The globe's motion that keeps it within the lids, and what is left for the lids to follow.

    Args:
        lids: (R, L, 3) mm, the moulded mean's left lids.
        basis: (K, R, L, 3) their motion with each component.

    Returns:
        the globe's motion, and (K, R, L, 3) mm to be added to ``basis``.
    """
    rings = [BACK, EDGE]
    outward = _outward(lids)
    weight = np.full(lids.shape[1], CORNER_WEIGHT)
    for part in MIDDLE:
        weight[part] = 1.0
    weight = np.concatenate([weight, 0.5 * weight])
    directions = outward[rings].reshape(-1, 3)
    motion = (basis[:, rings].reshape(len(basis), -1, 3) * directions).sum(axis=-1)
    design = np.column_stack([directions, np.full(len(directions), GLOBE_RADIUS)])

    def solve(stiff: float) -> np.ndarray:
        rows = np.vstack([design * weight[:, None], [[0, 0, 0, stiff]]])
        right = np.column_stack([motion * weight, np.zeros(len(motion))])
        return np.linalg.lstsq(rows, right.T, rcond=None)[0].T

    # The size is kept nearly the same by a spring, as stiff as it takes.
    soft, stiff = 0.0, 1e4
    for _ in range(60):
        middle = (soft + stiff) / 2
        if np.sqrt((solve(middle)[:, 3] ** 2).sum()) > MOST_SCALE:
            soft = middle
        else:
            stiff = middle
    found = solve(stiff)
    lifted = (motion - found @ design.T).reshape(len(basis), len(rings), -1)
    change = np.zeros_like(basis)
    for ring, share in enumerate(IDENTITY_SHARE):
        which = rings.index(BACK if ring <= BACK else EDGE)
        columns = share * (weight[: lids.shape[1]] if ring > BACK else 1.0)
        change[:, ring] = -(columns * lifted[:, which])[..., None] * outward[ring]
    return Globes(found[:, :3], found[:, 3]), change


def moved_on_globe(lids: np.ndarray, shape: np.ndarray, turn: np.ndarray | None) -> np.ndarray:
    """(R, L, 3) mm to be added to an expression's ``shape`` so that the lids stay on the globe.

    Args:
        lids: (R, L, 3) mm, the moulded mean's left lids.
        shape: (R, L, 3) mm, their motion at weight 1.
        turn: (3, 3) of the eye at weight 1; None where it looks ahead.
    """
    if turn is None and np.abs(shape[BACK : EDGE + 1]).max() < MOVES_MM:
        return np.zeros_like(shape)
    end = lids + shape
    off = height_over(lids)[BACK] - height_over(end, turn)[BACK]
    lift = SHAPE_SHARE[:, None] * off
    outward = _outward(end)
    over = height_over(end + lift[..., None] * outward, turn)
    lift[EDGE:] += _pushed(over[EDGE:])
    return lift[..., None] * outward


def _pushed(over: np.ndarray) -> np.ndarray:
    """(R - ``EDGE``, L) mm by which rings from the edge on have to be lifted, spread a little."""
    least = np.zeros_like(over)
    for ring, clear in CLEAR.items():
        least[ring - EDGE] = np.maximum(clear - over[ring - EDGE], 0)
    push = least
    for _ in range(ROUNDS):
        rows = np.vstack([push[:1], push, np.zeros((1, push.shape[1]))])
        beside = rows[:-2] + rows[2:] + np.roll(push, 1, axis=1) + np.roll(push, -1, axis=1)
        push = np.maximum(least, 0.5 * push + 0.125 * beside)
    return push


def _outward(points: np.ndarray) -> np.ndarray:
    arms = points - CENTER
    return arms / np.linalg.norm(arms, axis=-1, keepdims=True)
