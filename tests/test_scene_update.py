"""A head in the scene takes over a new fit; what the user did to it stays."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.scene.build import build_scene, head_scene_of
from reconstruct_face.scene.camera import align_to_head, background_of, fit_to_scene
from reconstruct_face.scene.mesh import about
from reconstruct_face.scene.update import update_head

from tests.errors import raises
from tests.synthetic_reconstruction import encode_png, make_reconstruction, project


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def key_points(key: bpy.types.ShapeKey) -> np.ndarray:
    points = np.empty(3 * len(key.points), np.float32)
    key.points.foreach_get("co", points)
    return points.reshape(-1, 3)


def another(**options: object):
    """A second fit: a longer head, smiling less, from another photo."""
    made = make_reconstruction(image_size=(480, 640), angles=(20.0, 5.0, 0.0), **options)
    made.vertices_neutral[:, 1] *= 1.1
    made.expression[:] = np.linspace(0.0, 0.5, len(made.expression))
    made.sh_light[:] *= 0.5
    return made


def test_the_head_becomes_the_new_one() -> None:
    built = build_scene(make_reconstruction())
    new = another()
    update_head(built.head, new, bpy.context.scene)
    fresh = build_scene(new)
    ours, other = (head.data.shape_keys.key_blocks for head in (built.head, fresh.head))
    for mine, theirs in zip(ours, other, strict=True):
        assert mine.value == pytest.approx(theirs.value)
        assert np.allclose(key_points(mine), key_points(theirs), atol=1e-7)
    places = [x.head.matrix_world.inverted() @ x.camera.matrix_world for x in (built, fresh)]
    assert np.allclose(*places, atol=1e-6)
    energy = [
        sum(light.data.energy for light in head_scene_of(x.head).lights) for x in (built, fresh)
    ]
    assert energy[0] == pytest.approx(energy[1])
    assert about(built.head)["image_size"] == [480, 640]


def test_what_the_user_did_stays() -> None:
    built = build_scene(make_reconstruction())
    head = built.head
    head.name = "Aunt Ada"
    head.matrix_world = Matrix.Translation((2.0, 0.0, 1.0)) @ Matrix.Rotation(0.5, 4, "Z")
    place = head.matrix_world.copy()
    group = head.vertex_groups.new(name="Mine")
    group.add([5], 0.5, "REPLACE")
    modifier = head.modifiers.new("Mine", "DECIMATE")
    material = head.data.materials[0]
    material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.123
    own = head.shape_key_add(name="Wart", from_mix=False)
    own.points[7].co += Vector((0.0, 0.0, 0.01))
    head.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=10)

    update_head(head, another(), bpy.context.scene)

    assert head.name == "Aunt Ada"
    assert np.allclose(head.matrix_world, place)
    assert head.vertex_groups["Mine"].weight(5) == pytest.approx(0.5)
    assert modifier.name in head.modifiers
    assert head.data.materials[0] == material
    assert material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value == (
        pytest.approx(0.123)
    )
    blocks = head.data.shape_keys.key_blocks
    gap = key_points(blocks["Wart"]) - key_points(blocks[0])
    assert np.allclose(gap[7], (0.0, 0.0, 0.01), atol=1e-6)
    assert np.abs(np.delete(gap, 7, axis=0)).max() < 1e-6
    assert head.data.shape_keys.animation_data.action is not None
    assert {x.name.split(".")[0] for x in head_scene_of(head).lights}, "lit by the new light"


def test_the_texture_and_photo_are_the_new_ones_also_after_saving(tmp_path: Path) -> None:
    built = build_scene(make_reconstruction())
    new = another()
    new.texture = encode_png(np.full((32, 32, 3), 77, np.uint8))
    update_head(built.head, new, bpy.context.scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert len(bpy.data.images) == 2, "nothing old is left"
    head = next(thing for thing in bpy.data.objects if thing.type == "MESH")
    node = next(n for n in head.data.materials[0].node_tree.nodes if n.type == "TEX_IMAGE")
    assert node.image.packed_file.data == new.texture.tobytes()
    behind = background_of(head_scene_of(head).camera)
    assert behind.image.packed_file.data == new.photo.tobytes()


def test_another_models_head_is_refused_and_nothing_changes() -> None:
    built = build_scene(make_reconstruction())
    before = key_points(built.head.data.shape_keys.key_blocks[0])
    with raises(ModelError, "Ada Lovelace", len(before)):
        update_head(built.head, make_reconstruction(rows=12), bpy.context.scene)
    assert np.array_equal(key_points(built.head.data.shape_keys.key_blocks[0]), before)


@pytest.mark.parametrize("frame", [(1920, 1080), (1080, 1920), (640, 480), (500, 500)])
@pytest.mark.parametrize("size", [(640, 480), (480, 640)])
def test_in_any_frame_the_photo_stands_in_the_middle(
    frame: tuple[int, int], size: tuple[int, int]
) -> None:
    """The head, moved as well, is seen where the letterboxed photo has it: K [R | t] in float64."""
    made = make_reconstruction(image_size=size, principal=(size[0] / 2 + 20, size[1] / 2 - 9))
    built = build_scene(made)
    built.head.matrix_world = Matrix.Translation((1, 2, 3)) @ Matrix.Rotation(1.0, 4, "X")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = frame
    bpy.context.view_layer.update()
    align_to_head(built.camera, built.head)
    fit_to_scene(built.camera, scene)
    bpy.context.view_layer.update()
    points = made.vertices_posed[::97]
    scale = min(frame[0] / size[0], frame[1] / size[1])
    edge = [(frame[i] - scale * size[i]) / 2 for i in range(2)]
    expected = (project(made, points) + 0.5) * scale + edge
    seen = []
    for x, y, z in points.tolist():
        world = built.head.matrix_world @ Vector((x / 1000, -z / 1000, y / 1000))
        place = world_to_camera_view(scene, built.camera, world)
        seen.append((place.x * frame[0], (1 - place.y) * frame[1]))
    assert np.abs(np.array(seen) - expected).max() < 0.05


def test_its_lights_light_the_head_alone() -> None:
    """Cycles: a white ball beside the head stays as dark as the scene without our lights."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.render.film_transparent = False
    scene.world = None
    built = build_scene(make_reconstruction(), set_active=True)
    bpy.ops.mesh.primitive_plane_add(size=20, location=(0, 0.5, 0), rotation=(np.pi / 2, 0, 0))

    def brightness() -> float:
        scene.render.filepath = bpy.app.tempdir + "ball.png"
        bpy.ops.render.render(write_still=True)
        picture = bpy.data.images.load(scene.render.filepath, check_existing=False)
        pixels = np.empty(4 * 32 * 32, np.float32)
        picture.pixels.foreach_get(pixels)
        pixels = pixels.reshape(-1, 4)[:, :3]
        bpy.data.images.remove(picture)
        return float(pixels.mean())

    with_head = brightness()
    assert with_head > 0.01, "the head is lit"
    built.head.hide_render = True
    assert brightness() < 1e-3
