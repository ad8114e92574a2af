"""Which triangle is seen where: exact camera visibility and UV atlases.

Everything that needs pixels from a mesh on the CPU goes through here: texture projection, the
synthetic training pictures, and the verification renderings.
"""

from .atlas import Atlas, Texels, rasterize_uv, texels_of
from .visibility import Raster, interpolate, occluded, rasterize, rasterize_front, ray_scene

__all__ = [
    "Atlas",
    "Raster",
    "Texels",
    "interpolate",
    "occluded",
    "rasterize",
    "rasterize_front",
    "rasterize_uv",
    "ray_scene",
    "texels_of",
]
