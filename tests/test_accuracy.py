"""The accuracy benchmark's measures against shapes whose distance is known, and its Cycles set."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.bench.accuracy import AVERAGE
from reconstruct_face.backend.bench.accuracy_set import (
    YAW_BINS,
    Truth,
    accuracy_set,
    draw_head,
)
from reconstruct_face.backend.bench.identity import compare
from reconstruct_face.backend.bench.measured import Measured
from reconstruct_face.backend.bench.measures import landmark_error, surface_distances, true_points
from reconstruct_face.backend.bench.report import accuracy_table, least_sure, summarise
from reconstruct_face.backend.bench.runs import parse_run
from reconstruct_face.backend.bench.surface import (
    ClosestPoints,
    align,
    sample_surface,
)
from reconstruct_face.backend.errors import OutputError
from reconstruct_face.backend.geometry.similarity import Similarity
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.contour import seen_landmarks
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from tests.errors import raises
from tests.synthetic_reconstruction import grid_sphere


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="module")
def head(model: FaceModel) -> np.ndarray:
    return model.vertices(np.random.default_rng(4).normal(size=len(model.identity_basis)))


def plane(height: float, half: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    return np.column_stack([corners, np.full(4, height)]), np.array([(0, 1, 2), (0, 2, 3)])


def ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    vertices, quads, _, _ = grid_sphere(120, 160)
    return radius * vertices, quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def test_a_plane_a_millimetre_away_is_a_millimetre_away() -> None:
    surface = ClosestPoints(*plane(0.0))
    points = np.random.default_rng(0).uniform(-90, 90, (500, 3)) * (1, 1, 0) + (0, 0, 1)
    closest = surface.closest(points)
    assert np.allclose(closest, points * (1, 1, 0), atol=1e-9)
    beyond = surface.closest(np.array([[130.0, 140.0, 0.0]]))
    assert np.allclose(beyond, [[100.0, 100.0, 0.0]]), "past the corner the corner is closest"


def test_the_closest_point_of_a_mesh_is_as_close_as_a_dense_search_says() -> None:
    rng = np.random.default_rng(1)
    corners, points = rng.normal(size=(300, 3, 3)), 2 * rng.normal(size=(200, 3))
    grid = np.array([(i, j, 60 - i - j) for i in range(61) for j in range(61 - i)]) / 60
    dense = cKDTree(np.einsum("gc,fcx->fgx", grid, corners).reshape(-1, 3))
    expected = dense.query(points)[0]
    surface = ClosestPoints(corners.reshape(-1, 3), np.arange(900).reshape(-1, 3))
    found = np.linalg.norm(surface.closest(points) - points, axis=1)
    assert (found <= expected + 1e-9).all()
    assert np.abs(found - expected).max() < 0.03


def test_a_ball_in_a_larger_one_and_alignment_that_undoes_it() -> None:
    surface = ClosestPoints(*ball(81.0))
    vertices, triangles = ball(80.0)
    ids, weights = sample_surface(vertices, triangles, 2000)
    points = np.einsum("nc,ncx->nx", weights, vertices[triangles[ids]])
    gap = np.linalg.norm(surface.closest(points) - points, axis=1)
    assert gap == pytest.approx(np.ones(len(gap)), abs=0.03)
    away = Similarity(1.02, Rotation.from_euler("y", 5, degrees=True).as_matrix(), np.ones(3))
    found = align(surface, points, away)
    assert found.scale == pytest.approx(80 / 81, abs=1e-3)
    assert np.abs(found.translation).max() < 0.05


def test_a_moved_turned_and_scaled_copy_is_no_error(model: FaceModel, head: np.ndarray) -> None:
    turn = Rotation.from_euler("xyz", (20, -40, 10), degrees=True).as_matrix()
    moved = 1.3 * head @ turn.T + (30, -20, 900)
    assert surface_distances(model, moved, head).max() < 1e-3


def test_a_bump_shows_as_high_as_it_is(model: FaceModel, head: np.ndarray) -> None:
    """2 mm along the surface's normal, 12 mm wide, above the nose: there, and nowhere else."""
    middle = head[model.landmarks68[27]].astype(float)
    a, b, c = head[model.landmarks68_triangles[27]].astype(float)
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    away = np.linalg.norm(head - middle, axis=1)
    bumped = head + 2.0 * np.exp(-0.5 * (away / 12) ** 2)[:, None] * normal
    distances = surface_distances(model, bumped, head)
    gap = np.linalg.norm(true_points(model, head) - middle, axis=1)
    assert 1.5 < np.median(distances[gap < 5]) < 2.0, "alignment takes a little of it"
    assert np.median(distances[gap > 45]) < 0.12


def test_points_are_even_and_within_95_mm_of_the_nose(model: FaceModel, head: np.ndarray) -> None:
    points = true_points(model, head, 3000)
    corners = head[model.landmarks68_triangles[30]]
    tip = model.landmarks68_barycentric[30] @ corners
    away = np.linalg.norm(points - tip, axis=1)
    assert len(points) > 2500 and away.max() < 95
    eyes = model.eye_centers.mean(axis=0)
    assert np.linalg.norm(points - eyes, axis=1).min() > 12, "none inside the head"


def test_the_landmark_error_is_a_part_of_the_box() -> None:
    true = np.random.default_rng(2).uniform(0, 1, (68, 2))
    true[:2] = ((0, 0), (1, 1))
    true = true * (100, 400) + (50, 60)
    assert landmark_error(true, true) == 0
    assert landmark_error(true + (6, 8), true) == pytest.approx(10 / 200)


def measured(yaw: float, level: float | None, name: str = "a.png") -> Measured:
    if level is None:
        return Measured(name, yaw, None, None, None, 1.0, error="no face")
    points = np.array([level, level, 4 * level], np.float32)
    distances = {"neutral": points, "posed": 2 * points}
    return Measured(name, yaw, distances, 0.03, 0.05, 1.0, "landmarks")


def test_faces_that_were_not_found_are_counted_and_not_dropped() -> None:
    yaws = (3.0, -10.0, 50.0, -74.0)
    baseline = [measured(yaw, 1.0) for yaw in yaws]
    found = [measured(yaw, level) for yaw, level in zip(yaws, (0.5, None, 0.6, None), strict=True)]
    summary = summarise({AVERAGE: baseline, "run": found}, AVERAGE)
    assert list(summary["bins"]) == ["0-15", "35-60", "60-75", "all"]
    everything = summary["bins"]["all"]["run"]
    assert (everything["found"], everything["heads"]) == (2, 4)
    assert everything["neutral"]["median"] == pytest.approx(0.55)
    assert everything["neutral"]["median_all"] == pytest.approx(0.8), "0.5, 0.6, 1, 1"
    assert everything["neutral"]["mean"] == pytest.approx(1.1)
    assert everything["neutral"]["average_head"] == 1.0
    assert "neutral" not in summary["bins"]["60-75"]["run"]
    table = accuracy_table(summary)
    assert "2/4" in table and "0/1" in table
    assert json.loads(json.dumps(summary))["pictures"]["run"][1]["error"] == "no face"


def test_whether_the_doubtful_results_are_the_bad_ones_is_told() -> None:
    errors = np.linspace(1.0, 2.0, 20)
    assert least_sure(1 - errors / 4, errors) == pytest.approx((1.974 / 1.5, -1.0), abs=1e-3)
    assert least_sure(errors, errors)[0] < 0.7
    many = [replace(measured(5.0, e), confidence=1 - e / 4) for e in errors]
    summary = summarise({AVERAGE: [measured(5.0, 1.0)] * 20, "run": many}, AVERAGE)
    assert "run: posed error of the least sure tenth 1.32 times the median" in accuracy_table(
        summary
    )


def test_retrieval_ranks_the_right_photo() -> None:
    photos = np.eye(4, 128)
    renderings = photos + 0.1
    renderings[3] = photos[0] + 0.2 * photos[3]  # taken for the first
    matches = compare(photos, renderings, list("abcd"))
    assert [match.rank for match in matches] == [1, 1, 1, 2]
    assert matches[3].nearest_other_photo == "a"


def test_runs_are_read_from_the_command_line() -> None:
    run = parse_run("wide:estimate=landmarks,face=2,texture_size=512")
    assert run.name == "wide" and run.options.face == 2 and run.options.texture == "none"
    assert parse_run("landmarks").options.estimate == "landmarks"


@pytest.mark.parametrize(
    ("wrong", "facts"),
    [
        ("", ()),
        ("a:b=c", ("b=c", "estimate", "quality", "texture_size")),
        ("a:estimate=magic", ("estimate", "magic", "network", "landmarks")),
        ("a:texture_size=5", ("texture_size", 5, 128, 8192)),
    ],
)
def test_runs_that_cannot_be(wrong: str, facts: tuple[object, ...]) -> None:
    with raises(argparse.ArgumentTypeError, *facts):
        parse_run(wrong)


def test_heads_are_the_same_for_the_same_seed_and_fill_the_bins(model: FaceModel) -> None:
    once, again = draw_head(model, 2, 160, 7), draw_head(model, 2, 160, 7)
    assert all(np.array_equal(once[key], again[key]) for key in once)
    for number in range(8):
        drawn = draw_head(model, number, 200, 7)
        low, high = YAW_BINS[number % 4]
        assert low - 0.1 <= abs(drawn["yaw"]) <= high + 0.1
        marks = drawn["landmarks2d"]
        assert marks.min() > 0 and marks.max() < 199, "the face is in the picture"


@pytest.mark.slow
def test_the_pictures_show_the_heads_where_they_are(model: FaceModel, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    truths = accuracy_set(folder, model, heads=2, size=160, seed=6, report=lambda line: None)
    assert len(truths) == 2
    for truth in truths:
        picture = np.asarray(Image.open(truth.picture)).astype(float)
        assert picture.shape == (160, 160, 3)
        points = truth.camera.project(seen_landmarks(model, truth.vertices_posed, truth.camera))
        assert np.allclose(points, truth.landmarks2d)
        # Skin is warmer than what is behind it only by chance; lips are redder than the skin, where
        # no highlight lies on them (as on a head of seed 5).
        mouth, nose = (_colour(picture, truth, ids) for ids in (range(48, 60), range(27, 31)))
        assert mouth[0] / mouth[1] > nose[0] / nose[1]
    before = [truth.picture.stat().st_mtime_ns for truth in truths]
    lines: list[str] = []
    again = accuracy_set(folder, model, heads=2, size=160, seed=6, report=lines.append)
    assert not lines and [truth.picture.stat().st_mtime_ns for truth in again] == before


def test_a_folder_with_something_else_in_it_is_left_alone(model: FaceModel, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with raises(OutputError, tmp_path):
        accuracy_set(tmp_path, model, heads=2, size=160)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def _colour(picture: np.ndarray, truth: Truth, ids: range) -> np.ndarray:
    x, y = np.rint(truth.landmarks2d[ids.start : ids.stop]).astype(int).T
    return picture[y, x].mean(axis=0)
