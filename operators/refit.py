"""A new fit of a head that is there: corrected landmarks, other settings, another photo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from ..backend.errors import ModelError
from ..scene.context import head_of, scene_of
from . import strings
from . import strings_photos as texts
from .choosing import ChoosesPicture, chosen_files
from .running import RunsJob
from .view import OnHead

if TYPE_CHECKING:
    from ..scene.jobs import Job

#: Landmarks of a photo that were set by hand: index, x, y.
Points = list[tuple[int, float, float]] | None


class RECONSTRUCT_FACE_OT_refit(RunsJob, OnHead, bpy.types.Operator):
    """Fit the active head to its photos again, or to another one."""

    bl_idname = "reconstruct_face.refit"
    bl_label = strings.REFIT
    bl_description = strings.REFIT_TIP
    bl_options = {"UNDO"}
    doing = strings.REFIT
    place = "head"

    #: In place of the one that is shown
    photo: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    #: Do without the one that is shown
    leave_out: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})
    #: Further ones
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return texts.LEAVE_OUT_TIP if properties.leave_out else strings.REFIT_TIP

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender."""
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Start with the scene's settings, with the landmarks that were set by hand, and with a
        bust if the head has one; of a head of several photos with all of them."""
        from ..scene import jobs
        from ..scene.mesh import about
        from ..scene.update import check_can_update

        head = head_of(context)
        self._head, self._scene = head.name, context.scene.name
        photos, points = self._photos(context, head)
        was = about(head).get("provenance", {}).get("options", {})
        what: dict[str, Any] = {"bust": was.get("bust") is True}
        if len(photos) == 1:
            what |= self._face(head) | {"corrected": points[0]}
        options = context.scene.reconstruct_face.options(**what)
        check_can_update(head, options)
        if len(photos) == 1:
            return jobs.start_reconstruction(photos[0], options), {
                "photo": photos[0], **options.to_dict()
            }  # fmt: skip
        job = jobs.start_person(photos, options, points)
        return job, {"photos": photos, **options.to_dict()}

    def _photos(
        self, context: bpy.types.Context, head: bpy.types.Object
    ) -> tuple[list[str], list[Points]]:
        """The photos to fit to, and of each the landmarks that were set by hand."""
        from ..scene.landmarks import corrected
        from ..scene.mesh import photo_count
        from ..scene.photo_source import photo_of_head
        from ..scene.photo_view import current_number

        shown = current_number(head, context)
        photos: list[str] = []
        points: list[Points] = []
        for number in range(photo_count(head)):
            replaced = bool(self.photo) and number == shown
            if self.leave_out and number == shown:
                continue
            photos.append(self.photo if replaced else str(photo_of_head(head, number)))
            points.append(None if replaced else corrected(head, number) or None)
        photos += [os.path.join(self.directory, file.name) for file in self.files]
        points += [None] * len(self.files)
        return [bpy.path.abspath(photo) for photo in photos], points

    def _face(self, head: bpy.types.Object) -> dict[str, Any]:
        """Which face of the head's only photo it is."""
        from ..scene.mesh import about, photo_count

        known = about(head)
        was = known.get("provenance", {}).get("options", {})
        if self.photo or photo_count(head) > 1 or was.get("face") == "largest":
            return {"face": "largest"}
        # The number is that of what was found then.
        return {"face": known.get("face_index", 1), "thorough": was.get("thorough", True)}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Update the head that was active at the start, if it is still there."""
        from ..backend.exchange import Reconstruction
        from ..scene import photo_view
        from ..scene.mesh import is_head, left_out
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
        for sentence in left_out(head):
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


class RECONSTRUCT_FACE_OT_add_to_head(OnHead, ChoosesPicture, bpy.types.Operator):
    """Choose further photos of the person whose head is active."""

    bl_idname = "reconstruct_face.add_to_head"
    bl_label = texts.ADD_TO_HEAD
    bl_description = texts.ADD_TO_HEAD_TIP
    bl_options = {"INTERNAL"}

    filepath: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand them to the operator that fits."""
        paths = chosen_files(self)
        if not paths:
            self.report({"ERROR"}, strings.CHOOSE_PHOTO)
            return {"CANCELLED"}
        files = [{"name": os.path.basename(path)} for path in paths]
        bpy.ops.reconstruct_face.refit(
            "INVOKE_DEFAULT", directory=os.path.dirname(paths[0]), files=files
        )
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_refit,
    RECONSTRUCT_FACE_OT_replace_photo,
    RECONSTRUCT_FACE_OT_add_to_head,
)
