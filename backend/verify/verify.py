"""The verification of one head: both renderings, the comparison, the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exchange import load_reconstruction
from ..exchange.passes import Passes
from ..photo.encode import decode
from .blender import SceneRenderer
from .measures import passes_measures
from .photo import photo_measures
from .pictures import difference_sheet
from .pytorch3d import PyTorch3D
from .surface import surface_of
from .thresholds import Measure, measure
from .view import frame_view, head_frame, view_in_frame

Bytes = NDArray[np.uint8]
Progress = Callable[[float, str], None]

SIZE = 512


@dataclass(frozen=True, eq=False)
class Verification:
    """What was found about one head."""

    name: str
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]  #: sentences on what was not compared, and what subdivision changes
    sheet: Bytes  #: (H, W, 3) uint8 sRGB: per pass its two renderings and the difference
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def passed(self, group: str) -> bool:
        """Whether all measures of ``group`` ("scene", "photo") are within their limits."""
        return all(one.passed for one in self.measures if one.threshold.group == group)

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "name": self.name,
            "scene": self.passed("scene"),
            "photo": self.passed("photo"),
            "measures": {
                one.threshold.name: {
                    # JSON has no infinity.
                    "value": one.value if np.isfinite(one.value) else None,
                    "limit": one.threshold.text(),
                    "passed": one.passed,
                    "group": one.threshold.group,
                    "title": one.threshold.title,
                    "unit": one.threshold.unit,
                }
                for one in self.measures
            },
            "notes": list(self.notes),
            "seconds": {step: round(value, 3) for step, value in self.seconds.items()},
            "versions": self.versions,
        }


def verify(
    npz: str | Path,
    blend: str | Path,
    *,
    pytorch3d: PyTorch3D,
    blender: SceneRenderer,
    head: str | None = None,
    size: int = SIZE,
    progress: Progress | None = None,
) -> Verification:
    """Compare the reconstruction ``npz`` with what the file ``blend`` shows of it.

    ``head`` names the object where the file holds several.  The pictures' long side has ``size``
    pixels and shows the head.

    Raises :class:`~..errors.ExchangeError` (either file), :class:`~..errors.WorkerError` (either
    renderer), :class:`~..errors.ModelError` (dlib's weights).
    """
    report = progress or (lambda fraction, step: None)
    reconstruction = load_reconstruction(npz)
    textured = bool(reconstruction.texture.size)
    texture = decode(reconstruction.texture) if textured else np.full((1, 1, 3), 128, np.uint8)
    seconds: dict[str, float] = {}
    begin = time.perf_counter()
    report(0.05, "Opening the file")
    view = frame_view(reconstruction, blender.open(Path(blend), reconstruction, head))
    head_only = reconstruction.vertices_posed[: reconstruction.head_count]
    window = head_frame(view, head_only, size)
    seen = view_in_frame(view, window)
    seconds["open"] = time.perf_counter() - begin

    begin = time.perf_counter()
    report(0.25, "Rendering with Cycles")
    found, smooth = blender.render(window, reconstruction.sh_light)
    seconds["cycles"] = time.perf_counter() - begin

    begin = time.perf_counter()
    report(0.5, "Rendering with PyTorch3D")
    expected = pytorch3d.render(surface_of(reconstruction, texture.astype(np.float32) / 255), seen)
    seconds["pytorch3d"] = time.perf_counter() - begin

    begin = time.perf_counter()
    report(0.85, "Comparing")
    values = passes_measures(expected, found, textured=textured)
    of_photo, notes, pictures = photo_measures(reconstruction, found, seen)
    values |= of_photo
    sheet = difference_sheet(expected, found, pictures, textured=textured)
    seconds["compare"] = time.perf_counter() - begin
    return Verification(
        name=Path(npz).stem,
        measures=tuple(measure(name, value) for name, value in values.items()),
        notes=(*notes, _subdivision(found, smooth)),
        sheet=sheet,
        seconds=seconds,
        versions={"blender": blender.version, **pytorch3d.about},
    )


def _subdivision(found: Passes, smooth: NDArray[np.float32]) -> str:
    """What the subdivision changes of what is compared, as a sentence."""
    both = found.covered & (smooth > 0)
    if not both.any():
        return "Subdivided, the head is not where it was."
    moved = np.abs(found.depth - smooth)[both]
    return (
        "The passes compare the surface that was fitted; the subdivision that is drawn moves it by "
        f"{np.median(moved):.2f} mm (median; {np.percentile(moved, 99):.2f} mm at the worst "
        "hundredth)."
    )
