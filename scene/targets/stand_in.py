"""A copy of a head that stands in for it while it is written for a target."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.exchange.targets import VISEME_NAMES, Target
from ..build import HeadScene
from ..eye_materials import KIND, clear_as_films
from ..hair_cards import hair_as_cards
from ..placing import at_origin
from ..wrinkles import as_exported
from .apart import take_apart
from .bones import NAME, hold, hold_on_head, with_bones
from .keys import clear_keys
from .levels import SHARES, simplified
from .pictures import smaller_pictures
from .visemes import add_visemes

#: x to the side, y up, the face along z, from Blender's axes.
_Y_UP = Matrix(((1, 0, 0, 0), (0, 0, 1, 0), (0, -1, 0, 0), (0, 0, 0, 1)))


@dataclass
class StandIn:
    """What is written in place of the head: objects in no collection."""

    head: bpy.types.Object
    levels: list[bpy.types.Object]  #: the further levels of detail, from fine to coarse
    others: list[bpy.types.Object]  #: parts, cards of hair, bones

    def scene(self, like: HeadScene, head: bpy.types.Object | None = None) -> HeadScene:
        """``like`` with the stand-in, or one of its levels, as its head."""
        return dataclasses.replace(like, head=self.head if head is None else head)

    def beside(self, level: int) -> list[bpy.types.Object]:
        """What is in the file of a level beside its head: parts and hair are in the first alone."""
        return [one for one in self.others if level == 0 or one.type == "ARMATURE"]

    def all(self) -> list[bpy.types.Object]:
        return [self.head, *self.levels, *self.others]

    @contextmanager
    def levels_grouped(self) -> Iterator[tuple[bpy.types.Object | None, list[bpy.types.Object]]]:
        """An empty that all levels hang on, and what is written beside the head; no empty where
        there is one level."""
        if not self.levels:
            yield None, self.others
            return
        name = self.head.name
        self.head.name = self.head.data.name = f"{name}_LOD0"
        group = bpy.data.objects.new(name, None)
        levels = [self.head, *self.levels]
        parents = [level.parent for level in levels]
        for level in levels:
            level.parent = group
        try:
            yield group, [group, *self.levels, *self.others]
        finally:
            for level, parent in zip(levels, parents, strict=True):
                level.parent = parent
            bpy.data.objects.remove(group)
            self.head.name = self.head.data.name = name

    def turn_y_up(self, factor: float) -> None:
        """Make the numbers of everything y up, ``factor`` times as large."""
        _place(self.all(), Matrix.Scale(factor, 4) @ _Y_UP)


@contextmanager
def stand_in(head_scene: HeadScene, target: Target) -> Iterator[StandIn]:
    """The head of ``head_scene`` as ``target`` wants it; everything is as it was afterwards.

    It is called as the head, in letters that every program takes (:func:`plain_name`), stands where
    ``at_origin`` puts the head and holds that place in its vertices.
    """
    head = head_scene.head
    made: list[Any] = []
    name = plain_name(head.name)
    scene: Any = bpy.context.scene
    # Before films take the place of corneas and tears.
    kinds = ["" if slot is None else str(slot.get(KIND, "")) for slot in head.data.materials]
    with ExitStack() as stack:
        stack.enter_context(at_origin(head))
        stack.enter_context(as_exported(head))
        stack.enter_context(smaller_pictures(head, target.texture))
        stack.enter_context(clear_as_films(head))
        hair = stack.enter_context(hair_as_cards(head, scene.collection))
        stack.enter_context(_named_apart(head, name))
        stack.enter_context(_plainly_named(head.data.materials))
        stack.callback(lambda: bpy.data.batch_remove(made))
        copy = _copied(head, name, target, made)
        others = take_apart(copy, kinds) if target.apart else []
        made += [x for part in others for x in (part, part.data)]
        armature = None
        if target.skeleton != "none":
            armature = stack.enter_context(with_bones(copy, target.skeleton))
        levels = []
        for level in range(1, target.levels):
            levels.append(simplified(copy, SHARES[level], f"{name}_LOD{level}"))
            made += [levels[-1], levels[-1].data]
        # Only now: sides and joints are told by where a head is round its own origin.
        _place([copy, *others, *levels, *([armature] if armature else [])], head.matrix_world)
        if hair is not None:
            cards = _copied_cards(hair, f"{name}_hair", made)
            others.append(cards)
            if armature is not None:
                hold_on_head(armature, target.skeleton, cards)
        if armature is not None:
            hold(armature, levels)
            others.append(armature)
        yield StandIn(copy, levels, others)


def plain_name(name: str) -> str:
    """``name`` in ASCII letters, digits, "-" and "_": what Unreal and Unity keep as it is.

    "Head" where nothing is left.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_") or "Head"


@contextmanager
def _named_apart(head: bpy.types.Object, name: str) -> Iterator[None]:
    """The names of ``head`` and of what is written in its place free for the while."""
    wanted = {name, NAME, f"{name}_hair", *(f"{name}_LOD{n}" for n in range(len(SHARES)))}
    lists: tuple[Any, ...] = (bpy.data.objects, bpy.data.meshes, bpy.data.armatures)
    others = [thing for things in lists for thing in things if thing.name in wanted]
    things = list(dict.fromkeys((head, head.data, *others)))
    names = [thing.name for thing in things]
    for thing, was in zip(things, names, strict=True):
        thing.name = f"{was[:50]} (whole)"
    try:
        yield
    finally:
        for thing, was in zip(things, names, strict=True):
            thing.name = was


@contextmanager
def _plainly_named(materials: Iterable[bpy.types.Material | None]) -> Iterator[None]:
    """``materials`` called as every program takes it for the while."""
    things = [material for material in materials if material is not None]
    names = [material.name for material in things]
    for material, was in zip(things, names, strict=True):
        material.name = plain_name(was)
    try:
        yield
    finally:
        for material, was in zip(things, names, strict=True):
            material.name = was


def _copied(head: bpy.types.Object, name: str, target: Target, made: list[Any]) -> bpy.types.Object:
    """A copy of ``head`` with what ``target`` says of shapes, as bare as it can be."""
    mesh: Any = head.data.copy()
    copy = bpy.data.objects.new(name, mesh)
    made += [copy, mesh]
    mesh.name = name
    keys = mesh.shape_keys
    if keys is not None:
        keys.animation_data_clear()
        keys.name = name
        if target.neutral:
            for key in keys.key_blocks:
                key.value = 0.0
        if not target.keys:
            _apply(copy)
        elif target.visemes != "none":
            add_visemes(copy, VISEME_NAMES[target.visemes])
    return copy


def _place(things: Iterable[bpy.types.Object], matrix: Matrix) -> None:
    """Move the data of ``things``: vertices, shape keys, bones."""
    for thing in things:
        data: Any = thing.data
        if isinstance(data, bpy.types.Mesh):
            data.transform(matrix, shape_keys=True)
        elif isinstance(data, bpy.types.Armature):
            data.transform(matrix)


def _copied_cards(hair: bpy.types.Object, name: str, made: list[Any]) -> bpy.types.Object:
    """A copy of cards of ``hair`` that holds their place in its vertices."""
    cards = hair.copy()
    mesh: Any = hair.data.copy()
    made += [cards, mesh]
    cards.data = mesh
    mesh.transform(cards.matrix_world)
    cards.matrix_world = Matrix.Identity(4)
    cards.name = mesh.name = name
    return cards


def _apply(copy: bpy.types.Object) -> None:
    """What ``copy`` shows as its vertices, and no shape keys."""
    mesh: Any = copy.data
    shown = copy.shape_key_add(name="shown", from_mix=True)
    points = np.empty(3 * len(mesh.vertices), np.float32)
    shown.points.foreach_get("co", points)
    clear_keys(copy)
    mesh.vertices.foreach_set("co", points)
    mesh.update()
