"""Least squares within bounds, from the normal equations; numpy only, because Blender has no scipy.

An active-set method (Lawson and Hanson 1974, chapter 23; Stark and Parker 1995, "Bounded-Variable
Least-Squares"), which holds and releases many unknowns at once as projected Newton does (Bertsekas
1982): the loose unknowns are solved for; where that crosses bounds it is cut off there, or, if that
is no better, stops at the first; what has met a bound is held.  Where nothing is crossed, held
unknowns that the slope pulls inwards are released, and without such ones this is the minimum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]

#: Slopes that pull at nothing, as a part of the gradient's largest; unknowns scaled to curvature 1.
_TOLERANCE = 1e-12
#: Solutions at most, as a multiple of the unknowns.
_SOLUTIONS = 20
#: Of the mean curvature: unknowns that change nothing stay at 0.
_RIDGE = 1e-8


def bounded_minimum(
    hessian: Double, gradient: Double, low: Double, high: Double, start: Double | None = None
) -> Double:
    """(N,) the minimum of ``x H x / 2 - g x`` with ``low <= x <= high``, ``H`` positive definite.

    ``start`` (N,) is where to begin; 0, or the bound next to it, unless given.
    """
    scale = np.sqrt(np.diag(hessian))
    hessian, gradient = hessian / np.outer(scale, scale), gradient / scale
    lower, upper = low * scale, high * scale
    x = np.clip(np.zeros(len(scale)) if start is None else start * scale, lower, upper)
    tolerance = _TOLERANCE * float(np.abs(gradient).max(initial=0.0))
    slope = hessian @ x - gradient
    held = _pressed(x, slope, lower, upper)
    best, one_by_one = np.inf, False
    for _ in range(_SOLUTIONS * len(x)):
        loose = np.flatnonzero(~held)
        step = np.zeros(len(x))
        step[loose] = np.linalg.solve(hessian[np.ix_(loose, loose)], -slope[loose])
        aim = x + step
        crossed = (aim < lower) | (aim > upper)
        if crossed.any():
            x = _cut_off(x, step, slope, hessian, lower, upper)
            slope = hessian @ x - gradient
            held |= ((x <= lower) & (step < 0)) | ((x >= upper) & (step > 0))
            continue
        x = aim
        slope = hessian @ x - gradient
        pull = np.where(held, np.where(x <= lower, -slope, slope), 0.0)
        pull[lower == upper] = 0.0
        worst = int(pull.argmax()) if len(pull) else 0
        if not len(pull) or pull[worst] <= tolerance:
            break
        cost = 0.5 * float(x @ (slope - gradient))
        if cost >= best:  # what was released together is in each other's way
            if one_by_one:
                break
            one_by_one = True
        best = min(best, cost)
        held &= pull < pull[worst] if one_by_one else pull <= tolerance
    # Exactly on the bounds, whatever scaling there and back has rounded.
    return np.where(x <= lower, low, np.where(x >= upper, high, x / scale))


def _pressed(x: Double, slope: Double, lower: Double, upper: Double) -> NDArray[np.bool_]:
    """(N,) which unknowns the slope presses against a bound."""
    return ((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0))


def _cut_off(
    x: Double, step: Double, slope: Double, hessian: Double, lower: Double, upper: Double
) -> Double:
    """``x`` after ``step``, cut off at the bounds: each unknown at its own, or all at the first."""
    moved = np.clip(x + step, lower, upper)
    change = moved - x
    if change @ (slope + 0.5 * (hessian @ change)) < 0:
        return moved
    bound = np.where(step < 0, lower, upper)
    room = np.full(len(x), np.inf)
    np.divide(bound - x, step, out=room, where=step != 0)
    first = room == room.min()
    return np.where(first, bound, np.clip(x + room.min() * step, lower, upper))


def partly_bounded_minimum(hessian: Double, gradient: Double, low: Double, high: Double) -> Double:
    """(M + N,) as :func:`bounded_minimum`, but only the last N unknowns have bounds.

    The others are eliminated (Schur complement), which leaves a bounded problem of N unknowns.
    """
    free = len(gradient) - len(low)
    scale = np.sqrt(np.diag(hessian))
    hessian, gradient = hessian / np.outer(scale, scale), gradient / scale
    # What the free unknowns are by themselves, and how the bounded ones change them.
    right = np.column_stack([gradient[:free], hessian[:free, free:]])
    solved = np.linalg.solve(hessian[:free, :free], right)
    alone, coupling = solved[:, 0], solved[:, 1:]
    reduced = hessian[free:, free:] - hessian[free:, :free] @ coupling
    target = gradient[free:] - hessian[free:, :free] @ alone
    x = bounded_minimum(reduced, target, low * scale[free:], high * scale[free:])
    inner = np.clip(x / scale[free:], low, high)
    return np.concatenate([(alone - coupling @ x) / scale[:free], inner])


def bounded_least_squares(gram: Double, right: Double, bounds: Double) -> Double:
    """(R, N) the ``x`` within ``bounds`` (N, 2) least in ``x G x / 2 - r x`` for each row ``r``.

    ``gram`` (N, N) may be singular, ``right`` is (R, N).  Rows that follow each other, as frames
    do, are begun where the one before ended.
    """
    hessian = gram + _RIDGE * max(float(np.diag(gram).mean()), 1e-30) * np.eye(len(gram))
    out, start = np.empty_like(right, np.float64), None
    for row, target in enumerate(right):
        out[row] = start = bounded_minimum(hessian, target, *bounds.T, start)  # pyright: ignore[reportCallIssue]
    return out
