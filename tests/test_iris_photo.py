"""The pattern of irises: found in a drawn eye, and painted the right way round."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.texture.iris import finer_eyes
from reconstruct_face.backend.texture.iris_photo import RINGS, TURNS, IrisPattern, iris_pattern

#: Linear light: near the pupil, near the rim, and how much darker a spoke is, log.
INNER, OUTER, SPOKE = np.array([0.10, 0.05, 0.02]), np.array([0.08, 0.10, 0.05]), -0.4
SPOKES = 12


def drawn_eye(radius: float, tilt: float = 0.0) -> dict[str, Any]:
    """An eye with two colours, spokes in the outer one and a light, as ``iris_pattern`` takes it.

    Its middle and radius are told 12 % off.
    """
    side = int(8 * radius)
    rows, columns = np.mgrid[:side, :side].astype(np.float64)
    middle = np.array([0.5 * side + 0.3, 0.5 * side - 0.2])
    left = np.array([np.cos(tilt), np.sin(tilt)])  # to the head's left, in the picture
    x = (columns - middle[0]) * left[0] + (rows - middle[1]) * left[1]
    y = (columns - middle[0]) * left[1] - (rows - middle[1]) * left[0]  # upwards
    part, turn = np.hypot(x, y) / radius, np.arctan2(y, x)
    linear = np.full((side, side, 3), 0.55)
    linear[part < 1] = OUTER
    spokes = np.exp(SPOKE * (np.cos(SPOKES * turn) > 0.5) * (part > 0.6))
    linear[part < 1] *= spokes[part < 1][:, None]
    linear[part < 0.6] = INNER
    linear[part < 0.3] = 0.005
    linear[np.hypot(x - 0.5 * radius, y + 0.2 * radius) < 0.1 * radius] = 1.0  # a light on the left
    outline = np.array([(-2.4, 0), (-1, 0.6), (1, 0.6), (2.4, 0), (1, -1.1), (-1, -1.1)]) * radius
    lids = middle + outline @ np.stack([left, (left[1], -left[0])])
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(lids * 16).astype(np.int32)], 1, shift=4)
    linear[mask == 0] = (0.4, 0.25, 0.2)
    code = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return {
        "photo": np.rint(255 * cv2.GaussianBlur(code, (0, 0), 0.7)).astype(np.uint8),
        "centre": middle + 0.12 * radius,
        "radius": radius / 1.12,
        "across": lids[3] - lids[0],
        "lids": lids,
    }


def around(part: float) -> tuple[np.ndarray, np.ndarray]:
    turn = np.linspace(-np.pi, np.pi, 361)[:-1]
    return np.full(len(turn), part), turn


@pytest.mark.parametrize("tilt", [0.0, 0.35])
def test_rings_and_spokes_are_found_where_they_are(tilt: float) -> None:
    pattern = iris_pattern(**drawn_eye(42.0, tilt))
    assert pattern is not None
    assert pattern.fibres == 1
    part, turn = around(0.48)
    inner, weight = pattern.at(part, turn)
    assert weight.min() > 0.9
    outer, _ = pattern.at(*around(0.76))
    # Hues by hand: logs of the two colours, red and blue against green.
    for channel in (0, 2):
        found = np.median(outer[:, channel] - outer[:, 1]) - np.median(
            inner[:, channel] - inner[:, 1]
        )
        true = np.log(OUTER[channel] / OUTER[1]) - np.log(INNER[channel] / INNER[1])
        assert found == pytest.approx(true, rel=0.25)
    # Spokes: where they are in the lower half, and completed from there in the upper one.
    dark = np.cos(SPOKES * turn) > 0.5
    away = np.abs(np.angle(np.exp(1j * (turn + 0.38)))) > 0.3  # of the light
    for half in (turn < -0.2, turn > 0.2):
        grey = outer.mean(axis=1)[half & away]
        assert np.corrcoef(grey, dark[half & away])[0, 1] < -0.7
        assert grey.max() < 0.35, "the light is no pattern"


def test_what_is_too_small_or_covered_tells_nothing() -> None:
    assert iris_pattern(**drawn_eye(9.0)) is None
    shut = drawn_eye(42.0)
    shut["lids"] = (shut["lids"] - shut["centre"]) * (1, 0.25) + shut["centre"]
    assert iris_pattern(**shut) is None
    cut = drawn_eye(42.0)
    cut["photo"] = cut["photo"][:, : int(cut["centre"][0]) + 10]
    assert iris_pattern(**cut) is None


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def test_each_iris_gets_its_own_pattern_the_right_way_round(model: FaceModel) -> None:
    """A stroke to the head's left in the right eye only."""
    turn = (np.arange(TURNS) + 0.5) * 2 * np.pi / TURNS
    stroke = np.zeros((RINGS, TURNS, 3), np.float32)
    stroke[:, np.cos(turn) > 0.8] = 0.5
    pattern = IrisPattern(stroke, np.ones((RINGS, TURNS), np.float32), 0.0)
    plain, painted = (np.zeros((1024, 1024, 3), np.float32) for _ in range(2))
    for skin, patterns in ((plain, (None, None)), (painted, (pattern, None))):
        eyes = finer_eyes(model, len(skin), patterns)
        assert eyes is not None
        for first in range(0, len(skin), 96):  # as compose does it, a few rows at a time
            eyes.paint(skin[first : first + 96], first)
    changed = np.abs(painted - plain).max(axis=2) > 0.25
    kind = model.polygon_material == model.material_kinds.index("iris")
    found = []
    for polygon, corners in zip(model.polygons[kind], model.uv_polygons[kind], strict=True):
        column, row = np.rint(model.uv[corners].mean(axis=0) * 1023).astype(int)
        if changed[1023 - row, column]:
            found.append(model.mean[polygon].mean(axis=0))
    middle = model.mean[np.unique(model.polygons[kind])]
    right = middle[middle[:, 0] < 0].mean(axis=0)
    assert len(found) > 5
    off = np.array(found) - right
    assert (off[:, 0] > 0.3).all(), "to the head's left of the right eye's middle"
    assert (np.abs(off[:, 1]) < np.abs(off[:, 0])).all()
