"""The view of a head as its photo shows it: its camera, the photo behind or over it, and it alone.

A head of several photos is seen as one of them at a time, with its expression
(:func:`~.expression.follow_photo`).

Only the 3D view changes, and it comes back as it was: the scene's camera, picture size and shading
of other views are the user's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import bpy
import numpy as np

from .build import head_scene_of
from .camera import PLACE, VIEW, align_to_head, background_of, fit_to_scene
from .context import area_of, scene_of, view_of
from .expression import follow_photo
from .hair import hair_of
from .landmarks import Point, fitted
from .mesh import is_head, photo_count
from .parts import parts_of
from .photo_cameras import camera_for, cameras_of, has_camera, set_shown, shown_number
from .placing import box_of

#: What would lie over the face.
_CLUTTER = ("show_extras", "show_cursor", "show_outline_selected", "show_object_origins")

#: What a view turns round, and from where.
_ORBIT = ("view_location", "view_distance")

#: A head is about so many times as high as the landmarks, brows to chin; part of the view it fills.
_HEAD_PER_LANDMARKS, _FILLED = 2.1, 0.9

#: Blender's own limits.
_ZOOM, _OFFSET = (-30.0, 600.0), (-1.0, 1.0)


@dataclass(frozen=True)
class _Viewport:
    """What a 3D view was before, for :func:`leave`."""

    region: dict[str, Any]
    shading: dict[str, Any]
    overlay: dict[str, Any]
    camera: bpy.types.Object | None
    own_camera: bool
    local_view: tuple[str, ...] | None  #: what was shown in it; None where there was none

    @classmethod
    def of(cls, space: bpy.types.SpaceView3D) -> _Viewport:
        """What ``space`` is now."""
        return cls(
            _values(
                space.region_3d,
                "view_rotation",
                "view_location",
                "view_distance",
                "view_camera_zoom",
                "view_camera_offset",
                "view_perspective",
            ),
            _values(space.shading, *_solids(space.shading)),
            _values(space.overlay, *_CLUTTER),
            space.camera,
            space.use_local_camera,
            _in_local_view(space),
        )


def _in_local_view(space: bpy.types.SpaceView3D) -> tuple[str, ...] | None:
    if space.local_view is None:
        return None
    layer = cast(bpy.types.ViewLayer, bpy.context.view_layer)
    graph = bpy.context.evaluated_depsgraph_get()  # objects themselves do not know
    things = [(thing, thing.evaluated_get(graph)) for thing in layer.objects]
    return tuple(thing.name for thing, there in things if there.local_view_get(space))


def _values(thing: Any, *names: str) -> dict[str, Any]:
    found = {name: getattr(thing, name) for name in names}
    return {n: v.copy() if hasattr(v, "copy") else v for n, v in found.items()}


#: Blender's own light for painting textures, soft and from the front, and the one it starts with.
_PAINT, _DEFAULT = "paint.sl", "Default"


def _solids(shading: bpy.types.View3DShading) -> tuple[str, ...]:
    """Names of what :func:`show` sets of a view in Solid.

    In the other modes ``studio_light`` is a picture of the world around.
    """
    always = ("color_type", "light", "show_object_outline")
    return (*always, "studio_light") if shading.type == "SOLID" else always


#: By the address of the area, which lives as long as the window's layout.
_before: dict[int, _Viewport] = {}


def camera_of(head: bpy.types.Object, number: int = 0) -> bpy.types.Object | None:
    """The camera that sees ``head`` as photo ``number`` does; None if it was deleted."""
    camera = camera_for(head, number)
    usable = camera is not None and camera.type == "CAMERA" and VIEW in camera and PLACE in camera
    return camera if usable else None


def is_shown(head: bpy.types.Object, space: bpy.types.SpaceView3D) -> bool:
    """Whether ``space`` looks through a camera of ``head``."""
    return number_shown(head, space) is not None


def number_shown(head: bpy.types.Object, space: bpy.types.SpaceView3D) -> int | None:
    """The photo of ``head`` through whose camera ``space`` looks; None if through none."""
    camera = space.camera if space.use_local_camera else bpy.context.scene.camera
    if camera is None or space.region_3d.view_perspective != "CAMERA":
        return None
    cameras = cameras_of(head)
    return cameras.index(camera) if camera in cameras else None


def current_number(head: bpy.types.Object, context: bpy.types.Context) -> int:
    """The photo of ``head`` that the context's 3D view shows, or else that was shown last."""
    area = _area(context)
    number = None if area is None else number_shown(head, view_of(area))
    return shown_number(head) if number is None else number


def is_shown_in(head: bpy.types.Object, context: bpy.types.Context) -> bool:
    """Whether the context's 3D view, or the largest one, looks through a camera of ``head``."""
    area = _area(context)
    return area is not None and is_shown(head, view_of(area))


def keep_shown(head: bpy.types.Object, context: bpy.types.Context) -> None:
    """After a new fit of ``head``, which the context's 3D view shows by one of its cameras: have it
    show the same photo, whatever its number is now, or the main one where that was left out."""
    area = _area(context)
    if area is None or photo_count(head) < 2:
        return
    number = number_shown(head, view_of(area))
    if number is None:
        show(head, context, 0)
    else:
        set_shown(head, number)
        follow_photo(head, number)


def show(
    head: bpy.types.Object,
    context: bpy.types.Context,
    number: int | None = None,
    *,
    frame_after: bool = False,
) -> bool:
    """See ``head`` as its photo does in the context's 3D view; False if there is no such view.

    It is photo ``number``, or else the one that was shown last, or one whose camera is there.  The
    face fills the view.  Solid shading shows the texture as it is then, like the photo.  What is
    seen when the view is turned away is ``head`` as well; with ``frame_after`` also when it is
    left, for a head that is new to the user.
    """
    area = _area(context)
    if number is None:
        last = shown_number(head)
        numbers = [last, *range(photo_count(head))]
        number = next((each for each in numbers if camera_of(head, each) is not None), last)
    camera = camera_of(head, number)
    if area is None or camera is None or camera.name not in context.view_layer.objects:
        return False
    space = view_of(area)
    align_to_head(camera, head)
    fit_to_scene(camera, scene_of(context))
    now = _Viewport.of(space)
    was = _before.setdefault(area.as_pointer(), now)
    if space.local_view is None:  # left by Blender's own keys: the rest is still as it was set here
        was.region.update(now.region)
    other = _head_in(space)
    if other is not None and other != head:
        follow_photo(other, 0)
    _isolate(head, camera, area, context)
    space.use_local_camera = True
    space.camera = camera
    space.region_3d.view_perspective = "CAMERA"
    _frame_face(fitted(head, number), camera, area, scene_of(context))
    set_shown(head, number)
    follow_photo(head, number)
    _orbit(head, space)
    if frame_after:
        for name in _ORBIT:
            was.region[name] = _values(space.region_3d, name)[name]
    for name in _CLUTTER:
        setattr(space.overlay, name, False)
    if space.shading.type == "SOLID":
        _set_solid(space.shading, "TEXTURE", _PAINT, outline=False)
    return True


def _set_solid(shading: bpy.types.View3DShading, colours: str, light: str, outline: bool) -> None:
    """Shaded: eyes, teeth and strands of hair are no shapes without.

    An ``outline`` is drawn between all that is not the same object: around each strand, as specks.
    """
    shading.color_type, shading.light = colours, "STUDIO"
    with suppress(TypeError):  # not in Solid, or somebody removed that light
        shading.studio_light = light
    shading.show_object_outline = outline


def is_turned_away(context: bpy.types.Context) -> bool:
    """Whether the context's 3D view still shows a head alone, but not by its camera any more.

    As after a numpad key, which leaves the camera alone.
    """
    area = _area(context)
    if area is None or area.as_pointer() not in _before:
        return False
    space = view_of(area)
    return space.local_view is not None and space.region_3d.view_perspective != "CAMERA"


def leave(context: bpy.types.Context) -> None:
    """Give the context's 3D view back as :func:`show` found it, and the head the expression of its
    main photo.

    After opening a file, which keeps the view but not what was before, as Blender's own views are.
    """
    area = _area(context)
    if area is None:
        return
    space = view_of(area)
    view = space.region_3d
    head = _head_in(space)
    if head is not None:
        follow_photo(head, 0)
    was = _before.pop(area.as_pointer(), None)
    if space.local_view is not None and (was is None or was.local_view is None):
        with _in_window(context, area):
            bpy.ops.view3d.localview(frame_selected=False)
    elif was is not None and was.local_view is not None and space.local_view is not None:
        for thing in context.view_layer.objects:
            thing.local_view_set(space, thing.name in was.local_view)
    if was is None:
        view.view_perspective = "PERSP"
        space.use_local_camera = False
        for name in _CLUTTER:
            setattr(space.overlay, name, True)
        _set_solid(space.shading, "MATERIAL", _DEFAULT, outline=True)
        return
    space.use_local_camera = was.own_camera
    if was.own_camera:
        space.camera = was.camera
    for thing, values in (
        (view, was.region), (space.overlay, was.overlay), (space.shading, was.shading)
    ):  # fmt: skip
        for name, value in values.items():
            with suppress(TypeError):  # a light of Solid, and the view is in another mode by now
                setattr(thing, name, value)


def set_overlay(head: bpy.types.Object | None, strength: float) -> None:
    """Lay the photo over ``head`` in its cameras' views: 0 not at all, 1 hides the head."""
    if not is_head(head):
        return
    for camera in cameras_of(head):
        if camera is not None and camera.type == "CAMERA":
            _lay_over(camera, strength)


def _lay_over(camera: bpy.types.Object, strength: float) -> None:
    behind = background_of(camera)
    if behind is None:
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


def _head_in(space: bpy.types.SpaceView3D) -> bpy.types.Object | None:
    """The head through one of whose cameras ``space`` looks, or looked before it was turned."""
    camera = space.camera if space.use_local_camera else None
    if camera is None:
        return None
    heads = (thing for thing in bpy.context.view_layer.objects if is_head(thing))
    return next((head for head in heads if has_camera(head, camera)), None)


def _isolate(
    head: bpy.types.Object,
    camera: bpy.types.Object,
    area: bpy.types.Area,
    context: bpy.types.Context,
) -> None:
    """Show the head, its hair, camera and lights alone: a default cube would stand around it.

    Also in a local view that is there, which may show another head.
    """
    space = view_of(area)
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
    shown = {head, camera, *around.lights, *hair_of(head), *parts_of(head)}
    for thing in context.view_layer.objects:
        thing.local_view_set(space, thing in shown)


def _orbit(head: bpy.types.Object, space: bpy.types.SpaceView3D) -> None:
    """Have the view turn round ``head`` at a distance from which it is large."""
    box = box_of(head)
    middle, size = (box[0] + box[1]) / 2, float(np.linalg.norm(box[1] - box[0]))
    space.region_3d.view_location = middle.tolist()
    # Blender's views see about 72 mm of width at a distance of the lens' mm.
    space.region_3d.view_distance = size * space.lens / 72 * 1.6


def _frame_face(
    points: Sequence[Point],
    camera: bpy.types.Object,
    area: bpy.types.Area,
    scene: bpy.types.Scene,
) -> None:
    """Zoom and shift the camera's view so that the face fills what the sidebars leave free.

    ``points`` are its landmarks, in pixels of the photo.

    In a camera's view the frame's width (its height, where the sensor fits vertically) is
    ``factor = (zoom / 50 + sqrt 2)^2 / 4`` of the region's, and an offset moves the picture by
    ``2 * offset * factor`` region widths: measured in Blender 4.3.
    """
    view = area.spaces.active.region_3d
    if not points:
        view.view_camera_zoom, view.view_camera_offset = 0.0, (0.0, 0.0)
        return
    regions = {region.type: region for region in area.regions}
    width, height = regions["WINDOW"].width, regions["WINDOW"].height
    left = regions["TOOLS"].width if area.spaces.active.show_region_toolbar else 0
    right = regions["UI"].width if area.spaces.active.show_region_ui else 0
    free = max(width - left - right, width / 4)
    xs, ys = zip(*points, strict=True)
    size = _HEAD_PER_LANDMARKS * max(max(xs) - min(xs), max(ys) - min(ys))
    wanted = _FILLED * min(free, height) / size  # pixels of the screen to one of the photo

    photo_width, photo_height = camera[VIEW][4:6]
    frame_width = scene.render.resolution_x * scene.render.pixel_aspect_x
    frame_height = scene.render.resolution_y * scene.render.pixel_aspect_y
    inside = min(frame_width / photo_width, frame_height / photo_height)
    across = (
        width / frame_width if camera.data.sensor_fit == "HORIZONTAL" else height / frame_height
    )
    factor = wanted / (inside * across)
    zoom = 50 * (2 * math.sqrt(factor) - math.sqrt(2))
    view.view_camera_zoom = min(max(zoom, _ZOOM[0]), _ZOOM[1])
    factor = (view.view_camera_zoom / 50 + math.sqrt(2)) ** 2 / 4

    scale = factor * inside * across
    from_middle = (
        ((min(xs) + max(xs) + 1 - photo_width) / 2 * scale, width, left + free / 2),
        # The landmarks begin at the brows: the middle of a head is above theirs.
        ((photo_height - 1 - 1.2 * min(ys) - 0.8 * max(ys)) / 2 * scale, height, height / 2),
    )
    view.view_camera_offset = [
        min(max((gap - (middle - side / 2)) / (2 * side * factor), _OFFSET[0]), _OFFSET[1])
        for gap, side, middle in from_middle
    ]


def _area(context: bpy.types.Context) -> bpy.types.Area | None:
    """The 3D view of ``context``, or the largest one of its window."""
    area = area_of(context)
    if area is not None and area.type == "VIEW_3D":
        return area
    if context.window is None:
        return None
    views = [area for area in context.window.screen.areas if area.type == "VIEW_3D"]
    return max(views, key=lambda area: area.width * area.height, default=None)


@contextmanager
def _in_window(context: bpy.types.Context, area: bpy.types.Area) -> Iterator[None]:
    """Operators find ``area`` in the context."""
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(
        window=cast(bpy.types.Window, context.window), area=area, region=region
    ):
        yield
