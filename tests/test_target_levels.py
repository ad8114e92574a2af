"""Heads with fewer triangles: as close to the whole one as their number lets them be, moving too.

Distances are to the whole head's surface in the same expression, by Blender's own search for the
nearest point, which the simplification does not use.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest
from mathutils.bvhtree import BVHTree
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.scene.build import build_scene, prepare_file
from reconstruct_face.scene.targets.levels import SHARES, simplified

from tests.default_head import head_of

pytestmark = pytest.mark.seconds
POSES: dict[str, tuple[str, ...]] = {
    "rest": (),
    "jaw": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}


@pytest.fixture(scope="module")
def person() -> Reconstruction:
    return head_of(5)


@pytest.fixture(scope="module")
def heads(person: Reconstruction) -> list[bpy.types.Object]:
    """The whole head, which has a vertex group, and its two lower levels."""
    prepare_file(person)
    whole = build_scene(person, name="Ada", set_active=True).head
    group = whole.vertex_groups.new(name="left")
    places = person.vertices_neutral[:, 0]
    group.add(np.flatnonzero(places > 0).tolist(), 1.0, "REPLACE")
    return [whole, *(simplified(whole, share, f"LOD{n}") for n, share in enumerate(SHARES) if n)]


def posed(head: bpy.types.Object, keys: tuple[str, ...]) -> np.ndarray:
    """(V, 3) mm."""
    blocks: Any = head.data.shape_keys.key_blocks

    def points(name: str) -> np.ndarray:
        found = np.empty(3 * len(head.data.vertices), np.float32)
        blocks[name].points.foreach_get("co", found)
        return found.reshape(-1, 3).astype(float) * 1000

    rest = points("Basis")
    return rest + sum((points(key) - rest for key in keys), np.zeros_like(rest))


def triangles(head: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) vertices and (T,) material."""
    mesh: Any = head.data
    mesh.calc_loop_triangles()
    found = np.empty(3 * len(mesh.loop_triangles), np.int32)
    slots = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", found)
    mesh.loop_triangles.foreach_get("material_index", slots)
    return found.reshape(-1, 3), slots


def test_levels_have_their_share_and_all_that_the_head_has(heads: list[bpy.types.Object]) -> None:
    whole = heads[0]
    count = len(triangles(whole)[0])
    for head, share in zip(heads[1:], SHARES[1:], strict=True):
        faces, slots = triangles(head)
        assert len(faces) == pytest.approx(share * count, rel=0.01)
        assert set(np.unique(slots)) == set(range(len(whole.data.materials)))
        assert list(head.data.materials) == list(whole.data.materials)
        ours, theirs = (list(x.data.shape_keys.key_blocks) for x in (head, whole))
        assert [(k.name, k.slider_min, k.slider_max, k.value) for k in ours] == [
            (k.name, k.slider_min, k.slider_max, k.value) for k in theirs
        ]
        assert [layer.name for layer in head.data.uv_layers] == ["UVMap"]
        assert [group.name for group in head.vertex_groups] == ["left"]
        assert not [x.name for x in head.data.attributes if "carried" in x.name]
        # A vertex at the left has the group, one at the right has not.
        (index,) = [group.index for group in head.vertex_groups]
        for vertex in head.data.vertices:
            weight = sum(element.weight for element in vertex.groups if element.group == index)
            if abs(vertex.co.x) > 0.02:  # further than an edge of the coarsest level is long
                assert weight == pytest.approx(float(vertex.co.x > 0), abs=0.01)


@pytest.mark.parametrize(("level", "middle", "most"), [(1, 0.2, 1.5), (2, 0.5, 4.5)])
def test_skin_stays_on_the_whole_ones(
    heads: list[bpy.types.Object], level: int, middle: float, most: float
) -> None:
    """mm; the head is 250 mm high and its triangles are 4 mm wide at 12 percent."""
    whole, head = heads[0], heads[level]
    (faces, slots), (few, few_slots) = triangles(whole), triangles(head)
    for keys in POSES.values():
        there = np.unique(faces[slots == 0])
        tree = BVHTree.FromPolygons(posed(head, keys).tolist(), few[few_slots == 0].tolist())
        off = [tree.find_nearest(point)[3] for point in posed(whole, keys)[there].tolist()]
        assert np.median(off) < middle
        assert max(off) < most


def skin_ends(head: bpy.types.Object) -> int:
    """How many loops of edges skin and mouth together end at."""
    faces, slots = triangles(head)
    edges = np.sort(np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), axis=1)
    inside = np.isin(np.tile(slots, 3), (0, head.data.materials.find("Ada mouth")))
    found, count = np.unique(edges[inside], axis=0, return_counts=True)
    parts: list[set[int]] = []
    for edge in found[count == 1].tolist():
        touched = [part for part in parts if part & set(edge)]
        parts = [part for part in parts if part not in touched]
        parts.append(set(edge).union(*touched))
    return len(parts)


def seen(head: bpy.types.Object, kinds: tuple[str, ...], keys: tuple[str, ...]) -> float:
    """mm2 of the materials ``kinds`` that are seen from the front, by a ray every millimetre."""
    faces, slots = triangles(head)
    # One looks through these: rays go on.
    clear = [head.data.materials.find(f"Ada {kind}") for kind in ("cornea", "tear", "lashes")]
    solid = ~np.isin(slots, clear)
    faces, slots = faces[solid], slots[solid]
    places = posed(head, keys)
    wanted = {head.data.materials.find(f"Ada {kind}") for kind in kinds}
    tree = BVHTree.FromPolygons(places.tolist(), faces.tolist())
    count = 0
    for x in np.arange(-60, 60):
        for z in np.arange(-90, 60):
            _, _, face, _ = tree.ray_cast((x + 0.37, -500, z + 0.41), (0, 1, 0))
            count += face is not None and int(slots[face]) in wanted
    return float(count)


def test_nothing_tears(heads: list[bpy.types.Object]) -> None:
    """Skin and mouth are one sheet still; closed lids and lips cover what open ones show."""
    whole = heads[0]
    eyes, mouth = ("eye", "iris"), ("mouth", "teeth", "tongue")
    both = ("eyeBlinkLeft", "eyeBlinkRight")
    open_eyes, open_mouth = seen(whole, eyes, ()), seen(whole, mouth, ("jawOpen",))
    at_rest = seen(whole, mouth, ())
    assert open_eyes > 200 and open_mouth > 300
    for head in heads:
        assert skin_ends(head) == skin_ends(whole)
        assert seen(head, eyes, ()) == pytest.approx(open_eyes, rel=0.2)
        assert seen(head, eyes, both) < 0.03 * open_eyes
        assert seen(head, mouth, ("jawOpen",)) == pytest.approx(open_mouth, rel=0.15)
        assert seen(head, mouth, ()) < at_rest + 0.03 * open_mouth
