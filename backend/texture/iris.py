"""What is finer in an eye than the model's albedo: the fibres of the iris, the veins of the white.

Painted at the texture's own size over the colours that model and photo give, and of mean 0 where
:mod:`.eyes` measures, so that these stay.  Only for models whose iris has a surface of its own:
it tells where the pupil and the rim are.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kept import kept
from ..model import FaceModel
from ..model.cached import cached
from ..model.face_model import fit_sphere
from ..raster import texels_of
from .eyes import IRIS_RING
from .iris_photo import IrisPattern
from .layout import Float, gutter_of, interpolate_texels, smoothstep

#: mm: the pupil's margin, the collarette between the inner and the outer zone, the dark ring.
PUPIL, COLLARETTE, RIM = 1.92, 3.15, 5.9
#: Log linear brightness of the cup behind the pupil.
_BLACK = float(np.log(0.004))
#: Log contrast of the fibres, the collarette, the crypts beside it, and of the ring at the rim.
_FIBRES, _RIDGE, _CRYPTS, _RING = 0.30, 0.32, 0.40, 0.90
#: Log brightness that is lost to each of red, green and blue in a vein, the darkest.
_VEIN = np.array([0.05, 0.30, 0.26])
#: Part of the drawn fibres that gives way to those of a sharp photo, which are softer than life.
_OWN_FIBRES = 0.6
_ONE_AT_A_TIME = threading.Lock()


class _Iris(NamedTuple):
    """N texels of one eye's iris in a texture of some size."""

    row: NDArray[np.int32]  #: (N,)
    column: NDArray[np.int32]  #: (N,)
    off: Float  #: (N,) mm from the axis
    turn: Float  #: (N,) radians from the head's left upwards
    fibres: Float  #: (N,) log brightness
    dark: Float  #: (N,) log brightness of the rings at pupil and rim


class _Fine(NamedTuple):
    """The irises, right and left, and N texels of the whites."""

    irises: tuple[_Iris, _Iris]
    row: NDArray[np.int32]  #: (N,)
    column: NDArray[np.int32]  #: (N,)
    veins: Float  #: (N, 3) log linear


class FinerEyes(NamedTuple):
    """Iris and white of both eyes at the texture's own size."""

    fine: _Fine
    irises: tuple[Float, Float]  #: (M, 3) each, what is added to the log colour

    def paint(self, skin: Float, first_row: int) -> None:
        """Add them to the rows ``skin`` (R, size, 3) of a texture from ``first_row`` on, log
        linear."""

        def within(row: NDArray[np.int32]) -> slice:
            ends = np.array([first_row, first_row + len(skin)], row.dtype)
            return slice(*np.searchsorted(row, ends))

        fine, here = self.fine, within(self.fine.row)
        skin[fine.row[here] - first_row, fine.column[here]] += fine.veins[here]
        for iris, add in zip(fine.irises, self.irises, strict=True):
            here = within(iris.row)
            at = iris.row[here] - first_row, iris.column[here]
            black = iris.off[here] < PUPIL
            skin[at] = np.where(black[:, None], _BLACK, skin[at] + add[here])


def finer_eyes(
    model: FaceModel, size: int, patterns: Sequence[IrisPattern | None] = (None, None)
) -> FinerEyes | None:
    """Those of ``model`` for a size x size texture, None where it has no irises.

    ``patterns`` of the right and the left iris come from the photo.
    """
    fine = _fine_of(model, size)
    if fine is None:
        return None
    added = []
    for iris, pattern in zip(fine.irises, patterns, strict=True):
        add = np.repeat(iris.fibres[:, None], 3, axis=1)
        if pattern is not None:
            seen, weight = pattern.at(iris.off / RIM, iris.turn)
            add *= 1 - _OWN_FIBRES * pattern.fibres * weight[:, None]
            add += weight[:, None] * seen
        added.append((add + iris.dark[:, None]).astype(np.float32))
    return FinerEyes(fine, (added[0], added[1]))


def warm_eyes(model: FaceModel, size: int) -> None:
    """Work out what :func:`finer_eyes` needs of ``model`` for a size x size texture."""
    _fine_of(model, size)


def _fine_of(model: FaceModel, size: int) -> _Fine | None:
    with _ONE_AT_A_TIME:
        return _fine(model, size)


@kept(maxsize=2)
@cached
def _fine(model: FaceModel, size: int) -> _Fine | None:
    if "iris" not in model.material_kinds or not model.globes:
        return None
    kind = model.polygon_material[model.polygon_of_face]
    iris, white = (kind == model.material_kinds.index(name) for name in ("iris", "eye"))
    arms = np.zeros_like(model.mean)
    for ids, globe in zip(model.eyeballs, model.globes, strict=True):
        arms[ids] = model.mean[ids] - fit_sphere(model.mean[globe])[0]
    wanted = np.flatnonzero(iris | white)
    texels = texels_of(model.uv, model.uv_faces[wanted], size, gutter_of(size))
    face = wanted[texels.face]
    x, y, z = interpolate_texels(arms, model.faces, face, texels.barycentric()).T
    off, turn = np.hypot(x, y), np.arctan2(y, x)
    row, column = np.divmod(texels.place, size)
    left, inside = model.mean[model.faces[face, 0], 0] > 0, iris[face]
    irises = []
    for one in (inside & ~left, inside & left):
        fibres, dark = _fibres(off[one], turn[one])
        irises.append(_Iris(row[one], column[one], off[one], turn[one], fibres, dark))
    veins = _veins(np.arctan2(off, z)[~inside], turn[~inside])[:, None] * -_VEIN
    return _Fine((irises[0], irises[1]), row[~inside], column[~inside], veins.astype(np.float32))


def _waves(turn: NDArray, drift: NDArray, counts: range, seed: int) -> NDArray:
    """(N,) noise around the axis, of mean square 1: waves of all ``counts`` a turn, that lean to
    and fro as ``drift`` (N,) grows."""
    rng = np.random.default_rng(seed)
    total = np.zeros(len(turn))
    for count in counts:
        phase, lean, speed = rng.uniform(0, 2 * np.pi), rng.normal(), rng.uniform(0.6, 1.6)
        total += np.cos(count * turn + phase + lean * np.sin(speed * drift + phase))
    return total / np.sqrt(len(counts) / 2)


def _fibres(off: NDArray, turn: NDArray) -> tuple[NDArray, NDArray]:
    """(N,) what fibres and (N,) what the rings at pupil and rim add to the iris' log brightness at
    ``off`` mm from the axis."""
    collar = COLLARETTE + 0.13 * _waves(turn, off * 0, range(5, 14), 1)
    outer = smoothstep(-0.15, 0.25, off - collar)
    fine = _waves(turn, 2 * off, range(60, 150, 4), 2)
    coarse = _waves(turn, off, range(14, 46, 3), 3)
    broad = _waves(turn, off, range(2, 8), 4)
    fibres = _FIBRES * ((0.45 + 0.25 * outer) * fine + (0.25 + 0.3 * outer) * coarse + 0.2 * broad)
    ridge = _RIDGE * np.exp(-(((off - collar) / 0.22) ** 2)) * (1 + 0.5 * coarse)
    hollow = smoothstep(0.7, 1.6, _waves(turn, off, range(9, 22), 5))
    crypts = _CRYPTS * hollow * np.exp(-(((off - collar - 0.55) / 0.4) ** 2))
    ring = _RING * smoothstep(4.7, RIM, off) + 0.25 * (1 - smoothstep(PUPIL, PUPIL + 0.35, off))
    pattern = fibres * (1 - 0.7 * smoothstep(5.1, RIM, off)) + ridge - crypts
    pattern -= 0.12 * (1 - outer)
    measured = (off > IRIS_RING[0] * RIM) & (off < IRIS_RING[1] * RIM)
    return pattern - (pattern[measured].mean() if measured.any() else 0.0), -ring


def _veins(angle: NDArray, turn: NDArray) -> NDArray:
    """(N,) 0..1 how much of a vein the white has, at ``angle`` radians from the axis."""
    beyond = 6 * (angle - angle.min())
    branches = np.zeros(len(turn))
    for seed, counts in enumerate((range(4, 13), range(9, 27)), 6):
        # Thin lines: where a wandering wave passes 0.
        line = np.exp(-((_waves(turn, 2 * beyond, counts, seed) / 0.10) ** 2))
        here = smoothstep(-0.2, 1.0, _waves(turn, beyond, range(3, 9), seed + 10))
        branches += line * here * (0.8 if seed == 6 else 0.45)
    return np.clip(branches, 0, 1) * smoothstep(0.3, 3.5, beyond)
