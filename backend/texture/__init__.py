"""The photo as a texture: projected, mirrored, completed from the fitted albedo, without seams."""

from .build import Texture, build_texture, warm_texture
from .light import LightFit, fit_light

__all__ = ["LightFit", "Texture", "build_texture", "fit_light", "warm_texture"]
