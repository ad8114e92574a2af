"""What the network computes on."""

from __future__ import annotations

import pytest
import torch
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.device import DEVICE_VARIABLE, chosen_device
from reconstruct_face.backend.network.predict import Regressor
from reconstruct_face.scene.installation import locate

from tests.errors import raises


def test_it_is_the_one_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate.DEVICE_VARIABLE == DEVICE_VARIABLE, "both sides' name for it"
    for there, best in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        monkeypatch.delenv(DEVICE_VARIABLE, raising=False)
        assert chosen_device().type == best
        monkeypatch.setenv(DEVICE_VARIABLE, "auto")
        assert chosen_device().type == best
        monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
        assert chosen_device().type == "cpu"
    assert chosen_device("meta").type == "meta", "what is asked for in the call comes first"


def test_cuda_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    with raises(ModelError, "CUDA", "'Automatic'", "'CPU'"):
        Regressor(load_model("default"))


def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "abacus")
    with raises(ModelError, "'abacus'", "auto", "cpu", "cuda"):
        chosen_device()
