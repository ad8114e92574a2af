"""The parts of the loss on pictures with known coefficients, and the numbers of validation."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..differentiable import rotation_of_6d
from ..model import FaceModel
from ..network.layout import Layout
from .augment import Pictures
from .config import LossWeights
from .geometry import project
from .points import (
    FacePoints,
    albedo_level,
    albedo_metric,
    local_effects,
    neutral_metric,
    posed_metric,
)

#: log half sides; a landmark's expected error stays between 0.2 and 40 % of the crop's half side.
SIGMA_LIMITS = (-6.0, -0.9)


class LabelLosses(nn.Module):
    """Parts of the loss of network outputs against labels, each a mean over the batch.

    ``landmarks``, ``dense``: mean distance in half sides.  ``sigma``: negative log likelihood of
    the landmarks' distances r under density exp(-2 r / s), whose mean is s (Kendall and Gal 2017).
    ``neutral``, ``posed``: RMS distance in mm.  ``coefficients``: mean of mm.  ``albedo``: relative
    RMS plus a small share of the coefficients' own.  ``illumination``: Huber, in standard
    deviations.  ``rotation``: Frobenius norm, 1.4 per radian.  ``scale``, ``distance``: logarithms.
    """

    def __init__(self, model: FaceModel, label_mean: NDArray, label_std: NDArray) -> None:
        super().__init__()
        self._layout = Layout.of(model)
        self.points = FacePoints(model)
        arrays = {
            "label_mean": label_mean,
            "label_std": label_std,
            "neutral_metric": neutral_metric(model),
            "posed_metric": posed_metric(model),
            "effects": local_effects(model),
            "albedo_metric": albedo_metric(model),
            "albedo_level": albedo_level(model),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array, np.float32)))

    label_mean: Tensor
    label_std: Tensor
    neutral_metric: Tensor
    posed_metric: Tensor
    effects: Tensor
    albedo_metric: Tensor
    albedo_level: Tensor

    def labels_of(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(N, label_size) in the labels' units and (N, 68) log landmark errors of ``output``."""
        count = self._layout.label_size
        labels = output[:, :count] * self.label_std + self.label_mean
        return labels, output[:, count:].clamp(*SIGMA_LIMITS)

    def shape_of(self, labels: Tensor) -> Tensor:
        """(N, K + E) identity and expression."""
        s = self._layout.slices
        return labels[:, s["identity"].start : s["expression"].stop]

    def landmarks_of(self, labels: Tensor, jaw: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 68, 2) and (N, 200, 2) half sides: landmarks and dense points in the crop."""
        landmarks, dense = self.points(self.shape_of(labels), jaw)
        both = project(labels[:, :10], torch.cat([landmarks, dense], dim=1))
        return both[:, :68], both[:, 68:]

    def forward(self, output: Tensor, truth: Pictures) -> dict[str, Tensor]:
        """The parts for ``output`` (N, size) float32."""
        found, log_sigma = self.labels_of(output)
        s, true = self._layout.slices, truth.labels
        marks, dense = self.landmarks_of(found, truth.jaw)
        true_marks, true_dense = self.landmarks_of(true, truth.jaw)
        away = _length(marks - true_marks)
        shape = self.shape_of(found - true)
        off = {
            name: (found - true)[:, place]
            for name, place in s.items()
            if place.stop <= self._layout.label_size
        }
        light = off["illumination"] / self.label_std[s["illumination"]]
        turn = rotation_of_6d(found[:, :6]) - rotation_of_6d(true[:, :6])
        return {
            "landmarks": away.mean(),
            "dense": _length(dense - true_dense).mean(),
            "sigma": 2 * (away / log_sigma.exp() + log_sigma).mean(),
            "neutral": _length(off["identity"] @ self.neutral_metric).mean(),
            "posed": _length(shape @ self.posed_metric).mean(),
            "coefficients": (shape.abs() * self.effects).mean(),
            "albedo": self._albedo_error(found, true).mean() + 0.1 * off["albedo"].abs().mean(),
            "illumination": nn.functional.smooth_l1_loss(light, torch.zeros_like(light)),
            "rotation": _length(turn.flatten(1)).mean(),
            "scale": off["scale"].abs().mean(),
            "distance": off["distance"].abs().mean(),
        }

    def _albedo_error(self, found: Tensor, true: Tensor) -> Tensor:
        """(N,) RMS difference of the face's albedo over the true face's own mean."""
        place = self._layout.slices["albedo"]
        own = (1 + true[:, place] @ self.albedo_level).clamp_min(0.08)
        return _length((found - true)[:, place] @ self.albedo_metric) / own

    @torch.no_grad()
    def measure(self, output: Tensor, truth: Pictures) -> dict[str, Tensor]:
        """(N,) per picture, for people; see :mod:`.validation`."""
        found, _ = self.labels_of(output)
        s, true = self._layout.slices, truth.labels
        marks, _ = self.landmarks_of(found, truth.jaw)
        true_marks, _ = self.landmarks_of(true, truth.jaw)
        box = true_marks.amax(dim=1) - true_marks.amin(dim=1)
        identity = found[:, s["identity"]] - true[:, s["identity"]]
        turn = rotation_of_6d(true[:, :6])
        between = (rotation_of_6d(found[:, :6]) * turn).sum(dim=(1, 2))
        upright = turn * turn.new_tensor([1.0, -1.0, -1.0])[:, None]
        return {
            "landmarks_percent": 100 * _length(marks - true_marks).mean(1) / box.prod(1).sqrt(),
            "neutral_mm": _length(identity @ self.neutral_metric),
            "average_head_mm": _length(true[:, s["identity"]] @ self.neutral_metric),
            "posed_mm": _length(self.shape_of(found - true) @ self.posed_metric),
            "rotation_degrees": ((between - 1) / 2).clamp(-1, 1).acos().rad2deg(),
            "albedo_relative": self._albedo_error(found, true),
            "light_rms": (found - true)[:, s["illumination"]].square().mean(1).sqrt(),
            "yaw_degrees": torch.atan2(upright[:, 0, 2], upright[:, 2, 2]).rad2deg().abs(),
        }


def weighted_sum(parts: dict[str, Tensor], weights: LossWeights, *, plain: bool) -> Tensor:
    """The loss; ``plain`` leaves out the landmarks' expected errors."""
    factors = asdict(weights)
    if plain:
        factors["sigma"] = 0.0
    return torch.stack([factors[name] * part for name, part in parts.items()]).sum()


def _length(x: Tensor) -> Tensor:
    """Norm over the last axis, with a gradient at zero."""
    return (x.square().sum(-1) + 1e-8).sqrt()
