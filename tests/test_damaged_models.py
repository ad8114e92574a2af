"""Model files that are damaged or made to do harm: each its sentence, soon and in little memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from reconstruct_face.backend.cli.models import main as models
from reconstruct_face.backend.errors import FaceError, ModelError, TrainingError
from reconstruct_face.backend.exchange.model_cards import list_models
from reconstruct_face.backend.isolated import read_isolated
from reconstruct_face.backend.model.importing import read_model
from reconstruct_face.backend.model.importing.mat import read_mat
from reconstruct_face.backend.model.importing.unpickle import MOST_STEPS, read_pickle
from reconstruct_face.backend.model.load import load_model
from reconstruct_face.backend.model.stored import load_extras, load_stored
from reconstruct_face.backend.original.cards import list_networks
from reconstruct_face.backend.original.convert import read_checkpoint
from reconstruct_face.backend.training.checkpoint import load_checkpoint, save_checkpoint

from tests.processes import little_memory
from tools.fuzz import good


def refused(read: Callable[[Path], object], path: Path, *words: str, seconds: float = 10) -> None:
    """``path`` is refused in one sentence that names it, soon and in little memory."""
    start = time.process_time()
    with little_memory(150), pytest.raises(FaceError) as caught:
        read(path)
    assert time.process_time() - start < seconds
    sentence = str(caught.value)
    assert path.name in sentence and "\n" not in sentence and len(sentence) < 500, sentence
    for word in words:
        assert word in sentence, sentence


def imported(path: Path) -> object:
    return read_model([path])


# This project's own models.


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an imported model, "tiny"."""
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "models" / "tiny"
    good.stored_model(folder)
    return folder


def test_a_good_store_is_read(stored: Path) -> None:
    assert len(load_model("tiny").expression_basis) == 4
    assert len(load_model("tiny", "arkit").expression_basis) == 52
    assert load_extras("tiny")["mapping_cross"].shape == (52, 4)
    assert list_models()[0].facts == "70 vertices, 3 identity modes"


CARD: list[tuple[str, Any]] = [
    ("kind", 5), ("counts", {"vertices": "70"}), ("counts", [1]), ("files", {"a": 1}),
    ("figures", {"registration_mm": "0.3"}), ("figures", {"registration_mm": float("nan")}),
    ("notes", "note"), ("notes", [1]), ("licence", None), ("sha256", []), ("imported", {}),
    ("problem", 1),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), CARD)
def test_one_damaged_card_does_not_stop_the_list(
    stored: Path, capsys: pytest.CaptureFixture, field: str, value: Any
) -> None:
    good.stored_model(stored.with_name("whole"))
    header = json.loads((stored / "header.json").read_text())
    header["card"][field] = value
    (stored / "header.json").write_text(json.dumps(header))
    for command in (["list"], ["list", "--json"], ["show", "whole"]):
        assert models(command) == 0
        assert "whole" in capsys.readouterr().out
    assert models(["show", "tiny"]) == 6
    assert "import it again" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b"\xff", b"[]", b"{}", b'{"format": []}', b"9" * 5000, b""]
)
def test_headers_that_are_none(stored: Path, capsys: pytest.CaptureFixture, content: bytes) -> None:
    (stored / "header.json").write_bytes(content)
    assert models(["list"]) == 0 and "tiny" in capsys.readouterr().out
    refused(load_stored, stored)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("uv_polygons", np.full((20, 4), 80, np.int32)),
        ("symmetry", np.full(70, -1, np.int32)),
        ("contour_candidates", np.full((17, 5), -2, np.int32)),
        ("polygon_material", np.full(20, 2, np.uint8)),
        ("mean", np.full((70, 3), np.nan, np.float32)),
        ("identity_basis", np.zeros((3, 70, 3), "V4")),
        ("edges", np.zeros((30, 2), np.float32)),
        ("vertex_masks", np.zeros((3, 71), np.uint8)),
    ],
)
def test_stored_arrays_that_do_not_fit(stored: Path, name: str, array: np.ndarray) -> None:
    np.save(stored / f"{name}.npy", array)
    header = json.loads((stored / "header.json").read_text())
    header["arrays"][name] = [list(array.shape), array.dtype.str]
    (stored / "header.json").write_text(json.dumps(header))
    refused(load_stored, stored, name, "import it again")


def test_stored_arrays_that_are_shorter_than_they_say(stored: Path) -> None:
    path = stored / "identity_basis.npy"
    os.truncate(path, path.stat().st_size - 4)
    refused(load_stored, stored, "identity_basis.npy")
    path.unlink()
    refused(load_stored, stored, "identity_basis.npy is missing")
    header = json.loads((stored / "header.json").read_text())
    header["arrays"] = {"../../secret": [[1], "<f4"]}
    (stored / "header.json").write_text(json.dumps(header))
    refused(load_stored, stored, "lacks")


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, header: arrays.update(polygons=np.full((20, 4), 70, np.int32)),
        lambda arrays, header: arrays.update(mean=np.full((70, 3), np.inf)),
        lambda arrays, header: arrays.update(albedo_basis=np.zeros((2, 8, 9, 3))),
        lambda arrays, header: arrays.update(eye_radius=np.array([1.0, 2.0])),
        lambda arrays, header: arrays.pop("uv_masks"),
        lambda arrays, header: header.update(expression_names=5),
        lambda arrays, header: header.update(expression_names=["a"]),
        lambda arrays, header: header.update(expression_range=[["a", "b"]] * 4),
        lambda arrays, header: header.update(version=[]),
        lambda arrays, header: header.pop("name"),
    ],
)
def test_models_of_ours_that_do_not_fit(tmp_path: Path, change: Callable) -> None:
    path = tmp_path / "model.npz"
    good.own_model(path)
    assert len(load_model(str(path)).mean) == 70
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays.pop("header").tobytes())
    change(arrays, header)
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    os.utime(path, ns=(1, 1))  # models are kept until their file changes
    refused(lambda p: load_model(str(p)), path)


# Models of others.


def mat_element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def mat_matrix(name: bytes, kind: int, shape: tuple[int, ...], content: bytes) -> bytes:
    parts = mat_element(6, struct.pack("<II", kind, 0))
    parts += mat_element(5, np.array(shape, np.int32).tobytes()) + mat_element(1, name)
    return mat_element(14, parts + content)


def mat_file(path: Path, *variables: bytes, packed: bool = True) -> Path:
    data = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for variable in variables:
        if packed:
            small = zlib.compress(variable, 1)
            variable = struct.pack("<II", 15, len(small)) + small
        data += variable
    path.write_bytes(data)
    return path


def test_matlabs_sizes_are_looked_at_first(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    zeros = mat_element(9, bytes(320_000_000))[:8] + bytes(64)
    numbers = struct.pack("<II", 9, 2_400_000_000) + bytes(80_000)
    for content in (
        mat_matrix(b"shapePC", 6, (300_000_000, 1), numbers),  # declared and not there
        mat_matrix(b"shapePC", 6, (2**31 - 1, 2**31 - 1), mat_element(9, bytes(64))),
        mat_matrix(b"shapePC", 6, (-1, -8), mat_element(9, bytes(64))),
        mat_matrix(b"shapePC", 6, (40_000_000, 1), zeros),
        mat_matrix(b"model", 2, (10**9, 10**9), mat_element(5, bytes(4))),
        mat_matrix(b"model", 2, (1, 1), mat_element(5, bytes(4)) + mat_element(1, b"")),
        mat_matrix(b"shapePC", 1, (2**31 - 1, 1), b""),  # cells
    ):
        for packed in (False, True):
            refused(imported, mat_file(path, content, packed=packed), "a.mat")


def test_matlabs_bombs_are_not_inflated(tmp_path: Path) -> None:
    """300 MB of zeros in an unknown variable are passed over; in a known one they are 300 MB."""
    bomb = mat_matrix(b"other", 9, (300_000_000, 1), mat_element(2, bytes(300_000_000)))
    path = mat_file(
        tmp_path / "a.mat", bomb, mat_matrix(b"lm", 9, (8, 1), mat_element(2, bytes(8)))
    )
    assert path.stat().st_size < 2_000_000
    refused(imported, path, "lm, other")


def test_matlab_files_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inner = {
        "shapeMU": rng.normal(size=(6, 1)).astype(np.float32), "tri": np.arange(6)[None],
        "other": "text", "kpt_ind": np.array([[1, "a"]], object), "shapeEV": np.zeros((0, 3)),
    }  # fmt: skip
    whole = {"model": inner, "UV": np.arange(12.0).reshape(3, 4), "idx": "text",
             "tl": np.ones((2, 2)) * 1j, "unknown": np.eye(3)}  # fmt: skip
    for packed in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", whole, do_compression=packed)
        found = read_mat(tmp_path / "a.mat", {"UV", "idx", "tl"}, {"model": set(inner)})
        expected = scipy.io.loadmat(tmp_path / "a.mat")
        assert found.names == list(whole)
        np.testing.assert_array_equal(found.arrays["UV"], expected["UV"])
        for name in ("shapeMU", "tri", "shapeEV"):
            got, wanted = found.structs["model"][name], expected["model"][0, 0][name]
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)
        said = [found.arrays["idx"], found.arrays["tl"], found.structs["model"]["kpt_ind"]]
        assert [str(one) for one in said] == ["text", "no real numbers", "cells"]


def hdf5(path: Path, make: Callable[[h5py.File], object]) -> Path:
    with h5py.File(path, "w") as file:
        make(file)
    return path


MEAN = "shape/model/mean"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda f: f.create_group(MEAN), "is a group"),
        (lambda f: f.create_dataset(MEAN, (1_000_000_000,), "f4"), "would take"),
        (lambda f: f.create_dataset(MEAN, (100_000_000,), "f4", chunks=(1000,)), "would take"),
        (lambda f: f.create_dataset(MEAN, (9,), "f4", chunks=(9,), maxshape=(None,)), "would take"),
        (lambda f: f.create_dataset(MEAN, data=np.zeros(9, complex)), "no numbers"),
        (lambda f: f.create_dataset(MEAN, data="text"), "no numbers"),
        (lambda f: f.create_dataset(MEAN, data=np.zeros(9), compression="lzf"), "compressed"),
        (lambda f: f.update({MEAN: h5py.ExternalLink("other.h5", "/x")}), "not followed"),
        (lambda f: f.update({MEAN: h5py.SoftLink("/x"), "x": np.zeros(9)}), "not followed"),
        (lambda f: f.update({"shape": h5py.ExternalLink("other.h5", "/shape")}), "not followed"),
        (
            lambda f: f.create_dataset(MEAN, (9,), "f4", external=[("/etc/passwd", 0, 36)]),
            "other files",
        ),
        (
            lambda f: f.create_virtual_dataset(MEAN, h5py.VirtualLayout((9,), "f4")),
            "other files",
        ),
    ],
)  # fmt: skip
def test_hdf5_that_is_not_read(tmp_path: Path, make: Callable, word: str) -> None:
    hdf5(tmp_path / "other.h5", lambda file: file.update({"x": np.zeros(9), MEAN: np.zeros(9)}))

    def put(file: h5py.File) -> None:
        class Names:  # as a dictionary: an entry is a link or numbers
            def update(self, entries: dict[str, Any]) -> None:
                for name, value in entries.items():
                    file[name] = value

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        make(Names())

    refused(imported, hdf5(tmp_path / "model.h5", put), word)


def test_hdf5_that_crashes_costs_no_more_than_a_sentence(tmp_path: Path) -> None:
    good_file = hdf5(
        tmp_path / "a.h5", lambda f: f.create_dataset(MEAN, data=np.zeros(900), compression="gzip")
    )
    assert read_isolated("h5", good_file, [MEAN])[1][MEAN].shape == (900,)
    data = good_file.read_bytes()
    for k in range(0, 8):
        damaged = bytearray(data)
        damaged[96 + 64 * k : 128 + 64 * k] = b"\xff" * 32
        (tmp_path / "b.h5").write_bytes(damaged)
        refused(imported, tmp_path / "b.h5")


def memo_lists(count: int) -> bytes:
    """Each list has the one before twice."""
    lists = b"".join(b"]q%c(h%ch%ce" % (k, k - 1, k - 1) for k in range(1, count))
    return b"]q\x00" + lists


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02)" + b"\x85" * 2_000_000 + b".",
        b"\x80\x02})" + b"\x85" * 2_000_000 + b"K\x01s.",
        b"\x80\x02}X\x0a\x00\x00\x00v_template" + memo_lists(40) + b"s.",
        b"\x80\x02" + memo_lists(40) + b".",
        b"\x80\x02cbuiltins\nset\ncbuiltins\nbytearray\nJ\x00\x27\xb9\x29\x85R\x85R.",
        b"\x80\x02}(I" + b"7" * 4301 + b"\nK\x01u.",
        b"\x80\x02}(\x8a\xff" + b"\x77" * 255 + b"K\x01u.",
        b"\x80\x02" + b"]q\x00h\x00a" * 1000 + b".",
        b"\x80\x02]" + b"N" * (MOST_STEPS + 1) + b".",
        b"\x80\x02U\x64" + b"x" * 100 + b"q\x00" + b"h\x00" * 50_000 + b".",
        b"\x80\x02X" + b"\x40\x42\x0f\x00" + b"x" * 1_000_000 + b"q\x000"
        + b"c_codecs\nencode\nh\x00U\x06latin1\x86R0" * 30 + b"}.",
        b"\x80\x02cnumpy\ndtype\n" + memo_lists(40) + b"\x85R.",
    ],
)  # fmt: skip
def test_pickles_that_ask_for_much(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "flame.pkl").write_bytes(data)
    refused(imported, tmp_path / "flame.pkl")


def test_pickled_lists_are_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "flame.pkl"
    ragged = {"v_template": [[1.0, 2.0], [3.0]], "shapedirs": np.zeros((3, 3, 400))}
    path.write_bytes(pickle.dumps(ragged, 2))
    refused(imported, path, "v_template", "something else than numbers")
    assert read_pickle(path.read_bytes(), "a")["v_template"] is None


def torch_file(path: Path, program: bytes) -> Path:
    """A checkpoint whose pickle is ``program``."""
    torch.save({"net_recon": {"x": torch.zeros(3)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, program if name.endswith("data.pkl") else content)
    return path


def test_checkpoints_that_end_pytorch(tmp_path: Path) -> None:
    nested = torch_file(tmp_path / "epoch_20.pth", b"\x80\x02)" + b"\x85" * 1_000_000 + b".")
    refused(read_checkpoint, nested)
    keyed = b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s."
    refused(read_checkpoint, torch_file(tmp_path / "epoch_20.pth", keyed))
    for name, value in (("a", 5), ("a", torch.zeros(1).expand(10**12)), (5, torch.zeros(1))):
        torch.save({"net_recon": {name: value}}, tmp_path / "epoch_20.pth")
        refused(read_checkpoint, tmp_path / "epoch_20.pth")


def test_a_training_is_not_ended_by_its_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"step": 3, "network": {"x": torch.ones(2)}})
    assert load_checkpoint(tmp_path)["step"] == 3
    torch_file(tmp_path / "checkpoint.pt", b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s.")
    with pytest.raises(TrainingError, match="checkpoint.pt is damaged"):
        load_checkpoint(tmp_path)


def test_damaged_cards_of_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good.records(tmp_path)
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "networks"))
    card = tmp_path / "networks" / "networks" / "mine" / "card.json"
    whole = json.loads(card.read_text())
    assert not list_networks()[0].problem
    for change in ({"kind": []}, {"notes": 5}, {"files": [1]}, {"difference": "x"}, {"kind": "x"}):
        card.write_text(json.dumps(whole | {"card": whole["card"] | change}))
        assert models(["networks"]) == 0
        assert "holds no network" in list_networks()[0].problem
    card.write_bytes(b"[" * 100_000)
    assert "nested" in list_networks()[0].problem


def test_obj_files_without_end(tmp_path: Path) -> None:
    for text in (
        "v 1 1 1\n" * 3 + "f" + " 1" * 5000, "v 1 1 1\nf " + "9" * 4400 + " 1 1\n",
        "v 1 1 1\nf x 1 1\n", "v 1 1 nan\nf 1 1 1\n", "v 1 1 " + "1" * 5000 + "\n",
    ):  # fmt: skip
        folder = tmp_path / "FaceXModel"
        folder.mkdir(exist_ok=True)
        (folder / "generic_neutral_mesh.obj").write_text(text)
        with pytest.raises(ModelError, match=r"generic_neutral_mesh\.obj") as caught:
            read_model([folder])
        assert len(str(caught.value)) < 400


def test_nothing_is_made_of_a_files_size_alone(tmp_path: Path) -> None:
    """A sparse file of a terabyte."""
    for name in ("a.mat", "a.h5", "a.pkl", "a.npz", "a.bin", "model.npz"):
        path = tmp_path / name
        path.write_bytes(
            {"a.mat": b"MATLAB 5.0", "a.h5": b"\x89HDF\r\n\x1a\n"}.get(name, b"PK\3\4")
        )
        os.truncate(path, 10**12)
        refused(imported, path, "MB")
        refused(lambda p: load_model(str(p)), path, "MB")


def test_zeros_are_no_model(tmp_path: Path) -> None:
    data = io.BytesIO()
    np.savez(data, v_template=np.zeros((0, 3)), shapedirs=np.zeros((0, 3, 400)), f=np.zeros((0, 3)))
    (tmp_path / "flame.npz").write_bytes(data.getvalue())
    refused(imported, tmp_path / "flame.npz")
