"""The view of a head as its photo shows it: its camera, the photo behind or over it, and it alone.

Only the 3D view changes, and it comes back as it was: the scene's camera, picture size and shading
of other views are the user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
from mathutils import Quaternion, Vector

from .build import head_scene_of
from .camera import PLACE, VIEW, align_to_head, background_of, fit_to_scene
from .mesh import is_head


@dataclass(frozen=True)
class _Viewport:
    """What a 3D view was before, but for what :func:`leave` finds out itself."""

    perspective: str
    rotation: Quaternion
    location: Vector
    distance: float
    camera: bpy.types.Object | None
    own_camera: bool
    color_type: str
    in_local_view: bool


#: By the address of the area, which lives as long as the window's layout.
_before: dict[int, _Viewport] = {}


def camera_of(head: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that sees ``head`` as its photo does; None if it was deleted."""
    camera = head_scene_of(head).camera
    usable = camera is not None and camera.type == "CAMERA" and VIEW in camera and PLACE in camera
    return camera if usable else None


def is_shown(head: bpy.types.Object, space: bpy.types.SpaceView3D) -> bool:
    """Whether ``space`` looks through the camera of ``head``."""
    camera = space.camera if space.use_local_camera else bpy.context.scene.camera
    return (
        camera is not None
        and camera == camera_of(head)
        and space.region_3d.view_perspective == "CAMERA"
    )


def show(head: bpy.types.Object, context: bpy.types.Context) -> bool:
    """See ``head`` as its photo does in the context's 3D view; False if there is no such view.

    Solid shading shows textures then.
    """
    area = _area(context)
    camera = camera_of(head)
    if area is None or camera is None or camera.name not in context.view_layer.objects:
        return False
    space = area.spaces.active
    align_to_head(camera, head)
    fit_to_scene(camera, context.scene)
    if area.as_pointer() not in _before:
        view = space.region_3d
        _before[area.as_pointer()] = _Viewport(
            view.view_perspective,
            view.view_rotation.copy(),
            view.view_location.copy(),
            view.view_distance,
            space.camera,
            space.use_local_camera,
            space.shading.color_type,
            space.local_view is not None,
        )
    _isolate(head, area, context)
    space.use_local_camera = True
    space.camera = camera
    space.region_3d.view_perspective = "CAMERA"
    space.region_3d.view_camera_offset = (0.0, 0.0)
    space.region_3d.view_camera_zoom = 0.0
    if space.shading.type == "SOLID":
        space.shading.color_type = "TEXTURE"
    return True


def leave(context: bpy.types.Context) -> None:
    """Give the context's 3D view back as :func:`show` found it."""
    area = _area(context)
    if area is None:
        return
    space = area.spaces.active
    view = space.region_3d
    was = _before.pop(area.as_pointer(), None)
    if was is None:  # after opening the file: the view was saved as it was shown
        view.view_perspective = "PERSP"
        space.use_local_camera = False
        return
    if space.local_view is not None and not was.in_local_view:
        with _in_window(context, area):
            bpy.ops.view3d.localview(frame_selected=False)
    space.use_local_camera = was.own_camera
    if was.own_camera:
        space.camera = was.camera
    view.view_perspective = was.perspective
    if was.perspective != "CAMERA":
        view.view_rotation, view.view_location = was.rotation, was.location
        view.view_distance = was.distance
    if space.shading.color_type == "TEXTURE":
        space.shading.color_type = was.color_type


def set_overlay(head: bpy.types.Object | None, strength: float) -> None:
    """Lay the photo over ``head`` in its camera's view: 0 not at all, 1 hides the head."""
    camera = camera_of(head) if head is not None and is_head(head) else None
    behind = background_of(camera) if camera is not None else None
    if camera is None or behind is None:
        return
    images = camera.data.background_images
    over = next((image for image in images if image.display_depth == "FRONT"), None)
    if over is None:
        if strength <= 0:
            return
        over = images.new()
        over.image = behind.image
        over.display_depth = "FRONT"
        over.frame_method = behind.frame_method
    over.alpha = strength
    over.show_background_image = strength > 0


def forget() -> None:
    """Drop what is kept of views; when another file is opened or the add-on is taken away."""
    _before.clear()


def _isolate(head: bpy.types.Object, area: bpy.types.Area, context: bpy.types.Context) -> None:
    """Show the head, its camera and lights alone: a default cube would stand around it."""
    space = area.spaces.active
    around = head_scene_of(head)
    if space.local_view is None:
        chosen = [thing for thing in context.view_layer.objects if thing.select_get()]
        for thing in chosen:
            thing.select_set(False)
        head.select_set(True)
        with _in_window(context, area):
            bpy.ops.view3d.localview(frame_selected=False)
        head.select_set(head in chosen)
        for thing in chosen:
            thing.select_set(True)
    for thing in (head, around.camera, *around.lights):
        if thing is not None and thing.name in context.view_layer.objects:
            thing.local_view_set(space, True)


def _area(context: bpy.types.Context) -> bpy.types.Area | None:
    """The 3D view of ``context``, or the largest one of its window."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    if context.window is None:
        return None
    views = [area for area in context.window.screen.areas if area.type == "VIEW_3D"]
    return max(views, key=lambda area: area.width * area.height, default=None)


@contextmanager
def _in_window(context: bpy.types.Context, area: bpy.types.Area) -> Iterator[None]:
    """Operators find ``area`` in the context."""
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(window=context.window, area=area, region=region):
        yield
