"""Refinement of an estimate on the photo itself."""

from ..observation import Observation, Refined, State
from ..prior import Prior
from .refine import SCHEDULE, Run, Stage, refine

__all__ = ["SCHEDULE", "Observation", "Prior", "Refined", "Run", "Stage", "State", "refine"]
