"""Eyes, teeth, tongue and lashes as objects of their own."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.scene.armature.build import add_armature, remove_armature
from reconstruct_face.scene.build import HeadScene
from reconstruct_face.scene.current import current_head
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.expression import reset, set_value
from reconstruct_face.scene.parts import add_parts, parts_of, remove_parts, whole
from reconstruct_face.scene.studio import studio
from reconstruct_face.scene.update import update_head
from reconstruct_face.scene.vertex_groups import read_group
from scipy.spatial import cKDTree

from tests.errors import raises
from tests.glb_files import read_glb
from tests.rig_tools import built_head, rest_head, shown


@pytest.fixture
def built() -> HeadScene:
    return built_head()


def without_subdivision(things: list[bpy.types.Object]) -> None:
    for thing in things:
        for modifier in thing.modifiers:
            if modifier.type == "SUBSURF":
                modifier.show_viewport = False


def together(head: bpy.types.Object) -> np.ndarray:
    """The points of head and parts, one after the other."""
    return np.concatenate([shown(thing) for thing in (head, *parts_of(head))])


def same_points(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether both are the same points, in whatever order, to 0.001 mm."""
    gaps = [cKDTree(a).query(b)[0].max() for a, b in ((one, other), (other, one))]
    return len(one) == len(other) and max(gaps) < 0.001


def test_head_and_parts_are_the_head_whatever_it_does(built: HeadScene) -> None:
    head = built.head
    one = together(head)
    parts = add_parts(head)
    without_subdivision(parts)
    assert {part.name.rpartition(" ")[2] for part in parts} == {"eyes", "teeth", "tongue", "lashes"}
    assert same_points(together(head), one)
    armature = add_armature(head)
    set_value(head, "jawOpen", 0.7)
    armature.pose.bones["neck"].rotation_euler.x = 0.3
    armature.update_tag()
    moved = together(head)
    with whole(head):
        assert same_points(shown(head), moved)
    remove_armature(head)
    assert all(m.type != "ARMATURE" for part in parts for m in part.modifiers)
    reset(head)
    assert remove_parts(head) == 4 and not parts_of(head)
    assert same_points(together(head), one)


def test_a_new_fit_reaches_them(built: HeadScene) -> None:
    head, other = built.head, rest_head(4)
    parts = add_parts(head)
    without_subdivision(parts)
    update_head(head, other, bpy.context.scene)
    found = together(head)
    assert same_points(found, together(built_head(4).head))


def test_files_and_pictures_have_the_whole_head(built: HeadScene, tmp_path: Path) -> None:
    head = built.head
    plain = export_head(built, tmp_path, "one", ["glb", "obj"])
    with studio(head) as stage:
        count = len(stage._mesh.vertices)
    add_parts(head)
    parted = export_head(built, tmp_path, "parted", ["glb", "obj"])
    with studio(head) as stage:
        assert len(stage._mesh.vertices) == count
    before, after = (read_glb(files["glb"])[0] for files in (plain, parted))
    assert [a["count"] for a in before["accessors"]] == [a["count"] for a in after["accessors"]]
    lines = [files["obj"].read_text().count("\nv ") for files in (plain, parted)]
    assert lines[0] == lines[1] == len(head.data.vertices)


def test_a_selected_part_is_about_its_head(built: HeadScene) -> None:
    head = built.head
    part = add_parts(head)[0]
    bpy.context.view_layer.objects.active = part
    assert current_head(bpy.context) == head
    with raises(ModelError, head.name):
        add_parts(head)


def test_regions_are_vertex_groups(built: HeadScene) -> None:
    head = built.head
    names = set(head.vertex_groups.keys())
    assert {"lips", "nose", "scalp", "neck", "brows.L", "brows.R", "ears.L", "lids.R"} <= names
    points = np.array([tuple(v.co) for v in head.data.vertices])
    assert points[read_group(head, "ears.L") > 0.5][:, 0].min() > 0
    lips, nose = (points[read_group(head, name) > 0.5].mean(axis=0) for name in ("lips", "nose"))
    assert lips[2] < nose[2] < points[read_group(head, "brows.L") > 0.5].mean(axis=0)[2]
