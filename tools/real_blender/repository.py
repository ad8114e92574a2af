"""Run by Blender itself, without a window: the extension from a repository, as users get updates.

    blender --background --python repository.py -- ADDRESS SITE NEW RESULT

ADDRESS is that of a web server on this machine which serves the folder SITE: the listing of
``tools/build_extension.py --index`` with its zip.  NEW has the same with a higher version.  The
repository is added, the extension installed from it, put to work, updated while its backend is at
it, and removed.  RESULT gets the findings as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import bpy

MODULE = "served_here"
ID = "reconstruct_face"
NAME = f"bl_ext.{MODULE}.{ID}"
PHOTO = Path(__file__).resolve().parents[2] / "assets" / "astronaut.jpg"


def main(address: str, site: Path, new: Path) -> dict[str, Any]:
    """Go through it all; what was found, the sentences of what is wrong among it."""
    found: dict[str, Any] = {"wrong": [], "blender": bpy.app.version_string}

    def check(right: bool, sentence: str) -> None:
        if not right:
            found["wrong"].append(sentence)

    extensions = bpy.context.preferences.extensions
    bpy.context.preferences.system.use_online_access = True
    extensions.repos.new(name="Served here", module=MODULE, remote_url=f"{address}/index.json")
    index = extensions.repos.find("Served here")
    repository = Path(extensions.repos[index].directory)

    bpy.ops.extensions.repo_sync(repo_index=index)
    bpy.ops.extensions.package_install(repo_index=index, pkg_id=ID, enable_on_install=True)
    check(NAME in bpy.context.preferences.addons, "installed, and enabled")
    found["installed"] = _version(repository)

    jobs = importlib.import_module(f"{NAME}.scene.jobs")
    options = importlib.import_module(f"{NAME}.backend.exchange.options").Options
    job = jobs.start_reconstruction(PHOTO, options(quality="best", texture_size=4096))
    _wait(lambda: jobs.backend_state() == "busy" or job.poll(), 120.0)
    check(jobs.backend_state() == "busy", f"the backend is at work: {jobs.backend_state()}")
    old = workers()
    check(len(old) == 1, f"in one process: {old}")

    for path in new.iterdir():
        shutil.copy(path, site)
    bpy.ops.extensions.repo_sync(repo_index=index)
    start = time.monotonic()
    bpy.ops.extensions.package_upgrade_all()
    found["update_seconds"] = round(time.monotonic() - start, 1)
    found["updated"] = _version(repository)
    check(found["updated"] != found["installed"], "the higher version is on the disk")
    check(NAME in bpy.context.preferences.addons, "the updated one is enabled")
    check(hasattr(bpy.types, "RECONSTRUCT_FACE_PT_reconstruct"), "and its panels are there")
    check(job.poll(), "the run that was going on has ended")
    _wait(lambda: not set(old) & set(workers()), 10.0)
    check(not set(old) & set(workers()), "the old version's backend has ended")

    # Blender reloads the modules.
    jobs = importlib.import_module(f"{NAME}.scene.jobs")
    blender = importlib.import_module(f"{NAME}.scene.installation.blender")
    check(blender.version() == found["updated"], "the new version's code runs")
    again = jobs.start_detection(PHOTO, site.parent / "faces")
    _wait(again.poll, 120.0)
    try:
        found["faces"] = len(again.result().boxes)
    except Exception as error:
        found["faces"] = f"{type(error).__name__}: {error}"
    check(found["faces"] == 1, f"the new version's backend finds the face: {found['faces']}")

    bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id=ID)
    check(NAME not in bpy.context.preferences.addons, "removed")
    check(not hasattr(bpy.types, "RECONSTRUCT_FACE_PT_reconstruct"), "its panels are gone")
    check(not (repository / ID).exists(), "its files are gone")
    _wait(lambda: not workers(), 10.0)
    check(not workers(), "its backend has ended")
    return found


def workers() -> list[int]:
    """Process numbers of this Blender's backends."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            after = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ours = b"worker" in words and any(word.endswith(b"__main__.py") for word in words)
        if ours and after[0] != "Z" and int(after[1]) == os.getpid():
            found.append(int(folder.name))
    return found


def _wait(condition: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def _version(repository: Path) -> str:
    manifest = repository / ID / "blender_manifest.toml"
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"]


if __name__ == "__main__":
    address, site, new, result = sys.argv[sys.argv.index("--") + 1 :]
    Path(result).write_text(json.dumps(main(address, Path(site), Path(new)), indent=1))
