"""The operator behind the sidebar's button: a thin shell around ``scene.api.reconstruct``."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..backend.errors import FaceError
from . import strings


class RECONSTRUCT_FACE_OT_reconstruct(bpy.types.Operator, ImportHelper):
    """Reconstruct the face(s) of one photo."""

    bl_idname = "reconstruct_face.reconstruct"
    bl_label = strings.RECONSTRUCT
    bl_description = strings.RECONSTRUCT_TIP
    bl_options = {"REGISTER", "UNDO"}

    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filepath: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE"})
    face: IntProperty(name=strings.FACE, description=strings.FACE_TIP, default=1, min=0, max=99)
    texture: EnumProperty(
        name=strings.TEXTURE, description=strings.TEXTURE_TIP, items=strings.TEXTURE_MODES
    )
    quality: EnumProperty(
        name=strings.QUALITY,
        description=strings.QUALITY_TIP,
        items=strings.QUALITIES,
        default="balanced",
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reconstruct and select the new head(s)."""
        from ..scene import api

        if not self.filepath:
            self.report({"ERROR"}, strings.CHOOSE_PHOTO)
            return {"CANCELLED"}
        try:
            heads = api.reconstruct(
                bpy.path.abspath(self.filepath),
                face=self.face or "all",
                texture=self.texture,
                quality=self.quality,
                set_active=True,
            )
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        heads = heads if isinstance(heads, list) else [heads]
        self.report({"INFO"}, strings.reconstructed([head.name for head in heads]))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_neutral(bpy.types.Operator):
    """Take the expression off the active head."""

    bl_idname = "reconstruct_face.neutral"
    bl_label = strings.RESET
    bl_description = strings.RESET_TIP
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the active object is a head of ours."""
        from ..scene.mesh import is_head

        return is_head(context.active_object)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set every expression key to zero."""
        from ..scene.mesh import expression_keys, is_head

        head = context.active_object
        if not is_head(head):
            return {"CANCELLED"}
        for key in expression_keys(head):
            key.value = 0.0
        return {"FINISHED"}


CLASSES = (RECONSTRUCT_FACE_OT_reconstruct, RECONSTRUCT_FACE_OT_neutral)



def unregister_more() -> None:
    """End the backend's process if one was started."""
    import sys

    api = sys.modules.get(f"{__package__.rpartition('.')[0]}.scene.api")
    if api is not None:
        api.close_backend()
