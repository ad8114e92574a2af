"""``backend/geometry`` against scipy, finite differences in float64 and the standards' values."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from reconstruct_face.backend.differentiable import sh_basis, shading
from reconstruct_face.backend.differentiable import srgb as srgb_torch
from reconstruct_face.backend.geometry import harmonics, srgb, triangles

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
