"""MediaPipe's Face Landmarker: its points in a picture, and its scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.detect import DlibDetector
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.fit.faces import Face, with_landmarks
from reconstruct_face.backend.kept import let_go
from reconstruct_face.backend.network import face_landmarker
from reconstruct_face.backend.network.face_landmarker import (
    NAMES,
    SCORES_FILE,
    face_mesh,
    scores_of,
)
from reconstruct_face.backend.network.mixer import Mixer, members
from reconstruct_face.backend.photo import Photo, read_photo

ASSETS = Path(__file__).parents[1] / "assets"
#: The same places on the face as landmarks of iBUG 300-W (MediaPipe's canonical face model).
CORNERS = {36: 33, 39: 133, 42: 362, 45: 263, 48: 61, 54: 291, 30: 4}


@pytest.fixture(scope="module")
def sample() -> tuple[Photo, np.ndarray]:
    photo = read_photo(ASSETS / "astronaut.jpg")
    detection = DlibDetector().detect(photo.pixels)[0]
    marks = with_landmarks(photo, Face(1, detection, None, None)).landmarks
    assert marks is not None
    return photo, np.asarray(marks, np.float64)


def test_points_lie_where_dlib_s_do_whatever_the_crop_s_place(
    sample: tuple[Photo, np.ndarray],
) -> None:
    photo, marks = sample
    found = face_mesh(photo.pixels, marks)
    assert found.presence > 0.99
    eyes = np.linalg.norm(marks[45] - marks[36])
    away = np.linalg.norm(found.points[[*CORNERS.values()]] - marks[[*CORNERS]], axis=1)
    assert away.max() < 0.08 * eyes
    # The first crop only has to hold the face.
    middle = marks.mean(axis=0)
    moved = face_mesh(photo.pixels, middle + 1.15 * (marks - middle) + 0.06 * eyes)
    assert np.abs(moved.points - found.points).mean() < 0.01 * eyes


def test_the_sample_smiles_and_has_its_eyes_open(sample: tuple[Photo, np.ndarray]) -> None:
    photo, marks = sample
    scores = dict(zip(NAMES, face_mesh(photo.pixels, marks).scores.tolist(), strict=True))
    assert min(scores["mouthSmileLeft"], scores["mouthSmileRight"]) > 0.6
    assert max(scores["eyeBlinkLeft"], scores["eyeBlinkRight"]) < 0.3
    assert max(scores["jawOpen"], scores["mouthFrownLeft"], scores["browInnerUp"]) < 0.2


def test_a_turned_picture_has_the_same_points_and_scores(sample: tuple[Photo, np.ndarray]) -> None:
    photo, marks = sample
    upright = face_mesh(photo.pixels, marks)
    turned = np.ascontiguousarray(np.rot90(photo.pixels))  # counter-clockwise
    last = photo.pixels.shape[1] - 1

    def around(points: np.ndarray) -> np.ndarray:
        return np.c_[points[:, 1], last - points[:, 0]]

    found = face_mesh(turned, around(marks))
    assert np.abs(found.points - around(upright.points)).max() < 1.0
    assert np.abs(found.scores - upright.scores).max() < 0.05


def test_a_mirrored_picture_scores_the_other_side(sample: tuple[Photo, np.ndarray]) -> None:
    """Both sides are learnt alike, but for the network's own unevenness."""
    photo, marks = sample
    scores = dict(zip(NAMES, face_mesh(photo.pixels, marks).scores.tolist(), strict=True))
    last = photo.pixels.shape[1] - 1
    # dlib's order is from one side to the other; the crop asks for eyes and a box only.
    mirrored = np.c_[last - marks[:, 0], marks[:, 1]]
    mirrored[36:42], mirrored[42:48] = mirrored[42:48].copy(), mirrored[36:42].copy()
    found = face_mesh(np.ascontiguousarray(photo.pixels[:, ::-1]), mirrored)
    other = dict(zip(NAMES, found.scores.tolist(), strict=True))
    for left, right in (("mouthSmileLeft", "mouthSmileRight"), ("eyeBlinkLeft", "eyeBlinkRight")):
        assert other[left] == pytest.approx(scores[right], abs=0.12)


def test_what_is_no_face_is_told(sample: tuple[Photo, np.ndarray]) -> None:
    photo, marks = sample
    ground = np.random.default_rng(3).integers(90, 130, photo.pixels.shape).astype(np.uint8)
    assert face_mesh(ground, marks).presence < 0.1


def test_scores_are_of_the_shape_alone(sample: tuple[Photo, np.ndarray]) -> None:
    photo, marks = sample
    points = face_mesh(photo.pixels, marks).points
    cos, sin = np.cos(0.7), np.sin(0.7)
    moved = 3.7 * points @ np.array([[cos, sin], [-sin, cos]]) + (900.0, -40.0)
    np.testing.assert_allclose(scores_of(moved), scores_of(points), atol=1e-4)


def test_the_mixer_is_the_one_of_its_paper(tmp_path: Path) -> None:
    """Against Tolstikhin et al.'s equation 1, written out in float64 by einsum."""
    rng = np.random.default_rng(5)
    sizes = {"d": 8, "others": 6, "tokens": 7, "wide": 9, "deep": 11}
    arrays = {}
    for name, member in members().items():
        shape = [axis if isinstance(axis, int) else sizes[axis] for axis in member.shape or ()]
        arrays[name] = np.asarray(rng.normal(0, 0.4, shape), np.float32)
    arrays["epsilon"] = np.float32(1e-3)
    path = tmp_path / "mixer.npz"
    np.savez(path, **arrays)
    points = rng.normal(0, 1, (146, 2))
    a = {name: np.asarray(array, np.float64) for name, array in arrays.items()}

    def normed(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        spread = np.sqrt(x.var(axis=1) + a["epsilon"])
        return (x - x.mean(axis=1)[:, None]) / spread[:, None] * gain

    x = np.einsum("tp,pk->tk", a["points_weight"], points * a["scale"]) + a["points_bias"][:, None]
    x = np.einsum("tk,dk->td", x, a["places_weight"]) + a["places_bias"]
    x = np.concatenate([a["token"][None], x])
    for i in range(4):
        y = np.einsum("ht,td->hd", a[f"tokens{i}_in_weight"], normed(x, a[f"tokens{i}_gain"]))
        y = np.maximum(y + a[f"tokens{i}_in_bias"][:, None], 0)
        x = x + np.einsum("th,hd->td", a[f"tokens{i}_out_weight"], y)
        x = x + a[f"tokens{i}_out_bias"][:, None]
        y = np.einsum("kd,td->tk", a[f"channels{i}_in_weight"], normed(x, a[f"channels{i}_gain"]))
        y = np.maximum(y + a[f"channels{i}_in_bias"], 0)
        x = x + np.einsum("dk,tk->td", a[f"channels{i}_out_weight"], y)
        x = x + a[f"channels{i}_out_bias"]
    by_hand = 1 / (1 + np.exp(-(a["scores_weight"] @ x[0] + a["scores_bias"])))
    found = Mixer.load(path)(points.astype(np.float32))
    np.testing.assert_allclose(found, by_hand, atol=1e-4)
    assert by_hand.std() > 0.1  # else nothing is compared


def test_damaged_files_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = tmp_path / "face_blendshapes.npz"
    cut.write_bytes(SCORES_FILE.read_bytes()[:5000])
    with pytest.raises(ModelError, match="missing or damaged"):
        Mixer.load(cut)
    with pytest.raises(ModelError, match="missing or damaged"):
        Mixer.load(tmp_path / "none.npz")
    other = tmp_path / "points.tflite"
    other.write_bytes(b"TFL3")
    monkeypatch.setattr(face_landmarker, "POINTS_FILE", other)
    let_go()
    with pytest.raises(ModelError, match="damaged or another version"):
        face_mesh(np.zeros((64, 64, 3), np.uint8), np.random.default_rng(1).uniform(9, 50, (68, 2)))
