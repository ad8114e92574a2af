"""The photo as the posed head sees it: a window around the head, lined up with the landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import project
from ..geometry.triangles import vertex_normals
from ..model import FaceModel
from ..raster import Raster, rasterize
from .layout import Float, smoothstep

#: Side in pixels of the small window in which visibility and trust are worked out.
ANALYSIS_SIDE = 512
#: The photo is sampled at no more than this many pixels per texel.
PIXELS_PER_TEXEL = 1.2
#: Brows to chin, mm: what ``View.face_size`` pixels stand for.  A round number; the default model's
#: mean head has 130.  It only scales rooms for depth; 0.7 to 1.4 times was tried
#: in ``trust`` alone and made no difference there.
FACE_MM = 110.0

# Set by eye, all that follow.  On 12 drawn heads with true geometry
# (tools/measure_sensitivity) 0.7 and 1.4 times what is kept clear of, and JUMP_SLOPE, change the
# error of the face's log albedo (0.26) by less than 1 %, and that of the hair's cover and colour by
# less than 3 %.

# What the photo is moved by so that its landmarks lie on the head's; lengths in faces.
#: A landmark is followed no further than this.
WARP_LIMIT = 0.1
#: Share and reach of the two displacements added up: of the face as a whole, and of each feature by
#: itself, since lips part by a tenth of the face.
WARP_KERNELS = ((0.7, 0.25), (0.3, 0.07))
#: Variance of the detector's noise as a part of that of the displacement.
WARP_NOISE = 0.02
_WARP_GRID = 64

# What is kept clear of, in faces: weights rise from 0 to 1 between the two.
OFF_OUTLINE = (0.008, 0.045)
OFF_EYES = (0.006, 0.022)
OFF_MOUTH = (0.002, 0.012)
#: A jump in depth between neighbouring pixels, mm, and in pixels' widths: what a surface within
#: about 80 degrees of the view does not make over the two pixels between them.
JUMP_MM, JUMP_SLOPE = 4.0, 10.0
#: Inner lips further apart than this part of the mouth's width show what is behind them.
PARTED_LIPS = 0.05


@dataclass(frozen=True, eq=False)
class View:
    """Geometry and photo in one frame: the pixels of ``photo``, a scaled window of the original."""

    photo: NDArray[np.uint8]  #: (h, w, 3) sRGB, warped onto the posed head
    pixels: Float  #: (V, 2) where each vertex is seen in ``photo``
    depth: Float  #: (V,) mm
    facing: Float  #: (V,) cosine between the normal and the ray to the camera
    normals: Float  #: (V, 3) head coordinates
    small_scale: float  #: analysis pixels per pixel of ``photo``
    small_photo: NDArray[np.uint8]  #: the window at the analysis scale
    raster: Raster  #: of the posed head, at the analysis scale
    inside: NDArray[np.bool_]  #: analysis pixels inside the given photo, and not covered there
    landmarks: Float  #: (68, 2) of the posed head in analysis pixels, the jaw as the model has it
    face_size: float  #: brows to chin in analysis pixels

    def to_small(self, pixels: NDArray) -> Float:
        """Pixels of ``photo`` as analysis pixels (both count from the pixel's centre)."""
        return ((pixels + 0.5) * self.small_scale - 0.5).astype(np.float32)


def make_view(
    model: FaceModel,
    photo: NDArray[np.uint8],
    vertices: NDArray,
    camera_matrix: NDArray,
    rotation: NDArray,
    translation: NDArray,
    landmarks2d: NDArray | None,
    size: int,
    covered: NDArray[np.bool_] | None = None,
) -> View:
    """The :class:`View` of ``photo`` (H, W, 3) sRGB through the given camera.

    With ``landmarks2d`` (68, 2) detected pixels, the photo is warped smoothly so that brows, eyes,
    nose and mouth lie where the posed head has them: what the fit left over would otherwise paint
    the white of the eye on the lid.
    """
    camera = np.asarray(vertices, np.float64) @ np.asarray(rotation).T + np.asarray(translation)
    pixels = project(camera, np.asarray(camera_matrix, np.float64))
    corners, weights = model.landmarks68_triangles, model.landmarks68_barycentric
    marks = (pixels[corners] * weights[..., None]).sum(axis=1)
    texels = _texels_per_pixel(model, pixels, size)
    window, matrix, inside = _cut_out(photo, pixels, min(1.0, PIXELS_PER_TEXEL * texels), covered)
    pixels, marks = _apply(matrix, pixels), _apply(matrix, marks)
    if landmarks2d is not None:
        window = _warp_to_landmarks(window, marks, _apply(matrix, np.asarray(landmarks2d)))
    small_scale = min(1.0, ANALYSIS_SIDE / max(window.shape[:2]))
    height, width = window.shape[:2]
    small_size = (max(1, round(width * small_scale)), max(1, round(height * small_scale)))
    to_small = _scaling(small_scale)
    normals = vertex_normals(np.asarray(vertices, np.float64), model.faces)
    ray = -camera / np.linalg.norm(camera, axis=1, keepdims=True)
    facing = ((normals @ np.asarray(rotation).T) * ray).sum(axis=1)
    small_marks = _apply(to_small, marks)
    return View(
        photo=window,
        pixels=pixels.astype(np.float32),
        depth=camera[:, 2].astype(np.float32),
        facing=facing.astype(np.float32),
        normals=normals.astype(np.float32),
        small_scale=small_scale,
        small_photo=cv2.resize(window, small_size, interpolation=cv2.INTER_AREA),
        raster=rasterize(
            camera, model.faces, to_small @ matrix @ np.asarray(camera_matrix), small_size
        ),
        inside=cv2.resize(inside, small_size, interpolation=cv2.INTER_AREA) == 255,
        landmarks=small_marks.astype(np.float32),
        face_size=_face_size(small_marks),
    )


def _scaling(scale: float) -> NDArray:
    """(3, 3) pixels of a picture to those of the picture scaled, both counted from centres."""
    offset = (scale - 1) / 2
    return np.array([[scale, 0, offset], [0, scale, offset], [0, 0, 1]])


def _face_size(marks: NDArray) -> float:
    """Brows to chin, or what a turned head shows of its width: the larger, in pixels."""
    tall = np.linalg.norm(marks[17:27].mean(axis=0) - marks[8])
    return float(max(tall, np.ptp(marks[17:68, 0])))


def _apply(matrix: NDArray, points: NDArray) -> NDArray:
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def _texels_per_pixel(model: FaceModel, pixels: NDArray, size: int) -> float:
    """Median length ratio over the triangles that face the camera."""

    def doubled_area(points: NDArray) -> NDArray:
        a, b = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
        return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]

    seen = doubled_area(pixels[model.faces])
    drawn = np.abs(doubled_area(model.uv[model.uv_faces] * size))
    # Pixel rows grow downwards, so triangles that face the camera wind negatively.
    front = (seen < -1e-6) & (drawn > 1e-6)
    if not front.any():
        return 1.0
    return float(np.sqrt(np.median(drawn[front] / -seen[front])))


def _cut_out(
    photo: NDArray[np.uint8],
    pixels: NDArray,
    scale: float,
    covered: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.uint8], NDArray, NDArray[np.uint8]]:
    """The window of ``photo`` around ``pixels``, scaled down; the (3, 3) matrix from photo pixels
    to window pixels; and which window pixels show the head in the photo (255): not those that
    repeat its border, nor those that are ``covered`` (H, W)."""
    height, width = photo.shape[:2]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    margin = 0.06 * (high - low).max() + 2
    # A head that mostly lies outside is kept within three pictures' widths.
    x0, y0 = np.floor(np.maximum(low - margin, [-width, -height])).astype(int)
    x1, y1 = np.ceil(np.minimum(high + margin, [2 * width, 2 * height])).astype(int)
    x1, y1 = max(x1, x0 + 8), max(y1, y0 + 8)
    outside = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))
    part = photo[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    if part.size == 0:
        part, outside = photo, (0, 0, 0, 0)
        x0 = y0 = 0
    inside = np.full(part.shape[:2], 255, np.uint8)
    if covered is not None and part is not photo:
        inside[covered[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]] = 0
    window = cv2.copyMakeBorder(part, *outside, cv2.BORDER_REPLICATE)
    inside = cv2.copyMakeBorder(inside, *outside, cv2.BORDER_CONSTANT, value=0)
    size = tuple(max(2, round(s * scale)) for s in window.shape[1::-1])
    sx, sy = size[0] / window.shape[1], size[1] / window.shape[0]
    matrix = np.array([[sx, 0, (0.5 - x0) * sx - 0.5], [0, sy, (0.5 - y0) * sy - 0.5], [0, 0, 1]])
    if scale < 1:
        window = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
        inside = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
    return window, matrix, inside


def _warp_to_landmarks(
    window: NDArray[np.uint8], model_marks: NDArray, photo_marks: NDArray
) -> NDArray[np.uint8]:
    """Move the picture smoothly from the detected inner landmarks to the posed head's.

    Gaussian-process regression of the displacement: it dies out away from the landmarks, and
    detector noise is not followed.
    """
    inner = slice(17, 68)
    at, shift = model_marks[inner], (photo_marks - model_marks)[inner]
    face = _face_size(model_marks)
    limit = WARP_LIMIT * face
    shift = shift * np.minimum(1, limit / np.maximum(np.linalg.norm(shift, axis=1), 1e-9))[:, None]

    def kernel(a: NDArray, b: NDArray) -> NDArray:
        gap = ((a[:, None] - b[None]) ** 2).sum(axis=2) / (2 * face**2)
        (whole, wide), (own, near) = WARP_KERNELS
        return whole * np.exp(-gap / wide**2) + own * np.exp(-gap / near**2)

    weights = np.linalg.solve(kernel(at, at) + WARP_NOISE * np.eye(len(at)), shift)
    height, width = window.shape[:2]
    grid = _WARP_GRID
    x, y = np.meshgrid(
        (np.arange(grid) + 0.5) * width / grid - 0.5, (np.arange(grid) + 0.5) * height / grid - 0.5
    )
    coarse = (kernel(np.stack([x.ravel(), y.ravel()], 1), at) @ weights).astype(np.float32)
    field = cv2.resize(coarse.reshape(grid, grid, 2), (width, height), None, 0, 0, cv2.INTER_CUBIC)
    field[..., 0] += np.arange(width, dtype=np.float32)
    field[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(window, field, None, cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)


def edge_distance(view: View, skin_face: NDArray[np.bool_]) -> tuple[Float, Float]:
    """Two (h, w) weights in analysis pixels: away from silhouettes, away from eyes and mouth.

    The first keeps clear of the head's outline and of every jump in depth (nose over cheek, jaw
    over neck); the second of pixels that show eyeballs, teeth, or the inside of the mouth.
    """
    raster = view.raster
    solid = raster.mask.astype(np.uint8)
    depth = np.where(raster.mask, raster.depth, 0)
    kernel = np.ones((3, 3), np.uint8)
    near = cv2.erode(np.where(raster.mask, depth, 1e6).astype(np.float32), kernel)
    far = cv2.dilate(depth, kernel)
    millimetre_per_pixel = FACE_MM / max(view.face_size, 1.0)
    solid[(far - near) > np.maximum(JUMP_MM, JUMP_SLOPE * millimetre_per_pixel)] = 0
    solid[~view.inside] = 0
    outline = _distance(solid, view)
    inner = raster.mask & ~skin_face[raster.face_id]
    eyes = np.ones(solid.shape, np.uint8)
    mouth = np.ones(solid.shape, np.uint8)
    for ids, closed in ((range(36, 42), eyes), (range(42, 48), eyes), (range(60, 68), mouth)):
        ring = np.round(view.landmarks[list(ids)] * 16).astype(np.int32)
        if closed is eyes or _mouth_open(view):
            cv2.fillPoly(closed, [ring], 0, shift=4)
    lower = np.arange(len(solid))[:, None] > view.landmarks[33, 1]
    mouth[inner & lower] = 0
    eyes[inner & ~lower] = 0
    off_eyes = _distance(eyes, view)
    off_mouth = _distance(mouth, view)
    opening = smoothstep(*OFF_EYES, off_eyes) * smoothstep(*OFF_MOUTH, off_mouth)
    return smoothstep(*OFF_OUTLINE, outline), opening


def _distance(solid: NDArray[np.uint8], view: View) -> Float:
    """(h, w) distance to the nearest zero in parts of the face's size; large without one."""
    pixels = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
    return np.minimum(pixels, 1e6) / max(view.face_size, 1e-3)


def _mouth_open(view: View) -> bool:
    """Whether the inner lips stand apart."""
    marks = view.landmarks
    gap = np.linalg.norm(marks[[61, 62, 63]] - marks[[67, 66, 65]], axis=1).mean()
    return bool(gap > PARTED_LIPS * np.linalg.norm(marks[60] - marks[64]))
