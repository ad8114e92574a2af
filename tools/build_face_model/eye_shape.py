"""The eye: a globe with a bulging cornea, behind it an iris bowl and a pupil with a dark cup.

Sizes are those of people (``docs/face_model.md``): they hardly differ between them.  All surfaces
are turned about the optical axis, in quads: around an axis lies a grid whose squares are drawn to
circles, so that there is no pole of triangles in pupil and cornea.

The eye's frame, in mm: x to the head's left, y up, z ahead; the globe's middle is the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GLOBE_RADIUS = 12.1
CORNEA_RADIUS = 7.8
CORNEA_APEX = GLOBE_RADIUS + 1.16
"""mm from the globe's middle to the cornea's foremost point."""
PUPIL_RADIUS = 1.9
GRID = 4
"""Circles of the grid about an axis; the outermost has 8 * ``GRID`` points, as all further ones."""
SEGMENTS = 8 * GRID
_CORNEA_MIDDLE = CORNEA_APEX - CORNEA_RADIUS
LIMBUS = float(
    np.arccos(
        (GLOBE_RADIUS**2 + _CORNEA_MIDDLE**2 - CORNEA_RADIUS**2)
        / (2 * GLOBE_RADIUS * _CORNEA_MIDDLE)
    )
)
"""Radians from the optical axis to where cornea and globe meet."""
_CORNEA_ANGLES = (0.0, 6.0, 12.0, 17.5, 22.5, 26.2)
_SCLERA_ANGLES = (
    180.0, 166.0, 152.0, 138.0, 124.0, 110.0, 96.0, 83.0, 71.0, 60.0, 51.0, 43.5, 37.5, 33.0,
)  # fmt: skip
"""Degrees from the optical axis, seen from the globe's middle, before or behind the limbus."""
IRIS_PROFILE = (
    (0.0, 8.4), (0.5, 8.4), (1.0, 8.4), (1.5, 8.45), (1.9, 8.7), (1.95, 9.6), (PUPIL_RADIUS, 10.0),
    (2.15, 10.04), (3.1, 10.1), (4.3, 10.13), (5.3, 10.24), (6.06, 10.38),
)  # fmt: skip
"""(radius, z) from the cup behind the pupil over its margin and the collarette to the rim, which
ends inside the globe.  The margin lies 3.3 mm behind the cornea's apex (chamber depth 3.0)."""
_CUP_RINGS = 7
"""Of the profile, including the pupil's margin."""
UV_PUPIL, UV_RIM, UV_LIMBUS, UV_SIDE = 0.12, 0.66, 0.72, 0.93
"""Radius in the eye's round UV island, whose own is 1: of the pupil's margin, the iris' rim, where
the white begins, and of the white 45 degrees further on: what the lids leave bare."""


@dataclass(frozen=True)
class EyeMesh:
    """One left eye.

    Attributes:
        vertices: (N, 3) mm; cornea and globe share those of the limbus.
        quads: (Q, 4) outward.
        kind: (Q,) its material: "eye" (the white), "iris" or "cornea".
        uv: (U, 2), -1 to 1 in the island of its own.
        uv_quads: (Q, 4) into ``uv``.
        island: (Q,) "eye" with the iris and the white around it, "back" of the white, "cornea".
        of_iris: (N,) bool.
    """

    vertices: np.ndarray
    quads: np.ndarray
    kind: np.ndarray
    uv: np.ndarray
    uv_quads: np.ndarray
    island: np.ndarray
    of_iris: np.ndarray


def cornea_height(cosine: np.ndarray) -> np.ndarray:
    """mm from the globe's middle to the eye's outside, by the cosine of the angle to the axis."""
    sine2 = 1 - np.square(cosine)
    under = np.maximum(CORNEA_RADIUS**2 - _CORNEA_MIDDLE**2 * sine2, 0)
    cornea = _CORNEA_MIDDLE * cosine + np.sqrt(under)
    return np.where(cosine > np.cos(LIMBUS), np.maximum(cornea, GLOBE_RADIUS), GLOBE_RADIUS)


def disc(rings: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A round sheet of quads, seen from +z: the grid, then rings of ``SEGMENTS`` points.

    Returns:
        (N,) ring of each vertex, 0 in the middle; (N,) its angle in radians; (Q, 4) quads.
    """
    ticks = np.arange(-GRID, GRID + 1)
    i, j = (part.ravel() for part in np.meshgrid(ticks, ticks))
    ring = np.maximum(np.abs(i), np.abs(j))
    # Shirley and Chiu 1997, "A Low Distortion Map Between Disk and Square".
    side = np.abs(i) >= np.abs(j)
    share = np.where(side, j, i) / np.maximum(ring, 1) * np.pi / 4
    angle = np.where(
        side,
        np.where(i < 0, np.pi - share, share),
        np.where(j < 0, share - np.pi / 2, np.pi / 2 - share),
    )
    number = np.arange(len(ticks) ** 2).reshape(len(ticks), -1)
    quads = [
        np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], axis=-1)
    ]
    border = np.flatnonzero(ring == GRID)
    steps = np.round(angle[border] / (2 * np.pi) * SEGMENTS).astype(int) % SEGMENTS
    inner = np.empty(SEGMENTS, int)
    inner[steps] = border
    around = np.arange(SEGMENTS)
    for extra in range(GRID + 1, rings):
        outer = len(number.ravel()) + (extra - GRID - 1) * SEGMENTS + around
        quads.append(np.stack([inner, outer, np.roll(outer, -1), np.roll(inner, -1)], axis=-1))
        inner = outer
    more = rings - GRID - 1
    return (
        np.concatenate([ring, np.repeat(np.arange(GRID + 1, rings), SEGMENTS)]),
        np.concatenate([angle, np.tile(2 * np.pi * around / SEGMENTS, more)]),
        np.concatenate([part.reshape(-1, 4) for part in quads]),
    )


def eye_mesh() -> EyeMesh:
    """The left eye, looking ahead."""
    limbus = np.degrees(LIMBUS)
    cornea_angles = np.radians([*_CORNEA_ANGLES, limbus])
    sclera_angles = np.radians([*_SCLERA_ANGLES, limbus])
    heights = cornea_height(np.cos(cornea_angles))
    heights[-1] = GLOBE_RADIUS
    iris = np.array(IRIS_PROFILE)
    pupil, rim = iris[_CUP_RINGS - 1, 0], iris[-1, 0]
    iris_uv = np.empty(len(iris))
    iris_uv[:_CUP_RINGS] = UV_PUPIL * np.linspace(0, 1, _CUP_RINGS)
    beyond = (iris[_CUP_RINGS:, 0] - pupil) / (rim - pupil)
    iris_uv[_CUP_RINGS:] = UV_PUPIL + (UV_RIM - UV_PUPIL) * beyond
    side = LIMBUS + np.pi / 4
    back = sclera_angles[GRID]
    white_uv = np.interp(sclera_angles, [LIMBUS, side, back], [UV_LIMBUS, UV_SIDE, 1.0])
    surfaces = [
        # kind, profile (radius, z), radius in the island, whether it is seen from behind
        ("eye", GLOBE_RADIUS * _turned(sclera_angles), white_uv, True),
        ("iris", iris, iris_uv, False),
        ("cornea", heights[:, None] * _turned(cornea_angles), np.sin(cornea_angles)
         / np.sin(LIMBUS), False),
    ]  # fmt: skip
    points, quads, kinds, uvs, uv_quads, islands = [], [], [], [], [], []
    count = used = 0
    for kind, profile, radius, behind in surfaces:
        ring, angle, local = disc(len(profile))
        local = local[:, ::-1] if behind else local
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points.append(np.column_stack([direction * profile[ring, :1], profile[ring, 1]]))
        uv, corners = direction * radius[ring][:, None], local.copy()
        island = np.full(len(local), "cornea" if kind == "cornea" else "eye", "<U6")
        if behind:  # the middle of the back cannot lie around the iris
            grid = ring <= GRID
            back = grid[local].all(axis=1)
            corners[back] += len(uv)
            island[back] = "back"
            uv = np.concatenate([uv, direction[grid] * [-1, 1] * ring[grid, None] / GRID])
        uvs.append(uv)
        uv_quads.append(corners + used)
        islands.append(island)
        quads.append(local + count)
        kinds += [kind] * len(local)
        count, used = count + len(ring), used + len(uv)
    corners = np.concatenate(quads)
    placed = np.round(np.concatenate(points), 9)
    # Cornea and globe are one surface: the limbus' points are the same.
    _, first, same = np.unique(placed, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    quads_of = place[same.ravel()[corners]]
    kind = np.array(kinds)
    of_iris = np.zeros(len(order), bool)
    of_iris[quads_of[kind == "iris"]] = True
    drawn, uv_corners = np.unique(np.concatenate(uv_quads), return_inverse=True)
    return EyeMesh(
        vertices=placed[first[order]],
        quads=quads_of,
        kind=kind,
        uv=np.concatenate(uvs)[drawn],
        uv_quads=uv_corners.reshape(-1, 4),
        island=np.concatenate(islands),
        of_iris=of_iris,
    )


def _turned(angles: np.ndarray) -> np.ndarray:
    """(N, 2) radius and z of unit vectors at ``angles`` from the axis."""
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)
