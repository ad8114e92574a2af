"""Motion in and out, and the animator's tools: thin shells around ``scene/animation``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy_extras.io_utils import ExportHelper

from ..backend.errors import ExchangeError, FaceError, OutputError
from ..backend.exchange.formats import ANIMATED_FORMATS, COMPACT_LABEL, COMPACT_TIP
from ..scene.context import head_of, scene_of
from . import strings
from . import strings_animation as texts
from .choosing import ChoosesFile
from .expression import ChangesExpression

if TYPE_CHECKING:
    from ..backend.exchange.motion import Motion

ANIMATION_FORMATS = tuple(
    (name, kind.label, kind.animated) for name, kind in ANIMATED_FORMATS.items()
)
#: Groups of shape keys, as an enumeration.
GROUP_ITEMS = tuple((key, name, "") for key, name in strings.GROUP_NAMES.items())


def _frame_rate() -> Any:
    return FloatProperty(
        name=texts.RATE, description=texts.RATE_TIP, default=0.0, min=0.0, max=1000.0
    )


class AnimationSettings(bpy.types.PropertyGroup):
    """How motion is put in; with the scene, because that is what undo knows."""

    video: StringProperty(name=texts.VIDEO, description=texts.VIDEO_TIP, subtype="FILE_PATH")
    target: EnumProperty(name=texts.TARGET, description=texts.TARGET_TIP, items=texts.TARGET_ITEMS)
    start_frame: IntProperty(name=texts.START_FRAME, description=texts.START_FRAME_TIP, default=1)
    tolerance: FloatProperty(
        name=texts.TOLERANCE,
        description=texts.TOLERANCE_TIP,
        default=0.01,
        min=0.0,
        max=0.5,
        step=1,
        precision=3,
    )
    existing: EnumProperty(
        name=texts.EXISTING, description=texts.EXISTING_TIP, items=texts.EXISTING_ITEMS
    )
    with_pose: BoolProperty(name=texts.WITH_POSE, description=texts.WITH_POSE_TIP, default=True)
    with_sound: BoolProperty(name=texts.WITH_SOUND, description=texts.WITH_SOUND_TIP, default=True)
    groups: EnumProperty(
        name=texts.KEYED_GROUPS,
        description=texts.KEY_GROUP_TIP,
        items=GROUP_ITEMS,
        options={"ENUM_FLAG"},
        default={"mouth", "jaw"},
    )


def put_motion(
    operator: bpy.types.Operator,
    scene: bpy.types.Scene,
    head: bpy.types.Object,
    motion: Motion,
    *,
    start_frame: float | None = None,
) -> None:
    """Animate ``head`` in ``scene``, with its settings, and tell what there is to tell.

    Raises :class:`FaceError`.
    """
    from ..scene.animation.apply import apply_motion, audio_of

    settings = scene.reconstruct_face_animation
    done = apply_motion(
        head,
        motion,
        scene,
        start_frame=settings.start_frame if start_frame is None else start_frame,
        tolerance=settings.tolerance,
        existing=settings.existing,
        with_pose=settings.with_pose,
        audio=audio_of(motion) if settings.with_sound else None,
    )
    operator.report({"INFO"}, texts.animated(head.name, len(done.names), *done.frames))
    if done.kept:
        operator.report({"INFO"}, texts.set_aside([action.name for action in done.kept]))
    for note in done.notes:
        operator.report({"WARNING"}, note)


class RECONSTRUCT_FACE_OT_import_motion(ChangesExpression, ChoosesFile, bpy.types.Operator):
    """A motion file for the active head."""

    bl_idname = "reconstruct_face.import_motion"
    bl_label = texts.IMPORT_MOTION
    bl_description = texts.IMPORT_MOTION_TIP
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: StringProperty(
        default="*.csv;*.npz;*.tsv;*.json;*.dat;*.txt;*.lab", options={"HIDDEN"}
    )
    filepath: StringProperty(name=texts.MOTION_FILE, subtype="FILE_PATH", options={"SKIP_SAVE"})
    frame_rate: _frame_rate()
    angles: EnumProperty(name=texts.ANGLES, description=texts.ANGLES_TIP, items=texts.ANGLE_ITEMS)
    swap_yaw_pitch: BoolProperty(
        name=texts.SWAP_ANGLES, description=texts.SWAP_ANGLES_TIP, default=False
    )

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Read it and put it in."""
        from ..backend.motion.files import SPOKEN, read_motion_file
        from ..scene.animation.apply import frame_rate

        if not self.filepath or Path(bpy.path.abspath(self.filepath)).is_dir():
            raise ExchangeError(texts.CHOOSE_MOTION)
        path = Path(bpy.path.abspath(self.filepath))
        rate = self.frame_rate or None
        if path.suffix.lower() in SPOKEN:  # made at any rate: best at that of the keyframes
            rate = rate or frame_rate(scene_of(context))
        motion = read_motion_file(
            path, frame_rate=rate, angles=self.angles, swap_yaw_pitch=self.swap_yaw_pitch
        )
        put_motion(self, scene_of(context), head, motion)

    def draw(self, context: bpy.types.Context) -> None:
        """The file's options, then how it is put in."""
        settings = scene_of(context).reconstruct_face_animation
        column = self.layout.column()
        column.prop(self, "frame_rate")
        column.prop(self, "angles")
        column.prop(self, "swap_yaw_pitch")
        draw_settings(self.layout.column(), settings)


def draw_settings(layout: bpy.types.UILayout, settings: Any) -> None:
    """How motion is put in."""
    for name in ("start_frame", "tolerance", "existing"):
        layout.prop(settings, name)
    row = layout.row(align=True)
    row.prop(settings, "with_pose", toggle=True)
    row.prop(settings, "with_sound", toggle=True)


class RECONSTRUCT_FACE_OT_export_motion(ChangesExpression, bpy.types.Operator, ExportHelper):
    """How the active head moves, to a file."""

    bl_idname = "reconstruct_face.export_motion"
    bl_label = texts.EXPORT_MOTION
    bl_description = texts.EXPORT_MOTION_TIP

    filename_ext = ".csv"
    filter_glob: StringProperty(default="*.csv;*.npz", options={"HIDDEN"})
    kind: EnumProperty(
        name=texts.MOTION_KIND,
        description=texts.EXPORT_MOTION_TIP,
        items=texts.MOTION_KIND_ITEMS,
    )
    angles: EnumProperty(name=texts.ANGLES, description=texts.ANGLES_TIP, items=texts.ANGLE_ITEMS)

    def check(self, context: bpy.types.Context) -> bool:
        """Keep the ending that of the kind."""
        wanted = Path(self.filepath).with_suffix(".npz" if self.kind == "npz" else ".csv")
        changed = str(wanted) != self.filepath
        self.filepath = str(wanted)
        return changed

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Read the curves and write them."""
        from ..backend.motion.files import lost_in, write_motion_file
        from ..scene.animation.read import read_motion

        if not self.filepath:
            raise OutputError(texts.CHOOSE_MOTION)
        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() not in (".csv", ".npz"):
            path = path.with_suffix(".npz" if self.kind == "npz" else ".csv")
        kind = "npz" if path.suffix.lower() == ".npz" else self.kind
        kind = "csv" if kind == "npz" and path.suffix.lower() == ".csv" else kind
        motion = read_motion(head)
        written = write_motion_file(path, motion, kind, angles=self.angles)
        self.report({"INFO"}, strings.exported([written.name], str(written.parent)))
        for sentence in lost_in(motion, kind):
            self.report({"WARNING"}, sentence)


class RECONSTRUCT_FACE_OT_export_animation(ChangesExpression, bpy.types.Operator):
    """The animated head, to files."""

    bl_idname = "reconstruct_face.export_animation"
    bl_label = texts.EXPORT_ANIMATION
    bl_description = texts.EXPORT_ANIMATION_TIP

    filepath: StringProperty(
        name=strings.EXPORT_NAME,
        description=strings.EXPORT_PATH_TIP,
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    formats: EnumProperty(
        name=strings.EXPORT_FORMATS,
        description=strings.EXPORT_FORMATS_TIP,
        items=ANIMATION_FORMATS,
        options={"ENUM_FLAG"},
        default={"glb"},
    )
    compact: BoolProperty(name=COMPACT_LABEL, description=COMPACT_TIP)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask which formats, and where."""
        if not self.filepath:
            settings = scene_of(context).reconstruct_face_export
            name = settings.name.strip() or bpy.path.clean_name(head_of(context).name)
            self.filepath = str(Path(bpy.path.abspath(settings.folder or "//")) / name)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Write the files."""
        from ..scene.animation.export import export_animation
        from ..scene.build import head_scene_of
        from .export import target_of

        settings = scene_of(context).reconstruct_face_export
        folder, name = target_of(self.filepath, settings, head)
        chosen = [key for key, *_ in ANIMATION_FORMATS if key in self.formats]
        if not chosen:
            raise OutputError(strings.NO_FORMAT)
        if head.mode != "OBJECT":
            raise FaceError(f"{strings.LEAVE_MODE}.")
        notes: list[str] = []
        written = export_animation(
            head_scene_of(head), folder, name, chosen, notes=notes, compact=self.compact
        )
        self.report({"INFO"}, strings.exported([x.name for x in written.values()], str(folder)))
        for sentence in notes:
            self.report({"WARNING"}, sentence)


class RECONSTRUCT_FACE_OT_key_group(ChangesExpression, bpy.types.Operator):
    """Keyframes for the chosen groups."""

    bl_idname = "reconstruct_face.key_group"
    bl_label = texts.KEY_GROUP
    bl_description = texts.KEY_GROUP_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Key them."""
        from ..scene.animation.hand import key_groups

        scene = scene_of(context)
        frame = scene.frame_current
        count = key_groups(head, scene.reconstruct_face_animation.groups, frame)
        self.report({"INFO"}, texts.keyed_group(count, frame))


#: Blender keeps no reference to an enumeration's texts: they must live on here.
_expressions: list[tuple[str, str, str]] = []


def _expression_items(_self: object, _context: object) -> list[tuple[str, str, str]]:
    from ..scene.animation.presets import EMOTIONS, VISEMES
    from ..scene.pose_asset import saved_expressions

    saved = [action.name for action in saved_expressions()]
    names = dict.fromkeys([*saved, *EMOTIONS, *VISEMES])
    _expressions[:] = [(name, name, "") for name in names]
    return _expressions


class RECONSTRUCT_FACE_OT_blend_and_hold(ChangesExpression, bpy.types.Operator):
    """An expression that comes, stays and goes."""

    bl_idname = "reconstruct_face.blend_and_hold"
    bl_label = texts.BLEND_HOLD
    bl_description = texts.BLEND_HOLD_TIP
    bl_options = {"REGISTER", "UNDO"}

    expression: EnumProperty(name=texts.EXPRESSION, items=_expression_items)
    blend: IntProperty(
        name=texts.BLEND_FRAMES, description=texts.BLEND_FRAMES_TIP, default=6, min=0
    )
    hold: IntProperty(name=texts.HOLD_FRAMES, description=texts.HOLD_FRAMES_TIP, default=12, min=0)
    strength: FloatProperty(
        name=strings.STRENGTH,
        description=texts.BLEND_STRENGTH_TIP,
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask which."""
        return context.window_manager.invoke_props_dialog(self)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Key it."""
        from ..scene.animation.hand import blend_and_hold
        from ..scene.animation.presets import preset_values
        from ..scene.expression import values_of
        from ..scene.pose_asset import expression_in

        action = bpy.data.actions.get(self.expression)
        values = expression_in(action) if action is not None and action.asset_data else {}
        if not values:
            preset = preset_values(self.expression)
            values = {name: preset.get(name, 0.0) for name in values_of(head)}
        blend_and_hold(
            head,
            values,
            scene_of(context).frame_current,
            blend=self.blend,
            hold=self.hold,
            strength=self.strength,
        )


class RECONSTRUCT_FACE_OT_mirror_animation(ChangesExpression, bpy.types.Operator):
    """Left and right swapped, over all frames."""

    bl_idname = "reconstruct_face.mirror_animation"
    bl_label = texts.MIRROR_ANIMATION
    bl_description = texts.MIRROR_ANIMATION_TIP
    bl_options = {"REGISTER", "UNDO"}

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Swap them."""
        from ..scene.animation.hand import mirror_animation

        self.report({"INFO"}, texts.moved_curves(mirror_animation(head)))


class RECONSTRUCT_FACE_OT_symmetrise_animation(ChangesExpression, bpy.types.Operator):
    """One side's curves for the other side."""

    bl_idname = "reconstruct_face.symmetrise_animation"
    bl_label = texts.SYMMETRISE
    bl_description = texts.SYMMETRISE_TIP
    bl_options = {"REGISTER", "UNDO"}

    side: EnumProperty(name=texts.SIDE, items=texts.SIDE_ITEMS)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Copy them."""
        from ..scene.animation.hand import symmetrise_animation

        self.report({"INFO"}, texts.moved_curves(symmetrise_animation(head, self.side)))


class RECONSTRUCT_FACE_OT_retarget(ChangesExpression, bpy.types.Operator):
    """The animation of another head."""

    bl_idname = "reconstruct_face.retarget"
    bl_label = texts.RETARGET
    bl_description = texts.RETARGET_TIP
    bl_options = {"REGISTER", "UNDO"}

    source: StringProperty(name=strings.SOURCE, description=texts.RETARGET_TIP)
    fit: EnumProperty(name=texts.FIT, description=texts.FIT_TIP, items=texts.FIT_ITEMS)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Copy it."""
        from ..scene.animation.retarget import retarget
        from ..scene.mesh import is_head

        source = bpy.data.objects.get(self.source)
        if not is_head(source):
            raise FaceError(strings.no_such_head(self.source))
        existing = scene_of(context).reconstruct_face_animation.existing
        count, missing = retarget(
            source, head, fit=self.fit, existing="replace" if existing == "replace" else "keep"
        )
        self.report({"INFO"}, texts.retargeted(count, list(missing)))


class RECONSTRUCT_FACE_MT_retarget(bpy.types.Menu):
    """The other heads of the file."""

    bl_idname = "RECONSTRUCT_FACE_MT_retarget"
    bl_label = texts.RETARGET
    bl_description = texts.RETARGET_TIP

    def draw(self, context: bpy.types.Context) -> None:
        """One entry a head."""
        from ..scene.current import current_head
        from ..scene.mesh import is_head

        own = current_head(context)
        others = [x for x in bpy.data.objects if is_head(x) and x != own]
        for head in others:
            entry = self.layout.operator(
                RECONSTRUCT_FACE_OT_retarget.bl_idname, text=head.name, icon="USER"
            )
            entry.source = head.name
        if not others:
            self.layout.label(text=strings.NO_OTHER_HEAD)


class RECONSTRUCT_FACE_OT_add_presets(ChangesExpression, bpy.types.Operator):
    """The basic expressions as assets."""

    bl_idname = "reconstruct_face.add_presets"
    bl_label = texts.ADD_PRESETS
    bl_description = texts.ADD_PRESETS_TIP
    bl_options = {"REGISTER", "UNDO"}

    speech: BoolProperty(name=texts.SPEECH, description=texts.SPEECH_TIP, default=False)

    def change(self, context: bpy.types.Context, head: bpy.types.Object) -> None:
        """Add those that are not there."""
        from ..scene.animation.presets import add_presets

        made = add_presets(head, speech=self.speech)
        self.report({"INFO"}, texts.added_presets(len(made)))


CLASSES = (
    AnimationSettings,
    RECONSTRUCT_FACE_OT_import_motion,
    RECONSTRUCT_FACE_OT_export_motion,
    RECONSTRUCT_FACE_OT_export_animation,
    RECONSTRUCT_FACE_OT_key_group,
    RECONSTRUCT_FACE_OT_blend_and_hold,
    RECONSTRUCT_FACE_OT_mirror_animation,
    RECONSTRUCT_FACE_OT_symmetrise_animation,
    RECONSTRUCT_FACE_OT_retarget,
    RECONSTRUCT_FACE_MT_retarget,
    RECONSTRUCT_FACE_OT_add_presets,
)


def register_more() -> None:
    """Add ``scene.reconstruct_face_animation``."""
    bpy.types.Scene.reconstruct_face_animation = PointerProperty(type=AnimationSettings)


def unregister_more() -> None:
    """Remove it."""
    del bpy.types.Scene.reconstruct_face_animation
