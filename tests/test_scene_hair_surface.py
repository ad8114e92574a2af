"""What holds hair: as cheap as can be in the viewport, as the head itself in renderings."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.coordinates import to_blender
from reconstruct_face.scene.hair import copied_as_shown, hair_of
from reconstruct_face.scene.hair_surface import hold, out_of_step
from reconstruct_face.scene.update import update_head

from tests.test_scene_hair import put_at_rest, shown, with_hair

pytestmark = pytest.mark.usefixtures("_empty_file")


@pytest.fixture
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture
def head(_empty_file: None) -> bpy.types.Object:
    return build_scene(with_hair()[0]).head


def surface_of(head: bpy.types.Object) -> bpy.types.Object:
    (hair,) = hair_of(head)
    surface: bpy.types.Object | None = hair.data.surface
    assert surface is not None
    return surface


def test_the_viewport_does_not_divide_the_head_for_hair(head: bpy.types.Object) -> None:
    """That took nine tenths of the time of a shape key."""
    surface = surface_of(head)
    assert surface != head and surface.data == head.data
    evaluated = surface.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert 0 < len(evaluated.data.vertices) <= len(head.data.vertices)
    rendered = [m for m in surface.modifiers if m.show_render]
    assert [m.type for m in rendered] == ["SUBSURF"]
    assert rendered[0].render_levels == head.modifiers["Subdivision"].render_levels


def test_pictures_have_hair_as_the_head_itself_holds_it(head: bpy.types.Object) -> None:
    (hair,) = hair_of(head)
    copied = copied_as_shown(hair).data
    got = np.empty(3 * len(copied.points), np.float32)
    copied.attributes["position"].data.foreach_get("vector", got)
    head.add_rest_position_attribute = True
    hair.data.surface = head
    # Smooth skin is elsewhere than the mesh's, so this would fail without it.
    assert np.abs(shown(hair) - with_hair()[0].hair_points).max() > 0.05
    assert np.abs(got.reshape(-1, 3) - to_blender(shown(hair).reshape(-1, 3))).max() < 1e-6


def test_a_rig_and_a_user_s_modifiers_reach_the_hair(head: bpy.types.Object) -> None:
    (hair,) = hair_of(head)
    put_at_rest(head)
    rest = shown(hair)
    bones = bpy.data.objects.new("bones", bpy.data.armatures.new("bones"))
    bpy.context.scene.collection.objects.link(bones)
    assert out_of_step() == []
    head.modifiers.new("Armature", "ARMATURE").object = bones
    assert out_of_step() == [head]
    hold(head)
    assert out_of_step() == []
    assert [m.object for m in surface_of(head).modifiers if m.type == "ARMATURE"] == [bones]
    wave = head.modifiers.new("Cast", "CAST")
    wave.factor, wave.use_radius_as_size, wave.size = 1.0, False, 0.5
    assert out_of_step() == [head]
    hold(head)
    assert surface_of(head) == head and out_of_step() == []
    bpy.context.view_layer.update()
    assert np.abs(shown(hair) - rest).max() > 50  # mm: on a ball of half a metre
    head.modifiers.remove(wave)
    hold(head)
    bpy.context.view_layer.update()
    assert surface_of(head) != head and np.abs(shown(hair) - rest).max() < 0.01


def test_a_user_s_own_surface_is_left_alone(head: bpy.types.Object) -> None:
    (hair,) = hair_of(head)
    other = bpy.data.objects.new("other", head.data)
    hair.data.surface = other
    head.modifiers.new("Cast", "CAST")
    assert out_of_step() == []
    hold(head)
    assert hair.data.surface == other


def test_it_is_saved_and_opened_with_its_hair(head: bpy.types.Object, tmp_path: Path) -> None:
    (hair,) = hair_of(head)
    before, name = shown(hair), head.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    head = bpy.data.objects[name]
    (hair,) = hair_of(head)
    assert surface_of(head) != head and surface_of(head).data == head.data
    assert np.abs(shown(hair) - before).max() < 1e-3
    put_at_rest(head)
    assert (
        np.abs(shown(hair) - with_hair()[0].hair_points).max()
        < 0.01
        < np.abs(before - with_hair()[0].hair_points).max()
    )


def test_a_new_fit_leaves_one_surface(head: bpy.types.Object) -> None:
    count = len(bpy.data.objects)
    update_head(head, with_hair(25)[0], bpy.context.scene)
    assert len(bpy.data.objects) == count and len(bpy.data.hair_curves) == 1
    assert out_of_step() == []
