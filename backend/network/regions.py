"""What eyes, brows and mouth look like, read by two small networks on crops placed by landmarks.

Their convolutions run as an ONNX graph; the last two layers, which get the head's pose beside the
crop, are numpy's.  They say mean and standard deviation of expression weights, a posterior with the
drawings that they learnt from as its prior (:mod:`..training.regions`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, read_npz
from ..bounded import parse_json, short
from ..errors import ModelError
from ..kept import kept
from ..model import FaceModel
from ..model.earlier import earlier_weights, oldest
from ..model.load import ASSETS
from .region_crops import HINTS, REGIONS, SIZE, crops, placed
from .runners import Runner, onnx_runner, to_input

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]
Float = NDArray[np.float32]

REGIONS_FILE = ASSETS / "region_networks.npz"
FORMAT = "reconstruct_face.region_networks"
VERSION = 1
#: The two networks.
NETWORKS = ("eye", "mouth")
SIDES = ("Right", "Left")
#: Convolutions of a network: the first, then two for each halving of the picture.
HALVINGS = 4
CONVOLUTIONS = 1 + 2 * HALVINGS
#: Of the log of a weight's standard deviation.
LOG_SIGMA = (-4.0, 1.0)


@dataclass(frozen=True, eq=False)
class RegionNetwork:
    """One network's weights, batch norm folded into the convolutions."""

    weights: tuple[str, ...]  #: (W,) that it tells; those of an eye without their side
    points: int  #: contour points that it tells
    kernels: tuple[tuple[NDArray, NDArray], ...]  #: (outside, inside, k, k) and (outside,)
    hidden: tuple[NDArray, NDArray]  #: (H, F + 4) and (H,)
    last: tuple[NDArray, NDArray]  #: (2 W + 2 P, H) and (2 W + 2 P,)


@dataclass(frozen=True, eq=False)
class RegionReading:
    """What the networks read in one face: independent Gaussians on some expression weights."""

    names: tuple[str, ...]  #: (R,) of the weights
    mean: Double  #: (R,)
    sigma: Double  #: (R,) standard deviations
    points: dict[int, tuple[float, float]]  #: landmarks 17 to 26 and 36 to 67, pixels of the photo


class RegionReader:
    """The networks, ready to run."""

    def __init__(
        self,
        names: Sequence[str],
        template: NDArray,
        networks: Mapping[str, RegionNetwork],
        trained_for: str = "",
    ) -> None:
        """``names`` (E,) of the face model's weights, ``template`` (68, 3) mm its landmarks,
        ``trained_for`` the SHA-256 of its file, where that is known."""
        self.trained_for = trained_for
        self.names, self.template = tuple(names), np.asarray(template, np.float64)
        self.networks = dict(networks)
        self._runners = {name: _runner(one) for name, one in self.networks.items()}
        self._told = _told(self.names, self.networks)

    def speaking_of(self, model: FaceModel) -> RegionReader:
        """This one in the weights of ``model``, a later version of the one it was trained for.

        Files did not always name that: then it is the first version.
        """
        found = copy.copy(self)
        factors = earlier_weights(model, self.trained_for or oldest(model))
        found._told = self._told * factors[:, None]
        return found

    def read(self, pixels: Bytes, marks: NDArray) -> RegionReading:
        """Of the face with landmarks ``marks`` (68, 2) in ``pixels`` (H, W, 3) uint8 sRGB."""
        place = placed(marks, self.template)
        pictures = crops(pixels, place)
        means, sigmas, points = [], [], {}
        for name in NETWORKS:
            rows = [i for i, region in enumerate(REGIONS) if region.network == name]
            mean, sigma, contours = self.run(name, pictures[rows], place.hints[rows])
            means.append(mean.ravel())
            sigmas.append(sigma.ravel())
            for row, contour in zip(rows, contours, strict=True):
                at = place.to_photo(contour, row)
                points |= dict(zip(REGIONS[row].points, map(tuple, at.tolist()), strict=True))
        # What both eyes tell, as of the inner brows, is their mean.
        mean, sigma = self._told @ np.concatenate(means), self._told @ np.concatenate(sigmas)
        there = np.flatnonzero(self._told.any(axis=1))
        names = tuple(self.names[i] for i in there)
        return RegionReading(names, mean[there], sigma[there], points)

    def run(self, name: str, pictures: Bytes, hints: Float) -> tuple[Double, Double, Double]:
        """Of network ``name``: mean and sigma (N, W), contour points (N, P, 2) crop pixels.

        ``pictures`` (N, S, S, 3) uint8, ``hints`` (N, 4) as :class:`~.region_crops.Placement`'s.
        """
        network = self.networks[name]
        features = np.concatenate([self._runners[name](to_input(pictures)), hints], axis=1)
        values = features @ network.hidden[0].T + network.hidden[1]
        values = values / (1 + np.exp(-np.clip(values, -60, 60)))
        values = (values @ network.last[0].T + network.last[1]).astype(np.float64)
        count = len(network.weights)
        mean, logs, at = np.split(values, [count, 2 * count], axis=1)
        points = SIZE / 2 * (at.reshape(len(at), -1, 2) + 1)
        return mean, np.exp(np.clip(logs, *LOG_SIGMA)), points

    def arrays(self) -> dict[str, NDArray]:
        """As the file holds it, matrices in half precision."""
        header = {"format": FORMAT, "version": VERSION, "size": SIZE, "names": list(self.names)}
        header["model_sha256"] = self.trained_for
        header |= {name: list(one.weights) for name, one in self.networks.items()}
        found = {
            "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
            "template": self.template.astype(np.float32),
        }
        for name, one in self.networks.items():
            for key, (matrix, offset) in _layers(one).items():
                found[f"{name}_{key}_weight"] = matrix.astype(np.float16)
                found[f"{name}_{key}_bias"] = offset.astype(np.float32)
        return found

    @classmethod
    def load(cls, path: str | Path = REGIONS_FILE) -> RegionReader:
        """Of the file at ``path``; raises :class:`ModelError`: missing or damaged."""
        try:
            arrays = read_npz(Path(path), _members())
            header = parse_json(bytes(arrays["header"]))
            if (header["format"], header["version"], header["size"]) != (FORMAT, VERSION, SIZE):
                raise ValueError(f"{header['format']} {header['version']} {header['size']}")
            names = tuple(str(name) for name in header["names"])
            networks = {name: _network(name, header[name], arrays) for name in NETWORKS}
            trained_for = str(header.get("model_sha256", ""))
            return cls(names, arrays["template"], networks, trained_for)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The networks of eyes and mouth {Path(path).name} are missing or damaged "
                f"({short(error)}); install the add-on again."
            ) from error


def _layers(network: RegionNetwork) -> dict[str, tuple[NDArray, NDArray]]:
    """Weight and bias by the names that the file has for them."""
    found = {str(i): pair for i, pair in enumerate(network.kernels)}
    return found | {"hidden": network.hidden, "last": network.last}


def _members() -> dict[str, Member]:
    """What the file has to hold."""
    found = {
        "header": Member("u1", ("bytes",)),
        "template": Member("f8", (68, 3)),
    }
    for net in NETWORKS:
        for i in range(CONVOLUTIONS):
            out, inside = f"{net} {(i + 1) // 2}", 3 if i == 0 else f"{net} {i // 2}"
            side = 5 if i == 0 else 3
            found[f"{net}_{i}_weight"] = Member("f4", (out, inside, side, side))
            found[f"{net}_{i}_bias"] = Member("f4", (out,))
        for key, shape in (("hidden", ("wide", "features")), ("last", ("outputs", "wide"))):
            axes = tuple(f"{net} {axis}" for axis in shape)
            found[f"{net}_{key}_weight"] = Member("f4", axes)
            found[f"{net}_{key}_bias"] = Member("f4", axes[:1])
    return found


def _network(name: str, weights: object, arrays: Mapping[str, NDArray]) -> RegionNetwork:
    """Of a file's ``arrays``; raises ValueError where they do not belong together."""
    if not isinstance(weights, list):
        raise TypeError(f"the {name}'s weights are no list")
    points = next(len(one.points) for one in REGIONS if one.network == name)
    pairs = {
        key: (arrays[f"{name}_{key}_weight"], arrays[f"{name}_{key}_bias"])
        for key in [*map(str, range(CONVOLUTIONS)), "hidden", "last"]
    }
    hidden, last = pairs.pop("hidden"), pairs.pop("last")
    kernels = tuple(pairs.values())
    pixels = (SIZE >> (HALVINGS + 1)) ** 2
    if hidden[0].shape[1] != len(kernels[-1][1]) * pixels + HINTS:
        raise ValueError(f"the {name}'s features are {hidden[0].shape[1]}")
    if len(last[1]) != 2 * len(weights) + 2 * points:
        raise ValueError(f"the {name}'s outputs are {len(last[1])}")
    return RegionNetwork(tuple(map(str, weights)), points, kernels, hidden, last)


def _told(names: tuple[str, ...], networks: Mapping[str, RegionNetwork]) -> Double:
    """(E, outputs) the weights' shares in what right eye, left eye and mouth say together.

    Raises ValueError where one is told that there is not.
    """
    eye, mouth = (networks[name].weights for name in NETWORKS)
    outputs = [one + side if one + side in names else one for side in SIDES for one in eye]
    outputs += mouth
    told = np.zeros((len(names), len(outputs)))
    for column, output in enumerate(outputs):
        told[names.index(output), column] = 1 / outputs.count(output)
    return told


def _runner(network: RegionNetwork) -> Runner:
    """The convolutions: (N, 3, S, S) to (N, F)."""
    from .graph import Graph

    graph = Graph()
    first, *rest = network.kernels
    x = graph.silu(graph.convolution(Graph.INPUT, *first, 2, [2] * 4))
    for halving, same in zip(rest[::2], rest[1::2], strict=True):
        x = graph.silu(graph.convolution(x, *halving, 2, [1] * 4))
        x = graph.silu(graph.sum(x, graph.convolution(x, *same, 1, [1] * 4)))
    return onnx_runner(graph.finished(graph.flatten(x), network.hidden[0].shape[1] - HINTS))


@kept(maxsize=1)
def _shipped() -> RegionReader:
    return RegionReader.load()


def regions_of(model: FaceModel) -> RegionReader | None:
    """The shipped one where it knows the expressions of ``model``, else None."""
    found = _shipped()
    if found.names != tuple(model.expression_names):
        return None
    return found.speaking_of(model)
