"""The photo as a texture: projected, mirrored, completed from the fitted albedo, without seams."""

from .build import Shot, Texture, build_texture, warm_texture
from .folds import fold_parts, fold_picture
from .light import LightFit, fit_light
from .several import build_texture_of, most_shots
from .skin import SkinMaps, skin_maps
from .wrinkles import wrinkle_pictures

__all__ = [
    "LightFit",
    "Shot",
    "SkinMaps",
    "Texture",
    "build_texture",
    "build_texture_of",
    "fit_light",
    "fold_parts",
    "fold_picture",
    "most_shots",
    "skin_maps",
    "warm_texture",
    "wrinkle_pictures",
]
