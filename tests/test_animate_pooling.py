"""What a film's frames say of the expression, put together: brows at rest, shares, shut lips."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.animate.pooling import (
    LEAST_SIGMA,
    LOWERED_SIGMA,
    OPEN_MM,
    RAISED_SIGMA,
    SHARES,
    SHUT_MM,
    Pool,
    Seen,
    apart_by,
)
from reconstruct_face.backend.animate.smooth import smooth_motion, whole_closures
from reconstruct_face.backend.animate.solve import FrameSolver, WeightPrior
from reconstruct_face.backend.fit import brows as by_detector
from reconstruct_face.backend.fit.brows import Brows, movement
from reconstruct_face.backend.fit.landmark_fit import EXPRESSION_SIGMA, FitSettings
from reconstruct_face.backend.fit.mouth import FACING_LIPS
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.fit.resting import (
    FRAMES_COUNT,
    HEIGHT_SIGMA_MM,
    LOWERED_MM,
    RAISED_MM,
    RESTING_MM,
    RESTING_SIGMA_MM,
    RestingBrows,
    heights_of,
)
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import landmark_points
from reconstruct_face.backend.network.regions import RegionReading
from scipy.stats import norm

from tests import animate_clip as clips

MODEL = load_model()
NAMES = MODEL.expression_names
TEMPLATE = landmark_points(MODEL, MODEL.mean, MODEL.landmarks68)


def clip(heights: list[float], lowered: float | list[float] = 0.0) -> RestingBrows:
    """Of frames in which both brows are at ``heights``, inner and outer ends."""
    many = np.repeat(heights, 4).reshape(-1, 2, 2)
    low = np.broadcast_to(np.asarray(lowered, float), len(heights))
    return RestingBrows.of(many, np.column_stack([low, low]))


def marks_of(height: float) -> np.ndarray:
    """(68, 2) pixels of the mean head with its brows ``height`` mm higher."""
    points = TEMPLATE.copy()
    points[17:27, 1] += height
    return 3.0 * points[:, :2] * (1, -1) + 400.0


def raised(person: RestingBrows, height: float) -> Brows:
    marks = marks_of(height)
    return person.reader().read(marks, TEMPLATE, points=marks[17:27])


def test_heights_are_googles_and_the_detectors_stand_in_where_they_are_on_people() -> None:
    marks = marks_of(1.0)
    points = marks_of(6.0)[17:27]
    np.testing.assert_allclose(heights_of(marks, TEMPLATE, points), 6.0, atol=1e-6)
    higher = RESTING_MM - by_detector.RESTING_MM
    np.testing.assert_allclose(heights_of(marks, TEMPLATE), 1.0 + higher, atol=1e-6)


def test_a_score_of_nothing_says_little_where_the_rest_is_known() -> None:
    """Of brows that lie low, that is; one photo has only the score to go by."""
    person = clip([-8.0] * 14 + [-3.0] * 10)
    marks = marks_of(-3.0)
    silent = person.reader().read(marks, TEMPLATE, (0.0, 0.0, 0.0), marks[17:27])
    assert silent.inner_raised > 0.25
    assert movement(-3.0, (0.0, 0.15))[0] < 0.1


def test_the_resting_height_is_that_of_bayes_rule() -> None:
    """Against the integral over fine steps: one frame's likelihood counts as FRAMES_COUNT."""
    height, lowered = -6.0, 0.3
    moves = np.linspace(-1, 1, 2001)
    up = np.where(moves > 0, RAISED_MM, LOWERED_MM) * moves

    def likely(rest: float, at_rest: float) -> float:
        joint = norm.pdf(height, rest + up, HEIGHT_SIGMA_MM)
        joint = joint * norm.pdf(lowered, np.maximum(-moves, 0), 0.2)
        return at_rest * joint[1000] + (1 - at_rest) * joint.mean()

    rests = np.linspace(-16, 12, 113)
    posterior = [
        norm.pdf(rest, RESTING_MM, RESTING_SIGMA_MM)
        * sum(likely(rest, share) ** FRAMES_COUNT for share in (0.1, 0.3, 0.5, 0.7, 0.9))
        for rest in rests
    ]
    expected = np.average(rests, weights=posterior)
    np.testing.assert_allclose(clip([height], lowered).middles, expected, atol=0.05)


def test_scores_of_resting_brows_may_say_too_much() -> None:
    """Of brows that score the same at an ordinary height in all frames but those that go up."""
    heights = np.repeat([-3.0] * 16 + [3.0] * 4, 4).reshape(-1, 2, 2)
    scores = [(0.4, 0.4, 0.4)] * 16 + [(0.9, 0.9, 0.9)] * 4
    person = RestingBrows.of(heights, np.zeros((20, 2)), scores)
    honest = RestingBrows.of(heights, np.zeros((20, 2)), [(0.0, 0.0, 0.0)] * 16 + scores[16:])
    assert person.overstated[0] > 0.2 > 0.05 > honest.overstated[0]
    low, high = marks_of(-3.0), marks_of(3.0)
    rests = person.reader().read(low, TEMPLATE, scores[0], low[17:27])
    rises = person.reader().read(high, TEMPLATE, scores[-1], high[17:27])
    assert rests.inner_raised < 0.2 and rises.inner_raised > 0.5


def test_without_frames_people_are_what_is_known() -> None:
    np.testing.assert_allclose(clip([]).middles, RESTING_MM, atol=0.01)


def test_of_a_person_with_low_brows_raised_ones_are_seen_that_a_photo_takes_for_resting() -> None:
    person = clip([-8.0] * 14 + [-3.0] * 10)
    assert movement(-3.0)[0] < 0.1  # one photo
    assert raised(person, -3.0).inner_raised > 0.3
    assert raised(person, -8.0).inner_raised < 0.1


def test_of_a_person_with_high_brows_resting_ones_are_not_raised() -> None:
    person = clip([5.0] * 18 + [11.5] * 6)
    assert raised(person, 5.0).inner_raised < 0.2 < movement(5.0)[0]
    assert raised(person, 11.5).inner_raised > 0.6
    assert min(raised(person, 11.5).raised) > 0.6


def test_brows_that_are_raised_throughout_are_no_resting_ones() -> None:
    person = clip([9.0] * 24)
    assert person.middles[0] < 7.0
    assert raised(person, 9.0).inner_raised > 0.25


def test_brows_that_the_networks_see_lowered_do_not_rest_there() -> None:
    low, angry = clip([-9.0] * 24), clip([-9.0] * 24, 0.7)
    assert angry.middles[1] - low.middles[1] > 1.5
    assert raised(angry, -9.0).lowered[0] > raised(low, -9.0).lowered[0] + 0.2


def opinions(**means: float) -> RegionReading:
    return RegionReading(tuple(means), np.array([*means.values()]), np.full(len(means), 0.02), {})


def test_pooled_weights_are_means_by_precision() -> None:
    """By hand for weights that nothing else speaks of: precisions diagonal but for pairs."""
    looks = WeightPrior(np.full(len(NAMES), 0.3), np.eye(len(NAMES)) / 0.1**2)
    lids = {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.8, "jawOpen": 0.5}
    seen = Seen(opinions(**lids), Brows(0.6, (0.0, 0.0), (0.0, 0.0)), 0.0)
    found = Pool(MODEL).together(looks, seen)
    mean = dict(zip(NAMES, found.mean.tolist(), strict=True))

    def by_hand(*terms: tuple[float, float, float]) -> float:
        """Of (share, mean, standard deviation)."""
        told = [share / sigma**2 for share, _, sigma in terms]
        return float(np.average([m for _, m, _ in terms], weights=told))

    eye, jaw, brow = SHARES["eye"], SHARES[""], SHARES["brow"]
    lid = by_hand((eye.networks, 0.8, LEAST_SIGMA), (eye.appearance, 0.3, 0.1))
    assert mean["eyeBlinkLeft"] == pytest.approx(lid)
    assert mean["jawOpen"] == pytest.approx(
        by_hand(
            (jaw.networks, 0.5, LEAST_SIGMA),
            (jaw.appearance, 0.3, 0.1),
            (jaw.habits, 0.0, EXPRESSION_SIGMA["jawOpen"]),
        )
    )
    assert mean["browInnerUp"] == pytest.approx(
        by_hand(
            (1.0, 0.6, RAISED_SIGMA),
            (brow.appearance, 0.3, 0.1),
            (brow.habits, 0.0, EXPRESSION_SIGMA["brow"]),
        )
    )
    # Lowered on one side only: the other follows a little, as sides mostly act together.
    one = Seen(opinions(), Brows(0.0, (0.0, 0.0), (0.9, 0.0)), 0.0)
    pulled = Pool(MODEL).together(WeightPrior(np.zeros(len(NAMES)), looks.precision), one)
    left, right = (pulled.mean[NAMES.index(f"browDown{side}")] for side in ("Left", "Right"))
    down = SHARES["browDown"]
    own = down.appearance / 0.1**2 + down.habits / EXPRESSION_SIGMA["brow"] ** 2
    told, tied = LOWERED_SIGMA**-2.0, down.habits / FitSettings.mirror_sigma**2
    pair = np.array([[own + told + tied, -tied], [-tied, own + told + tied]])
    np.testing.assert_allclose((right, left), np.linalg.solve(pair, (0.9 * told, 0.0)))


def test_a_frown_whose_shading_looks_like_lids_leaves_the_eyes_open() -> None:
    """As on a real face: the regressor is sure of a half shut eye, the networks see it open."""
    looks = WeightPrior(np.zeros(len(NAMES)), np.eye(len(NAMES)) / 0.09**2)
    lids = [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]
    looks.mean[lids] = 0.46
    reading = opinions(eyeBlinkLeft=0.03, eyeBlinkRight=0.03, browDownLeft=0.7, browDownRight=0.7)
    brows = Brows(0.0, (0.0, 0.0), (0.7, 0.7))
    found = Pool(MODEL).together(looks, Seen(reading, brows, 0.0)).mean
    assert found[lids].max() < 0.25
    assert found[NAMES.index("browDownLeft")] > 0.5


def test_what_the_texture_was_made_with_is_taken_off_what_the_regressor_says() -> None:
    """A regressor that says 0.3 too much of the left lid, 0.4 too little of raised brows."""
    rng = np.random.default_rng(0)
    lid, brow, jaw = (NAMES.index(n) for n in ("eyeBlinkLeft", "browInnerUp", "tongueOut"))
    frames = []
    for i in range(15):
        truth = rng.uniform(0.0, 0.6, 2)
        looks = WeightPrior(np.full(len(NAMES), 0.2), np.eye(len(NAMES)) / 0.1**2)
        looks.mean[[lid, brow]] = truth + (0.3, -0.4)
        if i < 4:  # a few frames that disagree otherwise
            looks.mean[[lid, brow]] = 3.0
        brows = Brows(truth[1], (0.0, 0.0), (0.0, 0.0))
        frames.append((looks, Seen(opinions(eyeBlinkLeft=truth[0], browInnerUp=0.0), brows, 0.0)))
    apart = apart_by(NAMES, frames)
    np.testing.assert_allclose(apart[[lid, brow]], (-0.3, 0.4), atol=0.02)
    assert apart[jaw] == 0.0  # of which nothing else speaks
    looks = WeightPrior(np.zeros(len(NAMES)), np.eye(len(NAMES)) / 0.1**2)
    looks.mean[[lid, brow]] = (0.8, 0.1)
    moved = WeightPrior(looks.mean + apart, looks.precision)
    told = Pool(MODEL, apart).together(looks, frames[-1][1]).mean
    np.testing.assert_allclose(told, Pool(MODEL).together(moved, frames[-1][1]).mean)
    assert not apart_by(NAMES, []).any()


def test_landmarks_that_lie_elsewhere_throughout_move_no_weight() -> None:
    """The corners of a mouth that is drawn 2 mm wider than the head's are no smile."""
    person, camera = clips.Person.number(3), clips.camera_at(yaw=8.0)
    weights = np.zeros(len(NAMES))
    points = landmark_points(MODEL, MODEL.vertices(person.identity, weights), MODEL.landmarks68)
    points[[48, 60]] += (-2.0, 1.0, 0.0)
    points[[54, 64]] += (2.0, 1.0, 0.0)
    marks = camera.project(points)
    matrix, smile = camera.camera_matrix, NAMES.index("mouthSmileLeft")
    belief = WeightPrior(weights, np.eye(len(NAMES)) / 0.3**2)
    without = FrameSolver(MODEL, person.identity, matrix)
    missed = without.misses(marks, None, belief)
    # The picture's x is the head's, to her left, and y is down; dlib's own bias is taken off.
    apart = (missed[54] - missed[48]) / 2
    expected = (dlib_noise().bias[0][54] - dlib_noise().bias[0][48]) / 2
    assert apart[0] + expected[0] == pytest.approx(2.0, abs=0.5)
    told = FrameSolver(MODEL, person.identity, matrix, missed).solve(marks, None, None, belief)
    untold = without.solve(marks, None, None, belief)
    assert untold.weights[smile] > 0.1
    assert told.weights[smile] < 0.02


def test_lips_that_touch_in_the_frame_touch_on_the_head() -> None:
    person = clips.Person.number(3)
    camera = clips.camera_at()
    weights = np.zeros(len(NAMES))
    weights[NAMES.index("jawOpen")] = 0.12
    vertices = MODEL.vertices(person.identity, weights)
    marks = camera.project(landmark_points(MODEL, vertices, MODEL.landmarks68))
    solver = FrameSolver(MODEL, person.identity, camera.camera_matrix)
    belief = WeightPrior(weights, np.eye(len(NAMES)) / 0.1**2)
    upper, lower = np.transpose(FACING_LIPS)

    def gap(shut: float) -> float:
        pose = solver.solve(marks, None, None, belief, shut)
        posed = MODEL.vertices(person.identity, pose.weights)
        points = landmark_points(MODEL, posed, MODEL.landmarks68)
        return float((points[upper, 1] - points[lower, 1]).mean())

    at_rest = float((TEMPLATE[upper, 1] - TEMPLATE[lower, 1]).mean())  # the mean head's lips touch
    assert gap(0.0) > at_rest + 2.0
    assert gap(1.0) < at_rest


def test_shut_is_by_degrees_so_that_it_does_not_flicker() -> None:
    assert SHUT_MM < 7.0 < OPEN_MM  # one photo's limit lies between


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_lips_that_meet_for_few_frames_still_meet_after_smoothing(frames: int) -> None:
    names = ("jawOpen", "browInnerUp")
    weights, shut = np.full((60, 2), 0.5), np.zeros(60)
    closed = slice(20, 20 + frames)
    weights[closed], shut[closed] = 0.0, 1.0
    smoothed = smoothed_by_default(weights)
    assert smoothed[closed, 0].max() > 0.05
    found = whole_closures(smoothed, weights, names, shut, np.zeros(60, np.bool_), 24.0)
    np.testing.assert_allclose(found[closed, 0], 0.0, atol=1e-12)
    np.testing.assert_array_equal(found[:, 1], smoothed[:, 1])
    np.testing.assert_array_equal(found[shut == 0], smoothed[shut == 0])


def test_a_mouth_that_stays_shut_is_as_calm_as_an_open_one() -> None:
    rng = np.random.default_rng(1)
    weights = 0.5 + 0.04 * rng.normal(size=(200, 1))
    smoothed = smoothed_by_default(weights)
    cut = np.arange(200) == 0
    found = whole_closures(smoothed, weights, ("mouthSmileLeft",), np.ones(200), cut, 24.0)
    noise, left, before = (np.diff(x, 2, axis=0).std() for x in (weights, found, smoothed))
    assert left < 1.05 * before < 0.5 * noise


def test_shut_lips_are_not_smoothed_across_a_cut() -> None:
    weights = np.repeat([0.0, 1.0], 20)[:, None]
    cut = np.arange(40) == 20
    found = whole_closures(weights, weights, ("mouthSmileLeft",), np.ones(40), cut, 24.0)
    np.testing.assert_allclose(found, weights, atol=1e-9)


def smoothed_by_default(weights: np.ndarray) -> np.ndarray:
    """At 24 frames a second, of a head that is seen throughout and keeps still."""
    many = len(weights)
    still = np.broadcast_to(np.eye(3), (many, 3, 3))
    seen, none = np.ones(many, np.bool_), np.zeros(many, np.bool_)
    return smooth_motion(weights, still, np.zeros((many, 3)), seen, none, 24.0)[0]
