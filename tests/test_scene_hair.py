"""Hair in Blender: strands on the head that follow it, and go with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.errors import ExchangeError
from reconstruct_face.backend.exchange import (
    Reconstruction,
    load_reconstruction,
    save_reconstruction,
)
from reconstruct_face.backend.geometry.srgb import encode
from reconstruct_face.backend.geometry.triangles import vertex_normals
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.coordinates import from_blender
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.hair import (
    TAG,
    VIEWPORT_KIND,
    colours_of,
    copied_as_shown,
    curves_of,
    hair_of,
    kinds_of,
    viewport_share,
)
from reconstruct_face.scene.hair_cards import PIECES, hair_as_cards, strips
from reconstruct_face.scene.mesh import remove_head
from reconstruct_face.scene.rig import remove_left_behind
from reconstruct_face.scene.studio import studio
from reconstruct_face.scene.update import update_head

from tests.glb_files import read_glb
from tests.synthetic_reconstruction import make_reconstruction

STRANDS, POINTS = 60, 8


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def with_hair(strands: int = STRANDS) -> tuple[Reconstruction, np.ndarray, np.ndarray]:
    """A head with straight strands of 30 mm, the roots' triangles (S, 3) and weights (S, 3)."""
    made = make_reconstruction()
    rng = np.random.default_rng(2)
    skin = np.flatnonzero(made.polygon_material == 0)
    polygon = rng.choice(skin, strands)
    triangle, uv = made.polygons[polygon][:, :3], made.uv_polygons[polygon][:, :3]
    weights = rng.dirichlet([2, 2, 2], strands)[..., None]
    root = (made.vertices_neutral[triangle] * weights).sum(axis=1)
    normal = (vertex_normals(made.vertices_neutral, made.faces)[triangle] * weights).sum(axis=1)
    points = root[:, None] + normal[:, None] * np.linspace(0, 30, POINTS)[None, :, None]
    colour = rng.uniform(0.02, 0.3, (strands, 2, 3))
    reconstruction = dataclasses.replace(
        made,
        hair_points=points.astype(np.float32),
        hair_uv=(made.uv[uv] * weights).sum(axis=1).astype(np.float32),
        hair_colour=colour.astype(np.float32),
        hair_radius=np.full(strands, 0.08, np.float32),
    )
    return reconstruction.validate(), triangle, weights


def shown(hair: bpy.types.Object) -> np.ndarray:
    """(S, P, 3) mm of ``hair`` as Blender evaluates it."""
    curves = hair.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    out = np.empty(len(curves.points) * 3, np.float32)
    curves.attributes["position"].data.foreach_get("vector", out)
    return from_blender(out.reshape(len(curves.curves), -1, 3))


def without_subdivision(head: bpy.types.Object) -> None:
    for modifier in head.modifiers:
        modifier.show_viewport = False


def test_hair_is_curves_on_the_head_and_lit_with_it() -> None:
    made, _, _ = with_hair()
    built = build_scene(made)
    (hair,) = hair_of(built.head)
    assert hair.type == "CURVES" and hair.parent == built.head
    assert list(hair.users_collection) == [built.collection]
    assert all(x.light_linking.receiver_collection == built.collection for x in built.lights)
    assert len(hair.data.curves) == STRANDS and len(hair.data.points) == STRANDS * POINTS
    assert hair.data.surface.data == built.head.data and hair.data.surface_uv_map == "UVMap"
    assert hair.data.surface.parent == built.head and not hair.data.surface.users_collection
    radius = np.empty(STRANDS * POINTS, np.float32)
    hair.data.attributes["radius"].data.foreach_get("value", radius)
    radius = radius.reshape(STRANDS, POINTS)
    assert radius[:, 0] == pytest.approx(0.08e-3) and radius[:, -1] == pytest.approx(0.02e-3)
    shader = next(n for n in hair.data.materials[0].node_tree.nodes if "Hair" in n.bl_idname
                  and n.type.startswith("BSDF"))  # fmt: skip
    assert shader.model == "CHIANG"
    along = np.linspace(0, 1, POINTS)[None, :, None]
    wanted = made.hair_colour[:, :1] * (1 - along) + made.hair_colour[:, 1:] * along
    kept = encode(colours_of(hair.data)) - encode(wanted)
    assert np.abs(kept).max() < 0.51 / 255  # of bytes
    (asked,) = (n for n in hair.data.materials[0].node_tree.nodes if n.type == "ATTRIBUTE")
    assert asked.attribute_name in hair.data.attributes


def test_files_with_a_colour_for_root_and_tip_are_still_read() -> None:
    (hair,) = hair_of(build_scene(with_hair()[0]).head)
    curves = hair.data
    curves.attributes.remove(curves.attributes["colour"])
    for name, value in (("root_colour", 0.2), ("tip_colour", 0.6)):
        made = curves.attributes.new(name, "FLOAT_COLOR", "CURVE")
        made.data.foreach_set("color", np.full(STRANDS * 4, value, np.float32))
    found = colours_of(curves)
    assert found.shape == (STRANDS, POINTS, 3)
    assert np.allclose(found, np.linspace(0.2, 0.6, POINTS)[None, :, None], atol=1e-6)
    copy = copied_as_shown(hair)
    assert {"root_colour", "tip_colour"} <= set(copy.data.attributes.keys())


def test_only_the_ends_of_long_strands_are_thin() -> None:
    straight = np.linspace(0, 1, 31)[None, :, None] * np.array([[0.3], [0.02]])[..., None]
    points = np.concatenate([straight, 0 * straight, 0 * straight], axis=2)  # 300 and 20 mm
    curves = curves_of(points, np.array([0.1, 0.1]), "ends")
    radius = np.empty(62, np.float32)
    curves.attributes["radius"].data.foreach_get("value", radius)
    long, short = radius.reshape(2, 31) / 0.1e-3
    assert long[27] == pytest.approx(1) and long[30] == pytest.approx(0.25, abs=1e-4)
    assert short[0] == pytest.approx(1) and short[24] == pytest.approx(0.625, abs=1e-3)


def test_a_viewport_in_solid_shows_the_hair_s_colour() -> None:
    reconstruction, _, _ = with_hair()
    (hair,) = hair_of(build_scene(reconstruction).head)
    shown = np.array(hair.data.materials[0].diffuse_color)
    strand = np.median(reconstruction.hair_colour, (0, 1))
    # Light goes through many strands: brighter, less saturated, the same hue.
    assert np.all(shown[:3] > strand)
    assert shown[:3].max() / shown[:3].min() < strand.max() / strand.min()
    assert np.array_equal(np.argsort(shown[:3]), np.argsort(strand))
    assert shown[3] == 1


def test_heads_without_hair_have_none() -> None:
    built = build_scene(make_reconstruction())
    assert hair_of(built.head) == [] and not bpy.data.hair_curves


def put_at_rest(head: bpy.types.Object) -> None:
    for key in head.data.shape_keys.key_blocks[1:]:
        key.value = 0.0
    bpy.context.view_layer.update()


def test_roots_follow_shape_keys_to_a_hundredth_of_a_millimetre() -> None:
    made, triangle, weights = with_hair()
    head = build_scene(made).head
    without_subdivision(head)
    (hair,) = hair_of(head)
    wanted = (made.vertices_posed[triangle] * weights).sum(axis=1)
    rest = (made.vertices_neutral[triangle] * weights).sum(axis=1)
    assert np.abs(wanted - rest).max() > 0.5  # the expression does move some
    assert np.abs(shown(hair)[:, 0] - wanted).max() < 0.01
    put_at_rest(head)
    assert np.abs(shown(hair) - made.hair_points).max() < 0.01


def test_hair_moves_with_the_head_and_its_data_stays() -> None:
    made, _, _ = with_hair()
    head = build_scene(made).head
    (hair,) = hair_of(head)
    without_subdivision(head)
    head.location, head.rotation_euler = (1.0, 2.0, 3.0), (0.3, 0.2, 0.1)
    bpy.context.view_layer.update()
    assert np.allclose(hair.matrix_world, head.matrix_world)
    put_at_rest(head)
    assert np.abs(shown(hair) - made.hair_points).max() < 0.01


def with_brows(strands: int = STRANDS) -> Reconstruction:
    """As :func:`with_hair`, every third strand a brow's."""
    kind = (np.arange(strands) % 3 == 0).astype(np.uint8)
    return dataclasses.replace(with_hair(strands)[0], hair_kind=kind).validate()


def test_brows_are_told_from_hair_and_stay_whole() -> None:
    made = with_brows()
    (hair,) = hair_of(build_scene(made).head)
    assert np.array_equal(kinds_of(hair.data), made.hair_kind)
    colour = np.median(made.hair_colour[made.hair_kind == 0], axis=(0, 1))
    shade = np.array(hair.data.materials[0].diffuse_color[:3])
    np.testing.assert_allclose(np.log(shade) / np.log(colour), 0.6, atol=1e-3)
    copy = copied_as_shown(hair, 0.5)
    assert len(copy.data.curves) == 20 + 20  # of 40 and 20
    radius = np.empty(40 * POINTS, np.float32)
    copy.data.attributes["radius"].data.foreach_get("value", radius)
    found = np.sort(radius.reshape(40, POINTS)[:, 0])
    assert found[:20] == pytest.approx(0.08e-3) and found[20:] == pytest.approx(0.08e-3 * 2**0.5)


def test_the_viewport_shows_painted_brows_unless_it_is_told_otherwise() -> None:
    made = with_brows()
    (hair,) = hair_of(build_scene(made).head)

    def shown() -> np.ndarray:
        bpy.context.view_layer.update()
        return kinds_of(hair.evaluated_get(bpy.context.evaluated_depsgraph_get()).data)

    assert np.array_equal(np.unique(shown()), [0]) and len(shown()) == 40
    (group,) = [m.node_group for m in hair.modifiers if m.type == "NODES"]
    group.nodes[VIEWPORT_KIND].outputs[0].default_value = 2
    assert np.array_equal(shown(), made.hair_kind)


def test_brows_are_no_cards(tmp_path: Path) -> None:
    made = with_brows()
    built = build_scene(made)
    with hair_as_cards(built.head, built.collection) as cards:
        assert len(cards.data.polygons) == 40 * PIECES
    remove_head(built.head)
    only = dataclasses.replace(made, hair_kind=np.ones(STRANDS, np.uint8))
    built = build_scene(only)
    with hair_as_cards(built.head, built.collection) as cards:
        assert cards is None


def test_brows_alone_replace_no_hair() -> None:
    only = dataclasses.replace(with_hair(25)[0], hair_kind=np.ones(25, np.uint8))
    asked = dataclasses.replace(only, provenance={"options": {"hair": "photo"}})
    head = build_scene(with_brows()).head
    assert any("is kept" in note for note in update_head(head, asked, bpy.context.scene))
    assert len(hair_of(head)[0].data.curves) == STRANDS
    head = build_scene(only).head
    update_head(head, asked, bpy.context.scene)
    assert len(hair_of(head)[0].data.curves) == 25


def test_a_new_fit_replaces_hair_only_by_hair() -> None:
    made, _, _ = with_hair()
    head = build_scene(made).head
    bald = dataclasses.replace(
        made, **{n: getattr(make_reconstruction(), n) for n in
                 ("hair_points", "hair_uv", "hair_colour", "hair_radius")}
    )  # fmt: skip
    assert not any("hair" in note for note in update_head(head, bald, bpy.context.scene))
    asked = dataclasses.replace(bald, provenance={"options": {"hair": "photo"}})
    assert any("is kept" in note for note in update_head(head, asked, bpy.context.scene))
    (kept,) = hair_of(head)
    assert len(kept.data.curves) == STRANDS
    larger = dataclasses.replace(bald, vertices_neutral=bald.vertices_neutral * np.float32(1.05))
    update_head(head, larger, bpy.context.scene)
    for key in head.data.shape_keys.key_blocks[1:]:
        key.value = 0.0
    without_subdivision(head)
    bpy.context.view_layer.update()
    # As the nearest point of the mesh, which is a few mm beside the root.
    assert np.abs(shown(kept)[:, 0] - 1.05 * made.hair_points[:, 0]).max() < 0.5
    for modifier in head.modifiers:
        modifier.show_viewport = True
    update_head(head, with_hair(25)[0], bpy.context.scene)
    (new,) = hair_of(head)
    assert len(new.data.curves) == 25 and new.users_collection
    assert len(bpy.data.hair_curves) == len(bpy.data.node_groups) == 1


def test_the_viewport_shows_a_share_and_a_new_fit_keeps_it() -> None:
    reconstruction, _, _ = with_hair()
    head = build_scene(reconstruction).head
    (hair,) = hair_of(head)

    def shown() -> int:
        return len(hair.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.curves)

    assert shown() == STRANDS
    viewport_share(hair).outputs[0].default_value = 0.25
    assert shown() == STRANDS // 4 and len(hair.data.curves) == STRANDS
    update_head(head, reconstruction, bpy.context.scene)
    (hair,) = hair_of(head)
    assert shown() == STRANDS // 4


def test_hair_goes_with_its_head() -> None:
    head = build_scene(with_hair()[0]).head
    remove_head(head)
    assert not bpy.data.hair_curves and not bpy.data.meshes
    assert not [thing for thing in bpy.data.objects if TAG in thing]
    head = build_scene(with_hair()[0]).head
    bpy.data.objects.remove(head)  # as a user does
    remove_left_behind()
    assert not bpy.data.hair_curves and not bpy.data.objects


def test_the_preview_shows_hair_and_leaves_nothing() -> None:
    head = build_scene(with_hair()[0]).head
    before = len(bpy.data.hair_curves), len(bpy.data.objects)
    with studio(head):
        scene = bpy.data.scenes["preview"]
        assert [x.type for x in scene.collection.objects].count("CURVES") == 1
    assert (len(bpy.data.hair_curves), len(bpy.data.objects)) == before


def test_files_hold_hair_and_older_ones_open_without(tmp_path: Path) -> None:
    made = with_brows()
    back = load_reconstruction(save_reconstruction(made, tmp_path / "a.npz"))
    for name in ("hair_points", "hair_uv", "hair_colour", "hair_radius", "hair_kind"):
        assert np.array_equal(getattr(back, name), getattr(made, name))
    with np.load(save_reconstruction(made, tmp_path / "b.npz")) as held:
        older = {name: held[name] for name in held.files if not name.startswith("hair_")}
    np.savez(tmp_path / "c.npz", **older)
    assert len(load_reconstruction(tmp_path / "c.npz").hair_points) == 0


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("hair_points", np.zeros((60, 1, 3), np.float32), "points"),
        ("hair_points", np.full((60, 8, 3), 1e5, np.float32), "from the head"),
        ("hair_points", np.full((60, 8, 3), np.nan, np.float32), "hair_points"),
        ("hair_uv", np.zeros((59, 2), np.float32), "hair"),
        ("hair_radius", np.full(60, -1, np.float32), "below 0"),
        ("hair_kind", np.zeros(59, np.uint8), "hair_kind"),
        ("hair_kind", np.full(60, 9, np.uint8), "kind 9"),
    ],
)
def test_hair_that_cannot_be_is_refused(field: str, value: np.ndarray, says: str) -> None:
    with pytest.raises(ExchangeError, match=says):
        dataclasses.replace(with_hair()[0], **{field: value}).validate()


def test_exports_have_cards_and_the_scene_keeps_none(tmp_path: Path) -> None:
    built = build_scene(with_hair(3000)[0], name="Ada")
    before = sorted(bpy.data.objects.keys()), sorted(bpy.data.images.keys())
    files = export_head(built, tmp_path, "ada", ("glb", "obj"))
    assert (sorted(bpy.data.objects.keys()), sorted(bpy.data.images.keys())) == before
    document, _ = read_glb(files["glb"])
    (cards,) = [mesh for mesh in document["meshes"] if "hair" in mesh["name"]]
    (part,) = cards["primitives"]
    assert document["accessors"][part["indices"]]["count"] == 3 * 15_000
    material = document["materials"][part["material"]]
    assert material["alphaMode"] == "MASK" and material["doubleSided"]
    assert "targets" not in part
    assert (tmp_path / "ada_hair_cards.png").read_bytes().startswith(b"\x89PNG")
    assert "ada_hair_cards.png" in (tmp_path / "ada.mtl").read_text()


def test_cards_lie_along_their_strands() -> None:
    path = np.array([[[0, 0, 1.0], [0.1, 0, 1.0], [0.2, 0, 1.0]]]) + [[[0, 0, 0]], [[0, 0, -2]]]
    vertices, quads = strips(path, 0.04)
    assert vertices.shape == (12, 3) and quads.shape == (4, 4) and quads.max() == 11
    pairs = vertices.reshape(2, 3, 2, 3)
    assert np.allclose(pairs.mean(axis=2), path)
    # Flat on the ball round the beginnings: across is level and square to the way outward.
    assert np.allclose(pairs[..., 2], path[..., None, 2])
    assert np.linalg.norm(pairs[:, :, 1] - pairs[:, :, 0], axis=2).max() <= 0.04 + 1e-9


def test_previews_follow_light_through_hair() -> None:
    """Hair has its colour from light that went through many strands; skin needs two bounces."""
    for reconstruction, bounces in ((make_reconstruction(), 2), (with_hair()[0], 8)):
        head = build_scene(reconstruction).head
        with studio(head):
            assert bpy.data.scenes["preview"].cycles.max_bounces == bounces
        remove_head(head)
