"""Steps 3 and 4, where the face is exactly: 68 landmarks, and the FFHQ crop made from them."""

from .ffhq import Crop, box_quad, ffhq_crop, ffhq_quad, quad_crop
from .landmarks import UNRELIABLE_SPREAD, LandmarkPredictor

__all__ = [
    "UNRELIABLE_SPREAD",
    "Crop",
    "LandmarkPredictor",
    "box_quad",
    "ffhq_crop",
    "ffhq_quad",
    "quad_crop",
]
