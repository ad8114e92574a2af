"""3D morphable models: the dataclass every step works with, and the loader of the default one."""

from .face_model import FaceModel
from .load import DEFAULT_MODEL, load_model

__all__ = ["DEFAULT_MODEL", "FaceModel", "load_model"]
