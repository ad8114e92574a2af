"""Where a photo shows hair: not where light falls on skin, nor on shoulders or other people."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR, encode_bytes
from reconstruct_face.backend.hair.mask import hair_mask
from reconstruct_face.backend.hair.shapes import between
from reconstruct_face.backend.hair.window import Window, window_of
from reconstruct_face.backend.model import FaceModel

from tests.test_hair import BACKGROUND, CAMERA, model, picture, told_by_colour

__all__ = ["model", "told_by_colour"]  # fixtures

HAIR = (46, 34, 28)
pytestmark = pytest.mark.usefixtures("told_by_colour")


def window(model: FaceModel, photo: np.ndarray) -> Window:
    seen = CAMERA.to_camera(model.mean)
    return window_of(model, photo, seen, CAMERA.camera_matrix, texture_size=512)


def test_a_forehead_in_more_light_than_the_face_is_no_hair(model: FaceModel) -> None:
    photo = picture(model, HAIR)
    plain = window(model, photo)
    before = hair_mask(plain)
    skin = np.abs(photo.astype(int) - (205, 160, 135)).max(axis=2) < 30
    forehead = CAMERA.project(model.mean[model.landmarks68[17:27]].astype(float))[:, 1].mean()
    above = skin & (np.arange(len(photo))[:, None] < forehead)
    dark = np.where(skin[..., None] & ~above[..., None], 0.35, 1.0) * SRGB_TO_LINEAR[photo]
    dark = np.where(above[..., None], 0.75 * dark, dark)
    after = hair_mask(window(model, encode_bytes(dark)))
    assert (after & before).sum() > 0.93 * (after | before).sum()


def test_shoulders_and_people_behind_in_the_hair_s_colour_are_none(model: FaceModel) -> None:
    photo = picture(model, HAIR)
    marks = CAMERA.project(model.mean[model.landmarks68].astype(float))
    face = marks[8, 1] - marks[17:27, 1].mean()
    chin, eyes = round(marks[8, 1]), round(marks[36:48, 1].mean())
    bottom, wide = round(chin + 0.5 * face), round(0.25 * face)
    right, left = round(marks[0, 0]), round(marks[16, 0])
    ground = np.abs(photo.astype(int) - BACKGROUND).max(axis=2) < 30
    painted = np.clip(HAIR + np.random.default_rng(3).normal(0, 4, photo.shape), 0, 255)

    def with_more(*parts: tuple[slice, slice]) -> np.ndarray:
        more = np.zeros(ground.shape, bool)
        for part in parts:
            more[part] = True
        # The photo ends so soon that nothing is surely clothing.
        return np.where((more & ground)[..., None], painted, photo).astype(np.uint8)[:bottom]

    top = round(eyes - 0.3 * face)
    locks = [np.s_[top:bottom, right - wide : right], np.s_[top:bottom, left : left + wide]]
    suit = np.s_[chin + round(0.1 * face) : bottom, :]
    other = np.s_[eyes : chin + wide, : right - 2 * wide]
    alone = hair_mask(window(model, with_more(*locks)))
    crowd = hair_mask(window(model, with_more(*locks, suit, other)))
    assert (alone & crowd).sum() > 0.95 * alone.sum()
    assert (crowd & ~alone).sum() < 0.35 * alone.sum()


def test_a_fringe_down_to_the_lids_is_hair_and_brows_alone_are_none(model: FaceModel) -> None:
    photo = picture(model, HAIR).astype(float)
    marks = CAMERA.project(model.mean[model.landmarks68].astype(float))
    face = marks[8, 1] - marks[17:27, 1].mean()
    rng = np.random.default_rng(4)
    own, other = (marks[part].mean(axis=0) for part in (slice(17, 22), slice(22, 27)))
    low = round(own[1] + 0.05 * face)  # under the brow
    fringe = np.s_[
        round(own[1] - 0.7 * face) : low, round(own[0] - 0.1 * face) : round(marks[27, 0])
    ]
    brow = np.s_[round(other[1] - 0.03 * face) : round(other[1] + 0.03 * face),
                 round(marks[22, 0]) : round(marks[26, 0])]  # fmt: skip
    for part in (fringe, brow):
        photo[part] = HAIR + rng.normal(0, 4, photo[part].shape)
    seen = window(model, np.clip(photo, 0, 255).astype(np.uint8))
    found = hair_mask(seen)
    to_window = seen.matrix @ np.linalg.inv(CAMERA.camera_matrix)

    def share(part: tuple[slice, slice], top: int) -> float:
        """How much of the photo's ``part`` from the row ``top`` on is found to be hair."""
        y, x = np.mgrid[max(part[0].start, top) : part[0].stop, part[1]]
        at = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        column, row = np.round((to_window @ at)[:2]).astype(int)
        return float(found[row, column].mean())

    assert share(fringe, round(own[1] - 0.05 * face)) > 0.85  # over the brow, and below
    assert share(brow, 0) < 0.05


def test_a_tail_behind_the_ear_is_hair_and_a_collar_is_none(model: FaceModel) -> None:
    photo = picture(model, HAIR, 8).astype(float)
    marks = CAMERA.project(model.mean[model.landmarks68].astype(float))
    face = marks[8, 1] - marks[17:27, 1].mean()
    eyes, edge = marks[36:48, 1].mean(), marks[16, 0]
    plain = hair_mask(window(model, photo.astype(np.uint8)))
    found = []
    for top, bottom in ((0.3, 1.1), (0.85, 1.6)):
        shown = photo.copy()
        part = np.s_[round(eyes + top * face) : round(eyes + bottom * face),
                     round(edge + 0.01 * face) : round(edge + 0.3 * face)]  # fmt: skip
        shown[part] = HAIR + np.random.default_rng(6).normal(0, 4, shown[part].shape)
        seen = window(model, np.clip(shown, 0, 255).astype(np.uint8))
        more = hair_mask(seen) & ~plain
        size = (part[0].stop - part[0].start) * (part[1].stop - part[1].start)
        found.append(more.sum() / (size * (seen.face_px / face) ** 2))
    tail, collar = found
    assert tail > 0.8 and collar < 0.1


def test_a_hand_between_hair_is_before_hair_and_the_face_is_not() -> None:
    head, hair = np.zeros((2, 12, 40), bool)
    head[:, 12:28] = True
    hair[2:8, [2, 3, 8, 9, 30, 31]] = True  # two locks on one side, one on the other
    found = between(hair, head)
    assert found[2:8, 2:10].all() and found[2:8, 30:32].all()
    assert found.sum() == 6 * (8 + 2)
