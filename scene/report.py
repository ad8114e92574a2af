"""The file that tells of a failure what the one sentence for the user leaves out."""

from __future__ import annotations

import json
import platform
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy

from . import jobs
from .installation.blender import version

#: As many are kept, the newest.
KEPT = 20
_PACKAGE = __package__.rpartition(".")[0]


def write_report(error: BaseException, *, doing: str, options: Mapping[str, Any]) -> Path | None:
    """Write what is known of ``error`` to a text file, and return its path.

    ``doing`` is what the user had asked for, ``options`` how.  The file holds versions, the
    sentence, the backend's last lines (``error.details``) and the traceback.  It goes to
    :func:`reports_folder`, where the last :data:`KEPT` are kept.

    Never raises: None when it cannot be written.
    """
    try:
        folder = reports_folder()
        moment = time.time()
        fraction = int(moment % 1 * 1000)
        name = time.strftime("report_%Y%m%d_%H%M%S", time.localtime(moment))
        path = folder / f"{name}_{fraction:03}.txt"
        text = "\n".join(_lines(error, doing, options)) + "\n"
        path.write_text(text, encoding="utf-8", errors="replace")
        for old in sorted(folder.glob("report_*.txt"))[:-KEPT]:
            old.unlink(missing_ok=True)
    except Exception:  # a failure is being told already: it must not be hidden by another
        traceback.print_exc()
        return None
    return path


def reports_folder() -> Path:
    """Where reports are kept: in the extension's own folder, or the system's temporary one.

    Raises OSError when it cannot be made.
    """
    try:
        return Path(bpy.utils.extension_path_user(_PACKAGE, path="reports", create=True))
    except ValueError:  # not installed as an extension
        folder = Path(tempfile.gettempdir()) / "reconstruct_face_reports"
        folder.mkdir(exist_ok=True)
        return folder


def _lines(error: BaseException, doing: str, options: Mapping[str, Any]) -> Iterator[str]:
    yield "Reconstruct Face: report of a failure"
    yield "It holds names of files; look through it before you send it to somebody."
    yield ""
    yield f"When      {time.strftime('%Y-%m-%d %H:%M:%S %z')}"
    yield f"Doing     {doing}"
    yield f"Error     {getattr(error, 'code', type(error).__name__)}: {error}"
    yield ""
    yield f"Add-on    {version()}"
    yield f"Blender   {bpy.app.version_string}, built {_text(bpy.app.build_hash)}"
    yield f"Python    {platform.python_version()}"
    yield f"System    {platform.platform()}, {platform.machine()}"
    versions = jobs.backend_versions()
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield f"Backend   {known or 'never started'}; now {jobs.backend_state()}"
    yield ""
    yield "Options"
    yield json.dumps(dict(options), indent=1, ensure_ascii=False, default=str)
    yield ""
    yield "The backend's last lines"
    yield getattr(error, "details", "") or "(none)"
    yield ""
    yield from traceback.format_exception(error)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
