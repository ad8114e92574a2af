"""How hair is cut: closer and closer towards the lower hairline, tied, or curled."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reconstruct_face.backend.hair.grow import grow, lower_hairline
from reconstruct_face.backend.hair.locks import dressed, locks_of
from reconstruct_face.backend.hair.make import style_of
from reconstruct_face.backend.hair.strands import lengths
from reconstruct_face.backend.hair.styles import STYLES
from reconstruct_face.backend.hair.surface import roots_on, surface_of
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.texture.layout import layout_of
from scipy.spatial import cKDTree


@pytest.fixture(scope="module")
def scalp() -> Any:
    model = load_model()
    surface = surface_of(model, model.mean)
    on_scalp = layout_of(model, 256).regions.scalp
    roots = roots_on(model, model.mean, on_scalp, 3000, np.random.default_rng(1))
    return SimpleNamespace(model=model, surface=surface, roots=roots)


def behind(scalp: Any) -> np.ndarray:
    """Roots on the back of the head."""
    return scalp.roots.points[:, 2] < scalp.surface.middle[2] - 0.5 * scalp.surface.half_width


def test_the_lower_hairline_is_that_of_the_roots(scalp: Any) -> None:
    line = lower_hairline(scalp.surface, scalp.roots)
    points, middle = scalp.roots.points, scalp.surface.middle
    nape = np.abs(np.arctan2(points[:, 0] - middle[0], middle[2] - points[:, 2])) < 0.15
    assert line[len(line) // 2] == pytest.approx(points[nape, 1].min(), abs=6)
    # Over the ears it is higher than at the nape, on the forehead highest.
    quarter = len(line) // 4
    assert line[len(line) // 2] < min(line[quarter], line[-quarter]) < line[0]


def test_short_hair_is_cut_closer_towards_the_nape(scalp: Any) -> None:
    style = STYLES["side-part"]
    hair = grow(scalp.surface, scalp.roots, style, np.random.default_rng(2))
    off = scalp.surface.height(hair.astype(np.float64)).max(axis=1)
    up = scalp.roots.points[:, 1] - scalp.roots.points[behind(scalp), 1].min()
    low, high = behind(scalp) & (up < 15), behind(scalp) & (up > 70)
    assert np.median(off[low]) < 0.5 * np.median(off[high])
    assert np.median(lengths(hair[low])) < 0.5 * np.median(lengths(hair[high]))


def test_what_is_long_on_top_does_not_hang_over_the_neck(scalp: Any) -> None:
    style = replace(STYLES["side-part"], top=110, side=90, down=1.0, back=0.0)
    nape = scalp.roots.points[behind(scalp), 1].min()

    def under_the_nape(taper: float) -> float:
        cut = replace(style, taper=taper)
        hair = grow(scalp.surface, scalp.roots, cut, np.random.default_rng(2))
        return float((hair[behind(scalp), -1, 1] < nape - 5).mean())

    assert under_the_nape(style.taper) < 0.15
    assert under_the_nape(0.0) > 0.3


def test_strands_of_a_lock_grow_alike_and_gather(scalp: Any) -> None:
    style = replace(STYLES["long-straight"], points=16)
    hair = grow(scalp.surface, scalp.roots, style, np.random.default_rng(2)).astype(np.float64)
    near = cKDTree(scalp.roots.points).query(scalp.roots.points, 9)[1][:, 1:]
    middle = hair[:, 8]
    height = scalp.surface.height(middle)
    apart = np.abs(height[near] - height[:, None])
    others = np.abs(height[np.random.default_rng(3).permutation(len(height))] - height)
    # Neighbours are as high as each other far more often than any two are.
    assert np.median(apart) < 0.5 * np.median(others)
    gap = np.linalg.norm(hair[near] - hair[:, None], axis=-1)
    assert np.median(gap[:, :, -1].min(axis=1)) < np.median(gap[:, :, 0].min(axis=1)) * 1.2


def test_waves_have_crests_side_by_side_and_curls_each_their_own(scalp: Any) -> None:
    count = 600
    roots = np.random.default_rng(4).uniform(-60, 60, (count, 3))
    roots[:, 2] = 80.0
    hang = np.linspace(0, 1, 40)[:, None] * [0, -200.0, 0]
    straight = (roots[:, None] + hang).astype(np.float32)
    locks = locks_of(roots, 6, np.random.default_rng(5))

    def phases(pitch: float) -> np.ndarray:
        style = replace(STYLES["long-wavy"], wave=5.0, pitch=pitch, clump=0.0)
        free = SimpleNamespace(
            outward=lambda p: np.broadcast_to([0.0, 0.0, 1.0], p.shape),
            height=lambda p: np.full(p.shape[:-1], 50.0),
            pushed_out=lambda p, _: p,
        )
        made = dressed(free, straight, locks, style, np.random.default_rng(6))  # type: ignore[arg-type]
        aside = (made - straight)[..., 0]
        turn = np.exp(2j * np.pi * np.linspace(0, 200, 40) / pitch)
        return np.angle((aside * turn).sum(axis=1))

    def alike(phase: np.ndarray) -> float:
        near = cKDTree(roots).query(roots, 25)[1][:, 10:]
        return float(np.abs(np.exp(1j * phase[near]).mean(axis=1)).mean())

    assert alike(phases(65.0)) > 0.6 > 0.5 > alike(phases(24.0))


def seen(usual: float, order: float, covered: float = 0.05, beside: float = 5.0) -> Any:
    """What :func:`style_of` asks of a photo that shows no long hair."""
    return SimpleNamespace(
        usual=usual, is_long=False, order=lambda: order, covered=lambda _: covered, lowest=(0, 0),
        beside=beside,
    )  # fmt: skip


def test_hair_that_is_full_beside_the_ears_is_not_cut_closer_there(scalp: Any) -> None:
    assert style_of(seen(20, 0.8, beside=8), scalp.surface).taper == STYLES["side-part"].taper
    assert style_of(seen(20, 0.8, beside=30), scalp.surface).taper == 0


def test_hair_that_lies_flat_is_tied_back(scalp: Any) -> None:
    assert style_of(seen(8, 0.65), scalp.surface).tied
    assert not style_of(seen(14, 0.75), scalp.surface).tied
    # Who has a fringe has not combed it back.
    assert not style_of(seen(8, 0.65, covered=0.5), scalp.surface).tied


def test_curls_are_told_by_directions_that_differ(scalp: Any) -> None:
    assert style_of(seen(22, 0.55), scalp.surface).wave > 0
    assert style_of(seen(22, 0.8), scalp.surface).wave == 0
