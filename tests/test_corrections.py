"""Landmarks set by hand, on rendered heads whose landmarks are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.detect import Detection
from reconstruct_face.backend.errors import OptionError
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.fit import FaceFit, fit, gather
from reconstruct_face.backend.fit.faces import Face
from reconstruct_face.backend.fit.noise import dlib_noise
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.photo import Photo

from tests.errors import raises
from tests.surface import surface_error
from tests.test_fitting import Case, make_case

#: Chin, inner brows, nostrils, mouth; each is moved so far, in sides of the face.
WRONG = {
    8: (0.0, 0.06),
    21: (0.06, -0.03),
    22: (-0.06, 0.03),
    31: (0.06, 0.0),
    35: (0.06, 0.02),
    48: (-0.06, 0.04),
    54: (0.06, 0.04),
    57: (0.0, 0.06),
}
INDEX = list(WRONG)


@dataclass(frozen=True, eq=False)
class Seen:
    """A head as dlib sees it, with gross errors at some landmarks."""

    case: Case
    photo: Photo
    face: Face
    right: Face  #: without the gross errors

    def missed(self, found: FaceFit) -> np.ndarray:
        """(68,) distance of the fit's landmarks from the true ones, in pixels of a face of 512."""
        seen = found.camera.project(found.landmarks3d.astype(float))
        return np.linalg.norm(seen - self.case.landmarks, axis=1) * 512 / self.face.side


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def look(model: FaceModel, seed: int, gross: float = 1.0) -> Seen:
    """``gross`` multiplies the errors of :data:`WRONG`."""
    case, rng, noise = make_case(model, seed), np.random.default_rng(seed), dlib_noise()
    box = np.array([*case.landmarks.min(0), *case.landmarks.max(0)], np.float32)
    error = 0.4 * np.linalg.cholesky(noise.covariance) @ rng.normal(size=136)
    marks = case.landmarks + error.reshape(68, 2) + noise.offset(12.0, 3.0, 1.0)
    right = Face(1, Detection(box, 1.0, "hog"), marks, 0.4 * noise.spread)
    moved = marks.copy()
    moved[INDEX] += gross * right.side * np.array(list(WRONG.values()))
    face = Face(1, right.detection, moved, right.spread)
    return Seen(case, Photo(case.pixels, Path("rendered.png"), None, False), face, right)


def by_hand(seen: Seen, index: list[int]) -> list[tuple[int, float, float]]:
    """The true places of the landmarks ``index``, as a user would drag them there."""
    return [(i, *seen.case.landmarks[i]) for i in index]


def fitted(model: FaceModel, seen: Seen, face: Face, **options: object) -> FaceFit:
    """To the landmarks alone unless ``options`` say otherwise."""
    chosen = Options(**({"estimate": "landmarks", "quality": "fast"} | options))
    return fit(gather(seen.photo, face, model, chosen), model, chosen)


def test_corrected_landmarks_bring_the_head_back(model: FaceModel) -> None:
    """The fit to landmarks: as good as if dlib had not erred, and where the hand said."""
    for seed in range(2):
        seen = look(model, seed)
        true = model.vertices(seen.case.identity)

        def surface(found: FaceFit, true: np.ndarray = true) -> float:
            return surface_error(model, model.vertices(found.identity), true)

        wrong = fitted(model, seen, seen.face)
        repaired = fitted(model, seen, seen.face, corrected=by_hand(seen, INDEX))
        clean = fitted(model, seen, seen.right)
        assert seen.missed(wrong)[INDEX].max() > 20
        assert seen.missed(repaired)[INDEX].max() < 2
        assert surface(repaired) < 0.5 * surface(wrong)
        assert surface(repaired) < 1.15 * surface(clean)
        rest = np.setdiff1d(np.arange(68), INDEX)
        assert seen.missed(repaired)[rest].mean() < seen.missed(wrong)[rest].mean()


@pytest.mark.slow
def test_so_they_do_with_the_network(model: FaceModel) -> None:
    seen, network = look(model, 0, 2.4), {"estimate": "network"}
    true = model.vertices(seen.case.identity)
    wrong, repaired = (
        fitted(model, seen, seen.face, **network, quality="balanced", corrected=points)
        for points in (None, by_hand(seen, INDEX))
    )
    assert wrong.source == repaired.source == "network"
    assert seen.missed(wrong)[INDEX].max() > 20
    assert seen.missed(repaired)[INDEX].max() < 1
    clean = fitted(model, seen, seen.right, **network, quality="balanced")
    errors = [
        surface_error(model, model.vertices(f.identity), true) for f in (wrong, repaired, clean)
    ]
    # The network keeps wrong landmarks from ruining the shape: 1.06 mm, corrected 0.43.
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 1.05 * errors[2]
    # Where dlib's landmarks were not to be used at all, the hand's still are.
    unread = Face(1, seen.face.detection, None, seen.face.spread)
    alone = fitted(model, seen, unread, **network, corrected=by_hand(seen, INDEX))
    assert seen.missed(alone)[INDEX].max() < 1


def test_one_corrected_landmark_changes_little_elsewhere(model: FaceModel) -> None:
    seen = look(model, 1)
    before = fitted(model, seen, seen.right)
    after = fitted(model, seen, seen.right, corrected=by_hand(seen, [54]))
    assert seen.missed(after)[54] < 1.5 < seen.missed(before)[54]
    far = [*range(17, 27), *range(36, 48)]  # brows and eyes
    points = [f.camera.project(f.landmarks3d.astype(float))[far] for f in (before, after)]
    assert np.linalg.norm(points[1] - points[0], axis=1).mean() * 512 / seen.face.side < 3


def test_no_corrections_change_nothing(model: FaceModel) -> None:
    seen = look(model, 0)
    plain, none = (fitted(model, seen, seen.right, corrected=points) for points in (None, ()))
    assert np.array_equal(plain.identity, none.identity)
    assert np.array_equal(plain.observed, none.observed)


def test_a_landmark_dragged_off_the_face_breaks_nothing(model: FaceModel) -> None:
    seen = look(model, 0)
    found = fitted(model, seen, seen.right, corrected=[(30, -500.0, 2000.0)])
    vertices = model.vertices(found.identity, found.expression)
    assert np.isfinite(vertices).all() and np.isfinite(found.camera.camera_matrix).all()
    assert found.error_px > 10, "and it is told that the head does not fit"


@pytest.mark.parametrize(
    ("points", "facts"),
    [
        ([(68, 1.0, 2.0)], (68, 0, 67)),
        ([(-1, 1.0, 2.0)], (-1, 0, 67)),
        ([(3.5, 1.0, 2.0)], (3.5, 0, 67)),
        ([(True, 1.0, 2.0)], (True, 0, 67)),
        ([(3, float("nan"), 2.0)], (3, "nan", 2.0)),
        ([(3, 1.0, float("inf"))], (3, 1.0, "inf")),
        ([(3, 1.0, 2.0), (3, 4.0, 5.0)], (3,)),
        ([(3, 1.0)], ((3, 1.0), "(index, x, y)")),
        ([(3, "left", 2.0)], ((3, "left", 2.0), "(index, x, y)")),
        ([7], (7, "(index, x, y)")),
        ([(float("inf"), 1.0, 2.0)], ((float("inf"), 1.0, 2.0), "(index, x, y)")),
    ],
)
def test_bad_values_are_named(points: list, facts: tuple[object, ...]) -> None:
    with raises(OptionError, "landmark", *facts):
        Options(corrected=points)


def test_they_are_put_in_order_and_belong_to_one_face() -> None:
    options = Options(corrected=[(9, 1, 2), [3, 4.5, 6]], face=2)
    assert options.corrected == ((3, 4.5, 6.0), (9, 1.0, 2.0))
    assert Options(corrected=[]).corrected is None
    with raises(OptionError, "face"):
        Options(corrected=[(3, 1.0, 2.0)], face="all")


def test_numpy_numbers_cross_the_wire() -> None:
    points = np.array([[3.0, 4.5, 6.0]], np.float32)
    for given in (points, [(np.int64(3), np.float32(4.5), 6)]):
        options = Options(corrected=given)
        assert json.loads(json.dumps(options.to_dict()))["corrected"] == [[3, 4.5, 6.0]]
        assert Options.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    for none in (None, [], points[:0]):
        assert Options(corrected=none).to_dict()["corrected"] is None
