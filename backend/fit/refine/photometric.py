"""The photo against the head: residuals at surface samples, linearised.

Colours are compared as logarithms of linear light, as in :mod:`..texture.light`, so that a shadow
on light skin and the same shadow on dark skin count alike.  A sample's residual is what the photo
shows where the sample is projected, less albedo times shading there (Blanz and Vetter 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.camera import project, projection_derivatives
from ...geometry.harmonics import sh_basis, sh_gradient
from ...geometry.sampling import bilinear
from ...geometry.srgb import LUMINANCE, SRGB_TO_LINEAR, luminance
from ...texture.light import DARKEST_SHADE
from ..observation import Observation, State
from .surface import SampledModel, Samples

Float = NDArray[np.float32]

#: Added to linear light before its logarithm is taken: the noise of dark pixels.
FLOOR = 0.01
#: Standard deviation of the log colour of well-explained skin.
NOISE = 0.12
_DARKEST_ALBEDO = 0.002


class Level:
    """The crop at one resolution: log colours that can be sampled with their gradient."""

    def __init__(self, observation: Observation, side: int, blur: float) -> None:
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
        self.planes = np.concatenate(planes, 2)
        enlarge = np.diag([scale, scale, 1.0])
        enlarge[:2, 2] = scale / 2 - 0.5
        self.side, self.channels = side, log.shape[2]
        self.to_photo = observation.to_photo @ enlarge
        self.from_photo = np.linalg.inv(self.to_photo)
        valid = observation.valid.astype(np.uint8) * 255
        self.valid = cv2.resize(valid, (side, side), interpolation=cv2.INTER_AREA) > 250
        self._turn = self.from_photo.astype(np.float32)

    def at(self, pixels: Float) -> tuple[Float, Float]:
        """Log colours (N, C) at photo ``pixels`` (N, 2), and their gradient (N, C, 2) there."""
        sampled = bilinear(self.planes, pixels @ self._turn[:2, :2].T + self._turn[:2, 2])
        colours, *slope = np.split(sampled, 3, axis=1)
        return colours, np.stack(slope, 2) @ self._turn[:2, :2]


@dataclass(frozen=True, eq=False)
class _Shaded:
    """Everything at the samples for one state."""

    residual: Float  #: (N, C) photo less model
    gradient: Float  #: (N, C, 2) of the photo, per photo pixel
    camera_points: Float  #: (N, 3)
    normals: Float  #: (N, 3)
    albedo: Float  #: (N, C)
    shade: Float  #: (N, C)


class Photometric:
    """Residuals of one level at one set of samples."""

    def __init__(self, level: Level, surface: SampledModel, samples: Samples) -> None:
        self.level, self.surface, self.samples = level, surface, samples
        mean, basis = surface.albedo_mean, surface.albedo_basis
        if level.channels == 1:
            grey = np.asarray(LUMINANCE, np.float32)[:, None]
            mean, basis = mean @ grey, basis @ grey
        self.albedo_mean, self.albedo_basis = mean, basis  # (N, C), (N, A, C)
        self._normal_basis: Float | None = None
        self._last: tuple[State, _Shaded] | None = None

    def geometry(self, state: State) -> tuple[Float, Float, Float]:
        """Points in camera coordinates (N, 3), their photo pixels (N, 2), normals (N, 3)."""
        points, normals = self.surface.at(_coefficients(state))
        camera = state.camera
        points = points @ _single(camera.rotation).T + _single(camera.translation)
        return points, project(points, camera.camera_matrix), normals

    def observed(self, state: State) -> tuple[NDArray, NDArray]:
        """Linear colours (N, C) of the photo at the samples, and their normals (N, 3)."""
        _, pixels, normals = self.geometry(state)
        colours, _ = self.level.at(pixels)
        return np.maximum(np.exp(colours) - FLOOR, 0), normals

    def shaded(self, state: State) -> _Shaded:
        """Evaluate ``state``, whose albedo and light must be known."""
        # A step's weights, cost and derivatives ask for one state in a row.
        if self._last is None or self._last[0] is not state:
            self._last = state, self._shaded(state)
        return self._last[1]

    def _shaded(self, state: State) -> _Shaded:
        assert state.albedo is not None and state.sh_light is not None
        points, pixels, normals = self.geometry(state)
        colours, gradient = self.level.at(pixels)
        albedo = self.albedo_mean + _single(state.albedo) @ self.albedo_basis
        albedo = np.maximum(albedo, _DARKEST_ALBEDO)
        light = _single(state.sh_light)[:, : self.level.channels]
        shade = np.maximum(sh_basis(normals) @ light, DARKEST_SHADE)
        residual = colours - np.log(albedo * shade + FLOOR)
        return _Shaded(residual, gradient, points, normals, albedo, shade)

    def jacobian(self, state: State, at: _Shaded) -> Float:
        """(N, C, 7 + K + A + 9 C + E) derivative of model less photo by all unknowns.

        The camera's columns are those of the landmark fit: turn 3, shift x and y, log distance, log
        focal length; the light's run channel by channel.
        """
        if self._normal_basis is None:
            # Normals turn little between two choices of samples: their derivative is kept.
            self._normal_basis = np.concatenate(
                [self.surface.point_basis, self.surface.normal_basis(_coefficients(state))], 1
            )
        assert state.sh_light is not None
        camera = state.camera
        by_point, by_camera = projection_derivatives(
            at.camera_points, camera.focal, camera.translation
        )
        # d log(m + floor) = m / (m + floor) d log m
        model = at.albedo * at.shade
        bright = model / (model + FLOOR)
        channels = self.level.channels
        light = _single(state.sh_light)[:, :channels]
        lit = (bright / at.shade * (at.shade > DARKEST_SHADE))[..., None]
        # (N, C, 3): the photo's change as the point moves, the shade's as its normal turns
        slope = at.gradient @ (by_point @ _single(camera.rotation))
        turned = lit * (light.T @ sh_gradient(at.normals))
        shape = np.concatenate([-slope, turned], 2) @ self._normal_basis
        d_albedo = (bright / at.albedo)[..., None] * self.albedo_basis.transpose(0, 2, 1)
        own = np.eye(channels, dtype=np.float32)[..., None]
        d_light = own * (lit * sh_basis(at.normals)[:, None])[:, :, None]
        k = len(state.identity)
        parts = [-(at.gradient @ by_camera), shape[..., :k], d_albedo]
        parts += [d_light.reshape(*d_light.shape[:2], -1), shape[..., k:]]
        return np.concatenate(parts, 2)


def _coefficients(state: State) -> Float:
    return _single(np.concatenate([state.identity, state.expression]))


def _single(values: NDArray) -> Float:
    return np.asarray(values, np.float32)
