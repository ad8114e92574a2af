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
    try:
        return _data_folder()
    except (RuntimeError, OSError) as error:  # OSError: a relative one, and the current is gone
        raise OutputError(
            f"There is no folder for the user's data; set {VARIABLE} to the path of one."
        ) from error


def _data_folder() -> Path:
    if own := os.environ.get(VARIABLE):
        return Path(own).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / NAME


def cache_folder() -> Path:
    """The user's folder for what can be worked out again, by the platform's custom; it need not
    exist yet.

    ``$RECONSTRUCT_FACE_CACHE`` where that is set, else ``reconstruct_face`` in ``XDG_CACHE_HOME``
    or ``~/.cache`` (Linux), ``LOCALAPPDATA`` (Windows), ``~/Library/Caches`` (macOS).  Raises
    :class:`OutputError` where the system knows no home folder.
    """
    try:
        if own := os.environ.get(CACHE_VARIABLE):
            return Path(own).expanduser().absolute()
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return (base / NAME).absolute()
    except (RuntimeError, OSError) as error:
        raise OutputError(
            f"There is no folder for the user's caches; set {CACHE_VARIABLE} to the path of one."
        ) from error
