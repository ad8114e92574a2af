"""The expression space: the 52 ARKit blend shapes and a few FACS units that ARKit lacks."""

from __future__ import annotations

import numpy as np
from reconstruct_face.backend.geometry.rotation import about

from .head_mesh import HeadReducer, HeadTopology
from .identity import mirrored
from .landmarks import Landmarks
from .source_data import SourceData
from .strengths import with_lids_following

ARKIT_NAMES = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""ARKit's blend shape locations in the order of Apple's documentation; Left is the subject's left
(x > 0)."""

FACS_UNITS = {
    "nostrilDilateLeft": "nose-left-dilatation",
    "nostrilDilateRight": "nose-right-dilatation",
    "nostrilCompress": "nose-compression",
}
"""Name here -> MakeHuman expression unit, for actions ARKit has no shape for (FACS AU 38 and
39)."""

GAZE_DEGREES = {"LookIn": 28.0, "LookOut": 28.0, "LookUp": 22.0, "LookDown": 25.0}
"""Rotation of the eyeball at weight 1. The source turns it by 10 to 15 degrees only."""


def expression_names() -> tuple[str, ...]:
    """All shapes, ARKit's 52 first."""
    return ARKIT_NAMES + tuple(FACS_UNITS)


def gaze_rotation(name: str) -> np.ndarray:
    """Rotation matrix (3, 3) of the eyeball for an ``eyeLook...`` shape at weight 1."""
    action = next(key for key in GAZE_DEGREES if key in name)
    angle = np.radians(GAZE_DEGREES[action])
    if action in ("LookUp", "LookDown"):
        return about(-angle if action == "LookUp" else angle, 0)  # +z towards +y looks up
    towards_left = (action == "LookOut") == name.endswith("Left")
    return about(angle if towards_left else -angle, 1)  # +z towards +x looks to the subject's left


def turn_eyeball(shape: np.ndarray, name: str, head: np.ndarray, topology: HeadTopology) -> None:
    """Replaces the eyeball's displacement in ``shape`` (V, 3) by a rotation about its centre.

    The straight path of a shape key ends on the sphere; half-way it dips 3 % of the radius below
    it.
    """
    vertices = topology.vertices_of("eye_left" if name.endswith("Left") else "eye_right")
    points = head[vertices]
    arm = points - points.mean(axis=0)  # the template's mean is the centre
    shape[vertices] = arm @ gaze_rotation(name).T - arm


def fit_blink(shape: np.ndarray, name: str, head: np.ndarray, landmarks: Landmarks) -> None:
    """Scales an ``eyeBlink...`` shape (V, 3) so that the upper lid's two landmarks come down to the
    lower lid's.

    The source moves them up to a third too far, which folds the lid over the cheek. The factor
    varies linearly along the lid.
    """
    pairs = ((43, 47), (44, 46)) if name.endswith("Left") else ((38, 40), (37, 41))
    position, motion = (
        np.einsum("nk,nkd->nd", landmarks.barycentric, field[landmarks.triangles])
        for field in (head, shape)
    )
    across, factors = [], []
    for upper, lower in pairs:
        across.append(abs(position[upper, 0] + position[lower, 0]) / 2)
        factors.append(
            (position[upper, 1] - position[lower, 1]) / (motion[lower, 1] - motion[upper, 1])
        )
    slope = (factors[1] - factors[0]) / (across[1] - across[0])
    factor = factors[0] + slope * (np.abs(head[:, 0]) - across[0])
    shape *= np.clip(factor, min(factors) - 0.1, max(factors) + 0.1)[:, None]


def build_expressions(
    source: SourceData,
    reducer: HeadReducer,
    topology: HeadTopology,
    head: np.ndarray,
    landmarks: Landmarks,
) -> np.ndarray:
    """All shapes of :func:`expression_names`: (E, V, 3) float64 displacements in mm at weight 1."""
    eyes = np.isin(topology.part, ("eye_left", "eye_right"))
    shapes = []
    for name in ARKIT_NAMES:
        shape = reducer.displacement(source.target(f"faceunits01/targets/faceunits/{name}.target"))
        shape[eyes] = 0.0
        if name.startswith("eyeBlink"):
            fit_blink(shape, name, head, landmarks)
        if name.startswith("eyeLook"):
            turn_eyeball(shape, name, head, topology)
        shapes.append(shape)
    folder = "mpfb2/targets/expression/units"
    for unit in FACS_UNITS.values():
        paths = [f"{folder}/{race}/{unit}.target.gz" for race in ("african", "asian", "caucasian")]
        shape = np.mean([reducer.displacement(source.target(path)) for path in paths], axis=0)
        shape[eyes] = 0.0
        shapes.append(shape)
    found = with_lids_following(np.stack(shapes), expression_names(), topology.part == "skin")
    return symmetrised(found, topology.symmetry)


def symmetrised(shapes: np.ndarray, symmetry: np.ndarray) -> np.ndarray:
    """Averages every shape with the mirror image of its partner (Left with Right, or itself)."""
    names = expression_names()
    swap = {"Left": "Right", "Right": "Left"}
    partner = []
    for name in names:
        side = next((s for s in swap if name.endswith(s)), None)
        partner.append(names.index(name[: -len(side)] + swap[side]) if side else names.index(name))
    return (shapes + mirrored(shapes, symmetry)[partner]) / 2
