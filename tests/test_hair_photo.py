"""The option ``hair`` through the whole pipeline, on the sample photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR
from reconstruct_face.backend.pipeline import reconstruct

PHOTO = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"
#: Pixels of the photo that a person sees: hair over the forehead, to the right and left of the
#: face, on top; and cheek, wall and collar.
HAIR = [(215, 68), (172, 90), (278, 90), (225, 35), (185, 60)]
NO_HAIR = [(190, 170), (255, 165), (90, 60), (380, 60), (225, 260)]


@pytest.mark.seconds
def test_the_sample_s_hair_lies_where_it_is_seen() -> None:
    options = {"texture_size": 512, "quality": "fast"}
    (bald,) = reconstruct(PHOTO, Options(**options))
    assert len(bald.hair_points) == 0 and "hair" not in bald.timings
    (found,) = reconstruct(PHOTO, Options(hair="photo", **options))
    assert 10_000 < len(found.hair_points) == len(found.hair_uv)
    assert found.timings["hair"] > 0
    camera = found.hair_points @ found.rotation.T + found.translation
    seen = camera @ found.camera_matrix.T
    pixels = (seen[..., :2] / seen[..., 2:]).reshape(-1, 2)
    # What lies behind the head is not seen: the front half is.
    pixels = pixels[found.hair_points[..., 2].ravel() > found.hair_points[..., 2].mean()]

    def near(point: tuple[int, int]) -> int:
        return int((np.linalg.norm(pixels - point, axis=1) < 6).sum())

    assert min(near(point) for point in HAIR) > 20
    assert max(near(point) for point in NO_HAIR) < 5
    # Fair hair: red over green over blue, far from black.
    red, green, blue = np.median(found.hair_colour.reshape(-1, 3), axis=0)
    assert red > green > blue and red > SRGB_TO_LINEAR[60]
