"""Pictures between their pixels; numpy only.

``cv2.remap`` rounds positions to 1/32 pixel, which a derivative would notice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bilinear(picture: NDArray, points: NDArray) -> NDArray:
    """(N, C) of ``picture`` (H, W, C) at ``points`` (N, 2): x, y in pixels, (0, 0) a centre.

    Beyond the border the nearest pixel of it counts.  In the dtype of the picture.
    """
    height, width = picture.shape[:2]
    last = np.array([width - 1, height - 1])
    inside = np.clip(points, 0, last)
    corner = np.minimum(inside.astype(np.int64), np.maximum(last - 1, 0))
    x, y = (inside - corner).astype(picture.dtype).T[..., None]
    first = corner[:, 1] * width + corner[:, 0]
    right, below = int(width > 1), width * int(height > 1)
    flat = picture.reshape(height * width, -1)
    above = flat[first] * (1 - x) + flat[first + right] * x
    under = flat[first + below] * (1 - x) + flat[first + below + right] * x
    return above * (1 - y) + under * y
