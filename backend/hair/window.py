"""The photo around a head, as hair is looked for in it, and the person there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..detect.person import person_mask
from ..geometry.camera import project
from ..model import FaceModel
from ..raster import interpolate, rasterize
from ..texture.layout import layout_of

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Side of the window, in faces (brows to chin), and pixels of a face in it.
WINDOW_FACES, FACE_PX = 4.4, 104
#: The closer look at a person, in parts of the window: rows and columns.
_CLOSER, _CLOSER_X = (0.12, 0.74), (0.19, 0.81)


@dataclass(frozen=True, eq=False)
class Window:
    """The photo around a head, at ``face_px`` pixels from brows to chin."""

    picture: NDArray[np.uint8]  #: (h, w, 3) sRGB
    inside: Bool  #: (h, w) within the photo
    matrix: NDArray[np.float64]  #: (3, 3) camera matrix of the window's pixels
    face_px: float
    head: Bool  #: (h, w) the drawn head
    fields: Float  #: (h, w, 4) scalp, core, forehead, surely skin; 0 off the head


def window_of(
    model: FaceModel,
    photo: NDArray[np.uint8],
    camera_vertices: NDArray,
    camera_matrix: NDArray,
    face_px: float = FACE_PX,
    texture_size: int = 1024,
) -> Window:
    """The :class:`Window` of ``photo`` (H, W, 3) sRGB round ``camera_vertices`` (V, 3) mm in camera
    coordinates."""
    matrix = np.asarray(camera_matrix, np.float64)
    pixels = project(np.asarray(camera_vertices, np.float64), matrix)
    marks = pixels[model.landmarks68]
    tall = np.linalg.norm(marks[17:27].mean(axis=0) - marks[8])
    face = max(float(tall), float(np.ptp(marks[17:68, 0])), 1.0)
    scale = face_px / face
    side = round(WINDOW_FACES * face_px)
    # A bit below the brows: hair hangs further down than it stands up.
    middle = marks[27:36].mean(axis=0)
    to_window = np.array(
        [
            [scale, 0, side / 2 - scale * middle[0]],
            [0, scale, 0.46 * side - scale * middle[1]],
            [0, 0, 1],
        ]
    )
    if scale < 0.5:  # warpAffine does not average
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        sx, sy = small.shape[1] / photo.shape[1], small.shape[0] / photo.shape[0]
        shrink = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
        source, warp = small, to_window @ np.linalg.inv(shrink)
    else:
        source, warp = photo, to_window
    picture = cv2.warpAffine(
        source, warp[:2], (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    covered = np.full(source.shape[:2], 255, np.uint8)
    inside = cv2.warpAffine(covered, warp[:2], (side, side), flags=cv2.INTER_NEAREST) > 0
    window_matrix = to_window @ matrix
    raster = rasterize(camera_vertices, model.faces, window_matrix, (side, side))
    regions = layout_of(model, texture_size).regions
    fields = np.column_stack([regions.scalp, regions.core, regions.forehead, regions.sure])
    drawn = interpolate(raster, model.faces, fields.astype(np.float32))
    return Window(picture, inside, window_matrix, face_px, raster.mask, drawn)


def person_in(window: Window) -> Float:
    """(h, w) 0..1 how surely ``window`` shows a person; 0 outside the photo.

    Seen twice, whole and closer: a small head is a few pixels to the network.
    """
    side = len(window.picture)
    found = person_mask(window.picture)
    low, high = (round(end * side) for end in _CLOSER)
    left, right = (round(end * side) for end in _CLOSER_X)
    closer = np.s_[low:high, left:right]
    found[closer] = (found[closer] + person_mask(window.picture[closer])) / 2
    return found * window.inside
