"""Mouths of speech: phonemes and their times as weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ExchangeError
from reconstruct_face.backend.exchange.motion import Motion
from reconstruct_face.backend.exchange.names import ARKIT
from reconstruct_face.backend.motion import read_motion_file
from reconstruct_face.backend.motion.visemes import VISEMES, Cue, speak, viseme_of

from tests.errors import raises


def test_every_phoneme_of_cmudict_has_a_mouth() -> None:
    arpabet = [
        "AA",
        "AE",
        "AH",
        "AO",
        "AW",
        "AY",
        "B",
        "CH",
        "D",
        "DH",
        "EH",
        "ER",
        "EY",
        "F",
        "G",
        "HH",
        "IH",
        "IY",
        "JH",
        "K",
        "L",
        "M",
        "N",
        "NG",
        "OW",
        "OY",
        "P",
        "R",
        "S",
        "SH",
        "T",
        "TH",
        "UH",
        "UW",
        "V",
        "W",
        "Y",
        "Z",
        "ZH",
    ]
    assert all(viseme_of(name) for name in arpabet)
    assert viseme_of("AH0") == "aa" and viseme_of("viseme_PP") == "PP" and viseme_of("QQ") is None
    assert {viseme_of(letter, True) for letter in "ABCDEFGHX"} == {
        "PP", "SS", "E", "aa", "oh", "ou", "FF", "nn", "sil"
    }  # fmt: skip
    assert set(VISEMES) >= {viseme_of(name) for name in arpabet}
    assert {key for weights in VISEMES.values() for key in weights} <= set(ARKIT)


def test_each_mouth_is_reached_however_short() -> None:
    cues = [Cue(0.0, 0.5, "AA1"), Cue(0.5, 0.54, "P"), Cue(0.54, 1.0, "UW1")]
    made = speak(cues, frame_rate=100.0)
    jaw = made.weights[:, made.names.index("jawOpen")]
    closed = made.weights[:, made.names.index("mouthClose")]
    middle = np.searchsorted(made.times, 0.52)
    assert closed[middle] == pytest.approx(VISEMES["PP"]["mouthClose"], abs=1e-5)
    assert jaw[middle] == pytest.approx(0.0, abs=1e-5)
    assert jaw[25] == pytest.approx(VISEMES["aa"]["jawOpen"], abs=1e-5)
    assert np.abs(np.diff(made.weights, axis=0)).max() < 0.4, "no mouth jumps"
    half = speak(cues, frame_rate=100.0, strength=0.5)
    np.testing.assert_allclose(half.weights, made.weights / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0])
def test_lips_close_for_a_plosive_that_is_shorter_than_a_frame(rate: float) -> None:
    for offset in np.linspace(0, 1 / rate, 9):
        start = 0.5 + offset
        cues = [
            Cue(0.0, start, "AA1"),
            Cue(start, start + 0.03, "P"),
            Cue(start + 0.03, 1.2, "AA1"),
        ]
        made = speak(cues, frame_rate=rate)
        jaw = made.weights[:, made.names.index("jawOpen")]
        closed = np.flatnonzero(jaw[: int(rate)] < 1e-6)
        assert len(closed) == 1 and abs(closed[0] / rate - (start + 0.015)) <= 0.5 / rate + 1e-9


def test_lists_of_phonemes_are_read(tmp_path: Path) -> None:
    def read(name: str, text: str) -> Motion:
        (tmp_path / name).write_text(text)
        return read_motion_file(tmp_path / name, frame_rate=100.0)

    labels = read("a.txt", "0.0\t0.4\tAA\n0.4\t0.8\tM\n")
    jaw = labels.weights[:, labels.names.index("jawOpen")]
    assert jaw[20] == pytest.approx(0.5) and jaw[60] == pytest.approx(0.0, abs=1e-6)
    rhubarb = read("b.tsv", "0.00\tX\n0.20\tD\n0.60\tA\n0.90\tX\n")
    assert rhubarb.weights[40, rhubarb.names.index("jawOpen")] == pytest.approx(0.5)
    cues = {"mouthCues": [{"start": 0.2, "end": 0.6, "value": "D"},
                          {"start": 0.6, "end": 0.9, "value": "A"}]}  # fmt: skip
    same = read("c.json", json.dumps(cues))
    np.testing.assert_allclose(same.weights[10:80], rhubarb.weights[10:80], atol=1e-6)
    moho = read("d.dat", "MohoSwitch1\n1 rest\n12 AI\n24 MBP\n36 rest\n")
    assert moho.weights[75, moho.names.index("jawOpen")] == pytest.approx(0.5)
    odd = read("e.txt", "0 1 AA\n1 2 Qq\n")
    assert "Qq" in odd.header["notes"][0]
    for name, text, facts in (
        ("f.txt", "hello world", ("phonemes",)),
        ("g.json", "{}", ("phonemes",)),
        ("h.tsv", "", ("phonemes",)),
        ("i.lab", "0 1 Qq", ("phonemes", "Qq")),
    ):
        with raises(ExchangeError, tmp_path / name, *facts):
            read(name, text)
