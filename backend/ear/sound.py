"""Recordings as numbers: WAV files, one channel of 16 kHz."""

from __future__ import annotations

import os
import wave
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ..bounded import MB, Damaged, open_regular, reading
from ..errors import PhotoError

Samples = NDArray[np.float32]

#: Samples a second that the acoustic model was made with.
RATE = 16_000
#: Half an hour of two channels of 24 bits at 96 kHz.
LONGEST_S, LARGEST = 1800.0, 1100 * MB
#: Samples a second and channels of any recording.
_RATES, _MOST_CHANNELS = (4_000, 400_000), 32
#: Frames read at once.
_CHUNK = 1 << 18


def read_wav(path: str | os.PathLike[str]) -> Samples:
    """(N,) the recording ``path`` at :data:`RATE`, -1 to 1, its channels mixed.

    PCM of 8, 16, 24 or 32 bits.  Raises :class:`PhotoError` where it is none that can be read.
    """
    path = Path(path)
    then = "convert it to a WAV file with PCM samples"
    with reading(PhotoError, path, "a sound", then):
        try:
            with open_regular(path, LARGEST) as file, wave.open(file) as sound:
                samples, rate = _samples(sound), sound.getframerate()
        except wave.Error as error:
            raise Damaged(str(error)) from error
        common = gcd(rate, RATE)
        found = resample_poly(samples, RATE // common, rate // common)
        return np.asarray(found, np.float32)


def _samples(sound: wave.Wave_read) -> Samples:
    rate, channels, width = sound.getframerate(), sound.getnchannels(), sound.getsampwidth()
    if not _RATES[0] <= rate <= _RATES[1] or not 1 <= channels <= _MOST_CHANNELS:
        raise Damaged(f"it has {channels} channels of {rate} samples a second")
    if sound.getnframes() > LONGEST_S * rate:
        raise Damaged(
            f"it lasts {sound.getnframes() / rate / 60:.0f} minutes, longer than "
            f"{LONGEST_S / 60:.0f}"
        )
    parts = []
    while data := sound.readframes(_CHUNK):
        whole = len(data) // (channels * width) * channels * width
        parts.append(_numbers(data[:whole], width).reshape(-1, channels).mean(axis=1))
    if not parts or not any(len(part) for part in parts):
        raise Damaged("it holds no sound")
    return np.concatenate(parts).astype(np.float32)


def _numbers(data: bytes, width: int) -> Samples:
    """Samples of ``width`` bytes as -1 to 1."""
    if width == 1:  # the only ones without a sign
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if width == 3:
        triples = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(triples), 4), np.uint8)
        wide[:, 1:] = triples
        return wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    if width not in (2, 4):
        raise Damaged(f"its samples have {width} bytes")
    return np.frombuffer(data, f"<i{width}").astype(np.float32) / 2 ** (8 * width - 1)
