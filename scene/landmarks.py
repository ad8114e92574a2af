"""The 68 landmarks of a head in its photo: where the fit has them, and where the user put them.

``number`` is that of one of the head's photos, 0 the main one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy

from .mesh import of_photo

#: Point numbers of the iBUG scheme that are drawn as lines; closed where the first comes again.
LINES: tuple[tuple[int, ...], ...] = (
    tuple(range(0, 17)),  # jaw
    tuple(range(17, 22)),  # right brow
    tuple(range(22, 27)),  # left brow
    tuple(range(27, 31)),  # bridge of the nose
    tuple(range(31, 36)),  # nostrils
    (*range(36, 42), 36),  # right eye
    (*range(42, 48), 42),  # left eye
    (*range(48, 60), 48),  # outer lips
    (*range(60, 68), 60),  # inner lips
)

_FITTED, _CORRECTED = "landmarks2d", "landmarks_corrected"

Point = tuple[float, float]


def fitted(head: bpy.types.Object, number: int = 0) -> list[Point]:
    """68 points in pixels of the photo, (0, 0) the centre of its top-left pixel; [] if unknown."""
    values = list(head.get(of_photo(_FITTED, number), ()))
    if len(values) != 136:
        return []
    return list(zip(values[::2], values[1::2], strict=True))


def corrected(head: bpy.types.Object, number: int = 0) -> list[tuple[int, float, float]]:
    """What the user set by hand: (index 0..67, x, y) in pixels of the photo."""
    values = list(head.get(of_photo(_CORRECTED, number), ()))
    points = zip(values[::3], values[1::3], values[2::3], strict=False)
    return [(int(index), x, y) for index, x, y in points]


def set_corrected(
    head: bpy.types.Object, points: Mapping[int, Sequence[float]], number: int = 0
) -> None:
    """Keep ``points``, by index, with ``head`` for the next fit; none of them forgets all."""
    values = [float(x) for index in sorted(points) for x in (index, *points[index])]
    name = of_photo(_CORRECTED, number)
    if values:
        head[name] = values
    elif name in head:
        del head[name]


def shown(head: bpy.types.Object, number: int = 0) -> list[Point]:
    """:func:`fitted`, with the corrected ones in their places."""
    points = fitted(head, number)
    for index, x, y in corrected(head, number):
        if index < len(points):
            points[index] = (x, y)
    return points
