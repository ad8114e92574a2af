"""Videos that are open in Blender, as paths for the backend, and where their motions are kept."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import PhotoError
from ...backend.exchange.clips import frame_files, mark_of
from ..installation.blender import version
from .sound import start_of

_PACKAGE = __package__.rpartition(".scene")[0] if __package__ else ""


@dataclass(frozen=True)
class Source:
    """A video, and where in the scene it begins."""

    path: Path  #: a video file, or a folder of frames
    start_frame: int | None  #: None where nothing says


def open_videos(scene: bpy.types.Scene) -> dict[str, str]:
    """Key to label of the movie clips and of ``scene``'s movie and image strips."""
    found = {f"clip:{clip.name}": clip.name for clip in bpy.data.movieclips}
    for strip in _strips(scene):
        found[f"strip:{strip.name}"] = strip.name
    return found


def source_of(key: str, scene: bpy.types.Scene) -> Source:
    """The video behind a key of :func:`open_videos`.

    Raises :class:`PhotoError` when it is gone, or its file is.
    """
    kind, _, name = key.partition(":")
    if kind == "clip":
        clip = bpy.data.movieclips.get(name)
        if clip is None:
            raise PhotoError(f"The movie clip {name} is not there any more; choose another one.")
        path = Path(bpy.path.abspath(clip.filepath, library=clip.library))
        path = path.parent if clip.source == "SEQUENCE" else path
        start: int | None = clip.frame_start
    else:
        strip = next((x for x in _strips(scene) if x.name == name), None)
        if strip is None:
            raise PhotoError(f"The strip {name} is not there any more; choose another one.")
        named = strip.directory if strip.type == "IMAGE" else strip.filepath
        path = Path(bpy.path.abspath(named))
        start = start_of(strip)
    if not path.exists():
        raise PhotoError(f"The video {path} is not there; find it again in Blender.")
    return Source(path, start)


def motion_path(video: str | os.PathLike[str], frame_rate: float | None = None) -> Path:
    """Where the motion of ``video`` goes: the same place for the same file or frames, as they are.

    So a run that was stopped is gone on with, also after Blender was closed, and one that is
    finished is not done again by the same version of the add-on.  Raises :class:`PhotoError`.
    """
    path = Path(video).absolute()
    try:
        changes = mark_of(frame_files(path) if path.is_dir() else [path])
    except OSError as error:
        raise PhotoError(f"There is no video {path}; choose another one.") from error
    mark = f"{path}|{changes}|{frame_rate}|{version()}"
    name = f"{path.stem or 'video'}_{hashlib.sha256(mark.encode()).hexdigest()[:12]}.npz"
    return _folder() / name


def _folder() -> Path:
    try:
        return Path(bpy.utils.extension_path_user(_PACKAGE, path="motions", create=True))
    except ValueError:  # not installed as an extension
        folder = Path(bpy.utils.user_resource("DATAFILES", path="reconstruct_face")) / "motions"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _strips(scene: bpy.types.Scene) -> list[Any]:
    editor: Any = scene.sequence_editor
    if editor is None:
        return []
    every = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    return [strip for strip in every if strip.type in ("MOVIE", "IMAGE")]
