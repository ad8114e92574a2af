"""Refinement of an estimate on the photo, and how far the result can be relied on."""

from ..confidence import Confidence, assess
from .observation import Observation, Prior, Refined, State
from .refine import refine

__all__ = ["Confidence", "Observation", "Prior", "Refined", "State", "assess", "refine"]
