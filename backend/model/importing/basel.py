"""The Basel Face Model 2009 (Paysan et al. 2009) in its two forms, with its expressions.

``BFM.mat`` is face3d's conversion: micrometres, x to the head's left, y up, z forward, triangles
and landmarks counted from 1, bases of unit vectors beside their deviations.  The university's
``01_MorphableModel.mat`` has the same fields for more vertices and no expressions; those of 3DFace
(``Exp_Pca.bin``, or ``exp_80k.npz`` made from it) are for fewer, and an index map tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from . import checks
from .checks import deviations, flat, indices, modes, numbers, points
from .piece import EXP, EXP_PCA, FRONT, INFO, STATS, STD_EXP, TRIM, UV, Piece
from .raw import Double, Float, Int, RawModel

MM = 1e-3  #: of a micrometre
LICENCE = (
    "Basel Face Model 2009, University of Basel: not for commercial use and not to be passed on; "
    "the terms that you agreed to for the download hold for what is made with it."
)
EXPRESSIONS = 79  #: components of exp_80k.npz
#: Root mean square over the face, mm, of the first component where no deviations are given; the
#: others fall with the power below, as the deviations of face scans do.
ASSUMED_MM, ASSUMED_POWER = 1.1, -0.8


@dataclass(frozen=True, eq=False)
class _Expressions:
    mean: Double  #: (V, 3) mm
    basis: Float  #: (E, V, 3) mm at weight 1
    scale: Double  #: (E,)
    notes: tuple[str, ...]


def read_bfm(main: Piece, parts: Mapping[str, Piece]) -> RawModel:
    """``BFM.mat``, with what of ``exp_80k.npz``, ``stats_80k.npz``, info and UV there is."""
    fields, where = main.fields, main.name
    count = _vertex_count(fields, where)
    triangles = indices(fields, "tri", (3, None), count, where).T
    expressions = _own_expressions(fields, count, where)
    if EXP in parts:
        expressions = _exp_80k(parts[EXP], count, where, parts)
    elif STATS in parts or STD_EXP in parts:
        raise ModelError(
            f"{(parts.get(STATS) or parts[STD_EXP]).name} is about the 79 expressions of "
            f"exp_80k.npz, and {where} has its own 29: give exp_80k.npz too."
        )
    landmarks = indices(
        {"kpt_ind": np.ravel(fields.get("kpt_ind", ()))}, "kpt_ind", (68,), count, where
    )
    mouth = None
    if "tri_mouth" in fields:
        mouth = indices(fields, "tri_mouth", (3, None), count, where).T
    model = _assembled(
        "Basel Face Model 2009 (BFM.mat"
        + (", with exp_80k.npz)" if EXP in parts else ", with its own expressions)"),
        "bfm2009" if EXP in parts else "bfm2009-29",
        fields,
        where,
        triangles,
        expressions,
        landmarks,
        mouth,
    )
    return _with_details(model, parts)


def read_basel(main: Piece, parts: Mapping[str, Piece]) -> RawModel:
    """``01_MorphableModel.mat`` with ``exp_80k.npz`` or ``Exp_Pca.bin`` and its index maps."""
    fields, where = main.fields, main.name
    count = _vertex_count(fields, where)
    triangles = indices(fields, "tl", (None, 3), count, where)
    given = parts.get(EXP) or parts.get(EXP_PCA)
    if given is None:
        raise ModelError(
            f"{where} has no expressions; give exp_80k.npz or Exp_Pca.bin, and the index map "
            "BFM_exp_idx.mat, along with it."
        )
    if EXP in parts and EXP_PCA in parts:
        raise ModelError(f"Give either {parts[EXP].name} or {parts[EXP_PCA].name}, not both.")
    if TRIM not in parts:
        raise ModelError(
            f"{given.name} is for fewer vertices than {where} has ({count}); give the index map "
            "BFM_exp_idx.mat along with them."
        )
    trim = _index_map(parts[TRIM], "trimIndex", count)
    read = _exp_80k if EXP in parts else _exp_pca
    expressions = read(given, len(trim), f"{parts[TRIM].name}, an index map,", parts)
    if FRONT in parts:
        front = _index_map(parts[FRONT], "idx", len(trim))
        trim = trim[front]
        expressions = _Expressions(
            expressions.mean[front],
            np.ascontiguousarray(expressions.basis[:, front]),
            expressions.scale,
            expressions.notes,
        )
    return _assembled(
        f"Basel Face Model 2009 (01_MorphableModel.mat, with {given.name})",
        "bfm2009-basel",
        _trimmed(fields, trim, where),
        where,
        _kept(triangles, trim, count),
        expressions,
        None,
        None,
    )


def _vertex_count(fields: Mapping[str, NDArray], where: str) -> int:
    mean = numbers(fields, "shapeMU", (None, 1), where)
    if len(mean) % 3:
        raise ModelError(f"shapeMU of {where} has {len(mean)} numbers, which is not 3 a vertex.")
    return len(mean) // 3


def _own_expressions(fields: Mapping[str, NDArray], count: int, where: str) -> _Expressions:
    basis = numbers(fields, "expPC", (3 * count, None), where)
    scale = deviations(flat(fields, "expEV", basis.shape[1], where), "expEV", where)
    mean = numbers(fields, "expMU", (3 * count, 1), where)
    return _Expressions(points(mean, MM), modes(basis, scale, MM), scale, ())


def _exp_80k(piece: Piece, count: int, other: str, parts: Mapping[str, Piece]) -> _Expressions:
    basis = numbers(piece.fields, "expPC", (None, None), piece.name)
    if basis.shape[1] != EXPRESSIONS:
        raise ModelError(
            f"{piece.name} has {basis.shape[1]} expressions where {EXPRESSIONS} are wanted"
            + ("; those are BFM.mat's own." if basis.shape[1] == 29 else ".")
        )
    mean = numbers(piece.fields, "expMU", (len(basis), 1), piece.name)
    return _scaled(piece, mean, basis, count, other, parts)


def _exp_pca(piece: Piece, count: int, other: str, parts: Mapping[str, Piece]) -> _Expressions:
    mean = numbers(piece.fields, "mean", (None, 1), piece.name)
    basis = numbers(piece.fields, "basis", (len(mean), None), piece.name)
    return _scaled(piece, mean, basis, count, other, parts)


def _scaled(
    piece: Piece,
    mean: NDArray,
    basis: NDArray,
    count: int,
    other: str,
    parts: Mapping[str, Piece],
) -> _Expressions:
    """The components with the best deviations that there are."""
    if len(basis) != 3 * count:
        raise ModelError(
            f"{piece.name} moves {len(basis) / 3:g} vertices and {other} has {count}; they do not "
            "belong together."
        )
    scale, note = _deviations(piece, basis, parts)
    return _Expressions(points(mean, MM), modes(basis, scale, MM), scale, (note,))


def _deviations(piece: Piece, basis: NDArray, parts: Mapping[str, Piece]) -> tuple[Double, str]:
    """(E,) standard deviations of the coefficients, and a sentence on where they are from."""
    components = basis.shape[1]
    for kind, name in ((STATS, "Exp_Para_std"), (STD_EXP, "std_exp")):
        if kind in parts:
            other = parts[kind]
            scale = deviations(flat(other.fields, name, components, other.name), name, other.name)
            return scale, f"One standard deviation of an expression is that of {other.name}."
    length = np.sqrt(np.einsum("ij,ij->j", basis, basis, dtype=np.float64))
    if (length <= 0).any():
        raise ModelError(f"expPC of {piece.name} has components that move nothing.")
    if np.abs(length - 1).max() > 0.02:
        return np.ones(components), (
            f"{piece.name} tells no deviations; its components, which are not unit vectors, are "
            "taken as one standard deviation each."
        )
    size = ASSUMED_MM / MM * np.sqrt(len(basis) / 3)
    return size * np.arange(1, components + 1) ** ASSUMED_POWER, (
        f"{piece.name} tells no deviations; {ASSUMED_MM} mm over the face for the first "
        "component, less for each further one, is assumed. Give stats_80k.npz or std_exp.txt for "
        "the true ones."
    )


def _index_map(piece: Piece, name: str, count: int) -> Int:
    chosen = indices({name: np.ravel(piece.fields[name])}, name, (None,), count, piece.name)
    if len(np.unique(chosen)) != len(chosen):
        raise ModelError(f"{name} of {piece.name} names vertices twice.")
    return chosen


def _trimmed(fields: Mapping[str, NDArray], trim: Int, where: str) -> dict[str, NDArray]:
    """The per-vertex fields of the vertices ``trim``, in that order."""
    out = dict(fields)
    rows = (3 * trim[:, None] + np.arange(3)).ravel()
    full = len(fields["shapeMU"])
    for name in ("shapeMU", "shapePC", "texMU", "texPC"):
        out[name] = numbers(fields, name, (full, None), where)[rows]
    return out


def _kept(triangles: Int, trim: Int, count: int) -> Int:
    """The triangles of which all corners are kept, in the new numbers."""
    number = np.full(count, -1, np.int32)
    number[trim] = np.arange(len(trim))
    new = number[triangles]
    return new[(new >= 0).all(axis=1)]


def _assembled(
    kind: str,
    short: str,
    fields: Mapping[str, NDArray],
    where: str,
    triangles: Int,
    expressions: _Expressions,
    landmarks: Int | None,
    mouth: Int | None,
) -> RawModel:
    rows = len(numbers(fields, "shapeMU", (None, 1), where))
    basis = numbers(fields, "shapePC", (rows, None), where)
    scale = deviations(flat(fields, "shapeEV", basis.shape[1], where), "shapeEV", where)
    colour = numbers(fields, "texMU", (rows, 1), where)
    if colour.min() < -1 or colour.max() > 256 or colour.max() < 2:
        raise ModelError(
            f"texMU of {where} is {colour.min():g} to {colour.max():g}, not colours of 0 to 255."
        )
    colour_basis = numbers(fields, "texPC", (rows, None), where)
    colour_scale = deviations(flat(fields, "texEV", colour_basis.shape[1], where), "texEV", where)
    mean = points(fields["shapeMU"], MM) + expressions.mean
    checks.check_size(mean, where)
    offset = float(np.sqrt((expressions.mean**2).sum(axis=1).mean()))
    if offset > 20:
        raise ModelError(
            f"The mean expression moves the face by {offset:.0f} mm; it is not an expression."
        )
    if landmarks is not None:
        checks.check_axes(mean, landmarks, where)
    count = len(expressions.basis)
    return RawModel(
        kind=kind,
        name=short,
        mean=mean,
        triangles=checks.outward(np.ascontiguousarray(triangles), mean),
        identity_basis=modes(basis, scale, MM),
        identity_scale=scale,
        expression_basis=expressions.basis,
        expression_scale=expressions.scale,
        expression_names=checks.numbered(count),
        expression_range=checks.expression_range(count, -3, 3),
        albedo_mean=np.clip(colour.reshape(-1, 3) / 255, 0, 1).astype(np.float32),
        albedo_basis=modes(colour_basis, colour_scale, 1 / 255),
        albedo_scale=colour_scale,
        landmarks68=landmarks,
        mouth_triangles=None if mouth is None else np.ascontiguousarray(mouth),
        licence=LICENCE,
        notes=expressions.notes,
    )


def _with_details(model: RawModel, parts: Mapping[str, Piece]) -> RawModel:
    """Texture coordinates and mirror vertices, where a file has good ones."""
    from dataclasses import replace

    count, notes = len(model.mean), list(model.notes)
    found = {}
    for kind, name in ((UV, "UV"), (INFO, "uv_coords")):
        if kind in parts and name in parts[kind].fields and "uv" not in found:
            uv = numbers(parts[kind].fields, name, (count, 2), parts[kind].name)
            if uv.min() >= -1e-6 and uv.max() <= 1 + 1e-6:
                found |= {"uv": uv.astype(np.float32), "uv_triangles": model.triangles}
            else:
                notes.append(f"{name} of {parts[kind].name} is not within 0..1 and was left out.")
    if INFO in parts and "symlist" in parts[INFO].fields:
        name, where = "symlist", parts[INFO].name
        values = np.ravel(parts[INFO].fields[name])
        good = len(values) == count
        if good:
            symmetry = indices({name: values}, name, (count,), count, where)
            good = checks.mirrored(symmetry, model.mean)
            found |= {"symmetry": symmetry} if good else {}
        if not good:
            notes.append(f"symlist of {where} does not lead to mirror vertices and was left out.")
    return replace(model, **found, notes=tuple(notes))
