"""What surrounds the head in a training picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

#: Backgrounds are drawn no larger than this and blown up: they are mostly out of focus.
_BACKGROUND = 160


def sample_background(size: int, rng: np.random.Generator) -> Float:
    """(size, size, 3) linear: a studio's sweep, a room, shapes out of focus, foliage or lights."""
    if size > _BACKGROUND:
        small = sample_background(_BACKGROUND, rng)
        return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    kinds = (_studio, _room, _shapes, _noise, _bokeh)
    image = kinds[rng.choice(5, p=(0.25, 0.2, 0.2, 0.25, 0.1))](size, rng)
    if rng.random() < 0.3:  # people, furniture, signs: something else at the edges
        image = _shapes(size, rng, image)
    focus = rng.random() ** 2 * size / 12
    if focus > 0.6:
        image = cv2.GaussianBlur(image, (0, 0), focus)
    grain = rng.gamma(1, 0.02) * cv2.resize(
        rng.standard_normal((size // 2, size // 2), np.float32), (size, size)
    )
    return np.clip(image * (1 + grain[..., None]), 0.0, 4.0).astype(np.float32)


def _colour(rng: np.random.Generator) -> Float:
    """(3,) linear: mostly dull, from black to white."""
    level = np.exp(rng.uniform(np.log(0.012), np.log(1.0)))
    return (level * np.exp(rng.normal(0, rng.gamma(1.5, 0.12), 3))).astype(np.float32)


def _gradient(size: int, rng: np.random.Generator) -> Float:
    """(size, size) a ramp or a spot, 0..1."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6, 2)
    if rng.random() < 0.5:
        ramp = np.cos(angle) * axis + np.sin(angle) * axis[:, None]
        return np.clip(0.5 + ramp * rng.uniform(0.2, 0.8), 0, 1)
    squared = (axis - shift[0]) ** 2 + (axis[:, None] - shift[1]) ** 2
    return np.exp(-squared * rng.uniform(0.4, 2))


def _studio(size: int, rng: np.random.Generator) -> Float:
    base = _colour(rng)
    if rng.random() < 0.3:
        base = np.full(3, rng.choice([0.004, 0.03, 0.2, 0.85, 1.1]), np.float32)
    ramp = _gradient(size, rng)[..., None]
    return base * (1 + rng.uniform(-0.7, 0.7) * (ramp - 0.5))


def _noise(size: int, rng: np.random.Generator) -> Float:
    """Noise of several scales between a few colours: foliage, rock, crowds."""
    field = np.zeros((size, size, 3), np.float32)
    cells, slope = 2, rng.uniform(0.45, 0.95)
    strength = 1.0
    while cells <= size:
        octave = rng.standard_normal((cells, cells, 3), np.float32)
        octave = 0.75 * octave[..., :1] + 0.25 * octave
        field += strength * cv2.resize(octave, (size, size), interpolation=cv2.INTER_CUBIC)
        strength *= slope
        cells *= 2
    field *= rng.uniform(0.2, 1.0) / max(float(field.std()), 1e-6)
    low, high = _colour(rng), _colour(rng)
    mix = 1 / (1 + np.exp(-2 * field))
    return low + mix * (high - low)


def _room(size: int, rng: np.random.Generator) -> Float:
    """Walls, doors, shelves and windows: upright blocks."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = _colour(rng)
    for _ in range(rng.integers(3, 14)):
        x, y = rng.integers(-size // 4, size, 2)
        width, height = (size * rng.uniform(0.03, 0.6, 2)).astype(int)
        colour = _colour(rng) * (rng.uniform(1.5, 4) if rng.random() < 0.1 else 1)
        _rectangle(image, x, y, width, height, colour)
        if rng.random() < 0.3:  # rows of books, blinds, bricks
            step = max(int(size * rng.uniform(0.02, 0.08)), 2)
            for at in range(x, x + width, step):
                _rectangle(image, at, y, step // 2, height, colour * rng.uniform(0.4, 1.3))
    lean = rng.normal(0, 0.05)
    matrix = np.array([[1, lean, -lean * size / 2], [-lean, 1, lean * size / 2]], np.float32)
    image = cv2.warpAffine(image, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return image * (0.6 + 0.8 * _gradient(size, rng)[..., None])


def _rectangle(image: Float, x: int, y: int, width: int, height: int, colour: Float) -> None:
    image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = colour


def _shapes(size: int, rng: np.random.Generator, image: Float | None = None) -> Float:
    """Polygons, lines and discs, over ``image`` or over a plain ground."""
    image = _studio(size, rng) if image is None else image
    image = np.ascontiguousarray(image, np.float32)
    for _ in range(rng.integers(2, 12)):
        colour = tuple(float(c) for c in _colour(rng))
        centre = rng.uniform(-0.1, 1.1, 2) * size
        if rng.random() < 0.3:
            end = centre + rng.normal(0, size / 2, 2)
            width = int(rng.integers(1, max(size // 16, 2)))
            cv2.line(image, point(centre), point(end), colour, width, cv2.LINE_AA)
        else:
            corners = rng.integers(3, 9)
            angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
            radius = size * rng.uniform(0.03, 0.35) * rng.uniform(0.5, 1.2, corners)
            points = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
            cv2.fillPoly(image, [points.astype(np.int32)], colour, cv2.LINE_AA)
    return image


def _bokeh(size: int, rng: np.random.Generator) -> Float:
    """Lights far out of focus on a dark ground."""
    image = np.ascontiguousarray(_studio(size, rng) * 0.3, np.float32)
    radius = max(int(size * rng.uniform(0.02, 0.1)), 1)
    layer = np.zeros_like(image)
    for _ in range(rng.integers(8, 40)):
        colour = tuple(float(c) for c in _colour(rng) * rng.uniform(0.5, 2))
        cv2.circle(layer, point(rng.uniform(0, size, 2)), radius, colour, -1, cv2.LINE_AA)
    return image + cv2.GaussianBlur(layer, (0, 0), max(radius / 5, 0.5))


def point(xy: NDArray) -> tuple[int, int]:
    """Whole pixels of ``xy`` (2,), as OpenCV's drawing takes them."""
    return int(xy[0]), int(xy[1])
