"""The loss on photographs: landmarks, the rendering against the picture, and priors.

As Deng et al. 2019, "Accurate 3D Face Reconstruction with Weakly-Supervised Learning", trained,
with the mask of the skin replaced by the landmarks' outline and robust weights.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..differentiable import Cameras, TorchFaceModel, best_rasterizer, render, srgb
from ..model import FaceModel
from ..model.contour import FRONTAL_YAW_DEGREES
from ..network.layout import Layout, anchor_of
from ..network.mirror import mirrored_landmarks
from .losses import LabelLosses

#: Pixels at most of the pictures compared, and of the albedo map.
RENDER_SIZE = 112
_ALBEDO_SIZE = 128
#: sRGB; residuals well above are something else than skin (Geman and McClure 1987).
_ROBUST = 0.15
_JAW_WEIGHT = 0.5  #: the jaw's landmarks err most


class PhotoLosses(nn.Module):
    """Parts of the loss of network outputs against photographs, each a mean over the batch.

    ``photo_landmarks``: mean distance in half sides.  ``photometric``: robust mean distance of
    sRGB colours, 0 to 1, where face is rendered within the landmarks' outline.  ``prior``: mean
    squares of identity, albedo and light in standard deviations, and of expression out of range.
    """

    def __init__(self, model: FaceModel, labels: LabelLosses) -> None:
        super().__init__()
        self._labels = [labels]  # a list: the module is not ours to move or to save
        self._slices = Layout.of(model).slices
        self._rendered = TorchFaceModel(model, albedo_size=_ALBEDO_SIZE)
        self._mirror = mirrored_landmarks(model)
        arrays = {
            "anchor": anchor_of(model).astype(np.float32),
            "fixed": model.landmarks68[:17].astype(np.int64),
            "candidates": model.contour_candidates.astype(np.int64),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(array))
        weights = torch.ones(68)
        weights[:17] = _JAW_WEIGHT
        self.register_buffer("landmark_weights", weights / weights.sum())

    anchor: Tensor
    fixed: Tensor
    candidates: Tensor
    landmark_weights: Tensor

    def flipped(self, crops: Tensor, landmarks: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """``crops`` (N, S, S, 3) and ``landmarks`` (N, 68, 2), mirrored where ``chosen`` (N,)."""
        other = landmarks[:, self._mirror] * landmarks.new_tensor([-1.0, 1.0])
        return (
            torch.where(chosen[:, None, None, None], crops.flip(2), crops),
            torch.where(chosen[:, None, None], other, landmarks),
        )

    def forward(self, output: Tensor, pixels: Tensor, landmarks: Tensor) -> dict[str, Tensor]:
        """``output`` (N, size), ``pixels`` (N, 3, T, T) sRGB 0..1, ``landmarks`` (N, 68, 2)."""
        labels, _ = self._labels[0].labels_of(output)
        marks, _ = self._labels[0].landmarks_of(labels, self.visible_jaw(labels))
        away = (marks - landmarks).square().sum(-1).add(1e-8).sqrt()
        return {
            "photo_landmarks": (away @ self.landmark_weights).mean(),
            "photometric": self._photometric(labels, pixels, landmarks),
            "prior": self._prior(labels),
        }

    @torch.no_grad()
    def visible_jaw(self, labels: Tensor) -> Tensor:
        """(N, 17) vertex ids, as :func:`~..model.contour.visible_jaw` chooses them."""
        cameras = Cameras.of_crop_poses(labels[:, :10], self.anchor, 2)
        shape = self._split(labels)
        vertices = self._rendered.vertices(shape["identity"], shape["expression"])
        strip = self.candidates.clamp_min(0).flatten()
        seen = cameras.project(vertices[:, strip])
        yaw = torch.atan2(cameras.rotation[:, 0, 2], -cameras.rotation[:, 2, 2])
        outward = cameras.rotation[:, :2, 0] * yaw.sign()[:, None]
        reach = (seen * outward[:, None]).sum(-1).unflatten(1, self.candidates.shape)
        reach = reach.masked_fill(self.candidates < 0, -torch.inf)
        best = self.candidates.expand(len(labels), -1, -1).gather(2, reach.argmax(2)[..., None])
        number = torch.arange(17, device=labels.device)
        far = torch.where(yaw[:, None] > 0, number >= 9, number < 8)
        far = far & (yaw.abs().rad2deg() >= FRONTAL_YAW_DEGREES)[:, None]
        far = far & (self.candidates >= 0).any(1)
        return torch.where(far, best[..., 0], self.fixed)

    def _photometric(self, labels: Tensor, pixels: Tensor, landmarks: Tensor) -> Tensor:
        size = min(RENDER_SIZE, pixels.shape[-1])
        part = self._split(labels)
        linear, mask = render(
            self._rendered,
            Cameras.of_crop_poses(labels[:, :10], self.anchor, size),
            part["identity"],
            part["expression"],
            part["albedo"],
            part["illumination"].unflatten(1, (9, 3)),
            (size, size),
            best_rasterizer(labels.device),
        )
        photo = functional.adaptive_avg_pool2d(pixels, size).permute(0, 2, 3, 1)
        away = (srgb.encode(linear) - photo).square().mean(-1).add(1e-8).sqrt()
        outline = torch.from_numpy(outlines(landmarks.cpu().numpy(), size)).to(labels.device)
        inside = (mask & outline).float()
        robust = away.square() / (away.square() + _ROBUST**2)
        # The constant gives it the slope of the plain distance where that is small.
        return (_ROBUST * robust * inside).sum() / inside.sum().clamp_min(1)

    def _prior(self, labels: Tensor) -> Tensor:
        part = self._split(labels)
        losses = self._labels[0]
        light = (labels - losses.label_mean) / losses.label_std
        low, high = self._rendered.expression_range.T
        outside = part["expression"] - part["expression"].clamp(low, high)
        return (
            part["identity"].square().mean()
            + part["albedo"].square().mean()
            + light[:, self._slices["illumination"]].square().mean()
            + 10 * outside.square().mean()
        )

    def _split(self, labels: Tensor) -> dict[str, Tensor]:
        width = labels.shape[1]
        return {name: labels[:, s] for name, s in self._slices.items() if s.stop <= width}


def outlines(landmarks: NDArray[np.float32], size: int) -> NDArray[np.bool_]:
    """(N, size, size) the convex hulls of ``landmarks`` (N, 68, 2) half sides."""
    masks = np.zeros((len(landmarks), size, size), np.uint8)
    for mask, marks in zip(masks, landmarks, strict=True):
        pixels = np.rint(marks * size / 2 + (size - 1) / 2).astype(np.int32)
        cv2.fillConvexPoly(mask, cv2.convexHull(pixels), 1)
    return masks.astype(bool)
