"""Deep3DFaceRecon's network and result, against its recipe written out once more in float64."""

from __future__ import annotations

import json
import os
import pickle

import cv2
import numpy as np
import pytest
import torch
from reconstruct_face.backend.cli.models import main as models
from reconstruct_face.backend.cli.original import main as original
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.original.cards import list_networks
from reconstruct_face.backend.original.convert import read_checkpoint
from reconstruct_face.backend.original.deep3d import (
    FIVE_POINTS,
    align,
    deep3d_result,
    read_deep3d_face,
    split_deep3d,
)
from reconstruct_face.backend.original.deep3d_network import run_deep3d
from reconstruct_face.backend.original.store import load_network
from scipy.spatial.transform import Rotation
from torch.nn import functional

from tests import bfm_files
from tests.errors import has, raises
from tests.synthetic_face import synthetic_face


def public_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights with the names and shapes of the public code's ``net_recon``."""
    rng = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}

    def convolution(name: str, outside: int, inside: int, size: int) -> None:
        scale = (2 / (inside * size * size)) ** 0.5
        state[f"{name}.weight"] = torch.randn(outside, inside, size, size, generator=rng) * scale

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = 0.3 + 0.4 * torch.rand(width, generator=rng)
        state[f"{name}.bias"] = 0.1 * torch.randn(width, generator=rng)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=rng)
        state[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=rng)
        state[f"{name}.num_batches_tracked"] = torch.tensor(100)

    convolution("backbone.conv1", 64, 3, 7)
    norm("backbone.bn1", 64)
    inside = 64
    for stage, (count, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
        for k in range(count):
            name = f"backbone.layer{stage}.{k}"
            for n, (outside, into, size) in enumerate(
                ((width, inside, 1), (width, width, 3), (4 * width, width, 1)), start=1
            ):
                convolution(f"{name}.conv{n}", outside, into, size)
                norm(f"{name}.bn{n}", outside)
            if k == 0:
                convolution(f"{name}.downsample.0", 4 * width, inside, 1)
                norm(f"{name}.downsample.1", 4 * width)
            inside = 4 * width
    for k, count in enumerate((80, 64, 80, 3, 27, 2, 1)):
        state[f"final_layers.{k}.weight"] = 0.3 * torch.randn(count, 2048, 1, 1, generator=rng)
        state[f"final_layers.{k}.bias"] = 0.1 * torch.randn(count, generator=rng)
    return state


def public_forward(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """What the public code computes, straight from its state."""

    def unit(name: str, bn: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = state[f"{name}.weight"]
        x = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)
        mean, variance = state[f"{bn}.running_mean"], state[f"{bn}.running_var"]
        return functional.batch_norm(
            x, mean, variance, state[f"{bn}.weight"], state[f"{bn}.bias"], eps=1e-5
        )

    x = unit("backbone.conv1", "backbone.bn1", x, 2).relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate((3, 4, 6, 3), start=1):
        for k in range(count):
            name = f"backbone.layer{stage}.{k}"
            stride = 2 if stage > 1 and k == 0 else 1
            inner = unit(f"{name}.conv1", f"{name}.bn1", x).relu()
            inner = unit(f"{name}.conv2", f"{name}.bn2", inner, stride).relu()
            inner = unit(f"{name}.conv3", f"{name}.bn3", inner)
            if k == 0:
                x = unit(f"{name}.downsample.0", f"{name}.downsample.1", x, stride)
            x = (inner + x).relu()
    x = functional.adaptive_avg_pool2d(x, 1)
    heads = [(state[f"final_layers.{k}.weight"], state[f"final_layers.{k}.bias"]) for k in range(7)]
    return torch.cat([functional.conv2d(x, *head) for head in heads], dim=1).flatten(1)


@pytest.fixture(scope="module")
def state():
    return public_state()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("checkpoint") / "epoch_20.pth"
    torch.save({"net_recon": state, "opt_00": {"state": {}}, "sched_00": {"last_epoch": 20}}, path)
    return path


@pytest.fixture(scope="module")
def synthetic():
    return synthetic_face(3100, None, None, False, 80, 64, 80)


@pytest.fixture(scope="module")
def mat(tmp_path_factory, synthetic):
    path = tmp_path_factory.mktemp("deep3d") / "BFM_model_front.mat"
    return bfm_files.write_deep3d(path, synthetic)


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))


def test_the_converted_network_computes_what_the_public_code_computes(checkpoint, state, capsys):
    assert models(["import-network", str(checkpoint), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "deep3d"
    network = load_network("deep3d")
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (3, 224, 224, 3)).astype(np.uint8)
    pictures[1:] = np.repeat(np.repeat(pictures[1:, ::16, ::16], 16, 1), 16, 2)
    with torch.inference_mode():
        batch = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        expected = public_forward(state, batch).numpy()
    found = run_deep3d(network.run, list(pictures))
    assert found.shape == (3, 257)
    assert expected.std(axis=0).mean() > 0.01
    assert np.abs(found - expected).max() < 1e-4
    with raises(ModelError, "deep3d", "Deep3DFaceRecon", 257, "BFM_model_front.mat", 240):
        load_network("deep3d", "original")
    assert models(["networks", "--remove", "deep3d"]) == 0
    assert not list_networks()


def test_checkpoints_of_a_parallel_run_and_with_one_last_layer(tmp_path, state):
    plain = tmp_path / "epoch_20.pth"
    torch.save({"net_recon": {f"module.{k}": v for k, v in state.items()}}, plain)
    one = {k: v for k, v in state.items() if not k.startswith("final")}
    for end in ("weight", "bias"):
        parts = [state[f"final_layers.{k}.{end}"].flatten(1 if end == "weight" else 0)
                 for k in range(7)]  # fmt: skip
        one[f"backbone.fc.{end}"] = torch.cat(parts)
    last = tmp_path / "last.pth"
    torch.save({"net_recon": one}, last)
    first, second = read_checkpoint(plain), read_checkpoint(last)
    assert set(first) == set(second)
    assert len(first) > 100
    assert all(np.array_equal(first[name], second[name]) for name in first)


class Code:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_files_that_are_no_checkpoint(tmp_path, state, checkpoint):
    path = tmp_path / "epoch_20.pth"

    def refused(*facts: object) -> None:
        with raises(ModelError, "epoch_20.pth", *facts):
            read_checkpoint(path)
        assert models(["import-network", str(path)]) == 6
        assert not list_networks()

    with raises(ModelError, path):
        read_checkpoint(path)
    path.write_text("<!DOCTYPE html><html>Sign in</html>")
    refused("HTML")
    path.write_bytes(b"")
    refused("PyTorch")
    path.write_bytes(checkpoint.read_bytes()[:100_000])
    refused("PyTorch")
    torch.save({"net_recon": {"x": Code(tmp_path / "ran")}}, path)
    refused("Python")
    path.write_bytes(pickle.dumps(Code(tmp_path / "ran"), protocol=2))
    refused("Python")
    assert not (tmp_path / "ran").exists()
    torch.save(state, path)
    refused("'net_recon'", "backbone.bn1.bias")
    torch.save({"net_recon": {k: v for k, v in state.items() if "layer3" not in k}}, path)
    refused("net_recon", "backbone.layer3.0.conv1.weight")
    torch.save({"net_recon": state | {"backbone.conv1.weight": torch.zeros(64, 3, 3, 3)}}, path)
    refused("backbone.conv1.weight", "(64, 3, 3, 3)", "(64, 3, 7, 7)")
    torch.save({"net_recon": state | {"final_layers.7.bias": torch.zeros(2)}}, path)
    refused("net_recon", "final_layers.7.bias")
    torch.save({"net_recon": state | {"backbone.bn1.bias": torch.full((64,), torch.nan)}}, path)
    refused("network.stem.1.bias")


def test_outputs_are_split_in_the_order_of_the_public_code():
    found = split_deep3d(np.arange(257.0))
    assert found.identity[0] == 0 and found.expression[0] == 80 and found.texture[0] == 144
    assert found.angles.tolist() == [224, 225, 226]
    assert found.light.shape == (3, 9) and found.light[1, 0] == 236
    assert found.translation.tolist() == [254, 255, 256]


def points68(five: np.ndarray) -> np.ndarray:
    """(68, 2) landmarks of which only those that are used are set."""
    out = np.full((68, 2), np.nan)
    out[[36, 39]], out[[42, 45]] = five[0], five[1]
    out[30], out[48], out[54] = five[2:]
    return out


def test_alignment_brings_the_five_points_where_they_were_in_training():
    # A photo in which the model's origin is at (420, 310) and a decimetre is 255 pixels.
    five = np.array([420.0, 310.0]) + 255 * FIVE_POINTS[:, :2] * (1, -1)
    photo = np.zeros((600, 800, 3), np.uint8)
    for k, point in enumerate(five):
        cv2.circle(photo, tuple(int(n) for n in np.round(point)), 9, (255, 40 * k, 0), -1)
    found = align(photo, points68(five))
    assert found.crop.shape == (224, 224, 3)
    assert found.scale == pytest.approx(102 / 255, rel=1e-6)
    wanted = np.array([112.0, 112.0]) + 102 * FIVE_POINTS[:, :2] * (1, -1)
    for k, point in enumerate(wanted):
        x, y = np.round(point).astype(int)
        assert found.crop[y, x, 0] > 200 and abs(int(found.crop[y, x, 1]) - 40 * k) < 12
        back = found.to_photo @ [*point, 1]
        assert np.abs(back[:2] - five[k]).max() < 4  # the recipe cuts fractions off: a pixel
    # Where it leaves the photo it is black.
    near = align(photo, points68(five - (400, 0)))
    assert not near.crop[:, :40].any()


def test_alignment_solves_the_published_system(astronaut):
    rng = np.random.default_rng(4)
    five = np.array([420.0, 310.0]) + 255 * FIVE_POINTS[:, :2] * (1, -1) + rng.normal(0, 9, (5, 2))
    photo = np.zeros((600, 800, 3), np.uint8)
    up = np.stack([five[:, 0], 600 - 1 - five[:, 1]], axis=1)
    system = np.zeros((10, 8))
    system[0::2, 0:3], system[0::2, 3] = FIVE_POINTS, 1
    system[1::2, 4:7], system[1::2, 7] = FIVE_POINTS, 1
    k = np.linalg.lstsq(system, up.ravel(), rcond=None)[0]
    scale = 102 / ((np.linalg.norm(k[0:3]) + np.linalg.norm(k[4:7])) / 2)
    found = align(photo, points68(five))
    assert found.scale == pytest.approx(scale, rel=1e-9)
    width, height = int(800 * scale), int(600 * scale)
    left = int(width / 2 - 112 + (k[3] - 400) * scale)
    top = int(height / 2 - 112 + (300 - k[7]) * scale)
    corner = found.to_photo @ [-0.5, -0.5, 1]  # of the crop's first pixel, in the photo
    np.testing.assert_allclose(
        corner[:2], [left * 800 / width - 0.5, top * 600 / height - 0.5], atol=1e-9
    )


def test_vertices_colours_and_landmarks_are_those_worked_out_by_hand(mat, synthetic):
    outputs = np.random.default_rng(6).normal(0, 0.5, 257)
    outputs[224:227] = (0.2, -0.4, 0.1)
    outputs[227:254] *= 0.2
    outputs[254:] = (0.1, -0.05, 0.6)
    face = read_deep3d_face(mat)
    black = np.zeros((224, 224, 3), np.uint8)
    found = deep3d_result(split_deep3d(outputs), face, black)
    mean = synthetic.mean / 100  # decimetres
    vertices = mean - mean.mean(0)
    for start, modes in ((0, synthetic.identity[:80]), (80, synthetic.expression[:64])):
        for k, mode in enumerate(modes):
            vertices = vertices + outputs[start + k] * mode.astype(np.float64) / 100
    assert np.abs(found.vertices / 100 - vertices).max() < 1e-5
    turn = Rotation.from_euler("xyz", outputs[224:227]).as_matrix()  # R = Rz Ry Rx
    moved = vertices @ turn.T + outputs[254:]
    away = 10 - moved[:, 2]
    pixels = 1015 * moved[:, :2] / away[:, None] + 112
    pixels[:, 1] = 223 - pixels[:, 1]
    assert np.abs(found.landmarks - pixels[synthetic.landmarks68]).max() < 0.01
    # Colours, as the public code writes its harmonics out.
    a = [np.pi, 2 * np.pi / np.sqrt(3.0), 2 * np.pi / np.sqrt(8.0)]
    c = [
        1 / np.sqrt(4 * np.pi),
        np.sqrt(3.0) / np.sqrt(4 * np.pi),
        3 * np.sqrt(5.0) / np.sqrt(12 * np.pi),
    ]
    normals = np.zeros_like(vertices)
    for triangle in synthetic.triangles:
        p, q, r = vertices[triangle]
        normal = np.cross(q - p, r - p)
        normals[triangle] += normal / np.linalg.norm(normal)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    nx, ny, nz = (normals @ turn.T).T
    terms = [
        a[0] * c[0] * np.ones_like(nx),
        -a[1] * c[1] * ny,
        a[1] * c[1] * nz,
        -a[1] * c[1] * nx,
        a[2] * c[2] * nx * ny,
        -a[2] * c[2] * ny * nz,
        0.5 * a[2] * c[2] / np.sqrt(3.0) * (3 * nz**2 - 1),
        -a[2] * c[2] * nx * nz,
        0.5 * a[2] * c[2] * (nx**2 - ny**2),
    ]
    gamma = outputs[227:254].reshape(3, 9) + [0.8, 0, 0, 0, 0, 0, 0, 0, 0]
    texture = synthetic.albedo + np.einsum("k,kvc->vc", outputs[144:224], synthetic.albedo_basis)
    expected = np.clip(texture * (np.stack(terms, axis=1) @ gamma.T), 0, 1)
    colours = face.colours(split_deep3d(outputs), found.vertices)
    assert np.abs(colours - expected).max() < 2e-3
    assert 0.05 < expected.mean() < 0.95
    assert (found.rendering.max(axis=2) > 0).mean() > 0.1
    # With a picture, what the face does not cover stays.
    grey = deep3d_result(split_deep3d(outputs), face, black + np.uint8(77))
    corner = grey.rendering[0, 0]
    assert corner.tolist() == [77, 77, 77]


def test_the_command_on_the_sample_photo(tmp_path, checkpoint, mat, astronaut, capsys):
    assert models(["import-network", str(checkpoint), "--name", "d3"]) == 0
    out = tmp_path / "out"
    arguments = [str(astronaut), "--pd-model-path", "d3", "--save-rendered-to", str(out)]
    assert original([*arguments, "--bfm-path", str(mat), "--coefficients"]) == 0
    assert cv2.imread(str(out / "astronaut_rendered.jpg")).shape == (224, 448, 3)
    document = json.loads((out / "astronaut_coefficients.json").read_text())
    assert len(document["identity"]) == 80 and len(document["light"]) == 3
    capsys.readouterr()
    small = bfm_files.small_face()
    bfm = bfm_files.write_bfm(tmp_path / "BFM.mat", small)
    assert original([*arguments, "--bfm-path", str(bfm)]) == 6
    has(capsys.readouterr().err, "BFM_model_front.mat", "BFM.mat")
