"""Textures of heads whose albedo, light and camera are known, because the test painted them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.harmonics import sh_basis, shade
from reconstruct_face.backend.geometry.triangles import vertex_normals
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.raster import (
    Raster,
    interpolate,
    rasterize,
)
from reconstruct_face.backend.raster.ambient import openness
from reconstruct_face.backend.texture import Texture, build, build_texture, fit_light
from reconstruct_face.backend.texture.diffuse import Graph, diffuse
from reconstruct_face.backend.texture.layout import layout_of

from tests.errors import raises

pytestmark = pytest.mark.seconds

SIZE = 1024
BACKGROUND = (70, 110, 150)


def srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light 0..1 to sRGB 0..1 by the formula of IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def from_srgb(value: np.ndarray) -> np.ndarray:
    value = np.asarray(value, dtype=np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@dataclass
class Scene:
    """A photo and the truth behind it."""

    model: FaceModel
    vertices: np.ndarray
    albedo: np.ndarray  #: (S, S, 3) linear, the whole texture
    light: np.ndarray
    camera_matrix: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    photo: np.ndarray
    raster: Raster

    def texture(self, **options) -> Texture:
        return build_texture(
            self.model,
            self.photo,
            self.vertices,
            self.camera_matrix,
            self.rotation,
            self.translation,
            size=SIZE,
            **options,
        )


def look_up(model: FaceModel, raster: Raster, texture: np.ndarray) -> np.ndarray:
    """(N, 3) bilinear texture samples at the raster's covered pixels, in plain numpy."""
    seen = raster.mask
    uv = (model.uv[model.uv_faces[raster.face_id[seen]]] * raster.barycentric[seen][..., None]).sum(
        1
    )
    size = texture.shape[0]
    x = np.clip(uv[:, 0] * size - 0.5, 0, size - 1.001)
    y = np.clip((1 - uv[:, 1]) * size - 0.5, 0, size - 1.001)
    x0, y0 = x.astype(int), y.astype(int)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    top = texture[y0, x0] * (1 - fx) + texture[y0, x0 + 1] * fx
    return top * (1 - fy) + (texture[y0 + 1, x0] * (1 - fx) + texture[y0 + 1, x0 + 1] * fx) * fy


def paint(
    seed: int = 0, yaw: float = 0.0, tone: np.ndarray | None = None, pixels: int = 640
) -> Scene:
    """A random head under a random plausible light, with a few moles the model does not know."""
    model = load_model()
    rng = np.random.default_rng(seed)
    identity = rng.normal(0, 0.7, len(model.identity_basis))
    vertices = model.vertices(identity).astype(np.float64)
    coefficients = rng.normal(0, 0.6, len(model.albedo_basis)) if tone is None else tone
    albedo = cv2.resize(model.albedo(coefficients), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    light = np.zeros((9, 3))
    light[0] = 2.8 + rng.normal(0, 0.1, 3)
    light[1:4] = np.array([[0.3], [0.6], [rng.choice([-0.5, 0.5])]]) * (1 + rng.normal(0, 0.05, 3))
    light[4:] = rng.normal(0, 0.08, (5, 1))
    angle = np.radians(yaw)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn
    middle = vertices[model.landmarks68].mean(axis=0)
    translation = np.array([0, 0, 650.0]) - rotation @ middle
    focal = pixels * 2.1
    camera_matrix = np.array(
        [[focal, 0, (pixels - 1) / 2], [0, focal, (pixels - 1) / 2], [0, 0, 1.0]]
    )
    raster = rasterize(
        vertices @ rotation.T + translation, model.faces, camera_matrix, (pixels,) * 2
    )
    nothing = np.empty(0)
    scene = Scene(
        model, vertices, albedo, light, camera_matrix, rotation, translation, nothing, raster
    )
    return repaint(scene, albedo)


def repaint(scene: Scene, albedo: np.ndarray) -> Scene:
    """The scene with another albedo texture (S, S, 3), its photo taken again.

    Half of the light comes from all sides, so that hollows of the skin are darker.
    """
    model, raster = scene.model, scene.raster
    at_vertices = vertex_normals(scene.vertices, model.faces)
    normals = interpolate(raster, model.faces, at_vertices)
    normals = normals[raster.mask]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    skin = layout_of(model, SIZE).skin_vertex
    sky = np.ones((len(scene.vertices), 1))
    seen = openness(scene.vertices[skin], at_vertices[skin], scene.vertices, model.faces, rays=64)
    sky[skin, 0] = 0.5 + 0.5 * seen
    lit = shade(normals, scene.light) * interpolate(raster, model.faces, sky)[raster.mask]
    photo = np.empty((*raster.face_id.shape, 3), np.uint8)
    photo[:] = BACKGROUND
    photo[raster.mask] = np.round(srgb(look_up(model, raster, albedo) * lit) * 255)
    return replace(scene, albedo=albedo, photo=photo)


def face_texels(scene: Scene) -> np.ndarray:
    """(S, S) True on the skin of the face, away from lids and lips, where colours are judged."""
    masks = [cv2.resize(scene.model.uv_mask(n), (SIZE, SIZE)) for n in ("face", "lids", "scalp")]
    return (masks[0] > 0.9) & (masks[1] < 0.05) & (masks[2] < 0.05)


def relative_error(texture: Texture, scene: Scene, where: np.ndarray) -> float:
    """Root mean square of the log ratio of found to true albedo, about the relative error."""
    found = from_srgb(texture.image[where] / 255.0)
    return float(np.sqrt((np.log(np.maximum(found, 2e-3) / scene.albedo[where]) ** 2).mean()))


# ---------------------------------------------------------------- light


def test_light_and_albedo_are_recovered_among_outliers() -> None:
    rng = np.random.default_rng(4)
    normals = rng.normal(size=(900, 3))
    normals[:, 2] = np.abs(normals[:, 2]) + 0.3
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mean = np.tile([0.45, 0.28, 0.2], (900, 1))
    basis = np.stack([np.tile([-0.15, -0.11, -0.09], (900, 1)), np.zeros((900, 3))])
    basis[1, :450, 0] = 0.05  # redder on one half
    truth, light = np.array([0.8, 1.2]), np.zeros((9, 3))
    light[0], light[1], light[2], light[3] = 2.7, 0.4, 0.5, -0.7
    clean = (mean + np.tensordot(truth, basis, 1)) * np.maximum(sh_basis(normals) @ light, 0)
    colours = clean * np.exp(rng.normal(0, 0.03, (900, 1)))
    colours[rng.permutation(900)[:180]] = [0.02, 0.015, 0.012]  # hair over a fifth of it
    fit = fit_light(colours, normals, np.ones(900), mean, basis)
    again = (mean + np.tensordot(fit.albedo_coefficients, basis, 1)) * np.maximum(
        sh_basis(normals) @ fit.sh_light, 0
    )
    assert np.median(np.abs(np.log(again / clean))) < 0.03
    direction, expected = fit.sh_light[[3, 1, 2]].mean(1), light[[3, 1, 2]].mean(1)
    cosine = direction @ expected / np.linalg.norm(direction) / np.linalg.norm(expected)
    assert cosine > np.cos(np.radians(12))
    assert fit.albedo_coefficients[1] == pytest.approx(1.2, abs=0.35)
    hidden = colours[:, 0] < 0.03
    assert fit.inlier[hidden].max() < 0.2 < 0.7 < np.median(fit.inlier[~hidden])


def test_light_without_samples_is_the_prior() -> None:
    basis = np.zeros((3, 0, 3))
    fit = fit_light(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros((0, 3)), basis)
    assert np.isfinite(fit.sh_light).all() and not fit.albedo_coefficients.any()
    assert shade(np.array([0.0, 0, 1]), fit.sh_light) == pytest.approx(1, abs=0.2)


# ---------------------------------------------------------------- diffusion


def test_diffusion_on_a_path_equals_the_dense_solution() -> None:
    edges = np.array([[k, k + 1] for k in range(19)])
    values = np.zeros((20, 1))
    values[:5], values[15:] = 1.0, 3.0
    confidence = np.zeros(20)
    confidence[:5] = confidence[15:] = 1
    found = diffuse(Graph.of(edges, 20), values, confidence, np.array([1.0]), np.arange(20))[:, 0]
    # The gap between is bridged without a step, and monotonically.
    steps = np.diff(found)
    assert (steps > -1e-9).all() and steps.max() < 0.35
    assert found[0] == pytest.approx(1, abs=0.1) and found[-1] == pytest.approx(3, abs=0.2)


def test_diffusion_takes_the_mirror_sides_differences_not_its_level() -> None:
    # A path 0..19, vertex k mirroring 19 - k: the right half is unseen.
    edges = np.array([[k, k + 1] for k in range(19)])
    values = np.zeros((20, 1))
    values[:10, 0] = 2 + np.sin(np.arange(10))
    confidence = (np.arange(20) < 10).astype(float)
    graph, resting = Graph.of(edges, 20), np.array([2.0])
    found = diffuse(graph, values, confidence, resting, np.arange(20)[::-1])[:, 0]
    unguided = diffuse(graph, values, confidence, resting, np.arange(20))[:, 0]
    mirrored = values[::-1, 0][11:18]
    assert np.corrcoef(found[11:18], mirrored)[0, 1] > 0.9
    assert np.ptp(unguided[11:18]) < 0.5 * np.ptp(found[11:18])


# ---------------------------------------------------------------- whole textures


@pytest.mark.parametrize("yaw", [0, 30, -60])
def test_albedo_is_recovered_where_seen_mirrored_and_unseen(yaw: float) -> None:
    scene = paint(seed=5, yaw=yaw)
    texture = scene.texture()
    face = face_texels(scene)
    seen = face & (texture.coverage > 0.6)
    assert seen.sum() > 0.3 * face.sum()
    # Light and skin share brightness: a common factor is allowed up to the exposure prior.
    assert relative_error(texture, scene, seen) < 0.2
    assert relative_error(texture, scene, face) < 0.25
    found = from_srgb(texture.image / 255.0)
    ratio = np.log(np.maximum(found, 2e-3) / scene.albedo)
    level = np.median(ratio[seen], axis=0)
    assert np.sqrt(((ratio[seen] - level) ** 2).mean()) < 0.1
    assert np.sqrt(((ratio[face] - level) ** 2).mean()) < 0.15


@pytest.mark.parametrize("yaw", [0, 40])
def test_light_direction(yaw: float) -> None:
    scene = paint(seed=8, yaw=yaw)
    light = scene.texture().sh_light
    direction, expected = light[[3, 1, 2]].mean(1), scene.light[[3, 1, 2]].mean(1)
    cosine = direction @ expected / np.linalg.norm(direction) / np.linalg.norm(expected)
    assert np.degrees(np.arccos(cosine)) < 35


def test_photo_mode_gives_the_photo_back() -> None:
    scene = paint(seed=6, yaw=20)
    texture = scene.texture(mode="photo")
    seen = scene.raster.mask
    again = np.zeros_like(scene.photo, dtype=float)
    again[seen] = look_up(scene.model, scene.raster, texture.image.astype(float))
    covered = np.zeros(seen.shape)
    covered[seen] = look_up(scene.model, scene.raster, texture.coverage[..., None] + [0, 0, 0])[
        :, 0
    ]
    error = np.abs(again - scene.photo)[covered > 0.98]
    assert (covered > 0.98).sum() > 20_000
    assert error.mean() < 2.0
    # ... and what is not covered is still lit alike: no jump against the photo's own colours.
    rest = np.abs(again - scene.photo)[seen & (covered < 0.5)]
    assert np.median(rest) < 14


def test_dark_skin_stays_dark_and_light_skin_light() -> None:
    model = load_model()
    luma = np.array([0.2126, 0.7152, 0.0722])
    face = model.uv_mask("face") > 0.9
    level = [(basis[face] @ luma).mean() for basis in model.albedo_basis]
    tone = int(np.argmax(np.abs(level)))
    found, truth = [], []
    for sign in (-1.2, 1.2):
        coefficients = np.zeros(len(model.albedo_basis))
        coefficients[tone] = sign * np.sign(level[tone])
        scene = paint(seed=9, tone=coefficients)
        texture = scene.texture()
        where = face_texels(scene)
        found.append((from_srgb(texture.image[where] / 255.0) @ luma).mean())
        truth.append((scene.albedo[where] @ luma).mean())
    assert truth[1] > 2 * truth[0], "the tones must differ for this to mean anything"
    np.testing.assert_allclose(np.log(found), np.log(truth), atol=0.3)


def test_hollows_are_no_darker_skin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the nose and over the eyes, where the face keeps light from itself."""
    scene = paint(seed=5)
    model = scene.model
    normals = vertex_normals(scene.vertices, model.faces)
    seen = openness(scene.vertices, normals, scene.vertices, model.faces, rays=64)
    layout = layout_of(model, SIZE)
    face, weights = layout.texels.face, layout.texels.barycentric()
    sky = np.ones((SIZE, SIZE))
    sky.ravel()[layout.texels.place] = (seen[model.faces[face]] * weights).sum(axis=1)
    lids, lips = (cv2.resize(model.uv_mask(name), (SIZE, SIZE)) > 0.5 for name in ("lids", "lips"))
    hollow = (face_texels(scene) | lids) & ~lips & (sky < 0.65)
    assert hollow.sum() > 3000

    # All of the light from all sides, where the others' photos have half of it from there.
    darker = repaint(scene, scene.albedo * (sky / (0.5 + 0.5 * sky))[..., None])

    def off() -> float:
        texture = replace(darker, albedo=scene.albedo).texture()
        found = np.log(np.maximum(from_srgb(texture.image / 255.0), 2e-3) / scene.albedo)
        even = np.median(found[face_texels(scene)], axis=0)
        return float((found - even)[hollow & (texture.coverage > 0.5)].mean())

    known = off()
    monkeypatch.setattr(build, "HOLLOWS", 0.0)
    unknown = off()
    assert unknown < -0.02 and abs(known) < 0.4 * abs(unknown)


def test_no_seam_at_the_border_of_the_photo() -> None:
    scene = paint(seed=7, yaw=35)
    texture = scene.texture()
    skin = layout_of(scene.model, SIZE)
    mask = np.zeros(SIZE * SIZE, np.uint8)
    mask[skin.texels.place] = 1
    inner = cv2.erode(mask.reshape(SIZE, SIZE), np.ones((9, 9))) > 0
    # Against the truth, whose own hairline and beard would count as seams otherwise.
    error = texture.image.astype(np.float32) - srgb(scene.albedo).astype(np.float32) * 255
    grey = cv2.GaussianBlur(error.mean(axis=2), (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    covered = (texture.coverage > 0.5).astype(np.uint8)
    band = cv2.dilate(covered, np.ones((7, 7))) - cv2.erode(covered, np.ones((7, 7)))
    masks = [
        cv2.resize(scene.model.uv_mask(n), (SIZE, SIZE))
        for n in ("lids", "lips", "brows", "ears", "scalp")
    ]
    plain = inner & (np.max(masks, axis=0) < 0.02)
    border, rest = slope[plain & (band > 0)], slope[plain & (texture.coverage > 0.95)]
    assert len(border) > 1000
    assert np.quantile(border, 0.95) < np.quantile(rest, 0.95) + 2.0


def test_background_and_eyes_stay_out_of_the_skin() -> None:
    scene = paint(seed=3, yaw=25)
    loud = scene.photo.copy()
    loud[~scene.raster.mask] = (0, 255, 0)
    eyes = ~layout_of(scene.model, SIZE).skin_face[scene.raster.face_id] & scene.raster.mask
    loud[eyes] = (0, 255, 0)
    scene.photo = loud
    image = scene.texture(mode="photo").image.astype(int)
    skin = layout_of(scene.model, SIZE).texels.place
    texels = image.reshape(-1, 3)[skin]
    green = texels[:, 1] - np.maximum(texels[:, 0], texels[:, 2])
    assert (green > 25).sum() == 0


def test_landmarks_line_the_photo_up() -> None:
    scene = paint(seed=11)
    pixels = scene.vertices @ scene.rotation.T + scene.translation
    pixels = pixels @ scene.camera_matrix.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    model = scene.model
    marks = (pixels[model.landmarks68_triangles] * model.landmarks68_barycentric[..., None]).sum(1)
    straight = scene.texture(mode="photo", landmarks2d=marks)
    # The same photo moved by six pixels, the camera not told of it.
    moved = replace(scene, photo=np.roll(scene.photo, 6, axis=1))
    lined_up = moved.texture(mode="photo", landmarks2d=marks + [6, 0])
    left_off = moved.texture(mode="photo")
    face = face_texels(scene) & (straight.coverage > 0.9)
    lips = cv2.resize(model.uv_mask("lips"), (SIZE, SIZE)) > 0.5
    brows = cv2.resize(model.uv_mask("brows"), (SIZE, SIZE)) > 0.2
    where = face | lips | brows
    reference = straight.image[where].astype(float)
    good = np.abs(lined_up.image[where] - reference).mean()
    bad = np.abs(left_off.image[where] - reference).mean()
    assert good < 0.4 * bad


def test_grey_photo_keeps_a_skin_colour() -> None:
    scene = paint(seed=2)
    grey = np.round(scene.photo @ [0.299, 0.587, 0.114]).astype(np.uint8)
    scene.photo = np.repeat(grey[..., None], 3, axis=2)
    image = scene.texture(grey=True).image[face_texels(scene)].astype(float)
    red, green, blue = np.median(image, axis=0)
    assert red > green + 10 > blue + 10


def test_eyes_and_teeth_come_from_the_model() -> None:
    scene = paint(seed=1)
    texture = scene.texture()
    expected = cv2.resize(
        scene.model.albedo(texture.albedo_coefficients),
        (SIZE, SIZE),
        interpolation=cv2.INTER_LINEAR,
    )
    for name in ("sclera", "iris", "teeth", "tongue"):
        where = cv2.resize(scene.model.uv_mask(name), (SIZE, SIZE)) > 0.99
        assert where.any() and texture.coverage[where].max() == 0
        if name != "iris":  # whose colour is the photo's, see below
            found = texture.image[where] / 255.0
            off = np.abs(found - srgb(expected[where]))
            assert off.max() < 0.1 and (off > 0.03).mean() < 0.01, name  # veins are finer


def test_iris_takes_the_photos_colour() -> None:
    scene = paint(seed=1)
    iris = cv2.resize(scene.model.uv_mask("iris"), (SIZE, SIZE)) > 0.95
    medians = []
    for colour in ((0.16, 0.07, 0.03), (0.06, 0.12, 0.25)):
        painted = scene.albedo.copy()
        bright = painted[iris].mean(axis=1) > 0.02  # the pupil stays black
        painted[iris] = np.where(bright[:, None], colour, painted[iris])
        other = repaint(scene, painted)
        medians.append(np.median(other.texture().image[iris], axis=0))
    brown, blue = medians
    assert brown[0] > brown[2] + 15 and blue[2] > blue[0] + 15


@pytest.mark.parametrize("hairy", [False, True])
def test_unseen_scalp_follows_what_is_seen_of_the_hair(hairy: bool) -> None:
    scene = paint(seed=4, yaw=15)
    scalp = cv2.resize(scene.model.uv_mask("scalp"), (SIZE, SIZE))[..., None]
    face = face_texels(scene)
    skin = np.median(scene.albedo[face], axis=0)
    hair = np.array([0.02, 0.012, 0.008])
    scene = repaint(scene, scene.albedo * (1 - scalp) + (hair if hairy else skin) * scalp)
    texture = scene.texture()
    unseen = (scalp[..., 0] > 0.99) & (texture.coverage < 0.02)
    found = np.median(from_srgb(texture.image[unseen] / 255.0), axis=0)
    expected = hair if hairy else skin
    assert unseen.sum() > 10_000
    np.testing.assert_allclose(np.log(found), np.log(expected), atol=0.5 if hairy else 0.3)


def test_outputs_and_refusals() -> None:
    scene = paint(seed=1, pixels=200)
    texture = scene.texture()
    assert texture.image.shape == (SIZE, SIZE, 3) and texture.image.dtype == np.uint8
    assert texture.albedo_coefficients.shape == (len(scene.model.albedo_basis),)
    assert texture.sh_light.shape == (9, 3) and texture.sh_light.dtype == np.float32
    assert texture.coverage.min() >= 0 and texture.coverage.max() <= 1 + 1e-6
    with raises(ValueError, "mode", "'both'", "albedo", "photo"):
        scene.texture(mode="both")
    scene.photo = scene.photo[..., :1]
    with raises(ValueError, "(200, 200, 1)", "uint8"):
        scene.texture()


def test_head_outside_the_photo_still_gives_a_head() -> None:
    scene = paint(seed=1, pixels=200)
    scene.translation = scene.translation + [2000.0, 0, 0]
    texture = scene.texture()
    assert texture.coverage.max() == 0 and texture.warnings
    skin = texture.image.reshape(-1, 3)[layout_of(scene.model, SIZE).texels.place]
    assert np.median(skin, axis=0)[0] > 60
