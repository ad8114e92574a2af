"""How far a result can be relied on."""

import math

import pytest
from reconstruct_face.backend.fit.confidence import GOOD_FROM, assess

#: About the median of photos of people.
GOOD = {
    "spread": 0.005,
    "disagreement": 0.03,
    "network_sigma": 0.0145,
    "inlier": 0.66,
    "residual": 0.15,
    "moved_mm": 2.3,
}


def test_a_clear_frontal_face_has_nothing_to_say():
    found = assess(5.0, 300.0, **GOOD)
    assert found.score > GOOD_FROM + 0.1 and found.reasons == ()
    drawn = assess(5.0, 300.0, **(GOOD | {"residual": 0.07, "moved_mm": 1.3}))
    assert drawn.score == 1.0 and drawn.reasons == ()


@pytest.mark.parametrize(
    ("change", "least", "words"),
    [
        ({"yaw_degrees": -55.0}, 0.96, "turned 55 degrees"),
        ({"face_px": 50.0}, 0.93, "only 50 pixels wide"),
        ({"spread": 0.0275}, 0.997, "landmarks are uncertain"),
        ({"disagreement": 0.12}, 0.8, "disagree by 12%"),
        ({"inlier": 0.3}, 0.8, "About 70% of the face"),
        ({"residual": 0.4}, 0.8, "light on the face"),
        ({"network_sigma": 0.1}, 0.8, "hard to read"),
        ({"moved_mm": 5.0}, 0.8, "pulls the face 5.0 mm"),
    ],
)
def test_each_doubt_is_told_and_lowers_the_score(change, least, words):
    clear = {"yaw_degrees": 0.0, "face_px": 300.0} | GOOD
    found = assess(**(clear | change))
    assert len(found.reasons) == 1 and words in found.reasons[0]
    assert found.score <= least * assess(**clear).score


@pytest.mark.parametrize(
    ("name", "rate", "values"),
    [
        ("moved_mm", 0.35, (3.0, 3.8)),
        ("network_sigma", 27.0, (0.02, 0.03, 0.04)),
        ("residual", 3.0, (0.2, 0.3)),
    ],
)
def test_the_score_is_the_root_of_the_usual_error_over_the_expected_one(name, rate, values):
    """As least squares on the logarithm of the errors of pictures with known heads have it."""
    usual = assess(0.0, 300.0, **GOOD).score
    for value in values:
        score = assess(0.0, 300.0, **(GOOD | {name: value})).score
        expected = math.exp(-rate * (value - GOOD[name]))
        assert (score / usual) ** 2 == pytest.approx(expected, abs=0.09)


def test_what_was_not_measured_does_not_count():
    assert assess(0.0, 300.0).score == 1.0


def test_doubts_add_up_and_the_worst_comes_first():
    both = assess(60.0, 60.0)
    assert both.score < min(assess(60.0, 300.0).score, assess(0.0, 60.0).score)
    assert "turned" in both.reasons[0] and "only 60 pixels" in both.reasons[1]
