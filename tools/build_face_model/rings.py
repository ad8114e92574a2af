"""Rings of vertices around mouth and eyes: the mesh is a grid of quads there."""

from __future__ import annotations

import numpy as np

from .head_mesh import HeadTopology

LID_RINGS = (2, 11)
"""Rings behind and before the lids' seam that the file names: as far as a blink is corrected."""
LIP_RINGS = (2, 8)
"""The same of the lips' seam."""


def lid_rings(topology: HeadTopology, island: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(2, R, L) int32 vertices of the right and the left eye's lids.

    R rings, from the eye socket over the seam where the outer skin begins (ring ``LID_RINGS[0]``)
    to brow and cheek; each from the inner corner over the upper lid to the outer corner and back
    over the lower lid, so that columns j and L - 1 - j face each other.
    """
    outer, socket = island == "skin", island == "socket_left"
    loop = seam_loop(topology.polygons, outer, socket, head)
    behind, before = LID_RINGS
    left = np.concatenate(
        [
            rings_from(topology.polygons[socket], loop, behind)[:0:-1],
            rings_from(topology.polygons[outer], loop, before),
        ]
    )
    return np.stack([topology.symmetry[left], left]).astype(np.int32)


def lip_rings(topology: HeadTopology, island: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(R, B) int32 vertices of the lips.

    R rings, from the mouth's inside over the seam where the outer skin begins (ring
    ``LIP_RINGS[0]``) to nose and chin; each from the right corner over the upper lip to the left
    one and back over the lower lip.
    """
    outer, inside = island == "skin", island == "mouth"
    loop = seam_loop(topology.polygons, outer, inside, head)
    behind, before = LIP_RINGS
    found = [
        rings_from(topology.polygons[inside], loop, behind)[:0:-1],
        rings_from(topology.polygons[outer], loop, before),
    ]
    return np.concatenate(found).astype(np.int32)


def seam_loop(
    polygons: np.ndarray, outer: np.ndarray, inner: np.ndarray, head: np.ndarray
) -> np.ndarray:
    """(L,) vertices where the ``outer`` and the ``inner`` quads, (F,) bool each, meet, in order.

    They go from the corner of smallest x over the upper lip or lid to the other corner and back
    over the lower one.

    Raises:
        ValueError: they do not form one loop.
    """
    edges = [
        {
            frozenset(edge)
            for quad in polygons[part].tolist()
            for edge in zip(quad, quad[1:] + quad[:1], strict=True)
        }
        for part in (outer, inner)
    ]
    beside: dict[int, list[int]] = {}
    for a, b in map(tuple, edges[0] & edges[1]):
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    if not beside or any(len(found) != 2 for found in beside.values()):
        raise ValueError("the seam is no loop")
    start = min(beside, key=lambda vertex: head[vertex, 0])
    loop = [start, max(beside[start], key=lambda vertex: head[vertex, 1])]
    while (following := next(v for v in beside[loop[-1]] if v != loop[-2])) != start:
        loop.append(following)
    if len(loop) != len(beside):
        raise ValueError("the seam is more than one loop")
    return np.array(loop)


def rings_from(polygons: np.ndarray, loop: np.ndarray, count: int) -> np.ndarray:
    """(``count`` + 1, L) vertices: the ``loop`` (L,) and the rings beside it in a grid of quads.

    Raises:
        ValueError: the quads beside a ring are no grid.
    """
    quads = {tuple(quad) for quad in polygons.tolist()}
    rings = [loop]
    for _ in range(count):
        ring, step = rings[-1].tolist(), {}
        place = {vertex: number for number, vertex in enumerate(ring)}
        used = set()
        for quad in quads:
            for k in range(4):
                a, b, c, d = (*quad[k:], *quad[:k])
                if a in place and b in place and c not in place and d not in place:
                    step[a], step[b] = d, c
                    used.add(quad)
        if len(used) != len(ring) or set(step) != set(ring):
            raise ValueError("the quads beside the seam are no grid")
        quads -= used
        rings.append(np.array([step[vertex] for vertex in ring]))
    return np.stack(rings)
