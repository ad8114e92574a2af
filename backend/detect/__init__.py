"""Step 2, find the faces in a photo.  A detector is an interface; dlib's is the first."""

from .detector import Detection, Detector
from .dlib_detector import DlibDetector

__all__ = ["Detection", "Detector", "DlibDetector"]
