"""What hides parts of a face in pictures: hair, headwear, glasses, clothes, hands.

Meshes around a posed head, made at random with numpy alone; the renderer decides how they look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model import FaceModel
from .body import grow_body, wrap_scarf
from .glasses import fit_glasses
from .hair import grow_hair, hair_colour, sample_style
from .skull import skull_of

Float = NDArray[np.float32]
Mesh = tuple[NDArray, NDArray[np.int32], NDArray]


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
    props = []
    colour = hair_colour(rng, skin_tone)
    if rng.random() >= 0.10:
        mesh = grow_hair(skull, sample_style(rng), colour, rng)
        props.append(_prop("hair", mesh, rng.uniform(0.05, 0.4)))
    if rng.random() < 0.95:
        props.append(
            _prop("body", grow_body(model, vertices, skin_tone, rng), rng.uniform(0, 0.15))
        )
        if rng.random() < 0.08:
            props.append(_prop("body", wrap_scarf(model, vertices, rng), 0.0))
    wears = rng.random()
    if wears < 0.18:
        pair = fit_glasses(model, vertices, wears < 0.04, rng)
        props.append(_prop("glasses", pair.frame, pair.gloss))
        if wears < 0.16:
            props.append(_prop("glasses", pair.lenses, 1.0, pair.opacity))
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
