"""What one picture of the accuracy set gave in one run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Measured:
    """One picture as one run saw it; ``None`` where no face was found."""

    picture: str
    yaw: float  #: degrees
    distances: dict[str, NDArray[np.float32]] | None  #: shape to (N,) mm
    landmarks: float | None  #: normalised mean error of the 68 fitted landmarks
    detected: float | None  #: that of the landmarks as detected
    seconds: float
    source: str = ""  #: which estimate the result comes from
    error: str = ""  #: why no face was found
    confidence: float | None = None  #: 0..1 the result's own
