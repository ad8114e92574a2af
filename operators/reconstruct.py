"""The operator behind the sidebar's button: a thin shell around ``jobs`` and ``api`` of scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ..backend.errors import PhotoError
from ..scene.context import scene_of
from . import strings
from . import strings_photos as texts
from .running import RunsJob
from .session import SESSION

if TYPE_CHECKING:
    from ..backend.exchange import Reconstruction
    from ..scene.jobs import Job


class RECONSTRUCT_FACE_OT_reconstruct(RunsJob, bpy.types.Operator):
    """Reconstruct the face(s) of one photo, or one head from several photos of a person, with the
    settings of the scene."""

    bl_idname = "reconstruct_face.reconstruct"
    bl_label = strings.RECONSTRUCT
    bl_description = strings.RECONSTRUCT_TIP
    bl_options = {"UNDO"}

    filepath: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE"})
    face: IntProperty(
        name=strings.FACE,
        description=strings.FACE_TIP,
        default=1,
        min=0,
        max=99,
        options={"SKIP_SAVE"},
    )
    show: BoolProperty(
        name=strings.SHOW, description=strings.SHOW_TIP, default=False, options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender; without a photo, ask for one."""
        if not (self.filepath or context.scene.reconstruct_face.photos()):
            bpy.ops.reconstruct_face.choose_photo("INVOKE_DEFAULT", reconstruct=True)
            return {"CANCELLED"}
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Start with the operator's photo and face, or else the scene's.

        Several photos of the scene are those of one person.
        """
        from ..scene import jobs

        settings = context.scene.reconstruct_face
        photos = [bpy.path.abspath(self.filepath)] if self.filepath else settings.photos()
        if not photos:
            raise PhotoError(strings.CHOOSE_PHOTO)
        self._photos = photos
        if len(photos) > 1:
            options = settings.options()
            self._scene = context.scene.name
            return jobs.start_person(photos, options), {"photos": photos, **options.to_dict()}
        (photo,) = photos
        face = self.face if self.properties.is_property_set("face") else settings.face
        options = settings.options(**_choice(photo, face))
        self._scene = context.scene.name
        job = jobs.start_reconstruction(photo, options)
        return job, {"photo": photo, **options.to_dict()}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Add and select the new head(s)."""
        from ..scene import api, photo_view

        scene = bpy.data.scenes.get(self._scene) or scene_of(context)
        free = scene == scene_of(context) and not self.editing
        several = len(self._photos) > 1
        result = [result] if several else result
        heads = api.add_heads(result, scene, set_active=free)
        if self.show and free:
            photo_view.show(heads[-1], context, frame_after=True)
        warnings = {warning for head in result for warning in head.warnings}
        self.report({"INFO"}, strings.reconstructed([head.name for head in heads]))
        if several:
            self._mark_photos(scene, result[0])
        for warning in sorted(warnings):
            self.report({"WARNING"}, warning)

    def _mark_photos(self, scene: bpy.types.Scene, made: Reconstruction) -> None:
        """Have the list show which photos the head was made from."""
        used = [made.photo_path, *(view.photo_path for view in made.views)]
        left_out = dict(made.provenance.get("left_out", ()))
        scene.reconstruct_face.mark_photos(used, left_out)
        self.report({"INFO"}, texts.used(len(used), len(self._photos)))


def _choice(photo: str, face: int) -> dict[str, Any]:
    """The face as the backend takes it; a number means what the panel shows for ``photo``."""
    look = SESSION.look
    shown = look if look is not None and look.photo == photo else None
    if face == 1 and (shown is None or len(shown.faces) < 2):
        return {"face": "largest"}  # which need not be counted
    return {"face": face or "all", "thorough": shown is None or shown.thorough}


CLASSES = (RECONSTRUCT_FACE_OT_reconstruct,)


def unregister_more() -> None:
    """End the backend's process if one was started."""
    import sys

    jobs = sys.modules.get(f"{__package__.rpartition('.')[0]}.scene.jobs")
    if jobs is not None:
        jobs.close()
