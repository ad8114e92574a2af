"""What the pixels of a clip say: its texture, and teeth in light and in the dark."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.animate.appearance import train
from reconstruct_face.backend.animate.drawing import LitTexture
from reconstruct_face.backend.animate.solve import Pose
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.pipeline import Options
from reconstruct_face.backend.texture import Texture
from reconstruct_face.backend.texture.merging import merged as merged_texture

from tests import animate_clip as clips

SIZE = 256


def texture(image: np.ndarray, coverage: np.ndarray) -> Texture:
    return Texture(
        image.astype(np.uint8), np.zeros(0, np.float32), np.zeros((9, 3), np.float32), coverage
    )


def skin(rng: np.random.Generator) -> np.ndarray:
    base = np.full((SIZE, SIZE, 3), (200.0, 160.0, 140.0))
    return base + rng.normal(0, 3, (SIZE, SIZE, 1))


def test_a_hand_in_one_frame_is_not_in_the_texture_though_that_frame_shows_the_place_best():
    rng = np.random.default_rng(0)
    given = []
    for i in range(4):
        image, coverage = skin(rng), np.full((SIZE, SIZE), 0.7, np.float32)
        if i == 1:
            coverage[:] = 1.0
            image[100:160, 60:120] = (90, 60, 50)
        given.append(texture(image, coverage))
    merged = merged_texture(given, Options(texture_size=SIZE))
    assert merged is not None
    hand = merged.image[110:150, 70:110].reshape(-1, 3).mean(axis=0)
    beside = merged.image[110:150, 140:200].reshape(-1, 3).mean(axis=0)
    assert np.abs(hand - beside).max() < 8  # the hand is 100 darker


def test_what_only_one_frame_shows_is_taken_from_it():
    rng = np.random.default_rng(1)
    given = []
    for i in range(3):
        image, coverage = skin(rng), np.full((SIZE, SIZE), 1.0, np.float32)
        image[:, 200:] = (150, 110, 90) if i == 2 else (210, 170, 150)  # painted ground
        coverage[:, 200:] = 1.0 if i == 2 else 0.0
        given.append(texture(image, coverage))
    merged = merged_texture(given, Options(texture_size=SIZE))
    assert merged is not None
    shown = merged.image[:, 215:].reshape(-1, 3).mean(axis=0)
    assert np.abs(shown - (150, 110, 90)).max() < 12  # the ground is 60 lighter


@pytest.mark.slow
@pytest.mark.parametrize("inside", [0.15, 1.0], ids=["teeth in the dark", "teeth that shine"])
def test_bared_teeth_are_seen_however_bright_they_are(inside):
    model, names = load_model(), load_model().expression_names
    who, still = clips.Person.number(3), clips.Person.number(3, inside=inside)
    light = np.zeros((9, 3))
    light[0], light[3], light[1] = 2.2, -0.35, 0.25
    camera = clips.camera_at(size=(320, 320), distance=500)
    pose = Pose(camera.rotation, camera.translation, np.zeros(len(names)))
    look = LitTexture(who.albedo, light, camera.rotation)
    learned = train(model, who.identity, look, [pose], camera.camera_matrix, samples=400)

    def seen(**weights: float) -> dict[str, float]:
        expression = np.zeros(len(names))
        for name, weight in weights.items():
            for side in ("Left", "Right"):
                expression[names.index(name + side)] = weight
        _, belief = learned.look(still.draw(expression, camera, (320, 320)), camera)
        return dict(zip(names, belief.mean.tolist(), strict=True))

    grin, smile = seen(mouthSmile=0.6, mouthUpperUp=0.6, mouthLowerDown=0.4), seen(mouthSmile=0.6)
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft"):
        assert grin[name] - smile[name] > 0.12
    assert grin["jawOpen"] < 0.15
