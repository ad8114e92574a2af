"""The refinement's derivatives, its robustness, and what it does where there is little to go by."""

import dataclasses

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.align import ffhq_crop
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.fit.refine import Observation, Prior, State, refine
from reconstruct_face.backend.fit.refine.photometric import Level, Photometric
from reconstruct_face.backend.fit.refine.priors import LandmarkTerms
from reconstruct_face.backend.fit.refine.solve import Problem
from reconstruct_face.backend.fit.refine.surface import SampledModel, choose_samples
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.pose import rotate
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model

SIZE = 320


@pytest.fixture(scope="module")
def model():
    return load_model()


def points68(model, vertices):
    corners = vertices[model.landmarks68_triangles].astype(float)
    return np.einsum("lc,lcx->lx", model.landmarks68_barycentric, corners)


def known_head(model, seed: int = 0) -> State:
    """A head of the model's distribution, a little turned, in side light."""
    rng = np.random.default_rng([77, seed])
    light = np.zeros((9, 3))
    light[0], light[1], light[2], light[3] = 2.5, 0.4, 0.9, 0.5
    expression = np.zeros(len(model.expression_basis))
    expression[:3] = 0.2
    camera = Camera(intrinsics(720.0, (SIZE, SIZE)), FACING, np.array([5.0, 12.0, 900.0]))
    camera = dataclasses.replace(camera, rotation=rotate(camera.rotation, [0.05, 0.2, 0.04]))
    identity = 0.8 * rng.normal(size=len(model.identity_basis))
    return State(
        camera, identity, expression, 0.5 * rng.normal(size=len(model.albedo_basis)), light
    )


def photograph(model, head: State, cover=None, grey: bool = False) -> Observation:
    """The crop of a rendering of ``head``; ``cover(pixels, landmarks)`` may paint over it."""
    vertices = model.vertices(head.identity, head.expression)
    camera = head.camera
    view = (camera.camera_matrix, camera.rotation, camera.translation)
    assert head.sh_light is not None
    pixels = render_picture(
        model, vertices, model.albedo(head.albedo), head.sh_light, *view, (SIZE, SIZE)
    )
    marks = camera.project(points68(model, vertices))
    if cover is not None:
        cover(pixels, marks)
    if grey:
        pixels = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    crop = ffhq_crop(pixels, marks)
    noise = dlib_noise()
    yaw, _, roll = camera.euler_degrees
    marks = marks + noise.offset(yaw, roll, camera.focal / 900.0)
    return Observation(
        crop.image, crop.to_photo, (SIZE, SIZE), grey, marks, noise, 0.5 * noise.spread
    )


def disturbed(head: State, seed: int = 0) -> State:
    """A start that errs as a network does: in pose, shape, colour and light."""
    rng = np.random.default_rng([78, seed])
    camera = dataclasses.replace(
        head.camera, rotation=rotate(head.camera.rotation, np.radians(rng.normal(0, 1.2, 3)))
    )
    assert head.albedo is not None and head.sh_light is not None
    identity = 0.6 * head.identity + 0.5 * rng.normal(size=len(head.identity))
    light = head.sh_light + rng.normal(0, 0.1, (9, 3))
    albedo = 0.8 * head.albedo + 0.3 * rng.normal(size=len(head.albedo))
    return State(camera, identity, 0.5 * head.expression, albedo, light)


@pytest.fixture(scope="module")
def problem(model):
    """The whole cost at one state, with everything in it, and its weights."""
    head = known_head(model)
    start = disturbed(head)
    seen = photograph(model, head)
    found = start.camera.project(points68(model, model.vertices(head.identity)))
    seen = dataclasses.replace(seen, network_landmarks=found, network_sigma=np.full(68, 4.0))
    prior = Prior.of_model(model)
    level = Level(seen, 224, 1.5)
    matrix = level.from_photo @ start.camera.camera_matrix
    samples = choose_samples(model, start, matrix, level.valid, 700)
    photo = Photometric(level, SampledModel(model, samples, 128), samples)
    terms = LandmarkTerms(model, seen, prior, None)
    terms.choose_jaw(start)
    normals = photo.geometry(start)[2]
    whole = Problem(model, prior, terms, seen.image_size, photo, normals)
    return whole, start, whole.weigh(start)


def columns(problem: Problem) -> dict[str, slice]:
    k, a, light = problem.k, problem.a, problem.light
    ends = np.cumsum([0, 3, 2, 1, 1, k, a, light, problem.e])
    names = ("turn", "shift", "distance", "focal", "identity", "albedo", "light", "expression")
    return {name: slice(*ends[i : i + 2]) for i, name in enumerate(names)}


GROUPS = ("turn", "shift", "distance", "focal", "identity", "albedo", "light", "expression")


@pytest.mark.parametrize("group", GROUPS)
def test_photometric_jacobian_by_finite_differences(problem, group):
    whole, state, _ = problem
    # away from the bounds of the expression, which a step may not cross
    state = dataclasses.replace(state, expression=np.full_like(state.expression, 0.1))
    photo = whole.photo
    photo._normal_basis = None
    direction = np.zeros(whole.size)
    where = columns(whole)[group]
    direction[where] = np.random.default_rng(1).normal(size=where.stop - where.start)
    step = {"turn": 1e-3, "shift": 0.2, "distance": 2e-3, "focal": 2e-3}.get(group, 5e-3)
    ahead, behind = (
        photo.shaded(whole.moved(state, sign * step * direction)).residual for sign in (1, -1)
    )
    expected = ((behind - ahead) / (2 * step)).flatten()  # the residual is photo less model
    found = photo.jacobian(state, photo.shaded(state)) @ direction
    photo._normal_basis = None
    found = found.flatten()
    lengths = np.linalg.norm(found), np.linalg.norm(expected)
    likeness = found @ expected / np.prod(lengths)
    # Bilinear sampling has kinks, and Scharr's slope is smoother than the picture.
    assert likeness > 0.98
    assert lengths[0] / lengths[1] == pytest.approx(1, abs=0.05)


def test_gradient_of_landmarks_and_priors_by_finite_differences(problem):
    whole, state, _ = problem
    state = dataclasses.replace(state, expression=np.full_like(state.expression, 0.1))
    rng = np.random.default_rng(2)
    for group in ("identity", "albedo", "light", "expression"):
        where = columns(whole)[group]
        direction = np.zeros(whole.size)
        direction[where] = rng.normal(size=where.stop - where.start)
        slope = -2 * sum(v @ (rows @ direction) for rows, v in whole._rows(state).values())
        energies = [
            sum(whole.energy(whole.moved(state, sign * 1e-5 * direction), None).values())
            for sign in (1, -1)
        ]
        # The rows of the detector's landmarks keep their scale, pixels to mm.
        assert slope == pytest.approx((energies[0] - energies[1]) / 2e-5, rel=0.05, abs=0.1)


def test_a_step_lowers_the_cost_within_the_range_of_the_expression(model, problem):
    whole, state, weights = problem
    before = sum(whole.energy(state, weights).values())
    moved, gained = whole.step(state, weights)
    after = sum(whole.energy(moved, weights).values())
    assert gained == pytest.approx(before - after) and gained > 0
    low, high = model.expression_range.T
    assert (moved.expression >= low).all() and (moved.expression <= high).all()


def test_what_covers_the_face_is_left_out(model):
    def hand(pixels, marks):
        x, y = np.round(marks[31]).astype(int)  # the right cheek and half of the mouth
        cv2.rectangle(pixels, (x - 60, y), (x, y + 60), (90, 110, 60), -1)

    head = known_head(model, 1)
    seen = photograph(model, head, hand)
    found = refine(model, seen, disturbed(head, 1), Prior.of_model(model))
    clear = refine(model, photograph(model, head), disturbed(head, 1), Prior.of_model(model))
    to_crop = np.linalg.inv(seen.to_photo)
    marks = head.camera.project(points68(model, model.vertices(head.identity, head.expression)))
    corner = to_crop @ [*(marks[31] + (-30, 30)), 1.0]
    x, y = np.round(corner[:2]).astype(int)
    mirror = to_crop @ [*(marks[35] + (20, 25)), 1.0]
    right, down = np.round(mirror[:2]).astype(int)
    assert found.weights[y - 8 : y + 8, x - 8 : x + 8].mean() < 0.1
    assert found.weights[down - 4 : down + 4, right - 4 : right + 4].mean() > 0.5
    assert found.inlier < clear.inlier - 0.05
    # and the skin beside it keeps its colour
    apart = model.albedo(found.state.albedo) * found.state.sh_light[0]
    expected = model.albedo(head.albedo) * head.sh_light[0]
    face = model.uv_mask("face") > 0.5
    assert np.abs(np.log(apart[face].mean(0) / expected[face].mean(0))).max() < 0.2


def test_light_and_skin_are_found_without_a_start_for_them(model):
    head = known_head(model, 2)
    start = dataclasses.replace(disturbed(head, 2), albedo=None, sh_light=None)
    found = refine(model, photograph(model, head), start, Prior.of_model(model))
    assert found.improved and found.residual < 0.15
    # The light comes from the head's left, as it was lit.
    assert found.state.sh_light[3].mean() > 0.2


def test_a_grey_photo_has_white_light(model):
    head = known_head(model, 3)
    start = dataclasses.replace(disturbed(head, 3), albedo=None, sh_light=None)
    found = refine(model, photograph(model, head, grey=True), start, Prior.of_model(model))
    light = found.state.sh_light
    assert found.improved and light.shape == (9, 3)
    assert np.allclose(light, light[:, :1])


def test_noise_for_a_photo_never_ends_worse(model):
    head = known_head(model, 4)
    seen = photograph(model, head)
    noise = np.random.default_rng(4).integers(0, 256, seen.image.shape).astype(np.uint8)
    start = disturbed(head, 4)
    found = refine(model, dataclasses.replace(seen, image=noise), start, Prior.of_model(model))
    assert sum(found.energy_after.values()) <= sum(found.energy_before.values())
    for values in (found.state.identity, found.state.sh_light, found.state.camera.translation):
        assert values is not None and np.isfinite(values).all()
    assert found.inlier < 0.8 and found.residual > 0.2


def test_a_head_outside_the_crop_is_fitted_to_its_landmarks(model):
    head = known_head(model, 5)
    seen = photograph(model, head)
    away = seen.to_photo.copy()
    away[:2, 2] += 2000
    start = disturbed(head, 5)
    found = refine(model, dataclasses.replace(seen, to_photo=away), start, Prior.of_model(model))
    fast = refine(model, seen, start, Prior.of_model(model), "fast")
    assert found.improved and "photo" not in found.energy_after
    assert np.allclose(found.state.identity, fast.state.identity)


def test_another_face_model_without_masks(model):
    other = dataclasses.replace(
        model,
        identity_basis=model.identity_basis[:20],
        expression_basis=model.expression_basis[14:30],
        expression_names=model.expression_names[14:30],
        expression_range=model.expression_range[14:30],
        albedo_basis=model.albedo_basis[:4],
        mask_names=(),
        vertex_masks=model.vertex_masks[:0],
    )
    head = known_head(other, 6)
    found = refine(other, photograph(other, head), disturbed(head, 6), Prior.of_model(other))
    assert found.improved and found.state.identity.shape == (20,)
    assert found.state.expression.shape == (16,) and found.state.albedo.shape == (4,)


def test_pooled_priors_are_products_of_densities():
    rng = np.random.default_rng(9)
    root = rng.normal(size=(3, 3))
    sharp, wide = 4 * np.ones(3), root @ root.T + np.eye(3)
    means = rng.normal(size=(2, 3))
    one, two = (
        Prior(*3 * (mean, precision)) for mean, precision in zip(means, (sharp, wide), strict=True)
    )
    pooled = one.pooled(two, 0.3)

    def exponent(x, mean, precision):
        return (x - mean) @ precision @ (x - mean) / 2

    # The same density up to a factor: the difference of the exponents is constant.
    apart = [
        exponent(x, pooled.identity, pooled.identity_precision)
        - 0.3 * exponent(x, means[0], np.diag(sharp))
        - 0.7 * exponent(x, means[1], wide)
        for x in rng.normal(size=(5, 3))
    ]
    assert np.allclose(apart, apart[0])
    assert np.allclose(one.pooled(two, 1.0).albedo, means[0])


def test_teeth_between_the_lips_are_evidence_of_their_own(model) -> None:
    """A product of Gaussians by hand; few teeth say nothing."""
    prior = Prior.of_model(model)
    names = model.expression_names
    jaw, lip, brow = (names.index(n) for n in ("jawOpen", "mouthUpperUpLeft", "browInnerUp"))
    mean = np.full(len(names), 0.3)
    sharp = np.full(len(names), 25.0)
    prior = dataclasses.replace(prior, expression=mean, expression_precision=sharp)
    told = prior.seeing_teeth(names, 0.9)
    for place, expected, sigma in ((jaw, 0.0, 0.04), (lip, 0.4, 0.2)):
        weight = sigma**-2
        hand = (25.0 * 0.3 + weight * expected) / (25.0 + weight)
        assert told.expression[place] == pytest.approx(hand)
        assert told.expression_precision[place, place] == pytest.approx(25.0 + weight)
    assert told.expression[brow] == pytest.approx(0.3)
    assert prior.seeing_teeth(names, 0.2) is prior
    half = prior.seeing_teeth(names, 0.4)
    assert told.expression[jaw] < half.expression[jaw] < 0.3
    assert prior.seeing_teeth(("A", "B"), 1.0) is prior


def test_what_is_surer_spreads_less_and_goes_together_as_before():
    """Four times the precision is half of the spread, with the correlations that there were."""
    model = load_model()
    names = model.expression_names
    prior = Prior.of_model(model)
    brow, jaw = names.index("browDownLeft"), names.index("jawOpen")
    other = names.index("browDownRight")

    def covariance(one: Prior) -> np.ndarray:
        return np.linalg.inv(one.expression_precision)

    before, after = covariance(prior), covariance(prior.surer_of(names, "brow", 4.0))
    assert np.isclose(after[brow, brow], before[brow, brow] / 4)
    assert np.isclose(after[jaw, jaw], before[jaw, jaw])

    def together(matrix: np.ndarray) -> float:
        return matrix[brow, other] / np.sqrt(matrix[brow, brow] * matrix[other, other])

    assert together(before) > 0.3 and np.isclose(together(after), together(before))
