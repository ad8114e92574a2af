"""Recordings of speech: any sound that Blender reads to a WAV file, and to a mouth that says it."""

from __future__ import annotations

import threading
import wave
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from ..backend.errors import PhotoError
from ..backend.exchange.motion import Motion, load_motion
from ..backend.exchange.temporary import temporary_folder
from ..backend.exchange.wire import Progress
from . import jobs
from .backend_process import BackendProcess


def write_wav(sound: Path, out: Path) -> Path:
    """The recording ``sound``, or a film's sound, as 16 bits into ``out``.

    Raises :class:`PhotoError` where Blender cannot read it.
    """
    import aud

    unreadable = cast("type[Exception]", aud.error)
    if not sound.is_file():
        raise PhotoError(f"There is no sound at {sound}.")
    try:
        # Mixing and resampling is the backend's; Audaspace's own writing of WAV files ends with an
        # error in Blender 4.5.
        found = aud.Sound.file(str(sound))
        rate, heard = round(found.specs[0]), np.array(found.data())
    except unreadable as error:
        said = str(error).strip().rstrip(".")
        raise PhotoError(f"{sound} has no sound that Blender can read ({said}).") from error
    with wave.open(str(out), "wb") as file:
        file.setnchannels(heard.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes())
    return out


def start_hearing(sound: Path, frame_rate: float) -> jobs.Job[Motion]:
    """Have what is said in ``sound`` made the motion of a mouth.

    Raises :class:`PhotoError` where it cannot be read.
    """
    kept = ExitStack()
    try:
        folder = Path(kept.enter_context(temporary_folder()))
        wav = write_wav(sound, folder / "speech.wav")
    except BaseException:
        kept.close()
        raise

    def work(backend: BackendProcess, progress: Progress, cancelled: threading.Event) -> Motion:
        with kept:
            out = folder / "speech.npz"
            found = backend.hear(
                wav, out, frame_rate=frame_rate, progress=progress, cancelled=cancelled
            )
            motion = load_motion(found)
        about = motion.header | {"source": str(sound), "audio": str(sound)}
        return replace(motion, header=about)

    return jobs.submit(work)
