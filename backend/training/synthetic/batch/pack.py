"""Scenes as tensors: many in one mesh, on their way to the device that draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..assembly import Assembly
from ..scene import Scene, Shot
from .develop import Developments, pack_developments

Float = NDArray[np.float32]

#: Lamps a :class:`~..light.Light` holds at most.
LAMPS = 3


class Shots(NamedTuple):
    """N pictures; everything in head coordinates and mm."""

    camera_matrix: Tensor  #: (N, 3, 3)
    rotation: Tensor  #: (N, 3, 3) head to camera
    translation: Tensor  #: (N, 3)
    ambient: Tensor  #: (N, 9, 3) spherical harmonics without the lamps
    lamp_direction: Tensor  #: (N, 3, 3) unit; lamp by lamp
    lamp_colour: Tensor  #: (N, 3, 3) 0 where there is no lamp
    lamp_softness: Tensor  #: (N, 3)
    shadows: Tensor  #: (N,) bool
    labels: Tensor  #: (N, label_size)
    jaw: Tensor  #: (N, 17) int64
    how: Developments


class Scenes(NamedTuple):
    """B scenes in one mesh of P vertices and M triangles, scene by scene, and K pictures each.

    Small numbers stay small: the way to the device costs as much as the drawing.
    """

    vertices: Tensor  #: (P, 3) mm
    looks: Tensor  #: (P, 7) float16: linear albedo, openness, gloss, roughness, opacity
    faces: Tensor  #: (M, 3) int32; a scene's first ones are its head
    vertex_counts: Tensor  #: (B,) int64
    face_counts: Tensor  #: (B,) int64
    textures: Tensor  #: (B, 5, T, T) float16: linear albedo, gloss, roughness of the head
    backgrounds: Tensor  #: (B, 3, S, S) float16 linear
    shots: Shots  #: K B: the first of each scene, the second of each, and so on


def pack_scenes(scenes: Sequence[Scene]) -> Scenes:
    """Tensors of ``scenes`` with equally many pictures each."""
    meshes = [scene.mesh for scene in scenes]
    counts = [len(mesh.vertices) for mesh in meshes]
    starts = np.cumsum([0, *counts[:-1]], dtype=np.int32)
    faces = [mesh.faces + at for mesh, at in zip(meshes, starts, strict=True)]
    return Scenes(
        vertices=torch.from_numpy(np.concatenate([mesh.vertices for mesh in meshes])),
        looks=torch.from_numpy(np.concatenate([_looks(mesh) for mesh in meshes])).half(),
        faces=torch.from_numpy(np.concatenate(faces)),
        vertex_counts=torch.tensor(counts),
        face_counts=torch.tensor([len(part) for part in faces]),
        textures=torch.cat(
            [
                _planes([scene.skin.texture for scene in scenes]),
                _planes([scene.skin.surface for scene in scenes]),
            ],
            dim=1,
        ),
        backgrounds=_planes([scene.background for scene in scenes]),
        shots=_pack_shots(
            [scene.shots[k] for k in range(len(scenes[0].shots)) for scene in scenes]
        ),
    )


def _looks(mesh: Assembly) -> Float:
    """(N, 7) as in :class:`Scenes`."""
    of_parts = np.stack([mesh.gloss, mesh.roughness, mesh.opacity], axis=1)
    return np.concatenate(
        [mesh.colours, mesh.openness[:, None], of_parts[mesh.part_of_vertex]], axis=1
    ).astype(np.float32)


def _planes(images: Sequence[NDArray]) -> Tensor:
    """(B, C, S, S) float16 of (S, S, C)."""
    stack = torch.stack([torch.from_numpy(image).half() for image in images])
    return stack.permute(0, 3, 1, 2).contiguous()


def _pack_shots(shots: Sequence[Shot]) -> Shots:
    cameras = [shot.view.camera for shot in shots]
    lamps = np.zeros((len(shots), LAMPS, 7))
    lamps[..., 2] = 1  # a direction, also where there is no lamp
    for row, shot in zip(lamps, shots, strict=True):
        for place, lamp in zip(row, shot.light.lamps, strict=False):
            place[:] = [*lamp.direction, *lamp.colour, lamp.softness]
    return Shots(
        camera_matrix=_floats([camera.camera_matrix for camera in cameras]),
        rotation=_floats([camera.rotation for camera in cameras]),
        translation=_floats([camera.translation for camera in cameras]),
        ambient=_floats([shot.light.ambient_sh for shot in shots]),
        lamp_direction=_floats(lamps[..., :3]),
        lamp_colour=_floats(lamps[..., 3:6]),
        lamp_softness=_floats(lamps[..., 6]),
        shadows=torch.tensor([shot.shadows for shot in shots]),
        labels=_floats([shot.label for shot in shots]),
        jaw=torch.from_numpy(np.stack([shot.view.jaw for shot in shots]).astype(np.int64)),
        how=pack_developments([shot.how for shot in shots]),
    )


def _floats(values: Sequence[NDArray] | NDArray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))
