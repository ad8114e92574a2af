"""What every reader checks: shapes, numbers, ranges, axes; each failure is one sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import LARGEST_FILE, all_finite
from ...bounded import open_regular, reading
from ...errors import ModelError
from ...geometry.triangles import area_vectors
from .raw import Double, Float, Int

#: What a mean face or head measures from its lowest to its highest vertex, mm.
FACE_HEIGHT_MM = (90.0, 600.0)
#: The largest known, the Basel Face Model 2019's whole head, has 58,203.
MOST_VERTICES = 200_000


def numbers(
    fields: Mapping[str, Any], name: str, shape: tuple[int | None, ...], where: str
) -> NDArray:
    """The array ``name`` of ``fields`` if it is of ``shape`` (``None``: any number) and finite.

    ``where`` is the file's name.  Raises :class:`ModelError` with both shapes.
    """
    if name not in fields:
        there = ", ".join(sorted(fields)) or "nothing"
        raise ModelError(f"{where} lacks {name}; it holds {there}.")
    if not isinstance(fields[name], (np.ndarray, np.generic, int, float)):
        raise ModelError(f"{name} of {where} holds something else than numbers.")
    array = np.asarray(fields[name])
    if array.dtype.kind not in "fiub":
        raise ModelError(f"{name} of {where} holds {array.dtype}, not numbers.")
    fits = array.ndim == len(shape) and all(
        wanted in (None, found) for wanted, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        found = " x ".join(map(str, array.shape))
        raise ModelError(f"{name} of {where} is {found or 'a single number'}, not {wanted}.")
    if array.dtype.kind == "f" and not all_finite(array):
        bad = int(array.size - np.count_nonzero(np.isfinite(array)))
        raise ModelError(
            f"{name} of {where} holds {bad} values that are not numbers; the file is damaged."
        )
    return array


def flat(fields: Mapping[str, Any], name: str, count: int | None, where: str) -> Double:
    """:func:`numbers` of a vector in any orientation as (count,) float64."""
    if name in fields and np.size(fields[name]) in (np.max(np.shape(fields[name]), initial=1),):
        fields = {name: np.ravel(np.asarray(fields[name]))}
    return numbers(fields, name, (count,), where).astype(np.float64)


def indices(
    fields: Mapping[str, Any],
    name: str,
    shape: tuple[int | None, ...],
    count: int,
    where: str,
    first: int = 1,
) -> Int:
    """Whole numbers ``first`` to ``first + count - 1`` as 0-based indices."""
    array = numbers(fields, name, shape, where)
    if not array.size:
        raise ModelError(f"{name} of {where} is empty.")
    if array.dtype.kind == "f" and (array != np.round(array)).any():
        raise ModelError(f"{name} of {where} holds fractions, not vertex numbers.")
    low, high = int(array.min()), int(array.max())
    if low < first or high >= first + count:
        raise ModelError(
            f"{name} of {where} names vertices {low} to {high}; there are {first} to "
            f"{first + count - 1}."
        )
    return (array.astype(np.int64) - first).astype(np.int32)


def deviations(values: Double, name: str, where: str) -> Double:
    """``values`` if all are positive."""
    if (values <= 0).any():
        raise ModelError(
            f"{name} of {where} holds deviations that are not positive; the file is damaged."
        )
    return values


def modes(basis: NDArray, scale: NDArray, unit: float) -> Float:
    """(3 V, K) columns in the file's units as (K, V, 3) mm per standard deviation."""
    out = np.array(basis.T, np.float32, order="C")
    out *= np.asarray(scale * unit, np.float32)[:, None]
    return out.reshape(len(out), -1, 3)


def points(column: NDArray, unit: float) -> Double:
    """x0, y0, z0, x1 ... in the file's units as (V, 3) mm."""
    return column.astype(np.float64).reshape(-1, 3) * unit


def check_size(mean: Double, where: str) -> None:
    """Raise :class:`ModelError` where the mean cannot be a face in mm."""
    if len(mean) > MOST_VERTICES:
        raise ModelError(f"{where} has {len(mean):,} vertices, more than any such face.")
    height = float(np.ptp(mean[:, 1])) if len(mean) else 0.0
    low, high = FACE_HEIGHT_MM
    if not low <= height <= high:
        raise ModelError(
            f"The mean face of {where} would be {height:.3g} mm high; its numbers are not in the "
            "unit of this kind of file."
        )


def check_axes(mean: Double, landmarks: Int, where: str) -> None:
    """Raise :class:`ModelError` unless x is to the head's left, y up, z forward."""
    right, left = mean[landmarks[0]], mean[landmarks[16]]
    chin, brow, nose = mean[landmarks[8]], mean[landmarks[27]], mean[landmarks[30]]
    wide = left[0] - right[0]
    upright = brow[1] - chin[1]
    forward = nose[2] - 0.5 * (left[2] + right[2])
    if min(wide, upright, forward) < 20:
        raise ModelError(
            f"The landmarks of {where} do not look like a face's: ear to ear {wide:.0f} mm, chin "
            f"to bridge {upright:.0f} mm, ears to tip of the nose {forward:.0f} mm."
        )


def outward(triangles: Int, mean: Double) -> Int:
    """``triangles`` turned, if need be, so that those in front face forward."""
    normal = area_vectors(mean, triangles)
    front = mean[triangles][:, :, 2].mean(axis=1) > np.percentile(mean[:, 2], 60)
    if normal[front, 2].sum() >= 0:
        return np.ascontiguousarray(triangles)
    return np.ascontiguousarray(triangles[:, ::-1])


def mirrored(symmetry: Int, mean: Double) -> bool:
    """Whether ``symmetry`` (V,) leads to the mirror vertices, within 3 mm in the median."""
    image = mean * [-1, 1, 1] + np.array([2 * float(np.median(mean[:, 0])), 0, 0])
    return float(np.median(np.linalg.norm(mean[symmetry] - image, axis=1))) < 3.0


def sha256(path: Path) -> str:
    """The file's digest.  Raises :class:`ModelError` where it cannot be read."""
    with reading(ModelError, path, "a file"), open_regular(path, LARGEST_FILE) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expression_range(count: int, low: float, high: float) -> Float:
    """(count, 2) the same range for all."""
    return np.tile(np.array([low, high], np.float32), (count, 1))


def numbered(count: int) -> tuple[str, ...]:
    """Names of principal components."""
    return tuple(f"expression{k:02d}" for k in range(1, count + 1))
