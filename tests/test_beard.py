"""Beards as strands: of whom the photo shows one, and of nobody else."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.geometry.harmonics import shade
from reconstruct_face.backend.geometry.srgb import SRGB_TO_LINEAR, encode_bytes
from reconstruct_face.backend.geometry.triangles import unit, vertex_normals
from reconstruct_face.backend.hair import Strands, make_beard
from reconstruct_face.backend.hair.strands import lengths
from reconstruct_face.backend.model import DEFAULT_MODEL, FaceModel, load_model
from reconstruct_face.backend.raster import interpolate, rasterize
from reconstruct_face.backend.raster.atlas import texel_coordinates
from reconstruct_face.backend.texture import Shot
from reconstruct_face.backend.texture.layout import layout_of, sample

from tests.test_hair import CAMERA, SIZE, crossings

pytestmark = pytest.mark.seconds
SKIN = np.array([0.45, 0.24, 0.17])  # linear
STUBBLE = np.array([0.19, 0.13, 0.105])
#: From above and before: grey, and a first order that shades what faces down.
LIGHT = np.zeros((9, 3), np.float32)
LIGHT[0] = 0.9 / 0.282095
LIGHT[1] = 0.25 / 0.488603


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model(DEFAULT_MODEL, "native")


def shot(model: FaceModel, albedo: np.ndarray, where: np.ndarray | None = None) -> Shot:
    """The mean head in a photo under :data:`LIGHT`, of :data:`SKIN`, but of ``albedo`` (3,) where
    the model has beards, or ``where`` (V,) says."""
    size = (SIZE, SIZE)
    raster = rasterize(CAMERA.to_camera(model.mean), model.faces, CAMERA.camera_matrix, size)
    share = (model.mask("beard") if where is None else where)[:, None]
    normals = vertex_normals(model.mean, model.faces)
    colour = SKIN * (1 - share) + albedo * share
    values = np.concatenate([colour, normals], axis=1).astype(np.float32)
    drawn = interpolate(raster, model.faces, values)
    lit = drawn[..., :3] * np.maximum(shade(unit(drawn[..., 3:].reshape(-1, 3)), LIGHT), 0).reshape(
        SIZE, SIZE, 3
    )
    noise = np.random.default_rng(1).normal(0, 3, lit.shape)
    photo = np.where(raster.mask[..., None], encode_bytes(lit), 120)
    pixels = np.clip(photo + noise, 0, 255).astype(np.uint8)
    return Shot(
        pixels, model.mean, CAMERA.camera_matrix, CAMERA.rotation, CAMERA.translation,
        vertices_neutral=model.mean,
    )  # fmt: skip


def made(model: FaceModel, seen: Shot) -> Strands | None:
    return make_beard(model, layout_of(model, 512), seen, LIGHT)


@pytest.fixture(scope="module")
def beard(model: FaceModel) -> Strands:
    strands = made(model, shot(model, STUBBLE))
    assert strands is not None
    return strands


def test_a_beard_is_rooted_where_beards_grow(model: FaceModel, beard: Strands) -> None:
    size = 512
    at = texel_coordinates(beard.root_uv(model.uv, model.uv_faces), size).astype(np.float32)
    mask = cv2.dilate(cv2.resize(model.uv_mask("beard"), (size, size)), np.ones((9, 9)))
    assert (sample(mask, at) > 0.2).mean() > 0.99
    assert 1500 < len(beard) < 8000
    # On both sides, on the chin and under the nose.
    x, y, _ = beard.points[:, 0].T
    marks = model.mean[model.landmarks68]
    assert (x < 0).mean() == pytest.approx(0.5, abs=0.05)
    for low, high in ((marks[8, 1], marks[57, 1]), (marks[51, 1], marks[33, 1])):
        assert ((np.abs(x) < 20) & (y > low) & (y < high)).sum() > 60


def test_it_grows_out_of_the_skin_and_down(model: FaceModel, beard: Strands) -> None:
    assert crossings(model, beard) == 0
    way = beard.points[:, -1] - beard.points[:, 0]
    assert (way[:, 1] < 0).mean() > 0.8
    assert 1 < np.median(lengths(beard.points)) < 8 and lengths(beard.points).max() < 16
    corners = model.faces[beard.root_triangle]
    normals = vertex_normals(model.mean, model.faces)[corners]
    normals = (normals * beard.root_weights[..., None]).sum(axis=1)
    assert ((way * normals).sum(axis=1) > 0).mean() > 0.95


def test_it_is_darker_than_what_it_grows_on(beard: Strands) -> None:
    red, green, blue = np.median(beard.colour, axis=(0, 1))
    assert 0.01 < blue <= green <= red < STUBBLE[0]


def test_where_the_light_is_kept_it_is_in_the_beard(model: FaceModel, beard: Strands) -> None:
    seen = shot(model, STUBBLE)
    doubled = make_beard(model, layout_of(model, 512), seen, 2 * LIGHT)
    lit = [make_beard(model, layout_of(model, 512), seen, n * LIGHT, lit=True) for n in (1, 2)]
    assert doubled is not None and lit[0] is not None and lit[1] is not None
    # In twice the light what looks the same is half as bright; as it looks it is the same.
    assert np.median(doubled.colour) < 0.7 * np.median(beard.colour)
    assert np.allclose(lit[0].colour, lit[1].colour, rtol=1e-3)
    # The jaw faces down, out of the light.
    assert 0.5 < np.median(lit[0].colour) / np.median(beard.colour) < 0.95


def test_skin_alone_and_shadow_grow_none(model: FaceModel) -> None:
    assert made(model, shot(model, SKIN)) is None
    # As dark as stubble, but as red as skin; redder; and a lamp from above that is not known.
    assert made(model, shot(model, 0.5 * SKIN)) is None
    assert made(model, shot(model, SKIN * [0.6, 0.45, 0.4])) is None
    seen = shot(model, SKIN)
    lower = np.linspace(1, 0.4, SIZE)[:, None, None]
    dim = encode_bytes(SRGB_TO_LINEAR[seen.pixels] * lower)
    assert made(model, dataclasses.replace(seen, pixels=dim)) is None


def test_one_place_alone_is_no_beard(model: FaceModel) -> None:
    x, y, _ = model.mean.T
    marks = model.mean[model.landmarks68]
    mask = model.mask("beard")
    # A microphone before the chin, a shadow on one side.
    for part in ((np.abs(x) < 20) & (y < marks[57, 1]), x < -20):
        assert made(model, shot(model, STUBBLE, mask * part)) is None


def test_what_is_covered_or_grey_tells_of_no_beard(model: FaceModel) -> None:
    seen = shot(model, STUBBLE)
    row = round(float(CAMERA.project(model.mean[model.landmarks68[[33]]].astype(float))[0, 1]))
    covered = np.arange(SIZE)[:, None].repeat(SIZE, axis=1) > row
    assert made(model, dataclasses.replace(seen, covered=covered)) is None
    grey = cv2.cvtColor(cv2.cvtColor(seen.pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert made(model, dataclasses.replace(seen, pixels=grey)) is None


def test_models_that_name_no_beard_have_none(model: FaceModel) -> None:
    at = model.mask_names.index("beard")
    names = tuple(name for name in model.mask_names if name != "beard")
    nameless = dataclasses.replace(
        model,
        mask_names=names,
        vertex_masks=np.delete(model.vertex_masks, at, axis=0),
        uv_masks=np.delete(model.uv_masks, at, axis=0),
    )
    assert make_beard(nameless, layout_of(model, 512), shot(model, STUBBLE), LIGHT) is None
