"""A mouth that speaks, from a list of phonemes or mouth shapes with times.

Read are Rhubarb's ``.tsv`` (start, shape) and ``.json``, Papagayo's and Rhubarb's Moho switch
``.dat`` (frame, shape; 24 frames a second), and ``.txt`` or ``.lab`` labels (start, end, phoneme in
seconds, as Audacity and forced aligners write).  Names may be ARPAbet (CMU's dictionary), the 15
Oculus visemes, Rhubarb's A to H and X, or Papagayo's (Preston Blair's) mouths.

How far each opens, rounds and spreads the mouth was set by eye, on the visemes' definition as
groups of phonemes that look alike (Fisher 1968).
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bounded import MB, Damaged, checked, parse_json, read_bytes, reading
from ..errors import ExchangeError
from ..exchange.motion import Motion
from ..exchange.names import ARKIT, listed

SUFFIXES = (".tsv", ".json", ".dat", ".txt", ".lab")
#: Frames a second that Moho's switch files count in, unless they say.
MOHO_RATE = 24.0
#: From one mouth to the next, in seconds, at most; less between short ones: each is reached.
BLEND_S = 0.1
#: Three hours of 18 phonemes a second, in a file of 30 bytes each.
MOST_CUES, LARGEST = 200_000, 6 * MB
#: Frames of three hours at 90 a second; with 37 weights each 300 MB while they are made.
MOST_FRAMES = 1_000_000


def _both(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


# Fitted heads often have their lips a little apart at rest: closing is more than resting.
_CLOSED = {"mouthClose": 0.2, "mouthRollLower": 0.3, "mouthRollUpper": 0.2}
#: Oculus' visemes as ARKit weights.
VISEMES: dict[str, dict[str, float]] = {
    "sil": {},
    "PP": _CLOSED,
    "FF": {"jawOpen": 0.06, "mouthRollLower": 0.45, **_both("mouthUpperUp", 0.25)},
    "TH": {"jawOpen": 0.14, "tongueOut": 0.35, **_both("mouthLowerDown", 0.15)},
    "DD": {"jawOpen": 0.14, **_both("mouthLowerDown", 0.2), **_both("mouthUpperUp", 0.1)},
    "kk": {"jawOpen": 0.2, **_both("mouthStretch", 0.15)},
    "CH": {"jawOpen": 0.1, "mouthFunnel": 0.5, "mouthShrugUpper": 0.1},
    "SS": {"jawOpen": 0.05, **_both("mouthStretch", 0.25), **_both("mouthLowerDown", 0.2)},
    "nn": {"jawOpen": 0.14, **_both("mouthLowerDown", 0.12)},
    "RR": {"jawOpen": 0.14, "mouthFunnel": 0.3, "mouthPucker": 0.2},
    "aa": {"jawOpen": 0.5, **_both("mouthLowerDown", 0.2), **_both("mouthUpperUp", 0.1)},
    "E": {"jawOpen": 0.28, **_both("mouthStretch", 0.3), **_both("mouthSmile", 0.15)},
    "ih": {"jawOpen": 0.17, **_both("mouthStretch", 0.25), **_both("mouthSmile", 0.2)},
    "oh": {"jawOpen": 0.35, "mouthFunnel": 0.45, "mouthPucker": 0.15},
    "ou": {"jawOpen": 0.15, "mouthPucker": 0.65, "mouthFunnel": 0.25},
}

_GROUPS = {
    "sil": "sil sp spn rest x pau",
    "PP": "p b m mbp a:rhubarb",
    "FF": "f v fv g:rhubarb",
    "TH": "th dh",
    "DD": "t d etc",
    "kk": "k g ng hh h y",
    "CH": "ch jh sh zh",
    "SS": "s z b:rhubarb",
    "nn": "n l h:rhubarb",
    "RR": "r er axr",
    "aa": "aa ae ah ay aw ai ax d:rhubarb",
    "E": "eh ey e c:rhubarb",
    "ih": "ih iy ix",
    "oh": "ao ow oy o e:rhubarb",
    "ou": "uw uh w u wq f:rhubarb",
}
_VISEME_OF = {name: viseme for viseme, names in _GROUPS.items() for name in names.split()}
_RHUBARB = frozenset("ABCDEFGHX")
_LOWER_FACE = ("jaw", "mouth", "tongue", "cheek", "nose")


@dataclass(frozen=True)
class Cue:
    """A mouth shape from ``start`` to ``end``, in seconds."""

    start: float
    end: float
    name: str


def viseme_of(name: str, rhubarb: bool = False) -> str | None:
    """The viseme that ``name`` looks like; None for what is none.

    ARPAbet's stress is ignored (``AH0``).  ``rhubarb`` settles what its letters mean.
    """
    if rhubarb and name in _RHUBARB:
        return _VISEME_OF.get(f"{name.lower()}:rhubarb") or _VISEME_OF[name.lower()]
    if name in VISEMES:
        return name
    plain = name.lower().removeprefix("viseme_").rstrip("012")
    by_case = {viseme.lower(): viseme for viseme in VISEMES}
    return _VISEME_OF.get(plain) or by_case.get(plain)


def speak(
    cues: Sequence[Cue], *, frame_rate: float = 30.0, strength: float = 1.0, source: str = ""
) -> Motion:
    """The mouth of ``cues``: one motion at ``frame_rate``, from time zero to the rest at the end.

    It holds all shapes of the lower face, so that no smile stays behind the words: a nose drawn up
    keeps lips apart that an M closes.  Mouths are blended smoothly around where one follows the
    other, and each is reached at the frame nearest to its middle, unless a shorter one is there.
    ``strength`` scales all weights.  Names that are no mouth are rests, and named in the notes.

    Raises :class:`ExchangeError` when there are none, or none is known, and for times before zero
    or later than a motion can be.
    """
    if not all(0 <= time * frame_rate <= MOST_FRAMES for c in cues for time in (c.start, c.end)):
        raise ExchangeError(
            f"{source or 'The list'} has phonemes at times that are not between 0 and "
            f"{MOST_FRAMES / frame_rate:,.0f} s."
        )
    cues = sorted((cue for cue in cues if cue.end > cue.start), key=lambda cue: cue.start)
    rhubarb = bool(cues) and all(cue.name in _RHUBARB for cue in cues)
    found = [viseme_of(cue.name, rhubarb) for cue in cues]
    unknown = sorted({c.name for c, viseme in zip(cues, found, strict=True) if viseme is None})
    if not any(found):
        raise ExchangeError(
            f"{source or 'The list'} holds no phonemes that are known"
            + (f"; it has {listed(unknown)}." if unknown else ".")
        )
    names = tuple(name for name in ARKIT if name.startswith(_LOWER_FACE))
    times, weights = _blended(_mouths(cues, found, names), frame_rate)
    notes = [f"Names that are no phonemes were left out: {listed(unknown)}."] if unknown else []
    header = {"source": source, "notes": notes}
    weights *= strength
    return Motion(times, names, weights.astype(np.float32), frame_rate=frame_rate, header=header)


def _mouths(
    cues: Sequence[Cue], found: Sequence[str | None], names: Sequence[str]
) -> list[tuple[float, float, NDArray[np.float64]]]:
    """Start, end and weights of each mouth from time zero on, with the rests between and after."""
    rest = np.zeros(len(names))
    shapes = {
        viseme: np.array([shape.get(name, 0.0) for name in names])
        for viseme, shape in VISEMES.items()
    }
    parts = []
    end = 0.0
    for cue, viseme in zip(cues, found, strict=True):
        if cue.start > end + 1e-6:
            parts.append((end, cue.start, rest))
        parts.append((cue.start, cue.end, shapes[viseme or "sil"]))
        end = max(end, cue.end)
    return [*parts, (end, end + BLEND_S, rest)]


def _blended(
    parts: Sequence[tuple[float, float, NDArray[np.float64]]], frame_rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) times and (N, E) weights: from one part to the next, around where it begins."""
    count = max(int(np.ceil((parts[-1][0] + BLEND_S / 2) * frame_rate - 1e-6)), 1) + 1
    times = np.arange(count) / frame_rate
    steps = np.zeros((count, len(parts[0][2])))  # from each frame to the next
    steps[0] = parts[0][2]
    for (last, _, previous), (start, stop, target) in zip(parts[:-1], parts[1:], strict=True):
        half = min(BLEND_S, start - last, stop - start) / 2
        first = max(math.ceil((start - half) * frame_rate - 1e-6), 0)
        past = min(math.floor((start + half) * frame_rate + 1e-6) + 2, count)
        part = np.clip((times[first:past] - (start - half)) / max(2 * half, 1e-9), 0, 1)
        ease = part * part * (3 - 2 * part)
        steps[first:past] += np.diff(ease, prepend=0.0)[:, None] * (target - previous)
    weights = np.cumsum(steps, axis=0, out=steps)
    # Lips that close for less than a frame are seen to close: the shortest mouth has its frame.
    for start, stop, target in sorted(parts[:-1], key=lambda part: part[0] - part[1]):
        weights[min(round((start + stop) / 2 * frame_rate), count - 1)] = target
    return times, weights


def read_visemes(
    path: str | os.PathLike[str], *, frame_rate: float = 30.0, strength: float = 1.0
) -> Motion:
    """:func:`speak` the list in the file ``path``.

    Raises :class:`ExchangeError` when it cannot be read or holds no phonemes.
    """
    path = Path(path)
    then = "a line holds start, end and phoneme, or start and phoneme"
    with reading(ExchangeError, path, "a list of phonemes", then):
        text = read_bytes(path, LARGEST).decode("utf-8-sig")
        cues = _json_cues(text) if path.suffix.lower() == ".json" else _line_cues(text)
        if len(cues) > MOST_CUES:
            raise Damaged(f"it has {len(cues):,} phonemes")
        return speak(cues, frame_rate=frame_rate, strength=strength, source=str(path))


def _json_cues(text: str) -> list[Cue]:
    document = parse_json(text)
    checked(document, {"mouthCues": [dict]})
    for cue in document["mouthCues"]:
        checked(cue, {"start": float, "end": float, "value": str})
    return [
        Cue(float(cue["start"]), float(cue["end"]), cue["value"]) for cue in document["mouthCues"]
    ]


def _line_cues(text: str) -> list[Cue]:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    moho = bool(lines) and lines[0][0].lower().startswith("mohoswitch")
    if moho:
        lines = lines[1:]
    if lines and all(len(line) >= 3 for line in lines):
        return [Cue(float(line[0]), float(line[1]), line[2]) for line in lines]
    starts = [float(line[0]) / (MOHO_RATE if moho else 1.0) for line in lines]
    names = [line[1] if len(line) > 1 else "sil" for line in lines]
    # The last line is the end, a rest; where it is not, it lasts a quarter of a second.
    ends = [*starts[1:], *([starts[-1] + 0.25] if starts else [])]
    return [Cue(*cue) for cue in zip(starts, ends, names, strict=True)]
