"""Other times for a motion: a scene's frame rate, a recording whose rate varies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from ..exchange.motion import Motion
from ..geometry.rotation import from_quaternions, to_quaternions

#: What cameras and editors use; a measured rate this close to one of them is taken to be it.
KNOWN_RATES = (
    24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 90.0, 100.0,
    120.0, 240.0,
)  # fmt: skip
_CLOSE = 4e-4
#: Further than so many frames from every frame that was seen, a new one counts as lost.
_REACH = 1.5
#: Frames in a scene that nobody could play: a damaged time column.
_MOST_FRAMES = 2_000_000


def rate_of(times: NDArray[np.float64]) -> float:
    """Frames a second of ``times`` (N,) seconds, or the known rate it is close to.

    Frames that were dropped do not count as slow ones, and rounded times not as another rate.
    """
    if len(times) < 2:
        return 30.0
    steps = np.diff(times)
    frames = np.maximum(np.round(steps / np.median(steps)), 1.0)
    rate = float(frames.sum() / steps.sum())
    nearest = min(KNOWN_RATES, key=lambda known: abs(known / rate - 1))
    return nearest if abs(nearest / rate - 1) < _CLOSE else rate


def resample(motion: Motion, rate: float) -> Motion:
    """``motion`` at ``rate`` frames a second, from its first frame to its last.

    Weights and translation are interpolated linearly, the rotation along the shorter arc.  A new
    frame is not ``valid`` where a frame it comes from is not, or where the recording has a gap.
    Frames that are where they were are as they were.

    Raises :class:`ExchangeError` when ``rate`` is not positive, or the times are beyond reason.
    """
    if not (np.isfinite(rate) and rate > 0):
        raise ExchangeError(f"{rate} is no frame rate; give a positive number.")
    old = motion.times
    first = int(np.ceil(old[0] * rate - 1e-6))
    count = max(int(np.floor(old[-1] * rate + 1e-6)) - first + 1, 1)
    if count > _MOST_FRAMES:
        raise ExchangeError(
            f"The motion lasts {motion.duration:.0f} s, {count} frames; its times are damaged."
        )
    times = (first + np.arange(count)) / rate
    if count == len(old) and np.allclose(times, old, rtol=0, atol=1e-6):
        return motion
    at = np.clip(np.searchsorted(old, times, side="right") - 1, 0, max(len(old) - 2, 0))
    after = np.minimum(at + 1, len(old) - 1)
    span = np.maximum(old[after] - old[at], 1e-12)
    part = np.clip((times - old[at]) / span, 0.0, 1.0)
    # What is within a thousandth of a frame of an old one is that one.
    part = np.where(part < 1e-3, 0.0, np.where(part > 1 - 1e-3, 1.0, part))

    def between(values: NDArray) -> NDArray:
        share = part[:, None]
        return (1 - share) * values[at] + share * values[after]

    step = float(np.median(np.diff(old))) if len(old) > 1 else 1 / rate
    near = np.minimum(times - old[at], old[after] - times) <= _REACH * step
    valid = near & (motion.valid[at] | (part == 1)) & (motion.valid[after] | (part == 0))
    rotation = translation = None
    if motion.rotation is not None:
        quaternions = to_quaternions(motion.rotation)
        rotation = from_quaternions(between(quaternions))
    if motion.translation is not None:
        translation = between(motion.translation)
    weights = between(motion.weights.astype(np.float64)).astype(np.float32)
    return Motion(
        times, motion.names, weights, rotation, translation, valid, rate, dict(motion.header)
    )
