"""A ``Motion`` as animation of a head: F-curves, the head's pose, sound, markers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.errors import FaceError
from ...backend.exchange.motion import Motion
from ...backend.exchange.names import listed, matched
from ...backend.motion.across import translated
from ...backend.motion.resample import resample
from ...backend.motion.simplify import simplify
from ..actions import value_path
from ..armature.lead import BONES, Movable, movable
from ..context import scene_of
from ..mesh import model_of
from ..shape_keys import driven_names, editable_keys
from . import bones, pose
from .curves import (
    add_curve,
    curves_holder,
    drop,
    new_action,
    remove_curves,
    set_aside,
    shape_keys_of,
)
from .sound import add_sound

#: What becomes of animation that is there.
EXISTING = ("keep", "replace", "merge")
#: The pose's tolerances where curves are simplified: metres, and of quaternions (0.1 degrees).
POSE_TOLERANCE_M, POSE_TOLERANCE = 0.0005, 0.0009
LOST, FOUND = "{} lost", "{} found"

#: Frames in Blender: beyond, F-curves lose the frame's fraction and users their way.
_LAST_FRAME = 1_048_574


@dataclass(frozen=True)
class Applied:
    """What :func:`apply_motion` did."""

    frames: tuple[float, float]  #: first and last frame
    names: tuple[str, ...]  #: shape keys that move now
    missing: tuple[str, ...]  #: names of the motion that the head does not have
    keyframes: int  #: of all curves together
    carrier: bpy.types.Object | None  #: the empty with the pose
    kept: tuple[bpy.types.Action, ...]  #: actions that were set aside
    notes: tuple[str, ...]  #: sentences for the user


def frame_rate(scene: bpy.types.Scene) -> float:
    """Frames a second of ``scene``, 29.97 and the like included."""
    return scene.render.fps / scene.render.fps_base


def apply_motion(
    head: bpy.types.Object,
    motion: Motion,
    scene: bpy.types.Scene | None = None,
    *,
    start_frame: float | None = None,
    tolerance: float = 0.0,
    existing: str = "keep",
    with_pose: bool = True,
    place: str | None = None,
    audio: str | os.PathLike[str] | None = None,
    markers: bool = True,
    extend: bool = True,
) -> Applied:
    """Animate ``head`` in ``scene`` (the current one) as ``motion`` does.

    * The motion is resampled to the scene's frame rate; its second 0 is at ``start_frame`` (the
      scene's first frame), or its first one where the times are those of a clock.
    * ``tolerance`` above 0 leaves out keyframes as long as no weight is off by more.
    * ``existing``: "keep" sets an action that is there aside in the file, "replace" removes it
      where nothing else uses it, "merge" replaces only the curves of the motion's names.
    * ``with_pose``: an empty above the head takes rotation and translation, as
      :func:`.pose.places` says for ``place`` ("camera" or "here", chosen unless given), or the
      bones of neck and head take the rotation ("bones": chosen where bones lead, unless the head's
      camera filmed it).
    * ``audio``: a sound or video file for the sequencer, beside what is there.
    * ``markers``: where the face was lost; those of an earlier motion of this head are removed.
    * ``extend``: the scene ends no earlier than the motion.

    Shape keys are matched by name, ARKit's in whatever spelling; weights are held in each one's
    range, and those that a driver of the user's moves are left alone.  Where bones lead
    (:mod:`..armature.lead`), the curves are theirs.  Where no name is the head's, a motion of
    another model's expressions, or of ARKit's on a model's own, is translated as
    :mod:`...backend.motion.across` says.  Raises :class:`FaceError` when no way is known; nothing
    has changed then.
    """
    scene = scene or scene_of(bpy.context)
    if existing not in EXISTING:
        raise FaceError(f"'{existing}' is no choice; choose of {', '.join(EXISTING)}.")
    if not tolerance >= 0:
        raise FaceError(f"{tolerance} is no tolerance; give a number from 0 on.")
    posed = with_pose and motion.rotation is not None
    motion = _in_words_of(head, motion)
    moved = movable(head)
    names, missing = _names_to_move(head, motion, posed, moved)
    start = float(scene.frame_start if start_frame is None else start_frame)
    at_rate, frames = _at_frames(motion, frame_rate(scene), start)
    notes = [str(note) for note in motion.header.get("notes", ())]
    if missing:
        notes.append(f"{head.name} has no shape key {listed(missing)}; they were left out.")
    kept: list[bpy.types.Action] = []
    where = (place or pose.default_place(motion, head)) if posed else ""
    by_bones = {n: own for n, own in names.items() if moved and own in moved.names.values()}
    by_keys = {name: own for name, own in names.items() if name not in by_bones}
    count, outside = _write_weights(head, at_rate, frames, by_keys, tolerance, existing, kept)
    turned = where == BONES
    if moved is not None and (by_bones or turned):
        count += _write_bones(moved, at_rate, frames, by_bones, turned, tolerance, existing, kept)
    if outside:
        notes.append(f"Weights beyond the range of {listed(outside)} were held at its ends.")
    carrier = None
    if posed and not turned:
        carrier, written = _write_pose(head, at_rate, frames, tolerance, existing, where, kept)
        count += written
    if markers:
        _mark(scene, head, at_rate, frames)
    if audio is not None:
        problem = add_sound(scene, audio, start)
        notes += [problem] if problem else []
    if extend:
        scene.frame_end = max(scene.frame_end, int(np.ceil(frames[-1] - 1e-6)))
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    return Applied(
        frames=(float(frames[0]), float(frames[-1])),
        names=tuple(names.values()),
        missing=missing,
        keyframes=count,
        carrier=carrier,
        kept=tuple(kept),
        notes=tuple(notes),
    )


def _in_words_of(head: bpy.types.Object, motion: Motion) -> Motion:
    """``motion`` in the head's own expressions where it is in others and a way is known."""
    keys = tuple(editable_keys(head))
    if not motion.names or matched(motion.names, keys):
        return motion
    return translated(motion, keys, model_of(head)) or motion


def _names_to_move(
    head: bpy.types.Object, motion: Motion, posed: bool, moved: Movable | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The motion's name to the head's shape key, and the names that the head does not have.

    Raises :class:`FaceError` when nothing would move.
    """
    keys, driven = editable_keys(head), driven_names(head)
    driven -= set() if moved is None else set(moved.names.values())
    found = matched(motion.names, keys)
    names = {name: own for name, own in found.items() if own not in driven}
    if not names and (motion.names or not posed):
        raise FaceError(_no_match(head, motion, keys, driven))
    return names, tuple(name for name in motion.names if name not in found)


def _at_frames(motion: Motion, rate: float, start: float) -> tuple[Motion, NDArray[np.float64]]:
    """The motion at ``rate``, and the (N,) frames of the scene that its own are."""
    at_rate = resample(motion, rate)
    # Of times since 1970, or of a day, the first one is where it starts.
    begin = at_rate.times[0] if at_rate.times[0] * rate > _LAST_FRAME else 0.0
    frames = start + (at_rate.times - begin) * rate
    # Whole where they are meant to be: the user's frame 10 is 10.0, not 10.0000003.
    frames = np.where(np.abs(frames - np.round(frames)) < 1e-3, np.round(frames), frames)
    if abs(frames[[0, -1]]).max() > _LAST_FRAME:
        raise FaceError(
            f"The motion would end at frame {frames[-1]:.0f}, beyond Blender's last; shorten it."
        )
    return at_rate, frames


def _no_match(
    head: bpy.types.Object, motion: Motion, keys: dict[str, Any], driven: set[str]
) -> str:
    if not motion.names:
        return "The motion moves no shape keys and has no head pose; choose another one."
    moved = [name for name in matched(motion.names, keys).values() if name in driven]
    if moved:
        return f"{head.name}'s {listed(moved)} are moved by drivers; remove those first."
    return (
        f"{head.name} has none of the motion's shape keys ({listed(motion.names, 3)}); its own are "
        f"{listed(list(keys), 3)}. Reconstruct the head with ARKit's expressions, or import the "
        "face model that the others belong to."
    )


def _write_weights(
    head: bpy.types.Object,
    motion: Motion,
    frames: NDArray[np.float64],
    names: dict[str, str],
    tolerance: float,
    existing: str,
    kept: list[bpy.types.Action],
) -> tuple[int, list[str]]:
    """Write the curves; the number of keyframes, and the names that were beyond their range."""
    if not names:
        return 0, []
    data, keys = shape_keys_of(head), editable_keys(head)
    paths = {name: value_path(own) for name, own in names.items()}
    _make_room(data, f"{head.name} expression", list(paths.values()), existing, kept)
    holder = curves_holder(data)
    count, outside = 0, []
    for name, path in paths.items():
        values = motion.weights[:, motion.names.index(name)].astype(np.float64)
        low, high = keys[names[name]].slider_min, keys[names[name]].slider_max
        if values.min() < low - 1e-4 or values.max() > high + 1e-4:
            outside.append(names[name])
        values = np.clip(values, low, high)
        index = simplify(frames, values, tolerance) if tolerance else slice(None)
        count += len(frames[index])
        add_curve(data, path, frames[index], values[index], holder=holder)
    return count, outside


def _write_bones(
    moved: Movable,
    motion: Motion,
    frames: NDArray[np.float64],
    names: dict[str, str],
    turned: bool,
    tolerance: float,
    existing: str,
    kept: list[bpy.types.Action],
) -> int:
    """Write the curves of bones, with ``turned`` neck's and head's too; the keyframes' number."""
    armature = moved.armature
    paths = bones.face_paths(moved, names) + (bones.turn_paths(armature) if turned else [])
    _make_room(armature, armature.name, paths, existing, kept)
    count = bones.write_face(moved, motion, frames, names, tolerance) if names else 0
    if turned:
        count += bones.write_turn(armature, bones.turns_of(motion), frames, tolerance)
    return count


def _write_pose(
    head: bpy.types.Object,
    motion: Motion,
    frames: NDArray[np.float64],
    tolerance: float,
    existing: str,
    where: str,
    kept: list[bpy.types.Action],
) -> tuple[bpy.types.Object, int]:
    carrier = pose.make_carrier(head)
    _make_room(carrier, carrier.name, ["location", "rotation_quaternion"], existing, kept)
    locations, quaternions = pose.to_channels(pose.places(motion, head, carrier, where))
    carrier.rotation_mode = "QUATERNION"
    channels = [("rotation_quaternion", quaternions, POSE_TOLERANCE)]
    if motion.translation is not None or where == "camera":
        channels.append(("location", locations, POSE_TOLERANCE_M))
    holder = curves_holder(carrier)
    count = 0
    for path, values, allowed in channels:
        for axis in range(values.shape[1]):
            one = values[:, axis]
            index = simplify(frames, one, allowed) if tolerance else slice(None)
            count += len(frames[index])
            add_curve(carrier, path, frames[index], one[index], index=axis, holder=holder)
    return carrier, count


def _make_room(
    data: bpy.types.ID, name: str, paths: list[str], existing: str, kept: list[bpy.types.Action]
) -> None:
    """See to it that ``data`` has an action without curves at ``paths``."""
    animation: Any = data.animation_data
    there = animation is not None and animation.action is not None
    if there and existing == "merge" and animation.action.library is None:
        remove_curves(data, paths)
        return
    if there and existing == "replace":
        drop(data)
    elif there:
        action = set_aside(data)
        kept += [] if action is None else [action]
    new_action(data, name)


def _mark(
    scene: bpy.types.Scene, head: bpy.types.Object, motion: Motion, frames: NDArray[np.float64]
) -> None:
    lost, found = LOST.format(head.name), FOUND.format(head.name)
    for marker in list(scene.timeline_markers):
        if marker.name in (lost, found):
            scene.timeline_markers.remove(marker)
    for first, last in motion.lost_ranges():
        scene.timeline_markers.new(lost, frame=round(frames[first]))
        if last + 1 < len(frames):
            scene.timeline_markers.new(found, frame=round(frames[last + 1]))


def audio_of(motion: Motion) -> Path | None:
    """The file with the motion's sound, if it names one that is there."""
    named = str(motion.header.get("audio") or "")
    path = Path(bpy.path.abspath(named)) if named else None
    if path is not None and not path.is_absolute():
        path = Path(str(motion.header.get("source", ""))).parent / path
    return path if path is not None and path.is_file() else None
