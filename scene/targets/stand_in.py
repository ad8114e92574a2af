"""A copy of a head that stands in for it while it is written for a target."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.exchange.targets import VISEME_NAMES, Target
from ..build import HeadScene
from ..eye_materials import clear_as_films
from ..hair_cards import hair_as_cards
from ..placing import at_origin
from ..wrinkles import as_exported
from .apart import take_apart
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
    others: list[bpy.types.Object]  #: parts and cards of hair

    def scene(self, like: HeadScene, head: bpy.types.Object | None = None) -> HeadScene:
        """``like`` with the stand-in, or one of its levels, as its head."""
        return dataclasses.replace(like, head=self.head if head is None else head)

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
        for level in levels:
            level.parent = group
        try:
            yield group, [group, *self.levels, *self.others]
        finally:
            for level in levels:
                level.parent = None
            bpy.data.objects.remove(group)
            self.head.name = self.head.data.name = name

    def turn_y_up(self, factor: float) -> None:
        """Make the numbers of everything y up, ``factor`` times as large."""
        matrix = Matrix.Scale(factor, 4) @ _Y_UP
        for thing in self.all():
            data: Any = thing.data
            if isinstance(data, bpy.types.Mesh):
                data.transform(matrix, shape_keys=True)
            elif isinstance(data, bpy.types.Armature):
                data.transform(matrix)


@dataclass
class _Made:
    """What has to be removed again."""

    things: list[Any] = field(default_factory=list)

    def remove(self) -> None:
        bpy.data.batch_remove([thing for thing in self.things if thing is not None])


@contextmanager
def stand_in(head_scene: HeadScene, target: Target) -> Iterator[StandIn]:
    """The head of ``head_scene`` as ``target`` wants it; everything is as it was afterwards.

    It is called as the head, in letters that every program takes (:func:`plain_name`), stands where
    ``at_origin`` puts the head and holds that place in its vertices.
    """
    head = head_scene.head
    made = _Made()
    name = plain_name(head.name)
    try:
        with ExitStack() as stack:
            stack.enter_context(at_origin(head))
            stack.enter_context(as_exported(head))
            stack.enter_context(smaller_pictures(head, target.texture))
            stack.enter_context(clear_as_films(head))
            scene = bpy.context.scene
            assert scene is not None
            hair = stack.enter_context(hair_as_cards(head, scene.collection))
            stack.enter_context(_named_apart(head))
            copy = _copied(head, name, target, made)
            others = take_apart(copy) if target.apart else []
            levels = [
                simplified(copy, SHARES[level], f"{name}_LOD{level}")
                for level in range(1, target.levels)
            ]
            made.things += [x for thing in (*others, *levels) for x in (thing, thing.data)]
            if hair is not None:
                cards = hair.copy()
                cards.data = hair.data.copy()
                cards.data.transform(cards.matrix_world)
                cards.matrix_world = Matrix.Identity(4)
                cards.name = cards.data.name = f"{name}_hair"
                made.things += [cards, cards.data]
                others.append(cards)
            yield StandIn(copy, levels, others)
            made.remove()
            made.things.clear()
    finally:
        made.remove()


def plain_name(name: str) -> str:
    """``name`` in ASCII letters, digits, "-" and "_": what Unreal and Unity keep as it is.

    "Head" where nothing is left.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_") or "Head"


@contextmanager
def _named_apart(head: bpy.types.Object) -> Iterator[None]:
    """The names of ``head`` and its mesh free for a copy."""
    things = (head, head.data)
    names = [thing.name for thing in things]
    for thing, name in zip(things, names, strict=True):
        thing.name = f"{name[:50]} (whole)"
    try:
        yield
    finally:
        for thing, name in zip(things, names, strict=True):
            thing.name = name


def _copied(head: bpy.types.Object, name: str, target: Target, made: _Made) -> bpy.types.Object:
    """A copy of ``head`` with what ``target`` says of shapes, as bare as it can be."""
    mesh: Any = head.data.copy()
    copy = bpy.data.objects.new(name, mesh)
    made.things += [copy, mesh]
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
    mesh.transform(head.matrix_world, shape_keys=True)
    return copy


def _apply(copy: bpy.types.Object) -> None:
    """What ``copy`` shows as its vertices, and no shape keys."""
    mesh: Any = copy.data
    shown = copy.shape_key_add(name="shown", from_mix=True)
    points = np.empty(3 * len(mesh.vertices), np.float32)
    shown.points.foreach_get("co", points)
    clear_keys(copy)
    mesh.vertices.foreach_set("co", points)
    mesh.update()
