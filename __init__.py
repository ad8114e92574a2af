"""Reconstruct Face: one photo to a textured, animatable 3D head.

The root of the project is the Blender extension.  Importing it imports nothing else, so that the
backend's processes, which have no ``bpy``, can import ``reconstruct_face.backend``.

In Blender, ``from reconstruct_face import reconstruct`` gives :func:`.scene.api.reconstruct`, and
``reconstruct_person`` is there likewise.
"""

import atexit
from typing import Any


def register() -> None:
    """Add the operators, the sidebar and the command ``reconstruct_face`` to Blender."""
    import bpy

    from . import operators, panels
    from .scene.command import add_command

    operators.register()
    panels.register()
    add_command()
    # Where the module's Python ends with classes left, it hangs or crashes (4.5.15); Blender before
    # 4.5 has no such attribute.
    if getattr(bpy.app, "module", False):
        atexit.register(unregister)


def unregister() -> None:
    """Remove what :func:`register` added, and end the backend's process."""
    from . import operators, panels
    from .scene.command import remove_command

    atexit.unregister(unregister)
    remove_command()
    panels.unregister()
    operators.unregister()


def __getattr__(name: str) -> Any:
    """``reconstruct`` and ``reconstruct_person``, imported when asked for: they need ``bpy``."""
    if name in ("reconstruct", "reconstruct_person"):
        from .scene import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
