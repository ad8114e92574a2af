"""Which pixels are of a person: MediaPipe's selfie segmentation, by OpenCV.

The network is Google's, see ``assets/selfie_segmentation.md``.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bounded import MB, read_bytes
from ..errors import ModelError
from ..kept import kept

Float = NDArray[np.float32]

NETWORK = Path(__file__).resolve().parents[2] / "assets" / "selfie_segmentation.tflite"
#: Of that file: what else would be given to OpenCV's parser was not looked at.
SHA256 = "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"
#: Side of the picture that the network takes.
SIDE = 256

#: A network of OpenCV's keeps its input, so one at a time.
_LOCK = threading.Lock()


def person_mask(picture: NDArray[np.uint8]) -> Float:
    """(h, w) float32 0..1 how surely the pixels of ``picture`` (h, w, 3) uint8 sRGB are of a
    person, best of one whose head and shoulders fill the picture.

    The network sees it at 256 x 256, whatever its size: 22 ms on two cores; 13 MB of memory
    stay.  Raises :class:`ModelError` where the network's file is missing or damaged.
    """
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    batch = (small.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    with _LOCK:
        network = _network()
        network.setInput(batch)
        found = network.forward().reshape(SIDE, SIDE)
    return cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)


@kept(maxsize=1)
def _network() -> cv2.dnn.Net:
    try:
        data = read_bytes(NETWORK, MB)
    except OSError as error:
        raise ModelError(f"The network that tells people apart is missing: {NETWORK}.") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise ModelError(f"{NETWORK} is damaged or another version; install the project again.")
    return cv2.dnn.readNetFromTFLite(np.frombuffer(data, np.uint8))
