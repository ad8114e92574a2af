"""The person of a clip as drawn, and the points through which pictures of a face are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera
from ..geometry.harmonics import sh_basis
from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes
from ..geometry.triangles import vertex_normals
from ..model import FaceModel
from ..raster import rasterize
from .source import Bytes

Double = NDArray[np.float64]
Float = NDArray[np.float32]

#: mm between the points looked through, and pixels of the small picture per such step.
_STEP, _PIXELS_PER_MM = 1.6, 0.8
#: Side of the small picture, pixels.
SIDE = 160
#: Regions: landmarks that bound them, margins left-right, up, down in mm, and which shapes show.
REGIONS: dict[str, tuple[list[int], tuple[float, float, float], tuple[str, ...]]] = {
    "right eye": ([17, 21, 36, 39, 41], (5.0, 12.0, 12.0), ("eye", "brow")),
    "left eye": ([22, 26, 42, 45, 47], (5.0, 12.0, 12.0), ("eye", "brow")),
    "mouth": (
        [31, 35, 48, 54, 57, 8],
        (14.0, 14.0, 12.0),
        ("jaw", "mouth", "cheek", "nose", "nostril", "tongue"),
    ),
}


@dataclass(frozen=True, eq=False)
class LitTexture:
    """The person as drawn: linear albedo in the model's UV layout, light of the camera."""

    albedo: Float  #: (T, T, 3)
    sh_light: Double  #: (9, 3) in head coordinates of a head turned by ``rotation``
    rotation: Double  #: (3, 3)


class Lattice:
    """Points fixed to the neutral head, and how a picture looks through them."""

    def __init__(self, model: FaceModel, identity: NDArray) -> None:
        neutral = model.vertices(identity).astype(np.float64)
        marks = neutral[model.landmarks68]
        parts, self.slices, start = [], {}, 0
        self.centre = marks[17:].mean(axis=0)
        self.shapes: dict[str, tuple[int, int]] = {}
        for name, (ids, (aside, up, down), _) in REGIONS.items():
            low, high = marks[ids, :2].min(0), marks[ids, :2].max(0)
            x = np.arange(low[0] - aside, high[0] + aside, _STEP)
            y = np.arange(high[1] + up, low[1] - down, -_STEP)
            grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
            parts.append(_on_surface(model, neutral, grid))
            self.slices[name] = slice(start, start + len(grid))
            self.shapes[name] = (len(y), len(x))
            start += len(grid)
        self.points = np.concatenate(parts)

    def small_camera(self, camera: Camera) -> tuple[Camera, Double]:
        """The camera of a small picture about the face, and (2, 3) pixels to its pixels."""
        at = camera.project(self.centre[None])[0]
        depth = float(camera.to_camera(self.centre[None])[0, 2])
        scale = _PIXELS_PER_MM * depth / camera.focal
        shift = (SIDE - 1) / 2 - scale * at
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])
        return Camera(matrix @ camera.camera_matrix, camera.rotation, camera.translation), matrix[
            :2
        ]

    def see(self, small: Bytes, camera: Camera) -> Float:
        """(P, 2) brightness and warmth of the small picture at the points, log."""
        at = camera.project(self.points).astype(np.float32)
        colours = cv2.remap(
            small, at[:, None, :], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[:, 0].astype(np.float32)
        red, green, blue = (colours + 8.0).T
        return np.stack([np.log(0.3 * red + 0.6 * green + 0.1 * blue), np.log(red / blue)], 1)

    def small_picture(self, pixels: Bytes, matrix: Double) -> Bytes:
        """(S, S, 3) the part of ``pixels`` that ``matrix`` (2, 3) takes to the small picture."""
        scale = float(matrix[0, 0])
        low = np.floor(-matrix[:, 2] / scale).astype(int)
        reach = int(np.ceil(SIDE / scale)) + 1
        height, width = pixels.shape[:2]
        first = np.clip(low, 0, (width - 1, height - 1))
        last = np.clip(low + reach, first + 1, (width, height))
        part = pixels[first[1] : last[1], first[0] : last[0]]
        local = matrix.copy()
        if scale < 1:
            size = tuple(max(1, round(n * scale)) for n in part.shape[1::-1])
            ratio = np.array([part.shape[1] / size[0], part.shape[0] / size[1]])
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        else:
            ratio = np.ones(2)
        local[:, 2] += matrix[:, :2] @ (first + 0.5 * ratio - 0.5)
        local[:, :2] = matrix[:, :2] * ratio
        return np.asarray(
            cv2.warpAffine(part, local, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        )

    def features(self, pixels: Bytes, camera: Camera) -> Float:
        """(P, 2) of a frame (H, W, 3), each region normalised; ``camera`` holds the pose."""
        small, matrix = self.small_camera(camera)
        return self.normalised(self.see(self.small_picture(pixels, matrix), small))

    def normalised(self, seen: Float) -> Float:
        """``seen`` with each region's own level taken away, and its contrast of brightness."""
        out = seen.copy()
        for part in self.slices.values():
            out[part] -= np.median(seen[part], axis=0)
            out[part, 0] /= max(float(out[part, 0].std()), 0.05)
            out[part, 1] /= 0.15
        return np.clip(out, -4.0, 4.0)


def _on_surface(model: FaceModel, neutral: Double, grid: NDArray) -> Double:
    """(N, 3) where lines along z at ``grid`` (N, 2) mm first meet the head."""
    far = 10_000.0
    camera = neutral * (1, -1, -1) + (0, 0, far)
    low, high = grid.min(0), grid.max(0)
    step = 0.5
    size = (int(np.ptp(grid[:, 0]) / step) + 3, int(np.ptp(grid[:, 1]) / step) + 3)
    focal = far / step
    matrix = np.array([[focal, 0, -low[0] / step + 1], [0, focal, high[1] / step + 1], [0, 0, 1.0]])
    raster = rasterize(camera, model.faces, matrix, size)
    depth = np.where(raster.mask, raster.depth, np.nan)
    x = np.clip(np.rint((grid[:, 0] - low[0]) / step + 1).astype(int), 0, size[0] - 1)
    y = np.clip(np.rint((high[1] - grid[:, 1]) / step + 1).astype(int), 0, size[1] - 1)
    z = far - depth[y, x]
    z[np.isnan(z)] = np.nanmedian(z)
    return np.column_stack([grid, z])


class Drawer:
    """Draws the person, the front of the head only unless the ``whole``."""

    def __init__(
        self, model: FaceModel, identity: NDArray, look: LitTexture, whole: bool = False
    ) -> None:
        self.model, self.identity, self.look = model, identity, look
        front = model.mean[:, 2] > model.mean[model.landmarks68, 2].min() - 60.0
        front |= whole
        self._faces = model.faces[front[model.faces].all(axis=1)]
        self._uv = model.uv[model.uv_faces[front[model.faces].all(axis=1)]]
        side = len(look.albedo)
        kinds = model.polygon_material[model.polygon_of_face]
        self._kind = kinds[front[model.faces].all(axis=1)]
        self._at = np.stack(
            [self._uv[..., 0] * side - 0.5, (1 - self._uv[..., 1]) * side - 0.5], -1
        )

    def draw(
        self,
        expression: NDArray,
        camera: Camera,
        gain: Double,
        depth: dict[str, float],
        side: int = SIDE,
    ) -> Bytes:
        """(S, S, 3) sRGB as ``camera`` sees it, ``side`` pixels square.

        ``gain`` (9,) multiplies the light; ``depth`` is how dark each kind of material is by
        lying inside, as a power of its albedo.
        """
        vertices = self.model.vertices(self.identity, expression).astype(np.float64)
        raster = rasterize(
            vertices @ camera.rotation.T + camera.translation,
            self._faces,
            camera.camera_matrix,
            (side, side),
        )
        seen = raster.mask
        face, weights = raster.face_id[seen], raster.barycentric[seen][..., None]
        # The light stays with the camera.
        turn = self.look.rotation.T @ camera.rotation
        normals = vertex_normals(vertices, self._faces) @ turn.T
        shading = np.maximum(sh_basis(normals) @ (self.look.sh_light * gain[:, None]), 0.02)
        shade = (shading[self._faces[face]] * weights).sum(axis=1)
        at = (self._at[face] * weights).sum(axis=1).astype(np.int32)
        at = np.clip(at, 0, len(self.look.albedo) - 1)
        linear = np.full((side, side, 3), 0.15, np.float32)
        albedo = self.look.albedo[at[:, 1], at[:, 0]]
        for number, kind in enumerate(self.model.material_kinds):
            kind = "eye" if kind == "iris" else kind
            if kind in depth:
                inside = self._kind[face] == number
                # Light that falls into an opening is dimmed, and what is dark the more.
                albedo[inside] = (0.8 * albedo[inside]) ** depth[kind]
        linear[seen] = albedo * shade
        return encode_bytes(cv2.GaussianBlur(linear, (0, 0), 0.6))


def lit_texture_of(texture: Bytes, sh_light: NDArray, rotation: Double) -> LitTexture:
    """Of a texture (S, S, 3) sRGB, row 0 at v = 1, and the light on a head turned by
    ``rotation``."""
    small = cv2.resize(texture, (512, 512), interpolation=cv2.INTER_AREA)
    return LitTexture(SRGB_TO_LINEAR[small], np.asarray(sh_light, np.float64), rotation)
