"""What Blender's FBX exporter (4.2 to 5.2) leaves out or leaves in, put right in the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from .fbx_tree import Tree, encode, parse

#: Nodes that hold the path of a picture; the property ``P`` of that name does too.
_PATHS = ("FileName", "Filename", "RelativeFilename")
#: Normals are rounded to this (0.001 degrees): what lies below is noise that does not compress.
_STEP = 2.0**-16


def mend(path: Path, name: str, normal_offsets: Mapping[str, NDArray]) -> None:
    """Give the shapes in ``path`` normals and the clip a ``name``, and forget all folders.

    ``normal_offsets``: by the name of a shape key (V, 3) what it adds to the vertices' unit
    normals, in the axes of the object.  Blender writes zeros, so that a program that takes a
    shape's normals from the file lights a smile as if the face were at rest.  Textures are inside
    the file and named without a folder: Blender's path is that of the folder it was written in.
    """
    tree = parse(path.read_bytes())
    _set_normals(tree, normal_offsets)
    _forget_folders(tree, path.name)
    _name_clip(tree, name)
    path.write_bytes(encode(tree))


def _set_normals(tree: Tree, normal_offsets: Mapping[str, NDArray]) -> None:
    for shape in tree.root.find("Objects", "Geometry"):
        name = shape.text(1).split("\0")[0]
        if shape.text(2) != "Shape" or name not in normal_offsets:
            continue
        (indices,) = shape.find("Indexes")
        for normals in shape.find("Normals"):
            offsets = normal_offsets[name][indices.array()]
            normals.set_array(np.round(offsets / _STEP) * _STEP)


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
