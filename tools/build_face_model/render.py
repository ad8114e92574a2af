"""A small ray-cast renderer (Embree) for looking at the model: textured, smooth-shaded, with soft
studio light.

It needs no GPU and no display and gives the same picture everywhere, which a build tool needs more
than beauty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from reconstruct_face.backend.geometry.rotation import about
from reconstruct_face.backend.geometry.srgb import encode_bytes
from reconstruct_face.backend.geometry.triangles import vertex_normals

LIGHTS = (((-0.45, 0.55, 0.75), 0.62), ((0.8, 0.15, 0.55), 0.26), ((0.0, 0.9, -0.3), 0.18))
"""(direction towards the light in view space, intensity): key, fill, rim."""
LIGHT_SIZE = 0.25
"""Half width of the key light, as the tangent of its angle."""
AMBIENT = 0.30
BACKGROUND = 0.055


@dataclass(frozen=True)
class View:
    """A camera: the head turned by yaw and pitch (degrees), then seen along -z from ``distance``
    mm.

    ``target`` is the point of the head (mm) at the picture's centre and ``half_height`` mm the half
    height seen there.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    target: tuple[float, float, float] = (0.0, 0.0, 40.0)
    half_height: float = 140.0
    distance: float = 900.0
    size: int = 512

    def rotation(self) -> np.ndarray:
        """(3, 3) model to view."""
        return about(np.radians(self.pitch), 0) @ about(np.radians(self.yaw), 1)

    def to_view(self, points: np.ndarray) -> np.ndarray:
        """Model points (..., 3) in view space, the target at the origin."""
        return (points - np.asarray(self.target)) @ self.rotation().T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2), y down, of model points (..., 3)."""
        seen = self.to_view(points)
        plane = seen[..., :2] * (self.distance / (self.distance - seen[..., 2:]))
        return (plane / self.half_height * [1, -1] + 1) * self.size / 2 - 0.5

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Origins and directions (size^2, 3) float32 in view space."""
        grid = ((np.arange(self.size) + 0.5) / self.size * 2 - 1) * self.half_height
        x, y = np.meshgrid(grid, -grid)
        origin = np.array([0.0, 0.0, self.distance])
        ahead = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) - origin
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        return np.broadcast_to(origin, ahead.shape).astype(np.float32), ahead.astype(np.float32)


@dataclass(frozen=True)
class Mesh:
    """Quads with UVs and a linear texture (S, S, 3), row 0 at v = 1."""

    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    uv_polygons: np.ndarray
    texture: np.ndarray


def split_quads(polygons: np.ndarray) -> np.ndarray:
    """(F, 4) -> (2F, 3): first all first halves, then all second halves."""
    return np.concatenate([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]])


def cast(vertices: np.ndarray, triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray):
    """First hits of rays: triangle (N,) or -1, and the barycentric weights (N, 3) of its
    corners."""
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, vertices[triangles].astype(np.float32))
    hits = scene.run(origins.astype(np.float32), directions.astype(np.float32), output=1)
    weights = np.stack([1 - hits["u"] - hits["v"], hits["u"], hits["v"]], axis=1)
    return hits["primID"].astype(int), weights


def sample_texture(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Bilinear look-up (N, 3)."""
    size = texture.shape[0]
    x = np.clip(uv[:, 0] * size - 0.5, 0, size - 1.001)
    y = np.clip((1 - uv[:, 1]) * size - 0.5, 0, size - 1.001)
    column, row = x.astype(int), y.astype(int)
    right, down = (x - column)[:, None], (y - row)[:, None]
    above = texture[row, column] * (1 - right) + texture[row, column + 1] * right
    below = texture[row + 1, column] * (1 - right) + texture[row + 1, column + 1] * right
    return above * (1 - down) + below * down


def _visibility(points, normals, towards, vertices, triangles) -> np.ndarray:
    """Share (N,) of a soft light around ``towards`` that points see: one jittered ray for each of
    four quadrants."""
    rng = np.random.default_rng(1)
    seen = np.zeros(len(points))
    for quadrant in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        spread = rng.random((len(points), 2)) * quadrant * LIGHT_SIZE
        ray = towards + spread[:, :1] * [1, 0, 0] + spread[:, 1:] * [0, 1, 0]
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        blocked, _ = cast(vertices, triangles, points + normals * 0.6 + ray * 0.4, ray)
        seen += blocked < 0
    return seen / 4


def _shade(
    points: np.ndarray, normals: np.ndarray, vertices: np.ndarray, triangles: np.ndarray
) -> np.ndarray:
    """Diffuse light (N,) at view-space points, the key light with a soft shadow."""
    light = AMBIENT * (0.75 + 0.25 * normals[:, 1])
    for number, (direction, intensity) in enumerate(LIGHTS):
        towards = np.array(direction) / np.linalg.norm(direction)
        facing = np.clip(normals @ towards, 0, 1)
        if number == 0:
            facing = facing * _visibility(points, normals, towards, vertices, triangles)
        light = light + intensity * facing
    return light


def render(mesh: Mesh, view: View, lit: bool = True, supersample: int = 1) -> np.ndarray:
    """Renders to (size, size, 3) uint8 sRGB."""
    fine = View(**{**view.__dict__, "size": view.size * supersample})
    vertices = fine.to_view(mesh.vertices)
    triangles, uv_triangles = split_quads(mesh.polygons), split_quads(mesh.uv_polygons)
    triangle, weights = cast(vertices, triangles, *fine.rays())
    hit = triangle >= 0
    triangle, weights = triangle[hit], weights[hit][:, :, None]
    colour = sample_texture(mesh.texture, (mesh.uv[uv_triangles[triangle]] * weights).sum(axis=1))
    if lit:
        normals = (vertex_normals(vertices, triangles)[triangles[triangle]] * weights).sum(axis=1)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        points = (vertices[triangles[triangle]] * weights).sum(axis=1)
        colour = colour * _shade(points, normals, vertices, triangles)[:, None]
    picture = np.full((fine.size**2, 3), BACKGROUND)
    picture[hit] = colour
    picture = picture.reshape(view.size, supersample, view.size, supersample, 3).mean(axis=(1, 3))
    return encode_bytes(picture)
