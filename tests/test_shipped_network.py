"""The weights in ``assets/``, on heads they were not trained on, drawn by rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import seen_landmarks
from reconstruct_face.backend.network.crop_camera import CropPose
from reconstruct_face.backend.network.layout import Layout, anchor_of
from reconstruct_face.backend.network.predict import Estimate, Regressor
from reconstruct_face.backend.network.weights import (
    DEFAULT_WEIGHTS,
    load_weights,
    read_safetensors,
)
from reconstruct_face.backend.training.synthetic.picture import Picture, sample_picture

from tests.errors import raises

SIZE, COUNT = 160, 60
MODEL = load_model()
SLICES = Layout.of(MODEL).slices

Seen = list[tuple[Picture, Estimate]]


@pytest.fixture(scope="module")
def seen() -> Seen:
    pictures = [
        sample_picture(MODEL, SIZE, np.random.default_rng([20261126, i])) for i in range(COUNT)
    ]
    estimates = Regressor(MODEL).regress(np.stack([picture.image for picture in pictures]))
    return list(zip(pictures, estimates, strict=True))


def coefficients(seen: Seen, part: str) -> tuple[np.ndarray, np.ndarray]:
    """True and estimated, (COUNT, N)."""
    true = np.stack([picture.label[SLICES[part]] for picture, _ in seen])
    return true, np.stack([getattr(estimate, part) for _, estimate in seen])


def test_landmarks(seen: Seen) -> None:
    """Within 2.5 % of the face's box, and where it expects more error there is more."""
    errors, expected = [], []
    for picture, estimate in seen:
        label = picture.label
        points = []
        for pose, identity, expression in (
            (
                CropPose.from_vector(label[:10]),
                label[SLICES["identity"]],
                label[SLICES["expression"]],
            ),
            (estimate.pose, estimate.identity, estimate.expression),
        ):
            camera = pose.camera(anchor_of(MODEL), SIZE)
            vertices = MODEL.vertices(identity, expression)
            points.append(camera.project(seen_landmarks(MODEL, vertices, camera)))
        box = np.sqrt(np.prod(np.ptp(points[0], axis=0)))
        errors.append(np.linalg.norm(points[0] - points[1], axis=1).mean() / box)
        expected.append(estimate.landmark_sigma.mean())
    assert np.mean(errors) < 0.025
    assert np.corrcoef(errors, expected)[0, 1] > 0.4


def test_who_it_is(seen: Seen) -> None:
    """Nearer to the true neutral shape than the average head is, by a sixth."""
    true, found = coefficients(seen, "identity")
    basis = MODEL.identity_basis.reshape(len(MODEL.identity_basis), -1)

    def away(difference: np.ndarray) -> float:
        return float(np.sqrt(np.square(difference @ basis).mean(axis=1)).mean())

    assert away(found - true) < 5 / 6 * away(true)


@pytest.mark.parametrize(
    ("name", "least"), [("jawOpen", 0.85), ("mouthSmileLeft", 0.75), ("eyeBlinkLeft", 0.6)]
)
def test_what_the_face_does(seen: Seen, name: str, least: float) -> None:
    true, found = coefficients(seen, "expression")
    place = MODEL.expression_names.index(name)
    assert np.corrcoef(true[:, place], found[:, place])[0, 1] > least
    assert np.polyfit(true[:, place], found[:, place], 1)[0] > 0.45


def test_it_reads_for_a_model_whose_coefficients_mean_the_same() -> None:
    """The face model changed since it was trained; one that does not say so is refused."""
    metadata, _ = read_safetensors(DEFAULT_WEIGHTS)
    trained_for = metadata["model_sha256"]
    assert trained_for in (MODEL.header["sha256"], *MODEL.header["same_coefficients"])
    assert load_weights(None, MODEL).architecture == metadata["architecture"]
    changed = MODEL.header | {"sha256": "0" * 64, "same_coefficients": []}
    with raises(ModelError, DEFAULT_WEIGHTS, trained_for[:8], "00000000"):
        load_weights(None, replace(MODEL, header=changed))
