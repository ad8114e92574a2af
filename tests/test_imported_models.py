"""An imported model from its files to a head in Blender, each step in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange import load_reconstruction
from reconstruct_face.backend.exchange.model_cards import find_model
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.importing.importer import import_model
from reconstruct_face.backend.model.stored import load_extras, remove_model

from tests import bfm_files as files
from tests.errors import raises

LOOK = """
import bpy, json, sys
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
keys = head.data.shape_keys.key_blocks
jaw = keys.get("jawOpen") or keys[1]
moved = [(a.co - b.co).length for a, b in zip(jaw.data, keys[0].data)]
print("LOOK" + json.dumps({
    "names": [k.name for k in keys][1:],
    "range": [[k.slider_min, k.slider_max] for k in keys][1:],
    "value": [k.value for k in keys][1:],
    "vertices": len(head.data.vertices), "moved": max(moved),
    "uv": len(head.data.uv_layers),
    "images": sum(i.packed_file is not None for i in bpy.data.images),
}))
"""


def backend(folder: Path, *arguments: str | Path, expected: int = 0) -> subprocess.CompletedProcess:
    ran = subprocess.run(
        [sys.executable, "-m", "reconstruct_face.backend", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"RECONSTRUCT_FACE_DATA": str(folder)},
        check=False,
    )
    assert ran.returncode == expected, ran.stderr
    return ran


@pytest.fixture
def here(imported: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process sees the imported model too."""
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(imported))
    return imported


def test_a_stored_model_is_the_one_that_was_read(here: Path) -> None:
    face = files.small_face()
    model = load_model("small")
    rng = np.random.default_rng(3)
    a, w = rng.normal(size=199), rng.normal(size=79)
    expected = face.mean + 1.5 * face.expression_mean + np.tensordot(a, face.identity, 1)
    expected = expected + np.tensordot(w, face.expression, 1)
    assert np.abs(model.vertices(a, w) - expected).max() < 2e-3
    np.testing.assert_array_equal(model.expression_range, np.tile([-3, 3], (79, 1)))
    arkit = load_model("small", "arkit")
    assert arkit.expression_names == load_model().expression_names[:52]
    assert arkit.expression_range.tolist() == [[0, 1]] * 52
    assert {"similarity", "default_triangle", "mapping_cross", "expression_scale"} <= set(
        load_extras("small")
    )
    assert find_model("small").figures["registration_mm"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("expressions", ["native", "arkit"])
def test_a_photo_becomes_a_head_of_the_imported_model(
    here: Path, astronaut: Path, tmp_path: Path, expressions: str
) -> None:
    out = tmp_path / "out"
    arguments = (
        *("reconstruct", astronaut, "-o", out, "--model", "small", "--expressions", expressions),
        *("--texture-size", "512", "--format", "blend,glb", "--no-preview", "--json"),
    )
    document = json.loads(backend(here, *arguments).stdout)
    assert document["photos"][0]["status"] == "ok", document
    found = load_reconstruction(out / "astronaut.npz")
    assert found.vertices_posed.shape == (files.SMALL, 3) and len(found.identity) == 199
    side = np.sqrt(np.prod(found.face_box[2:] - found.face_box[:2]))
    error = np.linalg.norm(found.landmarks2d - found.landmarks2d_detected, axis=1).mean()
    assert error < 0.03 * side
    # The refinement has looked at the photo, and the light came from it.
    assert np.abs(found.sh_light).max() > 0.05 and np.abs(found.albedo).max() > 0
    ran = subprocess.run(
        [sys.executable, "-c", LOOK, str(out / "astronaut.blend")],
        capture_output=True,
        text=True,
        check=True,
    )
    look = json.loads(ran.stdout.rpartition("LOOK")[2].splitlines()[0])
    model = load_model("small", expressions)
    assert look["names"] == list(model.expression_names) and look["vertices"] == files.SMALL
    np.testing.assert_allclose(look["range"], model.expression_range, atol=1e-6)
    np.testing.assert_allclose(look["value"], found.expression, atol=1e-5)
    assert look["uv"] == 1 and look["images"] >= 1
    if expressions == "arkit":
        assert 0.01 < look["moved"] < 0.06, "metres: the jaw opens by a few centimetres"
    again = json.loads(backend(here, *arguments).stdout)
    assert again["photos"][0]["status"] == "skipped", "a finished photo was done again"


def test_without_dlibs_landmarks_the_network_finds_the_face(here: Path, astronaut: Path) -> None:
    from reconstruct_face.backend.pipeline import Options, reconstruct

    options = Options(model="small", landmarks=False, texture="none", quality="fast")
    (found,) = reconstruct(astronaut, options)
    with_dlib = reconstruct(astronaut, Options(model="small", texture="none", quality="fast"))[0]
    gap = np.linalg.norm(found.landmarks2d - with_dlib.landmarks2d, axis=1).mean()
    side = np.sqrt(np.prod(found.face_box[2:] - found.face_box[:2]))
    assert gap < 0.08 * side


def test_the_same_files_again_and_other_files_under_a_name(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = find_model("small")
    other = files.write_bfm(tmp_path / "BFM.mat", files.small_face())
    with raises(ModelError, "'small'", "BFM.mat", "exp_80k.npz", "--name", "--force"):
        import_model([other], "small")
    assert find_model("small") == before


def test_a_removed_model_is_gone_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path))
    path = files.write_flame_npz(tmp_path / "flame.npz")
    steps: list[tuple[float, str]] = []
    import_model([path], "mine", progress=lambda *step: steps.append(step))
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions) and "Unwrapping it" in [step for _, step in steps]
    assert load_model("mine").uv_polygons.max() > 0
    remove_model("mine")
    with raises(ModelError, "'mine'", "'default'"):
        load_model("mine")


def test_a_damaged_store_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    import shutil

    shutil.copytree(here / "models", tmp_path / "models")
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path))
    file = tmp_path / "models" / "small" / "uv.npy"
    damage: tuple[Callable[[], object], ...] = (
        lambda: file.write_bytes(file.read_bytes()[:200]),
        file.unlink,
    )
    for spoil in damage:
        spoil()
        os.utime(tmp_path / "models" / "small" / "header.json", ns=(len(str(spoil)),) * 2)
        with raises(ModelError, "small", "uv.npy"):
            load_model("small")


def test_arkits_motion_moves_a_head_with_its_models_own_expressions(
    here: Path, astronaut: Path
) -> None:
    import bpy
    from reconstruct_face.backend.exchange.motion import Motion
    from reconstruct_face.backend.pipeline import Options, reconstruct
    from reconstruct_face.scene.animation.apply import apply_motion
    from reconstruct_face.scene.animation.read import read_motion
    from reconstruct_face.scene.animation.retarget import retarget
    from reconstruct_face.scene.build import build_scene

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    heads = []
    for expressions in ("native", "arkit"):
        options = Options(
            model="small", expressions=expressions, texture="none", quality="fast", landmarks=False
        )
        heads.append(build_scene(reconstruct(astronaut, options)[0], name=expressions).head)
    own, arkit = heads
    names = ("jawOpen", "mouthSmileLeft", "mouthSmileRight")
    weights = np.linspace(0, 1, 10)[:, None] * (0.7, 0.5, 0.5)
    motion = Motion(np.arange(10) / 24, names, weights)
    done = apply_motion(own, motion, start_frame=1)
    assert set(done.names) == set(load_model("small").expression_names) and not done.missing

    def moved(expressions: str, found: Motion) -> np.ndarray:
        basis = load_model("small", expressions).expression_basis.astype(float)
        at = [found.names.index(n) for n in load_model("small", expressions).expression_names]
        change = found.weights[-1, at] - found.weights[0, at]
        return np.tensordot(change, basis, 1)

    wanted = moved("arkit", read_motion(arkit, (1, 2)))
    assert not wanted.any(), "nothing moves this one yet"
    assert retarget(own, arkit)[0] == 52
    there = moved("native", read_motion(own, (1, 10)))
    back = moved("arkit", read_motion(arkit, (1, 10)))
    known = load_model("small", "arkit")
    at = [known.expression_names.index(name) for name in names]
    truth = np.tensordot(weights[-1], known.expression_basis[at].astype(float), 1)
    size = np.sqrt((truth**2).sum(axis=1).mean())
    for found in (there, back):
        assert np.sqrt(((found - truth) ** 2).sum(axis=1).mean()) < 0.6 * size
    jaw = read_motion(arkit, (1, 10))
    assert jaw.weights[-1, jaw.names.index("jawOpen")] > 0.35
