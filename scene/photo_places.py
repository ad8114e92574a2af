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
#: Photos of the heads made last; the others' photos are packed in their .blend files.
_KEPT = 2000


def remember(key: str, reconstruction: Reconstruction) -> None:
    """Keep the places of the photos of ``reconstruction``, whose heads have ``key``.

    Nothing is kept of a photo that is known by its name alone, or where the data folder cannot be
    written to: the photo packed behind the camera then takes its place.
    """
    paths = [reconstruction.photo_path, *(view.photo_path for view in reconstruction.views)]
    new = {
        _key(key, number): path
        for number, path in enumerate(paths)
        if os.path.isabs(path) and os.path.isfile(path)
    }
    places = _read()
    if all(places.get(known) == path for known, path in new.items()):
        return
    for known in new:
        places.pop(known, None)
    places |= new
    with suppress(OutputError, OSError):
        file = data_folder() / NAME
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = dict(list(places.items())[-_KEPT:])
        write_bytes(file, json.dumps(kept, indent=0).encode())


def place_of(key: str, number: int = 0) -> Path | None:
    """Photo ``number`` of the head that has ``key``, where its place is known and it is still
    there."""
    path = _read().get(_key(key, number), "")
    return Path(path) if path and os.path.isfile(path) else None


def _key(key: str, number: int) -> str:
    return key if number == 0 else f"{key}_{number + 1}"


def _read() -> dict[str, str]:
    try:
        found = read_json(data_folder() / NAME)
    except (OSError, Damaged, ValueError, OutputError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
