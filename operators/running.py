"""Operators whose work is a job of the backend: Blender goes on while it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy

from ..backend.errors import Cancelled, FaceError
from . import strings
from .session import INTERVAL_S, SESSION, redraw

if TYPE_CHECKING:
    from ..scene.jobs import Job


class RunsJob:
    """Base of such an operator: :meth:`begin` makes the job, :meth:`take` puts its result in.

    Invoked by a button, it runs as a modal operator that only listens to its timer, and its undo
    step is made when the result is there.  Executed (scripts, background mode), it blocks.
    """

    doing = strings.RECONSTRUCT  #: for the report of a failure
    place = "reconstruct"  #: the panel whose button this is: it shows how the run goes
    _in_window = False
    editing = False  #: while :meth:`take` runs: whether the user is editing or sculpting something

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """The job and its options.  Raises :class:`FaceError`."""
        raise AssertionError("for the operators derived from this")

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Put ``result`` into the scene, in object mode.  Raises :class:`FaceError`.

        What is ``editing`` goes on afterwards: active object and view are not to be changed then.
        """
        raise AssertionError("for the operators derived from this")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it and wait for it."""
        if not self._start(context):
            return {"CANCELLED"}
        try:
            self._job.wait()
        except FaceError:
            pass  # told below
        except KeyboardInterrupt:
            self._release(context)
            raise
        return self._conclude(context)

    def run_modal(self, context: bpy.types.Context) -> set[str]:
        """Do it while Blender goes on; what :meth:`invoke` returns."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        self._in_window = True
        if not self._start(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timer = manager.event_timer_add(INTERVAL_S, window=context.window)
        manager.modal_handler_add(self)
        redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look at the job from time to time; everything else is the user's."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if not self._job.poll():
            # Only news are worth drawing: with slow graphics the window would stutter.
            if self._shown != (news := (self._job.fraction, self._job.step)):
                self._shown = news
                redraw()
            return {"PASS_THROUGH"}
        if _mouse_is_at_work(context):
            return {"PASS_THROUGH"}
        return self._conclude(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: another file, a closed window."""
        self._job.cancel()
        self._release(context)

    def _start(self, context: bpy.types.Context) -> bool:
        self._timer = self._shown = None
        SESSION.failure = None
        if SESSION.busy:
            self.report({"ERROR"}, strings.BUSY if SESSION.editing is None else strings.EDITING)
            return False
        self._options: dict[str, Any] = {}
        try:
            self._job, self._options = self.begin(context)
        except FaceError as error:
            self._tell(error)
            return False
        SESSION.run, SESSION.place = self._job, self.place
        return True

    def _conclude(self, context: bpy.types.Context) -> set[str]:
        self._release(context)
        try:
            result = self._job.result()
            with _outside_of_modes(context, self.bl_label) as self.editing:
                self.take(context, result)
        except Cancelled:
            self.report({"INFO"}, strings.CANCELLED)
            return {"CANCELLED"}
        except FaceError as error:
            self._tell(error)
            return {"CANCELLED"}
        except Exception as error:  # a fault of ours: told like the others, not as a traceback
            unexpected = FaceError(strings.unexpected(error))
            unexpected.__cause__ = error
            self._tell(unexpected)
            return {"CANCELLED"}
        return {"FINISHED"}

    def _tell(self, error: FaceError) -> None:
        SESSION.fail(error, self.doing, self._options, self.place)
        # The panel shows it where the button was pressed: no window of Blender's on top of that.
        shown = self._in_window and self.place
        self.report({"WARNING"} if shown else {"ERROR"}, str(error))

    def _release(self, context: bpy.types.Context) -> None:
        SESSION.run = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        redraw()


#: What the user does with the mouse meanwhile, by the beginnings of its operators' names.
_BY_MOUSE = ("TRANSFORM_OT_", "SCULPT_OT_", "PAINT_OT_", "MESH_OT_", "CURVE_OT_", "GPENCIL_OT_")


def _mouse_is_at_work(context: bpy.types.Context) -> bool:
    """Whether something is being dragged or painted: its mode cannot be left in mid-stroke."""
    window = context.window
    return window is not None and any(
        running.bl_idname.startswith(_BY_MOUSE) for running in window.modal_operators
    )


@contextmanager
def _outside_of_modes(context: bpy.types.Context, step: str) -> Iterator[bool]:
    """In object mode, and back in what is edited, sculpted or painted; whether that was left.

    What is changed beneath an edit mode would be lost, and an undo step made within one holds
    nothing of what was added: so ``step`` is one of its own then.
    """
    layer = context.view_layer
    active = layer.objects.active if layer is not None else None
    if active is None or context.mode == "OBJECT":
        yield False
        return
    mode = active.mode
    edited = [thing for thing in layer.objects if thing.mode == mode]
    bpy.ops.object.mode_set(mode="OBJECT")
    selected = [thing for thing in layer.objects if thing.select_get()]
    try:
        yield True
    finally:
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message=step)
        for thing in layer.objects:
            thing.select_set(thing in edited)
        layer.objects.active = active
        bpy.ops.object.mode_set(mode=mode)
        for thing in selected:
            thing.select_set(True)


class RECONSTRUCT_FACE_OT_cancel(bpy.types.Operator):
    """Stop the run."""

    bl_idname = "reconstruct_face.cancel"
    bl_label = strings.CANCEL
    bl_description = strings.CANCEL_TIP
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether there is something to stop."""
        return SESSION.run is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the job to stop; the operator that runs it notices."""
        if SESSION.run is not None:
            SESSION.run.cancel()
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_restart_backend(bpy.types.Operator):
    """Start the backend's process anew."""

    bl_idname = "reconstruct_face.restart_backend"
    bl_label = strings.RESTART_BACKEND
    bl_description = strings.MEND_TIP
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """End it; the next run starts another."""
        from ..scene import jobs

        jobs.restart_backend()
        SESSION.failure = None
        redraw()
        self.report({"INFO"}, strings.RESTARTED)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_dismiss(bpy.types.Operator):
    """Forget the last failure."""

    bl_idname = "reconstruct_face.dismiss"
    bl_label = strings.DISMISS
    bl_description = strings.DISMISS_TIP
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take it off the panel."""
        SESSION.failure = None
        redraw()
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_open_report(bpy.types.Operator):
    """Show the report of the last failure."""

    bl_idname = "reconstruct_face.open_report"
    bl_label = strings.OPEN_REPORT
    bl_description = strings.OPEN_REPORT_TIP
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether one was written."""
        return SESSION.failure is not None and SESSION.failure.report is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open it with what the system opens text files with."""
        assert SESSION.failure is not None and SESSION.failure.report is not None
        bpy.ops.wm.path_open(filepath=str(SESSION.failure.report))
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_cancel,
    RECONSTRUCT_FACE_OT_restart_backend,
    RECONSTRUCT_FACE_OT_dismiss,
    RECONSTRUCT_FACE_OT_open_report,
)
