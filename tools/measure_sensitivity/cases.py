"""Which constants are tried, and on what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from reconstruct_face.backend.fit.landmark_fit import FitSettings
from reconstruct_face.backend.fit.refine.surface import PARTS
from reconstruct_face.backend.model import FaceModel

from .drawn import Example
from .errors import (
    Errors,
    fit_errors,
    fitted,
    gaze_errors,
    hair_errors,
    landmark_errors,
    scalp,
    teeth_errors,
    texture_errors,
)

#: What a constant without values of its own is multiplied by.
FACTORS = (0.7, 1.4)


@dataclass(frozen=True)
class Constant:
    """A constant of ``reconstruct_face.backend`` and the values to try."""

    module: str
    name: str
    values: tuple[Any, ...] = ()  #: none: 0.7 and 1.4 times what it is

    def changes(self) -> Iterable[tuple[str, Any]]:
        """What is printed, and the value."""
        if self.values:
            return [(str(value), value) for value in self.values]
        now = getattr(import_module(f"reconstruct_face.backend.{self.module}"), self.name)
        return [(f"x {factor}", scaled(now, factor)) for factor in FACTORS]


def scaled(value: Any, factor: float) -> Any:
    """Every number of ``value`` times ``factor``; whole ones stay whole."""
    if isinstance(value, dict):
        return {name: scaled(part, factor) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(scaled(part, factor) for part in value)
    return max(1, round(value * factor)) if isinstance(value, int) else value * factor


def _scaled(module: str, *names: str) -> list[Constant]:
    return [Constant(module, name) for name in names]


class _Settings(partial):
    """:class:`FitSettings` with other defaults."""

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.keywords.items())


def _settings(*names: str) -> list[Constant]:
    """Of the fit to landmarks."""
    found = []
    for name in names:
        now = getattr(FitSettings, name)
        values = [_Settings(FitSettings, **{name: factor * now}) for factor in FACTORS]
        found.append(Constant("fit.landmark_fit", "FitSettings", tuple(values)))
    return found


def _cosines(*degrees: float) -> tuple[float, ...]:
    return tuple(float(np.cos(np.radians(angle))) for angle in degrees)


@dataclass(frozen=True)
class Case:
    """One table."""

    errors: Callable[[FaceModel, Any], Errors]
    constants: list[Constant]
    pictures: int
    prepare: Callable[[FaceModel, Example], Any] = lambda _, example: example
    open_mouth: bool = False


CASES = {
    "teeth": Case(
        teeth_errors,
        [
            Constant("align.teeth", "LEAST_LIGHT", (0.25, 0.35, 0.45, 0.65, 0.75)),
            Constant("align.teeth", "MOST_COLOUR", (0.2, 0.3, 0.4, 0.5)),
            *_scaled("align.teeth", "THINNEST", "MOUTH_WIDTH", "NARROWEST_PX"),
        ],
        48,
        open_mouth=True,
    ),
    "gaze": Case(
        gaze_errors,
        [
            Constant("fit.gaze", "TRUST", ((0.66, 0.6), (1.3, 0.6), (0.95, 0.42), (0.95, 0.84))),
            *_scaled("fit.gaze", "CLOSED", "DISAGREEMENT", "IRIS_RADIUS_MM"),
            *_scaled("fit.gaze", "SMALLEST_IRIS_PX", "ONE_EYE_YAW", "MOST"),
        ],
        48,
    ),
    "hair": Case(
        hair_errors,
        [
            *_scaled("texture.hair", "THIN_TO_FULL", "UNSEEN", "STANDING_OFF", "REACH_EDGES"),
            *_scaled("texture.hair", "UNLIKE_FOR_COLOUR", "UNLIKE_FOR_COVER", "DARKER"),
            *_scaled("texture.hair", "HIGHLIGHT", "QUANTILE", "STANDS_OUT", "AS_DARK", "AROUND"),
            *_scaled("texture.hair", "STREAKS", "MOST_CHROMA", "RING_FOR_COLOUR"),
            *_scaled("texture.hair", "RING_FOR_COVER", "BEYOND"),
        ],
        24,
        scalp,
    ),
    "texture": Case(
        texture_errors,
        [
            Constant("texture.trust", "FACING_FULL", _cosines(44, 68)),
            Constant("texture.trust", "FACING_NONE", _cosines(72, 86)),
            *_scaled("texture.trust", "DEPTH_BIAS", "HIDDEN", "FACE_MM", "BELIEVED_FACING"),
            *_scaled("texture.trust", "SPREAD_LOW", "SPREAD_HIGH", "SKIN_LIKE", "SMOOTHING"),
            *_scaled("texture.trust", "BORDER"),
            *_scaled("texture.view", "OFF_OUTLINE", "OFF_EYES", "OFF_MOUTH", "JUMP_SLOPE"),
            *_scaled("texture.compose", "HIGHLIGHT", "HIGHLIGHT_KEPT", "BETTER_SEEN"),
            *_scaled("texture.eyes", "IRIS_RING", "IRIS_QUANTILES"),
            *_scaled("texture.diffuse", "SMOOTHING_EDGES"),
            *_scaled("texture.light", "EXPOSURE_SIGMA", "CAST_SIGMA", "_COMMON_SIGMA"),
            *_scaled("texture.light", "_CHANNEL_SIGMA", "_EFFECTIVE_SAMPLES", "_NOISE"),
            Constant("texture.build", "SHADING_RANGE", ((0.57, 1.5), (0.28, 2.3))),
        ],
        12,
    ),
    "warp": Case(
        texture_errors,
        [
            *_scaled("texture.view", "WARP_LIMIT", "WARP_NOISE"),
            Constant("texture.view", "WARP_KERNELS", (((1.0, 0.25), (0.0, 0.07)),)),
            Constant("texture.view", "WARP_KERNELS", (((0.7, 0.18), (0.3, 0.05)),)),
            Constant("texture.view", "WARP_KERNELS", (((0.7, 0.35), (0.3, 0.10)),)),
        ],
        8,
        fitted,
    ),
    "landmarks": Case(
        landmark_errors,
        [
            *_scaled("fit.landmark_fit", "EXPRESSION_SIGMA", "DEFAULT_EXPRESSION_SIGMA"),
            *_scaled("fit.landmark_fit", "TEETH_JAW_SIGMA"),
            Constant("fit.landmark_fit", "TEETH_SHARES", ((0.1, 0.3), (0.4, 0.8), (1.1, 1.2))),
            *_settings("distance_mm", "distance_sigma", "focal_sigma", "gap_mm", "mirror_sigma"),
            *_scaled("fit.landmark_fit", "LIMIT"),
            Constant("model.contour", "FRONTAL_YAW_DEGREES", (0.0, 15.0)),
        ],
        24,
    ),
    "fit": Case(
        fit_errors,
        [
            *_scaled("fit.landmark_fit", "EXPRESSION_SIGMA"),
            *_scaled("fit.with_network", "DISTANCE_SIGMA"),
            *_scaled("fit.refine.priors", "NETWORK_SIGMA_SCALE"),
            Constant("fit.refine.surface", "PARTS", (dict.fromkeys(PARTS, 1.0),)),
            Constant("fit.refine.surface", "FACING", ((0.1, 0.3), (0.4, 0.7))),
            *_scaled("fit.refine.surface", "OUTLINE"),
            *_scaled("fit.refine.photometric", "FLOOR"),
            *_scaled("fit.refine.robust", "WORST", "CUT", "REGION_CUT"),
            Constant("fit.refine.refine", "GAIN", (1e-2, 1e-4)),
        ],
        8,
    ),
}
