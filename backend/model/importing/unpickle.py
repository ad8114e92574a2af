"""Reads the arrays out of a pickle without running it.

A pickle is a program: what it names is imported and called by Python's own loader, and a restricted
loader still executes it, calling what its allow-list lets through.  Here nothing is ever imported
or called on a file's word: :func:`pickletools.genops` only splits the file into its instructions,
and the small machine below keeps dictionaries, lists, numbers and text, and makes arrays from the
bytes that numpy would have been given.  The names it knows are those of numpy arrays, scipy's
sparse matrices and chumpy's arrays; an instruction with any other name ends it with a sentence.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

_MARK = object()
#: Names that stand for something to be made of data; all others but the classes below are refused.
_MADE = {
    "_codecs.encode",
    "copyreg._reconstructor",
    "numpy.dtype",
    "numpy.multiarray._reconstruct",
    "numpy.multiarray.scalar",
    "numpy.numeric._frombuffer",
    "builtins.set",
    "builtins.bytearray",
    "collections.OrderedDict",
}
_TOKENS = {"numpy.ndarray", "builtins.object"}
_CLASSES = re.compile(r"(chumpy|scipy\.sparse)(\.\w+)*\.\w+")
_DTYPE = re.compile(r"[<>=|]?[fiub]\d{0,2}")


@dataclass(frozen=True)
class _Name:
    """A global that the pickle names; never looked up."""

    text: str


class _Thing:
    """What a call or a class instance stands for, until its state comes."""

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name, self.arguments, self.state = name, arguments, None


class _Refused(Exception):
    """The pickle names something that is not data."""


def read_pickle(data: bytes, where: str) -> dict[str, Any]:
    """The dictionary that the pickle holds: numbers, text, arrays, and dictionaries of these.

    A chumpy array becomes the array it wraps, a sparse matrix a dictionary of its parts.  Raises
    :class:`ModelError` for a pickle that names anything else, is damaged or holds no dictionary.
    """
    try:
        found = _plain(_run(data), 0)
    except _Refused as refused:
        raise ModelError(
            f"{where} is a pickle that would run {refused}, which no face model needs; nothing of "
            "it was run. Do not open it elsewhere."
        ) from refused
    except Exception as error:  # whatever a damaged file leads to
        raise ModelError(f"{where} is damaged or no pickle of a face model ({error}).") from error
    if not isinstance(found, dict):
        raise ModelError(f"{where} is a pickle, but does not hold a face model.")
    return {str(key): value for key, value in found.items()}


def _run(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    argument: Any
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name == "STOP":
            return stack.pop()
        if name in ("PROTO", "FRAME"):
            continue
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_named(*argument.split(" ", 1)))
        elif name in _STEPS:
            _STEPS[name](stack)
        else:
            raise _Refused(f"the instruction {name}")
    raise ValueError("it has no end")


_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "MARK": lambda: _MARK,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}


def _named(module: str, name: str) -> _Name:
    """The name as numpy 1 and 2 and Python 2 and 3 alike; refused unless it is one of data."""
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    module = re.sub(r"^numpy\._?core\.", "numpy.", module)
    text = f"{module}.{name}"
    if text in _MADE or text in _TOKENS or _CLASSES.fullmatch(text):
        return _Name(text)
    raise _Refused(text)


def _to_mark(stack: list[Any]) -> list[Any]:
    items = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _last(count: int) -> Callable[[list[Any]], None]:
    def step(stack: list[Any]) -> None:
        items = tuple(stack[-count:])
        del stack[-count:]
        stack.append(items)

    return step


def _set_items(stack: list[Any]) -> None:
    items = _to_mark(stack)
    stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _set_item(stack: list[Any]) -> None:
    value, key = stack.pop(), stack.pop()
    stack[-1][key] = value


def _dictionary(stack: list[Any]) -> None:
    items = _to_mark(stack)
    stack.append(dict(zip(items[::2], items[1::2], strict=True)))


def _append(stack: list[Any]) -> None:
    item = stack.pop()
    stack[-1].append(item)


def _extend(stack: list[Any]) -> None:
    items = _to_mark(stack)
    stack[-1].extend(items)


def _add(stack: list[Any]) -> None:
    items = _to_mark(stack)
    stack[-1].update(items)


def _call(stack: list[Any]) -> None:
    arguments, name = stack.pop(), stack.pop()
    stack.append(_made(name, arguments))


def _new(stack: list[Any]) -> None:
    arguments, kind = stack.pop(), stack.pop()
    if not isinstance(kind, _Name) or not _CLASSES.fullmatch(kind.text):
        raise _Refused(getattr(kind, "text", "something unnamed"))
    stack.append(_Thing(kind.text, tuple(arguments)))


def _build(stack: list[Any]) -> None:
    state = stack.pop()
    if not isinstance(stack[-1], _Thing):
        raise ValueError("a state for what has none")
    stack[-1].state = state


def _stack_global(stack: list[Any]) -> None:
    name, module = stack.pop(), stack.pop()
    stack.append(_named(str(module), str(name)))


def _drop(stack: list[Any]) -> None:
    stack.pop()


_STEPS: dict[str, Callable[[list[Any]], None]] = {
    "TUPLE": lambda stack: stack.append(tuple(_to_mark(stack))),
    "TUPLE1": _last(1),
    "TUPLE2": _last(2),
    "TUPLE3": _last(3),
    "LIST": lambda stack: stack.append(_to_mark(stack)),
    "FROZENSET": lambda stack: stack.append(frozenset(_to_mark(stack))),
    "DICT": _dictionary,
    "APPEND": _append,
    "APPENDS": _extend,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "ADDITEMS": _add,
    "REDUCE": _call,
    "NEWOBJ": _new,
    "BUILD": _build,
    "STACK_GLOBAL": _stack_global,
    "POP": _drop,
    "POP_MARK": lambda stack: _drop_all(stack),
    "DUP": lambda stack: stack.append(stack[-1]),
}


def _drop_all(stack: list[Any]) -> None:
    _to_mark(stack)


def _made(name: Any, arguments: tuple[Any, ...]) -> Any:
    """What a call of ``name`` would have made, from its arguments alone."""
    if not isinstance(name, _Name):
        raise _Refused("something unnamed")
    if name.text == "_codecs.encode":
        return str(arguments[0]).encode("latin-1")
    if name.text == "copyreg._reconstructor":
        kind = arguments[0]
        return _Thing(kind.text) if isinstance(kind, _Name) else _made(kind, ())
    if name.text in ("builtins.set", "builtins.bytearray", "collections.OrderedDict"):
        kind = {"set": list, "bytearray": bytes, "OrderedDict": dict}[name.text.rsplit(".", 1)[1]]
        return kind(*arguments)
    if name.text in _MADE:
        return _Thing(name.text, arguments)
    raise _Refused(name.text)


def _plain(value: Any, depth: int) -> Any:
    """``value`` with everything in it made into arrays, dictionaries and lists."""
    if depth > 50:
        raise ValueError("it is nested too deep")
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items() if _is_key(key)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth + 1) for item in value]
    if not isinstance(value, _Thing):
        return value
    if value.name == "numpy.multiarray._reconstruct":
        return _array(value.state)
    if value.name == "numpy.numeric._frombuffer":
        buffer, kind, shape, order = value.arguments
        return np.frombuffer(buffer, _dtype(kind)).reshape(shape, order=order)
    if value.name == "numpy.multiarray.scalar":
        return np.frombuffer(_bytes(value.arguments[1]), _dtype(value.arguments[0]))[0]
    if value.name == "numpy.dtype":
        return str(value.arguments[0])
    state = _plain(value.state, depth + 1)
    if value.name.startswith("chumpy.") and isinstance(state, dict):
        return state.get("x", state)
    return state


def _is_key(key: Any) -> bool:
    return isinstance(key, (str, int))


def _array(state: Any) -> NDArray | None:
    """The array of (version, shape, dtype, Fortran order, bytes); None for one of objects."""
    _, shape, kind, fortran, content = state
    if not isinstance(content, (bytes, str)):
        return None
    return np.frombuffer(_bytes(content), _dtype(kind)).reshape(
        shape, order="F" if fortran else "C"
    )


def _dtype(thing: Any) -> np.dtype:
    """A plain number's type."""
    text = str(thing.arguments[0])
    if not _DTYPE.fullmatch(text):
        raise ValueError(f"an array of {text}")
    order = thing.state[1] if thing.state else "|"
    return np.dtype(text).newbyteorder(order if order in "<>" else "=")


def _bytes(content: bytes | str) -> bytes:
    """Python 2 wrote bytes as text, which pickletools gives as latin-1."""
    return content.encode("latin-1") if isinstance(content, str) else bytes(content)
