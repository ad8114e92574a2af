"""A converted network's answer as the start of the refinement on an imported model."""

from __future__ import annotations

import numpy as np
import pytest
from reconstruct_face.backend.align import ffhq_crop
from reconstruct_face.backend.errors import ModelError, OptionError
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.importing.importer import import_model
from reconstruct_face.backend.original import deep3d_network
from reconstruct_face.backend.original import network as original_network
from reconstruct_face.backend.original.answer import AskedNetwork, _loaded
from reconstruct_face.backend.original.cards import DEEP3D, ORIGINAL, NetworkCard
from reconstruct_face.backend.original.deep3d import (
    align,
    deep3d_result,
    read_deep3d_face,
    split_deep3d,
)
from reconstruct_face.backend.original.face import read_face
from reconstruct_face.backend.original.picture import find_landmarks, reconstruct_outputs
from reconstruct_face.backend.original.stats import read_stats
from reconstruct_face.backend.original.store import write_network
from reconstruct_face.backend.photo import read_photo
from reconstruct_face.backend.pipeline import Options, reconstruct
from reconstruct_face.backend.worker import reconstruct_photo

from tests import bfm_files
from tests.errors import raises
from tests.random_network import random_tensors
from tests.synthetic_face import synthetic_face


@pytest.fixture(scope="module")
def answer():
    """(240,) what the network says of everyone."""
    rng = np.random.default_rng(0)
    values = np.zeros(240)
    values[6:106] = rng.normal(size=100)
    values[106:185] = 0.3 * rng.normal(size=79)
    values[:6] = (0.8, -0.6, 4.0, 0.5, -0.4, 0.6)
    return values


def deep_answer():
    """(257,) what the other network says."""
    values = np.linspace(-1, 1, 257)
    values[224:227], values[254:] = (0.2, -0.3, 0.1), (0.1, -0.05, 0.5)
    return values


@pytest.fixture(scope="module")
def data(tmp_path_factory, answer):
    """A data folder with a small BFM, a small Deep3D model, and a network for each."""
    folder = tmp_path_factory.mktemp("data")
    face = bfm_files.small_face()
    stats = bfm_files.write_stats_80k(folder / "stats_80k.npz", face)
    files = [bfm_files.write_bfm(folder / "BFM.mat", face)]
    files += [bfm_files.write_exp_80k(folder / "exp_80k.npz", face), stats]
    front = bfm_files.write_deep3d(
        folder / "BFM_model_front.mat", synthetic_face(3100, None, None, False, 80, 64, 80)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONSTRUCT_FACE_DATA", str(folder / "data"))
        import_model(files, "basel")
        import_model([front], "front")
        rng = np.random.default_rng(0)
        known = random_tensors(original_network.tensor_shapes(), rng)
        known["fc.weight"] = np.zeros_like(known["fc.weight"])
        known["fc.bias"] = np.asarray(answer, np.float32)
        write_network(NetworkCard("known", "", ORIGINAL), known, read_stats(stats))
        deep = random_tensors(deep3d_network.tensor_shapes(), rng)
        deep["network.head.weight"] = np.zeros_like(deep["network.head.weight"])
        deep["network.head.bias"] = np.asarray(deep_answer(), np.float32)
        write_network(NetworkCard("deep", "", DEEP3D), deep, None)
    return folder / "data"


@pytest.fixture(autouse=True)
def folder(data, monkeypatch):
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(data))
    _loaded.cache_clear()


@pytest.fixture
def landmarks():
    rng = np.random.default_rng(1)
    return np.stack([rng.uniform(150, 350, 68), rng.uniform(100, 300, 68)], axis=1)


def test_coefficients_are_turned_into_those_of_the_imported_model(answer, landmarks):
    pixels = np.full((512, 512, 3), 120, np.uint8)
    told = AskedNetwork("known", load_model("basel")).ask(pixels, landmarks)
    # The stats are the model's own deviations about zero, so the outputs are deviations already.
    np.testing.assert_allclose(told.identity[:100], answer[6:106], atol=1e-4)
    assert told.identity.shape == (199,) and not told.identity[100:].any()
    np.testing.assert_allclose(told.expression, answer[106:185], atol=1e-4)
    deep = AskedNetwork("deep", load_model("front")).ask(pixels, landmarks)
    line = deep_answer()
    np.testing.assert_allclose(deep.identity, line[:80], atol=1e-5)
    np.testing.assert_allclose(deep.expression, line[80:144], atol=1e-5)


def test_on_arkit_shapes_the_expression_stays_the_same_shape(answer, landmarks):
    pixels = np.full((512, 512, 3), 120, np.uint8)
    native, arkit = load_model("basel"), load_model("basel", "arkit")
    told = AskedNetwork("known", arkit).ask(pixels, landmarks)
    assert told.expression.shape == (52,)
    assert told.expression.min() >= 0 and told.expression.max() <= 1
    zero = np.zeros(1)
    wanted = native.vertices(zero, answer[106:185]) - native.mean
    found = arkit.vertices(zero, told.expression) - arkit.mean
    left = np.sqrt(((wanted - found) ** 2).sum(axis=1).mean())
    assert left < 0.8 * np.sqrt((wanted**2).sum(axis=1).mean())


def test_networks_for_another_model_are_refused():
    for network, model in (("known", "default"), ("known", "front"), ("deep", "basel")):
        its = "BFM.mat" if network == "known" else "BFM_model_front.mat"
        with raises(ModelError, network, its, f"'{model}'", "--model"):
            AskedNetwork(network, load_model(model))
    with raises(ModelError, "'x'", "'deep', 'known'"):
        AskedNetwork("x", load_model("basel"))
    with raises(OptionError, "landmarks", "'known'"):
        Options(model="basel", network="known", estimate="landmarks")


def test_the_reconstruction_leans_towards_the_answer(astronaut, answer):
    photo = read_photo(astronaut)
    alike = {}
    for network in ("", "known"):
        options = Options(model="basel", network=network, texture="none")
        [head] = reconstruct(photo, options)
        head.validate()
        alike[network] = float(np.corrcoef(head.identity[:100], answer[6:106])[0, 1])
        # A made-up face as answer does not keep the photo from deciding where things are.
        assert head.landmark_error < 5
    assert alike[""] < 0.3 < 0.4 < alike["known"]


@pytest.mark.parametrize("network", ["known", "deep"])
def test_fast_is_the_networks_answer_where_the_network_puts_it(data, astronaut, answer, network):
    """Compared with the networks' own cameras and crops, on the files' own vertices."""
    photo = read_photo(astronaut)
    model = {"known": "basel", "deep": "front"}[network]
    options = Options(model=model, network=network, quality="fast", texture="none")
    [head] = reconstruct(photo, options)
    head.validate()
    landmarks = find_landmarks(photo)
    files = data.parent
    if network == "known":
        crop = ffhq_crop(photo.pixels, landmarks)
        stats = read_stats(files / "stats_80k.npz")
        face = read_face([files / "BFM.mat", files / "exp_80k.npz"])
        result, to_photo = reconstruct_outputs(answer, face, stats, crop.image), crop.to_photo
        allowed = 0.015  # of the face: a camera 8 m away stands for one without perspective
    else:
        aligned = align(photo.pixels, landmarks)
        face = read_deep3d_face(files / "BFM_model_front.mat")
        result = deep3d_result(split_deep3d(deep_answer()), face, aligned.crop)
        to_photo, allowed = aligned.to_photo, 0.004
    wanted = np.c_[result.landmarks, np.ones(68)] @ to_photo[:2].T
    vertices = head.vertices_posed[load_model(model).landmarks68].astype(np.float64)
    camera = vertices @ head.rotation.T + head.translation
    found = camera @ head.camera_matrix.T
    found = found[:, :2] / found[:, 2:]
    size = np.ptp(wanted, axis=0).max()
    assert np.abs(found - wanted).max() < allowed * size
    # And that is somewhere: turned, and not where the landmarks of the photo are.
    assert np.abs(wanted - landmarks).max() > 0.05 * size


def test_the_worker_takes_the_network_too(tmp_path, astronaut):
    with raises(ModelError, "'x'"):
        reconstruct_photo(
            photo=str(astronaut),
            out_dir=str(tmp_path),
            progress=lambda fraction, step: None,
            model="basel",
            network="x",
            texture="none",
        )
    assert not list(tmp_path.iterdir())
