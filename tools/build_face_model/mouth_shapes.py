"""The mouth's shapes that are moved together: softer, so that their sum is a mouth too.

``mouthPucker`` and ``mouthFunnel`` of the source each push the middle of the lips out furthest; the
sum is a beak with a slit.  Here the middle goes less far and the corners a little further, as
ICT-FaceKit's pucker has it (its lips' middle goes out by 6 to 8 mm, its corners by 10; the
source's, scaled, by 8 to 9 and 9), and the funnel opens as a round mouth does.  ``jawOpen`` with
``mouthClose`` draws the skin around closed lips as evenly as it goes (bi-Laplacian), where the
source has folds from nose to chin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from reconstruct_face.backend.model.lips import SEAM
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

FORTH = {"mouthPucker": (0.94, 1.06), "mouthFunnel": (0.45, 1.25)}
"""Factors on how far a shape goes forward, in the middle and at the corners of the mouth."""
FORTH_MM = 12.0
"""mm to the side over which the first passes into the second (a Gaussian's width)."""
ROUND_MM = 18.0
"""Half of the width over which a funnel's lips part on the mean head, whose mouth is 46 wide."""
BOW_MM = 12.5
"""The same of the upper lip's last row, which is a bow, not a beam."""
UPPER = 0.75
"""Of the source's, how far the upper lip's middle goes up in a funnel."""
LIP_ROWS = 8
"""Rows of ``lip_rings`` that go as a piece: the lips' red and 2 mm of skin."""
DOWN_MM = 2.5
"""How much further down ``mouthClose`` takes the lips of the open jaw: a third of the way that they
part there is left to the upper lip."""
REACH_MM = {"mouthFunnel": 22.0, "mouthClose": 30.0}
"""Around the lips, in which skin is drawn evenly; behind them the mouth's inside follows as far as
``BEHIND_MM``."""
BEHIND_MM = 16.0


def softened(
    shapes: np.ndarray,
    names: Sequence[str],
    mean: np.ndarray,
    polygons: np.ndarray,
    kinds: np.ndarray,
    lip_rings: np.ndarray,
) -> np.ndarray:
    """``shapes`` (E, V, 3) mm on the ``mean`` head (V, 3), with these of the mouth made anew.

    ``polygons`` (F, 4) are of the ``kinds`` (F,); ``lip_rings`` (R, B) as the model has them.
    """
    found = shapes.copy()
    near = np.exp(-0.5 * (mean[:, 0] / FORTH_MM) ** 2)
    for name, (middle, aside) in FORTH.items():
        found[names.index(name), :, 2] *= aside + (middle - aside) * near
    drawn = Drawn(mean, polygons, kinds, lip_rings)
    funnel, close = names.index("mouthFunnel"), names.index("mouthClose")
    found[funnel] += drawn.change(rounded(found[funnel], mean, lip_rings), REACH_MM["mouthFunnel"])
    jaw = found[names.index("jawOpen")]
    down = np.zeros((LIP_ROWS, lip_rings.shape[1], 3))
    down[..., 1] = -DOWN_MM
    found[close] += drawn.evened(jaw + found[close], down, REACH_MM["mouthClose"])
    return found


def rounded(funnel: np.ndarray, mean: np.ndarray, lip_rings: np.ndarray) -> np.ndarray:
    """(LIP_ROWS, B, 3) mm by which the lips have to go further up and down for a round opening."""
    rings = lip_rings[:LIP_ROWS]
    x = mean[rings, 0]
    middle = np.abs(mean[rings[SEAM], 0]).argsort()[:2]  # one column of each lip
    far = int(np.argmax(mean[rings[SEAM], 0]))
    upper, lower = sorted(middle)
    if not 0 < upper < far < lower:
        raise ValueError("the lips' middles are not one above the other")
    bow = np.interp(np.arange(LIP_ROWS), [SEAM + 2, LIP_ROWS - 1], [ROUND_MM, BOW_MM])
    change = np.zeros((*rings.shape, 3))
    lips = (
        (slice(1, far), upper, UPPER, bow),
        (slice(far + 1, None), lower, 1.0, np.full(LIP_ROWS, ROUND_MM)),
    )
    for columns, top, share, width in lips:
        most = share * funnel[rings[:, top], 1][:, None]
        arc = np.clip(1 - (x[:, columns] / width[:, None]) ** 2, 0, 1)
        change[:, columns, 1] = most * arc - funnel[rings[:, columns], 1]
    return change


class Drawn:
    """Draws skin evenly around lips that are moved."""

    def __init__(
        self, mean: np.ndarray, polygons: np.ndarray, kinds: np.ndarray, lip_rings: np.ndarray
    ) -> None:
        self._mean, self._lips = mean, lip_rings[:LIP_ROWS]
        self._polygons, self._kinds = polygons, kinds
        self._away = cKDTree(mean[self._lips.ravel()]).query(mean)[0]

    def change(self, lips: np.ndarray, reach: float) -> np.ndarray:
        """(V, 3) mm smooth, that is ``lips`` (LIP_ROWS, B, 3) there and 0 from ``reach`` mm on."""
        found = np.zeros_like(self._mean)
        found[self._lips] = lips
        for kind, far in (("skin", reach), ("mouth", BEHIND_MM)):
            self._solve(found, kind, far)
        return found

    def evened(self, posed: np.ndarray, lips: np.ndarray, reach: float) -> np.ndarray:
        """(V, 3) mm to add to a motion ``posed`` (V, 3), so that the lips go ``lips`` further and
        the skin around them is even."""
        wanted = posed.copy()
        wanted[self._lips] += lips
        self._solve(wanted, "skin", reach)
        found = wanted - posed
        self._solve(found, "mouth", BEHIND_MM)
        return found

    def _solve(self, field: np.ndarray, kind: str, reach: float) -> None:
        """Fill ``field`` (V, 3) within ``reach`` of the lips, in place, on polygons of a ``kind``:
        the square of its Laplacian is least."""
        mine = self._polygons[self._kinds == kind]
        used = np.unique(mine)
        free = np.setdiff1d(used[self._away[used] < reach], self._lips)
        edges = np.concatenate([mine[:, [k, (k + 1) % 4]] for k in range(4)])
        edges = np.searchsorted(used, np.unique(np.sort(edges, axis=1), axis=0))
        ends = self._mean[used][edges]
        weight = 1 / np.maximum(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1), 0.1)
        pairs = np.concatenate([edges, edges[:, ::-1]])
        beside = coo_matrix((np.tile(weight, 2), pairs.T), (len(used),) * 2).tocsr()
        total = np.asarray(beside.sum(axis=1)).ravel()
        laplacian = diags(np.ones(len(used))) - diags(1 / total) @ beside
        square = (laplacian.T @ laplacian).tocsr()
        inner = np.isin(used, free)
        right = -square[inner][:, ~inner] @ field[used[~inner]]
        field[used[inner]] = splu(square[inner][:, inner].tocsc()).solve(right)
