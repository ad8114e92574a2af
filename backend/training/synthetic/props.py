"""What hides parts of a face in pictures: hair, headwear, glasses, clothes, hands.

Meshes around a posed head, made at random with numpy alone; the renderer decides how they look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from .beard import grow_beard
from .body import cloth_colour, grow_body, wrap_scarf
from .covers import hold_hand, hold_object, stray_object, wear_mask
from .glasses import fit_glasses
from .hair import flattened, grow_hair, hair_colour, sample_style
from .headwear import wear_hat, wrap_headscarf
from .pieces import Mesh, join
from .skull import Skull, skull_of

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prop:
    """A mesh around the head, in the posed head's coordinates."""

    kind: str  #: hair, beard, hat, glasses, mask, hand, body or blob
    vertices: Float  #: (N, 3) mm
    faces: NDArray[np.int32]  #: (M, 3), seen from both sides
    colours: Float  #: (N, 3) linear albedo
    gloss: float  #: 0 matt .. 1 shiny
    opacity: float  #: 1 solid; less for lenses
    light: str = "head"  #: lit like the head


def sample_props(
    model: FaceModel, vertices: NDArray, rng: np.random.Generator, skin_tone: NDArray
) -> list[Prop]:
    """Props at random around the posed ``vertices`` (V, 3) mm of a head with ``skin_tone`` (3,).

    ``skin_tone`` is linear RGB.  The same state of ``rng`` gives the same props.
    """
    skull = skull_of(model, vertices)
    skin_tone = np.asarray(skin_tone, np.float64)
    colour = hair_colour(rng, skin_tone)
    props = _hair_and_hat(model, skull, vertices, colour, skin_tone, rng)
    if rng.random() < 0.06:
        mesh = grow_beard(model, skull, vertices, colour, skin_tone, rng)
        props.append(_prop("beard", mesh, 0.1))
    if rng.random() < 0.95:
        body = grow_body(model, vertices, skin_tone, rng)
        props.append(_prop("body", body, rng.uniform(0, 0.15)))
        if rng.random() < 0.08:
            props.append(_prop("body", wrap_scarf(model, vertices, rng), 0.0))
    wears = rng.random()
    if wears < 0.18:
        pair = fit_glasses(model, vertices, wears < 0.04, rng)
        props.append(_prop("glasses", pair.frame, pair.gloss))
        if wears < 0.16:
            props.append(_prop("glasses", pair.lenses, 1.0, pair.opacity))
    if rng.random() < 0.02:
        props.append(_prop("mask", wear_mask(model, skull, vertices, rng), 0.0))
    held = rng.random()
    if held < 0.055:
        props.append(_prop("hand", hold_hand(skull, skin_tone, rng), 0.15))
    elif held < 0.08:
        props.append(_prop("hand", hold_object(skull, skin_tone, rng), 0.3))
    if rng.random() < 0.04:
        props.append(_prop("blob", stray_object(skull, rng), rng.random()))
    return props


def _hair_and_hat(
    model: FaceModel,
    skull: Skull,
    vertices: NDArray,
    colour: NDArray,
    skin_tone: NDArray,
    rng: np.random.Generator,
) -> list[Prop]:
    """Hair, headwear, hair under headwear, a headscarf or hood instead, or none."""
    worn = rng.random()
    if worn < 0.025:
        tone = cloth_colour(rng)
        scarf = wrap_headscarf(model, skull, vertices, tone, rng.random() < 0.7, rng)
        return [_prop("hat", join([scarf, wrap_scarf(model, vertices, rng, tone)]), 0.0)]
    hat = worn < 0.08
    props = []
    if rng.random() >= 0.10:
        style = sample_style(rng)
        mesh = grow_hair(skull, flattened(style) if hat else style, colour, skin_tone, rng)
        props.append(_prop("hair", mesh, rng.uniform(0.05, 0.4) * (1 - colour.max())))
    if hat:
        props.append(_prop("hat", wear_hat(skull, rng), rng.uniform(0, 0.2)))
    return props


def _prop(kind: str, mesh: Mesh, gloss: float, opacity: float = 1.0) -> Prop:
    points, faces, colours = mesh
    return Prop(
        kind,
        np.ascontiguousarray(points, np.float32),
        faces,
        np.clip(colours, 0.002, 0.95).astype(np.float32),
        float(gloss),
        opacity,
    )
