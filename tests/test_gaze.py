"""Gaze: a rendered eye's turn is recovered."""

import numpy as np
import pytest
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.fit.gaze import estimate_gaze
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.face_landmarker import face_mesh


@pytest.fixture(scope="module")
def model():
    return load_model()


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
    marks = camera.project(points)
    irises = face_mesh(photo, marks).irises
    found = estimate_gaze(model, irises, marks, still, camera)
    left = found[names.index("eyeLookOutLeft")] - found[names.index("eyeLookInLeft")]
    expected = {"Left": 0.7, "Right": -0.7, None: 0.0}[towards]
    assert left == pytest.approx(expected, abs=0.2)
    other = [i for i, name in enumerate(names) if not name.startswith("eyeLook")]
    assert not found[other].any()


def test_a_picture_without_eyes_leaves_the_gaze_alone(model):
    camera = Camera(intrinsics(2400.0, (900, 900)), FACING, np.array([0.0, 20.0, 800.0]))
    blank = np.full((900, 900, 3), 128, np.uint8)
    marks = camera.project(model.mean[model.landmarks68])
    irises = face_mesh(blank, marks).irises
    assert not estimate_gaze(model, irises, marks, model.mean, camera).any()


def test_irises_tell_nothing_where_lids_are_shut_or_the_face_is_small(model):
    marks = model.mean[model.landmarks68_triangles]
    marks = (marks * model.landmarks68_barycentric[:, :, None]).sum(axis=1)
    near = Camera(intrinsics(2400.0, (900, 900)), FACING, np.array([0.0, 20.0, 800.0]))
    far = Camera(intrinsics(200.0, (900, 900)), FACING, np.array([0.0, 20.0, 800.0]))
    for camera, told in ((near, True), (far, False)):
        points = camera.project(marks)
        aside = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
        aside[:, 0] += 0.15 * np.linalg.norm(points[39] - points[36])
        assert estimate_gaze(model, aside, points, model.mean, camera).any() == told
        points[[37, 38, 43, 44], 1] = points[[41, 40, 47, 46], 1]
        assert not estimate_gaze(model, aside, points, model.mean, camera).any()
