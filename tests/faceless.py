"""Thirty pictures without a face that people's eyes take for one at times, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
SIDE = 480
AA = cv2.LINE_AA


def _ground(rng: np.random.Generator) -> Picture:
    """A wall: a colour, light from one side, noise."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    slope = rng.normal(0, 0.3, 2)
    shade = 1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5)
    wall = rng.uniform(90, 210, 3) * shade[..., None] + rng.normal(0, 3, (SIDE, SIDE, 1))
    return np.clip(wall, 0, 255).astype(np.uint8)


def _dark(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(v) for v in rng.uniform(10, 60, 3))


def _light(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(v) for v in rng.uniform(200, 250, 3))


def clock(rng: np.random.Generator) -> Picture:
    """Dial, strokes of the hours, two hands that may look like a smile."""
    out, centre, radius = _ground(rng), (SIDE // 2, SIDE // 2), int(rng.integers(120, 200))
    cv2.circle(out, centre, radius, _light(rng), -1, AA)
    ink = _dark(rng)
    cv2.circle(out, centre, radius, ink, 8, AA)
    for hour in range(12):
        way = np.array([np.sin(hour * np.pi / 6), -np.cos(hour * np.pi / 6)])
        a, b = (np.round(centre + way * radius * k).astype(int).tolist() for k in (0.8, 0.92))
        cv2.line(out, a, b, ink, 5, AA)
    for length, width in ((0.5, 9), (0.75, 6)):
        turn = rng.uniform(0, 2 * np.pi)
        tip = centre + radius * length * np.array([np.sin(turn), -np.cos(turn)])
        cv2.line(out, centre, np.round(tip).astype(int).tolist(), ink, width, AA)
    cv2.circle(out, centre, 9, ink, -1, AA)
    return out


def socket(rng: np.random.Generator) -> Picture:
    """Two holes for the pins, at times a third for the earth below: the usual mistaken face."""
    out, middle = _ground(rng), SIDE // 2
    size = int(rng.integers(110, 180))
    plate, ink = _light(rng), _dark(rng)
    cv2.rectangle(out, (middle - size, middle - size), (middle + size, middle + size), plate, -1)
    cv2.circle(out, (middle, middle), int(0.8 * size), tuple(int(0.9 * v) for v in plate), -1, AA)
    apart, up = int(0.38 * size), int(rng.uniform(0.0, 0.25) * size)
    for side in (-1, 1):
        at = middle + side * apart, middle - up
        if rng.random() < 0.5:
            cv2.circle(out, at, int(0.11 * size), ink, -1, AA)
        else:
            cv2.rectangle(out, (at[0] - 7, at[1] - 24), (at[0] + 7, at[1] + 24), ink, -1)
    below = middle, middle + int(0.35 * size)
    if rng.random() < 0.7:
        cv2.ellipse(out, below, (int(0.16 * size), int(0.12 * size)), 0, 0, 360, ink, -1, AA)
    return out


def wheel(rng: np.random.Generator) -> Picture:
    """Tyre, rim, spokes, hub."""
    out, centre, radius = _ground(rng), (SIDE // 2, SIDE // 2), int(rng.integers(130, 210))
    cv2.circle(out, centre, radius, _dark(rng), -1, AA)
    cv2.circle(out, centre, int(0.72 * radius), _light(rng), -1, AA)
    first, spokes, ink = rng.uniform(0, 2 * np.pi), int(rng.integers(3, 9)), _dark(rng)
    for k in range(spokes):
        turn = first + 2 * np.pi * k / spokes
        at = centre + 0.42 * radius * np.array([np.cos(turn), np.sin(turn)])
        size = (int(0.2 * radius), int(0.7 * radius / spokes))
        at = np.round(at).astype(int).tolist()
        cv2.ellipse(out, at, size, np.degrees(turn), 0, 360, ink, -1, AA)
    cv2.circle(out, centre, int(0.12 * radius), ink, -1, AA)
    return out


def fabric(rng: np.random.Generator) -> Picture:
    """Checks, stripes or dots in folds, with their shadows."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    for _ in range(3):
        turn, length = rng.uniform(0, np.pi), rng.uniform(80, 240)
        wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) / length * 2 * np.pi)
        x, y = x + 9 * wave, y + 7 * wave
    step = rng.uniform(18, 60)
    kind = rng.integers(3)
    across, down = np.sin(x / step * np.pi), np.sin(y / step * np.pi)
    pattern = (across > 0) ^ (down > 0) if kind == 0 else across > 0.3 if kind == 1 else None
    if pattern is None:
        pattern = np.hypot(across, down) < 0.45
    colours = rng.uniform(20, 240, (2, 3))
    shade = 1 + 0.25 * np.sin((x + y) / rng.uniform(90, 200))
    cloth = colours[pattern.astype(int)] * shade[..., None] + rng.normal(0, 4, (SIDE, SIDE, 1))
    return np.clip(cloth, 0, 255).astype(np.uint8)


def front(rng: np.random.Generator) -> Picture:
    """A car's front or a house's: two lamps or windows, a grille or a door under them."""
    out, middle = _ground(rng), SIDE // 2
    half, ink, bright = int(rng.integers(120, 190)), _dark(rng), _light(rng)
    body = tuple(int(v) for v in rng.uniform(60, 200, 3))
    cv2.rectangle(out, (middle - half, 130), (middle + half, 370), body, -1)
    round_lamps = rng.random() < 0.5
    for side in (-1, 1):
        at = middle + side * int(0.58 * half), 200
        if round_lamps:
            cv2.circle(out, at, 34, bright, -1, AA)
            cv2.circle(out, at, 14, ink, -1, AA)
        else:
            cv2.rectangle(out, (at[0] - 32, 170), (at[0] + 32, 228), bright, -1)
            cv2.line(out, (at[0], 170), (at[0], 228), ink, 5)
    for row in range(290, 340, 12):
        cv2.line(out, (middle - half // 2, row), (middle + half // 2, row), ink, 5)
    return out


def things(rng: np.random.Generator) -> Picture:
    """Buttons, plates and boxes, wherever they fall."""
    out = _ground(rng)
    for _ in range(int(rng.integers(8, 30))):
        at, size = rng.integers(0, SIDE, 2).tolist(), int(rng.integers(12, 70))
        colour = tuple(int(v) for v in rng.uniform(10, 250, 3))
        if rng.random() < 0.6:
            cv2.circle(out, at, size, colour, -1, AA)
            cv2.circle(out, at, size // 3, _dark(rng), -1, AA)
        else:
            cv2.rectangle(out, at, [at[0] + size, at[1] + 2 * size // 3], colour, -1)
    return out


KINDS: tuple[Callable[[np.random.Generator], Picture], ...] = (
    clock, socket, wheel, fabric, front, things,
)  # fmt: skip


def faceless_pictures(count: int = 30, seed: int = 18) -> list[tuple[str, Picture]]:
    """``count`` pictures (480, 480, 3) uint8 sRGB, in turn of every kind, with its name."""
    rng = np.random.default_rng(seed)
    return [(f"{k:02} {(draw := KINDS[k % len(KINDS)]).__name__}", draw(rng)) for k in range(count)]
