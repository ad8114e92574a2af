"""Recordings of speech: any sound that Blender reads to a WAV file, and to a mouth that says it."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..backend.errors import PhotoError
from ..backend.exchange.motion import Motion, load_motion
from ..backend.exchange.temporary import temporary_folder
from ..backend.exchange.wire import Progress
from . import jobs
from .backend_process import BackendProcess

#: Samples a second that the backend listens at.
RATE = 16_000


def write_wav(sound: Path, out: Path) -> Path:
    """The recording ``sound``, or a film's sound, as one channel of 16 bits.

    Raises :class:`PhotoError` where Blender cannot read it.
    """
    import aud

    if not sound.is_file():
        raise PhotoError(f"There is no sound at {sound}.")
    try:
        heard = aud.Sound.file(str(sound)).rechannel(1).resample(RATE, 2)
        heard.write(str(out), RATE, 1, aud.FORMAT_S16, aud.CONTAINER_WAV, aud.CODEC_PCM, 0, 1 << 14)
    except aud.error as error:
        said = str(error).strip().rstrip(".")
        raise PhotoError(f"{sound} has no sound that Blender can read ({said}).") from error
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
