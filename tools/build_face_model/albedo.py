"""The albedo space: principal components of painted, plausible albedo maps in linear light.

No open set of measured skin albedo maps exists, so maps are painted by region from colour
statistics: skin tones along a path through the ten steps of the Monk scale, redness along the
    haemoglobin direction of Jimenez et al. 2010 ("A practical appearance model for dynamic facial
    color"), and lips, brows, beard, scalp and irises on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from reconstruct_face.backend.geometry.srgb import decode
from scipy.ndimage import distance_transform_edt

from .identity import signs_of
from .regions import PUPIL_RADIUS, Anatomy, SurfacePoints, brow_distance, gaze_angle, smooth_step

SEED = 20_240_612
SAMPLES = 160
COMPONENTS = 16
TONE_SHRINK, FEATURE_SHRINK = 0.85, 0.65
"""Factors on the standard deviations of the first component (skin tone) and of the others. Painted
maps are bounded and their components depend on each other; independent normal draws would leave the
range of skin at the dark end, where an additive change of one channel turns the hue.
"""
FEATURE_WEIGHTS = {"iris": 12.0, "brows": 5.0, "lips": 5.0, "beard": 1.5}
"""How much more a texel of these regions counts in the variance: they are small, but a face is
known by them."""
CHUNK = 12_000
"""Texels painted at a time, so that all samples of a chunk fit in memory."""

# Skin in 8-bit sRGB from the lightest to the darkest step of the Monk scale: its lightness, with
# the chroma that calibrated photographs of skin show (the scale's own swatches are yellower, being
# meant for screens).
SKIN_TONES = np.array(
    [(240, 207, 190), (233, 193, 172), (223, 177, 152), (207, 157, 129), (187, 136, 106),
     (162, 112, 84), (133, 89, 65), (103, 68, 51), (78, 53, 42), (58, 41, 35)]
)  # fmt: skip
HAEMOGLOBIN = np.array([0.21, 0.75, 0.63])
"""Direction in -log RGB of more blood (Jimenez et al. 2010)."""
MELANIN = np.array([0.30, 0.47, 0.83])
HAIR_TONES = np.array([(24, 19, 17), (50, 35, 27), (88, 62, 43), (140, 104, 70), (150, 140, 130)])
IRIS_TONES = np.array(
    [(54, 31, 18), (86, 52, 28), (112, 88, 50), (96, 112, 84), (92, 120, 142), (112, 124, 132)]
)
IRIS_SHARES = np.array([0.38, 0.26, 0.13, 0.08, 0.10, 0.05])
SCLERA = np.array((226, 218, 210))
TEETH = np.array((226, 216, 194))
GUMS = np.array((176, 98, 94))
TONGUE = np.array((178, 96, 92))
MOUTH, CHEEK = np.array((122, 52, 50)), np.array((222, 140, 130))
"""Of the mouth's inside: its back, and cheeks and lips, which are paler."""
CHEEK_MM = (35.0, 72.0)
"""Between which z the one passes into the other; corners of the mouth lie at 83."""


@dataclass(frozen=True)
class AlbedoParameters:
    """Independent draws for N faces; each (N,) or (N, 3), colours in linear light."""

    skin: np.ndarray
    blood: np.ndarray
    cheeks: np.ndarray
    lips: np.ndarray
    lip_melanin: np.ndarray
    hair: np.ndarray
    brow_strength: np.ndarray
    brow_width: np.ndarray
    lids: np.ndarray
    beard: np.ndarray
    scalp: np.ndarray
    iris: np.ndarray
    neck: np.ndarray
    teeth: np.ndarray


def draw_parameters(count: int = SAMPLES, seed: int = SEED) -> AlbedoParameters:
    """Draws plausible colour parameters; hair and iris tend to be dark where the skin is."""
    rng = np.random.default_rng(seed)
    tone = 0.06 + 0.86 * rng.beta(2.6, 2.8, count)
    path = np.log(decode(SKIN_TONES / 255))
    steps = np.linspace(0, 1, len(path))
    skin = np.exp(np.stack([np.interp(tone, steps, path[:, c]) for c in range(3)], axis=1))
    skin *= np.exp(
        -rng.normal(0, 0.025, (count, 1)) * MELANIN - rng.normal(0, 0.04, (count, 1)) * HAEMOGLOBIN
    )
    hair_step = np.clip(rng.beta(0.9, 1.6, count) * (1.25 - 1.1 * tone), 0, 1) * (
        len(HAIR_TONES) - 1
    )
    hair = np.stack(
        [
            np.interp(hair_step, range(len(HAIR_TONES)), decode(HAIR_TONES / 255)[:, c])
            for c in range(3)
        ],
        axis=1,
    )
    pick = rng.choice(len(IRIS_TONES), count, p=IRIS_SHARES)
    pick = np.where(tone > 0.6, np.minimum(pick, 1), pick)
    man = rng.random(count) < 0.5
    return AlbedoParameters(
        skin=skin,
        blood=np.clip(rng.normal(1, 0.3, count), 0.2, 2),
        cheeks=np.clip(rng.normal(0.16, 0.09, count), 0, 0.5),
        lips=np.clip(rng.normal(0.38, 0.13, count), 0.08, 0.85),
        lip_melanin=np.clip(rng.normal(0.10 + 0.10 * tone, 0.10, count), -0.1, 0.5),
        hair=hair,
        brow_strength=np.clip(rng.normal(0.62, 0.17, count), 0.1, 0.95),
        brow_width=np.clip(rng.normal(1, 0.16, count), 0.6, 1.5),
        lids=np.clip(rng.normal(0.14, 0.10, count), -0.05, 0.5),
        beard=np.where(man, np.clip(rng.gamma(1.3, 0.10, count), 0, 0.5), 0.0),
        scalp=np.where(rng.random(count) < 0.5, rng.beta(2, 2, count) * 0.2, 0.0),
        iris=decode(IRIS_TONES / 255)[pick] * np.exp(rng.normal(0, 0.18, (count, 1))),
        neck=rng.normal(0.05, 0.05, count),
        teeth=rng.normal(0, 0.08, count),
    )


def paint(
    parameters: AlbedoParameters,
    points: SurfacePoints,
    masks: dict[str, np.ndarray],
    anatomy: Anatomy,
    scalp: bool,
) -> np.ndarray:
    """Paints N faces at T surface points: (N, T, 3) float32 linear albedo. ``scalp``: with hair on
    the scalp."""
    p = parameters

    def layer(strength: np.ndarray, where: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return (strength[:, None] * where)[..., None] * direction

    x, y, _ = points.position.T
    eye_y = anatomy.eye_centers[0, 1]
    cheek_y = anatomy.nose_tip[1] + 6
    cheek = np.exp(-(((np.abs(x) - 42) / 17) ** 2) - ((y - cheek_y) / 17) ** 2) * masks["face"]
    nose_end = (
        np.exp(-((np.linalg.norm(points.position - anatomy.nose_tip, axis=1) / 19) ** 2))
        * masks["face"]
    )
    ears = masks["ears"]
    red = 1.0 * cheek + 0.9 * nose_end + 0.7 * ears
    under_eye = (
        np.exp(-(((np.abs(x) - 27) / 13) ** 2) - ((y - eye_y + 15) / 6) ** 2) * masks["skin"]
    )
    forehead = smooth_step(y - eye_y, 20, 50) * masks["face"]

    depth = layer(p.cheeks * p.blood, red, HAEMOGLOBIN)
    depth = depth + layer(
        0.8 * p.lids, masks["lids"] + 0.55 * under_eye, 0.5 * MELANIN + 0.5 * HAEMOGLOBIN
    )
    depth += layer(p.neck, masks["neck"] + 0.6 * forehead, MELANIN)
    depth += layer(p.lips, masks["lips"], 1.25 * HAEMOGLOBIN) + layer(
        p.lip_melanin, masks["lips"], MELANIN + 0.5
    )
    colour = p.skin[:, None] * np.exp(-depth)

    # Stubble lets the skin shine through: it greys more than it browns.
    stubble = 0.55 * p.hair + 0.45 * p.skin * [0.55, 0.60, 0.66]
    colour = blend(colour, stubble, p.beard[:, None] * masks["beard"])
    across, along = brow_distance(points, anatomy)
    # Hairs lean outwards and come in uneven tufts.
    strands = 0.88 + 0.12 * np.sin(along * 130 + across * 2.4) * np.sin(
        along * 41 - across * 1.3 + 0.7
    )
    reach = smooth_step_each(np.abs(across), p.brow_width)
    brow_ends = smooth_step(along, -0.06, 0.12) * smooth_step(along, 1.04, 0.8)
    brow = reach * brow_ends * strands * (masks["brows"] > 0)
    colour = blend(colour, p.hair, p.brow_strength[:, None] * brow)
    if scalp:
        colour = blend(colour, p.hair, p.scalp[:, None] * masks["scalp"])
    return _paint_insides(colour, p, points, masks, anatomy).astype(np.float32)


def blend(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lays colours ``above`` (N, 3) over maps ``below`` (N, T, 3) with opacity (N, T), mixing in
    log light as hair does."""
    return below * (np.maximum(above[:, None], 1e-3) / below) ** opacity[..., None]


def smooth_step_each(distance: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(N, T): 1 within 0.5 of each width (N,), falling to 0 at 1.2 of it."""
    t = np.clip((1.2 - distance / width[:, None]) / 0.7, 0, 1)
    return t * t * (3 - 2 * t)


def _paint_insides(
    colour, p: AlbedoParameters, points: SurfacePoints, masks, anatomy: Anatomy
) -> np.ndarray:
    """Eyeballs, teeth, tongue and the mouth's inside over the skin colours."""
    radius = np.sin(np.minimum(gaze_angle(points, anatomy), np.pi / 2)) * anatomy.eye_radius
    eye = masks["sclera"] + masks["iris"] > 0
    # Sclera: off-white, pinker towards the corners.
    pink = smooth_step(radius, 8.5, 14.0)
    sclera = decode(SCLERA / 255) * np.exp(-0.5 * pink[:, None] * HAEMOGLOBIN)
    # Iris: lighter in the middle, a dark limbal ring, a black pupil.
    ring = 1 - 0.6 * smooth_step(radius, 4.9, 5.8)
    inner = 1 + 0.35 * smooth_step(radius, 4.2, 2.4)
    iris = p.iris[:, None] * (ring * inner)[:, None]
    iris = iris * smooth_step(radius, PUPIL_RADIUS - 0.3, PUPIL_RADIUS + 0.3)[:, None] + 0.006
    eyes = sclera * (1 - masks["iris"])[:, None] + iris * masks["iris"][:, None]
    colour = np.where(eye[:, None], eyes, colour)
    teeth = decode(TEETH / 255) * np.exp(-p.teeth[:, None, None] * MELANIN)
    colour = np.where((masks["teeth"] > 0)[:, None], np.broadcast_to(teeth, colour.shape), colour)
    front = smooth_step(points.position[:, 2], *CHEEK_MM)[:, None]
    mouth = decode(MOUTH / 255) * (1 - front) + decode(CHEEK / 255) * front
    for name, tone in (("tongue", decode(TONGUE / 255)), ("mouth", mouth)):
        colour = np.where((masks[name] > 0)[:, None], tone, colour)
    return np.where(
        np.char.startswith(points.island, "socket")[:, None], decode(GUMS / 255), colour
    )


def _texel_metric(masks: dict[str, np.ndarray]) -> np.ndarray:
    """(T,) weight of each texel in the variance."""
    base = 0.25 + 0.75 * masks["face"]
    return base + sum((weight - 1) * masks[name] for name, weight in FEATURE_WEIGHTS.items())


@dataclass(frozen=True)
class AlbedoModel:
    """mean (S, S, 3) and basis (A, S, S, 3), linear light; coefficients N(0, 1)."""

    mean: np.ndarray
    basis: np.ndarray
    variance_share: np.ndarray


@dataclass(frozen=True)
class Painted:
    """Texels of a layout: their surface points, and the region masks there."""

    points: SurfacePoints
    masks: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.points.position)

    def chunks(self) -> Iterator[tuple[slice, SurfacePoints, dict[str, np.ndarray]]]:
        """Rows of the texels, and what belongs to them."""
        for start in range(0, len(self), CHUNK):
            rows = slice(start, start + CHUNK)
            part = SurfacePoints(
                self.points.position[rows],
                self.points.source_uv[rows],
                self.points.island[rows],
                self.points.part[rows],
            )
            yield rows, part, {name: mask[rows] for name, mask in self.masks.items()}


def principal_mixing(texels: Painted, anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """The principal components over painted samples, as combinations of the samples.

    Returns:
        (SAMPLES, COMPONENTS) what a component takes of each sample's difference from the mean, and
        (COMPONENTS,) its share of the variance.
    """
    parameters = draw_parameters()
    gram = np.zeros((SAMPLES, SAMPLES))
    for _, part, masks in texels.chunks():
        maps = paint(parameters, part, masks, anatomy, scalp=True)
        flat = (maps - maps.mean(axis=0)) * np.sqrt(_texel_metric(masks))[:, None]
        flat = flat.reshape(SAMPLES, -1).astype(float)
        gram += flat @ flat.T
    variance, vectors = np.linalg.eigh(gram / (SAMPLES - 1))
    order = np.argsort(-variance)[:COMPONENTS]
    mixing = vectors[:, order] / np.sqrt(SAMPLES - 1)
    basis = _components(mixing, texels, anatomy)
    return mixing * signs_of(basis), variance[order] / variance.sum()


def _components(mixing: np.ndarray, texels: Painted, anatomy: Anatomy) -> np.ndarray:
    """(COMPONENTS, T, 3) the combinations ``mixing`` on some texels."""
    parameters = draw_parameters()
    basis = np.zeros((COMPONENTS, len(texels), 3))
    for rows, part, masks in texels.chunks():
        maps = paint(parameters, part, masks, anatomy, scalp=True)
        maps = maps - maps.mean(axis=0)
        basis[:, rows] = np.tensordot(mixing.T, maps.astype(float), axes=1)
    return basis


def build_albedo(
    texels: Painted, anatomy: Anatomy, covered: np.ndarray, weighed: Painted
) -> AlbedoModel:
    """Principal components over painted samples.

    Args:
        texels: the T covered texels.
        anatomy: measures of the mean head.
        covered: (S, S) bool, texels inside an island; the rest takes the nearest texel's colour.
        weighed: the texels over which variance counts: those of the layout for which the
            coefficients were defined, so that they keep their meaning in any other.
    """
    mixing, share = principal_mixing(weighed, anatomy)
    basis = _components(mixing, texels, anatomy)
    basis *= np.where(np.arange(COMPONENTS) == 0, TONE_SHRINK, FEATURE_SHRINK)[:, None, None]
    parameters = draw_parameters()
    bare = np.zeros((len(texels), 3))
    for rows, part, masks in texels.chunks():
        bare[rows] = paint(parameters, part, masks, anatomy, scalp=False).mean(axis=0)
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    texel = np.full(covered.shape, -1)
    texel[covered] = np.arange(len(texels))
    texel = texel[tuple(nearest)]
    return AlbedoModel(bare[texel], basis[:, texel], share)
