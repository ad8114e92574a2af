"""The face model, camera, light and rendering in torch, differentiable in all coefficients."""

from .camera import Cameras, project, rotation_of_6d, rotation_of_axis_angle
from .face_model import TorchFaceModel
from .fragments import Fragments
from .rasterizer import EmbreeRasterizer, Rasterizer, best_rasterizer
from .render import render, render_vertices
from .shading import sh_basis, shade

__all__ = [
    "Cameras",
    "EmbreeRasterizer",
    "Fragments",
    "Rasterizer",
    "TorchFaceModel",
    "best_rasterizer",
    "project",
    "render",
    "render_vertices",
    "rotation_of_6d",
    "rotation_of_axis_angle",
    "sh_basis",
    "shade",
]
