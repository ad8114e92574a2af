"""One head from several photos: Gauss-Newton over what they share and what is each one's own.

Identity and albedo are the person's; camera, light and expression each photo's.  The cost is what
the refinement of a single photo has (:mod:`..refine`), summed over the photos, but for the prior
of what is shared, which counts once (:mod:`.pooling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ...geometry.chunks import each
from ...model import FaceModel
from ..observation import Beginning, Observation, Refined, State
from ..prior import Prior
from ..refine import SCHEDULE, Run, Stage
from ..refine.photometric import Level
from ..refine.refine import GAIN, LANDMARK_STEPS
from ..refine.solve import BACKTRACKS, SHORTER, Problem, Weights
from .pooling import pooled
from .schur import Quadratic, joint_minimum

Double = NDArray[np.float64]

#: N photos are worth N / (1 + c (N - 1)).  Of readings c is the correlation of their errors.  Of
#: landmarks and pixels it is more: in a single photo's fit they count for more than they tell of
#: the shape, and from two photos on all of them together count like two thirds to half of one's.
#: Of five rendered heads (the first of ``bench accuracy --views 3 --seed 33311``) three and five
#: pictures' mean errors are 0.58 and 0.53 mm with 0.35 and 0.1, 0.51 and 0.46 with 0 and 1, 0.49
#: and 0.45 with 0 and 2, 0.48 and 0.47 with 0 and 4, 0.55 and 0.50 with 0.35 and 0.5.  The mean of
#: the single fits' shapes, by how sure the network is of each, has 0.59 and 0.58, the product of
#: the readings alone 0.53 and 0.50.  That was when readings counted a quarter of what they do now
#: (``with_network.IDENTITY_WEIGHT``): the identities of 18 drawn heads, three pictures of each,
#: were 1.775 mm off (root mean square), and are 1.828 with 0 and 2 now, 1.740 with 0.5, 1.717 with
#: 0.15.
READINGS_ALIKE = 0.0
PHOTOS_ALIKE = 0.25
#: A photo that by itself would move the head so many times as far as the median of the photos
#: would counts for a quarter.  Of eight such heads three pictures' mean error is 0.518 mm with and
#: 0.527 without; that of one whom a picture misled is 0.68 and 0.78.
DOUBTED = 1.0


@dataclass(frozen=True, eq=False)
class Sight:
    """What is known of one photo before all are looked at together."""

    observation: Observation
    begun: Beginning
    start: State  #: of the photo alone
    weight: float = 1.0  #: 0..1 how far it is believed


@dataclass(frozen=True, eq=False)
class Shared:
    """The Gaussian that identity and albedo have once, not photo by photo."""

    identity: Double  #: (K,)
    identity_precision: Double  #: (K, K)
    albedo: Double  #: (A,)
    albedo_precision: Double  #: (A, A)

    @classmethod
    def of(cls, model: FaceModel, sights: Sequence[Sight]) -> Shared:
        """Of the face model, and of what the network reads in all photos."""
        weights = worth([one.weight for one in sights], READINGS_ALIKE)
        priors, habits = [one.begun.prior for one in sights], Prior.of_model(model)
        identity = pooled(priors, habits, weights, "identity")
        return cls(*identity, *pooled(priors, habits, weights, "albedo"))

    def system(self, identity: Double, albedo: Double) -> tuple[Double, Double, float]:
        """Hessian, gradient (downhill) and cost over identity and albedo."""
        off = self.identity - identity, self.albedo - albedo
        pulls = self.identity_precision @ off[0], self.albedo_precision @ off[1]
        k = len(identity)
        hessian = np.zeros((k + len(albedo), k + len(albedo)))
        hessian[:k, :k], hessian[k:, k:] = self.identity_precision, self.albedo_precision
        cost = float(off[0] @ pulls[0] + off[1] @ pulls[1])
        return hessian, np.concatenate(pulls), cost


def worth(weights: Sequence[float], alike: float) -> Double:
    """(N,) how many independent photos each is worth that is believed so far (``weights``, 0..1).

    N equal ones are worth N / (1 + ``alike`` (N - 1)) together.
    """
    given = np.asarray(weights, np.float64)
    # As many equal ones as these are worth (Kish 1965).
    count = given.sum() ** 2 / max(float((given**2).sum()), 1e-12)
    share = given / max(float(given.max()), 1e-12)
    return share / (1 + alike * (count - 1))


@threadpool_limits.wrap(limits=1, user_api="blas")  # small systems: threads only wait
def solve_together(
    model: FaceModel, sights: Sequence[Sight], quality: str = "balanced"
) -> list[Refined]:
    """The most probable head given all photos: what each shows of it, identity and albedo the same.

    ``quality`` as in :func:`~..refine.refine`, whose errors this has.
    """
    if quality not in SCHEDULE:
        raise ValueError(f"quality is {quality!r}; give one of {tuple(SCHEDULE)}.")
    return _Together(model, sights).solve(SCHEDULE[quality])


class _Together:
    def __init__(self, model: FaceModel, sights: Sequence[Sight]) -> None:
        self.model, self.shared = model, Shared.of(model, sights)
        self.weights = worth([one.weight for one in sights], PHOTOS_ALIKE)
        k, a = len(model.identity_basis), len(model.albedo_basis)
        self.k = k
        share = self.weights / self.weights.sum()
        identity = share @ np.array([one.start.identity for one in sights])
        self.runs, self.states = [], []
        for one in sights:
            free = replace(
                one.begun.prior, identity_precision=np.zeros(k), albedo_precision=np.zeros(a)
            )
            start = one.start.holding(identity)
            if start.albedo is not None:
                start = replace(start, albedo=self.shared.albedo)
            known = one.begun.focal_known
            self.runs.append(Run(model, one.observation, free, start, known))
            self.states.append(start)
        self.problems = [run.problem(None) for run in self.runs]

    def solve(self, schedule: Sequence[Stage]) -> list[Refined]:
        starts = list(self.states)
        looked = False
        for number, stage in enumerate(schedule):
            if number:  # when the first has told where all together want to
                self._doubt()
            levels = [Level(run.observation, stage.side, stage.blur) for run in self.runs]
            for _ in range(stage.rounds):
                looked = self._look(levels, stage) or looked
                self._descend(stage.steps)
                for run, state in zip(self.runs, self.states, strict=True):
                    run.terms.choose_jaw(state)
        if not looked:
            self._descend(LANDMARK_STEPS)
        found = []
        for i, run in enumerate(self.runs):
            problem, state = self.problems[i], self.states[i]
            start = starts[i]
            if problem.photo is not None:
                start = replace(start, albedo=state.albedo, sh_light=state.sh_light)
            result = run.result(problem, start, state, problem.weigh(state))
            found.append(replace(result, state=state))
        return found

    def _look(self, levels: Sequence[Level], stage: Stage) -> bool:
        """Choose each photo's samples anew; whether any shows a face."""

        def look(i: int) -> tuple[Problem, State]:
            run, state = self.runs[i], self.states[i]
            photo = run.look(levels[i], state, stage)
            if photo is None:
                return run.problem(None), state
            state = run.with_light(photo, state)
            return run.problem(photo, state), state

        found = each(look, range(len(self.runs)))
        self.problems, self.states = [one[0] for one in found], [one[1] for one in found]
        lit = [i for i, one in enumerate(self.problems) if one.photo is not None]
        if lit:
            # Found photo by photo where no network has said what it is.
            share = self.weights[lit] / self.weights[lit].sum()
            albedo = share @ np.array([self.states[i].albedo for i in lit])
            for i in lit:
                self.states[i] = replace(self.states[i], albedo=albedo)
        return bool(lit)

    def _descend(self, steps: int) -> None:
        for _ in range(steps):
            cost, gained = self._step()
            if gained < GAIN * cost:
                break

    def _step(self) -> tuple[float, float]:
        """Move all states together; the cost before, and by how much it is less."""
        count = range(len(self.runs))
        weights = each(lambda i: self.problems[i].weigh(self.states[i]), count)
        systems = each(lambda i: self.problems[i].system(self.states[i], weights[i]), count)
        hessian, gradient, cost = self._own_part(self.states)
        cost += float(self.weights @ [one[2] for one in systems])
        quadratics = [self._quadratic(i, *systems[i][:2]) for i in count]
        _, changes = joint_minimum(quadratics, hessian, gradient)
        part = 1.0
        for _ in range(BACKTRACKS):
            moved = [self.problems[i].moved(self.states[i], part * changes[i]) for i in count]
            left = self._cost(moved, weights)
            if left < cost:
                self.states = moved
                return cost, cost - left
            part *= SHORTER
        return cost, 0.0

    def _doubt(self) -> None:
        """Weigh photos less that, by themselves, would move the head much further than the others.

        Geman and McClure (1985), as samples within a photo are weighed.
        """
        count = range(len(self.runs))
        if len(self.runs) < 3:  # of two nobody can say which is wrong
            return
        weights = each(lambda i: self.problems[i].weigh(self.states[i]), count)
        systems = each(lambda i: self.problems[i].system(self.states[i], weights[i]), count)
        hessian, gradient, _ = self._own_part(self.states)
        moves = []
        for i in count:
            alone = replace(self._quadratic(i, *systems[i][:2]), weight=1.0)
            shared, _ = joint_minimum([alone], hessian, gradient)
            moves.append(np.linalg.norm(shared[: self.k]))
        typical = float(np.median(moves))
        believed = (1 + (np.array(moves) / (DOUBTED * max(typical, 1e-9))) ** 2) ** -2.0
        believed /= believed.max()
        self.weights = self.weights * believed

    def _quadratic(self, i: int, hessian: Double, gradient: Double) -> Quadratic:
        problem = self.problems[i]
        many = self.k + problem.a  # of a photo that is not looked at there is no albedo
        low, high = problem.span(self.states[i])
        places = np.arange(many)
        return Quadratic(hessian, gradient, 7 + places, places, low, high, float(self.weights[i]))

    def _own_part(self, states: Sequence[State]) -> tuple[Double, Double, float]:
        albedo = next((one.albedo for one in states if one.albedo is not None), None)
        return self.shared.system(
            states[0].identity, self.shared.albedo if albedo is None else albedo
        )

    def _cost(self, states: Sequence[State], weights: Sequence[Weights | None]) -> float:
        costs = each(
            lambda i: sum(self.problems[i].energy(states[i], weights[i]).values()),
            range(len(states)),
        )
        return self._own_part(states)[2] + float(self.weights @ costs)
