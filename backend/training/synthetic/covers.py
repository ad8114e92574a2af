"""What is held or worn in front of a face: masks, hands, microphones, phones, cups, anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from .body import cloth_colour
from .pieces import Mesh, ball, capsule, join, sheet_faces
from .skull import Skull

# Where a hand goes: phi and theta in degrees and how much it varies.
_PLACES = ((0, 140, 10), (60, 122, 12), (50, 132, 12), (40, 72, 14), (20, 118, 12), (78, 95, 12))

# Light blue, white, black, green.
_MASKS = np.array(
    [
        [0.35, 0.55, 0.68],
        [0.75, 0.76, 0.76],
        [0.02, 0.02, 0.022],
        [0.3, 0.5, 0.45],
        [0.4, 0.1, 0.12],
    ]
)


def wear_mask(model: FaceModel, skull: Skull, vertices: NDArray, rng: np.random.Generator) -> Mesh:
    """A surgical or cloth mask from the nose bridge to under the chin, with its loops."""
    marks = vertices[model.landmarks68]
    top = marks[28] + (marks[27] - marks[28]) * rng.uniform(-0.3, 0.6)
    _, high, _ = skull.to_polar(top)
    _, low, _ = skull.to_polar(marks[8] + np.array([0, -6, -12]))
    across = np.linspace(-1, 1, 15)
    down = np.linspace(0, 1, 12)[:, None]
    phi = across * np.radians(rng.uniform(48, 62)) + 0 * down
    # Low on the cheeks, so that the eyes stay free.
    start = high + np.radians(16) * np.clip(np.abs(across) * 2.2, 0, 1)
    stop = low - np.radians(14) * across**2
    theta = start + (stop - start) * down
    r = skull.radius_at(phi, theta)
    padded = np.pad(r, 1, mode="edge")
    tent = np.max([padded[a : a + 12, b : b + 15] for a in range(3) for b in range(3)], axis=0)
    edge = (1 - across**2) * np.sin(np.pi * np.clip(down, 0.08, 0.95))
    r = r + 1.5 + (tent - r) * np.sqrt(edge) + rng.uniform(2, 9) * edge
    pleats = 1 + 0.12 * (np.sin(down * rng.uniform(10, 30)) > 0.4)
    tone = _MASKS[rng.integers(len(_MASKS))] * rng.uniform(0.7, 1.15)
    points = skull.from_polar(phi, theta, r)
    tones = tone * (pleats + 0 * across)[..., None]
    parts = [(points.reshape(-1, 3), sheet_faces(12, 15), tones.reshape(-1, 3))]
    for column, jaw, side in ((0, 0, -1.0), (-1, 16, 1.0)):
        ear = marks[jaw] + np.array([side * 4, 4, -14])
        for corner in (points[1, column], points[-2, column]):
            path = np.stack([corner, (corner + ear) / 2 + np.array([side * 3, 0, 0]), ear])
            parts.append(capsule(path, np.full(3, 0.9), tone, 4))
    return join(parts)


def hold_hand(skull: Skull, skin_tone: NDArray, rng: np.random.Generator) -> Mesh:
    """A hand that touches chin, cheek, forehead or mouth, with its forearm."""
    *place, spread = _PLACES[rng.integers(len(_PLACES))]
    side = rng.choice([-1.0, 1.0])
    knuckles = np.radians(np.array(place) + rng.normal(0, spread * 0.5, 2)) * [side, 1]
    # In (phi, theta): where the fingers point, mostly up, and the line of the knuckles.
    lean = side * rng.uniform(-0.2, 0.9)
    along = np.array([-np.sin(lean), -np.cos(lean)])
    across = np.array([np.cos(lean), -np.sin(lean)])
    tone = skin_tone * rng.uniform(0.85, 1.05)
    parts = _fingers(skull, knuckles, along, across, tone, rng)
    back = knuckles - along * 0.38
    palm = skull.above(back[0], back[1], rng.uniform(18, 30))
    knuckle = skull.above(knuckles[0], knuckles[1], 14)
    finger = knuckle - palm
    frame = _frame(finger, palm - skull.middle)
    sphere, faces = ball(9, 12)
    points = (palm + knuckle) / 2 + sphere * np.array([42, 38, 15]) @ frame
    parts.append((points, faces, np.broadcast_to(tone, points.shape)))
    aside = frame[0] * -side
    thumb = np.stack([palm, palm + aside * 38, palm + aside * 45 + finger * 0.7])
    parts.append(capsule(thumb, np.array([12, 10, 8.0]), tone, 7))
    wrist = palm - finger * rng.uniform(0.7, 1.1)
    elbow = wrist + np.array([side * rng.uniform(-40, 160), -230, rng.uniform(-20, 120)])
    sleeve = tone if rng.random() < 0.5 else cloth_colour(rng)
    parts.append(capsule(np.stack([palm, wrist]), np.array([26, 23.0]), tone, 10))
    parts.append(capsule(np.stack([wrist, elbow]), np.array([25, 42.0]), sleeve, 10))
    return join(parts)


def _fingers(
    skull: Skull,
    knuckles: NDArray,
    along: NDArray,
    across: NDArray,
    tone: NDArray,
    rng: np.random.Generator,
) -> list[Mesh]:
    """Up to four fingers that follow the skin, stretched or bent to a fist."""
    bend = rng.uniform(0.0, 16.0)
    reach = np.array([72, 82, 78, 62]) * rng.uniform(0.85, 1.1) / 105
    reach *= 0.45 if rng.random() < 0.4 else 1.0
    apart = rng.uniform(0.17, 0.26)
    share = np.linspace(0, 1, 6)[:, None]
    fingers = []
    for number in np.flatnonzero(rng.random(4) < 0.92):
        beside = across * (number - 1.5) * apart * (1 + 0.15 * share)
        way = knuckles + beside + along * reach[number] * share
        lift = 9 + bend * np.sin(np.linspace(0.2, np.pi, 6))
        radii = np.array([9, 8.8, 8.2, 8.0, 7.4, 6.6]) * rng.uniform(0.9, 1.1)
        path = skull.above(way[:, 0], way[:, 1], lift)
        fingers.append(capsule(path, radii, tone * rng.uniform(0.92, 1.05), 7))
    return fingers


def hold_object(skull: Skull, skin_tone: NDArray, rng: np.random.Generator) -> Mesh:
    """A microphone or cup before the mouth, or a phone at the cheek, and who holds it."""
    kind = rng.choice(["microphone", "cup", "phone"], p=[0.5, 0.2, 0.3])
    tone = np.full(3, rng.uniform(0.005, 0.3))
    side = rng.choice([-1.0, 1.0])
    if kind == "phone":
        at = np.radians([side * rng.uniform(55, 85), rng.uniform(95, 115)])
        middle = skull.above(at[0], at[1], rng.uniform(10, 25))
        box = _box(np.array([36, 74, 4.5]))
        frame = _frame(np.array([side * 0.2, 1, -0.25]), middle - skull.middle)
        held = (box[0] @ frame + middle, box[1], np.broadcast_to(tone, box[0].shape))
        grip = middle + np.array([side * 14, -20, 5])
    else:
        at = np.radians([rng.uniform(-35, 35), rng.uniform(112, 128)])
        middle = skull.above(at[0], at[1], rng.uniform(28, 75))
        way = np.array([side * rng.uniform(-0.2, 0.7), -1, rng.uniform(0, 0.8)])
        path = middle + way * np.linspace(0, 170 if kind == "microphone" else 95, 4)[:, None]
        radii = np.array([24, 14, 12, 11]) if kind == "microphone" else np.array([40, 38, 35, 32])
        if kind == "cup":
            tone = rng.uniform(0.02, 0.9, 3)
        held = capsule(path, radii * rng.uniform(0.8, 1.1), tone, 12)
        grip = path[2]
    parts = [held]
    if kind == "phone" or rng.random() < 0.6:
        sphere, faces = ball(8, 10)
        palm = grip + sphere * np.array([40, 32, 24])
        parts.append((palm, faces, np.broadcast_to(skin_tone, palm.shape)))
        for k in range(4):
            start = grip + np.array([-side * 20, 22 - 14 * k, 18])
            path = np.stack([start, start + [side * 22, 3, 8], start + [side * 42, 0, -4]])
            parts.append(capsule(path, np.array([8.5, 8.5, 7]), skin_tone * 0.97, 7))
        elbow = grip + np.array([side * rng.uniform(0, 150), -260, rng.uniform(0, 80)])
        parts.append(capsule(np.stack([grip, elbow]), np.array([26, 44.0]), skin_tone, 9))
    return join(parts)


def stray_object(skull: Skull, rng: np.random.Generator) -> Mesh:
    """A box or an ellipsoid of any colour somewhere before or beside the face."""
    at = np.array([rng.normal(0, 0.9), rng.uniform(0.6, 2.4)])
    middle = skull.above(at[0], at[1], rng.uniform(15, 120))
    size = rng.uniform(10, 55, 3)
    points, faces = ball(10, 14) if rng.random() < 0.5 else _box(np.ones(3))
    frame = _frame(rng.normal(size=3), rng.normal(size=3))
    tones = np.broadcast_to(rng.uniform(0.02, 1, 3) ** 1.5, points.shape)
    return (points * size) @ frame + middle, faces, tones


def _frame(up: NDArray, out: NDArray) -> NDArray:
    """(3, 3) rows: aside, up, out; orthonormal."""
    up = up / np.linalg.norm(up)
    out = out - up * (out @ up)
    out = out / max(float(np.linalg.norm(out)), 1e-9)
    return np.stack([np.cross(up, out), up, out])


def _box(half: NDArray) -> tuple[NDArray, NDArray[np.int32]]:
    """The 24 corners, 4 a side, and 12 outward triangles of a box."""
    quads = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corner = np.zeros((4, 3))
            corner[:, axis] = sign
            corner[:, (axis + 1) % 3] = np.array([-1, 1, 1, -1]) * sign
            corner[:, (axis + 2) % 3] = [-1, -1, 1, 1]
            quads.append(corner)
    start = np.arange(6)[:, None, None] * 4
    faces = (np.array([[0, 1, 2], [0, 2, 3]]) + start).reshape(-1, 3)
    return np.concatenate(quads) * half, faces.astype(np.int32)
