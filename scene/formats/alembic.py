"""What Blender's Alembic exporter writes into a file's description."""

from __future__ import annotations

import os
from pathlib import Path

_KEY = b"_ai_Description="


def forget_folder(path: Path, blend: str) -> None:
    """Leave of ``blend``, the open file's path, its name alone in the Alembic file ``path``.

    Spaces take the folder's place: offsets in the file stay as they are.
    """
    whole = os.fsencode(blend)
    if not whole:
        return
    name = os.path.basename(whole).ljust(len(whole))
    path.write_bytes(path.read_bytes().replace(_KEY + whole, _KEY + name))
