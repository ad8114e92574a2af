"""Teeth and gums of the face model's build: sizes of the table, and meshes without faults."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tools.build_face_model.gums import gum
from tools.build_face_model.teeth import (
    LOWER,
    ROWS,
    UPPER,
    Piece,
    crown_frame,
    stand_on_arch,
    tooth_row,
)

#: Wheeler's table, midline to second molar: crown height, width, thickness in mm.
TABLE = {
    "teeth_upper": [
        (10.5, 8.5, 7.0), (9.0, 6.5, 6.0), (10.0, 7.5, 8.0), (8.5, 7.0, 9.0), (8.5, 7.0, 9.0),
        (7.5, 10.0, 11.0), (7.0, 9.0, 11.0),
    ],
    "teeth_lower": [
        (9.0, 5.0, 6.0), (9.5, 5.5, 6.5), (11.0, 7.0, 7.5), (8.5, 7.0, 7.5), (8.0, 7.0, 8.0),
        (7.5, 11.0, 10.5), (7.0, 10.5, 10.0),
    ],
}  # fmt: skip
PIECES = {name: (lambda row=row: tooth_row(row)) for name, row in ROWS.items()} | {
    f"gum {name}": (lambda row=row: gum(row)) for name, row in ROWS.items()
}


def triangles(quads: np.ndarray) -> np.ndarray:
    """(2Q, 3) the quads split from their first corner."""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def volume(vertices: np.ndarray, quads: np.ndarray) -> float:
    """Signed, positive where the quads look outward."""
    a, b, c = vertices[triangles(quads)].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def directed_edges(quads: np.ndarray) -> Counter:
    """How often each edge is gone along."""
    return Counter((a, b) for q in quads.tolist() for a, b in zip(q, q[1:] + q[:1], strict=True))


def of_tooth(row: Piece, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of one tooth."""
    ids = np.flatnonzero(row.tooth == number)
    own = np.isin(row.quads, ids).all(axis=1)
    return row.vertices[ids], np.searchsorted(ids, row.quads[own])


def crossings(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> int:
    """Edges of mesh ``a`` that go through triangles of mesh ``b``."""
    edges = np.array([edge for edge in directed_edges(a[1]) if edge[0] < edge[1]])
    start = a[0][edges[:, 0]][:, None]
    way = a[0][edges[:, 1]][:, None] - start
    corner = b[0][triangles(b[1])]
    one, two = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    normal = np.cross(one, two)
    steep = (way * normal).sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = ((corner[:, 0] - start) * normal).sum(axis=2) / steep
        arm = start + t[..., None] * way - corner[:, 0]
        size = (normal**2).sum(axis=1)
        v = (np.cross(arm, two) * normal).sum(axis=2) / size
        w = (np.cross(one, arm) * normal).sum(axis=2) / size
    return int(((t >= 0) & (t <= 1) & (v >= 0) & (w >= 0) & (v + w <= 1)).sum())


@pytest.mark.parametrize("name", ROWS)
def test_crowns_have_the_tables_sizes(name: str) -> None:
    row = ROWS[name]
    mesh, stand = tooth_row(row), stand_on_arch(row)
    for number, (height, width, thickness) in enumerate(TABLE[name]):
        points, _ = of_tooth(mesh, row.fdi[1] + number + 1)
        across, through, up = crown_frame(row, number, stand) @ (points - stand.edge[number]).T
        assert np.ptp(across) == pytest.approx(width, abs=0.15)
        assert np.ptp(through) == pytest.approx(thickness, abs=0.35)
        # The root's end lies 1.8 mm below the neck.
        assert up.max() - up.min() - 1.8 == pytest.approx(height, abs=0.35)


@pytest.mark.parametrize(
    "row, canines, molars, deviations",
    [(UPPER, 35.4, 53.8, (1.5, 2.8)), (LOWER, 26.9, 51.7, (1.6, 2.6))],
    ids=["upper", "lower"],
)
def test_arches_are_as_wide_as_peoples(row, canines, molars, deviations) -> None:
    """Within a standard deviation of 76 casts of Angle's class I."""
    edge = stand_on_arch(row).edge
    assert abs(2 * edge[2, 0] - canines) < deviations[0]
    assert abs(2 * edge[5, 0] - molars) < deviations[1]


def test_upper_teeth_stand_before_the_lower_ones_and_cover_them() -> None:
    upper, lower = tooth_row(UPPER), tooth_row(LOWER)
    for number in (1, 2):
        (above, _), (below, _) = of_tooth(upper, 20 + number), of_tooth(lower, 30 + number)
        assert 1 < above[:, 2].max() - below[:, 2].max() < 4
        assert 1 < below[:, 1].max() - above[:, 1].min() < 4
    (above, _), (below, _) = of_tooth(upper, 26), of_tooth(lower, 36)
    assert above[:, 0].max() > below[:, 0].max() + 1
    assert 0 < below[:, 1].max() - above[:, 1].min() < 1.2  # cusps stand in the others' pits


@pytest.mark.parametrize("name", ROWS)
def test_fourteen_closed_teeth_that_look_outward(name: str) -> None:
    row = tooth_row(ROWS[name])
    right, left = ROWS[name].fdi
    assert set(row.tooth) == {first + k for first in (right, left) for k in range(1, 8)}
    for number in set(row.tooth):
        points, quads = of_tooth(row, number)
        edges = directed_edges(quads)
        assert max(edges.values()) == 1 and all((b, a) in edges for a, b in edges)
        assert np.unique(quads).size == len(points) and volume(points, quads) > 80
        assert (points[:, 0].mean() > 0) == (number // 10 == left // 10)


@pytest.mark.parametrize("name", ROWS)
def test_neighbours_touch_but_do_not_cross(name: str) -> None:
    row = tooth_row(ROWS[name])
    right, left = ROWS[name].fdi
    line = [right + 1, *(left + k for k in range(1, 8))]
    for one, two in zip(line[:-1], line[1:], strict=True):
        a, b = of_tooth(row, one), of_tooth(row, two)
        assert crossings(a, b) == crossings(b, a) == 0, (one, two)
        near = np.linalg.norm(a[0][:, None] - b[0][None], axis=2).min()
        assert near < 1.2, (one, two)


def test_crossings_are_found() -> None:
    row = tooth_row(UPPER)
    points, quads = of_tooth(row, 21)
    assert crossings((points, quads), (points + [4.0, 0.1, 0.2], quads)) > 0


def test_the_lower_gum_is_closed_and_the_upper_one_has_one_edge() -> None:
    for row, loops in ((LOWER, 0), (UPPER, 1)):
        edges = directed_edges(gum(row).quads)
        assert max(edges.values()) == 1
        after = {a: b for a, b in edges if (b, a) not in edges}
        found = 0
        while after:
            found += 1
            here = next(iter(after))
            while here in after:
                here = after.pop(here)
        assert found == loops
    assert volume(gum(LOWER).vertices, gum(LOWER).quads) > 1000


@pytest.mark.parametrize("name", ROWS)
def test_gums_cover_the_necks_and_leave_the_edges(name: str) -> None:
    """The margin lies at the neck in the middle of a tooth, and comes down between two."""
    row = ROWS[name]
    band = gum(row).vertices[: 57 * (10 if row.bite < 0 else 8)].reshape(57, -1, 3)[28:]
    margin = band[:, 3, 1] * row.bite  # rises towards the edge
    stand = stand_on_arch(row)
    for number, crown in enumerate(row.crowns):
        neck = stand.edge[number] + crown_frame(row, number, stand)[2] * crown.height
        middle = margin[4 * number + 2]
        assert 0 < middle - row.bite * neck[1] < 0.6
        assert 0.15 < (margin[4 * number] - middle) / crown.height < 0.7
    assert (margin < -1.5).all()  # the edges are at 0, the lower front ones at 2.5


@pytest.mark.parametrize("name", PIECES)
def test_pieces_are_symmetric_and_unwrapped(name: str) -> None:
    piece = PIECES[name]()
    count = len(piece.vertices)
    assert (piece.symmetry[piece.symmetry] == np.arange(count)).all()
    np.testing.assert_allclose(piece.vertices[piece.symmetry] * [-1, 1, 1], piece.vertices)
    assert set(piece.quads.ravel()) == set(range(count)) and piece.quads.shape[1] == 4
    rows = {tuple(sorted(quad)) for quad in piece.quads.tolist()}
    assert {tuple(sorted(piece.symmetry[quad])) for quad in piece.quads.tolist()} == rows
    assert piece.uv.min() >= 0 and piece.uv.max() <= 1
    assert set(piece.uv_quads.ravel()) == set(range(len(piece.uv)))
    u, v = piece.uv[piece.uv_quads].transpose(2, 0, 1)
    area = (u * np.roll(v, -1, axis=1) - np.roll(u, -1, axis=1) * v).sum(axis=1) / 2
    assert (area > 0).all() and area.sum() < 1


def test_the_mouth_keeps_its_budget() -> None:
    assert sum(len(make().vertices) for make in PIECES.values()) <= 3200
