"""Hair as Blender's own: a Curves object on the head, which follows its shape keys and its pose.

"Deform Curves on Surface" finds each root by its texture coordinate on the head as it was at rest
and carries the strand along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import bpy
import numpy as np
from mathutils.kdtree import KDTree
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from ..backend.exchange.reconstruction import HAIR_KINDS
from ..backend.geometry.polylines import of_count
from .coordinates import MM_PER_M, to_blender
from .hair_surface import OWN, add_surface, as_rendered, remove_surface, surface_of
from .materials import UV_MAP
from .strand_light import Guide, Strands, strand_light

#: Custom property that marks our hair.
TAG = "reconstruct_face_hair"
#: Attribute of the strands' points: their colour.  Files of older versions have two of each strand.
COLOUR = "colour"
_ROOT_COLOUR, _TIP_COLOUR = "root_colour", "tip_colour"
#: The same: the index into ``HAIR_KINDS``.
KIND = "kind"
#: The node of :func:`viewport_share`.
VIEWPORT_SHARE = "Viewport Share"
#: The node whose value is the last kind that the viewport shows: 0, hair; 2 shows all.
VIEWPORT_KIND = "Last Kind in Viewport"
#: Strands get thinner towards the tip, down to this part, over the last so many mm, or over this
#: part of short ones.
_TIP, _TAPER_MM, _TAPER = 0.25, 30.0, 0.4
#: Power of a strand's colour that hair has in bulk, where light goes through many: so the sample's
#: looks as bright in Solid as in Cycles and in the photo.
_IN_BULK = 0.6
#: Roughness along and across the strand: by eye, between dry (0.4) and wet hair (0.1).
_ROUGHNESS, _RADIAL_ROUGHNESS = 0.32, 0.4


def build_hair(head: bpy.types.Object, reconstruction: Reconstruction) -> bpy.types.Object | None:
    """The hair of ``reconstruction`` on ``head``, in no collection yet; None where it has none.

    Metres; the strands are those of the Basis and stay untouched in the object's data.
    """
    if not len(reconstruction.hair_points):
        return None
    name = f"{head.name} hair"
    curves = curves_of(to_blender(reconstruction.hair_points), reconstruction.hair_radius, name)
    _set(curves, "surface_uv_coordinate", "FLOAT2", "CURVE", "vector", reconstruction.hair_uv)
    kind = reconstruction.hair_kind
    kind = kind if kind.size else np.zeros(len(reconstruction.hair_points))
    _set(curves, KIND, "INT", "CURVE", "value", kind)
    _set_colours(curves, reconstruction.hair_colour)
    curves.surface = curves[OWN] = add_surface(head, reconstruction.hair_uv, UV_MAP)
    curves.surface_uv_map = UV_MAP
    colour = np.median(reconstruction.hair_colour[_most(kind)], axis=(0, 1))
    curves.materials.append(_material(name, colour))
    hair = bpy.data.objects.new(name, curves)
    hair[TAG] = 1
    hair.parent = head
    _follow_surface(hair)
    return hair


def _most(kind: NDArray) -> NDArray[np.bool_]:
    """(S,) the strands of the head, or all where it has none."""
    return (kind == 0) | (kind > 0).all()


def kinds_of(curves: Any) -> NDArray[np.int32]:
    """(S,) the kinds of the strands of ``curves``, indices into ``HAIR_KINDS``."""
    kinds = np.zeros(len(curves.curves), np.int32)
    if KIND in curves.attributes:  # a user may have removed it
        curves.attributes[KIND].data.foreach_get("value", kinds)
    return kinds


def colours_of(curves: Any) -> NDArray[np.float32]:
    """(S, P, 3) linear colours of the points of ``curves``, which have equally many each."""
    count, total = len(curves.curves), len(curves.points)
    if COLOUR in curves.attributes:
        return _get(curves, COLOUR, "color", total * 4).reshape(count, -1, 4)[..., :3]
    ends = [
        _get(curves, name, "color", count * 4).reshape(count, 4)[:, :3]
        for name in (_ROOT_COLOUR, _TIP_COLOUR)
    ]
    return of_count(np.stack(ends, axis=1), total // max(count, 1))


def curves_of(points: NDArray, radius: NDArray, name: str) -> Any:
    """New Curves: polylines of ``points`` (S, P, 3) m, ``radius`` (S,) mm, thinner at the tips."""
    strands, count = points.shape[:2]
    curves: Any = bpy.data.hair_curves.new(name)
    curves.add_curves([count] * strands)
    curves.position_data.foreach_set("vector", np.ascontiguousarray(points, np.float32).ravel())
    # Polylines: Catmull-Rom curves would be evaluated to twelve times as many points.
    if hasattr(curves, "set_types"):
        curves.set_types(type="POLY")
    else:  # before Blender 4.5
        _set(curves, "curve_type", "INT8", "CURVE", "value", np.ones(strands, np.int8))
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(axis=1)[:, None] * MM_PER_M
    taper = np.maximum(np.minimum(_TAPER_MM, _TAPER * length), 1e-6)
    left = np.minimum(length * np.linspace(1, 0, count) / taper, 1)
    thickness = radius[:, None] / MM_PER_M * (_TIP + (1 - _TIP) * left)
    _set(curves, "radius", "FLOAT", "POINT", "value", thickness)
    return curves


def is_hair(thing: bpy.types.Object | None) -> TypeGuard[bpy.types.Object]:
    """Whether :func:`build_hair` made ``thing``."""
    return thing is not None and thing.type == "CURVES" and TAG in thing


def hair_of(head: bpy.types.Object) -> list[bpy.types.Object]:
    """The hair of ours on ``head``: one object, or more where the user copied it."""
    return [thing for thing in bpy.data.objects if is_hair(thing) and thing.parent == head]


def remove_hair(hair: bpy.types.Object) -> None:
    """Delete ``hair`` with its strands and material, as far as nobody shares them."""
    curves: Any = hair.data
    groups = {m.node_group for m in hair.modifiers if m.type == "NODES" and m.node_group}
    bpy.data.objects.remove(hair)
    bpy.data.batch_remove([group for group in groups if not group.users])
    if curves.users:
        return
    materials = [material for material in curves.materials if material is not None]
    surface = surface_of(curves)
    bpy.data.hair_curves.remove(curves)
    remove_surface(surface)
    bpy.data.batch_remove([material for material in materials if not material.users])


def replace_hair(
    head: bpy.types.Object, reconstruction: Reconstruction, collection: bpy.types.Collection
) -> bool:
    """Give ``head`` the hair of ``reconstruction``, with the viewport's share of the old.

    False where that has none, or brows and beard alone and the old more: then what there is stays.
    """
    if not len(reconstruction.hair_points):
        return False
    old = hair_of(head)
    if not _has_heads(reconstruction.hair_kind) and any(
        _has_heads(kinds_of(thing.data)) for thing in old
    ):
        return False
    shares = [node.outputs[0].default_value for node in map(viewport_share, old) if node]
    for thing in old:
        remove_hair(thing)
    hair = build_hair(head, reconstruction)
    assert hair is not None
    node = viewport_share(hair)
    if shares and node is not None:
        node.outputs[0].default_value = shares[0]
    collection.objects.link(hair)
    return True


def _has_heads(kind: NDArray) -> bool:
    return not kind.size or bool((kind == 0).any())


def carry_hair(head: bpy.types.Object, before: NDArray, after: NDArray) -> None:
    """Move the strands on ``head`` with its Basis, whose points went from ``before`` to ``after``
    (V, 3) m: each as the point nearest to its root."""
    hair = hair_of(head)
    if not hair:
        return
    tree = KDTree(len(before))
    for index, point in enumerate(before.tolist()):
        tree.insert(point, index)
    tree.balance()
    for curves in {thing.data for thing in hair}:
        count, total = len(curves.curves), len(curves.points)
        points = _get(curves, "position", "vector", total * 3).reshape(total, 3)
        first = np.empty(count, np.int32)
        curves.curves.foreach_get("first_point_index", first)
        nearest = [tree.find(root)[1] for root in points[first].tolist()]
        moved = (after - before)[nearest]
        points += moved.repeat(np.diff(np.append(first, total)), axis=0)
        _set(curves, "position", "FLOAT_VECTOR", "POINT", "vector", points)


def copied_as_shown(hair: bpy.types.Object, share: float = 1.0) -> bpy.types.Object:
    """A new object with the first ``share`` of ``hair``'s strands where they are shown, in the
    head's coordinates, that depends on nothing; the strands are as much thicker as they are fewer.

    Strands are in random order, so the first stand for all.  Brows and beard are there whole.
    """
    with as_rendered(hair), _all_kinds(hair):
        return _copied(hair, share)


def light_strands(curves: Any, guide: Guide, towards: NDArray, name: str) -> None:
    """Give the points of the copied ``curves`` the light that ``guide`` shows, as their attribute
    ``name``; ``towards`` is that of :func:`.strand_light.strand_light`."""
    count = len(curves.curves)
    points = _get(curves, "position", "vector", len(curves.points) * 3).reshape(count, -1, 3)
    radius = _get(curves, "radius", "value", len(curves.points)).reshape(count, -1)
    strands = Strands(points, radius, colours_of(curves))
    _set(curves, name, "FLOAT_VECTOR", "POINT", "vector", strand_light(strands, guide, towards))


@contextmanager
def _all_kinds(hair: bpy.types.Object) -> Iterator[None]:
    """The viewport shows brows and beard for the while."""
    node = _named_node(hair, VIEWPORT_KIND)
    if node is None:  # of a file of before there were kinds
        yield
        return
    was = node.outputs[0].default_value
    node.outputs[0].default_value = len(HAIR_KINDS)
    try:
        yield
    finally:
        node.outputs[0].default_value = was


def _copied(hair: bpy.types.Object, share: float) -> bpy.types.Object:
    shown: Any = hair.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    strands = len(shown.curves)
    all_strands: Any = hair.data
    count = len(shown.points) // max(strands, 1)
    kind = kinds_of(shown)
    kept = (np.arange(strands) < max(1, round(strands * share))) | (kind > 0)
    points = _get(shown, "position", "vector", strands * count * 3).reshape(strands, count, 3)
    radius = _get(shown, "radius", "value", strands * count).reshape(strands, count)
    of_all, left = (max(1, int((one == 0).sum())) for one in (kinds_of(all_strands), kind[kept]))
    thicker = MM_PER_M * np.where(kind == 0, np.sqrt(of_all / left), 1.0)
    copy = curves_of(points[kept], (radius[:, 0] * thicker)[kept], "preview hair")
    colours = colours_of(shown)[kept]
    _set_colours(copy, colours)
    for name, end in ((_ROOT_COLOUR, 0), (_TIP_COLOUR, -1)):
        if name in shown.attributes:  # the material asks for it
            _set_colour(copy, name, "FLOAT_COLOR", "CURVE", colours[:, end])
    for material in shown.materials:
        copy.materials.append(material.original if material is not None else None)
    return bpy.data.objects.new("preview hair", copy)


def _material(name: str, colour: NDArray) -> bpy.types.Material:
    """Principled Hair (Chiang et al. 2016), its colour from the strands' attributes.

    The viewport in Solid shows one for all: that of the linear ``colour`` (3,) in bulk.
    """
    material = bpy.data.materials.new(name)
    material.diffuse_color = (*np.power(np.maximum(colour, 0), _IN_BULK).tolist(), 1.0)
    if material.node_tree is None:  # Blender 5 makes the nodes at once
        material.use_nodes = True
    tree: Any = material.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    # Blender's default, Huang, renders blond hair half as bright as its colour says.
    shader.model, shader.parametrization = "CHIANG", "COLOR"
    shader.inputs["Roughness"].default_value = _ROUGHNESS
    shader.inputs["Radial Roughness"].default_value = _RADIAL_ROUGHNESS
    colours = tree.nodes.new("ShaderNodeAttribute")
    colours.attribute_name = COLOUR
    tree.links.new(colours.outputs["Color"], shader.inputs["Color"])
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    colours.location, shader.location, output.location = (-360, 0), (-140, 0), (160, 0)
    return material


def viewport_share(hair: bpy.types.Object) -> Any:
    """The node whose value is the share of ``hair``'s strands that the viewport shows, renderings
    all; None where there is none any more."""
    return _named_node(hair, VIEWPORT_SHARE)


def _named_node(hair: bpy.types.Object, name: str) -> Any:
    groups = [m.node_group for m in hair.modifiers if m.type == "NODES" and m.node_group]
    return next((g.nodes[name] for g in groups if name in g.nodes), None)


def _follow_surface(hair: bpy.types.Object) -> None:
    tree: Any = bpy.data.node_groups.new("Hair on head", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    start, end = (tree.nodes.new(f"NodeGroup{way}") for way in ("Input", "Output"))
    deform = tree.nodes.new("GeometryNodeDeformCurvesOnSurface")
    # Fewer first: the others need not follow.
    fewer = _fewer_in_viewport(tree)
    tree.links.new(start.outputs[0], fewer.inputs["Geometry"])
    tree.links.new(start.outputs[0], tree.nodes["Strands"].inputs[0])
    tree.links.new(fewer.outputs[0], deform.inputs[0])
    tree.links.new(deform.outputs[0], end.inputs[0])
    start.location, end.location, fewer.location = (-220, 0), (660, 0), (220, 0)
    deform.location = (440, 0)
    modifier: Any = hair.modifiers.new("Follow the head", "NODES")
    modifier.node_group = tree


def _fewer_in_viewport(tree: Any) -> Any:
    """The node in ``tree`` that deletes strands after the first share of them, in the viewport.

    Strands are in random order, so the first stand for all.  Brows and beard go altogether: the
    viewport draws strands as thick as pixels and in one colour, over brows that are painted.
    Values in the tree, and no inputs of the modifier: where modifiers keep theirs changed with
    Blender 5.2.
    """

    def node(kind: str, x: float, y: float, *inputs: Any) -> Any:
        made = tree.nodes.new(kind)
        made.location = (x, y)
        for socket, source in zip(made.inputs, inputs, strict=False):
            if source is not None:
                tree.links.new(source.outputs[0], socket)
        return made

    share = node("ShaderNodeValue", -440, -180)
    share.name = share.label = VIEWPORT_SHARE
    share.outputs[0].default_value = 1.0
    size = node("GeometryNodeAttributeDomainSize", -440, -300)
    size.name, size.component = "Strands", "CURVE"
    kept = node("ShaderNodeMath", -220, -200, share)
    kept.operation = "MULTIPLY"
    tree.links.new(size.outputs["Spline Count"], kept.inputs[1])
    index = node("GeometryNodeInputIndex", -220, -380)
    beyond = node("FunctionNodeCompare", 0, -260, index, kept)  # of floats
    beyond.operation = "GREATER_EQUAL"
    kind = node("GeometryNodeInputNamedAttribute", -220, -520)
    kind.data_type = "INT"
    kind.inputs["Name"].default_value = KIND
    last_kind = node("ShaderNodeValue", -220, -680)
    last_kind.name = last_kind.label = VIEWPORT_KIND
    short = node("FunctionNodeCompare", 0, -420, kind, last_kind)  # greater than
    either = node("FunctionNodeBooleanMath", 110, -320, beyond, short)
    either.operation = "OR"
    viewport = node("GeometryNodeIsViewport", -220, -80)
    last = node("FunctionNodeBooleanMath", 110, -120, viewport, either)
    last.operation = "AND"
    fewer = node("GeometryNodeDeleteGeometry", 220, 0, None, last)
    fewer.domain = "CURVE"
    return fewer


def _set(curves: Any, name: str, kind: str, domain: str, key: str, values: NDArray) -> None:
    attribute = curves.attributes.get(name) or curves.attributes.new(name, kind, domain)
    dtype = {"INT8": np.int8, "INT": np.int32}.get(kind, np.float32)
    attribute.data.foreach_set(key, np.ascontiguousarray(values, dtype).ravel())


def _set_colours(curves: Any, colours: NDArray) -> None:
    """Give the points of ``curves`` the linear ``colours`` (S, C, 3), even steps along strands."""
    count = len(curves.points) // max(len(curves.curves), 1)
    # Bytes in sRGB: numbers would take four times as much of a file, and 3 MB of it.
    colours = of_count(colours, count).reshape(-1, 3)
    _set_colour(curves, COLOUR, "BYTE_COLOR", "POINT", colours)


def _set_colour(curves: Any, name: str, kind: str, domain: str, colour: NDArray) -> None:
    opaque = np.concatenate([colour, np.ones((len(colour), 1))], axis=1)
    _set(curves, name, kind, domain, "color", opaque)


def _get(curves: Any, name: str, key: str, size: int) -> NDArray[np.float32]:
    values = np.empty(size, np.float32)
    curves.attributes[name].data.foreach_get(key, values)
    return values
