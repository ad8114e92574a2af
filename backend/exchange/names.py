"""ARKit's 52 blendshapes in the order of Live Link Face, and how other spellings are read."""

from __future__ import annotations

from collections.abc import Iterable

from ..bounded import plain

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_SIDES = ("Left", "Right")

ARKIT = (
    *(f"eye{what}{side}" for side in _SIDES for what in _EYE),
    "jawForward", "jawRight", "jawLeft", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
    *(f"mouth{what}{side}" for what in ("Smile", "Frown", "Dimple", "Stretch") for side in _SIDES),
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    *(f"mouth{what}{side}" for what in ("Press", "LowerDown", "UpperUp") for side in _SIDES),
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip

_BY_SPELLING = {name.lower(): name for name in ARKIT}
_SHORT_SIDES = {"_l": "left", "_r": "right", ".l": "left", ".r": "right"}


def arkit_name(spelling: str) -> str | None:
    """ARKit's name for ``EyeBlinkLeft``, ``eye_blink_left`` or ``eyeBlink_L``; None for others."""
    plain = spelling.strip().lower()
    plain = plain[:-2] + _SHORT_SIDES[plain[-2:]] if plain[-2:] in _SHORT_SIDES else plain
    return _BY_SPELLING.get(plain.replace("_", "").replace(" ", "").replace("-", ""))


def matched(wanted: Iterable[str], there: Iterable[str]) -> dict[str, str]:
    """Name to the one of ``there`` that it means: itself, or ARKit's same one in another spelling.

    What is not there is left out; no name of ``there`` is given twice.
    """
    there = list(there)
    wanted = list(wanted)
    out = {name: name for name in wanted if name in there}
    spelt = {arkit_name(name): name for name in reversed(there) if name not in out}
    for name in wanted:
        known = arkit_name(name)
        if name not in out and known is not None and known in spelt:
            out[name] = spelt.pop(known)
    return out


def listed(names: list[str] | tuple[str, ...], most: int = 6) -> str:
    """``names`` for a sentence, the first ``most`` of them."""
    shown = ", ".join(plain(name, 60) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
