"""The sheets of expressions: which pictures they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.bench import sliders
from reconstruct_face.backend.exchange.own_pictures import is_own
from reconstruct_face.backend.model import DEFAULT_MODEL, load_model

from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction


def test_every_pose_is_made_of_shapes_that_the_face_model_has() -> None:
    model = load_model(DEFAULT_MODEL)
    assert len(sliders.POSES) == 15
    for title, pose in sliders.POSES.items():
        weights = sliders.weights_of(pose, model.expression_names)
        assert set(weights) <= set(model.expression_names) and max(weights.values()) == 1, title
        assert all(any(full.startswith(name) for full in weights) for name in pose), title
    both = sliders.weights_of({"eyeBlink": 0.5, "jawOpen": 1}, ("eyeBlinkRight", "jawOpen"))
    assert both == {"eyeBlinkRight": 0.5, "jawOpen": 1}


@pytest.mark.slow
def test_a_sheet_shows_what_the_sliders_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliders, "reconstruct", lambda photo, options: [make_reconstruction()])
    monkeypatch.setattr(sliders, "SAMPLES", 1)
    poses = {"still": {}, "all": dict.fromkeys(ARKIT_NAMES, 1.0)}
    monkeypatch.setattr(sliders, "POSES", poses)
    photo = tmp_path / "ada.png"
    Image.new("RGB", (8, 8)).save(photo)
    assert sliders.main([str(photo), "-o", str(tmp_path / "out"), "--size", "64", "--close"]) == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["ada_close.jpg", "ada_sliders.jpg"]
    assert all(is_own(file) for file in files)
    page = np.asarray(Image.open(files[1]).convert("RGB")).astype(float)
    # As preview/contact_sheet.py lays pictures of 128 x 64 out: gaps of 4, titles of 14 pixels.
    pictures = [
        page[18 + row * 82 : 18 + row * 82 + 64, 4 + column * 132 : 132 + column * 132]
        for row in range(2)
        for column in range(3)
    ]
    photos, other, neutral, still, moving, nothing = pictures
    assert np.ptp(nothing) < 30 < min(np.ptp(picture) for picture in pictures[:5])
    same, moved = (np.abs(one - neutral).mean() for one in (still, moving))
    # One sample a pixel is noisy: two pictures of the same head differ by 2 of 255.
    assert moved > 2 * same and np.abs(photos - other).mean() > 2 * same


def test_the_other_side_is_the_one_that_the_photo_shows_less() -> None:
    looking_left, looking_right = (
        make_reconstruction(angles=(yaw, 0.0, 0.0)) for yaw in (30.0, -30.0)
    )
    shown = [sliders._shows_right(head) for head in (looking_left, looking_right)]
    sides = [(-head.rotation.T @ head.translation)[0] < 0 for head in (looking_left, looking_right)]
    assert shown == sides and shown[0] != shown[1]


def test_what_cannot_be_done_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sliders.main([str(tmp_path / "none.jpg"), "-o", str(tmp_path / "out")]) == 3
    assert "none.jpg" in capsys.readouterr().err
