"""Files that cannot be imported: each its sentence, and nothing is written or run."""

from __future__ import annotations

import os
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange.model_cards import models_folder
from reconstruct_face.backend.model.importing import read_model
from reconstruct_face.backend.model.importing.importer import import_model

from tests import bfm_files as files
from tests.errors import raises

FACE = files.small_face
VERTICES = files.SMALL


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def bfm(folder: Path) -> Path:
    return files.write_bfm(folder / "BFM.mat", FACE())


@pytest.fixture(scope="module")
def exp(folder: Path) -> Path:
    return files.write_exp_80k(folder / "exp_80k.npz", FACE())


def refused(paths: list[Path], *facts: object) -> None:
    """``paths`` are refused in one sentence with ``facts``, and no model is there afterwards."""
    with raises(ModelError, *facts) as caught:
        import_model(paths)
    assert str(caught.value).endswith(".")
    assert not models_folder().exists()


def changed(field: str, at: int, value: float) -> np.ndarray:
    """``BFM.mat``'s field with one number changed."""
    array = files.bfm_fields(FACE())[field].copy()
    array.reshape(-1)[at] = value
    return array


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"shapePC": None}, ("shapePC", "shapeMU")),
        ({"shapeEV": np.ones((198, 1), np.float32)}, ("shapeEV", 198, 199)),
        ({"shapePC": np.ones((30, 199), np.float32)}, ("shapePC", "30 x 199", 9300)),
        ({"shapeMU": np.ones((9301, 1), np.float32)}, ("shapeMU", 9301, 3)),
        ({"kpt_ind": np.arange(1, 68)[None]}, ("kpt_ind", 67, 68)),
        ({"tri": np.full((3, 9), VERTICES + 1)}, ("tri", VERTICES + 1, 1, VERTICES)),
        ({"tri": np.zeros((3, 9), np.int32)}, ("tri", 0, 1, VERTICES)),
        ({"expPC": np.array([["a"]])}, ("expPC",)),
        ({"texMU": np.full((3 * VERTICES, 1), 900.0)}, ("texMU", 900, 0, 255)),
    ],
)
def test_fields_that_are_missing_or_of_another_shape(
    tmp_path: Path, fields: dict, facts: tuple[object, ...]
) -> None:
    refused([files.write_bfm(tmp_path / "BFM.mat", FACE(), **fields)], "BFM.mat", *facts)


@pytest.mark.parametrize("field", ["shapeMU", "shapePC", "shapeEV", "expPC", "texMU", "texPC"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(tmp_path: Path, field: str, value: float) -> None:
    path = files.write_bfm(tmp_path / "BFM.mat", FACE(), **{field: changed(field, 5, value)})
    refused([path], field, "BFM.mat", 1)


def test_deviations_are_positive(tmp_path: Path) -> None:
    path = files.write_bfm(tmp_path / "BFM.mat", FACE(), shapeEV=changed("shapeEV", 5, -1.0))
    refused([path], "shapeEV", "BFM.mat")


def test_another_unit_and_a_mirrored_face_are_noticed(tmp_path: Path) -> None:
    mean = files.bfm_fields(FACE())["shapeMU"]
    path = files.write_bfm(tmp_path / "a.mat", FACE(), shapeMU=mean / 1000)
    height = np.ptp(mean.reshape(-1, 3)[:, 1]) * 1e-6  # micrometres, and a thousandth of that
    refused([path], "a.mat", f"{height:.3g} mm")
    mirrored = (mean.reshape(-1, 3) * [-1, 1, 1]).reshape(-1, 1)
    path = files.write_bfm(tmp_path / "b.mat", FACE(), shapeMU=mirrored)
    ears = FACE().mean[FACE().landmarks68[[0, 16]], 0]
    refused([path], "b.mat", f"{ears[0] - ears[1]:.0f} mm")


def test_a_truncated_file(bfm: Path, exp: Path, tmp_path: Path) -> None:
    for source in (bfm, exp):
        for part in (0.999, 0.5, 0.01):
            short = tmp_path / f"short{source.suffix}"
            whole = source.read_bytes()
            short.write_bytes(whole[: int(part * len(whole))])
            refused([short], short.name)


def test_what_a_failed_download_leaves(tmp_path: Path) -> None:
    page = tmp_path / "BFM.mat"
    page.write_text("\n<!DOCTYPE html><html><body>Please log in</body></html>")
    refused([page], "BFM.mat", "HTML")
    page.write_bytes(b"")
    refused([page], "BFM.mat")
    refused([tmp_path / "none.mat"], tmp_path / "none.mat")


def test_other_files(tmp_path: Path, astronaut: Path) -> None:
    refused([astronaut], "astronaut.jpg", "BFM.mat", "FLAME")
    scipy.io.savemat(tmp_path / "other.mat", {"lm": np.zeros((68, 3))})
    refused([tmp_path / "other.mat"], "other.mat", "lm", "BFM.mat")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    refused([tmp_path / "other.npz"], "other.npz", "a", "exp_80k.npz", "FLAME v_template")
    np.savez(tmp_path / "objects.npz", expPC=np.array([{}], object))
    refused([tmp_path / "objects.npz"], "objects.npz", "Python")
    (tmp_path / "v73.mat").write_bytes(b"MATLAB 7.3 MAT-file, ..." + bytes(500))
    refused([tmp_path / "v73.mat"], "v73.mat", 7.3, "-v7")


def test_the_wrong_bfm_for_the_others(bfm: Path, exp: Path, tmp_path: Path) -> None:
    basel = files.write_basel(tmp_path / "01_MorphableModel.mat", FACE())
    refused([basel], basel.name, "exp_80k.npz", "Exp_Pca.bin", "BFM_exp_idx.mat")
    refused([basel, exp], exp.name, basel.name, VERTICES, "BFM_exp_idx.mat")
    info = files.write_bfm_info(tmp_path / "BFM_info.mat", FACE())
    refused([basel, info], "BFM_info.mat", "01_MorphableModel.mat")
    refused([bfm, basel], bfm.name, basel.name)
    refused([bfm, files.write_flame_npz(tmp_path / "f.npz")], bfm.name, "f.npz", "FLAME")


def test_expressions_alone_or_swapped_for_the_shape(exp: Path, bfm: Path, tmp_path: Path) -> None:
    refused([exp], "exp_80k.npz", "BFM.mat", "01_MorphableModel.mat")
    refused([exp, exp], "exp_80k.npz", "BFM.mat", "01_MorphableModel.mat")
    refused([bfm, exp, exp], "exp_80k.npz and exp_80k.npz")
    swapped = files.exp_80k_fields(FACE()) | {"shapePC": np.zeros((3, 3))}
    np.savez(tmp_path / "exp_80k.npz", **swapped)
    refused([bfm, tmp_path / "exp_80k.npz"], "exp_80k.npz", "shapePC")


def test_29_expressions_where_79_are_wanted(bfm: Path, tmp_path: Path) -> None:
    few = files.exp_80k_fields(FACE())["expPC"][:, :29]
    path = files.write_exp_80k(tmp_path / "exp_80k.npz", FACE(), expPC=few)
    refused([bfm, path], "exp_80k.npz", 29, 79, "BFM.mat's")


def test_expressions_for_other_vertices(bfm: Path, tmp_path: Path) -> None:
    other = files.synthetic_face(VERTICES + 60)
    path = files.write_exp_80k(tmp_path / "exp_80k.npz", other)
    refused([bfm, path], "exp_80k.npz", VERTICES + 60, "BFM.mat", VERTICES)
    uv = files.write_bfm_uv(tmp_path / "BFM_UV.mat", other)
    refused([bfm, uv], "UV", "3160 x 2", "3100 x 2")


def test_statistics_of_another_length_or_without_their_expressions(
    bfm: Path, exp: Path, tmp_path: Path
) -> None:
    stats = files.write_stats_80k(tmp_path / "s.npz", FACE(), Exp_Para_std=np.ones(64))
    refused([bfm, exp, stats], "Exp_Para_std", "64", "79")
    refused([bfm, stats], "s.npz", 79, "BFM.mat", 29, "exp_80k.npz")


def test_index_maps(exp: Path, tmp_path: Path) -> None:
    face = FACE()
    basel = files.write_basel(tmp_path / "basel.mat", face)
    short = files.write_index_map(tmp_path / "short.mat", np.arange(3000))
    refused([basel, exp, short], "exp_80k.npz", VERTICES, "short.mat", 3000)
    beyond = files.write_index_map(tmp_path / "beyond.mat", np.arange(1, VERTICES + 1))
    refused([basel, exp, beyond], "trimIndex", str(VERTICES + 1))
    twice = files.write_index_map(tmp_path / "twice.mat", np.zeros(VERTICES, int))
    refused([basel, exp, twice], "trimIndex", "twice.mat")


def test_basel_of_2017_without_expressions(tmp_path: Path) -> None:
    refused([files.write_bfm_h5(tmp_path / "face.h5", FACE(), False)], "face.h5", "'expression'")


@pytest.mark.seconds
def test_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused([tmp_path / "empty"], "empty", "generic_neutral_mesh.obj", "ICT-FaceKit")
    whole = files.write_ict(tmp_path / "FaceXModel", files.SMALL_HEAD, 3)
    jaw = (whole / "jawOpen.obj").read_text()
    (whole / "jawOpen.obj").write_text("\n".join(jaw.splitlines()[:1000]))
    refused([whole], "jawOpen.obj", 999, "generic_neutral_mesh.obj", files.SMALL_HEAD)
    (whole / "jawOpen.obj").write_text(jaw.replace("v ", "v x", 1))
    refused([whole], "jawOpen.obj", "'x")
    (whole / "jawOpen.obj").write_text(jaw)
    (whole / "identity001.obj").unlink()
    refused([whole], "FaceXModel", 2, "identity000.obj")


class _Runs:
    """A pickle of it calls ``os.mkdir`` when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_runs_code_runs_none(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "it ran"
    fields = {"shapedirs": np.zeros((3, 3, 400)), "v_template": _Runs(str(marker))}
    path = tmp_path / "flame.pkl"
    path.write_bytes(pickle.dumps(fields, protocol))
    refused([path], "flame.pkl", f"{os.mkdir.__module__}.mkdir")
    assert not marker.exists()
    pickle.loads(path.read_bytes())
    assert marker.exists(), "the pickle of the test runs nothing, so the test proves nothing"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"(S'touch it'\nios\nsystem\n.", "INST"),
        (b"cos\nsystem\n(S'touch it'\ntR.", "os.system"),
        (b"\x80\x02cbuiltins\neval\n\x8c\x011\x85R.", "builtins.eval"),
        (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", "builtins.getattr"),
        (b"\x80\x02cnumpy.core.multiarray\nfromfile\n.", "numpy.multiarray.fromfile"),
        (b"\x80\x02cscipy.sparse.os\nsystem\nU\x02ls\x85R.", "scipy.sparse.os.system"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02U\x02idQ.", "BINPERSID"),
    ],
)
def test_other_ways_to_run_code(tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / "flame.pkl"
    path.write_bytes(data)
    refused([path], "flame.pkl", name)


@pytest.mark.seconds
def test_damaged_pickles_get_a_sentence_wherever_they_end(tmp_path: Path) -> None:
    whole = files.write_flame_pkl(tmp_path / "flame.pkl").read_bytes()
    ends = [pos for _, _, pos in pickletools.genops(whole)]
    for end in (2, *ends[1 :: max(1, len(ends) // 20)], len(whole) // 2):
        (tmp_path / "short.pkl").write_bytes(whole[:end])
        refused([tmp_path / "short.pkl"], "short.pkl")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2, 3], 2))
    refused([tmp_path / "list.pkl"], "list.pkl")
    (tmp_path / "dict.pkl").write_bytes(pickle.dumps({"betas": np.zeros(3)}, 2))
    refused([tmp_path / "dict.pkl"], "dict.pkl", "betas", "FLAME", "v_template")


def test_flames_arrays_are_checked(tmp_path: Path) -> None:
    short = files.flame_fields()["shapedirs"][:, :, :100]
    refused([files.write_flame_npz(tmp_path / "a.npz", shapedirs=short)], "shapedirs", 100, 300)
    refused([files.write_flame_npz(tmp_path / "b.npz", f=None)], "b.npz", "f", "v_template")


def test_damaged_eos_files(tmp_path: Path) -> None:
    whole = files.write_eos(tmp_path / "sfm.bin", FACE()).read_bytes()
    for part in (0.3, 0.7, 0.98):
        (tmp_path / "short.bin").write_bytes(whole[: int(part * len(whole))])
        refused([tmp_path / "short.bin"], "short.bin")


def test_what_is_good_is_not_refused(bfm: Path, exp: Path) -> None:
    """The files that the others are made from."""
    assert len(read_model([bfm, exp]).expression_basis) == 79
