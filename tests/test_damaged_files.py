"""Exchange files, motions and records that are damaged or made to do harm: each its sentence."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reconstruct_face.backend.arrays import LARGEST_ARRAY, open_npz, read_header
from reconstruct_face.backend.bounded import DEEPEST, Damaged, parse_json, parse_toml
from reconstruct_face.backend.cli import animate
from reconstruct_face.backend.errors import ExchangeError, FaceError, ModelError, TrainingError
from reconstruct_face.backend.exchange import (
    Reconstruction,
    load_reconstruction,
    save_reconstruction,
)
from reconstruct_face.backend.exchange.motion import load_motion
from reconstruct_face.backend.exchange.passes import load_passes
from reconstruct_face.backend.fit import noise
from reconstruct_face.backend.motion import read_motion_file, table
from reconstruct_face.backend.original.settings import read_settings
from reconstruct_face.backend.training.config import read_config

from tests.processes import little_memory
from tests.synthetic_reconstruction import make_reconstruction
from tools.fuzz import good


@pytest.fixture(scope="module")
def head() -> Reconstruction:
    return make_reconstruction(rows=8, columns=10, names=("jawOpen", "smile"))


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None], **how: Any) -> Path:
    """``path`` with its members' bytes changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array))
    return out.getvalue()


def declared(descr: str, shape: str, fortran: str = "False") -> bytes:
    """An array that has nothing behind its header."""
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def refused(path: Path, *words: str, by: Callable[[Path], object] = load_reconstruction) -> str:
    """``path`` is refused in one sentence that names it, in little memory; returns it."""
    with little_memory(150), pytest.raises(FaceError) as caught:
        by(path)
    sentence = str(caught.value)
    assert path.name in sentence and "\n" not in sentence and len(sentence) < 500, sentence
    for word in words:
        assert word in sentence, sentence
    return sentence


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("uv", declared("'<f4'", "(((((")),  # numpy: TokenError
        ("uv", declared("'<f4'", "(" * 5000)),  # MemoryError
        ("uv", declared("'<f4'", "(500000000, 2)")),
        ("uv", declared("'<f4'", "(10000000000000000000000, 2)")),  # OverflowError
        ("uv", declared("'<f4'", "(-5, 2)")),
        ("uv", declared("5", "(3, 2)")),
        ("uv", declared("'<f4'", "'x'")),
        ("uv", declared("'<f4'", "(3, 2)", "0")),
        ("uv", declared("'|V8'", "(3, 2)")),
        ("uv", declared("[('a', '<f4')]", "(3, 2)")),
        ("uv", declared("'<M8[s]'", "(3, 2)")),
        ("uv", declared("'|O'", "(3, 2)")),
        ("uv", declared("'<U0'", "(99999999999, 2)")),
        ("uv", b"no array"),
        ("uv", npy(np.zeros((3, 2), "<M8[s]"))),
        ("uv", npy(np.full((3, 2), "a"))),
        ("uv", npy(np.zeros((3, 2), complex))),
        ("expression_names", npy(np.zeros(2))),
        ("polygons", npy(np.full((3, 4), 0.5))),
        ("polygons", npy(np.full((3, 4), 2**40))),
        ("identity", npy([np.nan])),
        ("albedo", npy([np.inf])),
        ("expression_range", npy(np.full((2, 2), 1e300))),
        ("rotation", npy(2 * np.eye(3))),
        ("camera_matrix", npy(-np.eye(3))),
        ("vertices_neutral", npy(5.0)),
        ("header", npy(np.frombuffer(b"[" * 200_000, np.uint8))),  # RecursionError
        ("header", npy(np.frombuffer(b'"\xff"', np.uint8))),
        ("header", npy(np.frombuffer(b"9" * 5000, np.uint8))),
    ],
)
def test_arrays_that_are_none(
    head: Reconstruction, tmp_path: Path, member: str, content: bytes
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")
    refused(rewritten(path, lambda members: members.update({f"{member}.npy": content})))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_size", "640x480"), ("image_size", [640]), ("image_size", [1e9, 1e9]),
        ("image_size", [10**9, 10**9]), ("image_size", [0, 5]), ("materials", {"a": 1}),
        ("materials", [{"name": 1, "kind": "skin"}]), ("materials", [["skin", "skin"]]),
        ("model", []), ("model", {}), ("texture_mode", 5), ("texture_mode", "other"),
        ("photo_path", None), ("face_index", "1"), ("face_index", True), ("warnings", "none"),
        ("timings", {"fit": "long"}), ("timings", [1]), ("versions", None),
        ("provenance", {"options": 1}), ("version", [1]), ("version", "x" * 5000),
    ],
)  # fmt: skip
def test_headers_of_a_wrong_type(
    head: Reconstruction, tmp_path: Path, field: str, value: Any
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")

    def change(members: dict[str, bytes]) -> None:
        header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
        text = json.dumps(header | {field: value}).encode()
        members["header.npy"] = npy(np.frombuffer(text, np.uint8))

    refused(rewritten(path, change))


def _flag(data: bytearray, offset: int, value: int) -> bytearray:
    """The archive with a field of its first member changed, in both places that have it."""
    central = data.find(b"PK\x01\x02")
    struct.pack_into("<H", data, central + offset + 2, value)
    struct.pack_into("<H", data, offset, value)
    return data


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: _flag(data, 6, 1),  # encrypted: RuntimeError
        lambda data: _flag(data, 8, 99),  # NotImplementedError
        lambda data: data[:80] + bytes([data[80] ^ 0xFF]) * 60 + data[140:],  # zlib.error
        lambda data: data[: data.rfind(b"PK\x01\x02")] + data[data.rfind(b"PK\x05\x06") :],
    ],
)
def test_archives_that_are_none(
    head: Reconstruction, tmp_path: Path, damage: Callable[[bytearray], bytes]
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")
    path.write_bytes(damage(bytearray(path.read_bytes())))
    refused(path, "damaged")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_numpy_writes_is_unpacked(
    head: Reconstruction, tmp_path: Path, method: int
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")
    refused(rewritten(path, lambda members: None, compression=method), "compressed")


def test_members_that_are_not_known_are_not_read(head: Reconstruction, tmp_path: Path) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("bomb.npy", npy(np.zeros(400_000_000, np.uint8)))
        archive.writestr("other.npy", b"no array")
    with little_memory(100):
        assert len(load_reconstruction(path).expression_names) == 2


def test_what_is_declared_is_refused_before_it_is_read(
    head: Reconstruction, tmp_path: Path
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")

    def bomb(members: dict[str, bytes]) -> None:
        shape = f"({LARGEST_ARRAY // 24}, {2}, 3)"
        members["expression_basis.npy"] = declared("'<f4'", shape) + bytes(300_000_000)

    refused(rewritten(path, bomb, compression=zipfile.ZIP_DEFLATED, compresslevel=1))


def test_lists_of_members_without_end(tmp_path: Path) -> None:
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(1001):
            archive.writestr(f"{k}.npy", b"")
    refused(path, "1001 members")
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(300):
            archive.writestr(f"{k:060000}.npy", b"")
    refused(path, "beyond reason")


def test_a_header_of_many_spaces_is_not_looked_at_for_ever() -> None:
    data = b"{" + b"'shape': ()   " * 600 + b"x}"
    stream = io.BytesIO(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data)
    with pytest.raises(Damaged):
        read_header(stream)


def test_files_of_other_types_are_converted(head: Reconstruction, tmp_path: Path) -> None:
    """What a script may have made: other widths, byte and memory order, more members."""
    path = save_reconstruction(head, tmp_path / "head.npz")
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["vertices_posed"] = np.asfortranarray(arrays["vertices_posed"].astype(">f8"))
    arrays["polygons"] = arrays["polygons"].astype(np.uint64)
    np.savez(path, mine=np.zeros(3), **arrays)
    back = load_reconstruction(path)
    assert back.vertices_posed.dtype == np.float32 and back.polygons.dtype == np.int32
    np.testing.assert_array_equal(back.vertices_posed, head.vertices_posed)
    np.testing.assert_array_equal(back.polygons, head.polygons)
    with open_npz(path) as archive:
        assert archive.read_all().keys() == {*arrays, "mine"}


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    refused(tmp_path / "pipe.npz", "no regular file")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    refused(tmp_path / "zero.csv", "no regular file", by=read_motion_file)
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    refused(tmp_path / "loop.npz", "cannot be read")


def test_passes(tmp_path: Path) -> None:
    good.exchange(tmp_path)
    path = tmp_path / "passes.npz"
    assert load_passes(path).size == (12, 9)

    def change(members: dict[str, bytes]) -> None:
        members["depth.npy"] = npy(np.zeros((9, 13)))

    refused(rewritten(path, change), "'depth'", by=load_passes)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update({"covariance.npy": b"x"}),
        lambda m: m.update({"covariance.npy": npy(np.zeros((136, 136)))}),
        lambda m: m.update({"covariance.npy": npy(np.full((136, 136), np.nan))}),
        lambda m: m.update({"bias.npy": npy(np.zeros((2, 67, 2)))}),
        lambda m: m.update({"spread.npy": npy([1.0, 2.0])}),
        lambda m: m.update({"bias.npy": declared("'<f8'", "(((")}),
        lambda m: m.pop("spread.npy"),
    ],
)
def test_the_landmarks_noise_is_a_part_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable
) -> None:
    path = tmp_path / noise.NOISE_FILE.name
    path.write_bytes(noise.NOISE_FILE.read_bytes())
    monkeypatch.setattr(noise, "NOISE_FILE", rewritten(path, change))
    noise.dlib_noise.cache_clear()
    try:
        with pytest.raises(ModelError, match="landmark_noise.npz are missing or damaged") as caught:
            noise.dlib_noise()
        assert caught.value.exit_status == 6
    finally:
        noise.dlib_noise.cache_clear()


def test_animate_says_what_is_wrong_with_a_head(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from PIL import Image

    frames = tmp_path / "frames"
    frames.mkdir()
    for k in range(2):
        Image.new("RGB", (64, 64)).save(frames / f"{k}.png")
    for name, content in (("a.npz", b"PK\x03\x04half"), ("b.npz", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        command = [str(frames), "-o", str(tmp_path / "out"), "--identity", str(tmp_path / name)]
        assert animate.main(command) == 7
        assert name in capsys.readouterr().err


def cues(*values: tuple[Any, Any, Any]) -> str:
    return json.dumps({"mouthCues": [{"start": s, "end": e, "value": v} for s, e, v in values]})


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.txt", "0 1 AA\n1 1e12 M\n", "between 0 and"),
        ("a.txt", "-5 1 AA\n", "between 0 and"),
        ("a.txt", "nan 1 AA\n", "between 0 and"),
        ("a.lab", "0 inf AA\n", "between 0 and"),
        ("a.tsv", "0\tA\n1e308\tX\n", "between 0 and"),
        ("a.dat", "MohoSwitch1\n1e300 AI\n", "between 0 and"),
        ("a.json", "[" * 100_000, "nested"),
        ("a.json", '{"mouthCues": ' + "[" * 100_000, "nested"),
        ("a.json", "[1, 2]", "phonemes"),
        ("a.json", cues(("0", 1, "A")), "'start'"),
        ("a.json", cues((0, None, "A")), "'end'"),
        ("a.json", cues((0, 1, ["A"])), "'value'"),
        ("a.json", '{"mouthCues": [{"start": ' + "9" * 5000 + "}]}", "JSON"),
        ("a.txt", "0 1 AA\n" * 200_001, "200,001 phonemes"),
    ],
)
def test_phonemes(tmp_path: Path, name: str, text: str, word: str) -> None:
    (tmp_path / name).write_text(text)
    refused(tmp_path / name, word, by=read_motion_file)


def test_motions(tmp_path: Path) -> None:
    good.motion(tmp_path)
    path, whole = tmp_path / "motion.npz", (tmp_path / "motion.npz").read_bytes()
    changes = {
        "times": np.arange(40) * 1e300, "names": np.arange(8), "valid": np.full(40, 0.5),
        "weights": np.full((40, 8), np.nan), "rotation": np.zeros((40, 3, 3)),
        "translation": np.zeros((40, 4)),
    }  # fmt: skip
    for name, array in changes.items():
        path.write_bytes(whole)
        rewritten(path, lambda members, n=name, a=array: members.update({f"{n}.npy": npy(a)}))
        refused(path, by=load_motion)
    for field, value in (
        ("frame_rate", "30"), ("frame_rate", 1e300), ("about", []), ("about", {"notes": "a"}),
        ("about", {"camera_matrix": [1]}), ("version", {}),
    ):  # fmt: skip

        def change(members: dict[str, bytes], field: str = field, value: Any = value) -> None:
            header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
            text = json.dumps(header | {field: value}).encode()
            members["header.npy"] = npy(np.frombuffer(text, np.uint8))

        path.write_bytes(whole)
        refused(rewritten(path, change), by=load_motion)


def test_csvs_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.csv"
    path.write_text("time,jawOpen\n0,0\n")
    os.truncate(path, 689_000_000)
    refused(path, "689 MB", by=read_motion_file)
    path.write_text("time," + "a," * 5000 + "\n0,0\n")
    refused(path, "5002 columns", by=read_motion_file)
    path.write_text("time,jawOpen\n0,0\n" + "1," * 600_000)
    refused(path, "a line of it", by=read_motion_file)
    path.write_text('time,jawOpen\n0,"0\n' + "1,1\n" * 100_000)
    refused(path, "field larger", by=read_motion_file)
    monkeypatch.setattr(table, "MOST_CELLS", 500)
    path.write_text("time," + ",".join(f"a{k}" for k in range(99)) + "\n" + "1\n" * 10)
    refused(path, "after 5 rows", by=read_motion_file)


def test_toml_and_json_nested_without_end(tmp_path: Path) -> None:
    texts = (
        "a = " + "[" * 50_000, "a." * 50_000 + "a = 1", "a = " + "{b = " * 50_000,
        "a = " + "9" * 5000, "\0", "steps = 1e400", "[" + '"a".' * 20_000 + "a]",
    )  # fmt: skip
    for text in texts:
        (tmp_path / "bad.toml").write_text(text)
        for read, kind in ((read_config, TrainingError), (read_settings, ModelError)):
            with pytest.raises(kind):
                read(tmp_path / "bad.toml")
            refused(tmp_path / "bad.toml", by=read)
    (tmp_path / "bad.toml").write_bytes(bytes(300_000))
    refused(tmp_path / "bad.toml", "250 kB", by=read_config)
    with pytest.raises(Damaged, match="nested"):
        parse_json(b'{"a": "]]]]", "b": ' + b"[" * 40)
    assert parse_json('{"a": "[[[[' + "[" * 100 + '", "b": ' + "[" * 30 + "]" * 30 + "}")["b"]
    assert parse_json("[" * DEEPEST + "]" * DEEPEST)
    assert parse_toml(b"a.b.c = [1.5, 2.5, 3.5]\nb = 'x.y.z'") == {
        "a": {"b": {"c": [1.5, 2.5, 3.5]}}, "b": "x.y.z",
    }  # fmt: skip


def test_a_refused_file_is_an_exchange_error(tmp_path: Path) -> None:
    for load in (load_reconstruction, load_motion, load_passes, read_motion_file):
        with pytest.raises(ExchangeError, match=r"There is no .* at .*none\.npz"):
            load(tmp_path / "none.npz")
