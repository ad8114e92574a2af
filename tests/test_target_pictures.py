"""Exported heads drawn by three.js in Chromium: what others see of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from reconstruct_face.scene.build import build_scene, prepare_file
from reconstruct_face.scene.targets.files import export_for

from tests.default_head import head_of
from tests.readers import three_pictures

pytestmark = pytest.mark.slow


TARGETS = ("godot", "threejs", "vrchat")
POSES = {"rest": {}, "jaw": {"jawOpen": 1}, "blink": {"eyeBlinkLeft": 1}}
SIZE = 256


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], np.ndarray]:
    """By target and pose (256, 256, 3) int, sRGB, of a head whose texture is red at the left of the
    picture and blue at the right."""
    texture = np.zeros((256, 256, 3), np.uint8)
    texture[:, :128], texture[:, 128:] = (200, 60, 60), (60, 60, 200)
    person = head_of(5, texture)
    prepare_file(person)
    head_scene = build_scene(person, name="Ada", set_active=True)
    folder = tmp_path_factory.mktemp("pictures")
    jobs = []
    for target in TARGETS:
        (file, *_) = export_for(head_scene, folder, target, target, neutral=True).values()
        drawn = [
            {"out": str(folder / f"{target}_{pose}.png"), "weights": weights}
            for pose, weights in POSES.items()
        ]
        jobs.append({"file": str(file), "pictures": drawn})
    said = three_pictures(SIZE, jobs)
    assert said == {"titles": ["ready"] * len(TARGETS), "said": []}
    return {
        (target, pose): cv2.cvtColor(
            cv2.imread(str(folder / f"{target}_{pose}.png")), cv2.COLOR_BGR2RGB
        ).astype(int)
        for target in TARGETS
        for pose in POSES
    }


@pytest.mark.parametrize("target", TARGETS)
def test_a_browser_shows_the_head_and_its_shapes(
    pictures: dict[tuple[str, str], np.ndarray], target: str
) -> None:
    rest = pictures[target, "rest"]
    head = np.abs(rest - rest[2, 2]).max(axis=2) > 12
    rows, columns = np.nonzero(head)
    assert 0.5 < np.ptp(rows) / SIZE < 0.95
    assert abs(columns.mean() - SIZE / 2) < 8
    # Both colours of the texture, which would be grey or absent without it.
    red, blue = rest[..., 0] - rest[..., 2] > 40, rest[..., 2] - rest[..., 0] > 40
    assert red.sum() > 2000 and blue.sum() > 2000

    def moved(pose: str) -> tuple[np.ndarray, ...]:
        return np.nonzero(np.abs(pictures[target, pose] - rest).max(axis=2) > 40)

    middle = (rows.min() + rows.max()) / 2
    jaw, _ = moved("jaw")
    assert len(jaw) > 300 and jaw.mean() > middle
    lids, sides = moved("blink")
    # The head's left is the picture's right.
    assert len(lids) > 30 and lids.mean() < middle and sides.mean() > SIZE / 2 + 10
