"""The regressor from contours to expression, and what the solve makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.fit.contour_features import joined, mark_features
from reconstruct_face.backend.fit.expression_regressor import regressor_of
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.geometry.upright import without_pose
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import seen_landmarks
from reconstruct_face.backend.training.contours.expressions import sample_expressions
from reconstruct_face.backend.training.contours.heads import Sampler
from reconstruct_face.backend.training.contours.observed import observed_features
from scipy.spatial.transform import Rotation

MODEL = load_model()
NAMES = tuple(MODEL.expression_names)


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler(MODEL)


def column(name: str) -> int:
    return NAMES.index(name)


def test_features_do_not_depend_on_place_size_and_roll(sampler: Sampler) -> None:
    heads = sampler.draw(20, np.random.default_rng(1))
    angle = np.radians(25.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = 3.7 * heads.posed.astype(np.float64) @ turn.T + (400.0, -20.0)
    plain = mark_features(heads.posed, sampler.template)
    np.testing.assert_allclose(mark_features(moved, sampler.template), plain, atol=2e-3)


def test_a_rigid_view_leaves_no_residual(sampler: Sampler) -> None:
    turn = Rotation.from_euler("YXZ", (25, 10, 40), degrees=True).as_matrix()
    pixels = 2.0 * sampler.template @ (FACING @ turn)[:2].T + (100, 50)
    missed, rows = without_pose(pixels[None], sampler.template, np.ones(68))
    np.testing.assert_allclose(missed, 0, atol=1e-9)
    np.testing.assert_allclose(rows[0] @ rows[0].T, np.eye(2), atol=1e-9)


def test_heads_are_seen_as_the_fit_sees_them(sampler: Sampler) -> None:
    rng = np.random.default_rng(2)
    identity, expression = rng.normal(size=(3, 144)), sample_expressions(NAMES, 3, rng)
    angles = np.array([[30.0, 5, 3], [-22, -8, -4], [2, 0, 0]])
    distance = np.array([900.0, 500, 1500])
    heads = sampler.seen(identity, expression, angles, distance)
    for i in range(3):
        turn = Rotation.from_euler("YXZ", angles[i] * (1, -1, -1), degrees=True).as_matrix()
        at = np.array([0, 0, distance[i]])
        camera = Camera(intrinsics(distance[i], (1, 1)), FACING @ turn, at)
        vertices = MODEL.vertices(identity[i], expression[i])
        truth = camera.project(seen_landmarks(MODEL, vertices, camera))
        np.testing.assert_allclose(heads.posed[i], truth, atol=1e-3)


def test_drawn_expressions_are_varied_and_go_together() -> None:
    weights = sample_expressions(NAMES, 6000, np.random.default_rng(3))
    assert weights.min() >= 0 and weights.max() <= 1
    often = (weights > 0.3).mean(axis=0)
    for name in ("browInnerUp", "browDownLeft", "eyeBlinkLeft", "mouthFrownLeft", "eyeWideLeft"):
        assert often[column(name)] > 0.08, name
    pairs = (("mouthSmileLeft", "cheekSquintLeft", 0.4), ("browDownLeft", "noseSneerLeft", 0.3))
    for one, other, least in pairs:
        both = weights[:, [column(one), column(other)]]
        assert np.corrcoef(both.T)[0, 1] > least, one
    winks = np.abs(weights[:, column("eyeBlinkLeft")] - weights[:, column("eyeBlinkRight")]) > 0.5
    assert 0.02 < winks.mean() < 0.08


@pytest.mark.parametrize("without", [None, "marks", "mesh"])
def test_shipped_regressor_reads_unseen_heads(sampler: Sampler, without: str | None) -> None:
    regressor = regressor_of(MODEL)
    assert regressor is not None
    rng = np.random.default_rng(4)
    heads = sampler.draw(3000, rng)
    features = observed_features(heads, sampler.template, rng)
    both = (features[:, 140] > 0) & (features[:, -1] > 0)
    features, truth = features[both], heads.expression[both]
    if without == "marks":
        features[:, :141] = 0
    if without == "mesh":
        features[:, 141:] = 0
    means, sigmas = regressor.run(features)
    # The mesh's nine distances tell less, and brows that come down hardly at all.
    least = {"jawOpen": 0.85, "eyeBlinkLeft": 0.65}
    if without != "marks":
        least |= {"eyeBlinkLeft": 0.8, "mouthSmileLeft": 0.6, "browDownLeft": 0.55}
    for name, bar in least.items():
        i = column(name)
        assert np.corrcoef(means[:, i], truth[:, i])[0, 1] > bar, name
    standard = np.sqrt(np.square((truth - means) / sigmas).mean(axis=0))
    assert 0.8 < np.median(standard) < 1.25


def test_a_wink_stays_on_its_side(sampler: Sampler) -> None:
    regressor = regressor_of(MODEL)
    assert regressor is not None
    expression = np.zeros((2, len(NAMES)))
    expression[1, column("eyeBlinkLeft")] = 1.0
    heads = sampler.seen(np.zeros((2, 144)), expression, np.zeros((2, 3)), np.full(2, 900.0))
    opinion = regressor.opinion(heads.posed[1])
    assert opinion.mean[column("eyeBlinkLeft")] > opinion.mean[column("eyeBlinkRight")] + 0.4
    assert np.linalg.eigvalsh(opinion.covariance).min() > 0


def test_nothing_given_is_refused() -> None:
    with pytest.raises(ValueError, match="Neither"):
        joined(None, None)


def test_loose_points_tell_nothing_however_they_go_together() -> None:
    noise = dlib_noise()
    loose = noise.without(np.array([37]), 50.0)
    assert loose.loose == (37,)
    told = np.linalg.inv(loose.covariance)
    before = np.linalg.inv(noise.covariance)
    for row in (74, 75):
        assert told[row, row] < 0.01 * before[row, row]


def test_brows_of_people_are_marked_lower() -> None:
    drop = dlib_noise().on_people().bias[0] - dlib_noise().bias[0]
    assert drop[17:27, 1] == pytest.approx(2.7)
    assert not drop[:17].any() and not drop[27:].any() and not drop[:, 0].any()
