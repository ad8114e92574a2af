"""The network, its weight file, what a flipped picture says, and the regressor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.network.architecture import tensor_shapes
from reconstruct_face.backend.network.crop_camera import CropPose
from reconstruct_face.backend.network.device import Device
from reconstruct_face.backend.network.layout import Layout, anchor_of
from reconstruct_face.backend.network.mirror import mirror_matrix, mirrored_landmarks
from reconstruct_face.backend.network.predict import Regressor
from reconstruct_face.backend.network.resnet import ResNet, build_network, fused, tensors_of
from reconstruct_face.backend.network.runners import resnet_runner, torch_runner
from reconstruct_face.backend.network.weights import Weights, load_weights, save_weights
from safetensors.numpy import save_file

from tests.errors import raises
from tests.synthetic_shards import random_label

MODEL = load_model()
LAYOUT = Layout.of(MODEL)


def lively_network(architecture: str = "resnet18") -> ResNet:
    """Random, but with batch norm and head that matter."""
    torch.manual_seed(0)
    network = build_network(architecture, LAYOUT.size).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.4, 0.8)
            torch.nn.init.normal_(module.bias, std=0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(network.head.weight, std=0.02)
    return network


@pytest.fixture(scope="module")
def weights() -> Weights:
    rng = np.random.default_rng(0)
    labels = np.stack([random_label(MODEL, rng) for _ in range(50)])
    mean, std = labels.mean(0), np.maximum(labels.std(0), 1e-3)
    extras = {"posterior_covariance": np.eye(3, dtype=np.float32)}
    tensors = tensors_of(lively_network())
    return Weights("resnet18", tensors, mean, std, 64, {"seed": 5}, extras)


@pytest.fixture(scope="module")
def file(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_weights(tmp_path_factory.mktemp("weights") / "net.safetensors", weights, MODEL)


@pytest.mark.parametrize(("architecture", "millions"), [("resnet18", 11.3), ("resnet50", 24.2)])
def test_onnx_runtime_computes_what_torch_does(architecture: str, millions: float) -> None:
    network = lively_network(architecture)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    tensors = tensors_of(network)
    assert {name: value.shape for name, value in tensors.items()} == tensor_shapes(
        architecture, LAYOUT.size
    )
    by_onnx = resnet_runner(architecture, tensors, Device("cpu"))
    by_torch = torch_runner(architecture, tensors, "cpu")
    for size in (48, 75):
        pictures = torch.rand(2, 3, size, size) * 2 - 1
        with torch.no_grad():
            expected = network(pictures).numpy()
            np.testing.assert_allclose(fused(network)(pictures), expected, atol=1e-4, rtol=1e-3)
        assert np.abs(expected).mean() > 0.05
        for run in (by_onnx, by_torch):
            np.testing.assert_allclose(run(pictures.numpy()), expected, atol=1e-4, rtol=1e-4)


def test_weights_come_back(file: Path, weights: Weights) -> None:
    found = load_weights(file, MODEL, "resnet18")
    assert file.stat().st_size < 26e6
    assert found.input_size == 64
    assert found.training == {"seed": 5}
    np.testing.assert_array_equal(found.extras["posterior_covariance"], np.eye(3))
    np.testing.assert_allclose(found.label_std, weights.label_std, rtol=1e-6)
    pictures = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    before, after = (
        resnet_runner(one.architecture, one.tensors, Device("cpu"))(pictures)
        for one in (weights, found)
    )
    np.testing.assert_allclose(after, before, atol=5e-3, rtol=5e-2)


def test_bad_weight_files(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    bad = tmp_path / "bad.safetensors"

    def refused(
        data: bytes, *facts: object, architecture: str | None = None, model: FaceModel = MODEL
    ) -> None:
        bad.write_bytes(data)
        with raises(ModelError, bad, *facts):
            load_weights(bad, model, architecture)

    with raises(ModelError, bad):
        load_weights(bad, MODEL)
    refused(b"no safetensors")
    refused(whole[: len(whole) // 2])
    refused(whole[:-1000] + bytes([whole[-1000] ^ 0x55]) + whole[-999:], "checksum")
    refused(whole, "resnet18", "resnet50", architecture="resnet50")
    other = replace(MODEL, name="scan", header=MODEL.header | {"sha256": "0" * 64})
    refused(whole, "'default'", MODEL.header["sha256"][:8], "'scan'", "00000000", model=other)
    save_file({"x": np.zeros(2)}, bad)
    refused(bad.read_bytes(), "safetensors")


def test_mirrored_coefficients_are_the_mirrored_head() -> None:
    label = random_label(MODEL, np.random.default_rng(3)).astype(np.float64)
    matrix = mirror_matrix(MODEL)[: len(label), : len(label)]
    mirrored = matrix @ label
    np.testing.assert_allclose(matrix @ mirrored, label, atol=1e-6)
    heads, cameras = [], []
    for vector in (label, mirrored):
        part = LAYOUT.split(vector)
        heads.append(MODEL.vertices(part["identity"], part["expression"]))
        cameras.append(CropPose.from_vector(vector[:10]).camera(anchor_of(MODEL), 200))
    np.testing.assert_allclose(heads[0][MODEL.symmetry] * [-1, 1, 1], heads[1], atol=1e-3)
    before, after = (camera.project(head) for camera, head in zip(cameras, heads, strict=True))
    before = before[MODEL.symmetry]
    np.testing.assert_allclose(np.stack([199 - before[:, 0], before[:, 1]], 1), after, atol=1e-3)


def test_flipped_crop_gives_the_flipped_estimate(file: Path) -> None:
    regressor = Regressor(MODEL, file, "cpu")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    here, flipped = regressor.regress(crops)[1], regressor.regress(crops[1:, :, ::-1])[0]
    marks, other = (regressor.landmarks(e, 224) for e in (here, flipped))
    other = other[mirrored_landmarks(MODEL)]
    np.testing.assert_allclose(marks, np.stack([223 - other[:, 0], other[:, 1]], 1), atol=0.02)
    order = mirrored_landmarks(MODEL)
    np.testing.assert_allclose(here.landmark_sigma, flipped.landmark_sigma[order], rtol=1e-4)
    low, high = MODEL.expression_range.T
    assert (here.expression >= low).all()
    assert (here.expression <= high).all()
    assert here.sh_light.shape == (9, 3)


def test_crops_of_any_size_are_averaged_down(file: Path) -> None:
    regressor = Regressor(MODEL, file, "cpu")
    crop = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    large = crop.repeat(3, axis=1).repeat(3, axis=2)
    small, same = (regressor.regress(c, mirrored=False)[0] for c in (crop, large))
    np.testing.assert_allclose(small.identity, same.identity, atol=1e-6)


def test_missing_weights_are_told_at_first_use(tmp_path: Path) -> None:
    regressor = Regressor(MODEL, tmp_path / "none.safetensors", "cpu")
    with raises(ModelError, tmp_path / "none.safetensors"):
        regressor.warm()
