"""Expressions as assets: saved, read by another process, applied, played."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
import reconstruct_face
from reconstruct_face.backend.errors import FaceError
from reconstruct_face.scene import actions, expression, pose_asset
from reconstruct_face.scene.asset_preview import draw_head
from reconstruct_face.scene.build import build_scene

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction

MADE = make_reconstruction(rows=24, columns=32)


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    reconstruct_face.register()
    yield
    reconstruct_face.unregister()


@pytest.fixture
def head() -> bpy.types.Object:
    """An active head with a smile."""
    made = build_scene(MADE, name="Ada", set_active=True).head
    expression.reset(made)
    expression.set_values(made, {"mouthSmileLeft": 0.75, "jawOpen": 0.25})
    return made


def shown(head: bpy.types.Object) -> dict[str, float]:
    return {name: round(x, 4) for name, x in expression.values_of(head).items() if x}


#: Knows nothing of the add-on but for the last line: any user's script would read it so.
READ = """
import json, sys
import bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
action = bpy.data.actions["Smile"]
about, picture = action.asset_data, action.preview
pixels = list(picture.image_pixels_float)
other = bpy.data.objects["Grace"]
keys = other.data.shape_keys
for key in keys.key_blocks:
    key.value = 0.0
animation = keys.animation_data_create()
animation.action = action
if hasattr(animation, "action_slot") and animation.action_slot is None:
    animation.action_slot = animation.action_suitable_slots[0]
bpy.context.scene.frame_set(1)
played = {k.name: round(k.value, 4) for k in keys.key_blocks if k.value}
json.dump({
    "tags": [tag.name for tag in about.tags], "description": about.description,
    "size": list(picture.image_size), "opaque": sum(x > 0 for x in pixels[3::4]) / len(pixels) * 4,
    "fake": action.use_fake_user, "played": played,
}, open(sys.argv[2], "w"))
"""


def test_saved_reopened_and_played_by_another_process(
    head: bpy.types.Object, tmp_path: Path
) -> None:
    build_scene(MADE, name="Grace")
    assert bpy.ops.reconstruct_face.save_expression(
        name="Smile", tags="happy, teeth,,happy", description="With the mouth open"
    ) == {"FINISHED"}
    path = tmp_path / "a.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    out = tmp_path / "out.json"
    subprocess.run([sys.executable, "-c", READ, str(path), str(out)], check=True, timeout=120)
    found = json.loads(out.read_text())
    assert found["tags"] == ["happy", "teeth"]
    assert found["description"] == "With the mouth open"
    assert found["fake"] and found["size"] == [256, 256] and 0.3 < found["opaque"] < 0.9
    assert found["played"] == {"mouthSmileLeft": 0.75, "jawOpen": 0.25}


def test_applying_is_by_name_and_blends(head: bpy.types.Object) -> None:
    action = pose_asset.save_expression(head, "Smile", preview=False)
    other = build_scene(MADE, name="Grace", set_active=True).head
    expression.reset(other)
    expression.set_values(other, {"jawOpen": 0.75, "eyeBlinkLeft": 0.5})
    bpy.ops.reconstruct_face.apply_expression(action=action.name, blend=0.5)
    assert shown(other) == {"jawOpen": 0.5, "eyeBlinkLeft": 0.25, "mouthSmileLeft": 0.375}
    bpy.ops.reconstruct_face.apply_expression(action=action.name)
    assert shown(other) == {"jawOpen": 0.25, "mouthSmileLeft": 0.75}
    assert other.data.shape_keys.animation_data is None, "values only, no animation"


def test_assign_plays_it_on_any_head(head: bpy.types.Object) -> None:
    action = pose_asset.save_expression(head, "Smile", preview=False)
    other = build_scene(MADE, name="Grace").head
    expression.reset(other)
    keys = other.data.shape_keys
    actions.assign(keys, action)
    bpy.context.scene.frame_set(40)
    assert shown(other) == {"jawOpen": 0.25, "mouthSmileLeft": 0.75}
    assert actions.is_animated(keys) and not actions.is_animated(head.data.shape_keys)
    assert actions.has_keyframe(keys, actions.value_path("jawOpen"), 1)
    assert not actions.has_keyframe(keys, actions.value_path("jawOpen"), 2)


def test_only_expressions_are_listed(head: bpy.types.Object) -> None:
    empty = bpy.data.objects.new("Empty", None)  # not the head: Blender would share the action
    empty.keyframe_insert("location", frame=1)
    empty.animation_data.action.asset_mark()
    expression.insert_keyframes(head, 1)  # an action on shape keys that is no asset
    assert pose_asset.saved_expressions() == []
    names = [pose_asset.save_expression(head, x, preview=False).name for x in ("b", "A", "b")]
    assert [action.name for action in pose_asset.saved_expressions()] == ["A", "b", "b.001"]
    assert set(names) == {"A", "b", "b.001"}
    moved = empty.animation_data.action
    with raises(FaceError, "Ada", moved.name):
        pose_asset.apply_expression(moved, head)


def test_names_with_quotes_survive(head: bpy.types.Object) -> None:
    key = head.shape_key_add(name='say "O" \\ ]')
    key.value = 0.5
    action = pose_asset.save_expression(head, "Odd", preview=False)
    expression.reset(head)
    pose_asset.apply_expression(action, head)
    assert shown(head)['say "O" \\ ]'] == 0.5


def test_bad_input_is_one_sentence(head: bpy.types.Object) -> None:
    with raises(RuntimeError, "name"):
        bpy.ops.reconstruct_face.save_expression(name="  ")
    with raises(RuntimeError, "'gone'"):
        bpy.ops.reconstruct_face.apply_expression(action="gone")
    assert not bpy.data.actions


def test_the_picture_is_of_this_head_and_its_expression(head: bpy.types.Object) -> None:
    smiling = draw_head(head, 64)
    assert smiling.shape == (64, 64, 4)
    filled = smiling[..., 3] > 0
    rows = np.flatnonzero(filled.any(1))
    for row in rows:  # an egg has no holes
        columns = np.flatnonzero(filled[row])
        assert columns[-1] - columns[0] + 1 == len(columns)
    tall, wide = len(rows), filled.any(0).sum()
    assert tall / wide == pytest.approx(115 / 75, rel=0.08)
    expression.set_values(head, {"browInnerUp": 1.0, "jawOpen": 1.0, "cheekPuff": 1.0})
    assert np.abs(draw_head(head, 64) - smiling).max() > 0.1
