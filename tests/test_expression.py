"""The expression of a head: groups, sides, random faces, keyframes, and the operators for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import bpy
import pytest
import reconstruct_face
from reconstruct_face.backend.errors import FaceError, ModelError
from reconstruct_face.backend.model import load_model
from reconstruct_face.operators import strings
from reconstruct_face.operators.expression import PAIRED, label_of
from reconstruct_face.panels.expression import shown_rows
from reconstruct_face.scene import expression
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.mesh import expression_keys
from reconstruct_face.scene.random_expression import random_expression

from tests.errors import raises
from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction

MADE = make_reconstruction(rows=8, columns=10)
OTHER_MODEL = make_reconstruction(rows=8, columns=10, names=("ex_0", "ex_1", "curlLeft"))


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    reconstruct_face.register()
    yield
    reconstruct_face.unregister()


@pytest.fixture
def head() -> bpy.types.Object:
    """An active head without expression."""
    made = build_scene(MADE, set_active=True).head
    expression.reset(made)
    return made


def shown(head: bpy.types.Object) -> dict[str, float]:
    return {name: round(x, 4) for name, x in expression.values_of(head).items() if x}


def settings() -> bpy.types.PropertyGroup:
    return bpy.context.scene.reconstruct_face_expression


def test_every_name_of_the_shipped_model_has_one_group_and_a_label() -> None:
    names = load_model("default").expression_names
    assert sorted(expression.GROUP_OF) == sorted(names)
    assert set(names) >= set(ARKIT_NAMES)
    rows = expression.rows_of(names)
    flat = [name for group in rows.values() for row in group for name in row]
    assert sorted(flat) == sorted(names)
    assert list(rows) == ["brows", "eyes", "jaw", "mouth", "cheeks", "nose", "tongue"]
    assert not [name for name in names if label_of(name) == name]
    assert len({(label_of(row[0])) for group in rows.values() for row in group}) == len(
        [row for group in rows.values() for row in group]
    )
    assert set(strings.GROUP_NAMES) == set(expression.GROUPS)


def test_names_of_other_models_are_under_other() -> None:
    names = ("ex_0", "curlRight", "jawOpen", "curlLeft", "wideRight", "eyeBlinkRight")
    assert expression.rows_of(names) == {
        "eyes": [("eyeBlinkRight",)],
        "jaw": [("jawOpen",)],
        "other": [("ex_0",), ("curlLeft", "curlRight"), ("wideRight",)],
    }


def test_the_search_looks_at_label_group_and_name(head: bpy.types.Object) -> None:
    keys = {key.name: key for key in expression_keys(head)}

    def found(search: str) -> set[str]:
        return {name for rows in shown_rows(keys, search).values() for row in rows for name in row}

    assert found("") == set(ARKIT_NAMES)
    assert found("BLINK") == {"eyeBlinkLeft", "eyeBlinkRight"}
    assert found("jawopen") == {"jawOpen"}
    assert found("open jaw") == {"jawOpen"}
    assert found("cheeks") == {"cheekPuff", "cheekSquintLeft", "cheekSquintRight"}
    assert found("nonsense") == set()


def test_symmetric_sliders_move_both_sides(head: bpy.types.Object) -> None:
    settings().mouthSmileLeft = 0.5
    settings().eyeLookInRight = 0.25
    assert shown(head) == {
        "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5,
        "eyeLookInRight": 0.25, "eyeLookOutLeft": 0.25,
    }  # fmt: skip
    assert settings().mouthSmileRight == 0.5
    settings().mouthSmileRight = 7.0
    assert shown(head)["mouthSmileLeft"] == 1.0, "within the shape key's range"
    assert len(PAIRED) > 30
    for name in PAIRED:
        assert expression.partner(expression.partner(name)) == name != expression.partner(name)
    # Moving the jaw to both sides would move it nowhere.
    expression.set_value(head, "jawLeft", 0.5, symmetric=True)
    assert "jawRight" not in shown(head)


def test_symmetric_sliders_without_a_head_do_nothing() -> None:
    settings().mouthSmileLeft = 0.5
    assert settings().mouthSmileLeft == 0.0 and settings().gaze_up == 0.0


def test_the_gaze_turns_both_eyes(head: bpy.types.Object) -> None:
    settings().gaze_across = 0.5
    settings().gaze_up = -0.25
    assert shown(head) == {
        "eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5,
        "eyeLookDownLeft": 0.25, "eyeLookDownRight": 0.25,
    }  # fmt: skip
    assert expression.gaze_of(head) == pytest.approx((0.5, -0.25))
    settings().gaze_across = -1.0
    assert shown(head)["eyeLookOutRight"] == 1.0 and "eyeLookOutLeft" not in shown(head)


def test_mirror_twice_is_nothing_and_once_swaps(head: bpy.types.Object) -> None:
    start = {"eyeBlinkLeft": 0.75, "jawLeft": 0.5, "jawOpen": 0.25, "eyeLookInLeft": 0.125}
    expression.set_values(head, start)
    bpy.ops.reconstruct_face.mirror_expression()
    assert shown(head) == {
        "eyeBlinkRight": 0.75, "jawRight": 0.5, "jawOpen": 0.25, "eyeLookInRight": 0.125
    }  # fmt: skip
    bpy.ops.reconstruct_face.mirror_expression()
    assert shown(head) == start


def test_reset_of_a_group_leaves_the_others(head: bpy.types.Object) -> None:
    expression.set_values(head, {"eyeBlinkLeft": 0.5, "jawOpen": 0.5})
    bpy.ops.reconstruct_face.reset_group(group="eyes")
    assert shown(head) == {"jawOpen": 0.5}
    bpy.ops.reconstruct_face.neutral()
    assert shown(head) == {}


def test_random_faces_are_faces() -> None:
    seen = set()
    for seed in range(300):
        face = random_expression(random.Random(seed), 1.0)
        seen |= set(face)
        assert set(face) <= set(ARKIT_NAMES)
        assert all(0 < value <= 1 for value in face.values())
        get = lambda name, face=face: face.get(name, 0.0)  # noqa: E731
        for left in (name for name in PAIRED if name.endswith("Left") and "Look" not in name):
            right = expression.opposite(left)
            assert abs(get(left) - get(right)) <= 0.3 * max(get(left), get(right)), (seed, left)
        assert get("eyeLookOutLeft") == get("eyeLookInRight"), "eyes look to the same side"
        assert not (get("eyeLookInLeft") and get("eyeLookInRight")), "nobody squints inwards"
        assert not (get("eyeBlinkLeft") and get("eyeWideLeft"))
        assert not (get("mouthSmileLeft") and get("mouthFrownLeft"))
    assert len(seen) > 35


def test_the_seed_decides_and_strength_scales(head: bpy.types.Object) -> None:
    added = head.shape_key_add(name="mine")
    added.value = 0.5
    bpy.ops.reconstruct_face.random_expression(seed=4, strength=0.8)
    first = shown(head)
    bpy.ops.reconstruct_face.random_expression(seed=5, strength=0.8)
    assert shown(head) != first
    bpy.ops.reconstruct_face.random_expression(seed=4, strength=0.8)
    assert shown(head) == first and first["mine"] == 0.5
    bpy.ops.reconstruct_face.random_expression(seed=4, strength=0.0)
    assert shown(head) == {"mine": 0.5}


def test_random_values_of_another_model_stay_in_their_range() -> None:
    head = build_scene(OTHER_MODEL, set_active=True).head
    before = shown(head)
    expression.randomise(head, seed=1, strength=1.0)
    assert shown(head) != before
    assert all(abs(value) <= 3 for value in shown(head).values())


def test_keyframes_hold_the_expression_and_go_away(head: bpy.types.Object) -> None:
    scene = bpy.context.scene
    expression.set_values(head, {"jawOpen": 0.75})
    scene.frame_set(1)
    bpy.ops.reconstruct_face.key_expression()
    scene.frame_set(11)
    expression.reset(head)
    bpy.ops.reconstruct_face.key_expression()
    scene.frame_set(1)
    assert shown(head) == {"jawOpen": 0.75}
    scene.frame_set(6)
    assert 0.2 < shown(head)["jawOpen"] < 0.6
    scene.frame_set(11)
    assert shown(head) == {}
    assert expression.delete_keyframes(head, 11) == len(ARKIT_NAMES)
    scene.frame_set(11)
    assert shown(head) == {"jawOpen": 0.75}, "what is left is the first keyframe"
    with raises(RuntimeError, strings.NO_KEYS):
        bpy.ops.reconstruct_face.delete_keys()


def test_driven_sliders_take_no_keyframes(head: bpy.types.Object) -> None:
    key = head.data.shape_keys.key_blocks["jawOpen"]
    key.driver_add("value").driver.expression = "0.5"
    assert expression.driven_names(head) == {"jawOpen"}
    assert expression.insert_keyframes(head, 3) == len(ARKIT_NAMES) - 1


def test_the_photos_expression_comes_back(head: bpy.types.Object) -> None:
    bpy.ops.reconstruct_face.photo_expression()
    wanted = dict(zip(MADE.expression_names, MADE.expression.tolist(), strict=True))
    assert expression.values_of(head) == pytest.approx(wanted)
    added = head.shape_key_add(name="mine")
    added.value = 0.5
    expression.reset(head)
    added.value = 0.5
    expression.restore_fitted(head)
    assert expression.values_of(head) == pytest.approx({**wanted, "mine": 0.5})
    del head["expression"]
    with raises(RuntimeError, "Ada Lovelace"):
        bpy.ops.reconstruct_face.photo_expression()


def test_copying_is_by_name(head: bpy.types.Object) -> None:
    other = build_scene(MADE, name="Grace").head
    expression.reset(other)
    expression.set_values(other, {"jawOpen": 0.5})
    assert bpy.ops.reconstruct_face.copy_expression(source="Grace") == {"FINISHED"}
    assert shown(head) == {"jawOpen": 0.5}
    stranger = build_scene(OTHER_MODEL, name="Stranger").head
    with raises(FaceError, "Stranger", "Ada Lovelace"):
        expression.copy_expression(stranger, head)
    with raises(RuntimeError, "'Nobody'"):
        bpy.ops.reconstruct_face.copy_expression(source="Nobody")
    assert shown(head) == {"jawOpen": 0.5}


def test_a_head_without_shape_keys_is_told(head: bpy.types.Object) -> None:
    head.shape_key_clear()
    with raises(ModelError, "Ada Lovelace"):
        expression.reset(head)
    with raises(RuntimeError, "Ada Lovelace"):
        bpy.ops.reconstruct_face.neutral()
    assert settings().mouthSmileLeft == 0.0


def test_linked_heads_are_not_changed_but_overrides_are(tmp_path) -> None:
    build_scene(MADE, name="Linked", set_active=True)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    library: Any = bpy.data.libraries.load(path, link=True)
    with library as (_, to):
        to.objects = ["Linked"]
    linked = to.objects[0]
    before = shown(linked)
    with raises(FaceError, "Linked", "Library Override"):
        expression.reset(linked)
    assert shown(linked) == before
    bpy.context.scene.collection.objects.link(linked)
    own = linked.override_create(remap_local_usages=True)
    own.data.override_create(remap_local_usages=True)
    expression.reset(own)
    assert shown(own) == {}


def test_operators_are_for_heads_only() -> None:
    assert not bpy.ops.reconstruct_face.neutral.poll()
    assert not bpy.ops.reconstruct_face.random_expression.poll()
