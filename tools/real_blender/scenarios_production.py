"""What users do to take heads elsewhere: export for a target, give their own mesh expressions."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from scenarios import opened_panels
from steps import busy, finish, pick, press
from user import User


def targets(user: User) -> Iterator[float]:
    """A head is written for a target, and the next export repeats it."""
    opened_panels("RECONSTRUCT_FACE_PT_export")
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    head = user.heads()[0]
    folder = user.out / "files"
    settings = bpy.context.scene.reconstruct_face_export
    settings.folder = str(folder)
    bpy.context.scene.reconstruct_face_target.target = "threejs"
    yield from user.scroll(30)
    yield from user.find("reconstruct_face.export", across=(0.5,))
    user.check(user.at is not None, "there is a button that exports")
    yield from user.screenshot("a target in the panel")
    yield from user.mouse("click", 1)
    yield from user.wait_until(
        lambda: (folder / f"{head.name}.glb").is_file(), 60.0, "the file is written"
    )
    user.check("threejs" in str(head.get("export_target")), "the head keeps its target")
    first = (folder / f"{head.name}.glb").stat().st_size
    user.check(first < 2_500_000, f"it has {first} bytes")
    done = bpy.ops.reconstruct_face.export(filepath=str(folder / "again.glb"))
    user.check(done == {"FINISHED"}, "a second export")
    second = (folder / "again.glb").stat().st_size
    user.check(abs(second - first) < 1000, f"repeats the first: {second} bytes")
    user.found["reports"] = user.reports()


def own_mesh(user: User) -> Iterator[float]:
    """A mesh with a face, here a copy of a head without its keys, gets ARKit's 52."""
    opened_panels("RECONSTRUCT_FACE_PT_own_mesh")
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    head = user.heads()[0]
    mesh = head.data.copy()
    thing = bpy.data.objects.new("Mine", mesh)
    bpy.context.scene.collection.objects.link(thing)
    thing.shape_key_clear()
    for name in [name for name in thing.keys() if name.startswith("reconstruct_face")]:  # noqa: SIM118
        del thing[name]
    override = {"window": user.window, "area": user.view}
    with bpy.context.temp_override(**override):
        bpy.ops.reconstruct_face.photo_view(leave=True)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    thing.location.x = head.location.x + 0.4
    yield 1.0
    yield from user.scroll(30)
    yield from user.find("reconstruct_face.own_mesh_make", across=(0.5,))
    user.check(user.at is not None, "there is a button that makes expressions")
    yield from user.screenshot("own mesh")
    yield from user.mouse("click", 1)
    yield 2.0
    yield from user.wait_until(
        lambda: thing.data.shape_keys is not None and not busy(), 240.0, "the keys are made"
    )
    yield 1.0
    if thing.data.shape_keys is None:
        return
    names = {key.name for key in thing.data.shape_keys.key_blocks}
    user.check({"jawOpen", "eyeBlinkLeft"} <= names and len(names) == 53, "it has 52 keys")
    yield from user.screenshot("keys made")
    user.check(bpy.ops.reconstruct_face.own_mesh_keep() == {"FINISHED"}, "they are kept")
    user.found["reports"] = user.reports()
