"""Where what the user brought along is kept, imported face models and converted networks, and where
what can be worked out again.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .errors import OutputError

#: Names the folder itself, before all others.
VARIABLE = "RECONSTRUCT_FACE_DATA"
#: The same for what can be worked out again.
CACHE_VARIABLE = "RECONSTRUCT_FACE_CACHE"
NAME = "reconstruct_face"


def data_folder() -> Path:
    """The user's data folder, by the platform's custom; it need not exist yet.

    ``$RECONSTRUCT_FACE_DATA`` where that is set, else ``reconstruct_face`` in ``XDG_DATA_HOME`` or
    ``~/.local/share`` (Linux), ``LOCALAPPDATA`` (Windows), ``~/Library/Application Support``
    (macOS).  Raises :class:`OutputError` where the system knows no home folder.
    """
    return _folder(VARIABLE, "data", ("XDG_DATA_HOME", ".local/share"), "Application Support")


def cache_folder() -> Path:
    """The user's folder for what can be worked out again, by the platform's custom; it need not
    exist yet.

    ``$RECONSTRUCT_FACE_CACHE`` where that is set, else ``reconstruct_face`` in ``XDG_CACHE_HOME``
    or ``~/.cache`` (Linux), ``LOCALAPPDATA`` (Windows), ``~/Library/Caches`` (macOS).  Raises
    :class:`OutputError` where the system knows no home folder.
    """
    return _folder(CACHE_VARIABLE, "caches", ("XDG_CACHE_HOME", ".cache"), "Caches")


def _folder(variable: str, what: str, linux: tuple[str, str], macos: str) -> Path:
    """The folder that ``variable`` names, else that of the platform: on Linux by another variable
    or in the home folder, on macOS in the library."""
    try:
        if own := os.environ.get(variable):
            return Path(own).expanduser().absolute()
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / macos
        else:
            base = Path(os.environ.get(linux[0]) or Path.home() / linux[1])
        return base / NAME
    except (RuntimeError, OSError) as error:  # OSError: a relative one, and the current is gone
        raise OutputError(
            f"There is no folder for the user's {what}; set {variable} to the path of one."
        ) from error
