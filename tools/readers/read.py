"""What other programs' readers make of a file, as JSON on standard output; a process of its own.

python read.py fbx FILE KEY...     ufbx: units, axes, levels, bones, where each KEY moves vertices
python read.py assimp FILE         assimp, with its own check of the data
python read.py usd FILE KEY...     Pixar's validators, and where each blend shape KEY moves points
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def moved(points: np.ndarray, change: np.ndarray) -> dict[str, Any]:
    """How many of ``points`` (V, 3) ``change`` moves, where they are and whereto they go, weighted
    by how far; as ``read.mjs`` tells it."""
    far = np.linalg.norm(change, axis=1)
    count = int((far > 1e-5 * np.ptp(points, axis=0).max()).sum())
    total = max(float(far.sum()), 1e-30)
    return {
        "count": count,
        "most": float(far.max()),
        "place": ((points * far[:, None]).sum(0) / total).tolist(),
        "way": ((change * far[:, None]).sum(0) / total).tolist(),
    }


#: ufbx 0.0.5 crashes when it frees some of its objects: none is freed before the process ends.
_KEPT: list[Any] = []


def _each(things: Any) -> Iterator[Any]:
    """The elements of a list of ufbx', all of them kept."""
    _KEPT.append(things)
    for thing in things:
        _KEPT.append(thing)
        yield thing


def fbx(path: str, *keys: str) -> dict[str, Any]:
    """Numbers are in metres: those of the file times its unit, with the places of its nodes."""
    import ufbx

    scene = ufbx.load_file(path)
    settings, metadata = scene.settings, scene.metadata
    axes, unit = settings.axes, settings.unit_meters
    _KEPT.extend((scene, settings, metadata, axes))
    return {
        "unit": unit,
        "axes": [axes.right.name, axes.up.name, axes.front.name],
        "warnings": [warning.description for warning in _each(metadata.warnings)],
        "groups": [
            {"name": node.name, "levels": [child.name for child in _each(node.children)]}
            for group in _each(scene.lod_groups)
            for node in _each(group.instances)
        ],
        "textures": [len(texture.content) for texture in _each(scene.textures)],
        "meshes": [_fbx_mesh(mesh, unit, keys) for mesh in _each(scene.meshes)],
    }


def _fbx_mesh(mesh: Any, unit: float, keys: Sequence[str]) -> dict[str, Any]:
    (node,) = _each(mesh.instances)
    world = node.geometry_to_world
    matrix = np.array([[c.x, c.y, c.z] for c in (world.c0, world.c1, world.c2, world.c3)]).T
    points = np.array(mesh.vertices, float) @ matrix[:, :3].T + matrix[:, 3]
    shapes = {}
    for deformer in _each(mesh.blend_deformers):
        for channel in _each(deformer.channels):
            (keyframe,) = _each(channel.keyframes)
            shape = keyframe.shape
            _KEPT.append(shape)
            change = np.zeros_like(points)
            offsets = np.array(shape.position_offsets, float).reshape(-1, 3)
            change[np.array(shape.offset_vertices, int)] = offsets
            shapes[channel.name] = change @ matrix[:, :3].T
    weights, bones = np.zeros(len(points)), []
    for skin in _each(mesh.skin_deformers):
        for cluster in _each(skin.clusters):
            bones.append(cluster.name)
            np.add.at(weights, np.array(cluster.vertices, int), np.array(cluster.weights))
    return {
        "name": node.name,
        "triangles": mesh.num_triangles,
        "box": [(points.min(0) * unit).tolist(), (points.max(0) * unit).tolist()],
        "turned": bool(np.abs(matrix[:, :3] - np.eye(3)).max() > 1e-6),
        "keys": list(shapes),
        "bones": bones,
        "weights": [float(weights.min()), float(weights.max())],
        "moved": {key: moved(points * unit, shapes[key] * unit) for key in keys if key in shapes},
    }


def assimp(path: str) -> dict[str, Any]:
    """Raises where assimp's ValidateDataStructure finds something."""
    import assimp_py

    steps = assimp_py.Process_Triangulate | assimp_py.Process_ValidateDataStructure
    scene = assimp_py.import_file(path, steps)
    points = [np.array(mesh.vertices).reshape(-1, 3) for mesh in scene.meshes]
    every = np.concatenate(points)
    return {
        "meshes": sorted({mesh.name for mesh in scene.meshes}),
        "triangles": sum(mesh.num_faces for mesh in scene.meshes),
        "materials": len(scene.materials),
        "box": [every.min(0).tolist(), every.max(0).tolist()],
    }


def usd(path: str, *keys: str) -> dict[str, Any]:
    """Every validator of USD's own, all findings; and the shapes of the first mesh that has any."""
    from pxr import Usd, UsdGeom, UsdSkel, UsdValidation

    stage = Usd.Stage.Open(path)
    every = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    errors = UsdValidation.ValidationContext(every).Validate(stage)
    found: dict[str, Any] = {
        "validators": len(every),
        "errors": [f"{error.GetName()}: {error.GetMessage()}" for error in errors],
        "metres": UsdGeom.GetStageMetersPerUnit(stage),
        "up": UsdGeom.GetStageUpAxis(stage),
    }
    for prim in stage.Traverse():
        binding = UsdSkel.BindingAPI(prim)
        names = binding.GetBlendShapesAttr().Get()
        if not names:
            continue
        matrix = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(0))
        points = np.array(UsdGeom.Mesh(prim).GetPointsAttr().Get(), float)
        targets = binding.GetBlendShapeTargetsRel().GetTargets()
        shapes = {}
        for name, target in zip(names, targets, strict=True):
            shape = UsdSkel.BlendShape(stage.GetPrimAtPath(target))
            change = np.zeros_like(points)
            indices = shape.GetPointIndicesAttr().Get()
            offsets = np.array(shape.GetOffsetsAttr().Get(), float)
            change[np.array(indices, int) if indices else slice(None)] = offsets
            shapes[str(name)] = change @ matrix[:3, :3]
        points = points @ matrix[:3, :3] + matrix[3, :3]
        found |= {
            "keys": list(shapes),
            "box": [points.min(0).tolist(), points.max(0).tolist()],
            "moved": {key: moved(points, shapes[key]) for key in keys if key in shapes},
        }
        break
    return found


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    print(json.dumps({"fbx": fbx, "assimp": assimp, "usd": usd}[command](*rest)), flush=True)
    os._exit(0)  # for what _KEPT says
