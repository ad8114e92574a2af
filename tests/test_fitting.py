"""Network, landmarks and refinement together, on heads of which everything is known."""

import dataclasses

import numpy as np
import pytest
from reconstruct_face.backend.align import ffhq_crop
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from scipy.spatial.transform import Rotation

from tests.errors import raises
from tests.surface import surface_error

SIZE = 400


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A rendered head and dlib-like landmarks of it."""

    pixels: np.ndarray
    camera: Camera
    identity: np.ndarray
    albedo: np.ndarray
    light: np.ndarray
    landmarks: np.ndarray  #: exact


@pytest.fixture(scope="module")
def model():
    return load_model()


def points68(model, vertices):
    corners = vertices[model.landmarks68_triangles].astype(float)
    return np.einsum("lc,lcx->lx", model.landmarks68_barycentric, corners)


def make_case(model, seed):
    rng = np.random.default_rng([606, seed])
    identity = rng.normal(size=len(model.identity_basis))
    albedo = 0.7 * rng.normal(size=len(model.albedo_basis))
    light = np.zeros((9, 3), np.float32)
    light[0], light[1], light[2], light[3] = 2.4, 0.4, 1.0, rng.uniform(-0.6, 0.6)
    turn = Rotation.from_euler("YXZ", (12, -4, 3), degrees=True).as_matrix()
    camera = Camera(intrinsics(900.0, (SIZE, SIZE)), FACING @ turn, np.array([5.0, 10, 900]))
    vertices = model.vertices(identity)
    view = (camera.camera_matrix, camera.rotation, camera.translation)
    picture = render_picture(model, vertices, model.albedo(albedo), light, *view, (SIZE, SIZE))
    marks = camera.project(points68(model, vertices))
    return Case(picture, camera, identity, albedo, light, marks)


def start_of(model, case, rng):
    """A state and prior as a mediocre network would give them."""
    from reconstruct_face.backend.fit.refine import Prior, State

    identity = 0.5 * case.identity + 0.6 * rng.normal(size=len(case.identity))
    turn = Rotation.from_rotvec(np.radians(rng.normal(0, 1.5, 3))).as_matrix()
    camera = Camera(case.camera.camera_matrix, turn @ case.camera.rotation, case.camera.translation)
    prior = dataclasses.replace(
        Prior.of_model(model), identity=identity, identity_precision=np.full(len(identity), 2.0)
    )
    return State(camera, identity, np.zeros(len(model.expression_names))), prior


def observe(model, case, rng):
    from reconstruct_face.backend.fit.refine import Observation

    noise = dlib_noise()
    scale = case.camera.focal / 900.0
    error = 0.4 * np.linalg.cholesky(noise.covariance) @ rng.normal(size=136)
    bias = noise.offset(12.0, 3.0, scale)
    marks = case.landmarks + scale * error.reshape(68, 2) + bias
    crop = ffhq_crop(case.pixels, case.landmarks)
    return Observation(
        image=crop.image,
        to_photo=crop.to_photo,
        image_size=(SIZE, SIZE),
        landmarks=marks,
        noise=noise,
        spread=0.4 * noise.spread,
    )


@pytest.mark.slow
def test_the_photo_brings_the_head_nearer_to_the_truth(model):
    """Landmark error, pose and surface fall on average; the energy in every case."""
    from reconstruct_face.backend.fit.refine import refine

    gains = []
    for seed in range(4):
        case, rng = make_case(model, seed), np.random.default_rng(seed)
        start, prior = start_of(model, case, rng)
        true = model.vertices(case.identity)
        found = refine(model, observe(model, case, rng), start, prior, "balanced", True)
        assert found.improved
        assert sum(found.energy_after.values()) < sum(found.energy_before.values())
        assert found.state.camera.focal == case.camera.focal  # known, so it stays
        low, high = model.expression_range.T
        assert (found.state.expression >= low).all() and (found.state.expression <= high).all()
        errors = [
            (
                surface_error(model, model.vertices(state.identity), true),
                np.linalg.norm(
                    state.camera.project(points68(model, model.vertices(state.identity)))
                    - case.landmarks,
                    axis=1,
                ).mean(),
            )
            for state in (start, found.state)
        ]
        gains.append(np.array(errors[1]) / errors[0])
    surface, landmarks = np.mean(gains, axis=0)
    assert surface < 0.97
    assert landmarks < 0.6


def test_fast_uses_no_pixels_and_unknown_qualities_are_refused(model):
    from reconstruct_face.backend.fit.refine import refine

    case, rng = make_case(model, 1), np.random.default_rng(1)
    start, prior = start_of(model, case, rng)
    seen = observe(model, case, rng)
    black = dataclasses.replace(seen, image=np.zeros_like(seen.image))
    found = [refine(model, photo, start, prior, "fast") for photo in (seen, black)]
    assert np.array_equal(found[0].state.identity, found[1].state.identity)
    assert "photo" not in found[0].energy_after or found[0].energy_after["photo"] == 0
    with raises(ValueError, "quality", "'superb'", "fast", "balanced", "best"):
        refine(model, seen, start, prior, "superb")
