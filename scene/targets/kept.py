"""The target that a head was last written for, kept with the head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy

from ...backend.exchange.targets import from_text, to_text

#: Custom property of a head: JSON, as ``backend/exchange/targets.py`` has it.
PROPERTY = "export_target"


def kept_target(head: bpy.types.Object) -> tuple[str, dict[str, Any]]:
    """The target's name and what was changed of it; ("", {}) where none is known or understood."""
    return from_text(head.get(PROPERTY, ""))


def keep_target(head: bpy.types.Object, name: str, changes: Mapping[str, Any]) -> None:
    """Remember them with ``head``; "" forgets."""
    if name:
        head[PROPERTY] = to_text(name, changes)
    elif PROPERTY in head:
        del head[PROPERTY]
