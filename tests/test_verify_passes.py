"""PyTorch3D against Cycles: correct scenes pass, and every planted fault is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from reconstruct_face.backend.assembly import with_bust
from reconstruct_face.backend.errors import ExchangeError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.verify.measures import passes_measures
from reconstruct_face.backend.verify.pytorch3d import PyTorch3D
from reconstruct_face.backend.verify.surface import surface_of
from reconstruct_face.backend.verify.view import Frame, View, frame_view, head_frame
from reconstruct_face.scene import passes
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.camera import fit_to_scene
from reconstruct_face.scene.coordinates import camera_to_blender

from tests.errors import raises
from tests.verification import Bench, basel_head, default_head

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pytorch3d() -> Iterator[PyTorch3D]:
    with PyTorch3D() as renderer:
        yield renderer


@pytest.fixture(scope="module")
def bench(pytorch3d: PyTorch3D) -> Bench:
    return Bench(default_head(), pytorch3d)


# --- correct scenes -------------------------------------------------------------------------------

POSES = {
    "to the left, wide": ((40.0, 0.0, -10.0), (900, 500)),
    "to the right, tall": ((-65.0, 10.0, 20.0), (400, 700)),
    "thrown back": ((0.0, 35.0, 0.0), (512, 512)),
}


@pytest.mark.parametrize("pose", POSES)
def test_a_correct_scene_passes(pose: str, pytorch3d: PyTorch3D) -> None:
    angles, size = POSES[pose]
    bench = Bench(default_head(angles, size, seed=3), pytorch3d)
    assert bench.failures(bench.scene().head) == {}


def test_a_correct_scene_is_far_within_the_limits_at_512(pytorch3d: PyTorch3D) -> None:
    bench = Bench(default_head(), pytorch3d, 512)
    found = passes_measures(bench.expected, bench.render(bench.scene().head))
    assert found["silhouette_iou"] >= 0.9995
    assert found["boundary_px"] <= 0.01
    assert found["depth_mm"] <= 0.01
    assert found["normals_deg"] <= 0.05
    assert found["unlit_psnr_db"] >= 50 and found["shaded_psnr_db"] >= 50
    assert bench.expected.covered.mean() > 0.4, "the head fills the picture"
    light = bench.expected.shaded[bench.expected.covered]
    assert light.std() > 0.05, "it is lit from somewhere"


def test_a_bust_is_left_out_by_both(pytorch3d: PyTorch3D) -> None:
    """It stands before the neck for a camera from below, and hides none of it."""
    plain = default_head((0.0, -35.0, 0.0), seed=3)
    colours = np.zeros(len(load_model().albedo_basis), np.float32)
    bench = Bench(with_bust(replace(plain, albedo=colours), load_model()), pytorch3d)
    assert bench.failures(bench.scene().head) == {}
    assert np.array_equal(bench.expected.covered, Bench(plain, pytorch3d).expected.covered)


def test_a_full_size_basel_face_passes(pytorch3d: PyTorch3D) -> None:
    bench = Bench(basel_head(), pytorch3d, 384)
    head = bench.scene().head
    assert len(head.data.vertices) == 53215 and len(head.data.shape_keys.key_blocks) == 80
    assert bench.failures(head) == {}


def test_a_frame_of_another_shape_passes(pytorch3d: PyTorch3D, bench: Bench) -> None:
    head_scene = bench.scene()
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 1000, 1300
    scene.render.resolution_percentage = 50
    fit_to_scene(head_scene.camera, scene)
    frame = passes.frame_of(head_scene.head)
    assert (frame["width"], frame["height"]) == (500, 650)
    other = Bench(bench.reconstruction, pytorch3d)
    other.view = frame_view(bench.reconstruction, Frame(frame["width"], frame["height"]))
    other.window = head_frame(other.view, bench.reconstruction.vertices_posed, 256)
    surface = surface_of(bench.reconstruction, np.full((1, 1, 3), 0.5, np.float32))
    found = other.render(head_scene.head)
    expected = pytorch3d.render(surface, other.seen)
    measured = passes_measures(expected, found, textured=False)
    assert measured["boundary_px"] < 0.1 and measured["depth_mm"] < 0.1


def test_head_and_camera_may_be_moved_together(bench: Bench) -> None:
    head_scene = bench.scene()
    turn = Matrix.Translation((1.0, -2.0, 0.5)) @ Matrix.Rotation(0.7, 4, (1.0, 2.0, 3.0))
    for thing in (head_scene.head, head_scene.camera):
        thing.matrix_world = turn @ thing.matrix_world
    bpy.context.view_layer.update()
    assert bench.failures(head_scene.head) == {}


def test_the_scaled_orthographic_camera(bench: Bench, pytorch3d: PyTorch3D) -> None:
    head_scene, made = bench.scene(), bench.reconstruction
    scale, size = 1.1, (300, 360)  # pixels per mm
    matrix = np.array([[scale, 0, 140.0], [0, scale, 190.0], [0, 0, 1]])
    view = View(matrix, made.rotation, np.array([0.0, 0.0, 500.0]), size, orthographic=True)
    surface = surface_of(made, np.full((1, 1, 3), 0.5, np.float32))
    expected = pytorch3d.render(surface, view)
    camera = head_scene.camera
    camera.matrix_world = Matrix(camera_to_blender(view.rotation, view.translation).tolist())
    camera.data.type = "ORTHO"
    camera.data.ortho_scale = max(size) / scale / 1000
    camera.data.sensor_fit = "AUTO"
    camera.data.shift_x = (149.5 - 140.0) / 360
    camera.data.shift_y = (190.0 - 179.5) / 360
    found = passes.render_passes(head_scene.head, passes.Window(size, 0, 0, *size), made.sh_light)
    measured = passes_measures(expected, found, textured=False)
    assert measured["silhouette_iou"] > 0.999 and measured["depth_mm"] < 0.01
    assert measured["normals_deg"] < 0.1


# --- planted faults -------------------------------------------------------------------------------


def _shift_camera(pixels: float) -> Callable[[Bench], bpy.types.Object]:
    def plant(bench: Bench) -> bpy.types.Object:
        head_scene = bench.scene()
        scale = bench.window.frame[0] / bench.view.size[0]
        head_scene.camera.data.shift_x += pixels / scale / max(bench.view.size)
        return head_scene.head

    return plant


def _focal(bench: Bench) -> bpy.types.Object:
    head_scene = bench.scene()
    head_scene.camera.data.lens *= 1.02
    return head_scene.head


def _key(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    head.data.shape_keys.key_blocks["jawOpen"].value *= 1.2
    return head


def _permuted(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    count = len(head.data.vertices)
    order = np.random.default_rng(0).permutation(count)
    for key in head.data.shape_keys.key_blocks:
        places = np.empty(3 * count, np.float32)
        key.points.foreach_get("co", places)
        key.points.foreach_set("co", places.reshape(-1, 3)[order].ravel())
    return head


def _uv_flipped(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    layer = head.data.uv_layers[0]
    uv = np.empty(2 * len(layer.uv), np.float32)
    layer.uv.foreach_get("vector", uv)
    uv[1::2] = 1 - uv[1::2]
    layer.uv.foreach_set("vector", uv)
    return head


def _colour_space(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    for material in head.data.materials:
        for node in material.node_tree.nodes:
            if node.type == "TEX_IMAGE":
                node.image.colorspace_settings.name = "Non-Color"
    return head


def _normals_flipped(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    head.data.flip_normals()
    return head


def _flat(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    head.data.shade_flat()
    return head


def _turned(bench: Bench) -> bpy.types.Object:
    head = bench.scene().head
    head.rotation_euler.z += np.radians(1.0)
    bpy.context.view_layer.update()
    return head


def _units(bench: Bench) -> bpy.types.Object:
    head_scene = bench.scene()
    head_scene.head.scale = (1000.0,) * 3
    bpy.context.view_layer.update()
    return head_scene.head


def _units_of_both(bench: Bench) -> bpy.types.Object:
    """Head and camera a thousand times too large: every outline is right, and no depth."""
    head_scene = bench.scene()
    head_scene.head.scale = (1000.0,) * 3
    head_scene.camera.location *= 1000
    head_scene.camera.data.clip_end = 1e5
    bpy.context.view_layer.update()
    return head_scene.head


FAULTS = {
    "camera off by half a pixel": (_shift_camera(0.5), "boundary_px"),
    "camera off by two pixels": (_shift_camera(2.0), "silhouette_iou"),
    "focal length off by 2 %": (_focal, "silhouette_iou"),
    "one shape key a fifth too strong": (_key, "depth_worst_mm"),
    "vertices permuted": (_permuted, "depth_mm"),
    "UVs flipped": (_uv_flipped, "unlit_psnr_db"),
    "texture in the wrong colour space": (_colour_space, "unlit_psnr_db"),
    "normals flipped": (_normals_flipped, "silhouette_iou"),
    "normals not smooth": (_flat, "normals_deg"),
    "head turned by one degree": (_turned, "normals_deg"),
    "head in millimetres": (_units, "depth_mm"),
    "head and camera in millimetres": (_units_of_both, "depth_mm"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, bench: Bench) -> None:
    plant, measure = FAULTS[fault]
    failures = bench.failures(plant(bench))
    assert measure in failures, f"{fault}: only {failures}"


def test_faults_of_colour_leave_the_geometry_alone(bench: Bench) -> None:
    for plant in (_uv_flipped, _colour_space):
        failures = bench.failures(plant(bench))
        assert failures and all(name.startswith(("unlit", "shaded")) for name in failures)


def test_rendering_leaves_the_file_as_it_was(bench: Bench) -> None:
    head_scene = bench.scene()
    head = head_scene.head

    def state() -> tuple:
        return (
            [slot.material.name for slot in head.material_slots],
            [(m.name, m.show_render) for m in head.modifiers],
            len(bpy.data.scenes), len(bpy.data.materials),
            [image.name for image in bpy.data.images if image.type != "RENDER_RESULT"],
            len(bpy.data.node_groups), head_scene.camera.data.lens,
        )  # fmt: skip

    before = state()
    bench.render(head)
    window = bench.window
    part = passes.Window(window.frame, window.left, window.top, window.width, window.height)
    passes.render_subdivided_depth(head, part)
    assert state() == before


def test_a_material_without_base_colour_is_named(bench: Bench) -> None:
    head = bench.scene().head
    tree = head.data.materials[0].node_tree
    tree.nodes.remove(next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"))
    with raises(ExchangeError, head.data.materials[0].name, "Principled BSDF"):
        bench.render(head)
    assert head.data.materials[0].node_tree == tree


def test_the_right_head_is_found(bench: Bench) -> None:
    first = bench.scene().head
    second = build_scene(replace(bench.reconstruction, face_index=2)).head
    assert passes.find_head(None, "Ada.jpg", 2) == second
    assert passes.find_head(first.name) == first
    with raises(ExchangeError, first.name, second.name):
        passes.find_head(None, "else.jpg", 1)
