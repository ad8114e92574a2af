"""Crops of eyes and mouth, what the networks read there, and what the solve's prior makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.fit.brows import LOWERED_SIGMA, RAISED_SIGMA, Brows
from reconstruct_face.backend.fit.expression_prior import (
    EYES_SHARE,
    OTHER_SHARE,
    Opinions,
    expression_prior,
)
from reconstruct_face.backend.fit.prior import Prior
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import landmark_points
from reconstruct_face.backend.network.mirror import mirrored_landmarks
from reconstruct_face.backend.network.region_crops import (
    MOUTH,
    REGIONS,
    RIGHT_EYE,
    SIZE,
    crops,
    placed,
)
from reconstruct_face.backend.network.regions import (
    REGIONS_FILE,
    RegionReader,
    RegionReading,
    regions_of,
)
from scipy.spatial.transform import Rotation

from tests.test_fitting import make_case

MODEL = load_model()
NAMES = tuple(MODEL.expression_names)
TEMPLATE = landmark_points(MODEL, MODEL.mean, MODEL.landmarks68)


@pytest.fixture(scope="module")
def reader() -> RegionReader:
    found = regions_of(MODEL)
    assert found is not None
    return found


def turned(degrees: float, scale: float = 2.5, yaw: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The template's marks rolled in the picture, and the roll (2, 2)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    roll = np.array([[c, -s], [s, c]])
    head = TEMPLATE @ Rotation.from_euler("Y", yaw, degrees=True).as_matrix().T
    return scale * head[:, :2] * (1, -1) @ roll.T + (700.0, 400.0), roll


@pytest.mark.parametrize("degrees", [0.0, 25.0, -130.0, 180.0])
def test_crops_lie_where_a_known_similarity_puts_them(degrees: float) -> None:
    scale = 2.5
    marks, roll = turned(degrees, scale)
    found = placed(marks, TEMPLATE)
    up = roll @ (0.0, -1.0)
    for region, matrix in ((RIGHT_EYE, found.to_crop[0]), (MOUTH, found.to_crop[2])):
        linear = SIZE / (region.side_mm * scale) * roll.T
        np.testing.assert_allclose(matrix[:, :2], linear, atol=1e-9)
        middle = marks[list(region.around)].mean(axis=0) + scale * region.rise_mm * up
        np.testing.assert_allclose(matrix @ (*middle, 1.0), (SIZE - 1) / 2, atol=1e-8)
    np.testing.assert_allclose(found.hints[:, 3], 1.0, atol=1e-6)
    np.testing.assert_allclose(found.hints[:, :3], 0.0, atol=1e-6)


def test_hints_tell_how_the_head_is_turned() -> None:
    marks, _ = turned(10.0, yaw=30.0)
    right, left, mouth = placed(marks, TEMPLATE).hints
    np.testing.assert_allclose(right, (0.5, 0.0, 0.25, np.cos(np.radians(30))), atol=1e-6)
    np.testing.assert_allclose(left, right * (-1, 1, 1, 1))
    np.testing.assert_array_equal(mouth, right)


def test_points_of_a_crop_come_back_to_the_photo() -> None:
    marks, _ = turned(17.0, yaw=-20.0)
    place, points = placed(marks, TEMPLATE), np.array([[3.0, 80.0], [40.5, 12.0]])
    for region in range(len(REGIONS)):
        again = np.c_[place.to_photo(points, region), (1, 1)] @ place.to_crop[region].T
        np.testing.assert_allclose(again, points, atol=1e-9)


def test_crops_hold_the_same_however_large_the_photo_is() -> None:
    rng, marks = np.random.default_rng(1), (turned(8.0, 1.0)[0] - (700, 400)) * 1.3 + (150, 150)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (300, 300, 3), np.uint8), (0, 0), 4)
    photo = cv2.normalize(photo, None, 0, 255, cv2.NORM_MINMAX)
    small = crops(photo, placed(marks, TEMPLATE))
    for growth in (3, 11):
        large = cv2.resize(photo, None, fx=growth, fy=growth, interpolation=cv2.INTER_CUBIC)
        moved = (marks + 0.5) * growth - 0.5
        found = crops(large, placed(moved, TEMPLATE))
        assert np.abs(found.astype(int) - small).mean() < 2.0
    flat = np.full((90, 70, 3), 77, np.uint8)  # the face mostly beyond the photo
    assert (crops(flat, placed(marks, TEMPLATE)) == 77).all()
    assert (crops(flat, placed(np.zeros((68, 2)), TEMPLATE)) == 77).all()


def test_a_mirrored_face_gives_mirrored_weights(reader: RegionReader) -> None:
    case = make_case(MODEL, 3)
    seen = reader.read(case.pixels, case.landmarks)
    flipped = np.ascontiguousarray(case.pixels[:, ::-1])
    marks = case.landmarks[mirrored_landmarks(MODEL)] * (-1, 1) + (case.pixels.shape[1] - 1, 0)
    again = reader.read(flipped, marks)
    for i, name in enumerate(seen.names):
        other = name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
        # One network reads both eyes; the mouth's was not told that faces are alike on both sides.
        apart = 0.15 if name.startswith(("mouth", "jaw")) else 0.03
        assert seen.mean[i] == pytest.approx(again.mean[again.names.index(other)], abs=apart), name
    assert set(seen.points) == {*range(17, 27), *range(36, 68)}
    missed = [np.hypot(*(case.landmarks[i] - at)) for i, at in seen.points.items()]
    eyes = np.hypot(*(case.landmarks[36] - case.landmarks[45]))
    assert np.mean(missed) < 0.06 * eyes


def test_the_file_and_its_damage(reader: RegionReader, tmp_path: Path) -> None:
    assert regions_of(replace(MODEL, expression_names=NAMES[::-1])) is None
    cut = tmp_path / "cut.npz"
    cut.write_bytes(REGIONS_FILE.read_bytes()[:-300])
    arrays = reader.arrays()
    header = json.loads(bytes(arrays["header"]))
    damaged = {
        "version": arrays | {"header": encoded(header | {"version": 2})},
        "short": {name: array for name, array in arrays.items() if name != "eye_3_bias"},
        "unknown": arrays | {"header": encoded(header | {"eye": ["wiggle", *header["eye"][1:]]})},
        "few": arrays | {"header": encoded(header | {"mouth": header["mouth"][1:]})},
        "text": arrays | {"header": encoded("eye")},
        "shape": arrays | {"mouth_hidden_weight": arrays["mouth_hidden_weight"][:, 1:]},
        "infinite": arrays | {"eye_0_bias": np.full_like(arrays["eye_0_bias"], np.nan)},
    }
    for name, members in damaged.items():
        np.savez(tmp_path / f"{name}.npz", **members)
    for name in ("cut", "none", *damaged):
        with pytest.raises(ModelError, match=rf"{name}\.npz"):
            RegionReader.load(tmp_path / f"{name}.npz")


def encoded(header: object) -> np.ndarray:
    return np.frombuffer(json.dumps(header).encode(), np.uint8)


def test_one_weight_by_hand() -> None:
    size = len(NAMES)
    smile, blink = NAMES.index("mouthSmileLeft"), NAMES.index("eyeBlinkRight")
    habits = replace(
        Prior.of_model(MODEL),
        expression=np.full(size, 0.1),
        expression_precision=np.full(size, 64.0),
    )
    said = RegionReading(
        ("mouthSmileLeft", "eyeBlinkRight"), np.array([0.7, 1.2]), np.array([0.1, 0.5]), {}
    )
    found = expression_prior(habits, habits, Opinions(said, None, lips_touch=False), NAMES)
    whole = OTHER_SHARE * 100 + (1 - OTHER_SHARE) * 64
    told = (OTHER_SHARE * 100 * 0.7 + (1 - OTHER_SHARE) * 64 * 0.1) / whole
    assert found.expression[smile] == pytest.approx(told)
    assert found.expression_precision[smile, smile] == pytest.approx(whole)
    assert EYES_SHARE == 1.0  # the habits are not asked
    assert found.expression[blink] == pytest.approx(1.0)  # of 1.2
    assert found.expression_precision[blink, blink] == pytest.approx(4.0)
    others = np.delete(np.arange(size), [smile, blink])
    np.testing.assert_allclose(found.expression[others], 0.1, atol=1e-12)


def test_prior_is_made_of_its_gaussians() -> None:
    """Against Kalman's updates, one after the other, of what the habits leave."""
    rng, size = np.random.default_rng(6), len(NAMES)
    habits = Prior.of_model(MODEL)
    told = tuple(name for name in NAMES if not name.startswith(("cheekPuff", "nostril", "tongue")))
    said = RegionReading(told, rng.uniform(0, 1, len(told)), rng.uniform(0.02, 0.4, len(told)), {})
    brows = Brows(0.6, (0.3, 0.1), (0.2, 0.5))
    network = replace(habits, expression=np.full(size, 0.9), identity=habits.identity + 1.0)
    found = expression_prior(network, habits, Opinions(said, brows, lips_touch=False), NAMES)

    raised = {"browInnerUp": 0.6, "browOuterUpRight": 0.3, "browOuterUpLeft": 0.1}
    lowered = {"browDownRight": 0.2, "browDownLeft": 0.5}
    precision = habits.expression_precision.copy()
    share = {name: EYES_SHARE if name.startswith("eye") else OTHER_SHARE for name in told}
    for name in told:
        if name not in raised:
            i = NAMES.index(name)
            precision[i] *= np.sqrt(1 - share[name])
            precision[:, i] *= np.sqrt(1 - share[name])
    silent = np.flatnonzero(np.diag(precision) == 0)
    precision[silent, silent] = 1e-9  # next to nothing, so that it can be inverted
    mean, covariance = np.zeros(size), np.linalg.inv(precision)

    def update(rows: list[int], value: np.ndarray, noise: np.ndarray) -> None:
        nonlocal mean, covariance
        gain = covariance[:, rows] @ np.linalg.inv(covariance[np.ix_(rows, rows)] + noise)
        mean = mean + gain @ (value - mean[rows])
        covariance = covariance - gain @ covariance[rows]

    for weights, sigma in ((raised, RAISED_SIGMA), (lowered, LOWERED_SIGMA)):
        for name, value in weights.items():
            update([NAMES.index(name)], np.array([value]), np.array([[sigma**2]]))
    for name, value, sigma in zip(told, said.mean, said.sigma, strict=True):
        if name not in raised:
            i = NAMES.index(name)
            update([i], np.array([value]), np.array([[sigma**2 / share[name]]]))
    np.testing.assert_allclose(found.expression, mean, atol=1e-5)
    np.testing.assert_allclose(np.linalg.inv(found.expression_precision), covariance, atol=1e-5)
    np.testing.assert_array_equal(found.identity, network.identity)
