"""What an animator does by hand: keys, holds, mirroring, retargeting, presets, speech."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.errors import FaceError
from reconstruct_face.backend.exchange.motion import Motion
from reconstruct_face.backend.motion import read_motion_file
from reconstruct_face.backend.motion.visemes import VISEMES
from reconstruct_face.scene.actions import value_path
from reconstruct_face.scene.animation import presets
from reconstruct_face.scene.animation.apply import apply_motion
from reconstruct_face.scene.animation.curves import curves_by_name
from reconstruct_face.scene.animation.hand import (
    blend_and_hold,
    key_groups,
    key_values,
    mirror_animation,
    symmetrise_animation,
)
from reconstruct_face.scene.animation.retarget import retarget
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.expression import GROUPS, reset, set_values, values_of
from reconstruct_face.scene.pose_asset import expression_in, saved_expressions

from tests.errors import raises
from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction

MADE = make_reconstruction(rows=8, columns=10)


@pytest.fixture
def head() -> bpy.types.Object:
    """A neutral head in a file of its own."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    made = build_scene(MADE, name="Ada", set_active=True).head
    reset(made)
    return made


def at(head: bpy.types.Object, frame: float, *names: str) -> list[float]:
    """Values as Blender plays them."""
    bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))
    values = values_of(head)
    return [round(values[name], 4) for name in names]


def frames(head: bpy.types.Object, name: str) -> list[float]:
    return [point.co.x for point in curves_by_name(head)[name].keyframe_points]


def test_groups_are_keyed(head: bpy.types.Object) -> None:
    set_values(head, {"jawOpen": 0.5, "eyeBlinkLeft": 1.0})
    count = key_groups(head, {"jaw", "tongue"}, 12)
    jaw = {"jawOpen", "jawForward", "jawLeft", "jawRight", "tongueOut"}
    assert set(curves_by_name(head)) == jaw and count == 5
    assert frames(head, "jawOpen") == [12] and at(head, 12, "jawOpen", "jawLeft") == [0.5, 0]
    for groups in ((), ("nonsense",)):
        with raises(FaceError, *GROUPS):
            key_groups(head, groups, 1)


def test_an_expression_comes_stays_and_goes(head: bpy.types.Object) -> None:
    key_values(head, {"jawOpen": 0.2}, 1)
    key_values(head, {"jawOpen": 0.6}, 101)
    key_values(head, {"jawOpen": 0.9}, 15)  # in the way
    key_values(head, {"browInnerUp": 0.3}, 15)
    moved = blend_and_hold(head, {"jawOpen": 1.0}, 11, blend=4, hold=10, strength=0.5)
    assert moved == 1 and frames(head, "browInnerUp") == [15]
    assert frames(head, "jawOpen") == [1, 11, 15, 25, 29, 101]
    before = at(head, 11, "jawOpen")[0]
    assert 0.2 < before < 0.9
    held = round(before + 0.5 * (1 - before), 4)
    assert at(head, 15, "jawOpen") == [held] == at(head, 20, "jawOpen") == at(head, 25, "jawOpen")
    assert before < at(head, 13, "jawOpen")[0] < held
    assert at(head, 101, "jawOpen") == [0.6]
    with raises(FaceError, 0):
        blend_and_hold(head, {"jawOpen": 1.0}, 11, blend=-1)
    with raises(FaceError, "Ada"):
        blend_and_hold(head, {"hat": 1.0}, 11)


def one_sided() -> Motion:
    t = np.arange(30) / 24
    ramp = t / t[-1]
    names = ("mouthSmileLeft", "eyeLookInLeft", "jawLeft", "jawOpen")
    return Motion(t, names, np.stack([ramp, 0.5 * ramp, 0.25 * ramp, 1 - ramp], 1))


def test_mirrored(head: bpy.types.Object) -> None:
    motion = one_sided()
    apply_motion(head, motion, start_frame=1)
    assert mirror_animation(head) == 3
    names = ("mouthSmileRight", "eyeLookInRight", "jawRight", "jawOpen")
    assert set(curves_by_name(head)) == set(names)
    for frame in (1, 17, 30):
        expected = motion.weights[frame - 1].round(4)
        np.testing.assert_allclose(at(head, frame, *names), expected, atol=2e-4)
    assert mirror_animation(head) == 3 and set(curves_by_name(head)) == set(motion.names)


def test_a_side_is_copied_as_symmetric_editing_does(head: bpy.types.Object) -> None:
    apply_motion(head, one_sided(), start_frame=1)
    key_values(head, {"mouthSmileRight": 1.0}, 40)
    assert symmetrise_animation(head, "Left") == 2
    smile, gaze = "mouthSmile", "eyeLook"
    assert frames(head, f"{smile}Right") == frames(head, f"{smile}Left")
    left = at(head, 20, f"{smile}Left", f"{gaze}InLeft")
    assert at(head, 20, f"{smile}Right", f"{gaze}OutRight") == left, "both eyes look the same way"
    assert "jawRight" not in curves_by_name(head) and at(head, 30, "jawLeft") == [0.25]
    reset(head)
    with raises(FaceError, "Left", "Right"):
        symmetrise_animation(head, "Up")


def test_without_animation_they_say_so(head: bpy.types.Object) -> None:
    other = build_scene(MADE, name="Grace").head
    for doing in (
        lambda: mirror_animation(head),
        lambda: symmetrise_animation(head, "Left"),
        lambda: retarget(head, other),
    ):
        with raises(FaceError, "Ada"):
            doing()
    with raises(FaceError):
        retarget(head, head)
    assert not bpy.data.actions


def test_copied_to_another_head_with_its_handles(head: bpy.types.Object) -> None:
    other = build_scene(MADE, name="Grace").head
    key_values(other, {"jawOpen": 1.0}, 1)
    key_values(head, {"jawOpen": 0.0, "mouthSmileLeft": 0.5}, 1)
    key_values(head, {"jawOpen": 1.0}, 21)
    curve = curves_by_name(head)["jawOpen"]
    first = curve.keyframe_points[0]
    first.handle_right_type, first.handle_right = "FREE", (9.0, 0.4)
    curve.update()
    assert retarget(head, other) == (2, ())
    assert len(bpy.data.actions) == 3, "what the other had is set aside"
    for frame in (1, 4, 7.5, 14, 21):
        wanted = at(head, frame, "jawOpen", "mouthSmileLeft")
        assert at(other, frame, "jawOpen", "mouthSmileLeft") == wanted
    copied = curves_by_name(other)["jawOpen"].keyframe_points[0]
    assert copied.handle_right_type == "FREE" and copied.handle_right[:] == pytest.approx((9, 0.4))


def test_retargeted_to_another_model(head: bpy.types.Object) -> None:
    """One with another mesh, other spellings, another range and fewer shape keys."""
    spelt = tuple(n.replace("Left", "_L").replace("Right", "_R") for n in ARKIT_NAMES[:20])
    model = make_reconstruction(rows=6, columns=9, names=(*spelt, "id_smile"))
    other = build_scene(model, name="Grace").head
    assert len(other.data.vertices) != len(head.data.vertices)
    reset(other)
    t = np.arange(20) / 24
    values = np.stack([0.1 + 0.04 * np.arange(20), np.linspace(0, 1, 20)], 1)
    apply_motion(head, Motion(t, ("eyeBlinkLeft", "tongueOut"), values), start_frame=1)
    count, missing = retarget(head, other)
    assert (count, missing) == (1, ("tongueOut",))
    for frame in (1, 9, 20):
        expected = pytest.approx([values[frame - 1, 0]], abs=1e-4)
        assert at(other, frame, "eyeBlink_L") == expected
    top = other.data.shape_keys.key_blocks["eyeBlink_L"].slider_max
    assert top == 3.0
    retarget(head, other, fit="scale", existing="replace")
    assert at(other, 9, "eyeBlink_L") == pytest.approx([3 * values[8, 0]], abs=1e-4)
    with raises(FaceError, "'squeeze'", "clamp", "scale"):
        retarget(head, other, fit="squeeze")
    strange = make_reconstruction(rows=6, columns=9, names=("c0", "c1"))
    with raises(FaceError, "Ada", "X"):
        retarget(head, build_scene(strange, name="X").head)


def test_a_driven_target_keeps_its_driver(head: bpy.types.Object) -> None:
    other = build_scene(MADE, name="Grace").head
    driver = other.data.shape_keys.driver_add(value_path("jawOpen")).driver
    driver.type, driver.expression = "SCRIPTED", "0.125"
    apply_motion(head, one_sided(), start_frame=1)
    assert retarget(head, other) == (3, ("jawOpen",))
    assert at(other, 10, "jawOpen") == [0.125]


# -- presets


def test_presets_are_assets_with_pictures(head: bpy.types.Object) -> None:
    set_values(head, {"jawOpen": 0.5})
    made = presets.add_presets(head, names=("Joy", "Surprise", "aa"))
    assert [action.name for action in made] == ["Joy", "Surprise", "aa"]
    assert values_of(head) == pytest.approx({**dict.fromkeys(ARKIT_NAMES, 0.0), "jawOpen": 0.5})
    pictures = []
    for action in made:
        wanted = presets.preset_values(action.name)
        held = {name: x for name, x in expression_in(action).items() if x}
        assert held == pytest.approx(wanted, abs=1e-6)
        assert [tag.name for tag in action.asset_data.tags] == (
            ["speech"] if action.name == "aa" else ["emotion"]
        )
        pixels = np.array(action.preview.image_pixels_float).reshape(-1, 4)
        assert 0.2 < (pixels[:, 3] > 0).mean() < 0.95
        pictures.append(pixels)
    assert np.abs(pictures[0] - pictures[1]).max() > 0.1
    assert presets.add_presets(head, names=("Joy", "Anger"))[0].name == "Anger"
    assert len(saved_expressions()) == 4
    with raises(FaceError, "'Glee'", "Joy", "Wink", "aa"):
        presets.add_presets(head, names=("Glee",))


def test_presets_are_what_they_are_called() -> None:
    known = set(ARKIT_NAMES)
    for name in (*presets.EMOTIONS, *VISEMES):
        values = presets.preset_values(name)
        assert set(values) <= known and all(0 < x <= 1 for x in values.values())
    joy, sad = presets.preset_values("Joy"), presets.preset_values("Sadness")
    assert joy["mouthSmileLeft"] > 0.5 > joy.get("mouthFrownLeft", 0)
    assert sad["mouthFrownLeft"] > 0.3 and sad["browInnerUp"] > 0.5


def test_presets_need_arkits_shape_keys() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    other = build_scene(make_reconstruction(rows=6, columns=9, names=("c0", "c1"))).head
    with raises(FaceError, "Ada Lovelace", "ARKit's"):
        presets.add_presets(other)


# -- speech


def test_a_head_speaks(head: bpy.types.Object, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("0.0 0.5 sil\n0.5 1.0 AA1\n1.0 1.5 M\n1.5 2.0 UW1\n")
    apply_motion(head, read_motion_file(path, frame_rate=24.0), start_frame=1)
    middle = {0.75: "aa", 1.25: "PP", 1.75: "ou"}
    for seconds, viseme in middle.items():
        names = tuple(VISEMES[viseme])
        expected = [VISEMES[viseme][name] for name in names]
        assert at(head, 1 + 24 * seconds, *names) == pytest.approx(expected, abs=1e-3)
    assert at(head, 1 + 24 * 1.25, "jawOpen") == [0.0], "lips close for an M"
    assert at(head, 1 + 24 * 2.1, "mouthPucker") == [0.0], "and the mouth rests at the end"
