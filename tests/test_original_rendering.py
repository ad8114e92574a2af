"""The original's result, against values worked out in float64 without its code."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.cli.original import main as original
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange.own_pictures import is_own
from reconstruct_face.backend.original.cards import ORIGINAL, NetworkCard
from reconstruct_face.backend.original.face import posed, read_face, rotation
from reconstruct_face.backend.original.network import tensor_shapes
from reconstruct_face.backend.original.picture import reconstruct_outputs
from reconstruct_face.backend.original.render import (
    draw_landmarks,
    rasterize_orthographic,
    render,
)
from reconstruct_face.backend.original.settings import read_settings
from reconstruct_face.backend.original.shading import phong
from reconstruct_face.backend.original.stats import Stats, read_stats, split
from reconstruct_face.backend.original.store import load_network, write_network
from scipy.spatial.transform import Rotation

from tests import bfm_files
from tests.errors import has, raises
from tests.random_network import random_tensors

SIZE = 224


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The original's files for a face of 3,100 vertices: BFM.mat, exp_80k.npz, stats_80k.npz."""
    folder = tmp_path_factory.mktemp("files")
    face = bfm_files.small_face()
    bfm_files.write_bfm(folder / "BFM.mat", face)
    bfm_files.write_exp_80k(folder / "exp_80k.npz", face)
    bfm_files.write_stats_80k(folder / "stats_80k.npz", face)
    return folder


@pytest.fixture(scope="module")
def face(files):
    return read_face([files / "exp_80k.npz", files / "BFM.mat"])


@pytest.fixture(scope="module")
def outputs():
    """(240,) some face, turned and lit from the side."""
    values = np.random.default_rng(5).normal(0, 0.6, 240)
    values[:6] = (1.0, -0.8, 4.0, 0.5, -0.5, 0.8)
    values[196:199] = (1.0, 2.0, -0.3)
    return values


def by_hand(files, outputs):
    """Everything from the files' own arrays, in float64, as section 3 of the facts file says."""
    with np.load(files / "stats_80k.npz") as file:
        stats = {key: np.asarray(file[key], np.float64) for key in file.files}
    part, start = {}, 0
    for name, count in (("Pose", 6), ("Shape", 100), ("Exp", 79), ("Color", 6), ("Illum", 9)):
        part[name] = outputs[start : start + count]
        start += count
    part["Tex"] = outputs[start:]
    value = {n: v * stats[f"{n}_Para_std"] + stats[f"{n}_Para_mean"] for n, v in part.items()}
    small = bfm_files.small_face()
    model = {k: np.asarray(v, np.float64) for k, v in bfm_files.bfm_fields(small).items()}
    moved = {k: np.asarray(v, np.float64) for k, v in bfm_files.exp_80k_fields(small).items()}
    column = model["shapeMU"][:, 0] + moved["expMU"][:, 0]
    column = column + model["shapePC"][:, :100] @ value["Shape"] + moved["expPC"] @ value["Exp"]
    vertices = column.reshape(-1, 3)  # micrometres
    triangles = model["tri"].astype(int).T - 1
    normals = np.zeros_like(vertices)
    for a, b, c in triangles:
        area = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        normals[[a, b, c]] += area
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    if (normals * (vertices - vertices.mean(0))).sum() < 0:
        normals = -normals  # outward
    albedo = model["texMU"][:, 0] + model["texPC"][:, :40] @ value["Tex"]
    albedo = albedo.reshape(-1, 3)
    theta, phi, specular = value["Illum"][6:]
    light = np.array([np.cos(theta) * np.sin(phi), np.sin(theta), np.cos(theta) * np.cos(phi)])
    half = (light + [0, 0, 1]) / np.linalg.norm(light + [0, 0, 1])
    lit = np.empty_like(albedo)
    for k in range(3):
        lit[:, k] = (
            value["Illum"][k] * albedo[:, k]
            + value["Illum"][3 + k] * (normals @ light) * albedo[:, k]
            + specular * (normals @ half) ** 20
        )
        lit[:, k] = value["Color"][k] * lit[:, k] + value["Color"][3 + k]
    pitch, yaw, roll = value["Pose"][:3]
    turn = Rotation.from_euler("xyz", [pitch, yaw, roll]).as_matrix()  # about fixed axes: Rz Ry Rx
    tx, ty, scale = value["Pose"][3:] * SIZE
    p = scale * vertices @ turn + [tx, ty, 0]
    image = np.stack([p[:, 0], (SIZE - 1) - p[:, 1], p[:, 2]], axis=1)
    landmarks = model["kpt_ind"].astype(int)[0] - 1
    return vertices / 1000, np.clip(lit, 0, 255), image, triangles, landmarks


def test_outputs_are_split_and_denormalised():
    mean, std = np.arange(240.0), 2.0 + np.arange(240.0)
    found = split(np.full(240, 3.0), Stats(mean, std))
    every = 3 * (2.0 + np.arange(240)) + np.arange(240)
    np.testing.assert_allclose(found.pose[:3], every[:3])
    np.testing.assert_allclose(found.pose[3:], every[3:6] * 224)  # tx, ty, scale
    np.testing.assert_allclose(found.shape, every[6:106])
    np.testing.assert_allclose(found.expression, every[106:185])
    np.testing.assert_allclose(found.colour, [*every[185:191], 1.0])  # contrast
    np.testing.assert_allclose(found.illumination, [*every[191:200], 20.0])  # Phong exponent
    np.testing.assert_allclose(found.texture, every[200:240])
    with raises(ValueError, "outputs", "(239,)", "(240,)"):
        split(np.zeros(239), Stats(mean, std))


def test_rotation_is_that_of_tensorflow_graphics_and_applied_to_rows():
    angles = (0.3, -0.5, 0.2)
    expected = Rotation.from_euler("xyz", angles).as_matrix()
    np.testing.assert_allclose(rotation(*angles), expected, atol=1e-12)
    # tensorflow_graphics' documentation, entry by entry.
    (sx, sy, sz), (cx, _, cz) = np.sin(angles), np.cos(angles)
    assert rotation(*angles)[0, 1] == pytest.approx(sx * sy * cz - cx * sz)
    assert rotation(*angles)[2, 0] == pytest.approx(-sy)
    point = np.array([[1.0, 2.0, 3.0]])
    found = posed(point, np.array([*angles, 10.0, 20.0, 0.002]))
    assert found == pytest.approx(np.array([[10, 20, 0]]) + 2.0 * point @ expected)
    # One turn at a time, by hand: v R, so the nose (0, 0, 1) goes to R's third row.
    nose = np.array([[0.0, 0.0, 1.0]])
    for k, place in enumerate(([0, 0.6, 0.8], [-0.6, 0, 0.8], [0, 0, 1])):
        turn = np.zeros(6)
        turn[k], turn[5] = np.arcsin(0.6), 0.001
        np.testing.assert_allclose(posed(nose, turn)[0], place, atol=1e-12)


def test_shading_one_vertex_at_a_time():
    rng = np.random.default_rng(8)
    albedo = rng.uniform(20, 230, (40, 3))
    normals = rng.normal(size=(40, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    illumination = np.array([0.5, 0.4, 0.3, 0.6, 0.7, 0.8, 0.4, -0.6, 30.0, 20.0])
    colour = np.array([1.1, 0.9, 1.0, 5.0, -3.0, 2.0, 1.0])
    found = phong(albedo, normals, illumination, colour)
    light = [
        np.cos(0.4) * np.sin(-0.6),
        np.sin(0.4),
        np.cos(0.4) * np.cos(-0.6),
    ]
    length = np.sqrt(light[0] ** 2 + light[1] ** 2 + (light[2] + 1) ** 2)
    dark = 0
    for t, n, rgb in zip(albedo, normals, found, strict=True):
        facing = sum(a * b for a, b in zip(n, light, strict=True))
        shine = (n[0] * light[0] + n[1] * light[1] + n[2] * (light[2] + 1)) / length
        dark += facing < 0
        for k in range(3):
            lit = illumination[k] * t[k] + illumination[3 + k] * facing * t[k] + 30 * shine**20
            assert rgb[k] == pytest.approx(min(255, max(0, colour[k] * lit + colour[3 + k])))
    assert dark > 10  # which are not clamped: ambient light less what is taken away


def test_vertices_colours_and_landmarks_are_those_worked_out_by_hand(files, face, outputs):
    vertices, colours, image, _, landmarks = by_hand(files, outputs)
    stats = read_stats(files / "stats_80k.npz")
    found = split(outputs, stats)
    assert np.abs(face.vertices(found) - vertices).max() < 1e-3  # mm
    assert np.abs(face.colours(found, face.vertices(found)) - colours).max() < 0.05  # of 255
    result = reconstruct_outputs(outputs, face, stats, np.zeros((SIZE, SIZE, 3), np.uint8))
    assert np.abs(result.landmarks - image[landmarks, :2]).max() < 0.01  # pixels
    # The pose matters: these are not the landmarks of an unturned face.
    assert np.ptp(result.landmarks[36:48, 1]) > 10


def test_the_rendering_is_that_of_an_independent_rasteriser(files, face, outputs):
    _, colours, image, triangles, _ = by_hand(files, outputs)
    stats = read_stats(files / "stats_80k.npz")
    result = reconstruct_outputs(outputs, face, stats, np.zeros((SIZE, SIZE, 3), np.uint8))
    corner = image[triangles]  # (F, 3, 3): x, y down, z to the viewer
    a, b, c = corner[:, 0, :2], corner[:, 1, :2], corner[:, 2, :2]
    whole = np.cross(b - a, c - a)
    off, seen = [], 0
    for x, y in np.random.default_rng(1).integers(0, SIZE, (400, 2)):
        p = np.array([x, y], np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            w = np.stack(
                [np.cross(b - p, c - p), np.cross(c - p, a - p), np.cross(a - p, b - p)], axis=1
            ) / whole[:, None]  # fmt: skip
        inside = np.flatnonzero((w >= 0).all(axis=1))
        expected = np.zeros(3)
        if len(inside):
            depth = (w[inside] * corner[inside, :, 2]).sum(axis=1)
            front = inside[depth.argmax()]
            expected = (w[front, :, None] * colours[triangles[front]]).sum(axis=0)
            seen += 1
        off.append(np.abs(result.rendering[y, x] - expected).max())
    assert 80 < seen < 380
    # 1 for the cut-off fraction; a pixel on an edge may show the neighbouring surface.
    assert np.quantile(off, 0.99) < 1.1


def test_the_nearer_surface_hides_the_other_and_pixel_centres_decide():
    # x right, y down, z away: a large triangle, and a small one before its left half.
    points = np.array(
        [[-1, -1, 5], [21, -1, 5], [-1, 21, 5], [1.6, 1.6, 2], [5.4, 1.6, 2], [1.6, 5.4, 2]], float
    )
    faces = np.array([[0, 1, 2], [3, 4, 5]])
    raster = rasterize_orthographic(points, faces, (10, 8))
    assert raster.face_id.shape == (8, 10)
    assert raster.face_id[2, 2] == 1 and raster.face_id[2, 1] == 0
    assert raster.face_id[2, 4] == 1 and raster.face_id[2, 6] == 0
    assert raster.depth[2, 2] == pytest.approx(2) and raster.depth[7, 7] == pytest.approx(5)
    colours = np.concatenate([10 * points[:3], np.full((3, 3), 200.0)])
    colours[:3, 1:] = 0
    picture = render(points, faces, colours + [15, 0, 0], (10, 8))
    assert picture[2, 3] == pytest.approx([215, 200, 200], abs=1)
    # Linear across the picture: red is ten times x, 15 on top.
    np.testing.assert_allclose(picture[0, :, 0], 15 + 10 * np.arange(10), atol=1)
    beyond = rasterize_orthographic(points - (100, 0, 0), faces, (10, 8))
    assert (beyond.face_id == -1).all()


def test_landmarks_are_white_circles_joined_within_their_groups():
    landmarks = np.full((68, 2), -50.0)
    landmarks[0], landmarks[1] = (20, 20), (40, 20)  # jaw
    landmarks[16], landmarks[17] = (20, 60), (40, 60)  # end of the jaw, begin of a brow
    landmarks[2:16] = (200, 300)
    landmarks[18:22] = (40, 300)
    black = np.zeros((100, 100, 3), np.uint8)
    drawn = draw_landmarks(black, landmarks)
    assert not black.any()
    for x, y in ((20, 20), (40, 20)):
        for dx, dy in ((-3, 0), (0, -3), (0, 3)):
            assert drawn[y + dy, x + dx].min() > 180
    assert drawn[20, 30].min() > 180  # joined
    assert drawn[60, 30].max() == 0  # not joined
    assert drawn[60, 20 - 3].min() > 180


@pytest.fixture
def network(tmp_path, monkeypatch, files):
    """A converted network with random weights that answers faces near the mean."""
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(2)
    tensors = random_tensors(tensor_shapes(), rng)
    tensors["fc.weight"] = rng.normal(0, 0.05, tensors["fc.weight"].shape).astype(np.float32)
    tensors["fc.bias"] = rng.normal(0, 0.3, tensors["fc.bias"].shape).astype(np.float32)
    card = NetworkCard("mine", "", ORIGINAL)
    write_network(card, tensors, read_stats(files / "stats_80k.npz"))
    return load_network("mine", ORIGINAL)


def test_a_folder_with_good_and_bad_pictures(tmp_path, network, files, astronaut, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "anna.jpg").write_bytes(astronaut.read_bytes())
    cv2.imwrite(str(photos / "empty wall.png"), np.full((200, 200, 3), 90, np.uint8))
    (photos / "page.jpg").write_text("<html>not found</html>")
    (photos / "cut off.jpg").write_bytes(astronaut.read_bytes()[:9000])
    config = tmp_path / "settings.toml"
    config.write_text(
        f'bfm_path = "{files / "BFM.mat"}"\nexp_path = "{files / "exp_80k.npz"}"\n'
        'pd_model_path = "mine"\nimage_folder = "photos"\nsave_rendered_to = "rendered"\n'
        "batch_size = 1\nimage_size = 224\nn_shape_para = 100\nn_tex_para = 40\n"
    )
    assert original(["--config", str(config), "--coefficients"]) == 1  # of two kinds
    shown = capsys.readouterr()
    told = {line.partition(": ")[0]: line for line in shown.err.splitlines()}
    assert set(told) == {"page.jpg", "empty wall.png", "cut off.jpg"}
    for name, line in told.items():
        has(line.partition(f"{name}: ")[2], name)
    out = tmp_path / "rendered"
    done = sorted(path.name for path in out.iterdir())
    assert is_own(out / "anna_rendered.jpg")
    assert "anna_rendered.jpg" in done and "anna_coefficients.json" in done
    assert not [name for name in done if name.startswith(("empty", "page", "cut"))]
    picture = cv2.imread(str(out / "anna_rendered.jpg"))
    assert picture.shape == (224, 448, 3)
    document = json.loads((out / "anna_coefficients.json").read_text())
    assert len(document["expression"]) == 79 and len(document["landmarks"]) == 68
    # The crop at the left is the photo's face; at the right the face is before black.
    assert picture[:, :224].mean() > 90 and picture[:8, 224:].mean() < 60
    # Every landmark in the picture is white in both halves.
    seen = [(x, y) for x, y in np.round(document["landmarks"]).astype(int)
            if 0 <= x < 224 and 0 <= y < 224]  # fmt: skip
    assert len(seen) > 34
    for x, y in seen:
        for shift in (0, 224):
            ring = picture[max(y - 4, 0) : y + 5, max(x - 4, 0) + shift : x + 5 + shift]
            assert ring.min(axis=2).max() > 150


def test_one_picture_by_flags_with_the_old_names(tmp_path, network, files, astronaut, capsys):
    arguments = [
        str(astronaut),
        "--bfm_path", str(files / "BFM.mat"),
        "--exp-path", str(files / "exp_80k.npz"),
        "--pd_model_path", "mine",
        "--save-rendered-to", str(tmp_path / "out"),
    ]  # fmt: skip
    assert original([*arguments, "--aligned"]) == 0
    assert (tmp_path / "out" / "astronaut_rendered.jpg").is_file()
    assert original([*arguments, "--n_shape_para", "199"]) == 6
    has(capsys.readouterr().err, "n_shape_para", 199, 100)
    assert original([*arguments[:5], "--pd_model_path", "other"]) == 6
    has(capsys.readouterr().err, "'other'", "'mine'")
    assert original([*arguments[:3], "--pd-model-path", "mine"]) == 6
    has(capsys.readouterr().err, "exp_path", "--exp-path", "exp_80k.npz")


def test_settings_that_make_no_sense(tmp_path):
    path = tmp_path / "settings.toml"
    for text, facts in (
        ("batch_sise = 3", ("batch_sise", "batch_size", "image_folder")),
        ('batch_size = "three"', ("batch_size", "'three'")),
        ("image_names = 3", ("image_names",)),
        ("= 3", ("TOML", "line 1")),
    ):
        path.write_text(text)
        with raises(ModelError, "settings.toml", *facts):
            read_settings(path)
    with raises(ModelError, tmp_path / "nowhere.toml"):
        read_settings(tmp_path / "nowhere.toml")


def test_other_face_models_are_refused(files):
    with raises(ModelError, "BFM.mat", "exp_80k.npz"):
        read_face([files / "BFM.mat"])
