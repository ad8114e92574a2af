"""The embedded face model: what a user of ``assets/face_model.npz`` may rely on. Reads the file
itself, without the package."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tests.synthetic_reconstruction import ARKIT_NAMES

ROOT = Path(__file__).resolve().parents[1]
ASSET = ROOT / "assets" / "face_model.npz"
FLIP = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def model() -> dict[str, np.ndarray]:
    """All arrays of the asset; loading needs no pickle."""
    with np.load(ASSET, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def header(model) -> dict:
    """The JSON header."""
    return json.loads(model["header"].tobytes().decode("utf-8"))


@pytest.fixture(scope="module")
def random_heads(model) -> np.ndarray:
    """(200, V, 3) heads with N(0, 1) coefficients."""
    basis = model["identity_basis"].astype(np.float32)
    coefficients = np.random.default_rng(0).normal(size=(200, len(basis))).astype(np.float32)
    return model["mean"] + (coefficients @ basis.reshape(len(basis), -1)).reshape(200, -1, 3)


def part(model, header, name: str) -> np.ndarray:
    """Vertices of one part."""
    return np.flatnonzero(model["vertex_part"] == header["part_names"].index(name))


def expression(model, header, name: str) -> np.ndarray:
    """(V, 3) displacement at weight 1."""
    return model["expression_basis"][header["expression_names"].index(name)].astype(float)


def landmark_positions(model, vertices: np.ndarray) -> np.ndarray:
    """(68, 3) exact landmark positions on a head."""
    return np.einsum(
        "nk,nkd->nd", model["landmarks68_barycentric"], vertices[model["landmarks68_triangles"]]
    )


def test_header_states_the_contract(header):
    assert header["format"] == "reconstruct_face.face_model" and header["version"] == 1
    assert header["licence"] == "CC0-1.0" and header["units"] == "mm"
    assert header["materials"] == [
        "skin", "eye", "teeth", "tongue", "mouth", "iris", "cornea", "lashes", "tear",
    ]  # fmt: skip


def test_shapes_and_types_agree(model, header):
    count, polygons, corners = len(model["mean"]), len(model["polygons"]), len(model["uv"])
    components, shapes = len(model["identity_basis"]), len(header["expression_names"])
    colours = len(model["albedo_scale"])
    expected = {
        "mean": ((count, 3), "float32"),
        "identity_basis": ((components, count, 3), "float16"),
        "identity_sigma_mm": ((components,), "float32"),
        "expression_basis": ((shapes, count, 3), "float16"),
        "polygons": ((polygons, 4), "int32"),
        "uv_polygons": ((polygons, 4), "int32"),
        "polygon_material": ((polygons,), "uint8"),
        "uv": ((corners, 2), "float32"),
        "symmetry": ((count,), "int32"),
        "landmarks68": ((68,), "int32"),
        "landmarks68_triangles": ((68, 3), "int32"),
        "landmarks68_barycentric": ((68, 3), "float32"),
        "albedo_mean": ((512, 512, 3), "float16"),
        "albedo_basis": ((colours, 512, 512, 3), "int8"),
        "vertex_masks": ((len(header["mask_names"]), count), "uint8"),
        "uv_masks": ((len(header["mask_names"]), 512, 512), "uint8"),
        "eye_centers": ((2, 3), "float32"),
        "eye_radius": ((), "float32"),
    }
    assert {name: (model[name].shape, str(model[name].dtype)) for name in expected} == expected
    assert components >= 100 and colours >= 10 and 4000 < count < 12000
    assert model["contour_candidates"].shape[0] == 17
    assert all(
        np.isfinite(model[name].astype(float)).all()
        for name in ("mean", "identity_basis", "expression_basis")
    )


def test_size_and_card():
    data = ASSET.read_bytes()
    card = json.loads(ASSET.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(data) < 12_000_000
    assert card["npz_sha256"] == hashlib.sha256(data).hexdigest()
    assert card["licence"] == "CC0-1.0" and len(card["source"]["wheel_sha256"]) == 64


def test_symmetry_is_an_involution_and_the_mean_is_symmetric(model):
    mirror = model["symmetry"]
    assert (mirror[mirror] == np.arange(len(mirror))).all()
    assert np.abs(model["mean"][mirror] * FLIP - model["mean"]).max() < 2e-3
    rows = {tuple(sorted(row)) for row in model["polygons"].tolist()}
    assert {tuple(sorted(row)) for row in mirror[model["polygons"]].tolist()} == rows


def test_identity_modes_are_symmetric_or_antisymmetric(model):
    basis = model["identity_basis"].astype(float)
    twin = basis[:, model["symmetry"]] * FLIP
    sign = np.where(model["identity_symmetric"], 1.0, -1.0)[:, None, None]
    assert np.abs(twin - sign * basis).max() < 0.02
    assert model["identity_symmetric"].any() and not model["identity_symmetric"].all()
    assert (np.diff(model["identity_sigma_mm"]) <= 1e-4).all()


def test_mesh_is_manifold_with_the_neck_as_its_only_boundary_loop_on_the_skin(model, header):
    polygons = model["polygons"][np.isin(model["polygon_material"], (0, 4))]
    directed = Counter(
        (a, b) for q in polygons.tolist() for a, b in zip(q, q[1:] + q[:1], strict=True)
    )
    assert max(directed.values()) == 1
    boundary = {edge[0]: edge[1] for edge in directed if edge[::-1] not in directed}
    loop = [int(model["neck_loop"][0])]
    while boundary[loop[-1]] != loop[0]:
        loop.append(boundary[loop[-1]])
    assert len(loop) == len(boundary) == len(model["neck_loop"])
    assert set(loop) == set(model["neck_loop"].tolist())
    assert len(np.unique(model["polygons"])) == len(model["mean"])


def test_polygons_face_outwards(model, header):
    mean, polygons = model["mean"].astype(float), model["polygons"]
    corner = mean[polygons]
    normal = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    for name in ("eye_left", "eye_right"):
        vertices = part(model, header, name)
        rows = np.isin(polygons[:, 0], vertices)
        iris = rows & (model["polygon_material"] == header["materials"].index("iris"))
        assert (normal[iris][:, 2] > -0.2).all(), "seen from before, or the pupil's wall"
        rows &= ~iris
        arm = corner[rows].mean(axis=1) - model["eye_centers"][int(name == "eye_left")]
        assert ((normal[rows] * arm).sum(axis=1) > 0).all()
    volume = (np.cross(corner[:, 0], corner[:, 1]) * corner[:, 2]).sum(axis=1)
    volume += (np.cross(corner[:, 0], corner[:, 2]) * corner[:, 3]).sum(axis=1)
    assert volume[model["polygon_material"] == 0].sum() > 0


def rasterised_owners(uv: np.ndarray, polygons: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Owner polygon of each texel (-1: none) and how many texels' centres two polygons claim."""
    owner, overlaps = np.full((size, size), -1), 0
    pixel = uv.astype(float) * [size, -size] + [-0.5, size - 0.5]
    for split in ((0, 1, 2), (0, 2, 3)):
        for number, (a, b, c) in enumerate(pixel[polygons[:, split]]):
            low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c)), 0).astype(int)
            high = np.floor(np.maximum(np.maximum(a, b), c)).astype(int)
            if (high < low).any():
                continue
            x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
            area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            w1 = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
            w2 = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
            inside = (w1 > 1e-4) & (w2 > 1e-4) & (w1 + w2 < 1 - 1e-4)
            before = owner[y[inside], x[inside]]
            overlaps += int(((before >= 0) & (before != number)).sum())
            owner[y[inside], x[inside]] = number
    return owner, overlaps


@pytest.mark.seconds
def test_uv_islands_do_not_overlap_and_keep_their_distance(model):
    uv, polygons = model["uv"], model["uv_polygons"]
    corner = uv[polygons].astype(float)
    following = np.roll(corner, -1, axis=1)
    area = (corner[..., 0] * following[..., 1] - corner[..., 1] * following[..., 0]).sum(axis=1) / 2
    assert (area > 0).all() and uv.min() > 8 / 2048 - 1e-4 and uv.max() < 1 - 8 / 2048 + 1e-4
    size = 1024
    owner, overlaps = rasterised_owners(uv, polygons, size)
    assert overlaps == 0
    label = np.arange(len(uv))
    for _ in range(200):  # the smallest corner index of each island, spread until nothing changes
        smallest = label[polygons].min(axis=1)
        spread = label.copy()
        np.minimum.at(spread, polygons.ravel(), np.repeat(smallest, 4))
        if (spread == label).all():
            break
        label = spread
    island = np.where(owner >= 0, label[polygons[:, 0]][owner], -1)
    for step in range(1, 4):  # 4 texels at 1024 are 8 at 2048
        for axis in (0, 1):
            near, far = np.moveaxis(island, axis, 0)[:-step], np.moveaxis(island, axis, 0)[step:]
            assert not ((near != far) & (near >= 0) & (far >= 0)).any()


def test_uv_of_the_skin_is_symmetric_and_the_face_gets_its_share(model, header):
    skin = np.flatnonzero(model["polygon_material"] == 0)
    corners = {}
    for row in skin:
        for vertex, corner in zip(model["polygons"][row], model["uv_polygons"][row], strict=True):
            corners.setdefault(int(vertex), []).append(model["uv"][corner])
    for vertex, found in corners.items():
        twins = np.array(corners[int(model["symmetry"][vertex])]) * [-1, 1] + [1, 0]
        assert max(np.abs(twins - uv).max(axis=1).min() for uv in found) < 1e-4
    face = model["uv_masks"][header["mask_names"].index("face")] > 128
    columns = np.flatnonzero(face.any(axis=0))
    assert 0.6 <= (columns[-1] - columns[0]) / 512 <= 0.68


def test_masks_cover_what_they_name(model, header):
    masks = dict(zip(header["mask_names"], model["vertex_masks"] / 255, strict=True))
    mean = model["mean"].astype(float)
    marks = landmark_positions(model, mean)
    eyes, tip, mouth, chin = marks[36:48], marks[30], marks[48:].mean(axis=0), marks[8]
    on = {name: mean[mask > 0.5] for name, mask in masks.items()}
    assert len(on) == len(header["mask_names"]) and all(len(points) for points in on.values())

    def away(name: str, *places: np.ndarray) -> float:
        """mm of the mask's farthest vertex from the nearest of ``places``."""
        return np.linalg.norm(on[name][:, None] - np.array(places), axis=2).min(axis=1).max()

    centers, radius = model["eye_centers"], float(model["eye_radius"])
    assert away("lips", mouth) < 40 and away("nose", tip, marks[27]) < 30
    assert away("lids", *centers) < 2 * radius and away("iris", *centers) < radius + 1
    assert away("sclera", *centers) < 2 * radius and (on["iris"][:, 2] > centers[0, 2]).all()
    assert (on["brows"][:, 1] > eyes[:, 1].max()).all() and away("brows", *marks[17:27]) < 12
    for name, starts in (("teeth", ("teeth",)), ("tongue", ("tongue", "gums"))):
        parts = [part(model, header, n) for n in header["part_names"] if n.startswith(starts)]
        inside = np.zeros(len(mean), bool)
        inside[np.concatenate(parts)] = True
        np.testing.assert_array_equal(masks[name] > 0.5, inside, err_msg=name)
    assert (on["mouth"][:, 2] < on["lips"][:, 2].max()).all() and away("mouth", mouth) < 110
    assert (np.abs(on["ears"][:, 0]) > 60).all() and (
        on["ears"][:, 2] < eyes[:, 2].min() - 40
    ).all()
    assert on["neck"][:, 1].mean() < chin[1] and on["neck"][:, 1].min() == mean[:, 1].min()
    assert (
        on["scalp"][:, 1].mean() > marks[17:27, 1].max()
        and on["scalp"][:, 1].max() == mean[:, 1].max()
    )
    assert (on["beard"][:, 1] < tip[1]).all() and np.linalg.norm(
        on["beard"] - chin, axis=1
    ).min() < 5
    assert on["face"][:, 2].mean() > on["skin"][:, 2].mean() + 20 and away("face", tip) < 120
    eye = np.concatenate([part(model, header, "eye_left"), part(model, header, "eye_right")])
    assert not masks["face"][eye].any() and not masks["skin"][eye].any()
    cornea = header["materials"].index("cornea")
    seen = np.intersect1d(eye, model["polygons"][model["polygon_material"] != cornea])
    np.testing.assert_allclose(masks["sclera"][seen] + masks["iris"][seen], 1, atol=1.01 / 255)
    assert not (masks["sclera"] + masks["iris"])[np.setdiff1d(eye, seen)].any()


def test_landmarks_are_symmetric_and_where_they_belong(model):
    """As numbered in the picture of 300-W (Sagonas et al. 2016), the person's right first."""
    mean = model["mean"].astype(float)
    points = landmark_positions(model, mean)
    apart = np.linalg.norm(points[:, None] * FLIP - points[None], axis=2)
    twin = apart.argmin(axis=1)
    assert apart.min(axis=1).max() < 0.02 and np.sort(apart, axis=1)[:, 1].min() > 1
    middle = np.flatnonzero(twin == np.arange(68))
    assert middle.tolist() == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    assert (model["symmetry"][model["landmarks68"]] == model["landmarks68"][twin]).all()
    assert np.abs(model["landmarks68_barycentric"].sum(axis=1) - 1).max() < 1e-4
    x, y = points[:, 0], points[:, 1]
    for row in (range(17), range(17, 27), range(31, 36), range(48, 55), range(60, 65)):
        assert (np.diff(x[row]) > 0).all(), f"{row}: from the right to the left"
    assert y[8] == y[:17].min() and (np.diff(y[27:31]) < 0).all()
    for outer, upper, inner, lower in ((36, (37, 38), 39, (40, 41)), (45, (43, 44), 42, (46, 47))):
        assert abs(x[outer]) > abs(x[inner]) and y[list(upper)].min() > y[list(lower)].max()
    assert y[19] > y[37] > y[41] > y[30] > y[33] > y[51] > y[62] >= y[66] > y[57] > y[8]
    off = np.linalg.norm(mean[model["landmarks68"]] - points, axis=1)
    # The nearest vertex; the cheeks' quads are 10 mm wide.
    assert off[17:].max() < 5 and off.max() < 9


def test_contour_candidates_are_strips_of_skin(model):
    strips = model["contour_candidates"]
    for index, strip in enumerate(strips):
        valid = strip[strip >= 0]
        assert len(valid) >= 4 and (strip[len(valid) :] == -1).all()
        assert (model["symmetry"][valid] == strips[16 - index][: len(valid)]).all()
        assert (model["vertex_part"][valid] == 0).all()


def test_arkit_names_come_first_and_are_exact(header):
    """Apple's ``ARFaceAnchor.BlendShapeLocation``, in the order of Live Link Face's columns."""
    assert tuple(header["expression_names"][:52]) == ARKIT_NAMES and header["arkit_count"] == 52
    assert len(set(header["expression_names"])) == len(header["expression_names"])


def test_left_is_the_subjects_left(model, header):
    lefts = [
        name for name in header["expression_names"]
        if name.endswith("Left") and name[:3] in ("eye", "bro")
    ]  # fmt: skip
    assert len(lefts) >= 9
    for name in lefts:
        moved = np.linalg.norm(expression(model, header, name), axis=1)
        assert (moved * model["mean"][:, 0]).sum() / moved.sum() > 10, name
    assert expression(model, header, "jawLeft")[:, 0].sum() > 0


def test_jaw_moves_lower_teeth_and_tongue_but_not_the_upper_teeth(model, header):
    for name, axis, sign in (
        ("jawOpen", 1, -1),
        ("jawLeft", 0, 1),
        ("jawRight", 0, -1),
        ("jawForward", 2, 1),
    ):
        shape = expression(model, header, name)
        assert (shape[part(model, header, "teeth_lower"), axis].mean() * sign) > 1, name
        for still in ("teeth_upper", "gums_upper"):
            assert np.abs(shape[part(model, header, still)]).max() == 0, name
        assert (shape[part(model, header, "tongue"), axis].mean() * sign) > 0.5, name


def test_lower_teeth_and_gum_move_as_one_rigid_body(model, header):
    rows = np.concatenate([part(model, header, n) for n in ("teeth_lower", "gums_lower")])
    arms = model["mean"][rows].astype(float)
    arms -= arms.mean(axis=0)
    for name, shape in zip(header["expression_names"], model["expression_basis"], strict=True):
        moved = arms + shape[rows].astype(float)
        moved -= moved.mean(axis=0)
        sizes = np.linalg.norm(arms, axis=1), np.linalg.norm(moved, axis=1)
        np.testing.assert_allclose(*sizes, atol=0.05, err_msg=name)


def test_teeth_are_single_quads_closed_and_at_their_place(model, header, random_heads):
    """28 of them; the upper front edge 1.6 mm below the lips' line on everybody."""
    teeth = model["polygons"][model["polygon_material"] == header["materials"].index("teeth")]
    edges = np.sort(np.stack([teeth, np.roll(teeth, -1, axis=1)], -1).reshape(-1, 2), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).all()
    graph = coo_matrix((np.ones(len(unique)), unique.T), shape=(len(model["mean"]),) * 2)
    labels = connected_components(graph, directed=False)[1][np.unique(teeth)]
    assert len(np.unique(labels)) == 28
    lips = np.einsum(
        "nk,hnkd->hnd",
        model["landmarks68_barycentric"][[62, 66]],
        random_heads[:, model["landmarks68_triangles"][[62, 66]]],
    ).mean(axis=1)
    upper = random_heads[:, part(model, header, "teeth_upper")]
    central = upper[:, np.argsort(model["mean"][part(model, header, "teeth_upper"), 2])[-40:]]
    assert np.percentile(lips[:, 1] - central[..., 1].min(axis=1), [2.5, 97.5]).tolist() == (
        pytest.approx([1.6, 1.6], abs=0.5)
    )
    assert (lips[:, 2] - central[..., 2].max(axis=1)).min() > 6


@pytest.mark.parametrize(
    "side, pairs", [("Right", ((37, 41), (38, 40))), ("Left", ((43, 47), (44, 46)))]
)
def test_blinking_closes_the_lids(model, header, side, pairs):
    open_eye = landmark_positions(model, model["mean"])
    closed = landmark_positions(model, model["mean"] + expression(model, header, f"eyeBlink{side}"))
    for upper, lower in pairs:
        assert abs(open_eye[upper, 1] - open_eye[lower, 1]) > 6
        assert abs(closed[upper, 1] - closed[lower, 1]) < 0.6


def test_random_heads_have_human_measures(model, header, random_heads):
    points = np.einsum(
        "nk,hnkd->hnd",
        model["landmarks68_barycentric"],
        random_heads[:, model["landmarks68_triangles"]],
    )
    # The foremost vertex of an eye is the cornea's apex.
    eyes = [
        random_heads[:, found[np.argmax(model["mean"][found, 2])]]
        for found in (part(model, header, name) for name in ("eye_right", "eye_left"))
    ]
    between_pupils = np.linalg.norm(eyes[0] - eyes[1], axis=1)
    height = random_heads[..., 1].max(axis=1) - points[:, 8, 1]
    width = np.linalg.norm(points[:, 1] - points[:, 15], axis=1)
    for measure, low, high in ((between_pupils, 54, 72), (height, 185, 255), (width, 118, 162)):
        assert ((measure > low - 4) & (measure < high + 4)).mean() > 0.97
        assert low < np.median(measure) < high


def test_coefficients_are_unit_scaled(model, random_heads, header):
    face = model["vertex_masks"][header["mask_names"].index("face")] > 128
    spread = np.sqrt(((random_heads - model["mean"])[:, face] ** 2).sum(axis=2).mean())
    assert 1.5 < spread < 4.5
    assert abs(spread / np.sqrt((model["identity_sigma_mm"] ** 2).sum()) - 1) < 0.15


def test_mean_skin_is_a_natural_midtone(model, header):
    face = model["uv_masks"][header["mask_names"].index("face")] > 200
    red, green, blue = model["albedo_mean"][face].astype(float).mean(axis=0)
    assert 0.25 < red < 0.65 and 1.3 < red / green < 2.4 and 1.1 < green / blue < 2.2


@pytest.mark.slow
def test_rebuild_is_byte_identical(tmp_path):
    command = [sys.executable, "-m", "tools.build_face_model", "-o", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("face_model.npz", "face_model.json"):
        assert (tmp_path / name).read_bytes() == (ASSET.parent / name).read_bytes()
