"""Refinement of an estimate on the photo itself."""

from ..observation import Observation, Refined, State
from ..prior import Prior
from .refine import refine

__all__ = ["Observation", "Prior", "Refined", "State", "refine"]
