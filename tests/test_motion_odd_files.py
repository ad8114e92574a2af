"""Motion files as other programs write them: read for what they mean, and what is odd is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.cli import motion as command
from reconstruct_face.backend.errors import ExchangeError
from reconstruct_face.backend.exchange.motion import Motion, load_motion
from reconstruct_face.backend.exchange.names import ARKIT
from reconstruct_face.backend.motion import read_motion_file, write_motion_file
from reconstruct_face.backend.motion.livelink import COLUMNS, to_angles

from tests.errors import has, raises

RATE, FRAMES = 60, 90


def code(frame: int, mark: str = ":") -> str:
    return f"10:20:{30 + frame // RATE:02d}{mark}{frame % RATE:02d}.000"


def rows_of(times: Callable[[int], str] = code, scale: float = 1.0) -> list[list[str]]:
    """Rows of Live Link's order in which all moves: column k of frame i is (k + i) / 200."""
    return [
        [times(i), "61", *(f"{scale * (k + i) / 200:.6f}" for k in range(len(COLUMNS) - 2))]
        for i in range(FRAMES)
    ]


def text_of(rows: list[list[str]], delimiter: str = ",", names: bool = True) -> str:
    lines = ([list(COLUMNS)] if names else []) + rows
    return "".join(delimiter.join(line) + "\n" for line in lines)


def check(path: Path, **options: object) -> Motion:
    """The motion of ``rows_of``, whatever it was written as."""
    read = read_motion_file(path, **options)  # type: ignore[arg-type]
    assert read.names == ARKIT
    wanted = (np.arange(FRAMES)[:, None] + np.arange(52)) / 200
    np.testing.assert_allclose(read.weights, wanted, atol=1e-6)
    np.testing.assert_allclose(read.times, np.arange(FRAMES) / RATE, atol=2e-5)
    assert read.frame_rate == pytest.approx(RATE, rel=1e-6)
    return read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "take.csv"


def test_weights_in_percent(path: Path) -> None:
    rows = rows_of()
    for row in rows:
        row[2:54] = [f"{100 * float(cell):.4f}" for cell in row[2:54]]
    path.write_text(text_of(rows))
    read = check(path)
    assert len(read.header["notes"]) == 1 and "percent" in read.header["notes"][0]
    yaw = to_angles(read.rotation)[0]
    np.testing.assert_allclose(yaw, (52 + np.arange(FRAMES)) / 200, atol=1e-6)


def test_weights_in_percent_of_our_own(path: Path) -> None:
    path.write_text("time,jawOpen,hat,tie,rotation_w\n0,80,50,0.5,1\n1,40,0,0.25,1\n")
    read = read_motion_file(path)
    np.testing.assert_allclose(read.weights[:, :3], [[0.8, 0.5, 0.5], [0.4, 0, 0.25]], atol=1e-7)
    assert len(read.header["notes"]) == 1
    path.write_text("time,jawOpen,hat\n0,1.4,50\n1,0.4,0\n")  # a caricature, and what is no weight
    read = read_motion_file(path)
    np.testing.assert_allclose(read.weights, [[1.4, 50], [0.4, 0]], atol=1e-7)
    assert read.header["notes"] == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_encodings(path: Path, encoding: str, delimiter: str) -> None:
    path.write_bytes(text_of(rows_of(), delimiter).encode(encoding))
    assert check(path).header["notes"] == []


def test_lines_above_the_names_and_comments(path: Path) -> None:
    table = text_of(rows_of())
    for above in ("# Live Link Face 1.3\n", "// a, b, c\n\n", "sep=,\n", '"# made; by; hand"\n'):
        path.write_text(above + table)
        assert check(path).header["notes"] == []
    lines = table.splitlines()
    path.write_text("\n".join([*lines[:20], "# a break", *lines[20:]]))
    assert check(path).header["notes"] == []
    path.write_text("# " + table)  # the names themselves
    assert check(path).header["notes"] == []
    path.write_text("Take 3 of Anna\nrecorded; in; a; hurry\n" + table)
    (note,) = check(path).header["notes"]
    has(note, 2)


def test_no_names(path: Path) -> None:
    for end in (None, -6):
        path.write_text(text_of([row[:end] for row in rows_of()], names=False))
        read = check(path)
        (note,) = read.header["notes"]
        assert "Live Link Face" in note
        np.testing.assert_allclose(to_angles(read.rotation)[2][0], 54 / 200, atol=1e-6)
    path.write_text(text_of([row[:9] for row in rows_of()], names=False))
    with raises(ExchangeError, path, 9, 63):
        read_motion_file(path)
    path.write_text("0,0.5\n0.1,0.6\n")
    with raises(ExchangeError, path, 2, 63):
        read_motion_file(path)


@pytest.mark.parametrize(
    "times",
    [
        lambda i: f"{i / RATE:.6f}",
        lambda i: f"{1764404430 + i / RATE:.6f}",
        lambda i: f"2026-11-29T10:20:{30 + i / RATE:09.6f}Z",
        lambda i: f"2026-11-29 10:20:{30 + i / RATE:09.6f}+01:00",
        lambda i: f"10:20:{30 + i / RATE:09.6f}",
        lambda i: str(i),
    ],
    ids=["seconds", "since 1970", "ISO 8601", "with a zone", "time of the day", "frames"],
)
def test_other_times_than_time_code(path: Path, times: Callable[[int], str]) -> None:
    path.write_text(text_of(rows_of(times)))
    notes = check(path).header["notes"]
    assert bool(notes) == (times(1) == "1"), "frames do not tell how long they last"
    own = "".join(f"{times(i)},{i / 100}\n" for i in range(FRAMES))
    if times(1) != "1":  # its times are seconds
        path.write_text("time,jawOpen\n" + own)
        read = read_motion_file(path)
        np.testing.assert_allclose(np.diff(read.times), 1 / RATE, atol=3e-6)
        assert read.names == ("jawOpen",) and len(read.times) == FRAMES


def test_midnight_by_the_clock(path: Path) -> None:
    def late(i: int) -> str:
        seconds = 86399.5 + i / RATE
        seconds %= 86400
        return f"{seconds // 3600:02.0f}:{seconds // 60 % 60:02.0f}:{seconds % 60:09.6f}"

    path.write_text(text_of(rows_of(late)))
    (note,) = check(path).header["notes"]
    assert "midnight" in note


def test_semicolons_between_cells_and_frames(path: Path) -> None:
    """60 labels a second of which some are dropped are 59.94 frames."""
    rows = rows_of(lambda i: code(i, ";"))
    wanted = np.arange(FRAMES) * 1001 / 60000
    for names in (True, False):
        path.write_text(text_of(rows, ";", names=names).replace(".", ","))
        read = read_motion_file(path)
        np.testing.assert_allclose(read.times, wanted, atol=1e-9)
        np.testing.assert_allclose(read.weights[3], (3 + np.arange(52)) / 200, atol=1e-6)
        assert len(read.header["notes"]) == (0 if names else 1)
    # Rows in which the face was lost end early; labels that are not dropped have no such mark.
    rows[40:50] = [[row[0], "0"] for row in rows[40:50]]
    path.write_text(text_of(rows, ";"))
    read = read_motion_file(path)
    assert read.lost_ranges() == [(40, 49)]
    np.testing.assert_allclose(read.times, wanted, atol=1e-9)
    path.write_text(text_of(rows_of(), ";"))
    check(path)


def test_yaw_and_pitch_swapped(path: Path) -> None:
    rows = rows_of()
    for row in rows:
        row[54:57] = ["0.30", "-0.10", "0.05"]
    path.write_text(text_of(rows))
    for swap, wanted in ((False, (0.3, -0.1, 0.05)), (True, (-0.1, 0.3, 0.05))):
        read = check(path, swap_yaw_pitch=swap)
        np.testing.assert_allclose(np.transpose(to_angles(read.rotation))[0], wanted, atol=1e-9)


def test_columns_that_are_equal_are_noted(path: Path) -> None:
    rows = rows_of()
    left, right = COLUMNS.index("EyeBlinkLeft"), COLUMNS.index("EyeBlinkRight")
    for row in rows:
        row[right] = row[left]
        row[COLUMNS.index("JawOpen")] = row[COLUMNS.index("CheekPuff")] = "0.5"  # never move
    path.write_text(text_of(rows))
    (note,) = read_motion_file(path).header["notes"]
    has(note, "eyeBlinkLeft", "eyeBlinkRight")
    assert "jawOpen" not in note
    path.write_text("time,a,b,c\n0,1,1,2\n1,3,3,3\n")
    (note,) = read_motion_file(path).header["notes"]
    has(note, "a and b")


@pytest.mark.parametrize(
    ("labels", "rate"),
    [(range(30), 30), (range(25), 25), (range(20), 60), (range(5, 30), 60), (range(60), 60)],
    ids=str,
)
def test_rows_within_one_second(path: Path, labels: range, rate: int) -> None:
    """All labels of a second make a rate likely; the guess is said, and the rate can be given."""
    rows = rows_of(lambda i: f"10:20:30:{i:02d}.000")
    path.write_text(text_of(rows[labels[0] : labels[-1] + 1]))
    read = read_motion_file(path)
    (note,) = read.header["notes"]
    assert read.frame_rate == rate
    has(note, "frame rate", rate)
    np.testing.assert_allclose(np.diff(read.times), 1 / rate, atol=1e-9)
    told = read_motion_file(path, frame_rate=24.0)
    assert told.frame_rate == 24.0 and told.header["notes"] == []


def test_times_since_1970_go_through_our_csv(tmp_path: Path) -> None:
    times = 1764404430.0 + np.arange(200) / 240
    made = Motion(times, ("jawOpen",), np.linspace(0, 1, 200)[:, None], frame_rate=240.0)
    read = read_motion_file(write_motion_file(tmp_path / "m.csv", made))
    np.testing.assert_array_equal(read.times, made.times)
    assert read.frame_rate == 240.0 and read.header["notes"] == []


def test_the_command(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of()
    for row in rows:
        row[54:57] = ["30", "-10", "5"]
    path.write_text(text_of(rows))
    out = tmp_path / "new" / "take.npz"
    given = [str(path), "-o", str(out), "--angles", "degrees", "--frame-rate", "60"]
    assert command.main([*given, "--swap-yaw-pitch"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == [str(out)] and said.err == ""
    read = load_motion(out)
    angles = np.degrees(np.transpose(to_angles(read.rotation)))
    np.testing.assert_allclose(angles[0], (-10, 30, 5), atol=1e-9)
    assert read.frame_rate == 60.0
    wide = Motion([0.0, 1.0], ("jawOpen", "hat"), [[0, 0.5], [1, 0]], None, np.zeros((2, 3)))
    write_motion_file(tmp_path / "wide.npz", wide)
    again = tmp_path / "again.csv"
    assert command.main([str(tmp_path / "wide.npz"), "-o", str(again), "--kind", "livelink"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.startswith("note: ") for line in said)
    assert again.read_text().startswith("Timecode,")
    assert command.main([str(tmp_path / "gone.csv"), "-o", str(out)]) == ExchangeError.exit_status
    has(capsys.readouterr().err, tmp_path / "gone.csv")
