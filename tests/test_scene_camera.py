"""The camera against K [R | t] in float64, and against pictures that Cycles makes."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from reconstruct_face.scene.build import build_scene
from reconstruct_face.scene.camera import CameraView, build_camera, view_of_photo, view_of_window

from tests.synthetic_reconstruction import make_reconstruction, project

VIEWS = {
    "landscape": {"image_size": (640, 480)},
    "portrait": {"image_size": (480, 640)},
    "square": {"image_size": (512, 512), "angles": (-40.0, 12.0, -30.0)},
    "off-centre": {"image_size": (801, 600), "principal": (310.0, 351.5), "focal": 1200.0},
    "off-centre portrait": {"image_size": (600, 901), "principal": (351.5, 380.0)},
    "long lens": {"image_size": (640, 480), "focal": 6000.0},
}


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def head_to_world(points: np.ndarray) -> list[Vector]:
    """Written out again here, so that a slip in ``scene.coordinates`` cannot hide."""
    return [Vector((x / 1000, -z / 1000, y / 1000)) for x, y, z in points.tolist()]


def blender_pixels(camera: bpy.types.Object, points: np.ndarray) -> np.ndarray:
    scene = bpy.context.scene
    width, height = scene.render.resolution_x, scene.render.resolution_y
    bpy.context.view_layer.update()
    seen = [world_to_camera_view(scene, camera, point) for point in head_to_world(points)]
    # Blender's frame runs 0..1 between the outer edges, bottom up.
    return np.array([(p.x * width - 0.5, (1 - p.y) * height - 0.5) for p in seen])


@pytest.mark.parametrize("view", VIEWS)
def test_blender_projects_as_the_camera_matrix_does(view: str) -> None:
    made = make_reconstruction(**VIEWS[view])
    built = build_scene(made, set_active=True)
    view_of_photo(made).apply_to_render(bpy.context.scene.render)
    points = made.vertices_posed[::97]
    gap = blender_pixels(built.camera, points) - project(made, points)
    assert np.abs(gap).max() < 0.05


@pytest.mark.parametrize("ratio", [1.5, 0.6])
def test_pixels_that_are_not_square(ratio: float) -> None:
    made = make_reconstruction(image_size=(640, 480), principal=(300.0, 260.0))
    made.camera_matrix[1, 1] *= ratio
    built = build_scene(made, set_active=True)
    view_of_photo(made).apply_to_render(bpy.context.scene.render)
    points = made.vertices_posed[::97]
    assert np.abs(blender_pixels(built.camera, points) - project(made, points)).max() < 0.05


@pytest.mark.parametrize("window", [(100.0, 50.0, 420.0, 370.0), (-80.5, -20.0, 300.0, 520.0)])
def test_a_window_of_the_photo_is_that_part_enlarged(window: tuple[float, ...]) -> None:
    made = make_reconstruction(image_size=(640, 480), principal=(330.0, 225.0))
    view = view_of_window(made, window, 1000)
    camera = build_camera(made, view=view)
    bpy.context.scene.collection.objects.link(camera)
    view.apply_to_render(bpy.context.scene.render)
    points = made.vertices_posed[::97]
    x0, y0, x1, y1 = window
    scale = 1000 / max(x1 - x0, y1 - y0)
    # An edge at x0 is the outer edge of the first column, whose centre is pixel 0.
    expected = (project(made, points) - (x0, y0)) * scale - 0.5
    # The short side is rounded to whole pixels: half a pixel at most.
    assert np.abs(blender_pixels(camera, points) - expected).max() < 0.51
    assert max(view.width, view.height) == 1000


def test_lens_reads_as_for_35_mm_film() -> None:
    matrix = np.array([[1000.0, 0, 499.5], [0, 1000, 374.5], [0, 0, 1]])
    view = CameraView.from_matrix(matrix, (1000, 750))
    assert view.lens == pytest.approx(36.0)
    assert (view.shift_x, view.shift_y) == (0.0, 0.0)


def test_the_photo_lies_behind_the_head_packed_into_the_file() -> None:
    made = make_reconstruction()
    data = build_camera(made, "camera").data
    (background,) = data.background_images
    assert data.show_background_images
    assert background.frame_method == "FIT"
    assert bytes(background.image.packed_file.data) == made.photo.tobytes()
    assert tuple(background.image.size) == made.image_size


@pytest.mark.slow
@pytest.mark.parametrize("view", ["portrait", "off-centre"])
def test_a_rendered_spot_lies_where_its_point_projects(view: str, tmp_path: Path) -> None:
    made = make_reconstruction(**VIEWS[view])
    scene = bpy.context.scene
    camera = build_camera(made, background=False)
    scene.collection.objects.link(camera)
    scene.camera = camera
    view_of_photo(made).apply_to_render(scene.render)
    points = made.vertices_posed[made.landmarks68[[3, 17, 30, 41, 55]]]
    _add_spots(scene, points)
    picture = _render_linear(scene, tmp_path / "spots.exr")
    expected = project(made, points)
    for (x, y), channel in zip(expected, _spot_colours(len(points)), strict=True):
        weight = (picture[..., :3] == channel).all(-1).astype(float)
        rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
        near = weight * (np.hypot(columns - x, rows - y) < 12)
        assert near.sum() > 20, "the spot is not near its point"
        assert abs((near * columns).sum() / near.sum() - x) < 0.5
        assert abs((near * rows).sum() / near.sum() - y) < 0.5


def _spot_colours(count: int) -> list[tuple[float, float, float]]:
    return [((i & 1) * 1.0, (i >> 1 & 1) * 1.0, (i >> 2 & 1) * 1.0) for i in range(1, count + 1)]


def _add_spots(scene: bpy.types.Scene, points: np.ndarray) -> None:
    """A small glowing ball of its own colour at each point."""
    for point, colour in zip(head_to_world(points), _spot_colours(len(points)), strict=True):
        bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=12, radius=0.004)
        ball = bpy.context.active_object
        ball.location = point
        material = bpy.data.materials.new("glow")
        if material.node_tree is None:
            material.use_nodes = True
        tree = material.node_tree
        glow = tree.nodes.new("ShaderNodeEmission")
        glow.inputs["Color"].default_value = (*colour, 1.0)
        tree.links.new(glow.outputs[0], tree.nodes["Material Output"].inputs["Surface"])
        ball.data.materials.append(material)


def _render_linear(scene: bpy.types.Scene, path: Path) -> np.ndarray:
    """(H, W, 4) float32 linear, row 0 at the top."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.cycles.filter_width = 0.01
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)[::-1]
