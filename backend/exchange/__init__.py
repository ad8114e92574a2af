"""What crosses between the backend and Blender, and nothing else does.

``Reconstruction`` is the result of one face, saved as an ``.npz`` with a JSON header
(``npz.py``); ``wire.py`` carries requests and progress between the two processes as JSON lines.
Only numpy and the standard library are imported here, and numpy only when something that holds
arrays is asked for: ``options.py`` and its like do without, so that enabling the add-on is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .npz import EXCHANGE_VERSION, load_reconstruction, save_reconstruction
    from .reconstruction import MaterialSlot, Reconstruction

__all__ = [
    "EXCHANGE_VERSION",
    "MaterialSlot",
    "Reconstruction",
    "load_reconstruction",
    "save_reconstruction",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = ".reconstruction" if name in ("MaterialSlot", "Reconstruction") else ".npz"
    return getattr(import_module(place, __name__), name)
