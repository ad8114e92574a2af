"""The expression of a head of ours: groups, sides, and what can be done with all its shape keys.

The names are ARKit's 52 and the nostrils' of the shipped face model.  Shape keys of other face
models, and those that the user added, are in the group "other"; they are set, keyed and copied like
the others.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import bpy

from ..backend.errors import FaceError, ModelError
from .actions import has_keyframe
from .armature.lead import BONES, key_bones, lead_of, lead_with
from .mesh import about, expression_keys, of_photo, photo_count
from .random_expression import random_expression, random_weights
from .shape_keys import driven_names, editable_keys

#: Group to the stems of its names, in the order they are shown; "*" stands for Left and Right.
_STEMS = {
    "brows": ("browInnerUp", "browOuterUp*", "browDown*"),
    "eyes": (
        "eyeBlink*", "eyeSquint*", "eyeWide*",
        "eyeLookUp*", "eyeLookDown*", "eyeLookIn*", "eyeLookOut*",
    ),
    "jaw": ("jawOpen", "jawForward", "jaw*"),
    "mouth": (
        "mouthSmile*", "mouthFrown*", "mouthClose", "mouthFunnel", "mouthPucker", "mouth*",
        "mouthUpperUp*", "mouthLowerDown*", "mouthStretch*", "mouthDimple*", "mouthPress*",
        "mouthRollUpper", "mouthRollLower", "mouthShrugUpper", "mouthShrugLower",
    ),
    "cheeks": ("cheekPuff", "cheekSquint*"),
    "nose": ("noseSneer*", "nostrilDilate*", "nostrilCompress"),
    "tongue": ("tongueOut",),
}  # fmt: skip
SIDES = ("Left", "Right")
OTHER = "other"
#: Differences of sliders that are none: what Blender's 32 bits and a user's eye leave out.
_SAME = 1e-4

Row = tuple[str, ...]  #: one name, or the left and the right one


def _rows_of(stem: str) -> Row:
    return tuple(stem.replace("*", side) for side in SIDES) if "*" in stem else (stem,)


#: Group to its rows, of all names.
KNOWN_ROWS: dict[str, tuple[Row, ...]] = {
    group: tuple(_rows_of(stem) for stem in stems) for group, stems in _STEMS.items()
}
#: Name to its group.
GROUP_OF = {name: group for group, rows in KNOWN_ROWS.items() for row in rows for name in row}
GROUPS = (*KNOWN_ROWS, OTHER)


def group_of(name: str) -> str:
    """The group of the shape key ``name``, one of :data:`GROUPS`."""
    return GROUP_OF.get(name, OTHER)


def rows_of(names: Iterable[str]) -> dict[str, list[Row]]:
    """``names`` by group, as rows of one name, or of left and right where both are there.

    Groups and known names are in the order they are shown in, others in the order given; groups
    without a name are left out.
    """
    there = list(dict.fromkeys(names))
    out: dict[str, list[Row]] = {}
    for group, rows in KNOWN_ROWS.items():
        found = [kept for row in rows if (kept := tuple(name for name in row if name in there))]
        if found:
            out[group] = found
    done: set[str] = set()
    for name in there:
        if name in GROUP_OF or name in done:
            continue
        other = opposite(name)
        row = (name, other) if name.endswith(SIDES[0]) and other in there else (name,)
        if name.endswith(SIDES[1]) and other in there:
            continue  # its left one brings it along
        out.setdefault(OTHER, []).append(row)
        done.update(row)
    return out


def opposite(name: str) -> str:
    """The name of the same movement on the other side of the face; ``name`` itself if it has none.

    This is the mirror's: an eye that looks in becomes the other eye that looks in.
    """
    for here, there in (SIDES, SIDES[::-1]):
        if name.endswith(here):
            return name.removesuffix(here) + there
    return name


def partner(name: str) -> str:
    """The name that moves along in symmetric editing; ``name`` itself if none does.

    Eyes look to the same side (in with out), and a jaw or mouth moved aside has no partner, for
    left and right would undo each other.
    """
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return name
    other = opposite(name)
    if name.startswith("eyeLookIn"):
        return other.replace("LookIn", "LookOut")
    if name.startswith("eyeLookOut"):
        return other.replace("LookOut", "LookIn")
    return other


def values_of(head: bpy.types.Object) -> dict[str, float]:
    """Shape key name to its value now."""
    return {key.name: key.value for key in expression_keys(head)}


def set_values(head: bpy.types.Object, values: Mapping[str, float]) -> int:
    """Set the shape keys of ``head`` named in ``values``; the number of those it has.

    Blender keeps each within its range; the others stay as they are.  Where bones lead, they are
    posed so.  What is animated follows its F-curves again at the next frame.  Raises as
    :func:`editable_keys`.
    """
    keys = editable_keys(head)
    found = {name: values[name] for name in values if name in keys}
    by_bones = lead_with(head, found)
    for name, value in found.items():
        if name not in by_bones:
            keys[name].value = value
    return len(found)


def set_value(head: bpy.types.Object, name: str, value: float, *, symmetric: bool = False) -> None:
    """Set one shape key, and with ``symmetric`` its :func:`partner` where ``head`` has it."""
    set_values(head, {name: value, partner(name): value} if symmetric else {name: value})


def is_set(key: bpy.types.ShapeKey) -> bool:
    """Whether ``key`` moves anything by its value."""
    return abs(key.value - rest(key)) > 1e-6


def rest(key: bpy.types.ShapeKey) -> float:
    """The value without expression: zero, or what of the key's range comes nearest to it."""
    return min(max(0.0, key.slider_min), key.slider_max)


def reset(head: bpy.types.Object, names: Iterable[str] | None = None) -> None:
    """Set the shape keys in ``names``, or all, to zero.  Raises as :func:`editable_keys`."""
    keys = editable_keys(head)
    set_values(head, dict.fromkeys(keys if names is None else names, 0.0))


def reset_group(head: bpy.types.Object, group: str) -> None:
    """Set the shape keys of one of :data:`GROUPS` to zero.  Raises as :func:`editable_keys`."""
    reset(head, [name for name in editable_keys(head) if group_of(name) == group])


def mirror(head: bpy.types.Object) -> None:
    """Swap left and right.  A side whose other one is missing stays as it is.

    Raises as :func:`editable_keys`.
    """
    values = {name: key.value for name, key in editable_keys(head).items()}
    set_values(head, {n: values[opposite(n)] for n in values if opposite(n) in values})


def randomise(head: bpy.types.Object, *, seed: int = 0, strength: float = 0.6) -> None:
    """Give ``head`` the expression number ``seed``, such as a face can make.

    ``strength`` 0 is neutral, 1 strong.  Shape keys that the user added stay as they are;
    for a face model with other names, values near zero are drawn.  Raises as
    :func:`editable_keys`.
    """
    keys = editable_keys(head)
    draw = random.Random(seed)
    if any(name in GROUP_OF for name in keys):
        drawn = random_expression(draw, strength)
        set_values(head, {name: drawn.get(name, 0.0) for name in keys if name in GROUP_OF})
    else:
        ranges = {name: (key.slider_min, key.slider_max) for name, key in keys.items()}
        set_values(head, random_weights(draw, ranges, strength))


def copy_expression(source: bpy.types.Object, target: bpy.types.Object) -> int:
    """Give ``target`` the values of ``source`` by name; the number of shape keys both have.

    Raises as :func:`editable_keys`, and :class:`FaceError` when they have none in common.
    """
    count = set_values(target, values_of(source))
    if not count:
        raise FaceError(
            f"{source.name} and {target.name} have no shape key names in common; choose a head "
            "of the same face model."
        )
    return count


def fitted_values(head: bpy.types.Object, number: int = 0) -> dict[str, float]:
    """The expression in photo ``number`` (0: the main one) by name, as it was fitted.

    Raises :class:`ModelError` when the head does not hold it any more.
    """
    fitted = [float(x) for x in head.get(of_photo("expression", number), ())]
    names = about(head).get("expression_names")
    if names is None:  # then the order is that of the shape keys, as they were built
        names = [key.name for key in expression_keys(head)][: len(fitted)]
    if not fitted or len(names) != len(fitted):
        raise ModelError(
            f"{head.name} does not hold the photo's expression any more, or shape keys were "
            "removed; fit it again."
        )
    return dict(zip(names, fitted, strict=True))


def restore_fitted(head: bpy.types.Object, number: int = 0) -> None:
    """Set the expression in photo ``number``.  Raises as :func:`fitted_values` and
    :func:`editable_keys`."""
    set_values(head, fitted_values(head, number))


@contextmanager
def as_in_main_photo(head: bpy.types.Object) -> Iterator[None]:
    """``head`` with the expression of its main photo for the while, if it has another's."""
    before = values_of(head)
    if not follow_photo(head, 0):
        yield
        return
    try:
        yield
    finally:
        set_values(head, before)


def stands_as_in_a_photo(head: bpy.types.Object) -> bool:
    """Whether the sliders of ``head`` stand as one of its photos shows them."""
    now = {key.name: key for key in expression_keys(head)}
    try:
        photos = [fitted_values(head, number) for number in range(photo_count(head))]
    except ModelError:
        return False
    return any(_stands(now, values) for values in photos)


def follow_photo(head: bpy.types.Object, number: int) -> bool:
    """Set the expression in photo ``number`` of a head of several, unless it was changed by hand.

    Not changed are sliders that stand as one of the head's photos shows them.  What is animated,
    driven or linked is left alone.  Whether anything was set.
    """
    keys, count = head.data.shape_keys, photo_count(head)
    if count < 2 or keys is None or keys.library is not None:
        return False
    moving = keys.animation_data
    driven = moving is not None and moving.drivers and lead_of(head) != BONES
    if moving is not None and (moving.action or driven or moving.nla_tracks):
        return False
    if not stands_as_in_a_photo(head):
        return False
    now = {key.name: key for key in expression_keys(head)}
    wanted = fitted_values(head, number)
    if _stands(now, wanted):
        return False
    set_values(head, wanted)
    return True


def _stands(keys: Mapping[str, bpy.types.ShapeKey], values: Mapping[str, float]) -> bool:
    """Whether ``keys`` have ``values``, as far as they are there and their ranges allow."""
    known = [(keys[name], value) for name, value in values.items() if name in keys]
    return all(
        abs(key.value - min(max(value, key.slider_min), key.slider_max)) < _SAME
        for key, value in known
    )


def insert_keyframes(head: bpy.types.Object, frame: float) -> int:
    """A keyframe for every shape key at ``frame``; the number of shape keys that took it.

    Where bones lead, these take them.  Those moved by a driver of the user's take none.  Raises as
    :func:`editable_keys`, and :class:`FaceError` when nothing can be keyed.
    """
    keys = editable_keys(head)
    driven = driven_names(head)
    count = key_bones(head, frame)
    for name, key in keys.items():
        if name in driven:
            continue
        try:
            count += key.keyframe_insert("value", frame=frame)
        except RuntimeError as error:  # a linked action, for one
            reason = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
            raise FaceError(f"{head.name} takes no keyframes: {reason}.") from error
    if not count:
        raise FaceError(f"{head.name} takes no keyframes: all shape keys are moved by drivers.")
    return count


def delete_keyframes(head: bpy.types.Object, frame: float) -> int:
    """Delete the keyframes of all shape keys at ``frame``; their number.

    Raises as :func:`editable_keys`.
    """
    found = [
        key
        for key in editable_keys(head).values()
        if has_keyframe(cast(bpy.types.ID, key.id_data), key.path_from_id("value"), frame)
    ]
    for key in found:
        key.keyframe_delete("value", frame=frame)
    return len(found)


def gaze_of(head: bpy.types.Object) -> tuple[float, float]:
    """Where both eyes look on average: (to the head's left, up), -1 to 1 each."""
    values = values_of(head)
    left = _sum(values, "eyeLookOutLeft", "eyeLookInRight")
    right = _sum(values, "eyeLookInLeft", "eyeLookOutRight")
    up = _sum(values, "eyeLookUpLeft", "eyeLookUpRight")
    down = _sum(values, "eyeLookDownLeft", "eyeLookDownRight")
    return (left - right) / 2, (up - down) / 2


def set_gaze(head: bpy.types.Object, left: float, up: float) -> None:
    """Turn both eyes ``left`` (the head's; negative: right) and ``up`` (negative: down), -1 to 1.

    Raises as :func:`editable_keys`.
    """
    to_left, to_right = max(left, 0.0), max(-left, 0.0)
    set_values(
        head,
        {
            "eyeLookOutLeft": to_left, "eyeLookInRight": to_left,
            "eyeLookInLeft": to_right, "eyeLookOutRight": to_right,
            **dict.fromkeys(("eyeLookUpLeft", "eyeLookUpRight"), max(up, 0.0)),
            **dict.fromkeys(("eyeLookDownLeft", "eyeLookDownRight"), max(-up, 0.0)),
        },
    )  # fmt: skip


def _sum(values: Mapping[str, float], *names: str) -> float:
    return sum(values.get(name, 0.0) for name in names)


def matches(search: str, texts: Sequence[str]) -> bool:
    """Whether every word of ``search`` is in one of ``texts``, in whatever case; "" always is."""
    low = [text.lower() for text in texts]
    return all(any(word in text for text in low) for word in search.lower().split())
