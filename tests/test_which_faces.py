"""Which faces a photo is said to have: covered and blurred ones, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.detect import Detection
from reconstruct_face.backend.errors import NoFaceError
from reconstruct_face.backend.fit import faces
from reconstruct_face.backend.fit.faces import detect_faces
from reconstruct_face.backend.photo import Photo, read_photo

from tests.covered_faces import bar, mask
from tests.faceless import faceless_pictures

ASTRONAUT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
#: Of the face in the sample photo.
BOX = np.array([179.0, 83.0, 285.0, 192.0])


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    return read_photo(ASTRONAUT).pixels


def photo_of(pixels: np.ndarray, name: str = "made.png") -> Photo:
    return Photo(np.ascontiguousarray(pixels), Path(name), None, False)


def beside(sample: np.ndarray, zoom: float, blur: float) -> np.ndarray:
    """Her head in the middle, and a larger, blurred one in the corner."""
    head = sample[20:240, 120:330]
    large = cv2.resize(head, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    scene = np.full((760, 960, 3), 120, np.uint8)
    scene[: large.shape[0], : large.shape[1]] = cv2.GaussianBlur(large, (0, 0), blur)
    scene[330:550, 480:690] = head
    return scene


@pytest.mark.seconds
@pytest.mark.parametrize(("zoom", "blur"), [(1.4, 4.0), (1.8, 4.0), (1.8, 7.0), (1.8, 14.0)])
def test_a_sharp_face_is_offered_before_a_larger_blurred_one(sample, zoom: float, blur: float):
    first = detect_faces(photo_of(beside(sample, zoom, blur)), "largest", None)[0].detection
    assert first.box[0] > 480 and first.box[1] > 330


def test_blurred_faces_come_last_and_sharp_ones_keep_their_order(sample):
    """The order by size stays where all are sharp, and where all are blurred."""
    scene, zoom = beside(sample, 1.4, 4.0), 1.4
    sharp = Detection((BOX + [360, 310, 360, 310]).astype(np.float32), 1.0, "hog")
    corner = ((BOX - [120, 20, 120, 20]) * zoom).astype(np.float32)
    blurred = Detection(corner, 1.0, "hog")

    class Both:
        def detect(self, pixels, *, every=False, thorough=True):
            return [blurred, sharp]

    def order(pixels: np.ndarray) -> list[Detection]:
        return [one.detection for one in detect_faces(photo_of(pixels), "all", Both())]

    assert order(scene) == [sharp, blurred]
    assert order(beside(sample, zoom, 0.1)) == [blurred, sharp]
    assert order(cv2.GaussianBlur(scene, (0, 0), 6.0)) == [blurred, sharp]


@pytest.mark.slow
def test_thirty_pictures_without_a_face_have_none():
    for name, pixels in faceless_pictures(30):
        with pytest.raises(NoFaceError):
            raise AssertionError((name, detect_faces(photo_of(pixels, name), "all", None)))


@pytest.mark.seconds
@pytest.mark.parametrize("cover", [bar, mask])
@pytest.mark.parametrize("score", [-0.55, 0.1])
def test_a_covered_face_is_found_where_the_detector_doubts_it(sample, cover, score, monkeypatch):
    """What it is sure of is taken away; the network tells the face from the places beside it."""
    covered = cover(sample)
    detector = faces.default_detector()
    monkeypatch.setattr(type(detector), "detect", lambda *_, **__: [])
    beside = Detection(np.array([272.0, 336.0, 331.0, 395.0], np.float32), score + 0.1, "hog")
    face = Detection(BOX.astype(np.float32), score, "hog")
    monkeypatch.setattr(type(detector), "doubtful", lambda *_: [beside, face])
    (found,) = detect_faces(photo_of(covered), "largest", None)
    assert found.detection is face


@pytest.mark.seconds
def test_what_the_detector_half_believes_is_none_where_the_network_sees_none(sample, monkeypatch):
    """A badge on her suit, which it takes for a face when hers is covered; sure ones stay."""
    detector = faces.default_detector()
    badge = np.array([272.0, 336.0, 331.0, 395.0], np.float32)
    hers = Detection(BOX.astype(np.float32), 0.3, "hog")
    for score, expected in ((0.2, 1), (1.5, 2)):
        found = [Detection(badge, score, "mmod"), hers]
        monkeypatch.setattr(type(detector), "detect", lambda *_, found=found, **__: found)
        monkeypatch.setattr(type(detector), "doubtful", lambda *_: [])
        assert len(detect_faces(photo_of(sample), "all", None)) == expected
