"""Camera, pose, identity and expression of a face from its 68 landmarks."""

from .camera import Camera
from .landmark_fit import FitSettings, LandmarkFit, fit_landmarks
from .mouth import visible_teeth

__all__ = ["Camera", "FitSettings", "LandmarkFit", "fit_landmarks", "visible_teeth"]
