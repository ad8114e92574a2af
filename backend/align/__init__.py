"""Steps 3 and 4, where the face is exactly: 68 landmarks, and the FFHQ crop made from them."""

from .ffhq import Crop, ffhq_crop, ffhq_quad
from .landmarks import UNRELIABLE_SPREAD, LandmarkPredictor

__all__ = ["UNRELIABLE_SPREAD", "Crop", "LandmarkPredictor", "ffhq_crop", "ffhq_quad"]
