"""The option ``hair`` through the whole pipeline, on the sample photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.detect.person import person_mask
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR
from reconstruct_face.backend.hair.mask import hair_mask
from reconstruct_face.backend.hair.window import Window, person_in, window_of
from reconstruct_face.backend.model import DEFAULT_MODEL, load_model
from reconstruct_face.backend.pipeline import reconstruct

PHOTO = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"
#: Pixels of the photo that a person sees: hair over the forehead, to the right and left of the
#: face, on top; and cheek, wall and collar.
HAIR = [(215, 68), (172, 90), (278, 90), (225, 35), (185, 60)]
NO_HAIR = [(190, 170), (255, 165), (90, 60), (380, 60), (225, 260)]


@pytest.fixture(scope="module")
def bald() -> Reconstruction:
    return reconstruct(PHOTO, Options(texture_size=512, quality="fast", hair="none"))[0]


def shown(head: Reconstruction, photo: np.ndarray) -> Window:
    seen = head.vertices_posed @ head.rotation.T + head.translation
    return window_of(load_model(DEFAULT_MODEL, "native"), photo, seen, head.camera_matrix)


@pytest.mark.seconds
def test_hair_is_not_taken_from_a_ground_of_its_colour(bald: Reconstruction) -> None:
    photo = cv2.cvtColor(cv2.imread(str(PHOTO)), cv2.COLOR_BGR2RGB)
    before = shown(bald, photo)
    hers = cv2.dilate((person_in(before) > 0.3).astype(np.uint8), np.ones((9, 9))) > 0
    found = hair_mask(before)
    cv2.setRNGSeed(123)  # as work before it leaves it
    assert (hair_mask(before) == found).all()
    brown = np.median([photo[y, x] for x, y in HAIR], axis=0)
    rng = np.random.default_rng(2)
    ground = brown + rng.normal(0, 6, photo.shape)
    person = cv2.GaussianBlur(person_mask(photo), (0, 0), 1.5)[..., None]
    painted = np.clip(photo * person + ground * (1 - person), 0, 255).astype(np.uint8)
    after = hair_mask(shown(bald, painted))
    assert (after & ~hers).sum() < 0.02 * found.sum()
    assert (after & found).sum() > 0.85 * (after | found).sum()


@pytest.mark.seconds
def test_the_sample_s_hair_lies_where_it_is_seen(bald: Reconstruction) -> None:
    options = {"texture_size": 512, "quality": "fast"}
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
    # Brows at the landmarks of brows, as fair; and she has no beard.
    assert set(found.hair_kind) == {0, 1} and 60 < found.hair_kind.sum() < 700
    brows = (seen[..., :2] / seen[..., 2:])[found.hair_kind == 1].reshape(-1, 2)
    marks = found.landmarks2d[17:27]
    away = np.linalg.norm(brows[:, None] - marks[None], axis=-1).min(axis=1)
    assert np.quantile(away, 0.95) < 0.35 * np.linalg.norm(marks[0] - marks[4])
    assert np.median(found.hair_colour[found.hair_kind == 1]) > SRGB_TO_LINEAR[40]
    # Fair hair: red over green over blue, far from black.
    red, green, blue = np.median(found.hair_colour.reshape(-1, 3), axis=0)
    assert red > green > blue and red > SRGB_TO_LINEAR[60]
