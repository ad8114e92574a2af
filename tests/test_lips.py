"""Lips that touch at neutral: how that is measured, how it is built, and the shipped model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from reconstruct_face.backend.model import load_model

from tools.build_face_model.gaps import BAR, STEP, VIEWS, Slit, lip_gaps
from tools.build_face_model.lip_contact import LipContact
from tools.build_face_model.pictures import ROOT, Asset
from tools.build_face_model.rings import rings_from, seam_loop


@pytest.fixture(scope="module")
def asset() -> Asset:
    """The shipped model."""
    return Asset(ROOT / "assets" / "face_model.npz")


@pytest.fixture(scope="module")
def contact(asset: Asset) -> LipContact:
    """Of the shipped model, whose lips are together already."""
    material, names = asset.arrays["polygon_material"], asset.header["materials"]
    outer, inner = (material == names.index(name) for name in ("skin", "mouth"))
    return LipContact(asset.arrays["polygons"], outer, inner, asset.mean)


def slit(upper: float, lower: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, quads and material (0: skin) of two upright plates, 8 mm wide, with edges at the
    heights ``upper`` and ``lower``, folded back as the mouth's inside, and teeth behind."""
    x = (-4.0, 4.0)
    rows = [(upper + 6, 9.0), (upper, 10.0), (upper, 5.0), (lower, 5.0), (lower, 10.0)]
    rows += [(lower - 6, 9.0), (-9.0, 2.0), (9.0, 2.0)]
    vertices = np.array([(side, y, z) for y, z in rows for side in x])
    quads = [(2, 3, 1, 0), (4, 5, 3, 2), (8, 9, 7, 6), (10, 11, 9, 8), (12, 13, 15, 14)]
    return vertices, np.array(quads), np.array([0, 1, 1, 0, 2])


@pytest.mark.parametrize("gap", [-0.3, 0.0, 0.4, 1.3])
def test_the_gap_is_the_height_of_what_one_sees_between_the_lips(gap: float) -> None:
    vertices, quads, material = slit(gap, 0.0)
    mouth = Slit(vertices, quads, material != 0, np.arange(2, 10))
    seen = mouth.gap(vertices[mouth.vertices])
    assert abs(seen - max(gap, 0)) <= STEP[1] + 1e-6
    assert (seen > 0) == (gap > 0)


def grid_of_rings() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A ring of 8 vertices with two rings of skin outside and one of the mouth's inside."""
    angle = np.arange(8) * np.pi / 4
    circle = np.stack([-np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    vertices = np.concatenate([radius * circle for radius in (0.5, 1, 2, 3)])
    k = np.arange(8)
    after = (k + 1) % 8
    quads = [np.stack([8 * r + k, 8 * r + after, 8 * (r + 1) + after, 8 * (r + 1) + k], axis=1)
             for r in range(3)]  # fmt: skip
    return vertices, np.concatenate(quads), np.repeat([1, 0, 0], 8)


def test_rings_follow_the_grid_from_the_seam_outwards() -> None:
    vertices, quads, material = grid_of_rings()
    shuffled = np.random.default_rng(0).permutation(len(quads))
    quads, material = quads[shuffled], material[shuffled]
    loop = seam_loop(quads, material == 0, material == 1, vertices)
    assert loop.tolist() == list(range(8, 16))
    rings = rings_from(quads[material == 0], loop, 2)
    np.testing.assert_array_equal(rings, np.arange(8, 32).reshape(3, 8))
    with pytest.raises(ValueError, match="no grid"):
        rings_from(quads[material == 0], loop, 3)
    with pytest.raises(ValueError, match="no loop"):
        seam_loop(quads[1:], (material == 0)[1:], (material == 1)[1:] & False, vertices)


def test_what_moves_the_lips_apart_is_taken_back(asset: Asset, contact: LipContact) -> None:
    names = asset.header["expression_names"]
    field = np.zeros((2, len(asset.mean), 3))
    field[0] = 0.1 * asset.expression[names.index("jawOpen")]
    field[1, :, 2] = 1.0  # forwards: no business of the lips' distance
    closed = contact.closed(field)
    before, after = (contact.gaps(fields[0, :, 1]) for fields in (field, closed))
    middle = np.arange(len(before)) == len(before) // 2
    assert before[middle] > 1.5 and np.abs(after).max() < 0.1 * before[middle]
    np.testing.assert_array_equal(closed[..., [0, 2]], field[..., [0, 2]])
    np.testing.assert_array_equal(closed[1], field[1])
    moved = np.flatnonzero(np.abs(closed[0] - field[0]).max(axis=1) > 1e-6)
    mouth = asset.landmarks()[[62, 66]].mean(axis=0)
    assert np.abs(asset.mean[moved, 1] - mouth[1]).max() < 25
    parts = asset.arrays["vertex_part"][moved]
    assert (parts == asset.header["part_names"].index("skin")).all()


@pytest.mark.seconds
def test_neutral_lips_touch_on_random_heads() -> None:
    model = load_model()
    gaps = lip_gaps(model, 80)
    assert set(gaps) == set(VIEWS) and all(len(found) == 80 for found in gaps.values())
    assert (gaps["from the front"] <= BAR["lips"]).mean() >= 0.98
    assert (gaps["35 degrees from the side"] <= BAR["lips"]).mean() > 0.95
    jaw = model.expression_basis[model.expression_names.index("jawOpen")]
    opened = lip_gaps(replace(model, mean=model.mean + np.float32(0.1) * jaw), 5)
    assert np.median(opened["from the front"]) > 1
