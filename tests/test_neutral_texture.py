"""What expression and light paint stays out of a texture; what is the person's own stays."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.own import own_head
from reconstruct_face.backend.raster import rasterize
from reconstruct_face.backend.raster.atlas import texel_coordinates
from reconstruct_face.backend.texture import Texture
from reconstruct_face.backend.texture import neutral as tidy
from reconstruct_face.backend.texture.layout import interpolate_texels, layout_of

from tests.test_texture import SIZE, Scene, from_srgb, paint, repaint, srgb

pytestmark = pytest.mark.seconds


def posed(scene: Scene, **weights: float) -> Scene:
    """The same head with an expression; its photo is to be painted anew."""
    model = scene.model
    expression = np.zeros(len(model.expression_names))
    for name, weight in weights.items():
        for k, full in enumerate(model.expression_names):
            if full in (name, f"{name}Left", f"{name}Right"):
                expression[k] = weight
    vertices = scene.vertices + np.tensordot(expression, model.expression_basis, 1)
    camera = vertices @ scene.rotation.T + scene.translation
    size = scene.photo.shape[1::-1]
    raster = rasterize(camera, model.faces, scene.camera_matrix, size)
    return replace(scene, vertices=vertices, raster=raster)


def texels(scene: Scene, values: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) of per-vertex ``values`` (V,); 0 off the skin."""
    layout = layout_of(scene.model, SIZE)
    out = np.zeros((SIZE, SIZE), np.float32)
    for some in np.array_split(np.arange(len(layout.texels)), 8):
        part = slice(some[0], some[-1] + 1)
        face, weights = layout.texels.face[part], layout.texels.barycentric(part)
        table = values[:, None].astype(np.float32)
        found = interpolate_texels(table, scene.model.faces, face, weights)[:, 0]
        out.ravel()[layout.texels.place[part]] = found
    return out


def log_off(texture: Texture, scene: Scene) -> np.ndarray:
    """(SIZE, SIZE, 3) log of the found over the true albedo, less its median over the cheeks."""
    ratio = np.log(np.maximum(from_srgb(texture.image / 255.0), 2e-3) / scene.albedo)
    cheeks = cv2.resize(scene.model.uv_mask("face"), (SIZE, SIZE)) > 0.9
    return ratio - np.median(ratio[cheeks & (texture.coverage > 0.5)], axis=0)


def line(scene: Scene, points: np.ndarray, width: float) -> np.ndarray:
    """(SIZE, SIZE) 1 on a line through ``points`` (N, 3) mm of the mean head, falling off."""
    away = np.full(len(scene.model.mean), np.inf)
    for start, end in zip(points[:-1], points[1:], strict=True):
        for t in np.linspace(0, 1, 12):
            gap = np.linalg.norm(scene.model.mean - (start + t * (end - start)), axis=1)
            away = np.minimum(away, gap)
    return texels(scene, np.exp(-0.5 * (np.minimum(away, 99) / width) ** 2))


def texel_near(model: FaceModel, point: np.ndarray, size: int) -> tuple[int, int]:
    """Row and column of the texel of the vertex nearest to ``point`` (3,) mm of the mean head."""
    vertex = int(np.linalg.norm(model.mean - point, axis=1).argmin())
    polygon, corner = np.argwhere(model.polygons == vertex)[0]
    uv = model.uv[model.uv_polygons[polygon, corner]]
    column, row = np.rint(texel_coordinates(uv, size)).astype(int)
    return int(row), int(column)


def test_the_least_stretch_is_the_one_that_was_made() -> None:
    rng = np.random.default_rng(3)
    neutral = rng.normal(size=(30, 3))
    neutral[:, 2] = 0
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = (neutral * (0.8, 1.3, 1.0)) @ turn
    faces = rng.permutation(30).reshape(10, 3)
    np.testing.assert_allclose(tidy.least_stretch(neutral, moved, faces), 0.8, rtol=1e-6)
    np.testing.assert_allclose(tidy.least_stretch(neutral, neutral @ turn, faces), 1, rtol=1e-6)


def test_a_smile_line_is_taken_out_and_given_beside() -> None:
    still = paint(seed=5)
    marks = still.model.mean[still.model.landmarks68]
    fold = line(still, np.stack([marks[35] + (8, 0, -6), marks[54] + (9, 4, -6)]), 2.0)
    mole = line(still, still.model.mean[still.model.landmarks68[[29, 29]]], 3.0)  # on the nose
    scene = posed(still, mouthSmile=1.0, cheekSquint=0.6)
    dark = np.exp(-0.8 * np.maximum(fold, mole))[..., None]
    photographed = repaint(scene, still.albedo * dark)
    seen = replace(photographed, albedo=still.albedo)  # the truth has no fold
    after = seen.texture(vertices_neutral=still.vertices)
    before = seen.texture()
    core = (fold > 0.7) & (before.coverage > 0.5)
    assert core.sum() > 50
    depth_before, depth_after = (log_off(t, seen)[core].mean() for t in (before, after))
    assert depth_before < -0.3
    assert depth_after > 0.7 * depth_before
    assert after.folds is not None
    given = cv2.resize(after.folds, (SIZE, SIZE))[core].mean()
    assert given < -0.15, "the fold can be put back"
    spot = (mole > 0.6) & (before.coverage > 0.5)
    assert spot.sum() > 20
    assert log_off(after, seen)[spot].mean() < -0.4, "a mole is no fold"


def test_the_sharp_line_in_a_fold_goes_with_it_and_a_hair_beside_stays() -> None:
    """On a cheek in a map of 2048: a fold of 4 mm with a line of 0.5 mm in it, and a mere line."""
    model = load_model()
    layout = layout_of(model, 2048)
    small = np.zeros(layout.small.mask.shape, np.float32)
    cheek = texel_near(model, model.mean[model.landmarks68[48]] + (-18, 14, -10), len(small))
    known = tidy.Fields(
        *(small + share for share in (1, 1, 1, 0, 0, 0, 0)),
        apart=np.zeros((*small.shape, 3), np.float32),
        fine=tidy.FINE_IF_LARGE,
    )
    row, column = (4 * place for place in cheek)
    across = np.arange(2048) - column
    fold = -0.3 * np.exp(-((across / 12) ** 2) / 2)
    lines = -0.4 * (np.abs(across) <= 1) - 0.4 * (np.abs(across - 60) <= 1)
    colour = np.zeros((2048, 2048, 3), np.float32)
    colour[row - 60 : row + 60] += (fold + lines)[None, :, None]
    seen = np.zeros((2048, 2048), np.float32)
    seen[row - 160 : row + 160, column - 160 : column + 160] = 1
    detail, folds = tidy.tidied(model, layout, tidy.Detail(colour, seen), known)
    left = detail.colour[row - 20 : row + 20, :, 1].mean(axis=0)
    assert left[column - 1 : column + 2].min() > -0.15, "of 0.7"
    assert left[column + 59 : column + 62].min() < -0.17, "of 0.4"
    assert folds[cheek] < -0.15


def test_a_shut_lid_has_no_drawn_out_lashes() -> None:
    still = paint(seed=5)
    model = still.model
    blink = sum(
        model.expression_basis[model.expression_names.index(f"eyeBlink{side}")]
        for side in ("Left", "Right")
    )
    moves = texels(still, np.linalg.norm(blink, axis=1))
    brows = cv2.resize(model.uv_mask("brows"), (SIZE, SIZE))
    stripes = (np.arange(SIZE) // 3 % 2 == 0)[None, :, None] & (moves > 2)[..., None]
    seen = replace(repaint(still, np.where(stripes, 0.2, 1) * still.albedo), albedo=still.albedo)
    texture = seen.texture(vertices_neutral=still.vertices)
    lid = (moves > 4) & (cv2.resize(model.uv_mask("lids"), (SIZE, SIZE)) > 0.05)
    raw = replace(seen).texture(mode="photo")
    assert lid.sum() > 200
    streaks = [
        cv2.Laplacian(one.image.astype(np.float32).mean(axis=2), -1)[lid].std()
        for one in (raw, texture)
    ]
    assert streaks[1] < 0.5 * streaks[0]
    # Off the lids the photo is kept as it is.
    assert texture.coverage[(brows > 0.9)].mean() > 0.6


def stage_lit(scene: Scene) -> Scene:
    """Its photo with blue light on one cheek and orange light on the other."""
    points = scene.vertices[scene.model.landmarks68[[1, 15]]] * (0.75, 1.0, 1.0) + (0, -18, 30)
    pixels = (points @ scene.rotation.T + scene.translation) @ scene.camera_matrix.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    y, x = np.mgrid[: scene.photo.shape[0], : scene.photo.shape[1]]
    log = np.zeros(scene.photo.shape)
    for sign, place in zip((1, -1), pixels, strict=True):
        near = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 28.0**2))
        log += sign * near[..., None] * (0.6, 0.0, -0.6)
    linear = from_srgb(scene.photo / 255.0) * np.exp(log)
    return replace(scene, photo=np.round(srgb(linear) * 255).astype(np.uint8))


def test_light_of_two_colours_leaves_no_patches() -> None:
    scene = stage_lit(paint(seed=5))
    cheeks = cv2.resize(scene.model.uv_mask("face"), (SIZE, SIZE)) > 0.9
    for name in ("lips", "brows", "lids"):
        cheeks &= cv2.resize(scene.model.uv_mask(name), (SIZE, SIZE)) < 0.02

    def patches(texture: Texture) -> float:
        off = log_off(texture, scene)
        off = cv2.GaussianBlur(off - off.mean(axis=2, keepdims=True), (0, 0), 12)
        return float(off[cheeks].std())

    assert patches(scene.texture()) < 0.04, "0.073 with nothing done about it"


def test_red_hair_over_the_forehead_stays_red_and_a_beard_dark() -> None:
    scene = paint(seed=5)
    model = scene.model
    brow = model.mean[model.landmarks68[17:27], 1].mean()
    fringe = texels(scene, (model.mean[:, 1] > brow + 22).astype(float)) > 0.5
    beard = cv2.GaussianBlur(cv2.resize(model.uv_mask("beard"), (SIZE, SIZE)), (0, 0), 15)
    # Strands, as an even area with a sharp border is a shadow.
    strands = np.random.default_rng(2).random((SIZE, SIZE)) < 0.8 * beard
    albedo = scene.albedo.copy()
    albedo[fringe] = (0.25, 0.07, 0.03)
    albedo[strands] *= (0.4, 0.45, 0.5)
    beard = beard > 0.9
    painted = repaint(scene, albedo)
    texture = painted.texture()
    well = texture.coverage > 0.9
    off = log_off(texture, painted)
    assert (fringe & well).sum() > 2000 and (beard & well).sum() > 2000
    hair = from_srgb(texture.image[fringe & well] / 255.0)
    assert np.median(hair[:, 0] / hair[:, 1]) > 0.7 * 0.25 / 0.07
    assert abs(off[beard & well].mean()) < 0.25, "of 0.65 that it is darker by"


def test_the_neck_has_the_faces_tone_whatever_covers_it() -> None:
    scene = paint(seed=5)
    neck = cv2.resize(scene.model.uv_mask("neck"), (SIZE, SIZE)) > 0.9
    albedo = scene.albedo.copy()
    albedo *= np.where((np.arange(SIZE) // 8 % 2 == 0)[None, :] & neck, 0.7, 0.95)[..., None]
    seen = replace(repaint(scene, albedo), albedo=scene.albedo)
    off = log_off(seen.texture(), seen)
    assert abs(np.median(off[neck])) < 0.12
    assert off[neck].std() < 0.04, "0.09 of the stripes would be seen"


def test_a_photo_texture_is_left_as_it_is() -> None:
    scene = paint(seed=6)
    plain = scene.texture(mode="photo")
    moved = scene.texture(mode="photo", vertices_neutral=scene.vertices * 1.1)
    assert plain.folds is None
    np.testing.assert_array_equal(plain.image, moved.image)


def test_own_heads_give_the_neutral_shape() -> None:
    scene = paint(seed=5)
    model = scene.model
    head = own_head(
        model, np.zeros(len(model.identity_basis)), np.zeros(len(model.expression_names))
    )
    layout = layout_of(model, SIZE)
    still = tidy.least_stretch(head.neutral, head.posed, model.faces[layout.skin_face])
    np.testing.assert_allclose(still, 1, atol=1e-4)


@pytest.mark.seconds
def test_blue_light_beside_the_hair_is_no_hair() -> None:
    """A lamp from the side tints the forehead's corners, where hair may hang."""
    still = paint(seed=5)
    layout = layout_of(still.model, SIZE)
    corner = texels(still, layout.regions.forehead * (np.abs(still.model.mean[:, 0]) > 25)) > 0.5
    soft = cv2.GaussianBlur(corner.astype(np.float32), (0, 0), SIZE / 100)
    painted = {}
    for name, tint in (("blue", [0.0, 0.0, 0.7]), ("dark", [-1.2, -1.2, -1.1])):
        seen = repaint(still, still.albedo * np.exp(soft[..., None] * tint))
        texture = replace(seen, albedo=still.albedo).texture(vertices_neutral=still.vertices)
        off = log_off(texture, still)[corner & (texture.coverage > 0.5) & (soft > 0.9)]
        assert len(off) > 500
        painted[name] = off.mean(axis=0)
    red, green, blue = painted["blue"]
    assert blue - (red + green) / 2 < 0.3, "of 0.7 that was painted"
    assert painted["dark"].mean() < -0.6, "hair that hangs there stays"
