"""How far each bone takes each vertex along; arrays only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .anatomy import EYE_KINDS, SIDES, Float, Joints, Shape

#: Over which length, in parts of the way from the neck's joint to the skull's, the neck gives way
#: to the head, and to a bust's chest: by eye, nodding by 25 degrees leaves no edge.
_BLEND_HEAD, _BLEND_CHEST = 0.55, 0.7
#: The head's border below the chin, in the same measure: the chin itself does not bend.
_BELOW_CHIN = 0.12
#: How often the weights of neighbours are averaged: what smooths a corner of two planes.
_ROUNDS = 12
#: Rounds for the jaw, whose lower lip must not follow the upper one.
_JAW_ROUNDS = 3


def weights_of(shape: Shape, joints: Joints) -> dict[str, Float]:
    """(V,) by bone ("chest", "neck", "head", "jaw", "eye.L", "eye.R"), 0 to 1, that add up to 1.

    Jaw: each vertex's share of the turn that ``jawOpen`` at 1 is, which is what least squares give.
    Eyes: the eyeballs whole.  Neck: between two planes, from the nape to below the chin and, with
    a bust, about the neck's joint.
    """
    head = _head_share(shape, joints)
    chest = _chest_share(shape, joints)
    jaw = jaw_share(shape, joints) * head
    out = {"chest": chest * (1 - head), "neck": (1 - chest) * (1 - head)}
    ball = shape.part(*EYE_KINDS)
    for side, letter in zip(SIDES, "LR", strict=True):
        sign = 1 if side == "Left" else -1
        mine = ball & (sign * shape.basis[:, 0] > 0) if side in joints.eyes else np.zeros_like(ball)
        out[f"eye.{letter}"] = mine.astype(np.float64)
        jaw = np.where(mine, 0.0, jaw)
    eyes = out["eye.L"] + out["eye.R"]
    out["jaw"] = jaw
    out["head"] = np.where(eyes > 0, 0.0, head - jaw)
    for name in ("chest", "neck"):
        out[name] = np.where(eyes > 0, 0.0, out[name])
    return out


def jaw_share(shape: Shape, joints: Joints) -> Float:
    """(V,) 0 to 1: how far each vertex goes along with the jaw."""
    opened = shape.deltas["jawOpen"]
    turn = jaw_turn(joints)
    whole = (shape.basis - joints.jaw) @ turn.T + joints.jaw - shape.basis
    share = (opened * whole).sum(1) / np.maximum((whole**2).sum(1), 1e-9)
    share = np.clip(share, 0.0, 1.0)
    share[np.linalg.norm(opened, axis=1) < 1e-5] = 0.0
    soft = shape.part("skin", "mouth", "tongue") | ~shape.part(*shape.kinds)
    return np.clip(_smoothed(share, shape, soft, _JAW_ROUNDS), 0.0, 1.0)


def jaw_turn(joints: Joints, part: float = 1.0) -> NDArray[np.float64]:
    """(3, 3) the turn of the jaw about x by ``part`` of its angle, downwards."""
    c, s = np.cos(part * joints.jaw_angle), np.sin(part * joints.jaw_angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def jaw_error(shape: Shape, joints: Joints, weights: dict[str, Float]) -> Float:
    """(V,) m between what the jaw bone at its full angle does by ``weights`` and ``jawOpen``."""
    whole = (shape.basis - joints.jaw) @ jaw_turn(joints).T + joints.jaw - shape.basis
    return np.linalg.norm(weights["jaw"][:, None] * whole - shape.deltas["jawOpen"], axis=1)


def _head_share(shape: Shape, joints: Joints) -> Float:
    """(V,) 1 above a plane from the nape to below the chin, 0 below the neck's upper part."""
    length = float(np.linalg.norm(joints.head - joints.neck))
    front = joints.chin - (0.0, 0.0, _BELOW_CHIN * length)
    back = joints.head.copy()
    along = front - back
    normal = np.array([0.0, -along[2], along[1]])
    normal *= np.sign(normal[2]) / np.linalg.norm(normal)
    height = (shape.basis - back) @ normal
    share = _step(1 + height / (_BLEND_HEAD * length))
    # What is inside the head goes with it as a whole: throat and tongue reach below that plane.
    inside = shape.part(*(kind for kind in shape.kinds if kind not in ("skin", "bust")))
    share[inside & ~shape.part("skin")] = 1.0
    return np.clip(_smoothed(share, shape, shape.part("skin", "bust"), _ROUNDS), 0.0, 1.0)


def _chest_share(shape: Shape, joints: Joints) -> Float:
    """(V,) 1 below a bust's neck, 0 above; nothing without a bust."""
    if joints.chest is None:
        return np.zeros(len(shape.basis))
    length = float(np.linalg.norm(joints.head - joints.neck))
    height = shape.basis[:, 2] - joints.neck[2]
    share = 1 - _step(0.5 + height / (_BLEND_CHEST * length))
    return np.clip(_smoothed(share, shape, shape.part("skin", "bust"), _ROUNDS), 0.0, 1.0)


def _step(x: Float) -> Float:
    """0 to 1 for 0 to 1, without a kink at either end (Perlin's smoothstep)."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def _smoothed(values: Float, shape: Shape, soft: NDArray[np.bool_], rounds: int) -> Float:
    """``values`` (V,), ``soft`` ones averaged with those of their neighbours ``rounds`` times."""
    first, second = shape.edges.T
    count = np.bincount(shape.edges.ravel(), minlength=len(values))
    for _ in range(rounds):
        around = np.bincount(first, values[second], len(values))
        around += np.bincount(second, values[first], len(values))
        mean = np.where(count > 0, around / np.maximum(count, 1), values)
        values = np.where(soft, (values + mean) / 2, values)
    return values
