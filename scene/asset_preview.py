"""A small picture of a head, drawn without a GPU, a window or a render: for assets.

A frontal, orthographic view with the head's texture and a fixed light.  Cycles would take seconds
and need a scene; this takes about half a second.
"""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.geometry.triangles import triangle_normals
from .eye_materials import is_seen_through

SIZE = 256
#: Between the points that fill a triangle, in pixels: so close that no pixel is left out.
_SPACING = 0.6
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
    seen = normals[:, 1] < 0  # a head faces -Y
    corners, colours = _to_pixels(corners, size)[seen], _lit(colours, normals)[seen]
    return _splat(*_samples(corners, colours), size)


def _triangles(mesh: bpy.types.Mesh, head: bpy.types.Object) -> tuple[NDArray, NDArray, NDArray]:
    """(F, 3, 3) corners in object coordinates, (F, 3) normals, (F, 3, 4) colours of the corners."""
    mesh.calc_loop_triangles()
    triangles = mesh.loop_triangles
    count = len(triangles)
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    ids = np.empty(3 * count, np.int32)
    triangles.foreach_get("vertices", ids)
    points, faces = vertices.reshape(-1, 3), ids.reshape(count, 3)
    slots = np.empty(count, np.int32)
    triangles.foreach_get("material_index", slots)
    clear = [m is not None and is_seen_through(m) for m in head.data.materials]
    shown = ~np.isin(slots, np.flatnonzero(clear))
    drawn = (points[faces], triangle_normals(points, faces), _colours(mesh, head))
    return drawn[0][shown], drawn[1][shown], drawn[2][shown]


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


def _to_pixels(corners: NDArray, size: int) -> NDArray[np.float32]:
    """(F, 3, 3) corners as x, depth (lower is nearer) and y in pixels, the head in the middle."""
    if not len(corners):
        return corners
    points = corners.reshape(-1, 3)
    low, high = points.min(0), points.max(0)
    scale = 0.94 * size / max(high[0] - low[0], high[2] - low[2], 1e-9)
    return (corners - (low + high) / 2) * scale + size / 2


def _lit(colours: NDArray, normals: NDArray) -> NDArray[np.float32]:
    """(F, 3, 3) RGB of the corners with flat shading."""
    light = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ _LIGHT.astype(np.float32), 0, 1)
    return colours[..., :3] * light[:, None, None]


def _samples(corners: NDArray, colours: NDArray) -> tuple[NDArray, NDArray]:
    """(N, 3) points all over the triangles, as close as the pixels need; (N, 3) their colours."""
    flat = corners[..., [0, 2]]
    edges = np.linalg.norm(flat - np.roll(flat, 1, axis=1), axis=2).max(1)
    steps = np.maximum(np.ceil(edges / _SPACING).astype(int), 1)
    points, shades = [np.empty((0, 3), np.float32)], [np.empty((0, 3), np.float32)]
    for count in np.unique(steps):
        weights = _barycentric(int(count))
        here = steps == count
        points.append(np.einsum("sc,fcx->fsx", weights, corners[here]).reshape(-1, 3))
        shades.append(np.einsum("sc,fcx->fsx", weights, colours[here]).reshape(-1, 3))
    return np.concatenate(points), np.concatenate(shades)


def _barycentric(steps: int) -> NDArray[np.float32]:
    """(S, 3) weights of points spread evenly over a triangle, ``steps`` along an edge."""
    a, b = (x.ravel() for x in np.meshgrid(np.arange(steps), np.arange(steps)))
    inside = a + b < steps
    a, b = (a[inside] + 1 / 3) / steps, (b[inside] + 1 / 3) / steps
    return np.stack([1 - a - b, a, b], 1).astype(np.float32)


def _splat(points: NDArray, shades: NDArray, size: int) -> NDArray[np.float32]:
    """Each point on its pixel, the nearest one last."""
    picture = np.zeros((size, size, 4), np.float32)
    x, y = (np.clip(points[:, axis], 0, size - 1).astype(int) for axis in (0, 2))
    # Of several values for one place numpy keeps the last: sort by depth, nearest last.
    order = np.argsort(-points[:, 1], kind="stable")
    picture[y[order], x[order], :3] = np.clip(shades[order], 0, 1)
    picture[y[order], x[order], 3] = 1.0
    return picture
