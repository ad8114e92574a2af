"""What the project's modules import, read from their text: nothing is imported to find out.

:func:`project` knows every Python file of the repository; :meth:`Project.reached` follows the
imports from one module to all that it can load, packages' ``__init__`` included.  The fast tier
(``conftest.py``) chooses its test files by it, ``test_architecture.py`` holds the rules, and
``test_package.py`` looks for modules that the extension's zip lacks.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "reconstruct_face"
#: Folders that belong to the package, and folders whose files have names of their own.
PACKAGE_FOLDERS = ("backend", "operators", "panels", "scene")
OTHER_FOLDERS = ("examples", "tests", "tools")

#: Calls whose first argument names a module that is loaded, or looked for.
LOADERS = ("find_spec", "import_module", "importorskip")

#: Where an import stands.  One at module level happens with the importer's own import, one in a
#: function later or never; a string only names a module, for ``importlib``, for a process or as
#: code.  What stands under ``if TYPE_CHECKING`` is no import.
Kind = Literal["module", "function", "string"]


@dataclass(frozen=True)
class Import:
    """The module ``importer`` imports the module ``name`` in ``line``."""

    importer: str
    name: str
    line: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.name}"


def at_module_level(one: Import) -> bool:
    """Follow what happens when a module is imported."""
    return one.kind == "module"


def anywhere(one: Import) -> bool:
    """Follow what can happen in this process: functions' imports as well."""
    return one.kind != "string"


class Project:
    """The repository's modules, by name: ``tests/x.py`` is ``tests.x``."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files
        self._imports: dict[str, tuple[Import, ...]] = {}

    def imports(self, name: str) -> tuple[Import, ...]:
        """What the module ``name`` imports; read when first asked for."""
        if name not in self._imports:
            found = _imports_of(name, self.files)
            self._imports[name] = tuple(dict.fromkeys(found))
        return self._imports[name]

    def within(self, *packages: str) -> list[str]:
        """The names of all modules that are or lie in ``packages``."""
        return [name for name in self.files if within(name, *packages)]

    def reached(
        self, start: str, follow: Callable[[Import], bool] = anywhere
    ) -> dict[str, tuple[Import, ...]]:
        """All modules that importing ``start`` can load, each with a shortest chain of imports.

        Modules of other projects have the name they are imported by, and end a chain.  Python
        runs the packages around a module with it; of one that nobody names only the imports at
        module level count, for its functions are not called.
        """
        found: dict[str, tuple[Import, ...]] = {}
        unnamed: set[str] = set()
        waiting: list[str] = []

        def add(name: str, chain: tuple[Import, ...]) -> None:
            for package in self._packages(name):
                if package not in found:
                    found[package] = chain
                    unnamed.add(package)
                    waiting.append(package)
            if name not in found or name in unnamed:
                unnamed.discard(name)
                found.setdefault(name, chain)
                waiting.append(name)

        add(start, ())
        for name in waiting:  # it grows meanwhile
            if name in self.files:
                for one in self.imports(name):
                    if follow(one) and not (name in unnamed and one.kind != "module"):
                        add(one.name, (*found[name], one))
        return found

    def circle(
        self, follow: Callable[[Import], bool] = anywhere, without: Iterable[tuple[str, str]] = ()
    ) -> list[str]:
        """Modules that import each the next and the last the first; empty where there are none.

        ``without`` are pairs of importer and imported that do not count.  That Python loads a
        package before its own modules makes no circle.
        """
        left_out = set(without)
        edges: dict[str, set[str]] = {}
        for name in self.files:
            own = {name, *self._packages(name)}
            edges[name] = set()
            for one in self.imports(name):
                if one.name in self.files and follow(one) and (name, one.name) not in left_out:
                    edges[name] |= {one.name} | (set(self._packages(one.name)) - own)
        try:
            graphlib.TopologicalSorter(edges).prepare()
        except graphlib.CycleError as error:
            return error.args[1][::-1]
        return []

    def _packages(self, name: str) -> list[str]:
        """The packages around ``name`` that are files of the project, outermost first."""
        parts = name.split(".")
        around = (".".join(parts[:count]) for count in range(1, len(parts)))
        return [package for package in around if package in self.files]


@functools.cache
def project() -> Project:
    """The repository as it is."""
    paths = [ROOT / "__init__.py"]
    for folder in (*PACKAGE_FOLDERS, *OTHER_FOLDERS):
        paths += sorted((ROOT / folder).rglob("*.py"))
    return Project({module_name(path): path for path in paths})


def module_name(path: Path) -> str:
    """What the module in ``path``, a file of the repository, is called."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or parts[0] not in OTHER_FOLDERS:
        parts.insert(0, PACKAGE)
    return ".".join(parts)


def within(name: str, *packages: str) -> bool:
    """Whether ``name`` is one of ``packages`` or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def told(chain: Iterable[Import]) -> str:
    """A chain of imports, for a test that failed."""
    return ", ".join(map(str, chain))


def _imports_of(name: str, files: dict[str, Path]) -> Iterator[Import]:
    path = files[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, kind in _statements(ast.parse(path.read_text(encoding="utf-8"), str(path)), "module"):
        for target in _targets(node, package, files):
            if target != name:
                yield Import(name, target, node.lineno, kind)


def _statements(tree: ast.AST, kind: Kind) -> Iterator[tuple[ast.stmt | ast.expr, Kind]]:
    """Imports, calls of loaders and strings of a module, in no order."""
    waiting: list[tuple[ast.AST, Kind]] = [(tree, kind)]
    while waiting:
        node, kind = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, kind
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node, "string"
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend((child, kind) for child in node.orelse)
        else:
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(LOADERS):
                yield node, "string"
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                kind = "function"
            waiting.extend((child, kind) for child in ast.iter_child_nodes(node))


def _targets(node: ast.AST, package: str, files: dict[str, Path]) -> Iterator[str]:
    """The modules that an import statement, a loader's argument or a string names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = [node.module] if node.module else []
        if node.level:
            around = package.split(".")
            parts = around[: len(around) - node.level + 1] + parts
        base = ".".join(parts)
        for alias in node.names:
            member = f"{base}.{alias.name}"
            yield member if member in files else base
    elif isinstance(node, ast.Call):
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and re.fullmatch(r"\w+(\.\w+)*", str(first.value)):
            yield str(first.value)
    elif isinstance(node, ast.Constant):
        yield from _named_by_string(str(node.value), package, files)


def _named_by_string(text: str, package: str, files: dict[str, Path]) -> Iterator[str]:
    """``".cli.train"``, ``"reconstruct_face.backend"``, ``"fake_backend.py"``, and code."""
    if re.fullmatch(r"(\.\w+)+", text):
        text = package + text
    if text in files and "." in text:
        yield text
        if f"{text}.__main__" in files:  # for python -m
            yield f"{text}.__main__"
    elif re.fullmatch(r"[\w/]+\.py", text) and not text.endswith("__init__.py"):
        yield from (name for name, path in files.items() if path.as_posix().endswith(f"/{text}"))
    elif re.search(r"^\s*(import|from) ", text, re.MULTILINE):
        try:
            tree = ast.parse(textwrap.dedent(text))
        except SyntaxError:  # prose
            return
        for node, _ in _statements(tree, "string"):
            yield from _targets(node, package, files)
