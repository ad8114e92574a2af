"""The statistics of landmark errors, against errors drawn from known ones."""

from __future__ import annotations

import numpy as np

from tools.measure_landmark_noise import FLOOR_MM, SHRINKAGE, fit_noise

COUNT = 3000


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Bias (2, 68, 2), covariance (136, 136), and errors with yaw and spread that follow them."""
    bias = rng.normal(scale=2.0, size=(2, 68, 2))
    mixing = rng.normal(scale=0.3, size=(136, 20))
    covariance = mixing @ mixing.T + 0.5 * np.eye(136)
    yaws, spreads = rng.uniform(-35, 35, COUNT), rng.uniform(0.005, 0.015, COUNT)
    rest = rng.multivariate_normal(np.zeros(136), covariance, COUNT)
    rest *= (spreads / np.median(spreads))[:, None]
    turned = np.sin(np.radians(yaws))[:, None, None] * bias[1]
    return bias, covariance, bias[0] + turned + rest.reshape(-1, 68, 2), yaws, spreads


def stored(covariance: np.ndarray) -> np.ndarray:
    """What is kept of a true covariance: shrunk towards its diagonal, with a floor."""
    off = covariance * (1 - np.eye(136))
    return covariance - SHRINKAGE * off + FLOOR_MM**2 * np.eye(136)


def gap(found: np.ndarray, true: np.ndarray) -> float:
    """Relative difference of two matrices, Frobenius."""
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def test_known_bias_and_covariance_are_found() -> None:
    bias, covariance, errors, yaws, spreads = drawn(np.random.default_rng(1))
    found, matrix, typical = fit_noise(errors, yaws, spreads)
    assert typical == np.median(spreads)
    # 3000 draws of 1.6 mm: the mean is known to 0.03 mm, the slope over sin(35 degrees) to 0.09.
    assert np.abs(found[0] - bias[0]).max() < 0.15
    assert np.abs(found[1] - bias[1]).max() < 0.4
    assert gap(matrix, stored(covariance)) < 0.1
    off = ~np.eye(136, dtype=bool)
    assert np.corrcoef(matrix[off], covariance[off])[0, 1] > 0.98


def test_lost_faces_hardly_count() -> None:
    """One in twenty heads marked 40 mm off; plain averages would be ruined by them."""
    rng = np.random.default_rng(2)
    bias, covariance, errors, yaws, spreads = drawn(rng)
    lost = rng.permutation(COUNT)[: COUNT // 20]
    errors[lost] += 40.0
    found, matrix, _ = fit_noise(errors, yaws, spreads)
    assert abs(np.mean(errors.mean(axis=0) - bias[0])) > 1.9, "the plain mean is off by 2 mm"
    assert np.abs(found[0] - bias[0]).mean() < 0.2
    plain = np.cov(errors.reshape(-1, 136).T)
    assert gap(plain, covariance) > 50
    # Not nothing: each lost face still counts as one of 1.5 times the median size.
    assert gap(matrix, stored(covariance)) < 1


def test_guesses_are_left_out() -> None:
    bias, covariance, errors, yaws, spreads = drawn(np.random.default_rng(3))
    expected = fit_noise(errors, yaws, spreads)
    guesses = (np.full((50, 68, 2), 90.0), np.zeros(50), np.full(50, 0.04))
    found = fit_noise(
        *(np.concatenate(pair) for pair in zip((errors, yaws, spreads), guesses, strict=True))
    )
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
