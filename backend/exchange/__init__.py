"""What crosses between the backend and Blender, and nothing else does.

``Reconstruction`` is the result of one face, saved as an ``.npz`` with a JSON header
(``npz.py``); ``wire.py`` carries requests and progress between the two processes as JSON lines.
Only numpy and the standard library are imported here.
"""

from .npz import EXCHANGE_VERSION, load_reconstruction, save_reconstruction
from .reconstruction import MaterialSlot, Reconstruction

__all__ = [
    "EXCHANGE_VERSION",
    "MaterialSlot",
    "Reconstruction",
    "load_reconstruction",
    "save_reconstruction",
]
