"""``bench accuracy --views``: heads from several pictures against heads from each one."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from tqdm import tqdm

from ..errors import FaceError
from ..exchange.options import Options
from ..fit import fit
from ..fit.together.fits import fit_together
from ..model import FaceModel, load_model
from ..model.own import own_head
from ..person.looking import Given, View, look, view_of
from ..person.resting import with_resting_brows
from .accuracy_set import Truth
from .measures import surface_distances


@dataclass
class ViewsMeasured:
    """Of one head: median distances of the neutral shape in mm, by the NoW benchmark's protocol."""

    head: int
    average: float  #: of the face model's mean
    single: dict[int, float] = field(default_factory=dict)  #: by picture, from 0
    several: dict[int, float] = field(default_factory=dict)  #: by how many pictures, the first ones


def measure_views(
    heads: Sequence[Sequence[Truth]], options: Options, model: FaceModel, counts: Sequence[int]
) -> list[ViewsMeasured]:
    """Of every head; a picture without a face is none of those that it is made of."""
    own = load_model(options.model, options.expressions)
    found = []
    progress = tqdm(heads, unit="head", disable=not sys.stderr.isatty())
    for number, truths in enumerate(progress):
        true = truths[0].vertices_neutral
        average = surface_distances(model, model.mean, true, model)
        measured = ViewsMeasured(number, float(np.median(average)))

        def error(identity: np.ndarray, true: np.ndarray = true) -> float:
            flat = np.zeros(len(own.expression_names), np.float32)
            neutral = own_head(own, np.asarray(identity, np.float32), flat).neutral
            return float(np.median(surface_distances(own, neutral, true, model)))

        views: dict[int, View] = {}
        for i, truth in enumerate(truths):
            given = Given(i, truth.picture)
            try:
                views[i] = view_of(look(given, own, options), 0, own, options)
                photo = given.read()
            except FaceError:
                continue
            evidence = views[i].sight.evidence.of_photo(photo)
            measured.single[i] = error(fit(evidence, own, options).identity)
        for count in counts:
            several = with_resting_brows([views[i] for i in range(count) if i in views], own)
            if several:
                sights, weights = [v.sight for v in several], [v.weight for v in several]
                refined = fit_together(sights, own, options, weights)
                measured.several[count] = error(refined[0].state.identity)
        found.append(measured)
    return found


def views_table(measured: Sequence[ViewsMeasured]) -> str:
    """For people."""
    lines = [
        f"{'pictures':<12}{'heads':>6}{'median':>9}{'mean':>9}   against each of them by itself",
    ]
    average = [one.average for one in measured]
    counts = sorted({count for one in measured for count in one.several})
    lines.append(_line("mean head", average, None))
    for count in counts:
        single = [e for one in measured for i, e in one.single.items() if i < count]
        several = [one.several[count] for one in measured if count in one.several]
        lines.append(_line(f"1 of {count}", single, None))
        lines.append(_line(f"{count}", several, single))
    lines.append("mm, neutral shape: the median over heads (pictures) of each one's median.")
    return "\n".join(lines)


def _line(name: str, errors: Sequence[float], single: Sequence[float] | None) -> str:
    middle, mean = float(np.median(errors)), float(np.mean(errors))
    line = f"{name:<12}{len(errors):>6}{middle:>9.3f}{mean:>9.3f}"
    if single is None:
        return line
    return line + f"   {middle / np.median(single):.2f} (mean {mean / np.mean(single):.2f})"


def views_json(measured: Sequence[ViewsMeasured]) -> bytes:
    """For machines."""
    return json.dumps([asdict(one) for one in measured], indent=1).encode()
