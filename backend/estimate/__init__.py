"""Camera, pose, identity and expression of a face from its 68 landmarks."""

from .camera import Camera
from .gaze import estimate_gaze
from .landmark_fit import FitSettings, LandmarkFit, fit_landmarks
from .mouth import visible_teeth
from .noise import LandmarkNoise, dlib_noise

__all__ = [
    "Camera",
    "FitSettings",
    "LandmarkFit",
    "LandmarkNoise",
    "dlib_noise",
    "estimate_gaze",
    "fit_landmarks",
    "visible_teeth",
]
