"""Operators that set up, check, repair and remove the backend's environment."""

from __future__ import annotations

import sys

import bpy

from ..backend.errors import FaceError
from . import strings

INTERVAL_S = 0.3
_ROOT = __package__.rpartition(".")[0]


def watch() -> None:
    """Draw the panels again from time to time while a set-up or a check goes on."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=INTERVAL_S, persistent=True)


def _tick() -> float | None:
    from ..scene.installation.blender import read_preferences
    from ..scene.installation.status import CHECKING, INSTALLING, installation_status

    read_preferences()
    code = installation_status().code
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES"):
                area.tag_redraw()
    return INTERVAL_S if code in (CHECKING, INSTALLING) else None


class RECONSTRUCT_FACE_OT_setup_backend(bpy.types.Operator):
    """Make the backend's environment, or make it anew."""

    bl_idname = "reconstruct_face.setup_backend"
    bl_label = strings.SET_UP
    bl_description = strings.SET_UP_TIP

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it; in background mode, wait for it."""
        from ..scene.installation.blender import start_set_up

        set_up = start_set_up()
        if not bpy.app.background:
            watch()
            return {"FINISHED"}
        try:
            set_up.wait(lambda fraction, step: print(f"{100 * fraction:3.0f} %  {step}"))
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, strings.SET_UP_DONE)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_cancel_setup(bpy.types.Operator):
    """Stop the set-up."""

    bl_idname = "reconstruct_face.cancel_setup"
    bl_label = strings.CANCEL_SET_UP
    bl_description = strings.CANCEL_SET_UP_TIP
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask it to stop; the panels show when it has."""
        from ..scene.installation.set_up import last_set_up

        set_up = last_set_up()
        if set_up is None or set_up.poll():
            return {"CANCELLED"}
        set_up.cancel()
        watch()
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_remove_backend(bpy.types.Operator):
    """Delete the environment."""

    bl_idname = "reconstruct_face.remove_backend"
    bl_label = strings.REMOVE_BACKEND
    bl_description = strings.REMOVE_BACKEND_TIP

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: it takes minutes to make again."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete it, after ending what uses it."""
        from ..scene.installation.blender import read_preferences, release_backend
        from ..scene.installation.check import CHECKS
        from ..scene.installation.environment import remove

        release_backend()
        CHECKS.stop()
        try:
            remove(read_preferences())
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, strings.REMOVED_BACKEND)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_check_backend(bpy.types.Operator):
    """Look whether the backend's packages load."""

    bl_idname = "reconstruct_face.check_backend"
    bl_label = strings.CHECK_BACKEND
    bl_description = strings.CHECK_BACKEND_TIP

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it; in background mode, wait for it and report what was found."""
        from ..scene.installation.blender import read_preferences
        from ..scene.installation.check import CHECKS
        from ..scene.installation.status import check_again, installation_status

        read_preferences()
        check_again()
        if not bpy.app.background:
            watch()
            return {"FINISHED"}
        CHECKS.wait(installation_status().python)
        status = installation_status()
        self.report({"INFO"} if status.usable else {"ERROR"}, status.sentence)
        return {"FINISHED"} if status.usable else {"CANCELLED"}


class RECONSTRUCT_FACE_OT_open_setup_log(bpy.types.Operator):
    """Show what the last set-up did."""

    bl_idname = "reconstruct_face.open_setup_log"
    bl_label = strings.OPEN_LOG
    bl_description = strings.OPEN_LOG_TIP
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open the file with the system's program for it."""
        from ..scene.installation.blender import backend_folder
        from ..scene.installation.environment import LOG

        path = backend_folder() / LOG
        if not path.is_file():
            self.report({"ERROR"}, strings.NO_LOG)
            return {"CANCELLED"}
        if not bpy.app.background:
            bpy.ops.wm.path_open(filepath=str(path))
        self.report({"INFO"}, str(path))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_open_preferences(bpy.types.Operator):
    """Show the add-on's preferences."""

    bl_idname = "reconstruct_face.open_preferences"
    bl_label = strings.OPEN_PREFERENCES
    bl_description = strings.OPEN_PREFERENCES_TIP
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not where the add-on was registered without being enabled."""
        return _ROOT in context.preferences.addons

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open Blender's preferences at the add-on."""
        bpy.ops.preferences.addon_show(module=_ROOT)
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_setup_backend,
    RECONSTRUCT_FACE_OT_cancel_setup,
    RECONSTRUCT_FACE_OT_remove_backend,
    RECONSTRUCT_FACE_OT_check_backend,
    RECONSTRUCT_FACE_OT_open_setup_log,
    RECONSTRUCT_FACE_OT_open_preferences,
)


def unregister_more() -> None:
    """End what goes on."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    installation = f"{_ROOT}.scene.installation"
    if set_up := sys.modules.get(f"{installation}.set_up"):
        set_up.stop()
    if check := sys.modules.get(f"{installation}.check"):
        check.CHECKS.stop()
    if choices := sys.modules.get(f"{installation}.choices"):
        choices.choose(choices.Choices())
