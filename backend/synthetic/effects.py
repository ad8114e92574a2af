"""What surrounds the head in a training picture, and what a camera makes of the light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
SEPIA = np.array([1.08, 0.94, 0.72], np.float32)
GREY_SHARE, SEPIA_SHARE = 0.06, 0.01
_LEVELS = 4096
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
            cv2.line(image, _point(centre), _point(end), colour, width, cv2.LINE_AA)
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
        cv2.circle(layer, _point(rng.uniform(0, size, 2)), radius, colour, -1, cv2.LINE_AA)
    return image + cv2.GaussianBlur(layer, (0, 0), max(radius / 5, 0.5))


def _point(xy: NDArray) -> tuple[int, int]:
    return int(xy[0]), int(xy[1])


def develop(linear: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """(S, S, 3) uint8 sRGB of the light ``linear`` (S, S, 3): lens, sensor, camera and file.

    Most pictures are touched mildly.  About 6 % become grey, 1 % sepia.
    """
    image = np.ascontiguousarray(linear, np.float32)
    image = _resample(_blur(image, rng), rng)
    image = _sensor(image * _balance(rng) * _vignette(len(image), rng), rng)
    image = _tone_curve(image, rng)
    image = _colours(image, rng)
    return _compress(np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), rng)


def _blur(image: Float, rng: np.random.Generator) -> Float:
    kind, size = rng.random(), len(image)
    if kind < 0.45:
        return image
    if kind < 0.92:
        sigma = (0.2 + rng.gamma(1.0, 0.45)) * size / 128
        return cv2.GaussianBlur(image, (0, 0), min(sigma, 2.6 * size / 128))
    length, angle = rng.uniform(2, 7) * size / 128, rng.uniform(0, np.pi)
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [_point(np.rint((half + side * reach) * 16)) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def _resample(image: Float, rng: np.random.Generator) -> Float:
    """A small face in a large photo, blown up."""
    if rng.random() > 0.2:
        return image
    size = len(image)
    small = max(int(size * (0.25 + 0.65 * rng.random() ** 0.6)), 8)
    down = rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR])
    up = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST], p=[0.5, 0.45, 0.05])
    image = cv2.resize(image, (small, small), interpolation=int(down))
    return np.maximum(cv2.resize(image, (size, size), interpolation=int(up)), 0)


def _balance(rng: np.random.Generator) -> Float:
    """(3,) gains of a white balance that is off, strongly in a tenth of the pictures."""
    spread = 0.22 if rng.random() < 0.1 else 0.05
    warm, tint = rng.normal(0, spread), rng.normal(0, 0.4 * spread)
    gains = np.exp([warm, tint, -warm])
    return (gains / (gains @ LUMINANCE)).astype(np.float32)


def _vignette(size: int, rng: np.random.Generator) -> Float:
    if rng.random() < 0.7:
        return np.ones((1, 1, 1), np.float32)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    centre = rng.normal(0, 0.25, 2)
    squared = (axis - centre[0]) ** 2 + (axis[:, None] - centre[1]) ** 2
    return (1 / (1 + rng.gamma(1.2, 0.05) * squared) ** 2)[..., None].astype(np.float32)


def _sensor(image: Float, rng: np.random.Generator) -> Float:
    """Photon and read noise; some of it coarser than a pixel, as after a camera's denoising."""
    level = min(rng.gamma(1.0, 0.007), 0.03)
    if level < 0.002:
        return image
    size = len(image)
    cells = size if rng.random() < 0.6 else int(size * rng.uniform(0.4, 0.8))
    noise = rng.standard_normal((cells, cells, 3), np.float32)
    if rng.random() < 0.4:
        noise = 0.85 * noise[..., :1] + 0.3 * noise
    if cells != size:
        noise = 1.2 * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return image + noise * np.sqrt(np.maximum(image, 0) * level**2 + (0.12 * level) ** 2)


def _tone_curve(image: Float, rng: np.random.Generator) -> Float:
    """Linear light to display values 0..1: the sRGB curve with a shoulder, contrast and gamma."""
    x = np.linspace(0, 1, _LEVELS, dtype=np.float32)
    reach = rng.uniform(1.0, 2.2)  # the light that becomes white
    light = x * reach
    if rng.random() < 0.7:
        # Above a knee, roll off towards white instead of clipping.
        knee = rng.uniform(0.5, 0.85)
        over = np.maximum(light - knee, 0) / (1 - knee)
        light = np.minimum(light, knee) + (1 - knee) * over / (1 + over)
        light /= light[-1] ** 0.5
    curve = _encode(np.clip(light, 0, 1))
    contrast = rng.normal(0.14, 0.13) if rng.random() < 0.92 else rng.normal(0.1, 0.4)
    contrast = float(np.clip(contrast, -0.5, 0.75))
    s_shape = curve * curve * (3 - 2 * curve)
    curve = curve + contrast * (s_shape - curve)
    black, white = max(rng.normal(0, 0.02), -0.02), min(1 + rng.normal(0, 0.02), 1.02)
    curve = np.clip(black + curve * (white - black), 0, 1)
    index = np.clip(image * ((_LEVELS - 1) / reach), 0, _LEVELS - 1).astype(np.int32)
    # The dark end is steep: between two levels, 1/4096 of the range is at most 3 display steps.
    return curve[index]


def _encode(linear: Float) -> Float:
    """Linear light 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-6) ** (1 / 2.4) - 0.055
    ).astype(np.float32)


def _colours(image: Float, rng: np.random.Generator) -> Float:
    """Saturation of the display values; grey and sepia pictures."""
    kind = rng.random()
    saturation = rng.normal(1.0, 0.1) if rng.random() < 0.9 else rng.uniform(0.4, 1.5)
    grey = (image @ LUMINANCE)[..., None]
    if kind < GREY_SHARE:
        return np.repeat(grey, 3, axis=2)
    if kind < GREY_SHARE + SEPIA_SHARE:
        return grey * SEPIA
    if abs(saturation - 1) < 0.03:
        return image
    return grey + saturation * (image - grey)


def _compress(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """JPEG artefacts, quality 20 to 95, low ones rare; nothing in a fifth of the pictures."""
    if rng.random() < 0.2:
        return image
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(95 - 75 * rng.beta(1.2, 2.6))]
    if np.ptp(image, axis=2).max() == 0:
        grey = cv2.imdecode(cv2.imencode(".jpg", image[..., 0], quality)[1], cv2.IMREAD_GRAYSCALE)
        return np.repeat(grey[..., None], 3, axis=2)
    coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1]
    return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
