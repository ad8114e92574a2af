"""Face models that the user owns: imported once, listed, removed; thin shells over the backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from ..backend.errors import ModelError, OutputError
from ..backend.exchange.options import DEFAULT_MODEL
from ..scene.context import scene_of
from . import strings
from .running import RunsJob

if TYPE_CHECKING:
    from ..backend.exchange.model_cards import ModelCard
    from ..scene.jobs import Job

#: What :func:`imported` read last, and when what it read had changed.
_read: dict[str, Any] = {"at": None, "cards": []}


def imported() -> list[ModelCard]:
    """The cards of the imported models; read anew only where the folder has changed."""
    from ..backend.exchange.model_cards import list_models, models_folder

    try:
        folder = models_folder()
        at = (str(folder), folder.stat().st_mtime_ns)
    except (OSError, OutputError):
        at = None
    if at is None or _read["at"] != at:
        _read.update(at=at, cards=list_models())
    return _read["cards"]


def suggestions(_self: object, _context: object, _edited: str) -> list[str]:
    """The names that the settings' field offers."""
    return [DEFAULT_MODEL, *(card.name for card in imported() if not card.problem)]


class RECONSTRUCT_FACE_OT_import_model(RunsJob, bpy.types.Operator):
    """Import a face model from the user's own files."""

    bl_idname = "reconstruct_face.import_model"
    bl_label = strings.IMPORT_MODEL
    bl_description = strings.IMPORT_MODEL_TIP
    bl_options = {"REGISTER"}
    doing = strings.IMPORT_MODEL
    place = ""  # the preferences, where no panel would show a failure

    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_glob: StringProperty(
        default="*.mat;*.npz;*.h5;*.bin;*.txt;*.obj;*.pkl;*.json", options={"HIDDEN"}
    )
    name: StringProperty(name=strings.MODEL_NAME, description=strings.MODEL_NAME_TIP)
    replace: BoolProperty(name=strings.REPLACE_MODEL, description=strings.REPLACE_MODEL_TIP)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let the user choose the files that belong together."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """What the file selector calls: import beside Blender; in scripts, at once."""
        if bpy.app.background or context.window is None:
            return RunsJob.execute(self, context)
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Start with the chosen files; one of ICT-FaceKit's many stands for its folder."""
        from ..scene import jobs

        folder = Path(bpy.path.abspath(self.directory))
        paths = [folder / file.name for file in self.files if file.name]
        if any(path.suffix.lower() == ".obj" for path in paths) or (not paths and self.directory):
            paths = [folder]
        if not paths:
            raise ModelError(strings.CHOOSE_MODEL)
        job = jobs.start_import(paths, name=self.name.strip() or None, force=self.replace)
        return job, {"paths": [str(path) for path in paths], "name": self.name}

    def take(self, context: bpy.types.Context, result: ModelCard) -> None:
        """Choose it for the next reconstruction."""
        scene_of(context).reconstruct_face.model = result.name
        self.report({"INFO"}, strings.imported_model(result.name, result.facts))


class RECONSTRUCT_FACE_OT_remove_model(RunsJob, bpy.types.Operator):
    """Delete an imported face model."""

    bl_idname = "reconstruct_face.remove_model"
    bl_label = strings.REMOVE_MODEL
    bl_description = strings.REMOVE_MODEL_TIP
    bl_options = {"INTERNAL"}
    doing = strings.REMOVE_MODEL

    name: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: its files are not here to import it again."""
        return context.window_manager.invoke_confirm(self, event)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Ask the process that may have it open."""
        from ..scene import jobs

        return jobs.start_removal(self.name), {"name": self.name}

    def take(self, context: bpy.types.Context, result: None) -> None:
        """Scenes that used it go back to the model that comes along."""
        for scene in bpy.data.scenes:
            if scene.reconstruct_face.model == self.name:
                scene.reconstruct_face.property_unset("model")
        self.report({"INFO"}, strings.removed_model(self.name))


class RECONSTRUCT_FACE_OT_show_model_card(bpy.types.Operator):
    """Show the picture of an imported model."""

    bl_idname = "reconstruct_face.show_model_card"
    bl_label = strings.SHOW_CARD
    bl_description = strings.SHOW_CARD_TIP
    bl_options = {"INTERNAL"}

    name: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open it with what the system opens pictures with."""
        card = next((card for card in imported() if card.name == self.name), None)
        if card is None or not card.picture.is_file():
            self.report({"ERROR"}, strings.NO_CARD)
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(card.picture))
        return {"FINISHED"}


def draw_models(layout: bpy.types.UILayout) -> None:
    """The imported models with their buttons, for the preferences."""
    column = layout.column(align=True)
    for card in imported():
        row = column.row(align=True)
        icon = "ERROR" if card.problem else "MESH_MONKEY"
        row.label(text=f"{card.name}: {card.problem or card.facts}", icon=icon)
        show = row.operator(
            RECONSTRUCT_FACE_OT_show_model_card.bl_idname, text="", icon="IMAGE_DATA"
        )
        show.name = card.name
        gone = row.operator(RECONSTRUCT_FACE_OT_remove_model.bl_idname, text="", icon="TRASH")
        gone.name = card.name
    layout.operator(RECONSTRUCT_FACE_OT_import_model.bl_idname, icon="IMPORT")


CLASSES = (
    RECONSTRUCT_FACE_OT_import_model,
    RECONSTRUCT_FACE_OT_remove_model,
    RECONSTRUCT_FACE_OT_show_model_card,
)
