"""Pictures by the batch in torch, against those drawn one by one with rays, and OpenCV."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from reconstruct_face.backend.differentiable import EmbreeRasterizer
from reconstruct_face.backend.differentiable.torch_rasterizer import (
    TorchRasterizer,
    rasterize_meshes,
)
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.network.layout import Layout
from reconstruct_face.backend.training.synthetic.background import sample_background
from reconstruct_face.backend.training.synthetic.batch.develop import Developer, pack_developments
from reconstruct_face.backend.training.synthetic.batch.draw import Painter
from reconstruct_face.backend.training.synthetic.batch.jpeg import jpeg
from reconstruct_face.backend.training.synthetic.batch.pack import Scenes, pack_scenes
from reconstruct_face.backend.training.synthetic.batch.transport import unwrap, wrap
from reconstruct_face.backend.training.synthetic.develop import developed, sample_development
from reconstruct_face.backend.training.synthetic.picture import compose
from reconstruct_face.backend.training.synthetic.scene import Scene, sample_scene
from scipy.spatial.transform import Rotation

from tests.errors import raises

SIZE = 96
MODEL = load_model()


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """With lenses, lamps and hair among them, two pictures each."""
    return [sample_scene(MODEL, SIZE, 2, np.random.default_rng([3, i])) for i in range(16)]


@pytest.fixture(scope="module")
def packed(scenes: list[Scene]) -> Scenes:
    return pack_scenes(scenes)


def drawn(packed: Scenes, *, shadows: bool) -> np.ndarray:
    """(32, S, S, 3) linear light; all lamps cast shadows or none does."""
    shots = packed.shots._replace(shadows=torch.full_like(packed.shots.shadows, shadows))
    linear = Painter(MODEL, SIZE, "cpu").linear(packed._replace(shots=shots))
    return linear.permute(0, 2, 3, 1).numpy()


def composed(scenes: list[Scene], *, shadows: bool) -> np.ndarray:
    """The same by :func:`compose`, before the backgrounds that :class:`Painter` deals out."""
    pictures = []
    for number in range(2):
        for i, scene in enumerate(scenes):
            scene = replace(scene, background=scenes[i - number].background)
            shot = replace(scene.shots[number], shadows=shadows)
            pictures.append(compose(MODEL, scene, shot, np.random.default_rng(1)))
    return np.stack(pictures)


# --- triangles ------------------------------------------------------------------------------------


def test_a_triangle_by_hand() -> None:
    """Two crossing triangles in 4 x 3 pixels: inside by half planes, nearer by ray and plane."""
    points = np.array(
        [[-3, -2, 8], [9, -2, 8], [-3, 9, 8], [-1, -1, 4], [2, -1, 12], [2, 30, 12.0]], float
    )
    matrix = np.array([[5, 0, 1.3], [0, 5, 0.7], [0, 0, 1.0]])
    seen = torch.tensor(points @ matrix.T, dtype=torch.float32)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    found = rasterize_meshes(seen, faces, torch.zeros(2, dtype=torch.int64), 1, (4, 3), cull=False)
    for y in range(3):
        for x in range(4):
            ray = np.linalg.solve(matrix, [x, y, 1])
            best, nearest = -1, np.inf
            for number, face in enumerate(faces.numpy()):
                weights = np.linalg.solve(points[face].T, ray)  # ray = sum of weights * corners
                depth = 1 / weights.sum()
                if (weights >= 0).all() and depth < nearest:
                    best, nearest, barycentric = number, depth, weights * depth
            assert found.face_id[0, y, x] == best
            if best >= 0:
                assert np.allclose(found.barycentric[0, y, x], barycentric, atol=1e-4)


@pytest.mark.parametrize("size", [(112, 112), (224, 160)])
def test_torch_sees_what_embree_sees(size: tuple[int, int]) -> None:
    vertices, matrices = [], []
    for yaw, roll in ((0, 0), (35, 20), (-80, -10)):
        turn = FACING @ Rotation.from_euler("yxz", [yaw, 10, roll], degrees=True).as_matrix()
        vertices.append(MODEL.mean @ turn.T + [5, -3, 600])
        focal = 2.2 * size[1]
        matrices.append([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    given = (
        torch.tensor(np.stack(vertices), dtype=torch.float32),
        torch.tensor(np.asarray(MODEL.faces, np.int64)),
        torch.tensor(matrices),
        size,
    )
    rays, boxes = EmbreeRasterizer().rasterize(*given), TorchRasterizer().rasterize(*given)
    assert (rays.face_id >= 0).float().mean() > 0.3
    same = rays.face_id == boxes.face_id
    assert same.float().mean() > 0.9995  # the rest lies on an edge
    assert (rays.barycentric - boxes.barycentric)[same].abs().max() < 1e-3


def test_what_comes_too_near_is_left_out() -> None:
    """Triangles behind the camera or through its plane, and none at all."""
    seen = torch.tensor([[0, 0, -5.0], [40, 0, 5], [0, 40, 5], [0, 0, 5], [900, 0, 5], [0, 900, 5]])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    one = torch.zeros(2, dtype=torch.int64)
    found = rasterize_meshes(seen, faces, one, 1, (3, 3), cull=False)
    assert (found.face_id == 1).all()
    none = rasterize_meshes(seen, faces[:1], one[:1], 1, (3, 3), cull=False)
    assert (none.face_id == -1).all() and (none.barycentric == 0).all()


# --- pictures -------------------------------------------------------------------------------------


def test_without_shadows_both_ways_draw_the_same(scenes: list[Scene], packed: Scenes) -> None:
    """Heads, hair, lenses, light and backgrounds, but for pixels on an edge."""
    assert (packed.looks[:, 6] < 1).any()
    off = np.abs(drawn(packed, shadows=False) - composed(scenes, shadows=False)).max(axis=-1)
    assert off.mean() < 1e-3 and (off > 0.02).mean() < 1e-3


def test_depth_maps_cast_the_shadows_that_rays_do(scenes: list[Scene], packed: Scenes) -> None:
    """Both smooth them; they agree where no lamp's edge is, and better than no shadows would."""
    ours, rays = drawn(packed, shadows=True), composed(scenes, shadows=True)
    off = np.abs(ours - rays).max(axis=-1)
    without = np.abs(drawn(packed, shadows=False) - rays).max(axis=-1)
    assert off.mean() < 0.4 * without.mean()
    assert (off > 0.05).mean() < 0.03


def test_labels_and_order(scenes: list[Scene], packed: Scenes) -> None:
    images, labels, jaw = Painter(MODEL, SIZE, "cpu").pictures(packed, torch.Generator())
    assert images.shape == (32, SIZE, SIZE, 3) and images.dtype == torch.uint8
    assert labels.shape == (32, Layout.of(MODEL).label_size)
    for place, (number, scene) in ((3, (0, 3)), (21, (1, 5))):
        shot = scenes[scene].shots[number]
        assert np.array_equal(labels[place], shot.label)
        assert np.array_equal(jaw[place], shot.view.jaw)


def test_on_the_way_nothing_changes(packed: Scenes) -> None:
    parcel = wrap(packed)
    assert parcel.data.dtype == torch.uint8 and parcel.data.dim() == 1
    there = unwrap(parcel._replace(data=parcel.data.clone()))
    for name in Scenes._fields[:-1]:
        assert torch.equal(getattr(there, name), getattr(packed, name)), name
    for name in packed.shots._fields[:-1]:
        assert torch.equal(getattr(there.shots, name), getattr(packed.shots, name)), name
    for name, ours, theirs in zip(
        packed.shots.how._fields, packed.shots.how, there.shots.how, strict=True
    ):
        assert torch.equal(ours, theirs), name


# --- lens, sensor, camera and file ----------------------------------------------------------------


def test_development_is_that_of_one_picture() -> None:
    """All but the noise, whose numbers are others, and the file, tested below."""
    rng = np.random.default_rng(0)
    hows = [replace(sample_development(SIZE, rng), noise=0.0, quality=0) for _ in range(120)]
    assert any(how.streak[0] for how in hows) and any(how.sepia for how in hows)
    assert any(how.small < SIZE for how in hows) and any(how.vignette[2] for how in hows)
    scenes = np.stack([sample_background(SIZE, rng) for _ in hows])
    one = [
        developed(scene, how, np.random.default_rng(0))
        for scene, how in zip(scenes, hows, strict=True)
    ]
    many = Developer(SIZE, "cpu")(
        torch.from_numpy(scenes).permute(0, 3, 1, 2), pack_developments(hows), torch.Generator()
    )
    off = np.abs(np.stack(one).astype(int) - many.permute(0, 2, 3, 1).numpy())
    assert off.mean() < 0.2
    assert off[:, 8:-8, 8:-8].max() <= 3  # blur differs at the border


def test_noise_is_as_strong_as_that_of_one_picture() -> None:
    rng = np.random.default_rng(4)
    plain = replace(
        sample_development(SIZE, rng),
        **{"blur": 0.0, "streak": (0.0, 0.0), "small": SIZE, "quality": 0, "noise": 0.03},
        **{"saturation": 1.0, "sepia": False, "vignette": (0.0, 0.0, 0.0)},
    )
    kinds = [(SIZE, False), (SIZE, True), (SIZE // 2, False), (SIZE // 2, True)]
    hows = [replace(plain, noise_cells=cells, noise_grey=grey) for cells, grey in kinds]
    light = np.full((SIZE, SIZE, 3), 0.3, np.float32)
    many = Developer(SIZE, "cpu")(
        torch.full((4, 3, SIZE, SIZE), 0.3), pack_developments(hows), torch.Generator()
    )
    for how, image in zip(hows, many.permute(0, 2, 3, 1).float().numpy(), strict=True):
        one = developed(light, how, rng).astype(float)
        for spread in (
            np.std,
            lambda x: np.std(x.mean(axis=-1)),
            lambda x: np.diff(x, axis=0).std(),
        ):
            assert spread(image) == pytest.approx(spread(one), rel=0.1)


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_jpeg_is_opencvs(quality: int) -> None:
    """Coloured noise over shapes, which every frequency is in; and a grey picture stays grey."""
    rng = np.random.default_rng(quality)
    image = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((12, 12, 1)))
    image = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    grey = np.repeat(image[..., :1], 3, axis=2)
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    given = torch.from_numpy(np.stack([image, grey])).permute(0, 3, 1, 2).float()
    found = jpeg(given, torch.tensor([quality, quality]).float()).permute(0, 2, 3, 1).numpy()
    off = np.abs(found[0] - expected)
    lost = np.abs(image.astype(int) - expected)
    assert off.mean() < 0.15 * lost.mean() + 0.1
    assert np.array_equal(found[1][..., 0], found[1][..., 2])


def test_jpeg_of_odd_sizes() -> None:
    with raises(ValueError, "(40, 40)", 16):
        jpeg(torch.zeros(1, 3, 40, 40), torch.tensor([50.0]))
