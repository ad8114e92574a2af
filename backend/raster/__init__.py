"""Which triangle is seen where: exact camera visibility, UV atlases, normals and SH shading.

Everything that needs pixels from a mesh on the CPU goes through here: texture projection, the
synthetic training pictures, and the verification renderings.
"""

from .atlas import Atlas, rasterize_uv
from .shading import vertex_normals
from .visibility import Raster, interpolate, occluded, project_points, rasterize, ray_scene

__all__ = [
    "Atlas",
    "Raster",
    "interpolate",
    "occluded",
    "project_points",
    "rasterize",
    "rasterize_uv",
    "ray_scene",
    "vertex_normals",
]
