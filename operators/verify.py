"""The verification of the active head: a thin shell around ``scene/verification.py``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..backend.errors import ModelError
from ..scene.context import head_of
from . import strings
from .running import RunsJob
from .view import OnHead

if TYPE_CHECKING:
    from ..scene.jobs import Job


class RECONSTRUCT_FACE_OT_verify(RunsJob, OnHead, bpy.types.Operator):
    """Compare what the file shows of the active head with what was reconstructed."""

    bl_idname = "reconstruct_face.verify"
    bl_label = strings.VERIFY
    bl_description = strings.VERIFY_TIP
    bl_options = {"UNDO"}
    doing = strings.VERIFY
    place = "verify"

    filepath: StringProperty(
        name=strings.VERIFY_FILE, subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"}
    )
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender; ask for the file of a head of an earlier session."""
        from ..scene.verification import is_kept

        if is_kept(head_of(context)):
            return self.run_modal(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it: beside Blender where a file was chosen in a window, else wait for it."""
        if self.filepath and not bpy.app.background and self.options.is_invoke:
            return self.run_modal(context)
        return super().execute(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Start with the file as it is now."""
        from ..scene import verification

        head = head_of(context)
        self._head = head.name
        if verification.expression_changed(head):
            self.report({"WARNING"}, strings.EXPRESSION_CHANGED)
        npz = bpy.path.abspath(self.filepath) if self.filepath else ""
        return verification.start_verification(head, npz), {"head": head.name, "npz": npz}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Keep numbers and picture with the head, if it is still there."""
        from ..scene.mesh import is_head
        from ..scene.verification import keep_result

        head = bpy.data.objects.get(self._head)
        if not is_head(head):
            raise ModelError(strings.head_gone(self._head))
        keep_result(head, result)
        document = result["document"]
        level = "INFO" if document["scene"] else "WARNING"
        self.report({level}, strings.verified(head.name, document["scene"], document["photo"]))


class RECONSTRUCT_FACE_OT_show_difference(OnHead, bpy.types.Operator):
    """Show the last verification's pictures of the active head."""

    bl_idname = "reconstruct_face.show_difference"
    bl_label = strings.SHOW_DIFFERENCE
    bl_description = strings.SHOW_DIFFERENCE_TIP
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there are pictures."""
        from ..scene.verification import picture_of

        return super().poll(context) and picture_of(head_of(context)) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put the picture into the image editors that are open, or into a window of its own."""
        from ..scene.verification import picture_of

        image = picture_of(head_of(context))
        assert image is not None
        editors = _image_editors(context.window_manager.windows)
        if not editors and not bpy.app.background:
            bpy.ops.wm.window_new()
            window = context.window_manager.windows[-1]
            window.screen.areas[0].type = "IMAGE_EDITOR"
            editors = _image_editors([window])
        for window, area in editors:
            area.spaces.active.image = image
            region = next(region for region in area.regions if region.type == "WINDOW")
            with context.temp_override(window=window, area=area, region=region):
                bpy.ops.image.view_all(fit_view=True)
        if not editors:
            self.report({"INFO"}, f"{strings.NO_IMAGE_EDITOR} {image.name}")
        return {"FINISHED"}


def _image_editors(windows: Iterable[bpy.types.Window]) -> list[tuple[Any, Any]]:
    """(window, area) of each."""
    areas = ((window, area) for window in windows for area in window.screen.areas)
    return [(window, area) for window, area in areas if area.type == "IMAGE_EDITOR"]


def register_more() -> None:
    """The panel's switch, which is nobody's data: it is not saved."""
    bpy.types.WindowManager.reconstruct_face_all_measures = BoolProperty(
        name=strings.VERIFY_ALL, description=strings.VERIFY_ALL_TIP, default=False
    )


def unregister_more() -> None:
    """Remove it, and what was kept for verifications."""
    import sys

    del bpy.types.WindowManager.reconstruct_face_all_measures
    verification = sys.modules.get(f"{__package__.rpartition('.')[0]}.scene.verification")
    if verification is not None:
        verification.forget()


CLASSES = (RECONSTRUCT_FACE_OT_verify, RECONSTRUCT_FACE_OT_show_difference)
