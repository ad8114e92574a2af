"""Writing a head to .blend, .glb, .fbx, .obj and .usdz files.

Every file is written in a folder beside its place first and then moved there, so a failure leaves
no half-written file and does not harm an older one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.errors import OutputError
from ..backend.exchange.formats import FORMATS
from ..backend.exchange.own_pictures import marked
from .armature.skin import bare_skeleton, undeformed
from .build import HeadScene
from .coordinates import y_up
from .displacement import displacement_image
from .eye_materials import clear_as_films
from .formats import fbx, glb, usdz, vrm
from .formats.glb import HAIR_CARDS
from .hair_cards import hair_as_cards, picture_of
from .materials import PICTURES, role_of
from .mesh import expression_keys
from .parts import whole
from .placing import at_origin
from .private_paths import without_choices
from .quiet import quiet
from .stand_ins import stand_ins
from .subdivision import unsubdivided, while_saving
from .wrinkles import DRIVEN_ROLES, as_exported


def export_head(
    head_scene: HeadScene,
    folder: str | Path,
    name: str,
    formats: Iterable[str],
    *,
    compact: bool = False,
) -> dict[str, Path]:
    """Write the head as ``folder``/``name``.* in each of ``formats`` and return the main files.

    Formats: the keys of ``FORMATS`` in ``backend/exchange/formats.py``.  "blend" holds the whole
    open file; the others hold the head alone, with its texture, without the subdivision applied,
    and with a clear film (alpha 0.08) for cornea and tears, which other programs would show as
    a white cap.
    Hair is strands in "blend" and cards in the others (``hair_cards.py``), without shape keys.
    There it is where it was moved to, or at the origin if it still is where ``build_scene`` put it.
    They differ so:

    * glb: y up, metres, every shape key a named morph target at the photo's expression.
    * fbx: y up, metres (the file's UnitScaleFactor is 100 centimetres), shape keys with their
      normals, texture embedded.
    * obj: y up, metres, in the photo's expression; ``name``.mtl and the texture lie beside.
    * usd: ``name``.usdz, y up, metres, shape keys as blend shapes at the photo's expression.
    * vrm: a VRM 1.0 avatar, a .glb with expressions, see ``formats/vrm.py``.

    ``compact``: numbers of a .glb in 8 and 16 bits, as ``formats/quantised.py`` says, with the
    errors that this has; a program that reads it has to know KHR_mesh_quantization.

    A head with a displacement has it as ``name``_displacement.exr beside all but "blend", which
    holds it.

    Raises :class:`OutputError` with one sentence when a file cannot be written.
    """
    folder = Path(folder)
    formats = list(dict.fromkeys(formats))
    unknown = [key for key in formats if key not in FORMATS]
    if unknown:
        raise OutputError(f"There is no format '{unknown[0]}'; choose of {', '.join(FORMATS)}.")
    written = {}
    writers = WRITERS | {"glb": partial(write_glb, compact=compact)}
    for key in formats:
        suffix, write = FORMATS[key].suffix, writers[key]
        place = nullcontext() if key == "blend" else at_origin(head_scene.head)
        with staged(folder) as beside, quiet(), place:
            try:
                write(head_scene, beside / f"{name}{suffix}")
                if key != "blend":
                    write_displacement(head_scene.head, beside, name)
            except RuntimeError as error:  # what operators raise for their error reports
                reason = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
                raise OutputError(f"Cannot write {folder / name}{suffix}: {reason}.") from error
            if not (beside / f"{name}{suffix}").exists():
                raise OutputError(
                    f"Blender could not write {folder / name}{suffix}; is the disk full?"
                )
        written[key] = folder / f"{name}{suffix}"
    return written


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A hidden folder inside ``folder`` whose files move up into it at the end, if all went well.

    ``folder`` is made if need be.  Raises :class:`OutputError` when that, or moving, fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder}: {error.strerror or error}; choose another output folder."
        ) from error
    try:
        yield beside
        for file in sorted(beside.iterdir()):
            os.replace(file, folder / file.name)
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_displacement(head: bpy.types.Object, folder: Path, name: str) -> None:
    """The displacement of ``head``, if it has one, as ``name``_displacement.exr: 32-bit mm, 0 being
    the mesh.  None of the formats holds one that other programs read alike."""
    image = displacement_image(head)
    file = folder / f"{name}_displacement.exr"
    if image is not None and not file.exists():
        file.write_bytes(image.packed_file.data)


def _write_blend(head_scene: HeadScene, path: Path) -> None:
    # Before and after it saves, Blender brings the scene up to date: of a subdivided head in half a
    # second of processor time, for what no file holds.
    with without_choices(), unsubdivided(head_scene.head) as shown, while_saving(shown):
        bpy.ops.wm.save_as_mainfile(
            filepath=str(path), copy=True, compress=True, check_existing=False, relative_remap=False
        )


def write_glb(
    head_scene: HeadScene,
    path: Path,
    *,
    compact: bool = False,
    others: Sequence[bpy.types.Object] = (),
    widely: bool = False,
) -> None:
    """Write the .glb ``path`` of the head as it is placed, and of ``others``.

    ``widely`` is that of :func:`.glb.mend`.
    """
    head = head_scene.head
    with (
        alone(head_scene, others) as collection,
        hair_as_cards(head, collection),
        as_exported(head, specular=False),
        numbered(head),
        stand_ins([head, *others]) as pictures,
    ):
        call(
            bpy.ops.export_scene.gltf,
            filepath=str(path),
            check_existing=False,
            collection=collection.name,
            export_format="GLB",
            export_yup=True,
            export_apply=False,
            export_morph=False,
            export_rest_position_armature=False,
            export_current_frame=True,
            export_attributes=True,
            export_cameras=False,
            export_lights=False,
            export_animations=False,
            export_extras=False,
        )
    glb.mend(
        path, head.name, compact=compact, shapes=shapes_of(head), widely=widely, pictures=pictures
    )


def write_vrm(
    head_scene: HeadScene,
    path: Path,
    *,
    others: Sequence[bpy.types.Object] = (),
    prepare: Callable[[glb.Glb], None] | None = None,
    licence: vrm.Licence | None = None,
) -> None:
    """Write the .vrm ``path`` of the head as it is placed, and of ``others`` (``vrm.py``).

    ``prepare`` changes the .glb that it is made of.  Without a ``licence`` others may do the least.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / f"{path.stem}.glb"
        write_glb(head_scene, plain, others=others)
        avatar = glb.Glb.read(plain)
    if prepare is not None:
        prepare(avatar)
    vrm.make_vrm(avatar, head_scene.head.name, licence=licence)
    avatar.write(path)


def write_fbx(
    head_scene: HeadScene,
    path: Path,
    *,
    others: Sequence[bpy.types.Object] = (),
    centimetres: float | None = None,
    levels: str = "",
) -> None:
    """Write the .fbx ``path`` of the head as it is placed, and of ``others``.

    ``centimetres``: 1 is so many in what all of them hold, which is y up already, so that no object
    is turned or scaled in the file; ``levels`` is that of :func:`.fbx.mend`.
    """
    head = head_scene.head
    axes: dict[str, Any] = {} if centimetres is None else {"axis_forward": "Y", "axis_up": "Z"}
    with (
        alone(head_scene, others) as collection,
        hair_as_cards(head, collection),
        as_exported(head),
    ):
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            check_existing=False,
            collection=collection.name,
            object_types={"MESH", "EMPTY", "ARMATURE"},
            apply_scale_options="FBX_SCALE_UNITS",
            use_mesh_modifiers=False,  # modifiers would drop the shape keys
            mesh_smooth_type="FACE",
            add_leaf_bones=False,
            bake_anim=False,
            path_mode="COPY",
            embed_textures=True,
            **axes,
        )
    meshes = [thing for thing in (head, *others) if thing.type == "MESH"]
    offsets = normal_offsets(*meshes)
    fbx.mend(path, head.name, offsets, y_up_centimetres=centimetres, levels=levels)


@contextmanager
def numbered(head: bpy.types.Object) -> Iterator[None]:
    """The vertices of ``head`` at rest, with their numbers as an attribute, while exporting."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    places, rest = (np.empty(3 * len(mesh.vertices), np.float32) for _ in range(2))
    mesh.vertices.foreach_get("co", places)
    if mesh.shape_keys is not None:  # who moves the key alone leaves the vertices behind
        mesh.shape_keys.reference_key.data.foreach_get("co", rest)
        mesh.vertices.foreach_set("co", rest)
    if glb.VERTEX in mesh.attributes:  # of an export that crashed
        mesh.attributes.remove(mesh.attributes[glb.VERTEX])
    numbers = mesh.attributes.new(glb.VERTEX, "INT", "POINT")
    numbers.data.foreach_set("value", np.arange(len(mesh.vertices), dtype=np.int32))
    try:
        yield
    finally:
        mesh.attributes.remove(mesh.attributes[glb.VERTEX])
        mesh.vertices.foreach_set("co", places)


def shapes_of(head: bpy.types.Object) -> glb.Shapes:
    """The shape keys of ``head`` that exporters tell: none that is muted."""
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    keys = [] if mesh.shape_keys is None else list(mesh.shape_keys.key_blocks)
    told = [key for key in keys[1:] if not key.mute and key != key.relative_key]
    places = np.empty((len(told) + 1, len(mesh.vertices), 3), np.float32)
    normals = np.empty_like(places)
    for place, normal, key in zip(places, normals, [*keys[:1], *told], strict=False):
        key.data.foreach_get("co", place.ravel())
        normal[:] = _normals(key)
    places, normals = (y_up(added[1:] - added[0]) for added in (places, normals))
    weights = tuple(float(key.value) for key in told)
    return glb.Shapes(tuple(key.name for key in told), weights, places, normals)


def normal_offsets(*heads: bpy.types.Object) -> dict[str, dict[str, NDArray]]:
    """By mesh and shape key, (V, 3) what the key adds to the unit normals of the vertices at
    rest."""
    found: dict[str, dict[str, NDArray]] = {}
    for head in heads:
        mesh = head.data
        assert isinstance(mesh, bpy.types.Mesh)
        if mesh.shape_keys is not None:
            basis = mesh.shape_keys.reference_key
            rest = _normals(basis)
            found[mesh.name] = {
                key.name: _normals(key) - rest for key in mesh.shape_keys.key_blocks if key != basis
            }
    return found


def _normals(key: bpy.types.ShapeKey) -> NDArray:
    return np.array(key.normals_vertex_get(), np.float64).reshape(-1, 3)


def write_obj(
    head_scene: HeadScene,
    path: Path,
    *,
    others: Sequence[bpy.types.Object] = (),
    y_up: bool = False,
) -> None:
    """Write the .obj ``path`` of the head as it is placed, and of ``others``.

    OBJ cannot embed: the texture goes beside it, and the .mtl names it without a folder.  ``y_up``:
    what all of them hold is y up already.
    """
    head = head_scene.head
    axes: dict[str, Any] = {"forward_axis": "Y", "up_axis": "Z"} if y_up else {}
    with (
        alone(head_scene, others) as collection,
        hair_as_cards(head, collection) as cards,
        as_exported(head),
        _textures_in(path.parent, head, path.stem, cards),
    ):
        bpy.ops.wm.obj_export(
            filepath=str(path),
            check_existing=False,
            collection=collection.name,
            apply_modifiers=True,  # the evaluated mesh is the one with the expression
            export_eval_mode="DAG_EVAL_VIEWPORT",
            export_pbr_extensions=True,
            path_mode="STRIP",
            **axes,
        )
    _without_anisotropy(path.with_suffix(".mtl"))


def _without_anisotropy(path: Path) -> None:
    """Leave the anisotropy out of an .mtl, which is 0: assimp takes it for a damaged number."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(x for x in lines if not x.startswith("aniso")), encoding="utf-8")


#: Of the USD exporter, for a still head and for one that moves.
USD_OPTIONS = {
    "check_existing": False,
    "export_cameras": False,
    "export_lights": False,
    "convert_world_material": False,
    "export_subdivision": "IGNORE",
    "export_shapekeys": True,
    "export_custom_properties": False,
    "export_textures": True,  # Blender 4.2's name of the next
    "export_textures_mode": "NEW",
    "convert_orientation": True,
    "export_global_forward_selection": "NEGATIVE_Z",
    "export_global_up_selection": "Y",
}


def write_usd(
    head_scene: HeadScene, path: Path, *, others: Sequence[bpy.types.Object] = ()
) -> None:
    """Write the .usdz ``path`` of the head as it is placed, and of ``others``.

    Without bones: Blender writes no weights of blend shapes for a mesh that has a skeleton too.
    """
    require_built("USD")
    head = head_scene.head
    with (
        alone(head_scene, others, skeleton=False) as collection,
        hair_as_cards(head, collection),
        as_exported(head),
    ):
        write_usdz(head_scene.head, path, collection=collection.name)


def write_usdz(head: bpy.types.Object, path: Path, **options: Any) -> None:
    """Write the .usdz ``path`` with ``options`` of Blender's USD exporter."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        layer = Path(folder) / f"{path.stem}.usda"
        call(bpy.ops.wm.usd_export, filepath=str(layer), **USD_OPTIONS, **options)
        if layer.exists():
            files = sorted(x for x in Path(folder).rglob("*") if x.is_file() and x != layer)
            weights = {key.name: key.value for key in expression_keys(head)}
            usdz.pack(layer, files, weights, path)


def call(operator: Any, **options: Any) -> None:
    """Call ``operator`` with those of ``options`` that this Blender's knows."""
    known = operator.get_rna_type().properties.keys()
    operator(**{name: value for name, value in options.items() if name in known})


def require_built(what: str) -> None:
    """Raise :class:`OutputError` where this Blender was built without ``what`` (USD, Alembic)."""
    if not getattr(bpy.app.build_options, what.lower()):
        raise OutputError(
            f"This Blender ({bpy.app.version_string}) was built without {what}; choose another "
            "format or use a Blender from blender.org."
        )


#: By the name of the format.
WRITERS: dict[str, Callable[..., None]] = {
    "blend": _write_blend,
    "glb": write_glb,
    "fbx": write_fbx,
    "obj": write_obj,
    "usd": write_usd,
    "vrm": write_vrm,
}


@contextmanager
def alone(
    head_scene: HeadScene, others: Sequence[bpy.types.Object] = (), *, skeleton: bool = True
) -> Iterator[bpy.types.Collection]:
    """A collection that holds the head and ``others`` only, without the head's subdivision, while
    exporting.

    Its corneas and tears are clear films meanwhile: see :func:`.eye_materials.clear_as_films`.  Of
    a head with a rig the bones that other programs need come along, which it is skinned by: see
    :func:`.armature.skin.bare_skeleton`; without ``skeleton`` none, and no bone moves the mesh.
    """
    scene = bpy.context.scene
    collection = bpy.data.collections.new("export")
    for thing in (head_scene.head, *others):
        collection.objects.link(thing)
    scene.collection.children.link(collection)
    try:
        with (
            unsubdivided(head_scene.head),
            clear_as_films(head_scene.head),
            whole(head_scene.head),
            (bare_skeleton if skeleton else undeformed)(head_scene.head) as armature,
        ):
            if armature is not None:
                collection.objects.link(armature)
                bpy.context.view_layer.update()  # its bones are where the rig's are then
            yield collection
    finally:
        bpy.data.collections.remove(collection)


@contextmanager
def _textures_in(
    folder: Path, head: bpy.types.Object, stem: str, cards: bpy.types.Object | None
) -> Iterator[None]:
    """The packed textures of ``head`` and ``cards`` written to ``folder`` and named so, while
    exporting."""
    images = list(dict.fromkeys(_packed_images(head)))
    hair = None if cards is None else picture_of(cards)
    images += [] if hair is None else [hair]
    named = [image.filepath_raw for image in images]
    try:
        for image in images:
            ending = HAIR_CARDS if image == hair else PICTURES[role_of(image)]
            ending = ending.replace(" ", "_") + Path(image.filepath_raw).suffix
            file = folder / f"{stem}_{ending}"
            number = 1
            while file.exists():  # the user added one
                number += 1
                file = folder / f"{stem}_{number}_{ending}"
            file.write_bytes(marked(image.packed_file.data))
            image.filepath_raw = str(file)
        yield
    finally:
        for image, was in zip(images, named, strict=True):
            image.filepath_raw = was


def _packed_images(head: bpy.types.Object) -> Iterator[bpy.types.Image]:
    """Those of the skin that formats can hold: what shape keys drive is none of it."""
    for material in head.data.materials:
        for node in material.node_tree.nodes:
            image = node.image if node.type == "TEX_IMAGE" else None
            if image is not None and image.packed_file and role_of(image) not in DRIVEN_ROLES:
                yield image
