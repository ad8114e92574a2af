"""What Deep3DFaceRecon makes of a photo (Deng et al. 2019, in its PyTorch form).

Its own alignment by five points, its camera (focal length 1015 pixels, a metre from the face), its
nine spherical harmonics; on ``BFM_model_front.mat``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ModelError
from ..geometry.camera import project
from ..geometry.triangles import vertex_normals
from ..model.importing import RawModel, read_model
from ..raster import interpolate, rasterize
from .deep3d_network import HEADS, OUTPUTS, SIZE, run_deep3d
from .face import rotation
from .render import draw_landmarks
from .store import Network

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]
Float = NDArray[np.float32]

DECIMETRE = 100.0  #: mm
FOCAL = 1015.0  #: pixels
CENTRE = 112.0  #: pixels from the left, and from the last row upwards
DISTANCE = 1000.0  #: mm from the camera to the origin of the model
#: Added to the first harmonic of every colour.
AMBIENT = 0.8
#: Right eye, left eye (as seen: left and right), tip of the nose, corners of the mouth of the mean
#: face in decimetres, which photos are aligned to; and the size that it gets.
FIVE_POINTS = np.array(
    [
        [-0.31148657, 0.29036078, 0.13377953],
        [0.30979887, 0.28972036, 0.13179526],
        [0.0032535, -0.04617932, 0.55244243],
        [-0.25216928, -0.38133916, 0.22405732],
        [0.2484662, -0.38128236, 0.22235769],
    ]
)
PIXELS_PER_DECIMETRE = 102.0
#: From the model's axes (y up, z to the viewer) to OpenCV's (y down, z away).
_OPENCV = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class Deep3DCoefficients:
    """One face as the network tells it."""

    identity: Double  #: (80,) standard deviations
    expression: Double  #: (64,) standard deviations
    texture: Double  #: (80,) standard deviations
    angles: Double  #: (3,) radians about x, y, z
    light: Double  #: (3, 9) spherical harmonics of red, green, blue
    translation: Double  #: (3,) decimetres

    def to_dict(self) -> dict[str, list[float]]:
        """As JSON holds it."""
        return {name: np.asarray(values).tolist() for name, values in vars(self).items()}

    @property
    def camera(self) -> tuple[Double, Double, Double]:
        """Camera matrix (3, 3), rotation (3, 3) and translation (3,) mm, in OpenCV's axes.

        Of the *crop*, (0, 0) the centre of its top-left pixel.
        """
        matrix = np.array([[FOCAL, 0, CENTRE], [0, FOCAL, SIZE - 1 - CENTRE], [0, 0, 1.0]])
        turn = _OPENCV[:, None] * rotation(*self.angles)
        moved = _OPENCV * self.translation * DECIMETRE + (0.0, 0.0, DISTANCE)
        return matrix, turn, moved


def split_deep3d(outputs: NDArray) -> Deep3DCoefficients:
    """The network's ``outputs`` (257,) as coefficients."""
    if np.shape(outputs) != (OUTPUTS,):
        raise ValueError(f"outputs is {np.shape(outputs)}; ({OUTPUTS},) is expected.")
    values = np.asarray(outputs, np.float64)
    identity, expression, texture, angles, light, moved = np.split(values, np.cumsum(HEADS[:5]))
    return Deep3DCoefficients(identity, expression, texture, angles, light.reshape(3, 9), moved)


@dataclass(frozen=True, eq=False)
class Alignment:
    """The crop that the network sees."""

    crop: Bytes  #: (224, 224, 3) sRGB
    scale: float  #: pixels of the crop per pixel of the photo
    #: (3, 3) affine: pixels of the crop (x, y, 1) to pixels of the photo, (0, 0) the centre of the
    #: top-left pixel in both
    to_photo: Double


def five_points(landmarks68: NDArray) -> Double:
    """(5, 2) in the order of :data:`FIVE_POINTS` of (68, 2) landmarks."""
    points = np.asarray(landmarks68, np.float64)
    eyes = [points[[36, 39]].mean(axis=0), points[[42, 45]].mean(axis=0)]
    return np.array([*eyes, points[30], points[48], points[54]])


def align(pixels: Bytes, landmarks68: NDArray) -> Alignment:
    """Scale and crop ``pixels`` (H, W, 3) so that the five points lie as in training.

    The scaled-orthographic camera that takes :data:`FIVE_POINTS` to the photo's is found by least
    squares; the photo is scaled until it has 102 pixels a decimetre, and cropped round the place of
    the model's origin, black where it ends.
    """
    height, width = pixels.shape[:2]
    points = five_points(landmarks68)
    points[:, 1] = height - 1 - points[:, 1]  # y up
    system = np.c_[FIVE_POINTS, np.ones(5)]
    fitted = np.linalg.lstsq(system, points, rcond=None)[0]  # (4, 2): rows of a camera, and where
    length = np.linalg.norm(fitted[:3], axis=0).mean()
    scale = PIXELS_PER_DECIMETRE / length
    size = np.array([int(width * scale), int(height * scale)])
    middle = fitted[3] - np.array([width, height]) / 2
    corner = np.trunc(size / 2 - SIZE / 2 + scale * middle * (1, -1)).astype(int)
    image = Image.fromarray(pixels).resize((int(size[0]), int(size[1])), Image.Resampling.BICUBIC)
    left, top = (int(n) for n in corner)
    crop = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))
    enlarge = np.array([width, height]) / size
    to_photo = np.diag([*enlarge, 1.0])
    to_photo[:2, 2] = enlarge * (corner + 0.5) - 0.5
    return Alignment(crop, float(scale), to_photo)


@dataclass(frozen=True, eq=False)
class Deep3DFace:
    """``BFM_model_front.mat``; V vertices, F triangles; mm and colours 0..1."""

    mean: Double  #: (V, 3) about its own middle
    identity_basis: Float  #: (80, V, 3)
    expression_basis: Float  #: (64, V, 3)
    texture_mean: Float  #: (V, 3)
    texture_basis: Float  #: (80, V, 3)
    triangles: NDArray[np.int32]  #: (F, 3)
    landmarks68: NDArray[np.int32]  #: (68,)

    def vertices(self, found: Deep3DCoefficients) -> Double:
        """(V, 3) mm in the model's axes."""
        return (
            self.mean
            + np.tensordot(found.identity.astype(np.float32), self.identity_basis, 1)
            + np.tensordot(found.expression.astype(np.float32), self.expression_basis, 1)
        )

    def colours(self, found: Deep3DCoefficients, vertices: Double) -> Double:
        """(V, 3) 0..1 lit colours; the light stays when the head turns."""
        texture = np.tensordot(found.texture.astype(np.float32), self.texture_basis, 1)
        normals = vertex_normals(vertices, self.triangles, by_area=False)  # as theirs does it
        normals = normals @ rotation(*found.angles).T
        light = found.light.copy()
        light[:, 0] += AMBIENT
        return np.clip((self.texture_mean + texture) * (harmonics(normals) @ light.T), 0.0, 1.0)


def deep3d_face(model: RawModel) -> Deep3DFace:
    """``model`` as the network tells it.  Raises :class:`ModelError` where it is another."""
    if model.name != "deep3d":
        raise ModelError(
            f"Deep3DFaceRecon's network is for BFM_model_front.mat, not for {model.kind}."
        )
    assert model.albedo_mean is not None and model.albedo_basis is not None
    assert model.landmarks68 is not None
    counts = (len(model.identity_basis), len(model.expression_basis), len(model.albedo_basis))
    if counts != HEADS[:3]:
        raise ModelError(f"{model.kind} has {counts} components; the network tells {HEADS[:3]}.")
    mean = np.asarray(model.mean, np.float64)
    return Deep3DFace(
        mean=mean - mean.mean(axis=0),
        identity_basis=model.identity_basis,
        expression_basis=model.expression_basis,
        texture_mean=model.albedo_mean,
        texture_basis=model.albedo_basis,
        triangles=model.triangles,
        landmarks68=model.landmarks68,
    )


def read_deep3d_face(path: str | Path) -> Deep3DFace:
    """The face in ``BFM_model_front.mat``.  Raises :class:`ModelError`."""
    return deep3d_face(read_model([path]))


def harmonics(normals: Double) -> Double:
    """(N, 9) Deep3DFaceRecon's spherical harmonics of unit ``normals`` (N, 3), with their signs.

    Ramamoorthi and Hanrahan 2001, the cosine's coefficients pi, 2 pi / sqrt 3, 2 pi / sqrt 8.
    """
    x, y, z = normals.T
    a = np.pi, 2 * np.pi / np.sqrt(3), 2 * np.pi / np.sqrt(8)
    c = np.array([1, np.sqrt(3), 3 * np.sqrt(5) / np.sqrt(3)]) / np.sqrt(4 * np.pi)
    one, two, three = a[0] * c[0], a[1] * c[1], a[2] * c[2]
    terms = [
        one * np.ones_like(x),
        -two * y,
        two * z,
        -two * x,
        three * x * y,
        -three * y * z,
        three / (2 * np.sqrt(3)) * (3 * z**2 - 1),
        -three * x * z,
        three / 2 * (x**2 - y**2),
    ]
    return np.stack(terms, axis=1)


@dataclass(frozen=True, eq=False)
class Deep3DResult:
    """One face of one photo."""

    coefficients: Deep3DCoefficients
    crop: Bytes  #: (224, 224, 3) sRGB that the network saw
    rendering: Bytes  #: (224, 224, 3), the crop where there is no face
    vertices: Double  #: (V, 3) mm, not posed
    landmarks: Double  #: (68, 2) projected, pixels of the crop

    @property
    def picture(self) -> Bytes:
        """(224, 448, 3) crop and rendering side by side, the landmarks on both."""
        both = [draw_landmarks(one, self.landmarks) for one in (self.crop, self.rendering)]
        return np.concatenate(both, axis=1)


def reconstruct_deep3d(
    network: Network, face: Deep3DFace, crops: Sequence[Bytes]
) -> list[Deep3DResult]:
    """The result for every one of ``crops``, which :func:`align` made."""
    outputs = run_deep3d(network.run, crops)
    return [
        deep3d_result(split_deep3d(row), face, crop)
        for row, crop in zip(outputs, crops, strict=True)
    ]


def deep3d_result(found: Deep3DCoefficients, face: Deep3DFace, crop: Bytes) -> Deep3DResult:
    """The result of ``found`` for ``crop`` (224, 224, 3)."""
    vertices = face.vertices(found)
    matrix, turn, moved = found.camera
    camera = vertices @ turn.T + moved
    raster = rasterize(camera, face.triangles, matrix, (SIZE, SIZE))
    lit = interpolate(raster, face.triangles, 255 * face.colours(found, vertices))
    rendering = np.where(raster.mask[..., None], np.clip(lit, 0, 255).astype(np.uint8), crop)
    marks = project(camera[face.landmarks68], matrix)
    return Deep3DResult(found, crop, rendering, vertices, marks)
