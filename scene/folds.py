"""The photo's folds, multiplied into the skin's colour as far as its shape keys make them.

The base colour is that of a neutral face.  Two drivers, one for each half of the face, sum the
shape keys by their parts in its folds (``Reconstruction.fold_parts``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from ..backend.exchange.wrinkles import FOLD_HUE, FOLD_STEP, NO_FOLD
from .actions import value_path
from .eye_materials import KIND
from .materials import SOCKETS

#: The node that multiplies the folds in, by its name; and those that say how much of each half.
FOLDED = "Folded colour"
HALVES = ("Folds right", "Folds left")
#: Role of their picture (``materials.PICTURES``).
ROLE = "folds"


def add_folds(
    head: bpy.types.Object, images: dict[str, bpy.types.Image], reconstruction: Reconstruction
) -> None:
    """Give the skin of ``head``, which has shape keys, the folds in ``images``, by role."""
    if ROLE not in images or head.data.shape_keys is None:
        return
    for tree in _skins(head):
        _add_nodes(tree, images[ROLE])
    drive_folds(head, reconstruction)


def drive_folds(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Let the folds of ``head`` follow its shape keys as ``reconstruction`` says, or not at all
    where it has none."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    keys = mesh.shape_keys
    if keys is None:
        return
    parts = reconstruction.fold_parts if reconstruction.folds.size else np.zeros((2, 0))
    for tree in _skins(head):
        for name, half in zip(HALVES, parts, strict=True):
            node = tree.nodes.get(name)
            if node is not None:
                _drive(node.outputs[0], keys, reconstruction.expression_names, half)


def _skins(head: bpy.types.Object) -> Iterator[Any]:
    """The node trees of the skin's materials."""
    for material in head.data.materials:
        if material is not None and material.get(KIND) == "skin" and material.node_tree:
            yield material.node_tree


def _add_nodes(tree: Any, image: bpy.types.Image) -> None:
    shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    if shader is None or not shader.inputs[SOCKETS["colour"]].links:  # the user's own material
        return
    base = shader.inputs[SOCKETS["colour"]]
    frame = tree.nodes.new("NodeFrame")
    frame.label = frame.name = "Folds of the photo: as far as the shape keys make them"

    def new(kind: str, name: str, column: int, row: int = 0, operation: str = "") -> Any:
        node = tree.nodes.new(kind)
        node.name, node.label, node.parent = name, name, frame
        x, y = shader.location
        node.location = (x - 2000 + 220 * column, y + 500 - 200 * row)
        if operation:
            node.operation = operation
        return node

    picture = new("ShaderNodeTexImage", "Folds", 0)
    picture.image = image
    step = new("ShaderNodeVectorMath", "About no fold", 2, 0, "SUBTRACT")
    step.inputs[1].default_value = (NO_FOLD / 255, NO_FOLD / 255, 0)
    shown = new("ShaderNodeCombineXYZ", "How far they are there", 2, 2)
    for row, name in enumerate(HALVES):
        half = new("ShaderNodeValue", name, 0, 2 + row)
        half.outputs[0].default_value = 0.0
        tree.links.new(half.outputs[0], shown.inputs[row])
    both = new("ShaderNodeVectorMath", "Either half", 3, 0, "DOT_PRODUCT")
    scaled = new("ShaderNodeMath", "Log brightness", 4, 0, "MULTIPLY")
    scaled.inputs[1].default_value = 255 * FOLD_STEP
    # exp(hue) to the power of the logarithm, by channel.
    factor = new("ShaderNodeGamma", "Brightness of each channel", 5)
    factor.inputs["Color"].default_value = (*np.exp(FOLD_HUE), 1.0)
    folded = new("ShaderNodeVectorMath", FOLDED, 6, 0, "MULTIPLY")
    tree.links.new(picture.outputs["Color"], step.inputs[0])
    tree.links.new(step.outputs[0], both.inputs[0])
    tree.links.new(shown.outputs[0], both.inputs[1])
    tree.links.new(both.outputs["Value"], scaled.inputs[0])
    tree.links.new(scaled.outputs[0], factor.inputs["Gamma"])
    tree.links.new(factor.outputs[0], folded.inputs[1])
    tree.links.new(base.links[0].from_socket, folded.inputs[0])
    tree.links.new(folded.outputs[0], base)


def _drive(
    socket: bpy.types.NodeSocket, keys: bpy.types.Key, names: tuple[str, ...], parts: NDArray
) -> None:
    """``socket`` is the sum of the shape keys ``names``, each times its part, within 0..1."""
    socket.driver_remove("default_value")
    socket.default_value = 0.0
    used = [index for index in np.flatnonzero(parts) if names[index] in keys.key_blocks]
    if not used:
        return
    driver = socket.driver_add("default_value").driver
    # Blender computes expressions as simple as this itself, also where scripts may not run.
    driver.type = "SCRIPTED"
    terms = []
    for letter, index in zip("abcdefghijkl", used, strict=False):
        variable = driver.variables.new()
        variable.name = letter
        target = variable.targets[0]
        target.id_type, target.id = "KEY", keys
        target.data_path = value_path(names[index])
        terms.append(f"{parts[index]:.4g}*{letter}")
    driver.expression = f"max(0, min(1, {' + '.join(terms)}))"
