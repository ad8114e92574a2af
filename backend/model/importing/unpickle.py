"""Reads the arrays out of a pickle without running it.

A pickle is a program: what it names is imported and called by Python's own loader, and a restricted
loader still executes it, calling what its allow-list lets through.  Here nothing is ever imported
or called on a file's word: :func:`pickletools.genops` only splits the file into its instructions,
and the small machine below keeps dictionaries, lists, numbers and text, and makes arrays from the
bytes that numpy would have been given.  The names it knows are those of numpy arrays, scipy's
sparse matrices and chumpy's arrays; an instruction with any other name ends it with a sentence.

What the machine builds is bounded in number, depth and bytes, nothing in it is compared, hashed or
printed but short keys, and only what is wanted of it is made into arrays: a few bytes can ask for
gigabytes, name one list a million times, or nest tuples so deep that to hash them ends the process.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bounded import plain, short
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


#: FLAME's pickles take 1,500 instructions; a million take three seconds.
MOST_STEPS = 500_000
#: FLAME's chumpy arrays lie 8 deep.
DEEPEST = 64
#: Beside what the file itself has: text that is made into bytes, once each.
_MORE_BYTES = 1_000_000
_LONGEST_KEY = 200


@dataclass(frozen=True)
class _Name:
    """A global that the pickle names; never looked up."""

    text: str


class _Tuple(tuple):
    depth = 0


class _List(list):
    depth = 0


class _Dict(dict):
    depth = 0


class _Thing:
    """What a call or a class instance stands for, until its state comes."""

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name, self.arguments, self.state = name, arguments, None
        self.depth = _deeper(0, arguments)


class _Refused(Exception):
    """The pickle names something that is not data."""


def read_pickle(data: bytes, where: str, wanted: Collection[str] | None = None) -> dict[str, Any]:
    """The dictionary that the pickle holds: arrays, numbers and text by name.

    Those that are not ``wanted`` (all, where it is None), and those that hold something else, are
    there as None.  A chumpy array becomes the array it wraps.  Raises :class:`ModelError` for a
    pickle that names anything else, is damaged, asks for more than a face model needs, or holds no
    dictionary.
    """
    try:
        found = _Machine(data).run()
        if not isinstance(found, _Dict):
            raise ModelError(f"{where} is a pickle, but does not hold a face model.")
        names = [name for name in found if isinstance(name, str)]
        chosen = names if wanted is None else [name for name in names if name in wanted]
        made = {name: _made_of(found[name], 0) for name in chosen}
        return dict.fromkeys(names) | made
    except ModelError:
        raise
    except _Refused as refused:
        raise ModelError(
            f"{where} is a pickle that would run {refused}, which no face model needs; nothing of "
            "it was run. Do not open it elsewhere."
        ) from refused
    except Exception as error:  # whatever a damaged file leads to
        raise ModelError(
            f"{where} is damaged or no pickle of a face model ({short(error)})."
        ) from error


def _deeper(depth: int, items: Iterable[Any]) -> int:
    """The depth of what has ``depth`` already and holds ``items``."""
    depth = max(depth, 1 + max((getattr(item, "depth", 0) for item in items), default=0))
    if depth > DEEPEST:
        raise ValueError("it is nested too deep")
    return depth


class _Machine:
    """Carries out the instructions of a pickle that make data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps, self._bytes = MOST_STEPS, len(data) + _MORE_BYTES

    def run(self) -> Any:
        """What is on the stack at the end."""
        stack, memo, argument = self._stack, self._memo, None
        for opcode, argument, _ in pickletools.genops(self._data):
            self._pay(1)
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
                memo[int(argument)] = stack[-1]  # type: ignore[arg-type]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[int(argument)])  # type: ignore[arg-type]
            elif name == "GLOBAL":
                stack.append(_named(*str(argument).split(" ", 1)))
            elif name in _STEPS:
                _STEPS[name](self)
            else:
                raise _Refused(f"the instruction {name}")
        raise ValueError("it has no end")

    def _pay(self, steps: int, size: int = 0) -> None:
        """For what is about to be made."""
        self._steps -= steps
        self._bytes -= size
        if min(self._steps, self._bytes) < 0:
            raise ValueError("it asks for more than any face model needs")

    def _to_mark(self) -> list[Any]:
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _push_tuple(self, items: Iterable[Any]) -> None:
        made = _Tuple(items)
        made.depth = _deeper(0, made)
        self._stack.append(made)

    def last(self, count: int) -> None:
        items = self._stack[-count:]
        del self._stack[-count:]
        self._push_tuple(items)

    def tuple(self) -> None:
        self._push_tuple(self._to_mark())

    def list(self) -> None:
        """Also of what would be a frozen set: nothing is hashed."""
        self._stack.append(_listed(self._to_mark()))

    def extend(self) -> None:
        self._extend(self._to_mark())

    def append(self) -> None:
        self._extend([self._stack.pop()])

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, _List):
            raise ValueError("items for what takes none")
        target.depth = _deeper(target.depth, items)
        target.extend(items)

    def dictionary(self) -> None:
        self._stack.append(_keyed(self._to_mark(), _Dict()))

    def set_items(self) -> None:
        items = self._to_mark()
        self._set(items)

    def set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _set(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], _Dict):
            raise ValueError("items for what takes none")
        _keyed(items, self._stack[-1])

    def call(self) -> None:
        arguments, name = self._stack.pop(), self._stack.pop()
        self._stack.append(self._called(name, arguments))

    def new(self) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, _Name) or not _CLASSES.fullmatch(kind.text):
            raise _Refused(plain(getattr(kind, "text", "something unnamed"), 80))
        self._stack.append(_Thing(kind.text, _arguments(arguments)))

    def build(self) -> None:
        state = self._stack.pop()
        if not isinstance(self._stack[-1], _Thing):
            raise ValueError("a state for what has none")
        self._stack[-1].state = state
        self._stack[-1].depth = _deeper(self._stack[-1].depth, [state])

    def stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise _Refused("something unnamed")
        self._stack.append(_named(module, name))

    def drop(self) -> None:
        self._stack.pop()

    def drop_to_mark(self) -> None:
        self._to_mark()

    def double(self) -> None:
        self._stack.append(self._stack[-1])

    def _called(self, name: Any, arguments: Any) -> Any:
        """What a call of ``name`` would have made, from its arguments alone."""
        if not isinstance(name, _Name):
            raise _Refused("something unnamed")
        given = _arguments(arguments)
        if name.text == "_codecs.encode":
            self._pay(0, len(given[0]))
            return given[0].encode("latin-1")
        if name.text == "copyreg._reconstructor":
            kind = given[0]
            return _Thing(kind.text) if isinstance(kind, _Name) else self._called(kind, _Tuple())
        if name.text in ("builtins.set", "builtins.bytearray", "collections.OrderedDict"):
            return self._collection(name.text.rsplit(".", 1)[1], given)
        if name.text in _MADE:
            return _Thing(name.text, given)
        raise _Refused(plain(name.text, 80))

    def _collection(self, kind: str, given: tuple[Any, ...]) -> Any:
        first = given[0] if given else _Tuple()
        if kind == "bytearray":
            if not isinstance(first, (bytes, bytearray)):
                raise ValueError("bytes of something else")
            return first
        if not isinstance(first, (_List, _Tuple)):
            raise ValueError("a collection of something else")
        self._pay(len(first))
        if kind == "set":
            return _listed(first)
        pairs = [pair for pair in first if isinstance(pair, (_List, _Tuple)) and len(pair) == 2]
        return _keyed([item for pair in pairs for item in pair], _Dict())


def _listed(items: Iterable[Any]) -> _List:
    made = _List(items)
    made.depth = _deeper(0, made)
    return made


def _keyed(items: list[Any], target: _Dict) -> _Dict:
    """``target`` with key, value, key, value ... of ``items``, those with a plain key."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, int) or (isinstance(key, str) and len(key) <= _LONGEST_KEY):
            target.depth = _deeper(target.depth, [value])
            target[key] = value
    return target


def _arguments(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, _Tuple):
        raise ValueError("arguments that are none")
    return value


_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip


def _named(module: str, name: str) -> _Name:
    """The name as numpy 1 and 2 and Python 2 and 3 alike; refused unless it is one of data."""
    module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
    module = re.sub(r"^numpy\._?core\.", "numpy.", module)
    text = f"{module}.{name}"
    if text in _MADE or text in _TOKENS or _CLASSES.fullmatch(text):
        return _Name(text)
    raise _Refused(plain(text, 80))


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "MARK": lambda: _MARK,
    "EMPTY_TUPLE": _Tuple,
    "EMPTY_LIST": _List,
    "EMPTY_DICT": _Dict,
    "EMPTY_SET": _List,
}
_STEPS: dict[str, Callable[[_Machine], None]] = {
    "TUPLE": _Machine.tuple,
    "TUPLE1": lambda machine: machine.last(1),
    "TUPLE2": lambda machine: machine.last(2),
    "TUPLE3": lambda machine: machine.last(3),
    "LIST": _Machine.list,
    "FROZENSET": _Machine.list,
    "DICT": _Machine.dictionary,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "ADDITEMS": _Machine.extend,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.new,
    "BUILD": _Machine.build,
    "STACK_GLOBAL": _Machine.stack_global,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "DUP": _Machine.double,
}


def _made_of(value: Any, depth: int) -> Any:
    """The array, number or text that ``value`` stands for; None where it is something else."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if not isinstance(value, _Thing) or depth > DEEPEST:
        return None
    if value.name == "numpy.multiarray._reconstruct":
        return _array(value.state)
    if value.name == "numpy.numeric._frombuffer":
        buffer, kind, shape, order = value.arguments
        return _shaped(buffer, kind, shape, order == "F")
    if value.name == "numpy.multiarray.scalar":
        return np.frombuffer(_bytes(value.arguments[1]), _dtype(value.arguments[0]))[0]
    if value.name.startswith("chumpy.") and isinstance(value.state, _Dict):
        return _made_of(value.state.get("x"), depth + 1)
    return None


def _array(state: Any) -> NDArray | None:
    """The array of (version, shape, dtype, Fortran order, bytes); None for one of objects."""
    _, shape, kind, fortran, content = state
    if not isinstance(content, (bytes, str)):
        return None
    return _shaped(content, kind, shape, fortran is True)


def _shaped(content: Any, kind: Any, shape: Any, fortran: bool) -> NDArray:
    if not isinstance(shape, _Tuple) or not all(isinstance(side, int) for side in shape):
        raise ValueError("an array without a shape")
    flat = np.frombuffer(_bytes(content), _dtype(kind))
    return flat.reshape(shape, order="F" if fortran else "C")


def _dtype(thing: Any) -> np.dtype:
    """A plain number's type."""
    text = thing.arguments[0]
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        raise ValueError("an array of something else than numbers")
    order = thing.state[1] if isinstance(thing.state, _Tuple) else "|"
    return np.dtype(text).newbyteorder(order if order in ("<", ">") else "=")


def _bytes(content: Any) -> bytes | bytearray:
    """Python 2 wrote bytes as text, which pickletools gives as latin-1."""
    if not isinstance(content, (bytes, bytearray, str)):
        raise ValueError("an array without content")
    return content.encode("latin-1") if isinstance(content, str) else content
