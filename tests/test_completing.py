"""What imported models lack, made from the default: against what is known of made-up ones."""

from __future__ import annotations

from dataclasses import replace

import igl
import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.completing import CompletedModel, ExpressionMapping, complete
from reconstruct_face.backend.model.completing.correspondence import Correspondence, correspond
from reconstruct_face.backend.model.completing.mouth import mouth_triangles
from reconstruct_face.backend.model.completing.template import Template, default_template
from reconstruct_face.backend.model.completing.transfer import transfer
from reconstruct_face.backend.model.importing import RawModel
from scipy.optimize import nnls

from tests.errors import raises
from tests.synthetic_face import SyntheticFace, synthetic_face

pytestmark = pytest.mark.seconds

VERTICES = 9000  #: about 2.5 mm apart


def turned(degrees: float) -> NDArray[np.float64]:
    """About x: the head nods."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def raw_of(face: SyntheticFace, mean: NDArray, matrix: NDArray, marks: bool) -> RawModel:
    """As a reader gives it, without texture coordinates and symmetry; ``matrix`` turns modes."""
    count = len(face.expression)
    return RawModel(
        kind="made up",
        mean=mean,
        triangles=face.triangles,
        identity_basis=(face.identity @ matrix.T).astype(np.float32),
        identity_scale=np.ones(len(face.identity)),
        expression_basis=(face.expression @ matrix.T).astype(np.float32),
        expression_scale=np.ones(count),
        expression_names=tuple(f"expression{k:02d}" for k in range(count)),
        expression_range=np.tile(np.array([-3, 3], np.float32), (count, 1)),
        albedo_mean=face.albedo,
        albedo_basis=face.albedo_basis,
        landmarks68=face.landmarks68 if marks else None,
    )


@pytest.fixture(scope="module")
def face() -> SyntheticFace:
    return synthetic_face(VERTICES, identity=20, expressions=30, albedo=6)


@pytest.fixture(scope="module")
def other(face: SyntheticFace) -> tuple[NDArray, NDArray]:
    """Another person, bent in a way that no mode does, nodding, smaller, off the origin."""
    rng = np.random.default_rng(11)
    mean = face.mean + np.tensordot(rng.normal(size=20), face.identity, 1)
    for _ in range(3):
        wave = np.sin(mean @ (rng.normal(size=3) / 60) + rng.uniform(0, 6))
        mean = mean + wave[:, None] * rng.normal(size=3)
    matrix = 0.94 * turned(9)
    return mean @ matrix.T + [12, -30, 44], matrix


@pytest.fixture(scope="module")
def without(face: SyntheticFace, other: tuple[NDArray, NDArray]) -> CompletedModel:
    """Completed without known landmarks."""
    return complete(raw_of(face, *other, marks=False))


def test_landmarks_are_found_without_any(
    face: SyntheticFace, other: tuple[NDArray, NDArray], without: CompletedModel
) -> None:
    truth = other[0][face.landmarks68]
    model = without.model
    corners = model.mean[model.landmarks68_triangles].astype(np.float64)
    found = np.einsum("lk,lkd->ld", model.landmarks68_barycentric, corners)
    error = np.linalg.norm(found - truth, axis=1)
    # The truth is a vertex, on average 0.6 mm off the exact point on this mesh.
    assert error[17:].mean() < 1.5 and error.mean() < 1.7 and error.max() < 5, error
    nearest = np.linalg.norm(model.mean[model.landmarks68] - found, axis=1)
    assert nearest.max() < 4
    strip = model.contour_candidates
    assert ((strip >= 0).sum(axis=1) > 5).all()
    assert "registration" in " ".join(without.notes)
    assert without.figures["registration_mm"] < 0.8


def test_counterparts_are_the_same_places(
    face: SyntheticFace, other: tuple[NDArray, NDArray], without: CompletedModel
) -> None:
    """The made-up face is the default's, refined: where its vertices come from is known."""
    extras = without.extras
    default = load_model().mean.astype(np.float64)
    corners = default[extras["default_triangle"]]
    place = np.einsum("nk,nkd->nd", extras["default_weights"], corners)
    error = np.linalg.norm(place - face.mean, axis=1)
    eyes = np.linalg.norm(face.mean[:, None] - load_model().eye_centers, axis=2).min(axis=1)
    # Behind the lids, where nothing is seen, its folds are matched with others.
    front = (face.mean[:, 2] > 40) & (eyes > 20)
    assert extras["default_belief"][front].mean() > 0.95
    assert np.median(error[front]) < 1.0 and np.quantile(error[front], 0.95) < 3.0


def test_everything_a_face_model_holds_is_there(without: CompletedModel) -> None:
    model = without.model
    count = len(model.mean)
    assert model.polygons.max() < count and model.uv_polygons.max() < len(model.uv)
    assert model.polygons.shape == model.uv_polygons.shape
    assert model.material_kinds == ("skin", "mouth")
    assert model.albedo_mean.shape == (512, 512, 3) and model.albedo_basis.shape[0] == 6
    assert model.mask_names == load_model().mask_names
    nose = model.mean[model.mask("nose") > 0.5].mean(axis=0)
    assert np.linalg.norm(nose - model.mean[model.landmarks68[30]]) < 25
    lids = model.mean[model.landmarks68[36:48]].reshape(2, 6, 3).mean(axis=1)
    gap = np.linalg.norm(lids - model.eye_centers, axis=1)
    assert (gap < model.eye_radius + 3).all()
    assert len(model.edges) == len(igl.edges(model.polygons.astype(np.int64)))


def test_symmetry_finds_the_mirror_vertex(
    face: SyntheticFace, other: tuple[NDArray, NDArray]
) -> None:
    raw = raw_of(face, other[0], other[1], marks=True)
    mean = face.mean @ turned(9).T + [7, 0, 0]  # symmetric, its plane beside the origin
    model = complete(replace(raw, mean=mean, albedo_basis=None)).model
    image = (mean - [7, 0, 0]) * [-1, 1, 1] + [7, 0, 0]
    gap = np.linalg.norm(mean[model.symmetry] - image, axis=1)
    assert np.median(gap) < 0.7 and np.quantile(gap, 0.95) < 2.5


def test_texture_coordinates_neither_fold_nor_tear(without: CompletedModel) -> None:
    model = without.model
    a, b, c = (model.uv[model.uv_polygons[:, k]].astype(np.float64) for k in range(3))
    area = np.cross(b - a, c - a)
    own = len(model.polygons) - len(_sheet(without))
    assert (area[:own] > 0).all(), "triangles are turned over"
    assert model.uv.min() >= 0 and model.uv.max() <= 1
    p, q, r = (model.mean[model.polygons[:own, k]].astype(np.float64) for k in range(3))
    size = np.linalg.norm(np.cross(q - p, r - p), axis=1)
    ratio = area[:own] / size / (area[:own].sum() / size.sum())
    assert np.quantile(ratio, 0.05) > 0.3 and np.quantile(ratio, 0.95) < 3


def _sheet(completed: CompletedModel) -> NDArray:
    model = completed.model
    found = mouth_triangles(
        model.mean.astype(np.float64), model.polygons[: _open(model.polygons)], model.landmarks68
    )
    assert found is not None
    return found


def _open(polygons: NDArray) -> int:
    """How many polygons there are before the mouth's sheet."""
    return len(synthetic_face(VERTICES, identity=20, expressions=30, albedo=6).triangles)


def test_the_mouth_is_closed_in_the_direction_of_its_lips(without: CompletedModel) -> None:
    faces = without.model.polygons
    before = igl.boundary_loop_all(faces[: _open(faces)].astype(np.int64))
    after = igl.boundary_loop_all(faces.astype(np.int64))
    assert len(after) == len(before) - 1
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
    assert len(np.unique(ends, axis=0)) == len(ends), "two triangles run along an edge alike"


def test_textures_have_the_vertices_colours(face: SyntheticFace, without: CompletedModel) -> None:
    model = without.model
    cheek = np.flatnonzero((model.mask("face") > 0.9) & (model.mask("lips") < 0.1))[::50]
    place = np.zeros(len(model.mean), np.int32)
    place[model.polygons.ravel()] = model.uv_polygons.ravel()
    uv = model.uv[place[cheek]].astype(np.float64)
    column = (uv[:, 0] * 512).astype(int)
    row = ((1 - uv[:, 1]) * 512).astype(int)
    colour = face.albedo[cheek]
    # IEC 61966-2-1
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    assert np.abs(model.albedo_mean[row, column] - linear).mean() < 0.02
    slope = np.where(colour <= 0.04045, 1 / 12.92, 2.4 / 1.055 * ((colour + 0.055) / 1.055) ** 1.4)
    expected = face.albedo_basis[0][cheek] * slope
    got = model.albedo_basis[0][row, column]
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.97


def test_a_ball_is_no_head(face: SyntheticFace, other: tuple[NDArray, NDArray]) -> None:
    raw = raw_of(face, *other, marks=False)
    points = face.mean - face.mean.mean(axis=0)
    ball = 40 * points / np.linalg.norm(points, axis=1, keepdims=True)
    with raises(ModelError, "head"):
        complete(replace(raw, mean=ball))


# -- deformation transfer


@pytest.fixture(scope="module")
def identical() -> tuple[Template, Correspondence, NDArray, NDArray]:
    """The default's skin as a mesh of its own with every triangle in four, turned and enlarged."""
    template = default_template()
    matrix = 1.3 * turned(25)
    mean, triangles = igl.upsample(template.mean, template.triangles.astype(np.int64), 1)
    used, local = np.unique(triangles, return_inverse=True)
    moved = np.asarray(mean)[used] @ matrix.T + [5, 6, 7]
    local = local.reshape(-1, 3).astype(np.int32)
    registered = template.mean @ matrix.T + [5, 6, 7]
    return template, correspond(template, registered, moved, local), moved, local


SHAPES = ("jawOpen", "mouthSmileLeft", "eyeBlinkRight", "browInnerUp", "mouthPucker")


def test_the_default_on_itself_gives_its_own_shapes_back(
    identical: tuple[Template, Correspondence, NDArray, NDArray],
) -> None:
    template, match, mean, triangles = identical
    chosen = template.arkit[[template.arkit_names.index(name) for name in SHAPES]]
    matrix = 1.3 * turned(25)
    got = transfer(match, matrix, mean, triangles, chosen)
    # Independent: the same upsampling of the moved vertices themselves.
    used = np.unique(igl.upsample(template.mean, template.triangles.astype(np.int64), 1)[1])
    for name, shape, found in zip(SHAPES, chosen, got, strict=True):
        whole = igl.upsample(template.mean + shape, template.triangles.astype(np.int64), 1)[0]
        rest = igl.upsample(template.mean, template.triangles.astype(np.int64), 1)[0]
        truth = (np.asarray(whole) - np.asarray(rest))[used] @ matrix.T
        error = np.linalg.norm(found - truth, axis=1)
        size = np.linalg.norm(truth, axis=1)
        assert np.sqrt((error**2).mean()) < 0.08 * np.sqrt((size**2).mean()), name
        assert np.quantile(error, 0.99) < 0.25 * size.max(), name
        still = size < 1e-6
        assert np.abs(found[still]).max() < 0.05 * size.max(), name


def test_a_finer_mesh_does_not_show_the_facets_of_the_default() -> None:
    """The displacement bends less than the default's own, carried over triangle by triangle."""
    template = default_template()
    shape = template.arkit[template.arkit_names.index("mouthSmileLeft")]
    coarse = template.triangles.astype(np.int64)
    mean, triangles = igl.upsample(template.mean, coarse, 2)
    used, local = np.unique(triangles, return_inverse=True)
    mean, local = np.asarray(mean)[used], local.reshape(-1, 3).astype(np.int32)
    match = correspond(template, template.mean, mean, local)
    found = transfer(match, np.eye(3), mean, local, shape[None])[0]
    faceted = np.asarray(igl.upsample(template.mean + shape, coarse, 2)[0])[used] - mean
    laplacian = igl.cotmatrix(mean, local.astype(np.int64))
    moved = np.linalg.norm(faceted, axis=1) > 1.0
    bends = [np.linalg.norm(laplacian @ d, axis=1)[moved] for d in (found, faceted)]
    assert np.quantile(bends[0], 0.99) < 0.5 * np.quantile(bends[1], 0.99)
    assert np.sqrt(((found - faceted) ** 2).sum(axis=1).mean()) < 0.05  # mm


def test_far_from_what_moves_nothing_does(
    identical: tuple[Template, Correspondence, NDArray, NDArray],
) -> None:
    template, match, mean, triangles = identical
    shape = template.arkit[[template.arkit_names.index("eyeBlinkRight")]]
    got = transfer(match, 1.3 * turned(25), mean, triangles, shape)[0]
    far = match.carry(template.mean)[:, 1] < -60
    assert far.sum() > 500 and (got[far] == 0).all()


def test_turning_the_mesh_turns_its_shapes(face: SyntheticFace) -> None:
    template = default_template()
    shape = template.arkit[[template.arkit_names.index("jawOpen")]]
    results = []
    for matrix in (np.eye(3), turned(40)):
        mean = face.mean @ matrix.T
        match = correspond(template, template.mean @ matrix.T, mean, face.triangles)
        results.append(transfer(match, matrix, mean, face.triangles, shape)[0] @ matrix)
    size = np.linalg.norm(results[0], axis=1)
    error = np.linalg.norm(results[0] - results[1], axis=1)
    assert size.max() > 15 and np.sqrt((error**2).mean()) < 0.02 * np.sqrt((size**2).mean())


def test_arkits_shapes_reach_another_topology(
    face: SyntheticFace, other: tuple[NDArray, NDArray], without: CompletedModel
) -> None:
    """Those of the made-up face are known; the mean is another person's, so only nearly."""
    names = without.arkit_names
    for name in SHAPES:
        k = names.index(name)
        truth = face.arkit[k] @ other[1].T
        found = without.arkit_basis[k]
        alike = (truth * found).sum() / (np.linalg.norm(truth) * np.linalg.norm(found))
        assert alike > 0.9, (name, alike)
        assert 0.8 < np.linalg.norm(found) / np.linalg.norm(truth) < 1.25, name


# -- mapping of expressions


def test_mapping_is_the_bounded_least_squares_of_the_bases() -> None:
    rng = np.random.default_rng(2)
    arkit, native = rng.normal(size=(6, 40, 3)), rng.normal(size=(9, 40, 3))
    limits = np.tile([-3.0, 3.0], (9, 1))
    mapping = ExpressionMapping.of(native, arkit, limits)
    given = rng.normal(size=9)
    shape = np.tensordot(given, native, 1)
    weights, error = mapping.to_arkit(given)
    expected, _ = nnls(arkit.reshape(6, -1).T, shape.ravel())
    np.testing.assert_allclose(weights, expected, atol=1e-3)
    left = np.tensordot(weights, arkit, 1) - shape
    assert error == pytest.approx(np.sqrt((left**2).sum(axis=1).mean()), rel=1e-3)
    again = ExpressionMapping.from_extras(mapping.extras())
    np.testing.assert_array_equal(again.to_arkit(given)[0], weights)


def test_mapping_there_and_back_where_both_bases_span_the_same() -> None:
    rng = np.random.default_rng(4)
    arkit = rng.normal(size=(5, 30, 3))
    native = np.tensordot(rng.normal(size=(5, 5)), arkit, 1)
    mapping = ExpressionMapping.of(native, arkit, np.tile([-50.0, 50.0], (5, 1)))
    weights = rng.uniform(0.1, 0.9, 5)
    coefficients, error = mapping.from_arkit(weights)
    assert error < 1e-2
    np.testing.assert_allclose(mapping.to_arkit(coefficients)[0], weights, atol=1e-2)


def test_mapping_stays_within_both_ranges(without: CompletedModel) -> None:
    mapping = ExpressionMapping.from_extras(without.extras)
    rng = np.random.default_rng(5)
    weights, error = mapping.to_arkit(3 * rng.choice([-1, 1], len(mapping.native)))
    assert weights.min() >= 0 and weights.max() <= 1 and error > 0
    native, _ = mapping.from_arkit(np.ones(52))
    assert np.abs(native).max() <= 3 + 1e-6
    assert without.figures["to_arkit_error_mm"] < without.figures["expression_rms_mm"]


# -- meshes of several parts


def test_eyes_teeth_and_tongue_are_told_apart() -> None:
    """The default head itself, as a file of triangles would have it."""
    default = load_model()
    raw = RawModel(
        kind="the default",
        mean=default.mean.astype(np.float64) + [0, 40, -15],
        triangles=default.faces,
        identity_basis=default.identity_basis[:5],
        identity_scale=np.ones(5),
        expression_basis=default.expression_basis[:52],
        expression_scale=np.ones(52),
        expression_names=default.expression_names[:52],
        expression_range=default.expression_range[:52],
    )
    completed = complete(raw)
    model = completed.model
    truth = default.polygon_material[default.polygon_of_face]
    got = np.array(model.material_kinds)[model.polygon_material]
    for kind in ("eye", "teeth", "tongue"):
        kinds = ("eye", "iris") if kind == "eye" else (kind,)
        mine = np.isin(truth, [default.material_kinds.index(k) for k in kinds])
        assert (got[mine] == kind).all() and (got[~mine] != kind).all(), kind
    exact = default.mean[default.landmarks68_triangles].astype(np.float64)
    exact = np.einsum("lk,lkd->ld", default.landmarks68_barycentric, exact) + [0, 40, -15]
    corners = model.mean[model.landmarks68_triangles].astype(np.float64)
    found = np.einsum("lk,lkd->ld", model.landmarks68_barycentric, corners)
    assert np.linalg.norm(found - exact, axis=1).mean() < 0.5
    # Its own shapes have ARKit's names, so that none is transferred.
    np.testing.assert_array_equal(completed.arkit_basis, default.expression_basis[:52])
    # Each part has a place of its own in the texture.
    middle = model.uv[model.uv_polygons].mean(axis=1)
    eyes = got == "eye"
    assert middle[eyes, 1].max() < middle[got == "skin", 1].min()
    assert np.linalg.norm(model.eye_centers - default.eye_centers - [0, 40, -15], axis=1).max() < 3
