"""The props of the synthetic pictures: sound meshes in sensible places, at sensible rates."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.raster import rasterize
from reconstruct_face.backend.training.synthetic.glasses import fit_glasses
from reconstruct_face.backend.training.synthetic.hair import grow_hair, sample_style
from reconstruct_face.backend.training.synthetic.props import Prop, sample_props
from reconstruct_face.backend.training.synthetic.skull import skull_of

pytestmark = pytest.mark.seconds

TONE = np.array([0.4, 0.28, 0.22])
FRONT = np.diag([1.0, -1.0, -1.0])  # head to a camera that looks at the face
FAR = np.array([0.0, 0.0, 2000.0])


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="module")
def heads(model: FaceModel) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    size = len(model.identity_basis)
    return [model.vertices(rng.normal(size=size) * scale) for scale in (0.0, 0.6, 1.0, 1.0)]


@pytest.fixture(scope="module")
def samples(model: FaceModel, heads: list[np.ndarray]) -> list[list[Prop]]:
    return [
        sample_props(model, heads[seed % len(heads)], np.random.default_rng(seed), TONE)
        for seed in range(300)
    ]


def seen_from(rotation: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Face ids of a 200 x 200 picture of about 400 mm."""
    camera = np.array([[1000.0, 0, 99.5], [0, 1000.0, 99.5], [0, 0, 1]])
    return rasterize(vertices @ rotation.T + FAR, faces, camera, (200, 200)).face_id


def test_meshes_are_sound(samples: list[list[Prop]]) -> None:
    for prop in (prop for props in samples for prop in props):
        assert prop.vertices.dtype == np.float32 and prop.colours.dtype == np.float32
        assert prop.faces.dtype == np.int32 and prop.colours.shape == prop.vertices.shape
        assert np.isfinite(prop.vertices).all() and np.abs(prop.vertices).max() < 1500
        assert prop.faces.min() >= 0 and prop.faces.max() < len(prop.vertices)
        assert prop.colours.min() > 0 and prop.colours.max() <= 1
        assert 0 <= prop.gloss <= 1 and 0 < prop.opacity <= 1
    triangles = [sum(len(prop.faces) for prop in props) for props in samples]
    assert np.mean(triangles) < 8000 and max(triangles) < 11000


def test_same_seed_same_props(model: FaceModel, heads: list[np.ndarray]) -> None:
    for seed in range(6):
        one, two = (
            sample_props(model, heads[1], np.random.default_rng(seed), TONE) for _ in range(2)
        )
        assert [prop.kind for prop in one] == [prop.kind for prop in two]
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(a.vertices, b.vertices, atol=1e-4)  # threads round apart
            np.testing.assert_allclose(a.colours, b.colours, atol=1e-5)


def test_rates_of_the_kinds(samples: list[list[Prop]]) -> None:
    count = Counter(kind for props in samples for kind in {prop.kind for prop in props})
    bounds = {
        "hair": (0.80, 0.94), "body": (0.90, 0.99), "glasses": (0.11, 0.26), "hat": (0.04, 0.14),
        "hand": (0.04, 0.14), "beard": (0.02, 0.11), "mask": (0.002, 0.06), "blob": (0.01, 0.09),
    }  # fmt: skip
    assert set(count) == set(bounds)
    for kind, (least, most) in bounds.items():
        assert least <= count[kind] / len(samples) <= most, kind


def test_hair_covers_the_scalp_and_leaves_the_nose(
    model: FaceModel, heads: list[np.ndarray]
) -> None:
    """Seen from above hair hides the head, seen from in front never the nose."""
    from_above = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    nose = np.flatnonzero((model.mask("nose")[model.faces] > 0.5).all(axis=1))
    hidden = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        head = heads[seed % len(heads)].astype(np.float64)
        hair = grow_hair(skull_of(model, head), sample_style(rng), np.full(3, 0.1), TONE, rng)
        both = np.concatenate([head, hair[0]])
        faces = np.concatenate([model.faces, hair[1] + len(head)])
        bare = seen_from(from_above, head, model.faces) >= 0
        hidden.append((seen_from(from_above, both, faces)[bare] >= len(model.faces)).mean())
        free = np.isin(seen_from(FRONT, head, model.faces), nose)
        assert np.isin(seen_from(FRONT, both, faces)[free], nose).mean() > 0.9
    assert np.median(hidden) > 0.7


def test_glasses_lie_before_the_eyes(model: FaceModel, heads: list[np.ndarray]) -> None:
    for seed, head in enumerate(heads):
        pair = fit_glasses(model, head, seed % 2 == 1, np.random.default_rng(seed))
        points, faces, _ = pair.lenses
        both = np.concatenate([head, points]).astype(np.float64)
        faces = np.concatenate([model.faces, faces + len(head)])
        iris = np.isin(model.faces, np.flatnonzero(model.mask("iris") > 0.5)).all(axis=1)
        bare = np.isin(seen_from(FRONT, head.astype(np.float64), model.faces), np.flatnonzero(iris))
        assert bare.any()
        assert (seen_from(FRONT, both, faces)[bare] >= len(model.faces)).all()
