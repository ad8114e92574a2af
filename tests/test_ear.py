"""Recordings: how they are read, and what is heard in sentences whose phonemes are known."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.ear.sound import RATE, read_wav
from reconstruct_face.backend.errors import ModelError, NoFaceError, PhotoError

from tests.errors import raises


def write(path: Path, data: bytes, rate: int, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_every_rate_is_the_same_tone(tmp_path: Path, rate: int) -> None:
    data = np.round(tone(rate) * 32767).astype("<i2").tobytes()
    found = read_wav(write(tmp_path / "tone.wav", data, rate))
    assert abs(len(found) - RATE // 2) <= 1
    middle = slice(800, 7000)
    assert np.abs(found[middle] - tone(RATE)[middle]).max() < 0.01


def test_every_width_and_both_channels_are_read(tmp_path: Path) -> None:
    exact = tone(RATE)
    for width in (1, 2, 3, 4):
        scale = 2 ** (8 * width - 1) - 1
        whole = np.round(exact * scale).astype(np.int64)
        if width == 1:
            data = (whole + 128).astype(np.uint8).tobytes()
        else:
            data = b"".join(int(x).to_bytes(width, "little", signed=True) for x in whole)
        found = read_wav(write(tmp_path / f"{width}.wav", data, RATE, width=width))
        assert np.abs(found - exact).max() < 1.5 / scale + 1e-6, width
    left_only = np.zeros((len(exact), 2))
    left_only[:, 0] = exact
    data = np.round(left_only * 32767).astype("<i2").tobytes()
    found = read_wav(write(tmp_path / "both.wav", data, RATE, channels=2))
    assert np.abs(found - exact / 2).max() < 1e-3


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with raises(PhotoError, "text.wav"):
        read_wav(tmp_path / "text.wav")
    with raises(PhotoError, "missing.wav"):
        read_wav(tmp_path / "missing.wav")
    with raises(PhotoError, "empty.wav"):
        read_wav(write(tmp_path / "empty.wav", b"", RATE))
    with raises(PhotoError, "slow.wav", 100):
        read_wav(write(tmp_path / "slow.wav", b"\0" * 2000, 100))
    whole = write(tmp_path / "cut.wav", b"\1\2" * 8000, RATE).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:30])
    with raises(PhotoError, "cut.wav"):
        read_wav(tmp_path / "cut.wav")


def test_without_pocketsphinx_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from reconstruct_face.backend.ear import phonemes

    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with raises(ModelError, "pocketsphinx", sys.executable):
        phonemes(np.ones(RATE, np.float32))


def test_stretches_are_cut_where_it_is_quiet() -> None:
    from reconstruct_face.backend.ear.sphinx import CUT_WITHIN_S, STRETCH_S, _cuts

    rng = np.random.default_rng(0)
    samples = 0.1 * rng.normal(size=70 * RATE)
    quiet = [int(18.2 * RATE), int(36.0 * RATE)]
    for at in quiet:
        samples[at : at + RATE // 5] = 0
    edges = _cuts(samples)
    assert edges[0] == 0 and edges[-1] == len(samples)
    for at, edge in zip(quiet, edges[1:], strict=False):
        assert at <= edge <= at + RATE // 5
    assert (np.diff(edges) <= (STRETCH_S + CUT_WITHIN_S) * RATE + RATE).all()


@pytest.mark.seconds
@pytest.mark.parametrize(("voice", "least"), [("en-us", 0.5), ("en-us+f3", 0.42)])
def test_half_of_the_mouths_are_right(tmp_path: Path, voice: str, least: float) -> None:
    """Against what espeak-ng says that it spoke, and against chance."""
    from reconstruct_face.backend.ear import phonemes
    from reconstruct_face.backend.motion.visemes import VISEMES, viseme_of

    from tests.spoken import SENTENCES, spoken

    speech = spoken(" ".join(SENTENCES), voice)
    wav = write(tmp_path / "speech.wav", speech.samples.astype("<i2").tobytes(), speech.rate)
    cues = phonemes(read_wav(wav))
    count = int(len(speech.samples) / speech.rate / 0.01)
    truth = np.array(speech.visemes(count, 0.01))
    found = np.full(count, "sil", object)
    for cue in cues:
        found[round(cue.start / 0.01) : round(cue.end / 0.01)] = viseme_of(cue.name) or "sil"
    right = (found == truth).mean()
    chance = sum((found == name).mean() * (truth == name).mean() for name in VISEMES)
    assert right > least and right > 3 * chance
    jaw = [np.array([VISEMES[v].get("jawOpen", 0.0) for v in row]) for row in (truth, found)]
    known, heard = (np.convolve(row, np.ones(9) / 9, "same") for row in jaw)
    assert np.corrcoef(known, heard)[0, 1] > 0.6


@pytest.mark.seconds
def test_a_recording_becomes_a_mouth_and_silence_does_not(tmp_path: Path) -> None:
    from reconstruct_face.backend.ear import hear

    from tests.spoken import SENTENCES, spoken

    speech = spoken(SENTENCES[0])
    wav = write(tmp_path / "speech.wav", speech.samples.astype("<i2").tobytes(), speech.rate)
    motion = hear(wav, frame_rate=25.0)
    assert motion.frame_rate == 25.0 and motion.header["audio"] == str(wav)
    assert motion.weights[:, motion.names.index("jawOpen")].max() > 0.3
    assert abs(motion.times[-1] - len(speech.samples) / speech.rate) < 0.3
    hiss = np.random.default_rng(1).normal(size=2 * RATE) * 20
    with raises(NoFaceError, "hiss.wav"):
        hear(write(tmp_path / "hiss.wav", hiss.astype("<i2").tobytes(), RATE))
    with raises(NoFaceError, "zeros.wav"):
        hear(write(tmp_path / "zeros.wav", b"\0" * RATE, RATE))


@pytest.mark.seconds
def test_the_motion_command_hears(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from reconstruct_face.backend.cli.motion import main
    from reconstruct_face.backend.exchange.motion import load_motion

    from tests.spoken import SENTENCES, spoken

    speech = spoken(SENTENCES[1])
    wav = write(tmp_path / "a.wav", speech.samples.astype("<i2").tobytes(), speech.rate)
    assert main([str(wav), "-o", str(tmp_path / "a.npz"), "--frame-rate", "24"]) == 0
    assert "note:" in capsys.readouterr().err
    motion = load_motion(tmp_path / "a.npz")
    pucker = motion.weights[:, motion.names.index("mouthPucker")]
    assert (pucker > 0.3).mean() > 0.1, "the moon in June rounds the lips"
