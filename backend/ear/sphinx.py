"""Phonemes in speech, by PocketSphinx's acoustic model of English and its model of phoneme order.

"Allphone" decoding (Lee 1988): whatever is said, the likeliest row of phonemes.  No word is
recognised, so names and other languages come as the English phonemes that sound like them.
PocketSphinx 5 (Carnegie Mellon University, BSD licence) brings both models with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..motion.visemes import Cue
from .sound import RATE

Progress = Callable[[float, str], None]

FRAME_S = 0.01  #: of PocketSphinx's frames
#: Seconds that are decoded at once, cut where it is quietest within the second; the decoder keeps
#: all that is possible of a stretch in memory.
STRETCH_S, CUT_WITHIN_S = 20.0, 5.0
#: A recording's loudest samples are brought to this: what is faint is taken for silence.
LOUD, QUANTILE = 0.5, 0.999
#: So much noise is added: where samples are zeros, as synthesised voices have between words, the
#: decoder hears consonants that are none.  With 0, 16, 64 and 256 the right viseme is shown 48, 59,
#: 64 and 59 % of the time in sentences of one voice of espeak-ng, 54, 55, 55 and 51 % of another.
HISS = 64 / 32768
#: How much the order of phonemes counts against the sound.  With 1, 2 and 3 the right viseme is
#: shown 57, 57 and 57 % of the time in sentences of espeak-ng (docs/animation.md).
ORDER_WEIGHT = 2.0
#: What is no phoneme.
_SILENCE = "sil"


def phonemes(samples: NDArray[np.float32], progress: Progress | None = None) -> list[Cue]:
    """What is said in ``samples`` (N,), -1 to 1 at :data:`.sound.RATE`, in ARPAbet.

    Raises :class:`ModelError` where PocketSphinx is not installed.
    """
    decoder, report = _decoder(), progress or (lambda fraction, step: None)
    loud = float(np.quantile(np.abs(samples), QUANTILE)) if len(samples) else 0.0
    if loud <= 0:
        return []
    noise = np.random.default_rng(0).normal(size=len(samples)).astype(np.float32)
    scaled = np.clip(samples * (LOUD / loud) + HISS * noise, -1, 1)
    found: list[Cue] = []
    edges = _cuts(scaled)
    for start, end in zip(edges, edges[1:], strict=False):
        report(start / len(scaled), "Listening")
        found += _decoded(decoder, scaled[start:end], start / RATE)
    return found


def _decoder() -> Any:
    try:
        from pocketsphinx import Config, Decoder, get_model_path
    except ImportError as error:
        raise ModelError(
            "Speech is heard by PocketSphinx, which is not installed; run "
            f"'{sys.executable} -m pip install pocketsphinx' (29 MB)."
        ) from error
    return Decoder(
        Config(
            hmm=get_model_path("en-us/en-us"),
            allphone=get_model_path("en-us/en-us-phone.lm.bin"),
            lw=ORDER_WEIGHT,
            beam=1e-20,
            pbeam=1e-20,
            loglevel="FATAL",
        )
    )


def _cuts(samples: NDArray) -> list[int]:
    """Where stretches begin, and the end: at the quietest hundredth of a second near each cut."""
    step = int(RATE * FRAME_S)
    count = len(samples) // step
    loudness = (samples[: count * step].reshape(count, step) ** 2).mean(axis=1)
    smooth = np.convolve(loudness, np.ones(9) / 9, "same") if count > 9 else loudness
    edges, stretch, within = [0], round(STRETCH_S / FRAME_S), round(CUT_WITHIN_S / FRAME_S)
    while count - edges[-1] // step > stretch + within:
        last = edges[-1] // step + stretch
        edges.append((last - within + int(np.argmin(smooth[last - within : last]))) * step)
    return [*edges, len(samples)]


def _decoded(decoder: Any, samples: NDArray, start: float) -> list[Cue]:
    pcm = np.round(samples * 32767).astype("<i2").tobytes()
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    found = []
    for part in decoder.seg() or ():
        name = part.word.lower()
        if not name.isalpha():  # +SPN+ and +NSN+, noises
            name = _SILENCE
        first, past = part.start_frame * FRAME_S, (part.end_frame + 1) * FRAME_S
        found.append(Cue(start + first, start + past, name))
    return found
