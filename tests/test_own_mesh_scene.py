"""Users' meshes in Blender: what is sent, landmarks, keys that are kept, discarded, replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.exchange.names import ARKIT
from reconstruct_face.backend.exchange.own_mesh import LANDMARKS
from reconstruct_face.backend.model import load_model
from reconstruct_face.operators import strings_own_mesh
from reconstruct_face.operators.session import SESSION
from reconstruct_face.scene import jobs, own_mesh
from reconstruct_face.scene.backend_process import BackendProcess

from tests.add_on import registered
from tests.errors import raises


@pytest.fixture(autouse=True)
def _add_on() -> Iterator[None]:
    with registered():
        yield


def new_mesh(name: str, points: NDArray, faces: list[Any]) -> bpy.types.Object:
    data = bpy.data.meshes.new(name)
    data.from_pydata(points.tolist(), [], faces)
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    return thing


def grid(name: str, count: int = 4) -> bpy.types.Object:
    """A flat square of ``count`` x ``count`` vertices in XZ, which faces -Y."""
    points = np.array([[x, 0.0, z] for z in range(count) for x in range(count)], float)
    faces = [
        (z * count + x, z * count + x + 1, (z + 1) * count + x + 1, (z + 1) * count + x)
        for z in range(count - 1)
        for x in range(count - 1)
    ]
    return new_mesh(name, points, faces)


def coordinates(key: bpy.types.ShapeKey) -> NDArray:
    flat = np.empty(3 * len(key.data), np.float32)
    key.data.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def answer(counts: list[int], moving: dict[str, NDArray]) -> dict[str, Any]:
    """What the backend would say: shapes in the world for all vertices together."""
    shapes = np.zeros((52, sum(counts), 3), np.float32)
    for name, shape in moving.items():
        shapes[ARKIT.index(name)] = shape
    return {"names": list(ARKIT), "shapes": shapes, "fit_mm": 0.4, "covered": 0.9, "notes": ["N."]}


def sent(*meshes: bpy.types.Object) -> own_mesh.Sent:
    return own_mesh.arrays_of(meshes)[1]


def test_what_is_sent_is_the_world_about_the_origin() -> None:
    mesh = grid("face")
    mesh.location, mesh.rotation_euler, mesh.scale = (5, 6, 7), (0, 0, np.pi / 2), (2, 2, -2)
    bpy.context.view_layer.update()
    given, about = own_mesh.arrays_of([mesh])
    # x becomes y, z is turned upside down by the negative scale.
    rest = np.array([v.co[:] for v in mesh.data.vertices])
    expected = np.c_[-2 * rest[:, 1], 2 * rest[:, 0], -2 * rest[:, 2]]
    assert np.abs(given.vertices - expected).max() < 1e-5
    a, b, c = given.vertices[given.triangles[0]]
    # The square faces -Y; turned by a right angle it faces +X, and mirroring leaves that.
    assert np.cross(b - a, c - a)[0] > 0
    assert about.counts == (16,) and len(given.triangles) == 18


def test_keys_move_as_the_world_was_told() -> None:
    mesh = grid("face")
    mesh.rotation_euler, mesh.scale = (0.3, 0.2, 1.0), (0.5, 2.0, 3.0)
    bpy.context.view_layer.update()
    about = sent(mesh)
    wanted = np.random.default_rng(1).normal(size=(16, 3))
    own_mesh.add_keys(answer([16], {"jawOpen": wanted}), about)
    keys = mesh.data.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis", *ARKIT]
    moved = coordinates(keys["jawOpen"]) - coordinates(keys["Basis"])
    world = moved @ np.array(mesh.matrix_world)[:3, :3].T
    assert np.abs(world - wanted).max() < 1e-5
    assert np.abs(coordinates(keys["eyeBlinkLeft"]) - coordinates(keys["Basis"])).max() == 0


def test_eyes_that_are_other_meshes_are_driven() -> None:
    eyes, face = grid("eyes"), grid("face")
    moving = np.zeros((32, 3))
    moving[16:] = [0, 0, 1.0]
    about = sent(face, eyes)
    own_mesh.add_keys(answer([16, 16], {"eyeLookUpLeft": moving}), about)
    assert [key.name for key in eyes.data.shape_keys.key_blocks] == ["Basis", "eyeLookUpLeft"]
    own_mesh.try_out(face, {"eyeLookUpLeft": 0.5})
    bpy.context.view_layer.update()
    assert eyes.data.shape_keys.key_blocks["eyeLookUpLeft"].value == pytest.approx(0.5)
    own_mesh.discard(face)
    assert eyes.data.shape_keys is None and face.data.shape_keys is None
    assert own_mesh.made(eyes) is None


def test_keys_of_the_same_name_are_refused_or_come_back_when_discarded() -> None:
    mesh = grid("face")
    mesh.shape_key_add(name="Basis")
    old = mesh.shape_key_add(name="jawOpen")
    old.data[0].co.z = 7.0
    mesh.shape_key_add(name="mine")
    about, result = sent(mesh), answer([16], {"jawOpen": np.ones((16, 3))})
    with raises(ModelError, "face", "jawOpen"):
        own_mesh.add_keys(result, about)
    assert [key.name for key in mesh.data.shape_keys.key_blocks] == ["Basis", "jawOpen", "mine"]
    own_mesh.add_keys(result, about, replace=True)
    keys = mesh.data.shape_keys.key_blocks
    assert np.allclose(coordinates(keys["jawOpen"]) - coordinates(keys["Basis"]), 1)
    own_mesh.discard(mesh)
    assert [key.name for key in keys] == ["Basis", "jawOpen", "mine"]
    assert keys["jawOpen"].data[0].co.z == 7.0 and not keys["jawOpen"].mute
    own_mesh.add_keys(result, about, replace=True)
    own_mesh.keep(mesh)
    assert set(keys.keys()) == {"Basis", "mine", *ARKIT} and own_mesh.made(mesh) is None


def test_making_them_again_replaces_what_was_not_kept() -> None:
    mesh = grid("face")
    about = sent(mesh)
    own_mesh.add_keys(answer([16], {"jawOpen": np.ones((16, 3))}), about)
    own_mesh.check_names([mesh], ARKIT, replace=False)
    own_mesh.add_keys(answer([16], {"jawOpen": 2 * np.ones((16, 3))}), about)
    keys = mesh.data.shape_keys.key_blocks
    assert len(keys) == 53
    assert np.allclose(coordinates(keys["jawOpen"]) - coordinates(keys["Basis"]), 2)


@pytest.mark.parametrize("text", ["{", "[]", '{"keys": 3}', '{"keys": ["a"], "with": [1]}'])
def test_what_others_write_into_its_properties_is_no_preview(text: str) -> None:
    mesh = grid("face")
    mesh[own_mesh.MADE] = text
    assert own_mesh.made(mesh) is None
    own_mesh.discard(mesh)
    own_mesh.keep(mesh)


def test_a_mesh_that_was_changed_meanwhile_is_left_alone() -> None:
    mesh = grid("face")
    about = sent(mesh)
    mesh.data = grid("other", 5).data
    with raises(ModelError, "face", 16, 25):
        own_mesh.add_keys(answer([16], {}), about)
    assert mesh.data.shape_keys is None
    mesh.name = "renamed"
    with raises(ModelError, "face"):
        own_mesh.add_keys(answer([16], {}), about)


def test_meshes_that_cannot_have_keys_are_refused() -> None:
    mesh = grid("face")
    own_mesh.check(mesh)
    mesh.modifiers.new("Armature", "ARMATURE")
    own_mesh.check(mesh)
    mirror = mesh.modifiers.new("Mirror", "MIRROR")
    with raises(ModelError, "face", "Mirror"):
        own_mesh.check(mesh)
    mesh.modifiers.remove(mirror)
    bpy.ops.object.mode_set(mode="EDIT")
    with raises(ModelError, "face", "edit"):
        own_mesh.check(mesh)
    bpy.ops.object.mode_set(mode="OBJECT")
    mesh.shape_key_add(name="Basis")
    mesh.data.shape_keys.use_relative = False
    with raises(ModelError, "face", "absolute"):
        own_mesh.check(mesh)
    mesh.shape_key_clear()
    mesh.scale = (1, 0, 1)
    bpy.context.view_layer.update()
    with raises(ModelError, "face"):
        own_mesh.check(mesh)


def test_landmarks_lie_on_the_surface_and_go_with_the_mesh() -> None:
    mesh = grid("face", 30)
    own_mesh.place_landmarks(mesh)
    found = own_mesh.landmarks_of(mesh)
    assert sorted(found) == sorted(LANDMARKS.values()) == sorted(own_mesh.ON_A_HEAD)
    places = np.array(list(found.values()))
    assert np.abs(places[:, 1]).max() < 1e-4
    empty = own_mesh.landmark_objects(mesh)[0]
    empty.location = (4.0, -9.0, 3.0)  # dragged away from it
    moved = own_mesh.landmarks_of(mesh)[int(empty[own_mesh.LANDMARK])]
    assert np.allclose(moved, [4.0, 0.0, 3.0], atol=1e-4)
    given, _ = own_mesh.arrays_of([mesh])
    assert len(given.landmarks) == len(LANDMARKS)
    own_mesh.remove_landmarks(mesh)
    assert not own_mesh.landmark_objects(mesh) and not own_mesh.landmarks_of(mesh)


def test_a_failure_is_told_where_the_button_is() -> None:
    """The fake backend knows no such request: the panel has the sentence, the mesh no key."""
    mesh = grid("face")
    with pytest.raises(RuntimeError):
        bpy.ops.reconstruct_face.own_mesh_make()
    assert SESSION.failure is not None and SESSION.failure.place == "own_mesh"
    assert mesh.data.shape_keys is None


def test_poses_to_try_are_arkits() -> None:
    assert {name for _, _, pose in strings_own_mesh.POSES for name in pose} <= set(ARKIT)


@pytest.mark.slow
def test_a_head_gets_its_expressions_by_the_buttons() -> None:
    """From find to keep with the real backend, Blender's axes and metres."""
    model = load_model()
    kept = np.isin(
        model.polygon_material, [model.material_kinds.index(k) for k in ("skin", "mouth", "eye")]
    )
    used, faces = np.unique(model.polygons[kept], return_inverse=True)
    points = model.mean[used].astype(float)[:, [0, 2, 1]] * [1e-3, -1e-3, 1e-3]
    mesh = new_mesh("head", points, faces.reshape(-1, model.polygons.shape[1]).tolist())
    jobs.use_backend(BackendProcess)
    assert bpy.ops.reconstruct_face.own_mesh_find() == {"FINISHED"}
    tip = own_mesh.landmarks_of(mesh)[30]
    assert (
        np.linalg.norm(tip - model.mean[model.landmarks68[30]][[0, 2, 1]] * [1e-3, -1e-3, 1e-3])
        < 0.004
    )
    assert bpy.ops.reconstruct_face.own_mesh_make() == {"FINISHED"}
    keys = mesh.data.shape_keys.key_blocks
    truth = model.expression_basis[ARKIT.index("jawOpen")][used][:, [0, 2, 1]] * [1e-3, -1e-3, 1e-3]
    moved = coordinates(keys["jawOpen"]) - coordinates(keys["Basis"])
    moves = np.linalg.norm(truth, axis=1) > 5e-4
    assert np.linalg.norm(moved - truth, axis=1)[moves].mean() < 8e-4
    assert bpy.ops.reconstruct_face.own_mesh_try(pose="JAW") == {"FINISHED"}
    assert keys["jawOpen"].value == pytest.approx(0.8)
    assert bpy.ops.reconstruct_face.own_mesh_keep() == {"FINISHED"}
    assert keys["jawOpen"].value == 0 and not own_mesh.landmark_objects(mesh)
