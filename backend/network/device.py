"""What the network computes on."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import ModelError

#: "auto" (also when it is not set) or one of :data:`NAMES`: Blender's side sets it for the worker.
DEVICE_VARIABLE = "RECONSTRUCT_FACE_DEVICE"
#: Tells ONNX Runtime to send nothing.
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
#: Names and the provider of ONNX Runtime that each stands for.
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
NAMES = tuple(PROVIDERS)
#: What "auto" takes, in this order, where the installed ONNX Runtime has it.  Core ML is in every
#: package for macOS and computes in half precision, so it has to be chosen.
_BY_ITSELF = ("cuda", "directml")


@dataclass(frozen=True)
class Device:
    """One that is there."""

    name: str  #: one of :data:`NAMES`
    torch: str | None = None  #: torch's name for it, where torch is what computes

    @property
    def provider(self) -> str:
        """ONNX Runtime's for it."""
        return PROVIDERS[self.name]


def chosen_device(name: str | None = None) -> Device:
    """The device ``name``; None: what the environment variable says.

    "auto" is the NVIDIA GPU where there is one and a torch or an ONNX Runtime made for it, then
    DirectML where ONNX Runtime has it, else the processor.

    Raises :class:`ModelError` where what is asked for cannot be had, or the name is unknown.
    """
    name = name or os.environ.get(DEVICE_VARIABLE) or "auto"
    if name == "auto":
        return next((found for one in _BY_ITSELF if (found := available(one))), Device("cpu"))
    if name not in NAMES:
        raise ModelError(
            f"'{name}' is no device; take auto, {', '.join(NAMES[:-1])} or {NAMES[-1]}."
        )
    found = available(name)
    if found is None:
        raise ModelError(
            f"{name.upper()} was chosen, but there is {_lack(name)}; choose 'Automatic' or 'CPU' "
            "as the device."
        )
    return found


def is_chosen(name: str | None = None) -> bool:
    """Whether a device was asked for, in the call or by the variable, rather than any."""
    return (name or os.environ.get(DEVICE_VARIABLE) or "auto") != "auto"


def available(name: str) -> Device | None:
    """The device of that name (:data:`NAMES`), if something here can compute on it."""
    if name == "cpu":
        return Device("cpu")
    if name == "cuda":
        if not nvidia_gpu():
            return None
        if _torch_has_cuda():
            return Device("cuda", "cuda")
    return Device(name) if PROVIDERS[name] in _providers() else None


def _lack(name: str) -> str:
    if name == "cuda" and not nvidia_gpu():
        return "no graphics card for it, or no driver"
    made = "torch or an ONNX Runtime" if name == "cuda" else "ONNX Runtime"
    return f"no {made} that was built for it"


@lru_cache(maxsize=1)
def nvidia_gpu() -> bool:
    """Whether NVIDIA's driver is there and finds a GPU: asked of the driver, which is quick."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        count = ctypes.c_int()
        return (
            driver.cuInit(0) == 0
            and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
            and (count.value > 0)
        )
    except (OSError, AttributeError):
        return False


@lru_cache(maxsize=1)
def _torch_has_cuda() -> bool:
    """Whether torch is installed, loads, was built with CUDA, and finds a GPU."""
    if importlib.util.find_spec("torch") is None:
        return False
    try:
        import torch
    except (ImportError, OSError):  # half installed, or a library that it needs is missing
        return False
    return torch.cuda.is_available()


def onnx_runtime() -> Any:
    """The module ``onnxruntime``, which is imported nowhere else.

    From 1.29 on its packages send reports of their use to Microsoft unless they are told not to
    before they are loaded.
    """
    os.environ[NO_TELEMETRY] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _providers() -> list[str]:
    return onnx_runtime().get_available_providers()
