"""How far a result can be relied on."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.fit.confidence import GOOD_FROM, assess
from reconstruct_face.backend.geometry.camera import intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.pipeline import reconstruct
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

MODEL = load_model()

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
    assert found.score > GOOD_FROM + 0.05 and found.reasons == ()
    clearest = {"residual": 0.05, "moved_mm": 1.3, "network_sigma": 0.011, "disagreement": 0.015}
    drawn = assess(5.0, 300.0, **(GOOD | clearest))
    assert drawn.score == 1.0 and drawn.reasons == ()


@pytest.mark.parametrize(
    ("change", "least", "words"),
    [
        ({"yaw_degrees": -55.0}, 0.96, "turned 55 degrees"),
        ({"face_px": 50.0}, 0.95, "only 50 pixels wide"),
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
        ("network_sigma", 23.5, (0.02, 0.03, 0.04)),
        ("disagreement", 4.4, (0.05, 0.08, 0.1)),
        ("residual", 2.2, (0.2, 0.25, 0.3)),
        ("moved_mm", 0.17, (3.0, 3.8)),
    ],
)
def test_the_score_is_the_clearest_ones_error_over_the_expected_one(name, rate, values):
    """As least squares on the logarithm of the errors of pictures with known heads have it."""
    usual = assess(0.0, 300.0, **GOOD).score
    for value in values:
        score = assess(0.0, 300.0, **(GOOD | {name: value})).score
        expected = math.exp(-rate * (value - GOOD[name]))
        assert score / usual == pytest.approx(expected, abs=0.02)


def test_what_was_not_measured_does_not_count():
    assert assess(0.0, 300.0).score == 1.0


def test_doubts_add_up_and_the_worst_comes_first():
    both = assess(60.0, 60.0)
    assert both.score < min(assess(60.0, 300.0).score, assess(0.0, 60.0).score)
    assert "turned" in both.reasons[0] and "only 60 pixels" in both.reasons[1]


@pytest.mark.slow
def test_faces_that_are_harder_to_see_score_less_and_are_worse(tmp_path: Path) -> None:
    """Known heads by another renderer than the score was measured with: clear, and blurred, noisy,
    lit from the side, as a file of few bytes."""
    rng, sums = np.random.default_rng(4), np.zeros((2, 2))
    for number in range(4):
        identity = 0.9 * rng.normal(size=len(MODEL.identity_basis))
        albedo = MODEL.albedo(0.6 * rng.normal(size=len(MODEL.albedo_basis)))
        truth = MODEL.vertices(identity, np.zeros(len(MODEL.expression_names)))
        turn = FACING @ Rotation.from_euler("Y", 12 * number - 18, degrees=True).as_matrix()
        for hard, (front, aside) in enumerate(((1.0, 0.2), (0.2, 1.8))):
            light = np.zeros((9, 3), np.float32)
            light[:4] = np.array([2.2, 0.3, front, aside])[:, None]
            view = intrinsics(1000.0, (480, 480)), turn, np.array([0.0, 10.0, 1000.0])
            picture = render_picture(MODEL, truth, albedo, light, *view, (480, 480))
            if hard:
                small = cv2.resize(picture, (90, 90), interpolation=cv2.INTER_AREA)
                small = small + rng.normal(0, 12, small.shape)
                picture = cv2.resize(np.clip(small, 0, 255).astype(np.uint8), (480, 480))
            path = tmp_path / f"{number}_{hard}.jpg"
            quality = [cv2.IMWRITE_JPEG_QUALITY, 25 if hard else 95]
            cv2.imwrite(str(path), picture[..., ::-1], quality)
            (head,) = reconstruct(path, Options(texture="none"))
            face = MODEL.mask("face") > 0.5
            apart = procrustes(truth[face], head.vertices_posed[face])[2] ** 0.5
            sums[hard] += head.provenance["confidence"], apart
    (clear, small_error), (doubtful, large_error) = sums / 4
    assert doubtful < 0.85 * clear
    assert large_error > 1.1 * small_error
