"""Synthetic training pictures: coefficients, views, labels, shards."""

import json
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.cli.synthesise import main
from reconstruct_face.backend.errors import OutputError
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import landmark_points
from reconstruct_face.backend.model.sampling import (
    sample_expression,
    sample_identity,
)
from reconstruct_face.backend.network.crop_camera import CropPose, photo_camera
from reconstruct_face.backend.network.layout import Layout, anchor_of
from reconstruct_face.backend.training.synthetic import shards
from reconstruct_face.backend.training.synthetic.assembly import openness
from reconstruct_face.backend.training.synthetic.picture import sample_picture
from reconstruct_face.backend.training.synthetic.shards import ShardSet, render_shards
from reconstruct_face.backend.training.synthetic.view import crop_view, sample_view
from scipy.spatial.transform import Rotation

from tests.errors import has, raises


@pytest.fixture(scope="module")
def model():
    return load_model()


def seeds(count):
    return (np.random.default_rng([77, i]) for i in range(count))


def test_expressions_stay_in_range_and_use_every_shape(model):
    drawn = np.array([sample_expression(model, rng) for rng in seeds(1500)])
    low, high = model.expression_range.T
    assert (drawn >= low).all() and (drawn <= high).all()
    names = np.array(model.expression_names)
    rare = {"mouthClose", "nostrilDilateLeft", "nostrilDilateRight", "nostrilCompress"}
    unused = set(names[drawn.max(axis=0) < 0.2])
    assert unused <= rare


def test_lids_blink_together_and_eyes_look_at_one_point(model):
    drawn = np.array([sample_expression(model, rng) for rng in seeds(600)])
    column = {name: drawn[:, i] for i, name in enumerate(model.expression_names)}
    blink = np.corrcoef(column["eyeBlinkLeft"], column["eyeBlinkRight"])[0, 1]
    assert blink > 0.8
    together = (column["eyeLookOutLeft"] > 0.2) & (column["eyeLookOutRight"] > 0.2)
    assert not together.any()  # that would be one eye to each side
    assert np.allclose(column["eyeLookUpLeft"], column["eyeLookUpRight"])


def test_views_cover_the_range_and_hold_the_face(model):
    angles, inside = [], []
    for rng in seeds(300):
        vertices = model.vertices(sample_identity(model, rng))
        view = sample_view(model, vertices, 100, rng)
        angles.append(view.camera.euler_degrees)
        ids = np.concatenate([view.jaw, model.landmarks68[17:]])
        pixels = view.camera.project(landmark_points(model, vertices, ids))
        inside.append(((pixels > 0) & (pixels < 99)).all(axis=1).mean())
    yaw, pitch, _ = np.abs(angles).T
    assert yaw.max() > 65 and pitch.max() > 25
    assert (yaw < 15).mean() > 0.25 and (yaw > 60).mean() > 0.05
    assert np.mean(inside) > 0.97


def test_the_crop_follows_the_ffhq_recipe_when_nothing_errs(model, monkeypatch):
    from reconstruct_face.backend.training.synthetic import view as module

    monkeypatch.setattr(module, "BOX_SHARE", 0.0)
    monkeypatch.setattr(
        module,
        "dlib_noise",
        lambda: module_noise,
    )

    class Exact:
        covariance = np.eye(136) * 1e-12
        spread = 0.0

        @staticmethod
        def offset(yaw, roll, scale):
            return np.zeros((68, 2))

    module_noise = Exact()
    rng = np.random.default_rng(3)
    vertices = model.vertices(sample_identity(model, rng))
    turn = Rotation.from_euler("YXZ", (20, -5, -12), degrees=True).as_matrix()
    view = crop_view(model, vertices, FACING @ turn, 1200.0, 224, rng)
    ids = np.concatenate([view.jaw, model.landmarks68[17:]])
    marks = view.camera.project(landmark_points(model, vertices, ids))
    # In the crop that FFHQ's recipe cuts, its own square is the crop's outline.
    from reconstruct_face.backend.align import ffhq_quad

    quad = ffhq_quad(marks)
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * 224 - 0.5
    assert np.abs(quad - corners).max() < 2.0  # the virtual camera turns towards the crop


def test_a_label_reprojects_to_the_view_it_came_from(model):
    rng = np.random.default_rng(8)
    picture = sample_picture(model, 64, rng)
    layout = Layout.of(model)
    assert picture.image.shape == (64, 64, 3) and picture.image.dtype == np.uint8
    assert picture.label.shape == (layout.label_size,)
    parts = layout.split(picture.label.astype(np.float64))
    pose = CropPose.from_vector(picture.label[:10])
    vertices = model.vertices(parts["identity"], parts["expression"])
    camera = pose.camera(anchor_of(model), 64)
    ids = np.concatenate([picture.jaw, model.landmarks68[17:]])
    points = landmark_points(model, vertices, ids)
    assert np.abs(camera.project(points) - picture.view.camera.project(points)).max() < 0.01


def test_the_photo_camera_sees_what_the_crop_camera_sees(model):
    """Near the optical axis both agree exactly but for perspective of second order."""
    anchor = anchor_of(model)
    turn = Rotation.from_euler("YXZ", (30, 10, -8), degrees=True).as_matrix()
    pose = CropPose(FACING @ turn, np.array([0.1, -0.05]), np.log(0.85), np.log(0.9))
    angle, zoom = 0.2, 2.0
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    to_photo = np.array([[c, -s, 0.0], [s, c, 0.0], [0, 0, 1]])
    to_photo[:2, 2] = (399.5, 299.5) - to_photo[:2, :2] @ (111.5, 111.5)  # the photo's middle
    points = landmark_points(model, model.mean, model.landmarks68)
    seen = np.c_[pose.camera(anchor, 224).project(points), np.ones(68)] @ to_photo.T
    for focal in (None, pose.camera(anchor, 224).focal * zoom):
        camera = photo_camera(pose, anchor, to_photo, 224, (800, 600), focal)
        assert np.abs(camera.project(points) - seen[:, :2]).max() < 1e-6
    longer = photo_camera(pose, anchor, to_photo, 224, (800, 600), 4000.0)
    assert longer.focal == 4000.0
    assert np.linalg.norm(longer.project(anchor[None]) - camera.project(anchor[None])) < 1e-6
    assert np.abs(longer.project(points) - seen[:, :2]).max() < 6.0


def test_crop_pose_and_camera_are_inverse():
    camera = Camera(intrinsics(500.0, (224, 224)), FACING, np.array([10.0, -20.0, 800.0]))
    anchor = np.array([0.0, -10.0, 88.0])
    again = CropPose.of_camera(camera, anchor, 224).camera(anchor, 224)
    assert np.allclose(again.translation, camera.translation)
    assert np.allclose(again.camera_matrix, camera.camera_matrix)
    pose = CropPose.of_camera(camera, anchor, 224)
    assert np.allclose(CropPose.from_vector(3.0 * pose.vector()).rotation, camera.rotation)


def test_hollows_are_darker_than_the_forehead(model):
    light = openness(model)
    assert light[model.mask("mouth") > 0.5].mean() < 0.6 * light[model.mask("scalp") > 0.5].mean()


def test_a_seed_decides_a_picture(model):
    first, again, other = (
        sample_picture(model, 48, np.random.default_rng([1, seed])) for seed in (4, 4, 5)
    )
    assert np.array_equal(first.image, again.image) and np.array_equal(first.label, again.label)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.slow
def test_shards_are_the_same_however_they_were_rendered(model, tmp_path, monkeypatch):
    whole = ShardSet(tmp_path / "whole", 32, 6, seed=9)
    render_shards(whole, processes=1)
    header = json.loads((whole.folder / "shards.json").read_text())
    assert header["count"] == 6 and header["size"] == 32
    images = np.load(whole.folder / "0000_images.npy", mmap_mode="r")
    labels = np.load(whole.folder / "0000_labels.npy")
    picture = sample_picture(model, 32, np.random.default_rng([9, 4]))
    assert np.array_equal(images[4], picture.image)
    assert np.array_equal(labels[4], picture.label)
    before = (whole.folder / "0000_images.npy").stat().st_mtime_ns
    assert render_shards(whole, processes=1) == 0.0  # nothing is missing
    assert (whole.folder / "0000_images.npy").stat().st_mtime_ns == before


def test_another_set_is_not_overwritten(tmp_path, capsys):
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "shards.json").write_text('{"format": 1, "size": 224, "seed": 3, "count": 5}')
    with raises(OutputError, folder, "'seed': 3"):
        render_shards(ShardSet(folder, 32, 5, seed=4))
    assert main([str(folder), "--count", "5", "--size", "32"]) == OutputError.exit_status
    has(capsys.readouterr().err, folder, "'seed': 3")
    assert json.loads((folder / "shards.json").read_text())["seed"] == 3


def test_a_full_disk_is_told_before_rendering(tmp_path):
    with raises(OutputError, 10**9, "150528.0 GB", tmp_path / "huge"):
        render_shards(ShardSet(tmp_path / "huge", 224, 10**9, seed=1))


@pytest.mark.seconds
def test_an_interrupt_ends_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(jobs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render_shards(ShardSet(tmp_path, 32, 3000, seed=1), processes=2)
    assert not active_children()
    assert [path.name for path in tmp_path.iterdir()] == ["shards.json"]
