"""Several pictures of every head, for ``bench accuracy --views``: other views, expressions, light.

As :mod:`.accuracy_set`, whose renderer draws them.  Picture NNNN is view NNNN % 5 of head
NNNN // 5: one from the front, one from either side, one near to the profile, one from anywhere, in
this order, so that the first N of a head are N different views.  Shape, skin, hair and clothes are
the head's; expression, camera, light and sensor are each picture's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..model import FaceModel
from ..model.contour import seen_landmarks
from ..model.own import own_head
from .accuracy_set import (
    SIZE,
    Report,
    Truth,
    accuracy_set,
    default_folder,
    draw_albedo,
    draw_camera,
)
from .expressions import random_expression

KIND = "views_set"
SEED, HEADS = 33310, 16
#: |yaw| in degrees, view after view.
YAWS = ((0.0, 12.0), (25.0, 45.0), (25.0, 45.0), (50.0, 72.0), (0.0, 60.0))
VIEWS = len(YAWS)


def views_set(
    folder: Path | None,
    model: FaceModel,
    heads: int = HEADS,
    size: int = SIZE,
    seed: int = SEED,
    report: Report = print,
) -> list[list[Truth]]:
    """The pictures of every head; see :func:`.accuracy_set.accuracy_set`.

    ``folder`` None is the user's cache.
    """
    folder = folder or default_folder().with_name(KIND)
    count = heads * VIEWS
    truths = accuracy_set(folder, model, count, size, seed, report, draw=draw_view, kind=KIND)
    return [truths[first : first + VIEWS] for first in range(0, count, VIEWS)]


def draw_view(model: FaceModel, number: int, size: int, seed: int) -> dict[str, Any]:
    """Arrays of picture ``number``, as :func:`.accuracy_set.draw_head` has them.

    ``view_seed`` is what the renderer draws light and sensor from.
    """
    person, view = divmod(number, VIEWS)
    rng = np.random.default_rng([seed, person])
    identity = rng.normal(size=len(model.identity_basis))
    albedo, tone = draw_albedo(model, rng)
    first_side = rng.integers(2)
    rng = np.random.default_rng([seed, person, view, 3])
    kind, expression = random_expression(model.expression_names, rng)
    expression = np.clip(expression, *model.expression_range.T)
    head = own_head(model, identity, expression)
    # Views 1 and 2 are from different sides, whichever is the first.
    side = first_side + view if view in (1, 2) else rng.integers(2)
    camera = draw_camera([YAWS[view]], int(side), head.posed[model.landmarks68], size, rng)
    return {
        "identity": identity,
        "expression": expression,
        "expression_kind": kind,
        "vertices_neutral": head.neutral,
        "vertices_posed": head.posed,
        "camera_matrix": camera.camera_matrix,
        "rotation": camera.rotation,
        "translation": camera.translation,
        "landmarks2d": camera.project(seen_landmarks(model, head.posed, camera)),
        "yaw": camera.euler_degrees[0],
        "albedo": albedo,
        "tone": tone,
        "size": size,
        "look_seed": np.array([seed, person, 1]),
        "view_seed": np.array([seed, person, view, 4]),
    }
