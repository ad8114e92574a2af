"""What users do, and what goes wrong around them.  Each function is a scenario for ``drive.py``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import bpy
from steps import (
    BUTTON,
    CANCEL,
    RUN_LIMIT,
    SLIDER,
    again,
    backend_state,
    busy,
    finish,
    pick,
    press,
    unchanged,
    values,
    workers,
)
from user import PACKAGE, User


def journey(user: User) -> Iterator[float]:
    """Photo, button, head, slider, undo: with the stalls of each part."""
    yield from user.screenshot("start")
    user.stalls.enter("idle")
    user.stalls.redraw = True
    yield 5.0
    user.stalls.redraw = False
    user.stalls.enter("picking")
    yield from pick(user)
    yield from user.screenshot("photo picked")
    yield from user.layout()
    user.stalls.enter("moving to the button")
    yield from press(user)
    for part in ("a", "b", "c"):
        yield 1.5
        if busy():
            yield from user.screenshot(f"running {part}")
    yield from finish(user, 1)
    yield from user.screenshot("done")
    user.found["reports"] = user.reports()
    heads = user.heads()
    user.check(len(heads) == 1, "one head")
    user.check(bpy.context.view_layer.objects.active in heads, "the head is the active object")
    yield from slider(user)
    yield from undo(user)


def slider(user: User) -> Iterator[float]:
    """Drag the first expression slider that is shown."""
    user.stalls.enter("slider")
    before = values(user.heads()[0])
    yield from user.scroll(12)
    yield from user.find(*SLIDER)
    user.check(user.at is not None, "an expression slider is shown")
    if user.at is None:
        return
    user.found["slider"] = user.under_mouse()
    yield from user.drag(90)
    yield 0.5
    after = values(user.heads()[0])
    moved = {name: after[name] for name in after if abs(after[name] - before[name]) > 0.01}
    user.found["moved"] = moved
    user.check(1 <= len(moved) <= 2, f"one slider moves one shape: {moved}")
    yield from user.screenshot("slider moved")


def undo(user: User) -> Iterator[float]:
    """The slider is one step, the head is one step, and both come back."""
    user.stalls.enter("undo")
    override: dict[str, Any] = {"window": user.window, "area": user.view}

    def step(name: str) -> None:
        with bpy.context.temp_override(**override):
            getattr(bpy.ops.ed, name)()

    moved = values(user.heads()[0])
    step("undo")
    yield 0.5
    user.check(len(user.heads()) == 1, "undoing the slider keeps the head")
    if user.heads():
        user.check(values(user.heads()[0]) != moved, "undo takes the slider back")
        step("undo")
        yield 0.5
    user.check(not user.heads(), "a second undo takes the whole head away")
    left = {kind: [n for n in names if "stronaut" in n] for kind, names in user.scene().items()}
    user.check(not any(left.values()), f"undo leaves nothing of the head: {left}")
    yield from user.screenshot("undone")
    step("redo")
    yield 0.5
    user.check(len(user.heads()) == 1, "redo brings the head back")


def landmarks(user: User) -> Iterator[float]:
    """Drag the tip of the nose 40 pixels to the right, fit again."""
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    (head,) = user.heads()
    was = list(head["landmarks2d"])
    yield from user.click("reconstruct_face.edit_landmarks")
    yield 1.5
    yield from user.screenshot("handles")
    place, scale = handle(user, head, 30)
    region = next(r for r in user.view.regions if r.type == "WINDOW")
    yield from user.move(region.x + place[0], region.y + place[1])
    yield 0.3
    yield from user.drag(40)
    yield 0.5
    yield from user.screenshot("dragged")
    yield from user.mouse("key", "Return")
    yield from user.wait_until(busy, 20.0, "the new fit begins")
    yield from user.wait_until(lambda: not busy(), RUN_LIMIT, "the new fit ends")
    yield 1.0
    yield from user.screenshot("fitted again")
    (head,) = user.heads()
    moved = list(head.get("landmarks_corrected", ()))
    user.found["corrected"] = moved
    user.check(len(moved) == 3 and moved[0] == 30, "one landmark was set by hand, the one dragged")
    if len(moved) == 3:
        gone = moved[1] - was[60], moved[2] - was[61]
        expected = 40 / scale
        user.check(abs(gone[0] - expected) < 3 / scale, f"it moved {gone} of {expected:.1f} pixels")
        user.check(abs(gone[1]) < 3 / scale, f"and not up or down: {gone}")
        now = head["landmarks2d"][60]
        user.found["nose"] = (was[60], moved[1], now)
        user.check(abs(now - moved[1]) < 0.6 * abs(gone[0]), "the head follows")
    yield from user.click("reconstruct_face.forget_landmarks")
    yield 0.5
    user.check("landmarks_corrected" not in user.heads()[0], "corrections can be dropped")


def animation(user: User) -> Iterator[float]:
    """A list of phonemes moves the head; its panel's buttons can be clicked; undo takes it back."""
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    opened_panels("RECONSTRUCT_FACE_PT_animation", "RECONSTRUCT_FACE_PT_curves")
    (head,) = user.heads()
    words = user.out / "words.txt"
    words.write_text("0.0 0.5 sil\n0.5 1.0 AA1\n1.0 1.5 M\n")
    override: dict[str, Any] = {"window": user.window, "area": user.view}
    with bpy.context.temp_override(**override):
        bpy.ops.reconstruct_face.import_motion("EXEC_DEFAULT", True, filepath=str(words))
    scene = bpy.context.scene
    rate, start = scene.render.fps, scene.reconstruct_face_animation.start_frame
    played = []
    for seconds in (0.0, 0.75, 1.25):
        scene.frame_set(round(start + seconds * rate))
        yield 0.3
        played.append(values(head)["jawOpen"])
        yield from user.screenshot(f"speaking {seconds}")
    user.found["played"] = played
    off = max(abs(x - y) for x, y in zip(played, (0.0, 0.5, 0.0), strict=True))
    user.check(off <= 0.011, f"the mouth opens and closes, but for the simplification: {played}")
    yield from user.scroll(60)
    yield from user.find("reconstruct_face.mirror_animation", across=(0.5,))
    yield from user.screenshot("the animator's buttons")
    user.check(user.at is not None, "the animator's buttons are shown")
    if user.at is not None:
        yield from user.mouse("click", 1)
        yield 1.0
        user.found["reports"] = user.reports()
        told = any("curves changed" in line for line in user.found["reports"])
        user.check(told, "the button mirrors the animation and says so")
        yield from user.screenshot("mirrored")
    for _ in range(1 if user.at is None else 2):
        with bpy.context.temp_override(**override):
            bpy.ops.ed.undo()
        yield 0.5
    (head,) = user.heads()
    user.check(head.data.shape_keys.animation_data is None, "undo takes the animation away")


def opened_panels(*names: str) -> None:
    """Have panels that are closed at first be open, the outer ones before those in them.

    Blender remembers by name which are closed: they get others.
    """
    classes = [getattr(bpy.types, name) for name in names]
    for panel in reversed(classes):
        bpy.utils.unregister_class(panel)
    for panel in classes:
        panel.bl_idname += "_open"
        if getattr(panel, "bl_parent_id", "") in names:
            panel.bl_parent_id += "_open"
        panel.bl_options = set()
        bpy.utils.register_class(panel)


def handle(
    user: User, head: bpy.types.Object, index: int, photo: str = ""
) -> tuple[tuple[float, float], float]:
    """Where a landmark is in the 3D view, and how large a pixel of the photo is there.

    ``photo`` is what the properties of a further one end in: "_2".  From Blender's own projection
    of the camera's frame, in which the photo is square.
    """
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    camera = head[f"camera{photo}"]
    region = next(r for r in user.view.regions if r.type == "WINDOW")
    view = user.view.spaces.active.region_3d
    width, height = 512, 512
    corners = [
        location_3d_to_region_2d(region, view, camera.matrix_world @ corner)
        for corner in camera.data.view_frame(scene=bpy.context.scene)
    ]
    top, bottom = max(c.y for c in corners), min(c.y for c in corners)
    middle = (max(c.x for c in corners) + min(c.x for c in corners)) / 2
    scale = (top - bottom) / height
    x, y = head[f"landmarks2d{photo}"][2 * index : 2 * index + 2]
    return (middle + (x + 0.5 - width / 2) * scale, top - (y + 0.5) * scale), scale


def faces(user: User) -> Iterator[float]:
    """A photo of two people: the second face is picked, then all of them."""
    photo = user.out / "two.png"
    astronaut = str(user.project / "assets" / "astronaut.jpg")
    subprocess.run(
        ["convert", astronaut, "(", astronaut, "-resize", "80%", ")", "+append", str(photo)],
        check=True,
    )
    yield from pick(user, photo)
    yield 1.0
    yield from user.screenshot("two faces")
    yield from user.layout()
    yield from user.find("choose_face(number=2)", across=(0.75, 0.6, 0.9))
    user.check(user.at is not None, "the second face can be picked")
    if user.at is not None:
        yield from user.mouse("click", 1)
        yield 0.5
    user.check(bpy.context.scene.reconstruct_face.face == 2, "the second face is picked")
    yield from press(user)
    yield from finish(user, 1)
    (head,) = user.heads()
    user.check(head.name.endswith("face 2"), f"the second face was reconstructed: {head.name}")
    user.check(head["landmarks2d"][60] > 512, "it is the one on the right")
    yield from user.click("choose_face(number=0)", "choose_face()")
    yield 0.5
    yield from press(user)
    yield from finish(user, 3)
    yield from user.screenshot("all faces")


def pasted(user: User) -> Iterator[float]:
    """The path of a picture on the clipboard; then a text that is none; then a drop."""
    settings = bpy.context.scene.reconstruct_face
    astronaut = str(user.project / "assets" / "astronaut.jpg")
    yield from user.find("paste_photo", across=(0.83, 0.81, 0.86))
    user.check(user.at is not None, "there is a button to paste")
    bpy.context.window_manager.clipboard = f'"{astronaut}"'
    yield from user.mouse("click", 1)
    yield 1.0
    user.check(settings.photo == astronaut, f"the photo is the pasted one: {settings.photo!r}")
    yield from user.wait_until(lambda: not busy(), 120.0, "its faces are found")
    yield 1.0
    yield from user.screenshot("pasted")
    bpy.context.window_manager.clipboard = "no picture"
    yield from user.find("paste_photo", across=(0.83, 0.81, 0.86))
    bpy.context.window_manager.clipboard = "no picture"  # finding uses the clipboard
    yield from user.mouse("click", 1)
    yield 1.0
    yield from user.screenshot("nothing to paste")
    user.check(settings.photo == astronaut, "the photo stays")
    user.check(user.view.type == "VIEW_3D", "the 3D view is still one")
    user.found["reports"] = reports = user.reports()
    user.check(any("clipboard holds neither" in line for line in reports), "it is said")
    settings.photo = ""
    area = user.view
    with bpy.context.temp_override(window=user.window, area=area):
        bpy.ops.reconstruct_face.drop_photo(
            directory=str(user.project / "assets"), files=[{"name": "astronaut.jpg"}]
        )
    yield 1.0
    user.check(settings.photo == astronaut, "a dropped picture is the photo")


def take_long() -> None:
    """Settings with which a run lasts until the mouse is where it should be."""
    settings = bpy.context.scene.reconstruct_face
    settings.quality, settings.texture_size = "best", "4096"


def cancel(user: User) -> Iterator[float]:
    """Cancel in mid-run, twice, then a run that ends."""
    before = user.scene()
    yield from pick(user)
    take_long()
    for number in (1, 2):
        yield from press(user)
        _, y = user.at or (0, 0)
        yield 0.4 * number
        yield from user.screenshot("before cancel")
        # Beside the progress, which is where the button was.
        yield from user.move(user.sidebar.x + 0.83 * user.sidebar.width, y)
        user.check(CANCEL[0] in user.under_mouse(), "there is a button to cancel")
        user.check(busy(), "the run is still going on")
        start = time.monotonic()
        yield from user.mouse("click", 1)
        yield from user.wait_until(lambda: not busy(), 10.0, "cancel ends the run")
        user.found.setdefault("cancel_seconds", []).append(round(time.monotonic() - start, 2))
        yield 1.0
        yield from user.screenshot("cancelled")
        unchanged(user, before)
    user.found["reports"] = user.reports()
    yield from again(user)


def killed(user: User) -> Iterator[float]:
    """The backend's process is killed in mid-run."""
    yield from fault(user, signal.SIGKILL)


def hung(user: User) -> Iterator[float]:
    """The backend's process stands still in mid-run; the user cancels, or repairs it."""
    yield from fault(user, signal.SIGSTOP)


def fault(user: User, number: signal.Signals) -> Iterator[float]:
    """Send the backend ``number`` in mid-run; the user must be told, and can go on."""
    before = user.scene()
    yield from pick(user)
    take_long()
    yield from press(user)
    yield 0.5
    victims = workers()
    user.check(bool(victims), "a backend process is at work")
    for pid in victims:
        os.kill(pid, number)
    start = time.monotonic()
    limit = 20.0 if number == signal.SIGKILL else 60.0
    while busy() and time.monotonic() - start < limit:
        yield 0.05
    user.found["noticed_seconds"] = None if busy() else round(time.monotonic() - start, 1)
    yield 1.0
    yield from user.screenshot("after the fault")
    yield from user.layout()
    if busy():
        yield from user.click(*CANCEL)
        yield from user.wait_until(lambda: not busy(), 10.0, "cancel ends a hung run")
    user.found["state"] = backend_state()
    user.found["reports"] = user.reports()
    unchanged(user, before)
    yield from user.find("reconstruct_face.restart_backend", "reconstruct_face.restart")
    user.found["mend_button"] = user.at is not None
    if user.at is not None:
        yield from user.mouse("click", 1)
        yield 1.0
    yield from again(user)
    user.check(not set(victims) & set(workers()), "the broken process is gone")


def photo_gone(user: User) -> Iterator[float]:
    """The photo is deleted between pick and run."""
    before = user.scene()
    photo = user.out / "holiday.jpg"
    shutil.copy(user.project / "assets" / "astronaut.jpg", photo)
    yield from pick(user, photo)
    photo.unlink()
    yield from user.click(*BUTTON)
    yield 2.0
    yield from user.wait_until(lambda: not busy(), 120.0, "the run ends")
    yield 1.0
    yield from user.screenshot("photo gone")
    user.found["reports"] = reports = user.reports()
    user.check(any("holiday.jpg" in line for line in reports), "the message names the photo")
    unchanged(user, before)
    yield from pick(user)
    yield from again(user)


def verify(user: User) -> Iterator[float]:
    """Verify Head on a new head and on one that was moved wrongly, with PyTorch3D and Cycles."""
    panel = bpy.types.RECONSTRUCT_FACE_PT_verify
    bpy.utils.unregister_class(panel)
    panel.bl_options, panel.bl_order = set(), -1  # as for one who opened it and dragged it up
    bpy.utils.register_class(panel)
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    (head,) = user.heads()
    result = sys.modules[f"{PACKAGE}.scene.verification"].result_of
    for name, right in (("as it is", True), ("moved", False)):
        yield from user.click("reconstruct_face.verify(")
        yield from user.wait_until(busy, 20.0, "the verification begins")
        yield from user.wait_until(lambda: not busy(), RUN_LIMIT, "the verification ends")
        yield 1.0
        found = result(head) or {}
        user.found[name] = {key: m["value"] for key, m in found.get("measures", {}).items()}
        user.check(found.get("scene") is right, f"the scene of the head {name} passes: {right}")
        yield from user.screenshot(f"verified {name}")
        head.location.x += 0.002
    yield from user.click("reconstruct_face.show_difference(")
    yield 2.0
    yield from user.screenshot("differences")


def two_heads(user: User) -> Iterator[float]:
    """Two heads in a scene; a slider moves the active one only."""
    yield from pick(user)
    yield from press(user)
    yield from finish(user, 1)
    (first,) = (head.name for head in user.heads())
    yield from again(user, 2)
    (second,) = (head.name for head in user.heads() if head.name != first)
    user.found["heads"] = [first, second]
    before = values(bpy.data.objects[first])
    bpy.context.view_layer.objects.active = bpy.data.objects[second]
    yield 0.5
    yield from user.scroll(12)
    yield from user.find(*SLIDER)
    start = values(bpy.data.objects[second])
    if user.at is not None:
        yield from user.drag(90)
        yield 0.5
    user.check(values(bpy.data.objects[second]) != start, "the slider moves the active head")
    user.check(values(bpy.data.objects[first]) == before, "the other head keeps its expression")
    yield from user.screenshot("two heads")


def new_file(user: User) -> Iterator[float]:
    """Another file is opened in mid-run: nothing of the run may end up in it."""
    yield from pick(user)
    take_long()
    yield from press(user)
    yield 0.5
    user.check(busy(), "the run goes on")
    with bpy.context.temp_override(window=user.window):
        bpy.ops.wm.read_homefile(app_template="")
    yield 1.0
    yield from user.open_sidebar()
    yield from user.screenshot("new file")
    before = user.scene()
    yield from user.wait_until(lambda: not busy(), RUN_LIMIT, "the run ends")
    yield 3.0
    user.found["reports"] = user.reports()
    user.found["heads_in_the_new_file"] = [head.name for head in user.heads()]
    unchanged(user, before)
    yield from pick(user)
    yield from again(user, len(user.heads()) + 1)


def closed(user: User) -> Iterator[float]:
    """Blender is closed in mid-run; ``inside.py`` looks for what is left."""
    yield from pick(user)
    take_long()
    yield from press(user)
    yield 0.5
    user.check(bool(workers()), "a backend process is at work")
    yield from user.screenshot("about to close")


#: The same, but Blender is killed: ``drive.py`` tells them apart.
crashed = closed
