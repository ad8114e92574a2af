"""Run by Blender itself: one scenario of ``scenarios.py``, step by step between redraws.

    blender --python drive.py -- SCENARIO PROJECT OUT

A scenario is a generator: it yields the seconds until its next step, so that Blender's main loop
runs, draws and handles real mouse events in between.  Its findings go to ``OUT/result.json``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import scenarios  # noqa: E402
import scenarios_live  # noqa: E402
import scenarios_person  # noqa: E402
import scenarios_production  # noqa: E402
import scenarios_rig  # noqa: E402
import scenarios_view  # noqa: E402
from user import User  # noqa: E402


def main() -> None:
    """Start the scenario named on the command line once the window is up."""
    name, project, out = sys.argv[sys.argv.index("--") + 1 :]
    bpy.context.preferences.view.show_splash = False
    bpy.context.preferences.system.viewport_aa = "OFF"  # software OpenGL is slow enough
    user = User(Path(project), Path(out))
    steps = whole(name, user)

    def step() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            return None

    bpy.app.timers.register(step, first_interval=2.0, persistent=True)


def whole(name: str, user: User) -> Iterator[float]:
    """The scenario with what comes before and after it; Blender ends with it."""
    try:
        yield from user.open_sidebar()
        places = (
            scenarios,
            scenarios_view,
            scenarios_person,
            scenarios_live,
            scenarios_rig,
            scenarios_production,
        )
        where = next(place for place in places if hasattr(place, name))
        yield from getattr(where, name)(user)
    except Exception as error:
        traceback.print_exc()
        user.wrong.append(f"{type(error).__name__}: {error}")
        yield from user.screenshot("at the error")
    write(user)
    if name == "crashed":
        os.kill(os.getpid(), 9)
    bpy.ops.wm.quit_blender()  # nothing is asked when nothing is saved


def write(user: User) -> None:
    """The findings as JSON, for ``inside.py``."""
    (user.out / "result.json").write_text(
        json.dumps({"wrong": user.wrong} | user.found | user.stalls.summary(), indent=1)
    )


main()
