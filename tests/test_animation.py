"""Motion on a head: F-curves, pose, sound and markers, compared with numbers worked out here."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from reconstruct_face.backend.errors import FaceError
from reconstruct_face.backend.exchange.motion import Motion
from reconstruct_face.backend.motion.livelink import from_angles
from reconstruct_face.scene.actions import curves_on, value_path
from reconstruct_face.scene.animation.apply import apply_motion, audio_of
from reconstruct_face.scene.animation.curves import curves_by_name
from reconstruct_face.scene.animation.read import read_motion
from reconstruct_face.scene.animation.sound import start_of, strips_of
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.rig import CARRIER

from tests.errors import raises
from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction

MADE = make_reconstruction(rows=8, columns=10)


@pytest.fixture
def built() -> HeadScene:
    """A head with its camera in a file of its own, at 24 frames a second."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    prepare_file(MADE)
    return build_scene(MADE, name="Ada", set_active=True)


@pytest.fixture
def head(built: HeadScene) -> bpy.types.Object:
    return built.head


def scene() -> bpy.types.Scene:
    here: Any = bpy.context.scene
    return here


def clip(count: int = 90, rate: float = 30.0, *, posed: bool = False, **more: object) -> Motion:
    """Two shape keys that move, and a head that turns."""
    t = np.arange(count) / rate
    weights = np.stack([0.5 + 0.5 * np.sin(3 * t), np.abs(np.sin(5 * t))], 1)
    pose = {}
    if posed:
        pose["rotation"] = from_angles(0.5 * np.sin(2 * t), 0.2 * np.sin(3 * t), 0.1 * np.sin(t))
        pose["translation"] = np.stack([20 * np.sin(t), -9 + 5 * t, 800 + 30 * np.sin(2 * t)], 1)
    given = {"frame_rate": rate} | pose | more
    return Motion(t, ("jawOpen", "mouthSmileLeft"), weights, **given)  # type: ignore[arg-type]


def keyframes(curve: bpy.types.FCurve) -> np.ndarray:
    """(N, 2) frames and values."""
    return np.array([point.co[:] for point in curve.keyframe_points])


def key_value(head: bpy.types.Object, name: str, frame: float) -> float:
    scene().frame_set(int(frame), subframe=frame - int(frame))
    return head.data.shape_keys.key_blocks[name].value


# -- expressions


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (30, 1.0), (30, 1.001), (60, 1.0)])
def test_curves_are_the_motion_at_the_scenes_rate(
    head: bpy.types.Object, fps: int, base: float
) -> None:
    scene().render.fps, scene().render.fps_base = fps, base
    motion = clip()
    done = apply_motion(head, motion, start_frame=11)
    curves = curves_by_name(head)
    assert set(curves) == set(done.names) == set(motion.names)
    for column, name in enumerate(motion.names):
        points = keyframes(curves[name])
        np.testing.assert_array_equal(points[:, 0], 11 + np.arange(len(points)))
        seconds = (points[:, 0] - 11) / (fps / base)
        expected = np.interp(seconds, motion.times, motion.weights[:, column])
        np.testing.assert_allclose(points[:, 1], expected, atol=2e-6)
        assert motion.duration - seconds[-1] < base / fps
        for frame in (11, 30, points[-1, 0]):  # and it plays
            assert key_value(head, name, frame) == pytest.approx(
                expected[int(frame) - 11], abs=2e-6
            )
    assert done.frames == (11, points[-1, 0]) and done.keyframes == 2 * len(points)
    assert scene().frame_end >= done.frames[1]


def test_simplified_curves_stay_within_the_tolerance(head: bpy.types.Object) -> None:
    scene().render.fps = 30
    t = np.arange(600) / 30
    blink = np.zeros(600)
    for frame in (40, 200, 333, 500):
        blink[frame - 2 : frame + 3] = [0.3, 0.8, 1.0, 0.7, 0.2]
    jaw = 0.5 + 0.4 * np.sin(2 * t) * np.sin(0.7 * t)
    motion = Motion(t, ("eyeBlinkLeft", "jawOpen"), np.stack([blink, jaw], 1))
    done = apply_motion(head, motion, start_frame=1, tolerance=0.01)
    for name, values in (("eyeBlinkLeft", blink), ("jawOpen", jaw)):
        curve = curves_by_name(head)[name]
        played = np.array([curve.evaluate(1 + i) for i in range(600)])
        assert np.abs(played - values).max() <= 0.01 + 1e-6
    peaks = keyframes(curves_by_name(head)["eyeBlinkLeft"])
    assert set(peaks[peaks[:, 1] > 0.99, 0]) == {41, 201, 334, 501}, "no blink moves in time"
    assert done.keyframes < 200, f"{done.keyframes} of 1200"


def test_weights_are_held_within_ranges_and_unknown_names_are_told(head: bpy.types.Object) -> None:
    motion = Motion(
        [0.0, 1.0],
        ("jawOpen", "eyeBlink_L", "hat"),
        [[-0.5, 0.25, 0], [1.75, 0.5, 1]],
        header={"notes": ["as recorded"]},
    )
    done = apply_motion(head, motion)
    assert done.names == ("jawOpen", "eyeBlinkLeft") and done.missing == ("hat",)
    assert done.notes[0] == "as recorded"
    assert "no shape key hat" in done.notes[1] and "range of jawOpen" in done.notes[2]
    assert keyframes(curves_by_name(head)["jawOpen"])[:, 1].tolist()[::24] == [0.0, 1.0]
    assert keyframes(curves_by_name(head)["eyeBlinkLeft"])[0, 1] == 0.25


@pytest.mark.parametrize("existing", ["keep", "replace", "merge"])
def test_what_was_there(head: bpy.types.Object, existing: str) -> None:
    first = Motion([0.0, 1.0], ("jawOpen", "browInnerUp"), [[0.25, 0.5], [0.25, 0.5]])
    apply_motion(head, first)
    old = head.data.shape_keys.animation_data.action
    name = old.name
    done = apply_motion(head, clip(), existing=existing)
    moves = set(curves_by_name(head))
    if existing == "merge":
        assert moves == {"jawOpen", "browInnerUp", "mouthSmileLeft"}
        assert done.kept == () and len(bpy.data.actions) == 1
        assert len(keyframes(curves_by_name(head)["jawOpen"])) > 2
    elif existing == "replace":
        assert moves == {"jawOpen", "mouthSmileLeft"} and len(bpy.data.actions) == 1
    else:
        assert [action.name for action in done.kept] == [name] and old.use_fake_user
        assert moves == {"jawOpen", "mouthSmileLeft"} and len(bpy.data.actions) == 2


def test_driven_shape_keys_are_left_alone(head: bpy.types.Object) -> None:
    driver = head.data.shape_keys.driver_add(value_path("jawOpen")).driver
    driver.type, driver.expression = "SCRIPTED", "0.125"
    done = apply_motion(head, clip())
    assert done.names == ("mouthSmileLeft",) and done.missing == ()
    with raises(FaceError, "Ada's", "jawOpen"):
        apply_motion(head, Motion([0.0], ("jawOpen",), [[1.0]]))


def test_refusals_change_nothing(head: bpy.types.Object) -> None:
    late = Motion([0.0, 50_000.0], ("jawOpen",), [[0], [1]])
    still, strange = Motion([0.0], (), np.empty((1, 0))), Motion([0.0], ("a", "b"), [[1.0, 1.0]])
    cases = (
        (strange, {}, ("Ada", "a, b", "eyeBlinkLeft", 49)),
        (still, {}, ()),
        (late, {}, (1 + 24 * 50_000,)),
        (clip(), {"existing": "burn"}, ("burn", "keep", "replace", "merge")),
        (clip(), {"tolerance": float("nan")}, ("nan", 0)),
    )
    for motion, options, facts in cases:
        with raises(FaceError, *facts):
            apply_motion(head, motion, **options)
    assert not bpy.data.actions and head.parent is None
    assert head.data.shape_keys.animation_data is None


# -- the head's pose


def seen(built: HeadScene, frame: float, points: np.ndarray) -> np.ndarray:
    """(P, 2) pixels, as OpenCV counts them, of points of the head (mm) in the head's camera."""
    scene().frame_set(int(frame))
    width, height = MADE.image_size
    out = []
    for x, y, z in points:
        local = Vector((x / 1000, -z / 1000, y / 1000))
        u, v, _ = world_to_camera_view(scene(), built.camera, built.head.matrix_world @ local)
        out.append((u * width - 0.5, (1 - v) * height - 0.5))
    return np.array(out)


def test_the_camera_sees_the_head_where_the_video_did(built: HeadScene) -> None:
    scene().render.fps = 30
    width, height = MADE.image_size
    scene().render.resolution_x, scene().render.resolution_y = width, height
    motion = clip(posed=True, header={"image_size": [width, height]})
    done = apply_motion(built.head, motion, start_frame=1)
    assert done.carrier is not None and built.head.parent == done.carrier
    points = MADE.vertices_neutral[::40].astype(np.float64)
    for i in (0, 31, 89):
        inside = points @ motion.rotation[i].T + motion.translation[i]
        pixels = inside @ MADE.camera_matrix.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        np.testing.assert_allclose(seen(built, 1 + i, points), pixels, atol=0.05)
    read = read_motion(built.head, (1, 90))
    assert read.rotation is not None and motion.rotation is not None
    assert read.translation is not None and motion.translation is not None
    np.testing.assert_allclose(read.rotation, motion.rotation, atol=1e-6)
    np.testing.assert_allclose(read.translation, motion.translation, atol=1e-3)


def test_another_video_begins_where_the_head_is(built: HeadScene) -> None:
    built.head.location = (0.3, 0.1, 1.5)
    bpy.context.view_layer.update()
    was = np.array(built.head.matrix_world)
    scene().render.fps = 30
    motion = clip(posed=True)
    done = apply_motion(built.head, motion, start_frame=1)
    scene().frame_set(1)
    np.testing.assert_allclose(np.array(built.head.matrix_world), was, atol=1e-6)
    scene().frame_set(61)
    now = np.array(built.head.matrix_world)
    # Head axes are (x, y, z), Blender's (x, -z, y); the camera that filmed it does not move.
    swap = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    first, last = motion.rotation[0], motion.rotation[60]
    turn = swap @ first.T @ last @ swap.T
    shift = swap @ first.T @ (motion.translation[60] - motion.translation[0]) / 1000
    np.testing.assert_allclose(now[:3, :3], was[:3, :3] @ turn, atol=1e-5)
    np.testing.assert_allclose(now[:3, 3], was[:3, 3] + was[:3, :3] @ shift, atol=1e-5)
    assert apply_motion(built.head, motion, existing="replace").carrier == done.carrier
    assert len([o for o in bpy.data.objects if CARRIER in o]) == 1, "one is enough"


def test_angles_turn_the_head_as_they_are_named(head: bpy.types.Object) -> None:
    zero = np.zeros(1)
    for yaw, pitch, axis, sign in ((0.4, 0, 0, -1), (0, 0.4, 2, -1)):
        # To the person's right, who faces -Y: -X.  Down: -Z.
        turned = from_angles(zero + yaw, zero + pitch, zero)
        apply_motion(head, Motion([0.0], (), np.empty((1, 0)), turned), existing="replace")
        scene().frame_set(scene().frame_start)
        nose = head.matrix_world.to_3x3() @ Vector((0, -1, 0))
        assert nose[axis] * sign == pytest.approx(np.sin(0.4), abs=1e-5)


def test_pose_can_be_left_out_and_is_simplified(head: bpy.types.Object) -> None:
    assert apply_motion(head, clip(posed=True), with_pose=False).carrier is None
    scene().render.fps = 30
    motion = clip(600, posed=True)
    done = apply_motion(head, motion, start_frame=1, tolerance=0.02, place="camera")
    assert sum(len(curve.keyframe_points) for curve in curves_on(done.carrier)) < 1500
    read = read_motion(head, (1, 600))
    assert read.rotation is not None and motion.rotation is not None
    assert read.translation is not None and motion.translation is not None
    cosine = (np.einsum("nij,nij->n", read.rotation, motion.rotation) - 1) / 2
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.3
    assert np.abs(read.translation - motion.translation).max() < 2.0  # mm


# -- sound and markers


def test_lost_frames_are_marked(head: bpy.types.Object) -> None:
    scene().render.fps = 30
    valid = np.ones(90, bool)
    valid[10:14] = valid[88:] = False
    scene().timeline_markers.new("mine", frame=5)
    apply_motion(head, clip(valid=valid), start_frame=1)
    marks = {(m.frame, m.name) for m in scene().timeline_markers}
    assert marks == {(5, "mine"), (11, "Ada lost"), (15, "Ada found"), (89, "Ada lost")}
    np.testing.assert_array_equal(read_motion(head, (1, 90)).valid, valid)
    apply_motion(head, clip(), start_frame=1)
    assert [m.name for m in scene().timeline_markers] == ["mine"]


def test_the_sound_begins_with_the_motion(head: bpy.types.Object, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(2 * 8000 * 2))
    motion = clip(header={"audio": "take.wav", "source": str(tmp_path / "take.csv")})
    assert audio_of(motion) == path
    for _ in range(2):
        done = apply_motion(head, motion, start_frame=13, audio=audio_of(motion))
        assert done.notes == ()
    (strip,) = strips_of(scene())
    assert (strip.type, start_of(strip), Path(strip.sound.filepath)) == ("SOUND", 13, path)
    assert strip.frame_final_duration == pytest.approx(2 * 24, abs=1)
    silent = tmp_path / "silent.txt"
    silent.write_text("no sound")
    done = apply_motion(head, motion, audio=silent)
    assert "silent.txt was not added" in done.notes[0] and len(strips_of(scene())) == 1
    film = silent.rename(tmp_path / "silent.mp4")
    assert apply_motion(head, motion, audio=film).notes == (), "most videos of faces are silent"


# -- reading it back


def test_what_was_put_in_is_read(head: bpy.types.Object) -> None:
    scene().render.fps = 30
    rng = np.random.default_rng(5)
    motion = Motion(np.arange(50) / 30, ARKIT_NAMES, rng.random((50, 52)))
    apply_motion(head, motion, start_frame=7)
    read = read_motion(head, (7, 56))
    columns = [read.names.index(name) for name in motion.names]
    np.testing.assert_allclose(read.weights[:, columns], motion.weights, atol=1e-6)
    np.testing.assert_allclose(read.times, motion.times, atol=1e-9)
    assert read.rotation is None and read.frame_rate == 30.0
    with raises(FaceError, 9, 3):
        read_motion(head, (9, 3))


def test_drivers_nla_and_a_moving_camera_are_played(built: HeadScene) -> None:
    scene().render.fps = 30
    head, camera = built.head, built.camera
    motion = clip(20, posed=True)
    apply_motion(head, motion, start_frame=1, place="camera")
    data = head.data.shape_keys
    track = data.animation_data.nla_tracks.new()
    track.strips.new("take", 1, data.animation_data.action)
    data.animation_data.action = None
    driver = data.driver_add(value_path("cheekPuff")).driver
    driver.type, driver.expression = "SCRIPTED", "frame / 100"
    read = read_motion(head, (1, 20))
    for column, name in enumerate(motion.names):
        got = read.weights[:, read.names.index(name)]
        np.testing.assert_allclose(got, motion.weights[:, column], atol=1e-5)
    puffed = read.weights[:, read.names.index("cheekPuff")]
    np.testing.assert_allclose(puffed, np.arange(1, 21) / 100, atol=1e-5)
    assert read.translation is not None and motion.translation is not None
    np.testing.assert_allclose(read.translation, motion.translation, atol=1e-3)
    camera.keyframe_insert("location", frame=1)
    camera.location = camera.matrix_world @ Vector((0, 0, 0.1))  # 100 mm back
    camera.keyframe_insert("location", frame=20)
    away = read_motion(head, (1, 20)).translation
    assert away is not None
    away = away - motion.translation
    np.testing.assert_allclose(away[[0, -1]], [[0, 0, 0], [0, 0, 100]], atol=1e-2)
