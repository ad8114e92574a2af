"""What users do with several photos of one person: list, steps, landmarks, another fit, undo."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from scenarios import handle
from steps import RUN_LIMIT, busy, finish, press, values
from user import User


def person(user: User) -> Iterator[float]:
    """Photos make one head; each is seen, one's landmark is dragged, undo takes all back."""
    photos = made_photos(user)
    override: dict[str, Any] = {"window": user.window, "area": user.view}
    with bpy.context.temp_override(**override):
        bpy.ops.reconstruct_face.add_photos(
            "EXEC_DEFAULT", True, filepath=str(photos[0]),
            directory=str(photos[0].parent), files=[{"name": photo.name} for photo in photos],
        )  # fmt: skip
    yield 1.0
    yield from user.wait_until(lambda: not busy(), 120.0, "the faces in the photo are found")
    yield 0.5
    yield from user.screenshot("four photos")
    yield from press(user)
    yield from finish(user, 1)
    yield 1.0
    yield from user.screenshot("one head")
    user.found["reports"] = user.reports()
    settings = bpy.context.scene.reconstruct_face
    states = [further.state for further in settings.further]
    user.check(states == ["USED", "USED", "LEFT_OUT"], f"the list says what was used: {states}")
    user.check(bool(settings.further[2].told), "and why one was not")
    (head,) = user.heads()
    user.check(all(head.get(name) for name in ("camera", "camera_2", "camera_3")), "three cameras")
    yield from steps(user)
    yield from drag_in_second(user)
    yield from fit_again(user)
    yield from undone(user)


def made_photos(user: User) -> list[Path]:
    """The sample as it is, mirrored, and turned with less light, and a part without the face."""
    sample = str(user.project / "assets" / "astronaut.jpg")
    ways = {
        "front": [],
        "mirrored": ["-flop"],
        "tilted": ["-distort", "SRT", "1.2 10", "-modulate", "70"],
        "nobody": ["-crop", "200x200+0+300", "+repage"],
    }
    photos = []
    for name, way in ways.items():
        photos.append(user.out / f"{name}.jpg")
        subprocess.run(["convert", sample, *way, str(photos[-1])], check=True)
    return photos


def expression(head: bpy.types.Object, name: str) -> dict[str, float]:
    """What the head's property ``name`` has for its shape keys, in their order."""
    keys = list(head.data.shape_keys.key_blocks)[1:]
    return {key.name: round(x, 4) for key, x in zip(keys, head[name], strict=False)}


def shows(head: bpy.types.Object, name: str) -> bool:
    """Whether the sliders are at the expression ``name``."""
    now, wanted = values(head), expression(head, name)
    return all(abs(now[key] - value) < 0.001 for key, value in wanted.items())


def steps(user: User) -> Iterator[float]:
    """Once through all photos and back to the first, with what each shows."""
    space = user.view.spaces.active
    name = user.heads()[0].name
    for number in (2, 3, 1):
        yield from user.find("reconstruct_face.step_photo(", across=(0.83, 0.81))
        user.check(user.at is not None, "there is a button to the next photo")
        if user.at is None:
            return
        yield from user.mouse("click", 1)
        yield 1.0
        head = bpy.data.objects[name]
        end = "" if number == 1 else f"_{number}"
        user.check(space.camera == head[f"camera{end}"], f"photo {number} is shown")
        user.check(shows(head, f"expression{end}"), f"with the expression of photo {number}")
        yield from user.screenshot(f"photo {number}")
    yield from user.mouse("click", 1)  # the second once more
    yield 1.0
    yield from user.click("reconstruct_face.photo_view(")
    yield 1.0
    user.check(space.region_3d.view_perspective != "CAMERA", "the view can be left")
    head = bpy.data.objects[name]
    user.check(shows(head, "expression"), "which gives the first photo's expression back")
    yield from user.screenshot("left")
    yield from user.click("reconstruct_face.photo_view(")
    yield 1.0
    user.check(space.camera == head["camera_2"], "and comes back to the same photo")


def drag_in_second(user: User) -> Iterator[float]:
    """The tip of the nose in the second photo, 30 pixels to the right."""
    yield from user.scroll(10)
    yield from user.click("reconstruct_face.edit_landmarks")
    yield 1.5
    (head,) = user.heads()
    place, _ = handle(user, head, 30, "_2")
    region = next(r for r in user.view.regions if r.type == "WINDOW")
    yield from user.move(region.x + place[0], region.y + place[1])
    yield 0.3
    yield from user.drag(30)
    yield 0.5
    yield from user.screenshot("dragged in the second")
    yield from user.mouse("key", "Return")
    yield from user.wait_until(busy, 20.0, "the new fit begins")
    yield from user.wait_until(lambda: not busy(), RUN_LIMIT, "the new fit ends")
    yield 1.5
    (head,) = user.heads()
    camera = user.view.spaces.active.camera
    name = next((x for x in ("camera", "camera_2", "camera_3") if head.get(x) == camera), "")
    moved = list(head.get(f"landmarks_corrected{name.removeprefix('camera')}", ()))
    user.found["corrected"] = {name: moved}
    user.check(len(moved) == 3 and moved[0] == 30, f"the landmark of this photo is kept: {moved}")
    others = {"camera", "camera_2", "camera_3"} - {name}
    kept = [x for x in others if f"landmarks_corrected{x.removeprefix('camera')}" in head]
    user.check(not kept, f"and of no other: {kept}")
    yield from user.screenshot("fitted to it")


def fit_again(user: User) -> Iterator[float]:
    """All photos once more."""
    yield from user.click("reconstruct_face.refit")
    yield from user.wait_until(busy, 20.0, "another fit begins")
    yield from user.wait_until(lambda: not busy(), RUN_LIMIT, "another fit ends")
    yield 1.5
    (head,) = user.heads()
    user.check(all(head.get(name) for name in ("camera", "camera_2", "camera_3")), "as many photos")
    yield from user.screenshot("fitted again")


def undone(user: User) -> Iterator[float]:
    """Each fit is one step; the steps through the photos are some more."""
    override: dict[str, Any] = {"window": user.window, "area": user.view}
    taken = 0
    while user.heads() and taken < 16:
        with bpy.context.temp_override(**override):
            bpy.ops.ed.undo()
        taken += 1
        yield 0.5
        if taken == 3:  # the landmarks are a step of their own
            yield from user.screenshot("both fits undone")
            kept = [name for name in user.heads()[0].keys() if "corrected" in name]  # noqa: SIM118
            user.check(not kept, f"three steps take both fits and the landmark back: {kept}")
    user.found["undo_steps"] = taken
    user.check(not user.heads(), "undo takes the whole head away")
    left = [thing.name for thing in bpy.data.objects if thing.type == "CAMERA"]
    user.check(left == ["Camera"], f"with its cameras: {left}")
    further = bpy.context.scene.reconstruct_face.further
    user.check(len(further) == 3, "the list is still there")
    user.check({x.state for x in further} == {"NEW"}, "as it was before the run")
    yield from user.screenshot("undone")
