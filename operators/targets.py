"""The target of an export as the sidebar sets it.

Nothing is stored here: what is chosen is kept with the head (``scene/targets/kept.py``), and what
is as the target has it is not kept at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, PointerProperty

from ..backend.exchange.targets import CHANGEABLE, TARGETS, changed, choices_of, target_named
from . import strings_targets as strings

#: The target that is none.
ANY = "any"
TARGET_ITEMS = (
    (ANY, strings.ANY, strings.ANY_TIP),
    *((one.name, one.label, one.about) for one in TARGETS.values()),
)
_NAMES = [name for name, *_ in TARGET_ITEMS]


def _kept() -> tuple[str, dict[str, Any]]:
    """Of the current head; ("", {}) without one."""
    from ..scene.current import current_head
    from ..scene.targets.kept import kept_target

    head = current_head(bpy.context)
    return ("", {}) if head is None else kept_target(head)


def _keep(name: str, changes: dict[str, Any]) -> None:
    from ..scene.current import current_head
    from ..scene.targets.kept import keep_target

    head = current_head(bpy.context)
    if head is not None and head.library is None:
        keep_target(head, name, changes)


def _target(_settings: TargetSettings) -> int:
    return _NAMES.index(_kept()[0] or ANY)


def _set_target(_settings: TargetSettings, number: int) -> None:
    name = _NAMES[number]
    if name != (_kept()[0] or ANY):
        _keep("" if name == ANY else name, {})


def _value(key: str) -> Callable[[TargetSettings], int]:
    def get(_settings: TargetSettings) -> int:
        name, changes = _kept()
        if not name:
            return 0
        return CHANGEABLE[key].index(getattr(changed(target_named(name), changes), key))

    return get


def _set_value(key: str) -> Callable[[TargetSettings, int], None]:
    def keep(_settings: TargetSettings, number: int) -> None:
        name, changes = _kept()
        if not name or key not in choices_of(target_named(name)):
            return
        value = CHANGEABLE[key][number]
        changes = {other: kept for other, kept in changes.items() if other != key}
        if value != getattr(target_named(name), key):
            changes[key] = value
        _keep(name, changes)

    return keep


def _neutral(settings: TargetSettings) -> bool:
    return bool(_value("neutral")(settings))


def _set_neutral(settings: TargetSettings, value: bool) -> None:
    _set_value("neutral")(settings, int(value))


def _about(key: str) -> dict[str, Any]:
    label, tip = strings.CHANGES[key]
    return {"name": label, "description": tip, "get": _value(key), "set": _set_value(key)}


def _choice(key: str) -> Any:
    said = strings.VALUES.get(key, {})
    items = [(str(value), str(said.get(value, value)), "") for value in CHANGEABLE[key]]
    return EnumProperty(items=[(*item, number) for number, item in enumerate(items)], **_about(key))


class TargetSettings(bpy.types.PropertyGroup):
    """What the current head is written for."""

    target: EnumProperty(
        name=strings.TARGET,
        description=strings.TARGET_TIP,
        items=[(*item, number) for number, item in enumerate(TARGET_ITEMS)],
        get=_target,
        set=_set_target,
    )
    texture: _choice("texture")
    levels: _choice("levels")
    visemes: _choice("visemes")
    compression: _choice("compression")
    skeleton: _choice("skeleton")
    neutral: BoolProperty(**_about("neutral") | {"get": _neutral, "set": _set_neutral})


CLASSES = (TargetSettings,)


def register_more() -> None:
    """Add ``scene.reconstruct_face_target``."""
    bpy.types.Scene.reconstruct_face_target = PointerProperty(type=TargetSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face_target
