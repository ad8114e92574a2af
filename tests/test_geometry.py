"""``backend/geometry`` against scipy, finite differences in float64 and the standards' values."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from reconstruct_face.backend.differentiable import sh_basis, shading
from reconstruct_face.backend.differentiable import srgb as srgb_torch
from reconstruct_face.backend.differentiable.camera import project as project_torch
from reconstruct_face.backend.geometry import harmonics, rotation, srgb, triangles
from reconstruct_face.backend.geometry.camera import (
    Camera,
    intrinsics,
    projection_derivatives,
    projection_jacobian,
)
from reconstruct_face.backend.geometry.harmonics import sh_gradient
from reconstruct_face.backend.geometry.least_squares import (
    bounded_least_squares,
    bounded_minimum,
    partly_bounded_minimum,
)
from reconstruct_face.backend.geometry.pose import moved_camera
from reconstruct_face.backend.geometry.sampling import bilinear
from reconstruct_face.backend.geometry.similarity import Similarity
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation
from skimage.transform import SimilarityTransform

ROOT = Path(__file__).resolve().parents[1]
#: Linear light of sRGB bytes by IEC 61966-2-1, to seven digits.
BYTES = {0: 0.0, 1: 0.0003035, 10: 0.0030353, 11: 0.0033465, 128: 0.2158605, 188: 0.5028865, 255: 1}


def test_geometry_imports_nothing_of_the_project_but_the_errors() -> None:
    for path in sorted((ROOT / "backend" / "geometry").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                name = node.module or ""
                assert node.level == 1 or (node.level, name) == (2, "errors"), f"{path}: {name}"


def test_srgb_is_the_standards() -> None:
    for byte, linear in BYTES.items():
        assert srgb.SRGB_TO_LINEAR[byte] == pytest.approx(linear, abs=6e-8)
    # "Mid grey" and the place where the pieces meet, to the standard's own precision.
    assert srgb.encode(np.array([0.18, 0.5])) == pytest.approx([0.4613561, 0.7353569], abs=1e-7)
    assert srgb.encode(np.array([0.0031308])) == pytest.approx([0.04045], abs=1e-6)
    assert srgb.decode(np.array([-0.1])) == pytest.approx([-0.1 / 12.92])
    assert srgb.encode(np.array([-1.0, 2.0])) == pytest.approx([0, 1], abs=1e-12)


def test_srgb_there_and_back() -> None:
    linear = np.linspace(0, 1, 4001)
    assert np.allclose(srgb.decode(srgb.encode(linear)), linear, atol=3e-7)  # the pieces' gap
    everything = np.arange(256, dtype=np.uint8)
    assert (srgb.encode_bytes(srgb.SRGB_TO_LINEAR) == everything).all()


def test_srgb_keeps_float32() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    assert srgb.encode(values).dtype == srgb.decode(values).dtype == np.float32
    assert srgb.luminance(np.ones((4, 3), np.float32)).dtype == np.float32
    assert srgb.luminance(np.ones((4, 3))) == pytest.approx(np.ones(4))


def test_the_torch_twin_of_srgb_with_its_slope() -> None:
    linear = torch.tensor([0.0, 0.001, 0.02, 0.3, 1.0], dtype=torch.float64, requires_grad=True)
    encoded = srgb_torch.encode(linear)
    encoded.sum().backward()
    values = linear.detach().numpy()
    assert np.allclose(encoded.detach().numpy(), srgb.encode(values), atol=1e-12)
    assert linear.grad is not None and torch.isfinite(linear.grad).all()
    step = 1e-7
    slope = (srgb.encode(values[1:-1] + step) - srgb.encode(values[1:-1] - step)) / (2 * step)
    assert np.allclose(linear.grad.numpy()[1:-1], slope, rtol=1e-5)


def test_harmonics_are_orthonormal_and_shade_is_their_sum() -> None:
    # Gauss-Legendre in height times even steps around: exact for what is multiplied here.
    heights, weights = np.polynomial.legendre.leggauss(8)
    around = np.arange(16) * np.pi / 8
    flat = np.sqrt(1 - heights**2)
    normals = np.stack(
        [np.outer(flat, np.cos(around)), np.outer(flat, np.sin(around)),
         np.repeat(heights[:, None], 16, 1)], axis=-1
    )  # fmt: skip
    basis = harmonics.sh_basis(normals)
    gram = np.einsum("hak,haj,h->kj", basis, basis, weights) * 2 * np.pi / 16
    assert np.allclose(gram, np.eye(9), atol=2e-5)  # the constants have six digits
    light = np.random.default_rng(0).normal(size=(9, 3))
    assert np.allclose(harmonics.shade(normals, light), np.maximum(basis @ light, 0))
    assert harmonics.shade(normals.astype(np.float32), light).dtype == np.float32
    x = torch.tensor(normals)
    assert np.allclose(sh_basis(x).numpy(), basis, atol=1e-14)


def test_a_lamps_irradiance_by_the_cosines_factors() -> None:
    # What second order leaves of the clamped cosine's mean square 1/6: 1/768.
    towards = np.array([0.6, 0.0, 0.8])
    normals = harmonics.fibonacci_sphere(4000)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    assert np.allclose(normals.T @ normals / len(normals), np.eye(3) / 3, atol=1e-3)
    light = np.pi * harmonics.COSINE_FACTORS * harmonics.sh_basis(towards)
    found = harmonics.sh_basis(normals) @ light
    away = found - np.maximum(normals @ towards, 0)
    assert (away**2).mean() == pytest.approx(1 / 768, rel=0.02)


#: A right-angled edge between a face of area 1 and one of area 3, and a vertex of neither.
FOLD = np.array([[0, 0, 0], [0, 1, 0], [2, 0, 0], [0, 0, -6.0], [9, 9, 9]])
FOLD_TRIANGLES = np.array([[0, 2, 1], [0, 1, 3]])


def test_normals_and_areas_by_hand() -> None:
    assert triangles.triangle_areas(FOLD, FOLD_TRIANGLES) == pytest.approx([1, 3])
    faces = triangles.triangle_normals(FOLD, FOLD_TRIANGLES)
    assert faces == pytest.approx(np.array([[0, 0, 1], [-1, 0, 0]]))
    by_area = triangles.vertex_normals(FOLD, FOLD_TRIANGLES)
    assert by_area[0] == pytest.approx(np.array([-3, 0, 1]) / np.sqrt(10))
    alike = triangles.vertex_normals(FOLD, FOLD_TRIANGLES, by_area=False)
    assert alike[0] == pytest.approx(np.array([-1, 0, 1]) / np.sqrt(2))
    assert (by_area[4] == 0).all()
    assert triangles.triangle_normals(FOLD, np.array([[1, 1, 1]])) == pytest.approx(0)
    assert triangles.vertex_normals(FOLD.astype(np.float32), FOLD_TRIANGLES).dtype == np.float32
    # By angles: a right one in the first face, and one of atan 6 in the second.
    angles = triangles.angle_weighted_normals(FOLD, FOLD_TRIANGLES)
    turn = np.arctan2(np.arctan(6), np.arctan(2))
    assert angles[1] == pytest.approx(np.array([-np.sin(turn), 0, np.cos(turn)]))
    assert angles[4] == pytest.approx(np.ones(3) / np.sqrt(3))


def test_the_torch_twin_of_vertex_normals() -> None:
    rng = np.random.default_rng(2)
    points, faces = rng.normal(size=(40, 3)), rng.permuted(np.tile(np.arange(40), (60, 1)), axis=1)
    faces = faces[:, :3]
    found = shading.vertex_normals(torch.tensor(points)[None], torch.tensor(faces))[0].numpy()
    assert np.allclose(found, triangles.vertex_normals(points, faces), atol=1e-12)


def test_rotations_are_scipys() -> None:
    rng = np.random.default_rng(4)
    angles = rng.uniform(-1.5, 1.5, (3, 50))
    for axis in range(3):
        expected = Rotation.from_euler("xyz"[axis], angles[0][:, None]).as_matrix()
        assert np.allclose(rotation.about(angles[0], axis), expected, atol=1e-15)
    yaw, pitch, roll = angles
    expected = Rotation.from_euler("YXZ", np.stack([yaw, -pitch, -roll], 1)).as_matrix()
    found = rotation.from_euler(yaw, pitch, roll)
    assert np.allclose(found, rotation.FACING @ expected, atol=1e-15)
    assert np.allclose(rotation.to_euler(found), angles, atol=1e-12)
    one = Camera(np.eye(3), found[7], np.zeros(3))
    assert one.euler_degrees == pytest.approx(np.degrees(angles[:, 7]))
    turned = rotation.about(np.radians(-20.0), 2)[:2, :2]
    assert rotation.roll_matrix(-20.0) == pytest.approx(turned)
    quaternions = Rotation.from_matrix(found).as_quat()[:, [3, 0, 1, 2]]
    ours = rotation.to_quaternions(found)
    assert np.allclose(np.abs((ours * quaternions).sum(1)), 1)
    assert np.allclose(rotation.from_quaternions(3 * ours), found, atol=1e-14)


def test_the_smallest_turn_to_a_ray_is_scipys() -> None:
    for ray in np.random.default_rng(5).normal(size=(20, 3)) + (0, 0, 2):
        expected = Rotation.align_vectors([ray], [[0, 0, 1]])[0].as_matrix()
        assert np.allclose(rotation.look_along(ray), expected, atol=1e-9)


def test_a_moved_camera_turns_as_scipys_rotation_vector() -> None:
    camera, _ = view()
    change = np.array([0.1, -0.2, 0.05, 3.0, -4.0, 0.1, -0.2])
    moved = moved_camera(camera, change, (640, 480), 1.0)
    turn = Rotation.from_rotvec(change[:3]).as_matrix()
    assert np.allclose(moved.rotation, turn @ camera.rotation, atol=1e-12)
    assert np.allclose(moved.translation, camera.translation * np.exp(0.1) + [3, -4, 0])
    assert moved.focal == pytest.approx(camera.focal * np.exp(-0.2))
    cut = moved_camera(camera, 10 * change, (640, 480), 0.3)
    turn = Rotation.from_rotvec([0.3, -0.3, 0.3]).as_matrix()
    assert np.allclose(cut.rotation, turn @ camera.rotation)
    assert cut.focal == pytest.approx(camera.focal * np.exp(-0.3))


def view(count: int = 12) -> tuple[Camera, np.ndarray]:
    """A camera of 640 x 480 pixels and points before it."""
    rng = np.random.default_rng(6)
    turned = rotation.from_euler(0.4, -0.2, 0.1)
    camera = Camera(intrinsics(900.0, (640, 480)), turned, np.array([20.0, -35.0, 700.0]))
    return camera, rng.normal(size=(count, 3)) * 60


def test_the_projections_jacobian_by_finite_differences() -> None:
    camera, points = view()
    basis = np.random.default_rng(7).normal(size=(5, *points.shape))
    found = projection_jacobian(camera, points, basis)

    def pixels(change: np.ndarray) -> np.ndarray:
        moved = moved_camera(camera, change[:7], (640, 480), 1.0)
        return moved.project(points + np.tensordot(change[7:], basis, 1))

    assert np.allclose(pixels(np.zeros(12)), camera.project(points))
    for column in range(12):
        step = np.zeros(12)
        step[column] = 1e-4
        slope = (pixels(step) - pixels(-step)) / 2e-4
        assert np.allclose(found[:, :, column], slope, atol=1e-5, rtol=1e-7), column


def test_the_torch_twin_of_projection() -> None:
    camera, points = view()
    seen = camera.to_camera(points)
    matrix = torch.tensor(camera.camera_matrix)
    assert np.allclose(project_torch(torch.tensor(seen), matrix).numpy(), camera.project(points))
    by_point, _ = projection_derivatives(seen, camera.focal, camera.translation)
    auto = torch.func.vmap(torch.func.jacrev(lambda x: project_torch(x[None], matrix)[0]))
    assert np.allclose(auto(torch.tensor(seen)).numpy(), by_point, atol=1e-12)


def test_harmonics_turn_as_torch_differentiates_them() -> None:
    normals = np.random.default_rng(3).normal(size=(20, 3))
    auto = torch.func.vmap(torch.func.jacrev(sh_basis))(torch.tensor(normals))
    assert np.allclose(sh_gradient(normals), auto.numpy(), atol=1e-12)


def test_bilinear_samples_are_torchs() -> None:
    rng = np.random.default_rng(4)
    picture = rng.normal(size=(7, 5, 3))
    points = rng.uniform(-2, 9, (200, 2))  # beyond the border as well
    grid = torch.tensor((points + 0.5) * 2 / [5, 7] - 1)[None, :, None]
    expected = torch.nn.functional.grid_sample(
        torch.tensor(picture.transpose(2, 0, 1))[None],
        grid,
        padding_mode="border",
        align_corners=False,
    )[0, ..., 0].T
    assert np.allclose(bilinear(picture, points), expected.numpy(), atol=1e-12)
    assert np.allclose(bilinear(picture[:1, :1], points), picture[0, 0])


@pytest.mark.parametrize("dimensions", [2, 3])
def test_similarities_are_scikit_images(dimensions: int) -> None:
    rng = np.random.default_rng(8)
    for mirrored in (1.0, -1.0):  # what a mirror made is fitted without one
        source = rng.normal(size=(12, dimensions)) * 30
        target = 1.7 * source[:, ::-1] * mirrored + rng.normal(size=source.shape) * 5 + 3
        found = Similarity.between(source, target)
        expected = np.asarray(SimilarityTransform.from_estimate(source, target).params)
        assert np.allclose(found.matrix(), expected[:dimensions], atol=1e-9)
        assert np.linalg.det(found.rotation) == pytest.approx(1)
        assert np.allclose(found.inverse(found.apply(source)), source)
        assert np.allclose(found.apply(source), np.c_[source, np.ones(12)] @ found.matrix().T)
    same = Similarity.between(np.ones((5, dimensions)), rng.normal(size=(5, dimensions)))
    assert same.scale == 0 and np.isfinite(same.matrix()).all()


def test_a_similarity_moved_about_a_point() -> None:
    turn, shift, middle = np.array([0.3, -0.2, 0.9]), np.array([1.0, 2, 3]), np.array([4.0, 5, 6])
    start = Similarity(
        2.0, Rotation.from_rotvec([0.1, 0.2, 0.3]).as_matrix(), np.array([7.0, 8, 9])
    )
    points = np.random.default_rng(9).normal(size=(6, 3))
    found = start.moved(turn, shift, 0.1, middle).apply(points)
    about = Rotation.from_rotvec(turn).apply(start.apply(points) - middle)
    assert np.allclose(found, np.exp(0.1) * about + middle + shift)


@pytest.mark.parametrize("condition", [1.0, 1e4])
def test_bounded_minima_are_scipys(condition: float) -> None:
    """Of rows whose columns are up to ``condition`` near to dependent, and of all sizes."""
    rng = np.random.default_rng(10)
    held = 0
    for _ in range(30):
        u, _, vt = np.linalg.svd(rng.normal(size=(40, 12)), full_matrices=False)
        rows = u * np.logspace(0, -np.log10(condition), 12) @ vt * 10 ** rng.uniform(-3, 3, 12)
        values, size = rng.normal(size=40), 1 / np.linalg.norm(rows, axis=0)
        low, high = -rng.uniform(0, 0.9, 12) * size, rng.uniform(0, 0.9, 12) * size
        gram, right = rows.T @ rows, rows.T @ values
        found = bounded_minimum(gram, right, low, high)
        assert ((found >= low) & (found <= high)).all()
        limits = (low / size, high / size)
        expected = size * lsq_linear(rows * size, values, limits, "bvls", tol=1e-15).x
        assert np.allclose(rows @ found, rows @ expected, atol=1e-7)
        other = bounded_minimum(gram, right, low, high, rng.normal(size=12) * size)
        assert np.allclose(found / size, other / size, atol=1e-6)
        held += int(((found == low) | (found == high)).sum())
    assert 60 < held < 340, "of 360"


def test_bounds_that_leave_no_choice_and_none_at_all() -> None:
    rng = np.random.default_rng(11)
    rows, values = rng.normal(size=(30, 6)), rng.normal(size=30)
    gram, right, none = rows.T @ rows, rows.T @ values, np.full(6, np.inf)
    assert np.allclose(bounded_minimum(gram, right, -none, none), np.linalg.solve(gram, right))
    fixed = np.linspace(-1, 1, 6)
    assert (bounded_minimum(gram, right, fixed, fixed) == fixed).all()
    some = np.where(np.arange(6) < 2, fixed, 10.0)
    found = bounded_minimum(gram, right, np.where(np.arange(6) < 2, fixed, -10.0), some)
    rest = np.linalg.lstsq(rows[:, 2:], values - rows[:, :2] @ fixed[:2], rcond=None)[0]
    assert np.allclose(found, np.r_[fixed[:2], rest])


def test_partly_bounded_minima_are_scipys_and_the_bounded_ones() -> None:
    rng = np.random.default_rng(12)
    for _ in range(20):
        rows = rng.normal(size=(60, 12)) * 10 ** rng.uniform(-2, 2, 12)
        values, size = 3 * rng.normal(size=60), 1 / np.linalg.norm(rows, axis=0)
        low, high = -0.05 * size[7:], 0.1 * size[7:]
        found = partly_bounded_minimum(rows.T @ rows, rows.T @ values, low, high)
        free = np.full(7, np.inf)
        limits = np.r_[-free, low], np.r_[free, high]
        scaled = (limits[0] / size, limits[1] / size)
        expected = size * lsq_linear(rows * size, values, scaled, "bvls", tol=1e-15).x
        assert np.allclose(found / size, expected / size, atol=1e-8)
        everything = bounded_minimum(rows.T @ rows, rows.T @ values, *limits)
        assert np.allclose(found / size, everything / size, atol=1e-9)
        assert (found[7:] >= low).all() and (found[7:] <= high).all()


def test_rows_of_a_singular_problem_leave_what_changes_nothing_at_0() -> None:
    rng = np.random.default_rng(13)
    basis = rng.normal(size=(20, 50))
    basis[3] = 0
    basis[7] = basis[8]
    right = rng.normal(size=(15, 50)) @ basis.T
    found = bounded_least_squares(basis @ basis.T, right, np.tile([0.0, 1.0], (20, 1)))
    assert (found[:, 3] == 0).all() and np.allclose(found[:, 7], found[:, 8], atol=1e-6)
    for row, x in zip(right, found, strict=True):
        goal = np.linalg.lstsq(basis, row, rcond=None)[0]
        expected = lsq_linear(basis.T, goal, (0, 1), "bvls", tol=1e-15).x
        assert np.allclose(x @ basis, expected @ basis, atol=1e-5)
