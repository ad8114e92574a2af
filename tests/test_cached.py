"""What is kept on disk of a face model is what would be worked out, and never needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.exchange import cache
from reconstruct_face.backend.folders import CACHE_VARIABLE
from reconstruct_face.backend.model import FaceModel, cached, load_model
from reconstruct_face.backend.model.face_model import ARRAYS
from reconstruct_face.backend.model.load import _load
from reconstruct_face.backend.texture.layout import Layout, _layout_of
from scipy.sparse import csc_matrix, csr_matrix

CALLS: list[object] = []


class Pair(NamedTuple):
    """Of two kinds."""

    count: int
    names: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Everything:
    """All that a result may be made of."""

    single: NDArray[np.float32]
    turned: NDArray[np.float64]
    share: float
    flag: bool
    absent: Pair | None
    present: Pair | None
    both: tuple[Pair, NDArray[np.uint8]]
    rows: csr_matrix
    columns: csc_matrix


@cached.cached
def everything(model: FaceModel, size: int) -> Everything:
    """Made of the model and ``size``."""
    CALLS.append(size)
    square = np.arange(size * size, dtype=np.float64).reshape(size, size) % 3
    pair = Pair(len(model.mean), np.array(["a", "bc"]))
    return Everything(
        model.mean[:size, 0].copy(), square.T, 0.1, True, None, pair, (pair, np.empty(0, np.uint8)),
        csr_matrix(square), csc_matrix(square),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_model()  # which is kept too, but in the session's folder
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    CALLS.clear()
    return tmp_path / "cache" / "arrays"


def same(one: object, other: object) -> bool:
    """Equal to the byte, and of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        strides = one.strides == other.strides or one.size < 2
        return one.dtype == other.dtype and strides and one.tobytes() == other.tobytes()
    if isinstance(one, csr_matrix | csc_matrix):
        return all(same(getattr(one, n), getattr(other, n)) for n in ("data", "indices", "indptr"))
    if isinstance(one, tuple):
        assert isinstance(other, tuple)
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dict__"):
        assert vars(one).keys() == vars(other).keys()
        return all(same(value, vars(other)[name]) for name, value in vars(one).items())
    return one == other


def test_what_is_read_is_what_was_worked_out(folder: Path) -> None:
    model = load_model()
    first, again = everything(model, 4), everything(model, 4)
    assert CALLS == [4] and first is not again
    assert same(first, again)
    assert everything(model, 5).turned.shape == (5, 5) and CALLS == [4, 5]
    assert len(list(folder.iterdir())) == 2  # nothing half-written is left


@pytest.mark.seconds
def test_the_layout_is_read_as_it_was_made(folder: Path) -> None:
    model = load_model()
    made: Callable[[FaceModel, int], Layout] = _layout_of.__wrapped__  # type: ignore[attr-defined]
    first, again = made(model, 256), made(model, 256)
    assert first is not again and same(first, again)
    assert same(first, made.__wrapped__(model, 256))  # type: ignore[attr-defined]
    assert [path.name[:24] for path in folder.iterdir()] == ["texture.layout._layout_o"]


def test_a_model_that_was_changed_has_its_own_result(folder: Path) -> None:
    """It carries the header of the one that it is made of."""
    model = load_model()
    assert everything(model, 2).single[0] == model.mean[0, 0]
    moved = replace(model, mean=model.mean + 1)
    assert everything(moved, 2).single[0] == moved.mean[0, 0]
    assert CALLS == [2, 2] and len(list(folder.iterdir())) == 1


def test_the_same_file_loaded_again_finds_it(folder: Path) -> None:
    everything(load_model(), 3)
    _load.cache_clear()
    everything(load_model(), 3)
    assert CALLS == [3]


def test_the_model_itself_is_unpacked_once(folder: Path) -> None:
    found = []
    for damage in (False, False, True):
        if damage:
            (path,) = folder.iterdir()
            path.write_bytes(path.read_bytes()[:-100])
        _load.cache_clear()
        found.append({name: vars(load_model())[name] for name in ARRAYS})
    first, *others = found
    assert all(same(one[name], first[name]) for one in others for name in ARRAYS)
    assert first["albedo_basis"].dtype == np.float16 and len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("code", [b"other", b"another"])
def test_other_code_works_it_out_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: bytes
) -> None:
    model = load_model()
    everything(model, 3)
    cached._version.cache_clear()
    monkeypatch.setattr(cached, "_common", lambda: code)
    everything(model, 3)
    cached._version.cache_clear()
    assert CALLS == [3, 3]


def test_where_the_code_cannot_be_read_nothing_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(cached, "_common", gone)
    cached._version.cache_clear()
    assert everything(load_model(), 3).share == 0.1
    cached._version.cache_clear()
    assert CALLS == [3] and not folder.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-30],
        lambda data: b"no archive at all",
        lambda data: data.replace(data[300:320], bytes(20), 1),
    ],
)
def test_a_damaged_file_is_made_again(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    model = load_model()
    first = everything(model, 4)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    assert same(everything(model, 4), first) and CALLS == [4, 4]
    assert same(everything(model, 4), first) and CALLS == [4, 4]  # it is whole again


def test_a_file_of_another_kind_is_made_again(folder: Path) -> None:
    model = load_model()
    everything(model, 4)
    (path,) = folder.iterdir()
    np.savez(path, **{"it.single": np.zeros(3)})
    assert everything(model, 4).share == 0.1 and CALLS == [4, 4]


def test_without_a_place_all_is_worked_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "below"))
    assert everything(model, 4).share == 0.1
    assert everything(model, 4).share == 0.1 and CALLS == [4, 4]


def test_what_was_not_read_for_longest_makes_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model()
    everything(model, 4)
    (old,) = folder.iterdir()
    everything(model, 5)
    (kept,) = set(folder.iterdir()) - {old}
    for path, age in ((old, 100), (kept, 200)):
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    everything(model, 4)  # read: it is the younger one now
    os.utime(kept, (old.stat().st_mtime - 50,) * 2)
    monkeypatch.setattr(cache, "MOST", 5 * old.stat().st_size // 2)  # two of three alike
    everything(model, 6)
    assert old.exists() and not kept.exists() and len(list(folder.iterdir())) == 2
