"""One texture of a person's textures from several photos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange.options import Options
from .build import Texture

#: How strongly a texel is taken from the frame that shows it best.
_SHARPNESS = 5
#: Side of the textures in which the frames are compared, rounds of the median, and the distance of
#: log colours beyond which a frame disagrees.
_CONSENSUS, _WEISZFELD, _DISAGREES = 512, 8, 0.2


def merged(textures: Iterable[Texture | None], options: Options) -> Texture | None:
    """One texture: each texel from the frames that show it best and agree about it.

    Weights are the coverage to a high power, smoothed so that no seam shows; what a hand or a lock
    of hair covers in few frames has next to none there.
    """
    given = [texture for texture in textures if texture is not None]
    if len(given) <= 1 or options.texture == "photo":
        return given[0] if given else None
    size = len(given[0].image)
    total = np.zeros((size, size, 3), np.float32)
    weight = np.zeros((size, size), np.float32)
    reference = _mean_skin(given[0])
    # The frames' light was divided out one by one: what is left differs by a factor.
    gains = [reference / _mean_skin(texture) for texture in given]
    agreement = _agreement(given, gains)
    for texture, gain, agreed in zip(given, gains, agreement, strict=True):
        own = cv2.GaussianBlur(texture.coverage, (0, 0), size / 400) ** _SHARPNESS + 1e-4
        own *= cv2.resize(agreed, (size, size), interpolation=cv2.INTER_LINEAR)
        total += own[..., None] * (texture.image * gain)
        weight += own
    image = np.clip(np.rint(total / weight[..., None]), 0, 255).astype(np.uint8)
    coverage = np.max([texture.coverage for texture in given], axis=0)
    # Where no frame shows the skin the best frame's painted ground stands.
    return replace(given[0], image=image, coverage=coverage)


def _agreement(given: list[Texture], gains: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, S, S) how far each of N textures is believed, by its distance from what most show.

    What most show is the coverage-weighted spatial median (Weiszfeld 1937) of the texels; the
    belief falls as in Geman and McClure (1985).
    """
    side = (_CONSENSUS, _CONSENSUS)
    colours = np.stack(
        [
            cv2.resize(np.log(t.image * g + 8.0), side, interpolation=cv2.INTER_AREA)
            for t, g in zip(given, gains, strict=True)
        ]
    )
    seen = np.stack([cv2.resize(t.coverage, side, interpolation=cv2.INTER_AREA) for t in given])
    seen = np.maximum(seen, 1e-3)
    weights = seen
    for _ in range(_WEISZFELD):
        middle = (weights[..., None] * colours).sum(0) / weights.sum(0)[..., None]
        away = np.linalg.norm(colours - middle, axis=-1)
        weights = seen / np.maximum(away, 0.01)
    belief = (1 + (away / _DISAGREES) ** 2) ** -2.0
    blurred = [cv2.GaussianBlur(one, (0, 0), _CONSENSUS / 250) for one in belief]
    return np.stack(blurred).astype(np.float32)


def _mean_skin(texture: Texture) -> NDArray[np.float32]:
    sure = texture.coverage > 0.9
    colours = texture.image[sure] if sure.any() else texture.image.reshape(-1, 3)
    return np.maximum(colours.mean(axis=0), 1.0).astype(np.float32)
