"""What follows from a face model alone, kept on disk: worked out once, not once per process.

Layout of the texture, skin's relief, wrinkles: two seconds and more of every start.  What is kept
(:mod:`..exchange.cache`) is one function's result for one model and some arguments, by the code and
the libraries that worked it out, so that it never is another one's.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from ..bounded import DAMAGE
from ..exchange.cache import read_cached, write_cached
from .face_model import FaceModel, origin_of

P = ParamSpec("P")
T = TypeVar("T")

#: Where the code is that works them out, beside the function's own module.
_CODE = ("geometry", "model", "network", "photo", "raster", "texture")
#: In the order of what they take apart: a sparse matrix is its data, its indices and its shape.
_SPARSE = (csr_matrix, csc_matrix)


def cached(
    function: Callable[Concatenate[FaceModel, P], T],
) -> Callable[Concatenate[FaceModel, P], T]:
    """``function(model, ...)`` whose result, of the type of its annotation, is kept on disk.

    That type is made of arrays, sparse matrices, numbers, None, tuples and dataclasses of such.
    The other arguments are numbers or text.  What is read is equal to what was worked out, to the
    byte, where its arrays are contiguous.  Nothing is kept of a model of unknown origin
    (:func:`.face_model.came_from`), such as one that was made of another.
    """

    @wraps(function)
    def asked(model: FaceModel, *args: P.args, **kwargs: P.kwargs) -> T:
        origin, version = origin_of(model), _version(function.__module__)
        if origin is None or version is None:
            return function(model, *args, **kwargs)
        name = f"{function.__module__}.{function.__qualname__}".rpartition(".backend.")[2]
        key = origin, args, sorted(kwargs.items()), version
        if arrays := read_cached(name, key):
            with suppress(*DAMAGE):
                return _whole(get_type_hints(function)["return"], arrays)
        made = function(model, *args, **kwargs)
        if made is not None:
            write_cached(name, key, dict(_taken_apart(made, "it")))
        return made

    return asked


@cache
def _version(module: str) -> str | None:
    """Digest of the code of ``module`` and of what it uses, and the versions of the libraries; None
    where the code cannot be read."""
    try:
        own = Path(sys.modules[module].__file__ or "").read_bytes()
        return hashlib.sha256(_common() + own).hexdigest()
    except OSError:
        return None


@cache
def _common() -> bytes:
    """The same of what all use.  The code itself: a release's version does not change while it is
    worked on."""
    found = hashlib.sha256(f"{np.__version__} {scipy.__version__} {cv2.__version__}".encode())
    for room in _CODE:
        for path in sorted((Path(__file__).parents[1] / room).glob("*.py")):
            found.update(path.name.encode() + path.read_bytes())
    return found.digest()


def _whole(kind: Any, arrays: dict[str, NDArray]) -> Any:
    """The value of the type ``kind`` of ``arrays``.  Raises :data:`..bounded.DAMAGE`."""
    value = _put_together(kind, "it", arrays)
    if arrays:
        raise ValueError("there is more than is known")
    return value


def _taken_apart(value: Any, name: str) -> Iterator[tuple[str, NDArray]]:
    """The arrays that ``value`` is made of, by their names."""
    if value is None:
        return
    if isinstance(value, _SPARSE):
        parts = {part: getattr(value, part) for part in ("data", "indices", "indptr", "shape")}
    elif is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple):
        parts = dict(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    else:
        yield name, np.asarray(value)
        return
    for part, one in parts.items():
        yield from _taken_apart(one if part != "shape" else np.array(one), f"{name}.{part}")


def _put_together(kind: Any, name: str, arrays: dict[str, NDArray]) -> Any:
    """The value of the type ``kind`` of ``arrays``, which are taken out."""
    origin = get_origin(kind)
    if origin is types.UnionType:
        if not any(one == name or one.startswith(f"{name}.") for one in arrays):
            return None
        return _put_together(get_args(kind)[0], name, arrays)
    if origin is np.ndarray:
        return arrays.pop(name)
    if kind in (bool, int, float):
        return kind(arrays.pop(name))
    if kind in _SPARSE:
        data, indices, indptr, shape = (
            arrays.pop(f"{name}.{part}") for part in ("data", "indices", "indptr", "shape")
        )
        return kind((data, indices, indptr), shape=tuple(shape.tolist()))
    if origin is tuple:
        kinds: dict[Any, Any] = dict(enumerate(get_args(kind)))
    else:
        names = getattr(kind, "_fields", None) or [field.name for field in fields(kind)]
        hints = get_type_hints(kind)
        kinds = {part: hints[part] for part in names}
    parts = [_put_together(one, f"{name}.{part}", arrays) for part, one in kinds.items()]
    return tuple(parts) if origin is tuple else kind(*parts)
