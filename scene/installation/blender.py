"""What the installation asks Blender: its preferences, its folders, whether it may go online."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .choices import ROOT, Choices, choices, choose
from .environment import python_of
from .requirements import gpu_offered

if TYPE_CHECKING:
    from .set_up import SetUp

#: The add-on's name in Blender: "bl_ext.user_default.reconstruct_face" where it was installed.
PACKAGE = __package__.removesuffix(".scene.installation")


def preferences() -> bpy.types.AddonPreferences | None:
    """The add-on's own preferences; None where it runs without being enabled, as in scripts."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon is not None else None


def backend_folder() -> Path:
    """Where the environment is made; it is not created here."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="backend"))
    except ValueError:  # not installed as an extension: a checkout
        return Path(bpy.utils.user_resource("DATAFILES", path="reconstruct_face")) / "backend"


def read_preferences() -> Choices:
    """Have what the preferences say used from now on; on Blender's main thread only."""
    wanted = preferences()
    folder, online = backend_folder(), bpy.app.online_access
    if wanted is None:
        new = Choices(folder, online=online)
    else:
        new = Choices(
            folder,
            _python_at(wanted.python),
            wanted.device,
            idle_minutes=wanted.idle_minutes,
            index=wanted.index.strip(),
            online=online,
            hardware=wanted.hardware if gpu_offered() else "processor",
        )
    if new != choices():
        choose(new)
    return new


def version() -> str:
    """The add-on's version."""
    import tomllib  # not needed to register

    return tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]


def start_set_up() -> SetUp:
    """:func:`~.set_up.start_set_up` with what the preferences say."""
    from . import set_up

    read_preferences()
    return set_up.start_set_up(version(), before_swap=release_backend)


def release_backend() -> None:
    """End the backend's process, if one runs; it is gone afterwards.

    Windows neither renames nor deletes files that a process has open.  The next job starts another.
    From any thread.
    """
    jobs = sys.modules.get(f"{PACKAGE}.scene.jobs")
    if jobs is not None:
        jobs.close()


def _python_at(path: str) -> str:
    """What the user chose as the path of a Python: the program, or its environment's folder."""
    if not path.strip():
        return ""
    path = os.path.abspath(os.path.expanduser(bpy.path.abspath(path.strip())))
    if os.path.isdir(path):
        return str(python_of(Path(path)))
    return path
