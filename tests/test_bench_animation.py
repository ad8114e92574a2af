"""The animation benchmark: its measures of curves known by hand, its clips, its command."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.animate.job import Animated
from reconstruct_face.backend.bench import animation, animation_set
from reconstruct_face.backend.bench.animation import accuracy_table, count_blinks, main, measure
from reconstruct_face.backend.bench.animation_set import Clip, draw_clip, draw_curves, draw_turns
from reconstruct_face.backend.errors import NoFaceError, OutputError
from reconstruct_face.backend.exchange.motion import Motion, save_motion
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import FaceModel, load_model
from scipy.spatial.transform import Rotation

from tests.errors import raises

FRAMES, RATE = 120, 30.0
NAMES = ("jawOpen", "mouthPucker", "cheekPuff", "eyeBlinkLeft", "eyeBlinkRight")


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def lids(*middles: int, frames: int = FRAMES) -> np.ndarray:
    """(N,) lids that are shut for three frames about each of ``middles``."""
    at = np.arange(frames)
    return np.max([np.interp(at - m, [-4, -1, 1, 5], [0, 1, 1, 0]) for m in middles], axis=0)


def clip_of(weights: np.ndarray, folder: Path = Path(), turn: Rotation | None = None) -> Clip:
    """One of which only curves and rotations are asked."""
    count = len(weights)
    rotation = turn.as_matrix() if turn is not None else np.tile(FACING, (count, 1, 1))
    return Clip(
        folder, NAMES, weights, rotation, np.zeros((count, 3)), np.eye(3), np.zeros(1), RATE
    )


def curves() -> np.ndarray:
    at = np.arange(FRAMES)
    jaw = 0.4 + 0.4 * np.sin(at / 7)
    pucker = 0.25 + 0.25 * np.cos(at / 11)
    shut = lids(30, 80)
    return np.stack([jaw, pucker, np.full(FRAMES, 0.04), shut, shut], 1)


def motion_of(weights: np.ndarray, turn: Rotation | None = None) -> Motion:
    """The columns in another order and one more among them."""
    names = ("noseSneerLeft", *NAMES[::-1])
    columns = np.column_stack([np.full(len(weights), 0.5), weights[:, ::-1]])
    rotation = turn.as_matrix() if turn is not None else np.tile(FACING, (len(weights), 1, 1))
    return Motion(np.arange(len(weights)) / RATE, names, columns, rotation)


# -- measures


def test_the_truth_itself_has_no_error() -> None:
    found = measure(clip_of(curves()), motion_of(curves()))
    assert found.used == ("jawOpen", "mouthPucker", "eyeBlinkLeft", "eyeBlinkRight")
    assert found.correlation == pytest.approx(dict.fromkeys(found.used, 1.0))
    assert found.lag == dict.fromkeys(found.used, 0)
    assert found.error == pytest.approx(dict.fromkeys(NAMES, 0.0), abs=1e-7)
    assert (found.blinks, found.blinks_found, found.blinks_imagined) == (2, 2, 0)
    assert found.turn == pytest.approx(0.0, abs=1e-6) and found.frames == FRAMES


def test_errors_and_correlations_are_those_of_each_curve() -> None:
    truth, given = curves(), curves()
    given[:, 0] = 0.5 * truth[:, 0] + 0.1  # correlated wholly, and off
    given[:, 1] = truth[::-1, 1]
    given[:, 2] = 0.34
    found = measure(clip_of(truth), motion_of(given))
    assert found.correlation["jawOpen"] == pytest.approx(1.0)
    expected = sum(abs(0.5 * x - 0.1) for x in truth[:, 0].tolist()) / FRAMES
    assert found.error["jawOpen"] == pytest.approx(expected)
    a, b = truth[:, 1] - truth[:, 1].mean(), given[:, 1] - given[:, 1].mean()
    assert found.correlation["mouthPucker"] == pytest.approx((a @ b) / np.sqrt(a @ a * (b @ b)))
    assert found.error["cheekPuff"] == pytest.approx(0.3) and "cheekPuff" not in found.correlation
    of_used = [found.error[name] for name in ("jawOpen", "mouthPucker")] + [0.0, 0.0]
    assert found.visible_error == pytest.approx(np.mean(of_used)), "cheekPuff is not used"
    still = given.copy()
    still[:, 0] = 0.3
    assert measure(clip_of(truth), motion_of(still)).correlation["jawOpen"] == 0.0


@pytest.mark.parametrize("late", [-3, 2, 5])
def test_a_curve_that_comes_late_is_found_to(late: int) -> None:
    rng = np.random.default_rng(1)
    wide = np.convolve(rng.normal(size=FRAMES + 40), np.ones(5) / 5, "same")
    truth = curves()
    truth[:, 0], given = wide[20:-20], curves()
    given[:, 0] = wide[20 - late : FRAMES + 20 - late]
    assert measure(clip_of(truth), motion_of(given)).lag["jawOpen"] == late


def test_the_motion_may_be_shorter_than_the_clip() -> None:
    found = measure(clip_of(curves()), motion_of(curves()[:50]))
    assert found.frames == 50 and found.blinks == 1


def test_blinks_that_were_seen_missed_and_made_up() -> None:
    names = ("eyeBlinkRight", "eyeBlinkLeft")
    true = np.repeat(lids(20, 50, 90)[:, None], 2, axis=1)
    # The first three frames late, the second not at all, the third half shut; and one of nothing.
    seen = np.repeat((lids(23, 70) + 0.45 * lids(90))[:, None], 2, axis=1)
    assert count_blinks(names, true, seen) == (3, 1, 1)
    one_eye = seen.copy()
    one_eye[:, 0] = 0
    assert count_blinks(names, true, one_eye) == (3, 0, 0), "half of the mean of both is not shut"
    assert count_blinks(names, np.zeros_like(true), seen) == (0, 0, 2)
    assert count_blinks(names, true, np.zeros_like(true)) == (3, 0, 0)
    begins_shut = np.concatenate([np.ones((4, 2)), np.zeros((20, 2))])
    assert count_blinks(names, begins_shut, begins_shut) == (1, 1, 0)


def test_the_heads_turn_is_measured_without_a_constant_difference() -> None:
    rng = np.random.default_rng(2)
    sway = Rotation.from_rotvec(0.2 * rng.normal(size=(FRAMES, 3)))
    facing = Rotation.from_matrix(FACING)
    truth = clip_of(curves(), turn=facing * sway)
    aside = Rotation.from_euler("y", 20, degrees=True)
    found = measure(truth, motion_of(curves(), facing * sway * aside))
    assert found.turn == pytest.approx(0.0, abs=1e-5)
    # Three frames in ten are 9 degrees off, to either side: the median is of the others.
    wrong = np.array([9, -9] * 18 + [0] * (FRAMES - 36))
    off = Rotation.from_euler("x", wrong[:, None], degrees=True)
    assert measure(truth, motion_of(curves(), facing * sway * off)).turn == pytest.approx(
        0, abs=0.1
    )
    most = Rotation.from_euler("x", [[6.0], [-6.0]] * (FRAMES // 2), degrees=True)
    found = measure(truth, motion_of(curves(), facing * sway * most))
    assert found.turn == pytest.approx(6.0, abs=1e-3)


def test_the_table_adds_up_what_each_clip_gave() -> None:
    given = curves()
    given[:, 0] += 0.1
    one = measure(clip_of(curves()), motion_of(given))
    other = replace(measure(clip_of(curves()), motion_of(curves())), used=("jawOpen",))
    lines = accuracy_table([one, other]).splitlines()
    jaw = next(line for line in lines if line.startswith("jawOpen")).split()
    assert jaw == ["jawOpen", "1.000", "0.100", "0", "1.000", "0.000", "0"]
    pucker = next(line for line in lines if line.startswith("mouthPucker")).split()
    assert pucker == ["mouthPucker", "1.000", "0.000", "0"], "the other clip does not use it"
    text = "\n".join(lines)
    assert "cheekPuff" not in text
    assert f" {2 * FRAMES}" in text and "4 of 4, and 0" in text
    # 0.1 over four used shapes, and 0 over one; over all five it is 0.1 / 5 and 0.
    assert " 0.013" in text and " 0.010" in text


# -- clips


def test_curves_speak_then_smile_and_blink_six_times(model: FaceModel) -> None:
    rng = np.random.default_rng(7)
    frames = 300
    names = model.expression_names
    made = draw_curves(names, frames, RATE, rng)
    assert made.shape == (frames, len(names)) and made.min() >= 0 and made.max() <= 1
    column = dict(zip(names, made.T, strict=True))
    half, smiling = frames // 2, slice(int(0.6 * frames), int(0.75 * frames))
    speech = column["jawOpen"]
    assert speech[: half + 5].max() > 0.3 and speech[half + 10 :].max() == 0
    shut = speech[20 : half - 20] < 0.5 * speech.max()
    assert np.count_nonzero(np.diff(shut.astype(int)) == 1) > 5, "a syllable every 0.2 s or so"
    assert column["mouthSmileLeft"][smiling].min() > 0.65
    np.testing.assert_array_equal(column["mouthSmileLeft"], column["mouthSmileRight"])
    blink = column["eyeBlinkLeft"] > 0.5
    assert np.count_nonzero(np.diff(blink.astype(int), prepend=0) == 1) == 6
    np.testing.assert_array_equal(column["eyeLookOutLeft"], column["eyeLookInRight"])
    assert not (column["eyeLookOutLeft"] * column["eyeLookInLeft"]).any()
    assert column["browInnerUp"][int(0.88 * frames)] > 0.65
    moved = {name for name in names if column[name].any()}
    assert not moved & {"tongueOut", "noseSneerLeft", "mouthFrownLeft"}
    few = draw_curves(("jawOpen",), frames, RATE, np.random.default_rng(7))
    np.testing.assert_array_equal(few[:, 0], speech)  # of a model with fewer shapes, the same


def test_turns_sway_and_go_to_the_side_once() -> None:
    sides = set()
    for seed in range(6):
        yaw, pitch, roll = draw_turns(300, RATE, np.random.default_rng(seed)).T
        assert np.abs(pitch).max() <= 3 and np.abs(roll).max() <= 2.5
        assert np.abs(yaw[:150]).max() <= 4 and np.abs(yaw[225]) > 24 - 4
        sides.add(np.sign(yaw[225]))
    assert sides == {-1, 1}


def test_what_a_clip_is_told_is_what_its_camera_sees(model: FaceModel) -> None:
    truth, look = draw_clip(model, 1, 12, 200, seed=5)
    again, _ = draw_clip(model, 1, 12, 200, seed=5)
    other, _ = draw_clip(model, 0, 12, 200, seed=5)
    assert all(np.array_equal(truth[name], again[name]) for name in truth)
    assert not np.array_equal(truth["weights"], other["weights"])
    rotation, translation = truth["rotation"], truth["translation"]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (12, 1, 1)), atol=1e-12
    )
    neck = rotation @ animation_set.PIVOT + translation
    np.testing.assert_allclose(neck, neck[:1].repeat(12, 0), atol=1e-9)  # the neck stays
    # The vertices, by the bases in float64; brows to chin fill 0.4 of the picture's side.
    basis = model.expression_basis.astype(float)
    shape = model.mean + np.tensordot(truth["identity"], model.identity_basis.astype(float), 1)
    expected = shape + np.tensordot(truth["weights"][7], basis, 1)
    np.testing.assert_allclose(look["vertices"][7], expected, atol=1e-3)
    marks = shape[model.landmarks68]
    away = (marks - marks.mean(axis=0)) @ FACING.T + (0, 0, 1)
    depth = (FACING @ (marks.mean(axis=0) - animation_set.PIVOT) + neck[0])[2]
    tall = truth["camera_matrix"][1, 1] * np.ptp(away[:, 1]) / depth
    assert tall == pytest.approx(0.4 * 200, rel=1e-6)


def made_clip(folder: Path, count: int = 5, side: int = 64) -> Clip:
    """A clip on disk whose frames are grey, each lighter than the one before."""
    folder.mkdir(parents=True)
    weights = np.zeros((count, len(NAMES)))
    weights[:, 0] = np.linspace(0, 1, count)
    arrays = {
        "names": np.array(NAMES),
        "weights": weights,
        "rotation": np.tile(FACING, (count, 1, 1)),
        "translation": np.full((count, 3), 500.0),
        "camera_matrix": np.eye(3),
        "identity": np.arange(4.0),
        "rate": np.array(25.0),
    }
    np.savez(folder / "truth.npz", **arrays)
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:04d}.png"), np.full((side, side, 3), 20 + 40 * i, np.uint8))
    return Clip.load(folder)


def frames_of(path: Path) -> tuple[float, list[np.ndarray]]:
    video, pictures = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        pictures.append(read[1])
    return video.get(cv2.CAP_PROP_FPS), pictures


def test_a_clip_is_read_and_becomes_a_film(tmp_path: Path) -> None:
    clip = made_clip(tmp_path / "clip")
    assert clip.names == NAMES and clip.rate == 25.0 and clip.weights[-1, 0] == 1.0
    assert clip.identity.tolist() == [0, 1, 2, 3]
    cv2.imwrite(str(clip.folder / "0005.png"), np.full((64, 64, 3), 255, np.uint8))  # of no curve
    rate, pictures = frames_of(clip.write_video(tmp_path / "a.mp4"))
    assert rate == pytest.approx(25.0) and [p.shape for p in pictures] == [(64, 64, 3)] * 5
    assert [float(p.mean()) for p in pictures] == pytest.approx([20, 60, 100, 140, 180], abs=4)
    _, wide = frames_of(clip.write_video(tmp_path / "b.mp4", (160, 96)))
    assert [p.shape for p in wide] == [(96, 160, 3)] * 5
    with raises(OutputError, "b.mp4"):
        clip.write_video(tmp_path / "none" / "b.mp4")


def test_a_film_of_another_shape_has_the_picture_in_its_middle(tmp_path: Path) -> None:
    clip = made_clip(tmp_path / "clip", 1)
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[16:48, 16:48] = 220
    cv2.imwrite(str(clip.folder / "0000.png"), picture)
    _, (frame,) = frames_of(clip.write_video(tmp_path / "a.mp4", (192, 128)))
    rows, columns = np.nonzero(frame[..., 0] > 130)
    box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert box == pytest.approx((32, 96, 64, 128), abs=2)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces Cycles by grey pictures; the names of all that were made."""
    done: list[str] = []

    def renderer(module: str, folder: Path, report: object) -> None:
        assert module == "tools.make_animation_clips"
        for look in sorted(folder.glob("clip_*/look.npz")):
            with np.load(look) as arrays:
                count = len(arrays["vertices"])
            for i in range(count):
                path = look.with_name(f"{i:04d}.png")
                if not path.exists():
                    cv2.imwrite(str(path), np.full((32, 32, 3), 90, np.uint8))
                    done.append(f"{path.parent.name}/{path.name}")

    monkeypatch.setattr(animation_set, "run_renderer", renderer)
    return done


def test_clips_are_made_once_and_an_interrupted_run_goes_on(
    model: FaceModel, tmp_path: Path, rendered: list[str]
) -> None:
    lines: list[str] = []

    def make(**changes: int) -> list[Clip]:
        given = {"clips": 2, "frames": 3, "size": 32, "seed": 4} | changes
        return animation_set.animation_set(tmp_path / "set", model, report=lines.append, **given)

    first = make()
    wanted = [f"clip_{i}/{k:04d}.png" for i, k in itertools.product(range(2), range(3))]
    assert rendered == wanted and len(lines) == 1 and "6" in lines[0].split()
    assert [clip.weights.shape[0] for clip in first] == [3, 3]
    assert not np.array_equal(first[0].identity, first[1].identity)
    make()
    assert rendered == wanted and len(lines) == 1, "nothing is missing"
    (tmp_path / "set" / "clip_1" / "0001.png").unlink()
    make()
    assert rendered[6:] == ["clip_1/0001.png"]
    make(seed=5)
    assert rendered[7:] == wanted, "another seed is another set"


def test_a_folder_with_something_else_in_it_is_left_alone(
    model: FaceModel, tmp_path: Path, rendered: list[str]
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with raises(OutputError, tmp_path):
        animation_set.animation_set(tmp_path, model, 1, 2, 32)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"] and not rendered
    (tmp_path / "letter.txt").rename(tmp_path / "set.json")
    with raises(OutputError, tmp_path):
        animation_set.animation_set(tmp_path, model, 1, 2, 32)
    (tmp_path / "set.json").write_text(json.dumps({"format": "reconstruct_face.accuracy_set"}))
    with raises(OutputError, tmp_path):
        animation_set.animation_set(tmp_path, model, 1, 2, 32)
    assert not rendered and [path.name for path in tmp_path.iterdir()] == ["set.json"]


# -- the command


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Replaces the animation by frames that take no time but what they tell the clock."""
    made: list[str] = []
    frame = SimpleNamespace(
        weights=np.zeros(3), rotation=FACING, translation=np.ones(3), valid=True, begins=False
    )

    def follow(source: SimpleNamespace, prepared: object, clock: animation.Clock):
        for _ in range(source.count):
            clock.seconds["solve"] = clock.seconds.get("solve", 0.0) + 0.004
            yield frame, None

    def prepare(*_: object) -> str:
        made.append("head")
        return "prepared"

    monkeypatch.setattr(
        animation,
        "open_source",
        lambda video: SimpleNamespace(count=int(Path(video).stem), rate=RATE, size=(64, 48)),
    )
    monkeypatch.setattr(animation, "prepare", prepare)
    monkeypatch.setattr(
        animation, "save_prepared", lambda prepared, folder: (folder / "head.npz").touch()
    )
    monkeypatch.setattr(animation, "load_prepared", lambda folder: "prepared")
    monkeypatch.setattr(animation, "follow", follow)
    return made


@pytest.mark.parametrize(
    ("count", "most", "counted"),
    [(50, None, 40), (50, 30, 20), (11, None, 1), (10, None, 10), (7, None, 7)],
)
def test_speed_leaves_out_what_is_loaded_in_the_first_frames(
    stages: list[str], tmp_path: Path, count: int, most: int | None, counted: int
) -> None:
    found = animation.speed(Path(f"{count}.mp4"), tmp_path, most)
    assert found["frames"] == counted and found["size"] == [64, 48]
    assert found["stages_ms"]["solve"] == pytest.approx(4.0)
    assert set(found["stages_ms"]) == {"solve", "smooth"}
    assert found["frames_per_second"] > 10, "frames that take no time"
    animation.speed(Path(f"{count}.mp4"), tmp_path, most)
    assert stages == ["head"], "a head that is there is not solved again"
    text = animation.speed_table(found | {"frames_per_second": 12.5, "head_seconds": 61.2})
    assert "64 x 48" in text and "80.0 ms" in text and "61 s" in text


def test_the_command_measures_every_clip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = []
    for name in ("a", "b"):
        clip = made_clip(tmp_path / name)
        clips.append(replace(clip, weights=curves(), rotation=np.tile(FACING, (FRAMES, 1, 1))))

    def animated(video: Path, out: Path) -> Animated:
        assert len(frames_of(video)[1]) == 5
        late = np.roll(curves(), 1, axis=0)
        return Animated(save_motion(out, motion_of(late)), out, ())

    monkeypatch.setattr(animation, "animate", animated)
    monkeypatch.setattr(animation, "animation_set", lambda *given: clips)
    assert main(["--accuracy", "--json", str(tmp_path / "numbers.json")]) == 0
    shown = capsys.readouterr().out
    document = json.loads((tmp_path / "numbers.json").read_text())
    assert [one["lag"]["jawOpen"] for one in document["clips"]] == [1, 1]
    assert document["clips"][0]["frames"] == FRAMES and "clip 1" in shown
    assert f"{document['clips'][0]['visible_error']:.3f}" in shown


def test_failures_and_filters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise NoFaceError("No face in clip.mp4.")

    monkeypatch.setattr(animation, "speed", refused)
    assert main([str(tmp_path / "clip.mp4")]) == NoFaceError.exit_status
    assert "No face in clip.mp4." in capsys.readouterr().err
    assert main(["--filters"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == list(animation.FILTERS)
    for row in rows:
        score = dict(zip(row[1::2], map(float, row[2::2]), strict=True))
        assert score == pytest.approx(animation.score(row[0]), abs=6e-4)
