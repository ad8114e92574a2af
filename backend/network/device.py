"""What the network computes on."""

from __future__ import annotations

import os

import torch

from ..errors import ModelError

#: "auto" (also when it is not set), "cpu" or "cuda": Blender's side sets it for the worker.
DEVICE_VARIABLE = "RECONSTRUCT_FACE_DEVICE"


def chosen_device(name: str | None = None) -> torch.device:
    """The device ``name``; None: what the environment variable says; "auto": CUDA, if it is there.

    Raises :class:`ModelError` where CUDA is asked for and cannot be had, or the name is unknown.
    """
    name = name or os.environ.get(DEVICE_VARIABLE) or "auto"
    there = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if there else "cpu"
    if name.startswith("cuda") and not there:
        built = torch.version.cuda
        found = "no graphics card for it" if built else "a torch that was built without CUDA"
        raise ModelError(
            f"CUDA was chosen, but there is {found}; choose 'Automatic' or 'CPU' as the device."
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"'{name}' is no device; take auto, cpu or cuda.") from error
