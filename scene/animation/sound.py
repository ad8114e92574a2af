"""Sound in the sequencer, whose names changed with Blender 4.4 (sequences became strips)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

NO_SOUND = "it has no sound"


def strips_of(scene: bpy.types.Scene) -> Any:
    """The strips of ``scene``'s sequencer, which is made if need be."""
    editor: Any = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def start_of(strip: Any) -> int:
    """The frame at which the content of ``strip`` begins; renamed with Blender 5.2."""
    return round(strip.content_start if hasattr(strip, "content_start") else strip.frame_start)


def _frames_of(strip: Any) -> int:
    return strip.content_duration if hasattr(strip, "content_duration") else strip.frame_duration


def add_sound(
    scene: bpy.types.Scene, path: str | os.PathLike[str], start_frame: float
) -> str | None:
    """Add the sound of ``path`` at ``start_frame`` on a free channel, if it is not there yet.

    A sentence when there is no sound to be had, unless from a silent video; the scene is then as it
    was.
    """
    path = Path(path)
    frame = round(start_frame)
    had_editor = scene.sequence_editor is not None
    strips = strips_of(scene)
    for strip in strips:
        if strip.type == "SOUND" and strip.sound is not None and start_of(strip) == frame:
            named = bpy.path.abspath(strip.sound.filepath, library=strip.sound.library)
            if os.path.abspath(named) == str(path.absolute()):
                return None
    used = {strip.channel for strip in strips}
    channel = next(number for number in range(1, 129) if number not in used or number == 128)
    sounds = set(bpy.data.sounds)
    strip, why = None, NO_SOUND
    try:
        strip = strips.new_sound(path.stem, str(path), channel, frame)
    except RuntimeError as error:
        why = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
    if strip is not None and _frames_of(strip) > 1:
        scene.sync_mode = "AUDIO_SYNC"
        return None
    if strip is not None:
        strips.remove(strip)
    for sound in set(bpy.data.sounds) - sounds:
        bpy.data.sounds.remove(sound)
    if not had_editor:
        scene.sequence_editor_clear()
    if why == NO_SOUND and path.suffix.lower() in bpy.path.extensions_movie:
        return None
    return f"{path.name} was not added to the sequencer: {why}."
