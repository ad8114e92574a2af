"""Trains the regressor from contours to expression: ``assets/expression_regressor.npz``."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...errors import TrainingError
from ...files import write_bytes
from ...fit.contour_features import FEATURES
from ...fit.expression_regressor import LAYERS, ExpressionRegressor
from ...model import FaceModel
from .heads import Sampler
from .observed import observed_features

Float = NDArray[np.float32]
Report = Callable[[str], None]

#: Heads drawn at a time.
_CHUNK = 10_000
#: Share of the heads that are kept out of the training, for the errors.
HELD_OUT = 0.04
#: Of the loss: the likelihood's share, and the squares', without which rare shapes would be given
#: up as noise.
_LIKELIHOOD, _SQUARES = 0.2, 5.0


@dataclass(frozen=True)
class Recipe:
    """How it is trained."""

    heads: int = 220_000
    epochs: int = 5
    width: int = 192
    batch: int = 512
    learning_rate: float = 2e-3
    seed: int = 5

    def __post_init__(self) -> None:
        if min(self.heads * (1 - HELD_OUT) // self.batch, self.epochs, self.width) < 1:
            raise TrainingError("There are too few heads for one step, or no epoch to train.")


class _Perceptron(nn.Module):
    def __init__(self, outputs: int, recipe: Recipe) -> None:
        super().__init__()
        sizes = [FEATURES] + [recipe.width] * LAYERS
        self.hidden = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.last = nn.Linear(sizes[-1], 2 * outputs)
        with torch.no_grad():  # sigmas start alike
            self.last.weight[outputs:] *= 0.1
            self.last.bias[outputs:] = -1.5

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log sigmas (N, E)."""
        for layer in self.hidden:
            features = nn.functional.silu(layer(features))
        means, logs = self.last(features).chunk(2, dim=1)
        return means, logs.clamp(-4.0, 1.0)


def train_regressor(
    model: FaceModel, recipe: Recipe, report: Report = print
) -> ExpressionRegressor:
    """A regressor for ``model``'s expressions, wholly decided by ``recipe`` on one machine.

    Raises :class:`TrainingError` where the model lacks ARKit's expressions.
    """
    if "browInnerUp" not in model.expression_names:
        raise TrainingError(f"The face model {model.name} lacks ARKit's expressions.")
    rng, sampler = np.random.default_rng(recipe.seed), Sampler(model)
    features, weights = [], []
    for start in range(0, recipe.heads, _CHUNK):
        heads = sampler.draw(min(_CHUNK, recipe.heads - start), rng)
        features.append(observed_features(heads, sampler.template, rng))
        weights.append(heads.expression.astype(np.float32))
    x, y = np.concatenate(features), np.concatenate(weights)
    out = max(1, int(HELD_OUT * len(x)))
    held = x[:out], y[:out]
    mean, spread = x[out:].mean(axis=0), x[out:].std(axis=0) + 1e-3
    network = _train((x[out:] - mean) / spread, y[out:], recipe, report)
    layers = tuple(
        (layer.weight.detach().half().float().numpy(), layer.bias.detach().numpy())
        for layer in [*network.hidden, network.last]
        if isinstance(layer, nn.Linear)
    )
    size = len(sampler.names)
    plain = ExpressionRegressor(
        sampler.names,
        sampler.template,
        mean,
        spread,
        layers,
        np.ones(size, np.float32),
        np.eye(size, dtype=np.float32),
    )
    found, sigmas = plain.run(held[0])
    errors = (held[1] - found) / sigmas
    report(f"held-out error {np.sqrt(np.square(held[1] - found).mean()):.4f}")
    return ExpressionRegressor(
        *(plain.names, plain.template, mean, spread, layers),
        np.sqrt(np.square(errors).mean(axis=0)).astype(np.float32),
        np.corrcoef(errors.T).astype(np.float32),
    )


def _train(features: Float, weights: Float, recipe: Recipe, report: Report) -> _Perceptron:
    torch.manual_seed(recipe.seed)
    x, y = torch.from_numpy(features), torch.from_numpy(weights)
    network = _Perceptron(y.shape[1], recipe)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=1e-4)
    per_epoch = len(x) // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * per_epoch, pct_start=0.1
    )
    for epoch in range(recipe.epochs):
        order, total = torch.randperm(len(x)), 0.0
        for chosen in order[: per_epoch * recipe.batch].split(recipe.batch):
            means, logs = network(x[chosen])
            missed = y[chosen] - means
            likelihood = (0.5 * (missed / logs.exp()) ** 2 + logs).mean()
            loss = _LIKELIHOOD * likelihood + _SQUARES * missed.square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        report(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / per_epoch:.4f}")
    return network


def save_regressor(path: str | Path, regressor: ExpressionRegressor) -> Path:
    """Write ``regressor``; raises :class:`~...errors.OutputError`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **regressor.arrays())
    return write_bytes(path, buffer.getvalue())
