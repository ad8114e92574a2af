"""Light and skin from one photo: second-order spherical harmonics and albedo coefficients.

The observed linear colour of a point is albedo * sum_i Y_i(n) l_i (Ramamoorthi and Hanrahan
2001), the albedo linear in its coefficients (Blanz and Vetter 1999).  Both are found together by
Gauss-Newton on the logarithm of the colours, with Geman-McClure weights against hair, glasses,
cast shadows and highlights.

One photo cannot tell dark skin in bright light from light skin in dim light.  What decides is the
habit of photographers and cameras: a face is exposed to about irradiance 1 (a prior of 25 % on the
mean shading), against a wide prior on skin tone.  So dark skin stays dark.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.harmonics import sh_basis
from ..geometry.srgb import luminance

Double = NDArray[np.float64]
Float = NDArray[np.float32]

#: Standard deviation of the log of the mean shading, and of its colour cast.
EXPOSURE_SIGMA = 0.25
CAST_SIGMA = 0.12
#: Prior standard deviations of the light, bands 0, 1, 2: common to the channels, and apart.
_BANDS = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
_COMMON_SIGMA = np.array([4.0, 0.8, 0.22])[_BANDS]
_CHANNEL_SIGMA = np.array([0.5, 0.2, 0.06])[_BANDS]
#: Neighbouring samples repeat each other: this many independent ones are counted.
_EFFECTIVE_SAMPLES = 80.0
_NOISE = 0.12
_FLOOR = 0.004
DARKEST_SHADE = 0.05


@dataclass(frozen=True)
class LightFit:
    """Light and albedo that explain the visible skin."""

    sh_light: Float  #: (9, 3) head coordinates, linear RGB
    albedo_coefficients: Float  #: (A,) standard deviations
    inlier: Float  #: (N,) 0..1 how well each sample is explained


def fit_light(
    colours: NDArray,
    normals: NDArray,
    weights: NDArray,
    albedo_mean: NDArray,
    albedo_basis: NDArray,
    grey: bool = False,
    iterations: int = 12,
) -> LightFit:
    """Fit N samples: linear ``colours`` (N, 3), unit ``normals`` (N, 3) in head coordinates,
    ``weights`` (N,) 0..1, and the model's albedo there, (N, 3) and (A, N, 3).

    ``grey`` photos tell nothing of colour: only brightness is fitted, under white light.
    With no weight at all the prior comes back (white light from the front, mean skin).
    """
    problem = _Problem(colours, normals, weights, albedo_mean, albedo_basis, grey)
    light, coefficients = first_light(), np.zeros(len(albedo_basis))
    for step in range(iterations):
        # Coarse to fine: everything counts at first, the unexplained fades out.
        scale = max(_NOISE, 0.5 * 0.75**step)
        light, coefficients = problem.step(light, coefficients, scale)
    return LightFit(
        sh_light=light.astype(np.float32),
        albedo_coefficients=coefficients.astype(np.float32),
        inlier=problem.inlier(light, coefficients, 2 * _NOISE).astype(np.float32),
    )


class _Problem:
    def __init__(
        self,
        colours: NDArray,
        normals: NDArray,
        weights: NDArray,
        mean: NDArray,
        basis: NDArray,
        grey: bool,
    ) -> None:
        if grey:
            colours, mean, basis = (luminance(x)[..., None] for x in (colours, mean, basis))
        self.observed = np.log(np.maximum(np.asarray(colours, np.float64), _FLOOR))
        self.weights = np.asarray(weights, np.float64)
        self.total = max(float(self.weights.sum()), 1e-9)
        self.sh = sh_basis(np.asarray(normals, np.float64))
        self.mean = np.asarray(mean, np.float64)
        self.basis = np.asarray(basis, np.float64)
        self.channels = self.observed.shape[1]
        self.by_channel = np.ascontiguousarray(self.basis.transpose(2, 1, 0))  # (C, N, A)

    def _albedo(self, coefficients: Double) -> Double:
        return np.maximum(self.mean + np.tensordot(coefficients, self.basis, 1), _FLOOR)

    def _shading(self, light: Double) -> Double:
        return np.maximum(self.sh @ light[:, : self.channels], DARKEST_SHADE)

    def inlier(self, light: Double, coefficients: Double, scale: float) -> Double:
        """(N,) Geman-McClure weight of each sample's residual."""
        model = np.log(self._albedo(coefficients)) + np.log(self._shading(light))
        return _geman_mcclure(self.observed - model, scale)

    def step(self, light: Double, coefficients: Double, scale: float) -> tuple[Double, Double]:
        """One Gauss-Newton step on light and coefficients together."""
        albedo, shading = self._albedo(coefficients), self._shading(light)
        residual = self.observed - np.log(albedo) - np.log(shading)
        trust = self.weights * _geman_mcclure(residual, scale)
        trust = trust * min(_EFFECTIVE_SAMPLES / self.total, 1.0) / _NOISE**2
        count, per_light = len(self.basis), 9 * self.channels
        normal = np.zeros((per_light + count, per_light + count))
        right = np.zeros(per_light + count)
        of_albedo = np.arange(per_light, per_light + count)
        for c in range(self.channels):
            jacobian = np.concatenate(
                [self.sh / shading[:, c, None], self.by_channel[c] / albedo[:, c, None]], axis=1
            )
            weighted = jacobian * (trust / self.channels)[:, None]
            place = np.r_[9 * c : 9 * c + 9, of_albedo]
            normal[np.ix_(place, place)] += weighted.T @ jacobian
            right[place] += weighted.T @ residual[:, c]
        self._add_priors(normal, right, light, coefficients)
        change = np.linalg.solve(normal, right)
        change_light = change[:per_light].reshape(self.channels, 9).T
        if self.channels == 1:
            change_light = np.repeat(change_light, 3, axis=1)
        return light + change_light, np.clip(coefficients + change[per_light:], -3.5, 3.5)

    def _add_priors(
        self, normal: Double, right: Double, light: Double, coefficients: Double
    ) -> None:
        per_light = 9 * self.channels
        ahead = np.arange(per_light, len(right))
        normal[ahead, ahead] += 1.0
        right[ahead] -= coefficients
        rows, values = light_prior(light, self.sh, self.weights, self.channels)
        normal[:per_light, :per_light] += rows.T @ rows
        right[:per_light] += rows.T @ values


def _geman_mcclure(residual: Double, scale: float) -> Double:
    """(N,) weights of the residuals (N, C)."""
    return 1 / (1 + (residual**2).mean(axis=1) / scale**2) ** 2


def first_light() -> Double:
    """(9, 3) where a fit starts: irradiance 1 with a little more from above and in front."""
    light = np.zeros((9, 3))
    light[0], light[1], light[2] = 2.6, 0.25, 0.5
    return light


def light_prior(
    sh_light: Double, sh: NDArray, weights: NDArray, channels: int
) -> tuple[Double, Double]:
    """The prior of light: whitened rows over its 9 C numbers, channel by channel, and their values.

    ``sh_light`` (9, 3) is the point of linearisation; ``sh`` (N, 9) and ``weights`` (N,) say where
    the mean shading is taken.  Its logarithm is N(0, EXPOSURE_SIGMA), each of the C channels'
    departure from it N(0, CAST_SIGMA); the light itself is near :func:`first_light`.
    """
    light = sh_light[:, :channels].T  # (C, 9)
    mean = np.kron(np.full((1, channels), 1 / channels), np.eye(9))
    apart = np.eye(9 * channels) - np.tile(mean, (channels, 1))
    common_scale = np.sqrt(channels) / _COMMON_SIGMA
    apart_scale = np.tile(1 / _CHANNEL_SIGMA, channels)
    shade = np.maximum(sh @ light.T, DARKEST_SHADE)  # (N, C)
    share = weights / max(float(weights.sum()), 1e-9)
    level = share @ np.log(shade)
    exposure = np.zeros((channels, 9 * channels))
    for c in range(channels):
        exposure[c, 9 * c : 9 * c + 9] = share @ (sh / shade[:, c, None])
    flat, cast = light.ravel(), exposure - exposure.mean(0)
    rows = [
        common_scale[:, None] * mean,
        apart_scale[:, None] * apart,
        exposure.mean(0)[None] / EXPOSURE_SIGMA,
        cast / CAST_SIGMA,
    ]
    values = [
        common_scale * (first_light()[:, 0] - mean @ flat),
        -apart_scale * (apart @ flat),
        [-level.mean() / EXPOSURE_SIGMA],
        -(level - level.mean()) / CAST_SIGMA,
    ]
    return np.vstack(rows), np.concatenate(values)
