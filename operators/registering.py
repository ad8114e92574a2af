"""How modules of operators and panels are added to Blender, and taken away without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import bpy


def add_modules(modules: Sequence[ModuleType]) -> None:
    """Register ``CLASSES`` of every module, then call its ``register_more``, if it has one."""
    for module in modules:
        for kind in module.CLASSES:
            bpy.utils.register_class(kind)
        if hasattr(module, "register_more"):
            module.register_more()


def remove_modules(modules: Sequence[ModuleType]) -> None:
    """Undo :func:`add_modules`."""
    for module in reversed(modules):
        if hasattr(module, "unregister_more"):
            module.unregister_more()
        for kind in reversed(module.CLASSES):
            bpy.utils.unregister_class(kind)
