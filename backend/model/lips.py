"""A person's own lips: where an expression presses them together, they flatten on each other.

The model's shapes take one lip into the other, by up to some millimetres and differently from head
to head, or leave a slit.  So, as with the lids, each head gets shapes of its own.  Where a shape
that keeps the mouth shut leaves a slit, each lip takes half of it.  Then what lies within the other
lip at weight 1 goes back to the surface midway between the two: that is all hidden, so the line
where the lips meet stays.

The lips are looked at in cuts from front to back, one through each column of their vertices and one
between two; in a cut, a lip is the line through its rings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..exchange.reconstruction import OWN_LIPS
from ..kept import kept
from .face_model import FaceModel, Float

#: Row of ``lip_rings`` in which outer skin meets the mouth's inside; by
#: ``tools/build_face_model/rings.py``.
SEAM = 2
#: Shapes that are looked at with another, whose corrective they are.
ON_TOP = {"mouthClose": "jawOpen"}
#: Shapes of the upper and of the lower lip that are looked at once more together: each alone finds
#: the other lip at rest.
TOGETHER = ("mouthRollUpper", "mouthRollLower")
#: Shapes that open the mouth: no slit of theirs is closed.
OPENING = ("mouthFunnel",)
#: Shapes that take a seam out of sight: the lips' columns face each other as they do at neutral.
ROLLING = ("mouthRollUpper", "mouthRollLower")
#: How much of a slit's closing each row takes.
CLOSING = np.array([0.2, 0.6, 1, 1, 1, 1, 0.9, 0.7, 0.45, 0.2, 0])
#: mm: a wider opening is none that should be shut.
WIDEST = 1.5
#: Of the way from the mouth's middle to its corner, in which the vertices of both lips are the
#: same: from where on they go back less, and from where not at all.
CORNERS = (0.84, 0.96)
#: mm that lips may lie within each other. At 0 they come apart elsewhere, by 0.3 mm in a smile.
SINK = 0.1
#: Each lip gives way to where the other has been. After two rounds no more is gained.
ROUNDS = 2
#: mm to either side of the middle, over which one side's shape passes over to the other's.
MIDDLE_MM = 8.0


class _Lip(NamedTuple):
    """A lip of C columns of vertices from its right to its left end; the other has D."""

    rings: NDArray[np.intp]  #: (R, C) vertices from the mouth's inside outwards
    other: NDArray[np.intp]  #: (R, D) those of the lip that faces it
    share: NDArray[np.float64]  #: (C,) how far a column goes back, 0 in the corners
    up: float  #: 1 for the upper lip, -1 for the lower one


def set_own_lips(model: FaceModel, neutral: Float, basis: Float) -> None:
    """Turn the expressions ``OWN_LIPS`` of ``basis`` (E, V, 3) mm at weight 1, which are the
    model's, into those of the head ``neutral`` (V, 3) mm.

    Only heights change, and nothing where the model does not name the rings of its lips.
    """
    if model.lip_rings is None:
        return
    names = model.expression_names
    ids, lips = _lips(model)
    head = neutral[ids].astype(np.float32)
    left = np.clip((model.mean[ids, 0] / MIDDLE_MM + 1) / 2, 0, 1)
    left = left * left * (3 - 2 * left)
    for name in OWN_LIPS:
        sides = _sides(name)
        if not set(sides) <= set(names) or name != sides[0]:
            continue
        together = [*sides, ON_TOP[name]] if name in ON_TOP else sides
        posed = head + sum(basis[names.index(one), ids] for one in together)
        apart = head if name in ROLLING else posed
        change = _change(lips, posed, apart, shut=name not in OPENING)
        shares = (left, 1 - left) if len(sides) == 2 else (1.0,)
        for one, share in zip(sides, shares, strict=True):
            basis[names.index(one), ids, 1] += share * change
    if set(TOGETHER) <= set(names):
        posed = head + sum(basis[names.index(one), ids] for one in TOGETHER)
        for _ in range(ROUNDS):
            moves = [_towards(lip, _facing(lip, head[:, 0]), posed) for lip in lips]
            for one, lip, move in zip(TOGETHER, lips, moves, strict=True):
                basis[names.index(one), ids[lip.rings], 1] += move
                posed[lip.rings, 1] += move


def _sides(name: str) -> list[str]:
    """The shapes, left first, that are one expression with ``name``."""
    plain = name.removesuffix("Left").removesuffix("Right")
    one = plain == name or plain == "mouth"  # mouthLeft and mouthRight are no sides of a shape
    return [name] if one else [plain + "Left", plain + "Right"]


@kept(maxsize=4)
def _lips(model: FaceModel) -> tuple[NDArray[np.intp], tuple[_Lip, _Lip]]:
    """The vertices (N,) of the lips, and the upper and the lower one as indices into them."""
    assert model.lip_rings is not None
    ids, rings = np.unique(model.lip_rings, return_inverse=True)
    rings = rings.reshape(model.lip_rings.shape)
    x = model.mean[ids[rings[SEAM]], 0].astype(np.float64)
    far = int(np.argmax(x))
    upper, lower = np.arange(far + 1), np.r_[0, np.arange(len(x) - 1, far - 1, -1)]
    middle, half = (x[far] + x[0]) / 2, (x[far] - x[0]) / 2

    def lip(mine: NDArray, other: NDArray, up: float) -> _Lip:
        share = np.interp(np.abs(x[mine] - middle) / half, CORNERS, [1, 0])
        return _Lip(rings[:, mine], rings[:, other], share, up)

    return ids, (lip(upper, lower, 1.0), lip(lower, upper, -1.0))


def _change(lips: tuple[_Lip, _Lip], posed: Float, apart: Float, shut: bool) -> Float:
    """(N,) mm along y that the lips' vertices ``posed`` (N, 3) go, slits closed where ``shut``;
    columns face each other as they do in ``apart`` (N, 3)."""
    found = posed.copy()
    facing = [_facing(lip, apart[:, 0]) for lip in lips]
    for step in (*([_towards] if shut else []), *[_back] * ROUNDS):
        moves = [step(lip, mix, found) for lip, mix in zip(lips, facing, strict=True)]
        for lip, move in zip(lips, moves, strict=True):
            found[lip.rings, 1] += move
    return found[:, 1] - posed[:, 1]


def _facing(lip: _Lip, x: Float) -> Float:
    """(S, D) how the other lip's columns are mixed to face a ``lip`` in each of its cuts, by where
    the vertices' ``x`` (N,) mm are: its C columns and the middles between them."""
    mine, other = (np.maximum.accumulate(x[grid[SEAM]]) for grid in (lip.rings, lip.other))
    mine = _with_middles(mine[:, None])[:, 0]
    return np.stack([np.interp(mine, other, unit) for unit in np.eye(len(other))], axis=1).astype(
        np.float32
    )


def _with_middles(grid: Float) -> Float:
    """(2 N - 1, ...) the rows of ``grid`` (N, ...) and the middles between them."""
    found = np.empty((2 * len(grid) - 1, *grid.shape[1:]), grid.dtype)
    found[::2], found[1::2] = grid, (grid[1:] + grid[:-1]) / 2
    return found


def _over(lip: _Lip, facing: Float, posed: Float) -> Float:
    """(S, 2 R - 1) mm that a lip's vertices, and the middles between them, are away from the other
    lip's surface in each cut, negative within it; infinite beside it."""
    mine = _with_middles(posed[lip.rings, 1:].transpose(1, 0, 2))
    points = _with_middles(mine.transpose(1, 0, 2)).transpose(1, 0, 2)
    other = posed[lip.other, 1:]
    lines = (facing @ other).transpose(1, 0, 2)
    return lip.up * (points[..., 0] - _height(lines, points[..., 1], -lip.up))


def _height(lines: Float, at: Float, up: float) -> Float:
    """(S, N) y of the ``lines`` (S, R, 2), which are y and z, at the depths ``at`` (S, N), the
    lowest if ``up`` is 1 and the highest if it is -1; infinite where there is none."""
    start, run = lines[:, None, :-1], np.diff(lines, axis=1)[:, None]
    slope = run[..., 0] / np.where(np.abs(run[..., 1]) < 1e-6, 1e-6, run[..., 1])
    way = at[..., None] - start[..., 1]
    between = way * (way - run[..., 1]) <= 0
    return up * np.where(between, up * (start[..., 0] + way * slope), np.inf).min(axis=-1)


def _back(lip: _Lip, facing: Float, posed: Float) -> Float:
    """(R, C) mm along y that the vertices of a ``lip`` go out of the other one."""
    back = np.maximum(-_over(lip, facing, posed) - SINK, 0) / 2
    # What lies beside a vertex goes too: between vertices lips are flat.
    padded, (rows, columns) = np.pad(back, 1), back.shape
    beside = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return lip.up * (np.max(beside, axis=0)[::2, ::2] * lip.share[:, None]).T


def _towards(lip: _Lip, facing: Float, posed: Float) -> Float:
    """(R, C) mm along y by which a ``lip`` closes half of the slit before it."""
    apart = _over(lip, facing, posed).min(axis=1)
    slit = np.where(apart < WIDEST, np.maximum(apart, 0), 0)
    slit[[0, -1]] = 0  # the corners belong to both
    padded = np.pad(slit, 1)
    slit = (padded[:-2] + 2 * slit + padded[2:]) / 4
    slit[[0, -1]] = 0
    return -lip.up / 2 * CLOSING[:, None] * slit[::2]
