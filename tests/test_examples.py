"""The numbered examples run as their first lines say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The fake backend behind the public calls."""
    python = tmp_path / "python"
    script = ROOT / "tests" / "fake_backend.py"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    python.chmod(0o755)
    return os.environ | {"RECONSTRUCT_FACE_PYTHON": str(python)}


def run(number: int, environment: dict[str, str], *arguments: object) -> str:
    (script,) = (path for path in EXAMPLES if path.name.startswith(f"{number:02}_"))
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def heads_in(path: Path) -> list[bpy.types.Object]:
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return [thing for thing in bpy.data.objects if "reconstruct_face" in thing]


def test_they_are_numbered_and_told_of() -> None:
    assert len(EXAMPLES) > 5
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))
    for path in EXAMPLES:
        assert f"python examples/{path.name}" in path.read_text(), "its first lines say how to run"


def test_one_photo_and_animation(environment: dict[str, str], tmp_path: Path) -> None:
    photo, out = tmp_path / "anna.jpg", tmp_path / "anna.blend"
    photo.write_bytes(b"x")
    assert "Fitting the head" in run(1, environment, photo, out)
    (head,) = heads_in(out)
    keys = head.data.shape_keys.key_blocks
    assert head.name == "anna" and keys["eyeBlinkLeft"].value == 0.0
    assert keys["mouthSmileLeft"].value > 0.25
    run(2, environment, photo, out)
    (head,) = heads_in(out)
    keys = head.data.shape_keys.key_blocks
    values = {}
    for frame in (13, 30, 55):
        bpy.context.scene.frame_set(frame)
        values[frame] = {key.name: key.value for key in keys}
    assert values[13]["eyeBlinkLeft"] == pytest.approx(1.0)
    assert values[30]["jawOpen"] == pytest.approx(0.7)
    assert values[55]["mouthSmileLeft"] == pytest.approx(0.8)


def test_several_faces(environment: dict[str, str], tmp_path: Path) -> None:
    photo, out = tmp_path / "two.jpg", tmp_path / "two.blend"
    photo.write_bytes(b"x")
    assert "2 heads: two, two face 2" in run(4, environment, photo, out)
    heads = heads_in(out)
    assert sorted(head.location.x for head in heads) == pytest.approx([0.0, 0.25])
    assert {key.value for head in heads for key in head.data.shape_keys.key_blocks[1:]} == {0.0}


def test_beside_blender(environment: dict[str, str], tmp_path: Path) -> None:
    photo = tmp_path / "anna.jpg"
    photo.write_bytes(b"x")
    assert "Making the texture" in run(5, environment, photo)


def test_a_motion_file(environment: dict[str, str], tmp_path: Path) -> None:
    photo, take, out = (tmp_path / name for name in ("anna.jpg", "take.csv", "anna.blend"))
    photo.write_bytes(b"x")
    take.write_text("time,jawOpen,hat\n0,0,1\n1,0.5,1\n2,0.25,1\n")
    told = run(7, environment, photo, take, out)
    assert "no shape key hat" in told and "1 shape keys, 3 keyframes, frames 1 to 49" in told
    assert out.with_suffix(".glb").read_bytes().startswith(b"glTF")
    (head,) = heads_in(out)
    bpy.context.scene.frame_set(25)
    assert head.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.5)


@pytest.mark.slow
def test_a_landmark_set_by_hand(tmp_path: Path, astronaut: Path) -> None:
    """With the real backend: the chin goes where it is told."""
    out = tmp_path / "out.blend"
    told = run(6, dict(os.environ), astronaut, out, 8, 228.0, 190.0)
    heads = {head.name: head for head in heads_in(out)}
    assert set(heads) == {"before", "after"}
    chins = {name: head["landmarks2d"][16:18] for name, head in heads.items()}
    missed = {name: abs(chin[1] - 190.0) for name, chin in chins.items()}
    assert missed["after"] < 0.5 * missed["before"], told
