"""Motion, live capture and files of a head whose bones lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange.motion import Motion
from reconstruct_face.backend.geometry.rotation import from_euler
from reconstruct_face.backend.live.face import Calibration
from reconstruct_face.backend.live.packet import FacePacket
from reconstruct_face.scene.actions import curves_on
from reconstruct_face.scene.animation.apply import apply_motion
from reconstruct_face.scene.animation.bones import turns_of
from reconstruct_face.scene.animation.export import export_animation
from reconstruct_face.scene.animation.hand_over import hand_over
from reconstruct_face.scene.armature.build import add_armature
from reconstruct_face.scene.armature.known import armature_of
from reconstruct_face.scene.armature.lead import BONES, KEYS, lead_of
from reconstruct_face.scene.armature.skin import BONE_NAMES, skinned
from reconstruct_face.scene.build import HeadScene
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.live import Follower, show_packet
from scipy.spatial import cKDTree

from tests.rig_tools import built_head, shown, values

FRAMES = (1, 7, 18, 25)


@pytest.fixture
def built() -> HeadScene:
    found = built_head(bust=True)
    add_armature(found.head)
    return found


def made(head: bpy.types.Object) -> Motion:
    """A second of 25 frames in which half of the shape keys and the head move."""
    names = tuple(key.name for key in head.data.shape_keys.key_blocks[1:])
    rng, times = np.random.default_rng(0), np.arange(25) / 24
    waves = np.outer(times, rng.uniform(1, 6, len(names))) + rng.uniform(0, 6, len(names))
    weights = np.abs(np.sin(waves)) * (rng.random(len(names)) < 0.5)
    turn = from_euler(0.4 * np.sin(3 * times), 0.3 * np.cos(2 * times), 0.1 * times)
    return Motion(times, names, weights.astype(np.float32), turn, None, np.ones(25, bool), 24.0, {})


def turn_of(head: bpy.types.Object) -> np.ndarray:
    armature: Any = armature_of(head)
    bone = armature.pose.bones["head"]
    return np.array(bone.matrix @ bone.bone.matrix_local.inverted())[:3, :3]


def test_a_motion_moves_bones_and_the_shape_keys_are_its_weights(built: HeadScene) -> None:
    head = built.head
    motion = made(head)
    done = apply_motion(head, motion)
    assert done.carrier is None and done.missing == () and done.notes == ()
    assert not curves_on(head.data.shape_keys) and curves_on(armature_of(head))
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        found = [key.value for key in head.data.shape_keys.key_blocks[1:]]
        np.testing.assert_allclose(found, motion.weights[frame - 1], atol=1e-4)
        np.testing.assert_allclose(turn_of(head), turns_of(motion)[frame - 1], atol=1e-5)


def test_simplified_curves_keep_the_weights(built: HeadScene) -> None:
    head = built.head
    motion = made(head)
    full = apply_motion(head, motion, existing="replace").keyframes
    few = apply_motion(head, motion, existing="replace", tolerance=0.05).keyframes
    assert few < 0.7 * full
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        found = [key.value for key in head.data.shape_keys.key_blocks[1:]]
        np.testing.assert_allclose(found, motion.weights[frame - 1], atol=0.1 + 1e-3)


def test_the_lead_changes_hands_with_the_animation(built: HeadScene) -> None:
    head, scene = built.head, bpy.context.scene
    motion = made(head)
    apply_motion(head, motion)
    scene.frame_set(7)
    before = shown(head)
    assert hand_over(head, KEYS, scene) > 0 and lead_of(head) == KEYS
    scene.frame_set(7)
    np.testing.assert_allclose(shown(head), before, atol=0.01)
    paths = {curve.data_path for curve in curves_on(armature_of(head))}
    assert paths == {f'pose.bones["{name}"].rotation_euler' for name in ("neck", "head")}
    assert hand_over(head, BONES, scene) > 0 and not curves_on(head.data.shape_keys)
    scene.frame_set(7)
    np.testing.assert_allclose(shown(head), before, atol=0.01)
    assert hand_over(head, BONES, scene) == 0


def test_a_live_face_moves_bones(built: HeadScene) -> None:
    head = built.head
    names = {key.name: key.name for key in head.data.shape_keys.key_blocks[1:]}
    follower = Follower(head.session_uid, None, names, {}, True, {}, Calibration())
    turn = from_euler(np.array(0.3), np.array(0.1), np.array(0.0))
    packet = FacePacket("face", {"jawOpen": 0.4, "eyeBlinkLeft": 0.9, "eyeLookUpLeft": 0.0}, turn)
    show_packet(head, follower, packet)
    assert values(head) == {"jawOpen": 0.4, "eyeBlinkLeft": 0.9}
    armature: Any = armature_of(head)
    assert armature.pose.bones["lid.L"].location.y == pytest.approx(-0.018)
    assert np.degrees(np.arccos((np.trace(turn_of(head)) - 1) / 2)) > 15
    assert armature.parent is None, "no empty carries it"


@pytest.mark.parametrize("names", sorted(BONE_NAMES))
def test_a_skinned_head_is_the_same_head(built: HeadScene, names: str) -> None:
    head = built.head
    apply_motion(head, made(head))
    bpy.context.scene.frame_set(7)
    before, told = shown(head), values(head)
    weights = sorted(group.name for group in head.vertex_groups)
    with skinned(head, names) as armature:
        assert armature is not None
        deforming = {bone.name for bone in armature.data.bones if bone.use_deform}
        assert deforming == {new for old, new in BONE_NAMES[names].items() if old != "root"}
        assert deforming <= {group.name for group in head.vertex_groups}
        np.testing.assert_allclose(shown(head), before, atol=0.001)
    np.testing.assert_allclose(shown(head), before, atol=0.001)
    assert values(head) == told and lead_of(head) == BONES
    assert sorted(group.name for group in head.vertex_groups) == weights


def opened(path: Path) -> list[bpy.types.Object]:
    """The meshes of a file in a new scene, in a position that Blender's importers give."""
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.render.fps = 24
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif path.suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0)
    else:
        bpy.ops.wm.alembic_import(filepath=str(path), as_background_job=False)
    return [
        thing
        for thing in bpy.data.objects
        if thing.type == "MESH" and len(thing.data.vertices) > 99
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["glb", "fbx", "abc"])
def test_files_move_as_the_bones_did(built: HeadScene, kind: str, tmp_path: Path) -> None:
    """Blender's own importers put glTF's second 0 at frame 0 or 1, by their version."""
    head, scene = built.head, bpy.context.scene
    scene.render.fps = 24
    apply_motion(head, made(head))
    wanted = {}
    for frame in FRAMES:
        scene.frame_set(frame)
        wanted[frame] = shown(head)
    files = export_animation(built, tmp_path, "moving", [kind])
    scene.frame_set(7)
    np.testing.assert_allclose(shown(head), wanted[7], atol=0.001)
    assert lead_of(head) == BONES and curves_on(armature_of(head))
    assert not curves_on(head.data.shape_keys)
    things = opened(files[kind])
    scene = bpy.context.scene
    for frame, points in wanted.items():
        gaps = []
        for shift in (0, -1) if kind == "glb" else (0,):
            scene.frame_set(frame + shift)
            gaps.append(max(cKDTree(shown(x)).query(points)[0].max() for x in things))
        assert min(gaps) < 0.02, (frame, gaps)


@pytest.mark.seconds
@pytest.mark.parametrize("kind", ["glb", "fbx"])
def test_a_still_file_holds_the_pose_and_the_bones(
    built: HeadScene, kind: str, tmp_path: Path
) -> None:
    head = built.head
    apply_motion(head, made(head))
    bpy.context.scene.frame_set(7)
    wanted = shown(head)
    things = opened(export_head(built, tmp_path, "still", [kind])[kind])
    assert min(cKDTree(shown(x)).query(wanted)[0].max() for x in things) < 0.02
    (armature,) = (thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    told = {"root", "chest", "neck", "head", "jaw", "eye.L", "eye.R"}
    assert set(armature.data.bones.keys()) == told
    assert armature.data.bones["jaw"].parent == armature.data.bones["head"]
