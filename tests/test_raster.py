"""Visibility, atlas, normals and shading against brute force and closed forms in float64."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.geometry.harmonics import sh_basis, shade
from reconstruct_face.backend.geometry.triangles import vertex_normals
from reconstruct_face.backend.raster import (
    interpolate,
    occluded,
    rasterize,
    rasterize_uv,
    texels_of,
)

from tests.errors import raises

CAMERA = np.array([[90.0, 0.0, 31.5], [0.0, 80.0, 20.0], [0.0, 0.0, 1.0]])


def soup(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random triangles in front of the camera, crossing and hiding each other."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform([-150, -120, 300], [150, 120, 700], (count, 1, 3))
    corners = centre + rng.normal(0, 60, (count, 3, 3))
    return corners.reshape(-1, 3), np.arange(count * 3).reshape(-1, 3)


def brute_force(vertices: np.ndarray, faces: np.ndarray, width: int, height: int):
    """Ray against every triangle by solving the 3 x 3 system, float64."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1) @ np.linalg.inv(CAMERA).T
    best = np.full(x.size, np.inf)
    ids = np.full(x.size, -1)
    for index, (a, b, c) in enumerate(vertices[faces]):
        # a wa + b wb + c wc = t ray with wa + wb + wc = 1: solve for the weights over t
        weights = rays @ np.linalg.inv(np.stack([a, b, c], 1)).T
        total = weights.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = (weights / total[:, None] >= 0).all(1) & (total > 0)
            depth = 1 / total
        nearer = inside & (depth < best)
        best[nearer], ids[nearer] = depth[nearer], index
    return ids.reshape(height, width), best.reshape(height, width)


def test_nearest_triangle_equals_brute_force() -> None:
    vertices, faces = soup(60)
    raster = rasterize(vertices, faces, CAMERA, (64, 48))
    ids, depth = brute_force(vertices, faces, 64, 48)
    same = raster.face_id == ids
    assert raster.face_id.dtype == np.int32 and (ids >= 0).mean() > 0.5
    # float32 may decide a pixel on an edge the other way
    assert (~same).sum() <= 3
    seen = same & (ids >= 0)
    np.testing.assert_allclose(raster.depth[seen], depth[seen], rtol=1e-4)
    assert (raster.face_id[ids < 0] == -1).mean() > 0.99


def test_barycentric_is_perspective_correct() -> None:
    vertices, faces = soup(60, seed=3)
    raster = rasterize(vertices, faces, CAMERA, (64, 48))
    points = interpolate(raster, faces, vertices)
    seen = raster.mask
    pixels = points[seen] @ CAMERA.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    rows, columns = np.nonzero(seen)
    np.testing.assert_allclose(pixels, np.stack([columns, rows], 1), atol=0.01)
    np.testing.assert_allclose(points[seen][:, 2], raster.depth[seen], rtol=1e-4)
    np.testing.assert_allclose(raster.barycentric[seen].sum(1), 1, atol=1e-5)
    assert not raster.barycentric[~seen].any() and not raster.depth[~seen].any()


def test_a_closed_surface_has_no_cracks() -> None:
    vertices, faces = sphere(60)
    camera = np.array([[400.0, 0, 127.5], [0, 400.0, 127.5], [0, 0, 1]])
    raster = rasterize(vertices + [0, 0, 600], faces, camera, (256, 256))
    x, y = np.meshgrid(np.arange(256) - 127.5, np.arange(256) - 127.5)
    radius = np.hypot(x, y) / 400 * 600
    assert raster.mask[radius < 98].all()
    assert not raster.mask[radius > 102].any()
    # nearest point of a sphere of 100 mm at 600 mm
    assert raster.depth[127, 127] == pytest.approx(500, abs=0.5)


def test_mesh_outside_the_picture_and_behind_the_camera() -> None:
    vertices, faces = sphere(20)
    for offset in ([5000, 0, 600], [0, 0, -600]):
        assert not rasterize(vertices + offset, faces, CAMERA, (64, 48)).mask.any()
    around = rasterize(vertices, faces, CAMERA, (64, 48))
    assert around.mask.all(), "a camera inside a sphere sees it everywhere"
    with raises(ValueError, "0x48"):
        rasterize(vertices, faces, CAMERA, (0, 48))


def test_occluded_back_of_a_sphere() -> None:
    vertices, faces = sphere(60)
    vertices = vertices + [0, 0, 600]
    hidden = occluded(vertices, vertices, faces, bias=0.5)
    # A point at p on the sphere sees the camera when (p - centre) . (camera - p) > 0.
    facing = ((vertices - [0, 0, 600]) * -vertices).sum(1) / np.linalg.norm(vertices, axis=1)
    assert not hidden[facing > 8].any()
    assert hidden[facing < -8].all()


def test_occluded_ignores_what_is_beyond_the_target() -> None:
    wall = np.array([[-50, -50, 300], [50, -50, 300], [0, 80, 300]], dtype=float)
    faces = np.array([[0, 1, 2]])
    assert occluded([[0, 0, 400]], wall, faces).all()
    assert not occluded([[0, 0, 200]], wall, faces).any()
    assert not occluded([[0, 0, 400]], wall, faces, target=(0, 0, 320)).any()


def test_atlas_finds_the_triangle_of_each_texel() -> None:
    rng = np.random.default_rng(1)
    uv = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 9), np.linspace(0.1, 0.9, 9)), -1)
    uv[1:-1, 1:-1] += rng.uniform(-0.03, 0.03, (7, 7, 2))
    uv = uv.reshape(-1, 2)
    grid = np.arange(81).reshape(9, 9)
    a, b, c, d = (g.ravel() for g in (grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    atlas = rasterize_uv(uv, faces, 128)
    rows, columns = np.nonzero(atlas.mask)
    assert atlas.mask.mean() == pytest.approx(0.64, abs=0.03)
    weights = atlas.barycentric[rows, columns]
    assert weights.min() >= 0
    found = (uv[faces[atlas.face_id[rows, columns]]] * weights[..., None]).sum(1)
    # Row 0 is at v = 1: an error in the direction of v would show as a large distance.
    centre = np.stack([(columns + 0.5) / 128, 1 - (rows + 0.5) / 128], 1)
    gap = np.linalg.norm(found - centre, axis=1) * 128
    inner = ((centre > 0.11) & (centre < 0.89)).all(1)
    assert gap[inner].mean() < 0.05 and gap.max() < 1.5


def test_gutter_repeats_the_nearest_texel() -> None:
    uv = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    bare, wide = rasterize_uv(uv, faces, 64), rasterize_uv(uv, faces, 64, gutter=4)
    rows, columns = np.nonzero(bare.mask)
    box = rows.min(), rows.max(), columns.min(), columns.max()
    np.testing.assert_array_equal(wide.face_id[bare.mask], bare.face_id[bare.mask])
    above = wide.face_id[box[0] - 4, box[2] : box[3] + 1]
    np.testing.assert_array_equal(above, bare.face_id[box[0], box[2] : box[3] + 1])
    assert wide.face_id[box[0] - 5].max() == -1
    np.testing.assert_array_equal(wide.barycentric[40, box[3] + 3], bare.barycentric[40, box[3]])


def test_texels_of_chosen_triangles_with_weights_in_double_precision() -> None:
    uv = np.array([[0.1, 0.15], [0.85, 0.2], [0.8, 0.9], [0.2, 0.8]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    every, second = texels_of(uv, faces, 64), texels_of(uv, faces, 64, wanted=np.arange(2) > 0)
    np.testing.assert_array_equal(second.place, every.place[every.face == 1])
    weights = second.barycentric()
    assert len(second) == len(weights) > 500 and (second.face == 1).all()
    np.testing.assert_array_equal(weights[3:7], second.barycentric(np.arange(3, 7)))
    # By solving the affine system of each texel's centre; those outside lie on the border.
    rows, columns = np.divmod(second.place, 64)
    centre = np.stack([(columns + 0.5) / 64, 1 - (rows + 0.5) / 64, np.ones(len(rows))])
    exact = np.linalg.solve(np.vstack([uv[faces[1]].T, np.ones(3)]), centre).T
    inside = (exact >= 0).all(1)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(weights[inside], exact[inside], atol=2e-5)


def test_vertex_normals_are_outward_and_area_weighted() -> None:
    vertices, faces = sphere(60)
    normals = vertex_normals(vertices, faces)
    np.testing.assert_allclose((normals * vertices / 100).sum(1), 1, atol=0.01)
    # A right-angled edge between a face of area 1 and one of area 3, by hand.
    fold = np.array([[0, 0, 0], [0, 1, 0], [2, 0, 0], [0, 0, -6.0]])
    corner = vertex_normals(fold, np.array([[0, 2, 1], [0, 1, 3]]))[0]
    np.testing.assert_allclose(corner, np.array([-3, 0, 1]) / np.sqrt(10), atol=1e-12)


def test_sh_basis_is_orthonormal_and_shade_clamps() -> None:
    # Monte Carlo over the sphere: the integral of Y_i Y_j is delta_ij.
    normals = np.random.default_rng(0).normal(size=(200_000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    basis = sh_basis(normals)
    gram = basis.T @ basis / len(normals) * 4 * np.pi
    np.testing.assert_allclose(gram, np.eye(9), atol=0.03)
    light = np.zeros((9, 3))
    light[3] = 1  # the x term
    assert shade(np.array([1.0, 0, 0]), light)[0] == pytest.approx(0.488603)
    assert shade(np.array([-1.0, 0, 0]), light)[0] == 0


def sphere(rings: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed sphere of 100 mm around the origin, faces counter-clockwise from outside."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.arange(2 * rings) / (2 * rings) * 2 * np.pi
    t, p = np.meshgrid(theta, phi, indexing="ij")
    ring = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], -1)
    vertices = np.concatenate([ring.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]]) * 100
    grid = np.arange(ring.shape[0] * ring.shape[1]).reshape(ring.shape[:2])
    right = np.roll(grid, -1, 1)
    top, bottom = len(vertices) - 2, len(vertices) - 1
    quads = [grid[:-1], grid[1:], right[1:], right[:-1]]
    a, b, c, d = (q.ravel() for q in quads)
    caps = [
        np.stack([np.full(2 * rings, top), grid[0], right[0]], 1),
        np.stack([grid[-1], np.full(2 * rings, bottom), right[-1]], 1),
    ]
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1), *caps])
