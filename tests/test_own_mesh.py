"""ARKit's expressions on meshes that are not ours, against heads whose own shapes are known.

The mesh is the default model's head of another identity, cut into other triangles, turned, in
another unit and without an order of its vertices; its shapes are known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import igl
import numpy as np
import pytest
from numpy.typing import NDArray
from reconstruct_face.backend.errors import ExchangeError, ModelError, NoFaceError
from reconstruct_face.backend.exchange.own_mesh import (
    LANDMARKS,
    UsersMesh,
    load_shapes,
    save_shapes,
)
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.model.face_model import split_polygons
from reconstruct_face.backend.model.importing.obj import read_points
from reconstruct_face.backend.model.own import own_expressions
from reconstruct_face.backend.own_mesh import MeshExpressions, expressions_for, find_face
from reconstruct_face.backend.own_mesh.mesh import welded
from scipy.spatial.transform import Rotation

from tests.errors import raises

MM = 0.0393701  #: inches in a millimetre: no unit that anything here expects
TURN = Rotation.from_euler("xyz", [80, 15, 200], degrees=True).as_matrix()
SHIFT = np.array([3.0, -20.0, 7.5])


@dataclass(frozen=True, eq=False)
class Known:
    """A mesh with its own shapes."""

    vertices: NDArray[np.float64]  #: (V, 3) inches
    triangles: NDArray[np.int32]  #: (F, 3)
    shapes: NDArray[np.float64]  #: (52, V, 3) inches
    of_default: NDArray[np.int64]  #: (V,) the default's vertex that each is, -1: between some
    landmarks: NDArray[np.float64]  #: (68, 3)


def made(kinds: tuple[str, ...], finer: bool) -> Known:
    """The parts of these ``kinds`` of a head of some identity; ``finer`` with four triangles for
    each."""
    model = load_model()
    rng = np.random.default_rng(3)
    head = model.vertices(0.8 * rng.normal(size=len(model.identity_basis))).astype(np.float64)
    basis = own_expressions(model, head)[:52].astype(np.float64)
    chosen = [model.material_kinds.index(kind) for kind in kinds]
    faces = split_polygons(model.polygons[np.isin(model.polygon_material, chosen)])
    used, local = np.unique(faces, return_inverse=True)
    local = local.reshape(-1, 3).astype(np.int64)
    posed, ids = [head[used], *(head[used] + shape[used] for shape in basis)], used
    if finer:
        posed, local = (
            [np.asarray(igl.upsample(points, local, 1)[0]) for points in posed],
            np.asarray(igl.upsample(posed[0], local, 1)[1]),
        )
        ids = np.r_[used, np.full(len(posed[0]) - len(used), -1)]
    order = rng.permutation(len(ids))
    place = np.argsort(order)
    turned = [(points[order] * MM) @ TURN.T for points in posed]
    marks = np.einsum(
        "lk,lkd->ld", model.landmarks68_barycentric, head[model.landmarks68_triangles]
    )
    return Known(
        turned[0] + SHIFT,
        place[local].astype(np.int32),
        np.array(turned[1:]) - turned[0],
        ids[order],
        (marks * MM) @ TURN.T + SHIFT,
    )


WHOLE = ("skin", "mouth", "eye", "iris", "teeth", "tongue", "lashes")


@pytest.fixture(scope="module")
def whole() -> Known:
    return made(WHOLE, finer=False)


@pytest.fixture(scope="module")
def finer() -> Known:
    return made(("skin", "mouth", "eye", "iris"), finer=True)


@pytest.fixture(scope="module")
def of_whole(whole: Known) -> MeshExpressions:
    ids = np.array(list(LANDMARKS.values()))
    return expressions_for(whole.vertices, whole.triangles, whole.landmarks[ids], ids)


def errors(known: Known, found: MeshExpressions) -> NDArray[np.float64]:
    """(52,) mean mm over what moves by half a millimetre or more."""
    out = []
    for truth, shape in zip(known.shapes, found.shapes, strict=True):
        moves = np.linalg.norm(truth, axis=1) > 0.5 * MM
        out.append(np.linalg.norm(truth - shape, axis=1)[moves].mean() / MM)
    return np.array(out)


@pytest.mark.seconds
def test_landmarks_set_by_hand_give_the_heads_own_shapes(
    whole: Known, of_whole: MeshExpressions
) -> None:
    error = errors(whole, of_whole)
    assert error.mean() < 0.4, dict(zip(of_whole.names, error.round(2), strict=True))
    assert error.max() < 1.5
    assert of_whole.unit_mm == pytest.approx(1 / MM, rel=0.12)
    assert of_whole.covered > 0.95 and of_whole.fit_mm < 0.6
    assert of_whole.notes == ()


@pytest.mark.seconds
def test_the_face_is_found_in_any_pose_and_unit(finer: Known) -> None:
    found = expressions_for(finer.vertices, finer.triangles)
    error = errors(finer, found)
    assert error.mean() < 0.4, dict(zip(found.names, error.round(2), strict=True))
    assert error.max() < 1.2
    off = np.linalg.norm(found.landmarks - finer.landmarks, axis=1)[17:] / MM
    assert off.mean() < 1.5


@pytest.mark.seconds
def test_a_mesh_that_is_inside_out_gets_the_same(whole: Known, of_whole: MeshExpressions) -> None:
    ids = np.array(list(LANDMARKS.values()))
    turned = whole.triangles[:, ::-1].copy()
    found = expressions_for(whole.vertices, turned, whole.landmarks[ids], ids)
    assert np.abs(found.shapes - of_whole.shapes).max() < 0.05 * MM


@pytest.mark.seconds
def test_eyeballs_turn_about_their_middles(whole: Known, of_whole: MeshExpressions) -> None:
    model = load_model()
    for side, name in enumerate(("eyeLookInRight", "eyeLookInLeft")):
        mine = np.isin(whole.of_default, model.eyeballs[side])
        rest = whole.vertices[mine]
        moved = rest + of_whole.shapes[of_whole.names.index(name)][mine]
        # What was at one distance from another stays there: no bending, no growth.
        pick = np.random.default_rng(0).integers(len(rest), size=(200, 2))
        before, after = (
            np.linalg.norm(points[pick[:, 0]] - points[pick[:, 1]], axis=1)
            for points in (rest, moved)
        )
        assert np.abs(after - before).max() < 1e-4 * before.max()
        assert np.linalg.norm(moved - rest, axis=1).max() > 3 * MM


@pytest.mark.seconds
def test_lower_teeth_go_with_the_jaw_and_upper_ones_stay(
    whole: Known, of_whole: MeshExpressions
) -> None:
    model = load_model()
    jaw = of_whole.names.index("jawOpen")
    teeth = np.isin(whole.of_default, np.concatenate(model.of_kind("teeth")))
    truth = np.linalg.norm(whole.shapes[jaw], axis=1)
    lower, upper = teeth & (truth > 5 * MM), teeth & (truth < 0.1 * MM)
    assert lower.sum() > 500 and upper.sum() > 500
    off = np.linalg.norm(whole.shapes[jaw] - of_whole.shapes[jaw], axis=1)
    assert off[lower].mean() < 1.0 * MM
    assert np.abs(of_whole.shapes[:, upper]).max() == 0


@pytest.mark.seconds
def test_lids_close(whole: Known, of_whole: MeshExpressions) -> None:
    """The edges of the lids, which are known, are as near to each other as the head's own are."""
    model = load_model()
    assert model.lid_rings is not None
    from reconstruct_face.backend.model.lids import EDGE

    place = np.full(len(model.mean), -1)
    place[whole.of_default] = np.arange(len(whole.of_default))
    for name, rings in zip(("eyeBlinkRight", "eyeBlinkLeft"), model.lid_rings, strict=True):
        edge = place[rings[EDGE]]
        half = len(edge) // 2
        upper, lower = edge[:half], edge[half:][::-1]
        k = of_whole.names.index(name)
        gaps = []
        for shape in (0 * whole.shapes[k], whole.shapes[k], of_whole.shapes[k]):
            posed = whole.vertices + shape
            gaps.append(np.linalg.norm(posed[upper] - posed[lower], axis=1).mean() / MM)
        opened, truth, found = gaps
        assert opened > 3 and found < truth + 0.5


@pytest.mark.seconds
def test_what_has_no_face_is_refused() -> None:
    ball, triangles = igl.icosahedron()
    ball, triangles = igl.upsample(np.asarray(ball), np.asarray(triangles), 4)
    ball = np.asarray(ball) / np.linalg.norm(ball, axis=1, keepdims=True)
    with raises(NoFaceError):
        find_face(ball, np.asarray(triangles, np.int32))
    # Landmarks of a face, put onto it by hand.
    model = load_model()
    marks = model.mean[model.landmarks68[[36, 39, 42, 45, 30, 48, 54, 8]]]
    on_it = 100 * marks / np.linalg.norm(marks, axis=1, keepdims=True)
    with raises(NoFaceError):
        expressions_for(
            100 * ball, np.asarray(triangles), on_it, np.array([36, 39, 42, 45, 30, 48, 54, 8])
        )


def test_sides_that_are_swapped_are_told(whole: Known) -> None:
    ids = np.array([36, 39, 42, 45, 30, 48, 54, 8])
    swapped = whole.landmarks[[45, 42, 39, 36, 30, 54, 48, 8]]
    with raises(NoFaceError, "right"):
        expressions_for(whole.vertices, whole.triangles, swapped, ids)


def test_arrays_that_are_no_mesh_are_refused(whole: Known) -> None:
    broken = whole.vertices.copy()
    broken[[5, 9], 1] = np.nan
    with raises(ModelError, 2):
        expressions_for(broken, whole.triangles)
    with raises(ModelError, 100):
        expressions_for(whole.vertices[:100], np.array([[0, 1, 2]]))
    with raises(ModelError):
        expressions_for(whole.vertices, whole.triangles + len(whole.vertices))
    with raises(ModelError):
        expressions_for(whole.vertices, np.empty((0, 3), np.int32))
    with raises(ModelError):
        expressions_for(np.zeros_like(whole.vertices), whole.triangles)
    with raises(NoFaceError, 3):
        expressions_for(
            whole.vertices, whole.triangles, whole.landmarks[:3], np.array([36, 39, 42])
        )


@pytest.mark.seconds
def test_lips_without_an_opening_are_told(whole: Known) -> None:
    """The same head, each vertex of the upper lips' seam sewn to the lower one."""
    model = load_model()
    assert model.lip_rings is not None
    place = np.full(len(model.mean), -1)
    place[whole.of_default] = np.arange(len(whole.of_default))
    skin = np.isin(
        whole.of_default,
        np.unique(model.polygons[model.polygon_material == model.material_kinds.index("skin")]),
    )
    kept = skin[whole.triangles].all(axis=1)
    # The ring of the lips that faces the other lip, bridged by triangles.
    ring = place[model.lip_rings[len(model.lip_rings) // 2]]
    half = len(ring) // 2
    upper, lower = ring[:half], ring[half:][::-1]
    bridge = [(upper[k], upper[k + 1], lower[k]) for k in range(half - 1)]
    bridge += [(upper[k + 1], lower[k + 1], lower[k]) for k in range(half - 1)]
    sewn = np.concatenate([whole.triangles[kept], np.array(bridge, np.int32)])
    ids = np.array(list(LANDMARKS.values()))
    found = expressions_for(whole.vertices, sewn, whole.landmarks[ids], ids)
    assert any("lips" in note for note in found.notes)
    assert any("eyeballs" in note for note in found.notes)


def test_a_mesh_cut_at_its_texture_is_sewn_and_closed_lips_are_not() -> None:
    """A strip cut in the middle; and two sheets whose borders touch, facing opposite ways."""
    grid = np.array([[x, y, 0.0] for x in range(5) for y in range(3)])
    quads = [(3 * x + y, 3 * x + 3 + y, 3 * x + 4 + y, 3 * x + 1 + y) for x in (0, 1, 2, 3)
             for y in (0, 1)]  # fmt: skip
    triangles = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    left = triangles[grid[triangles][:, :, 0].max(axis=1) <= 2]
    right = triangles[grid[triangles][:, :, 0].max(axis=1) > 2]
    cut = np.concatenate([grid, grid])
    points, sewn, which = welded(cut, np.concatenate([left, right + 15]).astype(np.int32))
    assert len(points) - (len(cut) - len(np.unique(np.concatenate([left, right + 15])))) == 15
    assert (which[[6, 7, 8]] == which[[21, 22, 23]]).all()
    assert len(sewn) == len(triangles)
    facing = np.concatenate([triangles, triangles[:, ::-1] + 15]).astype(np.int32)
    assert len(welded(cut, facing)[0]) == 30


def test_files_on_the_way_are_checked(tmp_path: Path, whole: Known) -> None:
    mesh = UsersMesh(whole.vertices, whole.triangles, whole.landmarks[:2], np.array([0, 1]))
    back = UsersMesh.load(mesh.save(tmp_path / "mesh.npz"))
    assert (back.vertices == whole.vertices).all() and (back.triangles == whole.triangles).all()
    wrong = UsersMesh(whole.vertices[:10], whole.triangles, whole.landmarks[:2], np.array([0, 1]))
    with raises(ExchangeError, "wrong.npz"):
        UsersMesh.load(wrong.save(tmp_path / "wrong.npz"))
    shapes = np.ones((52, 10, 3), np.float32)
    read, marks = load_shapes(save_shapes(tmp_path / "shapes.npz", shapes, whole.landmarks))
    assert (read == shapes).all() and (marks == whole.landmarks).all()
    (tmp_path / "cut.npz").write_bytes((tmp_path / "shapes.npz").read_bytes()[:900])
    with raises(ExchangeError, "cut.npz"):
        load_shapes(tmp_path / "cut.npz")


@pytest.mark.seconds
def test_the_command_writes_a_file_for_each_expression(tmp_path: Path, finer: Known) -> None:
    from reconstruct_face.backend.cli.own_mesh import main

    mesh, out = tmp_path / "head.obj", tmp_path / "out"
    lines = ["v " + " ".join(f"{x:.7f}" for x in point) for point in finer.vertices.tolist()]
    lines += ["f " + " ".join(str(k + 1) for k in corners) for corners in finer.triangles.tolist()]
    mesh.write_text("\n".join(lines) + "\n")
    assert main([str(mesh), "-o", str(out), "--up", "z"]) == 0
    assert len(list(out.glob("*.obj"))) == 52
    written = read_points(out / "jawOpen.obj")
    names = load_model().expression_names
    truth = finer.shapes[names.index("jawOpen")]
    moves = np.linalg.norm(truth, axis=1) > 0.5 * MM
    off = np.linalg.norm(written - finer.vertices - truth, axis=1)[moves]
    assert off.mean() < 1.0 * MM
    marks = [line.split("\t") for line in (out / "landmarks.txt").read_text().splitlines()]
    assert [name for name, _ in marks] == list(LANDMARKS)
    assert main([str(tmp_path / "none.obj"), "-o", str(out)]) == ModelError.exit_status
