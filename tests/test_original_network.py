"""The original's network: a Keras model in, the same numbers out; bad files."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.cli.models import main as models
from reconstruct_face.backend.cli.original import main as original
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.network.graph import Graph
from reconstruct_face.backend.network.runners import onnx_runner
from reconstruct_face.backend.original.cards import list_networks, networks_folder
from reconstruct_face.backend.original.convert import converted, describe, import_network
from reconstruct_face.backend.original.stats import read_stats
from reconstruct_face.backend.original.store import load_network

from tests import bfm_files
from tests.errors import raises

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="the extra 'original' is not installed"
)


@pytest.fixture(scope="module")
def keras(tmp_path_factory) -> Path:
    """A folder of SavedModels, written by Keras in a process of its own."""
    out = tmp_path_factory.mktemp("keras")
    script = Path(__file__).with_name("keras_resnet.py")
    subprocess.run([sys.executable, str(script), str(out)], check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def stats(tmp_path_factory) -> Path:
    return bfm_files.write_stats_80k(
        tmp_path_factory.mktemp("stats") / "stats_80k.npz", bfm_files.small_face()
    )


@pytest.fixture(scope="module")
def described(keras):
    """What the child process says of the exported network."""
    return describe(keras / "exported")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RECONSTRUCT_FACE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def nothing_written() -> bool:
    folder = networks_folder()
    return not folder.exists() or not list(folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["exported", "saved"])
def test_the_converted_network_computes_what_keras_computes(keras, stats, variant, capsys):
    status = models(
        ["import-network", str(keras / variant), "--stats", str(stats), "--name", "mine", "--json"]
    )
    assert status == 0
    card = json.loads(capsys.readouterr().out)
    assert card["kind"] == "original"
    assert card["difference"] < 1e-4
    assert len(card["files"]) == 4
    network = load_network("mine")
    with np.load(keras / f"{variant}.npz") as file:
        pictures, expected = file["pictures"], file["outputs"]
    found = network.run(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
    assert found.shape == (32, 240)
    # Not all pictures alike, or the comparison would say nothing.
    assert expected.std(axis=0).mean() > 0.05
    difference = np.abs(found - expected).max()
    print(f"{variant}: maximum difference {difference:.2e} on {len(pictures)} pictures")
    assert difference < 1e-4
    assert network.stats is not None
    with np.load(stats) as file:
        np.testing.assert_array_equal(network.stats.mean[6:106], file["Shape_Para_mean"])
        np.testing.assert_array_equal(network.stats.std[185:191], file["Color_Para_std"])
    with raises(ModelError, "'mine'"):
        import_network(keras / variant, stats, "mine")


@pytest.mark.slow
def test_the_old_scripts_settings_convert_the_network_once(keras, stats, tmp_path, astronaut):
    """``pd_model_path`` names the SavedModel's folder, as the original's script has it."""
    face = bfm_files.small_face()
    arguments = [
        str(astronaut),
        "--bfm_path", str(bfm_files.write_bfm(tmp_path / "BFM.mat", face)),
        "--exp_path", str(bfm_files.write_exp_80k(tmp_path / "exp_80k.npz", face)),
        "--param_mean_std_path", str(stats),
        "--pd_model_path", str(keras / "exported"),
        "--save_rendered_to", str(tmp_path / "out"),
    ]  # fmt: skip
    assert original(arguments) == 0
    [card] = list_networks()
    assert card.name == "exported"
    (keras / "exported" / "saved_model.pb").rename(keras / "hidden.pb")
    try:  # the second time nothing of it is read but its weights' digest
        assert original(arguments) == 0
    finally:
        (keras / "hidden.pb").rename(keras / "exported" / "saved_model.pb")
    assert list_networks() == [card]
    assert (tmp_path / "out" / "astronaut_rendered.jpg").is_file()


@pytest.mark.slow
def test_another_architecture_is_refused(keras, stats):
    with raises(ModelError, "conv2_1_3x3_proj", "ResNet-18"):
        import_network(keras / "no_projection", stats)
    assert nothing_written()


def altered(nodes, op: str, name: str, value):
    """A copy of the description, the last node of the kind ``op`` changed."""
    graph = copy.deepcopy(nodes)
    node = [one for one in graph["nodes"] if one["op"] == op][-1]
    if name == "op":
        node["op"] = value
    else:
        node["attributes"][name] = value
    return graph


@pytest.mark.slow
@pytest.mark.parametrize(
    ("op", "name", "value", "facts"),
    [
        ("Conv2D", "padding", "VALID", ("VALID",)),
        ("Conv2D", "strides", [1, 2, 2, 1], (2, 512)),
        ("Conv2D", "dilations", [1, 2, 2, 1], ("dilated",)),
        ("MaxPool", "padding", "VALID", ("MaxPool", "VALID")),
        ("MaxPool", "op", "AvgPool", ("AvgPool", "Relu")),
        ("Relu", "op", "Elu", ("Elu", "Relu")),
        ("MatMul", "transpose_b", True, ("transposed",)),
    ],
)
def test_what_differs_in_a_point_is_named(described, op, name, value, facts):
    graph, arrays = described
    with raises(ModelError, *facts):
        converted(Path("net"), altered(graph, op, name, value), arrays)


@pytest.mark.slow
def test_numbers_that_differ_are_refused(described):
    graph, arrays = described
    _, difference = converted(Path("net"), graph, arrays)
    assert difference < 1e-4
    wrong = arrays | {"outputs": arrays["outputs"] + np.float32(0.001)}
    with raises(ModelError) as caught:
        converted(Path("net"), graph, wrong)
    assert re.search(r"\b1\.\de-03\b", str(caught.value)), caught.value
    with raises(ModelError, 112):
        converted(Path("net"), graph | {"input_shape": [None, 112, 112, 3]}, arrays)


@pytest.mark.slow
def test_a_graph_that_runs_code_is_not_loaded(keras, stats, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(keras / "exported", folder)
    graph = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(graph.replace(b"Conv2D", b"PyFunc"))
    with raises(ModelError, "PyFunc"):
        import_network(folder, stats)
    (folder / "saved_model.pb").write_bytes(graph[: len(graph) // 2])
    with raises(ModelError, "saved_model.pb"):
        import_network(folder, stats)
    assert nothing_written()


def saved_model(folder: Path) -> Path:
    """A folder with the files of a SavedModel, and rubbish in them."""
    (folder / "variables").mkdir(parents=True)
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (folder / "variables" / name).write_bytes(b"\x01rubbish")
    (folder / "saved_model.pb").write_bytes(b"\x08\x01rubbish")
    return folder


def test_folders_without_a_whole_saved_model(tmp_path, stats):
    folder = saved_model(tmp_path / "outer" / "trained_model_20200725")
    with raises(ModelError, folder.parent, "saved_model.pb", "trained_model_20200725"):
        import_network(folder.parent, stats)
    with raises(ModelError, tmp_path / "nowhere"):
        import_network(tmp_path / "nowhere")
    with raises(ModelError, folder / "saved_model.pb", folder):
        import_network(folder / "saved_model.pb")
    for name in ("variables.data-00000-of-00001", "variables.index"):
        (folder / "variables" / name).unlink()
        with raises(ModelError, folder, f"variables/{name}"):
            import_network(folder, stats)
    (folder / "saved_model.pb").write_bytes(b"<!DOCTYPE html><html>Quota exceeded</html>")
    with raises(ModelError, "saved_model.pb", folder, "HTML"):
        import_network(folder, stats)
    assert nothing_written()


def test_stats_that_do_not_fit(tmp_path):
    folder = saved_model(tmp_path / "net")
    face = bfm_files.small_face()
    with raises(ModelError, "net", "--stats", "stats_80k.npz"):
        import_network(folder)
    short = bfm_files.write_stats_80k(tmp_path / "short.npz", face, Exp_Para_mean=np.zeros(29))
    with raises(ModelError, "Exp_Para_mean", "short.npz", 29, 79):
        import_network(folder, short)
    flat = bfm_files.write_stats_80k(tmp_path / "flat.npz", face, Tex_Para_std=np.zeros(40))
    with raises(ModelError, "Tex_Para_std", "flat.npz"):
        import_network(folder, flat)
    other = bfm_files.write_exp_80k(tmp_path / "exp_80k.npz", face)
    with raises(ModelError, "exp_80k.npz", "stats_80k.npz"):
        import_network(folder, other)
    with raises(ModelError, "'../elsewhere'"):
        import_network(folder, short, "../elsewhere")
    assert nothing_written()


def test_stats_are_told_in_the_order_of_the_outputs(stats):
    found = read_stats(stats)
    with np.load(stats) as file:
        names = ("Pose", "Shape", "Exp", "Color", "Illum", "Tex")
        np.testing.assert_array_equal(found.mean, np.r_[*(file[f"{n}_Para_mean"] for n in names)])
        np.testing.assert_array_equal(found.std, np.r_[*(file[f"{n}_Para_std"] for n in names)])


def test_without_tensorflow_the_sentence_says_what_to_install(tmp_path, monkeypatch, stats):
    folder = saved_model(tmp_path / "net")
    (tmp_path / "tensorflow.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with raises(ModelError, "TensorFlow", sys.executable, "tensorflow-cpu", "'original'"):
        import_network(folder, stats)
    assert nothing_written()


def test_same_padding_puts_the_odd_pixel_at_the_end():
    graph = Graph()
    # One channel passes, as it is at one place of a 3 x 3 kernel.
    kernel = np.zeros((1, 3, 3, 3))
    kernel[0, 0, 2, 2] = 1
    out = graph.same_convolution(graph.INPUT, kernel, np.zeros(1), 2)
    run = onnx_runner(graph.finished(graph.mean(out), 1))
    picture = np.zeros((1, 3, 4, 4), np.float32)
    picture[0, 0] = np.arange(16.0).reshape(4, 4)
    # Four pixels, stride 2, kernel 3: one pixel is missing, at the bottom and right.
    assert run(picture)[0, 0] == picture[0, 0, 2, 2] / 4


def test_damaged_converted_networks_are_named(data):
    folder = data / "networks" / "broken"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text("{")
    [card] = list_networks()
    assert "convert it again" in card.problem
    with raises(ModelError, folder):
        load_network("broken")
    with raises(ModelError, "'other'", "'broken'"):
        load_network("other")
