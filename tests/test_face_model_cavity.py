"""The mouth's cavity holds teeth and gums; tears lie where lids meet eyeballs."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.face_model import fit_sphere, split_polygons
from reconstruct_face.backend.model.own import own_expressions

from tools.build_face_model.cavity import CLEAR_MM, Cavity
from tools.build_face_model.tear import CUTS, POINTS

MODEL = load_model()
NAMES = MODEL.expression_names
KINDS = np.array(MODEL.material_kinds)[MODEL.polygon_material]
WALL = MODEL.polygons[KINDS == "mouth"]
TEETH = np.unique(MODEL.polygons[KINDS == "teeth"])


def outside(points: np.ndarray, which: np.ndarray) -> int:
    """How many of the vertices ``which`` (N,) are outside of the wall, by its solid angle as seen
    from them (van Oosterom and Strackee 1983): 4 pi within, but for the mouth's opening."""
    corners = points[split_polygons(WALL)]
    arms = corners[None] - points[which, None, None]
    size = np.linalg.norm(arms, axis=3)
    a, b, c = np.moveaxis(arms, 2, 0)
    top = (a * np.cross(b, c)).sum(axis=2)
    bottom = size.prod(axis=2) + (a * b).sum(axis=2) * size[..., 2]
    bottom += (b * c).sum(axis=2) * size[..., 0] + (c * a).sum(axis=2) * size[..., 1]
    angle = np.abs(2 * np.arctan2(top, bottom).sum(axis=1))
    return int((angle < 2 * np.pi).sum())


def box() -> Cavity:
    """A cube of 20 mm, seen from inside, and one vertex that stands in or beyond its right wall."""
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    free = np.r_[np.ones(8), 0, np.zeros(4)]
    far = [[9, 10, 11, 12]]
    inwards = np.array(quads)[:, ::-1]
    return Cavity(inwards, np.array([8]), free, np.arange(len(free)), np.array(far))


def cube(tooth: float) -> np.ndarray:
    corners = [[x, y, z] for x in (-10.0, 10) for y in (-10.0, 10) for z in (-10.0, 10)]
    skin = [[x, y, 0.0] for x in (40.0, 50) for y in (40.0, 50)]
    return np.array([*corners, [tooth, 2.5, 2.5], *skin])


def test_a_wall_gives_way_to_what_stands_beyond_it() -> None:
    cavity = box()
    assert cavity.outside(cube(9.0))[0][0] < 0 < cavity.outside(cube(11.0))[0][0]
    still = np.zeros((13, 3))
    assert not cavity.room(cube(9.0)[None], still, symmetric=False).any()
    push = still + [0, 0, 0]
    push[8, 0] = 2.0
    found = cavity.room(cube(9.0)[None], push, symmetric=False)
    after = cube(9.0) + push + found
    assert (after[[4, 5, 6, 7], 0] > 10.7).all() and cavity.outside(after)[0][0] <= 0.2
    assert not found[8].any() and np.abs(found).max() < 3 + CLEAR_MM


@pytest.mark.parametrize(
    ("names", "most"),
    # Of 2,072 vertices; before the wall gave way 34, 554 and 214 were outside.
    [((), 0), (("jawOpen",), 350), (("mouthSmileLeft", "mouthSmileRight"), 120)],
)
def test_the_cavity_holds_the_teeth(names: tuple[str, ...], most: int) -> None:
    shape = sum(MODEL.expression_basis[NAMES.index(name)] for name in names)
    assert outside((MODEL.mean + shape).astype(np.float64), TEETH) <= most


def test_the_tongue_is_rooted_in_the_floor() -> None:
    tongue = MODEL.mean[np.unique(MODEL.polygons[KINDS == "tongue"])]
    parts = MODEL.mean[np.unique(WALL)]
    back = tongue[tongue[:, 2] < 12]
    floor = parts[(np.abs(parts[:, 0]) < 12) & (parts[:, 2] < 25)][:, 1].min()
    assert len(back) > 5 and back[:, 1].min() < floor + 2


def tears(side: int) -> np.ndarray:
    """(CUTS, POINTS) vertices."""
    return MODEL.of_kind("tear")[side].reshape(CUTS, POINTS)


def test_tears_lie_between_lower_lid_and_globe_on_every_head() -> None:
    rng = np.random.default_rng(3)
    for identity in (np.zeros(144), *rng.normal(size=(4, 144))):
        head = MODEL.vertices(identity).astype(np.float64)
        for side in (0, 1):
            centre, radius = fit_sphere(head[MODEL.globes[side]])
            over = np.linalg.norm(head[tears(side)] - centre, axis=2) - radius
            # In the middle; the corners' caruncle and lids stand off the globe by more.
            assert over[8:-8].min() > -0.4 and over[8:-8].max() < 1.6
            edge = head[MODEL.lid_rings[side, 4, 14:]]
            away = np.linalg.norm(head[tears(side)][:, -1, None] - edge, axis=2).min(axis=1)
            assert np.median(away) < 1.6


def test_tears_face_outwards_and_mirror_each_other() -> None:
    left, right = tears(1), tears(0)
    np.testing.assert_array_equal(MODEL.symmetry[left], right)
    np.testing.assert_allclose(MODEL.mean[left] * [-1, 1, 1], MODEL.mean[right], atol=1e-4)
    for side in (0, 1):
        mine = (KINDS == "tear") & np.isin(MODEL.polygons[:, 0], tears(side))
        quads = MODEL.polygons[mine]
        corners = MODEL.mean[quads]
        normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        centre, _ = fit_sphere(MODEL.mean[MODEL.globes[side]])
        assert ((normal * (corners.mean(axis=1) - centre)).sum(axis=1) > 0).mean() > 0.75


def test_a_shut_eye_hides_its_tears() -> None:
    basis = own_expressions(MODEL, MODEL.mean)
    for side, name in enumerate(("eyeBlinkRight", "eyeBlinkLeft")):
        posed = MODEL.mean + basis[NAMES.index(name)]
        rings = MODEL.lid_rings[side]
        # No further out than the lid's edge in front of it.
        centre, _ = fit_sphere(posed[MODEL.globes[side]])
        out = np.linalg.norm(posed[tears(side)] - centre, axis=2).max(axis=1)
        edge = np.linalg.norm(posed[rings[4, 15:26]] - centre, axis=1)
        assert np.median(out) < np.median(edge)
