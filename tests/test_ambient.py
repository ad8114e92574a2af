"""How much of the sky a point sees, against what geometry says of a sphere over a plane."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.raster.ambient import openness
from scipy.spatial import ConvexHull


def ball(radius: float, centre: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A closed mesh of a sphere, finely enough."""
    number = np.arange(3000) + 0.5
    angle, z = number * np.pi * (3 - np.sqrt(5)), 1 - 2 * number / 3000
    ring = np.sqrt(1 - z * z)
    points = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    return radius * points + centre, ConvexHull(points).simplices.astype(np.int32)


@pytest.mark.parametrize(("radius", "height"), [(80.0, 160.0), (80.0, 320.0), (180.0, 200.0)])
def test_a_ball_over_a_plane(radius: float, height: float) -> None:
    """The form factor of a sphere straight above is (radius / height) squared."""
    vertices, faces = ball(radius, (0, 0, height))
    found = openness(np.zeros((1, 3)), np.array([[0.0, 0, 1]]), vertices, faces, rays=4096)
    assert found[0] == pytest.approx(1 - (radius / height) ** 2, abs=0.01)


def test_in_every_direction() -> None:
    """The same whichever way the plane is turned."""
    rng = np.random.default_rng(3)
    normals = rng.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vertices, faces = ball(10, (0, 0, 0))
    found = openness(-20 * normals, normals, vertices, faces, rays=1024)
    np.testing.assert_allclose(found, 0.75, atol=0.02)
    away = openness(-20 * normals, -normals, vertices, faces)
    np.testing.assert_array_equal(away, 1)


def test_a_convex_body_hides_nothing_of_itself() -> None:
    vertices, faces = ball(50, (5, -3, 2))
    normals = (vertices - (5, -3, 2)) / 50
    assert openness(vertices, normals, vertices, faces).min() == 1
