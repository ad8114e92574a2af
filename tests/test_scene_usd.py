"""Packages of USD: the zip, the text in it, and what Blender's USD library makes of both."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.scene.animation.export import export_animation
from reconstruct_face.scene.build import build_scene, prepare_file
from reconstruct_face.scene.export import export_head

from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction

NAME = "Zoë 1"


@pytest.fixture(scope="module")
def made() -> Reconstruction:
    found = make_reconstruction(rows=12, columns=16)
    found.expression_basis[3] = 0  # one that moves nothing, as ARKit's tongueOut on many heads
    posed = np.tensordot(found.expression, found.expression_basis, 1)
    found.vertices_posed = (found.vertices_neutral + posed).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def written(made: Reconstruction, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    prepare_file(made)
    head_scene = build_scene(made, name="Zoë", set_active=True)
    folder = tmp_path_factory.mktemp("usd")
    still = export_head(head_scene, folder, NAME, ["usd"])["usd"]
    key = head_scene.head.data.shape_keys.key_blocks["jawOpen"]
    for frame, value in ((1, 0.25), (4, 0.75)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    moving = export_animation(head_scene, folder, "moving", ["usd"], (1, 4))["usd"]
    assert sorted(x.name for x in folder.iterdir()) == sorted([still.name, moving.name])
    return {"still": still, "moving": moving}


def layer(path: Path) -> str:
    with zipfile.ZipFile(path) as package:
        return package.read(package.namelist()[0]).decode()


def numbers(text: str, width: int) -> np.ndarray:
    return np.array(re.findall(r"-?[\d.]+(?:e-?\d+)?", text), float).reshape(-1, width)


def test_the_zip_is_as_the_specification_wants_it(
    written: dict[str, Path], made: Reconstruction
) -> None:
    """https://openusd.org/release/spec_usdz.html: no compression, data at multiples of 64."""
    path = written["still"]
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        entries = package.infolist()
        assert [e.filename for e in entries] == [f"{NAME}.usda", "textures/Zoë_texture.png"]
        assert package.read(entries[1]) == made.texture.tobytes()
    data = path.read_bytes()
    for entry in entries:
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.flag_bits & 0x800, "the name is UTF-8, and the file says so"
        name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
        begins = entry.header_offset + 30 + name + extra
        assert begins % 64 == 0
        if entry is entries[0]:
            assert data[begins:].startswith(b"#usda 1.0")
    assert "@./textures/Zoë_texture.png@" in layer(path)


def test_the_head_makes_the_photos_face(written: dict[str, Path], made: Reconstruction) -> None:
    """UsdSkel: points + sum of weights x offsets, here added up by hand."""
    text = layer(written["still"])
    (order,) = re.findall(r"uniform token\[\] blendShapes = \[(.*)\]", text)
    (weights,) = re.findall(r"float\[\] blendShapeWeights = \[(.*)\]", text)
    weight = dict(zip(re.findall('"(.*?)"', order), map(float, weights.split(",")), strict=True))
    assert list(weight.values()) == pytest.approx(made.expression.tolist(), abs=1e-6)
    (points,) = re.findall(r"point3f\[\] points = \[(.*)\]", text)
    posed = numbers(points, 3)
    shapes = re.findall(
        r'def BlendShape "(\w+)"\s*\{\s*uniform vector3f\[\] offsets = \[(.*)\]\s*'
        r"uniform int\[\] pointIndices = \[(.*)\]",
        text,
    )
    assert [name for name, *_ in shapes] == list(ARKIT_NAMES)
    listed = 0
    for name, offsets, indices in shapes:
        ids = numbers(indices, 1)[:, 0].astype(int)
        posed[ids] += weight[name] * numbers(offsets, 3)
        listed += len(ids)
    expected = made.vertices_posed[:, [0, 2, 1]] * (1, -1, 1) / 1000
    np.testing.assert_allclose(posed, expected, atol=5e-6)  # each of 52 shapes is rounded
    moved = (np.abs(made.expression_basis) > 4.8e-4).any(axis=2)  # mm
    assert listed <= moved.sum() + 1 < made.expression_basis[..., 0].size, "no point for nothing"


@pytest.mark.parametrize("kind", ["still", "moving"])
def test_blender_reads_shapes_and_texture(
    kind: str, written: dict[str, Path], made: Reconstruction
) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.usd_import(filepath=str(written[kind]))
    (head,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    blocks = head.data.shape_keys.key_blocks
    assert set(ARKIT_NAMES) <= set(blocks.keys())
    assert (128, 128) in {tuple(image.size) for image in bpy.data.images}
    for name in ("jawOpen", ARKIT_NAMES[3]):
        delta = np.array([(a.co - b.co)[:] for a, b in zip(
            blocks[name].points, blocks[0].points, strict=True
        )])  # fmt: skip
        expected = made.expression_basis[ARKIT_NAMES.index(name)][:, [0, 2, 1]] * (1, -1, 1) / 1000
        np.testing.assert_allclose(delta, expected, atol=2e-6)


def test_a_head_that_moves_keeps_its_samples(written: dict[str, Path]) -> None:
    text = layer(written["moving"])
    assert len(re.findall("blendShapeWeights", text)) == 1
    (order,) = re.findall(r"uniform token\[\] blendShapes = \[(.*)\]", text)
    column = re.findall('"(.*?)"', order).index("jawOpen")
    samples = dict(re.findall(r"^\s+(\d+): \[(.*)\],$", text, re.M))
    values = {int(frame): float(row.split(",")[column]) for frame, row in samples.items()}
    assert sorted(values) == [1, 2, 3, 4]
    assert (values[1], values[4]) == pytest.approx((0.25, 0.75), abs=1e-6)
