"""The exchange file: what goes in comes out, and damage of every kind is named."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ExchangeError, OutputError
from reconstruct_face.backend.exchange import (
    Reconstruction,
    load_reconstruction,
    save_reconstruction,
)
from reconstruct_face.backend.exchange.hair import as_bytes, on_steps
from reconstruct_face.backend.exchange.summary import summarise
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(scope="module")
def head() -> Reconstruction:
    made = make_reconstruction(photo_path="/photos/Zoë 1.jpg", face_index=2)
    made.warnings = ("The face is small.",)
    return made


@pytest.mark.parametrize("compress", [True, False])
def test_round_trip(head: Reconstruction, tmp_path: Path, compress: bool) -> None:
    path = save_reconstruction(head, tmp_path / "Zoë ü.npz", compress=compress)
    back = load_reconstruction(path)
    for field in dataclasses.fields(head):
        before, after = getattr(head, field.name), getattr(back, field.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype, field.name
            np.testing.assert_array_equal(after, before, err_msg=field.name)
        elif field.name == "photo_path":
            assert (before, after) == ("/photos/Zoë 1.jpg", "Zoë 1.jpg"), "its folder stays here"
        else:
            assert after == before, field.name
    assert [p.name for p in tmp_path.iterdir()] == ["Zoë ü.npz"]


def test_plain_numpy_reads_what_the_readme_promises(head: Reconstruction, tmp_path: Path) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")
    # Another process that has numpy and nothing of ours.
    code = """
import json, sys, numpy as np
a = np.load(sys.argv[1], allow_pickle=False)
v, e = len(a["vertices_neutral"]), len(a["expression_names"])
assert a["vertices_neutral"].shape == a["vertices_posed"].shape == (v, 3)
assert a["vertices_neutral"].dtype == a["vertices_posed"].dtype == np.float32
assert a["faces"].shape[1] == 3 and a["faces"].dtype.kind == "i"
assert a["landmarks68"].shape == (68,) and a["landmarks68"].dtype.kind == "i"
x = a["landmarks3d"] @ a["rotation"].T + a["translation"]
u = x @ a["camera_matrix"].T
assert abs(u[:, :2] / u[:, 2:] - a["landmarks2d"]).max() < 1e-3
moved = a["vertices_neutral"] + np.tensordot(a["expression"], a["expression_basis"], 1)
assert abs(moved - a["vertices_posed"]).max() < 1e-3
assert a["expression_names"][a["expression_names"] == "jawOpen"].size == 1
print(json.loads(bytes(a["header"]))["photo_path"])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", code, str(path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Zoë 1.jpg", "the name, not the folder"


def _rewrite(path: Path, change) -> None:
    """Load the arrays of ``path``, let ``change`` work on arrays and header, and save again."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(bytes(arrays.pop("header")))
    change(arrays, header)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda a, h: h.update(version=2), ("head.npz", 2, 1)),
        (lambda a, h: h.update(format="x"), ("head.npz",)),
        (lambda a, h: a.pop("uv"), ("head.npz", "uv")),
        (lambda a, h: h.pop("model"), ("head.npz", "model")),
        (lambda a, h: a.update(uv=a["uv"][:, :1]), ("'uv'", "(2878, 1)", "(U, 2)")),
        (lambda a, h: a["vertices_posed"].__setitem__((3, 1), np.nan), ("'vertices_posed'",)),
        (lambda a, h: a["polygons"].__setitem__((0, 0), 10**6), ("'polygons'", "0..2807")),
        (lambda a, h: a["faces"].__setitem__((0, 0), -1), ("'faces'", "0..2807")),
        (lambda a, h: h.update(materials=h["materials"][:1]), ("'polygon_material'", 2, 1)),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(
    head: Reconstruction, tmp_path: Path, change, facts: tuple[object, ...]
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz", compress=False)
    _rewrite(path, change)
    with raises(ExchangeError, *facts):
        load_reconstruction(path)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)


def _other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


def _pickle(path: Path) -> None:
    np.savez(path, header=np.array([{"format": "reconstruct_face.reconstruction"}], dtype=object))


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_text("not a zip"),
        _truncate,
        _flip,
        _other_zip,
        _pickle,
        lambda p: (p.unlink(), p.mkdir()),
        lambda p: p.unlink(),
    ],
    ids=["empty", "text", "truncated", "flipped", "zip", "pickle", "folder", "missing"],
)
def test_damaged_files_are_refused_in_one_sentence(
    head: Reconstruction, tmp_path: Path, damage
) -> None:
    path = save_reconstruction(head, tmp_path / "head.npz")
    damage(path)
    with raises(ExchangeError, path):
        load_reconstruction(path)


def test_a_file_that_cannot_be_written_leaves_nothing(head: Reconstruction, tmp_path: Path) -> None:
    with raises(OutputError, tmp_path / "missing folder" / "head.npz"):
        save_reconstruction(head, tmp_path / "missing folder" / "head.npz")
    before = save_reconstruction(head, tmp_path / "head.npz").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # binds root too
    try:
        with raises(OutputError, tmp_path / "head.npz"):
            save_reconstruction(head, tmp_path / "head.npz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in tmp_path.iterdir()] == ["head.npz"]
    assert (tmp_path / "head.npz").read_bytes() == before


def test_the_summary_is_plain_json_with_the_same_numbers(head: Reconstruction) -> None:
    told = json.loads(json.dumps(summarise(head), allow_nan=False))
    assert told["photo"] == "Zoë 1.jpg", "the name, not the folder"
    assert told["face"] == 2
    np.testing.assert_allclose(told["coefficients"]["identity"], head.identity, atol=1e-5)
    for name, value in zip(head.expression_names, head.expression, strict=True):
        assert told["coefficients"]["expression"].get(name, 0.0) == pytest.approx(value, abs=1e-4)
    np.testing.assert_allclose(told["camera"]["camera_matrix"], head.camera_matrix)
    np.testing.assert_allclose(told["landmarks"]["fitted"], head.landmarks2d, atol=0.01)
    assert told["warnings"] == ["The face is small."]


def test_only_what_shrinks_is_packed(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(5000, 16, 3)).astype(np.float32)
    head = make_reconstruction()
    counts = {"hair_colour": (5000, 2, 3), "hair_uv": (5000, 2), "hair_radius": (5000,)}
    made = dataclasses.replace(
        head,
        hair_points=noise,
        hair_kind=np.zeros(5000, np.uint8),
        **{name: np.zeros(shape, np.float32) for name, shape in counts.items()},
    )
    path = save_reconstruction(made, tmp_path / "head.npz")
    with zipfile.ZipFile(path) as archive:
        sizes = {one.filename: one.compress_size / one.file_size for one in archive.infolist()}
    assert sizes["hair_points.npy"] == 1
    assert sizes["hair_uv.npy"] < 0.1 and sizes["hair_bytes.npy"] < 0.1
    np.testing.assert_array_equal(load_reconstruction(path).hair_points, noise)


def with_strands(points: np.ndarray, colour: np.ndarray) -> Reconstruction:
    count = len(points)
    return dataclasses.replace(
        make_reconstruction(),
        hair_points=points,
        hair_colour=colour,
        hair_uv=np.zeros((count, 2), np.float32),
        hair_radius=np.full(count, 0.08, np.float32),
    )


def test_hair_takes_half_of_its_numbers_and_none_of_them_is_lost(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    walks = rng.normal(0, 80, (4000, 1, 3)) + rng.normal(0, 4, (4000, 24, 3)).cumsum(axis=1)
    shades = rng.uniform(0, 1, (4000, 24, 3))
    points, colour = on_steps(walks.astype(np.float32)), as_bytes(shades)
    assert points.dtype == colour.dtype == np.float32
    assert np.abs(points - walks).max() < 0.016  # mm
    # Half a byte of sRGB, whose curve is steepest at white.
    assert np.abs(colour - shades).max() < 0.5 / 255 * 2.3
    path = save_reconstruction(with_strands(points, colour), tmp_path / "head.npz")
    back = load_reconstruction(path)
    assert back.hair_points.dtype == back.hair_colour.dtype == np.float32
    np.testing.assert_array_equal(back.hair_points, points)
    np.testing.assert_array_equal(back.hair_colour, colour)
    with np.load(path) as held:
        assert "hair_colour" not in held
        np.testing.assert_array_equal(held["hair_points"], points)
        np.testing.assert_array_equal(SRGB_TO_LINEAR[held["hair_bytes"]], colour)
    with zipfile.ZipFile(path) as archive:
        hair = sum(x.compress_size for x in archive.infolist() if x.filename.startswith("hair_"))
    assert hair < 0.5 * (points.nbytes + colour.nbytes)


def test_colours_that_are_no_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    points = np.random.default_rng(4).normal(0, 80, (50, 8, 3)).astype(np.float32)
    colour = as_bytes(np.random.default_rng(5).uniform(0, 1, (50, 2, 3)))
    odd, bright = colour.copy(), colour.copy()
    odd[2, 1, 0] *= 1.001
    bright[2, 1, 0] = 1.5
    for wanted in (with_strands(points, odd), with_strands(points, bright)):
        back = load_reconstruction(save_reconstruction(wanted, tmp_path / "head.npz"))
        np.testing.assert_array_equal(back.hair_points, points)
        np.testing.assert_array_equal(back.hair_colour, wanted.hair_colour)


def test_files_of_before_hold_linear_colours(tmp_path: Path) -> None:
    points = on_steps(np.random.default_rng(4).normal(0, 80, (50, 8, 3)).astype(np.float32))
    colour = as_bytes(np.random.default_rng(5).uniform(0, 1, (50, 2, 3)))
    with np.load(save_reconstruction(with_strands(points, colour), tmp_path / "a.npz")) as held:
        older = {name: held[name] for name in held.files if name != "hair_bytes"}
    np.savez(tmp_path / "b.npz", **older, hair_colour=colour * 0.99)
    back = load_reconstruction(tmp_path / "b.npz")
    np.testing.assert_array_equal(back.hair_points, points)
    np.testing.assert_array_equal(back.hair_colour, colour * np.float32(0.99))
    np.savez(tmp_path / "c.npz", **older, hair_bytes=np.zeros((49, 2, 3), np.uint8))
    with raises(ExchangeError, tmp_path / "c.npz"):
        load_reconstruction(tmp_path / "c.npz")
