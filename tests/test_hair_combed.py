"""How hair is combed, told from the directions that a photo shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.geometry.camera import Camera, project
from reconstruct_face.backend.hair.grow import flow_at, source_of
from reconstruct_face.backend.hair.make import combed
from reconstruct_face.backend.hair.photo import PhotoHair, photo_hair
from reconstruct_face.backend.hair.styles import STYLES, Style, scaled
from reconstruct_face.backend.hair.surface import Roots, Surface, roots_on, surface_of
from reconstruct_face.backend.hair.window import window_of
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.texture.layout import layout_of
from scipy.spatial import cKDTree

SIZE = 400


@pytest.fixture(scope="module")
def head() -> tuple[Surface, Roots, PhotoHair]:
    """The mean head, roots on its scalp, and a plain photo of it from a little above the front."""
    model = load_model()
    surface = surface_of(model, model.mean)
    scalp = layout_of(model, 512).regions.scalp
    roots = roots_on(model, model.mean, scalp, 4000, np.random.default_rng(1))
    tilt = np.radians(20)
    facing = np.diag([1.0, -1.0, -1.0])
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    matrix = np.array([[700.0, 0, SIZE / 2], [0, 700.0, SIZE / 2], [0, 0, 1]])
    camera = Camera(matrix, facing @ turn, np.array([0.0, 30.0, 700.0]))
    photo = np.full((SIZE, SIZE, 3), 120, np.uint8)
    window = window_of(model, photo, camera.to_camera(model.mean), matrix, texture_size=512)
    seen = project(camera.to_camera(roots.points.astype(float)), window.matrix)
    y, x = np.mgrid[: window.picture.shape[0], : window.picture.shape[1]]
    near, _ = cKDTree(seen).query(np.stack([x, y], -1).reshape(-1, 2))
    mask = (near < 6).reshape(x.shape)
    return surface, roots, photo_hair(window, mask, camera, surface)


def combed_so(seen: PhotoHair, surface: Surface, roots: Roots, style: Style) -> PhotoHair:
    """``seen`` with the directions of hair of ``style``: those of the nearest root in view."""
    points = roots.points.astype(np.float64)
    outward = surface.outward(points)
    flow = flow_at(surface, style, source_of(surface, style), points, outward, seen.down)
    flow = flow - outward * (flow * outward).sum(axis=1, keepdims=True)
    facing = outward @ seen.camera.rotation[2] < -0.2
    pixels = project(seen.camera.to_camera(points[facing]), seen.window.matrix)
    way = (flow[facing] @ seen.camera.rotation.T)[:, :2]
    angle = 2 * np.arctan2(way[:, 1], way[:, 0])
    y, x = np.mgrid[: seen.mask.shape[0], : seen.mask.shape[1]]
    nearest = cKDTree(pixels).query(np.stack([x, y], -1).reshape(-1, 2))[1]
    drawn = np.stack([np.cos(angle), np.sin(angle)], axis=1)[nearest].reshape(*x.shape, 2)
    return replace(seen, doubled=drawn.astype(np.float32))


def agreement(seen: PhotoHair, surface: Surface, roots: Roots, style: Style) -> float:
    points = roots.points.astype(np.float64)
    outward = surface.outward(points)
    flow: NDArray = flow_at(surface, style, source_of(surface, style), points, outward, seen.down)
    return seen.agreement(points, outward, flow)


@pytest.mark.parametrize(("part", "back"), [(0.0, 0.0), (0.5, 0.35), (-0.5, 0.35), (None, 0.9)])
def test_the_parting_that_is_drawn_is_found(
    head: tuple[Surface, Roots, PhotoHair], part: float | None, back: float
) -> None:
    surface, roots, plain = head
    base = scaled(STYLES["side-part"], surface.face)
    drawn = replace(base, part=part, back=back)
    seen = combed_so(plain, surface, roots, drawn)
    assert agreement(seen, surface, roots, drawn) > 0.8
    other = replace(base, part=0.3 if part != 0.3 else 0.0, back=0.35 if back > 0.5 else 0.9)
    found = combed(other, seen, surface, roots)
    assert agreement(seen, surface, roots, found) > agreement(seen, surface, roots, drawn) - 0.05
    if part is not None:
        assert found.part is not None and abs(found.part - part) < 0.21, found.part
    assert replace(found, part=other.part, back=other.back, down=other.down) == other


def test_across_is_against_and_nothing_seen_says_nothing(
    head: tuple[Surface, Roots, PhotoHair],
) -> None:
    surface, roots, plain = head
    style = scaled(STYLES["long-straight"], surface.face)
    seen = combed_so(plain, surface, roots, style)
    across = replace(seen, doubled=-seen.doubled)
    assert agreement(across, surface, roots, style) == pytest.approx(
        -agreement(seen, surface, roots, style)
    )
    blank = replace(seen, doubled=np.zeros_like(seen.doubled))
    assert agreement(blank, surface, roots, style) == 0
    assert combed(style, blank, surface, roots) == style
    fringed = replace(style, fringe=-0.4)
    assert combed(fringed, seen, surface, roots) == fringed


def test_a_fringe_goes_only_where_directions_deny_it(
    head: tuple[Surface, Roots, PhotoHair], monkeypatch: pytest.MonkeyPatch
) -> None:
    surface, roots, plain = head
    parted = scaled(replace(STYLES["long-straight"], part=0.3, back=0.0), surface.face)
    fringe = replace(parted, part=None, back=0.0, fringe=-0.4)
    as_parted = combed_so(plain, surface, roots, parted)
    monkeypatch.setattr(PhotoHair, "covered", lambda *_: 0.4)
    found = combed(fringe, as_parted, surface, roots)
    assert found.fringe is None and found.part == pytest.approx(0.3, abs=0.21)
    as_it_falls = combed_so(plain, surface, roots, fringe)
    assert combed(fringe, as_it_falls, surface, roots) == fringe
    # Over most of the forehead it is no lock that strayed.
    monkeypatch.setattr(PhotoHair, "covered", lambda *_: 0.8)
    swept = combed(fringe, as_parted, surface, roots)
    assert swept.fringe == -0.4 and swept.part == pytest.approx(0.3, abs=0.21)


@pytest.mark.parametrize("name", ["side-part", "crop", "bob"])
def test_short_hair_is_up_only_where_it_runs_back_at_the_sides(
    head: tuple[Surface, Roots, PhotoHair], name: str
) -> None:
    surface, roots, plain = head
    worn = scaled(STYLES[name], surface.face)
    short = replace(scaled(STYLES["side-part"], surface.face), down=0.25)
    assert not plain.is_long
    up = combed_so(plain, surface, roots, STYLES["bun"])
    assert combed(short, up, surface, roots).tied
    assert not combed(short, combed_so(plain, surface, roots, worn), surface, roots).tied
    # Who has hair that hangs, or a fringe, does not have it up.
    assert not combed(replace(short, fringe=-0.4), up, surface, roots).tied
    hangs = replace(up, lowest=(surface.chin - surface.face, surface.chin - surface.face))
    assert hangs.is_long and not combed(short, hangs, surface, roots).tied
