"""Base of operators that ask for a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty
from bpy_extras.io_utils import ImportHelper


class ChoosesFile(ImportHelper):
    """A file selector in the folder that is likely, with no name in it yet.

    Blender's own would be in the folder of the .blend, with its name, which is none to be read.
    """

    def folder(self, context: bpy.types.Context) -> str:
        """Where to look first; "" leaves it to Blender."""
        return os.path.dirname(bpy.data.filepath)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show it, unless a file was given."""
        folder = self.folder(context)
        if folder and not self.properties.is_property_set("filepath") and Path(folder).is_dir():
            self.filepath = os.path.join(folder, "")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


def chosen_files(operator: Any) -> list[str]:
    """What was chosen in the file selector of an operator with ``filepath``, ``directory`` and
    ``files``: one file or several, no folders."""
    folder = operator.directory or os.path.dirname(operator.filepath)
    paths = [os.path.join(folder, file.name) for file in operator.files if file.name]
    paths = paths or [operator.filepath]
    return [path for path in paths if path and not os.path.isdir(bpy.path.abspath(path))]


class ChoosesPicture(ChoosesFile):
    """The same with thumbnails, of pictures alone."""

    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    #: Read by Blender's file selector; the numbers are its own.
    display_type: EnumProperty(
        items=(
            ("DEFAULT", "", "", 0),
            ("LIST_VERTICAL", "", "", 1),
            ("LIST_HORIZONTAL", "", "", 2),
            ("THUMBNAIL", "", "", 3),
        ),
        default="THUMBNAIL",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def folder(self, context: bpy.types.Context) -> str:
        """That of the last photo."""
        photo = context.scene.reconstruct_face.photo
        return os.path.dirname(bpy.path.abspath(photo)) if photo else super().folder(context)
