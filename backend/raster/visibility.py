"""Primary visibility through a pinhole camera, ray-cast with Intel Embree.

One ray per pixel centre against the exact triangles: no z-buffer resolution, no painter's order,
and barycentric coordinates that are perspective-correct by construction (they are those of the
point hit in 3D).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import project

Float = NDArray[np.float32]

# Under this many rays a second thread costs more than it saves.
_RAYS_PER_THREAD = 60_000
_THREADS = 2


@dataclass(frozen=True)
class Raster:
    """What a camera sees in each of h x w pixels; pixel (0, 0) is the top-left one."""

    face_id: NDArray[np.int32]  #: (h, w) index into the faces, -1 = background
    barycentric: Float  #: (h, w, 3) weights of the face's corners; 0 in the background
    depth: Float  #: (h, w) z in mm; 0 in the background

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(h, w) True where a face is seen."""
        return self.face_id >= 0


def rasterize(
    vertices_camera: NDArray,
    faces: NDArray,
    camera_matrix: NDArray,
    size: tuple[int, int],
    scene: Any = None,
) -> Raster:
    """The nearest triangle at every pixel centre.

    ``vertices_camera`` (V, 3) mm in camera coordinates (x right, y down, z forward), ``faces``
    (F, 3), ``camera_matrix`` (3, 3) with pixel (0, 0) the *centre* of the top-left pixel, ``size``
    (w, h).  Triangles are seen from both sides; what lies behind the camera is never hit.
    ``scene`` is the mesh's :func:`ray_scene` where there is one already.

    Raises ValueError when ``size`` is not positive.
    """
    width, height = int(size[0]), int(size[1])
    if width < 1 or height < 1:
        raise ValueError(f"The raster size is {width}x{height}; both must be at least 1.")
    face_id = np.full((height, width), -1, dtype=np.int32)
    barycentric = np.zeros((height, width, 3), dtype=np.float32)
    depth = np.zeros((height, width), dtype=np.float32)
    x0, y0, x1, y1 = _window(vertices_camera, camera_matrix, width, height)
    if x0 < x1 and y0 < y1:
        directions = _pixel_rays(camera_matrix, x0, y0, x1, y1)
        scene = scene or ray_scene(vertices_camera, faces)
        hit = _cast(scene, np.zeros((1, 3), np.float32), directions)
        shape = (y1 - y0, x1 - x0)
        window = (slice(y0, y1), slice(x0, x1))
        seen = hit["primID"] >= 0
        u, v = hit["u"] * seen, hit["v"] * seen
        face_id[window] = hit["primID"].reshape(shape)
        barycentric[window] = np.stack([seen - u - v, u, v], axis=1).reshape(*shape, 3)
        # The rays have z = 1, so the ray parameter of the hit is its depth.
        depth[window] = np.where(seen, hit["tfar"], 0).reshape(shape)
    return Raster(face_id, barycentric, depth)


def rasterize_front(
    vertices_camera: NDArray, faces: NDArray, camera_matrix: NDArray, size: tuple[int, int]
) -> Raster:
    """As :func:`rasterize`, seeing only the outward side of triangles.

    Inside a mouth or behind an ear there is nothing to see, and two thirds of the work falls away.
    """
    front = np.flatnonzero(_faces_camera(vertices_camera, faces))
    raster = rasterize(vertices_camera, faces[front], camera_matrix, size)
    # The background's -1 picks the entry appended last.
    face_id = np.append(front, -1).astype(np.int32)[raster.face_id]
    return Raster(face_id, raster.barycentric, raster.depth)


def _faces_camera(vertices: NDArray, faces: NDArray) -> NDArray[np.bool_]:
    """(F,) True for triangles whose outward side faces the camera at the origin.

    For ``vertices`` with OpenCV axes.  The triple product a . (b x c) tells, taken as
    a . ((b - a) x (c - a)), in which nothing large cancels.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    b, c = b - a, c - a
    normal_x = b[:, 1] * c[:, 2] - b[:, 2] * c[:, 1]
    normal_y = b[:, 2] * c[:, 0] - b[:, 0] * c[:, 2]
    normal_z = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    return a[:, 0] * normal_x + a[:, 1] * normal_y + a[:, 2] * normal_z < 0


def occluded(
    points: NDArray,
    vertices: NDArray,
    faces: NDArray,
    target: NDArray | tuple[float, float, float] = (0.0, 0.0, 0.0),
    bias: float = 0.5,
    scene: Any = None,
) -> NDArray[np.bool_]:
    """(N,) True where a triangle stands between a point (N, 3) and ``target`` (the camera centre).

    All in one frame, mm; ``bias`` mm are left out at the point's end, so that a surface does not
    hide itself.  ``scene`` as in :func:`rasterize`.
    """
    origin = np.asarray(points, dtype=np.float32)
    direction = np.asarray(target, dtype=np.float32) - origin
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    step = bias / np.maximum(length, bias)
    origin = origin + direction * step
    scene = scene or ray_scene(vertices, faces)
    left = np.ascontiguousarray((1 - step[:, 0]).astype(np.float32))
    # Directions reach the target at parameter 1; what lies beyond the target does not occlude.
    direction = np.ascontiguousarray(direction, dtype=np.float32)
    return scene.run(np.ascontiguousarray(origin), direction, dists=left, query="OCCLUDED") != -1


def interpolate(raster: Raster, faces: NDArray, values: NDArray) -> Float:
    """(h, w, C) float32 per-vertex ``values`` (V, C) at every pixel; 0 in the background."""
    out = np.zeros((*raster.face_id.shape, values.shape[1]), dtype=np.float32)
    seen = raster.mask
    corners = faces[raster.face_id[seen]]
    weights = raster.barycentric[seen]
    out[seen] = sum(values[corners[:, k]] * weights[:, k, None] for k in range(3))
    return out


@lru_cache(maxsize=1)
def _device() -> Any:
    from embreex import rtcore

    return rtcore.EmbreeDevice()


def ray_scene(vertices: NDArray, faces: NDArray) -> Any:
    """An Embree scene of the mesh, which costs as much to build as a small picture to cast.

    "Robust" closes the cracks along shared edges.
    """
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene = EmbreeScene(_device(), robust=True)
    TriangleMesh(
        scene,
        np.ascontiguousarray(vertices, dtype=np.float32),
        np.ascontiguousarray(faces, dtype=np.int32),
    )
    return scene


def _cast(scene: Any, origin: Float, directions: Float) -> dict[str, NDArray]:
    """Nearest hits of rays from ``origin`` (1, 3), as embreex returns them.

    embreex lets go of the GIL while it traces, so threads share the work.
    """
    origins = np.broadcast_to(origin, directions.shape)
    parts = min(_THREADS, max(1, len(directions) // _RAYS_PER_THREAD))
    if parts == 1:
        return scene.run(np.ascontiguousarray(origins), directions, output=1)
    scene.run(np.zeros((1, 3), np.float32), directions[:1])  # commits the scene, once
    pieces = [
        (np.ascontiguousarray(o), np.ascontiguousarray(d))
        for o, d in zip(
            np.array_split(origins, parts), np.array_split(directions, parts), strict=True
        )
    ]
    with ThreadPoolExecutor(parts) as pool:
        hits = list(pool.map(lambda piece: scene.run(*piece, output=1), pieces))
    return {key: np.concatenate([hit[key] for hit in hits]) for key in ("primID", "u", "v", "tfar")}


def _pixel_rays(camera_matrix: NDArray, x0: int, y0: int, x1: int, y1: int) -> Float:
    """(N, 3) directions with z = 1 through the pixel centres of a window, row by row."""
    inverse = np.linalg.inv(np.asarray(camera_matrix, dtype=np.float64))
    x, y = np.meshgrid(np.arange(x0, x1), np.arange(y0, y1))
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    rays = pixels @ inverse.T
    return np.ascontiguousarray(rays / rays[:, 2:], dtype=np.float32)


def _window(
    vertices: NDArray, camera_matrix: NDArray, width: int, height: int
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the pixels the mesh can touch; all of them when it passes the camera."""
    if not len(vertices):
        return 0, 0, 0, 0
    if vertices[:, 2].min() < 1e-3:
        return 0, 0, width, height
    pixels = project(np.asarray(vertices, dtype=np.float64), camera_matrix)
    low = np.floor(pixels.min(axis=0)).astype(int)
    high = np.ceil(pixels.max(axis=0)).astype(int) + 1
    x0, y0 = max(low[0], 0), max(low[1], 0)
    return x0, y0, min(high[0], width), min(high[1], height)
