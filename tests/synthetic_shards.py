"""A folder of training pictures, small and plain, for tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import FaceModel
from reconstruct_face.backend.model.contour import visible_jaw
from reconstruct_face.backend.network.crop_camera import CropPose
from reconstruct_face.backend.network.layout import anchor_of
from reconstruct_face.backend.training.config import Config
from scipy.spatial.transform import Rotation

#: A training run of seconds.
SHORT_RUN = Config(
    image_size=32,
    batch_size=8,
    steps=5,
    warmup_steps=2,
    plain_steps=2,
    precision="fp32",
    workers=0,
    log_every=1,
    validate_every=100,
)


def random_label(model: FaceModel, rng: np.random.Generator, yaw: float = 40.0) -> np.ndarray:
    """(label_size,) a head in the middle of its crop, lit from somewhere."""
    turn = Rotation.from_euler("YXZ", rng.uniform(-1, 1, 3) * (yaw, 15, 8), degrees=True)
    distance, scale = rng.normal(0, 0.3), np.log(1.05) + rng.normal(0, 0.05)
    pose = CropPose(FACING @ turn.as_matrix(), rng.normal(0, 0.05, 2), scale, distance)
    few = rng.random(len(model.expression_basis)) < 0.15
    light = np.zeros((9, 3))
    light[0], light[1:4] = rng.uniform(1.5, 3.5), rng.normal(0, 0.4, (3, 1))
    return np.concatenate(
        [
            pose.vector(),
            rng.normal(size=len(model.identity_basis)),
            rng.uniform(0, 0.5, len(few)) * few,
            np.clip(rng.normal(size=len(model.albedo_basis)), -1.7, 1.7),
            light.ravel(),
        ]
    ).astype(np.float32)


def render_label(
    model: FaceModel, label: np.ndarray, size: int, background: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """(size, size, 3) uint8 the picture that ``label`` describes, and (17,) its jaw."""
    k, e, a = (len(b) for b in (model.identity_basis, model.expression_basis, model.albedo_basis))
    identity, expression, albedo, light = np.split(label[10:], np.cumsum([k, e, a]))
    vertices = model.vertices(identity, expression)
    camera = CropPose.from_vector(label[:10]).camera(anchor_of(model), size)
    image = render_picture(
        model,
        vertices,
        model.albedo(albedo),
        light.reshape(9, 3),
        camera.camera_matrix,
        camera.rotation,
        camera.translation,
        (size, size),
        background,
    )
    return image, visible_jaw(model, vertices, camera)[:17]


def write_shards(folder: Path, model: FaceModel, count: int, size: int, seed: int = 0) -> Path:
    """One shard of ``count`` pictures of ``size`` pixels."""
    rng = np.random.default_rng(seed)
    labels = np.stack([random_label(model, rng) for _ in range(count)])
    images, jaws = zip(*(render_label(model, label, size) for label in labels), strict=True)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "0000_images.npy", np.stack(images))
    np.save(folder / "0000_labels.npy", labels)
    np.save(folder / "0000_jaw.npy", np.stack(jaws).astype(np.int32))
    header = {"format": 1, "size": size, "count": count, "model_sha256": model.header["sha256"]}
    (folder / "shards.json").write_text(json.dumps(header))
    return folder
