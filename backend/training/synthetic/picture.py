"""One synthetic training picture with the coefficients that made it.

Coefficients, a view, props (hair, glasses, hands, clothes), skin and light are drawn from one seed;
rays against the exact triangles (Embree) give what is seen and what is in shadow; shading is per
pixel.  The aim is not beauty but that nothing in a real photo is new to the network (domain
randomisation: Wood et al. 2021, "Fake it till you make it").
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...geometry.camera import Camera
from ...geometry.triangles import vertex_normals
from ...model import FaceModel
from ...raster import Raster, occluded, rasterize, ray_scene
from .assembly import Assembly
from .develop import developed
from .folds import tilted
from .light import Lamp, Light, shade_pixels
from .scene import Scene, Shot, sample_scene
from .skin import Skin
from .view import View

Float = NDArray[np.float32]
Rng = np.random.Generator

#: mm: how far a lamp stands.
LAMP_MM = 1500.0


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and its labels."""

    image: NDArray[np.uint8]  #: (S, S, 3) sRGB
    label: Float  #: (label_size,) as in :class:`~..network.layout.Layout`, not normalised
    jaw: NDArray[np.int32]  #: (17,) vertex ids of landmarks 0..16 in this view
    view: View


def sample_picture(model: FaceModel, size: int, rng: Rng) -> Picture:
    """A picture of ``size`` pixels, wholly decided by ``rng``."""
    scene = sample_scene(model, size, 1, rng)
    (shot,) = scene.shots
    linear = compose(model, scene, shot, rng)
    return Picture(developed(linear, shot.how, rng), shot.label, shot.view.jaw, shot.view)


def compose(model: FaceModel, scene: Scene, shot: Shot, rng: Rng) -> Float:
    """(S, S, 3) linear light of a ``shot`` of ``scene``; ``rng`` scatters the lamps' rays."""
    camera = shot.view.camera
    layers = layers_of(model, scene.mesh, scene.skin, camera)
    matrix = camera.camera_matrix
    return composed(layers, matrix, scene.background, shot.light, shot.shadows, rng)


def layers_of(model: FaceModel, mesh: Assembly, skin: Skin, camera: Camera) -> list[Layer]:
    """What of ``mesh`` is drawn, one over the other."""
    layers = [Layer(model, mesh, skin, camera)]
    if (mesh.opacity < 1).any():  # what is seen through lenses comes first
        layers.insert(0, Layer(model, mesh.solid(), skin, camera))
    return layers


def composed(
    layers: list[Layer],
    matrix: NDArray,
    background: Float,
    light: Light,
    shadows: bool,
    rng: Rng,
) -> Float:
    """(S, S, 3) linear light of ``layers`` over a square ``background``, which stays as it is.

    ``matrix`` (3, 3) is their camera's, or one of another crop of its picture.
    """
    linear = background.copy()
    for layer in layers:
        raster = layer.rasterize(matrix, len(linear))
        seen = raster.mask
        if not seen.any():
            continue
        colour = layer.shade(raster, light, shadows, rng)
        mesh = layer.mesh
        opacity = mesh.opacity[mesh.part_of_face[raster.face_id[seen]]][:, None]
        linear[seen] = opacity * colour + (1 - opacity) * linear[seen]
    return linear


class Layer:
    """An assembly before a camera."""

    def __init__(self, model: FaceModel, mesh: Assembly, skin: Skin, camera: Camera) -> None:
        self.model, self.mesh, self.skin, self.camera = model, mesh, skin, camera
        self.normals = vertex_normals(mesh.vertices, mesh.faces)
        self.seen_from = mesh.vertices @ camera.rotation.T.astype(np.float32)
        self.seen_from += camera.translation.astype(np.float32)
        self.rays = ray_scene(self.seen_from, mesh.faces)

    def rasterize(self, matrix: NDArray, size: int) -> Raster:
        """What the camera sees with the camera matrix ``matrix`` (3, 3)."""
        return rasterize(self.seen_from, self.mesh.faces, matrix, (size, size), self.rays)

    def shade(self, raster: Raster, light: Light, shadows: bool, rng: Rng) -> Float:
        """(N, 3) linear colours of the pixels that ``raster`` fills."""
        seen = raster.mask
        face, weights = raster.face_id[seen], raster.barycentric[seen]
        mesh = self.mesh
        corners = mesh.faces[face]
        points = _mix(mesh.vertices, corners, weights)
        camera = self.camera
        eye = -camera.rotation.T @ camera.translation
        towards = eye.astype(np.float32) - points
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        normals = _mix(self.normals, corners, weights)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
        # Hair and cloth are sheets seen from both sides.
        normals *= np.where((normals * towards).sum(axis=1, keepdims=True) < 0, -1, 1)
        part = mesh.part_of_face[face]
        albedo = _mix(mesh.colours, corners, weights)
        surface = np.stack([mesh.gloss, mesh.roughness], axis=1)[part]
        on_head = part == 0
        uv = _mix(self.model.uv, self.model.uv_faces[face[on_head]], weights[on_head])
        albedo[on_head] = _sample(self.skin.texture, uv)
        surface[on_head] = _sample(self.skin.surface, uv)
        if self.skin.folds is not None:
            self._fold(normals, albedo, face, np.flatnonzero(on_head), uv)
        shadow = np.ones((len(points), len(light.lamps)), np.float32)
        if shadows:
            for i, lamp in enumerate(light.lamps):
                shadow[:, i] = self._shadow(points, normals, lamp, seen, rng)
        hollow = _mix(mesh.openness[:, None], corners, weights)[:, 0]
        gloss, roughness = surface.T
        return shade_pixels(
            normals, towards, albedo, light, shadow, hollow, gloss, roughness
        ).astype(np.float32)

    def _fold(self, normals: Float, albedo: Float, face: NDArray, head: NDArray, uv: Float) -> None:
        """Folds the skin of the pixels ``head``, which lie at ``uv`` in the triangles ``face``."""
        assert self.skin.folds is not None
        *slopes, darker = _sample(self.skin.folds, uv).T
        folded = darker > 1e-3
        head, triangles = head[folded], face[head[folded]]
        normals[head] = tilted(
            normals[head],
            self.mesh.vertices[self.model.faces[triangles]],
            self.model.uv[self.model.uv_faces[triangles]],
            np.stack(slopes, axis=1)[folded],
        )
        albedo[head] *= np.exp(-darker[folded])[:, None]

    def _shadow(
        self,
        points: Float,
        normals: Float,
        lamp: Lamp,
        seen: NDArray[np.bool_],
        rng: Rng,
    ) -> Float:
        """(N,) visibility of a lamp: a ray a pixel into its disk, smoothed over the picture."""
        lit = (normals @ lamp.direction) > 0
        disk = 0.3 * lamp.softness * rng.normal(size=(int(lit.sum()), 3))
        target = LAMP_MM * (lamp.direction + disk)
        shadow = np.ones(len(points), np.float32)
        camera = self.camera
        starts, ends = (
            camera.to_camera(at).astype(np.float32) for at in (points[lit] + normals[lit], target)
        )
        shadow[lit] = ~occluded(starts, self.seen_from, self.mesh.faces, ends, 2.0, self.rays)
        full, weight = np.zeros(seen.shape, np.float32), seen.astype(np.float32)
        full[seen] = shadow
        blur = (0.5 + 4.0 * lamp.softness) * len(seen) / 224
        smooth = cv2.GaussianBlur(full, (0, 0), blur) / np.maximum(
            cv2.GaussianBlur(weight, (0, 0), blur), 1e-3
        )
        return smooth[seen]


def _sample(texture: Float, uv: Float) -> Float:
    """(N, C) bilinear samples of ``texture`` (T, T, C) at ``uv`` (N, 2), v up."""
    side, count = len(texture), len(uv)
    if not count:  # a crop all covered by hair or a hand
        return np.empty((0, texture.shape[2]), np.float32)
    # cv2.remap takes tables, so the points are laid out as one.
    columns = 512
    table = np.zeros((-(-count // columns) * columns, 2), np.float32)
    table[:count, 0] = uv[:, 0] * side - 0.5
    table[:count, 1] = (1 - uv[:, 1]) * side - 0.5
    samples = cv2.remap(texture, table.reshape(-1, columns, 2), None, cv2.INTER_LINEAR)
    return samples.reshape(-1, texture.shape[2])[:count]


def _mix(values: NDArray, corners: NDArray, weights: Float) -> Float:
    """(N, C) ``values`` at points of triangles."""
    return (
        values[corners[:, 0]] * weights[:, :1]
        + values[corners[:, 1]] * weights[:, 1:2]
        + values[corners[:, 2]] * weights[:, 2:]
    )
