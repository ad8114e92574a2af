"""The compared passes side by side, and how they differ, as one picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..exchange.passes import Passes
from ..geometry import srgb
from .measures import angles

Bytes = NDArray[np.uint8]
Float = NDArray[np.float32]

#: What is drawn brightest in the pictures of differences.
DEPTH_MM = 2.0
NORMAL_DEGREES = 5.0
COLOUR = 0.2  #: of full scale, sRGB

_TITLE_PX = 26
_GAP_PX = 4
_PAPER = 24  #: grey


def difference_sheet(
    expected: Passes, found: Passes, photo: dict[str, Float], *, textured: bool = True
) -> Bytes:
    """(H, W, 3) uint8 sRGB: per pass PyTorch3D's, Cycles' and the difference, two passes a row.

    The last, where there is one, shows photo, rendering and difference.
    """
    near, far = _range(expected, found)
    both = expected.covered & found.covered
    rows = [
        ("silhouette", *(_grey(side.covered) for side in (expected, found)),
         _heat((expected.covered ^ found.covered).astype(np.float32), 1.0)),
        (f"depth (brightest: {DEPTH_MM:g} mm)",
         *(_grey(_nearness(side, near, far)) for side in (expected, found)),
         _heat(np.abs(expected.depth - found.depth) * both, DEPTH_MM)),
        (f"normals (brightest: {NORMAL_DEGREES:g} degrees)",
         *(_normals(side) for side in (expected, found)),
         _heat(angles(expected.normals, found.normals), NORMAL_DEGREES)),
    ]  # fmt: skip
    if textured:
        for name in ("unlit", "shaded"):
            a, b = (srgb.encode(getattr(side, name)) for side in (expected, found))
            rows.append((f"{name} (brightest: {COLOUR:g})", _bytes(a), _bytes(b), _colours(a, b)))
    lines = [_row(["PyTorch3D: " + title, "Cycles", "difference"], panels)
             for title, *panels in rows]  # fmt: skip
    if photo:
        a, b = photo["photo"], photo["rendering"]
        titles = ["photo", "Cycles over the photo", f"difference (brightest: {COLOUR:g})"]
        lines.append(_row(titles, [_bytes(a), _bytes(b), _colours(a, b)]))
    return _two_a_row(lines)


def _two_a_row(lines: list[Bytes]) -> Bytes:
    # Screens are wide, heads are tall: one below the other they would be small.
    height, width = lines[0].shape[:2]
    sheet = np.full((-(-len(lines) // 2) * height, 2 * width + _TITLE_PX, 3), _PAPER, np.uint8)
    for i, line in enumerate(lines):
        left, top = (i % 2) * (width + _TITLE_PX), i // 2 * height
        sheet[top : top + height, left : left + width] = line
    return sheet


def _row(titles: list[str], panels: list[Bytes]) -> Bytes:
    height, width = panels[0].shape[:2]
    row = np.full((height + _TITLE_PX, 3 * width + 2 * _GAP_PX, 3), _PAPER, np.uint8)
    for i, (title, panel) in enumerate(zip(titles, panels, strict=True)):
        left = i * (width + _GAP_PX)
        row[_TITLE_PX:, left : left + width] = panel
        # A narrow panel has no room for a long title in full size.
        scale = min(0.5, 0.5 * (width - 8) / max(9 * len(title), 1))
        place = (left + 4, _TITLE_PX - 8)
        cv2.putText(row, title, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (230,) * 3, 1, cv2.LINE_AA)
    return row


def _range(*sides: Passes) -> tuple[float, float]:
    """Nearest and farthest depth in mm."""
    depths = np.concatenate([side.depth[side.covered] for side in sides])
    return (float(depths.min()), float(depths.max())) if depths.size else (0.0, 1.0)


def _nearness(side: Passes, near: float, far: float) -> Float:
    value = 1 - 0.85 * (side.depth - near) / max(far - near, 1e-6)
    return np.where(side.covered, np.clip(value, 0, 1), 0).astype(np.float32)


def _normals(side: Passes) -> Bytes:
    # The usual colours: red to the right, green up, blue to the viewer.
    shown = 0.5 + 0.5 * side.normals * np.array([1, -1, -1], np.float32)
    return _bytes(np.where(side.covered[..., None], shown, 0))


def _colours(a: Float, b: Float) -> Bytes:
    return _heat(np.abs(a - b).max(axis=-1), COLOUR)


def _heat(values: NDArray, brightest: float) -> Bytes:
    """(H, W) as black to bright yellow, 0 to ``brightest``."""
    grey = np.rint(255 * np.clip(values / brightest, 0, 1)).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def _grey(values: NDArray) -> Bytes:
    return _bytes(np.repeat(np.asarray(values, np.float32)[..., None], 3, axis=2))


def _bytes(values: NDArray) -> Bytes:
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
