"""The torch model, cameras and renderer against numpy in float64 and finite differences."""

import cv2
import numpy as np
import pytest
import torch
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.differentiable import (
    Cameras,
    EmbreeRasterizer,
    Fragments,
    TorchFaceModel,
    best_rasterizer,
    render,
    rotation_of_axis_angle,
    sh_basis,
)
from reconstruct_face.backend.geometry import harmonics
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.geometry.triangles import vertex_normals
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.crop_camera import CropPose
from reconstruct_face.backend.network.layout import anchor_of
from reconstruct_face.backend.raster import rasterize
from scipy.spatial.transform import Rotation

SIZE = 96


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def torch_model(model):
    return TorchFaceModel(model, dtype=torch.float64)


def coefficients(model, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    light = rng.normal(scale=0.15, size=(9, 3))
    light[0] += 2.6
    light[2] += 0.5
    return {
        "identity": rng.normal(size=len(model.identity_basis)),
        "expression": rng.uniform(0, 0.3, len(model.expression_basis)),
        "albedo": rng.normal(scale=0.7, size=len(model.albedo_basis)),
        "sh_light": light,
    }


def turned_camera(yaw: float, roll: float = 0.0) -> Camera:
    turn = Rotation.from_euler("yxz", [yaw, -8, roll], degrees=True).as_matrix()
    matrix = intrinsics(900 * SIZE / 300.0, (SIZE, SIZE))
    return Camera(matrix, FACING @ turn, np.array([5.0, 10.0, 900.0]))


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    """Batches of float64 tensors with one entry each, to be differentiated."""
    return [torch.tensor(a, dtype=torch.float64)[None].requires_grad_() for a in arrays]


def batch(camera: Camera) -> Cameras:
    return Cameras(*tensors(camera.camera_matrix, camera.rotation, camera.translation))


def test_model_equals_numpy(model, torch_model):
    given = coefficients(model, 1)
    vertices = torch_model.vertices(*tensors(given["identity"], given["expression"]))
    expected = (
        model.mean.astype(float)
        + np.einsum("k,kvx->vx", given["identity"], model.identity_basis.astype(float))
        + np.einsum("e,evx->vx", given["expression"], model.expression_basis.astype(float))
    )
    assert np.allclose(vertices[0].detach(), expected, atol=1e-9)
    normals = torch_model.normals(vertices)[0].detach().numpy()
    used = np.unique(model.faces)
    assert np.allclose(normals[used], vertex_normals(expected, model.faces)[used], atol=1e-9)
    directions = np.random.default_rng(0).normal(size=(50, 3))
    expected = harmonics.sh_basis(directions)
    assert np.allclose(sh_basis(torch.tensor(directions)), expected, atol=1e-12)


def test_landmarks_follow_the_jaw_that_is_seen(model, torch_model):
    vertices = torch.tensor(model.mean, dtype=torch.float64)[None]
    points = torch_model.landmarks(vertices)[0]
    corners = model.mean[model.landmarks68_triangles].astype(float)
    expected = (corners * model.landmarks68_barycentric[..., None]).sum(1)
    assert np.allclose(points, expected, atol=1e-6)
    jaw = model.landmarks68[:17].copy()
    jaw[14] = 77
    moved = torch_model.landmarks(vertices, torch.tensor(jaw, dtype=torch.int64)[None])[0].numpy()
    assert np.allclose(moved[14], model.mean[77])
    assert np.allclose(np.delete(moved, 14, 0), np.delete(expected, 14, 0), atol=1e-6)


def test_crop_poses_give_the_cameras_of_the_layout(model):
    rng = np.random.default_rng(2)
    anchor = anchor_of(model)
    vector = np.append(rng.normal(size=6), [0.1, -0.2, -0.4, 0.3])
    expected = CropPose.from_vector(vector).camera(anchor, 224)
    found = Cameras.of_crop_poses(torch.tensor(vector)[None], torch.tensor(anchor), 224)
    assert np.allclose(found.matrix[0], expected.camera_matrix)
    assert np.allclose(found.rotation[0], expected.rotation)
    assert np.allclose(found.translation[0], expected.translation)
    points = model.mean[::500].astype(float)
    assert np.allclose(found.project(torch.tensor(points)[None])[0], expected.project(points))


@pytest.mark.parametrize("vector", [(0, 0, 0), (0.3, -0.5, 0.9), (0, 3.0, 0)])
def test_axis_angle_equals_scipy(vector):
    found = rotation_of_axis_angle(torch.tensor([vector], dtype=torch.float64))[0]
    assert np.allclose(found, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


def test_rasterizer_sees_what_the_exact_one_sees(model):
    # the camera of a turned, scaled crop; the chin hides the neck, the nose a cheek
    camera = turned_camera(35)
    turn = np.array([[0.8, -0.6, 20.0], [0.6, 0.8, -25.0], [0, 0, 1]])
    matrix = np.linalg.inv(turn) @ camera.camera_matrix
    vertices = camera.to_camera(model.mean)
    found = EmbreeRasterizer().rasterize(
        torch.tensor(vertices)[None],
        torch.tensor(model.faces, dtype=torch.int64),
        torch.tensor(matrix)[None],
        (SIZE, SIZE - 7),
    )
    expected = rasterize(vertices, model.faces, matrix, (SIZE, SIZE - 7))
    same = found.face_id[0].numpy() == expected.face_id
    assert found.face_id.shape == (1, SIZE - 7, SIZE) and found.face_id.dtype == torch.int64
    assert 0.2 < expected.mask.mean() < 0.9 and same.mean() > 0.999
    weights = found.barycentric[0].numpy()
    assert np.allclose(weights[same], expected.barycentric[same], atol=1e-3)


def test_without_cuda_the_rasterizer_is_embree():
    assert isinstance(best_rasterizer("cpu"), EmbreeRasterizer)


def test_picture_equals_the_numpy_rendering(model):
    given, camera = coefficients(model, 3), turned_camera(25, 10)
    single = TorchFaceModel(model)
    with torch.no_grad():
        identity, expression, albedo, light = (x.float() for x in tensors(*given.values()))
        linear, mask = render(
            single,
            Cameras(**{name: x.float() for name, x in vars(batch(camera)).items()}),
            identity,
            expression,
            albedo,
            light,
            (SIZE, SIZE),
            EmbreeRasterizer(),
        )
    albedo = cv2.resize(model.albedo(given["albedo"]), (256, 256), interpolation=cv2.INTER_AREA)
    expected = render_picture(
        model,
        model.vertices(given["identity"], given["expression"]),
        albedo,
        given["sh_light"],
        camera.camera_matrix,
        camera.rotation,
        camera.translation,
        (SIZE, SIZE),
        background=0.0,
    )
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    apart = np.abs(np.clip(encoded[0], 0, 1) * 255 - expected).max(-1)
    assert mask[0].numpy().mean() > 0.3
    assert np.median(apart[mask[0]]) < 1 and (apart < 3).mean() > 0.995


class Frozen:
    """A rasteriser that always answers the same: its ids are what the gradients hold fixed."""

    def __init__(self, fragments: Fragments) -> None:
        self.fragments = fragments

    def rasterize(self, vertices_camera, faces, camera_matrix, size) -> Fragments:
        return self.fragments


@pytest.mark.parametrize(
    "group", ["matrix", "rotation", "translation", "identity", "expression", "albedo", "sh_light"]
)
def test_gradients_by_finite_differences(model, torch_model, group):
    given, camera = coefficients(model, 4), turned_camera(-20)
    inputs = dict(vars(batch(camera)))
    inputs |= dict(zip(given, tensors(*given.values()), strict=True))
    rng = np.random.default_rng(5)
    weight = torch.tensor(rng.normal(size=(1, SIZE, SIZE, 3)))
    vertices = torch_model.vertices(inputs["identity"], inputs["expression"])
    frozen = Frozen(
        EmbreeRasterizer().rasterize(
            batch(camera).to_camera(vertices), torch_model.faces, inputs["matrix"], (SIZE, SIZE)
        )
    )

    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        cameras = Cameras(values["matrix"], values["rotation"], values["translation"])
        identity, expression, albedo, light = (values[name] for name in given)
        size = (SIZE, SIZE)
        found = render(torch_model, cameras, identity, expression, albedo, light, size, frozen)
        return (weight * found[0]).sum()

    direction = torch.tensor(rng.normal(size=inputs[group].shape))
    if group == "matrix":  # its last row is (0, 0, 1) by definition
        direction[:, 2] = 0
    slope = (torch.autograd.grad(loss(inputs), inputs[group])[0] * direction).sum()
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (
            loss(inputs | {group: inputs[group] + sign * step * direction}) for sign in (1, -1)
        )
    assert torch.isfinite(slope)
    assert float(slope) == pytest.approx(float(ahead - behind) / (2 * step), rel=2e-3, abs=1e-3)


def test_gradients_stay_finite_on_an_empty_picture(model, torch_model):
    given = coefficients(model, 6)
    away = turned_camera(0)
    away = Camera(away.camera_matrix, away.rotation, np.array([5000.0, 0.0, 900.0]))
    identity, expression, albedo, light = tensors(*given.values())
    size, rasterizer = (SIZE, SIZE), EmbreeRasterizer()
    linear, mask = render(
        torch_model, batch(away), identity, expression, albedo, light, size, rasterizer
    )
    linear.sum().backward()
    assert not mask.any() and identity.grad is not None and torch.isfinite(identity.grad).all()
