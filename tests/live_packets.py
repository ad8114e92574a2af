"""Packets as the apps send them, made by hand from their formats; the senders of the live tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

#: The order of Live Link Face's values, spelt out here so that it is not the program's own.
LIVE_LINK_ORDER = (
    "EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft", "EyeLookOutLeft", "EyeLookUpLeft",
    "EyeSquintLeft", "EyeWideLeft", "EyeBlinkRight", "EyeLookDownRight", "EyeLookInRight",
    "EyeLookOutRight", "EyeLookUpRight", "EyeSquintRight", "EyeWideRight", "JawForward",
    "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker", "MouthRight",
    "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight",
    "MouthDimpleLeft", "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight",
    "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft",
    "MouthPressRight", "MouthLowerDownLeft", "MouthLowerDownRight", "MouthUpperUpLeft",
    "MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft",
    "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft",
    "NoseSneerRight", "TongueOut",
)  # fmt: skip


def live_link(
    values: Mapping[str, float] | None,
    frame: int = 0,
    *,
    part: float = 0.0,
    rate: int = 60,
    name: str = "iPhone",
    head: Sequence[float] = (0.0, 0.0, 0.0),
) -> bytes:
    """A packet of Live Link Face; ``values`` None: the app sees no face."""
    device = b"8A9B4C3D-1234-4321-ABCD-0123456789AB"
    called = name.encode()
    data = struct.pack("!B", 6) + struct.pack("!i", len(device)) + device
    data += struct.pack("!i", len(called)) + called
    if values is None:
        return data
    numbers = [values.get(name[0].lower() + name[1:], 0.0) for name in LIVE_LINK_ORDER]
    data += struct.pack("!if", frame, part) + struct.pack("!ii", rate, 1) + struct.pack("!B", 61)
    return data + struct.pack("!61f", *numbers, *head, *([0.0] * 6))


def ifacialmocap(values: Mapping[str, float], head: Sequence[float], *, second: bool) -> bytes:
    """A line of iFacialMocap, in its first or second version."""
    parts = []
    for name, value in values.items():
        short = name.replace("Left", "_L").replace("Right", "_R") if not second else name
        parts.append(f"{short}{'&' if second else '-'}{round(value * 100)}")
    numbers = ",".join(f"{x:.6f}" for x in head)
    eye = "6.02,2.44,0.25"
    return ("|".join(parts) + f"|=head#{numbers}|rightEye#{eye}|leftEye#{eye}|").encode()


def osc(address: str, *arguments: float | str | int) -> bytes:
    """An Open Sound Control message."""

    def text(value: str) -> bytes:
        data = value.encode() + b"\0"
        return data + b"\0" * (-len(data) % 4)

    kinds, data = ",", b""
    for one in arguments:
        if isinstance(one, str):
            kinds, data = kinds + "s", data + text(one)
        elif isinstance(one, int):
            kinds, data = kinds + "i", data + struct.pack("!i", one)
        else:
            kinds, data = kinds + "f", data + struct.pack("!f", one)
    return text(address) + text(kinds) + data


def bundle(*messages: bytes) -> bytes:
    """Messages in a bundle."""
    return (
        b"#bundle\0"
        + struct.pack("!Q", 1)
        + b"".join(struct.pack("!i", len(one)) + one for one in messages)
    )


def vmc(values: Mapping[str, float], time: float, turn: Sequence[float]) -> bytes:
    """A frame of the VMC protocol in one bundle."""
    return bundle(
        osc("/VMC/Ext/OK", 1),
        osc("/VMC/Ext/T", time),
        osc("/VMC/Ext/Bone/Pos", "Head", 0.0, 1.4, 0.0, *turn),
        *(osc("/VMC/Ext/Blend/Val", name, value) for name, value in values.items()),
        osc("/VMC/Ext/Blend/Apply"),
    )
