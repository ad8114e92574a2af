"""The sidebar; a module here is built like one of ``operators``."""

from __future__ import annotations

from ..operators.registering import add_modules, remove_modules
from . import (
    animation,
    export,
    expression,
    head,
    live,
    own_mesh,
    photos,
    preferences,
    presets,
    progress,
    rig,
    sidebar,
    verify,
)

#: In the order they are drawn.
MODULES = (
    preferences,
    presets,
    progress,
    photos,
    sidebar,
    head,
    expression,
    rig,
    animation,
    live,
    own_mesh,
    verify,
    export,
)


def register() -> None:
    """Add the panels."""
    add_modules(MODULES)


def unregister() -> None:
    """Remove the panels."""
    remove_modules(MODULES)
