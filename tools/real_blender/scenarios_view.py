"""What users see of a head once it is there: several heads, other views, what is left of them."""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import bpy
from scenarios import slider
from steps import BUTTON, busy, finish, pick, press
from user import PACKAGE, User


def view_values(space: Any) -> tuple[Any, ...]:
    """What the photo's view changes of a 3D view."""
    region, shading = space.region_3d, space.shading
    return (
        region.view_perspective, space.use_local_camera, shading.color_type, shading.light,
        shading.studio_light, shading.show_object_outline,
    )  # fmt: skip


def photo_view(user: User) -> Iterator[float]:
    """After a run the head is seen as its photo does, alone; one click gives the view back."""
    space = user.view.spaces.active
    before = view_values(space)
    camera = bpy.context.scene.camera
    size = (bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y)
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    user.check(space.region_3d.view_perspective == "CAMERA", "the photo's view is shown")
    user.check(space.local_view is not None, "the head is shown alone")
    outline = space.shading.show_object_outline
    user.check(not outline, "no outline makes specks of the strands of hair")
    yield from user.screenshot("photo view")
    yield from user.find("reconstruct_face.overlay")
    yield from user.drag(60)
    yield 0.5
    user.check(bpy.context.scene.reconstruct_face.overlay > 0.1, "the overlay's slider moves")
    yield from user.screenshot("overlay")
    yield from user.click("reconstruct_face.photo_view")
    yield 1.0
    after = view_values(space)
    user.check(after == before, f"the view is given back: {before} {after}")
    user.check(space.local_view is None, "everything is shown again")
    now = (bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y)
    user.check(bpy.context.scene.camera == camera and now == size, "the scene's camera is kept")
    yield from user.screenshot("given back")
    yield from user.click("reconstruct_face.photo_view")
    yield 1.0
    user.check(space.region_3d.view_perspective == "CAMERA", "and shown again")


def over_the_view(user: User) -> Iterator[float]:
    """Put the mouse into the middle of the 3D view."""
    region = next(r for r in user.view.regions if r.type == "WINDOW")
    yield from user.move(region.x + 0.35 * region.width, region.y + 0.5 * region.height)


def in_local_view(user: User) -> list[str]:
    """What the 3D view shows, by name; all of it without a local view."""
    space = user.view.spaces.active
    things = bpy.context.view_layer.objects
    if space.local_view is None:
        return sorted(thing.name for thing in things)
    graph = bpy.context.evaluated_depsgraph_get()
    return sorted(x.name for x in things if x.evaluated_get(graph).local_view_get(space))


def select(thing: bpy.types.Object) -> None:
    """Make ``thing`` the only selected object, and the active one."""
    for other in bpy.context.view_layer.objects:
        other.select_set(other == thing)
    bpy.context.view_layer.objects.active = thing


def looking(user: User) -> Iterator[float]:
    """Numpad 1 out of the photo's view, a second head, the whole scene, a deleted head."""
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    (first,) = (head.name for head in user.heads())
    yield from over_the_view(user)
    yield from user.mouse("key", "KP_1")
    yield 1.5
    yield from user.screenshot("numpad 1")
    yield from press(user)
    yield from finish(user, 2)
    (second,) = (head.name for head in user.heads() if head.name != first)
    shown = in_local_view(user)
    user.check(first not in shown and second in shown, f"the new head alone is shown: {shown}")
    yield from user.screenshot("second head")
    yield from over_the_view(user)
    yield from user.mouse("key", "KP_1")
    yield 1.0
    yield from user.click("reconstruct_face.photo_view(leave=True)")
    yield 1.5
    user.check(user.view.spaces.active.local_view is None, "the whole scene is shown")
    yield from user.screenshot("whole scene")
    for name in ("Cube", "Camera", "Light"):
        bpy.data.objects[name].hide_set(True)
    yield 1.0
    yield from user.screenshot("without the default cube")
    select(bpy.data.objects[second]["camera"])
    yield 1.0
    yield from user.find("reconstruct_face.photo_view(")
    user.check(user.at is not None, "the head's panel is there when its camera is active")
    yield from user.screenshot("camera selected")
    select(bpy.data.objects[second])
    yield from over_the_view(user)
    yield from user.mouse("key", "Delete")
    yield 1.5
    left = [thing.name for thing in bpy.data.objects if thing.name.startswith(second)]
    user.check(not left, f"nothing of a deleted head is left: {left}")
    yield from user.screenshot("head deleted")
    override: dict[str, Any] = {"window": user.window, "area": user.view}
    with bpy.context.temp_override(**override):
        bpy.ops.ed.undo()
    yield 1.0
    user.check(len(user.heads()) == 2, "undo brings it back")
    back = bpy.data.objects.get(second)
    user.check(back is not None and bool(back.get("camera")), "with its camera")


def elsewhere(user: User) -> Iterator[float]:
    """Another tab is open during a run, and the user is in edit mode when it ends."""
    yield from pick(user)
    settings = bpy.context.scene.reconstruct_face
    settings.quality, settings.texture_size = "best", "4096"
    override: dict[str, Any] = {"window": user.window, "area": user.view}
    select(bpy.data.objects["Cube"])
    with bpy.context.temp_override(**override):
        bpy.ops.object.mode_set(mode="EDIT")
    yield from user.click(*BUTTON)
    yield from user.wait_until(busy, 60.0, "the run begins")
    user.sidebar.active_panel_category = "View"
    yield 2.0
    yield from user.screenshot("another tab")
    user.check(busy(), "the run goes on")
    yield from user.wait_until(lambda: not busy(), 400.0, "the run ends")
    yield 1.5
    user.check(bpy.context.mode == "EDIT_MESH", f"the mode is the user's: {bpy.context.mode}")
    user.check(len(user.heads()) == 1, "the head is there")
    user.sidebar.active_panel_category = "Face"
    yield 1.0
    yield from user.screenshot("in edit mode")
    user.found["reports"] = user.reports()


def landmark_buttons(user: User) -> Iterator[float]:
    """The landmarks' instructions and buttons; one cannot reconstruct meanwhile."""
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    session = sys.modules[f"{PACKAGE}.operators.session"].SESSION
    settings = bpy.context.scene.reconstruct_face
    for fit in (False, True):
        yield from user.click("reconstruct_face.edit_landmarks")
        yield from over_the_view(user)
        yield 2.0
        user.check(session.editing is not None, "the landmarks can be dragged")
        user.check(settings.overlay == 1.0, "the photo is seen")
        yield from user.screenshot("editing landmarks")
        yield from user.click(*BUTTON)
        yield 0.5
        user.check(not busy(), "nothing else starts meanwhile")
        yield from user.find("end_landmarks", across=(0.25,) if fit else (0.75,))
        user.check(user.at is not None, "there is a button")
        yield from user.mouse("click", 1)
        if fit:
            yield from user.wait_until(busy, 20.0, "the new fit begins")
            yield from user.wait_until(lambda: not busy(), 400.0, "the new fit ends")
        yield 1.0
        user.check(session.editing is None, "the button ends it")
        user.check(settings.overlay == 0.0, "the overlay is given back")
    yield from user.screenshot("ended")


def opened(user: User) -> Iterator[float]:
    """The command line's .blend holds what the add-on builds of the same numbers here."""
    photo, out = user.project / "assets" / "astronaut.jpg", user.out / "command"
    command = [os.environ["RECONSTRUCT_FACE_PYTHON"], user.project / "backend" / "__main__.py"]
    command += ["reconstruct", photo, "-o", out, "--format", "blend", "--no-preview", "--force"]
    done = subprocess.Popen(list(map(str, command)), env=os.environ | {"PYTHONPATH": ""})
    yield from user.wait_until(lambda: done.poll() is not None, 400.0, "the command ends")
    user.check(done.returncode == 0, f"the command's exit status is {done.returncode}")
    written = out / "astronaut.blend"

    load = importlib.import_module(f"{PACKAGE}.backend.exchange").load_reconstruction
    build = importlib.import_module(f"{PACKAGE}.scene.build").build_scene
    head = build(load(written.with_suffix(".npz")), set_active=True).head
    bpy.context.view_layer.update()
    expected = described(head)
    with bpy.context.temp_override(window=user.window):
        bpy.ops.wm.open_mainfile(filepath=str(written), load_ui=False)
    yield 2.0
    yield from user.open_sidebar()
    user.found["written_by"] = list(bpy.data.version)
    user.check(len(user.heads()) == 1, "the file opens, with one head")
    found = described(user.heads()[0])
    for what, values in expected.items():
        user.check(list(found[what]) == list(values), f"{what}: {list(found[what])}")
        others = [x for x in values if not same(values[x], found[what].get(x, []))]
        user.check(not others, f"{what} as the add-on has them, but for {others}")
    user.found["opened"] = {what: len(value) for what, value in found.items()}
    user.check(user.view.spaces.active.local_view is None, "the whole scene is shown")
    user.check(bpy.context.scene.camera == user.heads()[0]["camera"], "the scene has its camera")
    user.view.spaces.active.shading.color_type = "TEXTURE"
    user.view.spaces.active.region_3d.view_perspective = "CAMERA"
    yield 2.0
    yield from user.screenshot("the command's file, through its camera")
    yield from slider(user)


def described(head: bpy.types.Object) -> dict[str, dict[str, list[Any]]]:
    """Shape keys, pictures, camera, lights, surface and modifiers of a head, by name."""
    mesh, camera = head.data, head["camera"]
    nodes = {x.name: x.node_tree.nodes.get("Image Texture") for x in mesh.materials}
    seen = {name.split()[-1]: node.image for name, node in nodes.items() if node}
    seen |= {f"photo {n}": x.image for n, x in enumerate(camera.data.background_images)}
    lens = ("lens", "sensor_fit", "sensor_width", "shift_x", "shift_y", "clip_start", "clip_end")
    place = head.matrix_world.inverted() @ camera.matrix_world
    lights = [x for x in head.users_collection[0].objects if x.type == "LIGHT"]
    return {
        "shape keys": {
            # The Basis has a value too: nothing uses it, and new ones have another in 5.2.
            key.name: [key.value, key.slider_min, key.slider_max, key.mute] * (n > 0)
            + [x for point in key.data for x in point.co]
            for n, key in enumerate(mesh.shape_keys.key_blocks)
        },
        "pictures": {
            name: [hashlib.sha256(image.packed_file.data).hexdigest(), *image.size]
            for name, image in seen.items()
        },
        "camera": {name: [getattr(camera.data, name)] for name in lens}
        | {"place": [x for row in place for x in row]},
        "lights": {x.name.split()[-1]: [x.data.energy, *x.data.color] for x in lights},
        "surface": {
            "uv": [x for layer in mesh.uv_layers for uv in layer.data for x in uv.uv],
            "materials": [face.material_index for face in mesh.polygons],
        },
        "modifiers": {x.name: [x.type, x.levels, x.render_levels] for x in head.modifiers},
    }


def same(some: list[Any], others: list[Any]) -> bool:
    """Whether two lists hold the same words, and numbers to 1e-5."""
    return len(some) == len(others) and all(
        x == y if isinstance(x, str) else abs(x - y) < 1e-5
        for x, y in zip(some, others, strict=True)
    )
