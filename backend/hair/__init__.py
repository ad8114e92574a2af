"""Hair as strands on the fitted head: the photo's, or a ready style; brows, beard."""

from .beard import make_beard
from .brows import make_brows
from .make import make_hair
from .mask import SeenHair, see_hair
from .strands import Strands

__all__ = ["SeenHair", "Strands", "make_beard", "make_brows", "make_hair", "see_hair"]
