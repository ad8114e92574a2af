"""The renderer of the accuracy benchmark's heads: each part against shapes known by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from PIL import Image
from reconstruct_face.backend.bench.accuracy_set import draw_head, save_arrays, write_mesh
from reconstruct_face.backend.model import FaceModel, load_model
from scipy.spatial.transform import Rotation

from tests.synthetic_reconstruction import grid_sphere
from tools.make_accuracy_set import __main__ as command
from tools.make_accuracy_set import hair, head, picture, surroundings

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="module")
def drawn(model: FaceModel) -> Arrays:
    """A head as ``bench accuracy`` draws it, turned 40 degrees or so."""
    arrays = draw_head(model, 2, 300, 11)
    return {name: np.asarray(value) for name, value in arrays.items()}


@pytest.fixture(scope="module")
def mesh(model: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    path = tmp_path_factory.mktemp("mesh") / "mesh.npz"
    write_mesh(model, path)
    return dict(np.load(path, allow_pickle=False))


@pytest.fixture
def empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def ball(radius: float = 80.0) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) mm and triangles, outward."""
    vertices, quads, _, _ = grid_sphere(24, 32)
    triangles = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    corners = radius * vertices[triangles]
    wide = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    return radius * vertices, triangles[wide > 1e-6]


# -- hair


def test_styles_and_colours_are_drawn_as_they_occur() -> None:
    rng = np.random.default_rng(0)
    light, dark = ([hair.random_style(tone, rng) for _ in range(600)] for tone in (1.0, 9.0))
    for drawn in (light, dark):
        bald = sum(style is None for style in drawn) / len(drawn)
        assert bald == pytest.approx(0.2, abs=0.05)
    assert max(style.length for style in light if style) > 180
    assert max(style.length for style in dark if style) <= 80, (
        "long straight hair is for light skin"
    )
    luma = np.array([0.2126, 0.7152, 0.0722])
    shades = [[hair.random_colour(tone, rng) @ luma for _ in range(400)] for tone in (0.0, 9.0)]
    assert np.median(shades[0]) > 2 * np.median(shades[1])
    assert np.mean(np.array(shades[1]) > 0.15) < 0.15
    beards = [hair.beard_style(rng) for _ in range(200)]
    lengths = np.array([style.length for style in beards])
    assert lengths.min() >= 1.5 and lengths.max() <= 14 and np.median(lengths) < 7
    assert all(3000 <= style.count <= 8000 for style in beards)


def test_roots_are_even_over_the_surface_where_the_mask_lets_them() -> None:
    """A square of 100 mm, its right half masked, cut into triangles of very different sizes."""
    x = np.array([0, 3, 10, 50, 55, 100.0])
    points = np.stack([np.repeat(x, 2), np.tile([0.0, 100.0], 6), np.zeros(12)], 1)
    strips = [t for i in range(0, 10, 2) for t in ([i, i + 2, i + 1], [i + 1, i + 2, i + 3])]
    mask = (points[:, 0] >= 50).astype(float)
    style = hair.Style(10, 1, (0, 0, 0), 0, 0, 0, 20_000, 0.1, 0.3)
    roots, normals = hair._roots(style, points, np.array(strips), mask, np.random.default_rng(1))
    np.testing.assert_allclose(normals, np.tile([0, 0, 1.0], (len(roots), 1)))
    assert roots[:, 0].min() > 10, "none where the mask is 0"
    whole = roots[roots[:, 0] >= 50]
    counts, _, _ = np.histogram2d(whole[:, 0], whole[:, 1], bins=5, range=[[50, 100], [0, 100]])
    assert counts.std() < 0.12 * counts.mean()
    thinning = roots[roots[:, 0] < 50]
    assert (thinning[:, 0] < 20).mean() < 0.1 < 0.6 < (thinning[:, 0] > 30).mean()


def test_hair_stands_off_the_head_and_is_as_long_as_its_style(empty_file: None) -> None:
    vertices, triangles = ball()
    mask = (vertices[:, 1] > 20).astype(float)
    style = hair.Style(30.0, 0.9, (0.0, -0.3, 0.4), 0.1, 0.0, 0.0, 300, 0.12, 0.3)
    colour = np.array([0.08, 0.04, 0.02])
    thing = hair.grow("hair", style, vertices, triangles, mask, colour, np.random.default_rng(4))
    count = len(thing.data.curves)
    flat = np.empty(3 * hair.POINTS * count, np.float32)
    thing.data.attributes["position"].data.foreach_get("vector", flat)
    # Blender's axes and metres back to the head's, written out.
    x, y, z = 1000 * flat.reshape(count, hair.POINTS, 3).transpose(2, 0, 1)
    strands = np.stack([x, z, -y], -1)
    away = np.linalg.norm(strands, axis=2)
    assert 50 < count < 300 and np.abs(away[:, 0] - 80).max() < 1.5, "roots are on the ball"
    assert away.min() > 78, "facets of the ball aside, no strand goes into it"
    assert strands[:, 0, 1].min() > 10, "only where the mask is"
    steps = np.linalg.norm(np.diff(strands, axis=1), axis=2)
    assert np.median(steps.sum(axis=1)) == pytest.approx(30, rel=0.15)
    assert (away[:, -1] > 83).mean() > 0.9, "it stands off"
    widths = np.empty(hair.POINTS * count, np.float32)
    thing.data.attributes["radius"].data.foreach_get("value", widths)
    widths = widths.reshape(count, -1)
    np.testing.assert_allclose(widths[:, 0], 0.12e-3, rtol=1e-5)
    assert (np.diff(widths, axis=1) < 0).all()
    (material,) = thing.data.materials
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_HAIR_PRINCIPLED")
    assert tuple(shader.inputs["Color"].default_value)[:3] == pytest.approx(colour, rel=1e-5)


# -- the head


def test_the_smooth_surface_meets_the_true_skin(
    drawn: Arrays, mesh: Arrays, empty_file: None
) -> None:
    """Subdivided as it is rendered: 0.045 mm on average, 0.3 mm without the correction."""
    texture = np.full((64, 64, 3), 0.5)
    made = head.build_head(drawn, mesh, texture, np.random.default_rng(0))
    bpy.context.scene.collection.objects.link(made)
    modifier = made.modifiers["Subdivision"]
    count = len(drawn["vertices_posed"])

    def apart() -> np.ndarray:
        fine = made.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        assert len(fine.vertices) > 3 * count
        found = np.empty(3 * len(fine.vertices), np.float32)
        fine.vertices.foreach_get("co", found)
        x, y, z = 1000 * found.reshape(-1, 3)[:count].T
        return np.linalg.norm(np.stack([x, z, -y], 1) - drawn["vertices_posed"], axis=1)

    skin = np.unique(mesh["polygons"][mesh["polygon_material"] == 0])
    face = np.intersect1d(skin, np.flatnonzero(mesh["mask_face"] > 0.9))
    off = apart()[face]
    assert off.mean() < 0.06 and np.quantile(off, 0.99) < 0.25
    flat = np.asarray(drawn["vertices_posed"], float) / 1000
    made.data.vertices.foreach_set("co", flat[:, [0, 2, 1]].ravel() * np.tile([1, -1, 1], count))
    made.data.update()
    assert apart()[face].mean() > 0.25
    assert modifier.render_levels == modifier.levels == 1, "rendered as it was corrected"


def test_the_heads_materials_and_texture_are_where_they_belong(
    drawn: Arrays, mesh: Arrays, empty_file: None
) -> None:
    texture = np.zeros((8, 8, 3))
    texture[0, 0], texture[7, 7] = (0.9, 0.1, 0.2), (0.1, 0.3, 0.8)
    made = head.build_head(drawn, mesh, texture, np.random.default_rng(1))
    assert [m.name.split(".")[0] for m in made.data.materials] == [
        "skin",
        "eye",
        "wet",
        "wet",
        "wet",
        "eye",
        "cornea",
        "lashes",
        "cornea",
    ]
    index = np.empty(len(made.data.polygons), np.int32)
    made.data.polygons.foreach_get("material_index", index)
    np.testing.assert_array_equal(index, mesh["polygon_material"])
    uv = np.empty(2 * 4 * len(index), np.float32)
    made.data.uv_layers[0].uv.foreach_get("vector", uv)
    np.testing.assert_allclose(uv.reshape(-1, 2), mesh["uv"][mesh["uv_polygons"].ravel()])
    images = {
        node.image
        for material in made.data.materials
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE"
    }
    (image,) = images
    pixels = np.empty(8 * 8 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(8, 8, 4)
    # Blender's first row is the lowest, at v = 0; ours is the highest.
    assert pixels[7, 0, :3] == pytest.approx((0.9, 0.1, 0.2), abs=0.01)
    assert pixels[0, 7, :3] == pytest.approx((0.1, 0.3, 0.8), abs=0.01)


# -- surroundings


def test_the_camera_sees_the_head_where_its_truth_says(drawn: Arrays, empty_file: None) -> None:
    camera, view = surroundings.build_camera(drawn)
    scene = bpy.context.scene
    scene.collection.objects.link(camera)
    view.apply_to_render(scene.render)
    bpy.context.view_layer.update()
    points = drawn["vertices_posed"][::211].astype(float)
    inside = points @ drawn["rotation"].T + drawn["translation"]
    expected = inside @ drawn["camera_matrix"].T
    expected = expected[:, :2] / expected[:, 2:]
    seen = []
    for x, y, z in points.tolist():
        place = world_to_camera_view(scene, camera, Vector((x / 1000, -z / 1000, y / 1000)))
        seen.append((place.x * 300 - 0.5, (1 - place.y) * 300 - 0.5))
    assert np.abs(np.array(seen) - expected).max() < 0.02


def test_the_necks_edge_is_the_lowest_open_one() -> None:
    """A tube with a hole in its side, cut off crookedly at the bottom, closed at the top."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = np.stack(
        [
            np.stack(
                [60 * np.sin(turn), np.full(24, y) + slope * np.cos(turn), 60 * np.cos(turn)], 1
            )
            for y, slope in ((0.0, 10.0), (80.0, 0.0), (160.0, 0.0), (240.0, 0.0))
        ]
    )
    vertices = np.concatenate([rings.reshape(-1, 3), [[0, 300.0, 0]]])
    triangles = []
    for i in range(3):
        for j in range(24):
            a, b = 24 * i + j, 24 * i + (j + 1) % 24
            if (i, j) != (1, 5):
                triangles += [[a, b, a + 24], [b, b + 24, a + 24]]
    triangles += [[72 + j, 72 + (j + 1) % 24, 96] for j in range(24)]
    edge = surroundings.neck_edge(vertices, np.array(triangles))
    assert {tuple(point) for point in edge} == {tuple(point) for point in rings[0]}
    line = surroundings._by_direction(edge, edge.mean(axis=0))
    assert line.shape == (surroundings.AROUND, 3)
    angles = np.arctan2(line[:, 0], line[:, 2])
    wanted = np.linspace(0, 2 * np.pi, surroundings.AROUND, endpoint=False)
    np.testing.assert_allclose(np.exp(1j * angles), np.exp(1j * wanted), atol=0.01)
    np.testing.assert_allclose(line[:, 1], 10 * np.cos(angles), atol=0.2)


def test_neck_and_shirt_go_on_where_the_head_ends(
    drawn: Arrays, mesh: Arrays, empty_file: None
) -> None:
    vertices, triangles = drawn["vertices_posed"].astype(float), mesh["triangles"]
    tone = np.array([0.5, 0.3, 0.2])
    neck, shirt = surroundings.build_body(vertices, triangles, tone, np.random.default_rng(2))
    edge = surroundings.neck_edge(vertices, triangles)

    def head_mm(thing: bpy.types.Object) -> np.ndarray:
        return 1000 * np.array([(v.co.x, v.co.z, -v.co.y) for v in thing.data.vertices])

    top = head_mm(neck)[: surroundings.AROUND]
    gap = np.linalg.norm(top[:, None] - edge[None], axis=2).min(axis=1)
    assert gap.max() < 8, "between two vertices of the edge at most"
    assert head_mm(shirt)[:, 1].min() < -350 and np.ptp(head_mm(shirt)[:, 0]) > 300
    assert neck.data.polygons[0].loop_total == 4
    colour = neck.data.materials[0].node_tree.nodes["Principled BSDF"].inputs["Base Color"]
    assert tuple(colour.default_value)[:3] == pytest.approx(tone)


def test_the_sky_is_upright_for_the_camera_however_the_head_is_turned(empty_file: None) -> None:
    around = set()
    for seed in range(5):
        turn = Rotation.from_euler("yxz", [50 * seed - 90, 15, -12], degrees=True).as_matrix()
        rotation = np.diag([1.0, -1.0, -1.0]) @ turn
        world = surroundings.build_sky(rotation, np.random.default_rng(seed))
        nodes = world.node_tree.nodes
        picture_node = next(n for n in nodes if n.type == "TEX_ENVIRONMENT")
        assert picture_node.image.size[0] == 2 * picture_node.image.size[1] > 0
        mapping = next(n for n in nodes if n.type == "MAPPING")
        angles = tuple(mapping.inputs["Rotation"].default_value)
        sky = Rotation.from_euler("xyz", angles).as_matrix()
        # The camera's up in head coordinates, then in Blender's: (x, y, z) is (x, -z, y) there.
        up = rotation.T @ [0, -1.0, 0]
        np.testing.assert_allclose(sky @ [up[0], -up[2], up[1]], [0, 0, 1], atol=1e-6)
        front = rotation.T @ [0, 0, 1.0]
        x, y, z = sky @ [front[0], -front[2], front[1]]
        assert z == pytest.approx(0, abs=1e-6)
        around.add(round(float(np.arctan2(y, x)), 3))
    assert len(around) == 5, "turned at random"


def test_lamps_shine_on_the_face_from_the_front_and_the_rim_from_behind(
    drawn: Arrays, empty_file: None
) -> None:
    middle = drawn["vertices_posed"].mean(axis=0) / 1000
    target = Vector((middle[0], -middle[2], middle[1]))
    eye = -drawn["rotation"].T @ drawn["translation"] / 1000
    view = (Vector((eye[0], -eye[2], eye[1])) - target).normalized()
    kinds = {"key": [], "rim": []}
    for seed in range(80):
        for lamp in surroundings.build_lamps(drawn, np.random.default_rng(seed)):
            bpy.context.scene.collection.objects.link(lamp)
            bpy.context.view_layer.update()
            towards = lamp.location - target
            assert towards.length == pytest.approx(1.2, abs=1e-4)
            shines = lamp.matrix_world.to_3x3() @ Vector((0, 0, -1))
            assert shines.dot(towards.normalized()) == pytest.approx(-1, abs=1e-4)
            assert not lamp.visible_camera
            kinds[lamp.name.split(".")[0]].append(towards.normalized().dot(view))
    assert 0.5 < len(kinds["key"]) / 80 < 0.8 and 0.15 < len(kinds["rim"]) / 80 < 0.45
    assert min(kinds["key"]) > 0.1 and max(kinds["rim"]) < -0.5


# -- the picture


def test_the_exposure_looks_at_the_face_that_is_turned_to_the_camera() -> None:
    """Three squares of four triangles: the second looks away, the third is not of the face."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (0, 0)], float)
    fan = np.array([[4, 0, 1], [4, 1, 2], [4, 2, 3], [4, 3, 0]])

    def square(x: float) -> np.ndarray:
        return np.column_stack([30 * corners + (x, 0), np.zeros(5)])

    given = {
        "size": np.array(200),
        "vertices_posed": np.concatenate([square(-60), square(0), square(60)]),
        "rotation": np.diag([1.0, -1, -1]),
        "translation": np.array([0.0, 0, 1000]),
        "camera_matrix": np.array([[1000.0, 0, 99.5], [0, 1000, 99.5], [0, 0, 1]]),
    }
    shared = {
        "triangles": np.concatenate([fan, 5 + fan[:, [0, 2, 1]], 10 + fan]),
        "mask_face": np.repeat([1.0, 1.0, 0.0], 5),
    }
    found = picture.face_pixels(given, shared)
    rows, columns = np.nonzero(found)
    # The middles of the first square's triangles: (0, 2/3 of 30) and so on, a pixel a mm.
    expected = {(100 + r, 40 + c) for r, c in ((20, 0), (-20, 0), (0, 20), (0, -20))}
    assert len(rows) == 4
    for row, column in zip(rows, columns, strict=True):
        assert min(abs(row - r) + abs(column - c) for r, c in expected) <= 2


def test_moles_and_freckles_darken_the_skin_alone() -> None:
    texture, skin = np.full((64, 64, 3), 0.6), np.zeros((64, 64))
    skin[:, 32:] = 1.0
    changed = []
    for seed in range(40):
        made = picture._freckles(texture, skin, np.random.default_rng(seed))
        assert (made <= texture + 1e-12).all() and np.array_equal(made[:, :32], texture[:, :32])
        assert made.min() > 0.6 * 0.4
        spot = made[:, 32:].reshape(-1, 3)
        dark = spot[spot[:, 1] < 0.55]
        assert (dark[:, 0] > dark[:, 2]).all(), "brown"
        changed.append((spot[:, 1] < 0.59).mean())
    assert np.median(changed) < 0.2 < max(changed), "a few moles, and freckles on some"


def test_pictures_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    made = np.zeros((4, 6, 3))
    made[0, 0], made[3, 5] = (1.0, 0.5, 0.0), (0.2, 0.2, 0.2)
    picture.write_png(made, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with Image.open(tmp_path / "a.png") as read:
        assert read.size == (6, 4) and read.format == "PNG"
        assert read.getpixel((0, 0)) == (255, 128, 0) and read.getpixel((5, 3)) == (51, 51, 51)


@pytest.mark.slow
def test_a_rendered_head_covers_what_its_vertices_cover(
    drawn: Arrays, mesh: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a sky of one colour, bald: the picture's outline is the projected head's."""

    def plain(rotation: np.ndarray, rng: np.random.Generator) -> bpy.types.World:
        world = bpy.data.worlds.new("plain")
        if world.node_tree is None:
            world.use_nodes = True
        node = next(n for n in world.node_tree.nodes if n.type == "BACKGROUND")
        node.inputs["Color"].default_value = (0.0, 0.0, 1.0, 1.0)
        return world

    def furnished(given: Arrays, shared: Arrays, rng: object, *, apart: bool) -> tuple:
        assert not apart
        return np.broadcast_to((1.0, 0.2, 0.0), (16, 16, 3)), [], None

    monkeypatch.setattr(picture, "build_sky", plain)
    monkeypatch.setattr(picture, "furnish", furnished)
    monkeypatch.setattr(picture, "build_lamps", lambda *_: [])
    size = 150
    given = dict(drawn)
    scale = np.array([[0.5], [0.5], [1.0]])
    given["camera_matrix"] = drawn["camera_matrix"] * scale - [
        [0, 0, 0.25],
        [0, 0, 0.25],
        [0, 0, 0],
    ]
    given["size"] = np.array(size)
    monkeypatch.setattr(picture, "develop", lambda linear, *_: linear)
    shown: list[np.ndarray] = []
    monkeypatch.setattr(picture, "write_png", lambda made, path: shown.append(made))
    picture.render_head(given, mesh, tmp_path / "a.png")
    (made,) = shown
    # Lit by blue alone the head is as blue; but red is taken in, so its share is below the sky's.
    head_there = made[..., 2] < 0.7 * made[0, 0, 2]
    points = given["vertices_posed"] @ given["rotation"].T + given["translation"]
    seen = points @ given["camera_matrix"].T
    seen = seen[:, :2] / seen[:, 2:]
    inside = ((seen > 3) & (seen < size - 4)).all(axis=1)
    columns, rows = np.rint(seen[inside]).astype(int).T
    near = np.zeros((size, size), bool)
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            near[np.clip(rows + dy, 0, size - 1), np.clip(columns + dx, 0, size - 1)] = True
    assert head_there.mean() > 0.1
    assert head_there[~near].mean() < 0.01, "nothing but the head is there"
    assert head_there[rows, columns].mean() > 0.9


# -- the command


def test_only_heads_without_a_picture_are_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[float, float, str]] = []

    def render(given: Arrays, shared: Arrays, path: Path) -> None:
        asked.append((float(given["a"]), float(shared["m"]), path.name))

    monkeypatch.setattr(command, "render_head", render)
    monkeypatch.setattr(sys, "argv", ["make_accuracy_set", str(tmp_path)])
    assert command.main() == 2 and str(tmp_path) in capsys.readouterr().err
    for number in range(3):
        save_arrays(tmp_path / f"{number:04d}.npz", {"a": np.array(number)})
    assert command.main() == 2, "without what they share"
    save_arrays(tmp_path / "mesh.npz", {"m": np.array(9)})
    (tmp_path / "0001.png").write_bytes(b"there")
    capsys.readouterr()
    assert command.main() == 0
    assert asked == [(0.0, 9.0, "0000.png"), (2.0, 9.0, "0002.png")]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["[1/3] 0000.png", "[3/3] 0002.png"]
