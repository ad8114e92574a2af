"""How long Blender's main thread is kept from its events, and by whom."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import bpy

EVERY = 0.01


class Stalls:
    """A timer every 10 ms; the gaps between its calls, by the phase that was going on.

    Software OpenGL takes its time on the main thread as well, so the gaps of a phase "idle" with
    the same redraws are the measure that others are compared with.  Apart from gaps, the time
    spent in the add-on's own operators, modal handlers and panels is counted by :meth:`watch`.
    """

    def __init__(self) -> None:
        self.phase = "start"
        self.gaps: dict[str, list[float]] = {}
        self.own: dict[str, dict[str, list[float]]] = {}
        self.redraw = False
        self._last: float | None = None
        bpy.app.timers.register(self._tick, persistent=True)

    def _tick(self) -> float:
        now = time.perf_counter()
        if self._last is not None:
            self.gaps.setdefault(self.phase, []).append(now - self._last)
        self._last = now
        if self.redraw:
            for window in bpy.context.window_manager.windows:
                for area in window.screen.areas:
                    if area.type == "VIEW_3D":
                        area.tag_redraw()
        return EVERY

    def enter(self, phase: str) -> None:
        """What follows belongs to ``phase``."""
        if self._last is not None:
            self.gaps.setdefault(self.phase, []).append(time.perf_counter() - self._last)
        self._last = time.perf_counter()
        self.phase = phase

    def watch(self, package: str) -> None:
        """Count the time that operators, modal handlers and draw calls of ``package`` take."""
        for module_name, module in list(sys.modules.items()):
            if not module_name.startswith(package):
                continue
            for kind in list(vars(module).values()):
                if isinstance(kind, type) and kind.__module__ == module_name:
                    for name in ("execute", "invoke", "modal", "draw"):
                        if callable(vars(kind).get(name)):
                            label = f"{kind.__name__}.{name}"
                            setattr(kind, name, self._timed(label, vars(kind)[name]))

    def _timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                seconds = time.perf_counter() - start
                self.own.setdefault(self.phase, {}).setdefault(label, []).append(seconds)

        # Blender gives a function as many arguments as it says it takes.
        if function.__code__.co_argcount == 2:
            return lambda this, context: timed(this, context)
        return lambda this, context, event: timed(this, context, event)

    def summary(self) -> dict[str, Any]:
        """Milliseconds, by phase."""
        gaps = {}
        for phase, seconds in self.gaps.items():
            ordered = sorted(seconds, reverse=True)
            gaps[phase] = {
                "longest_ms": [round(1e3 * x) for x in ordered[:5]],
                "median_ms": round(1e3 * ordered[len(ordered) // 2], 1),
                "over_50_ms": sum(x > 0.05 for x in ordered),
                "ticks": len(ordered),
            }
        own = {
            phase: {
                label: {"longest_ms": round(1e3 * max(times), 1), "calls": len(times)}
                for label, times in sorted(calls.items(), key=lambda item: -max(item[1]))[:8]
            }
            for phase, calls in self.own.items()
        }
        return {"main_thread_gaps": gaps, "in_the_add_on": own}
