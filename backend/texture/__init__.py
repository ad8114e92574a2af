"""The photo as a texture: projected, mirrored, completed from the fitted albedo, without seams."""

from .build import Texture, build_texture, warm_texture
from .folds import fold_parts, fold_picture
from .light import LightFit, fit_light
from .skin import SkinMaps, skin_maps
from .wrinkles import wrinkle_maps

__all__ = [
    "LightFit",
    "SkinMaps",
    "Texture",
    "build_texture",
    "fit_light",
    "fold_parts",
    "fold_picture",
    "skin_maps",
    "warm_texture",
    "wrinkle_maps",
]
