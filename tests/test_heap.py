"""Freed memory goes back to the system."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from reconstruct_face.backend.heap import give_back

from tests.processes import resident_mb


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own business elsewhere")
def test_freed_memory_is_given_back() -> None:
    # Small enough for the heap, and the last one stays: without a trim glibc keeps what is below.
    blocks = [np.ones(12_000) for _ in range(1500)]
    last = np.ones(12_000)
    full = resident_mb(None)
    del blocks
    give_back()
    assert full - resident_mb(None) > 100
    assert last.sum() == 12_000
