"""A folder whose parts lie in several tiles and over one another, with lashes and odd names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.fit.observation import State
from reconstruct_face.backend.fit.prior import Prior
from reconstruct_face.backend.fit.translated import Translation
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.harmonics import sh_basis
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.geometry.similarity import Similarity
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.completing.packing import is_laid_out, packed
from reconstruct_face.backend.model.importing.importer import import_model
from reconstruct_face.backend.model.importing.read import read_model
from reconstruct_face.backend.raster import rasterize_uv

from tests.tiled_model import IDENTITIES, SCALE, SHAPES, TURN, moved, write_tiled

SIZE = 512


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiled(tmp_path_factory.mktemp("tiles") / "FaceXModel")


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaceModel]:
    """The folder imported, as it is loaded again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path_factory.mktemp("data")))
        card = import_model([folder], "tiles")
        notes = " ".join(card.notes)
        assert "tiles" in notes and "PupilDilateLeft" in notes and "Lashes" in notes
        assert "noseSneer_L" in notes  # listed, and not there
        yield load_model("tiles", "arkit")


@pytest.mark.seconds
def test_names_are_arkits_and_pupils_are_no_expression(folder: Path) -> None:
    raw = read_model([folder])
    assert set(raw.expression_names) == set(SHAPES)
    assert set(raw.part_names) >= {"M_Face", "M_Teeth", "M_EyeLashes"}
    default = load_model()
    for k, name in enumerate(raw.expression_names):
        shape = default.expression_basis[default.expression_names.index(name)]
        expected = SCALE * shape.astype(np.float64) @ TURN.T
        found = raw.expression_basis[k, : len(shape)]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_no_part_writes_over_another(model: FaceModel) -> None:
    assert model.uv.min() >= 0 and model.uv.max() <= 1
    kinds = np.array(model.material_kinds)[model.polygon_material]
    assert set(kinds) >= {"skin", "eye", "teeth"}
    corners = model.uv[model.uv_polygons].astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    left = model.mean[model.polygons].mean(axis=1)[:, 0] > 0
    covers = {
        "skin": rasterize_uv(model.uv, model.uv_polygons[kinds == "skin"], SIZE).mask,
        "teeth": rasterize_uv(model.uv, model.uv_polygons[kinds == "teeth"], SIZE).mask,
        "left eye": rasterize_uv(model.uv, model.uv_polygons[(kinds == "eye") & left], SIZE).mask,
        "right eye": rasterize_uv(model.uv, model.uv_polygons[(kinds == "eye") & ~left], SIZE).mask,
    }
    for name, cover in covers.items():
        assert cover.any(), name
        for other, its in covers.items():
            assert name == other or not (cover & its).any(), (name, other)
    skin = kinds == "skin"
    assert area[skin].sum() < 1.05 * covers["skin"].mean(), "the face and the back of the head"
    assert covers["skin"].mean() > 0.2


@pytest.mark.slow
def test_lashes_and_what_an_eyeball_hides_are_not_shown(model: FaceModel) -> None:
    default = load_model()
    shown = np.unique(model.polygons)
    assert shown.max() < len(default.mean), "lashes and the inner eyeball come after the head"
    assert len(model.mean) > len(default.mean), "their vertices are kept"
    centres = moved(default.eye_centers)
    np.testing.assert_allclose(model.eye_centers, centres, atol=0.3)
    assert model.eye_radius == pytest.approx(SCALE * default.eye_radius, rel=0.05)


@pytest.mark.slow
def test_eyes_have_irises_and_teeth_are_light(model: FaceModel) -> None:
    kinds = np.array(model.material_kinds)[model.polygon_material]
    eye = rasterize_uv(model.uv, model.uv_polygons[kinds == "eye"], SIZE).mask
    iris = model.uv_mask("iris") > 0.9
    assert iris.any() and not (iris & ~eye).any()
    white = (model.uv_mask("sclera") > 0.9) & ~iris
    assert model.albedo_mean[iris].mean() < 0.4 * model.albedo_mean[white].mean()
    teeth = rasterize_uv(model.uv, model.uv_polygons[kinds == "teeth"], SIZE).mask
    skin = rasterize_uv(model.uv, model.uv_polygons[kinds == "skin"], SIZE).mask
    assert model.albedo_mean[teeth].mean() > 1.5 * model.albedo_mean[skin].mean()
    assert (model.albedo_basis[:, teeth] == 0).all()
    assert (model.uv_mask("skin")[teeth] == 0).all()


@pytest.mark.slow
def test_its_own_shapes_are_kept_and_the_rest_transferred(folder: Path, model: FaceModel) -> None:
    raw = read_model([folder])
    assert len(model.expression_names) == 52
    for k, name in enumerate(raw.expression_names):
        mine = model.expression_basis[model.expression_names.index(name)]
        np.testing.assert_array_equal(mine, raw.expression_basis[k])
    frown = model.expression_basis[model.expression_names.index("mouthFrownLeft")]
    assert np.abs(frown).max() > 2


@pytest.mark.slow
def test_few_identities_are_followed_by_the_defaults(folder: Path, model: FaceModel) -> None:
    default = load_model()
    raw = read_model([folder])
    assert len(model.identity_basis) == IDENTITIES + len(default.identity_basis)
    np.testing.assert_array_equal(model.identity_basis[:IDENTITIES], raw.identity_basis)
    # What its own two modes say is not said again: they are the default's first two.
    face = np.flatnonzero(model.mask("face") > 0.9)
    size = np.sqrt((model.identity_basis[:, face].astype(np.float64) ** 2).mean(axis=(1, 2)))
    assert size[IDENTITIES : 2 * IDENTITIES].max() < 0.35 * size[:IDENTITIES].min()
    # The others are the default's, in the axes of the mesh.
    ids = face[face < len(default.mean)]
    for k in (5, 20, 60):
        truth = SCALE * default.identity_basis[k, ids].astype(np.float64) @ TURN.T
        error = model.identity_basis[IDENTITIES + k, ids] - truth
        assert np.sqrt((error**2).mean()) < 0.4 * np.sqrt((truth**2).mean()), k


@pytest.mark.slow
def test_what_the_network_says_is_said_in_the_models_own_terms(model: FaceModel) -> None:
    """The same surface before the same camera, lit alike."""
    default, rng = load_model(), np.random.default_rng(4)
    identity = rng.normal(size=len(default.identity_basis))
    expression = np.zeros(len(default.expression_basis))
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp"):
        expression[default.expression_names.index(name)] = 0.5
    light = rng.normal(size=(9, 3))
    camera = Camera(intrinsics(900.0, (640, 480)), FACING, np.array([5.0, -8.0, 900.0]))
    told = Prior(
        identity,
        np.full(len(identity), 40.0),
        expression,
        np.full(len(expression), 250.0),
        np.zeros(16),
        np.ones(16),
    )
    translation = Translation.to(model)
    assert translation is not None and Translation.to(default) is None
    start = State(camera, identity, expression, np.zeros(16), light)
    state, prior = translation.translate(start, told)
    ids = np.flatnonzero(default.mask("face") > 0.9)  # the mesh's first vertices are the default's
    seen = state.camera.project(model.vertices(state.identity, state.expression)[ids])
    wanted = camera.project(default.vertices(identity, expression)[ids])
    assert np.sqrt(((seen - wanted) ** 2).sum(axis=1).mean()) < 0.8  # mm and pixels alike here
    # With the model's own prior, as the fit has it, the prior means the same head.
    prior = prior.pooled(Prior.of_model(model), 0.6)
    mean = model.vertices(prior.identity, prior.expression)[ids]
    truth = default.vertices(identity, expression)[ids]
    apart = Similarity.between(truth, mean).apply(truth) - mean  # pose and size are the camera's
    assert np.sqrt((apart**2).sum(axis=1).mean()) < 1.0
    names = model.expression_names
    assert state.expression[names.index("jawOpen")] == pytest.approx(0.5, abs=0.1)
    normals = rng.normal(size=(20, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert state.sh_light is not None
    turn = state.camera.rotation.T @ camera.rotation
    np.testing.assert_allclose(
        sh_basis(normals @ turn.T) @ state.sh_light, sh_basis(normals) @ light, atol=1e-6
    )


def _square(low: tuple[float, float], side: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Four texture coordinates and two triangles."""
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]) * side + low
    return uv, np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def _flat(uv: np.ndarray) -> np.ndarray:
    return np.c_[100 * uv, np.zeros(len(uv))]


def test_a_layout_without_overlaps_is_left_as_it_is() -> None:
    (a, faces), (b, _) = _square((0.0, 0.0), 0.4), _square((0.5, 0.5), 0.4)
    uv, corners = np.concatenate([a, b]), np.concatenate([faces, faces + 4])
    kinds = np.array(["skin", "skin", "eye", "eye"])
    assert packed(uv, corners, _flat(uv), corners, kinds, 0) is None
    assert is_laid_out(uv, corners)


@pytest.mark.parametrize("low", [(0.0, 0.0), (0.1, 0.0), (3.0, 0.0), (-2.0, 7.0)])
def test_overlaps_and_tiles_are_moved_apart(low: tuple[float, float]) -> None:
    (a, faces), (b, _) = _square((0.0, 0.0), 0.9), _square(low, 0.8)
    uv, corners = np.concatenate([a, b]), np.concatenate([faces, faces + 4])
    kinds = np.array(["skin", "skin", "eye", "eye"])
    got = packed(uv, corners, _flat(uv), corners, kinds, 0)
    assert got is not None
    moved_uv, places = got
    assert moved_uv.min() >= 0 and moved_uv.max() <= 1
    first, second = (rasterize_uv(moved_uv, places[k : k + 2], 256).mask for k in (0, 2))
    assert first.sum() > 5000 and second.sum() > 2000 and not (first & second).any()


def test_a_sheet_folded_over_itself_is_no_layout() -> None:
    x = np.array([0, 0.5, 1.0, 0.5, 0.0])  # there and back
    uv = np.concatenate([np.c_[x, np.zeros(5)], np.c_[x, np.ones(5)]])
    corners = np.array(
        [[k, k + 1, k + 6] for k in range(4)] + [[k, k + 6, k + 5] for k in range(4)]
    )
    assert not is_laid_out(uv, corners.astype(np.int32))
