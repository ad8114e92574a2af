"""The project's Markdown files as the pages of one site, for MkDocs (``tools/docs.sh``).

MkDocs sees ``docs/`` alone.  This hook adds the README as the first page, the other Markdown files
and what they link to, and turns links between the files into links between the pages, so that every
file keeps links that work where it lies.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig  # pyright: ignore[reportMissingImports]
    from mkdocs.structure.files import Files  # pyright: ignore[reportMissingImports]
    from mkdocs.structure.pages import Page  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).resolve().parents[1]
#: Markdown files that people read, in folders of the project; "." is its root.
FOLDERS = (".", "docs", "docs/targets", "assets", ".github")
_FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<text>!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^()\s]+)\)")
_OUTSIDE = re.compile(r"[a-z]+:")  # https:, mailto:


@dataclass(frozen=True)
class Link:
    """A link to another place of the project, as it stands in a file."""

    source: str  #: the file, from the project's root
    target: str  #: as it is written
    path: str  #: the file or folder that it means, from the project's root
    anchor: str  #: behind the #, or ""


def markdown_files() -> list[str]:
    """The project's pages, from its root."""
    return [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in sorted((ROOT / folder).glob("*.md"))
    ]


def links_of(source: str) -> Iterator[Link]:
    """The links of the file ``source`` that lead to other places of the project."""
    text = (ROOT / source).read_text(encoding="utf-8")
    for match in _LINK.finditer(_FENCE.sub("", text)):
        if not _OUTSIDE.match(match["target"]):
            yield _link(source, match["target"])


def headings_of(source: str) -> list[str]:
    """The anchors of a file's headings, as GitHub and MkDocs make them."""
    text = _FENCE.sub("", (ROOT / source).read_text(encoding="utf-8"))
    found: list[str] = []
    for title in re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE):
        plain = _LINK.sub(lambda match: match["text"][1:-1], title)
        words = re.sub(r"[^\w\s-]", "", plain.lower())
        found.append(re.sub(r"\s+", "-", words.strip()))
    return found


def page_of(path: str) -> str:
    """Where a file of the project is in the site's sources."""
    if path == "README.md":
        return "index.md"
    return path.removeprefix("docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside ``docs/``, and what any page links to."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    sources = [source for source in markdown_files() if not source.startswith(".github")]
    wanted = [*sources, *(link.path for source in sources for link in links_of(source))]
    for path in dict.fromkeys(wanted):
        if files.get_file_from_path(page_of(path)) is None and (ROOT / path).is_file():
            files.append(File.generated(config, page_of(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files into links between pages; folders, which are no pages, into text."""
    source = next(path for path in markdown_files() if page_of(path) == page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        if _OUTSIDE.match(match["target"]):
            return match[0]
        link = _link(source, match["target"])
        if (ROOT / link.path).is_dir():
            return match["text"][1:-1]
        there = posixpath.relpath(page_of(link.path), posixpath.dirname(page.file.src_uri) or ".")
        return f"{match['text']}({there}{'#' * bool(link.anchor)}{link.anchor})"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(turned, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(turned, markdown[end:])])


def _link(source: str, target: str) -> Link:
    path, _, anchor = target.partition("#")
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) if path else source
    return Link(source, target, meant, anchor)
