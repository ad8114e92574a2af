"""The bust: its asset, how it hangs on a head, what its pictures show, when there is none."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.assembly import bust_pictures, with_bust
from reconstruct_face.backend.errors import ModelError, OptionError
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.options import Options
from reconstruct_face.backend.exchange.reconstruction import ARRAYS, Reconstruction
from reconstruct_face.backend.geometry.fading import faded
from reconstruct_face.backend.geometry.triangles import angle_weighted_normals
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.bust import BUST_FILE, Bust, load_bust
from reconstruct_face.backend.photo.encode import decode
from reconstruct_face.backend.preview import preview_window
from reconstruct_face.backend.texture.bust import bust_normals
from reconstruct_face.backend.verify.surface import surface_of

from tests.default_head import head_of, smooth_noise
from tests.errors import raises

FLIP = np.array([-1.0, 1.0, 1.0])
ASSET = Path(BUST_FILE)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


@pytest.fixture(scope="module")
def bust(model: FaceModel) -> Bust:
    return load_bust(model)


@pytest.fixture(scope="module")
def head(model: FaceModel) -> Reconstruction:
    return with_bust(head_of(3), model)


def people(bust: Bust, count: int, sigma: float = 1.0) -> np.ndarray:
    """(count, B, 3) busts of random people."""
    draws = np.random.default_rng(8).normal(size=(count, len(bust.identity_basis))) * sigma
    return bust.mean + np.tensordot(draws, bust.identity_basis.astype(float), axes=1)


# The asset


def test_it_hangs_on_the_neck_loop_of_the_model(bust: Bust) -> None:
    with np.load(ASSET.with_name("face_model.npz"), allow_pickle=False) as model:
        assert (bust.ring == model["neck_loop"]).all()
        assert np.abs(model["mean"][bust.ring] - bust.ring_mean).max() < 1e-3
    assert ASSET.stat().st_size < 1_500_000
    assert "CC0" in ASSET.with_suffix(".md").read_text(encoding="utf-8")


def test_it_is_a_mirror_image_of_itself(bust: Bust) -> None:
    """The nape is the first of the loop: its mirror image is the loop backwards."""
    columns = len(bust.ring)
    twin = (-np.arange(columns)) % columns
    mean = bust.mean.reshape(-1, columns, 3)
    assert np.abs(mean[:, twin] * FLIP - mean).max() < 1e-3
    uv = bust.uv.reshape(-1, columns, 2)
    assert np.abs(uv[:, twin] * [-1, 1] + [1, 0] - uv).max() < 1e-5
    assert (mean[:, columns // 4, 0] > 0).all() and (uv[:, columns // 4, 0] > 0.5).all()
    with np.load(ASSET.with_name("face_model.npz"), allow_pickle=False) as model:
        sign = np.where(model["identity_symmetric"], 1.0, -1.0)
    basis = bust.identity_basis.reshape(len(sign), -1, columns, 3)
    assert np.abs(basis[:, :, twin] * FLIP - sign[:, None, None, None] * basis).max() < 0.03


def test_shoulders_are_as_broad_as_peoples(bust: Bust) -> None:
    """Adults are about 37 to 60 cm broad over the deltoid muscles; the cut is a little above."""
    breadth = np.ptp(people(bust, 2000)[..., 0], axis=1)
    low, middle, high = np.percentile(breadth, [0.5, 50, 99.5])
    assert low > 350 and high < 590 and 420 < middle < 480
    extreme = np.ptp(people(bust, 200, 2.5)[..., 0], axis=1)
    assert extreme.min() > 300 and extreme.max() < 650


def test_rows_go_down_and_no_quad_turns_over(bust: Bust, model: FaceModel) -> None:
    draws = np.random.default_rng(4).normal(size=(60, len(bust.identity_basis)))
    for identity in np.clip(1.5 * draws, -2.5, 2.5):
        points = np.r_[model.vertices(identity)[bust.ring], bust.vertices(identity)]
        corner = points[bust.polygons].astype(float)
        normal = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
        half = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        other = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 0])
        assert ((half * normal).sum(1) > 0).all() and ((other * normal).sum(1) > 0).all()
        rows = points.reshape(-1, len(bust.ring), 3)
        assert (np.diff(rows[:-2, :, 1].mean(axis=1)) < 0).all(), "the last two are the rim"


@pytest.mark.slow
def test_rebuild_is_byte_identical(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.build_bust", "-o", str(tmp_path)]
    done = subprocess.run(command, cwd=ASSET.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("bust.npz", "bust.md"):
        assert (tmp_path / name).read_bytes() == ASSET.with_name(name).read_bytes()


# On a head


def test_what_indices_mean_stays_and_the_loop_is_shared(
    head: Reconstruction, model: FaceModel, bust: Bust
) -> None:
    plain = head_of(3)
    count, quads = len(plain.vertices_neutral), len(plain.polygons)
    assert head.head_count == count == plain.head_count
    for name in ("vertices_neutral", "vertices_posed"):
        assert np.array_equal(getattr(head, name)[:count], getattr(plain, name))
    assert np.array_equal(head.polygons[:quads], plain.polygons)
    assert np.array_equal(head.uv[: len(plain.uv)], plain.uv)
    # Strands of hair find their root on the head by its place in the texture: it has to be the one.
    assert plain.uv[:, 0].max() < 1 < head.uv[len(plain.uv) :, 0].min()
    assert np.array_equal(head.faces, plain.faces), "no photo is compared with a bust"
    below = head.polygons[quads:]
    assert set(below[below < count].tolist()) == set(bust.ring.tolist())
    assert len(head.vertices_neutral) == count + len(bust.mean) == below.max() + 1
    assert [slot.kind for slot in head.materials[len(plain.materials) :]] == ["bust"]
    assert not head.expression_basis[:, count:].any(), "no expression moves it"
    assert np.array_equal(head.vertices_neutral[count:], head.vertices_posed[count:])


def test_the_seam_is_watertight(head: Reconstruction, model: FaceModel, bust: Bust) -> None:
    kinds = [slot.kind for slot in head.materials]
    skin = np.isin(head.polygon_material, [kinds.index(name) for name in ("skin", "mouth", "bust")])
    directed = Counter(
        (a, b)
        for quad in head.polygons[skin].tolist()
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True)
    )
    assert max(directed.values()) == 1, "neighbours run along an edge in opposite directions"
    open_ends = {a for a, b in directed if (b, a) not in directed}
    assert open_ends == set(
        range(len(head.vertices_neutral) - len(bust.ring), head.polygons.max() + 1)
    )


def bends(vertices: np.ndarray, polygons: np.ndarray) -> dict[tuple[int, int], float]:
    """Degrees between the two quads at every edge (a < b) that has two."""
    corner = vertices[polygons].astype(float)
    normal = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    sides: dict[tuple[int, int], list[int]] = {}
    for row, quad in enumerate(polygons.tolist()):
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            sides.setdefault((min(a, b), max(a, b)), []).append(row)
    return {
        edge: float(np.degrees(np.arccos(np.clip(normal[rows[0]] @ normal[rows[1]], -1, 1))))
        for edge, rows in sides.items()
        if len(rows) == 2
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_skin_goes_on_smoothly_over_the_seam(seed: int, model: FaceModel, bust: Bust) -> None:
    """The surface bends there no more than the neck above does at the edges around it."""
    head = with_bust(head_of(seed, mode="none"), model)
    of_neck = (model.mask("neck")[model.polygons] > 0.5).all(axis=1)
    polygons = np.r_[model.polygons[of_neck], bust.polygons_after(len(model.mean))]
    found = bends(head.vertices_neutral, polygons)
    ring = bust.ring.tolist()
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    seam = np.array([found.pop((min(a, b), max(a, b))) for a, b in pairs])
    neck = np.array([bend for (_, b), bend in found.items() if b < len(model.mean)])
    assert seam.max() < 1.2 * neck.max() and seam.mean() < 1.7 * neck.mean()


def test_files_hold_it_and_older_files_open(head: Reconstruction, tmp_path: Path) -> None:
    found = load_reconstruction(save_reconstruction(head, tmp_path / "bust.npz"))
    for name in ARRAYS:
        assert np.array_equal(getattr(found, name), getattr(head, name)), name
    assert found.materials == head.materials and found.head_count == head.head_count
    path = save_reconstruction(head_of(1), tmp_path / "plain.npz")
    with np.load(path, allow_pickle=False) as archive:
        older = {name: archive[name] for name in archive if not name.startswith("bust")}
    assert len(older) == len(ARRAYS) - 2 + 3, "without the two, with names, regions' and header"
    np.savez(path, **older)
    assert load_reconstruction(path).bust_texture.size == 0


def test_photo_and_verification_look_at_the_head_alone(
    head: Reconstruction, model: FaceModel
) -> None:
    plain = head_of(3)
    assert np.array_equal(preview_window(head), preview_window(plain))
    mine, other = (surface_of(one, np.zeros((1, 1, 3))) for one in (head, plain))
    assert np.array_equal(mine.faces, other.faces) and np.array_equal(mine.uv, other.uv)


# Pictures


def at(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(N, 3) the texels of ``image`` (S, S, 3) nearest to ``uv`` (N, 2)."""
    size = len(image)
    column = np.clip((uv[:, 0] * size).astype(int), 0, size - 1)
    row = np.clip(((1 - uv[:, 1]) * size).astype(int), 0, size - 1)
    return image[row, column].astype(float)


def rim_uv(model: FaceModel, bust: Bust) -> np.ndarray:
    """(L, 2) a place of every vertex of the ring in the head's texture."""
    return np.array([model.uv[model.uv_polygons[model.polygons == one][0]] for one in bust.ring])


@pytest.mark.parametrize("mode", ["albedo", "photo"])
def test_colour_runs_on_from_the_neck_whatever_it_is(
    mode: str, model: FaceModel, bust: Bust
) -> None:
    picture = smooth_noise(512, 2)
    made = with_bust(head_of(5, picture, mode), model)
    below = decode(made.bust_texture)
    assert below.shape == (256, 256, 3)
    inner = bust.uv[: len(bust.ring)]
    there, here = at(picture, rim_uv(model, bust)), at(below, inner)
    back = np.arange(len(bust.ring)) == 0  # on the seam of the head's layout, two colours meet
    gap = np.abs(there - here)[~back]
    assert np.ptp(there, axis=0).min() > 60, "the rim is anything but even"
    assert np.median(gap) < 4 and np.percentile(gap, 95) < 14


def test_below_it_is_plain_skin_and_no_clothes(model: FaceModel, bust: Bust) -> None:
    """A rim that is all blue ends within a hand's breadth."""
    skin = np.full((512, 512, 3), (205, 160, 140), np.uint8)
    blue = skin.copy()
    for column, row in np.round(rim_uv(model, bust) * [512, -512] + [0, 512]).astype(int):
        blue[max(row - 14, 0) : row + 14, max(column - 14, 0) : column + 14] = (30, 40, 160)
    outer = bust.uv[-len(bust.ring) :]
    plain, dressed = (
        decode(with_bust(head_of(5, one), model).bust_texture) for one in (skin, blue)
    )
    assert at(dressed, bust.uv[: len(bust.ring)])[:, 2].mean() > 120
    assert np.abs(at(dressed, outer) - at(plain, outer)).max() < 3
    assert np.abs(at(plain, outer).mean(axis=0) - (205, 160, 140)).max() < 30


def test_a_photos_light_goes_on_over_the_shoulders(model: FaceModel, bust: Bust) -> None:
    """Light from the head's left: the left shoulder's picture is brighter, the albedo's is not."""
    light = np.zeros((9, 3), np.float32)
    light[0], light[3] = 2.4, 1.2
    even = np.full((256, 256, 3), (180, 140, 120), np.uint8)
    quarter = len(bust.ring) // 4
    left, right = bust.uv.reshape(-1, len(bust.ring), 2)[-3, [quarter, -quarter]]
    for mode, least in (("photo", 1.3), ("albedo", 0.95)):
        made = with_bust(replace(head_of(6, even, mode), sh_light=light), model)
        picture = decode(made.bust_texture)
        ratio = at(picture, left[None]).sum() / at(picture, right[None]).sum()
        assert ratio > least and (mode == "photo" or ratio < 1.05)


def test_relief_is_slight_and_there_is_none_without_a_texture(model: FaceModel, bust: Bust) -> None:
    """Texels of half a millimetre, as in a texture of 1024, hold no pores."""
    picture = bust_normals(bust, 4096)
    normal = picture.astype(float) / 255 * 2 - 1
    assert picture.shape == (2048, 2048, 3)
    assert 0.005 < np.abs(normal[..., :2]).std() < 0.12 and normal[..., 2].mean() > 0.98
    assert np.ptp(bust_normals(bust, 1024).reshape(-1, 3), axis=0).max() == 0
    bare = with_bust(head_of(2, mode="none"), model)
    assert bust_pictures(bare, model) == {} and bare.bust_texture.size == 0
    assert bare.materials[-1].kind == "bust"


# Fading


def test_faded_is_the_ring_at_the_ring_and_a_gaussian_of_it_below() -> None:
    ring = np.zeros((64, 1))
    ring[10] = 1
    near, far = faded(ring, np.array([0.0, 8.0]), 1.0, 20.0)
    assert np.allclose(near, ring)
    away = (np.arange(64) - 10 + 32) % 64 - 32
    bell = np.exp(-(away**2) / (2 * 4.0**2))
    assert np.allclose(far[:, 0], bell / bell.sum() * np.exp(-((8 / 20) ** 2)), atol=1e-4)


# When there is none


def test_other_models_have_none() -> None:
    with raises(OptionError, "bust", "mine"):
        Options(bust=True, model="mine")
    assert not Options().bust


def test_a_model_that_it_was_not_made_for_is_refused(
    model: FaceModel, head: Reconstruction
) -> None:
    moved = replace(model, mean=model.mean + np.float32(1))
    fewer = replace(model, identity_basis=model.identity_basis[:5])
    for other in (moved, fewer):
        with raises(ModelError, "bust"):
            with_bust(head_of(1), other)


def test_normals_of_head_and_bust_agree_at_the_ring(head: Reconstruction, bust: Bust) -> None:
    """They are vertices of both: one normal each, outward."""
    normals = angle_weighted_normals(head.vertices_neutral.astype(float), head.polygons)[bust.ring]
    middle = head.vertices_neutral[bust.ring].mean(axis=0)
    out = head.vertices_neutral[bust.ring] - middle
    out[:, 1] = 0
    assert ((normals * out).sum(1) > 0).all()
