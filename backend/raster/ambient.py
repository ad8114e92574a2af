"""How much of the sky each point of a mesh sees: ambient occlusion, ray-cast with Intel Embree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.chunks import in_parts
from ..geometry.triangles import unit
from .visibility import ray_scene

Float = NDArray[np.float32]

#: mm above the surface that rays start, so that it does not hide itself; and how far they look.
_BIAS_MM, _FAR_MM = 0.3, 400.0
#: Points whose rays are cast at a time.
_TOGETHER = 2048
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def openness(
    points: NDArray, normals: NDArray, vertices: NDArray, faces: NDArray, rays: int = 32
) -> Float:
    """(N,) 0..1 the part of the light from an even sky that reaches ``points`` (N, 3) with unit
    ``normals`` (N, 3), past the mesh ``vertices`` (V, 3), ``faces`` (F, 3); all mm, in one frame.

    By ``rays`` of a spiral, as dense in a direction as that counts, which is by the cosine to the
    normal (Malley's method: evenly over a disc, then up onto the hemisphere).  Of 32 the standard
    deviation is 0.02 to 0.03.
    """
    number = np.arange(rays) + 0.5
    angle, radius = number * _GOLDEN_ANGLE, np.sqrt(number / rays)
    spiral = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], axis=1
    )
    normals = np.asarray(normals, np.float64)
    other = np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    across = unit(np.cross(normals, other))
    frames = np.stack([across, np.cross(normals, across), normals], axis=1)
    starts = np.asarray(points, np.float64) + _BIAS_MM * normals
    scene = ray_scene(vertices, faces)
    scene.run(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32))  # commits it, once
    found = np.empty(len(starts), np.float32)

    def part(chosen: slice) -> None:
        ways = np.ascontiguousarray(spiral @ frames[chosen], np.float32)
        begin = np.repeat(starts[chosen].astype(np.float32), rays, axis=0)
        reach = np.full(len(begin), _FAR_MM, np.float32)
        met = scene.run(begin, ways.reshape(-1, 3), dists=reach, query="OCCLUDED") != -1
        found[chosen] = 1 - met.reshape(-1, rays).mean(axis=1)

    in_parts(part, len(starts), _TOGETHER)
    return found
