"""A small picture of a head, drawn without a GPU, a window or a render: for assets.

A frontal, orthographic view with the head's texture and a fixed light.  Cycles would take seconds
and need a scene; this takes a tenth of one.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

SIZE = 256
#: Points per triangle edge: triangles are a few pixels large, so these leave no holes.
_STEPS = 5
#: Towards the light: from the front, above and the head's right.
_LIGHT = np.array([-0.35, -0.75, 0.56])
_AMBIENT = 0.35


def draw_head(head: bpy.types.Object, size: int = SIZE) -> NDArray[np.float32]:
    """(size, size, 4) float32 RGBA of ``head`` as it is now, row 0 at the bottom, sRGB, 0..1."""
    graph = bpy.context.evaluated_depsgraph_get()
    evaluated = head.evaluated_get(graph)
    mesh = evaluated.to_mesh()
    try:
        corners, normals, colours = _triangles(mesh, head)
    finally:
        evaluated.to_mesh_clear()
    points, shades = _samples(corners, normals, colours)
    return _splat(points, shades, size)


def _triangles(mesh: bpy.types.Mesh, head: bpy.types.Object) -> tuple[NDArray, NDArray, NDArray]:
    """(F, 3, 3) corners in object coordinates, (F, 3) normals, (F, 3, 4) colours of the corners."""
    mesh.calc_loop_triangles()
    triangles = mesh.loop_triangles
    count = len(triangles)
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    ids = np.empty(3 * count, np.int32)
    triangles.foreach_get("vertices", ids)
    corners = vertices.reshape(-1, 3)[ids].reshape(count, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return corners, normals, _colours(mesh, head)


def _colours(mesh: bpy.types.Mesh, head: bpy.types.Object) -> NDArray[np.float32]:
    """(F, 3, 4) from the texture where a material has one, else the material's viewport colour."""
    triangles = mesh.loop_triangles
    count = len(triangles)
    slots = np.empty(count, np.int32)
    triangles.foreach_get("material_index", slots)
    loops = np.empty(3 * count, np.int32)
    triangles.foreach_get("loops", loops)
    out = np.full((count, 3, 4), 0.8, np.float32)
    uv = None
    if mesh.uv_layers.active is not None:
        uv = np.empty(2 * len(mesh.loops), np.float32)
        mesh.uv_layers.active.uv.foreach_get("vector", uv)
        uv = uv.reshape(-1, 2)[loops].reshape(count, 3, 2)
    pictures: dict[str, NDArray] = {}
    for slot, material in enumerate(head.data.materials):
        here = slots == slot
        if material is None or not here.any():
            continue
        image = _texture(material)
        if image is None or uv is None:
            out[here] = np.clip(np.asarray(material.diffuse_color), 0, 1) ** (1 / 2.2)
            continue
        if image.name not in pictures:
            pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
            image.pixels.foreach_get(pixels)
            pictures[image.name] = pixels.reshape(image.size[1], image.size[0], image.channels)
        picture = pictures[image.name]
        x = np.clip(uv[here][..., 0] * image.size[0], 0, image.size[0] - 1).astype(int)
        y = np.clip(uv[here][..., 1] * image.size[1], 0, image.size[1] - 1).astype(int)
        out[here, :, :3] = picture[y, x][..., :3]
    return out


def _texture(material: bpy.types.Material) -> bpy.types.Image | None:
    """The first picture of ``material`` that can be read, as colours."""
    for node in material.node_tree.nodes if material.node_tree is not None else ():
        image = node.image if isinstance(node, bpy.types.ShaderNodeTexImage) else None
        if image is not None and min(image.size) > 0 and image.channels >= 3:
            return image
    return None


def _samples(corners: NDArray, normals: NDArray, colours: NDArray) -> tuple[NDArray, NDArray]:
    """(N, 3) points all over the triangles that face the viewer; (N, 3) their shaded colours."""
    seen = normals[:, 1] < 0  # a head faces -Y
    corners, normals, colours = corners[seen], normals[seen], colours[seen]
    steps = np.arange(_STEPS)
    a, b = (x.ravel() for x in np.meshgrid(steps, steps))
    inside = a + b < _STEPS
    a, b = (a[inside] + 1 / 3) / _STEPS, (b[inside] + 1 / 3) / _STEPS
    weights = np.stack([1 - a - b, a, b], 1).astype(np.float32)
    points = np.einsum("sc,fcx->fsx", weights, corners)
    light = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ _LIGHT.astype(np.float32), 0, 1)
    shades = np.einsum("sc,fcx->fsx", weights, colours[..., :3]) * light[:, None, None]
    return points.reshape(-1, 3), shades.reshape(-1, 3)


def _splat(points: NDArray, shades: NDArray, size: int) -> NDArray[np.float32]:
    """Each point on its pixel, the nearest one last; a pixel between two rows is never left out."""
    picture = np.zeros((size, size, 4), np.float32)
    if not len(points):
        return picture
    low, high = points.min(0), points.max(0)
    scale = 0.94 * size / max(high[0] - low[0], high[2] - low[2], 1e-9)
    middle = (low + high) / 2
    x = np.clip((points[:, 0] - middle[0]) * scale + size / 2, 0, size - 1).astype(int)
    y = np.clip((points[:, 2] - middle[2]) * scale + size / 2, 0, size - 1).astype(int)
    # Of several values for one place numpy keeps the last: sort by depth, nearest (lowest y) last.
    order = np.argsort(-points[:, 1], kind="stable")
    picture[y[order], x[order], :3] = np.clip(shades[order], 0, 1)
    picture[y[order], x[order], 3] = 1.0
    return picture
