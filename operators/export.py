"""The active head to files: a thin shell around ``scene/export.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, PointerProperty, StringProperty

from ..backend.errors import FaceError, OutputError
from ..backend.exchange.formats import ANIMATED_FORMATS, COMPACT_LABEL, COMPACT_TIP, FORMATS
from ..backend.exchange.targets import TARGETS
from ..scene.context import head_of, scene_of
from . import strings, strings_targets
from .targets import ANY, TARGET_ITEMS
from .view import OnHead

FORMAT_ITEMS = tuple((name, kind.label, kind.still) for name, kind in FORMATS.items())
#: Left out of a name that was typed with one of them.
_ENDINGS = {kind.suffix for kind in (FORMATS | ANIMATED_FORMATS).values()} | {".gltf", ".usd"}
#: What Windows does not take in file names.
_FORBIDDEN = '/\\:*?"<>|'


class ExportSettings(bpy.types.PropertyGroup):
    """Where and as what heads are exported."""

    folder: StringProperty(
        name=strings.EXPORT_FOLDER, description=strings.EXPORT_FOLDER_TIP, subtype="DIR_PATH"
    )
    name: StringProperty(name=strings.EXPORT_NAME, description=strings.EXPORT_NAME_TIP)
    formats: EnumProperty(
        name=strings.EXPORT_FORMATS,
        description=strings.EXPORT_FORMATS_TIP,
        items=FORMAT_ITEMS,
        options={"ENUM_FLAG"},
        default={"glb"},
    )
    compact: BoolProperty(name=COMPACT_LABEL, description=COMPACT_TIP)


def target_of(filepath: str, settings: ExportSettings, head: bpy.types.Object) -> tuple[Path, str]:
    """Folder and file name without an ending, from a path or else the scene's settings.

    Raises :class:`OutputError`.
    """
    if filepath:
        path = Path(bpy.path.abspath(filepath))
        folder = path.parent
        name = path.stem if path.suffix.lower() in _ENDINGS else path.name
    else:
        if (not settings.folder or settings.folder.startswith("//")) and not bpy.data.filepath:
            raise OutputError(strings.NO_FOLDER)
        folder = Path(bpy.path.abspath(settings.folder or "//"))
        # A head's name may hold what file names cannot; one that was typed is not changed.
        free = "".join("_" if letter in _FORBIDDEN else letter for letter in head.name)
        name = settings.name.strip() or free
    if not name.strip(". ") or any(letter in _FORBIDDEN for letter in name):
        raise OutputError(strings.bad_name(name))
    return folder, name


class RECONSTRUCT_FACE_OT_export(OnHead, bpy.types.Operator):
    """Write the active head as it is now."""

    bl_idname = "reconstruct_face.export"
    bl_label = strings.EXPORT
    bl_description = strings.EXPORT_TIP

    filepath: StringProperty(
        name=strings.EXPORT_NAME,
        description=strings.EXPORT_PATH_TIP,
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    formats: EnumProperty(
        name=strings.EXPORT_FORMATS,
        description=strings.EXPORT_FORMATS_TIP,
        items=FORMAT_ITEMS,
        options={"ENUM_FLAG", "SKIP_SAVE"},
    )
    compact: BoolProperty(name=COMPACT_LABEL, description=COMPACT_TIP, options={"SKIP_SAVE"})
    target: EnumProperty(
        name=strings_targets.TARGET,
        description=strings_targets.TARGET_TIP,
        items=TARGET_ITEMS,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """For a head of ours, outside of the edit modes: exporters see it as it was before."""
        if not super().poll(context):
            return False
        cls.poll_message_set(strings.LEAVE_MODE)  # pyright: ignore[reportCallIssue]
        return head_of(context).mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask before files are replaced."""
        try:
            folder, name, formats, *_ = self._wanted(context)
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if any((folder / f"{name}{FORMATS[key].suffix}").exists() for key in formats):
            return context.window_manager.invoke_confirm(self, event)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the files."""
        from ..scene.actions import is_animated
        from ..scene.build import head_scene_of
        from ..scene.export import export_head
        from ..scene.targets.files import export_for

        head = head_of(context)
        try:
            folder, name, formats, target, changes = self._wanted(context)
            if target:
                written = export_for(head_scene_of(head), folder, name, target, **changes)
            else:
                written = export_head(
                    head_scene_of(head), folder, name, formats, compact=self._compact(context)
                )
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, strings.exported([x.name for x in written.values()], str(folder)))
        still = [key for key in written if key != "blend"]
        if still and (is_animated(head) or is_animated(head.data.shape_keys or head)):
            self.report({"WARNING"}, strings.still(still, scene_of(context).frame_current))
        return {"FINISHED"}

    def _wanted(
        self, context: bpy.types.Context
    ) -> tuple[Path, str, list[str], str, dict[str, Any]]:
        """Folder, name, formats, target ("": none) and its changes.  Raises :class:`OutputError`.

        A target or formats of the caller count more than the target that is kept with the head, and
        that more than the formats of the scene's settings.
        """
        from ..scene.targets.kept import kept_target

        settings = scene_of(context).reconstruct_face_export
        folder, name = target_of(self.filepath, settings, head_of(context))
        target, changes = kept_target(head_of(context))
        if self.properties.is_property_set("target"):
            wanted = "" if self.target == ANY else self.target
            target, changes = wanted, changes if wanted == target else {}
        elif self.formats:
            target = ""
        if target:
            return folder, name, list(TARGETS[target].formats), target, changes
        chosen = self.formats or settings.formats
        formats = [key for key, *_ in FORMAT_ITEMS if key in chosen]
        if not formats:
            raise OutputError(strings.NO_FORMAT)
        return folder, name, formats, "", {}

    def _compact(self, context: bpy.types.Context) -> bool:
        """As the caller says, or else the scene's settings."""
        if self.properties.is_property_set("compact"):
            return self.compact
        return scene_of(context).reconstruct_face_export.compact


CLASSES = (ExportSettings, RECONSTRUCT_FACE_OT_export)


def register_more() -> None:
    """Add ``scene.reconstruct_face_export``."""
    bpy.types.Scene.reconstruct_face_export = PointerProperty(type=ExportSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face_export
