"""The cameras of a head, one for each of its photos: which is whose, and what a new fit changes.

``number`` is that of one of the head's photos, 0 the main one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import bpy

from ..backend.exchange import Reconstruction
from ..backend.files import plain_name
from .camera import VIEW, align_to_head, background_of, build_camera, fit_to_scene, place_camera
from .materials import is_ours, packed_image
from .mesh import of_photo, photo_count
from .rig import CAMERA as RIG_CAMERA

#: Custom property of a head: the camera that sees it as its main photo does; further ones are
#: :func:`.mesh.of_photo` of it.
CAMERA = "camera"
#: Custom property of a head: which photo was shown last, 1 the main one.
SHOWN = "photo_shown"


def camera_for(head: bpy.types.Object, number: int = 0) -> bpy.types.Object | None:
    """The camera that sees ``head`` as photo ``number`` does; None if it was deleted."""
    camera = head.get(of_photo(CAMERA, number))
    return camera if isinstance(camera, bpy.types.Object) else None


def cameras_of(head: bpy.types.Object) -> list[bpy.types.Object | None]:
    """:func:`camera_for` of every photo of ``head``."""
    return [camera_for(head, number) for number in range(photo_count(head))]


def has_camera(head: bpy.types.Object, thing: bpy.types.Object | None) -> bool:
    """Whether ``thing`` is the camera of a photo of ``head``."""
    names = (name for name in head.keys() if name.partition("_")[0] == CAMERA)  # noqa: SIM118
    return thing is not None and any(head[name] == thing for name in names)


def shown_number(head: bpy.types.Object) -> int:
    """Which photo of ``head`` was shown last."""
    known = head.get(SHOWN, 1)
    number = int(known) - 1 if isinstance(known, int | float) else 0
    return number if 0 <= number < photo_count(head) else 0


def set_shown(head: bpy.types.Object, number: int) -> None:
    """Note that photo ``number`` of ``head`` is shown; of a head of one photo nothing is noted."""
    if head.library is not None:
        return
    if photo_count(head) > 1:
        head[SHOWN] = number + 1
    elif SHOWN in head:
        del head[SHOWN]


def build_view_camera(reconstruction: Reconstruction, number: int) -> bpy.types.Object:
    """A new camera, in no collection yet, for a further photo of ``reconstruction``."""
    seen = reconstruction.seen_in(number)
    return build_camera(seen, _camera_name(seen.photo_name, number))


def update_cameras(
    head: bpy.types.Object,
    reconstruction: Reconstruction,
    photos_before: Sequence[str],
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    rig: bpy.types.Object | None,
) -> None:
    """Give ``head``, that was of ``photos_before`` (names), the cameras of ``reconstruction``.

    A photo keeps its camera, whatever its number is now, and one that takes another's place gets
    that one's.  A camera that the user deleted stays deleted; one whose photo is left out goes,
    unless it was animated.
    """
    photos = [reconstruction.photo_name, *(view.photo_name for view in reconstruction.views)]
    old = [camera_for(head, number) for number in range(len(photos_before))]
    which = counterparts(photos_before, photos)
    for number in range(max(len(old), len(photos))):
        _keep(head, rig, number, None)
    for number, place in enumerate(which):
        if place is None:
            camera = build_view_camera(reconstruction, number)
            collection.objects.link(camera)
        else:
            camera = old[place]
            if camera is None:
                continue
            _show_photo(camera, reconstruction.seen_in(number))
            if len(photos) > 1 and photos_before[place] != photos[number]:
                _rename(camera, photos_before[place], photos[number], number)
        align_to_head(camera, head)
        fit_to_scene(camera, scene)
        _keep(head, rig, number, camera)
    for place in set(range(len(old))) - set(which):
        _remove(old[place])


def counterparts(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """For each of the photos ``new`` (names) the one of ``old`` whose place it takes.

    The one of the same name, or else the next that none has: a photo in another's place.  None
    where there is none left.
    """
    free = list(range(len(old)))
    found: list[int | None] = []
    for name in new:
        same = next((place for place in free if old[place] == name), None)
        if same is not None:
            free.remove(same)
        found.append(same)
    return [free.pop(0) if place is None and free else place for place in found]


def keep_cameras(
    head: bpy.types.Object, rig: bpy.types.Object, cameras: Sequence[bpy.types.Object]
) -> None:
    """Note with ``head`` and ``rig`` which ``cameras`` are its photos', the main one first."""
    for number, camera in enumerate(cameras):
        _keep(head, rig, number, camera)


def _keep(
    head: bpy.types.Object,
    rig: bpy.types.Object | None,
    number: int,
    camera: bpy.types.Object | None,
) -> None:
    """The rig removes the cameras with the head: it outlives one that was deleted."""
    for thing, name in ((head, CAMERA), (rig, RIG_CAMERA)):
        name = of_photo(name, number)
        if thing is None:
            continue
        if camera is not None:
            thing[name] = camera
        elif name in thing:
            del thing[name]


def _show_photo(camera: bpy.types.Object, seen: Reconstruction) -> None:
    place_camera(camera, seen)
    behind = background_of(camera)
    if behind is None or not is_ours(behind.image) or not seen.photo.size:
        return
    old, name = behind.image, behind.image.name
    new = packed_image(name, seen.photo, ".jpg")
    old.user_remap(new)
    bpy.data.images.remove(old)
    new.name = name


def _rename(camera: bpy.types.Object, before: str, photo: str, number: int) -> None:
    """Call a camera that nobody renamed, and the photo behind it, after its photo."""
    behind = background_of(camera)
    if camera.name.split(".")[0] != _camera_name(before, number).split(".")[0]:
        return
    camera.name = camera.data.name = _camera_name(photo, number)
    if behind is not None and is_ours(behind.image):
        behind.image.name = f"{camera.name} photo"


def _camera_name(photo: str, number: int) -> str:
    return f"{plain_name(PurePath(photo).stem) or f'Photo {number + 1}'} camera"


def _remove(camera: bpy.types.Object | None) -> None:
    if camera is None or VIEW not in camera or camera.animation_data is not None or camera.children:
        return
    data = camera.data
    assert isinstance(data, bpy.types.Camera)
    images = {one.image for one in data.background_images if is_ours(one.image)}
    bpy.data.objects.remove(camera)
    bpy.data.batch_remove([data] if data.users == 0 else [])
    bpy.data.batch_remove([image for image in images if image is not None and image.users == 0])
