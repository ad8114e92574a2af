"""Hair as Cycles curves: scalp, brows, beard."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from numpy.typing import NDArray
from reconstruct_face.backend.geometry.triangles import triangle_areas, triangle_normals
from reconstruct_face.scene.coordinates import to_blender

#: Linear RGB of a fibre seen from the side: black, brown, chestnut, blond, red, grey.
COLOURS = np.array(
    [(0.010, 0.008, 0.007), (0.030, 0.017, 0.010), (0.085, 0.045, 0.022), (0.30, 0.20, 0.10),
     (0.20, 0.062, 0.022), (0.36, 0.35, 0.33)]
)  # fmt: skip
BALD_SHARE = 0.2
POINTS = 9  #: per strand
GUIDES = 350  #: strands that are bent round the head; the others follow them


@dataclass(frozen=True)
class Style:
    """How hair grows; lengths in mm."""

    length: float
    lift: float  #: how far it stands off the root, against lying along ``comb``
    comb: tuple[float, float, float]  #: direction it is combed in, head axes
    fall: float  #: how soon it hangs down
    curl: float  #: amplitude
    clump: float  #: how far strands stray from their guide
    count: int
    radius: float
    roots: float  #: of the mask's value


def random_colour(tone: float, rng: np.random.Generator) -> NDArray:
    """(3,) linear RGB; light hair on dark skin (Monk ``tone`` 0..9) is rare."""
    light = np.array([1.0, 1.5, 1.0, 0.8, 0.25, 0.5])
    dark = np.array([3.0, 1.0, 0.15, 0.02, 0.02, 0.4])
    shares = light + (dark - light) * np.clip(tone / 6, 0, 1)
    colour = COLOURS[rng.choice(len(COLOURS), p=shares / shares.sum())]
    return colour * np.exp(rng.normal() * 0.2)


def random_style(tone: float, rng: np.random.Generator) -> Style | None:
    """A hair cut, or None for a bald head."""
    draw = rng.random()
    side = rng.choice([-1.0, 1.0])
    if draw < BALD_SHARE:
        return None
    if draw < 0.45:  # cropped
        return Style(rng.uniform(4, 14), 0.9, (0, -0.3, 0.4), 0, 0.5, 1.0, 16000, 0.13, 0.3)
    if draw < 0.7:  # short, combed aside or back
        comb = (0.9 * side, 0.1, rng.uniform(-0.5, 0.5))
        return Style(rng.uniform(25, 60), 0.6, comb, 0.1, 1.5, 4.0, 16000, 0.12, 0.3)
    if draw < 0.8 or tone > 6:  # curls all round
        return Style(rng.uniform(35, 80), 1.2, (0, 0.3, -0.2), 0.0, 7.0, 7.0, 14000, 0.15, 0.3)
    comb = (0.5 * side, 0.2, -0.8)
    return Style(rng.uniform(180, 330), 0.5, comb, 0.6, 3.0, 7.0, 14000, 0.15, 0.3)


BROWS = Style(7.0, 0.25, (0.0, 0.25, 0.0), 0.0, 0.3, 0.5, 700, 0.06, 0.5)


def beard_style(rng: np.random.Generator) -> Style:
    """Stubble to a full beard."""
    length = np.exp(rng.uniform(np.log(1.5), np.log(14)))
    count = int(rng.uniform(3000, 8000))
    return Style(length, 0.35, (0, -0.9, 0.2), 0.2, 0.08 * length, 0.6, count, 0.09, 0.45)


def grow_on_scalp(
    style: Style | None,
    vertices: NDArray,
    mesh: dict[str, NDArray],
    texture: NDArray,
    colour: NDArray,
    rng: np.random.Generator,
) -> tuple[list[bpy.types.Object], NDArray]:
    """The scalp's hair, none for None, and the ``texture`` (T, T, 3) with its colour under it."""
    if style is None:
        return [], texture
    hair = grow("hair", style, vertices, mesh["triangles"], mesh["mask_scalp"], colour, rng)
    under = mesh["uv_mask_scalp"][..., None] * 0.8  # no skin between thick strands
    return [hair], texture * (1 - under) + under * colour**0.4545


def grow(
    name: str, style: Style, vertices: NDArray, triangles: NDArray, mask: NDArray,
    colour: NDArray, rng: np.random.Generator,
) -> bpy.types.Object:  # fmt: skip
    """A hair object rooted where ``mask`` (V,) is over ``style.roots``; ``vertices`` head mm."""
    roots, normals = _roots(style, vertices, triangles, mask, rng)
    pick = rng.choice(len(roots), min(GUIDES, len(roots)), replace=False)
    guides = _guides(style, roots[pick], normals[pick], vertices, triangles)
    guide = _nearest(roots, roots[pick])
    along = np.linspace(0, 1, POINTS)[:, None]
    length = np.clip(rng.normal(1.0, 0.15, len(roots)), 0.4, 1.4)[:, None, None]
    strands = roots[:, None] + (guides[guide] - guides[guide][:, :1]) * length
    strands = strands + rng.normal(size=(len(roots), 1, 3)) * style.clump * along * 0.5
    phase = rng.uniform(0, 2 * np.pi, (len(pick), 1, 3))[guide]
    turns = style.length / 20.0
    strands = strands + style.curl * along * np.sin(2 * np.pi * turns * along + phase)
    return build_curves(name, strands, style.radius, colour, rng)


def _roots(
    style: Style, vertices: NDArray, triangles: NDArray, mask: NDArray, rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    """(N, 3) points and unit normals, even over the area."""
    corners = vertices[triangles]
    area = triangle_areas(vertices, triangles)
    chosen = rng.choice(
        len(triangles), style.count, p=_weights(area * (mask[triangles].max(axis=1) > 0))
    )
    weights = rng.dirichlet((1, 1, 1), style.count)
    density = (mask[triangles[chosen]] * weights).sum(axis=1)
    # A hairline thins out rather than ending in a line.
    kept = density > style.roots + rng.normal(size=style.count) * 0.15
    points = (corners[chosen] * weights[:, :, None]).sum(axis=1)
    normals = triangle_normals(vertices, triangles[chosen])
    return points[kept], normals[kept]


def _weights(values: NDArray) -> NDArray:
    return values / values.sum()


def _guides(
    style: Style, roots: NDArray, normals: NDArray, vertices: NDArray, triangles: NDArray
) -> NDArray:
    """(G, POINTS, 3) strands that leave along normal and comb, sink, and stay out of the head."""
    tree = BVHTree.FromPolygons(vertices.tolist(), triangles.tolist())
    step = style.length / (POINTS - 1)
    comb = np.array(style.comb)
    way = style.lift * normals + (comb - (normals @ comb)[:, None] * normals)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    out = [roots]
    for k in range(1, POINTS):
        way = way + style.fall * np.array([0.0, -1.0, 0.0])
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        points = out[-1] + step * way
        gap = min(7.0, 0.15 * k * step + 0.3)
        for i, point in enumerate(points):
            place, normal, _, _ = tree.find_nearest(Vector(point))
            depth = (Vector(point) - place).dot(normal)
            if depth < gap and (Vector(point) - place).length < 40:
                points[i] = place + normal * gap
        moved = points - out[-1]
        way = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        out.append(points)
    return np.stack(out, axis=1)


def _nearest(points: NDArray, guides: NDArray) -> NDArray:
    """(N,) index of the nearest guide."""
    from scipy.spatial import cKDTree

    return cKDTree(guides).query(points)[1]


def build_curves(
    name: str, strands: NDArray, radius: float, colour: NDArray, rng: np.random.Generator
) -> bpy.types.Object:
    """Strands (N, POINTS, 3) in mm as a curves object, thinner at the tip."""
    data = bpy.data.hair_curves.new(name)
    data.add_curves([POINTS] * len(strands))
    points = to_blender(strands.reshape(-1, 3)).astype(np.float32)
    data.attributes["position"].data.foreach_set("vector", points.ravel())
    widths = np.tile(np.linspace(1.0, 0.35, POINTS), len(strands)) * radius / 1000
    if "radius" not in data.attributes:
        data.attributes.new("radius", "FLOAT", "POINT")
    data.attributes["radius"].data.foreach_set("value", widths.astype(np.float32))
    data.materials.append(_material(name, colour, rng))
    return bpy.data.objects.new(name, data)


def _material(name: str, colour: NDArray, rng: np.random.Generator) -> bpy.types.Material:
    """Chiang et al. 2016, "A Practical and Controllable Hair and Fur Model", as Cycles has it."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    output = next(node for node in nodes if node.type == "OUTPUT_MATERIAL")
    shader = nodes.new("ShaderNodeBsdfHairPrincipled")
    shader.parametrization = "COLOR"
    shader.inputs["Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = rng.uniform(0.25, 0.45)
    links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    return material
