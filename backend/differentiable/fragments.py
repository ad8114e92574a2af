"""What a rasteriser finds: which triangle each pixel shows, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Fragments:
    """What B cameras see in h x w pixels; nothing here carries gradients."""

    face_id: Tensor  #: (B, h, w) int64, -1 = background
    barycentric: Tensor  #: (B, h, w, 3) perspective-correct; 0 in the background
