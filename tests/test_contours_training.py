"""How the regressor from contours to expression is trained, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError, TrainingError
from reconstruct_face.backend.fit.contour_features import FEATURES
from reconstruct_face.backend.fit.expression_regressor import ExpressionRegressor
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.training.contours.fit import Recipe, save_regressor, train_regressor


def test_file_comes_back_and_damage_is_told(tmp_path: Path) -> None:
    trained = train_regressor(
        load_model(), Recipe(heads=1500, epochs=1, width=16), lambda line: None
    )
    path = save_regressor(tmp_path / "small.npz", trained)
    loaded = ExpressionRegressor.load(path)
    features = np.random.default_rng(5).normal(size=(4, FEATURES)).astype(np.float32)
    for found, wanted in zip(loaded.run(features), trained.run(features), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-3)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ModelError, match=r"small\.npz"):
        ExpressionRegressor.load(path)


def test_too_few_heads_are_refused() -> None:
    with pytest.raises(TrainingError):
        Recipe(heads=10)
