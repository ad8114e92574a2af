"""The one place where the two renderers' conventions meet.

Both pictures hold what is at each pixel's *centre*, so that they can be compared pixel by pixel.

==================  ============================  ================================================
what                PyTorch3D                     Cycles
==================  ============================  ================================================
camera axes         x left, y up, z forward: x    x right, y up, looks along -z: y and z of what
                    and y of OpenCV's change sign it writes change sign
pixel (0, 0)        origin at the pixel's corner: half a pixel in its shift (``scene/camera.py``)
                    the principal point plus 1/2
samples             one, at the centre            one; the pixel filter is 1/100 pixel wide, the
                    (``blur_radius`` 0)           least that Cycles takes
units               mm                            metres; times 1000
depth               along the axis                "View Z Depth" of the Camera Data node, the same
                    (perspective-correct)
triangles           quads split by their first    the same, save quads folded along it, which
                    diagonal                      it splits by the other
normals             vertex normals, the faces'    Blender's own, which are made so (Thuermer and
                    weighted by their angles      Wuethrich 1998), interpolated and normalised
back faces          culled                        made transparent
texture             bilinear, sRGB values; texel  the same: Cycles keeps 8-bit pictures as they
                    centres at (i + 1/2) / T;     are and linearises what it has interpolated
                    linearised afterwards;
                    wrapped by a texel's border   repeated
light               spherical harmonics of the    a material that evaluates the same polynomial
                    head's normal                 in nodes and emits the product
colour              linear, as computed           the scene's linear values by way of 32-bit
                                                  OpenEXR: no view transform
subdivision         none                          taken off: the passes compare the surface that
                                                  was fitted.  What it changes is told apart.
==================  ============================  ================================================

The unit of both pictures is the *view*: part of what the scene's camera renders, scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ExchangeError
from ..exchange import Reconstruction
from ..geometry.camera import Camera, project

Double = NDArray[np.float64]

#: Around the projected head, as a part of its size.
_MARGIN = 0.03


@dataclass(frozen=True, eq=False)
class View(Camera):
    """A camera and a picture of it.

    Perspective, or scaled orthographic: then there is no division by depth, and
    ``camera_matrix[0, 0]`` is in pixels per mm.  Pixels may be oblong.
    """

    size: tuple[int, int]  #: width, height in pixels
    orthographic: bool = False

    def project(self, points: NDArray) -> Double:
        """(N, 2) pixels of ``points`` (N, 3) in head axes."""
        camera = self.to_camera(points)
        if self.orthographic:
            camera = np.c_[camera[:, :2], np.ones(len(camera))]
        return project(camera, self.camera_matrix)


@dataclass(frozen=True)
class Frame:
    """What the Blender scene renders: its resolution, and the shape of its pixels."""

    width: int
    height: int
    pixel_aspect: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Window:
    """A part of a scaled frame: (left, top) and size in pixels of the frame at ``scale``."""

    frame: tuple[int, int]  #: width, height of the whole frame at that scale
    left: int
    top: int
    width: int
    height: int


def frame_view(reconstruction: Reconstruction, frame: Frame) -> View:
    """What the camera of the head shows where the scene renders ``frame``.

    The photo is fitted into the middle of the frame, whole: the photo itself where the frame has
    its size.
    """
    size = np.array(reconstruction.image_size, np.float64)
    matrix = reconstruction.camera_matrix.astype(np.float64)
    aspect = np.array(frame.pixel_aspect)
    # In square units first: that is what "fitted" means for a frame of oblong pixels.
    across = np.array([frame.width, frame.height]) * aspect
    photo_aspect = np.array([max(1.0, matrix[1, 1] / matrix[0, 0]),
                             max(1.0, matrix[0, 0] / matrix[1, 1])])  # fmt: skip
    scale = float((across / (size * photo_aspect)).min()) * photo_aspect / aspect
    return _scaled(reconstruction, matrix, size, scale, (frame.width, frame.height))


def head_frame(view: View, vertices: NDArray, size: int) -> Window:
    """The window that holds ``vertices`` (V, 3), head mm, its long side ``size`` pixels.

    Parts of the head that the frame cuts off are left out.  Raises :class:`ExchangeError` where
    nothing is left.
    """
    pixels = view.project(vertices)
    low, high = pixels.min(0), pixels.max(0)
    margin = _MARGIN * float((high - low).max())
    low = np.maximum(low - margin, -0.5)
    high = np.minimum(high + margin, np.array(view.size) - 0.5)
    if (high - low).min() < 1:
        raise ExchangeError("The head is outside of its own camera's picture.")
    # 65,536 is the largest picture that Blender's settings take.
    scale = min(size / float((high - low).max()), 60000 / max(view.size))
    frame = tuple(max(1, round(side * scale)) for side in view.size)
    corner = np.floor((low + 0.5) * scale).astype(int)
    extent = np.minimum(np.ceil((high - low) * scale).astype(int), size)
    extent = np.minimum(extent, np.array(frame) - corner)
    left, top = (int(x) for x in corner)
    return Window((frame[0], frame[1]), left, top, int(extent[0]), int(extent[1]))


def view_in_frame(view: View, window: Window) -> View:
    """The part of ``view``'s picture, scaled, that ``window`` names.

    Blender scales about the middle, by the long side; rounding the short side's pixels cuts there.
    """
    width, height = view.size
    long = 0 if width >= height else 1
    scale = window.frame[long] / view.size[long]
    middle = (np.array(view.size) - 1) / 2
    matrix = view.camera_matrix.copy()
    matrix[:2, :2] *= scale
    matrix[:2, 2] = (np.array(window.frame) - 1) / 2 + scale * (matrix[:2, 2] - middle)
    matrix[:2, 2] -= window.left, window.top
    return View(
        matrix, view.rotation, view.translation, (window.width, window.height), view.orthographic
    )


def _scaled(
    reconstruction: Reconstruction,
    matrix: Double,
    size: Double,
    scale: NDArray,
    frame: tuple[int, int],
) -> View:
    scaled = matrix.copy()
    scaled[:2] *= scale[:, None]
    scaled[:2, 2] = (np.array(frame) - 1) / 2 + scale * (matrix[:2, 2] - (size - 1) / 2)
    return View(
        scaled,
        np.asarray(reconstruction.rotation, np.float64),
        np.asarray(reconstruction.translation, np.float64),
        frame,
    )
