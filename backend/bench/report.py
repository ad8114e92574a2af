"""Numbers per run and yaw bin, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from .accuracy_set import YAW_BINS
from .measured import Measured

ALL = "all"
#: Results of which it is told whether the doubtful ones are the bad ones.
FEWEST_TOLD = 10
Row = dict[str, Any]


def summarise(measured: Mapping[str, Sequence[Measured]], average: str) -> dict[str, Any]:
    """``{"bins": {bin: {run: row}}, "pictures": {run: [...]}}``.

    A row has, in mm and per shape ("neutral", "posed"): ``median``, the median over pictures of
    each one's median; ``mean``, the mean over pictures of each one's mean; ``pooled``, the median
    of all points of all pictures; ``average_head``, the ``median`` of the mean head on the *same*
    pictures; ``median_all``, the ``median`` when a face that was not found counts as the mean head.
    """
    baseline = measured[average]
    names = [_bin_name(low, high) for low, high in YAW_BINS]
    yaws = np.array([abs(one.yaw) for one in baseline])
    # Off-centre heads can be turned a little beyond the last bin's end.
    places = np.minimum(np.searchsorted([high for _, high in YAW_BINS], yaws), len(YAW_BINS) - 1)
    groups = {name: np.flatnonzero(places == k) for k, name in enumerate(names)}
    groups[ALL] = np.arange(len(baseline))
    bins = {
        name: {
            run: _row([many[i] for i in ids], [baseline[i] for i in ids])
            for run, many in measured.items()
        }
        for name, ids in groups.items()
        if len(ids)
    }
    pictures = {run: [_picture(one) for one in many] for run, many in measured.items()}
    return {"bins": bins, "pictures": pictures}


def accuracy_table(summary: dict[str, Any]) -> str:
    """For people."""
    head = (
        f"{'yaw':<8}{'':<22}{'found':>8}  {'neutral shape, mm':^30}  {'posed shape, mm':^30}"
        f"{'landmarks':>11}{'detected':>10}{'seconds':>9}"
    )
    sub = f"{'median':>7}{'mean':>7}{'pooled':>8}{'all':>8}"
    lines = [head, f"{'':<38}  {sub}  {sub}"]
    for name, rows in summary["bins"].items():
        lines.append("-" * len(head))
        for run, row in rows.items():
            cells = [f"{name:<8}{run:<22.22}{row['found']:>4}/{row['heads']:<3}"]
            for shape in ("neutral", "posed"):
                part = row.get(shape)
                keys = (("median", 7), ("mean", 7), ("pooled", 8), ("median_all", 8))
                cells.append("".join(_number(part and part[key], wide) for key, wide in keys))
            cells.append(
                _number(row["landmarks"], 9, 100, " %")
                + _number(row["detected"], 8, 100, " %")
                + _number(row["seconds"] or None, 9)
            )
            lines.append("  ".join(cells[:3]) + cells[3])
            name = ""
    lines += [
        "-" * len(head),
        "median: over pictures of each one's median; mean: of each one's mean; pooled: median of "
        "all points;",
        "all: median with the average head where no face was found. landmarks: mean error of the "
        "68 by the face box.",
        *_against_average(summary["bins"][ALL]),
        *_by_confidence(summary["pictures"]),
    ]
    return "\n".join(lines)


def as_json(summary: dict[str, Any]) -> bytes:
    """For machines."""
    return json.dumps(summary, indent=1).encode()


def _against_average(rows: dict[str, Row]) -> list[str]:
    """How each run compares with the mean head on the pictures on which it found a face."""
    lines = []
    for run, row in rows.items():
        parts = [
            f"{shape} {1 - row[shape]['median'] / row[shape]['average_head']:.0%}"
            for shape in ("neutral", "posed")
            if shape in row and row["seconds"]
        ]
        if parts:
            sources = ", ".join(f"{count} {name}" for name, count in row["sources"].items())
            lines.append(
                f"{run}: median error against the average head's on the same pictures: "
                f"{', '.join(parts)} less; estimates: {sources}"
            )
    return lines


def least_sure(confidence: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Median error of the least sure tenth over that of all, and Spearman's rank correlation."""
    sure, error = np.asarray(confidence, np.float64), np.asarray(errors, np.float64)
    lowest = np.argsort(sure, kind="stable")[: max(round(len(sure) / 10), 1)]
    ratio = np.median(error[lowest]) / max(float(np.median(error)), 1e-9)
    return float(ratio), float(spearmanr(sure, error).statistic)


def _by_confidence(pictures: dict[str, list[Row]]) -> list[str]:
    """Whether the results that are told to be doubtful are."""
    lines = []
    for run, rows in pictures.items():
        told = [
            (row["confidence"], row["posed"]["median"])
            for row in rows
            if row.get("confidence") is not None and "posed" in row
        ]
        if len(told) >= FEWEST_TOLD:
            ratio, rank = least_sure(*zip(*told, strict=True))
            lines.append(
                f"{run}: posed error of the least sure tenth {ratio:.2f} times the median; rank "
                f"correlation of confidence and error {rank:.2f}"
            )
    return lines


def _row(many: Sequence[Measured], baseline: Sequence[Measured]) -> Row:
    found = [one for one in many if one.distances is not None]
    sources = [one.source for one in found if one.source]
    row: Row = {
        "heads": len(many),
        "found": len(found),
        "landmarks": _mean([one.landmarks for one in found]),
        "detected": _mean([one.detected for one in found]),
        "seconds": float(np.median([one.seconds for one in many])),
        "sources": {source: sources.count(source) for source in sorted(set(sources))},
    }
    if not found:
        return row
    for shape in found[0].distances or ():
        points = [one.distances[shape] for one in found if one.distances]
        standing = [
            (one.distances or other.distances or {})[shape]
            for one, other in zip(many, baseline, strict=True)
        ]
        average = [
            (other.distances or {})[shape]
            for one, other in zip(many, baseline, strict=True)
            if one.distances
        ]
        row[shape] = {
            "median": _median_of_medians(points),
            "mean": float(np.mean([one.mean() for one in points])),
            "pooled": float(np.median(np.concatenate(points))),
            "average_head": _median_of_medians(average),
            "median_all": _median_of_medians(standing),
        }
    return row


def _picture(one: Measured) -> Row:
    row: Row = {"picture": one.picture, "yaw": one.yaw, "seconds": one.seconds}
    if one.distances is None:
        return row | {"error": one.error}
    for shape, points in one.distances.items():
        row[shape] = {"median": float(np.median(points)), "mean": float(points.mean())}
    rest = {
        "landmarks": one.landmarks,
        "detected": one.detected,
        "estimate": one.source,
        "confidence": one.confidence,
    }
    return row | rest


def _median_of_medians(many: Sequence[np.ndarray]) -> float:
    return float(np.median([np.median(points) for points in many]))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _number(value: float | None, wide: int, factor: float = 1.0, unit: str = "") -> str:
    return f"{'-' if value is None else f'{factor * value:.2f}{unit}':>{wide + len(unit)}}"


def _bin_name(low: float, high: float) -> str:
    return f"{low:.0f}-{high:.0f}"
