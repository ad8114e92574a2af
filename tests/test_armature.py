"""The rig of a head: bones and shape keys are one movement, whichever leads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange.names import ARKIT
from reconstruct_face.scene.armature.anatomy import joints_of, shape_of
from reconstruct_face.scene.armature.build import add_armature, refit_armature, remove_armature
from reconstruct_face.scene.armature.known import armature_of, channels_kept
from reconstruct_face.scene.armature.lead import BONES, KEYS, lead_of, lead_with, let_lead
from reconstruct_face.scene.armature.weights import jaw_error, jaw_share, weights_of
from reconstruct_face.scene.build import HeadScene, build_scene
from reconstruct_face.scene.expression import insert_keyframes, reset, set_value
from reconstruct_face.scene.mesh import is_head
from reconstruct_face.scene.rig import remove_left_behind
from reconstruct_face.scene.update import update_head

from tests.errors import raises
from tests.rig_tools import built_head, rest_head, shown, values

#: Of what bones and shape keys make of a mesh, mm; the bar of the rig is 0.1.
SAME_MM = 0.001


@pytest.fixture
def built() -> HeadScene:
    return built_head()


def bone(head: bpy.types.Object, name: str) -> Any:
    armature = armature_of(head)
    assert armature is not None
    armature.update_tag()
    return armature.pose.bones[name]


def test_joints_are_where_people_have_them(built: HeadScene) -> None:
    """Skulls: the jaw's hinge is at the height of the ear canal's lower edge, level with the eyes
    or below, 7 to 9 cm behind the chin; the skull's joint behind it; eyes are 24 mm wide."""
    joints = joints_of(shape_of(built.head))
    assert 0.0115 < joints.eye_radius < 0.0125
    middle = np.mean([*joints.eyes.values()], axis=0)
    assert 0.02 < middle[2] - joints.jaw[2] < 0.06 and 0.04 < joints.jaw[1] - middle[1] < 0.08
    assert 0.07 < np.linalg.norm(joints.chin - joints.jaw) < 0.11
    assert 0.01 < joints.head[1] - joints.jaw[1] < 0.035
    assert joints.neck[2] < joints.chin[2] < joints.jaw[2] < joints.crown[2]
    assert 20 < np.degrees(joints.jaw_angle) < 35


@pytest.mark.parametrize("bust", [False, True])
def test_every_vertex_is_held_and_neighbours_are_alike(bust: bool) -> None:
    shape = shape_of(built_head(bust=bust).head)
    weights = weights_of(shape, joints_of(shape))
    total = sum(weights.values())
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    assert min(part.min() for part in weights.values()) >= 0
    first, second = shape.edges[shape.part("skin", "bust")[shape.edges].all(axis=1)].T
    for name in ("neck", "head", "chest"):
        assert np.abs(weights[name][first] - weights[name][second]).max() < 0.35, name
    assert weights["chest"].max() == pytest.approx(float(bust))
    teeth = shape.part("teeth")
    lower = teeth & (np.linalg.norm(shape.deltas["jawOpen"], axis=1) > 0.001)
    assert weights["jaw"][lower].min() > 0.95 and weights["jaw"][teeth & ~lower].max() == 0
    ball = shape.part("eye", "iris", "cornea")
    assert (weights["eye.L"] + weights["eye.R"])[ball].min() == 1
    assert weights["eye.L"][shape.basis[:, 0] < 0].max() == 0


def test_the_jaw_by_its_weights_is_near_its_shape_key(built: HeadScene) -> None:
    """What other programs show, which have no drivers."""
    shape = shape_of(built.head)
    joints = joints_of(shape)
    error = 1000 * jaw_error(shape, joints, weights_of(shape, joints))
    moved = np.linalg.norm(shape.deltas["jawOpen"], axis=1) > 0.0005
    assert error[moved].mean() < 1.5 and np.quantile(error[moved], 0.95) < 5
    assert error[moved & shape.part("teeth")].max() < 1.0
    assert jaw_share(shape, joints).max() <= 1


def test_adding_it_changes_nothing_that_is_seen(built: HeadScene) -> None:
    head = built.head
    head.location = (0.3, 0.1, 0.0)
    set_value(head, "mouthSmileLeft", 0.6)
    before = shown(head)
    armature = add_armature(head)
    np.testing.assert_allclose(shown(head), before, atol=SAME_MM)
    assert head.parent == armature and values(head) == {"mouthSmileLeft": 0.6}
    assert lead_of(head) == BONES
    remove_armature(head)
    np.testing.assert_allclose(shown(head), before, atol=SAME_MM)
    assert head.parent is None and not [m for m in head.modifiers if m.type == "ARMATURE"]
    assert armature_of(head) is None and not bpy.data.armatures
    assert not {"neck", "head", "jaw"} & set(head.vertex_groups.keys())
    assert not head.data.shape_keys.animation_data.drivers


def test_every_shape_key_has_a_channel_and_every_control_moves_its_side(built: HeadScene) -> None:
    head = built.head
    armature = add_armature(head)
    channels = channels_kept(armature)
    told = [name for channel in channels for name in channel.names]
    assert sorted(told) == sorted(key.name for key in head.data.shape_keys.key_blocks[1:])
    assert set(ARKIT) <= set(told)
    for channel in channels:
        for name, step in zip((channel.plus, channel.minus), channel.steps, strict=True):
            if not name:
                continue
            getattr(bone(head, channel.bone), channel.path)[channel.axis] = 0.5 * step
            assert values(head) == {name: 0.5}, channel
            for side in ("Left", "Right"):
                if channel.bone.endswith((".L", ".R")) and name.endswith(side):
                    assert channel.bone.endswith(side[0]), channel
            getattr(bone(head, channel.bone), channel.path)[channel.axis] = 0.0


def test_bones_and_keys_give_the_same_mesh(built: HeadScene) -> None:
    """Jaw, eyes and board, at halves and at ends, alone and together; and there and back."""
    head = built.head
    add_armature(head)
    rng = np.random.default_rng(2)
    names = [key.name for key in head.data.shape_keys.key_blocks[1:]]
    alone = [{name: value} for name in names[::4] for value in (0.5, 1.0)]
    together = [dict(zip(names, rng.random(len(names)) ** 2, strict=True)) for _ in range(4)]
    for pose in (*alone, *together):
        lead_with(head, dict.fromkeys(names, 0.0) | pose)
        by_bones = shown(head)
        let_lead(head, KEYS)
        reset(head)
        for name, value in pose.items():
            head.data.shape_keys.key_blocks[name].value = value
        by_keys = shown(head)
        np.testing.assert_allclose(by_bones, by_keys, atol=SAME_MM)
        let_lead(head, BONES)
        np.testing.assert_allclose(shown(head), by_keys, atol=SAME_MM)


def test_the_jaw_opens_down_and_eyes_turn_as_their_bones_say(built: HeadScene) -> None:
    head = built.head
    add_armature(head)
    shape = shape_of(head)
    rest = shown(head)
    lower = shape.part("teeth") & (np.linalg.norm(shape.deltas["jawOpen"], axis=1) > 0.001)
    bone(head, "jaw").rotation_euler.x = np.radians(15)
    moved = (shown(head) - rest)[lower].mean(axis=0)
    assert moved[2] < -8 and abs(moved[0]) < 0.1
    bone(head, "jaw").rotation_euler.x = 0.0
    left = shape.part("iris") & (shape.basis[:, 0] > 0)
    bone(head, "eye.L").rotation_euler.z = np.radians(15)
    moved = (shown(head) - rest)[left].mean(axis=0)
    assert moved[0] > 1.5, "to the head's left"
    assert np.abs((shown(head) - rest)[shape.part("iris") & ~left]).max() < 1e-4
    bone(head, "eye.L").rotation_euler = (np.radians(15), 0, 0)
    assert (shown(head) - rest)[left].mean(axis=0)[2] > 1.5, "up"


def test_eyes_follow_their_target_and_the_board_opens_the_jaw(built: HeadScene) -> None:
    head = built.head
    add_armature(head)
    bone(head, "gaze").location.x = 0.15
    looks = values(head)
    assert set(looks) == {"eyeLookOutLeft", "eyeLookInRight"}
    assert 0.3 < looks["eyeLookOutLeft"] < 0.8
    armature = armature_of(head)
    armature.pose.bones["gaze"]["follow"] = 0.0
    armature.update_tag()
    assert values(head) == {}
    bone(head, "jaw_control").location = (0.01, -0.01, 0)
    assert values(head) == {"jawOpen": 0.5, "jawLeft": 0.5}
    bone(head, "jaw_control").location = (0.0, -0.05, 0)
    assert values(head) == {"jawOpen": 1.0}, "a box ends where its shape key does"


def test_neck_and_head_bend_smoothly_and_nothing_is_left_behind(built: HeadScene) -> None:
    head = built.head
    add_armature(head)
    rest, shape = shown(head), shape_of(head)
    bone(head, "gaze")["follow"] = 0.0
    bone(head, "head").rotation_euler.x = np.radians(20)
    joint = 1000 * joints_of(shape).head
    turn = np.array(Matrix.Rotation(np.radians(20), 3, "X"))
    inside = shape.part("eye", "teeth", "tongue", "iris", "cornea", "lashes", "tear")
    expected = (rest - joint) @ turn.T + joint
    np.testing.assert_allclose(shown(head)[inside], expected[inside], atol=0.01)
    low = rest[:, 2] < rest[:, 2].min() + 5
    assert np.abs(shown(head) - rest)[low].max() < 2, "the neck's edge stays with the neck"
    lengths = [np.linalg.norm(p[shape.edges[:, 0]] - p[shape.edges[:, 1]], axis=1)
               for p in (rest, shown(head))]  # fmt: skip
    assert (lengths[1] / np.maximum(lengths[0], 0.5)).max() < 1.7


def test_what_two_opposites_share_is_not_lost(built: HeadScene) -> None:
    head = built.head
    add_armature(head)
    pose = {
        "browDownLeft": 0.4,
        "browOuterUpLeft": 0.7,
        "eyeLookInLeft": 0.2,
        "eyeLookOutLeft": 0.1,
    }
    lead_with(head, pose)
    assert values(head) == pytest.approx(pose, abs=1e-4)


def test_a_users_own_driver_keeps_its_shape_key(built: HeadScene) -> None:
    head = built.head
    driver = head.data.shape_keys.driver_add('key_blocks["jawOpen"].value').driver
    driver.type, driver.expression = "SCRIPTED", "0.25"
    add_armature(head)
    bone(head, "jaw").rotation_euler.x = 0.4
    assert values(head)["jawOpen"] == pytest.approx(0.25)
    let_lead(head, KEYS)
    assert values(head)["jawOpen"] == pytest.approx(0.25)


def test_sliders_reset_and_keyframes_go_to_the_bones(built: HeadScene) -> None:
    head = built.head
    armature = add_armature(head)
    set_value(head, "mouthSmileLeft", 0.5)
    assert armature.pose.bones["corner.L"].location.y == pytest.approx(0.01)
    assert insert_keyframes(head, 1) == len(head.data.shape_keys.key_blocks) - 1
    set_value(head, "mouthSmileLeft", 1.0)
    insert_keyframes(head, 11)
    bpy.context.scene.frame_set(6)
    assert values(head)["mouthSmileLeft"] == pytest.approx(0.75, abs=0.01)
    armature.animation_data.action = None
    reset(head)
    assert values(head) == {}


def test_a_new_fit_moves_the_joints_and_keeps_the_pose(built: HeadScene) -> None:
    head, other = built.head, rest_head(5)
    armature = add_armature(head)
    bone(head, "head").rotation_euler.z = 0.3
    update_head(head, other, bpy.context.scene)
    assert armature_of(head) == armature and lead_of(head) == BONES
    fresh = build_scene(other).head
    wanted = joints_of(shape_of(fresh))
    bones: Any = armature.data.bones
    np.testing.assert_allclose(bones["jaw"].head_local[:], wanted.jaw, atol=1e-6)
    np.testing.assert_allclose(bones["eye.R"].head_local[:], wanted.eyes["Right"], atol=1e-6)
    assert armature.pose.bones["head"].rotation_euler.z == pytest.approx(0.3)
    bone(head, "jaw").rotation_euler.x = wanted.jaw_angle / 2
    assert values(head) == {"jawOpen": pytest.approx(0.5, abs=1e-3)}
    refit_armature(head)
    assert values(head) == {"jawOpen": pytest.approx(0.5, abs=1e-3)}


def test_deleted_heads_and_deleted_rigs_leave_nothing(built: HeadScene) -> None:
    head = built.head
    armature = add_armature(head)
    set_value(head, "jawOpen", 0.5)
    bpy.context.view_layer.update()
    bpy.data.objects.remove(armature)
    remove_left_behind()
    assert not [m for m in head.modifiers if m.type == "ARMATURE"]
    assert not head.data.shape_keys.animation_data.drivers
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.2
    assert values(head) == {"jawOpen": 0.2}
    add_armature(head)
    bpy.data.objects.remove(head)
    remove_left_behind()
    assert not [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]


def test_what_has_no_jaw_is_refused_with_a_sentence(built: HeadScene) -> None:
    head = built.head
    add_armature(head)
    with raises(ModelError, head.name, "already"):
        add_armature(head)
    remove_armature(head)
    head.shape_key_remove(head.data.shape_keys.key_blocks["jawOpen"])
    with raises(ModelError, head.name, "jawOpen"):
        add_armature(head)
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    assert not is_head(cube)
    with raises(ModelError, "Cube"):
        add_armature(cube)
    assert armature_of(head) is None and not bpy.data.armatures


def test_bones_lie_where_a_person_looks_for_them(built: HeadScene) -> None:
    """One above the other, on the middle, and the boxes of the board side by side."""
    armature = add_armature(built.head)
    bones: Any = armature.data.bones
    chain = [bones[name] for name in ("neck", "head")]
    assert all(a.tail_local.z <= b.tail_local.z for a, b in pairwise(chain))
    assert bones["jaw"].parent.parent == bones["head"] and bones["neck"].parent == bones["root"]
    boxes = [one for one in bones if "_box" in one.name]
    assert len(boxes) == len([one for one in bones if one.parent in boxes])
    places = np.array([one.head_local for one in boxes])
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.eye(len(places))
    assert apart.min() > 0.02
    assert places[:, 0].min() > 1e-3 * shown(built.head)[:, 0].max(), "beside the head"
