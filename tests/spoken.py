"""Sentences spoken by espeak-ng, with the phonemes it spoke and their times: known speech.

``espeakng-loader`` brings the library with it, for tests alone.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SENTENCES = (
    "Please put the big blue book back on my bed before four.",
    "Who would choose to move to the moon in June?",
    "My mother made five warm apple pies for Bob and Pam.",
    "She sells sea shells by the sea shore while we watch the waves.",
    "A happy family came back from the beach at half past five.",
)
#: espeak-ng's names of English phonemes, by the viseme that people's lips show; its own table, not
#: the one that is tested.
_GROUPS = {
    "PP": "p b m",
    "FF": "f v",
    "TH": "T D",
    "DD": "t d t# d# *",
    "kk": "k g N h j",
    "CH": "tS dZ S Z",
    "SS": "s z",
    "nn": "n l l^ n-",
    "RR": "r 3: 3 @r",
    "aa": "a a: aa A: A@ a# V V# @ @2 @5 @L aI aU 0 0# O2",
    "E": "E E# e eI e: E@",
    "ih": "I i i: I# I2 i@",
    "oh": "O O: oU OI o@ o o: O@",
    "ou": "u u: U U@ w",
}
_VISEME_OF = {name: viseme for viseme, names in _GROUPS.items() for name in names.split()}
_PHONEME, _END = 7, 0  #: kinds of espeak-ng's events


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("text", ctypes.c_char * 8), ("name", ctypes.c_char_p)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Speech:
    """What was spoken."""

    samples: NDArray[np.int16]  #: (N,)
    rate: int
    phonemes: tuple[tuple[float, str], ...]  #: when each begins, seconds, and its viseme or "sil"

    def visemes(self, count: int, step: float) -> list[str]:
        """What is shown in each of ``count`` moments, ``step`` seconds apart."""
        starts = np.array([start for start, _ in self.phonemes])
        at = np.searchsorted(starts, (np.arange(count) + 0.5) * step, "right") - 1
        names = [name for _, name in self.phonemes]
        return [names[k] if k >= 0 else "sil" for k in at]


@lru_cache(maxsize=1)
def _library() -> tuple[Any, int]:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # Sound to a callback (2), at once; phoneme events (1).
    rate = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 1)
    assert rate > 0
    return library, rate


def spoken(text: str, voice: str = "en-us") -> Speech:
    """``text`` in one of espeak-ng's voices."""
    library, rate = _library()
    sound: list[NDArray[np.int16]] = []
    found: list[tuple[float, str]] = []

    def take(wave: Any, count: int, events: Any) -> int:
        if wave and count:
            sound.append(np.ctypeslib.as_array(wave, (count,)).copy())
        k = 0
        while events[k].kind != _END:
            if events[k].kind == _PHONEME:
                name = events[k].id.text.decode("utf-8", "replace")
                plain = name.lstrip("',")  # marks of stress
                found.append((events[k].milliseconds / 1000, _VISEME_OF.get(plain, "sil")))
            k += 1
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    assert library.espeak_SetVoiceByName(voice.encode()) == 0
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    return Speech(np.concatenate(sound), rate, tuple(found))
