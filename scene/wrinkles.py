"""Wrinkles of the skin that its shape keys drive.

The two halves of the face have a map each, a channel for every group of expressions.  What the keys
of a group are worth at most decides how deep its channel goes; a Bump node lays that over the
relief that is always there, and grooves are as much darker as less light gets into them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

from ..backend.exchange.wrinkles import DEEPEST_MM, GROUPS
from .actions import value_path
from .displacement import CHOICE, MAPPED
from .displacement import ROLE as DISPLACEMENT
from .eye_materials import KIND
from .folds import FOLDED
from .folds import ROLE as FOLDS
from .materials import SOCKETS, is_ours

#: The node that lays wrinkles over the relief, by its name.
WRINKLES = "Wrinkles"
#: The node whose factor says how deep they are, 1 being ``_DEEPER`` times as deep as the middle.
DEPTH, _DEEPER = "Depth of wrinkles", 2.0
#: The node that darkens them, and what part of its light the deepest loses, by eye.
SHADED, SHADE = "Shaded wrinkles", 0.25
#: Roles of the maps (``materials.PICTURES``), right half first.
ROLES = ("wrinkles right", "wrinkles left")
_X, _Y = -900, -320
#: Nodes that shape keys drive, and the shader's inputs that they feed: which of their own inputs
#: has what is always there.
_DRIVEN = {
    (WRINKLES, SOCKETS["normal"]): "Normal",
    (FOLDED, SOCKETS["colour"]): 0,
    (SHADED, SOCKETS["colour"]): 0,
    (CHOICE, SOCKETS["normal"]): MAPPED,
}
#: Those of them that another may lie over.
_BEHIND = {CHOICE: MAPPED, SHADED: 0}
#: Roles of pictures that only Blender makes something of.
DRIVEN_ROLES = (*ROLES, FOLDS)


def add_wrinkles(head: bpy.types.Object, images: dict[str, bpy.types.Image]) -> None:
    """Give the skin of ``head``, which has shape keys, the wrinkles in ``images``, by role.

    Nothing happens where there are none, or where ``head`` lacks the shape keys.
    """
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    keys = mesh.shape_keys
    known = {name for group in GROUPS for side in group.expressions for name in side}
    if keys is None or not known <= set(keys.key_blocks.keys()) or not set(ROLES) <= set(images):
        return
    for material in mesh.materials:
        if material is not None and material.get(KIND) == "skin":
            _add_nodes(material.node_tree, keys, [images[role] for role in ROLES])


def _add_nodes(tree: Any, keys: bpy.types.Key, halves: list[bpy.types.Image]) -> None:
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    frame = tree.nodes.new("NodeFrame")
    frame.label = frame.name = "Wrinkles: as deep as the shape keys say"

    def new(kind: str, name: str, column: int, row: int) -> Any:
        node = tree.nodes.new(kind)
        node.name, node.label, node.parent = name, name, frame
        x, y = shader.location
        node.location = (x + _X + 260 * column, y - 1400 + _Y * row)
        return node

    height = None
    for side, (half, image) in enumerate(zip(("right", "left"), halves, strict=True)):
        picture = new("ShaderNodeTexImage", f"Wrinkles {half}", -3, 3 * side)
        picture.image = image
        channels = new("ShaderNodeSeparateColor", f"Groups {half}", -2, 3 * side)
        tree.links.new(picture.outputs["Color"], channels.inputs["Color"])
        for row, group in enumerate(GROUPS):
            depth = new("ShaderNodeValue", f"{group.name} {half}".capitalize(), -1, 3 * side + row)
            _drive(depth.outputs[0], keys, group.expressions[side])
            add = new("ShaderNodeMath", f"Add {group.name} {half}", 0, 3 * side + row)
            add.operation = "MULTIPLY_ADD"
            tree.links.new(channels.outputs[row], add.inputs[0])
            tree.links.new(depth.outputs[0], add.inputs[1])
            add.inputs[2].default_value = 0.0
            if height is not None:
                tree.links.new(height, add.inputs[2])
            height = add.outputs[0]
    depth = new("ShaderNodeMix", DEPTH, 1, 1)  # from none to all of B
    depth.inputs["Factor"].default_value = 1 / _DEEPER
    deeper = new("ShaderNodeMath", "Deepest", 1, 3)
    deeper.operation = "MULTIPLY"
    deeper.inputs[1].default_value = _DEEPER
    tree.links.new(height, deeper.inputs[0])
    tree.links.new(deeper.outputs[0], depth.inputs["B"])
    height = depth.outputs["Result"]
    bump = new("ShaderNodeBump", WRINKLES, 1, 0)
    bump.invert = True  # the maps hold depth
    bump.inputs["Strength"].default_value = 1.0
    bump.inputs["Distance"].default_value = DEEPEST_MM / 1000
    tree.links.new(height, bump.inputs["Height"])
    relief = shader.inputs[SOCKETS["normal"]]
    if relief.links:
        tree.links.new(relief.links[0].from_socket, bump.inputs["Normal"])
    tree.links.new(bump.outputs["Normal"], relief)
    base = shader.inputs[SOCKETS["colour"]]
    if base.links:
        light = new("ShaderNodeMath", "Light in wrinkles", 1, 2)
        light.operation = "MULTIPLY_ADD"
        light.inputs[1].default_value, light.inputs[2].default_value = -SHADE, 1.0
        shaded = new("ShaderNodeVectorMath", SHADED, 2, 2)
        shaded.operation = "SCALE"
        tree.links.new(height, light.inputs[0])
        tree.links.new(light.outputs[0], shaded.inputs["Scale"])
        tree.links.new(base.links[0].from_socket, shaded.inputs[0])
        tree.links.new(shaded.outputs[0], base)


def wrinkle_depth(head: bpy.types.Object) -> bpy.types.NodeSocket | None:
    """The socket whose value, 0 to 1, is how deep the wrinkles of ``head`` get; a half unless the
    user has changed it.  None where it has none."""
    for material in head.data.materials:
        if material is not None and material.get(KIND) == "skin" and material.node_tree:
            node = material.node_tree.nodes.get(DEPTH)
            if node is not None and node.type == "MIX":
                return node.inputs["Factor"]
    return None


def _drive(socket: bpy.types.NodeSocket, keys: bpy.types.Key, names: tuple[str, ...]) -> None:
    """``socket`` follows the largest of the shape keys ``names``."""
    driver = socket.driver_add("default_value").driver
    driver.type = "MAX"  # no expression: Blender runs those of strangers' files only when told to
    for name in names:
        variable = driver.variables.new()
        target = variable.targets[0]
        target.id_type, target.id = "KEY", keys
        target.data_path = value_path(name)


def without_wrinkles(tree: Any) -> None:
    """Leave the wrinkles out of the skin's nodes ``tree``, and all else as it is."""
    for link in list(tree.links):
        source, fed = link.from_node, link.to_socket
        if (source.name, source.type) in ((WRINKLES, "BUMP"), (SHADED, "VECT_MATH")):
            plain = source.inputs["Normal" if source.name == WRINKLES else 0].links
            tree.links.remove(link)
            if plain:
                tree.links.new(plain[0].from_socket, fed)


@contextmanager
def as_exported(head: bpy.types.Object, *, specular: bool = True) -> Iterator[None]:
    """The skin of ``head`` wired as exporters understand it: relief and colour straight into the
    shader, and no displacement, which they would write without its scale.

    ``specular`` False takes the map of the specular level out too: in glTF it is an alpha channel,
    which Blender's exporter does not make of a grey picture, and the file would hold one that says
    nothing.
    """
    changed: list[tuple[Any, Any, Any]] = []
    for material in head.data.materials:
        if material is None or material.get(KIND) != "skin" or material.node_tree is None:
            continue
        tree: Any = material.node_tree
        for link in list(tree.links):
            source, fed = link.from_node, link.to_socket
            before = _DRIVEN.get((source.name, fed.name))
            if before is not None:
                changed.append((tree, link.from_socket, fed))
                plain = source.inputs[before].links
                tree.links.remove(link)
                while plain and plain[0].from_node.name in _BEHIND:
                    plain = plain[0].from_node.inputs[_BEHIND[plain[0].from_node.name]].links
                if plain:
                    tree.links.new(plain[0].from_socket, fed)
            elif (fed.name == "Displacement" and source.get(DISPLACEMENT)) or (
                not specular and fed.name == SOCKETS["specular"] and _is_map(source)
            ):
                changed.append((tree, link.from_socket, fed))
                tree.links.remove(link)
    try:
        yield
    finally:
        for tree, source, fed in changed:
            tree.links.new(source, fed)


def _is_map(node: bpy.types.Node) -> bool:
    return node.type == "TEX_IMAGE" and is_ours(node.image)
