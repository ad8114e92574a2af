"""The sidebar's verification: the button, what is kept with the head, and what the panel says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from reconstruct_face.backend.errors import OutputError
from reconstruct_face.backend.exchange import save_reconstruction
from reconstruct_face.operators.session import SESSION
from reconstruct_face.panels.verify import measures_of
from reconstruct_face.scene import api, jobs, verification
from reconstruct_face.scene.backend_process import BackendProcess
from reconstruct_face.scene.build import build_scene

from tests.add_on import registered
from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction
from tests.verification import default_head


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    with registered():
        yield


def add(name: str = "Ada") -> bpy.types.Object:
    made = make_reconstruction(rows=12, columns=16)
    (head,) = api.add_heads([made], set_active=True, name=name)
    return head


def test_a_head_of_this_session_needs_no_file() -> None:
    head = add()
    assert verification.result_of(head) is None
    assert bpy.ops.reconstruct_face.verify() == {"FINISHED"}
    found = verification.result_of(head)
    assert found is not None and found["scene"] is True and found["name"] == "Ada"
    picture = verification.picture_of(head)
    assert tuple(picture.size) == (12, 4) and picture.packed_file
    assert bpy.ops.reconstruct_face.verify() == {"FINISHED"}
    assert len([i for i in bpy.data.images if "verification" in i.name]) == 1
    assert bpy.ops.reconstruct_face.show_difference() == {"FINISHED"}


def test_the_panel_lists_what_failed_first_of_all() -> None:
    head = add("wrong")
    bpy.ops.reconstruct_face.verify()
    found = verification.result_of(head)
    assert found["scene"] is False and found["photo"] is True
    assert measures_of(found, everything=False) == [(False, "Depth", "- (at most 1 px)")]
    assert len(measures_of(found, everything=True)) == 2


def test_a_new_fit_makes_the_old_answer_void() -> None:
    head = add()
    bpy.ops.reconstruct_face.verify()
    other = make_reconstruction(rows=12, columns=16, angles=(0.0, 0.0, 0.0))
    from reconstruct_face.scene.update import update_head

    update_head(head, other, bpy.context.scene)
    assert verification.result_of(head) is None
    assert not verification.is_kept(head)


def test_a_head_of_another_session_asks_for_its_file(tmp_path: Path) -> None:
    made = make_reconstruction(rows=12, columns=16)
    head = build_scene(made, name="Ada", set_active=True).head
    with raises(RuntimeError, "Ada", ".npz"):
        bpy.ops.reconstruct_face.verify()
    assert SESSION.failure is not None
    wrong = save_reconstruction(make_reconstruction(rows=12, columns=20), tmp_path / "other.npz")
    with raises(RuntimeError, wrong, "Ada"):
        bpy.ops.reconstruct_face.verify(filepath=str(wrong))
    right = save_reconstruction(made, tmp_path / "ada.npz")
    assert bpy.ops.reconstruct_face.verify(filepath=str(right)) == {"FINISHED"}
    assert verification.result_of(head)["scene"] is True


def test_a_moved_slider_is_mentioned() -> None:
    head = add()
    assert not verification.expression_changed(head)
    head.data.shape_keys.key_blocks["jawOpen"].value += 0.3
    assert verification.expression_changed(head)


def test_only_the_last_heads_are_kept() -> None:
    heads = [
        api.add_heads([make_reconstruction(rows=12, columns=16, focal=900.0 + i)])[0]
        for i in range(6)
    ]
    assert [verification.is_kept(head) for head in heads] == [False, False] + [True] * 4


def test_verifying_leaves_the_open_file_alone(tmp_path: Path) -> None:
    add()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    before = (tmp_path / "mine.blend").read_bytes()
    bpy.ops.reconstruct_face.verify()
    assert bpy.data.filepath == str(tmp_path / "mine.blend")
    assert (tmp_path / "mine.blend").read_bytes() == before
    assert not list(tmp_path.glob("scene*"))


@pytest.mark.slow
def test_the_real_pass_from_the_button() -> None:
    jobs.use_backend(BackendProcess)
    (head,) = api.add_heads([default_head()], set_active=True)
    assert bpy.ops.reconstruct_face.verify() == {"FINISHED"}, SESSION.failure
    found = verification.result_of(head)
    assert found["scene"] is True
    assert found["versions"]["pytorch3d"]
    assert verification.picture_of(head).size[1] > 1000
    head.data.shape_keys.key_blocks["jawOpen"].value = 1.0
    assert bpy.ops.reconstruct_face.verify() == {"FINISHED"}
    assert verification.result_of(head)["scene"] is False
    rows = measures_of(verification.result_of(head), everything=False)
    assert any("Depth" in title for _, title, _ in rows)


@pytest.mark.parametrize("failing", ["numbers", "file"])
def test_no_copy_is_left_behind_when_it_cannot_be_written(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the numbers nor of the file, whatever the failure is; looked at while the error
    is still held, as an operator's report holds it."""
    head = add()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def full(*args: object, **settings: object) -> None:
        raise OutputError("Cannot write head.npz: the disk is full.")

    if failing == "numbers":
        monkeypatch.setattr(verification, "save_reconstruction", full)
    else:
        made = verification.save_reconstruction

        def in_the_way(found: object, path: Path, **settings: object) -> object:
            (path.parent / "scene.blend").mkdir()
            return made(found, path, **settings)  # type: ignore[arg-type]

        monkeypatch.setattr(verification, "save_reconstruction", in_the_way)
    with pytest.raises(OutputError) as caught:
        verification.start_verification(head)
    assert list(tmp_path.glob("reconstruct_face-run-*")) == [], caught.value
