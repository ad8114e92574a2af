"""How far a result can be relied on."""

import math

import pytest
from reconstruct_face.backend.fit.confidence import assess

#: About the median of photos of people.
GOOD = {
    "spread": 0.005,
    "disagreement": 0.03,
    "network_sigma": 0.0145,
    "inlier": 0.66,
    "residual": 0.16,
    "moved_mm": 2.4,
}


def test_a_clear_frontal_face_has_nothing_to_say():
    found = assess(5.0, 300.0, **GOOD)
    assert found.score == 1.0 and found.reasons == ()


@pytest.mark.parametrize(
    ("change", "least", "words"),
    [
        ({"yaw_degrees": -55.0}, 0.93, "turned 55 degrees"),
        ({"face_px": 50.0}, 0.86, "only 50 pixels wide"),
        ({"spread": 0.06}, 0.98, "landmarks are uncertain"),
        ({"disagreement": 0.12}, 0.65, "disagree by 12%"),
        ({"inlier": 0.3}, 0.65, "About 70% of the face"),
        ({"residual": 0.4}, 0.65, "light on the face"),
        ({"network_sigma": 0.1}, 0.65, "hard to read"),
        ({"moved_mm": 5.0}, 0.65, "pulls the face 5.0 mm"),
    ],
)
def test_each_doubt_is_told_and_lowers_the_score(change, least, words):
    found = assess(**({"yaw_degrees": 0.0, "face_px": 300.0} | GOOD | change))
    assert len(found.reasons) == 1 and words in found.reasons[0]
    assert found.score <= least


@pytest.mark.parametrize(
    ("name", "rate", "values"),
    [
        ("moved_mm", 0.35, (3.0, 3.8)),
        ("network_sigma", 27.0, (0.02, 0.03, 0.04)),
        ("residual", 3.0, (0.2, 0.3)),
    ],
)
def test_the_score_is_the_usual_error_over_the_expected_one(name, rate, values):
    """As least squares on the logarithm of the errors of pictures with known heads have it."""
    usual = assess(0.0, 300.0, **GOOD).score
    for value in values:
        score = assess(0.0, 300.0, **(GOOD | {name: value})).score
        expected = math.exp(-rate * (value - GOOD[name]))
        assert score / usual == pytest.approx(expected, abs=0.09)


def test_what_was_not_measured_does_not_count():
    assert assess(0.0, 300.0).score == 1.0


def test_doubts_add_up_and_the_worst_comes_first():
    both = assess(60.0, 60.0)
    assert both.score < min(assess(60.0, 300.0).score, assess(0.0, 60.0).score)
    assert "turned" in both.reasons[0] and "only 60 pixels" in both.reasons[1]
