"""Live capture: a head that follows a phone or a tracker."""

from __future__ import annotations

from time import monotonic
from typing import Any

import bpy

from ..operators import strings_live as texts
from ..operators.live import (
    LIVE,
    RECONSTRUCT_FACE_OT_live_follow,
    RECONSTRUCT_FACE_OT_live_keyframes,
    RECONSTRUCT_FACE_OT_live_record,
    RECONSTRUCT_FACE_OT_live_rest,
    RECONSTRUCT_FACE_OT_live_start,
    RECONSTRUCT_FACE_OT_live_stop,
    RECONSTRUCT_FACE_OT_live_unfollow,
)
from ..scene.context import scene_of
from .animation import RECONSTRUCT_FACE_PT_animation
from .sidebar import FacePanel
from .text import draw_sentence, layout_of


class RECONSTRUCT_FACE_UL_gains(bpy.types.UIList):
    """A slider for each of ARKit's weights."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = 0,
    ) -> None:
        """Name and slider."""
        layout.label(text=item.name)
        layout.prop(item, "gain", text="", emboss=True, slider=True)


class RECONSTRUCT_FACE_PT_live(FacePanel, bpy.types.Panel):
    """The port, who is heard, and the recording."""

    bl_idname = "RECONSTRUCT_FACE_PT_live"
    bl_label = texts.PANEL
    bl_parent_id = RECONSTRUCT_FACE_PT_animation.bl_idname
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw from the settings and what goes on."""
        layout = layout_of(self)
        settings = scene_of(context).reconstruct_face_live
        if LIVE.faces is None:
            column = layout.column(align=True)
            column.prop(settings, "app", text="")
            if settings.app == "WEBCAM":
                column.prop(settings, "camera")
            else:
                column.prop(settings, "port")
                column.prop(settings, "address")
                column.prop(settings, "only")
            if settings.app == "IFACIALMOCAP":
                column.prop(settings, "phone")
            column.prop(settings, "with_pose")
            layout.operator(RECONSTRUCT_FACE_OT_live_start.bl_idname, icon="PLAY")
            return
        if LIVE.webcam is not None:
            _draw_webcam(layout)
        else:
            _draw_heard(layout)
        layout.operator(RECONSTRUCT_FACE_OT_live_stop.bl_idname, icon="PAUSE")
        _draw_head(layout, context)


def _draw_webcam(layout: bpy.types.UILayout) -> None:
    """How the camera goes, or why it does not."""
    assert LIVE.webcam is not None
    told = LIVE.webcam.told
    if told.failure:
        draw_sentence(layout, told.failure, icon="ERROR")
    elif not told.started:
        draw_sentence(layout, texts.CAMERA_STARTS, icon="SORTTIME")
    elif not told.seen:
        draw_sentence(layout, texts.CAMERA_NO_FACE, icon="ERROR")
    else:
        sentence = texts.CAMERA_RUNS.format(told.rate, 1000 * told.latency)
        draw_sentence(layout, sentence, icon="CHECKMARK")


def _draw_heard(layout: bpy.types.UILayout) -> None:
    """The port, the faces and what was left out."""
    from ..backend.live.listener import SILENT_S, own_addresses

    assert LIVE.faces is not None
    listener = LIVE.faces.listener
    draw_sentence(
        layout, texts.LISTENING.format(listener.address, listener.port), icon="RADIOBUT_ON"
    )
    if listener.address == "0.0.0.0" and not LIVE.faces.faces:
        for own in own_addresses():
            draw_sentence(layout, texts.TYPE_IN.format(own, listener.port), icon="INFO")
    now = monotonic()
    for key, frame in LIVE.faces.faces.items():
        name = f"{key[1]} ({key[0]})"
        if now - frame.arrived > SILENT_S:
            draw_sentence(layout, texts.SILENT.format(name), icon="ERROR")
        else:
            rate = LIVE.rates.get(key, 0.0)
            draw_sentence(layout, texts.HEARD.format(name, rate), icon="CHECKMARK")
    if not LIVE.faces.faces:
        draw_sentence(layout, texts.WAITING, icon="SORTTIME")
    counts = listener.counts
    for count, sentence in (
        (counts.bad, texts.BAD), (counts.refused, texts.REFUSED), (counts.late, texts.LATE)
    ):  # fmt: skip
        if count:
            draw_sentence(layout, sentence.format(count), icon="INFO")


def _draw_head(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the active head does with it."""
    from ..scene.current import current_head

    head = current_head(context)
    if head is None:
        return
    follower = LIVE.follower(head)
    column = layout.column(align=True)
    column.operator_menu_enum(RECONSTRUCT_FACE_OT_live_follow.bl_idname, "face", icon="LINKED")
    if follower is None:
        return
    column.operator(RECONSTRUCT_FACE_OT_live_unfollow.bl_idname, icon="UNLINKED")
    column.operator(RECONSTRUCT_FACE_OT_live_rest.bl_idname, icon="ARMATURE_DATA")
    if follower.recorder is None:
        column.operator(RECONSTRUCT_FACE_OT_live_record.bl_idname, icon="REC")
    else:
        draw_sentence(column, texts.RECORDING.format(len(follower.recorder)), icon="REC")
        column.operator(RECONSTRUCT_FACE_OT_live_keyframes.bl_idname, icon="KEY_HLT")


class RECONSTRUCT_FACE_PT_gains(FacePanel, bpy.types.Panel):
    """How strongly each movement is taken."""

    bl_idname = "RECONSTRUCT_FACE_PT_gains"
    bl_label = texts.GAINS
    bl_parent_id = RECONSTRUCT_FACE_PT_live.bl_idname
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Once there are any: since it was listened for the first time."""
        return len(scene_of(context).reconstruct_face_live.gains) > 0

    def draw(self, context: bpy.types.Context) -> None:
        """The list, which has a search of its own."""
        settings = scene_of(context).reconstruct_face_live
        self.layout.template_list(
            "RECONSTRUCT_FACE_UL_gains", "", settings, "gains", settings, "active_gain", rows=6
        )


CLASSES = (RECONSTRUCT_FACE_UL_gains, RECONSTRUCT_FACE_PT_live, RECONSTRUCT_FACE_PT_gains)
