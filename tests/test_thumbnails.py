"""The small pictures from which a face is picked, and the worker's answer that names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend import worker
from reconstruct_face.backend.detect import Detection
from reconstruct_face.backend.errors import OutputError, PhotoError
from reconstruct_face.backend.preview import face_thumbnail, photo_thumbnail

from tests.errors import raises

BOX = np.array([[200.0, 100.0, 400.0, 300.0]])


def silent(fraction: float, step: str) -> None:
    pass


def gradient(width: int = 1024, height: int = 512) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return np.stack([x, y, 90 + 0 * x], -1).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(1024, 512), (300, 900), (40, 40), (513, 1)])
def test_the_longest_side_is_512(width: int, height: int) -> None:
    picture = photo_thumbnail(gradient(width, height), np.empty((0, 4)))
    scale = 512 / max(width, height)
    assert picture.shape == (max(round(height * scale), 1), max(round(width * scale), 1), 3)


def test_the_outline_is_where_the_face_is_and_nowhere_else() -> None:
    pixels = gradient()
    plain = photo_thumbnail(pixels, np.empty((0, 4))).astype(int)
    marked = photo_thumbnail(pixels, BOX).astype(int)
    changed = np.abs(marked - plain).max(-1) > 8
    x0, y0, x1, y1 = (BOX[0] / 2).round().astype(int)  # the photo is halved
    middle_x, middle_y = (x0 + x1) // 2, (y0 + y1) // 2
    for y, x in ((y0, middle_x), (y1, middle_x), (middle_y, x0), (middle_y, x1)):
        assert marked[y, x, 0] > 200 and marked[y, x, 2] < 100, "bright on the edge of the box"
    ys, xs = np.nonzero(changed)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == pytest.approx((x0, x1, y0, y1), abs=5)
    assert not changed[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].any(), "the face itself is seen"
    assert not changed[y0, x0], "its corners are round"


def test_several_faces_are_numbered_and_one_is_not() -> None:
    boxes = np.concatenate([BOX, BOX + [400, 50, 400, 50]])
    both = photo_thumbnail(gradient(), boxes).astype(int)
    single = [photo_thumbnail(gradient(), box[None]).astype(int) for box in boxes]
    for box, alone in zip(boxes, single, strict=True):
        x, y = (box[:2] / 2).astype(int)
        tag = np.abs(both - alone)[y - 8 : y + 8, x - 8 : x + 8].max(-1) > 30
        assert tag.mean() > 0.5
    # Two digits look different.
    tags = [both[y - 6 : y + 6, x - 6 : x + 6] for x, y in (boxes[:, :2] / 2).astype(int)]
    assert np.abs(tags[0] - tags[1]).mean() > 10


def test_a_face_at_the_edge_and_a_box_beyond_it() -> None:
    picture = gradient(400, 300)
    box = np.array([-40.0, -30.0, 120.0, 130.0], np.float32)
    assert photo_thumbnail(picture, box[None]).shape == (384, 512, 3)
    assert face_thumbnail(picture, Detection(box, 1.0, "hog")).shape == (128, 128, 3)


def test_a_turned_face_is_shown_upright(astronaut: Path) -> None:
    upright = np.asarray(Image.open(astronaut).convert("RGB"))
    box = np.array([173.0, 74.0, 274.0, 174.0], np.float32)
    height, width = upright.shape[:2]
    turned = np.ascontiguousarray(np.rot90(upright))  # (x, y) goes to (y, width - 1 - x)
    x0, y0, x1, y1 = box
    its_box = np.array([y0, width - 1 - x1, y1, width - 1 - x0], np.float32)
    as_seen = face_thumbnail(upright, Detection(box, 1.0, "hog")).astype(int)
    as_found = face_thumbnail(turned, Detection(its_box, 1.0, "mmod", 3)).astype(int)
    assert np.abs(as_seen - as_found).mean() < 3


@pytest.mark.slow
def test_detect_names_its_pictures(astronaut: Path, tmp_path: Path) -> None:
    steps = []
    found = worker.detect(
        photo=str(astronaut), folder=str(tmp_path / "new é"), progress=lambda *s: steps.append(s)
    )
    ((x0, y0, x1, y1),) = found["boxes"]
    assert x0 < 224 < x1 and y0 < 115 < y1, "the tip of the nose, by eye"
    assert found["size"] == [512, 512]
    assert Image.open(found["thumbnail"]).size == (512, 512)
    assert [Image.open(path).size for path in found["faces"]] == [(128, 128)]
    assert sorted(path.name for path in (tmp_path / "new é").iterdir()) == [
        "face1.png",
        "photo.png",
    ]
    fractions = [fraction for fraction, _ in steps]
    assert fractions and fractions == sorted(fractions)


@pytest.mark.slow
def test_a_photo_without_a_face_is_shown(tmp_path: Path) -> None:
    Image.fromarray(gradient(160, 120)).save(tmp_path / "hills.png")
    found = worker.detect(photo=str(tmp_path / "hills.png"), folder=str(tmp_path), progress=silent)
    assert found["boxes"] == [] and found["faces"] == [] and found["size"] == [160, 120]
    assert Image.open(found["thumbnail"]).size == (512, 384)


def test_what_cannot_be_read_or_written_is_said(astronaut: Path, tmp_path: Path) -> None:
    with raises(PhotoError, tmp_path / "gone.jpg"):
        worker.detect(photo=str(tmp_path / "gone.jpg"), folder=str(tmp_path), progress=silent)
    (tmp_path / "file").write_text("")
    with raises(OutputError, tmp_path / "file"):
        worker.detect(photo=str(astronaut), folder=str(tmp_path / "file"), progress=silent)


def test_it_tells_its_versions() -> None:
    found = worker.versions()
    assert found["numpy"] == np.__version__
    assert set(found) >= {"python", "onnxruntime", "dlib-bin"}
