"""Hair: a ragged cap on the skull and ribbons that grow from it, combed and pulled down.

Every style is one set of numbers of :class:`Style`; the ribbons are traced all at once over the
radius map of the head, so that nothing grows into the skin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .pieces import Mesh, ball, join, many_sheets, sheet_faces, waves
from .skull import Skull

_CAP_ROWS, _CAP_COLUMNS = 12, 66
_RIBBON_QUADS = 2250

# |phi| in degrees -> theta of the hairline in degrees: brow, temple, sideburn, ear, nape.
_LINE_PHI = np.radians([0, 20, 40, 52, 64, 76, 84, 92, 104, 114, 180])
_LINE_THETA = np.radians([57, 55, 55, 60, 68, 86, 96, 84, 92, 116, 126])

#: Linear albedo of natural hair and how often, for light and for dark skin.
_COLOURS = np.array(
    [
        [0.010, 0.009, 0.008],
        [0.022, 0.015, 0.011],
        [0.045, 0.026, 0.016],
        [0.085, 0.048, 0.027],
        [0.17, 0.105, 0.058],
        [0.34, 0.23, 0.12],
        [0.55, 0.43, 0.27],
        [0.19, 0.06, 0.022],
        [0.25, 0.24, 0.235],
        [0.62, 0.60, 0.57],
    ]
)
_LIGHT_SKIN = np.array([13, 15, 17, 14, 10, 9, 5, 5, 6, 3.0])
_DARK_SKIN = np.array([48, 26, 9, 3, 1.5, 1, 1, 1, 6, 2.0])


@dataclass(frozen=True)
class Style:
    """What hair looks like; lengths and heights in mm, angles in radians."""

    length_top: float
    length_side: float
    volume: float  #: how high it stands above the scalp on top
    side_volume: float
    down: float = 1.0  #: weights of the combing directions
    aside: float = 0.0
    back: float = 0.0
    out: float = 0.0
    part: float = 0.0  #: x of the parting
    curl: float = 0.0
    wild: float = 0.3
    fringe: float = 0.0  #: theta where hair over the forehead is cut; 0 = combed off the face
    opening: tuple[float, float] = (1.0, 1.0)  #: |phi| the face is left free to, right and left
    line: float = 0.0  #: how far the hairline is raised (-) or lowered (+) in front
    loose: float = 1.0  #: how far flyaways stand off
    bun: bool = False


def hair_colour(rng: np.random.Generator, skin_tone: NDArray) -> NDArray:
    """(3,) linear albedo; dark skin mostly goes with black hair, a few are dyed."""
    if rng.random() < 0.03:
        return rng.uniform(0.02, 0.6, 3) ** 1.3
    dark = np.clip((0.34 - float(np.mean(skin_tone))) / 0.16, 0, 1)
    share = _LIGHT_SKIN / _LIGHT_SKIN.sum() * (1 - dark) + _DARK_SKIN / _DARK_SKIN.sum() * dark
    one, two = _COLOURS[rng.choice(len(share), 2, p=share)]
    mix = rng.uniform(0, 0.25)
    return (one * (1 - mix) + two * mix) * rng.uniform(0.75, 1.3)


def sample_style(rng: np.random.Generator) -> Style:
    """A style at random: cropped, short, medium, long, tied back, curly."""
    u = rng.uniform
    kind = rng.choice(
        ["crop", "short", "quiff", "mop", "bob", "long", "tied", "curly", "afro", "receding"],
        p=[0.10, 0.16, 0.09, 0.10, 0.11, 0.21, 0.09, 0.06, 0.03, 0.05],
    )
    part = float(rng.choice([-1, 1]) * u(0, 45))
    line = float(np.radians(rng.normal(0, 4)))
    fringe = float(np.radians(u(66, 82))) if rng.random() < 0.4 else 0.0
    wide = (float(np.radians(u(52, 82))), float(np.radians(u(52, 82))))
    near = float(np.radians(u(22, 50)))
    if rng.random() < 0.25:
        wide = (near, wide[1]) if rng.random() < 0.5 else (wide[0], near)
    if kind == "crop":
        return Style(u(5, 12), u(3, 9), u(2, 6), u(1, 4), out=u(0, 0.6), line=line, wild=u(0, 0.5))
    if kind == "short":
        return Style(
            u(25, 60), u(10, 25), u(6, 18), u(3, 9), down=u(0.2, 0.7), aside=u(0, 1),
            back=-u(0, 0.8), out=u(0, 0.4), part=part, wild=u(0.2, 0.8), line=line,
            fringe=float(np.radians(u(58, 74))), curl=u(0, 3),
        )  # fmt: skip
    if kind == "quiff":
        return Style(
            u(30, 70), u(8, 30), u(8, 24), u(3, 8), down=0.1, aside=u(0, 0.8), back=u(0.3, 1.0),
            out=u(0.1, 0.6), part=part, wild=u(0.1, 0.6), line=line, curl=u(0, 3),
        )  # fmt: skip
    if kind == "mop":
        return Style(
            u(60, 110), u(40, 80), u(10, 26), u(7, 16), down=u(0.5, 1), aside=u(0, 1), part=part,
            wild=u(0.3, 1.0), line=line, fringe=float(np.radians(u(68, 84))), opening=wide,
            curl=u(0, 6),
        )  # fmt: skip
    if kind == "curly":
        tall = u(12, 45)
        return Style(
            u(30, 90), u(25, 80), tall, tall * u(0.5, 1), down=0.3, out=u(0.4, 1.2), curl=u(6, 14),
            wild=u(0.8, 1.5), line=line, fringe=fringe, opening=wide,
        )  # fmt: skip
    if kind == "afro":
        tall = u(15, 60)
        return Style(
            u(12, 30), u(10, 25), tall, tall * u(0.7, 1), down=0, out=u(0.5, 1), curl=u(5, 9),
            wild=u(0.8, 1.5), line=line,
        )  # fmt: skip
    if kind == "tied":
        return Style(
            u(90, 130), u(70, 110), u(3, 9), u(2, 5), down=u(0, 0.2), back=1.2, aside=u(0, 0.3),
            part=part, wild=u(0, 0.25), line=line, bun=True,
        )  # fmt: skip
    if kind == "receding":
        return Style(
            u(10, 40), u(8, 25), u(2, 8), u(3, 8), down=0.6, back=u(0, 0.6), wild=u(0.1, 0.6),
            line=float(np.radians(-u(12, 32))), part=part,
        )  # fmt: skip
    longest = u(140, 200) if kind == "bob" else u(220, 420)
    return Style(
        longest, longest * u(0.85, 1), u(4, 18), u(4, 18), down=1.0, aside=u(0.3, 1.2),
        back=u(-0.1, 0.35), part=part, wild=u(0.05, 1.0), line=line, fringe=fringe, opening=wide,
        curl=u(2, 11) if rng.random() < 0.35 else 0.0,
    )  # fmt: skip


def flattened(style: Style) -> Style:
    """``style`` under headwear."""
    return replace(
        style, volume=1, side_volume=min(style.side_volume, 4), out=0, loose=0.15, wild=0.2,
        bun=False,
        length_top=style.length_top if style.length_top > 110 else min(style.length_top, 45),
    )  # fmt: skip


def hairline(phi: NDArray, line: float) -> NDArray:
    """Theta of the hairline; ``line`` moves its front, a receding one more at the temples."""
    turned = np.abs(phi)
    front = np.clip((np.radians(75) - turned) / np.radians(25), 0, 1)
    temple = np.exp(-(((turned - np.radians(38)) / np.radians(16)) ** 2))
    return np.interp(turned, _LINE_PHI, _LINE_THETA) + front * line * (
        1 + 0.5 * temple * (line < 0)
    )


def grow_hair(
    skull: Skull, style: Style, colour: NDArray, skin_tone: NDArray, rng: np.random.Generator
) -> Mesh:
    """The whole hair as one mesh."""
    parts = [_cap(skull, style, colour, skin_tone, rng)]
    parts.append(_ribbons(skull, style, colour, rng))
    if style.bun:
        parts.append(_bun(skull, colour, rng))
    return join(parts)


def _height(style: Style, theta: NDArray) -> NDArray:
    """Height of the hair above the scalp: the top's, going over to the side's."""
    side = np.clip((theta - np.radians(35)) / np.radians(45), 0, 1)
    return style.volume + (style.side_volume - style.volume) * side


def _cap(
    skull: Skull, style: Style, colour: NDArray, skin_tone: NDArray, rng: np.random.Generator
) -> Mesh:
    """The ground of the hair, from the crown to a frayed hairline."""
    phi = np.linspace(-np.pi, np.pi, _CAP_COLUMNS, endpoint=False)
    edge = hairline(phi, style.line) + rng.normal(0, np.radians(1.1), _CAP_COLUMNS)
    circle = np.stack([np.sin(phi), np.cos(phi)], axis=1)
    edge += np.radians(1.5) * waves(circle, rng, 1.5)[:, 0]
    share = np.linspace(0, 1, _CAP_ROWS)[:, None] ** 0.8
    theta = share * edge
    phi = np.broadcast_to(phi, theta.shape)
    fade = np.clip((1 - share) * 7, 0, 1) ** 0.6
    unit = skull.from_polar(phi, theta, np.ones_like(theta)) - skull.middle
    lumps = 1 + 0.25 * waves(unit, rng, 0.5)[..., 0] + rng.normal(0, 0.08, theta.shape)
    height = 0.6 + _height(style, theta) * 0.8 * fade * np.clip(lumps, 0.3, 2)
    points = skull.above(phi, theta, height)
    streak = np.exp(rng.normal(0, 0.22, _CAP_COLUMNS) + 0.15 * waves(unit, rng, 0.6)[..., 0])
    # The skin shines through where the hair is short and at its line.
    bare = np.exp(-style.length_side / 12) * (theta > 0.9) * rng.uniform(0, 0.7)
    bare = np.maximum(bare, rng.uniform(0.2, 0.7) * (share > 0.97) + 0.15 * (share > 0.88))
    shades = (streak * 0.8)[..., None] * colour
    shades += (skin_tone * 0.8 - shades) * bare[..., None]
    faces = sheet_faces(_CAP_ROWS, _CAP_COLUMNS, True)
    return points.reshape(-1, 3), faces, shades.reshape(-1, 3)


def _ribbons(skull: Skull, style: Style, colour: NDArray, rng: np.random.Generator) -> Mesh:
    """Tapered ribbons from roots all over the scalp: broad dark locks under finer ones."""
    steps = int(np.interp(style.length_top, [20, 250], [4, 8])) + 2 * (style.curl > 4)
    count = _RIBBON_QUADS // steps
    phi = rng.uniform(-np.pi, np.pi, count)
    # Uniform on the sphere above the hairline.
    edge = hairline(phi, style.line)
    theta = np.arccos(1 - rng.uniform(0, 1, count) * (1 - np.cos(edge * 0.99)))
    side = np.clip((theta - np.radians(40)) / np.radians(35), 0, 1) * (np.abs(phi) > 0.8)
    length = style.length_top + (style.length_side - style.length_top) * side
    length *= rng.uniform(0.7, 1.12, count) * skull.scale
    # 0 = next to the skin, 1 = on top.
    layer = np.linspace(0, 1, count)
    height = _height(style, theta) * (0.55 + 0.6 * layer) + rng.uniform(0.5, 3, count)
    stray = rng.random(count) < 0.1
    slack = (3 + 0.5 * height * (1 + style.out)) * rng.exponential(1, count) * style.loose
    slack[stray] *= 3
    path = _trace(skull, style, rng, phi, theta, length, height, slack, steps)
    long = min(style.length_top / 160, 1.0)
    width = rng.uniform(1.2, 4 + 2 * long, count) + (1 - layer) ** 2 * (2 + 9 * long)
    width *= np.interp(style.length_top, [6, 25], [0.4, 1])
    width[stray] = rng.uniform(0.9, 1.8, stray.sum())
    # Highlights in bright hair would look like paper.
    contrast = 0.1 + 0.28 * min(style.length_top / 60, 1.0) * (1 - 0.7 * min(1, colour.max() / 0.6))
    shade = np.exp(contrast * (2 * layer - 1.2))[:, None, None]
    return as_ribbons(skull, path, width, colour * shade, rng, contrast)


def _trace(
    skull: Skull,
    style: Style,
    rng: np.random.Generator,
    phi: NDArray,
    theta: NDArray,
    length: NDArray,
    height: NDArray,
    slack: NDArray,
    steps: int,
) -> NDArray:
    """(steps + 1, N, 3) the way of every ribbon from its root."""
    point = skull.above(phi, theta, 0.5 * height)
    root = (point - skull.middle) / 100
    swerve = waves(root, rng, 0.9, channels=3) * 0.5 * style.wild
    swerve += rng.normal(0, 0.35, point.shape) * style.wild
    aside = np.where(root[:, 0] * 100 > style.part, 1.0, -1.0)
    cut = style.fringe + rng.normal(0, np.radians(2.5), len(phi))
    step = (length / steps)[:, None]
    turn = rng.uniform(0, 2 * np.pi, len(phi))
    path = [point]
    going = np.ones((len(phi), 1))
    for k in range(steps):
        normal = (point - skull.middle) / 100
        heavy = (k + 1) / steps
        pull = np.empty_like(point)
        top = np.clip(normal[:, 1] + 0.2, 0, 1)
        pull[:, 0] = aside * style.aside * top
        pull[:, 1] = -style.down - heavy * (length > 100)
        pull[:, 2] = -style.back * np.clip(normal[:, 1] + 0.4, 0.2, 1)
        pull += normal * style.out * (1 - 0.6 * heavy)
        # From the crown hair runs to all sides.
        crown = np.clip(1.1 - np.hypot(normal[:, 0], normal[:, 2] + 0.2), 0, 1) * style.down
        pull[:, 0] += crown * normal[:, 0]
        pull[:, 2] += crown * (normal[:, 2] + 0.2)
        pull += swerve
        pull /= np.maximum(np.linalg.norm(pull, axis=1, keepdims=True), 1e-6)
        point = point + pull * step * going
        if style.curl:
            phase = turn + k * 2.1
            curl = np.stack([np.cos(phase), 0.5 * np.sin(phase), np.sin(phase)], 1)
            point = point + curl * (style.curl * min(1.0, 0.4 * k) * 0.6)
        here_phi, here_theta, r = skull.to_polar(point)
        in_front = np.abs(here_phi) < np.radians(58)
        if style.fringe:
            going = going * ~(in_front & (here_theta > cut))[:, None]
            bound = cut + np.radians(3)
        else:
            bound = hairline(here_phi, style.line) + np.radians(4)
        here_phi, here_theta = _off_the_face(style, here_phi, here_theta, bound, aside)
        least = skull.radius_at(here_phi, here_theta) + height * (1 - 0.5 * heavy**2)
        # Hair clings: few flyaways stand off further than its volume.
        most = least + slack * (0.3 + 0.7 * heavy) + np.maximum(0, here_theta - 1.9) * 60
        r = np.where(r > most, most + 0.15 * (r - most), r)
        point = skull.from_polar(here_phi, here_theta, np.maximum(r, least))
        path.append(point)
    return np.stack(path)


def _off_the_face(
    style: Style, phi: NDArray, theta: NDArray, bound: NDArray, aside: NDArray
) -> tuple[NDArray, NDArray]:
    """Part what has come below ``bound`` like a curtain; a fringe is cut there instead."""
    if style.fringe:
        stay = np.abs(phi) < np.radians(58)
        theta = np.where(stay, np.minimum(theta, bound), theta)
    side = np.where(np.abs(phi) < 0.35, aside, np.sign(phi))
    free = np.where(side < 0, style.opening[0], style.opening[1])
    free = free * np.clip((theta - bound) / np.radians(14), 0, 1)
    turned = np.maximum(np.abs(phi), free)
    return np.where(np.abs(phi) < free, side * turned, phi), theta


def as_ribbons(
    skull: Skull,
    path: NDArray,
    width: NDArray,
    colour: NDArray,
    rng: np.random.Generator,
    contrast: float = 0.35,
) -> Mesh:
    """Ribbons of ``width`` (N,) along ``path`` (steps, N, 3), flat on the head, facing out.

    ``colour`` (3,) or (N, 1, 3) varies by ``contrast`` (of its logarithm) from one to the next,
    and is darker at the roots.
    """
    steps, count = path.shape[:2]
    along = np.gradient(path, axis=0)
    outward = path - skull.middle
    outward = outward + rng.normal(0, 35, (1, count, 3))
    across = np.cross(outward, along)
    across /= np.maximum(np.linalg.norm(across, axis=2, keepdims=True), 1e-6)
    taper = np.interp(np.linspace(0, 1, steps), [0, 0.2, 0.7, 1], [0.6, 1, 0.85, 0.08])
    half = across * (0.5 * width * taper[:, None])[..., None]
    points = np.stack([path - half, path + half], axis=2)  # (steps, N, 2, 3)
    points = points.transpose(1, 0, 2, 3).reshape(-1, 3)
    streak = np.exp(rng.normal(0, contrast, count))[:, None]
    streak = streak * np.exp(contrast * np.linspace(-1, 0.4, steps))
    tint = 1 + rng.normal(0, 0.03, (count, 1, 3))
    shades = (streak[..., None] * tint * colour).repeat(2, axis=1)
    return points, many_sheets(count, steps, 2), shades.reshape(-1, 3)


def _bun(skull: Skull, colour: NDArray, rng: np.random.Generator) -> Mesh:
    """A knot at the back or on top, or a tail that hangs from it."""
    theta = rng.uniform(0.35, 1.9)
    away = skull.above(np.pi, theta, 12)
    unit, faces = ball(9, 14)
    size = rng.uniform(18, 38) * rng.uniform(0.85, 1.15, 3)
    if rng.random() < 0.4:
        size = size * np.array([0.8, rng.uniform(2, 4), 0.8])
        away = away - np.array([0, size[1] * 0.7, 5])
    points = away + unit * size * (1 + 0.12 * waves(unit, rng, 0.8))
    streak = np.tile(rng.normal(0, 0.3, 14), 9)[:, None] + 0.1 * waves(unit, rng, 0.4)
    return points, faces, np.exp(streak) * colour
