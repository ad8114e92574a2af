"""The animation of one head on another, also of another face model."""

from __future__ import annotations

import math

import bpy

from ...backend.errors import FaceError
from ...backend.exchange.names import matched
from ...backend.motion.across import translated
from ..actions import value_path
from ..mesh import model_of
from ..shape_keys import driven_names, editable_keys
from .apply import apply_motion
from .curves import (
    copy_curve,
    curves_by_name,
    curves_holder,
    drop,
    new_action,
    set_aside,
    shape_keys_of,
)
from .read import read_motion

#: What :func:`retarget` may do where ranges differ.
FITS = ("clamp", "scale")


def retarget(
    source: bpy.types.Object,
    target: bpy.types.Object,
    *,
    fit: str = "clamp",
    existing: str = "keep",
) -> tuple[int, tuple[str, ...]]:
    """The expression's animation of ``source`` on ``target``, keyframes and handles alike.

    Shape keys are matched by name, ARKit's in whatever spelling (``eyeBlink_L``): so heads of
    different face models move alike where both have ARKit's.  ``fit``: "clamp" copies values, which
    ``target``'s ranges then limit; "scale" multiplies them by the ratio of the upper ends.
    Expressions that have no name in common are translated by what they do to the mesh
    (:mod:`...backend.motion.across`), with a keyframe at every frame from the first to the last.
    ``existing`` as in :func:`.apply.apply_motion`, without "merge".  The head's pose stays.

    Returns the number of curves, and the names that ``target`` lacks.  Raises :class:`FaceError`
    when ``source`` has no animation, or nothing is in common and no way is known.
    """
    if fit not in FITS:
        raise FaceError(f"'{fit}' is no choice; choose of {', '.join(FITS)}.")
    if source == target:
        raise FaceError("Choose another head to take the animation from.")
    theirs, ours = editable_keys(source), editable_keys(target)
    found = curves_by_name(source)
    if not found:
        raise FaceError(f"{source.name} has no animation of its expression; choose another head.")
    driven = driven_names(target)
    common = matched(found, [name for name in ours if name not in driven])
    if not common:
        return _translated(source, target, existing)
    data = shape_keys_of(target)
    if existing == "replace":
        drop(data)
    else:
        set_aside(data)
    new_action(data, f"{target.name} expression")
    holder = curves_holder(data)
    for name, own in common.items():
        high, wanted = theirs[name].slider_max, ours[own].slider_max
        scale = wanted / high if fit == "scale" and high > 0 and wanted > 0 else 1.0
        copy_curve(found[name], data, value_path(own), scale=scale, holder=holder)
    return len(common), tuple(name for name in found if name not in common)


def _translated(
    source: bpy.types.Object, target: bpy.types.Object, existing: str
) -> tuple[int, tuple[str, ...]]:
    """:func:`retarget` frame by frame, for expressions with other names."""
    ranges = [curve.range() for curve in curves_by_name(source).values()]
    first = math.floor(min(start for start, _ in ranges))
    last = math.ceil(max(end for _, end in ranges))
    motion = read_motion(source, (first, last), with_pose=False)
    motion = translated(motion, tuple(editable_keys(target)), model_of(target))
    if motion is None:
        raise FaceError(
            f"{source.name} and {target.name} have no shape key names in common, and their face "
            "models are not imported here; import those, or reconstruct both with ARKit's "
            "expressions."
        )
    done = apply_motion(
        target,
        motion,
        start_frame=first,
        existing=existing,
        with_pose=False,
        markers=False,
        extend=False,
    )
    return len(done.names), done.missing
