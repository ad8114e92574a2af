"""FBX files read by Blender's own parser, record by record: what no importer shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import bpy
import numpy as np
import pytest
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.geometry.triangles import angle_weighted_normals
from reconstruct_face.scene.animation.export import export_animation
from reconstruct_face.scene.build import build_scene, prepare_file
from reconstruct_face.scene.export import export_head
from reconstruct_face.scene.formats.fbx_tree import encode, parse

from tests.synthetic_reconstruction import ARKIT_NAMES, make_reconstruction

NAME = "Zoë 1"


class Written(NamedTuple):
    """One head in FBX files."""

    made: Reconstruction
    files: dict[str, Path]
    raw: bytes  #: what Blender's exporter alone writes of the same


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    made = make_reconstruction(rows=12, columns=16)
    prepare_file(made)
    head_scene = build_scene(made, set_active=True)
    folder = tmp_path_factory.mktemp("of_nobodys_business")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "work.blend"))
    still = export_head(head_scene, folder, NAME, ["fbx"])["fbx"]
    head_scene.head.data.shape_keys.key_blocks["jawOpen"].keyframe_insert("value", frame=1)
    moving = export_animation(head_scene, folder, "moving", ["fbx"], (1, 3))["fbx"]
    bpy.ops.export_scene.fbx(filepath=str(folder / "raw.fbx"), object_types={"MESH"})
    raw = (folder / "raw.fbx").read_bytes()
    return Written(made, {"still": still, "moving": moving}, raw)


@pytest.fixture(params=["still", "moving"])
def path(request: pytest.FixtureRequest, written: Written) -> Path:
    return written.files[request.param]


def elements(path: Path, name: bytes) -> Iterator[Any]:
    from io_scene_fbx import parse_fbx  # comes with Blender; knows nothing of ours

    def below(element: Any) -> Iterator[Any]:
        for child in element.elems:
            if child is not None:
                yield child
                yield from below(child)

    root, version = parse_fbx.parse(str(path))
    assert version == 7400
    return (element for element in below(root) if element.id == name)


def child(element: Any, name: bytes) -> Any:
    (found,) = [one for one in element.elems if one is not None and one.id == name]
    return found.props[0]


def test_what_blender_wrote_comes_out_as_it_was(written: Written) -> None:
    assert encode(parse(written.raw)) == written.raw


def test_shapes_have_the_normals_of_their_surface(written: Written, path: Path) -> None:
    made = written.made
    rest = angle_weighted_normals(made.vertices_neutral.astype(np.float64), made.polygons)
    shapes = [x for x in elements(path, b"Geometry") if x.props[2] == b"Shape"]
    assert len(shapes) == len(ARKIT_NAMES)
    for shape in shapes:
        name = shape.props[1].split(b"\0")[0].decode()
        moved = made.vertices_neutral + made.expression_basis[ARKIT_NAMES.index(name)]
        offsets = angle_weighted_normals(moved.astype(np.float64), made.polygons) - rest
        indices = np.array(child(shape, b"Indexes"))
        found = np.array(child(shape, b"Normals")).reshape(-1, 3)
        # z up as in Blender: FBX turns the object.
        expected = offsets[indices][:, [0, 2, 1]] * (1, -1, 1)
        assert np.abs(expected).max() > 0.01, name
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_texture_is_multiplied_by_white(path: Path) -> None:
    colours = [
        p.props[4:7]
        for material in elements(path, b"Material")
        for properties in material.elems
        if properties is not None and properties.id == b"Properties70"
        for p in properties.elems
        if p is not None and p.props[0] == b"DiffuseColor"
    ]
    assert len(colours) >= 3
    assert {tuple(colour) for colour in colours} == {(1.0, 1.0, 1.0)}


def test_nothing_in_it_names_a_folder(path: Path) -> None:
    data = path.read_bytes()
    for secret in (path.parent.name, ".writing-", "work.blend", "foobar", "/somewhere"):
        assert os.fsencode(secret) not in data, secret
    names = {str(e.props[0], "utf-8") for e in elements(path, b"RelativeFilename")}
    assert names == {"Ada_Lovelace_texture.png"}
    assert any(child(e, b"Content") for e in elements(path, b"Video")), "the texture is inside"


def test_it_is_in_metres_and_says_so(written: Written, path: Path) -> None:
    (unit,) = [p for p in elements(path, b"P") if p.props[0] == b"UnitScaleFactor"]
    assert unit.props[4] == 100.0  # centimetres
    (mesh,) = [x for x in elements(path, b"Geometry") if x.props[2] == b"Mesh"]
    vertices = np.array(child(mesh, b"Vertices")).reshape(-1, 3)
    expected = written.made.vertices_neutral[:, [0, 2, 1]] * (1, -1, 1) / 1000
    np.testing.assert_allclose(vertices, expected, atol=1e-6)


def test_blenders_importer_reads_it(path: Path) -> None:
    """The one in C++ has another program's parser (ufbx); Blender 4.2 has the older one alone."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    newer = "fbx_import" in dir(bpy.ops.wm)
    (bpy.ops.wm.fbx_import if newer else bpy.ops.import_scene.fbx)(filepath=str(path))
    (head,) = [thing for thing in bpy.data.objects if thing.type == "MESH"]
    assert [key.name for key in head.data.shape_keys.key_blocks] == ["Basis", *ARKIT_NAMES]
    assert any(image.size[0] == 128 for image in bpy.data.images)
