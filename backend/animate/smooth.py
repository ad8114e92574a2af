"""Less jitter, no lag: filters that run both ways over a finished clip.

The default was chosen by scoring (:func:`score`, ``bench animate --filters``): what is left of the
jitter against how much of a blink's and a plosive's peak is lost.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, peak_widths, savgol_filter, sosfiltfilt

from ..geometry.rotation import from_quaternions, to_quaternions

Double = NDArray[np.float64]
Filter = Callable[[Double, float], Double]

#: Window in seconds and order of the polynomial.
_SAVGOL = (0.17, 2)
_BUTTER_HZ, _BUTTER_ORDER = 7.0, 2
#: Frames that a filter needs.
_FILTERED = 16
#: A blink: how far the lids go down at least, how long half of it takes at most, seconds, and how
#: far they are taken to go.
_BLINK_RISE, _BLINK_SECONDS, _SHUT = 0.3, 0.4, 0.95
#: Of a head's pose, Hz: heads turn slower than lids close.
_POSE_HZ = 5.0


def savitzky_golay(values: Double, rate: float) -> Double:
    """(N, D) by local polynomials."""
    window = int(_SAVGOL[0] * rate) // 2 * 2 + 1
    window = max(window, _SAVGOL[1] // 2 * 2 + 3)
    if len(values) < window:
        return values.copy()
    return np.asarray(savgol_filter(values, window, _SAVGOL[1], axis=0))


def butterworth(values: Double, rate: float, hertz: float = _BUTTER_HZ) -> Double:
    """(N, D) by a Butterworth low pass run forwards and backwards."""
    if len(values) < _FILTERED or hertz >= 0.45 * rate:
        return values.copy()
    sections = butter(_BUTTER_ORDER, hertz, fs=rate, output="sos")
    return np.asarray(sosfiltfilt(sections, values, axis=0, padlen=min(15, len(values) - 1)))


FILTERS: dict[str, Filter] = {
    "savitzky_golay": savitzky_golay,
    "butterworth": butterworth,
    "none": lambda values, rate: values.copy(),
}
DEFAULT_FILTER = "butterworth"


def smooth_motion(
    weights: Double,
    rotation: Double,
    translation: Double,
    valid: NDArray[np.bool_],
    begins: NDArray[np.bool_],
    rate: float,
    kind: str = DEFAULT_FILTER,
) -> tuple[Double, Double, Double]:
    """Weights (N, E), rotation (N, 3, 3) and translation (N, 3) with lost frames filled in, smooth.

    ``valid`` (N,) frames in which the face was seen; ``begins`` (N,) frames that nothing connects
    with those before (a cut): nothing is filled in or smoothed across one.
    """
    quaternions = to_quaternions(rotation)
    edges = np.flatnonzero(begins)
    edges = np.unique(np.concatenate([[0], edges[edges > 0], [len(weights)]]))
    out = [np.empty_like(x) for x in (weights, quaternions, translation)]
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        part = slice(first, last)
        filled = [
            fill(x[part], valid[part], x[_nearest(valid, first)])
            for x in (weights, quaternions, translation)
        ]
        out[0][part] = FILTERS[kind](filled[0], rate)
        for k in (1, 2):
            out[k][part] = filled[k] if kind == "none" else butterworth(filled[k], rate, _POSE_HZ)
    return out[0], from_quaternions(out[1]), out[2]


def whole_blinks(weights: Double, names: tuple[str, ...], rate: float) -> Double:
    """(N, E) with blinks that close the eyes.

    What is seen of a lid on its way is less than all; but a lid that goes down and up within
    0.4 s was shut, or nearly (Kwon et al. 2013).  Its curve keeps its shape and is made higher.
    """
    lids = [i for i, name in enumerate(names) if name.startswith("eyeBlink")]
    out = weights.copy()
    if not lids or len(weights) < 5:
        return out
    both = weights[:, lids].mean(axis=1)
    peaks, found = find_peaks(
        both, prominence=_BLINK_RISE, width=(None, _BLINK_SECONDS * rate), rel_height=0.5
    )
    if not len(peaks):
        return out
    _, _, starts, ends = peak_widths(both, peaks, rel_height=0.95)
    for peak, start, end, rise in zip(peaks, starts, ends, found["prominences"], strict=True):
        base = both[peak] - rise
        part = slice(int(np.floor(start)), int(np.ceil(end)) + 1)
        more = max((_SHUT - base) / rise, 1.0)
        for i in lids:
            over = np.maximum(weights[part, i] - base, 0.0)
            out[part, i] = np.minimum(weights[part, i] - over + more * over, 1.0)
    return out


def whole_closures(
    smoothed: Double,
    weights: Double,
    names: tuple[str, ...],
    shut: Double,
    begins: NDArray[np.bool_],
    rate: float,
    kind: str = DEFAULT_FILTER,
) -> Double:
    """``smoothed`` (N, E), but the mouth as in ``weights`` (N, E) as far as the lips touch.

    Lips meet for a frame or two in speech, and a filter would part them.  So the frames in which
    they touch are smoothed among themselves.  ``shut`` (N,), 0 to 1; ``begins`` (N,) as
    :func:`smooth_motion` has it.
    """
    mouth = [i for i, name in enumerate(names) if name.startswith(("jaw", "mouth", "tongue"))]
    out = smoothed.copy()
    touch = np.concatenate([[False], shut > 0, [False]])
    edges = np.flatnonzero((touch[1:] != touch[:-1]) | np.append(begins, False))
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        part = slice(first, last)
        if not touch[first + 1]:
            continue
        own = weights[part][:, mouth]
        if last - first < _FILTERED:  # too few for the filter
            own = uniform_filter1d(own, 3, axis=0, mode="nearest")
        else:
            own = FILTERS[kind](own, rate)
        out[part, mouth] += shut[part, None] * (own - smoothed[part][:, mouth])
    return out


def fill(values: Double, valid: NDArray[np.bool_], otherwise: Double) -> Double:
    """(N, D) with the rows that are not ``valid`` between their neighbours; ``otherwise`` (D,)
    where none is."""
    seen = np.flatnonzero(valid)
    if not len(seen):
        return np.broadcast_to(otherwise, values.shape).copy()
    rows = np.arange(len(values))
    return np.stack([np.interp(rows, seen, values[seen, k]) for k in range(values.shape[1])], 1)


def _nearest(valid: NDArray[np.bool_], at: int) -> int:
    seen = np.flatnonzero(valid)
    return int(seen[np.argmin(np.abs(seen - at))]) if len(seen) else at


def score(kind: str, rate: float = 30.0, noise: float = 0.04, seed: int = 0) -> dict[str, float]:
    """How a filter does on a made-up curve with blinks, plosives and noise.

    ``jitter``: what is left of the noise's second differences where nothing moves, 0..1; ``peak``:
    how much of the blinks' height is lost; ``dip``: by how much the lips' closures are filled;
    ``lag``: frames.  Less is better.
    """
    rng = np.random.default_rng(seed)
    seconds = np.arange(int(40 * rate)) / rate
    truth = np.zeros(len(seconds))
    blinks = np.arange(2.0, 18.0, 1.0) + rng.uniform(-0.2, 0.2, 16)
    for middle in blinks:
        truth += np.interp(seconds - middle, [-0.105, -0.025, 0.025, 0.155], [0, 1, 1, 0])
    # Speech: an open mouth that closes for a moment.
    talk = (seconds > 20) & (seconds < 38)
    closures = np.arange(21.0, 37.0, 0.5)
    gaps = np.zeros(len(seconds))
    for middle in closures:
        gaps += np.interp(np.abs(seconds - middle), [0.03, 0.10], [1, 0])
    truth += 0.5 * talk * (1 - np.clip(gaps, 0, 1))
    noisy = truth + noise * rng.normal(size=len(truth))
    found = FILTERS[kind](noisy[:, None], rate)[:, 0]
    still = (seconds > 18.5) & (seconds < 19.7) | (seconds > 38.3)
    shifts = np.arange(-5, 6)
    moving = slice(10, int(18 * rate))
    alike = [np.corrcoef(np.roll(found, -k)[moving], truth[moving])[0, 1] for k in shifts]

    def at(places: Double) -> NDArray[np.intp]:
        return np.rint(places * rate).astype(int)

    return {
        "jitter": float(
            np.diff(found, 2)[still[1:-1]].std() / np.diff(noisy, 2)[still[1:-1]].std()
        ),
        "peak": float(np.mean([1 - found[i - 2 : i + 3].max() for i in at(blinks)])),
        "dip": float(np.mean([found[i - 2 : i + 3].min() for i in at(closures)])),
        "lag": float(abs(shifts[int(np.argmax(alike))])),
    }
