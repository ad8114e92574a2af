"""Expressions for users' own meshes: thin shells around ``scene/own_mesh.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty

from ..backend.errors import FaceError
from ..scene.context import scene_of
from . import strings_own_mesh as texts
from .running import RunsJob

if TYPE_CHECKING:
    from ..scene.jobs import Job

PLACE = "own_mesh"  #: of the panel


def mesh_of(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active mesh, if it is none of our heads."""
    from ..scene.mesh import is_head

    active = context.active_object
    return active if active is not None and active.type == "MESH" and not is_head(active) else None


class OnMesh:
    """Base of operators on a mesh that is not ours."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether one is active."""
        return mesh_of(context) is not None


class RECONSTRUCT_FACE_OT_own_mesh_find(OnMesh, RunsJob, bpy.types.Operator):
    """Find the face's landmarks."""

    bl_idname = "reconstruct_face.own_mesh_find"
    bl_label = texts.FIND
    bl_description = texts.FIND_TIP
    bl_options = {"UNDO"}
    doing = texts.FIND
    place = PLACE

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender."""
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Send the mesh."""
        from ..scene import own_mesh

        meshes = own_mesh.meshes_of(context)
        self._mesh = meshes[0].name
        return own_mesh.start_landmarks(meshes), {"meshes": [one.name for one in meshes]}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Mark it."""
        from ..scene import own_mesh

        own_mesh.place_landmarks(own_mesh.mesh_named(self._mesh), result)
        self.report({"INFO"}, texts.PLACED.format(self._mesh))


class RECONSTRUCT_FACE_OT_own_mesh_place(OnMesh, bpy.types.Operator):
    """Put landmarks for the user to drag."""

    bl_idname = "reconstruct_face.own_mesh_place"
    bl_label = texts.PLACE
    bl_description = texts.PLACE_TIP
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Where a face may be."""
        from ..scene import own_mesh

        try:
            mesh = own_mesh.meshes_of(context)[0]
        except FaceError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        own_mesh.place_landmarks(mesh)
        self.report({"INFO"}, texts.PLACED.format(mesh.name))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_own_mesh_unplace(OnMesh, bpy.types.Operator):
    """Take the landmarks away."""

    bl_idname = "reconstruct_face.own_mesh_unplace"
    bl_label = texts.REMOVE
    bl_description = texts.REMOVE_TIP
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """All of the active mesh."""
        from ..scene.own_mesh import remove_landmarks

        mesh = mesh_of(context)
        assert mesh is not None
        remove_landmarks(mesh)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_own_mesh_make(OnMesh, RunsJob, bpy.types.Operator):
    """Make the shape keys."""

    bl_idname = "reconstruct_face.own_mesh_make"
    bl_label = texts.MAKE
    bl_description = texts.MAKE_TIP
    bl_options = {"UNDO"}
    doing = texts.MAKE
    place = PLACE

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Run beside Blender."""
        return self.run_modal(context)

    def begin(self, context: bpy.types.Context) -> tuple[Job[Any], dict[str, Any]]:
        """Send the meshes, unless they have such keys already."""
        from ..backend.exchange.names import ARKIT
        from ..scene import own_mesh

        meshes = own_mesh.meshes_of(context)
        self._replace = bool(scene_of(context).reconstruct_face_replace_keys)
        own_mesh.check_names(meshes, ARKIT, self._replace)
        job, self._sent = own_mesh.start_expressions(meshes)
        return job, {"meshes": [one.name for one in meshes]}

    def take(self, context: bpy.types.Context, result: Any) -> None:
        """Add the keys."""
        from ..scene import own_mesh

        mesh = own_mesh.add_keys(result, self._sent, replace=self._replace)
        self.report({"INFO"}, texts.added(mesh.name, len(self._sent.names) - 1))


class OnMade(OnMesh):
    """Base of operators on a mesh whose keys are neither kept nor discarded."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it has such."""
        from ..scene.own_mesh import made

        mesh = mesh_of(context)
        return mesh is not None and made(mesh) is not None


class RECONSTRUCT_FACE_OT_own_mesh_try(OnMade, bpy.types.Operator):
    """Show an expression."""

    bl_idname = "reconstruct_face.own_mesh_try"
    bl_label = texts.TRY
    bl_description = texts.TRY_TIP
    bl_options = {"INTERNAL", "UNDO"}

    pose: EnumProperty(name=texts.TRY, items=[(one[0], one[1], "") for one in texts.POSES])

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set its weights."""
        from ..scene.own_mesh import try_out

        mesh = mesh_of(context)
        assert mesh is not None
        try_out(mesh, next(one[2] for one in texts.POSES if one[0] == self.pose))
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_own_mesh_keep(OnMade, bpy.types.Operator):
    """Keep the keys."""

    bl_idname = "reconstruct_face.own_mesh_keep"
    bl_label = texts.KEEP
    bl_description = texts.KEEP_TIP
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Of all the meshes that got some together."""
        from ..scene.own_mesh import keep

        mesh = mesh_of(context)
        assert mesh is not None
        keep(mesh)
        return {"FINISHED"}


class RECONSTRUCT_FACE_OT_own_mesh_discard(OnMade, bpy.types.Operator):
    """Take the keys away."""

    bl_idname = "reconstruct_face.own_mesh_discard"
    bl_label = texts.DISCARD
    bl_description = texts.DISCARD_TIP
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Of all the meshes that got some together."""
        from ..scene.own_mesh import discard

        mesh = mesh_of(context)
        assert mesh is not None
        discard(mesh)
        return {"FINISHED"}


CLASSES = (
    RECONSTRUCT_FACE_OT_own_mesh_find,
    RECONSTRUCT_FACE_OT_own_mesh_place,
    RECONSTRUCT_FACE_OT_own_mesh_unplace,
    RECONSTRUCT_FACE_OT_own_mesh_make,
    RECONSTRUCT_FACE_OT_own_mesh_try,
    RECONSTRUCT_FACE_OT_own_mesh_keep,
    RECONSTRUCT_FACE_OT_own_mesh_discard,
)


def register_more() -> None:
    """The switch beside the button."""
    bpy.types.Scene.reconstruct_face_replace_keys = BoolProperty(
        name=texts.REPLACE, description=texts.REPLACE_TIP, default=False
    )


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face_replace_keys
