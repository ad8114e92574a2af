"""What a frame's pixels say of the expression: a regressor made for the person of the clip.

Landmarks see lids, gaze and the corners of a smile weakly.  So the solved head, with its own
texture and light, is drawn some hundred times with known expressions; a kernel ridge regression
(Saunders et al. 1998) learns from these pictures what the weights look like on this face, and its
leave-one-out residuals how far it can be believed.

A picture is looked at through points fixed to the *neutral* head in the frame's pose, so that
turns and distance drop out; brightness and warmth of each region are normalised, so that exposure
and white balance do.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..geometry.camera import Camera
from ..model import FaceModel
from ..model.sampling import sample_expression
from .drawing import REGIONS, SIDE, Drawer, Lattice, LitTexture
from .shares import Here, Share, Shares
from .solve import Pose, WeightPrior
from .source import Bytes

Double = NDArray[np.float64]
Float = NDArray[np.float32]

#: Pictures drawn for a person, and drawn between two words about the progress.
SAMPLES, _SHARE = 900, 20
#: How far a frame's pose is off, by the landmarks and after the first look: radians, mm, part of
#: the distance.
_POSE_NOISE = ((0.05, 2.0, 0.025), (0.02, 0.8, 0.012))
#: Poses drawn about the clip's: yaw, pitch, roll in degrees.
_TURNS = (14.0, 8.0, 5.0)
#: How dark the inside of eyes and mouth may be, as a power of its albedo: teeth shine in a laugh,
#: and are in the dark behind lips that hardly part.
_DEPTHS = {"eye": (0.9, 2.2), "teeth": (0.4, 4.0), "mouth": (1.5, 3.5), "tongue": (1.2, 3.0)}
_MIDDLE_DEPTH = {kind: sum(ends) / 2 for kind, ends in _DEPTHS.items()}
_LIGHT = {kind: ends[0] for kind, ends in _DEPTHS.items()}
_DARK = {kind: ends[1] for kind, ends in _DEPTHS.items()}
#: A point whose log brightness differs by more between these two lies inside; how much of what
#: frames and drawings differ by counts there.
_INSIDE, _FADING = 0.05, 0.75
#: Share of pictures in which the lips bare the teeth.
_GRINS = 0.1
#: Components that are kept of each region.
_COMPONENTS = 80
#: Widths of the kernel in median distances, and ridges: chosen by leaving one out.
_WIDTHS, _RIDGES = (0.7, 1.2, 2.0, 4.0), (1e-3, 1e-2, 3e-2, 1e-1, 3e-1)
#: Share of a weight's variance that must be seen for it to be calibrated.
_SURE = 0.7
#: Regions that are looked at together, and the least standard deviation of what is seen of a weight
#: there: a head is never drawn quite as it is, mouths with their teeth least of all.
_GROUPS = ((("right eye", "left eye"), 0.03), (("mouth",), 0.06))


@dataclass(frozen=True, eq=False)
class Part:
    """The regression of one group of regions."""

    places: NDArray[np.intp]  #: of the points
    weights: NDArray[np.intp]  #: which weights it tells
    mean: Float  #: (2 N,)
    basis: Float  #: (2 N, C)
    centres: Float  #: (S, C)
    width: float
    near: float  #: squared distance of a sample from the nearest other, typically
    duals: Double  #: (S, E')
    level: Double  #: (E',)


class Appearance:
    """The regressor of a person; see :func:`train`."""

    def __init__(
        self,
        lattice: Lattice,
        poses: tuple[Part, Part],
        parts: list[Part],
        precision: Double,
        shift: Float,
    ) -> None:
        self.lattice, self.poses, self.parts = lattice, poses, parts
        self.precision = precision  #: (E, E)
        self.shift = shift  #: (P, 2) frames less drawings

    def look(self, pixels: Bytes, camera: Camera) -> tuple[Camera, WeightPrior]:
        """The pose in the frame (H, W, 3) near that of ``camera``, and what is seen there."""
        small, matrix = self.lattice.small_camera(camera)
        picture = self.lattice.small_picture(pixels, matrix)
        centre = self.lattice.centre
        features = self.lattice.normalised(self.lattice.see(picture, small)) - self.shift
        camera = _moved_pose(camera, centre, self._told(self.poses[0], features))
        features = _seen_from(self.lattice, picture, matrix, camera) - self.shift
        mean = np.zeros(len(self.precision))
        for part in self.parts:
            mean[part.weights] = self._told(part, features)
        camera = _moved_pose(camera, centre, self._told(self.poses[1], features))
        return camera, WeightPrior(mean, self.precision)

    def compare(self, frames: list[tuple[Bytes, Camera, NDArray]], drawer: Drawer) -> None:
        """Learn by what frames (pixels, camera, expression) differ from the person as drawn.

        What texture and light leave over on the skin is much the same in all frames of a clip;
        what lies in the openings of eyes and mouth is not, and goes when they close.
        """
        apart, inside = [], np.zeros(len(self.lattice.points), np.bool_)
        for pixels, camera, expression in frames:
            small, _ = self.lattice.small_camera(camera)
            ends = [
                self.lattice.see(drawer.draw(expression, small, np.ones(9), depth), small)
                for depth in (_LIGHT, _DARK)
            ]
            inside |= np.abs(ends[0] - ends[1]).max(axis=1) > _INSIDE
            drawn = drawer.draw(expression, small, np.ones(9), _MIDDLE_DEPTH)
            drawn = self.lattice.normalised(self.lattice.see(drawn, small))
            apart.append(self.lattice.features(pixels, camera) - drawn)
        self.shift = np.median(apart, axis=0).astype(np.float32)
        self.shift[inside] *= _FADING

    def arrays(self) -> dict[str, NDArray]:
        """For :meth:`of_arrays`; the lattice is made anew from the identity."""
        found: dict[str, NDArray] = {"precision": self.precision, "shift": self.shift}
        for i, part in enumerate((*self.poses, *self.parts)):
            for field in fields(part):
                found[f"part{i}_{field.name}"] = np.asarray(getattr(part, field.name))
        return found

    @classmethod
    def of_arrays(cls, lattice: Lattice, arrays: dict[str, NDArray]) -> Appearance:
        """What :meth:`arrays` gave."""
        parts = []
        while f"part{len(parts)}_mean" in arrays:
            own: dict[str, Any] = {
                f.name: arrays[f"part{len(parts)}_{f.name}"] for f in fields(Part)
            }
            own |= {name: float(own[name]) for name in ("width", "near")}
            parts.append(Part(**own))
        return cls(lattice, (parts[0], parts[1]), parts[2:], arrays["precision"], arrays["shift"])

    @staticmethod
    def _told(part: Part, features: Float) -> Double:
        return _predict(part, features[part.places].ravel()[None])[0]


def train(
    model: FaceModel,
    identity: NDArray,
    look: LitTexture,
    poses: list[Pose],
    camera_matrix: Double,
    progress: Callable[[float], None] | None = None,
    samples: int | None = None,
    seed: int = 0,
    shares: Shares | None = None,
) -> Appearance:
    """The regressor for a person who is seen in ``poses``, from ``SAMPLES`` pictures or so many.

    ``shares`` draws them.
    """
    samples = samples or SAMPLES
    lattice = Lattice(model, identity)
    common: Share = {
        "model": model,
        "identity": identity,
        "look": vars(look),
        "poses": [vars(pose) for pose in poses],
        "camera_matrix": camera_matrix,
        "samples": samples,
        "seed": seed,
    }
    draws = _draws(common, lattice)
    ranges = [{"start": i, "stop": min(i + _SHARE, samples)} for i in range(0, samples, _SHARE)]
    seen: list[tuple[Float, Float]] = []
    for found in (shares or Here()).map(draughtsman, common, ranges):
        seen += zip(found["first"], found["second"], strict=True)
        if progress:
            progress(len(seen) / samples)
    names = model.expression_names
    expressions = np.array([draw.expression for draw in draws], np.float64)
    first = np.array([pair[0] for pair in seen])
    poses_off = np.array([_pose_change(d.first, d.camera, lattice.centre) for d in draws])
    turn = _fit_part(lattice, tuple(REGIONS), first, poses_off, np.arange(6))[0]
    second = np.array([pair[1] for pair in seen])
    still_off = np.array([_pose_change(d.second, d.camera, lattice.centre) for d in draws])
    fine = _fit_part(lattice, tuple(REGIONS), second, still_off, np.arange(6))[0]
    parts, residuals = [], expressions - expressions.mean(axis=0)
    floor = np.full(len(names), max(least for _, least in _GROUPS))
    for group, least in _GROUPS:
        kinds = tuple(kind for region in group for kind in REGIONS[region][2])
        told = np.flatnonzero([name.startswith(kinds) for name in names])
        if len(told):
            part, residuals[:, told] = _fit_part(lattice, group, second, expressions, told)
            floor[told] = least
            parts.append(part)
    covariance = residuals.T @ residuals / len(residuals)
    covariance += np.diag(floor**2)
    shift = np.zeros((len(lattice.points), 2), np.float32)
    return Appearance(lattice, (turn, fine), parts, np.linalg.inv(covariance), shift)


def draughtsman(common: Share) -> Callable[[Share], Share]:
    """A worker of :class:`.shares.Shares`: what pictures ``start`` to ``stop`` look like.

    Of each the features seen from the two poses believed, (N, P, 2).
    """
    model, identity = common["model"], common["identity"]
    lattice = Lattice(model, identity)
    drawer = Drawer(model, identity, LitTexture(**common["look"]))
    draws = _draws(common, lattice)

    def look_twice(draw: _Draw) -> tuple[Float, Float]:
        small, matrix = lattice.small_camera(draw.camera)
        picture = drawer.draw(draw.expression, small, draw.gain, draw.depth)
        noise = np.random.default_rng(draw.seed).normal(size=picture.shape)
        noisy = np.clip(picture + draw.noise * noise, 0, 255).astype(np.uint8)
        return (
            _seen_from(lattice, noisy, matrix, draw.first),
            _seen_from(lattice, noisy, matrix, draw.second),
        )

    def work(share: Share) -> Share:
        with ThreadPoolExecutor(2) as pool:
            pairs = list(pool.map(look_twice, draws[share["start"] : share["stop"]]))
        first, second = zip(*pairs, strict=True)
        return {"first": np.array(first), "second": np.array(second)}

    return work


def _draws(common: Share, lattice: Lattice) -> list[_Draw]:
    """The same wherever they are made."""
    rng = np.random.default_rng(common["seed"])
    poses = [Pose(**pose) for pose in common["poses"]]
    settings = common["model"], poses, common["camera_matrix"], lattice, rng
    return [_draw_settings(*settings) for _ in range(common["samples"])]


def _seen_from(lattice: Lattice, small: Bytes, matrix: Double, believed: Camera) -> Float:
    """The features of the frame of which ``small`` was cut by ``matrix``, for another pose."""
    camera, other = lattice.small_camera(believed)
    ratio = other[0, 0] / matrix[0, 0]
    local = np.column_stack([np.eye(2) * ratio, other[:, 2] - ratio * matrix[:, 2]])
    moved = cv2.warpAffine(small, local, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    return lattice.normalised(lattice.see(np.asarray(moved), camera))


@dataclass(frozen=True, eq=False)
class _Draw:
    expression: NDArray
    camera: Camera
    first: Camera  #: as the landmarks would have it
    second: Camera  #: after a look at the picture
    gain: Double
    depth: dict[str, float]
    noise: float
    seed: int


def _draw_settings(
    model: FaceModel,
    poses: list[Pose],
    camera_matrix: Double,
    lattice: Lattice,
    rng: np.random.Generator,
) -> _Draw:
    expression = _draw_expression(model, rng)
    pose = poses[rng.integers(len(poses))]
    angles = rng.normal(size=3) * _TURNS
    turn = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    rotation = pose.rotation @ turn
    middle = pose.rotation @ lattice.centre + pose.translation
    camera = Camera(camera_matrix, rotation, middle - rotation @ lattice.centre)
    believed = [
        _moved_pose(camera, lattice.centre, rng.normal(size=6) * np.repeat(noise, (3, 2, 1)))
        for noise in _POSE_NOISE
    ]
    gain = np.exp(rng.normal(size=9) * np.array([0.1] + [0.25] * 8))
    noise = rng.uniform(0.5, 5.0)
    depth = {kind: float(rng.uniform(*_DEPTHS[kind])) for kind in _DEPTHS}
    seed = int(rng.integers(1 << 31))
    return _Draw(expression, camera, believed[0], believed[1], gain, depth, noise, seed)


def _moved_pose(camera: Camera, centre: Double, change: Double) -> Camera:
    """``camera`` with the head turned about ``centre`` and moved: see :func:`_pose_change`."""
    rotation = camera.rotation @ Rotation.from_rotvec(change[:3]).as_matrix()
    middle = camera.rotation @ centre + camera.translation
    middle = middle * np.exp(change[5]) + np.append(change[3:5], 0.0)
    return Camera(camera.camera_matrix, rotation, middle - rotation @ centre)


def _pose_change(camera: Camera, other: Camera, centre: Double) -> Double:
    """(6,) that :func:`_moved_pose` needs to make ``other`` of ``camera``: a turn in radians and
    head axes, a shift in mm across the view, the log of the distance's factor."""
    turn = Rotation.from_matrix(camera.rotation.T @ other.rotation).as_rotvec()
    before = camera.rotation @ centre + camera.translation
    after = other.rotation @ centre + other.translation
    further = np.log(after[2] / before[2])
    shift = after[:2] - before[:2] * np.exp(further)
    return np.array([*turn, *shift, further])


def _draw_expression(model: FaceModel, rng: np.random.Generator) -> Float:
    """As faces in films: blinks, lids on their way and bared teeth more often than in photos."""
    expression = sample_expression(model, rng)
    names = model.expression_names
    if rng.random() < _GRINS:
        lips = {"mouthUpperUp": rng.uniform(0.0, 0.8), "mouthLowerDown": rng.uniform(0.0, 0.9)}
        for name, weight in lips.items():
            for side in ("Left", "Right"):
                if name + side in names:
                    expression[names.index(name + side)] = weight * rng.uniform(0.85, 1.0)
        if "jawOpen" in names:  # the teeth close together
            expression[names.index("jawOpen")] *= rng.uniform(0.0, 0.5)
    if rng.random() < 0.35:
        lids = rng.uniform(0.1, 1.0)
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            if name in names:
                i = names.index(name)
                expression[i] = np.clip(lids + 0.04 * rng.normal(), *model.expression_range[i])
    return expression


def _fit_part(
    lattice: Lattice, group: tuple[str, ...], seen: Float, targets: Double, told: NDArray[np.intp]
) -> tuple[Part, Double]:
    """The regression of ``targets[:, told]`` on a group of regions; leave-one-out residuals."""
    places = np.concatenate([np.arange(*lattice.slices[g].indices(10**9)) for g in group])
    values = seen[:, places].reshape(len(seen), -1)
    mean = values.mean(axis=0)
    # The components by the samples' scalar products: far fewer than there are points.
    squares, vectors = np.linalg.eigh((values - mean) @ (values - mean).T)
    largest = np.argsort(squares)[::-1][:_COMPONENTS]
    largest = largest[squares[largest] > 1e-6 * squares[largest[0]]]
    basis = (values - mean).T @ (vectors[:, largest] / np.sqrt(squares[largest]))
    centres = (values - mean) @ basis
    width, duals, level, left = _ridge(centres, targets[:, told])
    duals, level, left = _calibrated(duals, level, left, targets[:, told])
    apart = _squared_distances(centres, centres)
    np.fill_diagonal(apart, np.inf)
    near = float(np.median(apart.min(axis=1)))
    return Part(places, told, mean, basis, centres, width, near, duals, level), left


def _ridge(x: Float, y: Double) -> tuple[float, Double, Double, Double]:
    """Width, duals, level and leave-one-out residuals of the best kernel ridge regression."""
    squared = _squared_distances(x, x)
    typical = float(np.sqrt(np.median(squared)))
    level = y.mean(axis=0)
    best: tuple[float, float, Double, Double] | None = None
    for part in _WIDTHS:
        width = part * typical
        values, vectors = np.linalg.eigh(np.exp(-squared / (2 * width**2)).astype(np.float64))
        turned = vectors.T @ (y - level)
        for ridge in _RIDGES:
            shrink = 1 / (np.maximum(values, 0) + ridge)
            duals = vectors @ (shrink[:, None] * turned)
            # Residual of the i-th without it: alpha_i / (K + r)^-1_ii.
            left = duals / ((vectors**2) @ shrink)[:, None]
            error = float((left**2).mean())
            if best is None or error < best[0]:
                best = (error, width, duals, left)
    assert best is not None
    return best[1], best[2], level, best[3]


def _calibrated(
    duals: Double, level: Double, left: Double, targets: Double
) -> tuple[Double, Double, Double]:
    """Predictions that are right on average for a given truth, not the truth for a prediction.

    A regression answers with less than what it is sure of: a blink would never close the eye.
    Classical calibration (Eisenhart 1939), where what is seen tells enough.
    """
    found = targets - left
    spread = targets - targets.mean(axis=0)
    variance = np.maximum((spread**2).sum(axis=0), 1e-12)
    slope = (spread * found).sum(axis=0) / variance
    told = (1 - (left**2).sum(axis=0) / variance > _SURE) & (slope > _SURE)
    slope = np.where(told, slope, 1.0)
    start = np.where(told, found.mean(axis=0) - slope * targets.mean(axis=0), 0.0)
    return duals / slope, (level - start) / slope, targets - (found - start) / slope


def _squared_distances(a: Float, b: Float) -> Float:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.maximum(squared, 0)


def _predict(part: Part, features: Float) -> Double:
    x = (features - part.mean) @ part.basis
    squared = _squared_distances(x, part.centres)
    # A frame is never quite like any drawing.  What keeps it from all of them says nothing about
    # the expression, and would only draw the answer to the mean.
    squared -= np.maximum(squared.min(axis=1, keepdims=True) - part.near, 0.0)
    kernel = np.exp(-squared / (2 * part.width**2))
    return kernel @ part.duals + part.level
