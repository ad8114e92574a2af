"""The detail benchmark's heads: wrinkles, folds and pores of known depth, and spots that are none.

As :mod:`.accuracy_set`, whose renderer draws them.  What differs: ``relief_mm`` is what the skin
has on top of the mesh, and the albedo is as fine: freckles, moles, blotches, stubble, all flat.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import srgb
from ..geometry.camera import Camera, intrinsics
from ..geometry.rotation import from_euler
from ..model import FaceModel
from ..model.contour import seen_landmarks
from ..model.own import own_head
from .accuracy_set import Report, Truth, accuracy_set, default_folder, draw_head

KIND = "detail_set"
#: The method was chosen on heads of other seeds than the report's: see ``bench/detail.py``.
SEED, HEADS, SIZE = 61700, 10, 640
DEVELOPMENT_SEED = 61701
#: Side of relief and albedo: a texel is 0.15 mm of the face.
SIDE = 2048
#: |yaw| in degrees, head after head.
YAW_BINS = ((0.0, 12.0), (12.0, 24.0), (24.0, 35.0))
#: How old the skin is, 0..1, head after head: what lines it has, and how deep.
AGES = (0.9, 0.3, 0.7, 1.0, 0.5)
#: mm at age 1.
DEEPEST_MM = 1.0
#: Of the photo's side, brows to chin.
FACE_SHARE = (0.46, 0.58)

Float = NDArray[np.float32]


def detail_set(
    folder: Path | None, model: FaceModel, heads: int, size: int, seed: int, report: Report
) -> list[Truth]:
    """See :func:`.accuracy_set.accuracy_set`; ``folder`` None is the user's cache."""
    kind = KIND if seed == SEED else f"{KIND}_{seed}"
    folder = folder or default_folder().with_name(kind)
    return accuracy_set(folder, model, heads, size, seed, report, draw=draw_detailed, kind=kind)


def true_relief(truth: Truth) -> tuple[Float, Float]:
    """(SIDE, SIDE) mm outwards, and (SIDE, SIDE, 3) linear RGB of the albedo."""
    with np.load(truth.picture.with_suffix(".npz"), allow_pickle=False) as data:
        albedo = srgb.decode(data["albedo"] / 255).astype(np.float32)
        return data["relief_mm"].astype(np.float32), albedo


def draw_detailed(model: FaceModel, number: int, size: int, seed: int) -> dict[str, Any]:
    """Arrays of head ``number``, for the renderer's ``detailed.py``."""
    head = draw_head(model, number, size, seed)
    rng = np.random.default_rng([seed, number, 3])
    expression = 0.3 * head["expression"]
    shape = own_head(model, head["identity"], expression)
    camera = _camera(shape.posed[model.landmarks68], number, size, rng)
    age = AGES[number % len(AGES)]
    stubble = rng.random() < 0.3
    return head | {
        "expression": expression,
        "vertices_neutral": shape.neutral,
        "vertices_posed": shape.posed,
        "camera_matrix": camera.camera_matrix,
        "rotation": camera.rotation,
        "translation": camera.translation,
        "landmarks2d": camera.project(seen_landmarks(model, shape.posed, camera)),
        "yaw": camera.euler_degrees[0],
        "age": age,
        "relief_mm": draw_relief(model, age, rng).astype(np.float16),
        "albedo": _spotted(model, head["albedo"], age, stubble, rng),
        "lamp": np.array([rng.choice([-1.0, 1.0]) * rng.uniform(10, 75), rng.uniform(-50, 0)]),
        "lamp_size": np.exp(rng.uniform(np.log(0.15), np.log(0.9))),
        "lamp_watts": rng.uniform(5, 20),
        "sky": rng.uniform(0.3, 0.9),
    }


def _camera(landmarks: NDArray, number: int, size: int, rng: np.random.Generator) -> Camera:
    low, high = YAW_BINS[number % len(YAW_BINS)]
    angles = np.array([rng.choice([-1, 1]) * rng.uniform(low, high), *rng.normal(size=2) * (6, 5)])
    rotation = from_euler(*np.radians(angles))
    focal = np.exp(rng.uniform(*np.log((35.0, 120.0)))) / 36 * size
    distance = max(420.0, focal * np.ptp(landmarks[:, 1]) / (rng.uniform(*FACE_SHARE) * size))
    centre = (landmarks.min(0) + landmarks.max(0)) / 2 + (0, 12, 0)
    shift = np.array([0, 0, distance]) - rotation @ centre
    return Camera(intrinsics(focal, (size, size)), rotation, shift)


def draw_relief(model: FaceModel, age: float, rng: np.random.Generator) -> Float:
    """(SIDE, SIDE) mm: lines by ``age`` 0..1, lumps of a few millimetres, pores."""
    depth = np.zeros((SIDE, SIDE), np.float32)
    for width, lines in _lines(model, age, rng):
        canvas = np.zeros((SIDE, SIDE), np.float32)
        for points, strength in lines:
            _stroke(canvas, points, strength, rng)
        # A groove and the swelling on both its sides.
        groove = cv2.GaussianBlur(canvas, (0, 0), width) * width * np.sqrt(2 * np.pi)
        around = cv2.GaussianBlur(canvas, (0, 0), 3 * width) * width * np.sqrt(2 * np.pi)
        depth += 1.5 * (groove - around)
    relief = -DEEPEST_MM * np.clip(depth, -0.5, 1.1)
    lumps = sum(
        amount * _noise(rng, width, 0.5) for width, amount in ((6, 0.006), (14, 0.02), (30, 0.03))
    )
    relief += (0.4 + 0.6 * age) * lumps
    relief += _pores(rng) * rng.uniform(0.05, 0.1) * _enlarged(0.35 + 0.65 * model.uv_mask("nose"))
    return relief * _where(model)


def _where(model: FaceModel) -> Float:
    """(SIDE, SIDE) 1 on the face's skin, 0 on lips, lids' edges, eyes, and away from the face."""
    here = model.uv_mask("skin") * (1 - cv2.dilate(model.uv_mask("lips"), np.ones((5, 5))))
    here = here * (1 - model.uv_mask("scalp")) * (1 - model.uv_mask("lids"))
    return _enlarged(cv2.GaussianBlur(here, (0, 0), 2.0) * here)


def _enlarged(field: NDArray) -> Float:
    return cv2.resize(field.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def _lines(model: FaceModel, age: float, rng: np.random.Generator) -> list[tuple[float, list]]:
    """By half width in texels, the polylines (N, 2) in texels and how deep each is, 0..1."""
    first = np.zeros(len(model.mean), np.int64)
    first[model.polygons.ravel()[::-1]] = model.uv_polygons.ravel()[::-1]
    marks = model.uv[first[model.landmarks68]].astype(float) * SIDE
    marks[:, 1] = SIDE - marks[:, 1]
    wide: list = []
    middle: list = []
    fine: list = []
    # Across the forehead.
    for row in range(rng.integers(3, 7)):
        up = 70 + 45 * row + rng.normal() * 8
        x = np.linspace(-1, 1, 9) * rng.uniform(220, 330)
        brow = 25 * np.cos(np.linspace(-2.6, 2.6, 9) * np.pi)
        y = marks[19:25, 1].mean() - up - 0.5 * brow + rng.normal(size=9) * 6
        line = np.stack([marks[27, 0] + x, y], 1)
        (middle if row % 2 else wide).append((line, age * rng.uniform(0.5, 1.0)))
    for out, outer, lower, wing, corner in ((-1, 36, (36, 41, 40, 39), 31, 48),
                                            (1, 45, (45, 46, 47, 42), 35, 54)):  # fmt: skip
        # Crow's feet.
        for angle in np.linspace(-35, 40, rng.integers(3, 7)):
            turn = np.radians(angle + rng.normal() * 5)
            along = np.linspace(22, rng.uniform(60, 150), 5)
            bend = np.array([0, 1]) * (along[:, None] / 60) ** 2 * rng.normal() * 4
            way = np.array([out * np.cos(turn), np.sin(turn)])
            line = marks[outer] + along[:, None] * way + bend
            fine.append((line, age * rng.uniform(0.4, 0.9)))
        # Under the eye.
        for number in range(rng.integers(1, 4)):
            line = marks[list(lower)] + (0, 35 + 26 * number)
            line[:, 1] += rng.normal(size=4) * 4
            (fine if number else middle).append((line, age * rng.uniform(0.4, 0.9)))
        # From the nose to the mouth's corner.
        smile = np.stack(
            [
                marks[wing] + (out * 40, -45),
                marks[wing] + (out * 75, 30),
                (marks[wing] + marks[corner]) / 2 + (out * 90, 20),
                marks[corner] + (out * 50, 20),
            ]
        )
        wide.append((smile + rng.normal(size=(4, 2)) * 6, 0.25 + 0.75 * age * rng.uniform(0.5, 1)))
        # Down from the mouth's corner, and between the brows.
        if age > 0.4:
            droop = marks[corner] + np.array([(out * 12, 20), (out * 22, 70), (out * 18, 130)])
            middle.append((droop, age * rng.uniform(0.4, 1.0)))
            frown = marks[27] + np.array([(out * 28, -20), (out * 34, -70), (out * 30, -120)])
            middle.append((frown, age * rng.uniform(0.4, 1.0)))
        # Fine ones over the cheek.
        for _ in range(int(45 * age)):
            start = marks[wing] + (out * rng.uniform(60, 330), rng.uniform(-160, 160))
            turn = rng.uniform(0.6, 2.2)
            along = np.linspace(0, rng.uniform(40, 130), 4)
            line = start + along[:, None] * np.array([out * np.cos(turn), np.sin(turn)])
            fine.append((line + rng.normal(size=(4, 2)) * 4, age * rng.uniform(0.1, 0.45)))
    return [(5.5, wide), (3.6, middle), (2.4, fine)]


def _stroke(canvas: Float, points: NDArray, strength: float, rng: np.random.Generator) -> None:
    """Draw a smooth line through ``points`` (N, 2), thinner at its ends, into ``canvas``."""
    t, fine = np.linspace(0, 1, len(points)), np.linspace(0, 1, 80)
    degree = min(3, len(points) - 1)
    from scipy.interpolate import make_interp_spline

    curve = make_interp_spline(t, points, k=degree)(fine)
    wobble = np.interp(fine, np.linspace(0, 1, 7), rng.uniform(0.6, 1.0, 7))
    depth = strength * wobble * np.minimum(1, 4 * np.minimum(fine, 1 - fine))
    for start, end, value in zip(curve[:-1], curve[1:], depth, strict=False):
        ends = [tuple(np.rint(x * 16).astype(int).tolist()) for x in (start, end)]
        cv2.line(canvas, *ends, float(value), 1, cv2.LINE_8, 4)


def _noise(rng: np.random.Generator, width: float, finer: float) -> Float:
    """(SIDE, SIDE) blobs of ``width`` texels, mean 0, rms 1."""
    small = max(1, int(width / 4))
    white = rng.standard_normal((SIDE // small, SIDE // small), np.float32)
    band = cv2.GaussianBlur(white, (0, 0), width / small * finer)
    band -= cv2.GaussianBlur(white, (0, 0), width / small)
    return _enlarged(band / band.std())


def _pores(rng: np.random.Generator) -> Float:
    """(SIDE, SIDE) pits of depth 1 or less, 0.2 mm in half width."""
    pits = np.zeros((SIDE, SIDE), np.float32)
    count = int(0.9 * (SIDE * 0.15) ** 2)
    rows, columns = rng.integers(0, SIDE, (2, count))
    np.maximum.at(pits, (rows, columns), rng.uniform(0.4, 1, count).astype(np.float32))
    width = 1.4
    return -np.minimum(cv2.GaussianBlur(pits, (0, 0), width) * 2 * np.pi * width**2, 1.2)


def _spotted(
    model: FaceModel, albedo: NDArray, age: float, stubble: bool, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """``albedo`` (T, T, 3) sRGB at (SIDE, SIDE, 3), with what is colour and no relief."""
    log = np.log(np.maximum(srgb.decode(albedo / 255), 2e-3)).astype(np.float32)
    log = np.stack([_enlarged(channel) for channel in np.moveaxis(log, 2, 0)], 2)
    skin = _enlarged(model.uv_mask("skin") * (1 - model.uv_mask("lips")))
    # Melanin darkens blue more than red (Jimenez et al. 2010); blood takes green.
    melanin, blood = np.array([-0.55, -0.9, -1.3]), np.array([-0.15, -0.75, -0.55])
    spots = np.zeros((SIDE, SIDE), np.float32)
    for count, low, high, dark in (
        (int(rng.choice([0, 60, 900])), 1.5, 4.0, 0.35),  # freckles
        (rng.integers(3, 14), 4.0, 10.0, 1.2),  # moles
        (int(40 * age), 6.0, 16.0, 0.3),  # age spots
    ):
        for _ in range(count):
            place = rng.uniform((0.12 * SIDE, 0.1 * SIDE), (0.88 * SIDE, 0.85 * SIDE))
            axes = rng.uniform(low, high) * np.exp(rng.normal(size=2) * 0.25)
            layer = (tuple(np.rint(place).astype(int).tolist()), tuple((2 * axes).tolist()),
                     rng.uniform(0, 180))  # fmt: skip
            value = float(dark * rng.uniform(0.4, 1.0))
            cv2.ellipse(spots, layer, value, -1, cv2.LINE_8)
    spots = cv2.GaussianBlur(spots, (0, 0), 1.2)
    blotches = 0.05 * _noise(rng, 60, 0.5) + 0.012 * _noise(rng, 16, 0.5)
    brown = 0.02 * _noise(rng, 40, 0.5) + 0.008 * _noise(rng, 8, 0.5)
    change = (spots + brown)[..., None] * melanin + blotches[..., None] * blood
    if stubble:
        dots = np.zeros((SIDE, SIDE), np.float32)
        rows, columns = rng.integers(0, SIDE, (2, 60000))
        dots[rows, columns] = rng.uniform(0.5, 1.0, 60000)
        dots = 4 * cv2.GaussianBlur(dots, (0, 0), 0.9) * _enlarged(model.uv_mask("beard"))
        change = change - dots[..., None] * np.array([1.0, 0.9, 0.8])
    return srgb.encode_bytes(np.exp(log + change * skin[..., None]))
