"""Expressions as assets: actions on shape keys at one frame, with name, tags and a picture.

Blender's own pose library applies actions to bones.  These hold F-curves on shape keys by name, so
they fit every head of the same face model, can be browsed in the asset browser, and can be used as
any action: in the Action Editor or as an NLA strip.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from ..backend.errors import FaceError
from .actions import key_curves, new_curve, new_key_action, value_path
from .expression import set_values, values_of
from .shape_keys import editable_keys

#: Where an expression's only keyframe is.
FRAME = 1.0
_PREFIX, _SUFFIX = 'key_blocks["', '"].value'


def save_expression(
    head: bpy.types.Object,
    name: str,
    *,
    tags: Iterable[str] = (),
    description: str = "",
    preview: bool = True,
) -> bpy.types.Action:
    """The expression of ``head`` as a new asset of the current file.

    Every shape key is held, zeros as well, so that it replaces another expression whole.  It is in
    other files' asset browsers when this file lies in a folder that the preferences list as an
    asset library.  With ``preview`` the head is drawn as its picture.

    Raises :class:`FaceError` without a name, and :class:`ModelError` when ``head`` has no shape
    keys.
    """
    name = name.strip()
    if not name:
        raise FaceError("The expression has no name; type one.")
    values = values_of(head)
    if not values:
        editable_keys(head)  # says what is wrong
    action = new_key_action(name)
    for key, value in values.items():
        curve = new_curve(action, value_path(key))
        point = curve.keyframe_points.insert(FRAME, value)
        point.interpolation = "CONSTANT"
        curve.update()
    action.asset_mark()
    about = action.asset_data
    assert about is not None
    about.description = description.strip()
    for tag in dict.fromkeys(tag.strip() for tag in tags):
        if tag:
            about.tags.new(tag)
    if preview:
        from .asset_preview import SIZE, draw_head

        picture = action.preview_ensure()
        picture.image_size = (SIZE, SIZE)
        picture.image_pixels_float.foreach_set(draw_head(head).ravel())
    return action


def saved_expressions() -> list[bpy.types.Action]:
    """The expression assets of the current file, linked ones too, by name."""
    found = [x for x in bpy.data.actions if x.asset_data is not None and expression_in(x)]
    return sorted(found, key=lambda action: action.name.lower())


def expression_in(action: bpy.types.Action) -> dict[str, float]:
    """Shape key name to its value at the first frame of ``action``; empty if it has none."""
    curves = {
        bpy.utils.unescape_identifier(path[len(_PREFIX) : -len(_SUFFIX)]): curve
        for curve in key_curves(action)
        if (path := curve.data_path).startswith(_PREFIX) and path.endswith(_SUFFIX)
    }
    if not curves:
        return {}
    start = action.frame_range[0]
    return {name: curve.evaluate(start) for name, curve in curves.items()}


def apply_expression(action: bpy.types.Action, head: bpy.types.Object, blend: float = 1.0) -> int:
    """Give ``head`` the expression of ``action``, by name; the number of shape keys that took it.

    ``blend`` 0 leaves the head as it is, 1 is the asset's expression, between is between.

    Raises :class:`FaceError` when no name of the action is a shape key of ``head``, and as
    :func:`.expression.editable_keys`.
    """
    keys = editable_keys(head)
    wanted = {name: value for name, value in expression_in(action).items() if name in keys}
    if not wanted:
        raise FaceError(
            f"No shape key of {head.name} is in {action.name}; choose an expression that was saved "
            "from a head of the same face model."
        )
    return set_values(
        head,
        {name: (1 - blend) * keys[name].value + blend * value for name, value in wanted.items()},
    )
