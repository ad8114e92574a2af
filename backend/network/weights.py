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

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..bounded import DAMAGE, MB, Damaged, checked, parse_json, reading, regular_size, short
from ..errors import ModelError
from ..files import write_bytes
from ..model import FaceModel
from ..model.earlier import earlier_weights
from ..model.load import ASSETS
from .architecture import STAGES, tensor_shapes
from .layout import Layout

Tensors = dict[str, NDArray]

WEIGHTS_FORMAT = "reconstruct_face.face_network"
WEIGHTS_VERSION = "1"
DEFAULT_WEIGHTS = ASSETS / "face_network.safetensors"
_NETWORK = "network."
#: The larger architecture has 100 MB in float32.
LARGEST = 400 * MB


@dataclass(frozen=True, eq=False)
class Weights:
    """A network with all that is needed to use or to go on training it."""

    architecture: str  #: a key of :data:`.architecture.STAGES`
    tensors: Tensors  #: those of :func:`.architecture.tensor_shapes`, float32
    label_mean: NDArray[np.float32]  #: (label_size,)
    label_std: NDArray[np.float32]  #: (label_size,); labels are output * std + mean
    input_size: int  #: pixels, that it was trained for
    training: dict[str, Any] = field(default_factory=dict)  #: seed, command, pictures, hours ...
    extras: Tensors = field(default_factory=dict)  #: further arrays, passed through


def save_weights(path: str | Path, weights: Weights, model: FaceModel) -> Path:
    """Write ``weights``, made for ``model``; raises :class:`~..errors.OutputError`."""
    tensors = {_NETWORK + name: _halved(value) for name, value in weights.tensors.items()}
    for name in ("label_mean", "label_std"):
        tensors[name] = np.asarray(getattr(weights, name), np.float32)
    tensors |= weights.extras
    tensors = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    metadata = {
        "format": WEIGHTS_FORMAT,
        "version": WEIGHTS_VERSION,
        "architecture": weights.architecture,
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
    """The weights at ``path`` (None: the shipped ones), in float32.

    Where they were trained for an earlier version of the model whose shapes went less far, or
    further, labels and their covariance are in the weights of this one's shapes.

    Raises :class:`ModelError`: missing, damaged, not a file of ours, for another face model (whose
    header's ``same_coefficients`` doesn't name the one that it was trained for), or, where
    ``architecture`` is given, of another one.
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
        own = {
            name.removeprefix(_NETWORK): _widened(tensors.pop(name))
            for name in list(tensors)
            if name.startswith(_NETWORK)
        }
        check_shapes(own, tensor_shapes(metadata["architecture"], layout.size))
        _rescale(tensors, layout, earlier_weights(model, metadata["model_sha256"]))
        mean, std = tensors.pop("label_mean"), tensors.pop("label_std")
        return Weights(metadata["architecture"], own, mean, std, input_size, training, tensors)


def read_safetensors(path: Path) -> tuple[Mapping[str, str], Tensors]:
    """Metadata and arrays of a safetensors file, whose parts cannot be larger than it is.

    Raises :class:`ModelError`.
    """
    try:
        regular_size(path, LARGEST)
        with safe_open(path, framework="np") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ModelError(
            f"There are no network weights at {path}; train them or name another file."
        ) from error
    except (SafetensorError, OSError, *DAMAGE) as error:
        raise ModelError(
            f"{path} is damaged or no weight file of this project ({short(error)})."
        ) from error


def check_shapes(tensors: Mapping[str, NDArray], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raise :class:`Damaged` where a tensor is missing, too many or of another shape."""
    if odd := sorted(set(tensors) ^ set(wanted)):
        raise Damaged(f"{odd[0]} is {'missing' if odd[0] in wanted else 'too many'}")
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            raise Damaged(f"{name} is {tensors[name].shape}, not {shape}")


def _check_tensors(tensors: Mapping[str, NDArray], layout: Layout) -> None:
    """Raise :class:`Damaged` for numbers that are none, and for what is not of the ``layout``."""
    shape, albedo = layout.identity + layout.expression, layout.albedo
    wanted = {
        "label_mean": (layout.label_size,),
        "label_std": (layout.label_size,),
        "shape_covariance": (shape, shape),
        "albedo_covariance": (albedo, albedo),
    }
    for name, tensor in tensors.items():
        if name in wanted and tensor.shape != wanted[name]:
            raise Damaged(f"{name} is {tensor.shape}, not {wanted[name]}")
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise Damaged(f"{name} holds values that are not finite")


def _rescale(tensors: Tensors, layout: Layout, factors: NDArray[np.float64]) -> None:
    """Take the labels' expression times ``factors`` (E,)."""
    place = layout.slices["expression"]
    for name in ("label_mean", "label_std"):
        tensors[name] = tensors[name].astype(np.float32)
        tensors[name][place] *= factors
    if "shape_covariance" in tensors:
        both = np.concatenate([np.ones(layout.identity), factors])
        covariance = tensors["shape_covariance"]
        tensors["shape_covariance"] = (covariance * np.outer(both, both)).astype(covariance.dtype)


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
    fitting = [wanted_sha, *model.header.get("same_coefficients", [])]
    if metadata.get("model_sha256") not in fitting:
        found_name, found_sha = metadata.get("model"), metadata.get("model_sha256", "")[:8]
        raise ModelError(
            f"{path} was trained for the face model '{found_name}' ({found_sha}), not for "
            f"'{model.name}' ({wanted_sha[:8]}); use the weights that belong to it or train anew."
        )


def _halved(tensor: NDArray) -> NDArray:
    """Matrices and kernels as float16; batch norm's vectors, whose range is wide, as they are."""
    return tensor.astype(np.float16) if tensor.dtype.kind == "f" and tensor.ndim > 1 else tensor


def _widened(tensor: NDArray) -> NDArray:
    return tensor.astype(np.float32) if tensor.dtype.kind == "f" else tensor


def _digest(tensors: Mapping[str, NDArray]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(np.ascontiguousarray(tensors[name]).tobytes())
    return found.hexdigest()
