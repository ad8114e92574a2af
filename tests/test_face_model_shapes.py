"""The asset's expressions: how far they go, that they stay off the neck, teeth and eyes."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.load import ASSETS

from tools.build_face_model import crossings
from tools.build_face_model.uncross import Straightener

MODEL = load_model()
NAMES = MODEL.expression_names
MEAN = MODEL.mean.astype(np.float64)
LOOP = np.load(ASSETS / "face_model.npz")["neck_loop"]
MIDDLE_UPPER, MIDDLE_LOWER = slice(5, 9), slice(19, 23)  # columns of the lids' rings
VISIBLE_EDGE = 4


def shape_of(*names: str) -> np.ndarray:
    return np.sum([MODEL.expression_basis[NAMES.index(name)] for name in names], 0, np.float64)


def marks(field: np.ndarray, *which: int) -> np.ndarray:
    rows = list(which)
    corners = field[MODEL.landmarks68_triangles[rows]]
    return np.einsum("lc,lcx->lx", MODEL.landmarks68_barycentric[rows], corners)


def lids(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3,) of the middles of the left eye's upper and lower edge."""
    edge = field[MODEL.lid_rings[1, VISIBLE_EDGE]]
    return edge[MIDDLE_UPPER].mean(axis=0), edge[MIDDLE_LOWER].mean(axis=0)


def test_nothing_moves_the_necks_edge() -> None:
    assert not MODEL.expression_basis[:, LOOP].any()
    ring = np.setdiff1d(MODEL.edges[np.isin(MODEL.edges, LOOP).any(axis=1)], LOOP)
    assert len(ring) >= len(LOOP) / 2
    assert np.linalg.norm(MODEL.expression_basis[:, ring], axis=2).max() < 0.05
    # Towards it the jaw's motion fades, from edge to edge by little.
    size = np.linalg.norm(shape_of("jawOpen"), axis=1)
    near = np.linalg.norm(MEAN[:, None] - MEAN[LOOP], axis=2).min(axis=1) < 40
    a, b = MODEL.edges[near[MODEL.edges].all(axis=1)].T
    length = np.linalg.norm(MEAN[a] - MEAN[b], axis=1)
    assert (np.abs(size[a] - size[b]) / length).max() < 0.6


def test_lids_follow_the_eyes() -> None:
    upper, lower = lids(MEAN)
    open_mm = (upper - lower)[1]
    up, low = lids(shape_of("eyeLookDownLeft"))
    assert -5.2 < up[1] < -4.0  # the globe turns by 12.1 mm x sin 25 degrees = 5.1
    assert -2.7 < low[1] < -1.5
    assert 0.7 < 1 + (up - low)[1] / open_mm < 0.85
    up, low = lids(shape_of("eyeLookUpLeft"))
    assert up[1] > 2.2
    assert -0.1 < (up - low)[1] < 0.35  # an eye that blinks there stays shut
    for name, sign in (("eyeLookInLeft", -1), ("eyeLookOutLeft", 1)):
        assert all(1.4 < sign * lid[0] < 2.4 for lid in lids(shape_of(name)))


@pytest.mark.parametrize(
    ("name", "mark", "axis", "low", "high"),
    [
        # Of ICT-FaceKit's largest or landmarks' displacements, at this head's size: 0.9 to 1.1.
        ("mouthPucker", 51, 2, 8.0, 13.0),
        ("browInnerUp", 21, 1, 4.9, 5.9),
        ("browInnerUp", 22, 1, 4.9, 5.9),
        ("mouthLeft", 51, 0, 11.0, 15.0),
        ("mouthRight", 51, 0, -15.0, -11.0),
        ("mouthPressLeft", 54, 0, 2.3, 3.5),
        ("noseSneerLeft", 35, 1, 3.9, 5.6),
    ],
)
def test_strengths(name: str, mark: int, axis: int, low: float, high: float) -> None:
    assert low < marks(shape_of(name), mark)[0, axis] < high


def test_the_brows_come_down_less_with_a_sneer_than_with_their_own_shape() -> None:
    sneer, own = (marks(shape_of(name), 22, 23)[:, 1] for name in ("noseSneerLeft", "browDownLeft"))
    assert (sneer > own).all()


def test_the_tongue_passes_between_lips_and_teeth() -> None:
    shape = shape_of("tongueOut")
    posed = MEAN + shape
    kinds = np.array(MODEL.material_kinds)[MODEL.polygon_material]
    parts = np.load(ASSETS / "face_model.npz")["vertex_part"][MODEL.polygons[:, 0]]
    tongue = np.unique(MODEL.polygons[parts == 5])  # the parts' order is in the header
    assert posed[tongue, 2].max() > marks(posed, 51, 57)[:, 2].max() + 5
    inner = marks(posed, 62, 66)
    through = tongue[np.abs(posed[tongue, 2] - inner[:, 2].mean()) < 4]
    through = through[np.abs(posed[through, 0]) < 4]
    assert inner[1, 1] < posed[through, 1].min() + 0.5
    assert posed[through, 1].max() < inner[0, 1]
    assert 8 < inner[0, 1] - inner[1, 1] < 18  # the open jaw's: 35 mm
    surface = crossings.Surface.of(MODEL.polygons, kinds, MODEL.lid_rings)
    pairs, deep = surface.crossing(posed, surface.near(posed, np.linalg.norm(shape, axis=1) > 0))
    assert not (deep[surface.kind[pairs[:, 1]] == 1] > 0.15).any()


@pytest.mark.parametrize(
    "names",
    [
        ("mouthRollUpper",),
        ("mouthRollLower",),
        ("mouthRollUpper", "mouthRollLower"),
        ("jawForward",),
        ("eyeSquintLeft", "cheekSquintLeft", "eyeSquintRight", "cheekSquintRight"),
    ],
)
def test_skin_stays_out_of_teeth_and_eyes(names: tuple[str, ...]) -> None:
    surface = crossings.Surface.of_model(MODEL)
    shape = shape_of(*names)
    near = surface.near(MEAN + shape, np.linalg.norm(shape, axis=1) > 0, itself=False)
    assert not (surface.crossing(MEAN + shape, near)[1] > 0.15).any()


def test_triangles_that_cross() -> None:
    one = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0]])
    through = np.array([[0.5, 0.5, -0.3], [0.5, 0.5, 1], [0.6, 0.7, 1]])
    above = through + [0, 0, 0.4]
    beside = through + [2, 0, 0]
    found = crossings.cross(np.stack([one] * 3), np.stack([through, above, beside]))
    assert found.tolist() == [True, False, False]
    # Only the corner that is 0.3 mm below has to come out.
    assert crossings.depth(one[None], through[None])[0] <= 0.3 + 1e-9
    swapped = crossings.cross(np.stack([through, above]), np.stack([one] * 2))
    assert swapped.tolist() == [True, False]


def test_a_sheet_gives_way_to_a_ball() -> None:
    """Skin that a shape takes 1 mm into a tooth comes out of it, and what is far away stays."""
    count = 21
    x, y = np.meshgrid(np.linspace(-10, 10, count), np.linspace(-10, 10, count))
    sheet = np.stack([x.ravel(), y.ravel(), np.full(x.size, 22.0)], axis=1)
    at = np.arange(count * count).reshape(count, count)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    skin = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    box = np.array([[i, j, k] for i in (-2.0, 2) for j in (-2.0, 2) for k in (-20.0, 20.3)])
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    solid = np.array([[q[i] for i in t] for q in quads for t in ((0, 1, 2), (0, 2, 3))]) + len(
        sheet
    )
    points = np.concatenate([sheet, box])
    kind = np.repeat([0, 1], [len(skin), len(solid)])
    surface = crossings.Surface(np.concatenate([skin, solid]), kind)
    shape = np.zeros_like(points)
    shape[: len(sheet), 2] = -2.6
    found = Straightener(points[None], surface, np.arange(len(points))).correction(shape, False)
    end = (points + shape + found)[: len(sheet)]
    over = (np.abs(sheet[:, :2]) < 2.4).all(axis=1)
    assert (end[over, 2] > 20.3).all()
    far = (np.abs(sheet[:, :2]) > 9).any(axis=1)
    assert np.abs(found[: len(sheet)][far]).max() < 0.25
    assert not found[len(sheet) :].any()
