"""Lips of a person's own: they rest on each other where an expression presses them together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.bounded import Damaged
from reconstruct_face.backend.exchange.reconstruction import OWN_LIPS
from reconstruct_face.backend.model import lips, load_model
from reconstruct_face.backend.model.own import own_expressions

from tools.build_face_model.crossings import Surface
from tools.build_face_model.gaps import BAR, Slit, random_heads

MODEL = load_model()
NAMES = MODEL.expression_names
RINGS = np.asarray(MODEL.lip_rings)
KINDS = np.array(MODEL.material_kinds)[MODEL.polygon_material]
SHUT = {
    "mouthPucker": ("mouthPucker",),
    "mouthLeft": ("mouthLeft",),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "frown": ("mouthFrownLeft", "mouthFrownRight"),
    "mouthRollUpper": ("mouthRollUpper",),
    "mouthRollLower": ("mouthRollLower",),
    "mouthShrugLower": ("mouthShrugLower",),
    "press": ("mouthPressLeft", "mouthPressRight"),
    "cheekPuff": ("cheekPuff",),
    "closed jaw": ("jawOpen", "mouthClose"),
}
"""Expressions with a shut mouth, in which the model's own shapes sink lips into each other."""


def posed(head: NDArray, basis: NDArray, names: tuple[str, ...]) -> NDArray:
    return (head + sum(basis[NAMES.index(name)] for name in names)).astype(np.float64)


def deep_pairs(surface: Surface, points: NDArray) -> int:
    """How many pairs of triangles of the lips lie more than 0.5 mm within each other."""
    moved = np.zeros(len(points), bool)
    moved[RINGS] = True
    pairs, deep = surface.crossing(points, surface.near(points, moved))
    return int(((surface.kind[pairs[:, 1]] == 0) & (deep > 0.5)).sum())


def mouth_slit() -> Slit:
    return Slit(MODEL.mean, MODEL.polygons, KINDS != "skin", RINGS[lips.SEAM], reach=4.0)


def test_rings_go_around_the_mouth() -> None:
    assert len(np.unique(RINGS)) == RINGS.size
    edges = {frozenset(edge) for edge in MODEL.edges.tolist()}
    for ring in RINGS:
        assert all(frozenset(pair) in edges for pair in zip(ring, np.roll(ring, 1), strict=True))
    for row in RINGS.T:
        assert all(frozenset(pair) in edges for pair in zip(row, row[1:], strict=False))
    seam = RINGS[lips.SEAM]
    assert set(seam.tolist()) == set(
        np.intersect1d(MODEL.polygons[KINDS == "skin"], MODEL.polygons[KINDS == "mouth"]).tolist()
    )
    x, far = MODEL.mean[seam, 0], int(np.argmax(MODEL.mean[seam, 0]))
    assert np.argmin(x) == 0 and (np.diff(x[: far + 1]) > 0).all() and (np.diff(x[far:]) < 0).all()
    # Two rings out, the upper lip is above the lower one.
    out = MODEL.mean[RINGS[lips.SEAM + 3], 1]
    assert out[far // 2] > out[far + (len(x) - far) // 2] + 2


@pytest.mark.parametrize("rings", [RINGS[1:], RINGS[:, :3], RINGS + len(MODEL.mean)])
def test_rings_that_cannot_be_are_damage(rings: NDArray) -> None:
    with pytest.raises(Damaged, match="lip_rings"):
        replace(MODEL, lip_rings=rings).check()


def test_only_the_lips_heights_change_and_in_their_shapes_alone() -> None:
    before = own_expressions(replace(MODEL, lip_rings=None), MODEL.mean)
    after = own_expressions(MODEL, MODEL.mean)
    changed = np.argwhere(before != after)
    assert {NAMES[number] for number in changed[:, 0]} <= set(OWN_LIPS)
    assert set(changed[:, 1].tolist()) <= set(RINGS.ravel().tolist())
    assert set(changed[:, 2].tolist()) == {1}
    assert not (before != after)[:, RINGS[lips.SEAM, 0]].any(), "the corners are both lips'"
    assert 1 < np.abs(after - before).max() < 4


def test_what_is_above_a_line_and_below_it() -> None:
    """A lip whose cut is a wedge: up from (y, z) = (0, 0) to (3, 3), then down to (1, 4)."""
    line = np.array([[[0.0, 0.0], [3.0, 3.0], [1.0, 4.0]]])
    at = np.array([[1.0, 3.5, 5.0]])
    np.testing.assert_allclose(lips._height(line, at, -1.0)[0, :2], [1.0, 2.0])
    back = np.concatenate([line, [[[0.0, 2.0], [0.0, 1.0], [0.0, -1.0]]]], axis=1)
    np.testing.assert_allclose(lips._height(back, at, 1.0)[0, 0], 0.0)
    np.testing.assert_allclose(lips._height(back, at, -1.0)[0, 0], 1.0)
    assert lips._height(line, at, -1.0)[0, 2] == -np.inf
    assert lips._height(line, at, 1.0)[0, 2] == np.inf


def plates(upper: float, lower: float) -> tuple[tuple[lips._Lip, lips._Lip], NDArray]:
    """Two lips of 7 columns, flat from z = 0 to 10 at the heights ``upper`` and ``lower``."""
    x, z = np.meshgrid(np.linspace(-15, 15, 7), np.linspace(0, 10, 11))
    points = [np.stack([x, np.full(x.shape, y), z], axis=-1) for y in (upper, lower)]
    one = np.arange(x.size).reshape(x.shape)
    two = one + x.size
    share = np.ones(7)
    pair = lips._Lip(one, two, share, 1.0), lips._Lip(two, one, share, -1.0)
    return pair, np.concatenate(points).reshape(-1, 3)


def test_lips_that_overlap_meet_midway() -> None:
    pair, points = plates(-1.0, 1.0)
    after = points[:, 1] + lips._change(pair, points, points, shut=True)
    np.testing.assert_allclose(after[:77], -lips.SINK / 2, atol=1e-6)
    np.testing.assert_allclose(after[77:], lips.SINK / 2, atol=1e-6)


def test_a_slit_is_closed_by_both_where_the_mouth_is_to_be_shut() -> None:
    pair, points = plates(0.4, -0.4)
    change = lips._change(pair, points, points, shut=True).reshape(2, 11, 7)
    lip = change[:, lips.SEAM : 6, 2:5]
    np.testing.assert_allclose(lip[0], -0.4, atol=1e-6)
    np.testing.assert_allclose(lip[1], 0.4, atol=1e-6)
    assert (np.abs(change[:, -1]) < 1e-9).all(), "what is far from the lips stays"
    assert not lips._change(pair, points, points, shut=False).any()
    pair, points = plates(2.0, -2.0)
    assert not lips._change(pair, points, points, shut=True).any(), "that one is open"


@pytest.mark.seconds
def test_lips_neither_sink_in_nor_part() -> None:
    surface, mouth = Surface.of_model(MODEL), mouth_slit()
    heads = [MODEL.mean, *random_heads(MODEL, 4, seed=33)]
    counts: dict[str, list[tuple[int, int]]] = {name: [] for name in SHUT}
    gaps = []
    for head in heads:
        own = own_expressions(MODEL, head)
        for label, names in SHUT.items():
            before, after = (posed(head, b, names) for b in (MODEL.expression_basis, own))
            counts[label].append((deep_pairs(surface, before), deep_pairs(surface, after)))
            gaps.append(mouth.gap(after[mouth.vertices]))
    found = np.array(list(counts.values()))
    assert found[..., 0].mean() > 8, "the model's shapes sink lips in"
    assert found[:, 0, 1].max() <= 6, "on the mean head"
    assert found[..., 1].mean() < 2
    assert np.median(gaps) <= BAR["lips"] and max(gaps) < 0.9


def test_a_head_gets_the_same_shapes_wherever_it_stands_and_mirrored_ones() -> None:
    there = np.array([30.0, -20.0, 10.0], np.float32)
    basis = own_expressions(MODEL, MODEL.mean)
    np.testing.assert_allclose(own_expressions(MODEL, MODEL.mean + there), basis, atol=2e-3)
    for left, right in (("mouthLeft", "mouthRight"), ("mouthSmileLeft", "mouthSmileRight")):
        one, other = (basis[NAMES.index(name)] for name in (left, right))
        np.testing.assert_allclose(one[MODEL.symmetry] * [-1, 1, 1], other, atol=0.02)
