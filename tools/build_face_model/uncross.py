"""Keeps skin out of teeth and eyes where an expression takes it through them.

In rounds, on the mean head and on others, whose teeth and eyes stand elsewhere: skin that crosses
gives way outwards, what lies beside goes along, less and less. Lips that sink into each other are
left to it: how far they do differs from head to head by more than one shape can mend, and what
parts them on one shows a slit on the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix, diags

from .crossings import KINDS, Surface

CLEAR_MM = 0.1
"""How much further than out of teeth and eyes skin goes."""
MOST_MM = 0.25
"""What a triangle gives way in one round at most."""
MOST_ROUNDS = 48
AGAIN = 8
"""Rounds after which candidates are looked for anew."""
SLACK_MM = 1.0
"""How far a vertex may come in that time."""
SPREAD = 5
"""Times that a push goes on to what is beside it."""
RELAX = 0.1
"""Of the way to the mean of its neighbours that each vertex' correction goes in each round: what
was pushed further than it had to be comes back."""
FAR_MM = 0.02
"""What an expression moves by less is left alone."""


@dataclass(frozen=True, eq=False)
class Straightener:
    """Heads, and what is needed to end their crossings.

    Attributes:
        heads: (N, V, 3) mm, the mean head first.
        surface: their triangles.
        symmetry: (V,) mirror vertices.
    """

    heads: np.ndarray
    surface: Surface
    symmetry: np.ndarray

    def correction(self, shape: np.ndarray, symmetric: bool) -> np.ndarray:
        """(V, 3) mm to be added to ``shape`` (V, 3), the motion at weight 1."""
        moved = np.linalg.norm(shape, axis=1) > FAR_MM
        free = (self._of_skin & moved)[:, None]
        found = np.zeros_like(shape)
        near: list[np.ndarray] = []
        for number in range(MOST_ROUNDS + 1):
            posed = self.heads + shape + found
            if number % AGAIN == 1 or number == 0:
                slack = SLACK_MM if number else 0.0  # most shapes cross nothing
                near = [self.surface.near(one, moved, slack, itself=False) for one in posed]
            push = self._push(posed, near) * free
            if not push.any():
                break
            if number == 0:
                continue
            if symmetric:
                push = (push + push[self.symmetry] * [-1, 1, 1]) / 2
            found += push
            found += RELAX * (self._beside @ found - found) * free
        return found

    def _push(self, posed: np.ndarray, near: list[np.ndarray]) -> np.ndarray:
        """(V, 3) mm by which skin that crosses something on a head gives way in one round."""
        least = np.zeros((len(KINDS), len(self.symmetry)))
        for points, close in zip(posed, near, strict=True):
            pairs, deep = self.surface.crossing(points, close)
            kind = np.repeat(self.surface.kind[pairs[:, 1]], 3)
            corners = self.surface.triangles[pairs[:, 0]].ravel()
            over = np.minimum(deep + CLEAR_MM, MOST_MM)
            np.maximum.at(least, (kind, corners), np.repeat(over, 3))
        push = np.zeros_like(posed[0])
        for name, amount in zip(KINDS[1:], least[1:], strict=True):
            if not amount.any():
                continue
            spread = amount
            for _ in range(SPREAD):
                spread = np.maximum(amount, (spread + self._beside @ spread) / 2)
            push += spread[:, None] * self._away_from(name, posed[0])
        return push

    def _away_from(self, name: str, posed: np.ndarray) -> np.ndarray:
        """(V, 3) unit vectors: outwards from the teeth's arch, level, or from the nearer eye."""
        corners = np.unique(self.surface.triangles[self.surface.kind == KINDS.index(name)])
        if name == "mouth":
            arms = (posed - posed[corners].mean(axis=0)) * [1, 0, 1]
        else:
            left = posed[corners[self.heads[0, corners, 0] > 0]].mean(axis=0)
            side = np.where(posed[:, :1] > 0, 1.0, -1.0)
            arms = posed - left * np.concatenate([side, np.ones((len(side), 2))], axis=1)
        return arms / np.maximum(np.linalg.norm(arms, axis=1, keepdims=True), 1e-9)

    @cached_property
    def _skin(self) -> np.ndarray:
        return self.surface.triangles[self.surface.kind == 0]

    @cached_property
    def _of_skin(self) -> np.ndarray:
        found = np.zeros(len(self.symmetry), bool)
        found[self._skin] = True
        return found

    @cached_property
    def _beside(self) -> csr_matrix:
        """(V, V) the mean over the vertices that skin triangles join a vertex with."""
        links = np.concatenate([self._skin[:, [k, (k + 1) % 3]] for k in range(3)])
        links = np.unique(np.concatenate([links, links[:, ::-1]]), axis=0)
        count = len(self.symmetry)
        joined = csr_matrix((np.ones(len(links)), links.T), (count, count))
        return diags(1 / np.maximum(joined.sum(axis=1).A1, 1)) @ joined
