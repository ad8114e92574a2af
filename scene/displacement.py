"""The skin's finest relief as the material's displacement.

The normal map shows it in every renderer, and that is what is on at first.  Who wants it as
geometry sets the material's displacement to "Displacement Only" or "Displacement and Bump" and
subdivides finely, as Cycles asks for it: the normal map gives way by a driver then, so that nothing
is there twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .eye_materials import KIND
from .materials import SOCKETS, role_of

#: Role of the picture (``materials.PICTURES``): mm, 0 being the mesh.
ROLE = "displacement"
#: Nodes by name: the strength, which users change, and what chooses between normal map and
#: geometry.
STRENGTH, CHOICE = "Detail strength", "Normal map or geometry"
#: Inputs of ``CHOICE``, a Mix node of vectors: where the normal map and the geometry go in.
MAPPED, _GEOMETRY = 4, 5
_SCALE, _NODE = "Millimetres to metres", "Detail"


def add_displacement(head: bpy.types.Object, images: dict[str, bpy.types.Image]) -> None:
    """Give the skin of ``head`` the displacement in ``images``, by role; before the wrinkles.

    Nothing happens where there is none.
    """
    if ROLE not in images:
        return
    for material in _skins(head):
        if _is_free(material.node_tree):
            _add_nodes(material, images[ROLE])


def remove_displacement(head: bpy.types.Object) -> None:
    """Take out what :func:`add_displacement` added, and its picture where nobody else uses it."""
    for material in _skins(head):
        tree: Any = material.node_tree
        choice = tree.nodes.get(CHOICE)
        if choice is not None:
            fed = [link.to_socket for link in choice.outputs[0].links]
            plain = choice.inputs[MAPPED].links
            for socket in fed if plain else ():
                tree.links.new(plain[0].from_socket, socket)
        images = set()
        for node in list(tree.nodes):
            if node.get(ROLE):
                images.add(node.image if node.type == "TEX_IMAGE" else None)
                tree.nodes.remove(node)
        for image in images - {None}:
            if image.users == 0:
                bpy.data.images.remove(image)


def displacement_image(head: bpy.types.Object) -> bpy.types.Image | None:
    """The picture of the displacement of ``head``, if it has one."""
    for material in _skins(head):
        for node in material.node_tree.nodes:
            image = node.image if node.type == "TEX_IMAGE" else None
            if image is not None and image.packed_file and role_of(image) == ROLE:
                return image
    return None


def _skins(head: bpy.types.Object) -> Iterator[Any]:
    for material in head.data.materials:
        if material is not None and material.get(KIND) == "skin" and material.node_tree:
            yield material


def _is_free(tree: Any) -> bool:
    """Whether nothing feeds the displacement: else it is the user's own."""
    output = next((node for node in tree.nodes if node.type == "OUTPUT_MATERIAL"), None)
    return output is not None and not output.inputs["Displacement"].links


def _add_nodes(material: Any, image: bpy.types.Image) -> None:
    tree = material.node_tree
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    shader = next((node for node in tree.nodes if node.type == "BSDF_PRINCIPLED"), None)
    frame = tree.nodes.new("NodeFrame")
    frame.label = frame.name = "Detail: relief finer than the mesh, in mm"
    frame[ROLE] = True

    def new(kind: str, name: str, column: int, row: int = 0) -> Any:
        node = tree.nodes.new(kind)
        node.name, node.label, node.parent = name, name, frame
        node[ROLE] = True
        x, y = output.location
        node.location = (x + 220 * (column - 4), y - 900 - 200 * row)
        return node

    picture = new("ShaderNodeTexImage", "Displacement", 0)
    picture.image, picture.interpolation = image, "Cubic"
    strength = new("ShaderNodeValue", STRENGTH, 0, 2)
    strength.outputs[0].default_value = 1.0
    metres = new("ShaderNodeMath", _SCALE, 1, 2)
    metres.operation = "MULTIPLY"
    metres.inputs[1].default_value = 0.001
    displace = new("ShaderNodeDisplacement", _NODE, 2)
    displace.inputs["Midlevel"].default_value = 0.0
    tree.links.new(strength.outputs[0], metres.inputs[0])
    tree.links.new(metres.outputs[0], displace.inputs["Scale"])
    tree.links.new(picture.outputs["Color"], displace.inputs["Height"])
    tree.links.new(displace.outputs[0], output.inputs["Displacement"])
    material.displacement_method = "BUMP"
    if shader is None or not shader.inputs[SOCKETS["normal"]].links:
        return
    geometry = new("ShaderNodeNewGeometry", "Geometry", 0, 3)
    choice = new("ShaderNodeMix", CHOICE, 2, 2)
    choice.data_type = "VECTOR"
    mapped = shader.inputs[SOCKETS["normal"]].links[0].from_socket
    tree.links.new(mapped, choice.inputs[MAPPED])
    tree.links.new(geometry.outputs["Normal"], choice.inputs[_GEOMETRY])
    tree.links.new(choice.outputs[1], shader.inputs[SOCKETS["normal"]])
    driver = choice.inputs[0].driver_add("default_value").driver
    driver.type = "MAX"  # no expression: 0 for bump only, 1 and 2 for geometry, clamped by the node
    variable = driver.variables.new()
    target = variable.targets[0]
    target.id_type, target.id = "MATERIAL", material
    target.data_path = "displacement_method"
