"""What an artist did to a head is still there after a new fit, or is said to be elsewhere."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.exchange.reconstruction import OWN_EXPRESSIONS
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.coordinates import to_blender
from reconstruct_face.scene.fitted import points_of
from reconstruct_face.scene.update import check_can_update, update_head

from tests.errors import raises
from tests.synthetic_reconstruction import encode_png, make_reconstruction


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def another(**options: object):
    """A second fit of the same model: a longer head with another expression and blinks of its own,
    as every head has."""
    made = make_reconstruction(image_size=(480, 640), angles=(20.0, 5.0, 0.0), **options)
    made.vertices_neutral[:, 1] *= 1.1
    for name in set(OWN_EXPRESSIONS) & set(made.expression_names):
        made.expression_basis[made.expression_names.index(name)] *= 1.2
    made.expression[:] = np.linspace(0.0, 0.5, len(made.expression))
    return made


def keys_of(head: bpy.types.Object) -> dict[str, np.ndarray]:
    return {key.name: points_of(key) for key in head.data.shape_keys.key_blocks}


def sculpt(head: bpy.types.Object, vertex: int, by: tuple[float, float, float]) -> None:
    """Move a vertex of the neutral head in edit mode, as an artist does: all keys follow."""
    bpy.context.view_layer.objects.active = head
    head.active_shape_key_index = 0
    bpy.ops.object.mode_set(mode="EDIT")
    import bmesh

    edited = bmesh.from_edit_mesh(head.data)
    edited.verts.ensure_lookup_table()
    edited.verts[vertex].co += Vector(by)
    bmesh.update_edit_mesh(head.data)
    bpy.ops.object.mode_set(mode="OBJECT")


def test_sculpting_on_the_neutral_head_is_an_offset_on_the_new_fit(tmp_path: Path) -> None:
    head = build_scene(make_reconstruction()).head
    name, by = head.name, (0.0, -0.02, 0.005)
    sculpt(head, 100, by)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    head = bpy.data.objects[name]
    new = another()
    for _ in range(3):  # again and again: it neither grows nor fades
        notes = update_head(head, new, bpy.context.scene)
        fresh = to_blender(new.vertices_neutral.astype(np.float32))
        basis = keys_of(head)["Basis"]
        assert np.allclose(basis[100] - fresh[100], by, atol=1e-6)
        assert np.array_equal(np.delete(basis, 100, 0), np.delete(fresh, 100, 0))
        assert len(notes) == 1 and "(1 point)" in notes[0]
    jaw = to_blender(new.expression_basis[new.expression_names.index("jawOpen")])
    gap = keys_of(head)["jawOpen"] - basis
    assert np.allclose(gap, jaw, atol=1e-6), "the expressions are laid over what was sculpted"


def test_a_corrected_shape_key_keeps_its_correction() -> None:
    head = build_scene(make_reconstruction()).head
    key = head.data.shape_keys.key_blocks["mouthSmileLeft"]
    key.points[55].co += Vector((0.003, 0.0, 0.0))
    new = another()
    update_head(head, new, bpy.context.scene)
    fresh = keys_of(build_scene(new).head)
    now = keys_of(head)
    expected = fresh["mouthSmileLeft"].copy()
    expected[55, 0] += 0.003
    assert np.allclose(now["mouthSmileLeft"], expected, atol=1e-6)
    for name in ("Basis", "jawOpen", "eyeBlinkLeft"):
        assert np.array_equal(now[name], fresh[name])


def test_a_corrected_blink_keeps_its_correction_over_another_blink() -> None:
    head = build_scene(make_reconstruction()).head
    head.data.shape_keys.key_blocks["eyeBlinkLeft"].points[55].co += Vector((0.003, 0.0, 0.0))
    new = another()
    update_head(head, new, bpy.context.scene)
    fresh = keys_of(build_scene(new).head)["eyeBlinkLeft"]
    offset = keys_of(head)["eyeBlinkLeft"] - fresh
    assert np.allclose(offset[55], (0.003, 0, 0), atol=1e-6)
    assert not np.delete(offset, 55, 0).any()


def test_nothing_is_said_of_a_head_that_nobody_touched() -> None:
    head = build_scene(make_reconstruction()).head
    new = another()
    assert update_head(head, new, bpy.context.scene) == []
    fresh = keys_of(build_scene(new).head)
    assert all(np.array_equal(points, fresh[name]) for name, points in keys_of(head).items())


def test_a_head_of_an_earlier_version_says_that_sculpting_is_gone() -> None:
    head = build_scene(make_reconstruction()).head
    keys = head.data.shape_keys
    for name in ("points", "expressions", "topology"):
        del keys[f"reconstruct_face_{name}"]
    new = another()
    (note,) = update_head(head, new, bpy.context.scene)
    assert "earlier version" in note and head.name in note
    assert np.array_equal(
        keys_of(head)["Basis"], to_blender(new.vertices_neutral.astype(np.float32))
    )
    assert update_head(head, new, bpy.context.scene) == [], "from now on it is known"


def test_a_deleted_shape_key_comes_back_where_the_fit_needs_it() -> None:
    head = build_scene(make_reconstruction()).head
    new = another()
    for name in ("mouthFunnel", "cheekPuff"):
        head.shape_key_remove(head.data.shape_keys.key_blocks[name])
    new.expression[new.expression_names.index("cheekPuff")] = 0.0
    (note,) = update_head(head, new, bpy.context.scene)
    assert "mouthFunnel" in note and "cheekPuff" not in note
    blocks = head.data.shape_keys.key_blocks
    assert "cheekPuff" not in blocks
    weight = float(new.expression[new.expression_names.index("mouthFunnel")])
    assert blocks["mouthFunnel"].value == pytest.approx(weight)
    fresh = keys_of(build_scene(new).head)
    assert np.allclose(keys_of(head)["mouthFunnel"], fresh["mouthFunnel"], atol=1e-6)


def test_a_painted_texture_stays_in_the_file() -> None:
    head = build_scene(make_reconstruction()).head
    node = next(n for n in head.data.materials[0].node_tree.nodes if n.type == "TEX_IMAGE")
    name = node.image.name
    pixels = np.full(4 * node.image.size[0] * node.image.size[1], 0.25, np.float32)
    node.image.pixels.foreach_set(pixels)
    node.image.pack()  # as it is when the file was saved
    new = another()
    new.texture = encode_png(np.full((32, 32, 3), 77, np.uint8))
    (note,) = update_head(head, new, bpy.context.scene)
    assert node.image.name == name
    assert node.image.packed_file.data == new.texture.tobytes()
    kept = bpy.data.images[f"{name} painted"]
    assert kept.use_fake_user and kept.name in note
    kept.pixels.foreach_get(pixels)
    assert pixels[0] == pytest.approx(0.25, abs=0.005)


def test_another_set_of_expressions_is_refused_before_anything_changes() -> None:
    head = build_scene(make_reconstruction()).head
    before = keys_of(head)
    other = make_reconstruction(names=tuple(f"expression_{i}" for i in range(30)))
    with raises(ModelError, head.name, 52, 30):
        update_head(head, other, bpy.context.scene)
    now = keys_of(head)
    assert all(np.array_equal(before[name], now[name]) for name in before)


def options_of(**named: object) -> dict[str, object]:
    return Options().with_named(named).to_dict()


@pytest.mark.parametrize(
    ("made", "now", "facts"),
    [
        ({"model": "flame"}, {}, ["flame"]),
        (
            {"model": "flame", "expressions": "native"},
            {"model": "flame", "expressions": "arkit"},
            [],
        ),
    ],
)
def test_other_settings_are_refused_before_the_run(
    made: dict[str, object], now: dict[str, object], facts: list[str]
) -> None:
    reconstruction = make_reconstruction()
    reconstruction.provenance["options"] = options_of(**made)
    head = build_scene(reconstruction).head
    with raises(ModelError, head.name, *facts):
        check_can_update(head, Options().with_named(now))
    check_can_update(head, Options().with_named(made))


def test_a_change_of_topology_is_refused_before_the_run() -> None:
    head = build_scene(make_reconstruction()).head
    check_can_update(head, Options())
    bpy.context.view_layer.objects.active = head
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.subdivide()
    bpy.ops.object.mode_set(mode="OBJECT")
    with raises(ModelError, head.name):
        check_can_update(head, Options())
