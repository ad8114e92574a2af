"""How far the active head can be relied on, as the backend measured it."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import strings
from ..scene.context import head_of
from .progress import draw_failure, draw_progress
from .sidebar import FacePanel
from .text import draw_sentence, layout_of

#: Grade to icon: blocks of colour that every Blender since 2.9 has.
_ICONS: dict[str, Any] = {
    "good": "COLLECTION_COLOR_04",
    "fair": "COLLECTION_COLOR_03",
    "poor": "COLLECTION_COLOR_01",
    "unknown": "QUESTION",
}

#: ``GOOD_FROM`` of ``backend/fit/confidence.py``, which this side does not import.
_GOOD_FROM = 0.55


def grade_of(score: float | None) -> str:
    """The traffic light for a confidence: "good", "fair", "poor", or "unknown" without one.

    Good is what the backend finds nothing worth saying about, poor what two such reasons take.
    """
    if score is None:
        return "unknown"
    return "good" if score >= _GOOD_FROM else "fair" if score >= _GOOD_FROM**2 else "poor"


def facts_of(head: bpy.types.Object) -> list[tuple[str, str]]:
    """(what, text) for each thing the head holds about its making; what is not there is left out.

    All of it comes from the head's properties, which users and other programs may have changed.
    """
    from ..scene import landmarks
    from ..scene.mesh import about

    known = about(head)
    provenance, options = _part(known, "provenance"), _part(_part(known, "provenance"), "options")
    facts = []
    score = confidence_of(head)
    if score is not None:
        facts.append((strings.CONFIDENCE, strings.confidence(score, _GOOD_FROM)))
    source = provenance.get("estimate")
    if source:
        facts.append((strings.FOUND_BY, strings.SOURCES.get(str(source), str(source))))
    if options.get("quality") and source != "landmarks":
        facts.append((strings.QUALITY_USED, str(options["quality"])))
    distance = known.get("landmark_error_px")
    if isinstance(distance, int | float):
        facts.append((strings.LANDMARK_DISTANCE, _distance(head, distance)))
    moved = landmarks.corrected(head)
    if moved:
        facts.append((strings.CORRECTED, strings.corrections(len(moved))))
    seconds = [x for x in _part(known, "timings").values() if isinstance(x, int | float)]
    if seconds:
        facts.append((strings.SECONDS, f"{sum(seconds):.1f} s"))
    model = _part(known, "model")
    if model.get("name"):
        facts.append((strings.MODEL_USED, f"{model['name']} {model.get('version', '')}".strip()))
    return facts


def confidence_of(head: bpy.types.Object) -> float | None:
    """The backend's score of ``head``, 0 to 1, or None."""
    from ..scene.mesh import about

    score = _part(about(head), "provenance").get("confidence")
    return float(score) if isinstance(score, int | float) else None


def warnings_of(head: bpy.types.Object) -> list[str]:
    """The backend's sentences about ``head``."""
    from ..scene.mesh import about

    found = about(head).get("warnings")
    return [str(x) for x in found] if isinstance(found, list) else []


def _part(known: dict[str, Any], name: str) -> dict[str, Any]:
    found = known.get(name)
    return found if isinstance(found, dict) else {}


def _distance(head: bpy.types.Object, pixels: float) -> str:
    """In pixels, and of the width between the ends of the jaw line (landmarks 0 and 16)."""
    from ..scene import landmarks

    points = landmarks.fitted(head)
    width = abs(points[16][0] - points[0][0]) if len(points) == 68 else 0.0
    return strings.landmark_distance(pixels, pixels / width if width > 0 else None)


class RECONSTRUCT_FACE_PT_verify(FacePanel, bpy.types.Panel):
    """Confidence, warnings and how the head was made."""

    bl_idname = "RECONSTRUCT_FACE_PT_verify"
    bl_label = strings.VERIFY_PANEL
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 30

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for a head of ours."""
        from ..scene.current import current_head

        return current_head(context) is not None

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """The light, seen while the panel is closed as well."""
        grade = grade_of(confidence_of(head_of(context)))
        layout_of(self).label(text="", icon=_ICONS[grade])

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the head holds."""
        head, layout = head_of(context), layout_of(self)
        score = confidence_of(head)
        grade = grade_of(score)
        draw_sentence(layout, strings.LIGHTS[grade], icon=_ICONS[grade])
        for sentence in warnings_of(head):
            draw_sentence(layout, sentence, icon="ERROR")
        _draw_verification(layout, context, head)
        column = layout.column(align=True)
        for what, text in facts_of(head):
            row = column.split(factor=0.35)
            row.label(text=what)
            row.label(text=text)


def _draw_verification(
    layout: bpy.types.UILayout, context: bpy.types.Context, head: bpy.types.Object
) -> None:
    """The button, and what the last verification found."""
    from ..operators.verify import RECONSTRUCT_FACE_OT_show_difference, RECONSTRUCT_FACE_OT_verify
    from ..scene.verification import may_be_verified, result_of

    column = layout.column(align=True)
    row = column.row()
    row.enabled = may_be_verified()
    row.operator(RECONSTRUCT_FACE_OT_verify.bl_idname, icon="CHECKMARK")
    if not row.enabled:
        draw_sentence(column, strings.NO_SECOND_RENDERER, icon="INFO")
    draw_progress(layout, "verify")
    draw_failure(layout, "verify")
    found = result_of(head)
    if found is None:
        return
    for group, texts in (("scene", strings.VERIFY_SCENE), ("photo", strings.VERIFY_PHOTO)):
        passed = bool(found.get(group))
        column.label(text=texts[passed], icon=_ICONS["good" if passed else "poor"])
    column.operator(RECONSTRUCT_FACE_OT_show_difference.bl_idname, icon="IMAGE_DATA")
    manager = context.window_manager
    layout.prop(manager, "reconstruct_face_all_measures", toggle=1)
    for passed, what, text in measures_of(found, everything=manager.reconstruct_face_all_measures):
        row = layout.column(align=True).split(factor=0.62)
        row.label(text=what, icon=_ICONS["good" if passed else "poor"])
        row.label(text=text)


def measures_of(found: dict[str, Any], *, everything: bool) -> list[tuple[bool, str, str]]:
    """(whether it passed, what, value and limit) of a verification's measures.

    Only those that failed, unless ``everything`` is wanted.
    """
    rows = []
    for one in _part(found, "measures").values():
        if everything or not one["passed"]:
            value = "-" if one["value"] is None else f"{one['value']:.4g}"
            rows.append((bool(one["passed"]), str(one["title"]), f"{value} ({one['limit']})"))
    return rows


CLASSES = (RECONSTRUCT_FACE_PT_verify,)
