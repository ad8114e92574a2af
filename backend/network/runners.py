"""What computes a network: ONNX Runtime, or torch with CUDA where it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .device import Device, onnx_runtime

if TYPE_CHECKING:
    from .graph import OnnxModel

Float = NDArray[np.float32]
#: (N, 3, S, S) float32 to (N, outputs) float32.
Runner = Callable[[Float], Float]


def onnx_runner(model: OnnxModel, provider: str = "CPUExecutionProvider") -> Runner:
    """``model``, see :mod:`.graph`, run by ONNX Runtime.

    Raises :class:`ModelError` where the provider cannot run it.
    """
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    # Threads that wait for the next picture would take the processor from all else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps what the largest batch needed.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3  # errors
    # As the files that the graph names, which are copied once: it rearranges kernels for the
    # processor at hand, and would keep arrays that are handed over as values beside its own.
    files = [array.view(np.uint8).ravel() for array in model.constants.values()]
    options.add_external_initializers_from_files_in_memory(
        list(model.constants), files, [len(file) for file in files]
    )
    fallback = ["CPUExecutionProvider"] if provider != "CPUExecutionProvider" else []
    try:
        session = onnxruntime.InferenceSession(
            model.graph, options, providers=[provider, *fallback]
        )
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise ModelError(f"ONNX Runtime cannot run the network by {provider}: {error}") from error
    (name,) = (one.name for one in session.get_inputs())

    def run(batch: Float) -> Float:
        return session.run(None, {name: batch})[0]

    return run


def torch_runner(architecture: str, tensors: Mapping[str, NDArray], device: str) -> Runner:
    """The network of :mod:`.resnet` on a ``device`` of torch."""
    import torch

    from .resnet import filled_network, fused

    network = fused(filled_network(architecture, tensors)).to(device)

    @torch.inference_mode()
    def run(batch: Float) -> Float:
        there = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
        return network(there).cpu().numpy()

    return run


def resnet_runner(architecture: str, tensors: Mapping[str, NDArray], device: Device) -> Runner:
    """A network of :mod:`.architecture` on ``device``.  Raises :class:`ModelError`."""
    if device.torch is not None:
        return torch_runner(architecture, tensors, device.torch)
    from .graph import resnet_graph

    return onnx_runner(resnet_graph(architecture, tensors), device.provider)


def tried_runner(
    architecture: str, tensors: Mapping[str, NDArray], device: Device, size: int, *, insist: bool
) -> tuple[Runner, str]:
    """:func:`resnet_runner`, tried on one picture of ``size``; a sentence where it is another one.

    A graphics card may be there, and its driver, and still have none of the kernels that torch or
    ONNX Runtime were built with: seen only when something is computed.  Then the processor is
    taken or, with ``insist``, :class:`ModelError` raised.
    """
    if device.name == "cpu":
        return resnet_runner(architecture, tensors, device), ""
    try:
        run = resnet_runner(architecture, tensors, device)
        answer = run(np.zeros((1, 3, size, size), np.float32))
        if not np.isfinite(answer).all():
            raise ModelError("it gives no numbers")
    except Exception as error:  # torch's and onnxruntime's have no common base
        said = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
        sentence = f"The graphics card cannot compute the face network by {device.name.upper()}"
        if insist:
            raise ModelError(f"{sentence} ({said}); choose 'Automatic' or 'CPU'.") from error
        cpu = resnet_runner(architecture, tensors, Device("cpu"))
        return cpu, f"{sentence}, so the processor did: {said}."
    return run, ""


def to_input(pictures: NDArray[np.uint8]) -> Float:
    """(N, 3, S, S) in -1..1 of ``pictures`` (N, S, S, 3) uint8."""
    planes = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32)
    planes /= 127.5
    planes -= 1
    return planes
