"""Copies of a head's materials that emit a property of the surface instead of reflecting light."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.errors import ExchangeError
from ..backend.geometry.harmonics import SH_CONSTANT, sh_terms
from .coordinates import HEAD_TO_BLENDER
from .eye_materials import is_beside_photo
from .wrinkles import without_wrinkles


class Emitted(Enum):
    """What a surface emits."""

    NORMAL = "normal"  #: world axes, (n + 1) / 2
    DEPTH = "depth"  #: metres along the camera's axis
    UNLIT = "unlit"  #: what goes into Base Color, without the driven wrinkles' shade
    SHADED = "shaded"  #: the same, times the spherical harmonics of the normal


@contextmanager
def emitting(head: bpy.types.Object, kind: Emitted, sh_light: NDArray) -> Iterator[None]:
    """While in here, all materials of ``head`` emit ``kind``; back faces are transparent.

    Raises :class:`ExchangeError` where a material has no Principled BSDF whose Base Color could be
    read.
    """
    slots = list(head.material_slots)
    before = [slot.material for slot in slots]
    copies: list[bpy.types.Material] = []
    try:
        for slot in slots:
            if slot.material is None:
                raise ExchangeError(f"{head.name} has a material slot without a material.")
            copy = slot.material.copy()
            copies.append(copy)
            if is_beside_photo(slot.material):
                _hide(copy)
            else:
                _rewire(copy, slot.material.name, head, kind, sh_light)
            slot.material = copy
        yield
    finally:
        for slot, material in zip(slots, before, strict=True):
            slot.material = material
        bpy.data.batch_remove(copies)


def _hide(material: bpy.types.Material) -> None:
    """Nothing is seen of what is no surface of the exchange file's triangles either."""
    assert material.node_tree is not None
    nodes = _Nodes(material.node_tree)
    clear = nodes.new("ShaderNodeBsdfTransparent")
    for node in nodes.tree.nodes:
        if node.type == "OUTPUT_MATERIAL":
            nodes.feed(node.inputs["Surface"], clear.outputs[0])


def _rewire(
    material: bpy.types.Material,
    name: str,
    head: bpy.types.Object,
    kind: Emitted,
    sh_light: NDArray,
) -> None:
    assert material.node_tree is not None  # only older Blenders have materials without nodes
    without_wrinkles(material.node_tree)  # their shade is light's, no colour of the skin
    nodes = _Nodes(material.node_tree)
    geometry = nodes.new("ShaderNodeNewGeometry")
    if kind is Emitted.NORMAL:
        colour = nodes.vector("MULTIPLY_ADD", geometry.outputs["Normal"], (0.5,) * 3, (0.5,) * 3)
    elif kind is Emitted.DEPTH:
        colour = nodes.new("ShaderNodeCameraData").outputs["View Z Depth"]
    else:
        colour = _base_colour(nodes, name)
        if kind is Emitted.SHADED:
            light = _harmonics(nodes, geometry.outputs["Normal"], head, sh_light)
            colour = nodes.vector("MULTIPLY", colour, light)
    emission = nodes.new("ShaderNodeEmission")
    nodes.feed(emission.inputs["Color"], colour)
    clear, mix = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeMixShader")
    nodes.feed(mix.inputs[0], geometry.outputs["Backfacing"])
    nodes.feed(mix.inputs[1], emission.outputs[0])
    nodes.feed(mix.inputs[2], clear.outputs[0])
    for node in nodes.tree.nodes:
        if node.type == "OUTPUT_MATERIAL":
            for socket in ("Volume", "Displacement"):
                for link in list(node.inputs[socket].links):
                    nodes.tree.links.remove(link)
            nodes.feed(node.inputs["Surface"], mix.outputs[0])


def _base_colour(nodes: _Nodes, name: str) -> Any:
    """What the material's Principled BSDF has as Base Color: a socket, or RGB."""
    shaders = [node for node in nodes.tree.nodes if node.type == "BSDF_PRINCIPLED"]
    if not shaders:
        raise ExchangeError(
            f"The material {name} has no Principled BSDF any more, so its texture cannot be "
            "compared; verify a file with the materials that the add-on made."
        )
    socket = shaders[0].inputs["Base Color"]
    if socket.links:
        return socket.links[0].from_socket
    return tuple(socket.default_value)[:3]


def _harmonics(nodes: _Nodes, normal: Any, head: bpy.types.Object, sh_light: NDArray) -> Any:
    """A socket with max(0, sum_i Y_i(n) sh_light[i]), n the ``normal`` (world) in head axes."""
    # The normal goes through the head's own rotation, so that a head that was turned together with
    # its camera is lit as before.
    turn = np.array(head.matrix_world.to_3x3().normalized()) @ HEAD_TO_BLENDER
    x, y, z = (nodes.dot(normal, turn[:, axis]) for axis in range(3))
    light = np.asarray(sh_light, np.float64)
    total = tuple(light[0] * SH_CONSTANT)
    # Each harmonic as a polynomial in x, y, z: its factors, read off the one definition.
    factor = [float(value) for value in sh_terms(1.0, 1.0, 1.0)]
    xx, yy, zz = (nodes.math("MULTIPLY", axis, axis) for axis in (x, y, z))
    terms = [
        (factor[1], y),
        (factor[2], z),
        (factor[3], x),
        (factor[4], nodes.math("MULTIPLY", x, y)),
        (factor[5], nodes.math("MULTIPLY", y, z)),
        (factor[6] / 2, nodes.math("SUBTRACT", nodes.math("MULTIPLY", zz, 3.0), 1.0)),
        (factor[7], nodes.math("MULTIPLY", x, z)),
        (float(sh_terms(1.0, 0.0, 0.0)[8]), nodes.math("SUBTRACT", xx, yy)),
    ]
    for (scale, value), colour in zip(terms, light[1:], strict=True):
        total = nodes.vector("MULTIPLY_ADD", value, tuple(scale * colour), total)
    return nodes.vector("MAXIMUM", total, (0.0,) * 3)


class _Nodes:
    """Makes nodes; an input is a socket, a number, or three of them."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree: Any = tree

    def new(self, kind: str) -> Any:
        return self.tree.nodes.new(kind)

    def feed(self, socket: Any, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, tuple) and socket.type == "RGBA":
            socket.default_value = (*value, 1.0)
        else:
            socket.default_value = value

    def math(self, operation: str, *inputs: Any) -> Any:
        return self._operation("ShaderNodeMath", operation, inputs).outputs[0]

    def vector(self, operation: str, *inputs: Any) -> Any:
        return self._operation("ShaderNodeVectorMath", operation, inputs).outputs[0]

    def dot(self, a: Any, b: NDArray) -> Any:
        node = self._operation("ShaderNodeVectorMath", "DOT_PRODUCT", (a, tuple(b.tolist())))
        return node.outputs["Value"]

    def _operation(self, kind: str, operation: str, inputs: tuple[Any, ...]) -> Any:
        node = self.new(kind)
        node.operation = operation
        for socket, value in zip(node.inputs, inputs, strict=False):
            self.feed(socket, value)
        return node
