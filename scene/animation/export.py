"""An animated head to files: glTF, FBX, USD, Alembic, and its motion as CSV or ``.npz``.

As in ``scene/export.py`` the head is alone in the file, without its subdivision, and a file appears
whole or not at all.  The empty that carries the head goes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import OutputError
from ...backend.exchange.formats import ANIMATED_FORMATS
from ...backend.exchange.motion import Motion
from ...backend.motion.files import KINDS, lost_in, write_motion_file
from ..actions import assign
from ..armature.lead import BONES, lead_of
from ..build import HeadScene
from ..context import scene_of
from ..export import (
    alone,
    call,
    normal_offsets,
    require_built,
    staged,
    write_usdz,
)
from ..formats import alembic, fbx, glb
from ..quiet import quiet
from ..wrinkles import as_exported
from . import pose
from .apply import apply_motion, frame_rate
from .curves import drop, shape_keys_of
from .read import read_motion

Frames = tuple[int, int]


def export_animation(
    head_scene: HeadScene,
    folder: str | Path,
    name: str,
    formats: Iterable[str],
    frames: Frames | None = None,
    *,
    notes: list[str] | None = None,
    compact: bool = False,
) -> dict[str, Path]:
    """Write the head's animation as ``folder``/``name``.* in each of ``formats``; the files.

    ``frames`` are the first and the last one, the scene's unless given.  Formats:

    * glb: morph targets with one value a frame, seconds from the first frame on.
    * fbx: shape key channels, metres (the file's UnitScaleFactor is 100 centimetres), at the
      scene's frame rate.  Blender's importers, Python's and the one in C++, put a clip one frame
      late unless their Animation Offset is set to 0, whatever wrote the file.
    * usd: ``name``.usdz, blend shapes moved by a skeleton's animation.
    * abc: Alembic, every frame's vertices; no materials.
    * csv, npz: the motion, as ``backend/motion`` describes; livelink: ``name``_livelink.csv.

    ``notes`` gets sentences about what a format cannot hold; ``compact`` is that of
    :func:`~..export.export_head`, and leaves the animation's own numbers as they are.
    Raises :class:`OutputError` with one sentence when a file cannot be written.
    """
    folder = Path(folder)
    formats = list(dict.fromkeys(formats))
    unknown = [key for key in formats if key not in WRITERS]
    if unknown:
        raise OutputError(f"There is no format '{unknown[0]}'; choose of {', '.join(WRITERS)}.")
    scene = scene_of(bpy.context)
    chosen = frames or (scene.frame_start, scene.frame_end)
    if chosen[1] < chosen[0]:
        raise OutputError(f"There are no frames from {chosen[0]} to {chosen[1]}; change the range.")
    written = {}
    writers = WRITERS | {"glb": partial(_write_glb, compact=compact)}
    for key in formats:
        suffix, write = ENDINGS[key], writers[key]
        if notes is not None and key in KINDS:
            notes += lost_in(read_motion(head_scene.head, chosen), key)
        with staged(folder) as beside, quiet():
            try:
                write(head_scene, beside / f"{name}{suffix}", chosen)
            except RuntimeError as error:  # what operators raise for their error reports
                reason = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
                raise OutputError(f"Cannot write {folder / name}{suffix}: {reason}.") from error
            if not (beside / f"{name}{suffix}").exists():
                raise OutputError(
                    f"Blender could not write {folder / name}{suffix}; is the disk full?"
                )
        written[key] = folder / f"{name}{suffix}"
    return written


def _write_motion(kind: str) -> Callable[[HeadScene, Path, Frames], None]:
    def write(head_scene: HeadScene, path: Path, frames: Frames) -> None:
        write_motion_file(path, read_motion(head_scene.head, frames), kind)

    return write


def _write_glb(head_scene: HeadScene, path: Path, frames: Frames, *, compact: bool = False) -> None:
    with _shown(head_scene, frames) as collection, as_exported(head_scene.head, specular=False):
        call(
            bpy.ops.export_scene.gltf,
            filepath=str(path),
            check_existing=False,
            collection=collection.name,
            export_format="GLB",
            export_yup=True,
            export_apply=False,
            export_morph=True,
            export_morph_normal=True,
            export_morph_animation=True,
            export_cameras=False,
            export_lights=False,
            export_extras=False,
            export_animations=True,
            # All that moves, sampled: keyframes, drivers and the NLA alike.
            export_animation_mode="SCENE",
            export_anim_scene_split_object=False,
            export_force_sampling=True,
            export_frame_range=True,
            export_frame_step=1,
            export_anim_slide_to_zero=True,
            export_optimize_animation_size=False,
        )
        seconds = (frames[1] - frames[0]) / frame_rate(scene_of(bpy.context))
    glb.mend(path, head_scene.head.name, seconds, compact=compact)


def _write_fbx(head_scene: HeadScene, path: Path, frames: Frames) -> None:
    with _shown(head_scene, frames) as collection:
        call(
            bpy.ops.export_scene.fbx,
            filepath=str(path),
            check_existing=False,
            collection=collection.name,
            object_types={"MESH", "EMPTY", "ARMATURE"},
            apply_scale_options="FBX_SCALE_UNITS",
            use_mesh_modifiers=False,  # modifiers would drop the shape keys
            add_leaf_bones=False,
            mesh_smooth_type="FACE",
            bake_anim=True,
            bake_anim_use_all_actions=False,
            bake_anim_use_nla_strips=False,
            bake_anim_step=1.0,
            bake_anim_simplify_factor=0.0,
            path_mode="COPY",
            embed_textures=True,
        )
    fbx.mend(path, head_scene.head.name, normal_offsets(head_scene.head))


def _write_usd(head_scene: HeadScene, path: Path, frames: Frames) -> None:
    require_built("USD")
    with _shown(head_scene, frames, skeleton=False) as collection:
        write_usdz(head_scene.head, path, collection=collection.name, export_animation=True)


def _write_abc(head_scene: HeadScene, path: Path, frames: Frames) -> None:
    require_built("Alembic")
    with _shown(head_scene, frames), _selected(head_scene):
        call(
            bpy.ops.wm.alembic_export,
            filepath=str(path),
            check_existing=False,
            start=frames[0],
            end=frames[1],
            selected=True,
            uvs=True,
            normals=True,
            export_custom_properties=False,
            face_sets=True,
            apply_subdiv=False,
            subdiv_schema=False,
            evaluation_mode="VIEWPORT",
            as_background_job=False,
            init_scene_frame_range=False,
        )
    alembic.forget_folder(path, bpy.data.filepath)


#: By the name of the format.
WRITERS: dict[str, Callable[[HeadScene, Path, Frames], None]] = {
    "glb": _write_glb,
    "fbx": _write_fbx,
    "usd": _write_usd,
    "abc": _write_abc,
    **{kind: _write_motion(kind) for kind in KINDS},
}
#: What a file's name ends in, by the name of the format.
ENDINGS = {name: kind.suffix for name, kind in ANIMATED_FORMATS.items()} | KINDS


@contextmanager
def _shown(
    head_scene: HeadScene, frames: Frames, *, skeleton: bool = True
) -> Iterator[bpy.types.Collection]:
    """The head, its carrier and its armature alone in a collection, the scene's range being
    ``frames``; a face that bones move is moved by shape keys."""
    scene, head = scene_of(bpy.context), head_scene.head
    was = scene.frame_start, scene.frame_end, scene.frame_current, scene.frame_subframe
    carrier = pose.carrier_of(head)
    led = read_motion(head, frames, with_pose=False) if lead_of(head) == BONES else None
    with alone(head_scene, skeleton=skeleton) as collection, _moved_by_keys(head, led, frames):
        if carrier is not None:
            collection.objects.link(carrier)
        try:
            # The end first where the range moves up, so that the start is not pushed back.
            scene.frame_end = max(frames[1], scene.frame_start)
            scene.frame_start, scene.frame_end = frames
            scene.frame_set(frames[0])
            yield collection
        finally:
            scene.frame_end = max(was[1], scene.frame_start)
            scene.frame_start, scene.frame_end = was[0], was[1]
            scene.frame_set(was[2], subframe=was[3])


@contextmanager
def _moved_by_keys(head: bpy.types.Object, motion: Motion | None, frames: Frames) -> Iterator[None]:
    """The shape keys of ``head`` with curves for ``motion``, for the while; with None nothing is
    done."""
    if motion is None:
        yield
        return
    keys = shape_keys_of(head)
    animation: Any = keys.animation_data or keys.animation_data_create()
    action = animation.action
    try:
        animation.action = None
        apply_motion(
            head, motion, start_frame=frames[0], with_pose=False, markers=False, extend=False
        )
        yield
    finally:
        drop(keys)
        if action is not None:
            assign(keys, action)


@contextmanager
def _selected(head_scene: HeadScene) -> Iterator[None]:
    """Head and carrier selected, nothing else: what Alembic's exporter goes by in 4.2."""
    layer = bpy.context.view_layer
    assert layer is not None
    was = [x for x in layer.objects if x.select_get(view_layer=layer)]
    active = layer.objects.active
    head = head_scene.head
    wanted = {head, pose.carrier_of(head)}
    try:
        for thing in layer.objects:
            thing.select_set(thing in wanted, view_layer=layer)
        yield
    finally:
        for thing in layer.objects:
            thing.select_set(thing in was, view_layer=layer)
        layer.objects.active = active
