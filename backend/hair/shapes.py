"""Masks without specks, gaps and what does not belong to them; (h, w) bool."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]

#: Squared faces of a tail that are seen behind the ear, at least.
_TAIL = 0.01


def fallen(found: Bool, like_hair: Bool, lids: int) -> Bool:
    """``found`` (h, w) and, down to the row ``lids``, what is ``like_hair`` (h, w) right under it:
    a fringe that falls over the brows, which have its colour but stand apart from it."""
    out = found.copy()
    for k in range(1, min(lids, len(out))):
        above = out[k - 1].copy()
        above[1:] |= out[k - 1, :-1]
        above[:-1] |= out[k - 1, 1:]
        out[k] |= above & like_hair[k]
    return out


def hanging(found: Bool, head: Bool, row: int) -> Bool:
    """``found`` (h, w) without what, above ``row``, is apart from the ``head`` (h, w), and what,
    from there on, does not hang from it: other people, and shoulders.  Hair goes aside no more than
    down."""
    out = found.copy()
    parts = cv2.connectedComponents((found | head)[:row].astype(np.uint8), connectivity=4)[1]
    out[:row] &= np.isin(parts, np.unique(parts[head[:row]]))
    for k in range(max(row, 1), len(out)):
        above = out[k - 1].copy()
        above[1:] |= out[k - 1, :-1]
        above[:-1] |= out[k - 1, 1:]
        out[k] &= above
    return out


def between(found: Bool, head: Bool) -> Bool:
    """(h, w) what in its row, on one side of the middle of the ``head`` (h, w), lies between
    ``found`` (h, w): hair goes on behind a hand that is in it."""
    columns = np.flatnonzero(head.any(axis=0))
    out = np.zeros_like(found)
    if len(columns):
        middle = int(columns.mean())
        for side in (np.s_[:, :middle], np.s_[:, middle:]):
            left = np.logical_or.accumulate(found[side], axis=1)
            right = np.logical_or.accumulate(found[side][:, ::-1], axis=1)[:, ::-1]
            out[side] = left & right
    return out


def closed(found: Bool, where: Bool, width: float) -> Bool:
    """``found`` without gaps narrower than ``width`` pixels in the area ``where``."""
    reach = max(1, round(0.5 * width)) + 0.5
    # With room beyond the border, which closing would take for hair.
    side = int(2 * reach)
    wide = cv2.copyMakeBorder(found.astype(np.uint8), *(4 * [side]), cv2.BORDER_CONSTANT, value=0)
    # By distances: a closing by a disc takes as much longer as the disc is large.
    grown = _away_from(wide) <= reach
    filled = _away_from((~grown).astype(np.uint8)) > reach
    return found | (filled[side:-side, side:-side] & where)


def _away_from(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) pixels to the nearest that is not 0."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def opened(found: Bool, width: float) -> Bool:
    """``found`` (h, w) without what is narrower than ``width`` pixels."""
    side = 2 * max(1, round(0.5 * width)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0


def tidied(found: Bool, seeds: Bool, behind: Bool, face: float) -> Bool:
    """``found`` without specks and holes, and without what neither seeds are in nor begins
    ``behind`` the ears: a tail, which the ear parts from the rest."""
    side = 2 * max(1, round(0.02 * face)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    clean = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=4)
    held = np.bincount(labels[seeds], minlength=len(stats))
    kept = (held > 0.01 * face**2) | (held > 0.2 * stats[:, cv2.CC_STAT_AREA])
    held = np.bincount(labels[behind], minlength=len(stats))
    kept |= held > _TAIL * face**2
    kept[0] = False
    clean = cv2.morphologyEx(kept[labels].astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return clean > 0
