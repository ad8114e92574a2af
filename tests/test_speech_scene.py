"""Recordings in Blender: any sound as the backend wants it, and a head that says it."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.ear.sound import read_wav
from reconstruct_face.backend.errors import PhotoError
from reconstruct_face.operators.session import SESSION
from reconstruct_face.scene import expression, jobs, speech
from reconstruct_face.scene.animation.curves import curves_by_name
from reconstruct_face.scene.backend_process import BackendProcess
from reconstruct_face.scene.build import build_scene

from tests.add_on import registered
from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    with registered():
        yield


def write(path: Path, samples: np.ndarray, rate: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_any_sound_is_the_same_tone(tmp_path: Path, kind: str) -> None:
    import aud

    at = np.arange(44100) / 44100
    tone = 0.3 * np.sin(2 * np.pi * 440 * at)
    sound = write(tmp_path / "Töne.wav", 32767 * np.stack([tone, tone], 1), 44100, 2)
    if kind != "WAV":
        other = tmp_path / f"Töne.{kind.lower()}"
        codec = {"FLAC": aud.CODEC_FLAC, "OGG": aud.CODEC_VORBIS}[kind]
        container = {"FLAC": aud.CONTAINER_FLAC, "OGG": aud.CONTAINER_OGG}[kind]
        with suppress(aud.error):  # "filling the audio frame failed": at its end
            aud.Sound.file(str(sound)).write(
                str(other), 44100, 2, aud.FORMAT_S16, container, codec, 192000, 4096
            )
        sound = other
    found = read_wav(speech.write_wav(sound, tmp_path / "out.wav"))
    assert abs(len(found) - 16000) < 3000
    spectrum = np.abs(np.fft.rfft(found[1000:11000]))
    assert abs(spectrum.argmax() * 16000 / 10000 - 440) < 3
    assert np.abs(found[1000:11000]).max() == pytest.approx(0.3, abs=0.05)


def test_what_is_no_sound_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.mp3").write_text("no sound")
    with raises(PhotoError, "text.mp3"):
        speech.write_wav(tmp_path / "text.mp3", tmp_path / "out.wav")
    with raises(PhotoError, "missing.wav"):
        speech.write_wav(tmp_path / "missing.wav", tmp_path / "out.wav")
    head = build_scene(make_reconstruction(rows=8, columns=10), name="Ada", set_active=True).head
    assert head is not None
    with pytest.raises(RuntimeError, match="text.mp3"):
        bpy.ops.reconstruct_face.mouth_from_sound(filepath=str(tmp_path / "text.mp3"))
    assert SESSION.failure is not None and SESSION.failure.place == "animation"


@pytest.mark.slow
def test_the_head_says_what_was_said(tmp_path: Path) -> None:
    from tests.spoken import SENTENCES, spoken

    said = spoken(SENTENCES[1])
    sound = write(tmp_path / "june.wav", said.samples, said.rate)
    head = build_scene(make_reconstruction(rows=8, columns=10), name="Ada", set_active=True).head
    expression.reset(head)
    jobs.use_backend(BackendProcess)
    assert bpy.ops.reconstruct_face.mouth_from_sound(filepath=str(sound)) == {"FINISHED"}
    curves = curves_by_name(head)
    last = max(point.co.x for point in curves["jawOpen"].keyframe_points)
    assert last == pytest.approx(1 + 24 * len(said.samples) / said.rate, abs=8)
    assert max(point.co.y for point in curves["mouthPucker"].keyframe_points) > 0.3
    editor = bpy.context.scene.sequence_editor
    strips = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    assert [bpy.path.abspath(strip.sound.filepath) for strip in strips] == [str(sound)]
