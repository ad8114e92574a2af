"""Hair that a photo shows to be tied: a tail or a bun beside the neck, and no curtain."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.model import FaceModel

from tests.test_hair import CAMERA, crossings, made, model, picture, told_by_colour

__all__ = ["model", "told_by_colour"]  # fixtures
pytestmark = [pytest.mark.seconds, pytest.mark.usefixtures("told_by_colour")]

HAIR = (60, 40, 28)


def grown(
    model: FaceModel, sides: tuple[int, ...], down: float, stands: float = 12, waist: float = 1
) -> np.ndarray:
    """(S, P, 2) in faces from the middle of the ears to the right and down in the picture: strands
    of a drawn head with flat hair and, on the ``sides`` (-1 left), some that hangs beside the neck
    ``down`` faces under the ears.  The hair ``stands`` so many mm off, and what hangs is so much
    narrower under the chin."""
    photo = picture(model, HAIR, stands).astype(float)
    marks = CAMERA.project(model.mean[model.landmarks68].astype(float))
    face = marks[8, 1] - marks[17:27, 1].mean()
    ears, middle = marks[[0, 16], 1].mean(), marks[27, 0]
    rows = slice(round(ears - 0.3 * face), round(ears + down * face))
    for side in sides:
        ends = sorted(round(middle + side * part * face) for part in (0.42, 0.8))
        part = np.s_[rows, slice(*ends)]
        ground = photo[part].copy()
        photo[part] = HAIR + np.random.default_rng(side + 2).normal(0, 4, photo[part].shape)
        width = photo[part].shape[1]
        bound = slice(*(round((0.3 + low) * face) for low in (0.75, 0.9)))
        kept = round(width * (1 - waist) / 2)
        for gone in (slice(0, kept), slice(width - kept, width)):
            photo[part][bound, gone] = ground[bound, gone]
    strands, _ = made(model, "photo", np.clip(photo, 0, 255).astype(np.uint8))
    assert strands is not None and crossings(model, strands) == 0
    pixels = CAMERA.project(strands.points.reshape(-1, 3).astype(np.float64))
    return ((pixels - [middle, ears]) / face).reshape(*strands.points.shape[:2], 2)


def test_a_tail_beside_the_neck_is_one_bundle(model: FaceModel) -> None:
    at = grown(model, (1,), 1.4)
    low = at[at[..., 1] > 0.7]
    assert len(low) > 5000
    inside = (low[:, 0] > 0.32) & (low[:, 0] < 0.95)
    assert inside.mean() > 0.97
    assert at[..., 1].max() > 1.1
    # The rest runs to where it is tied: none hangs on the other side.
    assert at[at[..., 0] < 0][:, 1].max() < 0.5


def test_a_bun_is_round_and_ends_where_it_is_seen_to(model: FaceModel) -> None:
    at = grown(model, (-1,), 0.6)
    low = at[at[..., 1] > 0.4]  # under the nape's hair
    assert len(low) > 1000 and low[:, 0].max() < 0
    assert at[..., 1].max() < 0.85


def test_hair_that_hangs_on_both_sides_is_not_tied(model: FaceModel) -> None:
    at = grown(model, (-1, 1), 1.4)
    low = at[at[..., 1] > 0.7][:, 0]
    assert min((low < -0.2).mean(), (low > 0.2).mean()) > 0.25


@pytest.mark.parametrize(("waist", "tied"), [(0.2, True), (1.0, False)])
def test_full_hair_is_tied_only_where_it_is_bound(
    model: FaceModel, waist: float, tied: bool
) -> None:
    at = grown(model, (1,), 1.6, stands=30, waist=waist)
    # Of what begins on the other side most runs over to the tail, or hangs where it is.
    other = at[at[:, 0, 0] < -0.3]
    crosses = (other[..., 0] > 0).any(axis=1).mean()
    assert (crosses > 0.6) if tied else (crosses < 0.4)
