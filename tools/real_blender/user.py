"""A user of Blender's window: sees the screen, finds buttons, clicks and drags with a mouse."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from stalls import Stalls

PACKAGE = "bl_ext.user_default.reconstruct_face"
TAB = "Face"
KINDS = (
    "objects",
    "meshes",
    "materials",
    "images",
    "collections",
    "cameras",
    "lights",
    "shape_keys",
)


class User:
    """Steps are generators that yield the seconds to wait; findings go into ``found``."""

    def __init__(self, project: Path, out: Path) -> None:
        self.project = project
        self.out = out
        self.found: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.shots = 0
        self.stalls = Stalls()
        self.stalls.watch(PACKAGE)

    # -- what the user sees

    def check(self, right: bool, sentence: str) -> None:
        """Note what is wrong unless ``right``."""
        if not right:
            print("WRONG:", sentence, flush=True)
            self.wrong.append(sentence)

    def screenshot(self, name: str) -> Iterator[float]:
        """The whole screen as ``out/NN NAME.png``; Blender goes on meanwhile."""
        self.shots += 1
        path = self.out / f"{self.shots:02} {name}.png"
        process = subprocess.Popen(["import", "-window", "root", str(path)])
        while process.poll() is None:
            yield 0.1

    def reports(self) -> list[str]:
        """What operators have reported so far, from Blender's info log."""
        area = next(a for a in self.window.screen.areas if a.type == "INFO")
        region = next(r for r in area.regions if r.type == "WINDOW")
        manager = bpy.context.window_manager
        manager.clipboard = ""
        with bpy.context.temp_override(window=self.window, area=area, region=region):
            bpy.ops.info.select_all(action="SELECT")
            bpy.ops.info.report_copy()
            bpy.ops.info.select_all(action="DESELECT")
        lines = manager.clipboard.splitlines()
        return [line for line in lines if line and not line.startswith(("bpy.", "Deleted"))]

    def scene(self) -> dict[str, list[str]]:
        """Names of all data in the file."""
        return {kind: sorted(x.name for x in getattr(bpy.data, kind)) for kind in KINDS}

    def heads(self) -> list[bpy.types.Object]:
        """Objects with a blink: our heads, by what animators would look for."""
        return [
            x
            for x in bpy.data.objects
            if x.type == "MESH" and x.users_collection and x.data.shape_keys
            and "eyeBlinkLeft" in x.data.shape_keys.key_blocks
        ]  # fmt: skip

    # -- windows

    @property
    def window(self) -> bpy.types.Window:
        """The only window."""
        return bpy.context.window_manager.windows[0]

    @property
    def view(self) -> bpy.types.Area:
        """The 3D view."""
        return next(a for a in self.window.screen.areas if a.type == "VIEW_3D")

    @property
    def sidebar(self) -> bpy.types.Region:
        """The 3D view's sidebar."""
        return next(r for r in self.view.regions if r.type == "UI")

    def open_sidebar(self) -> Iterator[float]:
        """Show the tab, wide enough, and the info log where the timeline was."""
        bottom = min(self.window.screen.areas, key=lambda a: (a.y, -a.width))
        if bottom.type != "VIEW_3D":
            bottom.ui_type = "INFO"
        self.view.spaces.active.show_region_ui = True
        yield 1.0
        self.sidebar.active_panel_category = TAB
        yield 1.0
        self.check(self.sidebar.active_panel_category == TAB, "the sidebar has no tab 'Face'")

    # -- mouse

    def mouse(self, *arguments: object) -> Iterator[float]:
        """One call of xdotool."""
        process = subprocess.Popen(["xdotool", *map(str, arguments)])
        while process.poll() is None:
            yield 0.02
        yield 0.05

    def move(self, x: float, y: float) -> Iterator[float]:
        """Move to a place in window coordinates (y up)."""
        yield from self.mouse("mousemove", round(x), round(self.window.height - 1 - y))

    def under_mouse(self) -> str:
        """What the sidebar's button under the mouse does: Python of its operator or property."""
        manager = bpy.context.window_manager
        with bpy.context.temp_override(window=self.window, area=self.view, region=self.sidebar):
            if bpy.ops.ui.copy_python_command_button.poll():  # pyright: ignore[reportCallIssue]
                manager.clipboard = ""
                bpy.ops.ui.copy_python_command_button()
                if manager.clipboard:
                    return manager.clipboard
            if bpy.ops.ui.copy_data_path_button.poll():  # pyright: ignore[reportCallIssue]
                manager.clipboard = ""
                bpy.ops.ui.copy_data_path_button(full_path=True)
                return manager.clipboard
        return ""

    def layout(self, across: float = 0.55, step: int = 9) -> Iterator[float]:
        """Walk the mouse down the sidebar: ``found["layout"]`` is (y, what is there)."""
        region = self.sidebar
        seen: list[tuple[int, str]] = []
        for y in range(region.y + region.height - 12, region.y + 4, -step):
            yield from self.move(region.x + across * region.width, y)
            what = self.under_mouse()
            if what and (not seen or seen[-1][1] != what):
                seen.append((y, what))
        self.found["layout"] = seen

    def find(self, *words: str, across: tuple[float, ...] = (0.5, 0.8, 0.2)) -> Iterator[float]:
        """Put the mouse on the button whose Python holds one of ``words``: ``self.at``, or None."""
        self.at: tuple[float, float] | None = None
        region = self.sidebar
        for fraction in across:
            x = region.x + fraction * region.width
            for y in range(region.y + region.height - 12, region.y + 4, -9):
                yield from self.move(x, y)
                if any(word in self.under_mouse() for word in words):
                    yield from self.move(x, y - 4)
                    self.at = (x, y - 4)
                    return

    def scroll(self, clicks: int) -> Iterator[float]:
        """Turn the wheel over the sidebar; positive shows what is further down."""
        region = self.sidebar
        yield from self.move(region.x + 0.5 * region.width, region.y + 0.5 * region.height)
        for _ in range(abs(clicks)):
            yield from self.mouse("click", 5 if clicks > 0 else 4)
        yield 0.5

    def click(self, *words: str) -> Iterator[float]:
        """Click the button whose Python holds one of ``words``."""
        yield from self.find(*words)
        if self.at is None:
            raise LookupError(f"the sidebar shows no button for {' or '.join(words)}")
        yield from self.mouse("click", 1)

    def drag(self, right: float) -> Iterator[float]:
        """Drag from where the mouse is, ``right`` pixels to the right."""
        yield from self.mouse("mousedown", 1)
        for _ in range(8):
            yield from self.mouse("mousemove_relative", "--", round(right / 8), 0)
        yield from self.mouse("mouseup", 1)

    def wait_until(self, condition: Any, limit: float, what: str) -> Iterator[float]:
        """Wait for ``condition()``; after ``limit`` seconds it is noted as wrong."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start > limit:
                self.check(False, f"{what}: not after {limit:.0f} s")
                return
            yield 0.05
