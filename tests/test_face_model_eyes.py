"""The embedded model's eyes: sizes of people's, lids on the globe, looks, what is seen of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.face_model import fit_sphere
from reconstruct_face.backend.model.lids import EDGE, SEAM
from reconstruct_face.backend.model.own import own_expressions

MODEL = load_model()
RINGS = np.asarray(MODEL.lid_rings)
BACK = SEAM + 1
MIDDLE = np.r_[4:10, 18:24]
#: Millimetres: source and spread in docs/face_model.md.
GLOBE, CORNEA, APEX, CHAMBER, IRIS, PUPIL = 12.1, 7.8, 13.26, (3.0, 3.6), 11.7, 3.8


def surface(side: int, kind: str, head: NDArray = MODEL.mean) -> NDArray:
    """(N, 3) mm, about the globe's centre, of the vertices of one eye's ``kind``."""
    polygons = MODEL.polygons[MODEL.polygon_material == MODEL.material_kinds.index(kind)]
    ids = np.intersect1d(polygons, MODEL.eyeballs[side])
    return head[ids].astype(float) - fit_sphere(head[MODEL.globes[side]])[0]


def look(name: str) -> NDArray:
    return MODEL.expression_basis[MODEL.expression_names.index(name)]


def over(head: NDArray, side: int, rows: slice | int) -> NDArray:
    """mm of lid vertices over the outside of the eye of ``head``, whatever way it looks."""
    centre, radius = fit_sphere(head[MODEL.globes[side]])
    arms = head[MODEL.eyeballs[side]] - centre
    high = np.linalg.norm(arms, axis=1)
    outside = high > 0.97 * radius
    points = head[RINGS[side, rows]] - centre
    far = np.linalg.norm(points, axis=-1)
    cosine = (points / far[..., None]) @ (arms[outside] / high[outside, None]).T
    near = np.argsort(-cosine, axis=-1)[..., :3]
    return far - high[outside][near].mean(axis=-1)


def random_heads(count: int) -> list[NDArray]:
    rng = np.random.default_rng(4)
    return [MODEL.vertices(rng.normal(size=len(MODEL.identity_basis))) for _ in range(count)]


@pytest.mark.parametrize("side", [0, 1])
def test_sizes_are_those_of_people(side: int) -> None:
    white, cornea, iris = (surface(side, kind) for kind in ("eye", "cornea", "iris"))
    np.testing.assert_allclose(np.linalg.norm(white, axis=1), GLOBE, atol=0.01)
    centre, radius = fit_sphere(cornea)
    assert radius == pytest.approx(CORNEA, abs=0.1) and abs(centre[:2]).max() < 0.01
    assert cornea[:, 2].max() == pytest.approx(APEX, abs=0.01)
    off = np.hypot(cornea[:, 0], cornea[:, 1])
    assert 2 * off.max() == pytest.approx(IRIS, abs=0.15)
    off = np.hypot(iris[:, 0], iris[:, 1])
    front = iris[iris[:, 2] > 9.9]
    pupil = np.hypot(front[:, 0], front[:, 1])
    assert 2 * pupil.min() == pytest.approx(PUPIL, abs=0.01)
    assert CHAMBER[0] < APEX - front[pupil.argmin(), 2] < CHAMBER[1]
    assert 2 * off.max() > IRIS, "the rim lies behind the limbus"
    assert iris[off.argmax(), 2] > front[pupil.argmin(), 2], "a bowl"


def test_white_and_cornea_are_one_surface_and_the_iris_lies_within_it() -> None:
    kind = np.array(MODEL.material_kinds)[MODEL.polygon_material]
    outer = MODEL.polygons[np.isin(kind, ("eye", "cornea"))]
    edges = np.sort(np.stack([outer, np.roll(outer, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert not np.isin(MODEL.polygons[kind == "iris"], outer).any()
    for side in (0, 1):
        iris = surface(side, "iris")
        assert np.linalg.norm(iris, axis=1).max() < GLOBE - 0.03


def test_corneas_lashes_and_tears_are_no_triangles_of_what_is_seen() -> None:
    kinds = np.array(MODEL.material_kinds)[MODEL.polygon_material]
    seen = kinds[MODEL.polygon_of_face]
    assert set(kinds) - set(seen) == {"cornea", "lashes", "tear"}
    corners = MODEL.polygons[MODEL.polygon_of_face]
    assert (MODEL.faces[:, :1] == corners[:, :1]).all()
    assert (
        len(MODEL.uv_faces)
        == len(MODEL.faces)
        == 2 * (~np.isin(kinds, ("cornea", "lashes", "tear"))).sum()
    )


def test_eyes_are_spheres_in_every_identity_and_hardly_differ_in_size() -> None:
    radii = []
    for head in random_heads(60):
        for globe in MODEL.globes:
            centre, radius = fit_sphere(head[globe])
            assert np.linalg.norm(head[globe] - centre, axis=1).std() < 0.02
            radii.append(radius)
    assert np.std(radii) < 0.03 * GLOBE and (np.abs(np.array(radii) / GLOBE - 1) < 0.08).all()


def test_lids_lie_on_the_globe_of_every_head() -> None:
    for head in [MODEL.mean, *random_heads(60)]:
        for side in (0, 1):
            back = over(head, side, BACK)[MIDDLE]
            assert back.min() > -0.9 and back.max() < 0.75
            assert over(head, side, SEAM).max() < 0.6, "no gap beside the globe"
            assert over(head, side, slice(EDGE, EDGE + 3)).min() > 0, "no eyeball through a lid"


@pytest.mark.parametrize("name", ["eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeWide"])
def test_lids_keep_before_the_eye_however_it_looks(name: str) -> None:
    for head in [MODEL.mean, *random_heads(15)]:
        for weight in (0.5, 1.0):
            posed = head + weight * look(f"{name}Left")
            assert over(posed, 1, slice(EDGE, EDGE + 2)).min() > -0.1


@pytest.mark.parametrize(
    "action, axis, sign", [("Up", 1, 1), ("Down", 1, -1), ("In", 0, -1), ("Out", 0, 1)]
)
@pytest.mark.parametrize("side", ["Left", "Right"])
def test_a_look_turns_the_eye_and_keeps_its_size(
    action: str, axis: int, sign: int, side: str
) -> None:
    shape, which = look(f"eyeLook{action}{side}"), int(side == "Left")
    ids = MODEL.eyeballs[which]
    front = ids[np.argmax(MODEL.mean[ids, 2])]
    centre, radius = fit_sphere(MODEL.mean[MODEL.globes[which]])
    sign = -sign if axis == 0 and side == "Right" else sign
    for weight in (0.25, 0.5, 0.75, 1.0):
        moved = MODEL.mean + weight * shape - centre
        away = np.linalg.norm(moved[MODEL.globes[which]], axis=1)
        assert np.abs(away / radius - 1).max() < 0.021
        angle = np.degrees(np.arctan2(moved[front, axis] * sign, moved[front, 2]))
        assert 18 * weight < angle < 30 * weight
    assert np.abs(shape[MODEL.eyeballs[1 - which]]).max() == 0


def lashes(side: int) -> NDArray:
    """(N, 6) vertex ids: the two of the root, of the middle, of the tip."""
    return MODEL.of_kind("lashes")[side].reshape(-1, 6)


def test_lashes_grow_on_both_lids_and_are_as_long_as_peoples() -> None:
    left, right = MODEL.mean[lashes(1)].astype(float), MODEL.mean[lashes(0)].astype(float)
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-3)
    middle = left.reshape(-1, 3, 2, 3).mean(axis=2)
    length = np.linalg.norm(middle[:, 2] - middle[:, 0], axis=1)
    upper = middle[:, 2, 1] > middle[:, 0, 1]
    assert 80 < upper.sum() < 120 and 40 < (~upper).sum() < 60
    assert 6 < length[upper].max() < 10 and 4 < length[~upper].max() < 7
    assert (middle[:, 2, 2] > middle[:, 0, 2]).all(), "ahead"
    width = np.linalg.norm(left[:, 1] - left[:, 0], axis=1)
    assert width.max() < 0.2


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_lashes_stay_on_the_lids_of_every_head(weight: float) -> None:
    blinks = [MODEL.expression_names.index(f"eyeBlink{side}") for side in ("Right", "Left")]
    for head in [MODEL.mean, *random_heads(10)]:
        basis = own_expressions(MODEL, head)
        for side, blink in enumerate(blinks):
            posed = head + weight * basis[blink]
            roots = posed[lashes(side)[:, :2]].mean(axis=1)
            rings = posed[RINGS[side, EDGE : EDGE + 2]].reshape(-1, 3)
            at_rest = MODEL.mean[RINGS[side, EDGE : EDGE + 2]].reshape(-1, 3)
            usual = MODEL.mean[lashes(side)[:, :2]].mean(axis=1)
            gap, before = (
                np.linalg.norm(a[:, None] - b, axis=2).min(axis=1)
                for a, b in ((roots, rings), (usual, at_rest))
            )
            assert (gap - before).max() < 1.0


def test_upper_lashes_turn_down_with_the_closed_lid() -> None:
    index = MODEL.expression_names.index("eyeBlinkLeft")
    tips = lashes(1)
    middle = MODEL.mean[tips].reshape(-1, 3, 2, 3).mean(axis=2)
    upper = middle[:, 2, 1] > middle[:, 0, 1] + 1
    closed = (MODEL.mean + own_expressions(MODEL, MODEL.mean)[index])[tips]
    closed = closed.reshape(-1, 3, 2, 3).mean(axis=2)[upper]
    assert np.median(closed[:, 2, 1] - closed[:, 0, 1]) < 0
    assert np.median(middle[upper, 2, 1] - middle[upper, 0, 1]) > 2
