"""What the network computes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network import device, runners
from reconstruct_face.backend.network.device import (
    DEVICE_VARIABLE,
    NO_TELEMETRY,
    Device,
    chosen_device,
)
from reconstruct_face.backend.network.graph import OnnxModel
from reconstruct_face.backend.network.predict import Regressor
from reconstruct_face.backend.network.runners import onnx_runner
from reconstruct_face.scene.installation import locate

from tests.errors import raises
from tests.imports import project, within


def machine(
    patch: pytest.MonkeyPatch, gpu: bool = False, torch: bool = False, providers: tuple = ()
) -> None:
    """One with these: an NVIDIA GPU, a torch that uses it, providers beside the processor's."""
    patch.delenv(DEVICE_VARIABLE, raising=False)
    patch.setattr(device, "nvidia_gpu", lambda: gpu)
    patch.setattr(device, "_torch_has_cuda", lambda: torch)
    patch.setattr(device, "_providers", lambda: [*providers, "CPUExecutionProvider"])


CUDA, DIRECTML, COREML = "CUDAExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider"


def test_by_itself_it_takes_the_graphics_card_that_something_can_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert locate.DEVICE_VARIABLE == DEVICE_VARIABLE, "both sides' name for it"
    for found, wanted in (
        ({}, Device("cpu")),
        ({"gpu": True}, Device("cpu")),
        ({"gpu": True, "torch": True}, Device("cuda", "cuda")),
        ({"gpu": True, "torch": True, "providers": (CUDA,)}, Device("cuda", "cuda")),
        ({"gpu": True, "providers": (CUDA,)}, Device("cuda")),
        ({"providers": (CUDA,)}, Device("cpu")),  # the package without the card
        ({"providers": (DIRECTML,)}, Device("directml")),
        ({"providers": (COREML,)}, Device("cpu")),
    ):
        machine(monkeypatch, **found)
        assert chosen_device() == wanted, found
        monkeypatch.setenv(DEVICE_VARIABLE, "auto")
        assert chosen_device() == wanted
        monkeypatch.setenv(DEVICE_VARIABLE, "cpu")
        assert chosen_device() == Device("cpu")
    assert chosen_device("coreml") == Device("coreml"), "what is asked for in the call comes first"


def test_a_device_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    with raises(ModelError, "CUDA", "driver", "'Automatic'", "'CPU'"):
        Regressor(load_model("default"))
    machine(monkeypatch, gpu=True)
    with raises(ModelError, "CUDA", "torch"):
        chosen_device("cuda")
    with raises(ModelError, "DIRECTML", "ONNX Runtime"):
        chosen_device("directml")


def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "abacus")
    with raises(ModelError, "'abacus'", "auto", "cpu", "cuda", "directml", "coreml"):
        chosen_device()


def test_onnx_runtime_sends_nothing(tmp_path: Path) -> None:
    """Its telemetry, where it is on, begins with a file in the temporary folder."""
    script = (
        "import os; from reconstruct_face.backend.network import device; device.onnx_runtime();"
        "assert os.environ[device.NO_TELEMETRY] == '1'"
    )
    hidden = ("CI", NO_TELEMETRY)  # by themselves these turn it off as well
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    env |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-P", "-c", script], env=env, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_only_one_module_imports_it() -> None:
    importers = {
        name
        for name in project().within("reconstruct_face")
        for one in project().imports(name)
        if within(one.name, "onnxruntime") and one.kind != "string"
    }
    assert importers == {"reconstruct_face.backend.network.device"}


def test_a_graph_that_cannot_run_is_told_in_a_sentence() -> None:
    with raises(ModelError, "ONNX Runtime", "CPUExecutionProvider"):
        onnx_runner(OnnxModel(b"no graph", {}))


def broken_kernels(*_: object) -> object:
    """What torch and ONNX Runtime do on a card that they have no kernels for."""
    calls: list[int] = []

    def run(batch: object) -> object:
        calls.append(len(calls))
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    return run


@pytest.mark.seconds
@pytest.mark.parametrize("torch", [True, False])
def test_a_card_without_fitting_kernels_leaves_it_to_the_processor(
    monkeypatch: pytest.MonkeyPatch, torch: bool
) -> None:
    machine(monkeypatch, gpu=True, torch=torch, providers=(CUDA,))
    real = runners.onnx_runner
    monkeypatch.setattr(runners, "torch_runner", broken_kernels)
    monkeypatch.setattr(
        runners,
        "onnx_runner",
        lambda graph, provider="CPUExecutionProvider": (
            broken_kernels() if provider == CUDA else real(graph, provider)
        ),
    )
    model = load_model("default")
    crops = np.full((1, 224, 224, 3), 128, np.uint8)
    regressor = Regressor(model)
    assert regressor._device.name == "cuda"
    found = regressor.regress(crops)[0]
    assert "CUDA" in regressor.note and "no kernel image" in regressor.note
    on_cpu = Regressor(model, device="cpu")
    assert np.allclose(found.identity, on_cpu.regress(crops)[0].identity, atol=1e-5)
    assert on_cpu.note == ""
    monkeypatch.setenv(DEVICE_VARIABLE, "cuda")
    with raises(ModelError, "CUDA", "no kernel image", "'CPU'"):
        Regressor(model).warm()


def test_a_torch_that_does_not_load_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it raises ImportError
    device._torch_has_cuda.cache_clear()
    try:
        assert device._torch_has_cuda() is False
    finally:
        device._torch_has_cuda.cache_clear()
