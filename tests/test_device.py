"""What the network computes on."""

from __future__ import annotations

import pytest
import torch
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.device import DEVICE_VARIABLE, chosen_device
from reconstruct_face.backend.network.predict import Regressor
from reconstruct_face.scene.installation import locate


def test_it_is_the_one_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate.DEVICE_VARIABLE == DEVICE_VARIABLE, "both sides' name for it"
    best = "cuda" if torch.cuda.is_available() else "cpu"
    monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
    assert chosen_device().type == best
    monkeypatch.setenv(DEVICE_VARIABLE, "auto")
    assert chosen_device().type == best
    monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
    assert chosen_device().type == "cpu"
    assert chosen_device("meta").type == "meta", "what is asked for in the call comes first"


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
def test_cuda_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    with pytest.raises(ModelError, match="CUDA was chosen.*choose 'Automatic' or 'CPU'"):
        Regressor(load_model("default"))


def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "abacus")
    with pytest.raises(ModelError, match="'abacus' is no device"):
        chosen_device()
