"""Hair as strands on the fitted head: the photo's, or a ready style."""

from .make import make_hair
from .strands import Strands

__all__ = ["Strands", "make_hair"]
