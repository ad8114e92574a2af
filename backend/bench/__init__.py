"""``python -m reconstruct_face.backend bench``: seconds per step, warm and cold, and memory."""

from .run import Report, cold_run, main, warm_runs

__all__ = ["Report", "cold_run", "main", "warm_runs"]
