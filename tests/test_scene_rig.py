"""Where heads stand, what holds their cameras and lights, and what is left without them."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from reconstruct_face.scene import command
from reconstruct_face.scene.build import build_scene, head_scene_of
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.placing import at_origin, box_of
from reconstruct_face.scene.rig import remove_left_behind
from reconstruct_face.scene.update import update_head

from tests.glb_files import read_glb
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def camera_before(head: bpy.types.Object) -> np.ndarray:
    """Where its camera stands, from the head."""
    bpy.context.view_layer.update()
    return np.array(head.matrix_world.inverted() @ head_scene_of(head).camera.matrix_world)


def test_heads_stand_side_by_side() -> None:
    made = make_reconstruction()
    built = [build_scene(made) for _ in range(3)]
    assert tuple(built[0].head.location) == (0.0, 0.0, 0.0)
    boxes = [box_of(one.head) for one in built]
    for left, right in zip(boxes, boxes[1:], strict=False):
        assert 0.04 < right[0, 0] - left[1, 0] < 0.06
    for one in built[1:]:
        assert np.allclose(camera_before(one.head), camera_before(built[0].head), atol=1e-5)


@pytest.mark.parametrize(("size", "beside"), [(2.0, True), (8.0, False)])
def test_a_head_stands_beside_a_cube_and_in_a_room(size: float, beside: bool) -> None:
    bpy.ops.mesh.primitive_cube_add(size=size)
    head = build_scene(make_reconstruction()).head
    low = box_of(head)[0, 0]
    assert low == pytest.approx(size / 2 + 0.05) if beside else low < 0


def test_what_is_hidden_takes_no_place() -> None:
    bpy.ops.mesh.primitive_cube_add(size=2)
    bpy.context.active_object.hide_set(True)
    assert build_scene(make_reconstruction()).head.location.x == 0.0


def test_the_lights_are_on_one_empty_inside_the_head() -> None:
    built = build_scene(make_reconstruction())
    bpy.context.view_layer.update()
    assert built.rig is not None
    assert set(built.rig.children) == set(built.lights)
    alone = [x for x in built.collection.objects if x.parent is None]
    assert alone == [built.head, built.rig, built.camera]
    low, high = box_of(built.head)
    for light in built.lights:
        place, towards = light.matrix_world.translation, -light.matrix_world.col[2].xyz
        assert (low < np.array(place)).all() and (np.array(place) < high).all()
        assert towards.length * 20 < 0.05, "the line of its symbol ends in the head"


def test_new_lights_are_on_the_rig_as_well() -> None:
    built = build_scene(make_reconstruction())
    update_head(built.head, make_reconstruction(angles=(0.0, 0.0, 0.0)), bpy.context.scene)
    around = head_scene_of(built.head)
    assert set(built.rig.children) == set(around.lights)


def delete(*things: bpy.types.Object) -> None:
    """As with the X key."""
    for thing in bpy.context.view_layer.objects:
        thing.select_set(thing in things)
    bpy.ops.object.delete()


def test_nothing_of_a_deleted_head_stays() -> None:
    bpy.ops.mesh.primitive_cube_add(location=(5, 0, 0))
    kept = build_scene(make_reconstruction())
    before = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "cameras", "lights")}
    gone = build_scene(make_reconstruction())
    name = gone.collection.name
    delete(gone.head)
    assert remove_left_behind() == 1
    assert {kind: len(getattr(bpy.data, kind)) for kind in before} == before
    assert name not in bpy.data.collections
    assert head_scene_of(kept.head).camera == kept.camera
    assert remove_left_behind() == 0


def test_what_the_user_hung_on_it_stays_where_it_is() -> None:
    built = build_scene(make_reconstruction())
    built.rig.matrix_world = Matrix.Translation((1, 2, 3))
    bpy.context.view_layer.update()
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.active_object
    cube.parent = built.rig
    bpy.context.view_layer.update()
    place = cube.matrix_world.copy()
    built.camera.keyframe_insert("location", frame=1)
    camera = built.camera.name
    delete(built.head)
    remove_left_behind()
    bpy.context.view_layer.update()
    assert np.allclose(cube.matrix_world, place, atol=1e-6)
    assert camera in bpy.data.objects, "an animated camera is the user's"
    assert not bpy.data.lights


def test_a_copy_of_the_head_keeps_them() -> None:
    built = build_scene(make_reconstruction())
    copy = built.head.copy()
    built.collection.objects.link(copy)
    delete(built.head)
    assert remove_left_behind() == 0
    assert head_scene_of(copy).camera == built.camera


@pytest.mark.seconds
@pytest.mark.parametrize("kind", ["glb", "fbx", "obj", "usd"])
def test_a_file_holds_a_head_at_the_origin_unless_it_was_moved(kind: str, tmp_path: Path) -> None:
    made = make_reconstruction(rows=12, columns=16)
    built = [build_scene(made, name=name) for name in ("Ada", "Ada")]
    head = built[1].head
    place = head.location.copy()
    files = [
        export_head(one, tmp_path, name, [kind])[kind]
        for one, name in zip(built, ("first", "second"), strict=True)
    ]
    assert place.x > 0.1
    assert head.location == place, "it is back beside the first"
    head.location.y = 0.5
    files.append(export_head(built[1], tmp_path, "moved", [kind])[kind])
    first, second, moved = (vertices_of(path) for path in files)
    np.testing.assert_allclose(second, first, atol=1e-6)
    np.testing.assert_allclose(
        moved - first, np.tile([place.x, 0.5, 0], (len(first), 1)), atol=1e-6
    )


def vertices_of(path: Path) -> np.ndarray:
    """(V, 3) in the world, of the mesh that Blender's importer makes of ``path``."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    if path.suffix in (".glb", ".fbx"):
        getattr(bpy.ops.import_scene, {".glb": "gltf"}.get(path.suffix, "fbx"))(filepath=str(path))
    else:
        getattr(bpy.ops.wm, f"{path.suffix[1:4]}_import")(filepath=str(path))
    bpy.context.view_layer.update()
    (head,) = (thing for thing in bpy.data.objects if thing.type == "MESH")
    return np.array([tuple(head.matrix_world @ vertex.co) for vertex in head.data.vertices])


def test_what_has_a_parent_is_where_it_is() -> None:
    build_scene(make_reconstruction())
    head = build_scene(make_reconstruction()).head
    head.parent = bpy.data.objects.new("Empty", None)
    with at_origin(head):
        assert head.location.x > 0.1
    head.parent = None
    with at_origin(head):
        assert tuple(head.location) == (0, 0, 0)
        assert tuple(head.matrix_world.translation) == (0, 0, 0)


@pytest.mark.seconds
def test_a_commands_files_hold_each_head_at_the_origin(tmp_path: Path) -> None:
    """Beside one another in the .blend; of the other formats each has a file of its own."""
    heads = [make_reconstruction(rows=12, columns=16, face_index=number) for number in (1, 2)]
    command._write(heads, [(tmp_path / "two.glb", "glb"), (tmp_path / "two.blend", "blend")])
    for name in ("two", "two_face2"):
        (node,) = read_glb(tmp_path / f"{name}.glb")[0]["nodes"]
        assert "translation" not in node
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "two.blend"))
    second = max(x.location.x for x in bpy.data.objects if x.type == "MESH")
    assert second > 0.1
