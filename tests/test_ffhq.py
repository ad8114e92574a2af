"""The FFHQ crop against an independent reading of the recipe in float64, without PIL or OpenCV."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.align import ffhq_crop, ffhq_quad
from scipy import ndimage


def face(eyes: tuple[float, float], eye_distance: float, drop: float, degrees: float = 0.0):
    """(68, 2) landmarks whose eyes are centred at ``eyes`` and whose mouth lies ``drop`` below."""
    points = np.zeros((68, 2))
    around = np.array([[-9, 0], [-4, -3], [4, -3], [9, 0], [4, 3], [-4, 3]]) * eye_distance / 60
    points[36:42] = around - [eye_distance / 2, 0]
    points[42:48] = around + [eye_distance / 2, 0]
    points[48], points[54] = (-0.4 * eye_distance, drop), (0.4 * eye_distance, drop)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + eyes


@cache
def scene(width: int, height: int) -> np.ndarray:
    """Detail at every size, so that wrong sampling shows: (height, width, 3) uint8."""
    rng = np.random.default_rng(7)
    levels = [rng.normal(size=(height, width, 3)) for _ in range(3)]
    blurred = [
        ndimage.gaussian_filter(level, (s, s, 0)) * s
        for level, s in zip(levels, (1.5, 6, 25), strict=True)
    ]
    picture = sum(blurred)
    picture = 128 + 40 * picture / picture.std()
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


# --- the recipe again, in float64 and in other words -------------------------


def lanczos(n_in: int, n_out: int) -> np.ndarray:
    """(n_out, n_in) weights of an antialiased Lanczos-3 resize."""
    scale = max(n_in / n_out, 1.0)
    centres = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    x = (np.arange(n_in)[None] - centres[:, None]) / scale
    weights = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    rows, columns = lanczos(image.shape[0], height), lanczos(image.shape[1], width)
    return np.einsum("ab,bcd,ec->aed", rows, image, columns, optimize=True)


def reflected(n: int, before: int, after: int) -> np.ndarray:
    """Indices that continue 0..n-1 by mirroring at its ends, not repeating them."""
    index = np.abs(np.arange(-before, n + after)) % (2 * (n - 1))
    return np.where(index >= n, 2 * (n - 1) - index, index)


def recipe(picture: np.ndarray, quad: np.ndarray, size: int) -> np.ndarray:
    """What NVIDIA's recipe gives for ``quad``, (size, size, 3) float64."""
    image, quad = picture.astype(float), quad.copy()
    qsize = np.linalg.norm(quad[3] - quad[0])
    shrink = int(qsize / size / 2)
    if shrink > 1:
        height, width = image.shape[:2]
        image = resized(image, int(np.rint(width / shrink)), int(np.rint(height / shrink)))
        quad, qsize = quad / shrink, qsize / shrink
    border = max(int(np.rint(qsize * 0.1)), 3)
    h, w = image.shape[:2]
    (x0, y0), (x1, y1) = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    cx0, cy0 = max(x0 - border, 0), max(y0 - border, 0)
    image = image[cy0 : min(y1 + border, h), cx0 : min(x1 + border, w)]
    quad = quad - [cx0, cy0]
    h, w = image.shape[:2]
    (x0, y0), (x1, y1) = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int)
    pads = np.array([-x0 + border, -y0 + border, x1 - w + border, y1 - h + border])
    pads = np.maximum(pads, 0)
    if pads.max() > border - 4:
        left, top, right, bottom = np.maximum(pads, int(np.rint(qsize * 0.3)))
        image = image[reflected(h, top, bottom)][:, reflected(w, left, right)]
        h, w = image.shape[:2]
        y, x = np.mgrid[:h, :w].astype(float)
        nearest = [x / left, (w - 1 - x) / right, y / top, (h - 1 - y) / bottom]
        mask = 1 - np.min(nearest, axis=0)[..., None]
        blurred = ndimage.gaussian_filter(image, (qsize * 0.02, qsize * 0.02, 0))
        image = image + (blurred - image) * np.clip(3 * mask + 1, 0, 1)
        image = image + (np.median(image, axis=(0, 1)) - image) * np.clip(mask, 0, 1)
        quad = quad + [left, top]
    # bilinear at 4 x 4 points in each output pixel, from pixel centres
    fine = 4 * size
    along = (np.arange(fine) + 0.5) / fine
    grid = (
        quad[0]
        + along[None, :, None] * (quad[3] - quad[0])
        + along[:, None, None] * (quad[1] - quad[0])
    )
    where = [grid[..., 1], grid[..., 0]]
    sampled = np.stack(
        [ndimage.map_coordinates(image[..., c], where, order=1, mode="nearest") for c in range(3)],
        axis=-1,
    )
    return np.clip(resized(sampled, size, size), 0, 255)


def test_quad_by_hand() -> None:
    # e = (130, 100), e_r - e_l = (60, 0), m - e = (0, 70), rot90(m - e) = (-70, 0):
    # x = (1, 0) * max(2 * 60, 1.8 * 70) = (126, 0), y = (0, 126), c = (130, 107)
    quad = ffhq_quad(face((130, 100), 60, 70))
    np.testing.assert_allclose(quad, [[4, -19], [4, 233], [256, 233], [256, -19]], atol=1e-9)
    # turned by 90 degrees (clockwise as seen): the corners turn about the eyes
    quad = ffhq_quad(face((130, 100), 60, 70, 90))
    np.testing.assert_allclose(quad, [[249, -26], [-3, -26], [-3, 226], [249, 226]], atol=1e-9)
    # a wide face: 2.0 |eye to eye| wins, x = (200, 0), c = (0, 5)
    quad = ffhq_quad(face((0, 0), 100, 50))
    np.testing.assert_allclose(quad[0], [-200, -195], atol=1e-9)


CASES = {
    "inside": (face((300, 240), 60, 70), (600, 520)),
    "small": (face((60, 55), 12, 14), (120, 130)),
    "rotated": (face((300, 260), 60, 70, 33), (600, 520)),
    "leaving at the left and top": (face((60, 70), 50, 60), (400, 300)),
    "leaving at the right and bottom": (face((340, 215), 50, 60, -20), (400, 300)),
    "leaving everywhere": (face((100, 90), 70, 80), (200, 200)),
    "shrunk 2": (face((550, 500), 230, 240, 8), (1110, 1001)),
    "shrunk 3, leaving": (face((450, 300), 390, 330, -5), (1001, 900)),
}


@pytest.mark.parametrize("name", CASES)
def test_crop_matches_the_recipe(name: str) -> None:
    landmarks, (width, height) = CASES[name]
    picture = scene(width, height)
    crop = ffhq_crop(picture, landmarks)
    assert crop.image.shape == (224, 224, 3) and crop.image.dtype == np.uint8
    difference = np.abs(crop.image - recipe(picture, ffhq_quad(landmarks), 224))
    assert difference.mean() < 0.6, difference.mean()
    assert np.percentile(difference, 99.9) <= 3.0, np.percentile(difference, 99.9)
    # half a pixel off would show:
    moved = recipe(picture, ffhq_quad(landmarks + [0.5 * crop.to_photo[0, 0], 0]), 224)
    assert np.abs(crop.image - moved).mean() > 1.7 * difference.mean()


def test_same_as_a_data_set_made_at_1024() -> None:
    """FFHQ's way, 4096 to 1024, then to 224: the docstring's claim."""
    for name in ("rotated", "leaving at the right and bottom"):
        landmarks, (width, height) = CASES[name]
        picture = scene(width, height)
        large = ffhq_crop(picture, landmarks, 1024).image
        small = Image.fromarray(large).resize((224, 224), Image.Resampling.LANCZOS)
        crop = ffhq_crop(picture, landmarks).image
        assert np.abs(np.asarray(small, float) - crop).mean() < 0.3, name


@pytest.mark.parametrize("name", CASES)
def test_to_photo_tells_where_pixels_come_from(name: str) -> None:
    """A bright spot in the photo appears in the crop where ``to_photo`` says."""
    landmarks, (width, height) = CASES[name]
    quad = ffhq_quad(landmarks)
    step = np.linalg.norm(quad[3] - quad[0]) / 224
    sigma = max(1.5 * step, 1.0)
    centre = np.clip(quad.mean(axis=0), 40, [width - 41, height - 41])
    y, x = np.mgrid[:height, :width]
    for offset in ([0, 0], [13 * step, -9 * step], [-20 * step, 15 * step]):
        spot = np.clip(centre + offset, 4 * step, [width - 1 - 4 * step, height - 1 - 4 * step])
        squared = (x - spot[0]) ** 2 + (y - spot[1]) ** 2
        light = np.rint(250 * np.exp(-squared / (2 * sigma**2))).astype(np.uint8)
        crop = ffhq_crop(np.repeat(light[..., None], 3, axis=2), landmarks)
        expected = np.linalg.solve(crop.to_photo, [*spot, 1.0])
        assert expected[2] == pytest.approx(1.0)
        near = crop.image[..., 0].astype(float)
        rows, columns = np.mgrid[:224, :224]
        near[np.hypot(columns - expected[0], rows - expected[1]) > 4.5 * sigma / step] = (
            0  # reflections
        )
        found = [(columns * near).sum() / near.sum(), (rows * near).sum() / near.sum()]
        np.testing.assert_allclose(found, expected[:2], atol=0.08)


def test_landmarks_land_at_the_places_ffhq_puts_them() -> None:
    landmarks = face((300, 260), 60, 70, 33)
    crop = ffhq_crop(scene(600, 520), landmarks)
    homogeneous = np.column_stack([landmarks, np.ones(68)])
    points = (homogeneous @ np.linalg.inv(crop.to_photo).T)[:, :2]
    # In the quad's frame: the eyes 0.1 * 70 above the centre, 252 pixels a side.
    scale = 224 / 252
    middle = 112 - 0.5
    eyes = 0.5 * (points[36:42].mean(axis=0) + points[42:48].mean(axis=0))
    np.testing.assert_allclose(eyes, [middle, middle - 7 * scale], atol=1e-6)
    mouth = 0.5 * (points[48] + points[54])
    np.testing.assert_allclose(mouth, [middle, middle + 63 * scale], atol=1e-6)
    level = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
    np.testing.assert_allclose(level, [60 * scale, 0], atol=1e-6)


def test_a_quad_far_outside_still_gives_a_picture() -> None:
    for eyes in ((-500, -500), (900, 100), (20, 900)):
        crop = ffhq_crop(scene(200, 150), face(eyes, 60, 70))
        assert crop.image.shape == (224, 224, 3)
