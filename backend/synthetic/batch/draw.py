"""Scenes to linear light: what is seen, in which light, before which background.

As :func:`..picture.compose` does it one by one with rays; here triangles go through a z-buffer,
lamps see through one of their own (Williams 1978, "Casting curved shadows on curved surfaces").
"""

from __future__ import annotations

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

    def pictures(self, scenes: Scenes, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(B K, 3, S, S) uint8 sRGB, (B K, label_size) and (B K, 17) int64 of ``scenes``.

        ``scenes`` and ``generator`` are on the device; order: all scenes, shot by shot.
        """
        images = []
        for number, shots in enumerate(scenes.shots):
            linear = self.linear(scenes, number)
            images.append(self._develop(linear, shots.how, generator))
        labels = torch.cat([shots.labels for shots in scenes.shots])
        return torch.cat(images), labels, torch.cat([shots.jaw for shots in scenes.shots])

    @torch.no_grad()
    def linear(self, scenes: Scenes, number: int) -> Tensor:
        """(B, 3, S, S) the light of each scene's shot ``number``."""
        shots = scenes.shots[number]
        normals = vertex_normals(scenes.vertices, scenes.faces)
        count = len(scenes.backgrounds)
        # Other shots get their neighbours' backgrounds.
        image = scenes.backgrounds.float().roll(number, 0).permute(0, 2, 3, 1)
        every = torch.arange(count, device=image.device)
        layers = [(every, scenes.opacity == 1)]
        lenses = scenes.opacity < 1
        if lenses.any():
            worn = torch.zeros(count, dtype=torch.bool, device=image.device)
            worn[scenes.scene_of_face[lenses]] = True
            layers.append((worn.nonzero()[:, 0], worn[scenes.scene_of_face]))
        for which, faces in layers:
            seen = self._rasterize(scenes, shots, faces, which, count)
            colour, opacity = self._shade(scenes, normals, shots, seen, which)
            image[which] = opacity * colour + (1 - opacity) * image[which]
        return image.permute(0, 3, 1, 2).contiguous()

    def _rasterize(
        self, scenes: Scenes, shots: Shots, faces: Tensor, which: Tensor, count: int
    ) -> Fragments:
        """What the cameras of the scenes ``which`` see of the triangles ``faces`` (M,) bool."""
        own = scenes.scene_of_vertex
        at = torch.einsum("pij,pj->pi", shots.rotation[own], scenes.vertices)
        at = torch.einsum("pij,pj->pi", shots.camera_matrix[own], at + shots.translation[own])
        return _of_scenes(scenes, at, faces, which, count, (self.size, self.size))

    def _shade(
        self, scenes: Scenes, normals: Tensor, shots: Shots, seen: Fragments, which: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, S, S, 3) colours and (B, S, S, 1) opacity, 0 where nothing is seen."""
        shots = _taken(shots, which)
        mask = seen.face_id >= 0
        face, weights = seen.face_id.clamp_min(0), seen.barycentric[..., None]
        values = torch.cat([scenes.vertices, normals, scenes.looks], dim=1)
        points, normal, looks = (
            (values[scenes.faces[face]] * weights).sum(-2).split((3, 3, 6), dim=-1)
        )
        eye = -torch.einsum("bji,bj->bi", shots.rotation, shots.translation)
        view = normalize(eye[:, None, None] - points, dim=-1)
        normal = normalize(normal, dim=-1, eps=1e-6)
        # Hair and cloth are sheets seen from both sides.
        normal = torch.where((normal * view).sum(-1, keepdim=True) < 0, -normal, normal)

        local = face - scenes.first_face[which][:, None, None]
        on_head = (mask & (local < len(self._uv)))[..., None]
        uv = (self._uv[local.clamp(0, len(self._uv) - 1)] * weights).sum(-2)
        grid = (2 * uv - 1) * uv.new_tensor([1.0, -1.0])
        skin = grid_sample(
            scenes.textures[which].float(), grid, padding_mode="border", align_corners=False
        ).permute(0, 2, 3, 1)
        skin = torch.cat([skin[..., :3], looks[..., 3:4], skin[..., 3:]], dim=-1)
        looks = torch.where(on_head, skin, looks)
        shadow = self._shadows(scenes, shots, points, normal, mask, which)
        colour = shade_surface(normal, view, looks, shadow, shots)
        return colour, (scenes.opacity[face] * mask)[..., None]

    def _shadows(
        self,
        scenes: Scenes,
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
            lit = self._lit(scenes, direction, points[casting], normal[casting], which[casting])
            weight = mask[casting].float()
            blur = blur_matrix((0.5 + 4.0 * softness) * self.size / 224, self.size)
            smooth = [blur @ part @ blur.transpose(1, 2) for part in (lit * weight, weight)]
            shadow[casting, :, :, lamp] = smooth[0] / smooth[1].clamp_min(1e-3)
        return shadow

    def _lit(
        self, scenes: Scenes, direction: Tensor, points: Tensor, normal: Tensor, which: Tensor
    ) -> Tensor:
        """(B, S, S) 1 where the lamp of each scene of ``which`` in ``direction`` (B, 3) is seen."""
        count = len(scenes.backgrounds)
        turn = _facing(direction)
        every = torch.zeros(count, 3, 3, device=points.device).index_copy(0, which, turn)
        focal = 0.5 * _MAP * LAMP_MM / _MAP_MM
        middle = (_MAP - 1) / 2
        lens = points.new_tensor([[focal, 0, middle], [0, focal, middle], [0, 0, 1]])

        def project(at: Tensor) -> Tensor:
            return (at + at.new_tensor([0.0, 0.0, LAMP_MM])) @ lens.T

        vertices = torch.einsum("pij,pj->pi", every[scenes.scene_of_vertex], scenes.vertices)
        used = torch.zeros(count, dtype=torch.bool, device=points.device)
        used[which] = True
        faces = used[scenes.scene_of_face] & (scenes.opacity == 1)
        seen_from = project(vertices)
        seen = _of_scenes(scenes, seen_from, faces, which, count, (_MAP, _MAP))
        corners = scenes.faces[seen.face_id.clamp_min(0)]
        depth = (seen_from[:, 2][corners] * seen.barycentric).sum(-1)
        depth = torch.where(seen.face_id >= 0, depth, torch.inf)

        at = torch.einsum("bij,bhwj->bhwi", turn, points + _OUT * normal)
        at = project(at)
        place = (at[..., :2] / at[..., 2:]).round().long()
        outside = ((place < 0) | (place >= _MAP)).any(-1)
        index = place[..., 1].clamp(0, _MAP - 1) * _MAP + place[..., 0].clamp(0, _MAP - 1)
        nearest = depth.flatten(1).gather(1, index.flatten(1)).view(index.shape)
        unlit = (normal * direction[:, None, None]).sum(-1) <= 0  # dark without any shadow
        return (outside | unlit | (at[..., 2] < nearest + _BIAS)).float()


def _of_scenes(
    scenes: Scenes, points: Tensor, faces: Tensor, which: Tensor, count: int, size: tuple[int, int]
) -> Fragments:
    """Fragments of the scenes ``which`` only; ``face_id`` are places in ``scenes.faces``."""
    number = torch.full((count,), -1, device=points.device)
    number[which] = torch.arange(len(which), device=points.device)
    chosen = faces.nonzero()[:, 0]
    picture = number[scenes.scene_of_face[chosen]]
    seen = rasterize_meshes(points, scenes.faces[chosen], picture, len(which), size, cull=False)
    face = torch.where(seen.face_id >= 0, chosen[seen.face_id.clamp_min(0)], -1)
    return Fragments(face, seen.barycentric)


def _taken(shots: Shots, which: Tensor) -> Shots:
    """The shots of the scenes ``which``; how they are developed is left as it is."""
    return Shots(*(part[which] for part in shots[:-1]), shots.how)


def _facing(direction: Tensor) -> Tensor:
    """(B, 3, 3) rotations into cameras that look against ``direction`` (B, 3), any way up."""
    z = -direction
    least = torch.zeros_like(z).scatter(1, z.abs().argmin(1, keepdim=True), 1.0)
    x = normalize(torch.linalg.cross(least, z), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=1)
