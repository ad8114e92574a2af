"""The gums of both rows of teeth, and the palate: bands of quads that follow the teeth's necks.

The gum of a row is a section of 8 points carried along 57 stations, four a tooth: its margin
stands highest at the middle of a neck and comes down to a papilla between two teeth.  The lower gum
is a closed band.  The upper one runs on from its lingual side over the palate to the midline, and
is open at the top before the teeth and at the throat, where the mouth's cavity hides it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .regions import smooth_step
from .teeth import PROFILES, TURNED, Piece, Row, crown_frame, stand_on_arch

SECTION = 8
"""Points of a section, from the base before the teeth over the margins to the base behind them."""
PER_TOOTH = 4
COVERED = 0.25
"""mm by which the gum covers the neck."""
PAPILLA = (0.47, 0.26)
"""Height of the papilla as a share of the crowns' beside it: incisors and canines, the rest."""
BEHIND = 1.5
"""mm that the gum reaches on behind the last tooth."""
BASE = {-1: ((15.5, 11.2), (13.0, 13.0)), 1: ((12.2, 10.4), (11.8, 10.4))}
"""``bite`` -> mm from the plane of the upper edges to the gum's base, before and behind the teeth,
each at the incisors and at the back teeth.  Deeper there, it comes through the cheek in a smile."""
PALATE_RISE = 7.5
"""mm from the gum's base behind the molars to the middle of the palate."""
PALATE_ROWS = ((0.38, 0.66), (0.72, 0.93))
"""Rows of the palate between gum and midline: share of the way, share of the rise."""
END_QUADS = np.array([[0, 1, 2, 3], [0, 3, 4, 7], [4, 5, 6, 7]])
"""A section shut by quads."""
END_UV = np.array(
    [(1, 0), (0, 0), (0, 3), (1, 3), (2, 3), (3, 3), (3, 0), (2, 0)]
) * [0.01, 0.2]  # fmt: skip
"""Where the points of a shut section lie in the UV box, from its corner."""
PALATE_SHARE = 0.78
"""Part of the upper gum's UV box that the band takes; the middle of the palate has the rest."""


@dataclass(frozen=True)
class Stations:
    """The left half of a row from the midline backwards, N stations.

    Attributes:
        neck: (N, 3) on the line through the teeth's necks.
        out: (N, 3) horizontal unit directions out of the mouth.
        labial, lingual: (N,) mm from ``neck`` to the teeth's surfaces, before and behind.
        papilla: (N,) mm that the margin reaches over the neck towards the edge.
        between: (N,) 0 at the middle of a tooth, 1 between two.
    """

    neck: np.ndarray
    out: np.ndarray
    labial: np.ndarray
    lingual: np.ndarray
    papilla: np.ndarray
    between: np.ndarray


def stations_of(row: Row) -> Stations:
    """Measures the necks of a row's left half."""
    stand = stand_on_arch(row)
    steps = np.arange(PER_TOOTH + 1) / PER_TOOTH - 0.5
    reach = np.abs(2 * steps)
    necks, outs, labials, linguals = [], [], [], []
    for number, crown in enumerate(row.crowns):
        along, _, to_neck = crown_frame(row, number, stand)
        profile = PROFILES[crown.kind]
        middle = stand.edge[number] + to_neck * crown.height
        necks.append(middle + steps[:, None] * crown.width * along)
        outs.append(np.broadcast_to(stand.out[number], (len(steps), 3)))
        # The neck's own outline; between the teeth the papilla lies two fifths further in.
        thin = np.interp(reach, [0, 0.5, 1], [1.0, 0.88, 0.6])
        labials.append(profile.labial[1] * crown.thickness * thin)
        linguals.append(profile.lingual[1] * crown.thickness * thin)
    heights = [crown.height for crown in row.crowns]
    share = [PAPILLA[crown.kind in ("premolar", "molar")] for crown in row.crowns]
    tips = [s * (a + b) / 2 for s, a, b in zip(share, heights, [*heights[1:], 0], strict=True)]
    tips = [heights[0] * share[0], *tips]  # from the one at the midline to the last tooth's end
    papilla = [
        np.interp(steps, [-0.5, -0.25, 0, 0.25, 0.5], [a, 0.2 * a, 0, 0.2 * b, b])
        for a, b in zip(tips[:-1], tips[1:], strict=True)
    ]
    out = _joined(outs)
    out[0] = [0, 0, 1]
    out = out / np.linalg.norm(out, axis=1, keepdims=True)
    neck = _joined(necks)
    neck[0, 0] = 0.0
    neck[-1] += BEHIND * stand.along[-1]
    return Stations(
        neck, out, _joined(labials), _joined(linguals), _joined(papilla) + COVERED,
        _joined([reach] * len(necks)),
    )  # fmt: skip


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    """Joins the stations of all teeth; where two meet, their mean."""
    joined = [np.array(pieces[0], float)]
    for piece in pieces[1:]:
        joined[-1][-1] = (joined[-1][-1] + piece[0]) / 2
        joined.append(np.array(piece[1:], float))
    return np.concatenate(joined)


def _sections(row: Row, at: Stations) -> np.ndarray:
    """(N, SECTION, 3) the gum's points at each station."""
    along = np.linspace(0, 1, len(at.neck))
    back = np.interp(along, [0.3, 0.45], [0.0, 1.0])  # from the canine to the premolar
    before, behind = (
        np.interp(back, [0, 1], ends) + row.bite * at.neck[:, 1] for ends in BASE[row.bite]
    )
    bulge = 1 - 0.5 * at.between  # eminences over the roots
    inside = np.where(at.between > 0.9, 0.0, -1.5)
    outward = np.stack(
        [
            at.labial + 0.3 - 2.3 * back,
            at.labial + 0.5 + 0.5 * bulge - 0.9 * back,
            at.labial + 0.25 + 0.4 * bulge - 0.25 * back,
            at.labial - 0.3,
            (at.labial - at.lingual) / 2,
            -(at.lingual - 0.3),
            -(at.lingual + 0.25 + 0.3 * bulge),
            -(at.lingual + 0.8),
        ]
    )
    toward_edge = np.stack(
        [
            -before,
            np.full(len(bulge), -2.8),
            at.papilla - 0.9,
            at.papilla,
            at.papilla + inside,
            at.papilla,
            at.papilla - 0.9,
            -behind,
        ]
    )
    points = at.neck + outward[..., None] * at.out
    return (points + toward_edge[..., None] * [0.0, row.bite, 0.0]).transpose(1, 0, 2)


def gum(row: Row) -> Piece:
    """The gum of a row; the upper one's with the palate."""
    half = _sections(row, stations_of(row))
    middle = None
    if row.bite < 0:
        middle = _palate_middle(half[:, -1])
        way, rise = (np.array(part)[:, None, None] for part in zip(*PALATE_ROWS, strict=True))
        share = np.concatenate([way, rise, way], axis=2)
        half = np.concatenate(
            [half, (half[:, -1] + share * (middle - half[:, -1])).transpose(1, 0, 2)], axis=1
        )
    band = np.concatenate([half[:0:-1] * [-1, 1, 1], half])  # from the right end to the left one
    return _lower_gum(band) if middle is None else _upper_gum(band, middle[1:])


def _palate_middle(base: np.ndarray) -> np.ndarray:
    """(N, 3) the palate's midline, for each station's base (N, 3) behind the teeth."""
    along = np.linspace(0, 1, len(base))
    front = base[0] - [0, 0, 3.0]
    middle = front + along[:, None] * ((base[-1] - front) * [0, 1, 1])
    middle[:, 1] += PALATE_RISE * smooth_step(along, -0.1, 0.6)
    return middle


def _lower_gum(band: np.ndarray) -> Piece:
    """The closed band; its ends are shut by three quads each."""
    columns, section = band.shape[:2]
    index = np.arange(columns * section).reshape(columns, section)
    around = np.concatenate([index, index[:, :1]], axis=1)
    corner = np.arange(columns * (section + 1)).reshape(columns, -1)
    ends = np.concatenate([index[0][END_QUADS], index[-1][END_QUADS][:, TURNED]])
    end_corner = corner.size + np.arange(section)
    end_quads = np.concatenate(
        [end_corner[END_QUADS], (end_corner + section)[END_QUADS][:, TURNED]]
    )
    closed = np.concatenate([band, band[:, :1]], axis=1)
    uv = _band_uv(closed) * [0.82, 1] + [0.09, 0]
    left = END_UV * [-1, 1] + [0.03, 0]
    return Piece(
        vertices=band.reshape(-1, 3),
        quads=np.concatenate([_grid_quads(around), ends]),
        uv=np.concatenate([uv.reshape(-1, 2), left, END_UV + [0.97, 0]]),
        uv_quads=np.concatenate([_grid_quads(corner), end_quads]),
        symmetry=index[::-1].ravel(),
        tooth=np.zeros(index.size, int),
    )


def _upper_gum(band: np.ndarray, middle: np.ndarray) -> Piece:
    """The open band, and quads from its inner rows to the midline ``middle`` (N - 1, 3)."""
    columns, section = band.shape[:2]
    index = np.arange(columns * section).reshape(columns, section)
    line = index.size + np.arange(len(middle))
    right, left = index[len(middle) :: -1, -1], index[len(middle) :, -1]  # from the front
    across = np.concatenate(
        [
            [[line[0], left[1], right[0], right[1]]],
            np.stack([line[:-1], line[1:], left[2:], left[1:-1]], axis=1),
            np.stack([line[1:], line[:-1], right[1:-1], right[2:]], axis=1),
        ]
    )
    vertices = np.concatenate([band.reshape(-1, 3), middle])
    flat = vertices[:, [0, 2]]
    inner = np.unique(across)
    low, high = flat[inner].min(axis=0), flat[inner].max(axis=0)
    flat = (flat - low) / (high - low) * [0.96 - PALATE_SHARE, 0.96] + [PALATE_SHARE + 0.03, 0.02]
    band_uv = _band_uv(band) * [PALATE_SHARE, -1] + [0, 1]
    # Point k of the mesh is corner k of the band's chart, then of the middle's.
    of_inner = np.full(len(vertices), -1)
    of_inner[inner] = index.size + np.arange(len(inner))
    return Piece(
        vertices=vertices,
        quads=np.concatenate([_grid_quads(index)[:, TURNED], across]),
        uv=np.concatenate([band_uv.reshape(-1, 2), flat[inner]]),
        uv_quads=np.concatenate([_grid_quads(index)[:, TURNED], of_inner[across]]),
        symmetry=np.concatenate([index[::-1].ravel(), line]),
        tooth=np.zeros(len(vertices), int),
    )


def _band_uv(band: np.ndarray) -> np.ndarray:
    """(columns, section, 2) in 0..1: along the row, and along the section."""
    u, v = _spaced(band.mean(axis=1)), _spaced(band.mean(axis=0))
    return np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1)


def _spaced(points: np.ndarray) -> np.ndarray:
    """0 to 1 along a line of points (N, 3), by length."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return length / length[-1]


def _grid_quads(index: np.ndarray) -> np.ndarray:
    """(Q, 4) quads of a grid of indices (N, M)."""
    corners = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.stack(corners, axis=-1).reshape(-1, 4)
