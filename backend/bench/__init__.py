"""``python -P -m reconstruct_face.backend bench``: what reconstruction costs and what it is worth.

``bench [PHOTO]`` measures seconds and memory, ``bench accuracy`` the distance to known heads,
``bench identity`` how alike a rendering is to its photo, ``bench network`` the network's speed,
``bench models`` what an imported face model costs,
``bench animate`` how fast and how true the motion of a video is,
``bench verify`` what a verification takes and how exactly the two renderers agree;
``bench sliders`` shows heads in 15 expressions, ``bench albedo`` measures textures on known heads,
``bench detail`` the relief found in photos.
"""

from __future__ import annotations

import importlib

from .run import Report, cold_run, warm_runs

__all__ = ["Report", "cold_run", "main", "warm_runs"]

#: Each is imported only when it is asked for.
_COMMANDS = {
    "accuracy": ".accuracy",
    "albedo": ".albedo",
    "animate": ".animation",
    "detail": ".detail",
    "identity": ".identity",
    "models": ".models",
    "network": ".network",
    "sliders": ".sliders",
    "verify": ".verify",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    argv = argv or []
    module = importlib.import_module(_COMMANDS.get(argv[0], ".run") if argv else ".run", __name__)
    return module.main(argv[1:] if argv and argv[0] in _COMMANDS else argv)
