"""Two rows of 14 single teeth, made from a table of crown sizes: quads, closed, with UVs.

A crown is a stack of superellipse sections; its class (incisor, canine, premolar, molar) gives the
profile, the table its size.  Crowns stand side by side along ``z = -depth (|x| / width)^power``.
Sizes are the textbook means of Wheeler's "Dental Anatomy" (Nelson, Ash), wisdom teeth left out.

The row's frame, in mm: x to the head's left, y up, z forward; the plane of the upper row's edges is
y = 0, and the upper arch starts at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

POINTS = 12
"""Points of a section, counter-clockwise from the distal side: 3 is labial, 6 mesial, 9 lingual."""
RINGS = 6
"""Sections of a crown, from just below the neck to the biting edge."""
GAP = 0.1
"""mm between neighbours, so that they touch to the eye but never cross."""
FLAT = 0.96
"""Half width of a section at the points beside the outermost ones, over its half width."""
BELOW_NECK = 1.8
"""mm that a tooth reaches into the gum."""
TURNED = [0, 3, 2, 1]
"""A quad's corners the other way round, from the same one: bent quads then split alike."""
UV_LEVELS = (0.10, 0.22, 0.42, 0.62, 0.80, 0.90)
"""Height of the crown's rings in its UV cell, neck first."""
UV_MARGIN = (0.06, 0.13)
"""Share of a UV cell's width and height that stays free on each side: 8 texels at 2048 between
two."""


@dataclass(frozen=True)
class Crown:
    """One tooth of the table, of either side.

    ``edge`` is how far its biting edge stands from the row's plane towards the gum, ``tilt`` the
    degrees by which the neck stands behind the edge.
    """

    kind: str
    height: float
    width: float
    thickness: float
    edge: float
    tilt: float


@dataclass(frozen=True)
class Profile:
    """Shape of a class of teeth; rows of ``RINGS`` values, neck first.

    Attributes:
        heights: share of the crown's height from neck to edge; the first is ``BELOW_NECK``.
        widths: share of the width.
        labial, lingual: share of the thickness before and behind the line through the contacts.
        power: exponent of the superellipse.
        taper: share by which the lingual side is narrower.
        edge_drop: (4,) mm that the edge is lower at the distal, labial, mesial, lingual point.
        pit: mm that the middle of the biting surface is lower than the edge.
    """

    heights: tuple[float, ...]
    widths: tuple[float, ...]
    labial: tuple[float, ...]
    lingual: tuple[float, ...]
    power: float
    taper: float
    edge_drop: tuple[float, float, float, float]
    pit: float


_INCISOR_SIDES = (
    (0.17, 0.24, 0.29, 0.235, 0.13, 0.08),
    (0.55, 0.71, 0.60, 0.34, 0.15, 0.08),
)
_BACK_HEIGHTS = (0.0, 0.0, 0.32, 0.62, 0.88, 1.0)
PROFILES = {
    "incisor": Profile(
        (0.0, 0.0, 0.3, 0.62, 0.9, 1.0), (0.60, 0.71, 0.86, 0.96, 1.0, 0.95),
        *_INCISOR_SIDES, 2.7, 0.30, (0.5, 0.0, 0.15, 0.0), 0.0,
    ),
    "round incisor": Profile(
        (0.0, 0.0, 0.3, 0.62, 0.88, 1.0), (0.58, 0.69, 0.85, 0.95, 1.0, 0.88),
        *_INCISOR_SIDES, 2.5, 0.32, (0.8, 0.0, 0.3, 0.0), 0.0,
    ),
    "lower incisor": Profile(
        (0.0, 0.0, 0.3, 0.62, 0.9, 1.0), (0.58, 0.66, 0.80, 0.95, 1.0, 0.97),
        *_INCISOR_SIDES, 2.6, 0.32, (0.25, 0.0, 0.1, 0.0), 0.0,
    ),
    "canine": Profile(
        (0.0, 0.0, 0.3, 0.6, 0.82, 1.0), (0.64, 0.76, 0.93, 1.0, 0.90, 0.34),
        (0.24, 0.32, 0.38, 0.32, 0.20, 0.07), (0.45, 0.58, 0.62, 0.42, 0.20, 0.07),
        2.4, 0.38, (0.7, 0.0, 0.5, 0.0), 0.0,
    ),
    "premolar": Profile(
        _BACK_HEIGHTS, (0.64, 0.74, 0.94, 1.0, 0.84, 0.60),
        (0.38, 0.44, 0.50, 0.46, 0.37, 0.26), (0.38, 0.44, 0.50, 0.46, 0.35, 0.24),
        2.6, 0.16, (1.4, 0.0, 1.4, 0.8), 1.7,
    ),
    "molar": Profile(
        _BACK_HEIGHTS, (0.74, 0.84, 0.97, 1.0, 0.90, 0.70),
        (0.40, 0.45, 0.50, 0.48, 0.39, 0.28), (0.40, 0.45, 0.50, 0.48, 0.38, 0.27),
        3.2, 0.10, (0.8, 0.7, 0.8, 0.7), 1.3,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of teeth: its crowns from the midline, and the arch they stand on.

    ``bite`` is +1 where the teeth point up (lower row), -1 where they point down.
    """

    name: str
    bite: int
    crowns: tuple[Crown, ...]
    width: float
    depth: float
    power: float
    front: float
    fdi: tuple[int, int]


UPPER = Row(
    "upper",
    -1,
    (
        Crown("incisor", 10.5, 8.5, 7.0, 0.0, 18.0),
        Crown("round incisor", 9.0, 6.5, 6.0, 0.6, 18.0),
        Crown("canine", 10.0, 7.5, 8.0, -0.1, 6.0),
        Crown("premolar", 8.5, 7.0, 9.0, 0.1, 0.0),
        Crown("premolar", 8.5, 7.0, 9.0, 0.2, 0.0),
        Crown("molar", 7.5, 10.0, 11.0, 0.2, -4.0),
        Crown("molar", 7.0, 9.0, 11.0, 0.3, -4.0),
    ),
    width=30.5,
    depth=40.0,
    power=3.4,
    front=0.0,
    fdi=(10, 20),
)
LOWER = Row(
    "lower",
    1,
    (
        Crown("lower incisor", 9.0, 5.0, 6.0, -2.5, 12.0),
        Crown("lower incisor", 9.5, 5.5, 6.5, -2.4, 12.0),
        Crown("canine", 11.0, 7.0, 7.5, -2.0, 6.0),
        Crown("premolar", 8.5, 7.0, 7.5, -1.4, 0.0),
        Crown("premolar", 8.0, 7.0, 8.0, -1.0, 0.0),
        Crown("molar", 7.5, 11.0, 10.5, -0.6, -4.0),
        Crown("molar", 7.0, 10.5, 10.0, -0.5, -4.0),
    ),
    width=29.0,
    depth=37.0,
    power=3.3,
    front=-2.6,
    fdi=(40, 30),
)
ROWS = {"teeth_upper": UPPER, "teeth_lower": LOWER}


@dataclass(frozen=True)
class Piece:
    """A part of the mouth as a mesh, exactly symmetric about x = 0.

    Attributes:
        vertices: (N, 3) float64 mm.
        quads: (Q, 4) int64, outward.
        uv: (U, 2) float64 in 0..1, v up; uv_quads: (Q, 4) int64 into it.
        symmetry: (N,) int64, the mirror image of each vertex.
        tooth: (N,) int64 number of the tooth in FDI's notation; 0 where it is no tooth.
    """

    vertices: np.ndarray
    quads: np.ndarray
    uv: np.ndarray
    uv_quads: np.ndarray
    symmetry: np.ndarray
    tooth: np.ndarray


@dataclass(frozen=True)
class Stand:
    """Where each of a half row's N crowns stands: the points (N, 3) of its edge on the arch, and
    the unit directions (N, 3) away from the midline along the arch (``along``) and out of the mouth
    (``out``)."""

    edge: np.ndarray
    along: np.ndarray
    out: np.ndarray


def stand_on_arch(row: Row) -> Stand:
    """Sets the left half's crowns side by side along the arch, by arc length."""
    x = np.linspace(0, row.width * 1.2, 6001)
    z = -row.depth * (x / row.width) ** row.power
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])
    widths = np.array([crown.width for crown in row.crowns])
    places = np.cumsum(widths + GAP) - (widths + GAP) / 2
    # A chord, not the tangent: the side points of a tooth are what touches its neighbours.
    ends = [
        np.stack([np.interp(places + side * widths / 2, length, part) for part in (x, z)], axis=1)
        for side in (-1, 1)
    ]
    middle = (ends[0] + ends[1]) / 2
    chord = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0], axis=1, keepdims=True)
    zero = np.zeros(len(widths))
    height = np.array([-row.bite * crown.edge for crown in row.crowns])
    return Stand(
        edge=np.column_stack([middle[:, 0], height, middle[:, 1] + row.front]),
        along=np.column_stack([chord[:, 0], zero, chord[:, 1]]),
        out=np.column_stack([-chord[:, 1], zero, chord[:, 0]]),
    )


def crown_frame(row: Row, number: int, stand: Stand) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit directions (3,) of a crown: away from the midline, out of the mouth, edge to neck."""
    angle = np.radians(row.crowns[number].tilt)
    to_gum = np.array([0.0, -row.bite, 0.0])
    out = stand.out[number]
    return (
        stand.along[number],
        out * np.cos(angle) + to_gum * np.sin(angle),
        to_gum * np.cos(angle) - out * np.sin(angle),
    )


def crown_points(crown: Crown) -> np.ndarray:
    """(RINGS * POINTS + 2, 3) of one crown: along the arch, out of the mouth, from edge to neck.

    Rings from the neck to the edge, then the middle of the root's end and of the biting surface.
    """
    profile = PROFILES[crown.kind]
    angle = np.arange(POINTS) * 2 * np.pi / POINTS
    cosine, sine = np.round(np.cos(angle), 12), np.round(np.sin(angle), 12)
    across = np.sign(cosine) * np.abs(cosine) ** (2 / profile.power)
    # The sides that touch a neighbour are flat: rounder ones would part when subdivided.
    across = np.where(
        np.abs(cosine) > 0.8, np.sign(cosine) * np.maximum(np.abs(across), FLAT), across
    )
    through = np.sign(sine) * np.abs(sine) ** (2 / profile.power)
    quarter = np.arange(POINTS) * 4 / POINTS
    drop = np.interp(quarter, np.arange(5), [*profile.edge_drop, profile.edge_drop[0]])
    if crown.kind in ("premolar", "molar"):  # cusps stand at the corners, grooves between
        drop = np.where(quarter % 1 == 0, drop, 0.0)
        lower = profile.edge_drop[3] if crown.kind == "premolar" else 0.0
        drop = np.where((quarter % 1 != 0) & (quarter > 2), lower, drop)
    rings = np.zeros((RINGS, POINTS, 3))
    for ring in range(RINGS):
        labial, lingual = profile.labial[ring], profile.lingual[ring]
        narrow = 1 - profile.taper * np.clip(-through, 0, 1)
        rings[ring, :, 0] = across * narrow * profile.widths[ring] * crown.width / 2
        rings[ring, :, 1] = through * np.where(through > 0, labial, lingual) * crown.thickness
        rings[ring, :, 2] = (1 - profile.heights[ring]) * crown.height
    rings[0, :, 2] += BELOW_NECK
    rings[-1, :, 2] += drop
    rings[-2, :, 2] += drop / 2
    ends = np.stack([rings[0].mean(axis=0), rings[-1].mean(axis=0)])
    ends[1, 2] = drop.min() + profile.pit
    return np.concatenate([rings.reshape(-1, 3), ends])


def crown_quads() -> np.ndarray:
    """(Q, 4) quads of one crown of :func:`crown_points`: (RINGS - 1) * POINTS of its side, then
    POINTS / 2 of the root's end and of the biting surface.

    They look outward where the point's three coordinates are right-handed.
    """
    ring = np.arange(RINGS - 1)[:, None] * POINTS
    k = np.arange(POINTS)
    after = (k + 1) % POINTS
    side = np.stack([ring + k, ring + POINTS + k, ring + POINTS + after, ring + after], axis=-1)
    first = np.arange(1, POINTS, 2)
    top, root, edge = (RINGS - 1) * POINTS, RINGS * POINTS, RINGS * POINTS + 1
    fan = np.stack([first, first + 1, first + 2], axis=1) % POINTS
    root_end = np.column_stack([np.full(len(first), root), fan])
    biting = np.column_stack([np.full(len(first), edge), (fan + top)[:, ::-1]])
    return np.concatenate([side.reshape(-1, 4), root_end, biting])


def crown_uv() -> tuple[np.ndarray, np.ndarray]:
    """A crown unrolled into the unit square, cut along the lingual side; neck at the bottom.

    Returns:
        uv (U, 2) and uv_quads (Q, 4), the quads in the order of :func:`crown_quads`.
    """
    wide = POINTS + 1
    columns = np.arange(wide) / POINTS
    grid = np.stack(np.broadcast_arrays(columns, np.array(UV_LEVELS)[:, None]), axis=-1)
    # Column c shows point (c + 9) % POINTS: the cut runs down the lingual side, the end closes it.
    column_of = (np.arange(POINTS) - 9) % POINTS
    ring = np.arange(RINGS - 1)[:, None] * wide
    side = np.stack([ring, ring + wide, ring + wide + 1, ring + 1], axis=-1) + column_of[:, None]
    first = column_of[np.arange(1, POINTS, 2)]
    fan = np.column_stack([first, first + 1, first + 2])
    # Every quad of an end gets a middle of its own: teeth of a saw, which cover nothing twice.
    middles = (first + 1) / POINTS
    tips = np.concatenate([np.column_stack([middles, np.full(len(first), v)]) for v in (0.0, 1.0)])
    root = RINGS * wide + np.arange(len(first))
    root_end = np.column_stack([root, fan])
    biting = np.column_stack([root + len(first), (fan + (RINGS - 1) * wide)[:, ::-1]])
    uv = np.concatenate([grid.reshape(-1, 2), tips])
    return uv, np.concatenate([side.reshape(-1, 4), root_end, biting])


def mirrored_pair(half: Piece) -> Piece:
    """A piece of the left side and its mirror image as one; the UVs are left as they are."""
    count, corners = len(half.vertices), len(half.uv)
    return Piece(
        vertices=np.concatenate([half.vertices, half.vertices * [-1, 1, 1]]),
        quads=np.concatenate([half.quads, half.quads[:, TURNED] + count]),
        uv=np.concatenate([half.uv, half.uv]),
        uv_quads=np.concatenate([half.uv_quads, half.uv_quads[:, TURNED] + corners]),
        symmetry=np.concatenate([np.arange(count) + count, np.arange(count)]),
        tooth=np.concatenate([half.tooth, half.tooth]),
    )


def tooth_row(row: Row) -> Piece:
    """All 14 teeth of a row: (POINTS * RINGS + 2) vertices each, from the midline, left side first.

    Each tooth is closed, and has a cell of its own in the UV box.
    """
    stand = stand_on_arch(row)
    quads, (uv, uv_quads) = crown_quads(), crown_uv()
    vertices = []
    for number, crown in enumerate(row.crowns):
        frame = np.stack(crown_frame(row, number, stand))
        vertices.append(stand.edge[number] + crown_points(crown) @ frame)
    if row.bite < 0:  # there the frame is left-handed
        quads, uv_quads = quads[:, TURNED], uv_quads[:, TURNED]
    count, number = len(vertices[0]), np.arange(len(row.crowns))
    half = Piece(
        vertices=np.concatenate(vertices),
        quads=(quads + number[:, None, None] * count).reshape(-1, 4),
        uv=np.concatenate([uv] * len(number)),
        uv_quads=(uv_quads + number[:, None, None] * len(uv)).reshape(-1, 4),
        symmetry=np.arange(count * len(number)),
        tooth=np.repeat(number + 1, count),
    )
    whole = mirrored_pair(half)
    left = np.arange(len(whole.tooth)) < len(half.tooth)
    return replace(
        whole,
        uv=_in_cells(whole.uv.reshape(2, len(number), -1, 2), row.bite),
        tooth=whole.tooth + np.where(left, row.fdi[1], row.fdi[0]),
    )


def _in_cells(uv: np.ndarray, bite: int) -> np.ndarray:
    """Puts the unit squares (2 sides, N teeth, U, 2) side by side: the left side above, the right
    one below, its squares mirrored."""
    sides, teeth = uv.shape[:2]
    upright = np.where(bite < 0, 1 - uv[..., 1], uv[..., 1])
    across = np.stack([1 - uv[0, ..., 0], uv[1, ..., 0]])
    column = np.arange(teeth)[:, None]
    line = np.arange(sides)[::-1, None, None]
    u = (column + UV_MARGIN[0] + across * (1 - 2 * UV_MARGIN[0])) / teeth
    v = (line + UV_MARGIN[1] + upright * (1 - 2 * UV_MARGIN[1])) / sides
    return np.stack([u, v], axis=-1).reshape(-1, 2)
