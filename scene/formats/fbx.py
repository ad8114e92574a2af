"""What Blender's FBX exporter (4.2 to 5.2) leaves out or leaves in, put right in the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from .fbx_tree import Node, Tree, encode, parse

#: Nodes that hold the path of a picture; the property ``P`` of that name does too.
_PATHS = ("FileName", "Filename", "RelativeFilename")
#: Normals are rounded to this (0.001 degrees): what lies below is noise that does not compress.
_STEP = 2.0**-16


#: Of :func:`mend`: by the name of a mesh, by that of its shape key (V, 3) unit normals' changes.
NormalOffsets = Mapping[str, Mapping[str, NDArray]]


def mend(
    path: Path,
    name: str,
    normal_offsets: NormalOffsets,
    *,
    y_up_centimetres: float | None = None,
    levels: str = "",
) -> None:
    """Give the shapes in ``path`` normals and the clip a ``name``, and forget all folders.

    ``normal_offsets``: by the name of a mesh, then of a shape key, (V, 3) what it adds to the
    vertices' unit normals, in the axes of the object.  Blender writes zeros, so that a program that
    takes a shape's normals from the file lights a smile as if the face were at rest.  Textures are
    inside the file and named without a folder: Blender's path is that of the folder it was written
    in.

    ``y_up_centimetres``: the numbers were written as they are and mean y up, the face along z; how
    many centimetres 1 is.  ``levels``: the name of an empty that becomes a LOD group.
    """
    tree = parse(path.read_bytes())
    _set_normals(tree, normal_offsets)
    _forget_folders(tree, path.name)
    _name_clip(tree, name)
    if y_up_centimetres is not None:
        _set_axes(tree, y_up_centimetres)
    if levels:
        _group_levels(tree, levels)
    path.write_bytes(encode(tree))


def _set_normals(tree: Tree, normal_offsets: NormalOffsets) -> None:
    above = {
        link.number(1): link.number(2)
        for link in tree.root.find("Connections", "C")
        if link.text(0) == "OO"
    }
    meshes = {
        mesh.number(0): _name_of(mesh)
        for mesh in tree.root.find("Objects", "Geometry")
        if mesh.text(2) == "Mesh"
    }
    for shape in tree.root.find("Objects", "Geometry"):
        if shape.text(2) != "Shape":
            continue
        # A shape hangs on a channel, that on a deformer, that on the mesh.
        place = shape.number(0)
        for _ in range(3):
            place = above.get(place, 0)
        found = normal_offsets.get(meshes.get(place, ""), {}).get(_name_of(shape))
        if found is None:
            continue
        (indices,) = shape.find("Indexes")
        for normals in shape.find("Normals"):
            offsets = found[indices.array()]
            normals.set_array(np.round(offsets / _STEP) * _STEP)


def _name_of(node: Node) -> str:
    return node.text(1).split("\0")[0]


#: The FBX SDK's numbers of axes, for y up, the front along z, x to the side.
_AXES = {
    "UpAxis": 1, "UpAxisSign": 1, "FrontAxis": 2, "FrontAxisSign": 1, "CoordAxis": 0,
    "CoordAxisSign": 1, "OriginalUpAxis": 1, "OriginalUpAxisSign": 1,
}  # fmt: skip


def _set_axes(tree: Tree, centimetres: float) -> None:
    """Say of the numbers what they mean: Blender would turn and scale every object instead."""
    for node in tree.root.find("GlobalSettings", "Properties70", "P"):
        what = node.text(0)
        if what in _AXES:
            node.set_integer(4, _AXES[what])
        elif what in ("UnitScaleFactor", "OriginalUnitScaleFactor"):
            node.set_double(4, centimetres)


def _group_levels(tree: Tree, name: str) -> None:
    """The empty ``name`` as a LOD group, whose children are the levels in their order.

    ``LodGroup`` as the FBX SDK's ``FbxLODGroup`` is stored: a model and an attribute of that class.
    """
    for model in tree.root.find("Objects", "Model"):
        if _name_of(model) != name or model.text(2) != "Null":
            continue
        model.set_text(2, "LodGroup")
        below = {
            link.number(1)
            for link in tree.root.find("Connections", "C")
            if link.text(0) == "OO" and link.number(2) == model.number(0)
        }
        for attribute in tree.root.find("Objects", "NodeAttribute"):
            if attribute.number(0) in below:
                attribute.set_text(2, "LodGroup")
                for flags in attribute.find("TypeFlags"):
                    flags.set_text(0, "LodGroup")


def _forget_folders(tree: Tree, name: str) -> None:
    for node in tree.root.walk():
        if node.name in _PATHS and node.text(0):
            node.set_text(0, _file_name(node.text(0)))
        elif node.name == "P" and len(node.properties) > 4:
            what = node.text(0)
            if what == "Path":
                node.set_text(4, _file_name(node.text(4)))
            elif what in ("DocumentUrl", "SrcDocumentUrl", "Original|FileName"):
                node.set_text(4, name)  # Blender writes /foobar.fbx
            elif what == "Original|ApplicationNativeFile":
                node.set_text(4, "")  # the path of the .blend


def _name_clip(tree: Tree, name: str) -> None:
    """Blender names it after the scene."""
    clips = [*tree.root.find("Objects", "AnimationStack")]
    for node in (*clips, *tree.root.find("Objects", "AnimationLayer")):
        _, mark, kind = node.text(1).partition("\0\1")
        if mark:
            node.set_text(1, name + mark + kind)
    for node in (*tree.root.find("Takes", "Take"), *tree.root.find("Takes", "Current")):
        if clips and node.text(0):
            node.set_text(0, name)


def _file_name(path: str) -> str:
    return PureWindowsPath(path).name  # takes both kinds of separators
