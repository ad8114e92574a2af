"""An MLP-Mixer (Tolstikhin et al., NeurIPS 2021) that reads 52 scores from points, by numpy.

It is the second network of :mod:`.face_landmarker`: 97 tokens of 64 numbers, one of which is there
before the points are, and which the scores are read from in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, read_npz
from ..bounded import short
from ..errors import ModelError

Float = NDArray[np.float32]
#: Weight (out, in) and bias (out,).
Linear = tuple[Float, Float]

#: How many mixing layers there are.
LAYERS = 4


@dataclass(frozen=True, eq=False)
class Mixing:
    """One layer: tokens are mixed, then the numbers of each, both added to what they came from."""

    token_gain: Float  #: (D,) of the normalisation before
    tokens: tuple[Linear, Linear]
    channel_gain: Float  #: (D,)
    channels: tuple[Linear, Linear]


@dataclass(frozen=True, eq=False)
class Mixer:
    """The weights; T tokens of D numbers."""

    scale: float  #: of the points, whose mean distance from their middle is 1
    epsilon: float  #: of the normalisations
    token: Float  #: (D,) the token that the scores are read from
    points: Linear  #: the points to the other T - 1 tokens
    places: Linear  #: x and y to D numbers
    layers: tuple[Mixing, ...]
    scores: Linear  #: D numbers to the scores

    def __call__(self, points: NDArray) -> NDArray[np.float64]:
        """(52,) 0..1 of (146, 2) float32 points about their middle."""
        weight, bias = self.points
        x = weight @ (points * self.scale) + bias[:, None]
        weight, bias = self.places
        x = np.vstack([self.token, x @ weight.T + bias])
        for layer in self.layers:
            x = x + _perceptron(self._normalised(x, layer.token_gain).T, *layer.tokens).T
            x = x + _perceptron(self._normalised(x, layer.channel_gain), *layer.channels)
        weight, bias = self.scores
        return 1 / (1 + np.exp(-(weight @ x[0] + bias).astype(np.float64)))

    def _normalised(self, x: Float, gain: Float) -> Float:
        """Layer normalisation (Ba et al. 2016) without an offset."""
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + self.epsilon) * gain

    @classmethod
    def load(cls, path: Path) -> Mixer:
        """Of the file at ``path``; raises :class:`ModelError`: missing or damaged."""
        try:
            return cls.of(read_npz(path, members()))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The network of expressions {path.name} is missing or damaged ({short(error)}); "
                "install the add-on again."
            ) from error

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray]) -> Mixer:
        """Of ``arrays`` as :func:`members` names them."""

        def linear(name: str) -> Linear:
            return arrays[f"{name}_weight"], arrays[f"{name}_bias"]

        layers = tuple(
            Mixing(
                arrays[f"tokens{i}_gain"],
                (linear(f"tokens{i}_in"), linear(f"tokens{i}_out")),
                arrays[f"channels{i}_gain"],
                (linear(f"channels{i}_in"), linear(f"channels{i}_out")),
            )
            for i in range(LAYERS)
        )
        scale, epsilon = float(arrays["scale"]), float(arrays["epsilon"])
        first = linear("points"), linear("places")
        return cls(scale, epsilon, arrays["token"], *first, layers, linear("scores"))


def members() -> dict[str, Member]:
    """What the file has to hold."""
    found = {"scale": Member("f4", ()), "epsilon": Member("f4", ()), "token": Member("f4", ("d",))}

    def linear(name: str, out: int | str, inside: int | str) -> None:
        found[f"{name}_weight"] = Member("f4", (out, inside))
        found[f"{name}_bias"] = Member("f4", (out,))

    linear("points", "others", 146)
    linear("places", "d", 2)
    for i in range(LAYERS):
        found[f"tokens{i}_gain"] = found[f"channels{i}_gain"] = Member("f4", ("d",))
        linear(f"tokens{i}_in", "wide", "tokens")
        linear(f"tokens{i}_out", "tokens", "wide")
        linear(f"channels{i}_in", "deep", "d")
        linear(f"channels{i}_out", "d", "deep")
    linear("scores", 52, "d")
    return found


def _perceptron(x: Float, into: Linear, back: Linear) -> Float:
    """Of rows ``x`` (N, in), with a ReLU between: (N, out)."""
    return np.maximum(x @ into[0].T + into[1], 0) @ back[0].T + back[1]
