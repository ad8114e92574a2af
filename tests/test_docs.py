"""The Markdown files: that links and named files are there, and that public names exist."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.imports import PACKAGE, ROOT, project
from tools.docs_pages import headings_of, links_of, markdown_files, page_of

API = ROOT / "docs" / "api.md"


@pytest.mark.parametrize("source", markdown_files())
def test_links_lead_somewhere(source: str) -> None:
    for link in links_of(source):
        assert (ROOT / link.path).exists(), f"{source}: {link.target}"
        if link.anchor:
            assert link.anchor in headings_of(link.path), f"{source}: {link.target}"


def test_links_are_seen() -> None:
    """Those of the README that lead to pages, pictures, folders and headings of its own."""
    found = {link.target: link for link in links_of("README.md")}
    assert {"docs/architecture.md", "LICENSE", "examples/", "#what-is-in-namenpz"} <= set(found)
    assert found["#what-is-in-namenpz"].path == "README.md"
    assert any(link.path.endswith(".jpg") for link in found.values())
    assert "what-is-in-namenpz" in headings_of("README.md")
    assert len(markdown_files()) > 10


def test_the_sites_menu_has_every_page() -> None:
    """In no YAML reader's words: each page ends a line of the menu."""
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = re.findall(r": (\S+\.md)$", menu, re.MULTILINE)
    pages = [page_of(path) for path in markdown_files() if not path.startswith(".github")]
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("source", ["CONTRIBUTING.md", "docs/api.md"])
def test_files_that_are_named_are_there(source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")
    named = re.findall(r"`((?:backend|scene|operators|panels|tests|tools|assets)/[\w./]*)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert source != "CONTRIBUTING.md" or len(named) > 40


def test_words_that_contributors_are_told_to_look_for_are_there() -> None:
    """A row of the table "Where to add" names a file and what stands in it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.findall(r"`(\w+)` (?:of|in) `(\w+/[\w/]+\.py)`", text)
    assert len(found) > 8
    missing = [
        (word, path)
        for word, path in found
        if not re.search(rf"\b{word}\b", (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert missing == []


def public() -> list[tuple[str, str]]:
    """(module, name) of every name in the tables of docs/api.md."""
    rows = re.findall(rf"^\| `({PACKAGE}[\w.]*)` \| (.*?) \|", API.read_text("utf-8"), re.MULTILINE)
    return [(module, name) for module, names in rows for name in re.findall(r"`(\w+)`", names)]


@pytest.mark.parametrize(("module", "name"), public())
def test_public_names_exist(module: str, name: str) -> None:
    """By the module's text, because half of them need Blender."""
    assert module in project().files
    assert name in defined_in(project().files[module])


def defined_in(path: Path) -> set[str]:
    """What a module defines or imports; where it has a ``__getattr__``, what this can give too."""
    names: set[str] = set()
    late: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            if node.name == "__getattr__":
                late |= words(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= (here := {target.id for target in targets if isinstance(target, ast.Name)})
            if here == {"__all__"}:
                late |= words(node)
    return names | late if "__getattr__" in names else names


def words(tree: ast.AST) -> set[str]:
    """The strings below ``tree``."""
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str)}


def test_the_changelog_knows_this_version() -> None:
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.*?)\]", text, re.MULTILINE)[:2] == ["Unreleased", version]
