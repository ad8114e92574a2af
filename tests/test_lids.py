"""Blinks of a person's own: lids that meet, and no eyeball in front of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.bounded import Damaged
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.face_model import fit_sphere
from reconstruct_face.backend.model.lids import EDGE, OVERLAP, SEAM
from reconstruct_face.backend.model.own import own_expressions, own_head
from scipy.spatial import cKDTree

from tools.build_face_model.gaps import BAR, Slit, eye_materials, lid_gaps

MODEL = load_model()
BLINKS = [MODEL.expression_names.index(f"eyeBlink{side}") for side in ("Right", "Left")]
RINGS = np.asarray(MODEL.lid_rings)


def swollen(head: NDArray, by: float) -> NDArray:
    """The ``head`` (V, 3) with eyeballs whose radius is ``by`` mm larger."""
    head = head.copy()
    for ids, globe in zip(MODEL.eyeballs, MODEL.globes, strict=True):
        arm = head[ids] - fit_sphere(head[globe])[0].astype(np.float32)
        head[ids] += by * arm / np.linalg.norm(arm, axis=1, keepdims=True)
    return head


def away(head: NDArray, basis: NDArray, weight: float) -> NDArray:
    """(2, R, L) mm of the lids' vertices from the eye's outside, the cornea's too, with the eyes
    closed by ``weight``."""
    found = []
    for ids, globe, rings, index in zip(MODEL.eyeballs, MODEL.globes, RINGS, BLINKS, strict=True):
        center, radius = fit_sphere(head[globe])
        arms = head[ids] - center
        high = np.linalg.norm(arms, axis=1)
        outside = high > 0.98 * radius
        points = head[rings] + weight * basis[index][rings] - center
        far = np.linalg.norm(points, axis=2)
        tree = cKDTree(arms[outside] / high[outside, None])
        near = tree.query(points / far[..., None], k=3)[1]
        found.append(far - high[outside][near].mean(axis=-1))
    return np.array(found)


def test_rings_go_around_the_eyes() -> None:
    right, left = RINGS
    np.testing.assert_array_equal(MODEL.symmetry[left], right)
    assert len(np.unique(RINGS)) == RINGS.size
    edges = {frozenset(edge) for edge in MODEL.edges.tolist()}
    for ring in [*right, *left]:
        assert all(frozenset(pair) in edges for pair in zip(ring, np.roll(ring, 1), strict=True))
    for row in (*right.T, *left.T):
        assert all(frozenset(pair) in edges for pair in zip(row, row[1:], strict=False))
    upper, lower = RINGS[:, EDGE, 2:12], RINGS[:, EDGE, ::-1][:, 2:12]
    assert (MODEL.mean[upper, 1] > MODEL.mean[lower, 1] + 0.5).all()
    assert np.abs(MODEL.mean[upper, 0] - MODEL.mean[lower, 0]).max() < 3
    inner, outer = MODEL.mean[RINGS[:, SEAM, 0]], MODEL.mean[RINGS[:, SEAM, 13]]
    assert (np.abs(inner[:, 0]) < np.abs(outer[:, 0]) - 15).all()


@pytest.mark.parametrize("rings", [RINGS[..., 1:], RINGS[:, 1:], RINGS + len(MODEL.mean)])
def test_rings_that_cannot_be_are_damage(rings: NDArray) -> None:
    with pytest.raises(Damaged, match="lid_rings"):
        replace(MODEL, lid_rings=rings).check()


def test_only_the_lids_of_the_two_blinks_change() -> None:
    basis = own_expressions(replace(MODEL, lip_rings=None), MODEL.mean)
    changed = np.argwhere(np.abs(basis - MODEL.expression_basis).max(axis=2) > 0)
    assert set(changed[:, 0].tolist()) == set(BLINKS) and basis.dtype == np.float32
    sides = zip(BLINKS, RINGS, MODEL.of_kind("lashes"), MODEL.of_kind("tear"), strict=True)
    for index, rings, lashes, tears in sides:
        lids = set(rings.ravel().tolist()) | set(lashes.tolist()) | set(tears.tolist())
        assert set(changed[changed[:, 0] == index, 1].tolist()) <= lids
    without = replace(MODEL, lid_rings=None, lip_rings=None)
    assert own_expressions(without, MODEL.mean) is MODEL.expression_basis
    names = tuple(name.replace("eyeBlink", "wink") for name in MODEL.expression_names)
    basis = own_expressions(replace(MODEL, expression_names=names, lip_rings=None), MODEL.mean)
    np.testing.assert_array_equal(basis, MODEL.expression_basis)


def test_the_lids_edges_meet_wherever_they_were_apart() -> None:
    """A head whose upper lids are 2 mm higher, and 1 mm further back, than the average's."""
    head = MODEL.mean.copy()
    head[RINGS[:, :, :14]] += np.array([0, 2, -1], np.float32)
    before, after = (
        (head + basis[BLINKS[0]])[RINGS[0, EDGE]]
        for basis in (MODEL.expression_basis, own_expressions(MODEL, head))
    )
    apart = [closed[4:10] - closed[::-1][4:10] for closed in (before, after)]
    assert apart[0][:, 1].mean() > 0.5 and apart[0][:, 1].max() > 1.5
    assert apart[1][:, 1].min() > -OVERLAP - 0.3 and apart[1][:, 1].max() < 0
    assert np.abs(apart[1][:, 2]).max() < 0.8


@pytest.mark.parametrize("by", [0.0, 1.0])
def test_no_lid_lies_within_the_eyeball(by: float) -> None:
    head = swollen(MODEL.mean, by)
    basis = own_expressions(MODEL, head)
    closed, half = away(head, basis, 1.0), away(head, basis, 0.5)
    assert closed[:, EDGE:].min() > 0.2 and half[:, EDGE + 1 :].min() > 0.0
    if by:
        assert away(head, MODEL.expression_basis, 1.0)[:, EDGE:].min() < -0.1


def test_where_a_head_stands_does_not_matter() -> None:
    there = np.array([30.0, -20.0, 10.0], np.float32)
    np.testing.assert_allclose(
        own_expressions(MODEL, MODEL.mean + there), own_expressions(MODEL, MODEL.mean), atol=1e-3
    )


def test_a_posed_head_is_its_neutral_one_and_its_own_shapes() -> None:
    rng = np.random.default_rng(2)
    identity, weights = rng.normal(size=40), rng.uniform(size=len(MODEL.expression_names))
    head = own_head(MODEL, identity, weights)
    np.testing.assert_array_equal(head.neutral, MODEL.vertices(identity))
    moved = np.tensordot(weights, head.expression_basis.astype(float), 1)
    np.testing.assert_allclose(head.posed, head.neutral + moved, atol=1e-3)
    np.testing.assert_array_equal(head.expression_basis, own_expressions(MODEL, head.neutral))


def test_the_gap_is_what_one_sees_of_the_eyeball() -> None:
    """It is the lids' opening with the eyes open, by the landmarks 37 and 41, 43 and 47."""
    eyeball = np.isin(MODEL.polygon_material, eye_materials(MODEL))
    eye = Slit(MODEL.mean, MODEL.polygons, eyeball, RINGS[1, EDGE], reach=6.0)
    corners = MODEL.mean[MODEL.landmarks68_triangles[[43, 47]]]
    upper, lower = np.einsum("lc,lcx->lx", MODEL.landmarks68_barycentric[[43, 47]], corners)
    assert abs(eye.gap(MODEL.mean[eye.vertices]) - (upper[1] - lower[1])) < 1.5


@pytest.mark.seconds
def test_lids_meet_on_random_heads() -> None:
    gaps = lid_gaps(MODEL, 60)
    assert gaps.shape == (60,) and gaps.max() <= BAR["lids"]
    assert lid_gaps(MODEL, 60, own=False).max() > BAR["lids"]
