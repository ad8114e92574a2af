"""What lies at the far edge of a turned face comes from its near side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.test_neutral_texture import line, log_off
from tests.test_texture import Scene, paint, repaint

pytestmark = pytest.mark.seconds


#: Corner of an eye, the way from there to the cheek, and the brow, of the face's right side.
EYE, TO_CHEEK, BROW = 36, np.array([-4, -24, 0]), np.arange(17, 22)
#: Those landmarks' mirror images.
OTHER_EYE, OTHER_BROW = 45, np.arange(22, 27)


def right_is_far(scene: Scene) -> bool:
    """Whether the right eye is further from the camera than the left one."""
    points = scene.model.mean[scene.model.landmarks68[[EYE, OTHER_EYE]]]
    depth = (points @ scene.rotation.T)[:, 2]
    return bool(depth[0] > depth[1])


def stained(yaw: float, far: bool) -> tuple[Scene, np.ndarray]:
    """A head with a dark stain on the cheek, and where it lies; from the front the right one."""
    scene = paint(seed=5, yaw=yaw)
    right = right_is_far(scene) == far or not yaw
    mean = scene.model.mean
    eye = mean[scene.model.landmarks68[EYE if right else OTHER_EYE]]
    wanted = eye + TO_CHEEK * ((1, 1, 1) if right else (-1, 1, 1))
    point = mean[np.linalg.norm(mean - wanted, axis=1).argmin()]
    stain = line(scene, np.stack([point, point]), 4.0)
    seen = repaint(scene, scene.albedo * np.exp(-0.7 * stain)[..., None])
    where = stain > 0.6
    assert where.sum() > 30
    return replace(seen, albedo=scene.albedo), where


def mirrored(where: np.ndarray) -> np.ndarray:
    """The texture's halves are mirror images."""
    return where[:, ::-1]


@pytest.mark.parametrize("mode", ["albedo", "photo"])
def test_a_stain_at_the_far_edge_is_gone(mode: str) -> None:
    scene, where = stained(35.0, far=True)
    texture = scene.texture(mode=mode)
    assert (texture.coverage[where] > 0.5).mean() > 0.5, "mirrored, not unseen"
    if mode == "albedo":
        assert abs(log_off(texture, scene)[where].mean()) < 0.15
    front, where = stained(0.0, far=True)
    assert log_off(front.texture(), front)[where].mean() < -0.3, "seen from the front it stays"


def test_one_on_the_near_side_stays_on_both() -> None:
    scene, where = stained(35.0, far=False)
    off = log_off(scene.texture(), scene)
    assert off[where].mean() < -0.3
    assert off[mirrored(where)].mean() < -0.2


def test_a_frontal_face_keeps_what_is_on_one_side() -> None:
    scene, where = stained(0.0, far=False)
    off = log_off(scene.texture(), scene)
    assert off[where].mean() < -0.3
    assert abs(off[mirrored(where)].mean()) < 0.1


@pytest.mark.parametrize("yaw", [0.0, 35.0])
def test_of_a_turned_face_the_near_brow_is_on_both_sides(yaw: float) -> None:
    """The far one is shaved: seen from the front it stays so."""
    scene = paint(seed=5, yaw=yaw)
    which = BROW if right_is_far(scene) or not yaw else OTHER_BROW
    marks = scene.model.mean[scene.model.landmarks68[which]]
    brow = line(scene, marks, 5.0)
    seen = repaint(scene, scene.albedo * np.exp(0.6 * brow)[..., None])
    off = log_off(replace(seen, albedo=scene.albedo).texture(), scene)[brow > 0.7].mean()
    assert off < 0.2 if yaw else off > 0.3
