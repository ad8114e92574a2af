"""The sidebar's animation: videos against the fake backend, motion files, buttons by hand."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.errors import WorkerError
from reconstruct_face.backend.exchange.motion import Motion, save_motion
from reconstruct_face.backend.motion.files import KINDS
from reconstruct_face.operators import strings
from reconstruct_face.operators import strings_animation as texts
from reconstruct_face.operators.animation import ANIMATION_FORMATS
from reconstruct_face.operators.session import SESSION
from reconstruct_face.scene import expression, jobs
from reconstruct_face.scene.animation import video as video_module
from reconstruct_face.scene.animation.apply import apply_motion
from reconstruct_face.scene.animation.curves import curves_by_name
from reconstruct_face.scene.animation.export import ENDINGS, WRITERS
from reconstruct_face.scene.animation.sound import strips_of
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.mesh import about, is_head

from tests.add_on import registered
from tests.errors import raises
from tests.synthetic_reconstruction import encode_png, make_reconstruction

MADE = make_reconstruction(rows=8, columns=10)
BUTTONS = bpy.ops.reconstruct_face


@pytest.fixture(autouse=True)
def _add_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The add-on in an empty file, its backend the fake one, its motions in a folder of ours."""
    motions = tmp_path / "motions"
    motions.mkdir()
    monkeypatch.setattr(video_module, "_folder", lambda: motions)
    with registered():
        yield


@pytest.fixture
def head() -> bpy.types.Object:
    made = build_scene(MADE, name="Ada", set_active=True).head
    expression.reset(made)
    return made


def settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.reconstruct_face_animation


def make_video(tmp_path: Path, name: str) -> Path:
    """The fake backend goes by the name alone."""
    path = tmp_path / name
    path.write_bytes(b"pictures")
    return path


def keyframes(head: bpy.types.Object, name: str) -> np.ndarray:
    return np.array([point.co[:] for point in curves_by_name(head)[name].keyframe_points])


# -- video


def test_a_video_moves_the_active_head(head: bpy.types.Object, tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 30
    settings().video, settings().tolerance = str(make_video(tmp_path, "take.mp4")), 0.0
    settings().start_frame = 21
    assert BUTTONS.animate_video() == {"FINISHED"}
    points = keyframes(head, "jawOpen")
    np.testing.assert_array_equal(points[:, 0], 21 + np.arange(20))
    np.testing.assert_allclose(points[:, 1], np.linspace(0, 0.95, 20), atol=1e-6)
    assert {(m.frame, m.name) for m in bpy.context.scene.timeline_markers} == {
        (28, "Ada lost"), (29, "Ada found")
    }  # fmt: skip
    assert head.parent is not None and SESSION.run is None


def test_a_video_makes_a_new_head(tmp_path: Path) -> None:
    settings().video, settings().target = str(make_video(tmp_path, "take.mp4")), "new"
    assert BUTTONS.animate_video() == {"FINISHED"}
    made = bpy.context.active_object
    assert is_head(made) and about(made)["photo"].endswith("take.mp4")
    assert len(keyframes(made, "jawOpen")) == 2, "a straight line"


def test_a_folder_of_frames_is_as_fast_as_the_scene(head: bpy.types.Object, tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 12
    frames = tmp_path / "frames"
    frames.mkdir()
    settings().tolerance = 0.0
    BUTTONS.animate_video(filepath=str(frames))
    assert keyframes(head, "jawOpen")[-1, 0] == 20


def test_what_died_half_way_goes_on(head: bpy.types.Object, tmp_path: Path) -> None:
    video = make_video(tmp_path, "crash.mp4")
    with raises(RuntimeError, "exit status 3"):
        BUTTONS.animate_video(filepath=str(video))
    assert SESSION.failure is not None and not bpy.data.actions
    assert SESSION.failure.code == WorkerError.code
    state = video_module.motion_path(video).with_suffix(".frames")
    assert state.read_text() == "10"
    BUTTONS.restart_backend()
    job = jobs.start_animation(video, video_module.motion_path(video))
    assert job.wait()["notes"] == ["lost once", "began at frame 10"]
    assert BUTTONS.animate_video(filepath=str(video)) == {"FINISHED"}
    video.write_bytes(b"another recording")
    assert video_module.motion_path(video).with_suffix(".frames") != state


def test_what_was_cancelled_goes_on(tmp_path: Path) -> None:
    video = make_video(tmp_path, "slow.mp4")
    out = video_module.motion_path(video)
    job = jobs.start_animation(video, out)
    end = time.monotonic() + 60
    while job.fraction < 0.2 and time.monotonic() < end:
        time.sleep(0.02)
    assert "Following the face" in job.step
    began = time.monotonic()
    job.cancel()
    while not job.poll():
        time.sleep(0.01)
    assert time.monotonic() - began < 1 and job.state == "cancelled" and not out.exists()
    steps: list[float] = []
    result = jobs.start_animation(video, out).wait(lambda fraction, _: steps.append(fraction))
    assert int(result["notes"][1].split()[-1]) >= 4 and out.exists()
    assert len(steps) > 5 and steps == sorted(steps)


def test_bad_videos_are_one_sentence(head: bpy.types.Object, tmp_path: Path) -> None:
    with raises(RuntimeError, texts.CHOOSE_VIDEO):
        BUTTONS.animate_video()
    with raises(RuntimeError, tmp_path / "gone.mp4"):
        BUTTONS.animate_video(filepath=str(tmp_path / "gone.mp4"))
    other = head.copy()
    bpy.context.scene.collection.objects.link(other)  # the only one need not be active
    bpy.context.view_layer.objects.active = None
    with raises(RuntimeError, strings.NO_HEAD):
        BUTTONS.animate_video(filepath=str(make_video(tmp_path, "a.mp4")))
    assert not bpy.data.actions


def test_what_is_finished_is_not_done_again(head: bpy.types.Object, tmp_path: Path) -> None:
    video = make_video(tmp_path, "take.mp4")
    BUTTONS.animate_video(filepath=str(video))
    state = video_module.motion_path(video).with_suffix(".frames")
    state.unlink()
    BUTTONS.animate_video(filepath=str(video))
    assert not state.exists(), "the backend was not asked"
    video_module.motion_path(video).unlink()
    BUTTONS.animate_video(filepath=str(video))
    assert state.exists()


def test_frames_that_were_rendered_anew_are_not_finished(tmp_path: Path) -> None:
    (tmp_path / "shots").mkdir()
    frame = tmp_path / "shots" / "f_001.png"
    frame.write_bytes(b"one")
    before, stat = video_module.motion_path(tmp_path / "shots"), frame.parent.stat()
    frame.write_bytes(b"another")
    assert frame.parent.stat().st_mtime_ns == stat.st_mtime_ns
    assert video_module.motion_path(tmp_path / "shots") != before
    assert video_module.motion_path(tmp_path / "shots").name.startswith("shots_")


def test_a_head_that_is_gone_is_told(head: bpy.types.Object, tmp_path: Path) -> None:
    video = make_video(tmp_path, "take.mp4")
    start = jobs.start_animation

    def remove_meanwhile(*args: object, **more: object):
        job = start(*args, **more)
        bpy.data.objects.remove(head)
        return job

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "start_animation", remove_meanwhile)
        with raises(RuntimeError, "Ada"):
            BUTTONS.animate_video(filepath=str(video))


def test_open_clips_and_strips_can_be_taken(tmp_path: Path) -> None:
    assert not BUTTONS.take_clip.poll()
    folder = tmp_path / "shots"
    folder.mkdir()
    for i in range(3):
        encode_png(np.full((8, 8, 3), 60 * i, np.uint8)).tofile(folder / f"f_{i + 1:03d}.png")
    clip = bpy.data.movieclips.load(str(folder / "f_001.png"))
    clip.frame_start = 17
    strip = strips_of(bpy.context.scene).new_image(
        name="pictures", filepath=str(folder / "f_001.png"), channel=2, frame_start=33
    )
    for key, start in ((f"clip:{clip.name}", 17), (f"strip:{strip.name}", 33)):
        assert BUTTONS.take_clip(video=key) == {"FINISHED"}
        assert Path(settings().video) == folder and settings().start_frame == start
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with raises(RuntimeError, folder):
        BUTTONS.take_clip(video=f"strip:{strip.name}")


# -- motion files


def test_motion_goes_in_and_out_again(head: bpy.types.Object, tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 25
    t = np.arange(26) / 25
    motion = Motion(t, ("jawOpen", "eyeBlinkLeft"), np.stack([t, 1 - t], 1))
    path = save_motion(tmp_path / "m.npz", motion)
    settings().start_frame = bpy.context.scene.frame_start = 1
    assert BUTTONS.import_motion(filepath=str(path)) == {"FINISHED"}
    assert len(keyframes(head, "jawOpen")) == 2, "simplified, as the settings say"
    bpy.context.scene.frame_end = 26
    for kind, column in (("csv", "jawOpen"), ("livelink", "JawOpen")):
        out = tmp_path / f"{kind}.csv"
        assert BUTTONS.export_motion(filepath=str(out), kind=kind) == {"FINISHED"}
        with out.open(newline="") as file:
            found = [float(row[column]) for row in csv.DictReader(file)]
        np.testing.assert_allclose(found, t, atol=1e-5)
        assert BUTTONS.import_motion(filepath=str(out)) == {"FINISHED"}


def test_yaw_and_pitch_may_be_swapped(head: bpy.types.Object, tmp_path: Path) -> None:
    path = tmp_path / "take.csv"
    rows = "".join(f"10:00:0{i // 60}:{i % 60:02d},{i / 100},0.4,0.1,0.0\n" for i in range(70))
    path.write_text(f"Timecode,JawOpen,HeadYaw,HeadPitch,HeadRoll\n{rows}")
    turned = []
    for swap in (False, True):
        assert BUTTONS.import_motion(filepath=str(path), swap_yaw_pitch=swap) == {"FINISHED"}
        bpy.context.view_layer.update()
        turned.append(np.array(head.matrix_world.normalized().to_3x3()))
    # By hand: the nose, the head's -Y, turned by 0.4 and 0.1 or the other way round.
    noses = [-turn[:, 1] / np.linalg.norm(turn[:, 1]) for turn in turned]
    between = float(noses[0] @ noses[1])
    wanted = (np.cos(0.4) * np.cos(0.1) * np.cos(0.1) * np.cos(0.4)
              + np.sin(0.4) * np.cos(0.1) * np.sin(0.1) * np.cos(0.4)
              + np.sin(0.1) * np.sin(0.4))  # fmt: skip
    assert between == pytest.approx(wanted, abs=1e-4)


def test_times_of_a_clock_start_at_the_first(head: bpy.types.Object, tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 24
    times = 1764404430.0 + np.arange(48) / 24
    done = apply_motion(head, Motion(times, ("jawOpen",), np.linspace(0, 1, 48)[:, None]),
                        start_frame=10)  # fmt: skip
    assert done.frames == (10.0, 57.0)


def test_speech_is_made_at_the_scenes_rate(head: bpy.types.Object, tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 24
    path = tmp_path / "words.lab"
    path.write_text("0 0.5 AA\n0.5 0.52 P\n0.52 1.0 AA\n")
    settings().start_frame, settings().tolerance = 1, 0.0
    assert BUTTONS.import_motion(filepath=str(path)) == {"FINISHED"}
    jaw = keyframes(head, "jawOpen")
    assert jaw[:, 0].tolist() == list(range(1, len(jaw) + 1))
    assert jaw[jaw[:, 1] < 1e-6, 0].tolist()[0] == 13, "closed at half a second"


def test_files_that_cannot_be_used_are_one_sentence(head: bpy.types.Object, tmp_path: Path) -> None:
    empty, odd = tmp_path / "empty.csv", tmp_path / "odd.csv"
    empty.write_text("")
    odd.write_text("time,hat,tie\n0,1,1\n1,0,0\n")
    for path, facts in (
        (empty, (empty,)),
        (odd, ("Ada", "hat, tie", "eyeBlinkLeft")),
        (tmp_path / "gone.csv", (tmp_path / "gone.csv",)),
        (tmp_path, (texts.CHOOSE_MOTION,)),
    ):
        with raises(RuntimeError, *facts):
            BUTTONS.import_motion(filepath=str(path))
    assert not bpy.data.actions


def test_the_good_part_of_a_damaged_file_is_kept(head: bpy.types.Object, tmp_path: Path) -> None:
    bpy.context.scene.render.fps = 10
    rows = [f"{i / 10:.1f},{i / 40:.3f},{i / 80:.4f}\n".encode() for i in range(40)]
    rows[20] = b"2.0,\xff\xfe\x00\x00,0.25\n"
    rows[21] = b"\x00" * 30 + b"\n"
    path = tmp_path / "torn.csv"
    path.write_bytes(b"time,jawOpen,cheekPuff\n" + b"".join(rows) + b"4.0,0.9")
    settings().tolerance = 0.0
    assert BUTTONS.import_motion(filepath=str(path)) == {"FINISHED"}
    points = keyframes(head, "jawOpen")
    np.testing.assert_allclose(points[:40, 1], np.arange(40) / 40, atol=1e-5)


def test_animated_exports(head: bpy.types.Object, tmp_path: Path) -> None:
    t = np.arange(5) / 24
    apply_motion(head, Motion(t, ("jawOpen",), t[:, None]), start_frame=1)
    bpy.context.scene.frame_end = 5
    assert BUTTONS.export_animation(filepath=str(tmp_path / "ada"), formats={"glb", "abc"}) == {
        "FINISHED"
    }
    assert {path.name for path in tmp_path.iterdir()} >= {"ada.glb", "ada.abc"}
    full = (tmp_path / "ada.glb").stat().st_size
    BUTTONS.export_animation(filepath=str(tmp_path / "ada"), formats={"glb"}, compact=True)
    assert (tmp_path / "ada.glb").stat().st_size < full
    assert {key for key, *_ in ANIMATION_FORMATS} | set(KINDS) == set(WRITERS) == set(ENDINGS)
    assert {key for key, *_ in texts.MOTION_KIND_ITEMS} == set(KINDS)
    bpy.ops.object.mode_set(mode="EDIT")
    with raises(RuntimeError, strings.LEAVE_MODE):
        BUTTONS.export_animation(filepath=str(tmp_path / "b"), formats={"glb"})


# -- by hand


def test_the_animators_buttons(head: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.frame_set(10)
    settings().groups = {"jaw"}
    assert BUTTONS.key_group() == {"FINISHED"} and len(curves_by_name(head)) == 4
    scene.frame_set(20)
    assert BUTTONS.blend_and_hold(expression="Wink", blend=2, hold=4) == {"FINISHED"}
    assert keyframes(head, "eyeBlinkLeft")[:, 0].tolist() == [20, 22, 26, 28]
    assert keyframes(head, "eyeBlinkLeft")[:, 1].tolist() == [0, 1, 1, 0]
    assert BUTTONS.mirror_animation() == {"FINISHED"}
    assert keyframes(head, "eyeBlinkRight")[:, 1].tolist() == [0, 1, 1, 0]
    assert BUTTONS.symmetrise_animation(side="Right") == {"FINISHED"}
    assert keyframes(head, "eyeBlinkLeft")[:, 1].tolist() == [0, 1, 1, 0]
    other = build_scene(MADE, name="Grace", set_active=True).head
    assert BUTTONS.retarget(source="Ada") == {"FINISHED"}
    assert set(curves_by_name(other)) == set(curves_by_name(head))
    with raises(RuntimeError, "'Nobody'"):
        BUTTONS.retarget(source="Nobody")


def test_a_saved_expression_is_held_as_it_was_saved(head: bpy.types.Object) -> None:
    expression.set_values(head, {"jawOpen": 0.5, "cheekPuff": 0.25})
    BUTTONS.save_expression(name="Mine")
    expression.reset(head)
    bpy.context.scene.frame_set(5)
    assert BUTTONS.blend_and_hold(expression="Mine", blend=1, hold=1) == {"FINISHED"}
    assert keyframes(head, "cheekPuff")[:, 1].tolist() == [0, 0.25, 0.25, 0]
