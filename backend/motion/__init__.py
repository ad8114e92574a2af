"""Motion files: Live Link Face, a CSV of our own, phonemes; resampled and simplified.

Only numpy and the standard library are imported here, because Blender reads motion files without
the backend's process.
"""

from .files import read_motion_file, write_motion_file
from .resample import resample
from .simplify import simplify

__all__ = ["read_motion_file", "resample", "simplify", "write_motion_file"]
