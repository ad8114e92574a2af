"""What a fit finds about one face, and how it is read off a fitted head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..align import Crop
from ..geometry.camera import Camera
from ..model import FaceModel
from ..model.contour import landmark_points
from .evidence import Evidence
from .gaze import estimate_gaze
from .observation import Refined, State

Float = NDArray[np.float32]
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceFit:
    """What was found about one face."""

    camera: Camera  #: of the photo
    identity: Float  #: (K,) standard deviations
    expression: Float  #: (E,) within ``model.expression_range``
    albedo: Float  #: (A,) standard deviations; empty where only landmarks were used
    sh_light: Float  #: (9, 3) head coordinates; zero where only landmarks were used
    landmarks68: NDArray[np.int32]  #: (68,) nearest vertex ids as seen in this view
    landmarks3d: Float  #: (68, 3) posed, head coordinates, mm
    observed: Float  #: (68, 2) where the photo has them, without the detector's bias, pixels
    crop: Crop
    error_px: float  #: mean distance of fitted landmarks from ``observed``
    source: str  #: "network" or "landmarks"
    detected: Float  #: (68, 2) pixels: the detector's landmarks, or the network's in their place
    disagreement: float | None = None  #: of detector and network, in sides of the face's box
    inlier: float | None = None  #: share of the visible skin that the refined head explains
    residual: float | None = None  #: how far its colours miss the photo's, log
    network_sigma: float | None = None  #: the network's own expected error, in the box's sides
    moved_mm: float | None = None  #: how far the refinement moved the face from what was read


def of_refined(
    evidence: Evidence,
    model: FaceModel,
    refined: Refined,
    source: str,
    read: NDArray | None = None,
) -> FaceFit:
    """The result of a refinement on the photo, its eyes turned to where the irises are seen.

    ``read`` (K,) is the identity that the network read, in ``model``'s terms, where it did.
    """
    state = refined.state
    expression = state.expression.astype(np.float32)
    vertices = model.vertices(state.identity, expression)
    points = landmark_points(model, vertices, refined.landmarks68)
    seen = state.camera.project(points)
    observed = _observed(evidence, state, points, seen)
    gaze = estimate_gaze(model, evidence.irises, observed, vertices, state.camera)
    lit = state.albedo is not None and state.sh_light is not None
    return FaceFit(
        camera=state.camera,
        identity=state.identity.astype(np.float32),
        expression=looking(model, expression, gaze),
        albedo=np.asarray(state.albedo if lit else [], np.float32),
        sh_light=np.asarray(state.sh_light if lit else np.zeros((9, 3)), np.float32),
        landmarks68=refined.landmarks68,
        landmarks3d=points.astype(np.float32),
        observed=observed.astype(np.float32),
        crop=evidence.crop,
        error_px=_error(evidence, seen - observed),
        source=source,
        detected=evidence.marks.astype(np.float32),
        disagreement=evidence.disagreement,
        inlier=refined.inlier if lit else None,
        residual=refined.residual if lit else None,
        network_sigma=None if evidence.reading is None else evidence.reading.sigma,
        moved_mm=None if read is None else _moved_mm(model, state.identity - read),
    )


def _moved_mm(model: FaceModel, change: NDArray) -> float:
    """Root mean square over the neutral face of what ``change`` (K,) of the identity moves."""
    face = model.mask("face") > 0.5
    moved = np.tensordot(change, model.identity_basis[:, face], 1)
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def looking(model: FaceModel, expression: Float, gaze: NDArray) -> Float:
    """``expression`` (E,) with all eyeLook weights those of ``gaze`` (E,), where that tells any."""
    if not gaze.any():
        return expression
    look = [name.startswith("eyeLook") for name in model.expression_names]
    turned = expression.copy()
    turned[look] = gaze[look]
    return turned


def _observed(evidence: Evidence, state: State, points: Double, seen: Double) -> Double:
    """(68, 2) the detector's landmarks without its bias here; where it saw none, as ``seen``."""
    if evidence.landmarks is None:
        return evidence.corrections.marks(seen)
    camera = state.camera
    yaw, _, roll = camera.euler_degrees
    scale = camera.focal / float(camera.to_camera(points)[:, 2].mean())
    observed = evidence.landmarks - evidence.noise.offset(yaw, roll, scale)
    covering = evidence.covering
    return observed if covering is None else np.where(covering.landmarks[:, None], seen, observed)


def _error(evidence: Evidence, missed: Double) -> float:
    """Mean length of ``missed`` (68, 2) over the landmarks that are not covered."""
    covering = evidence.covering
    seen = missed if covering is None else missed[~covering.landmarks]
    return float(np.linalg.norm(seen, axis=1).mean())
