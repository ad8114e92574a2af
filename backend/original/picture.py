"""What the original made of a photo: the crop, the rendering, the landmarks on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..align import ffhq_crop
from ..errors import NoFaceError
from ..fit.faces import detect_faces, with_landmarks
from ..photo import Photo
from .face import OriginalFace, posed, to_image
from .network import SIZE, run_network
from .render import draw_landmarks, render
from .stats import Coefficients, Stats, split
from .store import Network

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OriginalResult:
    """One face of one photo."""

    coefficients: Coefficients
    crop: Bytes  #: (S, S, 3) sRGB that the network saw
    rendering: Bytes  #: (S, S, 3)
    vertices: Double  #: (V, 3) mm, not posed
    landmarks: Double  #: (68, 2) projected, pixels of the crop

    @property
    def picture(self) -> Bytes:
        """(S, 2 S, 3) crop and rendering side by side, the landmarks on both."""
        both = [draw_landmarks(one, self.landmarks) for one in (self.crop, self.rendering)]
        return np.concatenate(both, axis=1)


def crop_face(photo: Photo, aligned: bool = False, size: int = SIZE) -> Bytes:
    """(size, size, 3) the FFHQ crop of the largest face; ``aligned`` photos are one already.

    Raises :class:`NoFaceError` where no face is found or its landmarks are guesses.
    """
    if aligned:
        smaller = min(photo.size) > size
        return cv2.resize(
            photo.pixels,
            (size, size),
            interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR,
        )
    return ffhq_crop(photo.pixels, find_landmarks(photo), size).image


def find_landmarks(photo: Photo) -> Double:
    """(68, 2) dlib's landmarks of the largest face, pixels of the photo.

    Raises :class:`NoFaceError` where no face is found or its landmarks are guesses.
    """
    face = with_landmarks(photo, detect_faces(photo, "largest", None)[0])
    if face.landmarks is None:
        raise NoFaceError(
            f"The face in {photo.path.name} is turned or covered too much for landmarks, which "
            "the network's crop is made by; choose a photo that shows both eyes."
        )
    return face.landmarks


def reconstruct_crops(
    network: Network,
    face: OriginalFace,
    crops: Sequence[Bytes],
    stats: Stats | None = None,
) -> list[OriginalResult]:
    """The original's result for every one of ``crops``; ``stats`` in place of the network's own."""
    used = stats or network.stats
    assert used is not None
    return [
        reconstruct_outputs(outputs, face, used, crop)
        for outputs, crop in zip(run_network(network.run, crops), crops, strict=True)
    ]


def reconstruct_outputs(
    outputs: Double, face: OriginalFace, stats: Stats, crop: Bytes
) -> OriginalResult:
    """The result of the network's ``outputs`` (240,) for ``crop``."""
    size = len(crop)
    found = split(outputs, stats, size)
    vertices = face.vertices(found)
    image = to_image(posed(vertices, found.pose), size)
    rendering = render(image, face.triangles, face.colours(found, vertices), (size, size))
    return OriginalResult(found, crop, rendering, vertices, image[face.landmarks68, :2])
