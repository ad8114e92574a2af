"""From crops to coefficients with the trained network."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .. import heap
from ..model import FaceModel
from ..model.contour import seen_landmarks
from .crop_camera import CropPose
from .device import chosen_device, is_chosen
from .layout import Layout, anchor_of
from .mirror import mirror_matrix
from .runners import Runner, to_input, tried_runner
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
        self._device, self._insist = chosen_device(device), is_chosen(device)
        self.note = ""  #: where it is not computed on the device that is there: why, once loaded
        self._layout = Layout.of(model)
        self._lock = threading.Lock()
        self._loaded: tuple[Weights, Runner] | None = None

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
        weights, run = self._ready()
        pictures = np.stack([_resized(crop, weights.input_size) for crop in crops])
        if mirrored:
            pictures = np.concatenate([pictures, pictures[:, :, ::-1]])
        vectors = self._run(run, weights, pictures)
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

    def _run(self, run: Runner, weights: Weights, pictures: Bytes) -> Double:
        """(N, size) in the units of the layout."""
        output = run(to_input(pictures)).astype(np.float64)
        count = self._layout.label_size
        output[:, :count] *= weights.label_std
        output[:, :count] += weights.label_mean
        return output

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

    def _ready(self) -> tuple[Weights, Runner]:
        with self._lock:
            if self._loaded is None:
                weights = load_weights(self._path, self.model)
                run, self.note = tried_runner(
                    weights.architecture,
                    weights.tensors,
                    self._device,
                    weights.input_size,
                    insist=self._insist,
                )
                # The runner has its own copy; only the record and the extras are asked for.
                self._loaded = replace(weights, tensors={}), run
                del weights
                heap.give_back()  # loading takes four times what stays
            return self._loaded


def _resized(crop: Bytes, size: int) -> Bytes:
    if len(crop) == size:
        return crop
    smaller = len(crop) > size
    return cv2.resize(
        crop, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
