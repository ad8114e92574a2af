"""One reconstruction as one collection: head, camera and lights, these on a rig."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import cast

import bpy

from ..backend.exchange import Reconstruction
from ..backend.files import plain_name
from .armature.build import add_armature
from .camera import align_to_head, build_camera, view_of_photo
from .hair import build_hair
from .light import build_suns, is_light, light_only, suns_for
from .mesh import build_mesh
from .parts import add_parts
from .photo_cameras import build_view_camera, camera_for, cameras_of, keep_cameras
from .placing import place_beside
from .rig import build_rig, rig_of


@dataclass(frozen=True)
class HeadScene:
    """What :func:`build_scene` added; everything in ``collection``, nothing else was touched."""

    collection: bpy.types.Collection
    head: bpy.types.Object
    camera: bpy.types.Object | None
    lights: tuple[bpy.types.Object, ...]
    rig: bpy.types.Object | None  #: the empty that holds the lights
    #: those of the further photos of a person, as far as they are there
    view_cameras: tuple[bpy.types.Object, ...] = ()


def head_name(reconstruction: Reconstruction) -> str:
    """The name of a head: the photo's, with the face's number from the second on."""
    stem = plain_name(PurePath(reconstruction.photo_name).stem) or "Face"
    number = reconstruction.face_index
    return stem if number <= 1 else f"{stem} face {number}"


def build_scene(
    reconstruction: Reconstruction,
    scene: bpy.types.Scene | None = None,
    *,
    name: str | None = None,
    set_active: bool = False,
) -> HeadScene:
    """Add the head of ``reconstruction`` with camera and lights to ``scene`` (the current one).

    Everything goes into one new collection named after the photo, at the origin or, where that is
    taken by another head or something no larger than a person, beside it.  Nothing else in the file
    changes; with ``set_active`` the head becomes the active, selected object, and its camera the
    scene's if that has none.  Names are made unique by Blender, so it can be called again and
    again.  The lights light this head only, and are those of the main photo.  Each further photo of
    a person has a camera of its own, named after the photo.  Where the reconstruction's options ask
    for them, the head gets a rig and its parts are objects.

    Raises :class:`ModelError` where a rig is asked for and the head has no ``jawOpen``.
    """
    scene = scene or _current_scene()
    name = name or head_name(reconstruction)
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    head = build_mesh(reconstruction, name)
    place_beside(head, scene)
    camera = build_camera(reconstruction, f"{name} camera")
    align_to_head(camera, head)
    lights = build_suns(suns_for(reconstruction), f"{name} light")
    rig = build_rig(head, camera, lights)
    hair = build_hair(head, reconstruction)
    further = [build_view_camera(reconstruction, 1 + n) for n in range(len(reconstruction.views))]
    for thing in further:
        align_to_head(thing, head)
    for thing in (head, rig, camera, *further, *lights, *([] if hair is None else [hair])):
        collection.objects.link(thing)
    keep_cameras(head, rig, [camera, *further])
    light_only(lights, collection)
    _add_what_is_asked(head, reconstruction)
    if set_active:
        scene.camera = scene.camera or camera
        _select_only(head, scene)
    return HeadScene(collection, head, camera, tuple(lights), rig, tuple(further))


def _add_what_is_asked(head: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Parts and rig, where the options say so."""
    asked = reconstruction.provenance.get("options", {})
    if asked.get("parts") is True:
        add_parts(head)
    if asked.get("rig") is True:
        add_armature(head)


def head_scene_of(head: bpy.types.Object) -> HeadScene:
    """What belongs to a head of ours now, found by its camera property and its collection.

    The camera may have been deleted or put elsewhere by the user; then it is None, and the
    collection one that holds the head.
    """
    camera = camera_for(head)
    collections = list(head.users_collection)
    if camera is not None:
        collections.sort(key=lambda group: camera.name not in group.objects)
    collection = collections[0] if collections else bpy.context.scene.collection
    lights = [x for x in collection.objects if is_light(x)]
    further = tuple(thing for thing in cameras_of(head)[1:] if thing is not None)
    return HeadScene(collection, head, camera, tuple(lights), rig_of(head), further)


def prepare_file(reconstruction: Reconstruction) -> bpy.types.Scene:
    """Open a new empty file set up for one head and return its scene.

    Standard view transform (the texture's colours come out as they are), metres, Cycles, the
    photo's size for renderings, 3D views in material preview.  What was open is discarded: only
    for a process of ours.
    """
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = _current_scene()
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 64
    scene.cycles.use_denoising = can_denoise(scene)
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    scene.unit_settings.system = "METRIC"
    scene.unit_settings.length_unit = "CENTIMETERS"
    scene.render.film_transparent = True
    view_of_photo(reconstruction).apply_to_render(scene.render)
    for space in _views_3d():
        space.shading.type = "MATERIAL"
        space.shading.use_scene_lights = True
        space.lens = 85.0
        space.clip_start = 0.005
        space.region_3d.view_location = (0.0, 0.0, 0.0)
        space.region_3d.view_distance = 0.8
        space.region_3d.view_perspective = "CAMERA"
    return scene


def can_denoise(scene: bpy.types.Scene) -> bool:
    """Whether this Blender has OpenImageDenoise (Debian's has not), which is then chosen."""
    try:
        scene.cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:  # no such entry in the enumeration
        return False
    return True


def _current_scene() -> bpy.types.Scene:
    return cast(bpy.types.Scene, bpy.context.scene)


def _views_3d() -> list[bpy.types.SpaceView3D]:
    return [
        space
        for screen in bpy.data.screens
        for area in screen.areas
        for space in area.spaces
        if isinstance(space, bpy.types.SpaceView3D)
    ]


def _select_only(thing: bpy.types.Object, scene: bpy.types.Scene) -> None:
    current = scene == _current_scene()
    layer = cast(bpy.types.ViewLayer, bpy.context.view_layer) if current else scene.view_layers[0]
    for other in layer.objects:
        other.select_set(False, view_layer=layer)
    thing.select_set(True, view_layer=layer)
    layer.objects.active = thing
