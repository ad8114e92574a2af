"""A rig of sun lights that shades the head as the photo's spherical harmonics do.

Second-order irradiance (Ramamoorthi and Hanrahan 2001, "An Efficient Representation for Irradiance
Environment Maps") is matched by a few wide suns found by non-negative orthogonal matching pursuit
(Bruckstein, Elad and Zibulevsky 2008), so the user's World stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ..backend.exchange import Reconstruction
from ..backend.geometry.harmonics import SH_CONSTANT, fibonacci_sphere, shade
from ..backend.geometry.triangles import unit
from .coordinates import HEAD_TO_BLENDER

#: Custom property that marks our lights.
TAG = "reconstruct_face_light"

MOST_SUNS = 7

#: Angular diameters.  As wide as a soft box, a sun shades as smoothly as the harmonics do: 6 of 90
#: degrees come within 1 to 3 % of them, 8 of 12 degrees within 5 %.  The key is small enough to
#: glint in the eyes.
WIDE_ANGLE = np.radians(90.0)
KEY_ANGLE = np.radians(20.0)

#: Below this the light is "not estimated" rather than dark.
_NO_LIGHT = 1e-6


@dataclass(frozen=True)
class Sun:
    """One distant light.  ``strength`` (3,) linear RGB is the shading it gives to a white diffuse
    surface that faces it, so Blender's energy is pi times that."""

    direction: NDArray[np.float64]  #: (3,) unit, towards the light, head coordinates
    strength: NDArray[np.float64]  #: (3,)
    angle: float = KEY_ANGLE  #: angular diameter, radians; softens shadows and highlights
    shadow: bool = True
    glossy: bool = True  #: whether it shows in reflections


def suns_for(reconstruction: Reconstruction) -> list[Sun]:
    """The suns for the photo: its estimated light, or even light where light is in the texture.

    A texture that still holds the photo's light ("photo") must not be lit a second time.  Without
    an estimate the rig is a neutral three-point one.
    """
    seen_from = -reconstruction.rotation.T @ reconstruction.translation
    seen_from = seen_from / max(float(np.linalg.norm(seen_from)), 1e-9)
    if reconstruction.texture_mode == "photo":
        return even_suns(seen_from)
    if np.abs(reconstruction.sh_light).max() < _NO_LIGHT:
        return studio_suns()
    return fit_suns(reconstruction.sh_light, seen_from)


def even_suns(seen_from: NDArray) -> list[Sun]:
    """White light of shading 1 from everywhere, without shadows; one sun to glint in the eyes."""
    white = np.zeros((9, 3))
    white[0] = 1.0 / SH_CONSTANT
    suns = fit_suns(white, seen_from)
    return [replace(sun, shadow=False) for sun in suns]


def studio_suns() -> list[Sun]:
    """A neutral portrait light: key from the upper left of the picture, fill, rim, and ambience."""
    rig = (
        # direction, shading, angle in degrees, shadow, glossy
        ((-0.55, 0.55, 0.85), 0.62, 24.0, True, True),
        ((0.75, 0.1, 0.7), 0.24, 60.0, True, False),
        ((0.4, 0.6, -0.9), 0.35, 30.0, True, True),
        ((0.0, 0.0, 1.0), 0.16, 90.0, False, False),
        ((0.0, 1.0, 0.1), 0.10, 90.0, False, False),
    )
    return [
        Sun(unit(np.array(towards)), np.full(3, shading), np.radians(angle), shadow, glossy)
        for towards, shading, angle, shadow, glossy in rig
    ]


def fit_suns(sh_light: NDArray, seen_from: NDArray, most: int = MOST_SUNS) -> list[Sun]:
    """A key and at most ``most - 1`` wide suns whose shading is closest to ``sh_light`` (9, 3).

    ``seen_from`` (3,) is the unit direction from head to camera: what the photo shows counts
    fully, the far side, where the estimate is a guess, only a little.  Only the key, the first,
    casts shadows: the estimate knows nothing of occlusion, and with shadows from all sides eye
    sockets and teeth turn dark grey.  Only the key is reflected: a wide sun would veil iris and
    pupil.
    """
    normals, candidates = fibonacci_sphere(400), fibonacci_sphere(96)
    weight = np.sqrt(0.1 + 0.9 * np.clip(0.5 + normals @ seen_from, 0.0, 1.0))[:, None]
    target = shade(normals, sh_light) * weight
    cosine = normals @ candidates.T
    keys, wide = (disc_shading(cosine, angle) * weight for angle in (KEY_ANGLE, WIDE_ANGLE))
    # The key stands where the camera sees it in eyes and on wet lips, if at all possible.
    gain = _gain(keys, target) * (candidates @ seen_from > 0.2)
    key = int(gain.argmax())
    chosen: list[int] = []
    while True:
        response = np.concatenate([keys[:, [key]], wide[:, chosen]], axis=1)
        strengths = nonnegative_least_squares(response, target)
        gain = _gain(wide, target - response @ strengths)
        gain[chosen] = 0.0
        if len(chosen) == most - 1 or gain.max() < 1e-3 * np.linalg.norm(target):
            break
        chosen.append(int(gain.argmax()))
    suns = [Sun(candidates[key], strengths[0], KEY_ANGLE)]
    for i in np.argsort(-strengths[1:].sum(1)):
        towards, strength = candidates[chosen[i]], strengths[1 + i]
        suns.append(Sun(towards, strength, WIDE_ANGLE, shadow=False, glossy=False))
    return [sun for sun in suns if sun.strength.sum() > _NO_LIGHT]


def _gain(responses: NDArray, residual: NDArray) -> NDArray[np.float64]:
    """(K,) how much each column of ``responses`` (N, K) explains of ``residual`` (N, 3)."""
    shared = np.maximum(responses.T @ residual, 0.0).sum(1)
    return shared / np.linalg.norm(responses, axis=0)


def disc_shading(cosine: NDArray, angle: float) -> NDArray[np.float64]:
    """Shading by a sun of angular diameter ``angle``; 1 facing it, ``cosine`` to its middle.

    A point sun gives max(0, cosine); a wide one reaches round the edge, as in Cycles.
    """
    table = _disc_table(float(angle))
    turn = np.arccos(np.clip(cosine, -1.0, 1.0))
    return np.interp(turn, np.linspace(0.0, np.pi, len(table)), table)


@lru_cache(maxsize=4)
def _disc_table(angle: float, steps: int = 181) -> NDArray[np.float64]:
    """(steps,) :func:`disc_shading` at 0 to 180 degrees, by the mean over the sun's disc."""
    sky = fibonacci_sphere(20000)
    disc = sky[sky[:, 2] > np.cos(angle / 2)]
    turn = np.linspace(0.0, np.pi, steps)
    normals = np.stack([np.sin(turn), np.zeros(steps), np.cos(turn)], axis=1)
    table = np.maximum(normals @ disc.T, 0.0).mean(axis=1)
    return table / table[0]


def nonnegative_least_squares(a: NDArray, b: NDArray, sweeps: int = 400) -> NDArray[np.float64]:
    """(K, C) x >= 0 that minimises |a x - b|^2 for ``a`` (N, K), ``b`` (N, C).

    Coordinate descent on the normal equations (Franc, Hlavac and Navara 2005, "Sequential
    Coordinate-Wise Algorithm for the Non-negative Least Squares Problem"); Blender has no scipy.
    """
    gram, right = a.T @ a, a.T @ b
    x = np.zeros(right.shape)
    for _ in range(sweeps):
        before = x.copy()
        for k in range(len(x)):
            step = (right[k] - gram[k] @ x) / max(gram[k, k], 1e-12)
            x[k] = np.maximum(x[k] + step, 0.0)
        if np.abs(x - before).max() <= 1e-9 * max(np.abs(x).max(), 1e-12):
            break
    return x


def build_suns(suns: list[Sun], name: str = "Light") -> list[bpy.types.Object]:
    """A new sun object per entry of ``suns``, in no collection yet, at the origin."""
    return [_build_sun(sun, f"{name} {i}") for i, sun in enumerate(suns, start=1)]


def light_only(lights: Sequence[bpy.types.Object], collection: bpy.types.Collection) -> None:
    """Have ``lights`` light what is in ``collection`` and nothing else (light linking).

    A second head, and what the user has in the scene, would be lit by all suns together.  Cycles
    does this in every Blender that we know, EEVEE since 4.3.
    """
    for light in lights:
        light.light_linking.receiver_collection = collection
        light.light_linking.blocker_collection = collection


def is_light(thing: bpy.types.Object) -> bool:
    """Whether :func:`build_suns` made ``thing``."""
    return thing.type == "LIGHT" and TAG in thing


def _build_sun(sun: Sun, name: str) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "SUN")
    peak = float(sun.strength.max())
    # A sun of strength E gives a diffuse white surface that faces it the radiance E / pi.
    data.energy = np.pi * peak
    data.color = (sun.strength / peak).tolist()
    data.angle = sun.angle
    data.use_shadow = sun.shadow
    data.specular_factor = float(sun.glossy)  # EEVEE; Cycles asks the object
    light = bpy.data.objects.new(name, data)
    light[TAG] = 1
    light.visible_glossy = sun.glossy
    towards = Vector((HEAD_TO_BLENDER @ sun.direction).tolist())
    light.rotation_euler = towards.to_track_quat("Z", "Y").to_euler()
    return light
