"""EXT_meshopt_compression: what we write, read by the reference decoder (meshoptimizer's)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.scene.formats.meshopt import encode_attributes, encode_indices

from tests.readers import node_reader

pytestmark = pytest.mark.seconds


def decoded(streams: list[tuple[str, int, int, bytes]], folder: Path) -> list[bytes]:
    """By mode, count and size of an element, the bytes that the decoder gives."""
    file = folder / "streams.json"
    told = [
        {"mode": mode, "count": count, "size": size, "data": base64.b64encode(data).decode()}
        for mode, count, size, data in streams
    ]
    file.write_text(json.dumps({"streams": told}))
    return [base64.b64decode(text) for text in node_reader("meshopt", file)]


def smooth(count: int, stride: int, steps: float, rng: np.random.Generator) -> np.ndarray:
    """Bytes that go up and down slowly, as those of neighbouring vertices do."""
    return np.cumsum(rng.normal(0, steps, (count, stride)), axis=0).round().astype(np.uint8)


def test_attributes_come_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    elements = [
        np.zeros((1, 4), np.uint8),
        np.full((16, 4), 255, np.uint8),
        rng.integers(0, 256, (17, 12), np.uint8),
        smooth(255, 8, 0.4, rng),
        smooth(256, 8, 2.0, rng),
        smooth(257, 16, 30.0, rng),
        smooth(5000, 4, 1.2, rng),
        rng.integers(0, 256, (1000, 64), np.uint8),
        smooth(3000, 256, 3.0, rng),
        np.where(rng.random((700, 12)) < 0.95, 0, rng.integers(0, 256, (700, 12))).astype(np.uint8),
    ]
    streams = [("ATTRIBUTES", *one.shape, encode_attributes(one)) for one in elements]
    for one, found in zip(elements, decoded(streams, tmp_path), strict=True):
        assert found == one.tobytes()


def test_indices_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    rows = [
        np.arange(1000),
        rng.integers(0, 65536, 3000),
        np.array([0]),
        np.array([2**30 - 1, 0, 2**30 - 1, 5, 2**29]),
        np.repeat(np.arange(500), 3) + np.tile([0, 1, 100], 500),
    ]
    streams = [("INDICES", len(row), 4, encode_indices(row)) for row in rows]
    streams += [("INDICES", len(rows[1]), 2, encode_indices(rows[1]))]
    *wide, narrow = decoded(streams, tmp_path)
    for row, found in zip(rows, wide, strict=True):
        assert np.array_equal(np.frombuffer(found, "<u4"), row)
    assert np.array_equal(np.frombuffer(narrow, "<u2"), rows[1])


def test_smooth_bytes_take_less() -> None:
    rng = np.random.default_rng(3)
    still = np.zeros((4096, 8), np.uint8)
    assert len(encode_attributes(still)) < 0.02 * still.size
    slow = smooth(4096, 8, 0.5, rng)
    assert len(encode_attributes(slow)) < 0.4 * slow.size
    noise = rng.integers(0, 256, (4096, 8), np.uint8)
    assert len(encode_attributes(noise)) < 1.05 * noise.size
