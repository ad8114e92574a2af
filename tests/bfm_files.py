"""Writers of the files that users of licensed face models own, at full size, with made-up numbers.

Same names, fields, dtypes and shapes as the real ones; the shapes are :mod:`tests.synthetic_face`.
Every writer returns the path it was given.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp
from numpy.typing import NDArray

from tests.synthetic_face import SyntheticFace, synthetic_face

BFM_VERTICES, BFM_TRIANGLES, BFM_MOUTH = 53215, 105840, 114
BASEL_VERTICES, BASEL_TRIANGLES = 53490, 106466
DEEP3D_VERTICES, DEEP3D_TRIANGLES = 35709, 70789
MICROMETRES, DECIMETRES = 1e3, 1e-2  #: of a millimetre
SMALL, SMALL_HEAD = 3100, 3600  #: vertices of faces for tests in which size does not matter
#: (mean, standard deviation) of the pose in stats_80k.npz: pitch, yaw, roll, tx, ty, scale
POSE_STATS = ((0.0, 0.0, 0.0, 0.5, 0.52, 4.6e-6), (0.12, 0.35, 0.02, 0.006, 0.02, 3e-7))


def bfm_face() -> SyntheticFace:
    """The face of ``BFM.mat`` in its full size."""
    return synthetic_face(BFM_VERTICES, BFM_TRIANGLES, BFM_MOUTH)


def small_face() -> SyntheticFace:
    """One of 3,100 vertices with as many components."""
    return synthetic_face(SMALL)


def _column(values: NDArray, unit: float = 1.0) -> NDArray[np.float32]:
    """(V, 3) as (3 V, 1): x0, y0, z0, x1 ..."""
    return (np.asarray(values) * unit).reshape(-1, 1).astype(np.float32)


def _unscaled(modes: NDArray, unit: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(K, V, 3) per standard deviation as unit vectors (3 V, K) and their deviations (K, 1)."""
    flat = modes.reshape(len(modes), -1)
    length = np.linalg.norm(flat.astype(np.float64), axis=1)
    return np.asfortranarray((flat / length[:, None].astype(np.float32)).T), (
        (length * unit).reshape(-1, 1).astype(np.float32)
    )


def bfm_fields(face: SyntheticFace, expressions: int = 29) -> dict[str, NDArray]:
    """The fields of ``BFM.mat``'s struct ``model``."""
    shape_pc, shape_ev = _unscaled(face.identity, MICROMETRES)
    tex_pc, tex_ev = _unscaled(face.albedo_basis, 255)
    exp_pc, exp_ev = _unscaled(face.expression[:expressions], MICROMETRES)
    return {
        "shapeMU": _column(face.mean, MICROMETRES),
        "shapePC": shape_pc,
        "shapeEV": shape_ev,
        "expMU": _column(face.expression_mean, MICROMETRES),
        "expPC": exp_pc,
        "expEV": exp_ev,
        "texMU": _column(face.albedo, 255),
        "texPC": tex_pc,
        "texEV": tex_ev,
        "tri": np.asarray(face.triangles.T + 1, np.int32),
        "tri_mouth": np.asarray(face.mouth_triangles.T + 1, np.int32),
        "kpt_ind": np.asarray(face.landmarks68[None] + 1, np.int32),
    }


def write_bfm(path: Path, face: SyntheticFace | None = None, **changed: Any) -> Path:
    """``BFM.mat``; ``changed`` replaces fields, ``None`` leaves one out."""
    fields = bfm_fields(face or bfm_face()) | changed
    kept = {key: value for key, value in fields.items() if value is not None}
    scipy.io.savemat(path, {"model": kept})
    return path


def exp_80k_fields(face: SyntheticFace, mean_of: SyntheticFace | None = None) -> dict[str, NDArray]:
    """``expMU`` (3 V, 1) and ``expPC`` (3 V, 79), unit vectors in micrometres."""
    return {
        "expMU": _column(1.5 * (mean_of or face).expression_mean, MICROMETRES),
        "expPC": _unscaled(face.expression, MICROMETRES)[0],
    }


def write_exp_80k(path: Path, face: SyntheticFace | None = None, **changed: Any) -> Path:
    """``exp_80k.npz``."""
    np.savez(path, **(exp_80k_fields(face or bfm_face()) | changed))
    return path


def stats_fields(face: SyntheticFace) -> dict[str, NDArray]:
    """``stats_80k.npz`` for a network on ``face``: the coefficients' own units, all 1-D."""
    shape = _unscaled(face.identity[:100], MICROMETRES)[1][:, 0]
    expression = _unscaled(face.expression, MICROMETRES)[1][:, 0]
    texture = _unscaled(face.albedo_basis[:40], 255)[1][:, 0]
    zero = np.zeros
    return {
        "Pose_Para_mean": np.array(POSE_STATS[0]),
        "Pose_Para_std": np.array(POSE_STATS[1]),
        "Shape_Para_mean": zero(100),
        "Shape_Para_std": shape.astype(np.float64),
        "Exp_Para_mean": zero(79),
        "Exp_Para_std": expression.astype(np.float64),
        "Color_Para_mean": np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        "Color_Para_std": np.array([0.1, 0.1, 0.1, 10.0, 10.0, 10.0]),
        "Illum_Para_mean": np.array([0.6, 0.6, 0.6, 0.5, 0.5, 0.5, 0.3, 0.1, 10.0]),
        "Illum_Para_std": np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 5.0]),
        "Tex_Para_mean": zero(40),
        "Tex_Para_std": texture.astype(np.float64),
    }


def write_stats_80k(path: Path, face: SyntheticFace | None = None, **changed: Any) -> Path:
    """``stats_80k.npz``."""
    np.savez(path, **(stats_fields(face or bfm_face()) | changed))
    return path


def write_bfm_info(path: Path, face: SyntheticFace | None = None, **changed: Any) -> Path:
    """``BFM_info.mat``: UV, regions, mirror vertices, face contour."""
    face = face or bfm_face()
    below = face.mean[:, 1] < 0
    fields = {
        "uv_coords": face.uv,
        "segbin": np.stack([below, ~below, below, ~below], axis=1).astype(np.uint8),
        "symlist": nearest_mirror(face.mean)[None] + 1,
        "face_contour": np.asarray(face.landmarks68[None, :17] + 1, np.int32),
    } | changed
    scipy.io.savemat(path, {"model_info": fields})
    return path


def nearest_mirror(mean: NDArray) -> NDArray[np.int64]:
    """(V,) the vertex nearest to each one's mirror image."""
    from scipy.spatial import cKDTree

    return cKDTree(mean).query(mean * [-1, 1, 1])[1]


def write_bfm_uv(path: Path, face: SyntheticFace | None = None) -> Path:
    """``BFM_UV.mat``: ``UV`` (V, 2), 0..1."""
    scipy.io.savemat(path, {"UV": (face or bfm_face()).uv})
    return path


def basel_face() -> SyntheticFace:
    """The face of ``01_MorphableModel.mat`` in its full size."""
    return synthetic_face(BASEL_VERTICES, BASEL_TRIANGLES)


def basel_trim(face: SyntheticFace, kept: int = BFM_VERTICES) -> NDArray[np.int64]:
    """The vertices that the expression files have, in order: the hindmost left out."""
    return np.sort(np.argsort(-face.mean[:, 2], kind="stable")[:kept])


def write_basel(path: Path, face: SyntheticFace | None = None, **changed: Any) -> Path:
    """``01_MorphableModel.mat``: top-level arrays, triangles as ``tl`` (F, 3)."""
    face = face or basel_face()
    full = bfm_fields(face)
    fields = {key: full[key] for key in full if key[:3] in ("sha", "tex")}
    fields["tl"] = np.asarray(face.triangles[:, [1, 0, 2]] + 1, np.float64)
    fields["segbin"] = np.stack([face.mean[:, 1] < 0] * 4, axis=1).astype(np.uint8)
    fields |= changed
    scipy.io.savemat(path, {k: v for k, v in fields.items() if v is not None})
    return path


def write_index_map(path: Path, trim: NDArray, name: str = "trimIndex") -> Path:
    """``BFM_exp_idx.mat`` (``trimIndex``) or ``BFM_front_idx.mat`` (``idx``), 1-based (N, 1)."""
    scipy.io.savemat(path, {name: (trim + 1).astype(np.float64).reshape(-1, 1)})
    return path


def write_exp_pca(path: Path, face: SyntheticFace, trim: NDArray) -> Path:
    """``Exp_Pca.bin``: int32 count, mean (3 V) and components (count, 3 V), float32."""
    pc, _ = _unscaled(face.expression[:, trim], MICROMETRES)
    with open(path, "wb") as file:
        file.write(np.int32(pc.shape[1]).tobytes())
        file.write(_column(face.expression_mean[trim], MICROMETRES).tobytes())
        file.write(np.ascontiguousarray(pc.T).tobytes())
    return path


def write_std_exp(path: Path, face: SyntheticFace, trim: NDArray) -> Path:
    """``std_exp.txt``: one line of standard deviations."""
    path.write_text(" ".join(f"{x:.6g}" for x in _unscaled(face.expression[:, trim], 1e3)[1][:, 0]))
    return path


def deep3d_face() -> SyntheticFace:
    """The face of ``BFM_model_front.mat`` in its full size."""
    return synthetic_face(DEEP3D_VERTICES, DEEP3D_TRIANGLES, None, False, 80, 64, 80)


def write_deep3d(path: Path, face: SyntheticFace | None = None, **changed: Any) -> Path:
    """Deep3DFaceRecon's ``BFM_model_front.mat``: decimetres, bases scaled by their deviations."""
    face = face or deep3d_face()

    def scaled(modes: NDArray, unit: float) -> NDArray[np.float32]:
        return np.asfortranarray(modes.reshape(len(modes), -1).T * np.float32(unit))

    count = len(face.mean)
    around = _faces_around(face.triangles, count)
    fields = {
        "meanshape": _column(face.mean, DECIMETRES).T,
        "meantex": _column(face.albedo, 255).T,
        "idBase": scaled(face.identity[:80], DECIMETRES),
        "exBase": scaled(face.expression[:64], DECIMETRES),
        "texBase": scaled(face.albedo_basis[:80], 255),
        "tri": np.asarray(face.triangles + 1, np.int32),
        "point_buf": around + 1,
        "tri_mask2": np.asarray(face.triangles[: len(face.triangles) // 2] + 1, np.int32),
        "keypoints": np.asarray(face.landmarks68[None] + 1, np.int32),
        "frontmask2_idx": np.arange(1, count // 2, dtype=np.int32)[:, None],
        "skinmask": (face.mean[:, 1] > -60).astype(np.uint8)[None],
    } | changed
    scipy.io.savemat(path, {k: v for k, v in fields.items() if v is not None})
    return path


def _faces_around(triangles: NDArray, count: int) -> NDArray[np.int32]:
    """(V, 8) the first eight triangles at each vertex, filled up with one past the last."""
    out = np.full((count, 8), len(triangles), np.int32)
    order = np.argsort(triangles.ravel(), kind="stable")
    vertex = triangles.ravel()[order]
    place = np.arange(len(vertex)) - np.searchsorted(vertex, vertex)
    fits = place < 8
    out[vertex[fits], place[fits]] = order[fits] // 3
    return out


#: (vertices, triangles, whole head) of the Basel models of 2017 and 2019.
H5_MODELS = {
    "model2017-1_bfm_nomouth.h5": (53149, 105694, False),
    "model2019_bfm.h5": (47439, 94464, False),
    "model2019_fullHead.h5": (58203, None, True),
}


def h5_face(name: str) -> SyntheticFace:
    """The face of a Basel model of 2017 or 2019 in its full size."""
    vertices, triangles, whole = H5_MODELS[name]
    return synthetic_face(vertices, triangles, None, whole, 199, 100, 199)


def write_bfm_h5(path: Path, face: SyntheticFace, expressions: bool = True) -> Path:
    """BFM 2017 or 2019: groups shape, expression, color; mm, variances, colours 0..1."""
    with h5py.File(path, "w") as file:
        parts: dict[str, tuple[NDArray, NDArray]] = {
            "shape": (face.mean, face.identity),
            "color": (face.albedo, face.albedo_basis),
        }
        if expressions:
            parts["expression"] = (face.expression_mean, face.expression)
        for name, (mean, modes) in parts.items():
            basis, sd = _unscaled(modes, 1.0)
            group = file.create_group(name)
            group["model/mean"] = np.asarray(mean, np.float32).ravel()
            group["model/pcaBasis"] = np.ascontiguousarray(basis)
            group["model/pcaVariance"] = sd[:, 0] ** 2
            group["model/noiseVariance"] = np.zeros(1, np.float32)
            group["representer/points"] = np.asarray(face.mean.T, np.float32)
            group["representer/cells"] = np.asarray(face.triangles.T, np.int32)
        file["metadata/landmarks/json"] = json.dumps([])
        file["version/majorVersion"] = np.int32(0)
        file["version/minorVersion"] = np.int32(9)
    return path


FLAME_VERTICES = 5023


def flame_fields() -> dict[str, NDArray]:
    """FLAME 2020's arrays: metres; 300 identity and 100 expression modes in one basis."""
    face = synthetic_face(FLAME_VERTICES, None, None, True, 300, 100, 1)
    shapes = np.concatenate([face.identity, face.expression]) / 1000
    rng = np.random.default_rng(3)
    weights = rng.random((FLAME_VERTICES, 5))
    return {
        "v_template": face.mean / 1000,
        "shapedirs": np.ascontiguousarray(shapes.transpose(1, 2, 0), np.float64),
        "posedirs": rng.normal(size=(FLAME_VERTICES, 3, 36)) * 1e-4,
        "f": face.triangles.astype(np.uint32),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "J": rng.normal(size=(5, 3)) * 0.01,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
    }


def write_flame_npz(path: Path, **changed: Any) -> Path:
    """FLAME as a plain ``.npz``."""
    fields = flame_fields() | changed
    np.savez(path, **{k: v for k, v in fields.items() if v is not None})
    return path


def write_flame_pkl(path: Path, protocol: int = 2, **changed: Any) -> Path:
    """FLAME as the institute hands it out: a pickle of chumpy arrays and a sparse matrix."""
    fields: dict[str, Any] = flame_fields() | changed
    kind = _chumpy()
    for name in ("v_template", "shapedirs", "posedirs", "weights"):
        if isinstance(fields.get(name), np.ndarray):
            fields[name] = kind(fields[name])
    fields["J_regressor"] = sp.random(
        5, FLAME_VERTICES, 0.01, format="csc", random_state=np.random.default_rng(1)
    )
    fields |= {"bs_style": "lbs", "bs_type": "lrotmin"}
    try:
        path.write_bytes(pickle.dumps(fields, protocol=protocol))
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]
    return path


def _chumpy() -> type:
    """A class that pickles as chumpy's arrays do, in a module of that name."""

    class Ch:
        def __init__(self, x: NDArray) -> None:
            self.x = x
            self._dirty_vars: set[str] = set()
            self.__dict__["_status"] = "new"

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module = ModuleType("chumpy.ch")
    module.Ch = Ch  # type: ignore[attr-defined]
    sys.modules["chumpy"], sys.modules["chumpy.ch"] = ModuleType("chumpy"), module
    return Ch


def write_eos(
    path: Path, face: SyntheticFace, blendshapes: bool = False, landmarks: bool = True
) -> Path:
    """An eos model, version 4: shape, colour and expression parts as cereal's binary archive."""

    def matrix(values: NDArray) -> bytes:
        values = np.asarray(values, np.float32)
        rows, columns = values.shape
        return np.array([rows, columns], np.int32).tobytes() + values.tobytes(order="F")

    def pca(mean: NDArray, modes: NDArray) -> bytes:
        basis, sd = _unscaled(modes, 1.0)
        count = np.uint64(len(face.triangles)).tobytes()
        triangles = face.triangles.astype(np.int32).tobytes()
        return matrix(mean.reshape(-1, 1)) + matrix(basis) + matrix(sd**2) + count + triangles

    def text(value: str) -> bytes:
        return np.uint64(len(value)).tobytes() + value.encode()

    data = np.uint32(4).tobytes() + pca(face.mean, face.identity)
    data += pca(face.albedo, face.albedo_basis)
    data += b"\0"  # the expressions are there
    if blendshapes:
        names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
        data += np.int32(1).tobytes() + np.uint64(len(names)).tobytes()
        for name, shape in zip(names, face.arkit, strict=False):
            data += text(name) + matrix(shape.reshape(-1, 1))
    else:
        data += np.int32(0).tobytes() + pca(face.expression_mean, face.expression)
    data += b"\0" if landmarks else b"\1"
    if landmarks:
        data += np.uint64(68).tobytes()
        for k, vertex in enumerate(face.landmarks68, start=1):
            data += text(str(k)) + np.int32(vertex).tobytes()
    data += np.uint64(len(face.uv)).tobytes() + face.uv.astype(np.float64).tobytes()
    data += np.uint64(0).tobytes()
    path.write_bytes(data)
    return path


#: The real topology; smaller ones are for tests in which size does not matter.
ICT_VERTICES = 26719


def write_ict(folder: Path, vertices: int = ICT_VERTICES, identities: int = 100) -> Path:
    """ICT-FaceKit's ``FaceXModel``: OBJ files in centimetres and ``vertex_indices.json``.

    At full size the 68 landmarks are at the vertices that its documentation names.
    """
    from reconstruct_face.backend.model.importing.ict import LANDMARKS68, MERGED

    folder.mkdir(parents=True, exist_ok=True)
    face = synthetic_face(vertices, None, None, True, identities, 1, 1)
    order = np.arange(vertices)
    if vertices == ICT_VERTICES:
        for at, vertex in zip(LANDMARKS68, face.landmarks68, strict=True):
            here = int(np.flatnonzero(order == vertex)[0])
            order[[at, here]] = order[[here, at]]
    place = np.empty_like(order)
    place[order] = np.arange(vertices)
    faces = place[face.triangles] + 1
    corners = "\n".join("f " + " ".join(f"{v}/{v}" for v in row) for row in faces.tolist())
    uv = "\n".join(f"vt {u:.6f} {v:.6f}" for u, v in face.uv[order].tolist())

    def write(name: str, moved: NDArray | float) -> None:
        points = ((face.mean + moved)[order] / 10).tolist()
        lines = "\n".join(f"v {x:.15f} {y:.15f} {z:.15f}" for x, y, z in points)
        text = f"mtllib ICTFaceModelMaterial.mtl\n{lines}\n{uv}\ng all\n{corners}\n"
        (folder / f"{name}.obj").write_text(text)

    write("generic_neutral_mesh", 0.0)
    for k, mode in enumerate(face.identity):
        write(f"identity{k:03d}", mode)
    names = []
    for name, shape in zip(face.arkit_names, face.arkit, strict=True):
        if name == "tongueOut":
            continue
        short = name.replace("Left", "_L").replace("Right", "_R") if name[:3] != "jaw" else name
        short = name if name in ("mouthLeft", "mouthRight") else short
        if name in MERGED:
            left = 0.5 + 0.5 * np.clip(face.mean[:, :1] / 10, -1, 1)
            write(f"{name}_L", shape * left)
            write(f"{name}_R", shape * (1 - left))
            names += [f"{name}_L", f"{name}_R"]
        else:
            write(short, shape)
            names.append(short)
    (folder / "vertex_indices.json").write_text(
        json.dumps({"expressions": names, "fitting_expressions": names, "incompatibilities": []})
    )
    return folder
