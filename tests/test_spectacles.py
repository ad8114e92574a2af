"""Frames of spectacles in the photo are no colour of the skin; frowns and bags under eyes are."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.camera import project
from reconstruct_face.backend.texture import neutral, spectacles

from tests.test_neutral_texture import log_off
from tests.test_texture import SIZE, Scene, paint


@pytest.fixture(scope="module")
def still() -> Scene:
    return paint(seed=5)


def drawn(scene: Scene, *, rims: int = 2, bar: bool = True, tone: tuple = (30, 26, 24)) -> Scene:
    """The scene with so many rims, and a bar over the nose, painted into its photo."""
    marks = scene.vertices[scene.model.landmarks68] @ scene.rotation.T + scene.translation
    pixels = project(marks, scene.camera_matrix)
    eyes = [pixels[36:42].mean(axis=0), pixels[42:48].mean(axis=0)]
    mm = np.linalg.norm(eyes[1] - eyes[0]) / np.linalg.norm(
        marks[36:42].mean(axis=0) - marks[42:48].mean(axis=0)
    )
    photo, thick = scene.photo.copy(), max(2, round(2.5 * mm))
    axes = (round(24 * mm), round(17 * mm))
    for eye in eyes[:rims]:
        middle = (round(eye[0]), round(eye[1] + 2 * mm))
        cv2.ellipse(photo, middle, axes, 0, 0, 360, tone, thick, cv2.LINE_AA)
    if bar:
        ends = [
            (round(eye[0] + side * 23 * mm), round(eye[1]))
            for eye, side in zip(eyes, (1, -1), strict=True)
        ]
        cv2.line(photo, ends[0], ends[1], tone, thick, cv2.LINE_AA)
    return replace(scene, photo=photo)


def off_by(scene: Scene, still: Scene) -> np.ndarray:
    """(SIZE, SIZE) log brightness by which the texture differs from the one without a frame."""
    found, plain = (
        replace(one, albedo=still.albedo).texture(vertices_neutral=still.vertices)
        for one in (scene, still)
    )
    return (log_off(found, still) - log_off(plain, still)).mean(axis=2)


def painted_on(scene: Scene, still: Scene, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The same where nothing is taken off."""
    with monkeypatch.context() as patch:
        patch.setattr(neutral, "without_frame", lambda *given: given[4])
        return off_by(scene, still)


@pytest.mark.seconds
@pytest.mark.parametrize("tone", [(30, 26, 24), (90, 20, 25)])
def test_a_frame_is_taken_off(still: Scene, tone, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = drawn(still, tone=tone)
    before, after = painted_on(scene, still, monkeypatch), off_by(scene, still)
    frame = before < -0.5
    assert frame.sum() > 5000
    assert np.median(np.abs(after[frame])) < 0.12 and (after[frame] < -0.4).mean() < 0.08
    brows = (cv2.resize(still.model.uv_mask("brows"), (SIZE, SIZE)) > 0.5) & (np.abs(before) < 0.1)
    assert brows.sum() > 1000 and np.abs(after[brows]).mean() < 0.08, "brows stay"


@pytest.mark.seconds
@pytest.mark.parametrize("lacks", [{"rims": 0}, {"bar": False}])
def test_a_frown_or_bags_under_the_eyes_are_no_frame(
    still: Scene, lacks: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = drawn(still, **lacks)
    before, after = painted_on(scene, still, monkeypatch), off_by(scene, still)
    assert (before < -0.5).sum() > 300
    np.testing.assert_array_equal(before, after)


def test_the_best_closed_path() -> None:
    """Against every path, on a strip that is small enough."""
    rng = np.random.default_rng(2)
    gain = rng.uniform(0, 0.2, (7, 4))
    best, found = -np.inf, None
    for number in range(4**7):
        path = (number // 4 ** np.arange(7)) % 4
        steps = np.abs(np.diff(np.r_[path, path[0]]))
        if steps.max() <= 2:
            worth = gain[np.arange(7), path].sum() - spectacles._ASIDE * steps.sum()
            if worth > best:
                best, found = worth, path
    np.testing.assert_array_equal(spectacles._closed_path(gain), found)


def test_models_without_lids_have_no_frames() -> None:
    scene = paint(seed=5)
    bare = replace(scene.model, lid_rings=None)
    some = np.zeros((40, 40), np.float32)
    box = (slice(0, 40), slice(0, 40))
    colour = np.zeros((40, 40, 3), np.float32)
    assert spectacles.find_frame(bare, None, some, colour, box, 0.6) is None  # type: ignore[arg-type]
