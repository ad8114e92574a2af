"""The command ``export``, with Blender's module at the other end of the wire."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from reconstruct_face.backend.exchange import save_reconstruction

from tests.default_head import head_of
from tests.glb_files import read_glb

pytestmark = pytest.mark.seconds


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "reconstruct_face.backend", "export"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def test_a_head_is_written_for_a_program(tmp_path: Path) -> None:
    head = tmp_path / "Zoë 1.npz"
    save_reconstruction(head_of(2), head)
    done = export(head, "--for", "godot", "-o", tmp_path / "out", "--visemes", "vrchat")
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = (tmp_path / "out").iterdir()
    assert done.stdout == f"{file}\n"
    document, _ = read_glb(file)
    mesh = document["meshes"][0]
    assert {"jawOpen", "vrc.v_aa"} < set(mesh["extras"]["targetNames"])
    assert set(mesh["weights"]) == {0.0}
    done = export(head, "--for", "godot", "-o", tmp_path / "photo", "--pose", "photo")
    document, _ = read_glb(next((tmp_path / "photo").iterdir()))
    assert max(document["meshes"][0]["weights"]) > 0.0


def test_a_folder_is_all_heads_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    folder.mkdir()
    for name in ("b", "a"):
        save_reconstruction(head_of(2), folder / f"{name}.npz")
    (folder / "c.npz").write_bytes(b"damaged")
    done = export(folder, "--for", "metahuman", "-o", tmp_path / "out", "--texture", "512")
    assert done.returncode == 7
    assert len(done.stderr.splitlines()) == 1 and "c.npz" in done.stderr
    written = [Path(line).name for line in done.stdout.splitlines()]
    assert written == ["a.fbx", "a.obj", "b.fbx", "b.obj"]
    assert {path.name for path in (tmp_path / "out").iterdir()} > set(written)
    (tmp_path / "empty").mkdir()
    done = export(tmp_path / "empty", "--for", "usd", "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (7, "")
    assert str(tmp_path / "empty") in done.stderr


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    head = tmp_path / "head.npz"
    save_reconstruction(head_of(2), head)
    out = tmp_path / "out"
    for arguments, status, said in (
        ((head, "--for", "usd", "--skeleton", "unity"), 2, "no 'skeleton' to change"),
        ((tmp_path / "none.npz", "--for", "usd"), 7, "none.npz"),
        ((head, "--for", "doom"), 2, "invalid choice: 'doom'"),
        ((head, "--for", "unity", "--levels", "4"), 2, "invalid choice: 4"),
    ):
        done = export(*arguments, "-o", out)
        assert done.returncode == status
        assert said in done.stderr.splitlines()[-1]
    assert not out.exists()
