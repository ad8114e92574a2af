"""Writing results so that a half-written one is never seen: beside first, then renamed."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files import reason, write_bytes
from .claims import sweep

#: A head in every format, its texture several times over, and the work in between.
NEEDED_BYTES = 150_000_000


def prepare_output(folder: str | os.PathLike[str], needed: int = NEEDED_BYTES) -> Path:
    """Make ``folder`` if need be, try writing to it, and return it absolute.

    What a process that was killed has left there is removed.
    Raises :class:`OutputError` when it is no folder, cannot be written to, or the disk is full.
    """
    path = Path(folder)
    try:
        path = Path(os.path.abspath(folder))  # an OSError where the current folder was deleted
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"\0" * 4096)
            file.flush()
        free = shutil.disk_usage(path).free
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"{error.filename or path} is a file, not a folder; name another output folder."
        ) from error
    except (OSError, ValueError) as error:
        raise OutputError(
            f"The output folder {path} cannot be written to ({reason(error)}); name another one."
        ) from error
    if free < needed:
        raise OutputError(
            f"The disk of {path} has {free // 1_000_000} MB free where a head may need "
            f"{needed // 1_000_000} MB; make room or name another output folder."
        )
    sweep(path)
    return path


@contextmanager
def staging(folder: Path, name: str) -> Iterator[Path]:
    """A hidden folder inside ``folder`` for the files of ``name``, gone afterwards."""
    try:
        path = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".part", dir=folder))
    except OSError as error:
        raise OutputError(f"Cannot write into {folder}: {reason(error)}.") from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write ``document`` to ``path``, readable by people."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    # Paths that are no UTF-8 stand there as os.fsdecode has them, which only an escape can say.
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    write_bytes(path, text.encode())


def publish(staged: Path, folder: Path, only: Collection[str] | None = None) -> list[str]:
    """Move every file of ``staged`` into ``folder``; the ``.json`` last, as the sign of the end.

    Those named ``only``, if given.  Returns their names.
    """
    found = list(staged.iterdir()) if only is None else [staged / name for name in only]
    files = sorted(found, key=lambda path: (path.suffix == ".json", path.name))
    for file in files:
        try:
            os.replace(file, folder / file.name)
        except OSError as error:
            raise OutputError(f"Cannot write {folder / file.name}: {reason(error)}.") from error
    return [file.name for file in files]
