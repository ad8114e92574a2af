"""Several photos of one person: the joint solve, who is who, and what is left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.detect import Detection
from reconstruct_face.backend.errors import NoFaceError, OptionError
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.fit.observation import Beginning, State
from reconstruct_face.backend.fit.prior import Prior
from reconstruct_face.backend.fit.together.joint import Sight, solve_together, worth
from reconstruct_face.backend.fit.together.pooling import pooled
from reconstruct_face.backend.fit.together.schur import Quadratic, joint_minimum
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.person import looking, reconstruct_person
from reconstruct_face.backend.person.same import chosen_faces, same_picture
from reconstruct_face.backend.photo import Photo

from tests.errors import raises
from tests.test_refine import known_head as head_of_model
from tests.test_refine import photograph

SHARED, OWN, BOUNDED = 5, 4, 3


@pytest.fixture(scope="module")
def model():
    return load_model()


# The Schur complement


def photo_costs(rng: np.random.Generator, count: int, wide: float) -> list[Quadratic]:
    """Photos of which one lacks a shared unknown, as one without colours does."""
    found = []
    for i in range(count):
        places = np.arange(SHARED if i else SHARED - 1)
        size = OWN + len(places) + BOUNDED
        rows = rng.normal(size=(3 * size, size))
        low = np.full(BOUNDED, -wide)
        found.append(
            Quadratic(
                rows.T @ rows,
                rows.T @ rng.normal(size=3 * size),
                OWN + places,
                places,
                low,
                -low,
                rng.uniform(0.5, 2.0),
            )
        )
    return found


def dense(photos: list[Quadratic], hessian: np.ndarray, gradient: np.ndarray):
    """One system of all unknowns: shared, then each photo's own; and where these are."""
    own = [np.setdiff1d(np.arange(len(p.gradient)), p.columns) for p in photos]
    total = SHARED + sum(map(len, own))
    whole, right = np.zeros((total, total)), np.zeros(total)
    whole[:SHARED, :SHARED], right[:SHARED] = hessian, gradient
    at, first = [], SHARED
    for photo, mine in zip(photos, own, strict=True):
        where = np.zeros(len(photo.gradient), int)
        where[photo.columns] = photo.places
        where[mine] = first + np.arange(len(mine))
        first += len(mine)
        whole[np.ix_(where, where)] += photo.weight * photo.hessian
        right[where] += photo.weight * photo.gradient
        at.append(where)
    return whole, right, at


def test_the_joint_minimum_is_that_of_one_dense_system() -> None:
    rng = np.random.default_rng(3)
    photos = photo_costs(rng, 4, wide=1e3)
    rows = rng.normal(size=(9, SHARED))
    hessian, gradient = rows.T @ rows, rng.normal(size=SHARED)
    shared, each = joint_minimum(photos, hessian, gradient)
    whole, right, at = dense(photos, hessian, gradient)
    wanted = np.linalg.solve(whole, right)
    assert np.allclose(shared, wanted[:SHARED], atol=1e-10)
    for found, where in zip(each, at, strict=True):
        assert np.allclose(found, wanted[where], atol=1e-10)


def test_within_bounds_no_unknown_can_gain_by_moving() -> None:
    """The Karush-Kuhn-Tucker conditions of the dense system."""
    rng = np.random.default_rng(4)
    photos = photo_costs(rng, 5, wide=0.02)
    hessian, gradient = 2 * np.eye(SHARED), rng.normal(size=SHARED)
    _, each = joint_minimum(photos, hessian, gradient)
    whole, right, at = dense(photos, hessian, gradient)
    x = np.zeros(len(right))
    for found, where in zip(each, at, strict=True):
        x[where] = found
    slope = whole @ x - right
    pressed = 0
    for found, where in zip(each, at, strict=True):
        ends, pull = found[-BOUNDED:], slope[where[-BOUNDED:]]
        assert (np.abs(ends) <= 0.02).all()
        low, high = ends <= -0.02, ends >= 0.02
        assert (pull[low] > -1e-9).all() and (pull[high] < 1e-9).all()
        assert np.abs(pull[~(low | high)]).max(initial=0.0) < 1e-9
        slope[where[-BOUNDED:]] = 0.0
        pressed += int((low | high).sum())
    assert pressed > 2 and np.abs(slope).max() < 1e-9


# What is pooled


def test_one_photo_alone_is_believed_as_before(model) -> None:
    rng = np.random.default_rng(5)
    k = len(model.identity_basis)
    rows = rng.normal(size=(k, k))
    told = Prior.of_model(model)
    told = dataclasses.replace(
        told, identity=rng.normal(size=k), identity_precision=np.eye(k) + rows.T @ rows
    )
    mean, precision = pooled([told], Prior.of_model(model), worth([1.0], 0.3), "identity")
    assert np.allclose(mean, told.identity) and np.allclose(precision, told.identity_precision)


def test_photos_with_errors_alike_are_worth_fewer() -> None:
    assert np.allclose(worth([1, 1, 1], 0.0), 1.0)
    assert np.allclose(worth([1, 1, 1], 1.0).sum(), 1.0)
    assert np.allclose(worth([0.2, 0.2], 0.5).sum(), worth([1, 1], 0.5).sum())
    low = worth([1, 1, 0.1], 0.0)
    assert low[2] == pytest.approx(0.1) and low[0] == 1.0


# The solve


def sights_of(model, count: int = 3) -> tuple[np.ndarray, list[Sight]]:
    """Photos of one head from several sides, each with a reading of its own that errs."""
    rng = np.random.default_rng(8)
    head = head_of_model(model)
    found = []
    for i in range(count):
        turn = cv2.Rodrigues(np.array([0.0, 0.3 * (i - 1), 0.0]))[0]
        camera = dataclasses.replace(head.camera, rotation=head.camera.rotation @ turn)
        expression = np.zeros(len(head.expression))
        expression[i] = 0.3
        one = dataclasses.replace(head, camera=camera, expression=expression)
        # Landmarks that say little: what is wrong with them is wrong in all photos alike.
        seen = photograph(model, one)
        assert seen.noise is not None
        seen = dataclasses.replace(seen, noise=seen.noise.scaled(100.0))
        own = Prior.of_model(model)
        # What is left of N(0, 1) when the identity was seen with a variance of a half.
        off = np.sqrt(0.5) * rng.normal(size=len(head.identity))
        read = (head.identity + off) * 2 / 3
        precision = 3.0 * np.eye(len(read))
        prior = dataclasses.replace(
            own, identity=read, identity_precision=precision, distance_mm=900.0
        )
        start = dataclasses.replace(one, identity=read)
        found.append(Sight(seen, Beginning(start, prior, False, "network"), start))
    return head.identity, found


def test_the_order_of_photos_does_not_matter_and_all_get_one_head(model) -> None:
    _, sights = sights_of(model)
    first = solve_together(model, sights, "fast")
    second = solve_together(model, [sights[i] for i in (2, 0, 1)], "fast")
    for one in first:
        assert np.array_equal(one.state.identity, first[0].state.identity)
    assert np.abs(first[0].state.identity - second[0].state.identity).max() < 1e-3


def test_five_photos_tell_more_than_each(model) -> None:
    true, sights = sights_of(model, 5)
    face = model.mask("face") > 0.5

    def missed(found: State) -> float:
        off = (model.vertices(found.identity) - model.vertices(true))[face]
        return float(np.linalg.norm(off - off.mean(0), axis=1).mean())

    alone = [missed(solve_together(model, [one], "fast")[0].state) for one in sights]
    together = missed(solve_together(model, sights, "fast")[0].state)
    assert together < 0.8 * np.mean(alone), (together, alone)


# Who is who


def person(seed: int) -> np.ndarray:
    """A descriptor far from all others."""
    one = np.random.default_rng(seed).normal(size=128)
    return one / np.linalg.norm(one)


def like(one: np.ndarray, apart: float, seed: int) -> np.ndarray:
    way = np.random.default_rng(seed).normal(size=128)
    return one + apart * way / np.linalg.norm(way)


def test_a_stranger_is_told_and_the_right_face_of_a_group_is_taken() -> None:
    anna, bert = person(1), person(2)
    photos = [
        [like(anna, 0.2, 3)],
        [bert, like(anna, 0.25, 4)],
        [bert + 0.01],
        [like(anna, 0.3, 5)],
        [None],
    ]
    places, away = chosen_faces(photos, [[1.0], [9.0, 1.0], [1.0], [1.0], [1.0]])
    assert places == [0, 1, 0, 0, 0]
    assert [distance < 0.6 for distance in away] == [True, True, False, True, True]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_people_the_larger_face_stays_in_either_order(order: tuple[int, int]) -> None:
    people, sizes = [[person(1)], [person(2)]], [[2.0], [5.0]]
    _, away = chosen_faces([people[i] for i in order], [sizes[i] for i in order])
    assert away[order.index(1)] == 0.0 and away[order.index(0)] > 0.6


def test_a_profile_is_reached_by_way_of_a_half_profile() -> None:
    frontal = np.zeros(128)
    frontal[0] = 1.0
    step = np.zeros(128)
    step[1] = 1.0
    photos = [[frontal], [frontal + 0.01], [frontal + 0.45 * step], [frontal + 0.8 * step]]
    _, away = chosen_faces(photos, [[1.0]] * 4)
    assert away[3] == pytest.approx(0.35) and max(away) < 0.6


def test_a_resized_copy_is_the_same_picture_and_the_next_frame_is_not() -> None:
    marks = np.random.default_rng(0).uniform(0, 400, (68, 2))
    one = person(1)
    assert same_picture(marks, 0.37 * marks + 5, one, like(one, 0.05, 2))
    moved = marks + np.random.default_rng(1).normal(size=marks.shape) * 5
    assert not same_picture(marks, moved, one, like(one, 0.05, 2))
    assert not same_picture(marks, marks, one, person(2))


# From files on


class Remembered:
    """Finds the face where it was painted, and none in a blank picture."""

    def detect(self, pixels, *, every: bool = False, thorough: bool = True) -> list[Detection]:
        if pixels.std() < 1:
            return []
        side = pixels.shape[1]
        return [Detection(np.array([0.25, 0.3, 0.75, 0.8], np.float32) * side, 3.0, "hog")]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, model) -> list[Path]:
    """Two views of a head, the first of them again as another file, and one without a face."""
    from tests.test_pipeline import known_head

    folder = tmp_path_factory.mktemp("photos")
    found = []
    for name, pixels in (
        ("a.png", known_head(0).pixels),
        ("b.png", known_head(1).pixels),
        ("again.png", known_head(0).pixels),
        ("wall.png", np.full((256, 256, 3), 90, np.uint8)),
    ):
        path = folder / name
        cv2.imwrite(str(path), pixels[..., ::-1])
        found.append(path)
    return found


def test_photos_of_no_use_are_left_out_with_a_sentence(pictures, monkeypatch) -> None:
    """Pixels are let go of and read again on the way."""
    one = person(1)
    monkeypatch.setattr(looking, "descriptor", lambda pixels, marks: one)
    head = reconstruct_person(pictures, Options(texture="none"), detector=None)
    told = dict(head.provenance["left_out"])
    assert set(told) == {"again.png", "wall.png"}
    assert "same picture as a.png" in told["again.png"] and "No face" in told["wall.png"]
    assert sorted(head.provenance["photos"]) == ["a.png", "b.png"]
    assert all(sentence in head.warnings for sentence in told.values())
    assert len(head.views) == 1 and head.views[0].photo.size
    seen = head.seen_in(1)
    assert np.array_equal(seen.vertices_neutral, head.vertices_neutral)
    assert seen.landmark_error < 0.02 * 512


def test_a_photo_that_stands_on_its_head_is_not_the_one_to_be_shown_with(
    pictures, tmp_path, monkeypatch
) -> None:
    one = person(1)
    monkeypatch.setattr(looking, "descriptor", lambda pixels, marks: one)
    monkeypatch.setattr(
        "reconstruct_face.backend.person.reconstruct.same_picture", lambda *_: False
    )
    over = tmp_path / "over.png"
    cv2.imwrite(str(over), cv2.imread(str(pictures[0]))[::-1, ::-1])
    for photos in ([over, pictures[0]], [pictures[0], over]):
        head = reconstruct_person(photos, Options(texture="none", quality="fast"))
        assert head.provenance["photos"] == ["a.png", "over.png"], head.warnings


def test_somebody_else_is_left_out_unless_all_are_wanted(pictures, monkeypatch) -> None:
    people = iter([person(1), person(1), person(2)] * 2)
    monkeypatch.setattr(looking, "descriptor", lambda pixels, marks: next(people))
    monkeypatch.setattr(looking, "each", lambda work, photos: [work(one) for one in photos])
    photos = [pictures[0], pictures[1], pictures[2]]
    options = Options(texture="none", quality="fast")
    head = reconstruct_person(photos, options)
    ((name, sentence),) = head.provenance["left_out"]
    assert name == "again.png" and "somebody else" in sentence
    forced = reconstruct_person(photos[1:], dataclasses.replace(options, force_person=True))
    assert len(forced.views) == 1 and not forced.provenance["left_out"]


def test_one_that_is_left_is_said_to_be_and_none_is_an_error(pictures) -> None:
    options = Options(texture="none", quality="fast")
    head = reconstruct_person([pictures[0], pictures[3]], options)
    assert not head.views and any("single photo" in one for one in head.warnings)
    with raises(NoFaceError):
        reconstruct_person([pictures[3], pictures[3]], options)


@pytest.mark.parametrize("count", [0, 31])
def test_so_many_photos_are_none_of_a_person(count: int) -> None:
    blank = Photo(np.zeros((40, 40, 3), np.uint8), Path("a.png"), None, False)
    with raises(OptionError, count, "2 to 30"):
        reconstruct_person([blank] * count, Options())
