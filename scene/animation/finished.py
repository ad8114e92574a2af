"""Videos that were followed before: their motion is there and need not be made again.

Beside the motion lies a JSON file with what the backend told, written when all was done.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...backend.bounded import read_json
from ...backend.errors import OutputError
from ...backend.files import write_bytes


def recall(out: Path) -> dict[str, Any] | None:
    """What :func:`remember` was given for the motion ``out``; None unless all of it is there."""
    try:
        result = read_json(_note(out))
        there = all(Path(result[key]).is_file() for key in ("motion", "reconstruction"))
        return result if there else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(out: Path, result: dict[str, Any]) -> None:
    """Note the backend's ``result`` for the motion ``out``; if that fails it is done again."""
    with suppress(OutputError):
        write_bytes(_note(out), json.dumps(result).encode())


def _note(out: Path) -> Path:
    return out.with_suffix(".json")
