"""Ways to choose the photo: a file, a drop on the view, an open image, the clipboard."""

from __future__ import annotations

import os

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty

from ..backend.errors import FaceError
from ..backend.exchange.formats import PHOTO_SUFFIXES
from ..scene.context import area_of
from . import strings
from . import strings_photos as texts
from .choosing import ChoosesPicture, chosen_files
from .session import SESSION


class RECONSTRUCT_FACE_OT_choose_photo(ChoosesPicture, bpy.types.Operator):
    """Choose a photo in the file selector, and go on where one was needed."""

    bl_idname = "reconstruct_face.choose_photo"
    bl_label = strings.CHOOSE
    bl_description = strings.CHOOSE_TIP
    bl_options = {"UNDO", "INTERNAL"}

    filepath: StringProperty(name=strings.PHOTO, subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )
    reconstruct: BoolProperty(default=False, options={"SKIP_SAVE", "HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it the scene's photo, whose faces are then looked for; several are one person's."""
        paths = chosen_files(self)
        if not paths:
            self.report({"ERROR"}, strings.CHOOSE_PHOTO)
            return {"CANCELLED"}
        settings = context.scene.reconstruct_face
        settings.photo = paths[0]
        if len(paths) > 1:
            settings.further.clear()
            settings.add_photos(paths[1:])
        if self.reconstruct:
            bpy.ops.reconstruct_face.reconstruct("INVOKE_DEFAULT", show=True)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_drop_photo(bpy.types.Operator):
    """Take pictures dropped on the 3D view: one, or several of one person."""

    bl_idname = "reconstruct_face.drop_photo"
    bl_label = strings.DROP
    bl_description = strings.DROP_TIP
    bl_options = {"UNDO", "INTERNAL"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make them the scene's photos, of one person, and show the sidebar's tab."""
        if not self.files:
            self.report({"ERROR"}, strings.CHOOSE_PHOTO)
            return {"CANCELLED"}
        settings = context.scene.reconstruct_face
        first, *others = [os.path.join(self.directory, file.name) for file in self.files]
        settings.further.clear()
        settings.photo = first
        if others:
            settings.add_photos(others)
            self.report({"INFO"}, texts.dropped(len(settings.photos())))
        area = area_of(context)
        if area is not None and area.type == "VIEW_3D":
            _show_tab(area)
        return {"FINISHED"}


def _show_tab(area: bpy.types.Area) -> None:
    area.spaces.active.show_region_ui = True
    for region in area.regions:
        if region.type == "UI":
            try:
                region.active_panel_category = strings.TAB
            except (AttributeError, TypeError):
                return  # a sidebar that was never drawn has no tabs yet


class RECONSTRUCT_FACE_FH_photo(bpy.types.FileHandler):
    """Pictures dropped on the 3D view."""

    bl_idname = "RECONSTRUCT_FACE_FH_photo"
    bl_label = strings.RECONSTRUCT
    bl_import_operator = "reconstruct_face.drop_photo"
    bl_file_extensions = ";".join(PHOTO_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """On 3D views alone."""
        return context.area is not None and context.area.type == "VIEW_3D"


#: Blender keeps no reference to an enumeration's texts: they must live on here.
_images: list[tuple[str, str, str]] = []


def _open_images(_self: object, _context: object) -> list[tuple[str, str, str]]:
    _images[:] = [
        (image.name, image.name, "")
        for image in bpy.data.images
        if image.source in {"FILE", "GENERATED"} and image.type != "RENDER_RESULT"
    ]
    return _images


class RECONSTRUCT_FACE_OT_use_image(bpy.types.Operator):
    """Take an image that is open in Blender."""

    bl_idname = "reconstruct_face.use_image"
    bl_label = strings.USE_IMAGE
    bl_description = strings.USE_IMAGE_TIP
    bl_options = {"UNDO", "INTERNAL"}
    bl_property = "image"

    image: EnumProperty(name=strings.IMAGE, items=_open_images, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is any image."""
        cls.poll_message_set(strings.NO_IMAGE)  # pyright: ignore[reportCallIssue]
        return bool(bpy.data.images)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let the user search among them."""
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it the scene's photo."""
        from ..scene.photo_source import photo_of_image

        try:
            photo = photo_of_image(bpy.data.images[self.image])
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.reconstruct_face.photo = str(photo)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_paste_photo(bpy.types.Operator):
    """Take the photo from the clipboard."""

    bl_idname = "reconstruct_face.paste_photo"
    bl_label = strings.PASTE
    bl_description = strings.PASTE_TIP
    bl_options = {"UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """A file's path that was copied, or a picture."""
        from ..scene.photo_source import photo_of_image, photo_of_text

        photo = photo_of_text(context.window_manager.clipboard)
        if photo is None:
            image = _pasted_image(context)
            if image is None:
                self.report({"ERROR"}, strings.NOTHING_TO_PASTE)
                return {"CANCELLED"}
            try:
                photo = photo_of_image(image)
            except FaceError as error:
                self.report({"ERROR"}, str(error))
                return {"CANCELLED"}
            finally:
                bpy.data.images.remove(image)
        context.scene.reconstruct_face.photo = str(photo)
        return {"FINISHED"}


def _pasted_image(context: bpy.types.Context) -> bpy.types.Image | None:
    """The clipboard's picture as a new image; None where there is none, or Blender cannot tell.

    Blender pastes pictures on Windows, macOS and Wayland, and only in an image editor.
    """
    area = context.area
    if area is None:
        return None
    before = set(bpy.data.images)
    kind = area.ui_type
    area.ui_type = "IMAGE_EDITOR"
    try:
        if bpy.ops.image.clipboard_paste.poll():  # pyright: ignore[reportCallIssue]
            bpy.ops.image.clipboard_paste()
    except (AttributeError, RuntimeError):
        return None
    finally:
        area.ui_type = kind
    return next((image for image in bpy.data.images if image not in before), None)


class RECONSTRUCT_FACE_OT_find_faces(bpy.types.Operator):
    """Look for the faces in the photo again."""

    bl_idname = "reconstruct_face.find_faces"
    bl_label = strings.FIND_FACES
    bl_description = strings.FIND_FACES_TIP
    bl_options = {"INTERNAL"}

    thorough: BoolProperty(default=False, options={"SKIP_SAVE"})

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """The tooltip."""
        return strings.LOOK_CLOSER_TIP if properties.thorough else strings.FIND_FACES_TIP

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is a photo."""
        return bool(context.scene.reconstruct_face.photo)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the backend; the panel shows them when they are there."""
        photo = bpy.path.abspath(context.scene.reconstruct_face.photo)
        SESSION.look_at(photo, thorough=self.thorough)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_choose_face(bpy.types.Operator):
    """Choose one of the faces found."""

    bl_idname = "reconstruct_face.choose_face"
    bl_label = strings.FACE
    bl_description = strings.FACE_TIP
    bl_options = {"UNDO", "INTERNAL"}

    number: IntProperty(default=1, min=0, max=99, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keep it with the scene."""
        context.scene.reconstruct_face.face = self.number
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_choose_photo,
    RECONSTRUCT_FACE_OT_drop_photo,
    RECONSTRUCT_FACE_FH_photo,
    RECONSTRUCT_FACE_OT_use_image,
    RECONSTRUCT_FACE_OT_paste_photo,
    RECONSTRUCT_FACE_OT_find_faces,
    RECONSTRUCT_FACE_OT_choose_face,
)
