"""Refinement of a head on the photo itself: landmarks, colours and priors together.

Analysis by synthesis (Blanz and Vetter 1999; Romdhani and Vetter 2005) by Gauss-Newton on about
250 unknowns, from coarse to fine.  Which surface points are compared is chosen from the current
estimate and held for a few steps; what they show is weighed by how well it is explained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ...model import FaceModel
from ...texture.light import fit_light
from ..observation import Observation, Refined, State
from ..prior import Prior
from .photometric import NOISE, Level, Photometric
from .priors import LandmarkTerms
from .robust import picture
from .solve import Problem, Weights
from .surface import SampledModel, choose_samples

#: Fewer samples than this do not show a face.
FEWEST_SAMPLES = 60
#: A round that gains less than this part of the cost is the last one of its level.
GAIN = 1e-3


@dataclass(frozen=True)
class Stage:
    """How one resolution is worked on."""

    side: int  #: of the crop in pixels
    blur: float  #: standard deviation in its pixels
    samples: int
    rounds: int  #: choices of samples
    steps: int  #: per round


SCHEDULE: dict[str, tuple[Stage, ...]] = {
    "fast": (),
    "balanced": (Stage(112, 1.0, 900, 2, 3), Stage(224, 1.0, 1300, 2, 3)),
    "best": (Stage(112, 1.0, 1500, 3, 4), Stage(224, 1.0, 2500, 4, 4)),
}
#: Steps on landmarks and priors alone.
LANDMARK_STEPS = 6


@threadpool_limits.wrap(limits=1, user_api="blas")  # small systems: threads only wait
def refine(
    model: FaceModel,
    observation: Observation,
    start: State,
    prior: Prior,
    quality: str = "balanced",
    focal_fixed: bool = False,
) -> Refined:
    """The most probable head given landmarks, photo and ``prior``, near ``start``.

    ``quality`` "fast" uses landmarks and priors only.  ``focal_fixed`` keeps the focal length of
    ``start`` (known from EXIF).  The start comes back when nothing better is found.

    Raises ValueError for an unknown quality.
    """
    if quality not in SCHEDULE:
        raise ValueError(f"quality is {quality!r}; give one of {tuple(SCHEDULE)}.")
    run = Run(model, observation, prior, start, focal_fixed)
    return run.refine(start, SCHEDULE[quality])


class Run:
    """One photo's refinement: what it looks at, level after level."""

    def __init__(
        self,
        model: FaceModel,
        observation: Observation,
        prior: Prior,
        start: State,
        focal_fixed: bool,
    ) -> None:
        """``focal_fixed`` keeps the focal length of ``start``."""
        self.model, self.observation, self.prior = model, observation, prior
        focal = start.camera.focal if focal_fixed else None
        self.terms = LandmarkTerms(model, observation, prior, focal)
        self.terms.choose_jaw(start)
        self.steps = 0

    def refine(self, start: State, schedule: tuple[Stage, ...]) -> Refined:
        """As :func:`refine`."""
        state, problem = start, self.problem(None)
        weights: Weights | None = None
        for stage in schedule:
            level = Level(self.observation, stage.side, stage.blur)
            for _ in range(stage.rounds):
                photo = self.look(level, state, stage)
                if photo is None:
                    break
                state, start = self.with_light(photo, state), self.with_light(photo, start)
                problem = self.problem(photo, state)
                state = self._descend(problem, state, stage.steps)
                self.terms.choose_jaw(state)
                weights = problem.weigh(state)
        if weights is None:  # not wanted, or the face is not in the crop
            state = self._descend(problem, state, LANDMARK_STEPS)
        return self.result(problem, start, state, weights)

    def problem(self, photo: Photometric | None, state: State | None = None) -> Problem:
        """The cost as what ``photo`` samples has it; ``state`` is where these were chosen."""
        normals = photo.geometry(state)[2] if photo and state else None
        return Problem(
            self.model, self.prior, self.terms, self.observation.image_size, photo, normals
        )

    def look(self, level: Level, state: State, stage: Stage) -> Photometric | None:
        """The samples that ``state`` shows, or None where that is no face."""
        matrix = level.from_photo @ state.camera.camera_matrix
        samples = choose_samples(self.model, state, matrix, level.valid, stage.samples)
        if len(samples.face) < FEWEST_SAMPLES:
            return None
        surface = SampledModel(self.model, samples, stage.side)
        return Photometric(level, surface, samples)

    def with_light(self, photo: Photometric, state: State) -> State:
        """``state`` with light and albedo, found from its samples if it has none."""
        if state.sh_light is not None and state.albedo is not None:
            return state
        colours, normals = photo.observed(state)
        if self.observation.grey:
            colours = np.repeat(colours, 3, axis=1)
        surface = photo.surface
        fit = fit_light(
            colours,
            normals,
            photo.samples.weight,
            surface.albedo_mean,
            surface.albedo_basis.transpose(1, 0, 2),
            grey=self.observation.grey,
        )
        return replace(
            state,
            albedo=fit.albedo_coefficients.astype(np.float64),
            sh_light=fit.sh_light.astype(np.float64),
        )

    def _descend(self, problem: Problem, state: State, steps: int) -> State:
        for _ in range(steps):
            weights = problem.weigh(state)
            cost = sum(problem.energy(state, weights).values())
            state, gained = problem.step(state, weights)
            self.steps += 1
            if gained < GAIN * cost:
                break
        return state

    def result(
        self, problem: Problem, start: State, state: State, weights: Weights | None
    ) -> Refined:
        """Of ``state``, or of ``start`` where that is no worse."""
        before, after = problem.energy(start, weights), problem.energy(state, weights)
        improved = sum(after.values()) < sum(before.values())
        if not improved:
            state, after = start, before
        self.terms.choose_jaw(state)
        side = len(self.observation.image)
        inlier, residual, seen = 1.0, 0.0, np.ones((side, side), np.float32)
        if problem.photo is not None and weights is not None:
            own = problem.photo.samples.weight
            inlier = float((own * weights.belief).sum() / max(float(own.sum()), 1e-9))
            total = max(float(weights.total.sum()), 1e-9)
            residual = NOISE * float(np.sqrt(after["photo"] / total))
            seen = picture(own * weights.belief, problem.photo.samples, side)
        return Refined(
            state,
            self.terms.jaw,
            before,
            after,
            inlier,
            residual,
            seen,
            self.steps,
            improved,
        )
