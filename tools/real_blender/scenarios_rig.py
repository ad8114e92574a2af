"""What users do with bones: add a rig, pose it on the board, hand over, make parts, undo it all."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
from scenarios import opened_panels
from steps import finish, pick, press, values
from user import User


def rig(user: User) -> Iterator[float]:
    """A head gets a rig by its button, moves by bones, and is as it was after undo."""
    opened_panels("RECONSTRUCT_FACE_PT_rig")
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    name = user.heads()[0].name
    before = values(user.heads()[0])
    yield from user.scroll(30)
    yield from user.find("reconstruct_face.add_rig", across=(0.5,))
    user.check(user.at is not None, "there is a button that adds a rig")
    yield from user.screenshot("before the rig")
    yield from user.mouse("click", 1)
    yield 1.0
    head = bpy.data.objects[name]
    armature = head.get("armature")
    user.check(armature is not None, "the head has a rig")
    if armature is None:
        return
    with bpy.context.temp_override(window=user.window, area=user.view):
        bpy.ops.ed.undo()
    yield 0.5
    head = bpy.data.objects[name]
    user.check(head.get("armature") is None, "one undo takes it away")
    user.check(not [x for x in bpy.data.objects if x.type == "ARMATURE"], "all of it")
    with bpy.context.temp_override(window=user.window, area=user.view):
        bpy.ops.ed.redo()
    yield 0.5
    head = bpy.data.objects[name]
    armature = head.get("armature")
    user.check(armature is not None, "and redo brings it back")
    if armature is None:
        return
    after = values(head)
    moved = [key for key, value in before.items() if abs(after[key] - value) > 0.001]
    user.check(not moved, f"and the expression is as before: {moved}")
    override = {"window": user.window, "area": user.view}
    with bpy.context.temp_override(**override):
        if user.view.spaces.active.local_view is not None:
            bpy.ops.reconstruct_face.photo_view(leave=True)
    user.check(bpy.ops.reconstruct_face.pose_rig() == {"FINISHED"}, "its bones can be posed")
    view = user.view.spaces.active
    view.overlay.show_overlays = True
    yield from _look(user, armature, "rig at rest")
    pose = armature.pose.bones
    pose["jaw_control"].location.y = -0.012
    pose["corner.L"].location = (0.006, 0.014, 0.0)
    pose["lid.R"].location.y = -0.018
    pose["brow.L"].location.y = 0.016
    pose["gaze"].location.x = 0.08
    pose["head"].rotation_euler = (0.1, 0.0, 0.25)
    armature.update_tag()
    yield 0.5
    shown = values(head)
    jaw = before["jawOpen"] + 0.6
    user.check(abs(shown["jawOpen"] - jaw) < 0.01, "the board opens the jaw")
    user.check(shown["eyeLookOutLeft"] > 0.1, "eyes look at their target")
    yield from _look(user, armature, "rig posed")
    user.check(
        bpy.ops.reconstruct_face.hand_over(lead="keys") == {"FINISHED"}, "shape keys take over"
    )
    user.check(abs(values(head)["jawOpen"] - jaw) < 0.01, "with the same face")
    user.check(bpy.ops.reconstruct_face.pose_rig() == {"FINISHED"}, "the mode is left")
    user.check(bpy.ops.reconstruct_face.parts() == {"FINISHED"}, "parts become objects")
    yield from user.screenshot("parts")
    user.check(bpy.ops.reconstruct_face.parts() == {"FINISHED"}, "and go back")
    user.check(bpy.ops.reconstruct_face.remove_rig() == {"FINISHED"}, "the rig goes")
    user.check(head.get("armature") is None and head.parent is None, "without a trace")
    user.check(abs(values(head)["jawOpen"] - jaw) < 0.01, "and the face stays")
    if "rigify" in bpy.context.preferences.addons or _enable_rigify():
        user.check(
            bpy.ops.reconstruct_face.metarig() == {"FINISHED"}, "Rigify's metarig is laid out"
        )
        yield from _look(user, bpy.context.view_layer.objects.active or head, "metarig")
    user.found["reports"] = user.reports()


def _enable_rigify() -> bool:
    try:
        return bpy.ops.preferences.addon_enable(module="rigify") == {"FINISHED"}
    except RuntimeError:
        return False


def _look(user: User, thing: bpy.types.Object, name: str) -> Iterator[float]:
    """A screenshot of ``thing`` from the front and a little aside."""
    override = {
        "window": user.window,
        "area": user.view,
        "region": next(x for x in user.view.regions if x.type == "WINDOW"),
    }
    with bpy.context.temp_override(**override):
        bpy.ops.view3d.view_axis(type="FRONT")
    region = user.view.spaces.active.region_3d
    place = thing.matrix_world.translation
    region.view_location, region.view_distance = (place.x + 0.1, place.y, place.z - 0.02), 0.95
    region.view_perspective = "PERSP"
    yield 1.0
    yield from user.screenshot(name)
