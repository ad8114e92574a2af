"""Motion files: what is read and written, what is odd about them and what is made of that."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ExchangeError, OutputError
from reconstruct_face.backend.exchange.motion import Motion, load_motion, save_motion
from reconstruct_face.backend.exchange.names import ARKIT, arkit_name
from reconstruct_face.backend.geometry.rotation import FACING, from_quaternions, to_quaternions
from reconstruct_face.backend.motion import (
    read_motion_file,
    resample,
    simplify,
    write_motion_file,
)
from reconstruct_face.backend.motion.files import lost_in
from reconstruct_face.backend.motion.livelink import from_angles, to_angles
from reconstruct_face.backend.motion.resample import rate_of

from tests.errors import raises
from tests.synthetic_reconstruction import ARKIT_NAMES


def moving(frames: int = 90, rate: float = 30.0) -> Motion:
    """A motion in which everything is different."""
    rng = np.random.default_rng(3)
    t = np.arange(frames) / rate
    weights = rng.random((frames, 52)).astype(np.float32)
    rotation = from_angles(0.6 * np.sin(2 * t), 0.3 * np.sin(3 * t), 0.2 * np.cos(t))
    translation = np.stack([30 * np.sin(t), 10 * t, 600 + 5 * t], 1)
    valid = np.ones(frames, bool)
    valid[10:14] = valid[-1] = False
    return Motion(t, ARKIT, weights, rotation, translation, valid, rate, {"audio": "a.wav"})


# -- the dataclass and its file


def test_a_saved_motion_is_the_same(tmp_path: Path) -> None:
    made = moving()
    read = load_motion(save_motion(tmp_path / "m.npz", made))
    for name in ("times", "weights", "rotation", "translation", "valid"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    assert (read.names, read.frame_rate, read.header) == (made.names, 30.0, {"audio": "a.wav"})
    assert read.lost_ranges() == [(10, 13), (89, 89)]
    bare = load_motion(save_motion(tmp_path / "b.npz", Motion([0.0], ("a",), [[1.0]])))
    assert bare.rotation is None and bare.translation is None and bare.valid.all()


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"times": [0.0, 0.0]}, ("'times'", 1)),
        ({"times": []}, ("frames",)),
        ({"weights": [[1.0], [np.nan]]}, ("'weights'",)),
        ({"weights": [[1.0]]}, ("'weights'", "(1, 1)", "(2, 1)")),
        ({"names": ("a", "a"), "weights": np.ones((2, 2))}, ("'names'", "'a'")),
        ({"rotation": np.ones((2, 3, 3))}, ("'rotation'", 0)),
        ({"rotation": -np.tile(np.eye(3), (2, 1, 1))}, ("'rotation'", 0)),
        ({"frame_rate": 0.0}, ("'frame_rate'", 0.0)),
    ],
)
def test_what_does_not_fit_is_named(change: dict, facts: tuple[object, ...]) -> None:
    good = {"times": [0.0, 1.0], "names": ("a",), "weights": [[1.0], [2.0]]}
    with raises(ExchangeError, *facts):
        Motion(**(good | change))


def test_files_that_are_no_motion_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    with raises(ExchangeError, path):
        load_motion(path)
    path.write_bytes(b"PK\x03\x04 half a file")
    with raises(ExchangeError, path):
        load_motion(path)
    header = {"format": "reconstruct_face.reconstruction", "version": 1}
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8))
    with raises(ExchangeError, path, "head"):
        load_motion(path)
    header = {"format": "reconstruct_face.motion", "version": 99}
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8))
    with raises(ExchangeError, path, 99, 1):
        load_motion(path)
    with raises(OutputError, tmp_path / "none" / "m.npz"):
        save_motion(tmp_path / "none" / "m.npz", moving())


# -- rotations


def test_angles_are_the_persons_own() -> None:
    """By hand: a nose (0, 0, 1) in OpenCV's camera, whose x is the person's left."""
    zero, some = np.zeros(1), np.array([0.4])
    nose, top = np.array([0, 0, 1.0]), np.array([0, 1.0, 0])
    np.testing.assert_allclose(from_angles(zero, zero, zero)[0], FACING)
    right = from_angles(some, zero, zero)[0] @ nose
    np.testing.assert_allclose(right, [-np.sin(0.4), 0, -np.cos(0.4)], atol=1e-12)
    down = from_angles(zero, some, zero)[0] @ nose
    np.testing.assert_allclose(down, [0, np.sin(0.4), -np.cos(0.4)], atol=1e-12)
    left = from_angles(zero, zero, some)[0] @ top
    np.testing.assert_allclose(left, [np.sin(0.4), -np.cos(0.4), 0], atol=1e-12)


def test_angles_and_quaternions_go_there_and_back() -> None:
    angles = np.random.default_rng(0).uniform(-1.3, 1.3, (3, 200))
    rotation = from_angles(*angles)
    np.testing.assert_allclose(to_angles(rotation), angles, atol=1e-12)
    quaternions = to_quaternions(rotation)
    np.testing.assert_allclose(from_quaternions(quaternions), rotation, atol=1e-12)
    turn = np.linspace(0, 4 * np.pi, 100)  # twice around: no jump between neighbours
    steps = np.diff(to_quaternions(from_angles(turn, 0 * turn, 0 * turn)), axis=0)
    assert np.abs(steps).max() < 0.1


# -- our own CSV


def test_our_csv_holds_all_of_it(tmp_path: Path) -> None:
    made = moving()
    read = read_motion_file(write_motion_file(tmp_path / "m.csv", made))
    assert read.rotation is not None and made.rotation is not None
    assert read.translation is not None and made.translation is not None
    np.testing.assert_allclose(read.times, made.times, atol=1e-8)
    np.testing.assert_allclose(read.weights, made.weights, atol=1e-6)
    np.testing.assert_allclose(read.rotation, made.rotation, atol=1e-8)
    np.testing.assert_allclose(read.translation, made.translation, rtol=1e-8)
    assert read.valid.tolist() == made.valid.tolist()
    assert read.names == made.names and read.frame_rate == 30.0


def test_a_spreadsheets_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("﻿Time;jawOpen;comment\n0;0,25;wide\n0,5;0,75;wider\n\n", "utf-8")
    read = read_motion_file(path)
    assert read.weights.ravel().tolist() == [0.25, 0.75] and read.names == ("jawOpen",)
    assert "comment" in read.header["notes"][0]


def test_missing_values_are_interpolated_and_bad_rows_left_out(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("time,a,b\n0,0,1\n1,,2\n2,4,nan\n1.5,9,9\nx,9,9\n3,,\n4,8,5\n")
    read = read_motion_file(path)
    assert read.times.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(read.weights, [[0, 1], [2, 2], [4, 3], [6, 4], [8, 5]])
    assert read.valid.tolist() == [True, True, True, False, True]
    notes = " ".join(read.header["notes"])
    assert "without a time" in notes and "not after" in notes and "4 missing values" in notes


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (b"", ()),
        (b"\n \n", ()),
        (b"time,a\n", ("frames",)),
        (b"\xff\xfe\x00binary", ("CSV",)),
        (b"frame,a\n1,2\n", ("'Timecode'", "'time'", "frame, a")),
        (b"time\n1\n2\n", ("time",)),
        (b"time,a,a\n0,1,2\n", ("'a'",)),
        (b"time,a\nx,1\n", ("'time'",)),
        (
            b"Timecode,BlendShapeCount,Foo\n00:00:00:00.0,61,1\n",
            ("ARKit's", "Timecode, BlendShapeCount, Foo"),
        ),
        (b"Timecode,JawOpen\nnoon,1\n", ("HH:MM:SS:FF",)),
        (b"Timecode,BlendShapeCount,JawOpen\n00:00:00:00.0,0,\n", ("face",)),
    ],
)
def test_csvs_that_cannot_be_used_say_why(
    tmp_path: Path, text: bytes, facts: tuple[object, ...]
) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(text)
    with raises(ExchangeError, path, *facts):
        read_motion_file(path)
    with raises(ExchangeError, tmp_path / "absent.csv"):
        read_motion_file(tmp_path / "absent.csv")


# -- Live Link Face


def live_link(path: Path, rows: list[tuple[str, dict[str, float]]], columns: str = "") -> Path:
    """A CSV as the app writes it, by hand: nothing of ours."""
    names = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    angles = [f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye")
              for axis in ("Yaw", "Pitch", "Roll")]  # fmt: skip
    extra = columns.split()
    lines = [",".join(["Timecode", "BlendShapeCount", *names, *angles, *extra])]
    for code, values in rows:
        cells = [f"{values.get(name, 0.0):.6f}" for name in (*names, *angles, *extra)]
        lines.append(",".join([code, "61", *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


def at(frame: int, rate: int = 60, start: str = "10:20:30") -> str:
    hours, minutes, seconds = (int(part) for part in start.split(":"))
    whole = (hours * 60 + minutes) * 60 + seconds + frame // rate
    return (
        f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}:{frame % rate:02d}.250"
    )


def test_live_link_face_is_read(tmp_path: Path) -> None:
    rows = [(at(i), {"JawOpen": i / 100, "HeadYaw": 0.3, "HeadPitch": -0.1}) for i in range(100)]
    read = read_motion_file(live_link(tmp_path / "take.csv", rows))
    assert read.names == ARKIT and sorted(ARKIT) == sorted(ARKIT_NAMES)
    assert read.frame_rate == 60.0 and read.header["timecode"] == "10:20:30:00.250"
    np.testing.assert_allclose(read.times, np.arange(100) / 60, atol=1e-9)
    jaw = read.weights[:, ARKIT.index("jawOpen")]
    np.testing.assert_allclose(jaw, np.arange(100) / 100, atol=1e-6)
    assert read.weights.sum() == pytest.approx(jaw.sum())
    nose = read.rotation[0] @ [0, 0, 1]
    assert nose[0] < 0, "turned to the person's right, the camera's left"
    assert nose[1] < 0, "and up"
    assert read.translation is None and read.header["notes"] == []


def test_units_of_the_angles(tmp_path: Path) -> None:
    path = live_link(tmp_path / "t.csv", [(at(i), {"HeadYaw": 0.25}) for i in range(70)])
    for unit, yaw in (("radians", 0.25), ("half-turns", np.pi / 4), ("degrees", np.pi / 720)):
        read = read_motion_file(path, angles=unit)
        np.testing.assert_allclose(to_angles(read.rotation)[0], yaw, atol=1e-6)
    path = live_link(tmp_path / "d.csv", [(at(i), {"HeadYaw": 30.0}) for i in range(70)])
    read = read_motion_file(path)
    np.testing.assert_allclose(to_angles(read.rotation)[0], np.radians(30), atol=1e-6)
    assert "taken as degrees" in read.header["notes"][0]
    with raises(ExchangeError, "'grads'", "radians", "degrees", "half-turns"):
        read_motion_file(path, angles="grads")


def test_unknown_and_absent_columns_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = live_link(tmp_path / "t.csv", [(at(i), {"JawOpen": 0.5}) for i in range(70)], "Hat Tie")
    text = path.read_text().replace("CheekPuff", "CheekPfuff")
    path.write_text(text)
    read = read_motion_file(path)
    assert len(read.names) == 51 and "cheekPuff" not in read.names
    assert "CheekPfuff, Hat, Tie" in read.header["notes"][0]
    assert "no cheekPuff" in read.header["notes"][1]
    assert read.weights.max() == 0.5


def test_lost_faces_are_interpolated_and_marked(tmp_path: Path) -> None:
    path = live_link(tmp_path / "t.csv", [(at(i), {"JawOpen": i / 100}) for i in range(100)])
    lines = path.read_text().splitlines()
    for row in range(41, 51):  # frames 40 to 49
        lines[row] = lines[row].split(",")[0] + ",0"
    path.write_text("\n".join(lines))
    read = read_motion_file(path)
    assert read.lost_ranges() == [(40, 49)]
    jaw = read.weights[:, ARKIT.index("jawOpen")]
    np.testing.assert_allclose(jaw, np.arange(100) / 100, atol=1e-6)
    assert "lost in 10 of 100" in read.header["notes"][0]


def test_midnight_jumps_and_repeated_codes(tmp_path: Path) -> None:
    rows = [(at(i, start="23:59:59"), {"JawOpen": 0.1}) for i in range(130)]
    read = read_motion_file(live_link(tmp_path / "midnight.csv", rows))
    np.testing.assert_allclose(read.times, np.arange(130) / 60, atol=1e-9)
    assert read.header["notes"] == ["The time code passes midnight."]

    rows = [(at(i), {}) for i in range(70)] + [(at(i, start="09:00:00"), {}) for i in range(70)]
    rows += [(at(i, start="19:00:00"), {}) for i in range(10)]
    rows.insert(5, rows[4])
    read = read_motion_file(live_link(tmp_path / "jump.csv", rows))
    np.testing.assert_allclose(np.diff(read.times), 1 / 60, atol=1e-9)
    assert len(read.times) == 150
    notes = " ".join(read.header["notes"])
    assert "after row 72, and 1 times more" in notes and "1 rows that repeat" in notes


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_the_time_code_tells_the_frame_rate(tmp_path: Path, rate: int) -> None:
    rows = [(at(i, rate), {"JawOpen": 0.1}) for i in range(3 * rate)]
    read = read_motion_file(live_link(tmp_path / "t.csv", rows))
    assert read.frame_rate == rate
    assert read.duration == pytest.approx(3 - 1 / rate)
    short = read_motion_file(live_link(tmp_path / "s.csv", rows[:20]))
    assert "does not tell" in short.header["notes"][0] and short.frame_rate == 60
    told = read_motion_file(tmp_path / "s.csv", frame_rate=rate)
    assert told.frame_rate == rate and told.duration == pytest.approx(19 / rate)


def test_without_dropped_labels_a_second_of_2997_lasts_longer(tmp_path: Path) -> None:
    rows = [(at(i, 30), {"JawOpen": 0.1}) for i in range(300)]
    read = read_motion_file(live_link(tmp_path / "t.csv", rows), frame_rate=30000 / 1001)
    assert read.duration == pytest.approx(299 * 1001 / 30000)


def test_live_link_face_is_written(tmp_path: Path) -> None:
    made = moving()
    path = write_motion_file(tmp_path / "t.csv", made, "livelink")
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert rows[0][53:] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw",
                            "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch",
                            "RightEyeRoll"]  # fmt: skip
    assert {len(row) for row in rows} == {63} and {row[1] for row in rows[1:]} == {"61"}
    assert rows[1][0] == "00:00:00:00.000" and rows[46][0] == "00:00:01:15.000"
    read = read_motion_file(path)
    assert read.rotation is not None and made.rotation is not None
    np.testing.assert_allclose(read.weights, made.weights, atol=1e-6)
    np.testing.assert_allclose(read.rotation, made.rotation, atol=1e-6)
    # Of the nostrils' three keys one moves; position and names stand in the other kinds of files.
    names = ("jawOpen", "nostrilDilateLeft", "nostrilCompress")
    wide = Motion([0.0, 1.0], names, [[0.5, 0.2, 0], [0.5, 0.3, 0]], None, np.zeros((2, 3)))
    nostril, position = lost_in(wide, "livelink")
    assert "nostrilDilateLeft" in nostril and "nostrilCompress" not in nostril
    assert "position" in position
    still = Motion([0.0, 1.0], names, [[0.5, 0, 0], [0.2, 0, 0]])
    assert lost_in(still, "livelink") == lost_in(wide, "csv") == lost_in(wide, "npz") == ()
    with raises(ExchangeError, "ARKit", "x"):
        write_motion_file(tmp_path / "n.csv", Motion([0.0], ("x",), [[1.0]]), "livelink")
    with raises(ExchangeError, tmp_path / "m.mp4", ".csv", ".npz"):
        write_motion_file(tmp_path / "m.mp4", made)


def test_spellings_of_names() -> None:
    for spelling in ("EyeBlinkLeft", "eyeBlink_L", "eye_blink_left", "eyeblinkleft", "eyeBlink.L"):
        assert arkit_name(spelling) == "eyeBlinkLeft"
    assert arkit_name("eyeBlink") is None and arkit_name("_l") is None


# -- resampling


def test_resampling_keeps_time_and_values() -> None:
    t = np.arange(61) / 30
    made = Motion(t, ("a",), np.sin(3 * t)[:, None], frame_rate=30.0)
    for rate in (24.0, 30000 / 1001, 60.0):
        got = resample(made, rate)
        np.testing.assert_allclose(np.diff(got.times), 1 / rate, atol=1e-12)
        assert 0 <= 2 - got.times[-1] < 1 / rate
        # A chord is at most h^2 / 8 max|f''| below its arc.
        np.testing.assert_allclose(
            got.weights[:, 0], np.sin(3 * got.times), atol=9 / 8 / 30**2 + 1e-6
        )
    assert resample(made, 30.0) is made
    np.testing.assert_array_equal(resample(made, 60.0).weights[::2], made.weights)


def test_a_rate_that_varies_and_a_gap() -> None:
    rng = np.random.default_rng(1)
    t = np.cumsum(rng.uniform(0.02, 0.05, 200))
    t[100:] += 1.0  # nothing for a second
    turn = from_angles(np.sin(t), 0 * t, 0 * t)
    got = resample(Motion(t, ("a",), t[:, None], turn), 30.0)
    np.testing.assert_allclose(got.weights[:, 0], got.times, atol=6e-5)
    inside = (got.times > t[99] + 0.1) & (got.times < t[100] - 0.1)
    assert not got.valid[inside].any() and got.valid[got.times < t[99]].all()
    still = got.valid & ((got.times <= t[99]) | (got.times >= t[100]))
    np.testing.assert_allclose(
        to_angles(got.rotation)[0][still], np.sin(got.times)[still], atol=1e-3
    )


def test_frames_from_lost_ones_are_lost() -> None:
    valid = np.ones(31, bool)
    valid[10] = False
    got = resample(Motion(np.arange(31) / 30, (), np.empty((31, 0)), valid=valid), 60.0)
    assert np.flatnonzero(~got.valid).tolist() == [19, 20, 21]
    with raises(ExchangeError, 0.0):
        resample(got, 0.0)
    with raises(ExchangeError, 10**9, 30 * 10**9 + 1):
        resample(Motion([0.0, 1e9], (), np.empty((2, 0))), 30.0)


def test_known_rates() -> None:
    assert rate_of(np.arange(9) * 1001 / 30000) == 30000 / 1001
    assert rate_of(np.round(np.arange(99) / 24, 4)) == 24.0
    assert rate_of(np.arange(9) / 17) == pytest.approx(17)


# -- simplification


@pytest.mark.parametrize("tolerance", [0.002, 0.01, 0.05])
def test_simplified_curves_stay_within_the_tolerance(tolerance: float) -> None:
    t = np.arange(3000) / 30
    rng = np.random.default_rng(0)
    smooth = 0.5 + 0.5 * np.sin(t) * np.sin(0.37 * t)
    blinks = np.zeros(3000)
    for frame in rng.integers(10, 2990, 40):
        blinks[frame - 2 : frame + 3] = np.maximum(
            blinks[frame - 2 : frame + 3], [0.3, 0.8, 1, 0.8, 0.3]
        )
    for values in (smooth, blinks, rng.random(3000)):
        kept = simplify(t, values, tolerance)
        off = np.abs(np.interp(t, t[kept], values[kept]) - values)
        assert off.max() <= tolerance + 1e-9
        assert kept[0] == 0 and kept[-1] == 2999
    peaks = np.flatnonzero(blinks == 1)
    assert set(peaks) <= set(simplify(t, blinks, tolerance)), "not a peak is moved in time"
    # A chord over h is at most h^2 / 8 max|f''| off its arc, and |f''| <= 1.37^2 / 2 here.
    assert len(simplify(t, smooth, tolerance)) < 100 * np.sqrt(1.37**2 / 2 / 8 / tolerance)


def test_curves_that_do_not_move_keep_one_key() -> None:
    t = np.arange(100.0)
    assert len(simplify(t, np.full(100, 0.3), 0.0)) == 1
    assert len(simplify(t, 0.3 + 0.004 * np.sin(t), 0.01)) == 1
    assert simplify(t[:1], np.zeros(1), 0.1).tolist() == [0]
    line = simplify(t, 2 * t, 1e-9)
    assert line.tolist() == [0, 99]
