"""The good files that cases are made from: small, complete, the same every time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.exchange import save_reconstruction
from reconstruct_face.backend.exchange.model_cards import FORMAT, VERSION
from reconstruct_face.backend.exchange.motion import Motion, save_motion
from reconstruct_face.backend.exchange.npz import write_arrays
from reconstruct_face.backend.exchange.passes import Passes, save_passes
from reconstruct_face.backend.fit.noise import NOISE_FILE
from reconstruct_face.backend.model.face_model import ARRAYS
from reconstruct_face.backend.model.load import MODEL_FORMAT, MODEL_VERSION
from reconstruct_face.backend.motion import write_motion_file

from tests import bfm_files as files
from tests.synthetic_face import synthetic_face
from tests.synthetic_reconstruction import ARKIT_NAMES, make_person, make_reconstruction

#: Lengths of a tiny face model's axes.
_AXES = {
    "V": 70, "K": 3, "E": 4, "P": 20, "C": 4, "U": 80, "N": 30, "J": 5, "T": 8, "A": 2, "M": 3,
    "S": 8, "X": 52, "L": 6, "B": 8,
}  # fmt: skip
_INDEX_OF = {"uv_polygons": "U", "polygon_material": "A"}


def exchange(folder: Path) -> None:
    """Heads, passes and the landmarks' noise."""
    head = make_reconstruction(rows=8, columns=10, names=ARKIT_NAMES[:5], image_size=(64, 48))
    save_reconstruction(head, folder / "head.npz")
    rng = np.random.default_rng(1)
    person = make_person(("a.jpg", "b.jpg", "c.jpg"), rows=8, columns=10, names=ARKIT_NAMES[:5])
    person.displacement = rng.random((16, 16)).astype(np.float32)
    person.regions = np.full((2, len(person.vertices_neutral)), 9, np.uint8)
    person.region_names = ("lips", "brows")
    save_reconstruction(person, folder / "plain.npz", compress=False)
    three = [rng.random((9, 12, 3)).astype(np.float32) for _ in range(3)]
    covered, depth = rng.random((9, 12)) > 0.5, rng.random((9, 12)).astype(np.float32)
    save_passes(folder / "passes.npz", Passes(covered, depth, *three))
    shutil.copy(NOISE_FILE, folder / "noise.npz")


def motion(folder: Path) -> None:
    """Motions in every kind of file that is read."""
    count = 40
    rng = np.random.default_rng(2)
    made = Motion(
        np.arange(count) / 30,
        ARKIT_NAMES[:8],
        rng.random((count, 8)).astype(np.float32),
        np.tile(np.diag([1.0, -1.0, -1.0]), (count, 1, 1)),
        rng.random((count, 3)),
        rng.random(count) > 0.1,
        30.0,
        {"source": "clip.mp4", "notes": ["a note"], "image_size": [64, 48]},
    )
    save_motion(folder / "motion.npz", made)
    write_motion_file(folder / "live.csv", made, "livelink")
    write_motion_file(folder / "own.csv", made)
    (folder / "a.tsv").write_text("0.00\tX\n0.20\tD\n0.60\tA\n0.90\tX\n")
    cues = [{"start": 0.2, "end": 0.6, "value": "D"}, {"start": 0.6, "end": 0.9, "value": "A"}]
    (folder / "b.json").write_text(json.dumps({"metadata": {"duration": 1}, "mouthCues": cues}))
    (folder / "c.dat").write_text("MohoSwitch1\n1 rest\n12 AI\n24 MBP\n36 rest\n")
    (folder / "d.txt").write_text("0.0\t0.4\tAA\n0.4\t0.8\tM\n")
    (folder / "e.lab").write_text("0 0.5 AH0\n0.5 0.7 P\n0.7 1.1 UW1\n")


def tiny_arrays() -> dict[str, NDArray]:
    """The arrays of a face model that fits together and looks like nothing."""
    rng = np.random.default_rng(3)
    out = {}
    for name, member in ARRAYS.items():
        shape = tuple(_AXES[a] if isinstance(a, str) else a for a in member.shape or ())
        dtype = np.dtype(member.dtype)
        high = _AXES[_INDEX_OF.get(name, "V")] if name[-5:] != "masks" else 256
        values = rng.integers(0, high, shape) if dtype.kind in "iu" else rng.normal(size=shape)
        out[name] = values.astype(dtype)
    return out


def own_model(path: Path) -> None:
    """A face model in this project's own format."""
    arrays = tiny_arrays()
    header = {
        "format": MODEL_FORMAT,
        "version": MODEL_VERSION,
        "name": "tiny",
        "expression_names": list(ARKIT_NAMES[: _AXES["E"]]),
        "expression_range": arrays.pop("expression_range").tolist(),
        "materials": ["skin", "eye"],
        "mask_names": ["skin", "lips", "face"],
    }
    arrays["albedo_basis"] = np.rint(20 * arrays["albedo_basis"]).astype(np.int8)
    arrays |= {"albedo_scale": np.ones(_AXES["A"], np.float32), "eye_radius": np.float32(12)}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    write_arrays(path, arrays, compress=True)


def stored_model(folder: Path) -> None:
    """The folder of an imported model."""
    folder.mkdir(parents=True)
    arrays = tiny_arrays()
    rng = np.random.default_rng(4)
    e, x, v = _AXES["E"], _AXES["X"], _AXES["V"]
    arrays |= {
        "arkit_basis": rng.normal(size=(x, v, 3)).astype(np.float32),
        "extra.mapping_native": np.eye(e),
        "extra.mapping_arkit": np.eye(x),
        "extra.mapping_cross": np.zeros((x, e)),
        "extra.mapping_native_range": np.tile([0.0, 1.0], (e, 1)),
    }
    for key, array in arrays.items():
        np.save(folder / f"{key}.npy", array, allow_pickle=False)
    card = {
        "name": folder.name, "folder": str(folder), "kind": "tiny", "licence": "CC0",
        "sha256": "0" * 64, "files": {"a.mat": "0" * 64}, "counts": {"vertices": v, "identity": 3},
        "notes": ["a note"], "figures": {"registration_mm": 0.3}, "imported": "2024-01-01",
    }  # fmt: skip
    about = {
        "name": folder.name, "expression_names": list(ARKIT_NAMES[:e]),
        "material_kinds": ["skin", "eye"], "mask_names": ["skin", "lips", "face"],
        "eye_radius": 12.0, "header": {"sha256": "0" * 64},
    }  # fmt: skip
    header = {
        "format": FORMAT, "version": VERSION, "card": card, "model": about,
        "arkit_names": list(ARKIT_NAMES),
        "arrays": {key: [list(a.shape), a.dtype.str] for key, a in arrays.items()},
    }  # fmt: skip
    (folder / "header.json").write_text(json.dumps(header, indent=1))


def models(folder: Path) -> None:
    """Our own formats, and a small one of each kind that is imported."""
    own_model(folder / "model.npz")
    stored_model(folder / "stored" / "models" / "tiny")
    face = synthetic_face(files.SMALL, None, None, False, 6, 79, 6)
    every = np.arange(files.SMALL)
    files.write_bfm(folder / "BFM.mat", face)
    import scipy.io

    fields = files.bfm_fields(face)
    scipy.io.savemat(folder / "packed.mat", {"model": fields}, do_compression=True)
    files.write_basel(folder / "basel.mat", face)
    files.write_index_map(folder / "trim.mat", every)
    files.write_exp_80k(folder / "exp_80k.npz", face)
    files.write_exp_pca(folder / "Exp_Pca.bin", face, every)
    files.write_std_exp(folder / "std_exp.txt", face, every)
    files.write_stats_80k(folder / "stats.npz", face)
    files.write_deep3d(folder / "deep3d.mat", face)
    files.write_bfm_h5(folder / "model.h5", face)
    files.write_eos(folder / "eos.bin", face)
    _blendshapes(folder / "blendshapes.bin")
    files.write_ict(folder / "FaceXModel", files.SMALL_HEAD, 2)
    np.savez(folder / "flame.npz", **_flame())
    import torch
    from safetensors.torch import save_file

    tensors = {"backbone.conv1.weight": torch.zeros(8, 3, 7, 7), "n": torch.zeros(3)}
    torch.save({"net_recon": tensors, "epoch": 20}, folder / "net.pth")
    about = {"format": "reconstruct_face.face_network", "version": "1", "training": "{}"}
    save_file({"label_mean": torch.zeros(4), "x": torch.zeros(5, 5)},
              folder / "network.safetensors", about)  # fmt: skip


def _blendshapes(path: Path) -> None:
    shape = np.zeros(300, np.float32).tobytes()
    data = np.uint64(2).tobytes()
    for name in (b"anger", b"joy"):
        data += np.uint64(len(name)).tobytes() + name
        data += np.array([300, 1], np.int32).tobytes() + shape
    path.write_bytes(data)


def _flame() -> dict[str, NDArray]:
    rng = np.random.default_rng(5)
    return {
        "v_template": rng.uniform(-0.1, 0.1, (60, 3)),
        "shapedirs": rng.normal(0, 0.001, (60, 3, 302)),
        "f": rng.integers(0, 60, (90, 3)).astype(np.uint32),
        "posedirs": rng.normal(size=(60, 3, 36)),
        "weights": rng.random((60, 5)),
    }


def pickles(folder: Path) -> None:
    """FLAME's in every protocol."""
    for protocol in range(6):
        files.write_flame_pkl(folder / f"flame{protocol}.pkl", protocol, **_flame())


def records(folder: Path) -> None:
    """Settings in TOML, cards and lists in JSON."""
    (folder / "train.toml").write_text(
        'data = ["shards"]\nsteps = 100\nlearning_rate = 1e-3\n\n[weights]\ndense = 5.0\n\n'
        "[augment]\nflip = 0.5\n"
    )
    (folder / "settings.toml").write_text(
        'bfm_path = "BFM.mat"\nimage_names = ["a.jpg", "b.jpg"]\nbatch_size = 4\naligned = true\n'
    )
    network = folder / "networks" / "networks" / "mine"
    network.mkdir(parents=True)
    card = {
        "name": "mine", "folder": "", "kind": "deep3d", "files": {"a.pth": "0" * 64},
        "weights_sha256": "0" * 64, "pictures": 4, "difference": 1e-6, "notes": ["a note"],
    }  # fmt: skip
    document = {"format": "reconstruct_face.imported_network", "version": 1, "card": card}
    (network / "card.json").write_text(json.dumps(document, indent=1))
    (network / "network.safetensors").write_bytes(bytes(100))
    shards = folder / "shards"
    shards.mkdir()
    header = {"format": 1, "size": 32, "count": 4, "seed": 1, "model_sha256": "0" * 64}
    (shards / "shards.json").write_text(json.dumps(header))


def pictures(folder: Path) -> None:
    """A face, and strips as no detector likes them, in every kind that is read.

    They are small: the whole cascade on 300 pictures is a matter of minutes then.
    """
    import pillow_heif
    from PIL import Image
    from reconstruct_face.backend.model.load import ASSETS

    pillow_heif.register_heif_opener()
    photo = Image.open(ASSETS / "astronaut.jpg").convert("RGB")
    face = photo.crop((150, 30, 310, 190)).resize((96, 96))
    shapes = {"face": face, "strip": face.resize((900, 33)), "tower": face.resize((33, 900))}
    for name, picture in shapes.items():
        for suffix in ("jpg", "png", "webp", "tif", "bmp", "gif", "heic", "avif"):
            picture.save(folder / f"{name}.{suffix}")
