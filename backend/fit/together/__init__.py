"""One head fitted to several photos of a person, for photos and for the frames of a film."""

from .fits import Sighted, fit_together, sighted
from .joint import Sight, solve_together

__all__ = ["Sight", "Sighted", "fit_together", "sighted", "solve_together"]
