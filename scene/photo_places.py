"""Where the photos of heads lie, kept with the user's own data and not with the heads.

A head holds its photo's name only, so that no path of this machine leaves with a .blend or an
export; Fit Again finds the file by the head's key.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from ..backend.bounded import Damaged, read_json
from ..backend.errors import OutputError
from ..backend.exchange import Reconstruction
from ..backend.files import write_bytes
from ..backend.folders import data_folder

NAME = "photos.json"
#: Of the heads made last; the others' photos are packed in their .blend files.
_KEPT = 2000


def remember(key: str, reconstruction: Reconstruction) -> None:
    """Keep the place of the photo of ``reconstruction``, whose heads have ``key``.

    Nothing is kept of a photo that is known by its name alone, or where the data folder cannot be
    written to: the photo packed behind the camera then takes its place.
    """
    path = reconstruction.photo_path
    if not os.path.isabs(path) or not os.path.isfile(path):
        return
    places = _read()
    if places.get(key) == path:
        return
    places.pop(key, None)
    places[key] = path
    with suppress(OutputError, OSError):
        file = data_folder() / NAME
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = dict(list(places.items())[-_KEPT:])
        write_bytes(file, json.dumps(kept, indent=0).encode())


def place_of(key: str) -> Path | None:
    """The photo of the head that has ``key``, where its place is known and it is still there."""
    path = _read().get(key, "")
    return Path(path) if path and os.path.isfile(path) else None


def _read() -> dict[str, str]:
    try:
        found = read_json(data_folder() / NAME)
    except (OSError, Damaged, ValueError, OutputError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
