"""From crops to coefficients with the trained network."""

from __future__ import annotations

import threading
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..model import FaceModel
from ..model.contour import seen_landmarks
from .crop_camera import CropPose
from .device import chosen_device
from .layout import Layout, anchor_of
from .mirror import mirror_matrix
from .resnet import channels_last
from .weights import Weights, load_weights

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What the network sees in a crop, in the units of :class:`~..model.FaceModel`."""

    pose: CropPose
    identity: Double  #: (K,) standard deviations
    expression: Double  #: (E,) within ``model.expression_range``
    albedo: Double  #: (A,) standard deviations
    sh_light: Double  #: (9, 3) head coordinates
    landmark_sigma: Double  #: (68,) expected error of each landmark, half sides of the crop


class Regressor:
    """The network at ``path`` (None: the shipped one), loaded at first use and kept.

    ``device`` None takes the one that was chosen, see :func:`~.device.chosen_device`.  Errors at
    first use or :meth:`warm`: :class:`~..errors.ModelError`; of the device at once.
    """

    def __init__(
        self, model: FaceModel, path: str | Path | None = None, device: str | None = None
    ) -> None:
        self.model = model
        self._path = path
        self._device = chosen_device(device)
        self._layout = Layout.of(model)
        self._lock = threading.Lock()
        self._loaded: tuple[Weights, nn.Module] | None = None

    def warm(self) -> None:
        """Load the weights now."""
        self._ready()

    @property
    def weights(self) -> Weights:
        """What was loaded: the training record and the extras too."""
        return self._ready()[0]

    def regress(self, crops: Bytes, mirrored: bool = True) -> list[Estimate]:
        """One estimate per crop of ``crops`` (N, S, S, 3) uint8 sRGB, any S.

        ``mirrored`` looks at the flipped crops too and takes the mean: better, at twice the work.
        """
        weights, network = self._ready()
        pictures = np.stack([_resized(crop, weights.input_size) for crop in crops])
        if mirrored:
            pictures = np.concatenate([pictures, pictures[:, :, ::-1]])
        vectors = self._run(network, weights, pictures)
        if mirrored:
            seen, flipped = np.split(vectors, 2)
            vectors = (seen + flipped @ mirror_matrix(self.model).T) / 2
        return [self._estimate(vector) for vector in vectors]

    def landmarks(self, estimate: Estimate, size: int) -> Double:
        """(68, 2) pixels of a crop of ``size``: the landmarks, the jaw's as they are seen."""
        model = self.model
        vertices = model.vertices(estimate.identity, estimate.expression)
        camera = estimate.pose.camera(anchor_of(model), size)
        return camera.project(seen_landmarks(model, vertices, camera))

    @torch.inference_mode()
    def _run(self, network: nn.Module, weights: Weights, pictures: Bytes) -> Double:
        """(N, size) in the units of the layout."""
        batch = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
        batch = batch.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)  # channels last already
        output = network(batch).double().cpu()
        count = self._layout.label_size
        output[:, :count] *= weights.label_std
        output[:, :count] += weights.label_mean
        return output.numpy()

    def _estimate(self, vector: Double) -> Estimate:
        part = self._layout.split(vector)
        low, high = self.model.expression_range.T
        return Estimate(
            CropPose.from_vector(vector[:10]),
            part["identity"],
            np.clip(part["expression"], low, high),
            part["albedo"],
            part["illumination"].reshape(9, 3),
            np.exp(part["landmark_sigma"]),
        )

    def _ready(self) -> tuple[Weights, nn.Module]:
        with self._lock:
            if self._loaded is None:
                weights = load_weights(self._path, self.model)
                self._loaded = weights, fused(weights.network).to(self._device)
            return self._loaded


def fused(network: nn.Module) -> nn.Module:
    """A copy for inference, each batch norm folded into the convolution before it.

    In float32: bfloat16 is faster where the CPU has it, but blurs the landmarks.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        for name, unit in module.named_children():
            match list(unit.children()):
                case [nn.Conv2d() as convolution, nn.BatchNorm2d() as norm]:
                    setattr(module, name, fuse_conv_bn_eval(convolution, norm))
    return channels_last(network)


def _resized(crop: Bytes, size: int) -> Bytes:
    if len(crop) == size:
        return crop
    smaller = len(crop) > size
    return cv2.resize(
        crop, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
