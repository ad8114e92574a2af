"""What the renderer adds to the albedo benchmark's heads: lashes, folds, hard light."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.bench import albedo_set
from reconstruct_face.backend.model import DEFAULT_MODEL, load_model

from tools.make_accuracy_set import known

pytestmark = pytest.mark.seconds


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def test_lashes_grow_from_the_lids_edge_forwards_and_bend_up() -> None:
    model = load_model(DEFAULT_MODEL)
    edge = albedo_set._upper_edges(model)[1]
    thing = known.lashes(model.mean, model.faces, edge, np.random.default_rng(1))
    points = np.empty(3 * len(thing.data.points), np.float32)
    thing.data.points.foreach_get("position", points)
    x, y, z = points.reshape(known.LASHES, -1, 3).transpose(2, 0, 1) * 1000
    strands = np.stack([x, z, -y], axis=-1)  # as scene/coordinates.py has it
    away = np.linalg.norm(strands[:, :1] - model.mean[edge][None], axis=2).min(axis=1)
    assert away.max() < 3.0
    way = strands[:, -1] - strands[:, 0]
    assert way[:, 2].mean() > 3 and (way[:, 2] > 0).all()
    steps = np.diff(strands[..., 1], axis=1)
    assert (steps[:, -1] > steps[:, 0] + 0.3).all()
    assert np.linalg.norm(way, axis=1).max() < 1.6 * known.LASH_MM


def test_folds_are_pressed_in_as_deep_as_they_are() -> None:
    mesh = bpy.data.meshes.new("plate")
    side = np.linspace(0, 0.04, 21)
    x, y = np.meshgrid(side, side)
    corner = np.arange(20)[:, None] * 21 + np.arange(20)
    quads = np.stack([corner, corner + 1, corner + 22, corner + 21], -1).reshape(-1, 4)
    mesh.from_pydata(np.stack([x, y, 0 * x], -1).reshape(-1, 3).tolist(), [], quads.tolist())
    layer = mesh.uv_layers.new(name="UVMap")
    uv = np.stack([x, y], -1).reshape(-1, 2)[quads.ravel()] / 0.04
    layer.uv.foreach_set("vector", uv.astype(np.float32).ravel())
    body = bpy.data.objects.new("plate", mesh)
    bpy.context.scene.collection.objects.link(body)
    depth = np.zeros((64, 64))
    depth[:20] = 1.5  # mm, the map's upper rows: v near 1, y near 4 cm
    known.fold(body, {"fold_mm": depth})
    made = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(3 * len(made.vertices), np.float32)
    made.vertices.foreach_get("co", points)
    points = points.reshape(-1, 3)
    # Off the plate's edges, where the map begins again.
    inner = (points[:, :2] > 0.005).all(axis=1) & (points[:, 0] < 0.035)
    folded = inner & (points[:, 1] > 0.033) & (points[:, 1] < 0.037)
    assert points[folded, 2].mean() == pytest.approx(-0.0015, abs=2e-4)
    assert abs(points[inner & (points[:, 1] < 0.02), 2]).max() < 1e-4


def test_the_lamps_stand_on_either_side() -> None:
    head = {
        "vertices_posed": np.zeros((3, 3)), "rotation": np.diag([1.0, -1.0, -1.0]),
        "translation": np.array([0, 0, 600.0]), "lamp": np.array([40.0, -20.0]),
        "stage": np.array([2.0, 1.0, 0.5]),
    }  # fmt: skip
    key, stage = known.hard_lamps(head)
    assert key.location.x > 0.3 and stage.location.x < -0.3
    assert key.location.y < 0 and key.location.z > 0, "in front of the face, and above"
    assert tuple(stage.data.color) == pytest.approx((2.0, 1.0, 0.5))
    assert key.data.size < stage.data.size and key.data.energy > stage.data.energy


@pytest.mark.slow
def test_a_known_head_is_rendered(tmp_path: Path) -> None:
    model = load_model(DEFAULT_MODEL)
    (truth,) = albedo_set.albedo_set(tmp_path / "set", model, 1, 96, 5, lambda line: None)
    picture = np.asarray(Image.open(truth.picture)).astype(float)
    assert picture.shape == (96, 96, 3) and np.ptp(picture) > 100
    assert albedo_set.true_albedo(truth).shape == model.albedo_mean.shape
