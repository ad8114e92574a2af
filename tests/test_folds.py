"""The photo's folds: which shape keys give them back, and that Blender does so."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
import pytest
from reconstruct_face.backend.errors import ExchangeError
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.npz import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.wrinkles import FOLD_HUE, FOLD_STEP, NO_FOLD
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.photo.encode import encode_png
from reconstruct_face.backend.texture import fold_parts, fold_picture
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.update import update_head

from tests.glb_files import read_glb
from tests.synthetic_reconstruction import make_reconstruction

#: Log brightness of the folds on the right and on the left half.
RIGHT, LEFT = -0.5, 0.25


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def weights_of(model: FaceModel, **values: float) -> np.ndarray:
    weights = np.zeros(len(model.expression_names), np.float32)
    for name, value in values.items():
        weights[model.expression_names.index(name)] = value
    return weights


def around_mouth(model: FaceModel) -> np.ndarray:
    """(T, T) a fold at each corner of the mouth and up the cheek, as deep on both sides."""
    gap = np.min(
        [np.linalg.norm(model.mean - model.mean[model.landmarks68[k]], axis=1) for k in (48, 54)],
        axis=0,
    )
    texels = np.zeros_like(model.uv_mask("lips"))
    near = gap < 22
    first = np.zeros((len(model.mean), 2))
    first[model.polygons.ravel()] = model.uv[model.uv_polygons.ravel()]
    side = len(texels)
    columns, rows = np.rint(first[near].T * (side - 1)).astype(int)
    texels[side - 1 - rows, columns] = RIGHT
    return cv2.GaussianBlur(texels, (0, 0), 2).astype(np.float32)


def test_what_presses_the_skin_there_gives_the_folds_back(model: FaceModel) -> None:
    weights = weights_of(
        model, mouthSmileRight=0.5, mouthSmileLeft=0.8, browInnerUp=0.9, eyeBlinkLeft=1.0
    )
    folds = around_mouth(model)
    parts = fold_parts(model, 512, folds, model.mean, model.expression_basis, weights)
    np.testing.assert_allclose(parts @ weights, 1, rtol=1e-5)
    names = np.array(model.expression_names)
    assert set(names[parts.any(axis=0)]) <= {"mouthSmileRight", "mouthSmileLeft"}
    for half, own in zip(parts * weights, ("mouthSmileRight", "mouthSmileLeft"), strict=True):
        assert half[names == own] > 0.7


def test_one_shape_alone_gives_all_back(model: FaceModel) -> None:
    weights = weights_of(model, mouthSmileRight=0.4, browInnerUp=0.9)
    shapes = (model.mean, model.expression_basis, weights)
    right, left = fold_parts(model, 512, around_mouth(model), *shapes)
    smile = model.expression_names.index("mouthSmileRight")
    assert right[smile] == left[smile] == pytest.approx(1 / 0.4)  # by hand


def test_a_face_at_rest_gives_nothing_back(model: FaceModel) -> None:
    folds = around_mouth(model)
    still = weights_of(model, mouthSmileRight=0.01)
    assert not fold_parts(model, 512, folds, model.mean, model.expression_basis, still).any()
    smiling = weights_of(model, mouthSmileRight=0.5)
    none = np.zeros_like(folds)
    assert not fold_parts(model, 512, none, model.mean, model.expression_basis, smiling).any()


def test_the_picture_holds_each_half_once(model: FaceModel) -> None:
    folds = around_mouth(model)
    picture = fold_picture(model, 512, folds)
    told = (picture.astype(float) - NO_FOLD) * FOLD_STEP
    assert (picture[..., 2] == NO_FOLD).all()
    skin = np.abs(told).max(axis=2) > 0
    np.testing.assert_allclose(told[skin].sum(axis=1), folds[skin], atol=1.01 * FOLD_STEP)
    # A head's right is at x < 0, on the left side of the texture as of the picture of a face.
    assert told[:, :240, 1].min() == 0
    assert told[:, 272:, 0].min() == 0
    assert told[..., 0].min() < -0.2
    assert told[..., 1].min() < -0.2


def with_folds(**parts: tuple[float, float]) -> Reconstruction:
    """A head with even folds and what the named keys at 1 give back of the right and left."""
    made = make_reconstruction(rows=20, columns=30)
    picture = np.full((64, 64, 3), NO_FOLD, np.uint8)
    picture[..., 0], picture[..., 1] = (NO_FOLD + round(v / FOLD_STEP) for v in (RIGHT, LEFT))
    table = np.zeros((2, len(made.expression_names)), np.float32)
    for name, values in parts.items():
        table[:, made.expression_names.index(name)] = values
    return replace(made, folds=encode_png(picture), fold_parts=table)


def build(made: Reconstruction) -> HeadScene:
    prepare_file(made)
    return build_scene(made, set_active=True)


def shown(head: bpy.types.Object, **values: float) -> list[float]:
    """What Blender's drivers say of the two halves, with these keys and all others at 0."""
    for key in head.data.shape_keys.key_blocks[1:]:
        key.value = values.get(key.name, 0.0)
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    nodes = head.evaluated_get(graph).data.materials[0].evaluated_get(graph).node_tree.nodes
    return [nodes[f"Folds {half}"].outputs[0].default_value for half in ("right", "left")]


def base(head: bpy.types.Object) -> Any:
    shader = head.data.materials[0].node_tree.nodes["Principled BSDF"]
    return shader.inputs["Base Color"].links[0].from_node


def test_drivers_follow_the_keys_within_what_the_photo_showed() -> None:
    made = with_folds(mouthSmileRight=(2.0, 0.1), jawOpen=(0.5, 0.25))
    head = build(made).head
    assert shown(head) == [0, 0]
    assert shown(head, mouthSmileRight=0.3) == pytest.approx([0.6, 0.03])
    assert shown(head, mouthSmileRight=0.1, jawOpen=0.4) == pytest.approx([0.4, 0.11])
    assert shown(head, mouthSmileRight=0.9) == pytest.approx([1, 0.09])
    assert shown(head, browInnerUp=1.0) == [0, 0]


@pytest.mark.seconds
def test_cycles_multiplies_them_into_the_colour() -> None:
    """By hand: base colour x exp(hue x sum of the halves' folds, each as far as it is there)."""
    made = with_folds(mouthSmileRight=(1.0, 0.0), mouthSmileLeft=(0.0, 1.0))
    made.expression_basis[:] = 0  # nothing moves, so that pictures can be compared
    made = replace(made, texture=encode_png(np.full((64, 64, 3), 150, np.uint8)))

    def middle(**values: float) -> np.ndarray:
        head = build(made).head
        shown(head, **values)
        tree = head.data.materials[0].node_tree
        output = next(n for n in tree.nodes if n.type == "OUTPUT_MATERIAL")
        emission = tree.nodes.new("ShaderNodeEmission")
        tree.links.new(base(head).outputs[0], emission.inputs["Color"])
        tree.links.new(emission.outputs[0], output.inputs["Surface"])
        scene = bpy.context.scene
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        camera.location, camera.rotation_euler = (0, -1, 0), (np.pi / 2, 0, 0)
        scene.collection.objects.link(camera)
        scene.camera = camera
        scene.render.resolution_x = scene.render.resolution_y = 32
        scene.cycles.samples, scene.cycles.use_denoising = 1, False
        scene.render.image_settings.file_format = "OPEN_EXR"
        path = Path(bpy.app.tempdir) / "folds.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path))
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(32 * 32 * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return pixels.reshape(32, 32, 4)[14:18, 14:18, :3].mean(axis=(0, 1))

    plain = middle()
    for values, log in (
        ({"mouthSmileRight": 1.0}, RIGHT),
        ({"mouthSmileLeft": 0.4}, 0.4 * LEFT),
        ({"mouthSmileRight": 0.5, "mouthSmileLeft": 1.0}, 0.5 * RIGHT + LEFT),
    ):
        expected = log * np.array(FOLD_HUE)
        assert np.log(middle(**values) / plain) == pytest.approx(expected, abs=0.005)


def test_a_new_fit_brings_its_own_parts() -> None:
    built = build(with_folds(mouthSmileRight=(2.0, 0.0)))
    update_head(built.head, with_folds(jawOpen=(0.0, 0.5)), bpy.context.scene)
    assert shown(built.head, mouthSmileRight=1.0) == [0, 0]
    assert shown(built.head, jawOpen=1.0) == pytest.approx([0, 0.5])
    update_head(built.head, make_reconstruction(rows=20, columns=30), bpy.context.scene)
    assert shown(built.head, jawOpen=1.0) == [0, 0]


def test_a_head_without_folds_gets_those_of_a_new_fit() -> None:
    built = build(make_reconstruction(rows=20, columns=30))
    assert base(built.head).type == "TEX_IMAGE"
    update_head(built.head, with_folds(jawOpen=(0.0, 0.5)), bpy.context.scene)
    assert base(built.head).name == "Folded colour"
    assert shown(built.head, jawOpen=1.0) == pytest.approx([0, 0.5])


def test_a_material_of_the_users_own_is_left_alone() -> None:
    built = build(make_reconstruction(rows=20, columns=30))
    nodes = built.head.data.materials[0].node_tree.nodes
    nodes.remove(nodes["Principled BSDF"])
    before = len(nodes)
    update_head(built.head, with_folds(jawOpen=(0.0, 0.5)), bpy.context.scene)
    assert len(nodes) == before


def test_exports_have_the_neutral_colours(tmp_path: Path) -> None:
    built = build(with_folds(mouthSmileRight=(2.0, 0.0)))
    document, _ = read_glb(export_head(built, tmp_path, "head", ["glb"])["glb"])
    assert len(document["images"]) == 1
    skin = next(m for m in document["materials"] if "skin" in m["name"])
    assert "baseColorTexture" in skin["pbrMetallicRoughness"]
    assert base(built.head).name == "Folded colour"  # the scene is as it was
    export_head(built, tmp_path, "head", ["obj"])
    assert not [path for path in tmp_path.iterdir() if "fold" in path.name]


def test_files_keep_them_and_those_of_before_have_none(tmp_path: Path) -> None:
    made = with_folds(mouthSmileRight=(2.0, 0.1))
    path = save_reconstruction(made, tmp_path / "new.npz")
    again = load_reconstruction(path)
    np.testing.assert_array_equal(again.fold_parts, made.fold_parts)
    np.testing.assert_array_equal(again.folds, made.folds)
    with np.load(path) as archive:
        kept = {n: archive[n] for n in archive.files if n not in ("folds", "fold_parts")}
    packed = io.BytesIO()
    np.savez(packed, **kept)
    (tmp_path / "old.npz").write_bytes(packed.getvalue())
    old = load_reconstruction(tmp_path / "old.npz")
    assert not old.folds_shown.any()
    assert base(build(old).head).type == "TEX_IMAGE"
    with pytest.raises(ExchangeError, match="fold_parts"):
        replace(made, fold_parts=made.fold_parts[:, :3]).validate()
