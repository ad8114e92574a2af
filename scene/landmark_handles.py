"""Landmarks drawn over the photo in its camera's view, and what the mouse does to them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
from bpy_extras.view3d_utils import location_3d_to_region_2d

from .camera import VIEW
from .context import area_of, scene_of, view_of
from .landmarks import LINES, Point

_RADIUS_PX = 3.5
_FITTED = (0.25, 0.75, 1.0, 1.0)
_MOVED = (1.0, 0.6, 0.1, 1.0)
_HOVERED = (1.0, 1.0, 1.0, 1.0)
_LINE = (0.25, 0.75, 1.0, 0.9)
_EDGE = (0.0, 0.0, 0.0, 0.7)


class Handles:
    """The 68 handles; points are pixels of the photo, places are pixels of the 3D view's region."""

    def __init__(
        self,
        points: Sequence[Point],
        fitted: Sequence[Point],
        moved: dict[int, Point],
        camera: bpy.types.Object,
    ) -> None:
        """``points`` as shown at first, ``moved`` those of them that were set by hand before."""
        self.points = list(points)
        self.moved = dict(moved)
        self.hovered: int | None = None
        self.dragged: int | None = None
        self._fitted = list(fitted)
        self._camera = camera.name
        self._history: list[dict[int, Point]] = []

    def move(
        self,
        context: bpy.types.Context,
        region: bpy.types.Region,
        place: tuple[float, float],
        reach: float,
    ) -> None:
        """The mouse is at ``place``: drag on, or hover over the nearest within ``reach``."""
        corner, step = self._frame(context, region)
        if self.dragged is not None:
            x, y = ((p - c) / s for p, c, s in zip(place, corner, step, strict=True))
            point = (x, y)
            self.points[self.dragged] = point
            self.moved[self.dragged] = point
            return
        gaps = [math.dist(place, self._place(point, corner, step)) for point in self.points]
        nearest = min(range(len(gaps)), key=gaps.__getitem__)
        self.hovered = nearest if gaps[nearest] <= reach else None

    def grab(self) -> None:
        """Drag the hovered one from now on."""
        self._history.append(dict(self.moved))
        self.dragged = self.hovered

    def drop(self) -> None:
        """Leave it where it is."""
        self.dragged = None

    def put_back(self, index: int | None) -> None:
        """Let the fit decide about ``index`` again."""
        if index is not None and index in self.moved:
            self._history.append(dict(self.moved))
            del self.moved[index]
            self._refresh()

    def undo(self) -> None:
        """Take the last change back."""
        if self._history and self.dragged is None:
            self.moved = self._history.pop()
            self._refresh()

    def _refresh(self) -> None:
        self.points = [self.moved.get(i, point) for i, point in enumerate(self._fitted)]

    def _frame(
        self, context: bpy.types.Context, region: bpy.types.Region
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where pixel (0, 0) of the photo is in the region, and how far the next ones are."""
        camera = bpy.data.objects[self._camera]
        area, scene = area_of(context), scene_of(context)
        assert area is not None
        view = view_of(area).region_3d
        assert view is not None
        width, height = camera[VIEW][4:6]
        render = scene.render
        frame_x = render.resolution_x * render.pixel_aspect_x
        frame_y = render.resolution_y * render.pixel_aspect_y
        corners = [
            location_3d_to_region_2d(region, view, camera.matrix_world @ corner)
            for corner in camera.data.view_frame(scene=scene)
        ]
        seen = [corner for corner in corners if corner is not None]
        left, right = min(c.x for c in seen), max(c.x for c in seen)
        bottom, top = min(c.y for c in seen), max(c.y for c in seen)
        # The photo stands in the middle of the frame as large as it fits, see camera.fit_to_scene.
        scale = min(frame_x / width, frame_y / height) * (right - left) / frame_x
        first = (
            (left + right) / 2 - scale * (width - 1) / 2,
            (bottom + top) / 2 + scale * (height - 1) / 2,
        )
        return first, (scale, -scale)

    @staticmethod
    def _place(point: Point, corner: Point, step: Point) -> Point:
        return corner[0] + point[0] * step[0], corner[1] + point[1] * step[1]

    def draw(self, area: bpy.types.Area) -> None:
        """Draw them; called by Blender for every 3D view."""
        import gpu
        from gpu_extras.batch import batch_for_shader

        context = bpy.context
        if context.area != area or self._camera not in bpy.data.objects:
            return
        region = next(region for region in area.regions if region.type == "WINDOW")
        corner, step = self._frame(context, region)
        places = [self._place(point, corner, step) for point in self.points]
        scale = context.preferences.system.ui_scale
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.bind()
        gpu.state.blend_set("ALPHA")
        lines = [
            place for line in LINES for pair in zip(line, line[1:], strict=False)
            for place in (places[pair[0]], places[pair[1]])
        ]  # fmt: skip
        _draw_lines(lines, region, scale)
        shader.bind()
        for index, place in enumerate(places):
            radius = _RADIUS_PX * scale * (1.6 if index == self.hovered else 1.0)
            colour = _MOVED if index in self.moved else _FITTED
            for size, fill in ((radius + 1.2 * scale, _EDGE), (radius, colour)):
                shader.uniform_float("color", _HOVERED if index == self.dragged else fill)
                batch_for_shader(shader, "TRIS", {"pos": _disc(place, size)}).draw(shader)
        gpu.state.blend_set("NONE")


def _draw_lines(places: list[tuple[float, float]], region: bpy.types.Region, scale: float) -> None:
    """Pairs of ``places`` as lines with a dark edge, wide enough to be seen on any photo."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", (region.width, region.height))
    batch = batch_for_shader(shader, "LINES", {"pos": [(x, y, 0.0) for x, y in places]})
    for width, colour in ((3.5 * scale, _EDGE), (1.8 * scale, _LINE)):
        shader.uniform_float("lineWidth", width)
        shader.uniform_float("color", colour)
        batch.draw(shader)


def _disc(centre: Point, radius: float, corners: int = 12) -> list[tuple[float, float]]:
    """Triangles of a disc: Blender's own points cannot be given a size in every version."""
    turn = [2 * math.pi * i / corners for i in range(corners + 1)]
    rim = [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in turn]
    return [point for pair in zip(rim, rim[1:], strict=False) for point in (centre, *pair)]
