"""A new fit of a head that is there: corrected landmarks, other settings, another photo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import StringProperty

from ..backend.errors import ModelError
from ..scene.context import head_of, scene_of
from . import strings
from .choosing import ChoosesPicture
from .running import RunsJob
from .view import OnHead

if TYPE_CHECKING:
    from ..scene.jobs import Job


class RECONSTRUCT_FACE_OT_refit(RunsJob, OnHead, bpy.types.Operator):
    """Fit the active head to its photos again, or to another one."""

    bl_idname = "reconstruct_face.refit"
    bl_label = strings.REFIT
    bl_description = strings.REFIT_TIP
    bl_options = {"UNDO"}
    doing = strings.REFIT
    place = "head"

    photo: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender."""
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Start with the scene's settings, with the landmarks that were set by hand, and with a
        bust if the head has one; of a head of several photos with all of them."""
        from ..scene import jobs
        from ..scene.mesh import photo_count
        from ..scene.update import check_can_update

        head = head_of(context)
        self._head, self._scene = head.name, context.scene.name
        if photo_count(head) > 1:
            return self._begin_person(context, head)
        photo, what = self._what(head)
        options = context.scene.reconstruct_face.options(**what)
        check_can_update(head, options)
        return jobs.start_reconstruction(photo, options), {"photo": photo, **options.to_dict()}

    def _what(self, head: bpy.types.Object) -> tuple[str, dict[str, Any]]:
        """The photo, and the options that depend on it and on ``head``."""
        from ..scene.landmarks import corrected
        from ..scene.mesh import about
        from ..scene.photo_source import photo_of_head

        known = about(head)
        was = known.get("provenance", {}).get("options", {})
        bust = {"bust": was.get("bust") is True}
        if self.photo:
            return bpy.path.abspath(self.photo), {"face": "largest", **bust}
        number = known.get("face_index", 1)
        return str(photo_of_head(head)), {
            # The number is that of what was found then.
            "face": "largest" if was.get("face") == "largest" else number,
            "thorough": was.get("thorough", True),
            "corrected": corrected(head) or None,
            **bust,
        }

    def _begin_person(
        self, context: bpy.types.Context, head: bpy.types.Object
    ) -> tuple[Job[Any], dict[str, Any]]:
        """All photos of ``head``, the one that is shown replaced if another was given."""
        from ..scene import jobs
        from ..scene.landmarks import corrected
        from ..scene.mesh import about, photo_count
        from ..scene.photo_source import photo_of_head
        from ..scene.photo_view import current_number
        from ..scene.update import check_can_update

        was = about(head).get("provenance", {}).get("options", {})
        options = context.scene.reconstruct_face.options(bust=was.get("bust") is True)
        check_can_update(head, options)
        replaced = current_number(head, context) if self.photo else None
        photos, points = [], []
        for number in range(photo_count(head)):
            if number == replaced:
                photos.append(bpy.path.abspath(self.photo))
                points.append(None)
            else:
                photos.append(str(photo_of_head(head, number)))
                points.append(corrected(head, number) or None)
        job = jobs.start_person(photos, options, points)
        return job, {"photos": photos, **options.to_dict()}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Update the head that was active at the start, if it is still there."""
        from ..backend.exchange import Reconstruction
        from ..scene import photo_view
        from ..scene.mesh import is_head
        from ..scene.update import update_head
        from ..scene.verification import keep

        head = bpy.data.objects.get(self._head)
        if not is_head(head):
            raise ModelError(strings.head_gone(self._head))
        scene = bpy.data.scenes.get(self._scene) or scene_of(context)
        made = result if isinstance(result, Reconstruction) else result[0]
        shown = photo_view.is_shown_in(head, context)
        notes = update_head(head, made, scene)
        keep(made)
        if shown:
            photo_view.keep_shown(head, context)
        for _name, sentence in made.provenance.get("left_out", ()):
            self.report({"WARNING"}, sentence)
        self.report({"INFO"}, strings.refitted(head.name))
        for note in notes:
            self.report({"INFO"}, note)


class RECONSTRUCT_FACE_OT_replace_photo(OnHead, ChoosesPicture, bpy.types.Operator):
    """Choose another photo for the active head."""

    bl_idname = "reconstruct_face.replace_photo"
    bl_label = strings.REPLACE_PHOTO
    bl_description = strings.REPLACE_PHOTO_TIP
    bl_options = {"INTERNAL"}

    filepath: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand it to the operator that fits."""
        if not self.filepath or os.path.isdir(bpy.path.abspath(self.filepath)):
            self.report({"ERROR"}, strings.CHOOSE_PHOTO)
            return {"CANCELLED"}
        bpy.ops.reconstruct_face.refit("INVOKE_DEFAULT", photo=self.filepath)
        return {"FINISHED"}


CLASSES = (RECONSTRUCT_FACE_OT_refit, RECONSTRUCT_FACE_OT_replace_photo)
