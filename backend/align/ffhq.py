"""The FFHQ crop: NVIDIA's alignment recipe (Karras et al., "A Style-Based Generator Architecture",
CVPR 2019, appendix A; Karras et al., "Progressive Growing of GANs", ICLR 2018, appendix C)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Half the FFHQ square's side, and how much higher its centre lies, in sides of a detector's box:
#: medians over 26 photos that dlib's HOG detector and landmarks agree on (they vary by 9 and 5 %).
BOX_GROWTH, BOX_RISE = 0.83, 0.155

# The recipe samples at 4096 and averages down to 1024; the same factor at any size.
_SUPERSAMPLING = 4


@dataclass(frozen=True)
class Crop:
    """An aligned face."""

    image: Bytes  #: (size, size, 3) uint8 sRGB
    quad: Doubles  #: (4, 2) corners in the photo: top left, bottom left, bottom right, top right
    #: (3, 3) affine: pixels of ``image`` (x, y, 1) to pixels of the photo, (0, 0) the centre of the
    #: top-left pixel in both
    to_photo: Doubles

    @property
    def zoom(self) -> float:
        """Pixels of the photo per pixel of ``image``."""
        return float(np.sqrt(abs(np.linalg.det(self.to_photo[:2, :2]))))


def ffhq_quad(landmarks68: NDArray[np.floating]) -> Doubles:
    """(4, 2) corners of the aligned square around (68, 2) ``landmarks68``, in their pixels.

    x = (e_r - e_l) - rot90(m - e), normalised, times max(2.0 |e_r - e_l|, 1.8 |m - e|);
    y = rot90(x); centre = e + 0.1 (m - e), where e is the middle of the eyes and m of the mouth
    corners, and rot90(x, y) = (-y, x).  Returned as c-x-y, c-x+y, c+x+y, c+x-y.
    """
    points = np.asarray(landmarks68, dtype=np.float64)
    eye_left, eye_right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    eyes, mouth = 0.5 * (eye_left + eye_right), 0.5 * (points[48] + points[54])
    eye_to_eye, eye_to_mouth = eye_right - eye_left, mouth - eyes
    x = eye_to_eye - _rot90(eye_to_mouth)
    x /= np.hypot(*x)
    x *= max(2.0 * np.hypot(*eye_to_eye), 1.8 * np.hypot(*eye_to_mouth))
    y = _rot90(x)
    c = eyes + 0.1 * eye_to_mouth
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def ffhq_crop(pixels: Bytes, landmarks68: NDArray[np.floating], size: int = 224) -> Crop:
    """Cut the face out of ``pixels`` (H, W, 3) uint8 as FFHQ was made, ``size`` pixels square."""
    return quad_crop(pixels, ffhq_quad(landmarks68), size)


def quad_crop(pixels: Bytes, quad: Doubles, size: int = 224) -> Crop:
    """The recipe of FFHQ for the square ``quad`` (4, 2) of ``pixels``; see :func:`ffhq_quad`.

    It is run with its output set to ``size``: shrink by floor(qsize / size / 2) when that
    is over 1, crop with a 10 % border, pad by reflection with blur and fade where the quad leaves
    the photo, sample the quad bilinearly at 4 x ``size`` (the recipe: 4096 for 1024), and resize to
    ``size`` with an antialiasing (Lanczos) filter.  Running it at 1024 and resizing that to 224, as
    a data set made beforehand does, costs 20 times as much and differs by 0.2 grey levels on
    average; by 1 on photos with faces so large (over 900 pixels) that they are shrunk.
    """
    qsize = float(np.hypot(*(quad[3] - quad[0])))
    shrink = max(int(np.floor(qsize / size * 0.5)), 1)
    border = max(round(qsize / shrink * 0.1), 3)
    image, origin = _shrunk_and_cropped(pixels, quad / shrink, shrink, border)
    local = quad / shrink - origin
    image, shift = _padded(image, local, qsize / shrink, border)
    fine = _SUPERSAMPLING * size
    # PIL measures from the corner of the first pixel, the quad from its centre.
    sampled = Image.fromarray(image).transform(
        (fine, fine),
        Image.Transform.QUAD,
        (local + shift + 0.5).ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    crop = sampled.resize((size, size), Image.Resampling.LANCZOS)
    to_photo = _to_photo(quad / shrink, size, pixels.shape, shrink)
    return Crop(np.asarray(crop), quad, to_photo)


def box_quad(box: NDArray[np.floating], quarter_turns: int = 0) -> Doubles:
    """(4, 2) the square that stands for FFHQ's where only a detector's ``box`` is known.

    ``box`` (4,) and ``quarter_turns`` as in :class:`~..detect.Detection`.
    """
    low, high = np.asarray(box[:2], np.float64), np.asarray(box[2:], np.float64)
    side = float(np.sqrt(np.prod(high - low)))
    # As in numpy.rot90: a vector of the upright picture (x, y) is (-y, x) in the one before a turn.
    upright = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarter_turns % 4)
    square = BOX_GROWTH * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) - (0.0, BOX_RISE)
    return (low + high) / 2 + side * square @ upright.T


def _rot90(v: Doubles) -> Doubles:
    return np.array([-v[1], v[0]])


def _shrunk_size(shape: tuple[int, ...], shrink: int) -> tuple[int, int]:
    return max(round(shape[1] / shrink), 1), max(round(shape[0] / shrink), 1)


def _shrunk_and_cropped(
    pixels: Bytes, quad: Doubles, shrink: int, border: int
) -> tuple[Bytes, Doubles]:
    """The photo at 1/``shrink``, cut to ``quad`` (in its pixels) plus ``border``; and where from.

    Only the part that is kept gets resized, with the pixels around it that the filter reads, so
    this is the same as resizing the whole photo first.
    """
    width, height = _shrunk_size(pixels.shape, shrink)
    low, high = np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))
    x0, y0 = (int(max(v - border, 0)) for v in low)
    x1, y1 = (int(min(v + border, n)) for v, n in zip(high, (width, height), strict=True))
    x0, y0 = min(x0, width - 1), min(y0, height - 1)  # a quad wholly outside keeps one pixel
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    origin = np.array([x0, y0], dtype=np.float64)
    if shrink == 1:
        return np.ascontiguousarray(pixels[y0:y1, x0:x1]), origin
    scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height])
    start, stop = np.array([x0, y0]) * scale, np.array([x1, y1]) * scale
    reach = 4 * shrink  # Lanczos reads 3 pixels of the result to each side
    near = np.maximum(start - reach, 0).astype(int)
    far = np.ceil(stop + reach).astype(int)
    part = Image.fromarray(np.ascontiguousarray(pixels[near[1] : far[1], near[0] : far[0]]))
    box = (*(start - near), *np.minimum(stop - near, part.size))
    small = part.resize((x1 - x0, y1 - y0), Image.Resampling.LANCZOS, box=box)
    return np.asarray(small), origin


def _padded(image: Bytes, quad: Doubles, qsize: float, border: int) -> tuple[Bytes, Doubles]:
    """Reflected, blurred and faded to the median colour where ``quad`` leaves ``image``.

    Returns the picture and by how much (2,) it moved: zero when nothing had to be added.
    """
    height, width = image.shape[:2]
    low, high = np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))
    beyond = np.concatenate([-low, high - (width, height)]) + border  # left, top, right, bottom
    pad = np.maximum(beyond, 0).astype(int)
    if pad.max() <= border - 4:
        return image, np.zeros(2)
    left, top, right, bottom = (int(v) for v in np.maximum(pad, round(qsize * 0.3)))
    big = np.pad(image.astype(np.float32), ((top, bottom), (left, right), (0, 0)), mode="reflect")
    height, width = big.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    # 1 at the rim of the padded picture, 0 where the photo begins, negative inside
    across = 1.0 - np.minimum(x / left, x[::-1] / right)
    down = 1.0 - np.minimum(y / top, y[::-1] / bottom)
    mask = np.maximum(across[None, :], down[:, None])[..., None]
    big += (_gaussian(big, qsize * 0.02) - big) * np.clip(mask * 3.0 + 1.0, 0.0, 1.0)
    big += (np.median(big, axis=(0, 1)) - big) * np.clip(mask, 0.0, 1.0)
    faded = np.clip(np.rint(big), 0, 255).astype(np.uint8)
    return faded, np.array([left, top], dtype=np.float64)


def _gaussian(image: Floats, sigma: float) -> Floats:
    """Gaussian blur cut at 4 sigma with the rim reflected, as scipy.ndimage's defaults."""
    reach = 2 * int(4.0 * sigma + 0.5) + 1
    blurred = cv2.GaussianBlur(image, (reach, reach), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred, dtype=np.float32)


def _to_photo(quad: Doubles, size: int, shape: tuple[int, ...], shrink: int) -> Doubles:
    """See :class:`Crop`; ``quad`` in pixels of the shrunk photo.

    The recipe divides the quad by ``shrink`` without minding that the pixel centres move, a shift
    of (shrink - 1) / 2 pixels of the photo, which is part of where the pixels come from.
    """
    right, down = (quad[3] - quad[0]) / size, (quad[1] - quad[0]) / size
    matrix = np.eye(3)
    matrix[:2, 0], matrix[:2, 1] = right, down
    matrix[:2, 2] = quad[0] + 0.5 * right + 0.5 * down
    width, height = _shrunk_size(shape, shrink)
    scale = np.array([shape[1] / width, shape[0] / height])
    enlarge = np.diag([*scale, 1.0])
    enlarge[:2, 2] = 0.5 * scale - 0.5
    return enlarge @ matrix
