"""What two kinds of networks say of an expression, put together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from reconstruct_face.backend.fit.brows import (
    AT_REST,
    INNER_SCORE_SIGMA,
    LOWERED_MM,
    RAISED_MM,
    RESTING_MM,
    RESTING_SIGMA_MM,
    movement,
    read_brows,
)
from reconstruct_face.backend.fit.expression_prior import Opinions, expression_prior
from reconstruct_face.backend.fit.prior import Prior
from reconstruct_face.backend.fit.resting import RestingBrows
from reconstruct_face.backend.fit.scores import (
    FRAME_SCALES,
    SCALES,
    Scale,
    expected,
    look_at,
    together,
)
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import landmark_points
from reconstruct_face.backend.network.face_landmarker import NAMES, POINTS, FaceMesh
from reconstruct_face.backend.network.regions import RegionReading, regions_of
from scipy.integrate import quad
from scipy.spatial.transform import Rotation
from scipy.stats import norm

MODEL = load_model()
TEMPLATE = landmark_points(MODEL, MODEL.mean, MODEL.landmarks68)


def mesh(presence: float = 1.0, **scores: float) -> FaceMesh:
    values = np.zeros(len(NAMES))
    for name, score in scores.items():
        values[NAMES.index(name)] = score
    return FaceMesh(np.zeros((POINTS, 2)), presence, values)


def reading(sigma: float = 0.05, **means: float) -> RegionReading:
    return RegionReading(tuple(means), np.array([*means.values()]), np.full(len(means), sigma), {})


@pytest.mark.parametrize("mean", [-0.1, 0.05, 0.2, 0.35, 0.6, 1.0, 1.2])
@pytest.mark.parametrize("sigma", [0.08, 0.15])
def test_expected_is_the_mean_over_rest_and_all_movements(mean: float, sigma: float) -> None:
    """Against Bayes' rule by quadrature."""
    rest = 0.7

    def moment(power: int) -> float:
        return (1 - rest) * quad(lambda w: w**power * norm.pdf(mean, w, sigma), 0, 1)[0]

    by_hand = moment(1) / (moment(0) + rest * norm.pdf(mean, 0, sigma))
    assert expected(mean, sigma, rest) == pytest.approx(by_hand, abs=1e-4)


def test_a_lid_is_the_mean_by_precision() -> None:
    scale = SCALES["eyeBlink"]
    ours, theirs = 0.3**-2, scale.sigma**-2
    found = together(reading(0.3, eyeBlinkLeft=0.2), mesh(eyeBlinkLeft=0.6)).regions
    assert found.mean[0] == pytest.approx((ours * 0.2 + theirs * 0.6) / (ours + theirs))
    assert found.sigma[0] == pytest.approx((ours + theirs) ** -0.5)
    # However sure ours is, the other one counts as much.
    found = together(reading(0.01, eyeBlinkLeft=0.2), mesh(eyeBlinkLeft=0.6)).regions
    assert found.mean[0] == pytest.approx(0.4)


def test_a_smile_needs_both() -> None:
    def smile(ours: float, theirs: float) -> float:
        look = together(reading(mouthSmileLeft=ours), mesh(mouthSmileLeft=theirs))
        return float(look.regions.mean[0])

    assert smile(0.05, 0.6) < 0.2  # a shout
    assert smile(0.2, 0.0) < 0.05
    assert smile(0.4, 0.9) > 0.5
    assert smile(0.8, 0.9) > 0.75


def test_lips_that_rest_low_are_no_frown_and_corners_pulled_down_are_one() -> None:
    def frown(ours: float, theirs: float) -> float:
        look = together(reading(mouthFrownRight=ours), mesh(mouthFrownRight=theirs))
        return float(look.regions.mean[0])

    assert frown(0.35, 0.0) < 0.1
    assert frown(0.1, 0.3) > 0.3


def test_of_the_jaw_only_more_is_believed() -> None:
    parted = together(reading(jawOpen=0.25), mesh(jawOpen=0.0)).regions
    assert (parted.mean[0], parted.sigma[0]) == (0.25, 0.05)
    assert together(reading(jawOpen=0.2), mesh(jawOpen=0.7)).regions.mean[0] > 0.4


def test_what_google_does_not_know_stays() -> None:
    ours = reading(noseSneerLeft=0.3, mouthPressRight=0.4)
    found = together(ours, mesh(noseSneerLeft=1.0)).regions
    np.testing.assert_array_equal(found.mean, ours.mean)
    np.testing.assert_array_equal(found.sigma, ours.sigma)


def test_rounded_lips_are_believed_of_faces_that_speak_and_less_of_photos() -> None:
    """Ours is nearly blind to them; full lips at rest score as rounded ones do."""
    ours = reading(mouthPucker=0.05)

    def said(score: float, scales: Mapping[str, Scale]) -> float:
        return float(together(ours, mesh(mouthPucker=score), scales).regions.mean[0])

    assert said(0.0, SCALES) < 0.05 and said(0.0, FRAME_SCALES) < 0.05
    assert said(0.4, SCALES) < 0.15 < said(0.6, FRAME_SCALES)
    assert 0.3 < said(0.85, SCALES) < said(0.85, FRAME_SCALES) < 0.85


def test_where_there_is_no_face_ours_stands_alone() -> None:
    ours = reading(eyeBlinkLeft=0.2)
    look = together(ours, mesh(0.1, eyeBlinkLeft=0.9, browInnerUp=0.9))
    assert look.regions is ours and look.raised is None


@pytest.mark.parametrize(("yaw", "asked"), [(0, True), (-35, True), (50, False), (-70, False)])
def test_of_a_face_from_the_side_ours_are_asked_alone(
    yaw: float, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = mesh(browInnerUp=0.8, eyeBlinkLeft=1.0)
    monkeypatch.setattr("reconstruct_face.backend.fit.scores.face_mesh", lambda *_: said)
    reader = regions_of(MODEL)
    assert reader is not None
    turned = TEMPLATE @ Rotation.from_euler("Y", yaw, degrees=True).as_matrix().T
    marks = 3.0 * turned[:, :2] * (1, -1) + (500.0, 300.0)
    pixels = np.random.default_rng(2).integers(0, 255, (700, 1000, 3)).astype(np.uint8)
    look = look_at(reader, pixels, marks, 1)
    assert (look.raised is not None) == asked and (look.lids is not None) == asked
    blink = look.regions.names.index("eyeBlinkLeft")
    alone = reader.read(pixels, marks).mean[blink]
    assert (look.regions.mean[blink] == alone) == (not asked)


@pytest.mark.parametrize(("height", "score"), [(-2.0, 0.1), (-7.0, 0.6), (4.0, 0.0), (4.0, 0.7)])
def test_height_and_score_of_a_brow_by_bayes_rule(height: float, score: float) -> None:
    def joint(w: float) -> float:
        moved = RESTING_MM + (RAISED_MM if w > 0 else LOWERED_MM) * w
        said = norm.pdf(score, max(w, 0), INNER_SCORE_SIGMA)
        return float(norm.pdf(height, moved, RESTING_SIGMA_MM) * said)

    share = (1 - AT_REST) / 2
    whole = AT_REST * joint(0.0) + share * (quad(joint, -1, 0)[0] + quad(joint, 0, 1)[0])
    raised = share * quad(lambda w: w * joint(w), 0, 1)[0] / whole
    assert movement(height, (score, INNER_SCORE_SIGMA))[0] == pytest.approx(raised, abs=0.01)


def test_low_brows_may_be_raised_and_arched_ones_at_rest() -> None:
    def seen(rise: float) -> np.ndarray:
        points = TEMPLATE.copy()
        points[17:27, 1] += RESTING_MM + rise
        return 3.0 * points[:, :2] * (1, -1)

    low = read_brows(seen(-2.0), TEMPLATE, (0.6, 0.4, 0.4))
    assert low.inner_raised > 0.4 and min(low.raised) > 0.3
    arched = read_brows(seen(5.0), TEMPLATE, (0.1, 0.6, 0.6))
    assert arched.inner_raised < 0.15 and max(arched.raised) < 0.15
    one = read_brows(seen(3.0), TEMPLATE, (0.2, 0.9, 0.1))
    assert one.raised[0] > one.raised[1] + 0.3
    unmarked = read_brows(None, TEMPLATE, (0.8, 0.6, 0.6))
    assert unmarked.inner_raised > 0.6 and min(unmarked.raised) > 0.4
    assert max(unmarked.lowered) < 0.01


def test_brows_that_score_as_raised_in_every_frame_do_not_rest_there() -> None:
    heights, lowered = np.full((20, 2, 2), 5.0), np.zeros((20, 2))
    unknown = RestingBrows.of(heights, lowered)
    raised = RestingBrows.of(heights, lowered, [(0.7, 0.6, 0.6)] * 20)
    at_rest = RestingBrows.of(heights, lowered, [(0.0, 0.0, 0.0)] * 20)
    assert raised.middles[0] < unknown.middles[0] - 0.5 < at_rest.middles[0] - 0.5
    points = TEMPLATE.copy()
    points[17:27, 1] += 5.0
    marks = 3.0 * points[:, :2] * (1, -1)
    reader = unknown.reader()
    found = [reader.read(marks, TEMPLATE, one).inner_raised for one in (None, (0.7, 0.5, 0.5))]
    assert found[1] > found[0] + 0.2


def test_people_s_habits_are_not_asked_of_what_two_networks_say() -> None:
    habits, names = Prior.of_model(MODEL), tuple(MODEL.expression_names)
    said = reading(0.1, mouthFrownLeft=0.8)
    alone = expression_prior(habits, habits, Opinions(said, None, lips_touch=False), names)
    both = Opinions(said, None, lips_touch=False, raised=(0.0, 0.0, 0.0))
    found = expression_prior(habits, habits, both, names)
    i = names.index("mouthFrownLeft")
    assert found.expression[i] == pytest.approx(0.8, abs=1e-6) != alone.expression[i]
