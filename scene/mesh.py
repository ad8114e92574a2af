"""The head as one mesh object: neutral identity as Basis, a shape key per expression."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import Any, TypeGuard

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.bounded import parse_json
from ..backend.exchange import Reconstruction
from ..backend.exchange.views import PERSONS_CORRECTED
from .coordinates import to_blender
from .displacement import add_displacement
from .fitted import keep_fitted
from .folds import add_folds
from .hair import hair_of, remove_hair
from .materials import UV_MAP, build_images, build_materials
from .photo_places import remember
from .vertex_groups import add_regions
from .wrinkles import add_wrinkles

#: Custom property that marks our heads; its value is the layout of the other properties.
TAG = "reconstruct_face"
TAG_VERSION = 1
#: Custom property: which reconstruction the head was built from (:func:`reconstruction_key`).
KEY = "reconstruction_key"
#: Custom properties of which there is one for each photo of the head, see :func:`of_photo`.
PER_PHOTO = ("expression", "landmarks2d", "landmarks_corrected")
#: Finer meshes, as licensed models have them, are smooth without subdivision.
SUBDIVIDED_POLYGONS = 20_000
#: Sharpness of the edges of single teeth: without it subdivision makes a crown 0.4 mm narrower and
#: leaves as much between two, with it 0.2 mm.  Open bands, which would shrink by half, stay sharp.
SINGLE_TEETH_CREASE = 0.35


def build_mesh(reconstruction: Reconstruction, name: str = "Head") -> bpy.types.Object:
    """A new mesh object of ``reconstruction``, in no collection yet, at the origin.

    Metres, Z up, facing -Y.  Polygons are kept.  Shape keys carry the expression's names, ranges
    and values, so that the object shows ``vertices_posed``.  Custom properties: ``identity``,
    ``expression``, ``albedo`` (float arrays), ``landmarks2d`` (136 floats: x, y of the fitted
    landmarks in pixels of the photo), ``landmarks_corrected`` (those set by hand: index, x, y, one
    after the other), ``landmark_vertices`` (68 ids, in iBUG's order) and ``reconstruction`` (JSON:
    model, the photo's name, versions, provenance), next to the tag that :func:`is_head` reads.  Of
    the second photo of a person on, expression and landmarks are in ``expression_2``,
    ``landmarks2d_2`` and so on (:func:`of_photo`).
    """
    mesh = bpy.data.meshes.new(name)
    _fill_polygons(mesh, reconstruction)
    _fill_uv(mesh, reconstruction)
    images = build_images(reconstruction, name)
    for material in build_materials(reconstruction, name, images):
        mesh.materials.append(material)
    mesh.validate(clean_customdata=False)
    mesh.update()
    mesh.shade_smooth()
    head = bpy.data.objects.new(name, mesh)
    _add_shape_keys(head, reconstruction)
    add_displacement(head, images)  # before what lies over the normal map
    add_wrinkles(head, images)
    add_folds(head, images, reconstruction)
    add_regions(head, reconstruction)
    _add_subdivision(head, reconstruction)
    write_properties(head, reconstruction)
    keep_fitted(head, reconstruction)
    return head


def is_head(thing: bpy.types.Object | None) -> TypeGuard[bpy.types.Object]:
    """Whether ``thing`` is a head that :func:`build_mesh` made, whatever the user named it."""
    return thing is not None and thing.type == "MESH" and TAG in thing


def expression_keys(head: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """The head's expression shape keys in order, without Basis."""
    keys = head.data.shape_keys
    return [] if keys is None else list(keys.key_blocks)[1:]


def remove_head(head: bpy.types.Object) -> None:
    """Delete a head of ours with its mesh, materials, texture and hair, if nobody shares them."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    for hair in hair_of(head):
        remove_hair(hair)
    bpy.data.objects.remove(head)
    materials = [material for material in mesh.materials if material is not None]
    bpy.data.meshes.remove(mesh)
    images = {
        node.image
        for material in materials
        for node in material.node_tree.nodes
        if node.type == "TEX_IMAGE" and node.image is not None
    }
    bpy.data.batch_remove([m for m in materials if m.users == 0])
    bpy.data.batch_remove([image for image in images if image.users == 0])


def _fill_polygons(mesh: bpy.types.Mesh, reconstruction: Reconstruction) -> None:
    polygons = np.ascontiguousarray(reconstruction.polygons, dtype=np.int32)
    count, corners = polygons.shape
    vertices = to_blender(reconstruction.vertices_neutral.astype(np.float32, copy=False))
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(count * corners)
    mesh.loops.foreach_set("vertex_index", polygons.ravel())
    mesh.polygons.add(count)
    starts = np.arange(0, count * corners, corners, dtype=np.int32)
    mesh.polygons.foreach_set("loop_start", starts)
    materials = reconstruction.polygon_material.astype(np.int32)
    mesh.polygons.foreach_set("material_index", materials)
    mesh.update(calc_edges=True)


def _fill_uv(mesh: bpy.types.Mesh, reconstruction: Reconstruction) -> None:
    layer = mesh.uv_layers.new(name=UV_MAP)
    per_corner = reconstruction.uv[reconstruction.uv_polygons.ravel()]
    layer.uv.foreach_set("vector", np.ascontiguousarray(per_corner, dtype=np.float32).ravel())


def _add_shape_keys(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    head.shape_key_add(name="Basis", from_mix=False)
    basis = to_blender(reconstruction.vertices_neutral.astype(np.float32, copy=False))
    for name, delta, (low, high), value in zip(
        reconstruction.expression_names,
        reconstruction.expression_basis,
        reconstruction.expression_range.tolist(),
        reconstruction.expression.tolist(),
        strict=True,
    ):
        key = head.shape_key_add(name=name, from_mix=False)
        shape = to_blender(delta.astype(np.float32, copy=False))
        shape += basis
        key.points.foreach_set("co", shape.ravel())
        # The range first: Blender clamps the value to it.
        key.slider_min, key.slider_max = low, high
        key.value = value


def _add_subdivision(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Smooth when drawn, but for the teeth, which would shrink and part."""
    kinds = [slot.kind for slot in reconstruction.materials]
    if "teeth" in kinds:
        mesh = head.data
        assert isinstance(mesh, bpy.types.Mesh)
        in_teeth = np.zeros(len(mesh.vertices), bool)
        teeth = reconstruction.polygons[reconstruction.polygon_material == kinds.index("teeth")]
        in_teeth[teeth] = True
        edges = np.empty(2 * len(mesh.edges), np.int32)
        mesh.edges.foreach_get("vertices", edges)
        crease = in_teeth[edges.reshape(-1, 2)].all(axis=1).astype(np.float32)
        crease *= SINGLE_TEETH_CREASE if _closed(teeth) else 1.0
        mesh.attributes.new("crease_edge", "FLOAT", "EDGE").data.foreach_set("value", crease)
    if len(reconstruction.polygons) > SUBDIVIDED_POLYGONS:
        return
    modifier = head.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels = 1
    modifier.render_levels = 2


def _closed(polygons: NDArray) -> bool:
    """Whether every edge of ``polygons`` (P, 3 | 4) is shared by two of them."""
    edges = np.stack([polygons, np.roll(polygons, -1, axis=1)], axis=-1).reshape(-1, 2)
    _, count = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    return bool((count == 2).all())


def write_properties(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Set the custom properties that :func:`build_mesh` names."""
    head[TAG] = TAG_VERSION
    head[KEY] = key = reconstruction_key(reconstruction)
    remember(key, reconstruction)
    arrays: dict[str, list[float]] = {}
    for number in range(max(photo_count(head), 1 + len(reconstruction.views))):
        arrays |= {of_photo(name, number): [] for name in PER_PHOTO}
    arrays["identity"] = reconstruction.identity.tolist()
    arrays["albedo"] = reconstruction.albedo.tolist()
    arrays["landmark_vertices"] = reconstruction.landmarks68.tolist()
    for number, seen in enumerate([reconstruction, *reconstruction.views]):
        points = _corrected(reconstruction, number)
        told = (seen.expression.tolist(), seen.landmarks2d.ravel().tolist(), points)
        arrays |= {
            of_photo(name, number): values for name, values in zip(PER_PHOTO, told, strict=True)
        }
    for name, values in arrays.items():
        if values:
            head[name] = values
        elif name in head:
            del head[name]
    head["reconstruction"] = json.dumps(
        {
            "photo": reconstruction.photo_name,
            "further_photos": [
                {"name": view.photo_name, "face_index": view.face_index, "weight": view.weight}
                for view in reconstruction.views
            ],
            "face_index": reconstruction.face_index,
            "image_size": reconstruction.image_size,
            "texture_mode": reconstruction.texture_mode,
            "model": reconstruction.model,
            "versions": reconstruction.versions,
            "provenance": reconstruction.provenance,
            "warnings": list(reconstruction.warnings),
            "timings": reconstruction.timings,
            "landmark_error_px": reconstruction.landmark_error,
            "expression_names": list(reconstruction.expression_names),
        },
        ensure_ascii=False,
    )


def _corrected(reconstruction: Reconstruction, number: int) -> list[float]:
    """Index, x, y of the landmarks of photo ``number`` that were set by hand, in a row."""
    known = reconstruction.provenance
    each = known.get(PERSONS_CORRECTED)
    if each is not None:
        points = each[number] if number < len(each) else None
    else:
        points = known.get("options", {}).get("corrected") if number == 0 else None
    return [float(x) for point in points or () for x in point]


def reconstruction_key(reconstruction: Reconstruction) -> str:
    """A digest of the head's shape and view, which tells a reconstruction from all others."""
    digest = hashlib.sha256()
    for name in ("vertices_posed", "camera_matrix", "rotation", "translation", "texture"):
        digest.update(np.ascontiguousarray(getattr(reconstruction, name)).tobytes())
    return digest.hexdigest()[:32]


def about(head: bpy.types.Object) -> dict[str, Any]:
    """The property ``reconstruction`` of a head of ours; empty where the user removed it."""
    try:
        found = parse_json(head.get("reconstruction", "{}"))
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def of_photo(name: str, number: int) -> str:
    """The custom property ``name`` of photo ``number``: 0 is the main one, 1 ends in "_2"."""
    return name if number == 0 else f"{name}_{number + 1}"


def photo_names(head: bpy.types.Object) -> list[str]:
    """The file names of the photos that a head of ours is of, the main one first; no folders."""
    known = about(head)
    further = known.get("further_photos")
    names = [known.get("photo", "")]
    if isinstance(further, list):
        names += [view.get("name", "") for view in further if isinstance(view, dict)]
    # Heads made before 2026-11-29 hold the whole path.
    return [PurePath(str(name).replace("\\", "/")).name for name in names]


def photo_count(head: bpy.types.Object) -> int:
    """How many photos a head of ours is of; 1 where that is not known."""
    return len(photo_names(head))


def photo_name(head: bpy.types.Object, number: int = 0) -> str:
    """The file name of photo ``number`` of a head of ours, without its folder; "" without one."""
    names = photo_names(head)
    return names[number] if number < len(names) else ""


def left_out(head: bpy.types.Object) -> list[str]:
    """Why the last fit of a head of ours did without photos that it was given: a sentence each."""
    known = about(head).get("provenance", {}).get("left_out")
    pairs = known if isinstance(known, list) else []
    return [str(pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) == 2]


def model_of(head: bpy.types.Object) -> str:
    """The name of the face model that a head of ours is of; empty where it is not known."""
    return str(about(head).get("model", {}).get("name", ""))
