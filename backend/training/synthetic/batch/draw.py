"""Scenes to linear light: what is seen, in which light, before which background.

As :func:`..picture.compose` does it one by one with rays; here triangles go through a z-buffer,
lamps see through one of their own (Williams 1978, "Casting curved shadows on curved surfaces").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from ....differentiable.fragments import Fragments
from ....differentiable.shading import vertex_normals
from ....differentiable.torch_rasterizer import rasterize_meshes
from ....model import FaceModel
from ..picture import LAMP_MM
from .develop import Developer, blur_matrix
from .pack import LAMPS, Scenes, Shots
from .shading import shade_surface

#: Pixels of a lamp's depth map, and half its width in mm around the middle of the head.
_MAP, _MAP_MM = 192, 230.0
#: mm: how far shadow rays start from the surface, along its normal and towards the lamp: what a
#: pixel of the map spans on a slanted surface.
_OUT, _BIAS = 2.5, 2.5


class Painter:
    """Draws the pictures, of ``size`` pixels, of scenes around heads of ``model``."""

    def __init__(self, model: FaceModel, size: int, device: torch.device | str) -> None:
        self.size = size
        self._develop = Developer(size, device)
        corners = np.asarray(model.uv, np.float32)[model.uv_faces]
        self._uv = torch.from_numpy(corners).to(device)  # (F, 3, 2)

    @torch.no_grad()
    def pictures(self, scenes: Scenes, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(K B, S, S, 3) uint8 sRGB, (K B, label_size) and (K B, 17) int64 of ``scenes``.

        ``scenes`` and ``generator`` are on the device; order: all scenes, shot by shot.
        """
        images = self._develop(self.linear(scenes), scenes.shots.how, generator)
        return images.permute(0, 2, 3, 1), scenes.shots.labels, scenes.shots.jaw

    @torch.no_grad()
    def linear(self, scenes: Scenes) -> Tensor:
        """(K B, 3, S, S) the light of each scene's pictures, shot by shot."""
        mesh, shots = _Mesh.of(scenes), scenes.shots
        pictures = torch.arange(len(shots.labels), device=mesh.faces.device)
        layers = [(pictures, mesh.opacity == 1)]
        lenses = mesh.scene_of_face[mesh.opacity < 1]
        if len(lenses):  # what is seen through lenses comes first
            worn = torch.zeros(mesh.count, dtype=torch.bool, device=lenses.device)
            worn[lenses] = True
            layers.append((worn[pictures % mesh.count].nonzero()[:, 0], worn[mesh.scene_of_face]))
        # Other shots get their neighbours' backgrounds.
        every = len(pictures) // mesh.count
        image = torch.cat([scenes.backgrounds.roll(shot, 0) for shot in range(every)])
        image = image.float().permute(0, 2, 3, 1)
        seen_from = mesh.turned(shots.rotation, shots.translation)
        seen_from = mesh.transformed(shots.camera_matrix, seen_from)
        for which, faces in layers:
            views = torch.stack([which // mesh.count, which % mesh.count], 1)
            seen = mesh.rasterize(seen_from, views, faces, self.size)
            colour, opacity = self._shade(scenes, mesh, seen, which)
            image[which] = opacity * colour + (1 - opacity) * image[which]
        return image.permute(0, 3, 1, 2).contiguous()

    def _shade(
        self, scenes: Scenes, mesh: _Mesh, seen: Fragments, which: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(N, S, S, 3) colours and (N, S, S, 1) opacity, 0 where nothing is seen.

        ``which`` (N,) are the places of the pictures.
        """
        shots, scene = _taken(scenes.shots, which), which % mesh.count
        mask = seen.face_id >= 0
        face, weights = seen.face_id.clamp_min(0), seen.barycentric[..., None]
        mixed = (mesh.values[mesh.faces[face]] * weights).sum(-2)
        points, normal, looks, opacity = mixed.split((3, 3, 6, 1), dim=-1)
        eye = -torch.einsum("bji,bj->bi", shots.rotation, shots.translation)
        view = normalize(eye[:, None, None] - points, dim=-1)
        normal = normalize(normal, dim=-1, eps=1e-6)
        # Hair and cloth are sheets seen from both sides.
        normal = torch.where((normal * view).sum(-1, keepdim=True) < 0, -normal, normal)

        local = face - mesh.first_face[scene][:, None, None]
        on_head = (mask & (local < len(self._uv)))[..., None]
        uv = (self._uv[local.clamp(0, len(self._uv) - 1)] * weights).sum(-2)
        grid = (2 * uv - 1) * uv.new_tensor([1.0, -1.0])
        skin = grid_sample(
            scenes.textures[scene].float(), grid, padding_mode="border", align_corners=False
        ).permute(0, 2, 3, 1)
        skin = torch.cat([skin[..., :3], looks[..., 3:4], skin[..., 3:]], dim=-1)
        looks = torch.where(on_head, skin, looks)
        shadow = _shadows(mesh, shots, points, normal, mask, which)
        colour = shade_surface(normal, view, looks, shadow, shots)
        return colour, opacity * mask[..., None]


@dataclass(frozen=True, eq=False)
class _Mesh:
    """What all pictures of the B scenes in a mesh of P vertices, M triangles have in common."""

    count: int  #: B
    vertices: Tensor  #: (P, 3)
    faces: Tensor  #: (M, 3) int64
    scene_of_vertex: Tensor  #: (P,)
    scene_of_face: Tensor  #: (M,)
    first_face: Tensor  #: (B,)
    opacity: Tensor  #: (M,) of triangles
    values: Tensor  #: (P, 13) vertices, normals, and looks as in :class:`Scenes`

    @classmethod
    def of(cls, scenes: Scenes) -> _Mesh:
        faces, counts = scenes.faces.long(), scenes.face_counts
        number = torch.arange(len(counts), device=faces.device)
        looks = scenes.looks.float()
        normals = vertex_normals(scenes.vertices, faces)
        sizes = {"output_size": len(scenes.vertices)}, {"output_size": len(faces)}
        return cls(
            count=len(counts),
            vertices=scenes.vertices,
            faces=faces,
            scene_of_vertex=number.repeat_interleave(scenes.vertex_counts, **sizes[0]),
            scene_of_face=number.repeat_interleave(counts, **sizes[1]),
            first_face=counts.cumsum(0) - counts,
            opacity=looks[:, 6][faces[:, 0]],
            values=torch.cat([scenes.vertices, normals, looks], dim=1),
        )

    def turned(self, rotation: Tensor, translation: Tensor) -> Tensor:
        """(V, P, 3) the vertices before the V cameras, (V B, 3, 3) and (V B, 3), of each scene."""
        at = self.transformed(rotation, self.vertices[None])
        return at + translation.view(-1, self.count, 3)[:, self.scene_of_vertex]

    def transformed(self, matrix: Tensor, points: Tensor) -> Tensor:
        """(V, P, 3) ``points`` (V or 1, P, 3) times each scene's V matrices (V B, 3, 3)."""
        own = matrix.view(-1, self.count, 3, 3)[:, self.scene_of_vertex]
        return (own * points[..., None, :]).sum(-1)

    def rasterize(self, points: Tensor, views: Tensor, faces: Tensor, size: int) -> Fragments:
        """What is seen in N pictures of the triangles ``faces`` (M,) bool.

        ``points`` (V, P, 3) as :func:`rasterize_meshes` takes them; ``views`` (N, 2) which of the V
        shows which scene in each of the pictures.
        """
        number = torch.full((len(points), self.count), -1, device=points.device)
        number[views[:, 0], views[:, 1]] = torch.arange(len(views), device=points.device)
        picture = number[:, self.scene_of_face]
        view, face = ((picture >= 0) & faces).nonzero().unbind(1)
        corners = self.faces[face] + (view * points.shape[1])[:, None]
        picture = picture[view, face]
        sides = (size, size)
        seen = rasterize_meshes(
            points.flatten(0, 1), corners, picture, len(views), sides, cull=False
        )
        return Fragments(
            torch.where(seen.face_id >= 0, face[seen.face_id.clamp_min(0)], -1), seen.barycentric
        )


def _shadows(
    mesh: _Mesh, shots: Shots, points: Tensor, normal: Tensor, mask: Tensor, which: Tensor
) -> Tensor:
    """(N, S, S, L) how much of each lamp a pixel sees: a depth map, smoothed over the picture.

    ``shots``, ``points`` and the others are those of the pictures ``which`` (N,).
    """
    shadow = torch.ones(*mask.shape, LAMPS, device=points.device)
    burning = (shots.lamp_colour > 0).any(-1) & shots.shadows[:, None]
    picture, lamp = burning.nonzero().unbind(1)
    if len(picture):
        direction = shots.lamp_direction[picture, lamp]
        view = which[picture] // mesh.count * LAMPS + lamp
        views = torch.stack([view, which[picture] % mesh.count], 1)
        lit = _lit(mesh, direction, points[picture], normal[picture], views)
        weight, size = mask[picture].float(), mask.shape[-1]
        blur = blur_matrix((0.5 + 4.0 * shots.lamp_softness[picture, lamp]) * size / 224, size)
        smooth = [blur @ part @ blur.transpose(1, 2) for part in (lit * weight, weight)]
        shadow[picture, :, :, lamp] = smooth[0] / smooth[1].clamp_min(1e-3)
    return shadow


def _lit(mesh: _Mesh, direction: Tensor, points: Tensor, normal: Tensor, views: Tensor) -> Tensor:
    """(N, S, S) 1 where a point sees the lamp in ``direction`` (N, 3).

    ``views`` (N, 2): a number for the lamp in that picture, and the scene.
    """
    turn = _facing(direction)
    turns = torch.zeros(int(views[:, 0].max()) + 1, mesh.count, 3, 3, device=points.device)
    turns[views[:, 0], views[:, 1]] = turn
    focal, middle = 0.5 * _MAP * LAMP_MM / _MAP_MM, (_MAP - 1) / 2
    lens = points.new_tensor([[focal, 0, middle], [0, focal, middle], [0, 0, 1]])
    away = points.new_tensor([0.0, 0.0, LAMP_MM])
    vertices = (mesh.transformed(turns, mesh.vertices[None]) + away) @ lens.T
    seen = mesh.rasterize(vertices, views, mesh.opacity == 1, _MAP)
    corners = mesh.faces[seen.face_id.clamp_min(0)]
    depth = vertices[views[:, 0, None, None, None], corners, 2]
    depth = (depth * seen.barycentric).sum(-1)
    depth = torch.where(seen.face_id >= 0, depth, torch.inf)

    at = torch.einsum("bij,bhwj->bhwi", turn, points + _OUT * normal)
    at = (at + away) @ lens.T
    place = (at[..., :2] / at[..., 2:]).round().long()
    outside = ((place < 0) | (place >= _MAP)).any(-1)
    index = place[..., 1].clamp(0, _MAP - 1) * _MAP + place[..., 0].clamp(0, _MAP - 1)
    nearest = depth.flatten(1).gather(1, index.flatten(1)).view(index.shape)
    unlit = (normal * direction[:, None, None]).sum(-1) <= 0  # dark without any shadow
    return (outside | unlit | (at[..., 2] < nearest + _BIAS)).float()


def _taken(shots: Shots, which: Tensor) -> Shots:
    """The shots ``which``; how they are developed is left as it is."""
    return Shots._make([*(part[which] for part in shots[:-1]), shots.how])


def _facing(direction: Tensor) -> Tensor:
    """(B, 3, 3) rotations into cameras that look against ``direction`` (B, 3), any way up."""
    z = -direction
    least = torch.zeros_like(z).scatter(1, z.abs().argmin(1, keepdim=True), 1.0)
    x = normalize(torch.linalg.cross(least, z), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=1)
