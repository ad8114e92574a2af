"""The statistics of what the network reads, against errors drawn from known ones, and drawings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.arrays import read_npz
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.fit import reading_noise
from reconstruct_face.backend.fit.reading import regressor_for
from reconstruct_face.backend.model import DEFAULT_MODEL
from reconstruct_face.backend.network.weights import DEFAULT_WEIGHTS

from tools.measure_reading_noise import covariance_of, measure


def test_a_known_covariance_is_found() -> None:
    rng = np.random.default_rng(5)
    mixing = rng.normal(scale=0.3, size=(40, 8))
    true = mixing @ mixing.T + 0.4 * np.eye(40)
    found = covariance_of(rng.multivariate_normal(np.zeros(40), true, 4000))
    assert np.linalg.norm(found - true) < 0.1 * np.linalg.norm(true)


def test_few_pictures_leave_a_covariance() -> None:
    """Ten errors of forty numbers span ten directions; the rest must not be known for sure."""
    few = covariance_of(np.random.default_rng(6).normal(size=(10, 40)))
    assert np.linalg.eigvalsh(few)[0] > 0.1


def test_the_asset_is_of_the_network_that_is_shipped() -> None:
    stored = read_npz(reading_noise.NOISE_FILE, reading_noise._ARRAYS)
    assert stored["network"].tobytes() == hashlib.sha256(DEFAULT_WEIGHTS.read_bytes()).digest()


def test_other_drawings_err_as_it_says() -> None:
    """Squared errors in its units are 1 in the mean if it is right; these pictures are others."""
    errors = measure(24, seed=90)
    precision = reading_noise.identity_precision()
    size = np.einsum("ni,ij,nj->n", errors, precision, errors) / len(precision)
    assert len(errors) > 12 and 0.7 < np.median(size) < 1.5
    regressor = regressor_for(DEFAULT_MODEL)
    assert regressor is not None
    kept = regressor.weights.extras["shape_covariance"].astype(np.float64)
    own = np.linalg.inv(kept[: len(precision), : len(precision)])
    assert _surprise(errors, precision) < _surprise(errors, own) - 5.0


def _surprise(errors: NDArray, precision: NDArray) -> float:
    """Minus twice the logarithm of the Gaussian's density, but for a constant: the mean."""
    size = np.einsum("ni,ij,nj->n", errors, precision, errors)
    return float(size.mean() - np.linalg.slogdet(precision)[1])


@pytest.mark.parametrize("content", [b"PK no archive", b""])
def test_a_damaged_file_has_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / reading_noise.NOISE_FILE.name
    path.write_bytes(content)
    monkeypatch.setattr(reading_noise, "NOISE_FILE", path)
    reading_noise.identity_precision.cache_clear()
    try:
        with pytest.raises(ModelError, match="reading_noise.npz are missing or damaged"):
            reading_noise.identity_precision()
    finally:
        reading_noise.identity_precision.cache_clear()
