"""The rig of suns against the spherical harmonics it stands for."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.geometry.harmonics import fibonacci_sphere, shade
from reconstruct_face.scene.light import (
    Sun,
    build_suns,
    disc_shading,
    even_suns,
    fit_suns,
    nonnegative_least_squares,
    studio_suns,
    suns_for,
)
from scipy.optimize import nnls

from tests.synthetic_reconstruction import make_reconstruction

FRONT = np.array([0.0, 0.0, 1.0])
#: Second-order lights as photos have them: from above, from the left with a warm cast, two-sided.
LIGHTS = {
    "window": [2.4, 0.3, 0.6, -0.5, 0.0, 0.0, 0.03, -0.05, -0.03],
    "above": [2.0, 1.0, 0.7, 0.0, 0.0, 0.3, 0.1, 0.0, -0.2],
    "side": [1.8, 0.1, 0.5, 1.0, 0.1, 0.0, -0.1, 0.3, 0.2],
}


def light(name: str) -> np.ndarray:
    return np.outer(LIGHTS[name], (1.1, 1.0, 0.8))


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def test_nonnegative_least_squares_agrees_with_scipys() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(60, 8)), rng.normal(size=(60, 3))
    found = nonnegative_least_squares(a, b)
    expected = np.stack([nnls(a, column)[0] for column in b.T], axis=1)
    assert (expected == 0).any()
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", LIGHTS)
def test_a_few_suns_shade_as_the_harmonics_do(name: str) -> None:
    suns = fit_suns(light(name), FRONT)
    assert 2 <= len(suns) <= 7
    normals = fibonacci_sphere(500)
    normals = normals[normals[:, 2] > 0]
    target = shade(normals, light(name))
    found = shading(suns, normals)
    assert np.sqrt(np.mean((found - target) ** 2)) < 0.05 * target.mean()


def shading(suns: list[Sun], normals: np.ndarray) -> np.ndarray:
    """The suns' shading by a sum over points of their discs, with nothing of the code's own."""
    rng = np.random.default_rng(0)
    total = np.zeros((len(normals), 3))
    for sun in suns:
        ray = rng.normal(size=(40000, 3))
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        ray = ray[ray @ sun.direction > np.cos(sun.angle / 2)]
        facing = np.mean(ray @ sun.direction)
        total += (np.maximum(normals @ ray.T, 0).mean(1) / facing)[:, None] * sun.strength
    return total


def test_a_wide_sun_reaches_round_the_edge() -> None:
    for angle in np.radians([20, 90]):
        turn = np.linspace(0, np.pi, 50)
        found = disc_shading(np.cos(turn), angle)
        whole = turn < np.pi / 2 - angle / 2  # no part of the sun has set
        assert np.allclose(found[whole], np.cos(turn[whole]), atol=5e-3)
        assert (found[turn > np.pi / 2 + angle / 2 + 0.02] == 0).all()
        assert disc_shading(np.array(0.0), angle) > 0.03


def test_without_an_estimate_the_light_is_neutral() -> None:
    made = make_reconstruction()
    made.sh_light = np.zeros((9, 3), np.float32)
    suns = suns_for(made)
    assert len(suns) == len(studio_suns()) >= 2
    assert all(np.ptp(sun.strength) == 0 for sun in suns)


def test_a_texture_that_holds_the_light_is_lit_evenly() -> None:
    made = make_reconstruction(texture_mode="photo")
    suns = suns_for(made)
    normals = fibonacci_sphere(500)
    towards = -made.rotation.T @ made.translation
    normals = normals[normals @ towards > 0]
    found = shading(suns, normals)
    assert np.abs(found - 1).mean() < 0.03
    assert np.ptp(found, axis=1).max() < 1e-9
    assert not any(sun.shadow for sun in suns)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LIGHTS, "even"])
def test_cycles_shades_a_white_ball_as_the_harmonics_do(name: str, tmp_path: Path) -> None:
    """Without the shadows that a ball throws on nothing, so energies, axes and colours count."""
    if name == "even":
        suns, harmonics = even_suns(FRONT), np.outer([1 / 0.282095] + [0] * 8, np.ones(3))
    else:
        suns, harmonics = fit_suns(light(name), FRONT), light(name)
    for sun in build_suns(suns):
        bpy.context.scene.collection.objects.link(sun)
    albedo, radius, size = 0.8, 0.1, 96
    _add_ball(albedo, radius)
    picture = _render_from_front(tmp_path / "ball.exr", 2 * radius, size)
    # The orthographic picture of a ball: the pixel's place gives the normal.
    rows, columns = np.mgrid[:size, :size]
    x, y = (columns + 0.5) / size * 2 - 1, 1 - (rows + 0.5) / size * 2
    inside = x**2 + y**2 < 0.9
    normals = np.stack([x, y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], -1)[inside]
    expected = albedo * shade(normals, harmonics)
    # Cycles' noise is no error of the rig: compare means over squares of 8 x 8 pixels.
    gap = np.zeros((size, size, 3))
    gap[inside] = picture[inside][:, :3] - expected
    whole = inside.reshape(size // 8, 8, size // 8, 8).all(axis=(1, 3))
    gap = gap.reshape(size // 8, 8, size // 8, 8, 3).mean(axis=(1, 3))[whole]
    assert np.sqrt(np.mean(gap**2)) < 0.05 * expected.mean()
    assert abs(gap.mean()) < 0.02 * expected.mean()


def _add_ball(albedo: float, radius: float) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=128, ring_count=64, radius=radius)
    ball = bpy.context.active_object
    ball.data.shade_smooth()
    material = bpy.data.materials.new("white")
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    diffuse = tree.nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (albedo, albedo, albedo, 1.0)
    tree.links.new(diffuse.outputs[0], tree.nodes["Material Output"].inputs["Surface"])
    ball.data.materials.append(material)


def _render_from_front(path: Path, width: float, size: int) -> np.ndarray:
    """(size, size, 4) linear, row 0 at the top, seen from -Y where the face looks."""
    scene = bpy.context.scene
    data = bpy.data.cameras.new("front")
    data.type, data.ortho_scale = "ORTHO", width
    camera = bpy.data.objects.new("front", data)
    camera.location = (0, -1, 0)
    camera.rotation_euler = (np.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 16
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.empty(size * size * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(size, size, 4)[::-1]
