"""A user's network file to one that runs here: recognised, converted, compared, stored."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import LARGEST_FILE, open_npz
from ..bounded import Damaged, open_regular, read_json, reading, short
from ..errors import ModelError
from ..files import reason
from ..isolated import read_isolated
from ..model.importing.checks import sha256
from ..network.runners import onnx_runner
from . import deep3d_network, tensorflow_child
from .cards import DEEP3D, ORIGINAL, NetworkCard, check_name, list_networks
from .graph import OtherArchitecture, folded_weights
from .network import OUTPUTS, SIZE, original_graph
from .stats import read_stats
from .store import write_network

#: Names a Python that has TensorFlow, where the backend's own has none.
VARIABLE = "RECONSTRUCT_FACE_TENSORFLOW"
NEEDS = (
    "Converting a SavedModel needs TensorFlow, which {python} does not have: install "
    "'tensorflow-cpu>=2.18,<2.19' there (the extra 'original'), or let {variable} name a Python "
    "that has it; running the converted network does not need it."
)
NEEDS_TORCH = (
    "Reading a PyTorch checkpoint needs torch, which {python} does not have: install the extra "
    "'torch' there; running the converted network does not need it."
)
#: How far the converted network may be from TensorFlow, in standard deviations of the outputs, or
#: as a part of the largest output where that is over 1.
TOLERANCE = 1e-4
MODEL_PB = "saved_model.pb"
INDEX, DATA = "variables/variables.index", "variables/variables.data-00000-of-00001"
_TIMEOUT = 900  #: seconds

Progress = Callable[[float, str], None]
Tensors = dict[str, NDArray]


def import_network(
    path: str | Path,
    stats: str | Path | None = None,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> NetworkCard:
    """Convert the network at ``path`` into the user's data folder.

    A folder is the original's SavedModel, which needs ``stats`` (``stats_80k.npz``); a file is
    Deep3DFaceRecon's checkpoint.  ``name`` is what it is called from then on.

    Raises :class:`ModelError` (what was found, what was wanted), :class:`OutputError`; nothing is
    written then.
    """
    report = progress or (lambda fraction, step: None)
    path = Path(path)
    name = check_name(name or _default_name(path))
    if not force and any(card.name == name and not card.problem for card in list_networks()):
        raise ModelError(
            f"There is already a network {name!r}; give another --name, or --force to replace it."
        )
    if os.path.isdir(path):
        return _import_saved_model(path, stats, name, report)
    if path.name == MODEL_PB:
        raise ModelError(f"{path} is a part of a SavedModel; name its folder, {path.parent}.")
    if stats is not None:
        raise ModelError(f"--stats goes with the folder of a SavedModel, and {path} is no folder.")
    report(0.1, "Reading the checkpoint")
    tensors = read_checkpoint(path)
    card = NetworkCard(name, "", DEEP3D, files={path.name: sha256(path)})
    return write_network(card, tensors, None)


def _default_name(path: Path) -> str:
    named = Path(os.path.realpath(path)).name if os.path.isdir(path) else "deep3d"
    return named.replace(" ", "_")


def _import_saved_model(
    folder: Path, stats: str | Path | None, name: str, report: Progress
) -> NetworkCard:
    check_folder(folder)
    if stats is None:
        raise ModelError(
            f"{folder.name} tells coefficients in standard deviations; give --stats stats_80k.npz "
            "along with it."
        )
    found_stats = read_stats(stats)
    report(0.1, "Reading the SavedModel with TensorFlow")
    graph, arrays = describe(folder)
    report(0.8, "Comparing the two")
    tensors, difference = converted(folder, graph, arrays)
    files = {part: sha256(folder / part) for part in (MODEL_PB, INDEX, DATA)}
    files[Path(stats).name] = sha256(Path(stats))
    card = NetworkCard(
        name,
        "",
        ORIGINAL,
        files=files,
        pictures=len(arrays["pictures"]),
        difference=difference,
        notes=(
            f"On {len(arrays['pictures'])} pictures TensorFlow {graph['tensorflow']} and the "
            f"converted network differ by at most {difference:.1e} standard deviations.",
        ),
    )
    report(0.95, "Writing the network")
    return write_network(card, tensors, found_stats)


def check_folder(folder: Path) -> None:
    """Raise :class:`ModelError` unless ``folder`` has the files of a SavedModel."""
    if not os.path.isfile(folder / MODEL_PB):
        inside = sorted(one.parent.name for one in folder.glob(f"*/{MODEL_PB}"))
        hint = f"; name the folder {inside[0]} in it" if inside else ""
        raise ModelError(f"{folder} is no TensorFlow SavedModel: it has no {MODEL_PB}{hint}.")
    with (
        reading(ModelError, folder / MODEL_PB, "a SavedModel"),
        open_regular(folder / MODEL_PB, LARGEST_FILE) as file,
    ):
        start = file.read(64)
    if start.lstrip()[:1] == b"<":
        raise ModelError(
            f"{MODEL_PB} in {folder} is a web page (HTML), as a failed download leaves it; "
            "download it again."
        )
    for part in (INDEX, DATA):
        if not os.path.isfile(folder / part) or not os.path.getsize(folder / part):
            raise ModelError(
                f"{folder} lacks {part}, without which the network has no weights; download the "
                "whole folder."
            )


def describe(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """What :mod:`.tensorflow_child` makes of the SavedModel, in a process of its own.

    Raises :class:`ModelError`.
    """
    python = os.environ.get(VARIABLE) or sys.executable
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
    quiet["PYTHONSAFEPATH"] = "1"  # no modules from beside the script
    with tempfile.TemporaryDirectory(prefix="reconstruct_face_") as out:
        command = [python, str(Path(tensorflow_child.__file__)), os.path.realpath(folder), out]
        try:
            done = subprocess.run(
                command,
                env=os.environ | quiet,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelError(f"{python} could not read {folder}: {reason(error)}.") from error
        sentence = Path(out) / "error.json"
        if sentence.is_file():
            found = str(read_json(sentence)["message"])
            if found == "no tensorflow":
                raise ModelError(NEEDS.format(python=python, variable=VARIABLE))
            raise ModelError(f"The SavedModel {folder} cannot be converted: {short(found)}.")
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            error = ModelError(f"TensorFlow could not read {folder} ({last[:200]}).")
            error.details = done.stderr
            raise error
        with reading(ModelError, folder, "a SavedModel"):
            graph = read_json(Path(out) / "graph.json")
            with open_npz(Path(out) / "arrays.npz") as arrays:
                return graph, arrays.read_all()


def converted(
    folder: Path, graph: dict[str, Any], arrays: dict[str, NDArray]
) -> tuple[Tensors, float]:
    """The weights of what was described, and how far they are from TensorFlow's outputs.

    Raises :class:`ModelError` where it is another architecture or computes something else.
    """
    wanted = f"the original's ResNet-18 with {OUTPUTS} outputs for {SIZE} x {SIZE} pixels is wanted"
    shape = graph["input_shape"]
    if shape[1:] != [SIZE, SIZE, 3]:
        raise ModelError(f"The network in {folder} takes inputs of {shape}; {wanted}.")
    try:
        weights = folded_weights(graph["nodes"], arrays)
    except OtherArchitecture as error:
        raise ModelError(
            f"The network in {folder} is of another architecture ({error}); {wanted}."
        ) from error
    bad = [name for name, value in weights.items() if not np.isfinite(value).all()]
    if bad:
        raise ModelError(f"The network in {folder} holds values that are no numbers ({bad[0]}).")
    tensors = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
    run = onnx_runner(original_graph(tensors))
    ours = run(np.ascontiguousarray(arrays["pictures"].transpose(0, 3, 1, 2), np.float32))
    theirs = arrays["outputs"]
    difference = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf
    if not difference <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
        raise ModelError(
            f"The network in {folder} computes something else than its converted form (they "
            f"differ by {difference:.1e}); nothing was kept."
        )
    return tensors, difference


def read_checkpoint(path: Path) -> Tensors:
    """The weights in Deep3DFaceRecon's ``epoch_20.pth``; no code in it is run.

    Raises :class:`ModelError`.
    """
    wanted = "Deep3DFaceRecon's epoch_20.pth is wanted"
    if importlib.util.find_spec("torch") is None:
        raise ModelError(NEEDS_TORCH.format(python=sys.executable))
    try:
        with open_regular(path, LARGEST_FILE) as file:
            start = file.read(64)
        if start.lstrip()[:1] == b"<":
            raise ModelError(
                f"{path.name} is a web page (HTML), as a failed download leaves it; download it "
                "again."
            )
        found, arrays = read_isolated("checkpoint", path, ["net_recon"])
    except FileNotFoundError as error:
        raise ModelError(f"There is no file or folder {path}.") from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {reason(error)}.") from error
    except Damaged as error:
        raise ModelError(
            f"{path.name} is damaged or no PyTorch checkpoint ({error}); {wanted}."
        ) from error
    if "found" not in found:
        names = ", ".join((found["there"] or ["no weights"])[:6])
        raise ModelError(f"{path.name} holds {names}, not 'net_recon'; {wanted}.")
    try:
        state = {name.removeprefix("module."): value for name, value in arrays.items()}
        tensors = deep3d_network.from_checkpoint(state)
    except KeyError as error:
        raise ModelError(f"net_recon in {path.name} lacks {error.args[0]}; {wanted}.") from error
    except (ValueError, AttributeError) as error:
        raise ModelError(
            f"net_recon in {path.name} is another network ({error}); {wanted}."
        ) from error
    bad = [name for name, value in tensors.items() if not np.isfinite(value).all()]
    if bad:
        raise ModelError(f"{path.name} holds values that are no numbers ({bad[0]}).")
    return tensors
