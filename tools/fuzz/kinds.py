"""What there is to fuzz: kinds of cases, each a list of good files with a reader and mutations."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from .mutate import Mutation, binary, hdf5, mat, npz, pickled, record, text


@dataclass(frozen=True)
class Sample:
    """A good file, or a folder of which one file is changed."""

    path: str  #: below the folder of the good files
    reader: str  #: a key of :data:`.readers.READERS`
    mutations: Mutation
    others: tuple[str, ...] = ()  #: files that are read along with it
    weight: float = 1.0  #: how often it is chosen


@dataclass(frozen=True)
class Kind:
    """Cases of one kind."""

    count: int  #: in a full round
    maker: str  #: "module:function" of this package that writes the good files into a folder
    samples: tuple[Sample, ...]

    def make(self, folder: Path) -> None:
        """Write the good files; what makes them is imported no sooner."""
        module, name = self.maker.split(":")
        getattr(importlib.import_module(f".{module}", __package__), name)(folder)


KINDS = {
    "exchange": Kind(
        2000,
        "good:exchange",
        (
            Sample("head.npz", "reconstruction", npz, weight=3),
            Sample("plain.npz", "reconstruction", npz, weight=3),
            Sample("passes.npz", "passes", npz),
            Sample("noise.npz", "noise", npz),
        ),
    ),
    "models": Kind(
        500,
        "good:models",
        (
            Sample("model.npz", "model", npz, weight=4),
            Sample("stored", "stored", binary, weight=4),
            Sample("BFM.mat", "import", mat, weight=4),
            Sample("packed.mat", "import", mat, weight=2),
            Sample("basel.mat", "import", mat, ("exp_80k.npz", "trim.mat")),
            Sample("deep3d.mat", "import", mat),
            Sample("exp_80k.npz", "import", npz, ("BFM.mat",), weight=2),
            Sample("model.h5", "import", hdf5, weight=2),
            Sample("eos.bin", "import", binary, weight=3),
            Sample("blendshapes.bin", "import", binary),
            Sample("Exp_Pca.bin", "import", binary, ("basel.mat", "trim.mat")),
            Sample("std_exp.txt", "import", text, ("BFM.mat", "exp_80k.npz"), weight=0.5),
            Sample("FaceXModel", "import", text, weight=0.3),
            Sample("flame.npz", "import", npz, weight=2),
            Sample("stats.npz", "stats", npz),
            Sample("net.pth", "checkpoint", binary, weight=0.3),
            Sample("network.safetensors", "weights", binary, weight=2),
        ),
    ),
    "pickles": Kind(
        200,
        "good:pickles",
        tuple(Sample(f"flame{protocol}.pkl", "import", pickled) for protocol in range(6)),
    ),
    "motion": Kind(
        500,
        "good:motion",
        (
            Sample("motion.npz", "motion", npz, weight=3),
            Sample("live.csv", "motion", text, weight=2),
            Sample("own.csv", "motion", text, weight=2),
            Sample("a.tsv", "motion", text),
            Sample("b.json", "motion", record),
            Sample("c.dat", "motion", text),
            Sample("d.txt", "motion", text),
            Sample("e.lab", "motion", text),
        ),
    ),
    "records": Kind(
        200,
        "good:records",
        (
            Sample("train.toml", "config", text),
            Sample("settings.toml", "settings", text),
            Sample("networks", "networks", record),
            Sample("shards", "shards", record),
        ),
    ),
    "pictures": Kind(
        300,
        "good:pictures",
        tuple(
            Sample(f"{name}.{suffix}", "picture", binary)
            for name in ("face", "strip", "tower")
            for suffix in ("jpg", "png", "webp", "tif", "bmp", "gif", "heic", "avif")
        ),
    ),
}
#: Names for several kinds.
GROUPS = {"readers": tuple(kind for kind in KINDS if kind != "pictures"), "all": tuple(KINDS)}
