"""A recording of speech to the mouth that speaks it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..errors import NoFaceError
from ..exchange.motion import Motion
from ..motion.visemes import speak
from .sound import read_wav
from .sphinx import Progress, phonemes

NOTE = "Phonemes were heard, without words; about half of the mouths are right."


def hear(
    path: str | os.PathLike[str],
    *,
    frame_rate: float = 30.0,
    strength: float = 1.0,
    progress: Progress | None = None,
) -> Motion:
    """The motion of a mouth that says what is said in the WAV file ``path``.

    As :func:`..motion.visemes.speak`; ``header["audio"]`` is the recording.  Raises
    :class:`PhotoError` where it cannot be read, :class:`NoFaceError` where nothing is said, and
    :class:`ModelError` without PocketSphinx.
    """
    path = Path(path)
    cues = phonemes(read_wav(path), progress)
    if not any(cue.name != "sil" for cue in cues):
        raise NoFaceError(f"Nothing is said in {path}; choose a recording of speech.")
    motion = speak(cues, frame_rate=frame_rate, strength=strength, source=str(path))
    notes = [*motion.header.get("notes", ()), NOTE]
    return replace(motion, header=motion.header | {"notes": notes, "audio": str(path)})
