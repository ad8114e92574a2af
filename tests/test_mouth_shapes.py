"""The model's mouth shapes whose sums were no mouths: a beak, a slit, folds from nose to chin."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.own import own_expressions

from tests.test_own_lips import mouth_slit
from tools.build_face_model.gaps import STEP, random_heads
from tools.build_face_model.mouth_shapes import LIP_ROWS, Drawn, rounded

MODEL = load_model()
NAMES = MODEL.expression_names
RINGS = np.asarray(MODEL.lip_rings)
SEAM = MODEL.mean[RINGS[2], 0]
FAR = int(np.argmax(SEAM))
HEADS = [MODEL.mean, *random_heads(MODEL, 3, seed=33)]


def posed(head: NDArray, *names: str) -> NDArray:
    basis = own_expressions(MODEL, head)
    return (head + sum(basis[NAMES.index(name)] for name in names)).astype(np.float64)


def test_a_pucker_goes_as_far_as_ict_facekits() -> None:
    """How far landmarks 51 and 57, the middle of the lips, and 48, a corner, go forward in
    ICT-FaceKit's ``mouthPucker``, its head scaled to the same height of the face: 7.9, 6.3 and
    9.7 mm (MIT licence; measured on its files)."""
    shape = MODEL.expression_basis[NAMES.index("mouthPucker"), MODEL.landmarks68]
    assert (shape[51, 2] + shape[57, 2]) / (7.9 + 6.3) == pytest.approx(1, abs=0.12), "1.17 before"
    assert shape[48, 2] / 9.7 == pytest.approx(1, abs=0.12)


def test_pucker_and_funnel_are_no_beak_and_open_round() -> None:
    mouth = mouth_slit()
    for head in HEADS:
        both = posed(head, "mouthPucker", "mouthFunnel")
        right, left, top = both[RINGS[4, [0, FAR, FAR // 2]]]
        assert left[0] - right[0] < 0.75 * np.ptp(head[RINGS[4], 0]), "a narrow mouth"
        ahead = (top[2] - (left[2] + right[2]) / 2) / ((left[0] - right[0]) / 2)
        assert ahead < 0.9, "1.1 to 1.2 before; 0.7 at rest"
        high = mouth.open(both[mouth.vertices]).sum(axis=0) * STEP[1]
        assert 5 < high.max() < 14
        wide = (high > high.max() / 2).sum() * STEP[0]
        assert wide > 0.9 * high.max(), "0.65 before: a slit"


def bends(points: NDArray) -> NDArray:
    """(N,) degrees between neighbouring quads of the skin around the mouth, lips apart."""
    kinds = np.array(MODEL.material_kinds)[MODEL.polygon_material]
    quads = MODEL.polygons[kinds == "skin"]
    middle = MODEL.mean[MODEL.landmarks68[48:60]].mean(axis=0)
    near = np.linalg.norm(MODEL.mean[quads].mean(axis=1) - middle, axis=1) < 55
    quads = quads[near & ~np.isin(quads, RINGS[:LIP_ROWS]).any(axis=1)]
    edges = np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1), axis=-1).reshape(-1, 2)
    order = np.lexsort(edges.T)
    same = (edges[order][1:] == edges[order][:-1]).all(axis=1)
    one, other = order[:-1][same] // 4, order[1:][same] // 4
    one_way, other_way = (points[quads[:, k + 2]] - points[quads[:, k]] for k in (0, 1))
    normal = np.cross(one_way, other_way)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip((normal[one] * normal[other]).sum(axis=1), -1, 1)))


def test_lips_closed_over_an_open_jaw_fold_no_skin() -> None:
    for head in HEADS:
        more = bends(posed(head, "jawOpen", "mouthClose")) - bends(head)
        assert np.percentile(more, 99) < 11, "14 to 19 before"
        assert np.percentile(more, 99.9) < 25, "30 before"
        closed = posed(head, "jawOpen", "mouthClose")[RINGS[4]]
        opened = posed(head, "jawOpen")[RINGS[4]]
        up, down = opened[[FAR // 2, FAR + (len(SEAM) - FAR) // 2], 1]
        # Between where the open lips are, nearer to the upper one.
        share = (up - closed[FAR // 2, 1]) / (up - down)
        assert 0.15 < share < 0.5


def grid() -> tuple[NDArray, NDArray, NDArray]:
    """A square of 41 x 41 vertices 1 mm apart, and as lips' rows two columns of it."""
    x, y = np.meshgrid(np.arange(41.0), np.arange(41.0))
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    at = np.arange(41 * 41).reshape(41, 41)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=-1).reshape(-1, 4)
    return points, quads, at[20:21, 18:23]


def test_skin_is_drawn_evenly_and_only_within_reach() -> None:
    points, quads, lips = grid()
    kinds = np.full(len(quads), "skin")
    kinds[:80] = "mouth"
    drawn = Drawn(points, quads, kinds, lips)
    found = drawn.change(np.broadcast_to([0.0, -1.0, 0.5], (*lips.shape, 3)), 12.0)
    np.testing.assert_allclose(found[lips], np.broadcast_to([0, -1, 0.5], (*lips.shape, 3)))
    away = np.linalg.norm(points[:, None] - points[lips.ravel()], axis=2).min(axis=1)
    assert not found[away >= 12].any()
    height = found[:, 1].reshape(41, 41)[20:33, 20]
    assert (np.diff(height) > -1e-6).all(), "it falls off without a wave"
    assert np.abs(np.diff(height, 2)).max() < 0.06, "and without a bend"
    # What is linear is even already: nothing is added.
    linear = points @ np.array([[0.1, 0.2, 0], [0.3, -0.1, 0.2], [0, 0, 0]])
    none = np.zeros((*lips.shape, 3))
    assert np.abs(drawn.evened(linear, none, 12.0)).max() < 1e-8


def test_a_funnel_is_rounded_from_its_own_height() -> None:
    shape = MODEL.expression_basis[NAMES.index("mouthFunnel")].astype(float)
    change = rounded(shape, MODEL.mean, RINGS)
    assert change.shape == (LIP_ROWS, RINGS.shape[1], 3)
    assert not change[:, [0, FAR]].any() and not change[..., [0, 2]].any()
    # It has been done to this one already, but for what was taken off the upper lip.
    lower = slice(FAR + 2, -1)
    assert np.abs(change[:5, lower, 1]).max() < 1.0
