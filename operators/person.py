"""The list of further photos of one person: add, remove, move, clear."""

from __future__ import annotations

import bpy
from bpy.props import CollectionProperty, IntProperty, StringProperty

from . import strings
from . import strings_photos as texts
from .choosing import ChoosesPicture, chosen_files
from .session import SESSION


class OnList:
    """Base of operators on the list; not while a run goes on that it was given to."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether the list may be changed."""
        return not SESSION.busy


class RECONSTRUCT_FACE_OT_add_photos(OnList, ChoosesPicture, bpy.types.Operator):
    """Choose further photos of the person in the file selector."""

    bl_idname = "reconstruct_face.add_photos"
    bl_label = texts.ADD_PHOTOS
    bl_description = texts.ADD_PHOTOS_TIP
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put them at the end of the list; the first of all becomes the scene's photo."""
        from ..backend.exchange.views import MOST_PHOTOS

        chosen = chosen_files(self)
        if not chosen:
            self.report({"ERROR"}, strings.CHOOSE_PHOTO)
            return {"CANCELLED"}
        count, known, over = context.scene.reconstruct_face.add_photos(chosen)
        self.report({"INFO"}, texts.added(count, known, over, MOST_PHOTOS))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_remove_photo(OnList, bpy.types.Operator):
    """Take the chosen photo off the list."""

    bl_idname = "reconstruct_face.remove_photo"
    bl_label = texts.REMOVE_PHOTO
    bl_description = texts.REMOVE_PHOTO_TIP
    bl_options = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is any."""
        return super().poll(context) and len(context.scene.reconstruct_face.further) > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove it; the next one is chosen then."""
        settings = context.scene.reconstruct_face
        settings.further.remove(settings.further_index)
        settings.further_index = max(0, min(settings.further_index, len(settings.further) - 1))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_move_photo(OnList, bpy.types.Operator):
    """Move the chosen photo up or down."""

    bl_idname = "reconstruct_face.move_photo"
    bl_label = texts.MOVE_PHOTO
    bl_description = texts.MOVE_PHOTO_DOWN_TIP
    bl_options = {"UNDO", "INTERNAL"}

    step: IntProperty(default=1, min=-1, max=1, options={"SKIP_SAVE"})

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return texts.MOVE_PHOTO_DOWN_TIP if properties.step > 0 else texts.MOVE_PHOTO_UP_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is any."""
        return super().poll(context) and len(context.scene.reconstruct_face.further) > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move it; the first of the list goes up to the photo above."""
        settings = context.scene.reconstruct_face
        index, count = settings.further_index, len(settings.further)
        if index + self.step < 0:
            first = settings.further[0]
            first.path, settings.photo = settings.photo, first.path
            if not first.path:
                settings.further.remove(0)
        elif index + self.step < count:
            settings.further.move(index, index + self.step)
            settings.further_index = index + self.step
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_clear_photos(OnList, bpy.types.Operator):
    """Take all photos off the list."""

    bl_idname = "reconstruct_face.clear_photos"
    bl_label = texts.CLEAR_PHOTOS
    bl_description = texts.CLEAR_PHOTOS_TIP
    bl_options = {"UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """The scene's photo stays."""
        context.scene.reconstruct_face.further.clear()
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_add_photos,
    RECONSTRUCT_FACE_OT_remove_photo,
    RECONSTRUCT_FACE_OT_move_photo,
    RECONSTRUCT_FACE_OT_clear_photos,
)
