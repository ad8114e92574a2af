"""Gaze: a drawn iris is found where it was drawn, and a rendered eye's turn is recovered."""

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.fit.gaze import estimate_gaze, find_iris
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model

OUTLINE = np.array([[60, 100], [85, 84], [115, 84], [140, 100], [115, 114], [85, 114]], float)


@pytest.fixture(scope="module")
def model():
    return load_model()


def drawn_eye(centre: tuple[float, float], radius: float, iris: int = 60) -> np.ndarray:
    """Skin, an almond of white, and the part of a dark disc that lies inside it."""
    eye = np.full((200, 200), 150, np.uint8)
    white = np.zeros_like(eye)
    cv2.fillPoly(white, [OUTLINE.astype(np.int32)], 1)
    disc = np.zeros_like(eye)
    cv2.circle(disc, (round(centre[0]), round(centre[1])), round(radius), 1, -1)
    eye[white > 0] = 220
    eye[(white > 0) & (disc > 0)] = iris
    return np.repeat(cv2.GaussianBlur(eye, (0, 0), 1.0)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("centre", [(100, 99), (85, 99), (118, 98)])
def test_iris_is_found_where_it_was_drawn(centre):
    found = find_iris(drawn_eye(centre, 16), OUTLINE, 16.0)
    assert found is not None
    assert found[0] == pytest.approx(centre[0], abs=2.0)
    assert found[1] == pytest.approx(centre[1], abs=3.5)


def test_what_shows_no_iris_gives_none():
    closed = OUTLINE.copy()
    closed[[1, 2, 4, 5], 1] = 100
    assert find_iris(drawn_eye((100, 99), 16), closed, 16.0) is None
    assert find_iris(drawn_eye((100, 99), 16, iris=215), OUTLINE, 16.0) is None
    assert find_iris(drawn_eye((100, 99), 16), OUTLINE, 1.0) is None
    assert find_iris(drawn_eye((100, 99), 16), OUTLINE + 1000, 16.0) is None


@pytest.mark.parametrize("towards", ["Left", "Right", None])
def test_a_rendered_gaze_is_recovered(model, towards):
    """A head of the model that looks to its left, right or straight on, seen from the front."""
    names, expression = model.expression_names, np.zeros(len(model.expression_names))
    if towards == "Left":
        expression[[names.index("eyeLookOutLeft"), names.index("eyeLookInRight")]] = 0.7
    elif towards == "Right":
        expression[[names.index("eyeLookInLeft"), names.index("eyeLookOutRight")]] = 0.7
    vertices = model.vertices(np.zeros(4), expression)
    camera = Camera(intrinsics(2400.0, (900, 900)), FACING, np.array([0.0, 20.0, 800.0]))
    light = np.zeros((9, 3), np.float32)
    light[0], light[2] = 2.6, 1.0
    view = (camera.camera_matrix, camera.rotation, camera.translation)
    photo = render_picture(model, vertices, model.albedo(np.zeros(1)), light, *view, (900, 900))
    corners = vertices[model.landmarks68_triangles]
    points = (corners * model.landmarks68_barycentric[:, :, None]).sum(axis=1)
    still = model.vertices(np.zeros(4))
    found = estimate_gaze(model, photo, camera.project(points), still, camera)
    left = found[names.index("eyeLookOutLeft")] - found[names.index("eyeLookInLeft")]
    expected = {"Left": 0.7, "Right": -0.7, None: 0.0}[towards]
    assert left == pytest.approx(expected, abs=0.2)
    other = [i for i, name in enumerate(names) if not name.startswith("eyeLook")]
    assert not found[other].any()


def test_a_picture_without_eyes_leaves_the_gaze_alone(model):
    camera = Camera(intrinsics(2400.0, (900, 900)), FACING, np.array([0.0, 20.0, 800.0]))
    blank = np.full((900, 900, 3), 128, np.uint8)
    marks = camera.project(model.mean[model.landmarks68])
    assert not estimate_gaze(model, blank, marks, model.mean, camera).any()
