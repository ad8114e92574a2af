"""What the pixels of a clip say: teeth in light and in the dark."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.animate.appearance import train
from reconstruct_face.backend.animate.drawing import LitTexture
from reconstruct_face.backend.animate.solve import Pose
from reconstruct_face.backend.model import load_model

from tests import animate_clip as clips


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
