"""The passes of a surface by PyTorch3D (Ravi et al. 2020), on CUDA or the CPU.

Runs in the verification's own environment: numpy, torch and PyTorch3D are all it needs.
Conventions are those of :mod:`.view`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch3d.ops import interpolate_face_attributes  # pyright: ignore[reportMissingImports]
from pytorch3d.renderer import (  # pyright: ignore[reportMissingImports]
    MeshRasterizer,
    OrthographicCameras,
    PerspectiveCameras,
    RasterizationSettings,
    TexturesUV,
)
from pytorch3d.renderer.mesh.rasterizer import Fragments  # pyright: ignore[reportMissingImports]
from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ..errors import ExchangeError
from ..exchange.passes import Passes
from ..geometry import srgb
from ..geometry.harmonics import shade
from ..geometry.triangles import unit
from .surface import RenderMesh
from .view import View

#: On the CPU the rasteriser compares every pixel with every triangle: so few pixels at a time, with
#: the triangles that touch them.
_TILE = 32

_OPENCV_TO_VIEW = (-1.0, -1.0, 1.0)


def render_passes(surface: RenderMesh, view: View) -> Passes:
    """What a camera at ``view`` sees of ``surface``.

    Raises :class:`ExchangeError` where the surface reaches behind a perspective camera.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    camera = view.to_camera(surface.vertices)
    if not view.orthographic and camera[:, 2].min() <= 0:
        raise ExchangeError("The head reaches behind its camera.")
    kept = np.flatnonzero(_facing(camera[surface.faces], view.orthographic))
    faces = surface.faces[kept]
    corners = torch.from_numpy(camera[faces]).float().to(device)
    fragments = _rasterize(corners, view)
    with torch.no_grad():
        values = torch.from_numpy(surface.normals[faces]).float().to(device)
        spread = interpolate_face_attributes(fragments.pix_to_face, fragments.bary_coords, values)
        normals = spread[0, :, :, 0].cpu().numpy()
        texture = _sample(surface, kept, fragments).cpu().numpy()
        depth = fragments.zbuf[0, ..., 0].cpu().numpy()
        seen = fragments.pix_to_face[0, ..., 0].cpu().numpy() >= 0
    normals = unit(normals)
    turned = normals @ view.rotation.T.astype(np.float32)
    unlit = srgb.decode(texture)
    shaded = unlit * shade(normals, surface.sh_light)

    def final(values: NDArray) -> NDArray[np.float32]:
        mask = seen if values.ndim == 2 else seen[..., None]
        return np.where(mask, values, 0).astype(np.float32)

    return Passes(seen, final(depth), final(turned), final(unlit), final(shaded)).validate()


def _facing(corners: NDArray, orthographic: bool) -> NDArray[np.bool_]:
    """(F,) which triangles (F, 3, 3), camera axes, show the camera their outward side."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if orthographic:
        return normal[:, 2] < 0
    return (normal * corners[:, 0]).sum(1) < 0


def _rasterize(corners: Tensor, view: View) -> Fragments:
    """The nearest of the triangles (F, 3, 3), camera axes, at each pixel's centre."""
    width, height = view.size
    if corners.is_cuda:
        return _rasterize_tile(corners, view, 0, 0, width, height)
    pixels = _pixels(corners, view)
    low, high = pixels.amin(1), pixels.amax(1)
    face = torch.full((1, height, width, 1), -1, dtype=torch.int64)
    depth = torch.full((1, height, width, 1), -1.0)
    bary = torch.full((1, height, width, 1, 3), -1.0)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            begin = torch.tensor([left - 1.0, top - 1.0])
            near = ((high >= begin) & (low <= begin + _TILE + 1)).all(1).nonzero()[:, 0]
            if not len(near):
                continue
            part = _rasterize_tile(corners[near], view, left, top, _TILE, _TILE)
            rows, columns = min(_TILE, height - top), min(_TILE, width - left)
            place = (slice(None), slice(top, top + rows), slice(left, left + columns))
            found = part.pix_to_face[:, :rows, :columns]
            face[place] = torch.where(found >= 0, near[found.clamp_min(0)], -1)
            depth[place] = part.zbuf[:, :rows, :columns]
            bary[place] = part.bary_coords[:, :rows, :columns]
    return Fragments(face, depth, bary, torch.zeros_like(depth))


def _rasterize_tile(
    corners: Tensor, view: View, left: int, top: int, width: int, height: int
) -> Fragments:
    """As :func:`_rasterize`, of a part of the picture."""
    matrix = view.camera_matrix
    kind = OrthographicCameras if view.orthographic else PerspectiveCameras
    cameras = kind(
        focal_length=((float(matrix[0, 0]), float(matrix[1, 1])),),
        principal_point=((float(matrix[0, 2]) + 0.5 - left, float(matrix[1, 2]) + 0.5 - top),),
        in_ndc=False,
        image_size=((height, width),),
        device=corners.device,
    )
    settings = RasterizationSettings(
        image_size=(height, width),
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=not view.orthographic,
        bin_size=None if corners.is_cuda else 0,
    )
    points = (corners * corners.new_tensor(_OPENCV_TO_VIEW)).reshape(1, -1, 3)
    numbers = torch.arange(points.shape[1], device=corners.device).reshape(1, -1, 3)
    with torch.no_grad():
        return MeshRasterizer(cameras, settings)(Meshes(points, numbers))


def _pixels(corners: Tensor, view: View) -> Tensor:
    """(F, 3, 2) where the corners (F, 3, 3), camera axes, are in the picture."""
    plane = corners[..., :2] if view.orthographic else corners[..., :2] / corners[..., 2:]
    matrix = torch.from_numpy(view.camera_matrix).float()
    return plane * matrix.diagonal()[:2] + matrix[:2, 2]


def _sample(surface: RenderMesh, kept: NDArray, fragments: Fragments) -> Tensor:
    """(H, W, 3) sRGB, bilinear, the texture repeating beyond its edges as Blender has it."""
    device = fragments.zbuf.device
    height, width = surface.texture.shape[:2]
    texture = np.pad(surface.texture, ((1, 1), (1, 1), (0, 0)), mode="wrap")
    sides = np.array([width, height], np.float32)
    uv = (surface.uv[kept] * sides + 1) / (sides + 2)
    numbers = torch.arange(3 * len(uv), device=device).reshape(1, -1, 3)
    textures = TexturesUV(
        torch.from_numpy(texture)[None].to(device),
        numbers,
        torch.from_numpy(uv).reshape(1, -1, 2).to(device),
        padding_mode="border",
        align_corners=False,
    )
    return textures.sample_textures(fragments)[0, :, :, 0]
