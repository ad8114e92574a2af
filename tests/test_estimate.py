"""The landmark fit, against float64 done here and against heads with known coefficients."""

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.align.landmarks import MIRROR_68
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.fit import landmark_fit as lf
from reconstruct_face.backend.fit.landmark_fit import FitSettings, fit_landmarks
from reconstruct_face.backend.fit.mouth import visible_teeth
from reconstruct_face.backend.fit.noise import LandmarkNoise, dlib_noise
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.pose import initial_camera, rotate
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import visible_jaw
from scipy.spatial.transform import Rotation

from tests.errors import raises
from tests.surface import surface_error


@pytest.fixture(scope="module")
def model():
    return load_model()


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """The camera's rotation for a head turned by degrees, composed by scipy."""
    about = Rotation.from_euler
    return (
        FACING
        @ (
            about("y", yaw, degrees=True)
            * about("x", -pitch, degrees=True)
            * about("z", -roll, degrees=True)
        ).as_matrix()
    )


def random_view(model, rng, yaw: float, size: int = 512):
    """A head of the model's own distribution with a mild expression, and a camera that sees it."""
    identity = rng.normal(size=len(model.identity_basis))
    expression = np.zeros(len(model.expression_names))
    for name, most in (("jawOpen", 0.5), ("mouthSmileLeft", 0.8), ("browInnerUp", 0.6)):
        expression[model.expression_names.index(name)] = rng.uniform(0, most)
    expression[model.expression_names.index("mouthSmileRight")] = expression[
        model.expression_names.index("mouthSmileLeft")
    ]
    distance = rng.uniform(600, 1400)
    camera = Camera(
        intrinsics(distance * size / 330.0, (size, size)),
        turned(yaw, rng.uniform(-10, 10), rng.uniform(-8, 8)),
        np.array([rng.uniform(-20, 20), rng.uniform(-20, 20), distance]),
    )
    vertices = model.vertices(identity, expression)
    return camera, landmark_points(model, vertices, camera), vertices, model.vertices(identity)


def landmark_points(model, vertices, camera) -> np.ndarray:
    """The model's landmarks on ``vertices``, the jaw's far side as ``camera`` sees it."""
    corners = vertices[model.landmarks68_triangles]
    points = (corners * model.landmarks68_barycentric[:, :, None]).sum(1)
    ids = visible_jaw(model, vertices, camera)
    moved = ids != model.landmarks68
    points[moved] = vertices[ids[moved]]
    return points


def test_projection_by_hand():
    camera = Camera(intrinsics(1000.0, (641, 481)), FACING, np.array([10.0, -20.0, 500.0]))
    # x: 1000 * (30 + 10) / (500 - 100) + 320, y: 1000 * (-50 - 20) / 400 + 240
    assert np.allclose(camera.project(np.array([[30.0, 50.0, 100.0]])), [[420.0, 65.0]])


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 15), (-40, 10, -20)])
def test_euler_angles_name_the_turn(angles):
    camera = Camera(np.eye(3), turned(*angles), np.zeros(3))
    assert np.allclose(camera.euler_degrees, angles, atol=1e-9)


def test_turning_left_shows_on_the_right_of_the_picture():
    nose = np.array([[0.0, 0.0, 100.0]])
    camera = Camera(intrinsics(800.0, (400, 400)), turned(30), np.array([0, 0, 900.0]))
    assert camera.project(nose)[0, 0] > 240


def test_initial_camera_finds_a_known_pose():
    rng = np.random.default_rng(1)
    points = rng.normal(scale=60.0, size=(40, 3))
    true = Camera(intrinsics(1400.0, (800, 600)), turned(25, -8, 5), np.array([30.0, 10.0, 900.0]))
    found = initial_camera(points, true.project(points), 500.0, 1400.0, (800, 600))
    assert np.allclose(found.rotation, true.rotation, atol=1e-6)
    assert np.allclose(found.translation, true.translation, atol=1e-3)
    free = initial_camera(points, true.project(points), 900.0, None, (800, 600))
    assert free.translation[2] == pytest.approx(900.0, rel=0.15)


def test_jacobian_by_finite_differences(model):
    rng = np.random.default_rng(3)
    camera, points, _, _ = random_view(model, rng, 20.0)
    landmarks = camera.project(points) + 1.0
    problem = lf.LandmarkProblem(
        lf.LandmarkModel(model), landmarks, (512, 512), None, FitSettings()
    )
    state = lf.FitState(
        camera, rng.normal(size=len(model.identity_basis)), np.zeros(len(model.expression_basis))
    )
    problem.predict(state)
    rows, values = problem.landmark_rows(state)
    sigma = np.repeat([4.0, 2.5, 1.5, 1.2, 1.5], [17, 10, 9, 12, 20])
    roll = np.radians(camera.euler_degrees[2])
    upright = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    points = problem.landmark_points(state)[0]
    scale = camera.focal / camera.to_camera(points)[:, 2].mean()

    def residual(change):
        moved = Camera(
            intrinsics(camera.focal * np.exp(change[6]), (512, 512)),
            rotate(camera.rotation, change[:3]),
            camera.translation * np.exp(change[5]) + [*change[3:5], 0.0],
        )
        k = len(state.identity)
        shifted = lf.FitState(
            moved, state.identity + change[7 : 7 + k], state.expression + change[7 + k :], state.jaw
        )
        seen = moved.project(problem.landmark_points(shifted)[0])
        missed = seen - landmarks
        pairs = [
            (48, 54),
            (60, 64),
            (61, 67),
            (62, 66),
            (63, 65),
            (37, 41),
            (38, 40),
            (43, 47),
            (44, 46),
        ]
        gaps = [missed[a] - missed[b] for a, b in pairs]
        single = missed @ upright / (sigma * scale)[:, None]
        return np.concatenate([single.ravel(), np.ravel(gaps) / (FitSettings().gap_mm * scale)])

    assert np.allclose(values, -residual(np.zeros(rows.shape[1])), atol=1e-9)
    for column in [*range(10), rows.shape[1] - 50, rows.shape[1] - 30]:
        step = np.zeros(rows.shape[1])
        step[column] = 1e-5
        slope = (residual(step) - residual(-step)) / 2e-5
        assert np.allclose(rows[:, column], slope, atol=1e-4 * max(1.0, np.abs(slope).max()))


def test_far_jaw_is_the_outermost_vertex_of_its_strip(model):
    camera = Camera(intrinsics(1500.0, (512, 512)), turned(40), np.array([0, 0, 900.0]))
    ids = visible_jaw(model, model.mean, camera)
    assert np.array_equal(ids[:9], model.landmarks68[:9]) and np.array_equal(
        ids[17:], model.landmarks68[17:]
    )
    for i in range(9, 17):
        strip = model.contour_candidates[i][model.contour_candidates[i] >= 0]
        assert ids[i] in strip
        x = [camera.project(model.mean[[v]])[0, 0] for v in strip]
        assert camera.project(model.mean[[ids[i]]])[0, 0] >= max(x) - 1e-9
    mirrored = Camera(intrinsics(1500.0, (512, 512)), turned(-40), np.array([0, 0, 900.0]))
    other = visible_jaw(model, model.mean, mirrored)
    assert np.array_equal(other[8:], model.landmarks68[8:])
    assert not np.array_equal(other[:8], model.landmarks68[:8])


def test_expression_stays_in_its_range_and_mirrors(model):
    rng = np.random.default_rng(4)
    camera, points, _, _ = random_view(model, rng, 0.0)
    noisy = camera.project(points) + rng.normal(scale=8.0, size=(68, 2))
    fit = fit_landmarks(model, noisy, (512, 512))
    low, high = model.expression_range.T
    assert (fit.expression >= low).all() and (fit.expression <= high).all()
    assert np.isfinite(fit.identity).all() and np.abs(fit.identity).max() < 6


def test_exif_focal_is_kept(model):
    rng = np.random.default_rng(5)
    camera, points, _, _ = random_view(model, rng, 10.0)
    fit = fit_landmarks(model, camera.project(points), (512, 512), focal_px=camera.focal)
    assert fit.camera.focal == pytest.approx(camera.focal)
    assert fit.camera.translation[2] == pytest.approx(camera.translation[2], rel=0.12)


@pytest.mark.parametrize("landmarks", [np.zeros((67, 2)), np.full((68, 2), np.nan)])
def test_landmarks_that_are_none_are_refused(model, landmarks):
    with raises(ValueError, "landmarks", 68, landmarks.shape):
        fit_landmarks(model, landmarks, (512, 512))


@pytest.mark.parametrize("yaw", [0.0, 25.0, 45.0])
def test_known_heads_are_recovered(model, yaw):
    """Landmark error under 1.5 px at 512, and a surface clearly nearer than the average head's."""
    rng = np.random.default_rng(int(yaw) + 7)
    errors, found, average = [], [], []
    for sign in (1, -1, 1, -1, 1, -1, 1, -1):
        camera, points, _, neutral = random_view(model, rng, sign * yaw)
        true = camera.project(points)
        fit = fit_landmarks(model, true + rng.normal(scale=1.0, size=true.shape), (512, 512))
        seen = fit.camera.project(fit.landmarks3d)
        errors.append(np.linalg.norm(seen - true, axis=1).mean())
        found.append(surface_error(model, model.vertices(fit.identity), neutral))
        average.append(surface_error(model, model.mean, neutral))
    print(f"yaw {yaw}: {np.mean(errors):.2f} px, {np.mean(found):.2f} mm of {np.mean(average):.2f}")
    assert np.mean(errors) < 1.5
    assert np.mean(found) < 0.8 * np.mean(average)


def test_landmark_points_lie_on_the_posed_surface(model):
    rng = np.random.default_rng(6)
    camera, points, _, _ = random_view(model, rng, 30.0)
    fit = fit_landmarks(model, camera.project(points), (512, 512))
    head = model.vertices(fit.identity, fit.expression)
    assert np.allclose(fit.landmarks3d, landmark_points(model, head, fit.camera), atol=1e-3)
    assert np.linalg.norm(fit.landmarks3d - head[fit.landmarks68], axis=1).max() < 10.0


def mouth_photo(inside: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Skin with lips around an opening of one colour, and the 68 landmarks of the mouth."""
    pixels = np.full((300, 300, 3), (200, 160, 140), np.uint8)
    landmarks = np.full((68, 2), 150.0)
    angle = np.linspace(np.pi, 3 * np.pi, 8, endpoint=False)
    landmarks[60:68] = 150 + np.stack([50 * np.cos(angle), 22 * np.sin(angle)], 1)
    outer = np.linspace(np.pi, 3 * np.pi, 12, endpoint=False)
    landmarks[48:60] = 150 + np.stack([62 * np.cos(outer), 34 * np.sin(outer)], 1)
    landmarks[[31, 35]] = [[130, 90], [170, 90]]
    cv2.fillPoly(pixels, [landmarks[48:60].round().astype(int)], (170, 90, 90))
    cv2.fillPoly(pixels, [landmarks[60:68].round().astype(int)], inside)
    return pixels, landmarks


@pytest.mark.parametrize(
    ("inside", "low", "high"),
    [((225, 220, 205), 0.9, 1.0), ((40, 15, 15), 0.0, 0.05), ((190, 90, 95), 0.0, 0.05)],
    ids=["teeth", "dark", "tongue"],
)
def test_teeth_are_told_from_dark_and_tongue(inside, low, high):
    assert low <= visible_teeth(*mouth_photo(inside)) <= high


def test_a_closed_mouth_shows_no_teeth():
    pixels, landmarks = mouth_photo((225, 220, 205))
    landmarks[60:68, 1] = 150.0
    assert visible_teeth(pixels, landmarks) == 0.0


def test_teeth_keep_the_jaw_closed(model):
    rng = np.random.default_rng(9)
    expression = np.zeros(len(model.expression_names))
    jaw = model.expression_names.index("jawOpen")
    expression[jaw] = 0.4
    camera, _, _, _ = random_view(model, rng, 0.0)
    points = landmark_points(model, model.vertices(np.zeros(10), expression), camera)
    fits = [
        fit_landmarks(model, camera.project(points), (512, 512), teeth=teeth) for teeth in (0, 1)
    ]
    assert fits[0].expression[jaw] > 0.25
    assert fits[1].expression[jaw] < 0.5 * fits[0].expression[jaw]


def test_correlated_noise_by_hand():
    """Two points that err as one: the whitened difference is large, the common shift small."""
    covariance = np.eye(136)
    covariance[0, 2] = covariance[2, 0] = 0.9
    noise = LandmarkNoise(np.zeros((2, 68, 2)), covariance, spread=0.01)
    together, apart = np.zeros(136), np.zeros(136)
    together[[0, 2]], apart[[0, 2]] = 1.0, (1.0, -1.0)
    # u^T C^-1 u with eigenvalues 1.9 and 0.1 of the block, eigenvectors (1, 1) and (1, -1)
    assert np.sum((noise.whitening() @ together) ** 2) == pytest.approx(2 / 1.9)
    assert np.sum((noise.whitening() @ apart) ** 2) == pytest.approx(2 / 0.1)
    halved = noise.whitening(spread=0.005) @ apart
    assert np.sum(halved**2) == pytest.approx(4 * 2 / 0.1)


def test_bias_follows_yaw_and_roll():
    bias = np.zeros((2, 68, 2))
    bias[0, 3], bias[1, 3] = (2.0, 0.0), (0.0, 4.0)
    noise = LandmarkNoise(bias, np.eye(136), 0.0)
    assert np.allclose(noise.offset(30.0, 0.0, 1.5)[3], [3.0, 3.0])
    # Rolled clockwise by 90 degrees, right becomes down and down becomes left.
    assert np.allclose(noise.offset(30.0, 90.0, 1.5)[3], [-3.0, 3.0])


def test_a_known_bias_is_taken_out(model):
    rng = np.random.default_rng(11)
    camera, points, _, _ = random_view(model, rng, 20.0)
    yaw, _, roll = camera.euler_degrees
    bias = np.zeros((2, 68, 2))
    bias[0, 36:48] = (0.0, -3.0)
    noise = LandmarkNoise(bias, LandmarkNoise.independent().covariance, 0.0)
    scale = camera.focal / camera.to_camera(points)[:, 2].mean()
    true = camera.project(points)
    fit = fit_landmarks(model, true + noise.offset(yaw, roll, scale), (512, 512), noise=noise)
    assert np.linalg.norm(fit.observed - true, axis=1).max() < 0.3


def test_dlibs_noise_is_a_plausible_covariance():
    noise = dlib_noise()
    values = np.linalg.eigvalsh(noise.covariance)
    assert np.allclose(noise.covariance, noise.covariance.T) and values[0] > 0
    sigma = np.sqrt(np.diag(noise.covariance)).reshape(68, 2)
    assert 0.5 < sigma[36:48].mean() < 4.0 < sigma[[1, 15], 1].mean()
    # The statistics count every head mirrored, so left and right must agree.
    mirrored = noise.bias[0][MIRROR_68] * (-1, 1)
    assert np.allclose(noise.bias[0], mirrored, atol=0.05)


def test_damaged_noise_file_has_its_sentence(monkeypatch, tmp_path):
    broken = tmp_path / "landmark_noise.npz"
    broken.write_bytes(b"PK no archive")
    monkeypatch.setattr("reconstruct_face.backend.fit.noise.NOISE_FILE", broken)
    dlib_noise.cache_clear()
    try:
        with raises(ModelError, "landmark_noise.npz"):
            dlib_noise()
    finally:
        dlib_noise.cache_clear()


def test_going_on_from_a_fit_ends_where_a_new_one_does(model):
    rng = np.random.default_rng(12)
    camera, points, _, _ = random_view(model, rng, 10.0)
    marks = camera.project(points)
    gaze = np.zeros(len(model.expression_names))
    gaze[model.expression_names.index("eyeLookOutLeft")] = 0.6
    first = fit_landmarks(model, marks, (512, 512))
    new = fit_landmarks(model, marks, (512, 512), gaze=gaze)
    onward = fit_landmarks(model, marks, (512, 512), gaze=gaze, start=first)
    assert onward.rounds < new.rounds
    assert np.allclose(onward.landmarks3d, new.landmarks3d, atol=0.5)
    assert onward.expression[model.expression_names.index("eyeLookOutLeft")] > 0.4
