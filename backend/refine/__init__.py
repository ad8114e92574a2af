"""Refinement of an estimate on the photo, and how far the result can be relied on."""

from .observation import Observation, Prior, Refined, State
from .refine import refine

__all__ = ["Observation", "Prior", "Refined", "State", "refine"]
