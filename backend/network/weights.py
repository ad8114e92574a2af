"""The network's file: safetensors, convolutions in half precision, and how it was made.

Metadata (text by text): ``format``, ``version``, ``architecture``, ``layout`` (JSON counts),
``model`` (name), ``model_sha256``, ``input_size``, ``training`` (JSON record), ``digest`` (SHA-256
of the tensors).  Tensors: the network's, ``label_mean`` and ``label_std`` (label_size,), and
whatever was given as ``extras``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..bounded import DAMAGE, MB, Damaged, checked, parse_json, reading, regular_size, short
from ..errors import ModelError
from ..files import write_bytes
from ..model import FaceModel
from ..model.load import ASSETS
from .layout import Layout
from .resnet import STAGES, ResNet, build_network

WEIGHTS_FORMAT = "reconstruct_face.face_network"
WEIGHTS_VERSION = "1"
DEFAULT_WEIGHTS = ASSETS / "face_network.safetensors"
_NETWORK = "network."
#: The larger architecture has 100 MB in float32.
LARGEST = 400 * MB


@dataclass(frozen=True, eq=False)
class Weights:
    """A network with all that is needed to use or to go on training it."""

    network: ResNet
    label_mean: Tensor  #: (label_size,) float32
    label_std: Tensor  #: (label_size,) float32; labels are output * std + mean
    input_size: int  #: pixels, that it was trained for
    training: dict[str, Any] = field(default_factory=dict)  #: seed, command, pictures, hours ...
    extras: dict[str, Tensor] = field(default_factory=dict)  #: further tensors, passed through


def save_weights(path: str | Path, weights: Weights, model: FaceModel) -> Path:
    """Write ``weights``, made for ``model``; raises :class:`~..errors.OutputError`."""
    state = weights.network.state_dict()
    tensors = {_NETWORK + name: _halved(value) for name, value in state.items()}
    tensors |= {"label_mean": weights.label_mean.float(), "label_std": weights.label_std.float()}
    tensors |= weights.extras
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {
        "format": WEIGHTS_FORMAT,
        "version": WEIGHTS_VERSION,
        "architecture": weights.network.architecture,
        "layout": json.dumps(Layout.of(model).counts),
        "model": model.name,
        "model_sha256": str(model.header.get("sha256", "")),
        "input_size": str(weights.input_size),
        "training": json.dumps(weights.training),
        "digest": _digest(tensors),
    }
    return write_bytes(path, save(tensors, metadata))


def load_weights(
    path: str | Path | None, model: FaceModel, architecture: str | None = None
) -> Weights:
    """The weights at ``path`` (None: the shipped ones), on the CPU, in float32.

    Raises :class:`ModelError`: missing, damaged, not a file of ours, for another face model, or,
    where ``architecture`` is given, of another one.
    """
    path = DEFAULT_WEIGHTS if path is None else Path(path)
    metadata, tensors = read_safetensors(path)
    _check_kind(path, metadata, model, architecture)
    layout = Layout.of(model)
    with reading(ModelError, path, "network weights"):
        if metadata["digest"] != _digest(tensors):
            raise ModelError(f"The network weights {path} are damaged: their checksum differs.")
        _check_tensors(tensors, layout)
        input_size = int(metadata["input_size"])
        if not 32 <= input_size <= 512:  # as in a training's configuration
            raise Damaged(f"its input size is {input_size}")
        training = parse_json(metadata["training"])
        checked(training, {})
        network = build_network(metadata["architecture"], layout.size)
        parts = {
            name.removeprefix(_NETWORK): tensors.pop(name).float()
            for name in list(tensors)
            if name.startswith(_NETWORK)
        }
        network.load_state_dict(parts)
        return Weights(
            network,
            tensors.pop("label_mean"),
            tensors.pop("label_std"),
            input_size,
            training,
            tensors,
        )


def read_safetensors(path: Path) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file, whose parts cannot be larger than it is.

    Raises :class:`ModelError`.
    """
    try:
        regular_size(path, LARGEST)
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ModelError(
            f"There are no network weights at {path}; train them or name another file."
        ) from error
    except (SafetensorError, OSError, *DAMAGE) as error:
        raise ModelError(
            f"{path} is damaged or no weight file of this project ({short(error)})."
        ) from error


def _check_tensors(tensors: Mapping[str, Tensor], layout: Layout) -> None:
    """Raise :class:`Damaged` for numbers that are none, and for what is not of the ``layout``."""
    shape, albedo = layout.identity + layout.expression, layout.albedo
    wanted = {
        "label_mean": (layout.label_size,),
        "label_std": (layout.label_size,),
        "shape_covariance": (shape, shape),
        "albedo_covariance": (albedo, albedo),
    }
    for name, tensor in tensors.items():
        if name in wanted and tuple(tensor.shape) != wanted[name]:
            raise Damaged(f"{name} is {tuple(tensor.shape)}, not {wanted[name]}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise Damaged(f"{name} holds values that are not finite")


def _check_kind(
    path: Path, metadata: Mapping[str, str], model: FaceModel, architecture: str | None
) -> None:
    """Whether the file is ours and fits; of what was found and what is wanted."""
    if metadata.get("format") != WEIGHTS_FORMAT:
        raise ModelError(f"{path} is a safetensors file, but holds no network of this project.")
    if metadata.get("version") != WEIGHTS_VERSION:
        raise ModelError(
            f"{path} has weights version {metadata.get('version')}, not {WEIGHTS_VERSION}; "
            "train again with this release."
        )
    found = metadata.get("architecture")
    if found not in STAGES or (architecture and found != architecture):
        wanted = architecture or " or ".join(STAGES)
        raise ModelError(f"{path} holds a {found} network, but {wanted} is wanted.")
    wanted_sha = str(model.header.get("sha256", ""))
    if metadata.get("model_sha256") != wanted_sha:
        found_name, found_sha = metadata.get("model"), metadata.get("model_sha256", "")[:8]
        raise ModelError(
            f"{path} was trained for the face model '{found_name}' ({found_sha}), not for "
            f"'{model.name}' ({wanted_sha[:8]}); use the weights that belong to it or train anew."
        )


def _halved(tensor: Tensor) -> Tensor:
    """Matrices and kernels as float16; batch norm's vectors, whose range is wide, as they are."""
    return tensor.half() if tensor.is_floating_point() and tensor.dim() > 1 else tensor


def _digest(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
