"""SMPTE time code against values of another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.exchange.motion import Motion
from reconstruct_face.backend.motion import read_motion_file, write_motion_file
from reconstruct_face.backend.motion.timecode import (
    guess_rate,
    parse,
    parse_clock,
    real_rate,
    to_seconds,
    to_text,
)

#: Frames from midnight, as the package ``timecode`` 1.5.1 counts them (it begins at 1):
#:   pip install timecode==1.5.1
#:   python -c 'from timecode import Timecode; print(Timecode("29.97", "00:00:59;29").frames - 1)'
DROPPED = [
    (30, "00:00:00;00", 0),
    (30, "00:00:59;29", 1799),
    (30, "00:01:00;02", 1800),
    (30, "00:09:59;29", 17981),
    (30, "00:10:00;00", 17982),
    (30, "00:10:00;01", 17983),
    (30, "01:00:00;00", 107892),
    (30, "10:20:30;12", 1115796),
    (30, "23:59:59;29", 2589407),
    (60, "00:00:59;59", 3599),
    (60, "00:01:00;04", 3600),
    (60, "00:09:59;29", 35933),
    (60, "00:10:00;00", 35964),
    (60, "10:20:30;12", 2231580),
    (60, "23:59:59;59", 5178815),
    (120, "00:01:00;08", 7200),
]


@pytest.mark.parametrize(("counted", "text", "frame"), DROPPED)
def test_dropped_labels(counted: int, text: str, frame: int) -> None:
    code = parse(text)
    assert code is not None
    rate = real_rate([code], counted)
    assert rate == pytest.approx(counted * 1000 / 1001)
    (seconds,) = to_seconds([code], rate)
    assert seconds == pytest.approx(frame * 1001 / 1000 / counted, abs=1e-9)
    assert to_text(seconds, rate, drops=True) == f"{text}.000"


def test_the_value_of_the_report() -> None:
    code = parse("00:00:59;29")
    assert code is not None
    assert to_seconds([code], 30000 / 1001)[0] == pytest.approx(60.027, abs=5e-4)
    plain = parse("00:00:59:29")
    assert plain is not None
    assert to_seconds([plain], 30000 / 1001)[0] == pytest.approx(60.027, abs=5e-4)
    assert to_seconds([plain], 25.0)[0] == pytest.approx((59 * 25 + 29) / 25)
    # Labels are dropped at multiples of 30 only: elsewhere the mark says nothing.
    assert real_rate([code], 25.0) == 25.0
    assert to_seconds([parse("00:01:00;10")], 25.0)[0] == pytest.approx(60.4)  # type: ignore[list-item]


def test_there_and_back_over_an_hour() -> None:
    rate = 30000 / 1001
    frames = np.arange(0, 110_000, 7)
    texts = [to_text(frame / rate, rate, drops=True) for frame in frames]
    codes = [code for code in map(parse, texts) if code is not None]
    np.testing.assert_allclose(to_seconds(codes, rate) * rate, frames, atol=1e-6)
    assert not any(text[6:11] in ("00;00", "00;01") and text[4] != "0" for text in texts), (
        "a label that is dropped"
    )


def test_the_rate_of_dropped_labels() -> None:
    codes = [parse(f"10:00:{s:02d};{f:02d}") for s in (0, 1) for f in range(30)]
    assert guess_rate([c for c in codes if c]) == (pytest.approx(30000 / 1001), True)
    assert guess_rate([c for c in codes[:20] if c]) == (pytest.approx(60000 / 1001), False)


def test_a_recording_over_a_minute_has_even_steps(tmp_path) -> None:
    path = tmp_path / "take.csv"
    frames = np.arange(1700, 1900)  # the labels 00:01:00;00 and 01 are left out in between
    lines = [f"{to_text(f * 1001 / 30000, 30000 / 1001, drops=True)},{f % 7 / 10}" for f in frames]
    assert lines[99].startswith("00:00:59;29") and lines[100].startswith("00:01:00;02")
    path.write_text("Timecode,JawOpen\n" + "\n".join(lines))
    read = read_motion_file(path)
    np.testing.assert_allclose(read.times, np.arange(200) * 1001 / 30000, atol=1e-6)
    assert read.frame_rate == 30000 / 1001 and len(read.header["notes"]) == 1  # few columns
    written = write_motion_file(tmp_path / "again.csv", read, "livelink").read_text().splitlines()
    assert [x.split(",")[0] for x in written[1:]] == [x.split(",")[0] for x in lines]
    # At another rate there are no dropped labels.
    other = Motion(read.times, read.names, read.weights, frame_rate=25.0, header=read.header)
    text = write_motion_file(tmp_path / "other.csv", other, "livelink").read_text()
    assert ";" not in text


def test_midnight_of_dropped_labels(tmp_path) -> None:
    rate = 30000 / 1001
    codes = [to_text((2589408 - 60 + i) / rate, rate, drops=True) for i in range(60)]
    codes += [to_text(i / rate, rate, drops=True) for i in range(60)]
    path = tmp_path / "take.csv"
    path.write_text(
        "Timecode,JawOpen\n" + "".join(f"{code},{i}e-3\n" for i, code in enumerate(codes))
    )
    read = read_motion_file(path)
    np.testing.assert_allclose(read.times, np.arange(120) / rate, atol=1e-6)
    assert read.header["notes"][1:] == ["The time code passes midnight."]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", 12.5),
        ("12,5", 12.5),
        ("1.7644e9", 1764400000.0),
        ("10:20:30.250", 37230.25),
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01 01:00:10.5+01:00", 10.5),
        ("1970-01-01T00:00:10,5", 10.5),
        ("10:20:61", None),
        ("10:20:30:12", None),
        ("noon", None),
        ("", None),
        ("1970-13-01T00:00:00", None),
        ("nan", None),
    ],
)
def test_other_times(text: str, seconds: float | None) -> None:
    assert parse_clock(text) == seconds
