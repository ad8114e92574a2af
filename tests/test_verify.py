"""The verification's measures by hand, its report, and the command from end to end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.cli.verify import find_pairs
from reconstruct_face.backend.errors import ExchangeError, VerificationError, WorkerError
from reconstruct_face.backend.exchange.own_pictures import is_own
from reconstruct_face.backend.exchange.passes import Passes, load_passes, save_passes
from reconstruct_face.backend.geometry.triangles import angle_weighted_normals
from reconstruct_face.backend.verify import measures, pytorch3d
from reconstruct_face.backend.verify.photo import flip_map, photo_in_view, under_hair
from reconstruct_face.backend.verify.report import html_report, json_report
from reconstruct_face.backend.verify.thresholds import measure, thresholds
from reconstruct_face.backend.verify.verify import Verification
from reconstruct_face.backend.verify.view import (
    Frame,
    View,
    frame_view,
    head_frame,
    view_in_frame,
)

from tests.errors import has, raises
from tests.synthetic_reconstruction import grid_sphere, make_reconstruction, project

ROOT = Path(__file__).resolve().parents[1]


def square(left: int, size: int = 20, side: int = 40) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[10 : 10 + size, left : left + size] = True
    return mask


# --- measures -------------------------------------------------------------------------------------


def test_silhouettes_of_squares() -> None:
    a, b = square(10), square(12)
    assert measures.silhouette_iou(a, a) == 1
    assert measures.silhouette_iou(a, b) == pytest.approx(18 * 20 / (2 * 400 - 18 * 20))
    assert measures.silhouette_iou(a & ~a, a & ~a) == 0
    assert measures.boundary_distance(a, a) == 0
    # Brute force over all pairs of outline pixels.
    outlines = []
    for mask in (a, b):
        inside = np.pad(mask, 1)
        near = [np.roll(inside, s, axis) for s in (1, -1) for axis in (0, 1)]
        outlines.append(np.argwhere(inside & ~np.logical_and.reduce(near)))
    apart = np.linalg.norm(outlines[0][:, None] - outlines[1][None], axis=-1)
    expected = (apart.min(1).mean() + apart.min(0).mean()) / 2
    assert measures.boundary_distance(a, b) == pytest.approx(expected)
    assert measures.boundary_distance(a, a & ~a) == np.inf


def test_angles_and_noise_ratio_by_hand() -> None:
    turned = np.radians([0.01, 1.0, 90.0, 179.0])
    b = np.stack([np.cos(turned), np.sin(turned), 0 * turned], -1)
    found = measures.angles(np.tile([1.0, 0, 0], (4, 1)), b)
    assert found == pytest.approx([0.01, 1.0, 90.0, 179.0], rel=1e-9)
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    a = np.full((20, 20, 3), 0.5)
    b = a + 0.1
    b[~mask] = 0  # what is outside does not count
    assert measures.psnr(a, b, mask) == pytest.approx(20.0)
    assert measures.psnr(a, a, mask) == 100.0
    assert measures.ssim(a, a, mask) == pytest.approx(1.0)


def test_what_hair_hides_of_a_face_is_not_compared() -> None:
    """A fringe before the surface hides it, hair behind it does not, nor do brows."""
    lens = np.array([[100.0, 0, 40], [0, 100, 30], [0, 0, 1]])
    view = View(lens, np.eye(3), np.zeros(3), (80, 60))
    depth = np.full((60, 80), 500.0)

    def across(row: float, away: float) -> np.ndarray:
        columns = np.linspace(10, 70, 16)
        return np.stack(
            [(columns - 40) * away / 100, np.full(16, (row - 30) * away / 100), np.full(16, away)],
            axis=1,
        )

    points = np.stack([across(12, 450), across(40, 600), across(50, 450)]).astype(np.float32)
    head = make_reconstruction()
    head.hair_points, head.hair_kind = points, np.array([0, 0, 1], np.uint8)
    head.landmarks3d = np.stack([across(30, 500)[k % 16] for k in range(68)]).astype(np.float32)
    hidden = under_hair(head, view, depth)
    assert hidden[12, 12:68].all()
    assert not hidden[[5, 20, 40, 50]].any()
    head.hair_kind = np.empty(0, np.uint8)
    assert under_hair(head, view, depth)[50, 12:68].all(), "without kinds all is the head's"
    head.hair_points = np.empty((0, 0, 3), np.float32)
    assert not under_hair(head, view, depth).any()


def test_pictures_without_a_common_pixel_are_all_wrong() -> None:
    def passes(mask: np.ndarray) -> Passes:
        three = np.repeat(mask[..., None], 3, 2).astype(np.float32)
        return Passes(mask, mask.astype(np.float32), three, three, three)

    found = measures.passes_measures(passes(square(0, 10)), passes(square(30, 10)))
    assert set(found) == {n for n, t in thresholds().items() if t.group == "scene"}
    assert not any(measure(name, value).passed for name, value in found.items())
    plain = measures.passes_measures(passes(square(5)), passes(square(5)), textured=False)
    assert not any(name.startswith(("unlit", "shaded")) for name in plain)


def test_vertex_normals_do_not_depend_on_the_cut() -> None:
    # A cube's corner: weighted by angles its normal is the diagonal, however faces are split.
    vertices = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) - 0.5
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    for polygons in (quads, [t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])]):
        normals = angle_weighted_normals(vertices, np.array(polygons))
        assert normals == pytest.approx(vertices / np.linalg.norm(vertices, axis=1)[:, None])
    ball, polygons, _, _ = grid_sphere(40, 80)
    inner = np.abs(ball[:, 1]) < 0.98
    off = measures.angles(angle_weighted_normals(ball, polygons), ball)
    assert off[inner].max() < 0.5


def test_flip_of_the_same_is_nothing() -> None:
    a = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    found = flip_map(a, a)
    assert found is not None and found.shape == (32, 32) and found.max() < 1e-6
    assert flip_map(a, np.clip(a + 0.2, 0, 1)).mean() > 0.1


# --- views ----------------------------------------------------------------------------------------


def test_a_view_is_the_photo_scaled() -> None:
    made = make_reconstruction(image_size=(640, 480), principal=(300.0, 260.0))
    view = frame_view(made, Frame(640, 480))
    assert view.camera_matrix == pytest.approx(made.camera_matrix)
    window = head_frame(view, made.vertices_posed, 512)
    seen = view_in_frame(view, window)
    assert max(seen.size) == 512 and min(seen.size) > 200
    # A pixel's area is scaled about the picture's corner, not about the first pixel's centre.
    scale = window.frame[0] / 640
    there = (project(made, made.vertices_posed) + 0.5) * scale - 0.5
    assert seen.project(made.vertices_posed) == pytest.approx(
        there - [window.left, window.top], abs=0.4 * 1.0
    )
    pixels = seen.project(made.vertices_posed)
    assert pixels.min() > 0 and (pixels < np.array(seen.size)).all()


def test_a_frame_shows_the_whole_photo_in_its_middle() -> None:
    made = make_reconstruction(image_size=(640, 480), principal=(300.0, 260.0))
    view = frame_view(made, Frame(1280, 1920))
    corners = np.linalg.inv(made.camera_matrix) @ [[-0.5, 639.5], [-0.5, 479.5], [1, 1]]
    rays = (made.rotation.T @ (corners * 500 - made.translation[:, None])).T
    assert view.project(rays) == pytest.approx(
        np.array([[-0.5, 480 - 0.5], [1279.5, 1440 - 0.5]]), abs=1e-6
    )


def test_the_photo_lies_under_the_view() -> None:
    made = make_reconstruction(image_size=(640, 480))
    seen = view_in_frame(
        view := frame_view(made, Frame(640, 480)), head_frame(view, made.vertices_posed, 256)
    )
    photo, there = photo_in_view(made, seen)
    # The photo is a ramp along x: where the view's column comes from is what it shows.
    column = np.arange(seen.size[0])
    scale = seen.camera_matrix[0, 0] / made.camera_matrix[0, 0]
    source = (column - seen.camera_matrix[0, 2]) / scale + made.camera_matrix[0, 2]
    inside = there.all(0)
    expected = (60 + 140 * source / 639) / 255
    assert np.abs(photo[100, inside, 0] - expected[inside]).max() < 0.012


def test_a_head_outside_of_its_picture_is_said() -> None:
    made = make_reconstruction()
    made.translation = np.array([5000.0, 0, 800.0])
    with raises(ExchangeError, "head"):
        head_frame(frame_view(made, Frame(640, 480)), made.vertices_posed, 256)


# --- files ----------------------------------------------------------------------------------------


def test_passes_survive_their_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    three = [rng.random((4, 5, 3)).astype(np.float32) for _ in range(3)]
    made = Passes(np.ones((4, 5), bool), np.ones((4, 5), np.float32), *three)
    again = load_passes(save_passes(tmp_path / "p.npz", made))
    assert again.size == (5, 4) and np.array_equal(again.shaded, made.shaded)
    (tmp_path / "half.npz").write_bytes((tmp_path / "p.npz").read_bytes()[:200])
    with raises(ExchangeError, tmp_path / "half.npz"):
        load_passes(tmp_path / "half.npz")
    with raises(ExchangeError, "'depth'", "(2, 5)"):
        Passes(made.covered, made.depth[:2], *three).validate()


def test_pairs_of_files(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.npz").touch()
    assert find_pairs([tmp_path], None) == [
        (tmp_path / "a.npz", tmp_path / "a.blend"), (tmp_path / "b.npz", tmp_path / "b.blend")
    ]  # fmt: skip
    with raises(VerificationError, 2, 1, "--blend"):
        find_pairs([tmp_path], [tmp_path / "a.blend"])
    (tmp_path / "empty").mkdir()
    with raises(VerificationError, ".npz", tmp_path / "empty"):
        find_pairs([tmp_path / "empty"], None)


def test_the_page_needs_no_other_file() -> None:
    result = Verification(
        "<b>Ada</b>",
        (measure("silhouette_iou", 0.9), measure("boundary_px", np.inf), measure("photo_flip", 0)),
        ("A note & more.",),
        np.zeros((4, 4, 3), np.uint8),
    )
    page = html_report([result], [("Bob", "There is no file bob.blend.")])
    assert "&lt;b&gt;Ada" in page and "<b>Ada" not in page and "A note &amp; more." in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r"(src|href)\s*=\s*['\"](?!data:|#)", page)
    assert "There is no file bob.blend." in page
    heads = json.loads(json_report([result], [("Bob", "gone")]))["heads"]
    assert heads[0]["scene"] is False and heads[0]["photo"] is True
    assert heads[0]["measures"]["boundary_px"]["value"] is None
    assert heads[1] == {"name": "Bob", "error": "gone"}


def test_every_threshold_has_a_reason() -> None:
    assert {one.group for one in thresholds().values()} == {"scene", "photo"}
    for one in thresholds().values():
        assert len(one.why) > 20
        assert (one.least is None) != (one.most is None)
        assert not one.allows(float("nan"))


# --- without PyTorch3D ----------------------------------------------------------------------------


def test_without_pytorch3d_nothing_runs_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(pytorch3d.VARIABLE, raising=False)
    monkeypatch.setattr(pytorch3d, "ENVIRONMENT", tmp_path)
    with raises(WorkerError, "PyTorch3D", "tools/verify.sh", pytorch3d.VARIABLE):
        pytorch3d.PyTorch3D()
    monkeypatch.setenv(pytorch3d.VARIABLE, str(tmp_path / "python"))
    with raises(WorkerError, pytorch3d.VARIABLE, tmp_path / "python"):
        pytorch3d.PyTorch3D()
    monkeypatch.setenv(pytorch3d.VARIABLE, sys.executable)
    with raises(WorkerError, "PyTorch3D", sys.executable, "'pytorch3d'"):
        pytorch3d.PyTorch3D()


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """A folder with the sample photo's head, as the command line makes it."""
    out = tmp_path_factory.mktemp("heads")
    command = ["reconstruct", str(astronaut), "-o", str(out), "--format", "blend", "--no-preview"]
    done = run(*command, "--texture-size", "1024")
    assert done.returncode == 0, done.stderr
    return out


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reconstruct_face.backend", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_sample_photo_passes(heads: Path, tmp_path: Path) -> None:
    report, numbers = tmp_path / "r.html", tmp_path / "r.json"
    before = (heads / "astronaut.blend").read_bytes()
    done = run("verify", str(heads), "--size", "384", "--report", str(report),
               "--json", str(numbers), "--pictures", str(tmp_path / "p"))  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert "astronaut: scene ok" in done.stdout
    assert (heads / "astronaut.blend").read_bytes() == before
    (head,) = json.loads(numbers.read_text())["heads"]
    assert head["scene"] is True and head["versions"]["pytorch3d"].startswith("0.7")
    assert set(head["measures"]) == set(thresholds())
    assert head["measures"]["landmarks_percent"]["value"] < 4
    assert head["measures"]["descriptor_distance"]["value"] < 0.1
    assert "data:image/png;base64," in report.read_text()
    assert (tmp_path / "p" / "astronaut_verification.png").stat().st_size > 10_000
    assert is_own(tmp_path / "p" / "astronaut_verification.png")


@pytest.mark.slow
def test_a_batch_with_a_wrong_scene_and_a_missing_one(heads: Path, tmp_path: Path) -> None:
    for name in ("good", "wrong", "lost"):
        (tmp_path / f"{name}.npz").write_bytes((heads / "astronaut.npz").read_bytes())
    (tmp_path / "good.blend").write_bytes((heads / "astronaut.blend").read_bytes())
    edit = (
        "import bpy,sys\n"
        f"bpy.ops.wm.open_mainfile(filepath={str(heads / 'astronaut.blend')!r})\n"
        "head = next(o for o in bpy.data.objects if 'reconstruct_face' in o)\n"
        "head.data.shape_keys.key_blocks['jawOpen'].value = 1.0\n"
        f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'wrong.blend')!r})\n"
    )
    subprocess.run([sys.executable, "-c", edit], check=True, capture_output=True)
    numbers = tmp_path / "r.json"
    done = run("verify", str(tmp_path), "--size", "256", "--json", str(numbers))
    assert done.returncode == 1  # two different failures
    assert "good: scene ok" in done.stdout and "wrong: scene OFF" in done.stdout
    assert str(tmp_path / "lost.blend") in done.stderr
    found = {head["name"]: head for head in json.loads(numbers.read_text())["heads"]}
    assert not found["wrong"]["measures"]["depth_worst_mm"]["passed"]
    assert found["good"]["scene"] and "error" in found["lost"]
    done = run("verify", str(tmp_path / "wrong.npz"), "--size", "256", "--quiet")
    assert done.returncode == VerificationError.exit_status and not done.stdout


@pytest.mark.slow
def test_files_that_are_no_heads_are_said(heads: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.blend"
    bad.write_bytes(b"no blend")
    done = run("verify", str(heads / "astronaut.npz"), "--blend", str(bad))
    assert done.returncode == ExchangeError.exit_status
    assert str(bad) in done.stderr
    empty = f"import bpy; bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'cube.blend')!r})"
    subprocess.run([sys.executable, "-c", empty], check=True, capture_output=True)
    done = run("verify", str(heads / "astronaut.npz"), "--blend", str(tmp_path / "cube.blend"))
    assert done.returncode == ExchangeError.exit_status
    has(done.stderr.splitlines()[-1], "none")
