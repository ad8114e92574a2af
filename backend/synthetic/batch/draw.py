"""Scenes to linear light: what is seen, in which light, before which background.

As :func:`..picture.compose` does it one by one with rays; here triangles go through a z-buffer,
lamps see through one of their own (Williams 1978, "Casting curved shadows on curved surfaces").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from ...differentiable.rasterizer import Fragments
from ...differentiable.torch_rasterizer import rasterize_meshes
from ...model import FaceModel
from ..picture import LAMP_MM
from .develop import Developer, blur_matrix
from .scene import LAMPS, Scenes, Shots
from .shading import shade_surface, vertex_normals

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
        """(B K, 3, S, S) uint8 sRGB, (B K, label_size) and (B K, 17) int64 of ``scenes``.

        ``scenes`` and ``generator`` are on the device; order: all scenes, shot by shot.
        """
        images = [
            self._develop(light, shots.how, generator)
            for light, shots in zip(self.linear(scenes), scenes.shots, strict=True)
        ]
        labels = torch.cat([shots.labels for shots in scenes.shots])
        return torch.cat(images), labels, torch.cat([shots.jaw for shots in scenes.shots])

    @torch.no_grad()
    def linear(self, scenes: Scenes) -> Iterator[Tensor]:
        """(B, 3, S, S) the light of each scene's pictures, shot by shot."""
        mesh = _Mesh.of(scenes)
        layers = [(torch.arange(mesh.count, device=mesh.faces.device), mesh.opacity == 1)]
        lenses = mesh.scene_of_face[mesh.opacity < 1]
        if len(lenses):  # what is seen through lenses comes first
            worn = _chosen(mesh.count, lenses)
            layers.append((worn.nonzero()[:, 0], worn[mesh.scene_of_face]))
        for number, shots in enumerate(scenes.shots):
            # Other shots get their neighbours' backgrounds.
            image = scenes.backgrounds.float().roll(number, 0).permute(0, 2, 3, 1)
            for which, faces in layers:
                own = mesh.scene_of_vertex
                at = torch.einsum("pij,pj->pi", shots.rotation[own], scenes.vertices)
                at = at + shots.translation[own]
                at = torch.einsum("pij,pj->pi", shots.camera_matrix[own], at)
                seen = mesh.rasterize(at, faces, which, self.size)
                colour, opacity = self._shade(scenes, mesh, shots, seen, which)
                image[which] = opacity * colour + (1 - opacity) * image[which]
            yield image.permute(0, 3, 1, 2).contiguous()

    def _shade(
        self, scenes: Scenes, mesh: _Mesh, shots: Shots, seen: Fragments, which: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, S, S, 3) colours and (B, S, S, 1) opacity, 0 where nothing is seen."""
        shots = _taken(shots, which)
        mask = seen.face_id >= 0
        face, weights = seen.face_id.clamp_min(0), seen.barycentric[..., None]
        mixed = (mesh.values[mesh.faces[face]] * weights).sum(-2)
        points, normal, looks, opacity = mixed.split((3, 3, 6, 1), dim=-1)
        eye = -torch.einsum("bji,bj->bi", shots.rotation, shots.translation)
        view = normalize(eye[:, None, None] - points, dim=-1)
        normal = normalize(normal, dim=-1, eps=1e-6)
        # Hair and cloth are sheets seen from both sides.
        normal = torch.where((normal * view).sum(-1, keepdim=True) < 0, -normal, normal)

        local = face - mesh.first_face[which][:, None, None]
        on_head = (mask & (local < len(self._uv)))[..., None]
        uv = (self._uv[local.clamp(0, len(self._uv) - 1)] * weights).sum(-2)
        grid = (2 * uv - 1) * uv.new_tensor([1.0, -1.0])
        skin = grid_sample(
            scenes.textures[which].float(), grid, padding_mode="border", align_corners=False
        ).permute(0, 2, 3, 1)
        skin = torch.cat([skin[..., :3], looks[..., 3:4], skin[..., 3:]], dim=-1)
        looks = torch.where(on_head, skin, looks)
        shadow = self._shadows(mesh, shots, points, normal, mask, which)
        colour = shade_surface(normal, view, looks, shadow, shots)
        return colour, opacity * mask[..., None]

    def _shadows(
        self,
        mesh: _Mesh,
        shots: Shots,
        points: Tensor,
        normal: Tensor,
        mask: Tensor,
        which: Tensor,
    ) -> Tensor:
        """(B, S, S, L) how much of each lamp a pixel sees: a depth map, smoothed over the picture.

        ``shots`` are those of the scenes ``which``; so are the pixels.
        """
        shadow = torch.ones(*mask.shape, LAMPS, device=points.device)
        for lamp in range(LAMPS):
            casting = (shots.shadows & (shots.lamp_colour[:, lamp] > 0).any(-1)).nonzero()[:, 0]
            if not len(casting):
                continue
            direction = shots.lamp_direction[casting, lamp]
            softness = shots.lamp_softness[casting, lamp]
            lit = _lit(mesh, direction, points[casting], normal[casting], which[casting])
            weight = mask[casting].float()
            blur = blur_matrix((0.5 + 4.0 * softness) * self.size / 224, self.size)
            smooth = [blur @ part @ blur.transpose(1, 2) for part in (lit * weight, weight)]
            shadow[casting, :, :, lamp] = smooth[0] / smooth[1].clamp_min(1e-3)
        return shadow


@dataclass(frozen=True, eq=False)
class _Mesh:
    """What all shots of the B scenes in a mesh of M triangles have in common."""

    count: int  #: B
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
        return cls(
            count=len(counts),
            faces=faces,
            scene_of_vertex=number.repeat_interleave(scenes.vertex_counts),
            scene_of_face=number.repeat_interleave(counts),
            first_face=counts.cumsum(0) - counts,
            opacity=looks[:, 6][faces[:, 0]],
            values=torch.cat([scenes.vertices, normals, looks], dim=1),
        )

    def rasterize(self, points: Tensor, faces: Tensor, which: Tensor, size: int) -> Fragments:
        """What is seen of the triangles ``faces`` (M,) bool, which lie in the scenes ``which``.

        ``points`` (P, 3) as :func:`rasterize_meshes` takes them; a picture for each of ``which``.
        """
        number = torch.full((self.count,), -1, device=points.device)
        number[which] = torch.arange(len(which), device=points.device)
        chosen = faces.nonzero()[:, 0]
        picture, sides = number[self.scene_of_face[chosen]], (size, size)
        seen = rasterize_meshes(points, self.faces[chosen], picture, len(which), sides, cull=False)
        face = torch.where(seen.face_id >= 0, chosen[seen.face_id.clamp_min(0)], -1)
        return Fragments(face, seen.barycentric)


def _lit(mesh: _Mesh, direction: Tensor, points: Tensor, normal: Tensor, which: Tensor) -> Tensor:
    """(B, S, S) 1 where the lamp of each scene of ``which`` in ``direction`` (B, 3) is seen."""
    turn = _facing(direction)
    turns = torch.zeros(mesh.count, 3, 3, device=points.device).index_copy(0, which, turn)
    focal, middle = 0.5 * _MAP * LAMP_MM / _MAP_MM, (_MAP - 1) / 2
    lens = points.new_tensor([[focal, 0, middle], [0, focal, middle], [0, 0, 1]])
    away = points.new_tensor([0.0, 0.0, LAMP_MM])
    vertices = torch.einsum("pij,pj->pi", turns[mesh.scene_of_vertex], mesh.values[:, :3])
    vertices = (vertices + away) @ lens.T
    faces = _chosen(mesh.count, which)[mesh.scene_of_face] & (mesh.opacity == 1)
    seen = mesh.rasterize(vertices, faces, which, _MAP)
    corners = mesh.faces[seen.face_id.clamp_min(0)]
    depth = (vertices[:, 2][corners] * seen.barycentric).sum(-1)
    depth = torch.where(seen.face_id >= 0, depth, torch.inf)

    at = torch.einsum("bij,bhwj->bhwi", turn, points + _OUT * normal)
    at = (at + away) @ lens.T
    place = (at[..., :2] / at[..., 2:]).round().long()
    outside = ((place < 0) | (place >= _MAP)).any(-1)
    index = place[..., 1].clamp(0, _MAP - 1) * _MAP + place[..., 0].clamp(0, _MAP - 1)
    nearest = depth.flatten(1).gather(1, index.flatten(1)).view(index.shape)
    unlit = (normal * direction[:, None, None]).sum(-1) <= 0  # dark without any shadow
    return (outside | unlit | (at[..., 2] < nearest + _BIAS)).float()


def _chosen(count: int, which: Tensor) -> Tensor:
    """(count,) True at the places ``which``."""
    found = torch.zeros(count, dtype=torch.bool, device=which.device)
    found[which] = True
    return found


def _taken(shots: Shots, which: Tensor) -> Shots:
    """The shots of the scenes ``which``; how they are developed is left as it is."""
    return Shots(*(part[which] for part in shots[:-1]), shots.how)


def _facing(direction: Tensor) -> Tensor:
    """(B, 3, 3) rotations into cameras that look against ``direction`` (B, 3), any way up."""
    z = -direction
    least = torch.zeros_like(z).scatter(1, z.abs().argmin(1, keepdim=True), 1.0)
    x = normalize(torch.linalg.cross(least, z), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=1)
