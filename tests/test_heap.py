"""Memory: what was freed goes back to the system, what was kept is let go of."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend import kept
from reconstruct_face.backend.bounded import Damaged, read_bytes
from reconstruct_face.backend.heap import give_back
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.regions import regions_of
from reconstruct_face.backend.texture.layout import layout_of

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


def test_what_is_kept_is_let_go_of_and_worked_out_again_alike() -> None:
    model = load_model()
    layout, regions = layout_of(model, 512), regions_of(model)
    assert layout_of(model, 512) is layout and regions is not None
    kept.let_go()
    again, read_again = layout_of(model, 512), regions_of(model)
    assert again is not layout and np.array_equal(again.texels.face, layout.texels.face)
    assert np.array_equal(again.regions.core, layout.regions.core)
    assert read_again is not None and read_again.networks["eye"] is not regions.networks["eye"]


def test_a_small_file_takes_little_memory_however_large_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"12345")
    tracemalloc.start()
    try:
        assert read_bytes(path, 10**9) == b"12345"
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
    with pytest.raises(Damaged):
        read_bytes(path, 4)
