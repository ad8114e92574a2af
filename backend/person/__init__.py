"""Several photos of one person to one head: see :func:`reconstruct_person`."""

from .reconstruct import reconstruct_person

__all__ = ["reconstruct_person"]
