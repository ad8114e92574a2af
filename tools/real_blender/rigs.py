"""A file with a rig in another Blender: opened, posed, saved, reopened, linked and overridden.

    python tools/real_blender/rigs.py --make FOLDER     the file and the truth, in the bpy module
    blender --background --python tools/real_blender/rigs.py -- --check FOLDER
    python tools/real_blender/rigs.py --check FOLDER    the same in the bpy module

Poses of jaw, eyes, board, neck and head are told by their bones; what the mesh is then has to be
the same to 0.1 mm in every Blender, before and after saving, and of a library override.  Where
Rigify is to be had, its metarig is laid out and generated.  Prints a line for each step, exit
status 1 when one is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))  # Blender runs it from elsewhere
from keyframes import import_add_on  # noqa: E402

SAME_MM = 0.1
#: Bone, path, axis, value: each pose is these from rest on.
POSES: dict[str, list[tuple[str, str, int, float]]] = {
    "jaw": [("jaw", "rotation_euler", 0, 0.25)],
    "eyes": [("eye.L", "rotation_euler", 0, 0.2), ("eye.R", "rotation_euler", 2, -0.3)],
    "board": [("corner.L", "location", 1, 0.015), ("lid.R", "location", 1, -0.02),
              ("jaw_control", "location", 1, -0.008)],
    "gaze": [("gaze", "location", 0, 0.2)],
    "neck": [("neck", "rotation_euler", 0, 0.2), ("head", "rotation_euler", 2, 0.3)],
}  # fmt: skip


def main() -> int:
    """Make or check; the exit status."""
    inside = Path(sys.argv[0]).resolve() != Path(__file__).resolve()  # Blender's own arguments
    mine = sys.argv[1:] if not inside else []
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else mine
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--make", type=Path, metavar="FOLDER")
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    options = parser.parse_args(given)
    if options.make is not None:
        make(options.make)
    return 0 if options.check is None else check(options.check)


def make(folder: Path) -> None:
    """The file ``rig.blend`` and ``truth.npz``, (V, 3) mm by pose."""
    sys.path.insert(0, str(ROOT))
    from tests.rig_tools import built_head

    import_add_on()
    from reconstruct_face.scene.armature.build import add_armature

    folder.mkdir(parents=True, exist_ok=True)
    head = built_head(bust=True).head
    armature = add_armature(head)
    np.savez(folder / "truth.npz", **{name: posed(head, armature, name) for name in POSES})
    rest(armature)
    bpy.ops.wm.save_as_mainfile(filepath=str((folder / "rig.blend").resolve()))


def check(folder: Path) -> int:
    """Whether this Blender shows the same; the exit status."""
    import_add_on()
    truth = np.load(folder / "truth.npz", allow_pickle=False)
    failed = []
    version = bpy.app.version_string

    def compare(what: str) -> None:
        head, armature = _own()
        worst = max(float(np.abs(posed(head, armature, n) - truth[n]).max()) for n in POSES)
        rest(armature)
        print(f"{version}: {what}: {worst:.5f} mm")
        if not worst < SAME_MM:
            failed.append(what)

    first = str((folder / "rig.blend").resolve())
    bpy.ops.wm.open_mainfile(filepath=first)
    compare("opened")
    saved = str((folder / f"saved_{version.split()[0]}.blend").resolve())
    bpy.ops.wm.save_as_mainfile(filepath=saved)
    bpy.ops.wm.open_mainfile(filepath=saved)
    compare("saved and reopened")
    from reconstruct_face.scene.armature.lead import BONES, KEYS, lead_of, let_lead

    head, armature = _own()
    before = posed(head, armature, "board")
    for lead in (KEYS, BONES):
        let_lead(head, lead)
        gap = float(np.abs(shown(head) - before).max())
        print(f"{version}: {lead_of(head)} lead: {gap:.5f} mm")
        failed += [] if gap < SAME_MM else [lead]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    _override(saved)
    compare("library override")
    if not _metarig(saved):
        failed.append("Rigify")
    sys.stdout.flush()
    return int(bool(failed))


def posed(head: bpy.types.Object, armature: bpy.types.Object, name: str) -> Any:
    """(V, 3) mm of ``head`` in the pose ``name``."""
    rest(armature)
    for bone, path, axis, value in POSES[name]:
        getattr(armature.pose.bones[bone], path)[axis] = value
    armature.update_tag()
    return shown(head)


def rest(armature: bpy.types.Object) -> None:
    """Put all bones to rest."""
    for bone in armature.pose.bones:
        bone.location = bone.rotation_euler = (0.0, 0.0, 0.0)
    armature.update_tag()


def shown(head: bpy.types.Object) -> Any:
    """(V, 3) mm of ``head`` as it is evaluated."""
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    found = head.evaluated_get(graph)
    mesh = found.to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    found.to_mesh_clear()
    return 1000 * points.reshape(-1, 3)


def _own() -> tuple[bpy.types.Object, bpy.types.Object]:
    """Head and armature of this file, not those that are linked."""
    from reconstruct_face.scene.armature.known import armature_of
    from reconstruct_face.scene.mesh import is_head

    (head,) = (thing for thing in bpy.data.objects if is_head(thing) and thing.library is None)
    armature = armature_of(head)
    assert armature is not None and armature.library is None
    return head, armature


def _override(file: str) -> None:
    libraries: Any = bpy.data.libraries
    with libraries.load(file, link=True) as (there, here):
        here.collections = list(there.collections)
    scene: Any = bpy.context.scene
    (group,) = (x for x in bpy.data.collections if x.library is not None)
    instance = bpy.data.objects.new("linked", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", group
    scene.collection.objects.link(instance)
    override: Any = group.override_hierarchy_create
    override(scene, bpy.context.view_layer, reference=instance)


def _metarig(file: str) -> bool:
    """Whether Rigify makes a rig of its metarig on the head; True where there is no Rigify."""
    bpy.ops.wm.open_mainfile(filepath=file)
    try:
        bpy.ops.preferences.addon_enable(module="rigify")
    except RuntimeError as error:
        print(f"{bpy.app.version_string}: no Rigify: {str(error).splitlines()[0]}")
        return True
    from reconstruct_face.scene.armature.rigify import add_metarig

    metarig = add_metarig(_own()[0])
    layer = bpy.context.view_layer
    layer.objects.active = metarig
    bpy.ops.pose.rigify_generate()
    made = [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]
    print(f"{bpy.app.version_string}: Rigify: {[(x.name, len(x.data.bones)) for x in made]}")
    return max(len(thing.data.bones) for thing in made) > 200


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the bpy module with Rigify enabled hangs when it ends
