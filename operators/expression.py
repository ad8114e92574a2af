"""Operators and settings of the expression sliders: thin shells around ``scene/expression.py``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..backend.errors import FaceError
from ..scene.context import head_of, scene_of
from . import strings
from .view import OnHead

#: The known names that have a side, and move the other side along in symmetric editing.
PAIRED = tuple(
    f"{stem}{side}"
    for stem in strings.MOVEMENTS
    if stem.startswith((
        "browOuter", "browDown", "eye", "mouthSmile", "mouthFrown", "mouthUpper", "mouthLower",
        "mouthStretch", "mouthDimple", "mouthPress", "cheekSquint", "noseSneer", "nostrilDilate",
    ))
    for side in ("Left", "Right")
)  # fmt: skip


def label_of(name: str) -> str:
    """What the slider of the shape key ``name`` is called, without its side."""
    if name in strings.MOVEMENTS:
        return strings.MOVEMENTS[name]
    stem = name.removesuffix("Left").removesuffix("Right")
    return strings.MOVEMENTS.get(stem, name)


def _active_head() -> bpy.types.Object | None:
    from ..scene.current import current_head

    return current_head(bpy.context)


def _paired_value(name: str) -> Any:
    """A slider that shows one shape key and moves its partner as well.

    It stores nothing: it reads and writes the active head's shape keys.  So there is nothing to
    keep in step, no handler that watches, and Blender's undo sees one edit.
    """

    def get(_settings: Any) -> float:
        from ..scene.expression import values_of

        head = _active_head()
        return 0.0 if head is None else values_of(head).get(name, 0.0)

    def put(_settings: Any, value: float) -> None:
        from ..scene.expression import set_value

        head = _active_head()
        if head is not None:
            with suppress(FaceError):  # a property cannot report; the panel says why
                set_value(head, name, value, symmetric=True)

    return FloatProperty(
        name=label_of(name),
        description=strings.SIDE_TIP.format(name),
        get=get,
        set=put,
        min=-10.0,
        max=10.0,
        soft_min=0.0,
        soft_max=1.0,
        options=set(),
    )


def _gaze_value(axis: int, name: str, tip: str) -> Any:
    def get(_settings: Any) -> float:
        from ..scene.expression import gaze_of

        head = _active_head()
        return 0.0 if head is None else gaze_of(head)[axis]

    def put(_settings: Any, value: float) -> None:
        from ..scene.expression import gaze_of, set_gaze

        head = _active_head()
        if head is not None:
            gaze = list(gaze_of(head))
            gaze[axis] = value
            with suppress(FaceError):
                set_gaze(head, *gaze)

    return FloatProperty(
        name=name, description=tip, get=get, set=put, min=-1.0, max=1.0, options=set()
    )


class ExpressionSettings(bpy.types.PropertyGroup):
    """How the sliders are shown and edited; with the scene, because that is what undo knows."""

    __annotations__: dict[str, Any] = {
        "search": StringProperty(
            name=strings.SEARCH,
            description=strings.SEARCH_TIP,
            options={"TEXTEDIT_UPDATE"},
        ),
        "symmetric": BoolProperty(
            name=strings.SYMMETRIC, description=strings.SYMMETRIC_TIP, default=False
        ),
        "gaze_across": _gaze_value(0, strings.GAZE_ACROSS, strings.GAZE_ACROSS_TIP),
        "gaze_up": _gaze_value(1, strings.GAZE_UP, strings.GAZE_UP_TIP),
        **{name: _paired_value(name) for name in PAIRED},
    }


class ChangesExpression(OnHead):
    """Base: what ``change`` does to the active head, errors told in a sentence."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it."""
        try:
            self.change(context, head_of(context))
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """What the operator is for.  Raises :class:`FaceError`."""
        raise NotImplementedError


class RECONSTRUCT_FACE_OT_neutral(ChangesExpression, bpy.types.Operator):
    """Every slider to zero."""

    bl_idname = "reconstruct_face.neutral"
    bl_label = strings.RESET
    bl_description = strings.RESET_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Reset."""
        from ..scene.expression import reset

        reset(head)


class RECONSTRUCT_FACE_OT_reset_group(ChangesExpression, bpy.types.Operator):
    """The sliders of one group to zero."""

    bl_idname = "reconstruct_face.reset_group"
    bl_label = strings.RESET_GROUP
    bl_description = strings.RESET_GROUP_TIP
    bl_options = {"REGISTER", "UNDO"}

    group: StringProperty(name=strings.GROUP, options={"SKIP_SAVE"})

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Reset the group."""
        from ..scene.expression import reset_group

        reset_group(head, self.group)


class RECONSTRUCT_FACE_OT_mirror_expression(ChangesExpression, bpy.types.Operator):
    """Left and right swapped."""

    bl_idname = "reconstruct_face.mirror_expression"
    bl_label = strings.MIRROR
    bl_description = strings.MIRROR_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Mirror."""
        from ..scene.expression import mirror

        mirror(head)


class RECONSTRUCT_FACE_OT_random_expression(ChangesExpression, bpy.types.Operator):
    """An expression at random."""

    bl_idname = "reconstruct_face.random_expression"
    bl_label = strings.RANDOM
    bl_description = strings.RANDOM_TIP
    bl_options = {"REGISTER", "UNDO"}

    seed: IntProperty(name=strings.SEED, description=strings.SEED_TIP, default=0, min=0)
    strength: FloatProperty(
        name=strings.STRENGTH,
        description=strings.STRENGTH_TIP,
        default=0.7,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Another expression with every press; the seed can then be changed."""
        self.seed = (self.seed + 1) % 2**31
        return self.execute(context)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Draw one."""
        from ..scene.expression import randomise

        randomise(head, seed=self.seed, strength=self.strength)


class RECONSTRUCT_FACE_OT_photo_expression(ChangesExpression, bpy.types.Operator):
    """The expression of the photo that is shown."""

    bl_idname = "reconstruct_face.photo_expression"
    bl_label = strings.PHOTO_EXPRESSION
    bl_description = strings.PHOTO_EXPRESSION_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Restore it."""
        from ..scene.expression import restore_fitted
        from ..scene.photo_view import current_number

        restore_fitted(head, current_number(head, context))


class RECONSTRUCT_FACE_OT_copy_expression(ChangesExpression, bpy.types.Operator):
    """The expression of another head."""

    bl_idname = "reconstruct_face.copy_expression"
    bl_label = strings.COPY_FROM
    bl_description = strings.COPY_FROM_TIP
    bl_options = {"REGISTER", "UNDO"}

    source: StringProperty(name=strings.SOURCE, description=strings.COPY_FROM_TIP)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Copy it."""
        from ..scene.expression import copy_expression
        from ..scene.mesh import is_head

        source = bpy.data.objects.get(self.source)
        if not is_head(source):
            raise FaceError(strings.no_such_head(self.source))
        copy_expression(source, head)


class RECONSTRUCT_FACE_OT_key_expression(ChangesExpression, bpy.types.Operator):
    """A keyframe for every slider."""

    bl_idname = "reconstruct_face.key_expression"
    bl_label = strings.KEY_ALL
    bl_description = strings.KEY_ALL_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Key all."""
        from ..scene.expression import insert_keyframes
        from ..scene.shape_keys import driven_names

        frame = scene_of(context).frame_current
        count = insert_keyframes(head, frame)
        self.report({"INFO"}, strings.keyed(count, frame, len(driven_names(head))))


class RECONSTRUCT_FACE_OT_delete_keys(ChangesExpression, bpy.types.Operator):
    """The keyframes of this frame deleted."""

    bl_idname = "reconstruct_face.delete_keys"
    bl_label = strings.DELETE_KEYS
    bl_description = strings.DELETE_KEYS_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Delete them."""
        from ..scene.expression import delete_keyframes

        frame = scene_of(context).frame_current
        count = delete_keyframes(head, frame)
        if not count:
            raise FaceError(f"{strings.NO_KEYS}.")
        self.report({"INFO"}, strings.deleted_keys(count, frame))


class RECONSTRUCT_FACE_MT_copy_expression(bpy.types.Menu):
    """The other heads of the file."""

    bl_idname = "RECONSTRUCT_FACE_MT_copy_expression"
    bl_label = strings.COPY_FROM
    bl_description = strings.COPY_FROM_TIP

    def draw(self, context: bpy.types.Context) -> None:
        """One entry a head."""
        from ..scene.mesh import is_head

        own = _active_head()
        others = [x for x in bpy.data.objects if is_head(x) and x != own]
        for head in others:
            entry = self.layout.operator(
                RECONSTRUCT_FACE_OT_copy_expression.bl_idname, text=head.name, icon="USER"
            )
            entry.source = head.name
        if not others:
            self.layout.label(text=strings.NO_OTHER_HEAD)


CLASSES = (
    ExpressionSettings,
    RECONSTRUCT_FACE_OT_neutral,
    RECONSTRUCT_FACE_OT_reset_group,
    RECONSTRUCT_FACE_OT_mirror_expression,
    RECONSTRUCT_FACE_OT_random_expression,
    RECONSTRUCT_FACE_OT_photo_expression,
    RECONSTRUCT_FACE_OT_copy_expression,
    RECONSTRUCT_FACE_OT_key_expression,
    RECONSTRUCT_FACE_OT_delete_keys,
    RECONSTRUCT_FACE_MT_copy_expression,
)


def register_more() -> None:
    """Add ``scene.reconstruct_face_expression``."""
    bpy.types.Scene.reconstruct_face_expression = PointerProperty(type=ExpressionSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face_expression
