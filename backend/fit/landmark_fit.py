"""Maximum-a-posteriori fit of camera, identity and expression to 68 landmarks.

The model is linear in identity and expression once the camera is known, and the prior of both is
Gaussian (expression weights additionally lie in their range), so each round linearises the
projection and solves one bounded linear least-squares problem for everything at once; then the
jaw's contour landmarks are chosen again for the new pose (Blanz and Vetter 1999; Zhu et al. 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..geometry.camera import Camera, projection_jacobian
from ..geometry.least_squares import partly_bounded_minimum
from ..geometry.pose import initial_camera, moved_camera
from ..geometry.rotation import roll_matrix
from ..kept import kept
from ..model import FaceModel
from ..model.contour import visible_jaw
from .noise import LandmarkNoise

Double = NDArray[np.float64]

#: Landmarks opposite each other: the mouth's corners, the inner lips, the lids.
GAPS = np.array(
    [[48, 54], [60, 64], [61, 67], [62, 66], [63, 65], [37, 41], [38, 40], [43, 47], [44, 46]]
)

#: Standard deviation of how strongly a shape is used in a photo.  Most are rare and small;
#: smiling, an open jaw and lids are what people do in front of cameras.
EXPRESSION_SIGMA = {
    "jawOpen": 0.35,
    "mouthSmile": 0.45,
    "eyeBlink": 0.30,
    "eyeSquint": 0.30,
    "eyeWide": 0.20,
    "brow": 0.30,
    "mouthUpperUp": 0.35,
    "mouthLowerDown": 0.35,
    "mouthClose": 0.08,
    "jawLeft": 0.08,
    "jawRight": 0.08,
    "jawForward": 0.08,
    "cheekPuff": 0.10,
    "tongueOut": 0.02,
    "eyeLook": 0.05,
}
DEFAULT_EXPRESSION_SIGMA = 0.2
#: Of jawOpen when teeth fill the mouth: they part the lips only so far.
TEETH_JAW_SIGMA = 0.04
#: Shares of teeth between the lips from which on, and at which fully, they hold the jaw.
TEETH_SHARES = (0.2, 0.6)
#: Of one step: half a radian, a factor of 1.6.
LIMIT = 0.5


@dataclass(frozen=True)
class FitSettings:
    """The priors that are not the model's own, and when to stop."""

    distance_mm: float = 900.0  #: most portraits are taken from about arm's length to 2 m
    distance_sigma: float = 0.45  #: of its logarithm
    focal_sigma: float = 0.6  #: of log(focal / (1.3 x larger side)) when EXIF does not tell
    gap_mm: float = 1.0  #: of the distance between lips, lids and the mouth's corners
    mirror_sigma: float = 0.12  #: of the difference between a left and a right weight
    rounds: int = 14
    jaw_rounds: int = 6  #: then the jaw keeps its vertices, which might else flip to and fro
    tolerance_px: float = 0.01  #: stop when no landmark moves further


@dataclass(frozen=True, eq=False)
class LandmarkFit:
    """What :func:`fit_landmarks` found."""

    camera: Camera
    identity: NDArray[np.float32]  #: (K,) standard deviations
    expression: NDArray[np.float32]  #: (E,) within ``model.expression_range``
    landmarks68: NDArray[np.int32]  #: (68,) nearest vertex ids as seen in this view
    landmarks3d: NDArray[np.float32]  #: (68, 3) the exact points, posed, head coordinates in mm
    observed: NDArray[np.float32]  #: (68, 2) the given landmarks without the detector's bias
    error_px: float  #: mean distance of the fitted landmarks from ``observed``
    rounds: int


@dataclass
class FitState:
    """The point of linearisation."""

    camera: Camera
    identity: Double
    expression: Double
    jaw: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def of(cls, fit: LandmarkFit) -> FitState:
        """Where ``fit`` ended."""
        return cls(fit.camera, fit.identity.astype(float), fit.expression.astype(float))


class LandmarkModel:
    """The morphable model restricted to its 68 landmarks."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        corners, weights = model.landmarks68_triangles, model.landmarks68_barycentric
        weights = weights.astype(np.float64)
        self._mean = np.einsum("lc,lcx->lx", weights, model.mean[corners])
        # Picked before they are put together: the bases may be mapped files of 200 MB.
        basis = [b[:, corners] for b in (model.identity_basis, model.expression_basis)]
        self._basis = np.einsum("lc,klcx->klx", weights, np.concatenate(basis))

    def at(self, ids: NDArray[np.int32]) -> tuple[Double, Double]:
        """Mean (68, 3) and basis (K + E, 68, 3); moved jaw points are at vertex ``ids``."""
        moved = np.flatnonzero(ids != self.model.landmarks68)
        mean, basis = self._mean.copy(), self._basis.copy()
        mean[moved] = self.model.mean[ids[moved]]
        k = len(self.model.identity_basis)
        basis[:k, moved] = self.model.identity_basis[:, ids[moved]]
        basis[k:, moved] = self.model.expression_basis[:, ids[moved]]
        return mean, basis


@kept(maxsize=4)
def landmark_model(model: FaceModel) -> LandmarkModel:
    return LandmarkModel(model)


def expression_sigma(names: tuple[str, ...], limits: NDArray | None = None) -> Double:
    """(E,) prior standard deviation per shape, by the longest prefix in ``EXPRESSION_SIGMA``.

    Shapes whose ``limits`` (E, 2) begin below 0 are principal components: their unit is 1.
    """
    sigma = np.full(len(names), DEFAULT_EXPRESSION_SIGMA)
    if limits is not None:
        sigma[np.asarray(limits)[:, 0] < 0] = 1.0
    for i, name in enumerate(names):
        known = [prefix for prefix in EXPRESSION_SIGMA if name.startswith(prefix)]
        if known:
            sigma[i] = EXPRESSION_SIGMA[max(known, key=len)]
    return sigma


def mirror_pairs(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Index pairs of shapes that differ only in Left and Right and usually act together."""
    pairs = []
    for i, name in enumerate(names):
        if name.endswith("Left") and not name.startswith(("jaw", "mouthLeft", "eyeLook")):
            other = name.removesuffix("Left") + "Right"
            if other in names:
                pairs.append((i, names.index(other)))
    return pairs


@threadpool_limits.wrap(limits=1, user_api="blas")  # small systems: threads only wait
def fit_landmarks(
    model: FaceModel,
    landmarks: NDArray,
    image_size: tuple[int, int],
    *,
    focal_px: float | None = None,
    teeth: float = 0.0,
    gaze: NDArray | None = None,
    noise: LandmarkNoise | None = None,
    spread: float | None = None,
    start: LandmarkFit | None = None,
    settings: FitSettings | None = None,
) -> LandmarkFit:
    """Fit ``model`` to ``landmarks`` (68, 2) in pixels of a photo of size (width, height).

    ``focal_px`` fixes the focal length (from EXIF); None estimates it with the distance prior.
    ``teeth`` is the share of the mouth's opening that shows teeth (:func:`~.mouth.visible_teeth`).
    ``gaze`` (E,) are expression weights to expect where landmarks tell nothing
    (:func:`~.gaze.estimate_gaze`).  ``noise`` says how the landmarks err (independent points unless
    given), ``spread`` how far the detector's votes disagreed on this photo.  ``start`` is an
    earlier fit to go on from.
    """
    settings = settings or FitSettings()
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        raise ValueError(f"landmarks must be 68 finite points, got shape {landmarks.shape}")
    points = landmark_model(model)
    problem = LandmarkProblem(points, landmarks, image_size, focal_px, settings, noise, spread)
    if gaze is not None:
        problem.expected = np.asarray(gaze, np.float64)
    if "jawOpen" in model.expression_names:
        jaw = model.expression_names.index("jawOpen")
        problem.sigma[jaw] = np.interp(teeth, TEETH_SHARES, [problem.sigma[jaw], TEETH_JAW_SIGMA])
    state = problem.first_state() if start is None else FitState.of(start)
    seen = problem.predict(state)
    rounds = 0
    for rounds in range(1, settings.rounds + 1):  # noqa: B007 - the count is reported
        state = problem.step(state)
        before, seen = seen, problem.predict(state, choose_jaw=rounds <= settings.jaw_rounds)
        if np.abs(seen - before).max() < settings.tolerance_px:
            break
    return LandmarkFit(
        camera=state.camera,
        identity=state.identity.astype(np.float32),
        expression=state.expression.astype(np.float32),
        landmarks68=state.jaw,
        landmarks3d=problem.landmark_points(state)[0].astype(np.float32),
        observed=problem.observed(state).astype(np.float32),
        error_px=float(np.linalg.norm(seen - problem.observed(state), axis=1).mean()),
        rounds=rounds,
    )


class LandmarkProblem:
    """One photo's landmarks with the priors: linearised and solved by :meth:`step`."""

    def __init__(
        self,
        points: LandmarkModel,
        landmarks: Double,
        image_size: tuple[int, int],
        focal_px: float | None,
        settings: FitSettings,
        noise: LandmarkNoise | None = None,
        spread: float | None = None,
    ) -> None:
        self.noise = noise or LandmarkNoise.independent()
        self.whitening = self.noise.whitening(spread)
        self.points, self.landmarks = points, landmarks
        self._gaps = GAPS[~np.isin(GAPS, self.noise.loose).any(axis=1)]
        self.image_size, self.focal_px, self.settings = image_size, focal_px, settings
        names = points.model.expression_names
        self.sigma = expression_sigma(names, points.model.expression_range)
        self.expected = np.zeros(len(names))
        self.pairs = np.array(mirror_pairs(names), dtype=int).reshape(-1, 2)

    def first_state(self) -> FitState:
        """The average head, placed by all landmarks but the jaw's and the inner lips'."""
        model = self.points.model
        mean, _ = self.points.at(model.landmarks68)
        camera = initial_camera(
            mean[17:60],
            self.landmarks[17:60],
            self.settings.distance_mm,
            self.focal_px,
            self.image_size,
        )
        k, e = len(model.identity_basis), len(model.expression_basis)
        return FitState(camera, np.zeros(k), np.zeros(e))

    def predict(self, state: FitState, choose_jaw: bool = True) -> Double:
        """(68, 2) the landmarks that ``state`` projects; chooses the jaw for its pose."""
        if choose_jaw:
            self._choose_jaw(state)
        return state.camera.project(self.landmark_points(state)[0])

    def observed(self, state: FitState) -> Double:
        """(68, 2) the landmarks without the detector's bias at the pose of ``state``."""
        camera = state.camera
        yaw, _, roll = camera.euler_degrees
        return self.landmarks - self.noise.offset(yaw, roll, self._pixels_per_mm(state))

    def step(self, state: FitState) -> FitState:
        """The minimum of the problem linearised at ``state``, or a point on the way to it.

        The way is halved until the cost falls (backtracking), since far from the answer the
        projection is anything but linear; ``state`` itself is returned when nothing helps.
        """
        rows, values = self._system(state)
        span = self.points.model.expression_range.astype(np.float64).T - state.expression
        change = partly_bounded_minimum(rows.T @ rows, rows.T @ values, span[0], span[1])
        cost = float(values @ values)
        for _ in range(6):
            moved = self._move(state, change)
            left = self._system(moved)[1]
            if left @ left < cost:
                return moved
            change *= 0.5
        return state

    def _system(self, state: FitState) -> tuple[Double, Double]:
        """Whitened rows and values of landmarks and priors; ``values @ values`` is the cost."""
        parts = (
            self.landmark_rows(state),
            self.camera_prior(state),
            self._coefficient_prior(state),
        )
        rows = np.vstack([part[0] for part in parts])
        return rows, np.concatenate([part[1] for part in parts])

    def _move(self, state: FitState, change: Double) -> FitState:
        """``state`` moved by ``change``: turn 3, shift x and y, log distance, log focal, K, E."""
        e = len(state.expression)
        camera = moved_camera(state.camera, change[:7], self.image_size, LIMIT)
        expression = np.clip(
            state.expression + change[-e:], *self.points.model.expression_range.astype(float).T
        )
        return FitState(camera, state.identity + change[7:-e], expression, state.jaw)

    def _choose_jaw(self, state: FitState) -> None:
        model = self.points.model
        strip_ids = np.unique(model.contour_candidates[model.contour_candidates >= 0])
        vertices = np.zeros_like(model.mean, dtype=np.float64)
        vertices[strip_ids] = (
            model.mean[strip_ids]
            + np.tensordot(state.identity, model.identity_basis[:, strip_ids], 1)
            + np.tensordot(state.expression, model.expression_basis[:, strip_ids], 1)
        )
        state.jaw = visible_jaw(model, vertices, state.camera)

    def landmark_points(self, state: FitState) -> tuple[Double, Double]:
        """(68, 3) points of ``state`` in mm, and the basis (K + E, 68, 3) that moves them."""
        mean, basis = self.points.at(state.jaw)
        weights = np.concatenate([state.identity, state.expression])
        return mean + np.tensordot(weights, basis, 1), basis

    def landmark_rows(self, state: FitState) -> tuple[Double, Double]:
        """Whitened rows (136 + gaps, 7 + K + E), columns as in :meth:`_move`, and residuals."""
        points, jacobian = self.projection_jacobian(state)
        seen, scale = state.camera.project(points), self._pixels_per_mm(state)
        # The noise is known in mm and in a frame that rolls with the head.
        upright = roll_matrix(state.camera.euler_degrees[2]).T / scale
        residual = (self.observed(state) - seen) @ upright.T
        rows = np.einsum("pq,lqk->lpk", upright, jacobian).reshape(136, -1)
        # How wide mouth and eyes are open is seen directly, whatever shifts them as a whole.
        upper, lower = self._gaps.T
        sigma = self.settings.gap_mm * scale
        missed = self.landmarks - seen
        parting = (jacobian[upper] - jacobian[lower]) / sigma
        gap_rows = parting.reshape(2 * len(upper), rows.shape[1])
        apart = (missed[upper] - missed[lower]).ravel() / sigma
        return np.vstack([self.whitening @ rows, gap_rows]), np.concatenate(
            [self.whitening @ residual.ravel(), apart]
        )

    def _pixels_per_mm(self, state: FitState) -> float:
        """Scale of the picture at the landmarks' mean distance."""
        depth = state.camera.to_camera(self.landmark_points(state)[0])[:, 2]
        return state.camera.focal / float(depth.mean())

    def projection_jacobian(self, state: FitState) -> tuple[Double, Double]:
        """The points (68, 3) in mm, and d(pixel) / d(columns) (68, 2, 7 + K + E)."""
        points, basis = self.landmark_points(state)
        jacobian = projection_jacobian(state.camera, points, basis)
        if self.focal_px:
            jacobian[:, :, 6] = 0.0
        return points, jacobian

    def camera_prior(self, state: FitState) -> tuple[Double, Double]:
        width = 7 + len(state.identity) + len(state.expression)
        rows, settings = np.zeros((2, width)), self.settings
        rows[0, 5] = 1.0 / settings.distance_sigma
        rows[1, 6] = 1.0 / settings.focal_sigma
        distance = settings.distance_mm / state.camera.translation[2]
        focal = 1.0 if self.focal_px else 1.3 * max(self.image_size) / state.camera.focal
        values = np.array(
            [
                np.log(distance) / settings.distance_sigma,
                np.log(focal) / settings.focal_sigma,
            ]
        )
        return rows, values

    def _coefficient_prior(self, state: FitState) -> tuple[Double, Double]:
        k, e, n = len(state.identity), len(state.expression), len(self.pairs)
        rows = np.zeros((k + e + n, 7 + k + e))
        rows[:k, 7 : 7 + k] = np.eye(k)
        rows[k : k + e, 7 + k :] = np.diag(1.0 / self.sigma)
        scale = 1.0 / self.settings.mirror_sigma
        pair_rows = np.arange(k + e, k + e + n)
        rows[pair_rows, 7 + k + self.pairs[:, 0]] = scale
        rows[pair_rows, 7 + k + self.pairs[:, 1]] = -scale
        left, right = state.expression[self.pairs].T
        values = np.concatenate(
            [
                -state.identity,
                (self.expected - state.expression) / self.sigma,
                (right - left) * scale,
            ]
        )
        return rows, values
