"""From video to motion: the parts, each against something worked out in another way."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.animate import job, smooth
from reconstruct_face.backend.animate.job import Animated
from reconstruct_face.backend.animate.solve import FrameSolver
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.animate.track import Tracker
from reconstruct_face.backend.cli import animate as command
from reconstruct_face.backend.cli.animate import main
from reconstruct_face.backend.errors import PhotoError
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.contour import seen_landmarks
from reconstruct_face.backend.worker import METHODS

from tests import animate_clip as clips
from tests.errors import has, raises

# -- frames


def grey(value: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), value, np.uint8)


def test_frames_of_a_video_come_with_their_times(tmp_path):
    source = open_source(clips.write(tmp_path / "a.mp4", [grey(20 * i) for i in range(10)], 25.0))
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(10))
    assert np.allclose([frame.time for frame in frames], np.arange(10) / 25, atol=1e-3)
    shown = [float(f.pixels.mean()) for f in frames if f.pixels is not None]
    assert np.allclose(shown, 20 * np.arange(10), atol=4)
    later = list(source.frames(7))
    assert [frame.index for frame in later] == [7, 8, 9]
    assert [frame.time for frame in later] == [frame.time for frame in frames[7:]]
    assert source.notes == []


def test_a_varying_frame_rate_keeps_each_frames_own_time(tmp_path):
    path = clips.write(tmp_path / "a.mp4", [grey(20 * i) for i in range(10)], 25.0)
    source = open_source(clips.make_uneven(path, 5))
    times = [frame.time for frame in source.frames()]
    assert np.allclose(times, [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.28, 0.36, 0.44, 0.52], atol=2e-3)


def test_a_damaged_video_gives_what_is_left_of_it(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (96, 128, 3)).astype(np.uint8) for _ in range(20)]
    path = clips.write(tmp_path / "a.avi", noise)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source = open_source(path)
    count = sum(frame.pixels is not None for frame in source.frames())
    assert 3 < count < 20 == source.count
    (note,) = source.notes
    has(note, "a.avi", count, 20)


def test_a_video_that_says_more_frames_than_it_has_is_said_to_be_damaged(tmp_path):
    source = open_source(clips.write(tmp_path / "a.mp4", [grey(9 * i) for i in range(20)]))
    source.count = 50
    assert len(list(source.frames())) == 20
    assert source.notes == ["The video a.mp4 is damaged: only 20 of its 50 frames can be read."]


def test_a_folder_of_frames_is_read_in_natural_order_and_bad_ones_are_left_out(tmp_path):
    for i in (1, 2, 10, 11):
        cv2.imwrite(str(tmp_path / f"f{i}.png"), grey(10 * i))
    (tmp_path / "f3.png").write_bytes(b"nothing")
    cv2.imwrite(str(tmp_path / "f12.png"), grey(1, (50, 50)))
    source = open_source(tmp_path, 10.0)
    frames = list(source.frames())
    shown = [None if f.pixels is None else round(float(f.pixels.mean())) for f in frames]
    assert shown == [10, 20, *[None] * 7, 100, 110, None]
    assert np.allclose([f.time for f in frames], np.arange(12) / 10)
    assert len(source.notes) == 3 and "f12.png" in source.notes[2]


def test_what_is_no_video_is_said_in_one_sentence(tmp_path, capsys):
    (tmp_path / "notes.mp4").write_text("not a video")
    (tmp_path / "empty").mkdir()
    for name in ("missing.mp4", "notes.mp4", "empty"):
        with raises(PhotoError, tmp_path / name) as refused:
            open_source(tmp_path / name)
        assert main([str(tmp_path / name), "-o", str(tmp_path / "out"), "--quiet"]) == 3
        assert str(refused.value) in capsys.readouterr().err


def test_the_command_passes_on_what_it_was_told(tmp_path, monkeypatch, capsys):
    asked: dict = {}

    def fake(video, out, **given):
        asked.update(given, video=video, out=out)
        return Animated(out, given["head_out"], ("All is well.",))

    monkeypatch.setattr(command, "animate", fake)
    words = ["clip.mp4", "-o", str(tmp_path), "--smoothing", "none", "--partial-blinks", "--quiet"]
    assert main([*words, "--landmarks-only", "--frame-rate", "24", "--quality", "fast"]) == 0
    options = asked["options"]
    assert (options.frame_rate, options.appearance, options.smoothing) == (24.0, False, "none")
    assert options.whole_blinks is False and options.reconstruction.quality == "fast"
    assert asked["out"] == tmp_path / "clip_motion.npz"
    found = capsys.readouterr()
    assert found.out.split() == [str(tmp_path / f"clip_{n}.npz") for n in ("motion", "head")]
    assert "All is well." in found.err


def test_the_worker_answers_as_blender_asks(tmp_path, monkeypatch):
    asked: dict = {}

    def fake(video, out, **given):
        asked.update(given, video=video)
        return Animated(Path(out), Path(out).with_name("h.npz"), ("Said.",))

    monkeypatch.setattr(job, "animate", fake)
    found = METHODS["animate"](
        video="v.mp4",
        out=str(tmp_path / "new" / "m.npz"),
        head=None,
        frame_rate=12.0,
        progress=lambda part, step: None,
    )
    assert found == {
        "motion": str(tmp_path / "new" / "m.npz"),
        "reconstruction": str(tmp_path / "new" / "h.npz"),
        "notes": ["Said."],
    }
    assert (tmp_path / "new").is_dir()
    assert asked["options"].frame_rate == 12.0 and asked["video"] == "v.mp4"


def test_a_camera_that_is_not_there_is_said(tmp_path, capsys):
    assert main(["97", "-o", str(tmp_path), "--quiet"]) == 3
    has(capsys.readouterr().err, 97)


# -- the solver


def test_pose_and_open_mouth_are_found_from_exact_landmarks():
    model, person = load_model(), clips.Person.number(2)
    names = model.expression_names
    weights = np.zeros(len(names))
    weights[names.index("jawOpen")] = 0.5
    camera = clips.camera_at(18.0, -6.0, 20.0)
    vertices = model.vertices(person.identity, weights)
    marks = camera.project(seen_landmarks(model, vertices, camera))
    yaw, _, roll = camera.euler_degrees
    depth = camera.to_camera(vertices[model.landmarks68])[:, 2].mean()
    marks = marks + dlib_noise().offset(yaw, roll, camera.focal / depth)
    pose = FrameSolver(model, person.identity, camera.camera_matrix).solve(marks)
    turn = np.degrees(np.arccos((np.trace(pose.rotation.T @ camera.rotation) - 1) / 2))
    assert turn < 1.5
    assert np.linalg.norm(pose.translation - camera.translation) < 12
    assert abs(pose.weights[names.index("jawOpen")] - 0.5) < 0.12
    assert (pose.weights >= model.expression_range[:, 0]).all()
    assert (pose.weights <= model.expression_range[:, 1]).all()


# -- smoothing


@pytest.mark.parametrize("rate", [24.0, 30.0, 60.0])
def test_the_filter_takes_jitter_but_leaves_blinks_plosives_and_time(rate):
    found = smooth.score(smooth.DEFAULT_FILTER, rate)
    assert found["lag"] == 0
    assert found["jitter"] < 0.5
    assert found["peak"] < 0.05 and found["dip"] < 0.05


def test_the_default_filter_is_the_calmest_of_those_that_keep_the_peaks():
    scores = {kind: smooth.score(kind) for kind in smooth.FILTERS}
    good = {k: s for k, s in scores.items() if s["peak"] < 0.03 and s["dip"] < 0.03}
    assert min(good, key=lambda k: good[k]["jitter"]) == smooth.DEFAULT_FILTER


def test_a_filter_with_lag_would_fail_the_score(monkeypatch):
    def late(values, rate):
        return np.concatenate([values[:1], values[:1], values[:-2]])

    monkeypatch.setitem(smooth.FILTERS, "late", late)
    assert smooth.score("late")["lag"] == 2


def test_lost_frames_are_filled_in_and_nothing_goes_across_a_cut():
    n = 60
    weights = np.where(np.arange(n) < 30, 0.1, 0.9)[:, None]
    weights[10:15] = 5.0
    valid = np.ones(n, bool)
    valid[10:15] = False
    begins = np.zeros(n, bool)
    begins[30] = True
    turn = np.tile(np.diag([1.0, -1.0, -1.0]), (n, 1, 1))
    shift = np.tile([0.0, 0.0, 700.0], (n, 1))
    found, rotation, translation = smooth.smooth_motion(weights, turn, shift, valid, begins, 30.0)
    assert np.allclose(found[:, 0], np.where(np.arange(n) < 30, 0.1, 0.9), atol=1e-6)
    assert np.allclose(rotation, turn, atol=1e-9) and np.allclose(translation, shift)


def test_half_seen_blinks_close_the_eyes_but_slow_lids_and_noise_stay():
    rate, rng = 30.0, np.random.default_rng(1)
    seconds = np.arange(300) / rate
    lids = 0.05 + 0.02 * rng.normal(size=300)
    lids += np.interp(seconds - 2.0, [-0.1, 0.0, 0.15], [0, 0.5, 0])
    lids += np.interp(seconds - 6.0, [-0.8, -0.4, 0.4, 0.8], [0, 0.5, 0.5, 0])
    names = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
    weights = np.stack([lids, lids, lids], axis=1)
    found = smooth.whole_blinks(weights, names, rate)
    assert found[60, 1] > 0.9 and found[60, 2] > 0.9
    assert int(np.argmax(found[45:75, 1])) == int(np.argmax(lids[45:75]))
    far = np.abs(seconds - 2.0) > 0.3
    assert np.abs(found - weights)[far].max() < 0.08
    assert np.array_equal(found[:, 0], weights[:, 0])


# -- following


def crossing(frames: int, front: bool) -> tuple[list[np.ndarray], list[float]]:
    """Two people who pass each other, and where the first one is; ``front``: before the other."""
    size = (480, 256)
    people = [clips.Person.number(5, 1.6), clips.Person.number(4, 1.6)]
    people[1].albedo = np.clip(people[1].albedo * (0.35, 0.3, 0.28), 0.003, 1).astype(np.float32)
    still = np.zeros(len(load_model().expression_names))
    pictures, places = [], []
    for i in range(frames):
        aside = -190 + 380 * i / (frames - 1)
        own = clips.camera_at(aside=aside, size=size, distance=800 if front else 860)
        other = clips.camera_at(aside=-aside, size=size, distance=860 if front else 800)
        layers = [people[1].draw(still, other, size, 0.0), people[0].draw(still, own, size, 0.0)]
        if not front:
            layers.reverse()
        seen = layers[1].max(axis=2, keepdims=True) > 0
        picture = np.where(seen, layers[1], layers[0])
        pictures.append(np.where(picture.max(axis=2, keepdims=True) > 0, picture, 120))
        places.append(float(own.project(np.array([[0, -20.0, 60.0]]))[0, 0]))
    return [picture.astype(np.uint8) for picture in pictures], places


@pytest.mark.parametrize("front", [True, False])
def test_of_two_people_who_cross_the_first_is_followed(front):
    pictures, places = crossing(24, front)
    tracker = Tracker()
    # Alone at first, so that it is clear whom to follow.
    alone = pictures[0].copy()
    alone[:, 240:] = 120
    assert tracker.follow(alone) is not None
    found = [tracker.follow(picture) for picture in pictures]
    off = [abs(f.landmarks[:, 0].mean() - x) for f, x in zip(found, places, strict=True) if f]
    assert len(off) >= (18 if front else 12)
    # Landmarks slide a little while the other one covers the face; that one goes 180 pixels away.
    assert max(off) < 40
    assert found[-1] is not None


def test_a_cut_is_noticed_and_the_face_found_again():
    who = clips.Person.number(5)
    still = np.zeros(len(load_model().expression_names))
    size = (400, 256)
    before = who.draw(still, clips.camera_at(aside=-75, size=size, distance=450), size)
    after = who.draw(
        still, clips.camera_at(aside=75, size=size, distance=450), size, background=0.75
    )
    tracker = Tracker()
    found = [tracker.follow(p) for p in (before, before, after, after)]
    assert all(face is not None for face in found)
    assert [face.fresh for face in found if face] == [True, False, True, False]
    assert [face.cut for face in found if face] == [False, False, True, False]
    assert found[3].landmarks[:, 0].mean() > 220
