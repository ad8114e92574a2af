"""Photographs without labels beside the labelled pictures of each step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..model import FaceModel
from .augment import resized
from .config import Config
from .losses import LabelLosses
from .photo_losses import PhotoLosses
from .photos import prepare_photos
from .processes import Processes


class PhotoBatch(NamedTuple):
    """Photographs as the network trains on them."""

    images: Tensor  #: (N, 3, T, T) uint8 sRGB
    landmarks: Tensor  #: (N, 68, 2) half sides


class PhotoStage:
    """Draws the photographs of a step, and knows their loss."""

    def __init__(
        self,
        config: Config,
        model: FaceModel,
        labels: LabelLosses,
        team: Processes,
        report: Callable[[str], None],
    ) -> None:
        self._config, self._team = config, team
        folder, cache = Path(config.photos), Path(config.out) / "photos"
        self._photos = team.first_then_all(lambda: prepare_photos(folder, cache, report))
        self._losses = PhotoLosses(model, labels).to(team.device)

    def draw(self, step: int) -> PhotoBatch:
        """The photographs of ``step`` in this process, some of them flipped."""
        config = self._config
        seed = (config.seed, step, self._team.rank)
        crops, landmarks = self._photos.draw(config.photo_batch, seed)
        flip = np.random.default_rng((*seed, 1)).random(len(crops)) < config.augment.flip
        crops, landmarks = self._losses.flipped(crops, landmarks, torch.from_numpy(flip))
        pixels = resized(crops.permute(0, 3, 1, 2).float(), config.image_size)
        return PhotoBatch(pixels.round().to(torch.uint8), landmarks)

    def losses(self, output: Tensor, batch: PhotoBatch) -> dict[str, Tensor]:
        """See :class:`.photo_losses.PhotoLosses`; ``output`` (N, size) float32."""
        pixels = batch.images.to(output.device).float() / 255
        return self._losses(output, pixels, batch.landmarks.to(output.device))
