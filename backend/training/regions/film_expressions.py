"""Expressions of people in films, many at once: what moves together, and all that occurs.

Unlike :mod:`...model.sampling`, which draws the faces of photos for the network's pictures, this
one has brows up and down as often as they are in talk, lids from wide to shut, lips pressed, parted
and pulled down, and emotions with the actions they consist of (FACS: Ekman and Friesen 1978).
Shares and strengths are set by eye.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.sampling import GAZE_DEGREES

Double = NDArray[np.float64]
Rng = np.random.Generator

#: Share of the faces, and how much of each action at full strength.
MOODS: dict[str, tuple[float, dict[str, float]]] = {
    "joy": (0.13, {"mouthSmile": 0.8, "cheekSquint": 0.5, "eyeSquint": 0.35}),
    "laugh": (
        0.06,
        {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.4, "jawOpen": 0.45,
         "mouthUpperUp": 0.35, "mouthLowerDown": 0.2},
    ),
    "surprise": (
        0.07, {"browInnerUp": 0.9, "browOuterUp": 0.85, "eyeWide": 0.8, "jawOpen": 0.5}
    ),
    "anger": (
        0.08,
        {"browDown": 1.0, "noseSneer": 0.4, "mouthPress": 0.5, "eyeSquint": 0.35,
         "mouthFrown": 0.25},
    ),
    "rage": (
        0.05,
        {"browDown": 1.0, "noseSneer": 0.7, "jawOpen": 0.4, "mouthUpperUp": 0.5,
         "mouthLowerDown": 0.6, "mouthStretch": 0.35, "eyeWide": 0.3, "mouthFrown": 0.3},
    ),
    "sorrow": (
        0.07,
        {"browInnerUp": 0.8, "mouthFrown": 0.7, "mouthShrugLower": 0.45, "eyeSquint": 0.15,
         "browDown": 0.2},
    ),
    "crying": (
        0.04,
        {"browInnerUp": 0.8, "browDown": 0.45, "eyeSquint": 0.6, "mouthFrown": 0.6,
         "mouthStretch": 0.5, "mouthLowerDown": 0.4, "jawOpen": 0.2, "mouthUpperUp": 0.3,
         "cheekSquint": 0.4},
    ),
    "fear": (
        0.04,
        {"browInnerUp": 0.9, "browOuterUp": 0.4, "browDown": 0.35, "eyeWide": 0.8,
         "mouthStretch": 0.6, "jawOpen": 0.35},
    ),
    "disgust": (
        0.04,
        {"noseSneer": 0.9, "mouthUpperUp": 0.6, "browDown": 0.6, "cheekSquint": 0.4,
         "mouthFrown": 0.3},
    ),
    "contempt": (0.02, {"mouthDimple": 0.6, "mouthSmile": 0.2, "mouthPress": 0.3}),
    "kiss": (0.03, {"mouthPucker": 0.9, "mouthFunnel": 0.25, "browOuterUp": 0.15}),
}  # fmt: skip
#: Actions a little of which is in any face, standard deviation.
_RESTLESS = 0.05
_RESTLESS_ACTIONS = (
    "browDown", "browInnerUp", "browOuterUp", "mouthSmile", "mouthFrown", "mouthPress",
    "eyeSquint", "eyeBlink", "eyeWide", "mouthShrugLower", "mouthStretch", "mouthRollLower",
    "mouthRollUpper",
)  # fmt: skip
#: Shapes that are no action of their own but correct or accompany another.
_NEVER_ALONE = ("mouthClose", "tongueOut", "eyeLook", "eyeBlink", "jawOpen", "nostril")


def sample_expressions(names: tuple[str, ...], count: int, rng: Rng) -> Double:
    """(count, E) weights 0 to 1 of ARKit's shapes ``names``; others stay 0."""
    faces = _Faces(names, count, rng)
    in_mood = _moods(faces)
    _brows(faces, in_mood)
    _speech(faces, in_mood)
    _lips(faces, in_mood)
    _rarities(faces)
    _lids(faces)
    _gaze(faces)
    for action in _RESTLESS_ACTIONS:
        faces.add(action, np.abs(rng.normal(0, _RESTLESS, count)), lean=0.3)
    return np.clip(faces.weights, 0, 1)


class _Faces:
    """Weights under construction; amounts and choices are (count,)."""

    def __init__(self, names: tuple[str, ...], count: int, rng: Rng) -> None:
        self.names, self.count, self.rng = names, count, rng
        self.index = {name: i for i, name in enumerate(names)}
        self.weights = np.zeros((count, len(names)))

    def some(self, share: float | Double) -> NDArray[np.bool_]:
        return self.rng.random(self.count) < share

    def between(self, low: float, high: float) -> Double:
        return self.rng.uniform(low, high, self.count)

    def add(self, action: str, amount: Double, lean: float = 0.12) -> None:
        """Raise ``action``; one without a side on both, a little unevenly."""
        if action in self.index:
            self.weights[:, self.index[action]] += amount
            return
        uneven = self.rng.normal(0, lean, self.count)
        for side, factor in (("Left", 1 + uneven), ("Right", 1 - uneven)):
            if action + side in self.index:
                self.weights[:, self.index[action + side]] += amount * factor

    def of_both(self, action: str) -> list[int]:
        return [self.index[action + side] for side in ("Left", "Right")]

    def one_sided(self, actions: tuple[str, ...], share: float) -> None:
        """Weaken one side of ``actions``, the same for all."""
        chosen, left = self.some(share), self.rng.random(self.count) < 0.5
        factor = self.between(0, 0.7)
        for action in actions:
            for column, here in zip(self.of_both(action), (left, ~left), strict=True):
                self.weights[chosen & here, column] *= factor[chosen & here]


def _moods(faces: _Faces) -> NDArray[np.bool_]:
    """Adds the emotions; True where there is one."""
    shares = np.array([share for share, _ in MOODS.values()])
    kind = faces.rng.choice(
        len(shares) + 1, size=faces.count, p=np.append(shares, 1 - shares.sum())
    )
    strength = faces.rng.beta(1.6, 1.2, faces.count)
    for number, (_, actions) in enumerate(MOODS.values()):
        for action, amount in actions.items():
            part = faces.between(0.4, 1.15) * faces.some(0.88)
            faces.add(action, strength * (kind == number) * amount * part)
    return kind < len(shares)


def _brows(faces: _Faces, in_mood: NDArray[np.bool_]) -> None:
    """Of their own: both up, inner, outer, down, drawn together, outer up with frown."""
    moved = faces.some(np.where(in_mood, 0.12, 0.55))
    kind = faces.rng.choice(6, size=faces.count, p=[0.34, 0.14, 0.10, 0.24, 0.10, 0.08])
    strength = faces.rng.beta(1.5, 1.4, faces.count) * moved
    parts = {
        "browInnerUp": {0: (0.6, 1.0), 1: (0.7, 1.0), 4: (0.4, 0.9)},
        "browOuterUp": {0: (0.5, 1.0), 2: (0.6, 1.0), 5: (0.3, 1.0)},
        "browDown": {3: (0.5, 1.0), 4: (0.3, 0.8), 5: (0.1, 0.4)},
    }
    for action, kinds in parts.items():
        amount = sum(((kind == k) * faces.between(*span) for k, span in kinds.items()), np.zeros(1))
        faces.add(action, strength * amount, lean=0.18)
    faces.one_sided(("browOuterUp", "browDown"), 0.08)


def _speech(faces: _Faces, in_mood: NDArray[np.bool_]) -> None:
    talks = faces.some(np.where(in_mood, 0.3, 0.55))
    jaw = faces.rng.beta(1.3, 3.0, faces.count) * talks
    faces.add("jawOpen", jaw * faces.some(0.85))
    faces.add("mouthClose", 0.6 * jaw * faces.between(0, 1) * faces.some(0.25))
    shape = faces.rng.choice(6, size=faces.count, p=[0.2, 0.2, 0.15, 0.2, 0.1, 0.15])
    visemes = ("mouthFunnel", "mouthPucker", "mouthStretch", "mouthLowerDown", "mouthUpperUp")
    for number, action in enumerate(visemes):
        faces.add(action, faces.between(0.05, 0.75) * (shape == number) * talks)
    faces.add("mouthLowerDown", faces.between(0.05, 0.5) * faces.some(0.25) * talks)
    faces.add("mouthUpperUp", faces.between(0.05, 0.4) * faces.some(0.2) * talks)
    faces.add("mouthPress", faces.between(0.1, 0.7) * faces.some(0.1) * ~talks)


def _lips(faces: _Faces, in_mood: NDArray[np.bool_]) -> None:
    for action, share, low, high in (
        ("mouthRollLower", 0.10, 0.1, 0.7),
        ("mouthRollUpper", 0.07, 0.1, 0.6),
        ("mouthShrugLower", 0.10, 0.1, 0.6),
        ("mouthShrugUpper", 0.07, 0.05, 0.4),
        ("mouthDimple", 0.06, 0.1, 0.6),
        ("mouthLeft", 0.05, 0.05, 0.5),
        ("mouthRight", 0.05, 0.05, 0.5),
        ("jawLeft", 0.04, 0.05, 0.4),
        ("jawRight", 0.04, 0.05, 0.4),
        ("jawForward", 0.04, 0.05, 0.4),
        ("cheekPuff", 0.04, 0.05, 0.9),
        ("noseSneer", 0.05, 0.05, 0.5),
        ("cheekSquint", 0.08, 0.05, 0.4),
        ("tongueOut", 0.01, 0.2, 0.8),
    ):
        faces.add(action, faces.between(low, high) * faces.some(share))
    corner = faces.rng.random(faces.count)
    faces.add("mouthSmile", faces.between(0.05, 0.6) * (corner < 0.18) * ~in_mood)
    down = (corner > 0.18) & (corner < 0.32) & ~in_mood
    faces.add("mouthFrown", faces.between(0.1, 0.8) * down)
    uneven = ("mouthSmile", "mouthFrown", "mouthDimple", "mouthUpperUp", "noseSneer")
    faces.one_sided(uneven, 0.07)


def _rarities(faces: _Faces) -> None:
    """Up to two actions of any kind: what no list foresees."""
    chosen = faces.some(0.15)
    alone = np.array([not name.startswith(_NEVER_ALONE) for name in faces.names])
    rows = np.arange(faces.count)
    for _ in range(2):
        which = faces.rng.integers(len(faces.names), size=faces.count)
        amount = 0.8 * faces.rng.beta(1.2, 2.0, faces.count)
        faces.weights[rows, which] += chosen * alone[which] * amount


def _lids(faces: _Faces) -> None:
    """As they are, on the way, shut, wide, narrow; rarely one eye."""
    kind = faces.rng.choice(5, size=faces.count, p=[0.60, 0.14, 0.10, 0.10, 0.06])
    kind[faces.weights[:, faces.index["eyeWideLeft"]] > 0.05] = 0
    blink = faces.between(0.15, 0.7) * (kind == 1) + faces.between(0.75, 1.0) * (kind == 2)
    faces.add("eyeBlink", blink, lean=0.04)
    faces.add("eyeWide", faces.between(0.1, 0.9) * (kind == 3), lean=0.08)
    faces.add("eyeSquint", faces.between(0.1, 0.7) * (kind == 4), lean=0.08)
    winks, left = faces.some(0.05), faces.rng.random(faces.count) < 0.5
    shut = faces.between(0.6, 1.0)
    for column, here in zip(faces.of_both("eyeBlink"), (left, ~left), strict=True):
        faces.weights[winks & here, column] = shut[winks & here]


def _gaze(faces: _Faces) -> None:
    """Both eyes at one point; the lids follow the eyes down."""
    rng = faces.rng
    spread = np.where(faces.some(0.5), 4.0, 13.0)
    left, up = rng.normal(0, spread), rng.normal(0, 0.7 * spread)
    up -= faces.between(5, 25) * faces.some(0.15)
    aside, above, below = GAZE_DEGREES
    down = np.clip(-up / below, 0, 1)
    for side, outwards in (("Left", left), ("Right", -left)):
        for name, amount in (
            ("eyeLookOut", outwards / aside),
            ("eyeLookIn", -outwards / aside),
            ("eyeLookUp", up / above),
            ("eyeLookDown", down),
        ):
            faces.weights[:, faces.index[name + side]] = np.clip(amount, 0, 1)
        faces.weights[:, faces.index["eyeBlink" + side]] += faces.between(0.3, 0.6) * down
