"""Lids of a mesh that meet when they blink, and keep off its eyeballs.

Transferred lids follow the default's, whose opening is another one.  Where a mesh has eyeballs of
its own, what the lids leave open is seen in a picture of the eye: in each column the skin above and
below it are the lids' edges.  What these are off with closed eyes is taken back, and then what is
in front of the eyeball is pushed out of it, as :mod:`..model.lids` does with the default's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..geometry.triangles import unit
from ..model.completing.correspondence import Correspondence
from ..model.completing.template import Template
from ..model.lids import LOWER, OVERLAP, SHARE, UPPER, EyeSurface
from .drawing import View

Double = NDArray[np.float64]
Int = NDArray[np.int32]

#: Half of the picture's side, mm, and pixels: a fifth of a millimetre each.
HALF_MM, PIXELS = 24.0, 240
#: Radii about an eyeball's middle that its own parts do not leave.
REACH = 1.6
SLIT = 12  #: pixels
#: Columns with an opening, under which the eye is taken for closed or covered.
FEWEST_COLUMNS = 12
#: The eyes' middles may be this far from the opening's columns, mm.
ASIDE_MM = 20.0
#: Rounds of closing: between the samples lids are bent, and take less than they should.
CLOSINGS = 4
#: mm kept from the eyeball with closed lids and on the way there; weights on the way.
CLEAR, CLEAR_ON_THE_WAY, ON_THE_WAY = 0.35, 0.1, (0.35, 0.65)
#: From the first share in the lids on a vertex is pushed more and more; so far behind the ball's
#: front it is skin inside the socket, which stays.  Rounds in which a push spreads.
PUSHED, BEHIND_MM, SPREADS = (0.1, 0.5), 0.3, 6
#: Of the open eye, what may still be seen of it when it is closed: seams of pixels.
CLOSED = 0.01
NAMES = ("eyeBlinkRight", "eyeBlinkLeft")


@dataclass(frozen=True, eq=False)
class _Edge:
    """N samples along the edge of a lid."""

    corners: Int  #: (N, 3) vertices of the skin
    weights: Double  #: (N, 3)

    def at(self, values: NDArray) -> Double:
        """(N, ...) ``values`` (V, ...) there."""
        return np.einsum("nk,nk...->n...", self.weights, values[self.corners])


class Lids:
    """The lids of one eye of a mesh."""

    def __init__(
        self,
        template: Template,
        match: Correspondence,
        points: Double,
        triangles: Int,
        ball: tuple[Double, float],
        eye: tuple[Double, Int],
        side: int,
    ) -> None:
        """Of the skin ``points`` (V, 3) mm, ``triangles`` (F, 3), and the ``eye``'s own mesh.

        ``side`` 0 is the right one; ``ball`` its middle and radius.
        """
        self.points, self.triangles, (self.middle, self.radius) = points, triangles, ball
        rings = template.model.lid_rings
        assert rings is not None
        columns = rings.shape[2] // 2
        share = np.zeros((2, len(template.mean)))
        for k, half in enumerate((slice(None, columns), slice(columns, None))):
            share[k, rings[side][:, half]] = SHARE[:, None]
        self.share = match.carry(share.T).T * match.belief  # (2, V) of the upper and the lower lid
        own = eye[0][np.unique(eye[1])] - self.middle
        own = own[np.linalg.norm(own, axis=1) < REACH * self.radius]  # there are two
        self.surface = EyeSurface(self.radius, own)
        self.eye = eye
        self.edges = self._edges(*eye)

    def _edges(self, eye_points: Double, eye_triangles: Int) -> tuple[_Edge, _Edge] | None:
        """The upper and the lower lid's; None where no opening is seen."""
        view = View(self.middle, HALF_MM, side=PIXELS)
        points = np.concatenate([self.points, eye_points])
        triangles = np.concatenate([self.triangles, eye_triangles + len(self.points)])
        raster = view.raster(points, triangles)
        seen = raster.face_id >= len(self.triangles)
        skin = (raster.face_id >= 0) & ~seen
        picked: list[list[tuple[int, int]]] = [[], []]
        for column in np.flatnonzero(seen.any(axis=0)):
            rows = np.flatnonzero(seen[:, column])
            # Between lid and ball there may be a slit through which nothing is seen.
            above = np.flatnonzero(skin[max(rows[0] - SLIT, 0) : rows[0], column])
            below = np.flatnonzero(skin[rows[-1] + 1 : rows[-1] + 1 + SLIT, column])
            if len(above) and len(below):
                picked[0].append((max(rows[0] - SLIT, 0) + int(above[-1]), int(column)))
                picked[1].append((int(rows[-1]) + 1 + int(below[0]), int(column)))
        if len(picked[0]) < FEWEST_COLUMNS:
            return None
        edges = []
        for places in picked:
            at = tuple(np.array(places).T)
            edges.append(
                _Edge(self.triangles[raster.face_id[at]], raster.barycentric[at].astype(np.float64))
            )
        return edges[0], edges[1]

    def open_share(self, shape: NDArray) -> float:
        """0..1 how much of the eye is still seen with the blink ``shape`` (V, 3) mm; 0 where no
        opening was seen before."""
        before = self._seen(np.zeros_like(self.points))
        if self.edges is None or not before:
            return 0.0
        return self._seen(np.asarray(shape, np.float64)) / before

    def closed(self, shape: NDArray) -> Double:
        """The blink ``shape`` (V, 3) mm, with the edges together and off the eyeball if need be.

        The first of three that closes: what was transferred, the same off the eyeball, and that
        with its edges together; the tightest where none does.
        """
        found = np.asarray(shape, np.float64)
        tries: list[tuple[float, Double]] = []
        for make in (lambda: found, lambda: self._cleared(found), lambda: self._together(found)):
            trial = make()
            tries.append((self.open_share(trial), trial))
            if tries[-1][0] < CLOSED:
                return trial
        return min(tries, key=lambda one: one[0])[1]

    def _seen(self, shape: Double) -> int:
        """Pixels of the eye that are seen."""
        points = np.concatenate([self.points + shape, self.eye[0]])
        triangles = np.concatenate([self.triangles, self.eye[1] + len(self.points)])
        raster = View(self.middle, HALF_MM, side=PIXELS).raster(points, triangles)
        return int((raster.face_id >= len(self.triangles)).sum())

    def _together(self, shape: Double) -> Double:
        """``shape`` with the edges of the lids on each other and off the eyeball."""
        assert self.edges is not None
        upper, lower = self.edges
        along = upper.at(self.points)[:, 0]
        order = np.argsort(along)
        middle = (along[order] - along.min()) / max(np.ptp(along), 1e-6)
        wanted = np.zeros((len(along), 3))
        wanted[:, 1] = -OVERLAP * np.sqrt(np.sin(np.pi * np.clip(middle, 0, 1)))
        near = np.abs(self.points[:, 0] - self.middle[0]) < ASIDE_MM
        place = self.points[near, 0]
        found = shape.copy()
        for _ in range(CLOSINGS):
            off = (upper.at(self.points + found) - lower.at(self.points + found))[order] - wanted
            off[:, 0] = 0  # columns of the picture do not stay columns
            off = _smooth(off)
            change = np.stack([np.interp(place, along[order], off[:, d]) for d in range(3)], axis=1)
            found[near] -= UPPER * self.share[0, near, None] * change
            found[near] += LOWER * self.share[1, near, None] * change
        return self._cleared(found)

    def _cleared(self, shape: Double) -> Double:
        """``shape`` off the eyeball, closed and on the straight way there."""
        start, lid = self.points - self.middle, self.share.max(axis=0)
        front = start[:, 2] > 0
        front &= np.linalg.norm(start, axis=1) > self.surface.radius(start) - BEHIND_MM
        least = np.zeros(len(start))
        for weight, clear in (*((weight, CLEAR_ON_THE_WAY) for weight in ON_THE_WAY), (1.0, CLEAR)):
            way = start + weight * shape
            behind = self.surface.radius(way) + clear - np.linalg.norm(way, axis=1)
            least = np.maximum(least, behind / weight)
        least *= front * np.clip((lid - PUSHED[0]) / (PUSHED[1] - PUSHED[0]), 0, 1)
        least *= np.clip(np.linalg.norm(shape, axis=1) - 0.2, 0, 1)
        ends = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]]])
        ends = np.concatenate([ends, ends[:, ::-1]]).T
        graph = sp.csr_matrix((np.ones(ends.shape[1]), ends), (len(start), len(start)))
        mean = sp.diags(1 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)) @ graph
        push = least
        for _ in range(SPREADS):
            push = np.maximum(least, 0.5 * push + 0.5 * (mean @ push))
        return shape + push[:, None] * unit(start + shape)


def _smooth(values: Double, width: int = 7) -> Double:
    """(N, 3) running means: pixels have steps."""
    kernel = np.ones(width) / width
    padded = np.pad(values, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, d], kernel, "valid") for d in range(3)], axis=1)
