"""Eyes as far open as Google's lids are apart: what is said of them, and what the solves do."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.animate.solve import FrameSolver
from reconstruct_face.backend.fit.lids import EYE_CORNERS, FACING_LIDS, lid_rows, lids_apart_mm
from reconstruct_face.backend.fit.observation import Observation, State
from reconstruct_face.backend.fit.prior import Prior
from reconstruct_face.backend.fit.refine.priors import LandmarkTerms
from reconstruct_face.backend.fit.refine.solve import Problem
from reconstruct_face.backend.fit.scores import RESTING_LIDS_MM, WIDE_MM, look_at, wide_of
from reconstruct_face.backend.geometry.camera import Camera, intrinsics, projection_jacobian
from reconstruct_face.backend.geometry.rotation import FACING, from_euler
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import landmark_points
from reconstruct_face.backend.network.face_landmarker import NAMES, FaceMesh
from reconstruct_face.backend.network.regions import regions_of

MODEL = load_model()
TEMPLATE = landmark_points(MODEL, MODEL.mean, MODEL.landmarks68)
MATRIX = intrinsics(1200.0, (512, 512))


def head_with(**weights: float) -> np.ndarray:
    """(68, 3) mm: the mean head's landmarks, both sides of ``weights`` set."""
    expression = np.zeros(len(MODEL.expression_names))
    for name, value in weights.items():
        for side in ("Left", "Right"):
            expression[MODEL.expression_names.index(name + side)] = value
    head = MODEL.vertices(np.zeros(len(MODEL.identity_basis)), expression)
    return landmark_points(MODEL, head, MODEL.landmarks68)


def camera_at(yaw: float = 0.0) -> Camera:
    return Camera(MATRIX, FACING @ from_euler(np.radians(yaw), 0, 0), np.array([0.0, 0.0, 900.0]))


def lids_of(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(2, 2, 2) pixels: where the lids of ``points`` (68, 3) are seen over the pupils."""
    return np.stack([camera.project(points)[list(eye)].mean(axis=1) for eye in FACING_LIDS])


def mesh_with(right: float, left: float, smaller: float = 1.0) -> FaceMesh:
    """Lids ``right`` and ``left`` pixels apart, irises 35 px wide, the left ``smaller``."""
    points = np.zeros((478, 2))
    for upper, lower, iris, apart, size in (
        ([158, 159, 160], [144, 145, 153], 468, right, 1.0),
        ([385, 386, 387], [373, 374, 380], 473, left, smaller),
    ):
        points[upper, 1], points[lower, 1] = 250.0, 250.0 + apart
        ring = 17.5 * size * np.array([[1, 0], [0, -1], [-1, 0], [0, 1]])
        points[iris + 1 : iris + 5] = points[iris] + ring
    return FaceMesh(points, 1.0, np.zeros(len(NAMES)))


def test_an_eye_that_is_drawn_too_small_is_open_half_as_much_further() -> None:
    def apart(found: FaceMesh) -> np.ndarray:
        assert found.lids is not None
        return found.lids[:, 1, 1] - found.lids[:, 0, 1]

    np.testing.assert_allclose(apart(mesh_with(30.0, 20.0)), [30.0, 20.0])
    right, left = apart(mesh_with(30.0, 20.0, smaller=2 / 3))
    assert left / right == pytest.approx(2 / 3 * 1.5**0.5)
    assert right * left == pytest.approx(600.0 * (5 / 6) / (2 / 3) ** 0.5)
    collapsed = apart(mesh_with(30.0, 20.0, smaller=0.0))
    assert (collapsed <= 30.0 * 1.3).all() and (collapsed >= 20.0 / 1.3).all()
    nobody = FaceMesh(np.zeros((478, 2)), 0.2, np.zeros(len(NAMES)))
    assert nobody.lids is None and nobody.brows is None


@pytest.mark.parametrize("yaw", [0.0, 25.0])
def test_rows_are_the_derivative_of_what_is_missed(yaw: float) -> None:
    camera, points = camera_at(yaw), head_with()
    seen = lids_of(head_with(eyeBlink=0.4), camera)
    basis = MODEL.expression_basis.astype(float)
    corners, weights = MODEL.landmarks68_triangles, MODEL.landmarks68_barycentric
    moves = np.einsum("lc,elcx->elx", weights, basis[:, corners])
    rows, values = lid_rows(seen, camera, points, projection_jacobian(camera, points, moves))
    blink = MODEL.expression_names.index("eyeBlinkLeft")
    step = 1e-4
    further = lid_rows(seen, camera, points + step * moves[blink], np.zeros((68, 2, 1)))[1]
    # The scale and the direction across the eye follow the points too, by less than a thousandth.
    np.testing.assert_allclose((values - further) / step, rows[:, 7 + blink], rtol=0.05, atol=0.05)


def test_only_what_lies_across_the_eye_counts() -> None:
    camera, points = camera_at(), head_with()
    seen = lids_of(points, camera)
    pixels = camera.project(points)
    along = pixels[EYE_CORNERS[:, 1]] - pixels[EYE_CORNERS[:, 0]]
    shifted = seen + np.stack([0.2 * along, -0.1 * along], axis=1)
    assert np.abs(lid_rows(seen, camera, points, np.zeros((68, 2, 1)))[1]).max() < 1e-9
    assert np.abs(lid_rows(shifted, camera, points, np.zeros((68, 2, 1)))[1]).max() < 1e-9


@pytest.mark.parametrize(("name", "weight"), [("eyeWide", 0.7), ("eyeBlink", 0.6)])
def test_the_solve_opens_and_shuts_the_eyes(name: str, weight: float) -> None:
    """Landmarks of a resting head say otherwise, but for the lids', which are used up."""
    camera = camera_at()
    target = head_with(**{name: weight})
    lids = lids_of(target, camera)
    prior = Prior.of_model(MODEL)

    def apart(given: np.ndarray | None) -> float:
        loose = np.full(68, 2.0)
        loose[36:48] = 60.0
        observation = Observation(
            np.zeros((8, 8, 3), np.uint8),
            np.eye(3),
            (512, 512),
            network_landmarks=camera.project(head_with()),
            network_sigma=loose,
            lids=given,
        )
        problem = Problem(
            MODEL, prior, LandmarkTerms(MODEL, observation, prior, 1200.0), (512, 512)
        )
        state = State(camera, np.zeros(len(MODEL.identity_basis)), prior.expression.copy())
        for _ in range(5):
            state, _ = problem.step(state, None)
        points = landmark_points(
            MODEL, MODEL.vertices(state.identity, state.expression), MODEL.landmarks68
        )
        return float(lids_apart_mm(lids_of(points, camera), camera.project(points), TEMPLATE))

    wanted = lids_apart_mm(lids, camera.project(target), TEMPLATE)
    before = apart(None)
    assert abs(apart(lids) - wanted) < 0.45 * abs(before - wanted)


@pytest.mark.parametrize(("name", "weight"), [("eyeWide", 0.8), ("eyeBlink", 0.9)])
def test_a_frame_opens_and_shuts_the_eyes(name: str, weight: float) -> None:
    camera = camera_at(-15.0)
    points = head_with(**{name: weight})
    solver = FrameSolver(MODEL, np.zeros(len(MODEL.identity_basis)), MATRIX)
    marks = camera.project(head_with())  # the detector's, which see nothing of it
    index = MODEL.expression_names.index(name + "Right")
    blind = solver.solve(marks, None, None, solver.prior)
    seen = solver.solve(marks, None, None, solver.prior, lids=lids_of(points, camera))
    assert blind.weights[index] < 0.15
    assert seen.weights[index] > 0.4 * weight


def test_eyes_that_rest_are_not_wide() -> None:
    assert wide_of(RESTING_LIDS_MM) < 0.05 and wide_of(5.0) < 0.02
    assert 0.25 < wide_of(RESTING_LIDS_MM + WIDE_MM) < 0.75
    said = [wide_of(apart) for apart in np.linspace(6.0, 16.0, 21)]
    assert (np.diff(said) > 0).all()


@pytest.mark.parametrize("apart_mm", [8.0, 12.5])
def test_what_is_said_of_wide_eyes_is_the_lids(
    apart_mm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = regions_of(MODEL)
    assert reader is not None
    marks = 3.0 * TEMPLATE[:, :2] * (1, -1) + (500.0, 300.0)
    found = mesh_with(3.0 * apart_mm, 3.0 * apart_mm)
    monkeypatch.setattr("reconstruct_face.backend.fit.scores.face_mesh", lambda *_: found)
    pixels = np.random.default_rng(2).integers(0, 255, (700, 1000, 3)).astype(np.uint8)
    look = look_at(reader, pixels, marks, 1)
    assert look.lids is not None
    assert lids_apart_mm(look.lids, marks, reader.template) == pytest.approx(apart_mm, rel=0.02)
    for name in ("eyeWideLeft", "eyeWideRight"):
        said = look.regions.mean[look.regions.names.index(name)]
        assert said == pytest.approx(wide_of(apart_mm), abs=0.05)
