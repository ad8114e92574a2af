"""Eyebrows by their height, and lips that touch: what is said of them, and what the solve does."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.fit.brows import (
    AT_REST,
    LOWERED_MM,
    RAISED_MM,
    RESTING_MM,
    RESTING_SIGMA_MM,
    brow_heights,
    movement,
    read_brows,
)
from reconstruct_face.backend.fit.mouth import FACING_LIPS, TOUCHING_MM, lips_touch
from reconstruct_face.backend.fit.observation import Observation, State
from reconstruct_face.backend.fit.prior import Prior
from reconstruct_face.backend.fit.refine.priors import LIPS_PRESSED_MM, LandmarkTerms
from reconstruct_face.backend.fit.refine.solve import Problem
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import landmark_points
from scipy.integrate import quad
from scipy.spatial.transform import Rotation
from scipy.stats import norm

MODEL = load_model()
TEMPLATE = landmark_points(MODEL, MODEL.mean, MODEL.landmarks68)


def seen(points: np.ndarray, yaw: float = 0.0, roll: float = 0.0, scale: float = 3.0) -> np.ndarray:
    """(68, 2) pixels of ``points`` (68, 3), far away; y is down."""
    turned = points @ Rotation.from_euler("ZY", (roll, yaw), degrees=True).as_matrix().T
    return scale * turned[:, :2] * (1, -1) + (500.0, 300.0)


@pytest.mark.parametrize("height", [-15.0, -6.0, -2.8, 0.0, 3.5, 9.0])
def test_movement_is_the_mean_over_all_that_explains_the_height(height: float) -> None:
    """Against the integral of Bayes' rule by quadrature."""

    def joint(w: float) -> float:
        moved = RESTING_MM + (RAISED_MM if w > 0 else LOWERED_MM) * w
        return (1 - AT_REST) / 2 * float(norm.pdf(height, moved, RESTING_SIGMA_MM))

    whole = AT_REST * norm.pdf(height, RESTING_MM, RESTING_SIGMA_MM)
    whole += quad(joint, -1, 0)[0] + quad(joint, 0, 1)[0]
    raised = quad(lambda w: w * joint(w), 0, 1)[0] / whole
    lowered = quad(lambda w: -w * joint(w), -1, 0)[0] / whole
    assert movement(height) == pytest.approx((raised, lowered), abs=0.01)


def test_movement_of_an_impossible_height_is_all_of_it() -> None:
    assert movement(1e4) == pytest.approx((1.0, 0.0))
    assert movement(-1e4) == pytest.approx((0.0, 1.0))


def test_heights_are_those_over_the_mean_head_in_any_pose() -> None:
    raised = TEMPLATE.copy()
    raised[20:24, 1] += 4.0  # inner
    raised[25:27, 1] -= 1.5  # the left one's outer part
    for view in ({}, {"roll": 25.0}, {"yaw": 30.0, "roll": -10.0}, {"scale": 0.4}):
        inner, outer = brow_heights(seen(raised, **view), TEMPLATE)
        np.testing.assert_allclose(inner, 4.0, atol=1e-6)
        np.testing.assert_allclose(outer, [0.0, -1.5], atol=1e-6)


def test_brows_rest_at_an_ordinary_height_and_are_raised_far_above() -> None:
    ordinary = TEMPLATE.copy()
    ordinary[17:27, 1] += RESTING_MM
    at_rest = read_brows(seen(ordinary), TEMPLATE).weights()
    assert max(value for value, _ in at_rest.values()) < 0.12
    ordinary[17:22, 1] += 11.0  # the right brow alone
    found = read_brows(seen(ordinary, yaw=15), TEMPLATE)
    assert found.raised[0] > 0.4 and found.raised[1] < 0.12
    assert found.lowered[0] < 0.02
    assert found.inner_raised < found.raised[0]  # as the left one rests


@pytest.mark.parametrize("scale", [0.5, 4.0])
def test_lips_touch_where_detector_and_network_together_say_so(scale: float) -> None:
    def mouth(gap: float) -> np.ndarray:
        marks = TEMPLATE.copy()
        upper, lower = np.transpose(FACING_LIPS)
        middle = (marks[upper] + marks[lower]) / 2
        marks[upper], marks[lower] = middle + (0, gap / 2, 0), middle - (0, gap / 2, 0)
        return seen(marks, scale=scale)

    def said(gap: float) -> dict[int, tuple[float, float]]:
        return {i: (float(x), float(y)) for i, (x, y) in enumerate(mouth(gap))}

    half = TOUCHING_MM / 2
    assert lips_touch(mouth(half - 0.1), said(half - 0.1), TEMPLATE)
    assert not lips_touch(mouth(half + 0.1), said(half + 0.1), TEMPLATE)
    assert not lips_touch(mouth(0.0), said(TOUCHING_MM + 0.2), TEMPLATE)
    assert lips_touch(mouth(TOUCHING_MM - 0.4), said(0.2), TEMPLATE)


def test_lips_that_touch_are_closed_by_the_solve() -> None:
    """Landmarks of a jaw that is a little open say otherwise."""
    camera = Camera(intrinsics(1200.0, (512, 512)), FACING, np.array([0.0, 0.0, 900.0]))
    start = State(
        camera, np.zeros(len(MODEL.identity_basis)), np.zeros(len(MODEL.expression_basis))
    )

    def apart(identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        head = MODEL.vertices(identity, expression)
        upper, lower = landmark_points(MODEL, head, MODEL.landmarks68)[np.transpose(FACING_LIPS)]
        return upper[:, 1] - lower[:, 1]

    ajar = np.zeros(len(MODEL.expression_basis))
    ajar[MODEL.expression_names.index("jawOpen")] = 0.2
    marks = landmark_points(MODEL, MODEL.vertices(start.identity, ajar), MODEL.landmarks68)

    def lips(touch: bool) -> tuple[np.ndarray, State]:
        observation = Observation(
            np.zeros((8, 8, 3), np.uint8),
            np.eye(3),
            (512, 512),
            network_landmarks=camera.project(marks),
            network_sigma=np.full(68, 2.0),
            lips_touch=touch,
        )
        prior = Prior.of_model(MODEL)
        terms = LandmarkTerms(MODEL, observation, prior, None)
        state = start
        problem = Problem(MODEL, prior, terms, (512, 512))
        for _ in range(4):
            state, _ = problem.step(state, None)
        return apart(state.identity, state.expression), state

    shut = apart(start.identity, 0 * ajar)
    assert lips(touch=False)[0].min() > shut.max() + 1.5
    together, closed = lips(touch=True)
    assert np.abs(together - (shut - LIPS_PRESSED_MM)).max() < 0.4
    assert np.abs(closed.identity).max() < 1.5  # a likely head
