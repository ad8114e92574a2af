"""The controls of a face: which movement of which bone is which shape key.  No Blender.

Every channel moves one shape key by its positive and another one by its negative part.  Two that
a face can do at once, as a smile and a frown of the same corner, are both told without loss: what
they have in common is a property of the bone (:data:`BOTH`), and the channel is their difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .anatomy import SIDES, Float, Joints

#: How far a control on the board goes for a weight of 1, metres.
STEP_M = 0.02
#: The bones' property with what the two shape keys of a channel have in common, by its axis.
BOTH = "both_{}"
#: Shown names of the axes of locations and of turns.
_AXES = "xyz"


@dataclass(frozen=True)
class Channel:
    """One movement of a bone.  A weight w of ``plus`` is ``step * w``, one of ``minus`` the
    opposite."""

    bone: str
    path: str  #: "location" or "rotation_euler"
    axis: int  #: 0, 1, 2
    step: float  #: metres or radians for a weight of 1; its sign is that of ``plus``
    plus: str = ""  #: ARKit's name, or another shape key's own; "": none
    minus: str = ""
    minus_step: float = 0.0  #: where ``minus`` goes another way than ``plus``; 0: as far
    base: str = ""  #: the bone above, whose movement at the same channel counts too

    @property
    def both(self) -> str:
        """The property for what both shape keys have in common; "" where there is but one."""
        return BOTH.format(_AXES[self.axis]) if self.plus and self.minus else ""

    @property
    def steps(self) -> tuple[float, float]:
        """How far a weight of 1 of ``plus`` and of ``minus`` goes."""
        return self.step, -self.step if not self.minus_step else self.minus_step

    @property
    def names(self) -> tuple[str, ...]:
        """Those of its shape keys."""
        return tuple(name for name in (self.plus, self.minus) if name)

    @property
    def limits(self) -> tuple[float, float]:
        """How far the bone can go: to a weight of 1 either way."""
        plus, minus = self.steps
        ends = (plus if self.plus else 0.0, minus if self.minus else 0.0)
        return min(0.0, *ends), max(0.0, *ends)


@dataclass(frozen=True)
class Control:
    """A handle in a box of the board, at ``column`` and ``row`` from the board's middle on."""

    bone: str
    label: str
    column: float
    row: float
    up: str = ""
    down: str = ""
    right: str = ""  #: towards the head's left, which is the right as one faces it
    left: str = ""

    def having(self, names: Iterable[str]) -> Control | None:
        """The control with those of its shape keys that are in ``names``; None without any."""
        names = set(names)
        kept = {way: getattr(self, way) for way in ("up", "down", "right", "left")}
        kept = {way: name if name in names else "" for way, name in kept.items()}
        if not any(kept.values()):
            return None
        return Control(self.bone, self.label, self.column, self.row, **kept)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Its movements: x to the right, y up, in the board's plane."""
        pairs = ((self.right, self.left), (self.up, self.down))
        return tuple(
            Channel(self.bone, "location", axis, STEP_M, plus, minus)
            for axis, (plus, minus) in enumerate(pairs)
            if plus or minus
        )


def _pair(bone: str, label: str, column: float, row: float, **ways: str) -> list[Control]:
    """The control of the left side, at ``column`` to the right, and that of the right side.

    In ``ways``, "*" stands for the side, and "out" is away from the middle.
    """
    out = []
    for side, letter, sign in zip(SIDES, "LR", (1, -1), strict=True):
        named = {way: name.replace("*", side) for way, name in ways.items()}
        outwards = named.pop("out", "")
        if outwards:
            named["right" if sign > 0 else "left"] = outwards
        out.append(Control(f"{bone}.{letter}", label, sign * column, row, **named))
    return out


#: All controls of the board.  :data:`MOUTH_JAW` moves the jaw's bone, not shape keys.
CONTROLS: tuple[Control, ...] = (
    Control("brow_inner", "inner brows", 0, 0, up="browInnerUp"),
    *_pair("brow", "brow", 1.2, 0, up="browOuterUp*", down="browDown*"),
    *_pair("lid", "lids", 1, 1, up="eyeWide*", down="eyeBlink*"),
    *_pair("squint", "squint", 2, 1, up="eyeSquint*"),
    *_pair("nose", "nose", 0.7, 2, up="noseSneer*"),
    *_pair("nostril", "nostril", 1.35, 2, up="nostrilDilate*"),
    *_pair("cheek", "cheek", 2, 2, up="cheekSquint*"),
    Control("nostrils", "nostrils", 0, 2, down="nostrilCompress"),
    Control("lip_upper", "upper lip", 0, 3, up="mouthShrugUpper", down="mouthRollUpper"),
    *_pair("lip_raise", "raise lip", 1, 3, up="mouthUpperUp*"),
    *_pair("corner", "corner", 2, 3, up="mouthSmile*", down="mouthFrown*", out="mouthStretch*"),
    Control("lips", "funnel, pucker", 0, 4, up="mouthFunnel", down="mouthPucker"),
    *_pair("dimple", "dimple", 1, 4, up="mouthDimple*"),
    *_pair("press", "press", 2, 4, up="mouthPress*"),
    Control("lip_lower", "lower lip", 0, 5, up="mouthShrugLower", down="mouthRollLower"),
    *_pair("lip_drop", "drop lip", 1, 5, down="mouthLowerDown*"),
    Control("puff", "puff", 2, 5, up="cheekPuff"),
    Control("tongue", "tongue out", -2, 5, down="tongueOut"),
    Control("mouth", "mouth aside", 1.2, 6, right="mouthLeft", left="mouthRight"),
    Control("close", "close lips", -1.2, 6, up="mouthClose"),
)  # fmt: skip
#: The box that moves the jaw's bone: down it opens, to the sides and forward it slides.
MOUTH_JAW = Control("jaw_control", "jaw", 0, 6, down="jawOpen", right="jawLeft", left="jawRight")


def board_of(names: Iterable[str]) -> list[Control]:
    """The controls of a face that has the shape keys ``names``; without :data:`MOUTH_JAW`."""
    names = set(names)
    return [kept for one in CONTROLS if (kept := one.having(names)) is not None]


def channels_of(names: Iterable[str], joints: Joints) -> list[Channel]:
    """All movements of bones that are shape keys ``names``: the board's, the jaw's and the eyes'.

    The jaw turns about its x, downwards, and slides along its x, to the head's left, and its y,
    forward; an eye turns about its x, upwards, and its z, to the head's left.
    """
    names = set(names)
    out = [channel for control in board_of(names) for channel in control.channels]
    out += _jaw_channels(names, joints)
    for side, letter in zip(SIDES, "LR", strict=True):
        if side in joints.eyes:
            out += _eye_channels(names, joints, side, letter)
    return out


def _jaw_channels(names: set[str], joints: Joints) -> list[Channel]:
    out = [Channel("jaw", "rotation_euler", 0, joints.jaw_angle, "jawOpen", base="jaw_base")]
    moves = joints.jaw_moves
    if {"jawLeft", "jawRight"} <= names and {"jawLeft", "jawRight"} <= set(moves):
        left, right = (float(moves[name][0]) for name in ("jawLeft", "jawRight"))
        if left > 0 > right:
            out.append(
                Channel("jaw", "location", 0, left, "jawLeft", "jawRight", right, "jaw_base")
            )
    if "jawForward" in names & set(moves) and moves["jawForward"][1] < 0:
        forward = -float(moves["jawForward"][1])
        out.append(Channel("jaw", "location", 1, forward, "jawForward", base="jaw_base"))
    return out


def _eye_channels(names: set[str], joints: Joints, side: str, letter: str) -> list[Channel]:
    bone, base, angles = f"eye.{letter}", f"eye_aim.{letter}", joints.look_angles
    up, down = (f"eyeLook{way}{side}" for way in ("Up", "Down"))
    to_left, to_right = (f"eyeLook{way}{side}" for way in ("Out", "In"))
    if side == "Right":
        to_left, to_right = to_right, to_left
    out = []
    for axis, plus, minus in ((0, up, down), (2, to_left, to_right)):
        if {plus, minus} <= names & set(angles):
            steps = angles[plus], -angles[minus]
            out.append(Channel(bone, "rotation_euler", axis, steps[0], plus, minus, steps[1], base))
    return out


def values_of_channels(
    channels: Iterable[Channel], weights: Mapping[str, NDArray] | Mapping[str, float]
) -> dict[Channel, tuple[Float, Float]]:
    """For each channel the movement that ``weights`` are, and what both its shape keys share.

    ``weights``: numbers or (N,) by shape key; one that is missing is 0.
    """
    out = {}
    for channel in channels:
        plus, minus = (
            np.asarray(weights.get(name, 0.0), np.float64) if name else np.zeros(())
            for name in (channel.plus, channel.minus)
        )
        shared = np.clip(np.minimum(plus, minus), 0.0, None) if channel.both else np.zeros(())
        ahead, back = channel.steps
        out[channel] = ((plus - shared) * ahead + (minus - shared) * back, shared)
    return out


def weights_of_channels(values: Mapping[Channel, tuple[float, float]]) -> dict[str, float]:
    """The shape keys' weights, 0 to 1, that movements are: what the drivers compute.

    ``values``: by channel the movement, that of the bone above included, and the shared part.
    """
    out = {}
    for channel, (moved, shared) in values.items():
        for name, step in zip((channel.plus, channel.minus), channel.steps, strict=True):
            if name:
                out[name] = float(np.clip(max(moved / step, 0.0) + shared, 0.0, 1.0))
    return out
