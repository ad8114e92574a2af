"""Strands of hair: rooted on the scalp, never through the head, where and as the photo shows it."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.exchange.options import HAIR, HAIR_COLOURS
from reconstruct_face.backend.geometry.camera import Camera
from reconstruct_face.backend.geometry.polylines import of_count
from reconstruct_face.backend.geometry.triangles import vertex_normals
from reconstruct_face.backend.hair import make_hair, window
from reconstruct_face.backend.hair.colour import HAIR_COLOURS as SHOWN
from reconstruct_face.backend.hair.colour import own_colour, shader_colour, strand_colours
from reconstruct_face.backend.hair.make import HEADWEAR, NO_HAIR, NO_SCALP
from reconstruct_face.backend.hair.strands import Strands, lengths, of_length, resampled
from reconstruct_face.backend.hair.styles import STYLES
from reconstruct_face.backend.hair.surface import Surface, roots_on, surface_of
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model
from reconstruct_face.backend.raster import interpolate, rasterize
from reconstruct_face.backend.raster.visibility import occluded, ray_scene
from reconstruct_face.backend.texture.layout import layout_of

SIZE = 400
CAMERA = Camera(
    np.array([[900.0, 0, 199.5], [0, 900.0, 199.5], [0, 0, 1]]),
    np.diag([1.0, -1.0, -1.0]),
    np.array([0.0, 20.0, 1000.0]),
)
SKIN, BACKGROUND = (205, 160, 135), (120, 140, 170)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model(DEFAULT_MODEL, "native")


@pytest.fixture
def told_by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not of the ground's colour is the person: the network knows people, not drawings."""

    def person(picture: np.ndarray) -> np.ndarray:
        apart = np.abs(cv2.blur(picture, (5, 5)).astype(int) - BACKGROUND).max(axis=2)
        return (apart > 20).astype(np.float32)

    monkeypatch.setattr(window, "person_mask", person)


@pytest.fixture(scope="module")
def surface(model: FaceModel) -> Surface:
    return surface_of(model, model.mean)


def picture(model: FaceModel, hair: tuple[int, int, int] | None, stands: float = 20) -> np.ndarray:
    """(400, 400, 3) the mean head before a plain ground; with ``hair``, a cap of it that ``stands``
    so many mm off the scalp."""
    rng = np.random.default_rng(1)
    out = np.empty((SIZE, SIZE, 3))
    out[:] = BACKGROUND
    size = (SIZE, SIZE)
    if hair is not None:
        scalp = layout_of(model, 512).regions.scalp[:, None]
        grown = model.mean + stands * scalp * vertex_normals(model.mean, model.faces)
        raster = rasterize(CAMERA.to_camera(grown), model.faces, CAMERA.camera_matrix, size)
        on_scalp = interpolate(raster, model.faces, scalp)[..., 0]
        out[raster.mask] = SKIN
        out[on_scalp > 0.5] = hair
    else:
        raster = rasterize(CAMERA.to_camera(model.mean), model.faces, CAMERA.camera_matrix, size)
        out[raster.mask] = SKIN
    return np.clip(out + rng.normal(0, 4, out.shape), 0, 255).astype(np.uint8)


def made(model: FaceModel, hair: str, photo: np.ndarray) -> tuple[Strands | None, tuple[str, ...]]:
    light = np.zeros((9, 3), np.float32)
    return make_hair(model, photo, model.mean, model.mean, CAMERA, light, hair, 512)


def crossings(model: FaceModel, strands: Strands) -> int:
    """How many strands pass through a triangle of the head's skin, by rays: independent of the
    distance grid that growing goes by."""
    skin = model.polygon_material[model.polygon_of_face] == model.material_kinds.index("skin")
    scene = ray_scene(model.mean, model.faces[skin])
    # From 0.3 mm off the root: the root itself lies in the skin.
    start = strands.points[:, :-1].astype(np.float32).copy()
    outward = vertex_normals(model.mean, model.faces)[model.faces[strands.root_triangle]]
    outward = (outward * strands.root_weights[..., None]).sum(axis=1)
    start[:, 0] += 0.3 * outward
    way = strands.points[:, 1:] - start
    hit = scene.run(
        np.ascontiguousarray(start.reshape(-1, 3)),
        np.ascontiguousarray(way.reshape(-1, 3)),
        dists=np.ones(start[..., 0].size, np.float32),
        query="OCCLUDED",
    )
    return int((hit.reshape(start.shape[:2]) != -1).any(axis=1).sum())


def test_the_styles_are_the_options() -> None:
    assert ("none", "photo", *STYLES) == HAIR
    assert len(STYLES) == 8
    assert ("photo", *SHOWN) == HAIR_COLOURS


def test_distances_are_those_to_the_skin(model: FaceModel, surface: Surface) -> None:
    # On rays straight out of the cap of the skull nothing else is nearer.
    top = np.flatnonzero((model.mean[:, 1] > 110) & (model.mask("scalp") > 0.9))
    normals = vertex_normals(model.mean, model.faces)[top]
    # The grid is of 5 mm: near the skin it is good, further out it need not be.
    for away in (-4.0, 2.0, 10.0):
        found = surface.height(model.mean[top] + away * normals)
        apart = np.abs(found - away)
        assert np.median(apart) < 0.5 and apart.max() < 0.8 + 0.1 * abs(away)


def test_points_inside_are_pushed_out(model: FaceModel, surface: Surface) -> None:
    inside = model.mean[model.mask("scalp") > 0.9].astype(np.float64) * 0.93
    assert surface.height(inside).max() < 0
    out = surface.pushed_out(inside, 2.0)
    assert surface.height(out).min() > 1.5


def test_roots_lie_in_their_triangles_on_the_scalp(model: FaceModel) -> None:
    scalp = model.mask("scalp")
    roots = roots_on(model, model.mean, scalp, 500, np.random.default_rng(0))
    corners = model.mean[model.faces[roots.triangle]]
    assert np.allclose((corners * roots.weights[..., None]).sum(axis=1), roots.points, atol=1e-3)
    assert roots.weights.min() >= 0 and np.allclose(roots.weights.sum(axis=1), 1)
    assert ((scalp[model.faces[roots.triangle]] * roots.weights).sum(axis=1) > 0.3).all()


def test_resampling_keeps_length_and_ends() -> None:
    turn = np.linspace(0, np.pi, 200)
    arc = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)[None] * 50
    whole = resampled(np.repeat(arc, 2, axis=0), np.array([199, 99]), 21)
    assert lengths(whole) == pytest.approx([50 * np.pi, 50 * np.pi * 99 / 199], rel=2e-3)
    assert np.allclose(whole[0, [0, -1]], arc[0, [0, -1]])
    steps = np.linalg.norm(np.diff(whole, axis=1), axis=2)
    assert np.ptp(steps, axis=1).max() < 0.01


def test_lengths_are_those_asked_for() -> None:
    turn = np.linspace(0, np.pi, 16)
    arc = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)[None] * 50
    down = np.array([0.0, -1.0, 0.0])
    whole = lengths(arc)[0]
    half = of_length(arc, 0.5, down)
    assert half.shape == arc.shape and lengths(half)[0] == pytest.approx(whole / 2, rel=0.01)
    assert half[0, -1] == pytest.approx([0, 50, 0], abs=1.5)
    longer = of_length(arc, 1.6, down)
    assert lengths(longer)[0] == pytest.approx(1.6 * whole, rel=0.02)
    # The arc's end leads straight down, and so does what is added.
    assert longer[0, -1] == pytest.approx([-50, -0.6 * whole, 0], abs=3)
    assert np.allclose(longer[0, 0], arc[0, 0])


@pytest.mark.seconds
def test_density_length_and_colour_are_chosen(model: FaceModel) -> None:
    photo, light = picture(model, None), np.zeros((9, 3), np.float32)

    def bob(**chosen: float | str) -> Strands:
        camera = (model.mean, model.mean, CAMERA, light)
        strands, _ = make_hair(model, photo, *camera, "bob", 512, **chosen)
        assert strands is not None
        return strands

    usual, other = bob(), bob(density=0.5, length=0.5, colour="red")
    assert len(other) == pytest.approx(len(usual) / 2, rel=0.05)
    # As much hair to see, of fewer strands.
    area = [(one.radius**2).sum() for one in (usual, other)]
    assert area[1] == pytest.approx(area[0], rel=0.05)
    assert np.median(lengths(other.points)) < 0.65 * np.median(lengths(usual.points))
    red, green, blue = np.median(other.colour.reshape(-1, 3), axis=0)
    assert red > 2 * green > 2 * blue
    assert crossings(model, bob(length=1.5)) == 0


@pytest.mark.seconds
@pytest.mark.parametrize("style", STYLES)
def test_no_style_goes_through_the_head(model: FaceModel, style: str) -> None:
    strands, _ = made(model, style, picture(model, None))
    assert strands is not None and len(strands) > 10_000
    assert crossings(model, strands) == 0
    assert np.isfinite(strands.points).all()
    # The knot's outermost hair and long hair stay within two heads.
    assert np.abs(strands.points).max() < 400


@pytest.mark.seconds
def test_long_hair_is_long_and_cropped_hair_short(model: FaceModel) -> None:
    photo = picture(model, None)
    crop, long = (made(model, name, photo)[0] for name in ("crop", "long-straight"))
    assert crop is not None and long is not None
    assert np.median(lengths(crop.points)) < 20
    assert np.median(lengths(long.points)) > 200
    assert long.points[:, -1, 1].min() < model.mean[model.landmarks68[8], 1] - 60
    # Two eyes that see: little hair hangs before them.
    eyes = model.eye_centers.mean(axis=0)
    before = (np.abs(long.points - eyes) < [40, 15, 200]).all(axis=2) & (long.points[..., 2] > 40)
    assert before.any(axis=1).mean() < 0.01


@pytest.mark.seconds
def test_a_photo_s_hair_fills_its_outline_and_has_its_colour(
    model: FaceModel, told_by_colour: None
) -> None:
    colour = (60, 40, 28)
    photo = picture(model, colour)
    strands, warnings = made(model, "photo", photo)
    assert strands is not None and warnings == ()
    points = strands.points.reshape(-1, 3)
    eye = -CAMERA.rotation.T @ CAMERA.translation
    hidden = occluded(points, model.mean, model.faces, eye).reshape(strands.points.shape[:2])
    pixels = CAMERA.project(points.astype(np.float64)).reshape(*hidden.shape, 2)
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    for strand, behind in zip(pixels, hidden, strict=True):
        if not behind.any():
            cv2.polylines(drawn, [np.round(strand).astype(np.int32)], False, 1)
    true = np.abs(photo.astype(int) - colour).max(axis=2) < 25
    # Hair that stands 20 mm off; a finger's width of it may be missed or too much.
    wide = cv2.dilate(true.astype(np.uint8), np.ones((15, 15)))
    assert (drawn & wide).sum() > 0.97 * drawn.sum()
    assert (drawn[true] > 0).mean() > 0.85
    assert crossings(model, strands) == 0
    red, green, blue = np.median(strands.colour.reshape(-1, 3), axis=0)
    assert red > green > blue
    # Linear 0.045 needs about 0.028 as the shader's input, by the table that was rendered.
    assert 0.015 < red < 0.05


@pytest.mark.seconds
def test_strands_have_the_light_and_dark_that_the_photo_shows_along_them(
    model: FaceModel, told_by_colour: None
) -> None:
    photo = picture(model, (60, 40, 28))
    hairy = np.abs(photo.astype(int) - (60, 40, 28)).max(axis=2) < 25
    light = np.arange(SIZE) // 20 % 2 == 0  # bands of 16 mm
    photo[hairy & light[:, None]] = np.minimum(photo[hairy & light[:, None]] * 2.2, 255)
    strands, _ = made(model, "photo", photo)
    assert strands is not None
    places = of_count(strands.points, strands.colour.shape[1]).astype(np.float64)
    pixels = CAMERA.project(places.reshape(-1, 3))
    x, y = np.clip(np.round(pixels), 0, SIZE - 1).astype(int).T
    # In front, well within the hair and its bands.
    inner = cv2.erode(hairy.astype(np.uint8), np.ones((9, 9))) > 0
    front = (places[..., 2].ravel() > 30) & inner[y, x]
    front &= np.abs(y % 20 - 10) < 6
    bright = strands.colour.mean(axis=2).ravel()
    assert front.sum() > 5000
    dark, lit = (np.median(bright[front & (light[y] == way)]) for way in (False, True))
    assert lit > 2.5 * dark  # linear light has 5.5 times as much


@pytest.mark.seconds
def test_bald_heads_stay_bald_and_hats_are_left_out(model: FaceModel, told_by_colour: None) -> None:
    assert made(model, "photo", picture(model, None)) == (None, (NO_HAIR,))
    assert made(model, "photo", picture(model, (40, 60, 190))) == (None, (HEADWEAR,))
    assert made(model, "none", picture(model, (60, 40, 28))) == (None, ())


@pytest.mark.seconds
def test_a_model_without_a_scalp_is_told(model: FaceModel) -> None:
    masks = model.vertex_masks.copy()
    masks[model.mask_names.index("scalp")] = 0
    bare = dataclasses.replace(model, vertex_masks=masks)
    assert made(bare, "bob", picture(model, None)) == (None, (NO_SCALP,))


def test_the_shader_s_colours_are_the_rendered_table_backwards() -> None:
    shown = np.array([0.10, 0.19, 0.31])
    found = shader_colour(np.repeat(shown[:, None], 3, axis=1))
    assert found == pytest.approx(np.repeat([[0.09], [0.2], [0.4]], 3, axis=1))


def test_unseen_strands_are_coloured_like_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    roots = rng.uniform(-80, 80, (400, 3))
    left = roots[:, 0] > 0
    measured = np.where(left[:, None, None], 0.3, 0.05) * np.ones((400, 2, 3))
    seen = np.abs(roots[:, 0]) > 20
    seen[rng.random(400) < 0.5] = False
    found = strand_colours(roots, measured, seen, rng)
    outer = np.abs(roots[:, 0]) > 40
    ratio = np.median(found[outer & left]) / np.median(found[outer & ~left])
    # Six times as bright, but within what the hair of one head can be apart.
    assert ratio > 2


def test_hair_of_another_hue_is_what_lies_behind() -> None:
    rng = np.random.default_rng(3)
    roots = rng.uniform(-80, 80, (400, 3))
    red = np.array([0.2, 0.07, 0.05])
    measured = red * np.exp(rng.normal(0, 0.4, (400, 5, 1)))
    behind = rng.random(400) < 0.25
    measured[behind] = 0.1
    found = strand_colours(roots, measured, np.ones(400, bool), rng)
    assert (found[behind][..., 0] > 1.7 * found[behind][..., 2]).all()


def test_brown_hair_is_not_made_green_by_a_guess_at_the_light() -> None:
    rng = np.random.default_rng(3)
    roots = rng.uniform(-80, 80, (400, 3))
    seen = np.ones(400, bool)

    def hue(colour: tuple[float, float, float]) -> tuple[float, float]:
        measured = np.broadcast_to(np.array(colour), (400, 2, 3))
        red, green, blue = np.median(strand_colours(roots, measured, seen, rng), axis=(0, 1))
        return red / green, green / blue

    olive, yellower = hue((0.1, 0.1, 0.065))
    assert olive > 1.1 and yellower > 1.1
    grey = hue((0.1, 0.1, 0.1))
    assert grey == pytest.approx((1, 1), abs=0.01)
    dyed = hue((0.04, 0.1, 0.09))
    assert dyed[0] < 0.75


@pytest.mark.seconds
def test_a_fringe_lies_on_the_forehead(model: FaceModel, told_by_colour: None) -> None:
    photo = picture(model, (60, 40, 28), 30).astype(float)
    marks = CAMERA.project(model.mean[model.landmarks68].astype(float))
    brows, face = marks[17:27, 1].mean(), marks[8, 1] - marks[17:27, 1].mean()
    fringe = np.s_[round(brows - 0.7 * face) : round(brows - 0.1 * face),
                   round(marks[17, 0]) : round(marks[26, 0])]  # fmt: skip
    photo[fringe] = (60, 40, 28) + np.random.default_rng(5).normal(0, 4, photo[fringe].shape)
    strands, _ = made(model, "photo", np.clip(photo, 0, 255).astype(np.uint8))
    assert strands is not None
    points = strands.points.reshape(-1, 3).astype(np.float64)
    over = (CAMERA.project(points)[:, 1] > brows - 0.25 * face) & (np.abs(points[:, 0]) < 40)
    over &= points[:, 2] > model.mean[model.landmarks68[[0, 16]], 2].mean()
    over &= points[:, 1] > model.mean[model.landmarks68[17:27], 1].mean()
    assert over.sum() > 1000
    away = np.linalg.norm(points[over][:, None] - model.mean[None, ::3], axis=2).min(axis=1)
    # Its outline stands off 30 mm; the lower fringe 6 and 0.8 of the 15 mm to its edge.
    assert np.quantile(away, 0.9) < 20


def test_a_rim_against_the_light_has_not_the_hair_s_own_colour() -> None:
    rows, columns = np.indices((200, 200))
    away = np.hypot(rows - 100, columns - 100)
    hair, ground = away < 80, away >= 80

    def shown(rim: int, deep: int) -> np.ndarray:
        picture = np.where(away < 70, deep, rim)[..., None] * np.ones(3)
        picture = picture + np.random.default_rng(1).normal(0, 4, picture.shape)
        return own_colour(np.clip(picture, 0, 255).astype(np.uint8), hair, ground, 100.0)

    told = shown(rim=190, deep=60)
    assert told[(away > 73) & hair].max() < 0.05
    assert told[away < 66].min() == 1
    # A dark rim is a shadow, and hair that is as light everywhere has none.
    for rim, deep in ((60, 190), (190, 190), (60, 60)):
        assert shown(rim, deep).mean() > 0.99
