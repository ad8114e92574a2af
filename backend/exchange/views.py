"""Further photos of the person of a ``Reconstruction``: how the head stands in each of them.

In a file they are arrays with a first axis of W photos, under the names of the fields with
``view_`` before them; the photos themselves lie one after the other in ``view_photos``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_arrays, check_range
from ..bounded import Damaged

#: The most photos of one person.
MOST_PHOTOS = 30

#: What ``provenance`` calls the landmarks that were set by hand: for each photo of the head, the
#: main one first, as ``Options.corrected``, or None.
PERSONS_CORRECTED = "persons_corrected"

#: How far a matrix may be from a rotation, as the largest entry of ``R R^T - 1``.
ORTHOGONAL = 1e-3
#: What the arrays of one photo have to be, the main one's too.
ARRAYS = {
    "expression": Member("f4", ("E",)),
    "camera_matrix": Member("f8", (3, 3)),
    "rotation": Member("f8", (3, 3)),
    "translation": Member("f8", (3,)),
    "landmarks68": Member("i4", (68,)),
    "landmarks3d": Member("f4", (68, 3)),
    "landmarks2d": Member("f4", (68, 2)),
    "landmarks2d_detected": Member("f4", (68, 2)),
    "face_box": Member("f4", (4,)),
    "sh_light": Member("f4", (9, 3)),
}
#: What a file has of all of them.
STACKED = {
    **{
        f"view_{name}": Member(one.dtype, ("W", *(one.shape or ())), optional=True)
        for name, one in ARRAYS.items()
    },
    "view_image_size": Member("i4", ("W", 2), optional=True),
    "view_weight": Member("f4", ("W",), optional=True),
    "view_face_index": Member("i4", ("W",), optional=True),
    "view_photos": Member("u1", ("WP",), optional=True),
    "view_photo_bytes": Member("i8", ("W",), optional=True),
}


@dataclass(frozen=True, eq=False)
class PhotoView:
    """One photo of the person; pixels, axes and units as in :class:`.Reconstruction`."""

    expression: NDArray[np.float32]  #: (E,)
    camera_matrix: NDArray[np.float64]  #: (3, 3) pixels
    rotation: NDArray[np.float64]  #: (3, 3) head to camera
    translation: NDArray[np.float64]  #: (3,) mm
    image_size: tuple[int, int]  #: width, height of the upright photo in pixels
    landmarks68: NDArray[np.int32]  #: (68,) nearest vertex ids, the jaw line as seen in this view
    landmarks3d: NDArray[np.float32]  #: (68, 3) on the head with this expression, mm
    landmarks2d: NDArray[np.float32]  #: (68, 2) ``landmarks3d`` projected, pixels
    landmarks2d_detected: NDArray[np.float32]  #: (68, 2) what the detector saw, pixels
    face_box: NDArray[np.float32]  #: (4,) detected box x0, y0, x1, y1, pixels
    sh_light: NDArray[np.float32]  #: (9, 3) as of the head
    photo: NDArray[np.uint8]  #: the upright photo, encoded JPEG, sRGB
    photo_path: str = ""  #: where the photo is; files hold its name only
    face_index: int = 1  #: number of the face in the photo
    weight: float = 1.0  #: 0..1 how much it counted beside the best photo

    @classmethod
    def of_reconstruction(cls) -> tuple[str, ...]:
        """The fields that a ``Reconstruction`` has under the same names."""
        return tuple(one.name for one in fields(cls) if one.name != "weight")

    @property
    def photo_name(self) -> str:
        """The photo's file name without its folder."""
        return PurePath(self.photo_path.replace("\\", "/")).name


def check_views(views: Sequence[PhotoView], vertices: int, expressions: int) -> None:
    """Raise :class:`Damaged` naming the first field of ``views`` that does not fit a head of so
    many ``vertices`` and ``expressions``."""
    if len(views) >= MOST_PHOTOS:
        raise Damaged(f"it has {len(views) + 1} photos, and no person has over {MOST_PHOTOS}")
    for view in views:
        lengths = check_arrays({name: getattr(view, name) for name in ARRAYS}, ARRAYS)
        if lengths["E"] != expressions:
            raise Damaged(f"'view_expression' has {lengths['E']} weights for {expressions} shapes")
        check_range("view_landmarks68", view.landmarks68, vertices)
        check_camera(view.camera_matrix, view.rotation, "view_")
        if min(view.image_size) < 1:
            raise Damaged("'view_image_size' is empty")


def check_camera(camera_matrix: NDArray, rotation: NDArray, prefix: str = "") -> None:
    """Raise :class:`Damaged` unless ``camera_matrix`` (3, 3) sees and ``rotation`` (3, 3) is one;
    ``prefix`` goes before their names."""
    if min(camera_matrix[0, 0], camera_matrix[1, 1]) <= 0:
        raise Damaged(f"'{prefix}camera_matrix' has no positive focal length")
    gap = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not gap <= ORTHOGONAL or np.linalg.det(rotation) < 0:
        raise Damaged(f"'{prefix}rotation' is no rotation")


def stacked(views: Sequence[PhotoView]) -> dict[str, NDArray]:
    """The members of a file that hold ``views``; none where there are none."""
    if not views:
        return {}
    found = {f"view_{name}": np.stack([getattr(view, name) for view in views]) for name in ARRAYS}
    found["view_image_size"] = np.array([view.image_size for view in views], np.int32)
    found["view_weight"] = np.array([view.weight for view in views], np.float32)
    found["view_face_index"] = np.array([view.face_index for view in views], np.int32)
    found["view_photos"] = np.concatenate([view.photo for view in views])
    found["view_photo_bytes"] = np.array([len(view.photo) for view in views], np.int64)
    return found


def apart(found: dict[str, Any], names: Sequence[str]) -> tuple[PhotoView, ...]:
    """The views in ``found``, which loses its members of :data:`STACKED`; ``names`` are the photos'
    file names.  Raises :class:`Damaged` where they do not fit each other."""
    told = {name: found.pop(name) for name in STACKED if name in found}
    if not told and not names:
        return ()
    if missing := [name for name in STACKED if name not in told]:
        raise Damaged(f"it lacks {', '.join(missing)}")
    ends = told["view_photo_bytes"]
    if len(names) != len(ends):
        raise Damaged(f"it names {len(names)} further photos and has {len(ends)}")
    if (ends < 0).any() or ends.sum() != len(told["view_photos"]):
        raise Damaged("'view_photo_bytes' is not what 'view_photos' has")
    photos = np.split(told["view_photos"], np.cumsum(ends)[:-1])
    return tuple(
        PhotoView(
            **{name: told[f"view_{name}"][i] for name in ARRAYS},
            image_size=(int(told["view_image_size"][i, 0]), int(told["view_image_size"][i, 1])),
            weight=float(told["view_weight"][i]),
            face_index=int(told["view_face_index"][i]),
            photo=photos[i],
            photo_path=names[i],
        )
        for i in range(len(names))
    )
