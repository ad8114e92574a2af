"""A head at rest in parts of its own: the head, two eyes, teeth.

What lies before the eyes (cornea, tears, lashes) is left out: programs that look at a rendered face
to find the eyes would find a film there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bmesh
import bpy
from bmesh.types import BMFace

_EYES = ("eye", "iris")
_TEETH = ("teeth", "tongue")
_BEFORE_EYES = ("cornea", "tear", "lashes")


def take_apart(head: bpy.types.Object, kinds: Sequence[str]) -> list[bpy.types.Object]:
    """Move eyes and teeth of ``head`` to new objects, in no collection, and drop what hides eyes.

    They are called as the head with "_eye_left" (of the face, x above 0), "_eye_right" and "_teeth"
    (with gums and tongue) behind; one that has no faces is not made.  ``kinds``: of its materials,
    in their order, which stays.  ``head`` must have no shape keys.
    """
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh) and mesh.shape_keys is None

    def kind_of(face: BMFace) -> str:
        return kinds[face.material_index] if face.material_index < len(kinds) else ""

    wanted = {
        "eye_left": lambda face: kind_of(face) in _EYES and face.calc_center_median().x > 0,
        "eye_right": lambda face: kind_of(face) in _EYES and face.calc_center_median().x <= 0,
        "teeth": lambda face: kind_of(face) in _TEETH,
    }
    parts = []
    for ending, is_wanted in wanted.items():
        part = mesh.copy()
        part.name = f"{head.name}_{ending}"
        if _keep(part, is_wanted):
            parts.append(bpy.data.objects.new(part.name, part))
        else:
            bpy.data.meshes.remove(part)
    gone = (*_EYES, *_TEETH, *_BEFORE_EYES)
    _keep(mesh, lambda face: kind_of(face) not in gone)
    return parts


def _keep(mesh: bpy.types.Mesh, is_wanted: Callable[[BMFace], bool]) -> int:
    """Leave of ``mesh`` the faces that are wanted; how many they are."""
    shape = bmesh.new()
    shape.from_mesh(mesh)
    others = [face for face in shape.faces if not is_wanted(face)]
    bmesh.ops.delete(shape, geom=others, context="FACES")
    count = len(shape.faces)
    shape.to_mesh(mesh)
    shape.free()
    return count
