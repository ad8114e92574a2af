"""How teeth and gums are put into the face model's head, and how they move."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.geometry.rotation import about

from tools.build_face_model.landmarks import Landmarks
from tools.build_face_model.mouth import (
    BOXES,
    EDGE_BELOW_LIPS,
    FRONT_BEHIND_LIPS,
    affine_motion,
    identity_motion,
    mouth_mesh,
    rigid_motion,
)
from tools.build_face_model.uv_layout import DISK_RADIUS, PACKING

LIPS = np.array([0.0, -49.2, 93.7])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_the_upper_edge_and_front_lie_where_they_should_to_the_lips() -> None:
    mouth = mouth_mesh(LIPS)
    upper = mouth.piece.vertices[(mouth.part == "teeth_upper") & (mouth.piece.tooth % 10 == 1)]
    assert LIPS[1] - upper[:, 1].min() == pytest.approx(EDGE_BELOW_LIPS, abs=0.2)
    assert LIPS[2] - upper[:, 2].max() == pytest.approx(FRONT_BEHIND_LIPS, abs=1e-9)


def test_parts_keep_to_their_boxes_off_the_skins_disk_and_other_islands() -> None:
    mouth = mouth_mesh(LIPS)
    for name, (left, bottom, width, height) in BOXES.items():
        uv = mouth.piece.uv[mouth.piece.uv_quads[mouth.polygon_part == name]].reshape(-1, 2)
        assert (uv >= [left, bottom]).all() and (uv <= [left + width, bottom + height]).all()
        assert np.linalg.norm(uv - 0.5, axis=1).min() > DISK_RADIUS + 0.005
    others = {name: box for name, box in PACKING.items() if name not in BOXES}
    boxes = [*BOXES.values(), *others.values()]
    for k, (left, bottom, width, height) in enumerate(boxes[: len(BOXES)]):
        for x, y, w, h in boxes[k + 1 :]:
            apart = max(x - left - width, left - x - w, y - bottom - height, bottom - y - h)
            assert apart > 2 / 512


def test_an_affine_motion_is_found_and_read_elsewhere(rng) -> None:
    points, at = rng.normal(size=(40, 3)) * 20, rng.normal(size=(7, 3)) * 20
    maps, shifts = rng.normal(size=(5, 3, 3)) * 0.1, rng.normal(size=(5, 1, 3))
    found = affine_motion(points, points @ maps + shifts, at)
    np.testing.assert_allclose(found, at @ maps + shifts, atol=1e-9)


def test_a_rigid_motion_keeps_sizes_whatever_the_band_does(rng) -> None:
    points, at = rng.normal(size=(40, 3)) * 20, rng.normal(size=(9, 3)) * 20
    turn = about(np.radians(26), 0)
    moved = points @ turn.T - points + [0, -18, -13]
    np.testing.assert_allclose(
        rigid_motion(points, moved, at), at @ turn.T - at + [0, -18, -13], atol=1e-9
    )
    bent = moved + rng.normal(size=moved.shape)
    after = at + rigid_motion(points, bent, at)
    distances = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (at, after)]
    np.testing.assert_allclose(*distances, atol=1e-9)


def test_teeth_widen_with_the_bands_and_keep_to_the_lips(rng) -> None:
    """Eight corners as bands, a triangle of skin that holds both lips' landmarks."""
    corners = np.stack(np.meshgrid([-30, 30], [-55, -40], [40, 80]), -1).reshape(-1, 3)
    lips = LIPS + [[0, 1, 0], [-5, -1, 0], [5, -1, 0]]
    mean = np.concatenate([corners, lips]).astype(float)
    landmarks = Landmarks(
        np.full(68, 8), np.tile([8, 9, 10], (68, 1)), np.full((68, 3), 1 / 3),
        np.zeros((17, 1), int),
    )  # fmt: skip
    basis = np.zeros((2, len(mean), 3))
    basis[0, :8, 0] = corners[:, 0] * 0.1
    basis[:, 8:] = [[[0, 2.0, 3.0]], [[1.0, -1.0, 0.5]]]
    basis[1, :8] = rng.normal(size=3)
    at = rng.normal(size=(6, 3)) * 10
    motion = identity_motion(mean, basis, np.arange(8), landmarks, at)
    np.testing.assert_allclose(motion[0], np.column_stack([at[:, 0] * 0.1, [2.0] * 6, [3.0] * 6]))
    np.testing.assert_allclose(motion[1], np.tile([basis[1, 0, 0], -1.0, 0.5], (6, 1)))
