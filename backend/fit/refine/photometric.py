"""The photo against the head: residuals at surface samples, linearised.

Colours are compared as logarithms of linear light, as in :mod:`..texture.light`, so that a shadow
on light skin and the same shadow on dark skin count alike.  A sample's residual is what the photo
shows where the sample is projected, less albedo times shading there (Blanz and Vetter 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn import functional

from ...differentiable.camera import project, projection_jacobian
from ...differentiable.shading import sh_basis
from ...geometry.srgb import LUMINANCE, SRGB_TO_LINEAR, luminance
from ...texture.light import DARKEST_SHADE
from ..observation import Observation, State
from .surface import SampledModel, Samples

#: Added to linear light before its logarithm is taken: the noise of dark pixels.
FLOOR = 0.01
#: Standard deviation of the log colour of well-explained skin.
NOISE = 0.12
_DARKEST_ALBEDO = 0.002


class Level:
    """The crop at one resolution: log colours that can be sampled with their gradient."""

    def __init__(self, observation: Observation, side: int, blur: float, device: torch.device):
        scale = len(observation.image) / side
        linear = SRGB_TO_LINEAR[observation.image]
        if scale > 1:
            linear = cv2.resize(linear, (side, side), interpolation=cv2.INTER_AREA)
        if blur:
            linear = cv2.GaussianBlur(linear, (0, 0), blur)
        if observation.grey:
            linear = luminance(linear)[..., None]
        log = np.log(linear + FLOOR).astype(np.float32)
        planes = [log]
        planes += [
            cv2.Scharr(log, cv2.CV_32F, *order, scale=1 / 32).reshape(log.shape)
            for order in ((1, 0), (0, 1))
        ]
        stack = np.concatenate(planes, 2).transpose(2, 0, 1)
        self.planes = torch.as_tensor(np.ascontiguousarray(stack), device=device)[None]
        enlarge = np.diag([scale, scale, 1.0])
        enlarge[:2, 2] = scale / 2 - 0.5
        self.side, self.channels = side, log.shape[2]
        self.to_photo = observation.to_photo @ enlarge
        self.from_photo = np.linalg.inv(self.to_photo)
        valid = observation.valid.astype(np.uint8) * 255
        self.valid = cv2.resize(valid, (side, side), interpolation=cv2.INTER_AREA) > 250
        self._turn = torch.as_tensor(self.from_photo, dtype=torch.float32, device=device)

    def at(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Log colours (N, C) at photo ``pixels`` (N, 2), and their gradient (N, C, 2) there."""
        place = pixels @ self._turn[:2, :2].T + self._turn[:2, 2]
        grid = (place + 0.5) * (2 / self.side) - 1
        sampled = functional.grid_sample(
            self.planes, grid[None, :, None], padding_mode="border", align_corners=False
        )[0, ..., 0].T
        colours, slope = sampled[:, : self.channels], sampled[:, self.channels :]
        gradient = torch.stack([slope[:, : self.channels], slope[:, self.channels :]], 2)
        return colours, gradient @ self._turn[:2, :2]


@dataclass(frozen=True, eq=False)
class _Shaded:
    """Everything at the samples for one state."""

    residual: Tensor  #: (N, C) photo less model
    gradient: Tensor  #: (N, C, 2) of the photo, per photo pixel
    camera_points: Tensor  #: (N, 3)
    normals: Tensor  #: (N, 3)
    albedo: Tensor  #: (N, C)
    shade: Tensor  #: (N, C)


class Photometric:
    """Residuals of one level at one set of samples."""

    def __init__(self, level: Level, surface: SampledModel, samples: Samples) -> None:
        self.level, self.surface, self.samples = level, surface, samples
        self.weight = torch.as_tensor(samples.weight, device=surface.mean.device)
        mean, basis = surface.albedo_mean, surface.albedo_basis
        if level.channels == 1:
            grey = mean.new_tensor(LUMINANCE)[:, None]
            mean, basis = mean @ grey, basis @ grey
        self.albedo_mean, self.albedo_basis = mean, basis  # (N, C), (N, A, C)
        self._normal_basis: Tensor | None = None

    def _tensor(self, values: NDArray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.weight.device)

    def geometry(self, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """Points in camera coordinates (N, 3), their photo pixels (N, 2), normals (N, 3)."""
        coefficients = np.concatenate([state.identity, state.expression])
        points, normals = self.surface.at(self._tensor(coefficients))
        camera = state.camera
        points = points @ self._tensor(camera.rotation).T + self._tensor(camera.translation)
        return points, project(points, self._tensor(camera.camera_matrix)), normals

    def observed(self, state: State) -> tuple[NDArray, NDArray]:
        """Linear colours (N, C) of the photo at the samples, and their normals (N, 3)."""
        _, pixels, normals = self.geometry(state)
        colours, _ = self.level.at(pixels)
        return (colours.exp() - FLOOR).clamp_min(0).cpu().numpy(), normals.cpu().numpy()

    def shaded(self, state: State) -> _Shaded:
        """Evaluate ``state``, whose albedo and light must be known."""
        assert state.albedo is not None and state.sh_light is not None
        points, pixels, normals = self.geometry(state)
        colours, gradient = self.level.at(pixels)
        weights = self._tensor(state.albedo)
        albedo = self.albedo_mean + torch.einsum("nac,a->nc", self.albedo_basis, weights)
        albedo = albedo.clamp_min(_DARKEST_ALBEDO)
        light = self._tensor(state.sh_light)[:, : self.level.channels]
        shade = (sh_basis(normals) @ light).clamp_min(DARKEST_SHADE)
        residual = colours - torch.log(albedo * shade + FLOOR)
        return _Shaded(residual, gradient, points, normals, albedo, shade)

    def jacobian(self, state: State, at: _Shaded) -> Tensor:
        """(N, C, 7 + K + A + 9 C + E) derivative of model less photo by all unknowns.

        The camera's columns are those of the landmark fit: turn 3, shift x and y, log distance, log
        focal length; the light's run channel by channel.
        """
        if self._normal_basis is None:
            # Normals turn little between two choices of samples: their derivative is kept.
            coefficients = np.concatenate([state.identity, state.expression])
            basis = self.surface.normal_basis(self._tensor(coefficients))
            self._normal_basis = torch.cat([self.surface.point_basis, basis], 1)
        assert state.sh_light is not None
        camera = state.camera
        rotation = self._tensor(camera.rotation)
        translation = self._tensor(camera.translation)
        by_point, by_camera = projection_jacobian(at.camera_points, camera.focal, translation)
        slope, moves = at.gradient @ by_point, at.gradient @ by_camera  # (N, C, 3), (N, C, 7)
        # d log(m + floor) = m / (m + floor) d log m
        model = at.albedo * at.shade
        bright = model / (model + FLOOR)
        channels = self.level.channels
        light = self._tensor(state.sh_light)[:, :channels]
        lit = (bright / at.shade)[..., None] * (at.shade > DARKEST_SHADE)[..., None]
        d_normal = vmap(jacrev(lambda normal: sh_basis(normal) @ light))(at.normals)
        shape = torch.cat([-(slope @ rotation), lit * d_normal], 2) @ self._normal_basis
        d_albedo = (bright / at.albedo)[..., None] * self.albedo_basis.transpose(1, 2)
        own = torch.eye(channels, device=slope.device)[..., None]
        d_light = own * (lit * sh_basis(at.normals)[:, None])[:, :, None]
        k = len(state.identity)
        parts = [-moves, shape[..., :k], d_albedo, d_light.flatten(2), shape[..., k:]]
        return torch.cat(parts, 2)
