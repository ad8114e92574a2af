"""What lens, sensor, camera and file make of the light in a training picture.

What a picture goes through is drawn first (:class:`Development`) and done then, here for one
picture or in :mod:`.batch.develop` for many at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry import srgb
from ...geometry.srgb import LUMINANCE, luminance
from .background import point

Float = NDArray[np.float32]
Rng = np.random.Generator

SEPIA = np.array([1.08, 0.94, 0.72], np.float32)
GREY_SHARE, SEPIA_SHARE = 0.06, 0.01
SHRINKING = (cv2.INTER_AREA, cv2.INTER_LINEAR)
GROWING = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)


_LEVELS = 4096


@dataclass(frozen=True)
class Development:
    """What happens to one picture, in this order; lengths in pixels of a picture S wide."""

    blur: float  #: standard deviation; 0 none
    streak: tuple[float, float]  #: length and angle (radians) of a shaken camera's; 0 none
    small: int  #: side of the small picture that is blown up; S for none
    scaling: tuple[int, int]  #: how it shrinks and grows: places in SHRINKING and GROWING
    balance: tuple[float, float, float]  #: gains of the channels
    vignette: tuple[float, float, float]  #: its middle's x and y (half sides) and strength
    noise: float  #: of the sensor, at white; 0 none
    noise_cells: int  #: grains along a side; S is one a pixel
    noise_grey: bool  #: mostly alike in the channels
    reach: float  #: the light that becomes white
    knee: float  #: from where on light rolls off towards white; 0: it clips
    contrast: float  #: towards an S-shaped curve (negative: away from it)
    black: float
    white: float
    saturation: float  #: 0 is grey
    sepia: bool
    quality: int  #: of the JPEG file; 0: no loss


def sample_development(size: int, rng: Rng) -> Development:
    """A camera for a picture of ``size`` pixels: most touch it mildly; 6 % are grey, 1 % sepia."""
    blur, streak = _sample_blur(size, rng)
    small, scaling = size, (0, 0)
    if rng.random() < 0.2:  # a small face in a large photo
        small = max(int(size * (0.25 + 0.65 * rng.random() ** 0.6)), 8)
        scaling = int(rng.integers(2)), int(rng.choice(3, p=[0.5, 0.45, 0.05]))
    balance = _sample_balance(rng)
    vignette = 0.0, 0.0, 0.0
    if rng.random() > 0.7:
        vignette = float(rng.normal(0, 0.25)), float(rng.normal(0, 0.25)), rng.gamma(1.2, 0.05)
    noise = min(rng.gamma(1.0, 0.007), 0.03)
    cells = size if rng.random() < 0.6 else int(size * rng.uniform(0.4, 0.8))
    noise_grey = bool(rng.random() < 0.4)
    reach = rng.uniform(1.0, 2.2)
    knee = rng.uniform(0.5, 0.85) if rng.random() < 0.7 else 0.0
    contrast = rng.normal(0.14, 0.13) if rng.random() < 0.92 else rng.normal(0.1, 0.4)
    black, white = max(rng.normal(0, 0.02), -0.02), min(1 + rng.normal(0, 0.02), 1.02)
    kind = rng.random()
    saturation = rng.normal(1.0, 0.1) if rng.random() < 0.9 else rng.uniform(0.4, 1.5)
    if kind < GREY_SHARE + SEPIA_SHARE:
        saturation = 0.0
    return Development(
        blur=blur,
        streak=streak,
        small=small,
        scaling=scaling,
        balance=balance,
        vignette=vignette,
        noise=noise if noise > 0.002 else 0.0,
        noise_cells=cells,
        noise_grey=noise_grey,
        reach=reach,
        knee=knee,
        contrast=float(np.clip(contrast, -0.5, 0.75)),
        black=black,
        white=white,
        saturation=1.0 if abs(saturation - 1) < 0.03 else saturation,
        sepia=GREY_SHARE <= kind < GREY_SHARE + SEPIA_SHARE,
        # 20 to 95, low ones rare.
        quality=int(95 - 75 * rng.beta(1.2, 2.6)) if rng.random() > 0.2 else 0,
    )


def _sample_blur(size: int, rng: Rng) -> tuple[float, tuple[float, float]]:
    kind, none = rng.random(), (0.0, 0.0)
    if kind < 0.45:
        return 0.0, none
    if kind < 0.92:
        return min(0.2 + rng.gamma(1.0, 0.45), 2.6) * size / 128, none
    return 0.0, (rng.uniform(2, 7) * size / 128, rng.uniform(0, np.pi))


def _sample_balance(rng: Rng) -> tuple[float, float, float]:
    """Gains of a white balance that is off, strongly in a tenth of the pictures."""
    spread = 0.22 if rng.random() < 0.1 else 0.05
    warm, tint = rng.normal(0, spread), rng.normal(0, 0.4 * spread)
    gains = np.exp([warm, tint, -warm])
    red, green, blue = gains / (gains @ LUMINANCE)
    return float(red), float(green), float(blue)


def develop(linear: Float, rng: Rng) -> NDArray[np.uint8]:
    """(S, S, 3) uint8 sRGB of the light ``linear`` (S, S, 3), by a random camera."""
    return developed(linear, sample_development(len(linear), rng), rng)


def developed(linear: Float, how: Development, rng: Rng) -> NDArray[np.uint8]:
    """(S, S, 3) uint8 sRGB of the light ``linear`` (S, S, 3); ``rng`` makes the noise."""
    image = np.ascontiguousarray(linear, np.float32)
    image = _resampled(_blurred(image, how), how)
    image = image * np.array(how.balance, np.float32) * _vignette(len(image), how)
    image = _sensed(image, how, rng)
    image = _coloured(_tone_curve(image, how), how)
    return _compressed(np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), how.quality)


def _blurred(image: Float, how: Development) -> Float:
    if how.blur > 0:
        return cv2.GaussianBlur(image, (0, 0), how.blur)
    if how.streak[0] > 0:
        kernel = streak_kernel(*how.streak)
        return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return image


def streak_kernel(length: float, angle: float) -> Float:
    """(N, N) of a camera that moved by ``length`` pixels at ``angle`` radians; its sum is 1."""
    half = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    ends = [point(np.rint((half + side * reach) * 16)) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()


def _resampled(image: Float, how: Development) -> Float:
    size = len(image)
    if how.small == size:
        return image
    shrink, grow = SHRINKING[how.scaling[0]], GROWING[how.scaling[1]]
    image = cv2.resize(image, (how.small, how.small), interpolation=shrink)
    return np.maximum(cv2.resize(image, (size, size), interpolation=grow), 0)


def _vignette(size: int, how: Development) -> Float:
    x, y, strength = how.vignette
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    squared = (axis - x) ** 2 + (axis[:, None] - y) ** 2
    return (1 / (1 + strength * squared) ** 2)[..., None].astype(np.float32)


def _sensed(image: Float, how: Development, rng: Rng) -> Float:
    """Photon and read noise; some of it coarser than a pixel, as after a camera's denoising."""
    level, size = how.noise, len(image)
    if level == 0:
        return image
    noise = rng.standard_normal((how.noise_cells, how.noise_cells, 3), np.float32)
    if how.noise_grey:
        noise = 0.85 * noise[..., :1] + 0.3 * noise
    if how.noise_cells != size:
        noise = 1.2 * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return image + noise * np.sqrt(np.maximum(image, 0) * level**2 + (0.12 * level) ** 2)


def _tone_curve(image: Float, how: Development) -> Float:
    """Linear light to display values 0..1: the sRGB curve with a shoulder, contrast and gamma."""
    light = np.linspace(0, 1, _LEVELS, dtype=np.float32) * how.reach
    if how.knee > 0:
        # Above a knee, roll off towards white instead of clipping.
        over = np.maximum(light - how.knee, 0) / (1 - how.knee)
        light = np.minimum(light, how.knee) + (1 - how.knee) * over / (1 + over)
        light /= light[-1] ** 0.5
    curve = srgb.encode(light)
    curve = curve + how.contrast * (curve * curve * (3 - 2 * curve) - curve)
    curve = np.clip(how.black + curve * (how.white - how.black), 0, 1)
    index = np.clip(image * ((_LEVELS - 1) / how.reach), 0, _LEVELS - 1).astype(np.int32)
    # The dark end is steep: between two levels, 1/4096 of the range is at most 3 display steps.
    return curve[index]


def _coloured(image: Float, how: Development) -> Float:
    """Saturation of the display values; grey and sepia pictures."""
    if how.saturation == 1:
        return image
    grey = luminance(image)[..., None]
    image = grey + np.float32(how.saturation) * (image - grey)
    return image * SEPIA if how.sepia else image


def _compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """What a JPEG file of ``quality`` leaves; all of it where that is 0."""
    if quality == 0:
        return image
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if np.ptp(image, axis=2).max() == 0:
        grey = cv2.imdecode(cv2.imencode(".jpg", image[..., 0], options)[1], cv2.IMREAD_GRAYSCALE)
        return np.repeat(grey[..., None], 3, axis=2)
    coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1]
    return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
