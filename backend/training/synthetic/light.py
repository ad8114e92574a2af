"""Random lighting of a training picture: an environment in spherical harmonics plus lamps.

The label is the second-order irradiance of everything together (Ramamoorthi and Hanrahan 2001);
the pixels also see what that order cannot hold: shadow borders, highlights, red terminators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...geometry.harmonics import (
    COSINE_FACTORS,
    SH_CONSTANT,
    fibonacci_sphere,
    sh_basis,
    shade,
)
from ...geometry.rotation import about
from ...geometry.srgb import LUMINANCE

Float = NDArray[np.float32]

#: Fresnel reflectance of skin and of the eye's wet surface, head on.
SKIN_F0 = 0.03
#: How far red, green and blue light creep past the terminator, as a cosine.
SUBSURFACE = np.array([0.16, 0.07, 0.04], np.float32)
_UP, _RIGHT, _TO_CAMERA = np.array([0.0, -1, 0]), np.array([1.0, 0, 0]), np.array([0.0, 0, -1])

#: (8, 9, 3) irradiance over pi of Blender's studio lights, y up, mean luminance 1; CC0 (Greg Zaal,
#: Poly Haven).  Printed by tools/measure_studio_lights.py.
STUDIO_LIGHTS = np.array(
    [
        # city
        3.55, 3.55, 3.48, 1.99, 2.08, 2.27, -1.11, -1.08, -0.97,
        -0.76, -0.73, -0.65, -0.44, -0.43, -0.38, -0.63, -0.61, -0.53,
        -0.14, -0.15, -0.16, 0.26, 0.25, 0.19, -0.42, -0.41, -0.39,
        # courtyard
        4.26, 3.35, 3.33, 0.38, 0.64, 1.18, -0.99, -1.38, -2.06,
        0.91, 0.51, -0.06, -0.09, -0.13, -0.25, -0.31, -0.42, -0.72,
        0.57, 0.46, 0.56, -0.81, -0.45, -0.06, 0.62, 0.38, 0.12,
        # forest
        3.47, 3.55, 3.72, 1.64, 1.85, 2.27, -1.09, -0.91, -0.65,
        -1.25, -1.19, -1.28, -0.52, -0.52, -0.61, -0.35, -0.30, -0.24,
        0.18, 0.11, -0.05, 0.38, 0.31, 0.17, -0.04, -0.09, -0.21,
        # interior
        3.85, 3.49, 3.15, 1.91, 1.58, 1.04, -0.75, -0.98, -1.46,
        0.23, -0.03, -0.66, 0.44, 0.37, 0.15, -0.21, -0.19, -0.23,
        0.04, 0.12, 0.32, 0.26, 0.31, 0.43, -0.26, -0.15, 0.04,
        # night
        4.18, 3.47, 2.40, 1.00, 0.90, 0.85, 0.37, 0.66, 0.30,
        1.50, 1.16, 0.70, 0.23, 0.18, 0.13, 0.03, 0.02, -0.01,
        0.07, 0.21, 0.13, -0.02, 0.13, 0.16, 0.85, 0.59, 0.28,
        # studio
        3.07, 3.63, 4.09, 0.43, 0.51, 0.56, -0.23, -0.26, -0.28,
        -0.06, -0.18, -0.08, 0.03, -0.00, 0.03, -0.18, -0.20, -0.23,
        -0.26, -0.33, -0.35, 0.60, 0.70, 0.82, 0.90, 1.07, 1.21,
        # sunrise
        3.69, 3.57, 2.91, 0.61, 0.75, 0.97, -2.76, -2.44, -1.54,
        -2.06, -1.83, -1.16, -0.25, -0.24, -0.17, -0.35, -0.33, -0.23,
        0.76, 0.67, 0.43, 1.31, 1.16, 0.74, 0.52, 0.46, 0.28,
        # sunset
        3.63, 3.44, 4.37, 0.87, 1.16, 1.93, -1.67, -1.11, -0.88,
        -1.04, -0.54, -0.26, -0.16, -0.10, -0.05, -0.25, -0.18, -0.15,
        0.37, 0.16, 0.02, 0.49, 0.25, 0.15, 0.29, 0.15, 0.04,
    ],
    np.float32,
).reshape(8, 9, 3)  # fmt: skip


@dataclass(frozen=True)
class Lamp:
    """A far light: irradiance over pi is ``colour`` where it falls in head on."""

    direction: Float  #: (3,) unit, towards the lamp, head coordinates
    colour: Float  #: (3,) linear
    softness: float  #: 0 a point, 1 as wide as the sky; rounds the terminator and highlights


@dataclass(frozen=True, eq=False)
class Light:
    """The light on a head, exposure included."""

    sh: Float  #: (9, 3) irradiance of all, head coordinates, as ``raster.shade`` takes it
    ambient_sh: Float  #: (9, 3) the part without the lamps
    lamps: tuple[Lamp, ...]  #: 0..3


def lamp_sh(direction: NDArray, colour: NDArray) -> NDArray:
    """(9, 3) second-order SH of ``colour * max(0, n . direction)``."""
    return (np.pi * COSINE_FACTORS * sh_basis(np.asarray(direction, float)))[:, None] * colour


def rotate_sh(coefficients: NDArray, rotation: NDArray) -> NDArray:
    """(9, 3) the SH light after turning it by ``rotation`` (3, 3): new(R d) = old(d)."""
    directions, inverse = _sphere()
    return inverse @ (sh_basis(directions @ rotation) @ coefficients)


@lru_cache(maxsize=1)
def _sphere() -> tuple[NDArray, NDArray]:
    """(96, 3) directions spread over the sphere, and (9, 96) the least squares of their SH."""
    directions = fibonacci_sphere(96)[:, ::-1]  # x and z as the training pictures have had them
    return directions, np.linalg.pinv(sh_basis(directions))


def sample_light(rotation: NDArray, rng: np.random.Generator, tone: NDArray | None = None) -> Light:
    """A random light for a head turned by ``rotation`` (3, 3), head to camera (OpenCV).

    Directions are drawn around the camera and a level room, which do not turn with the head.
    ``tone`` (3,), the skin's linear colour, makes the exposure longer for dark skin, in part.
    """
    room = _room(rng)
    ambient, lamps = _SCENES[rng.choice(len(_SCENES), p=_SHARES)](room, rng)
    total = ambient + sum((lamp_sh(d, c) for d, c, _ in lamps), np.zeros((9, 3)))
    # The photographer exposes for what the camera sees of the face, and a little for all else.
    facing = _sphere()[0]
    nose = np.asarray(rotation) @ [0, 0, 1]
    weight = np.maximum(facing @ _TO_CAMERA, 0) * np.maximum(facing @ nose, 0) + 0.06
    seen = weight @ np.maximum(sh_basis(facing) @ total, 0) / weight.sum()
    exposure = _exposure(rng) / max(float(seen @ LUMINANCE), 1e-6)
    if tone is not None:
        exposure *= (0.27 / float(tone @ LUMINANCE)) ** rng.uniform(0.2, 0.6)

    to_head = np.asarray(rotation).T
    turned = rotate_sh(ambient, to_head) * exposure
    in_head = [
        Lamp((to_head @ d).astype(np.float32), (c * exposure).astype(np.float32), float(s))
        for d, c, s in lamps
    ]
    label = turned + sum((lamp_sh(lamp.direction, lamp.colour) for lamp in in_head), 0.0)
    return Light(label.astype(np.float32), turned.astype(np.float32), tuple(in_head))


def _exposure(rng: np.random.Generator) -> float:
    """Mean irradiance on the seen face: about 1, wrong in a tenth of the pictures."""
    if rng.random() < 0.1:
        return float(rng.uniform(0.35, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 2.4))
    return float(np.clip(rng.lognormal(0.1, 0.22), 0.65, 1.7))


def _room(rng: np.random.Generator) -> NDArray:
    """(3, 3) from room axes (y up, z towards the camera) to OpenCV camera axes, camera tilted."""
    pitch, roll = rng.normal(0, 0.15), rng.normal(0, 0.08)
    up = _UP + pitch * _TO_CAMERA + roll * _RIGHT
    up /= np.linalg.norm(up)
    right = np.cross(up, _TO_CAMERA)
    right /= np.linalg.norm(right)
    return np.stack([right, up, np.cross(right, up)], axis=1)


def _direction(room: NDArray, azimuth: float, elevation: float) -> NDArray:
    """(3,) camera coordinates; degrees from the camera to its right and upwards."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return room @ np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def _white(rng: np.random.Generator, spread: float = 0.12) -> NDArray:
    """(3,) a light's colour near white, warm or cold, of luminance 1."""
    warm, tint = rng.normal(0, spread), rng.normal(0, 0.15 * spread)
    colour = np.exp([warm, tint, -1.3 * warm])
    return colour / (colour @ LUMINANCE)


def _vivid(rng: np.random.Generator) -> NDArray:
    """(3,) a coloured lamp, of luminance 1 at most."""
    hue = (rng.random() + np.array([0, 1 / 3, 2 / 3])) * 2 * np.pi
    colour = np.clip(0.5 + rng.uniform(0.3, 0.6) * np.cos(hue), 0.02, None)
    return colour / max(colour @ LUMINANCE, 0.35)


def _environment(room: NDArray, rng: np.random.Generator) -> NDArray:
    """(9, 3) camera coordinates, mean luminance about 1: a measured panorama, a mix of two, or
    random harmonics with a bright side above or in front."""
    if rng.random() < 0.55:
        turn = about(rng.uniform(0, 2 * np.pi), 1)
        mix = rng.dirichlet([0.4] * len(STUDIO_LIGHTS))
        light = np.tensordot(mix, STUDIO_LIGHTS, 1) * _white(rng, 0.08)
        return rotate_sh(light, room @ turn)
    light = np.zeros((9, 3))
    light[0] = 1 / SH_CONSTANT
    light = light * _white(rng)
    for strength in (rng.uniform(0.1, 0.75), rng.uniform(0, 0.3)):
        side = _direction(room, rng.normal(0, 50), rng.normal(35, 25))
        light = 0.9 * light + lamp_sh(side, 1.2 * strength * _white(rng))
    light[1:] += rng.normal(0, 0.12, (8, 1)) + rng.normal(0, 0.03, (8, 3))
    return light


def _plain(room, rng):
    return _environment(room, rng), []


def _key(room, rng):
    """A main lamp or window, perhaps a fill and a rim light."""
    key = _direction(room, rng.uniform(-65, 65), rng.uniform(0, 60))
    lamps = [(key, rng.uniform(0.5, 2.2) * _white(rng), rng.uniform(0.1, 0.7))]
    if rng.random() < 0.3:
        fill = _direction(room, rng.uniform(-60, 60), rng.uniform(-10, 40))
        lamps.append((fill, rng.uniform(0.2, 0.7) * _white(rng), rng.uniform(0.3, 0.9)))
    if rng.random() < 0.35:
        lamps.append(_rim(room, rng))
    return rng.uniform(0.3, 0.9) * _environment(room, rng), lamps


def _rim(room, rng):
    side = rng.choice([-1, 1]) * rng.uniform(105, 165)
    colour = rng.uniform(0.5, 2.5) * _white(rng, 0.2)
    return _direction(room, side, rng.uniform(0, 50)), colour, rng.uniform(0.1, 0.5)


def _sun(room, rng):
    """Hard and warm, under a blue sky."""
    sun = _direction(room, rng.uniform(-180, 180), rng.uniform(15, 75))
    warmth = np.exp(rng.uniform(0, 0.22) * np.array([1, 0, -1.4]))
    sky = _environment(room, rng) * np.exp(rng.uniform(0, 0.15) * np.array([-1, 0, 1]))
    return 0.55 * sky, [(sun, rng.uniform(0.8, 2.5) * warmth, rng.uniform(0, 0.08))]


def _flash(room, rng):
    flash = _direction(room, rng.normal(0, 4), rng.uniform(0, 10))
    colour = rng.uniform(0.8, 2.5) * _white(rng, 0.06)
    return rng.uniform(0.15, 0.6) * _environment(room, rng), [(flash, colour, rng.uniform(0, 0.15))]


def _low_key(room, rng):
    """Side light in a dark room."""
    side = _direction(room, rng.choice([-1, 1]) * rng.uniform(50, 105), rng.uniform(-5, 50))
    lamps = [(side, rng.uniform(1, 3) * _white(rng, 0.15), rng.uniform(0.05, 0.6))]
    if rng.random() < 0.4:
        lamps.append(_rim(room, rng))
    return rng.uniform(0.08, 0.3) * _environment(room, rng), lamps


def _coloured(room, rng):
    """Stage or party lamps."""
    lamps = []
    for side in (-1, 1)[: rng.integers(1, 3)]:
        direction = _direction(room, side * rng.uniform(10, 120), rng.uniform(-20, 60))
        lamps.append((direction, rng.uniform(0.4, 1.6) * _vivid(rng), rng.uniform(0.1, 0.6)))
    return rng.uniform(0.15, 0.6) * _environment(room, rng), lamps


_SCENES = (_plain, _key, _sun, _flash, _low_key, _coloured)
_SHARES = (0.28, 0.34, 0.12, 0.12, 0.10, 0.04)


def shade_pixels(
    normals: NDArray,
    view: NDArray,
    albedo: NDArray,
    light: Light,
    shadow: NDArray,
    ambient_occlusion: NDArray,
    gloss: NDArray,
    roughness: NDArray,
) -> Float:
    """(N, 3) linear colour of N surface points; vectors in head coordinates.

    Args:
        normals: (N, 3) unit.
        view: (N, 3) unit, towards the camera.
        albedo: (N, 3) linear.
        light: with L lamps.
        shadow: (N, L) how much of each lamp is seen, 0..1.
        ambient_occlusion: (N,) how much of the surroundings is seen, 0..1.
        gloss: (N,) strength of the reflection: 1 a smooth wet surface, 0 none.
        roughness: (N,) 0..1, the square root of the slope's deviation as artists use it.

    Diffuse: SH for the surroundings, a cosine with a soft, reddish terminator for each lamp.
    Specular: normalised Blinn-Phong with Schlick's Fresnel term (Akenine-Moeller et al., Real-Time
    Rendering, 3rd ed., 7.6) for lamps; the SH light in the mirror direction for the surroundings.
    """
    n, v = np.asarray(normals, np.float32), np.asarray(view, np.float32)
    open_sky = np.asarray(ambient_occlusion, np.float32)[:, None]
    facing = np.clip(np.einsum("nk,nk->n", n, v), 0, 1)
    # Light that bounces inside a crease is coloured by the skin: it darkens less in red.
    crease = open_sky * (1 - open_sky) * np.array([0.2, 0.0, -0.05], np.float32)
    diffuse = shade(n, light.ambient_sh) * (open_sky + crease)
    mirror = 2 * facing[:, None] * n - v
    # Microfacets hide each other at grazing angles: far less than the full Fresnel rise.
    grazing = np.asarray(gloss, np.float32) * (0.5 * SKIN_F0 + 0.1 * _fifth(1 - facing))
    specular = grazing[:, None] * open_sky * shade(mirror, light.ambient_sh)
    for index, lamp in enumerate(light.lamps):
        seen = np.asarray(shadow[:, index], np.float32)
        cosine = n @ lamp.direction
        spread = SUBSURFACE + 0.35 * np.float32(lamp.softness)
        # A hyperbola in place of max(0, cosine), exact far from the terminator.
        soft = 0.5 * (cosine[:, None] + np.sqrt(cosine[:, None] ** 2 + spread**2))
        soft *= np.clip((cosine + 0.9) / 0.4, 0, 1)[:, None]
        diffuse += seen[:, None] * soft * lamp.colour
        shine = _blinn_phong(n, v, lamp, cosine, roughness)
        specular += (np.asarray(gloss, np.float32) * seen * shine)[:, None] * lamp.colour
    return np.asarray(albedo, np.float32) * diffuse + specular


def _blinn_phong(n: Float, v: Float, lamp: Lamp, cosine: Float, roughness: NDArray) -> Float:
    """(N,) specular reflection of a lamp of irradiance pi, with the cosine in it."""
    half = v + lamp.direction
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    # A wide lamp widens the highlight as a rougher surface would.
    slope = np.asarray(roughness, np.float32) ** 2 + 0.12 * lamp.softness
    exponent = 2 / np.clip(slope, 0.02, 0.8) ** 2 - 2
    lobe = np.exp(np.log(np.clip(np.einsum("nk,nk->n", n, half), 1e-4, 1)) * exponent)
    fresnel = SKIN_F0 + (1 - SKIN_F0) * _fifth(1 - np.clip(half @ lamp.direction, 0, 1))
    return fresnel * (exponent + 8) / 8 * lobe * np.maximum(cosine, 0)


def _fifth(x: Float) -> Float:
    square = x * x
    return square * square * x
