"""A head without its subdivision while Blender would only work it out in vain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy


@contextmanager
def unsubdivided(head: bpy.types.Object) -> Iterator[Callable[[bool], None]]:
    """``head`` without its subdivision in the viewport, while what this gives does not show it."""
    was = [(m, m.show_viewport) for m in head.modifiers if m.type == "SUBSURF"]

    def shown(yes: bool) -> None:
        for modifier, before in was:
            modifier.show_viewport = yes and before

    shown(False)
    try:
        yield shown
    finally:
        shown(True)


@contextmanager
def while_saving(shown: Callable[[bool], None]) -> Iterator[None]:
    """Call ``shown`` with True where Blender begins to write a file, with False once it has."""
    handlers, given = bpy.app.handlers, {"save_pre": True, "save_post": False}
    added = [(getattr(handlers, at), lambda *_, yes=yes: shown(yes)) for at, yes in given.items()]
    for there, handler in added:
        there.append(handler)
    try:
        yield
    finally:
        for there, handler in added:
            there.remove(handler)
