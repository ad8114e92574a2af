"""Reading the files of users' face models, against their own formulas in float64 numpy."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray
from reconstruct_face.backend.model.importing import RawModel, kind_of, read_model
from scipy.spatial import cKDTree

from tests import bfm_files as files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def bfm(folder: Path) -> dict[str, Path]:
    """``BFM.mat`` and all that goes with it, full size."""
    return {
        "BFM.mat": files.write_bfm(folder / "BFM.mat"),
        "exp_80k.npz": files.write_exp_80k(folder / "exp_80k.npz"),
        "stats_80k.npz": files.write_stats_80k(folder / "stats_80k.npz"),
        "BFM_info.mat": files.write_bfm_info(folder / "BFM_info.mat"),
        "BFM_UV.mat": files.write_bfm_uv(folder / "BFM_UV.mat"),
    }


def posed(model: RawModel, identity: NDArray, expression: NDArray) -> NDArray:
    """(V, 3) mm of coefficients in the file's own units."""
    a = identity / model.identity_scale[: len(identity)]
    w = expression / model.expression_scale[: len(expression)]
    basis = model.identity_basis[: len(a)].astype(np.float64)
    moved = np.tensordot(a, basis, 1)
    moved += np.tensordot(w, model.expression_basis[: len(w)].astype(np.float64), 1)
    return model.mean + moved


def struct(path: Path) -> dict[str, NDArray]:
    """The fields of ``model``, read without the code under test."""
    model = scipy.io.loadmat(path)["model"][0, 0]
    return {name: model[name] for name in model.dtype.names}


@pytest.mark.seconds
def test_the_originals_vertices_come_out_of_bfm_with_exp_80k(bfm: dict[str, Path]) -> None:
    model = read_model([bfm["exp_80k.npz"], bfm["BFM.mat"], bfm["stats_80k.npz"]])
    raw, extra = struct(bfm["BFM.mat"]), np.load(bfm["exp_80k.npz"])
    stats = np.load(bfm["stats_80k.npz"])
    rng = np.random.default_rng(5)
    identity = rng.normal(size=100) * raw["shapeEV"][:100, 0]
    expression = rng.normal(size=79) * stats["Exp_Para_std"]
    # seed_formats section 3: shapeMU + expMU + shapePC @ shape + expPC @ expression, micrometres
    expected = raw["shapeMU"][:, 0].astype(np.float64) + extra["expMU"][:, 0]
    expected += raw["shapePC"][:, :100].astype(np.float64) @ identity
    expected += extra["expPC"].astype(np.float64) @ expression
    error = posed(model, identity, expression) - expected.reshape(-1, 3) / 1000
    assert np.abs(error).max() < 1e-3, "mm"
    assert model.mean.shape == (53215, 3) and model.identity_basis.shape == (199, 53215, 3)
    assert model.expression_basis.shape == (79, 53215, 3)
    np.testing.assert_allclose(model.expression_scale, stats["Exp_Para_std"], rtol=1e-6)
    np.testing.assert_array_equal(model.expression_range, np.tile([-3, 3], (79, 1)))
    assert "stats_80k.npz" in model.notes[0] and "University of Basel" in model.licence
    assert set(model.files) == {"BFM.mat", "exp_80k.npz", "stats_80k.npz"}


@pytest.mark.seconds
def test_bfm_alone_has_its_own_expressions_landmarks_and_colours(bfm: dict[str, Path]) -> None:
    model, raw = read_model([bfm["BFM.mat"]]), struct(bfm["BFM.mat"])
    rng = np.random.default_rng(6)
    expression = rng.normal(size=29) * raw["expEV"][:, 0]
    expected = raw["shapeMU"][:, 0].astype(np.float64) + raw["expMU"][:, 0]
    expected += raw["expPC"].astype(np.float64) @ expression
    got = posed(model, np.zeros(0), expression)
    assert np.abs(got - expected.reshape(-1, 3) / 1000).max() < 1e-3
    np.testing.assert_array_equal(model.landmarks68, raw["kpt_ind"][0] - 1)
    np.testing.assert_array_equal(model.triangles, raw["tri"].T - 1)
    assert model.mouth_triangles is not None and model.mouth_triangles.shape == (114, 3)
    texture = rng.normal(size=40) * raw["texEV"][:40, 0]
    colour = raw["texMU"][:, 0].astype(np.float64) + raw["texPC"][:, :40].astype(float) @ texture
    assert model.albedo_mean is not None and model.albedo_basis is not None
    assert model.albedo_scale is not None
    a = texture / model.albedo_scale[:40]
    got = model.albedo_mean + np.tensordot(a, model.albedo_basis[:40].astype(np.float64), 1)
    assert np.abs(got * 255 - colour.reshape(-1, 3)).max() < 0.01
    assert model.uv is None and model.symmetry is None


@pytest.mark.seconds
def test_info_and_uv_are_taken_where_they_fit(bfm: dict[str, Path], tmp_path: Path) -> None:
    model = read_model([bfm["BFM.mat"], bfm["BFM_info.mat"], bfm["BFM_UV.mat"]])
    assert model.uv is not None
    np.testing.assert_allclose(model.uv, scipy.io.loadmat(bfm["BFM_UV.mat"])["UV"], atol=1e-7)
    np.testing.assert_array_equal(model.uv_triangles, model.triangles)
    symlist = scipy.io.loadmat(bfm["BFM_info.mat"])["model_info"][0, 0]["symlist"][0]
    np.testing.assert_array_equal(model.symmetry, symlist - 1)
    wrong = np.random.default_rng(0).permutation(53215)[None] + 1
    info = files.write_bfm_info(tmp_path / "info.mat", symlist=wrong)
    model = read_model([bfm["BFM.mat"], info])
    assert model.symmetry is None and "mirror" in model.notes[-1] and model.uv is not None


@pytest.mark.seconds
def test_expressions_without_deviations_state_what_is_assumed(bfm: dict[str, Path]) -> None:
    model = read_model([bfm["BFM.mat"], bfm["exp_80k.npz"]])
    assert "assumed" in model.notes[0] and "stats_80k.npz" in model.notes[0]
    size = np.sqrt((model.expression_basis.astype(np.float64) ** 2).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(size[[0, 1, 9]], 1.1 * np.array([1, 2, 10]) ** -0.8, rtol=1e-3)


@pytest.mark.seconds
def test_the_universitys_file_with_3dfaces_expressions(folder: Path) -> None:
    face = files.basel_face()
    trim = files.basel_trim(face)
    paths = [
        files.write_basel(folder / "01_MorphableModel.mat"),
        files.write_exp_pca(folder / "Exp_Pca.bin", face, trim),
        files.write_std_exp(folder / "std_exp.txt", face, trim),
        files.write_index_map(folder / "BFM_exp_idx.mat", trim),
    ]
    model = read_model(paths)
    raw = scipy.io.loadmat(paths[0])
    assert raw["shapeMU"].shape == (160470, 1) and raw["tl"].shape == (106466, 3)
    with open(paths[1], "rb") as file:
        assert np.fromfile(file, np.int32, 1)[0] == 79
        exp_mean = np.fromfile(file, np.float32, 3 * 53215)
        exp_pc = np.fromfile(file, np.float32, 79 * 3 * 53215).reshape(79, -1)
    sd = np.loadtxt(paths[2])
    rng = np.random.default_rng(8)
    identity = rng.normal(size=50) * raw["shapeEV"][:50, 0]
    weights = rng.normal(size=79)
    shape = raw["shapeMU"][:, 0] + raw["shapePC"][:, :50].astype(np.float64) @ identity
    expected = shape.reshape(-1, 3)[trim] + exp_mean.reshape(-1, 3)
    expected += ((weights * sd) @ exp_pc.astype(np.float64)).reshape(-1, 3)
    got = posed(model, identity, weights * sd)
    assert np.abs(got - expected / 1000).max() < 1e-3
    assert model.landmarks68 is None
    # Every triangle is one of the file's, between the same places.
    corners = raw["shapeMU"].reshape(-1, 3)[raw["tl"].astype(int)[:, ::-1] - 1].mean(axis=1) / 1000
    mine = (model.mean - exp_mean.reshape(-1, 3) / 1000)[model.triangles].mean(axis=1)
    assert cKDTree(corners).query(mine)[0].max() < 1e-3


def test_the_front_region_of_deep3d_can_be_cut_out(tmp_path: Path) -> None:
    face = files.small_face()
    trim = files.basel_trim(face, 2900)
    front = np.flatnonzero(face.mean[trim][:, 2] > 0)
    paths = [
        files.write_basel(tmp_path / "basel.mat", face),
        files.write_exp_pca(tmp_path / "exp.bin", face, trim),
        files.write_index_map(tmp_path / "map.mat", trim),
    ]
    whole = read_model(paths)
    cut = read_model([*paths, files.write_index_map(tmp_path / "front.mat", front, "idx")])
    np.testing.assert_allclose(cut.mean, whole.mean[front])
    np.testing.assert_array_equal(cut.expression_basis, whole.expression_basis[:, front])


@pytest.mark.seconds
def test_deep3ds_cut_is_in_decimetres_and_scaled_already(folder: Path) -> None:
    path = files.write_deep3d(folder / "BFM_model_front.mat")
    model, raw = read_model([path]), scipy.io.loadmat(path)
    rng = np.random.default_rng(2)
    identity, expression = rng.normal(size=80), rng.normal(size=64)
    expected = raw["meanshape"].ravel().astype(np.float64)
    expected += raw["idBase"].astype(np.float64) @ identity
    expected += raw["exBase"].astype(np.float64) @ expression
    got = posed(model, identity, expression)
    assert np.abs(got - 100 * expected.reshape(-1, 3)).max() < 1e-3
    np.testing.assert_array_equal(model.landmarks68, raw["keypoints"][0] - 1)
    assert len(model.mean) == 35709 and "Basel" in model.licence


@pytest.mark.parametrize("name", sorted(files.H5_MODELS))
@pytest.mark.slow
def test_the_models_of_2017_and_2019(tmp_path: Path, name: str) -> None:
    path = files.write_bfm_h5(tmp_path / "model", files.h5_face(name))
    model = read_model([path])
    rng = np.random.default_rng(4)
    with h5py.File(path) as file:
        parts = {key: file[f"{key}/model"] for key in ("shape", "expression")}
        expected = sum(part["mean"][()].astype(np.float64) for part in parts.values())
        weights = {}
        for key, part in parts.items():
            sd = np.sqrt(part["pcaVariance"][()].astype(np.float64))
            weights[key] = rng.normal(size=len(sd)) * sd
            expected = expected + part["pcaBasis"][()].astype(np.float64) @ weights[key]
    got = posed(model, weights["shape"], weights["expression"])
    assert np.abs(got - expected.reshape(-1, 3)).max() < 1e-3
    assert len(model.mean) == files.H5_MODELS[name][0] and len(model.expression_basis) == 100
    assert model.albedo_mean is not None and 0.2 < model.albedo_mean.mean() < 0.8


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.seconds
def test_flame_is_the_same_from_its_pickle_and_its_npz(tmp_path: Path, protocol: int) -> None:
    plain = read_model([files.write_flame_npz(tmp_path / "a.npz")])
    pickled = read_model([files.write_flame_pkl(tmp_path / "b.bin", protocol)])
    fields = files.flame_fields()
    rng = np.random.default_rng(1)
    weights = rng.normal(size=400)
    expected = 1000 * (fields["v_template"] + fields["shapedirs"] @ weights)
    for model in (plain, pickled):
        got = posed(model, weights[:300], weights[300:])
        assert np.abs(got - expected).max() < 1e-3
        assert len(model.mean) == 5023 and model.expression_basis.shape[0] == 100
        np.testing.assert_array_equal(model.triangles, fields["f"])


def test_a_pickle_as_python_2_wrote_it(tmp_path: Path) -> None:
    """Protocol 2 of Python 2: bytes as text, the old names of modules."""
    from reconstruct_face.backend.model.importing.unpickle import read_pickle

    values = np.arange(6, dtype="<f8").reshape(2, 3)
    content = values.tobytes(order="F")
    data = b"\x80\x02}q\x00(U\x0av_templateq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02"
    data += b"cnumpy\nndarray\nq\x03K\x00\x85U\x01bq\x04\x87R(K\x01K\x02K\x03\x86cnumpy\ndtype\n"
    data += b"U\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x88"
    data += b"T" + len(content).to_bytes(4, "little") + content + b"tbU\x01nK\x05u."
    expected = pickle.loads(data, encoding="latin1")  # by Python's own loader
    got = read_pickle(data, "a")
    np.testing.assert_array_equal(got["v_template"], values)
    np.testing.assert_array_equal(expected["v_template"], values)
    assert got["n"] == expected["n"] == 5


@pytest.mark.parametrize(
    "size", [files.SMALL_HEAD, pytest.param(files.ICT_VERTICES, marks=pytest.mark.slow)]
)
@pytest.mark.seconds
def test_icts_folder(tmp_path: Path, size: int) -> None:
    identities = 100 if size == files.ICT_VERTICES else 4
    model = read_model([files.write_ict(tmp_path / "FaceXModel", size, identities)])
    face = files.synthetic_face(size, None, None, True, identities, 1, 1)
    assert model.identity_basis.shape == (identities, size, 3)
    assert set(model.expression_names) == set(face.arkit_names) - {"tongueOut"}
    np.testing.assert_array_equal(model.expression_range, np.tile([0, 1], (51, 1)))
    assert model.uv is not None and model.uv_triangles is not None
    mine = model.expression_basis[model.expression_names.index("browInnerUp")]
    whole = face.arkit[face.arkit_names.index("browInnerUp")]
    np.testing.assert_allclose(np.sort(mine, axis=0), np.sort(whole, axis=0), atol=1e-4)
    spread = np.sqrt((model.identity_basis**2).sum(axis=(1, 2)))
    expected = np.sqrt((face.identity.astype(np.float64) ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(spread, expected, rtol=1e-4)
    if size == files.ICT_VERTICES:
        assert model.landmarks68 is not None
        np.testing.assert_allclose(
            model.mean[model.landmarks68], face.mean[face.landmarks68], atol=1e-6
        )
    else:
        assert model.landmarks68 is None and "26719" in " ".join(model.notes)


@pytest.mark.parametrize("blendshapes", [False, True])
def test_eos(tmp_path: Path, blendshapes: bool) -> None:
    face = files.small_face()
    model = read_model([files.write_eos(tmp_path / "sfm.bin", face, blendshapes)])
    np.testing.assert_array_equal(model.landmarks68, face.landmarks68)
    offset = 0 if blendshapes else face.expression_mean
    np.testing.assert_allclose(model.mean, face.mean + offset, atol=1e-4)
    np.testing.assert_allclose(model.identity_basis, face.identity, atol=1e-4)
    shapes = face.arkit[:6] if blendshapes else face.expression
    np.testing.assert_allclose(model.expression_basis, shapes, atol=1e-4)
    assert (model.expression_names[0] == "anger") == blendshapes
    assert model.uv is not None and model.albedo_mean is not None


@pytest.mark.seconds
def test_a_file_is_told_by_its_content_not_its_name(tmp_path: Path) -> None:
    face = files.small_face()
    pairs: dict[str, Callable[[Path], Path]] = {
        "bfm": lambda path: _unsuffixed(files.write_bfm, path, face),
        "exp": lambda path: _unsuffixed(files.write_exp_80k, path, face),
        "h5": lambda path: files.write_bfm_h5(path, face),
        "eos": lambda path: files.write_eos(path, face),
        "flame": lambda path: files.write_flame_pkl(path),
    }
    for k, (kind, write) in enumerate(pairs.items()):
        assert kind_of(write(tmp_path / f"{k}.jpg")) == kind


def _unsuffixed(write: Callable[..., Path], path: Path, face: files.SyntheticFace) -> Path:
    """scipy and numpy put a suffix of their own after the name."""
    made = write(path.with_suffix(".mat" if "bfm" in write.__name__ else ".npz"), face)
    return made.rename(path)


def test_triangles_face_outward_whichever_way_the_file_turns_them(tmp_path: Path) -> None:
    face = files.small_face()
    turned = np.asarray(face.triangles.T[::-1] + 1, np.int32)
    straight = read_model([files.write_bfm(tmp_path / "a.mat", face)])
    model = read_model([files.write_bfm(tmp_path / "b.mat", face, tri=turned)])
    np.testing.assert_array_equal(model.triangles, straight.triangles)
