"""How far a result can be relied on."""

import pytest
from reconstruct_face.backend.fit.confidence import assess

GOOD = {"spread": 0.01, "disagreement": 0.02, "network_sigma": 0.02, "inlier": 0.8, "residual": 0.1}


def test_a_clear_frontal_face_has_nothing_to_say():
    found = assess(5.0, 300.0, **GOOD)
    assert found.score == 1.0 and found.reasons == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"yaw_degrees": -55.0}, "turned 55 degrees"),
        ({"face_px": 50.0}, "only 50 pixels wide"),
        ({"spread": 0.027}, "landmarks are uncertain"),
        ({"disagreement": 0.12}, "disagree by 12%"),
        ({"inlier": 0.3}, "About 70% of the face"),
        ({"residual": 0.4}, "light on the face"),
        ({"network_sigma": 0.1}, "hard to read"),
    ],
)
def test_each_doubt_is_told_and_lowers_the_score(change, words):
    found = assess(**({"yaw_degrees": 0.0, "face_px": 300.0} | GOOD | change))
    assert len(found.reasons) == 1 and words in found.reasons[0]
    assert found.score < 0.65


def test_what_was_not_measured_does_not_count():
    assert assess(0.0, 300.0).score == 1.0


def test_doubts_add_up_and_the_worst_comes_first():
    both = assess(60.0, 60.0)
    assert both.score < min(assess(60.0, 300.0).score, assess(0.0, 60.0).score)
    assert "turned" in both.reasons[0]
