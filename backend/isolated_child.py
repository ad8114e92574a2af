"""The process that :mod:`.isolated` starts: one file is read within limits, and answered.

Standard input holds the request, a line of JSON.  The answer on standard output is a line of JSON
(what was found, ``arrays`` in it their names; or ``damaged``, a part of a sentence), then the
arrays, each as a ``.npy``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from math import prod
from typing import Any, BinaryIO

import numpy as np

from .bounded import DAMAGE, Damaged, plain, short

#: What a reader may take beside the arrays that are declared to it: chunks, tables, copies.
_BESIDE = 500_000_000
#: HDF5 deflates to no less than a thousandth.
_MOST_DEFLATED = 1100
#: The largest piece that HDF5 inflates at once in known files is 1 MB.
_LARGEST_CHUNK = 64_000_000
_MOST_TENSORS = 10_000
#: Said of a checkpoint that names more than tensors.
OBJECTS = "it holds Python objects, which could run code and are not read"

Arrays = dict[str, np.ndarray]


def main(argv: list[str]) -> int:
    """Read what standard input asks for."""
    request = json.loads(sys.stdin.buffer.readline())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    arrays: Arrays = {}
    try:
        answer, arrays = READERS[request["kind"]](request)
    except MemoryError:
        answer = {"damaged": "reading it takes too much memory"}
    except (OSError, *DAMAGE) as error:
        answer = {"damaged": short(error)}
    _write(out, answer | {"arrays": list(arrays)}, arrays)
    os._exit(0)  # libraries that were given a damaged file are not asked to tidy up


def _write(out: BinaryIO, answer: dict[str, Any], arrays: Arrays) -> None:
    out.write(json.dumps(answer).encode() + b"\n")
    for array in arrays.values():
        about = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(out, about | {"fortran_order": False})
        out.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    out.flush()


def _limit(request: dict[str, Any], memory: int) -> None:
    """From here on at most ``memory`` bytes more, and so many seconds.

    Windows has no such limits, and macOS does not keep that of memory: there what is declared and
    the clock of the parent have to do.
    """
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + request["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))


def _read_h5(request: dict[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """The datasets ``names``, where they are there, and ``there``, the groups at the top."""
    import h5py

    _limit(request, request["file_bytes"] + _BESIDE)
    total, arrays = 0, {}
    with h5py.File(request["path"], "r") as file:
        there = [plain(name, 60) for _, name in zip(range(100), file, strict=False)]
        for name in request["names"]:
            dataset = _dataset(h5py, file, name)
            if dataset is None:
                continue
            size = _declared(h5py, dataset, name)
            total += size
            if size > request["array_bytes"] or total > request["file_bytes"]:
                raise Damaged(f"{name} would take {size / 1e6:,.0f} MB")
            array = np.empty(dataset.shape, dataset.dtype.newbyteorder("="))
            if array.size:
                dataset.read_direct(array)
            arrays[name] = array
    return {"there": sorted(there)}, arrays


def _dataset(h5py: Any, file: Any, name: str) -> Any:
    """The dataset in this file at ``name``; None where there is none.

    Links that lead elsewhere are not followed.
    """
    at = file
    for part in name.split("/"):
        if not isinstance(at, h5py.Group) or part not in at.keys():  # noqa: SIM118
            return None
        if not isinstance(at.get(part, getlink=True), h5py.HardLink):
            raise Damaged(f"{name} is a link to another place, which is not followed")
        at = at[part]
    if not isinstance(at, h5py.Dataset):
        raise Damaged(f"{name} is a group, not numbers")
    return at


def _declared(h5py: Any, dataset: Any, name: str) -> int:
    """The bytes that the dataset will take, if they are in this file."""
    if dataset.external or dataset.is_virtual:
        raise Damaged(f"{name} is stored in other files, which are not read")
    if dataset.shape is None or dataset.dtype.kind not in "fiub":
        raise Damaged(f"{name} holds no numbers")
    size = prod(map(int, dataset.shape)) * dataset.dtype.itemsize
    stored = int(dataset.id.get_storage_size())
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    deflated = h5py.h5z.FILTER_DEFLATE in filters
    known = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
    if filters - known:
        raise Damaged(f"{name} is compressed in a way that is not read")
    if size > stored * (_MOST_DEFLATED if deflated else 1):
        raise Damaged(
            f"{name} would take {size / 1e6:,.1f} MB, of which the file has {stored:,} bytes"
        )
    if dataset.chunks and prod(dataset.chunks) * dataset.dtype.itemsize > _LARGEST_CHUNK:
        raise Damaged(f"{name} is stored in pieces that are too large")
    return size


def _read_checkpoint(request: dict[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """The tensors in the entry ``names[0]`` of a PyTorch checkpoint; ``there``, all its entries."""
    found = _loaded(request)
    if not isinstance(found, dict):
        return {"there": None}, {}
    there = [plain(str(name), 60) for name in found if isinstance(name, str)][:100]
    entry = found.get(request["names"][0])
    if not isinstance(entry, dict):
        return {"there": sorted(there)}, {}
    if len(entry) > _MOST_TENSORS:
        raise Damaged(f"it has {len(entry)} tensors")
    return {"there": sorted(there), "found": True}, {
        plain(str(name), 200): _plain_tensor(name, value, request["file_bytes"])
        for name, value in entry.items()
    }


def _plain_tensor(name: Any, value: Any, most: int) -> np.ndarray:
    import torch

    if not isinstance(name, str) or not isinstance(value, torch.Tensor):
        raise Damaged("it holds something else than named tensors")
    if value.layout != torch.strided or value.is_complex() or value.is_quantized:
        raise Damaged(f"{plain(name, 60)} is no plain tensor")
    # A view can be a million times as large as what it shows.
    if value.nelement() * 4 > most or value.nelement() > value.untyped_storage().nbytes():
        raise Damaged(f"{plain(name, 60)} is larger than what is stored of it")
    wide = value.float() if value.is_floating_point() else value.long()
    return np.ascontiguousarray(wide.detach().numpy())


def _try_checkpoint(request: dict[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """Nothing: whether the checkpoint can be loaded without harm."""
    _loaded(request)
    return {}, {}


def _loaded(request: dict[str, Any]) -> Any:
    """What the checkpoint holds, read within limits."""
    import pickle

    import torch

    torch.set_num_threads(1)
    # Twice its tensors, as they are read and as they are written.
    _limit(request, 2 * os.path.getsize(request["path"]) + 2 * _BESIDE)
    try:
        return torch.load(request["path"], map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error).lower()
        if "weights_only" in text or "unsupported" in text:
            raise Damaged(OBJECTS) from error
        raise Damaged("it is no PyTorch checkpoint") from error


Reader = Callable[[dict[str, Any]], tuple[dict[str, Any], Arrays]]
READERS: dict[str, Reader] = {
    "h5": _read_h5,
    "checkpoint": _read_checkpoint,
    "try checkpoint": _try_checkpoint,
}
