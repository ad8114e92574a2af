"""The identity space: principal components of plausible heads mixed from MakeHuman's modelling
targets.

A head is linear in the weights of the targets, so no head is ever sampled: only target weights are,
thousands of them, and the principal components follow exactly from their covariance. Mirrored twins
of all samples are included by splitting every target into its symmetric and antisymmetric half, so
each component is one or the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .source_data import Modifier, SourceData

SEED = 20_240_611
SAMPLES = 20_000
RACES = ("african", "asian", "caucasian")
GENDERS = ("female", "male")
AGES = ("child", "young", "old")
LEVELS = ("min", "average", "max")
SECTION_SIGMA = {
    "asym": 0.09,
    "cheek": 0.22,
    "chin": 0.19,
    "ears": 0.18,
    "eyebrows": 0.21,
    "eyes": 0.19,
    "forehead": 0.14,
    "head": 0.11,
    "mouth": 0.21,
    "neck": 0.08,
    "nose": 0.23,
}
"""Standard deviation of a slider's value by section; at 0.3 for all of them heads turn alien."""
SLIDER_SIGMA = {
    "chin-height-decr": 0.09,
    "chin-triangle": 0.08,
    "ear-shape-pointed": 0.04,
    "head-trans-in": 0.04,
    "mouth-trans-down": 0.14,
    "neck-trans-backward": 0.05,
    "neck-trans-in": 0.03,
}
"""Exceptions for sliders that leave the human range sooner."""
SIDE_JITTER = 0.05
"""Standard deviation of the difference of a left or right slider from the value both sides
share."""
SLIDER_LIMIT = 0.8
CHILD_SHARE = 0.012
OUTSIDE_FACE_WEIGHT = 0.15
"""Weight of the skull, ears and neck in the principal components, the face having 1."""


@dataclass(frozen=True)
class TargetSet:
    """Targets and a way to draw plausible weights for them.

    Attributes:
        paths: files of the T targets inside the source data folder.
        weights: (N, T) sampled weights.
    """

    paths: list[str]
    weights: np.ndarray


def _macro_targets(rng: np.random.Generator, count: int) -> TargetSet:
    """Race, gender, age, muscle and weight: products of barycentric weights, as the modelling
    program mixes them."""
    race = rng.dirichlet([0.7, 0.7, 0.7], count)
    male = rng.beta(0.5, 0.5, count)
    gender = np.stack([1 - male, male], axis=1)
    old = rng.beta(0.8, 1.5, count)
    child = np.where(rng.random(count) < CHILD_SHARE, rng.beta(2, 2, count), 0.0)
    age = np.stack([child, (1 - child) * (1 - old), (1 - child) * old], axis=1)
    muscle, weight = (
        np.stack([np.clip(-value, 0, 1), 1 - np.abs(value), np.clip(value, 0, 1)], axis=1)
        for value in np.clip(rng.normal(0, (0.3, 0.35), (count, 2)), -0.9, 0.9).T
    )
    paths, columns = [], []
    for g, gender_name in enumerate(GENDERS):
        for a, age_name in enumerate(AGES):
            both = gender[:, g] * age[:, a]
            for r, race_name in enumerate(RACES):
                paths.append(
                    f"mpfb2/targets/macrodetails/{race_name}-{gender_name}-{age_name}.target.gz"
                )
                columns.append(both * race[:, r])
            for m, muscle_name in enumerate(LEVELS):
                for w, weight_name in enumerate(LEVELS):
                    build = f"{gender_name}-{age_name}-{muscle_name}muscle-{weight_name}weight"
                    paths.append(f"mpfb2/targets/macrodetails/universal-{build}.target.gz")
                    columns.append(both * muscle[:, m] * weight[:, w])
    return TargetSet(paths, np.stack(columns, axis=1))


def _slider_targets(rng: np.random.Generator, count: int, modifiers: list[Modifier]) -> TargetSet:
    """Independent normal sliders; left and right ones of the same name share their value but for a
    small jitter."""
    shared: dict[str, np.ndarray] = {}
    paths, columns = [], []
    for modifier in modifiers:
        sigma = SLIDER_SIGMA.get(modifier.name, SECTION_SIGMA[modifier.section])
        if modifier.name not in shared:
            shared[modifier.name] = rng.normal(0, sigma, count)
        jitter = rng.normal(0, SIDE_JITTER, count) if modifier.side else 0.0
        value = np.clip(shared[modifier.name] + jitter, -SLIDER_LIMIT, SLIDER_LIMIT)
        if not modifier.negative:  # the single target works in both directions at this size
            paths.append(modifier.positive)
            columns.append(value)
            continue
        paths += [modifier.negative, modifier.positive]
        columns += [np.clip(-value, 0, None), np.clip(value, 0, None)]
    return TargetSet(paths, np.stack(columns, axis=1))


def sample_targets(source: SourceData, count: int = SAMPLES, seed: int = SEED) -> TargetSet:
    """Draws the weights of all identity targets for ``count`` plausible people."""
    rng = np.random.default_rng(seed)
    modifiers = [m for section in sorted(SECTION_SIGMA) for m in source.modifiers(section)]
    modifiers = [m for m in modifiers if not m.name.startswith("asymm-")]  # breast and trunk
    macro, sliders = _macro_targets(rng, count), _slider_targets(rng, count, modifiers)
    return TargetSet(
        macro.paths + sliders.paths, np.concatenate([macro.weights, sliders.weights], axis=1)
    )


def remove_rigid_motion(fields: np.ndarray, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Takes the best rotation and translation (linearised) out of displacement fields; size
    differences stay.

    Args:
        fields: (T, V, 3) displacements.
        points: (V, 3) positions they start from.
        weights: (V,) which vertices count for the alignment.

    Returns:
        (T, V, 3) aligned displacements.
    """
    centred = points - np.average(points, axis=0, weights=weights)
    x, y, z = centred.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    motions = np.array(
        [
            [zero, -z, y],
            [z, zero, -x],
            [-y, x, zero],
            [one, zero, zero],
            [zero, one, zero],
            [zero, zero, one],
        ]
    ).transpose(0, 2, 1)  # (6, V, 3): rotations about the three axes, translations along them
    flat = motions.reshape(6, -1)
    weighted = flat * np.repeat(weights, 3)
    motion_of = np.linalg.solve(
        weighted @ flat.T, weighted @ fields.reshape(len(fields), -1).T
    )  # (6, T)
    return fields - np.einsum("mt,mvd->tvd", motion_of, motions)


def mirrored(fields: np.ndarray, symmetry: np.ndarray) -> np.ndarray:
    """Mirror images of displacement fields (..., V, 3) about x = 0."""
    return fields[..., symmetry, :] * np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Components:
    """Principal components by falling variance.

    Attributes:
        basis: (K, V, 3) mm for N(0, 1) coefficients.
        symmetric: (K,) bool, mirror symmetric (otherwise antisymmetric).
        variances: (2T,) all of them in the metric, falling.
        mixing: (K, T) what of the symmetric or antisymmetric half of each target a component is:
            it says how what is no part of ``basis`` moves along.
    """

    basis: np.ndarray
    symmetric: np.ndarray
    variances: np.ndarray
    mixing: np.ndarray


def principal_components(
    fields: np.ndarray, weights: np.ndarray, metric: np.ndarray, symmetry: np.ndarray, count: int
) -> Components:
    """Exact principal components of all mixtures of the fields and of their mirrored twins.

    Args:
        fields: (T, V, 3) aligned targets.
        weights: (N, T) sampled target weights.
        metric: (V,) weight of each vertex in the variance.
        symmetry: (V,) mirror map.
        count: components to keep.
    """
    covariance = np.cov(weights, rowvar=False)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))  # covariance = root @ root.T
    candidates, mixtures, variances, flags = [], [], [], []
    for sign in (1.0, -1.0):
        half = (fields + sign * mirrored(fields, symmetry)) / 2
        flat = root.T @ half.reshape(len(half), -1)  # independent N(0, 1) directions
        gram = (flat * np.repeat(metric, 3)) @ flat.T
        variance, rotation = np.linalg.eigh(gram)
        candidates.append((rotation.T @ flat).reshape(half.shape))
        mixtures.append(rotation.T @ root.T)
        variances.append(variance)
        flags.append(np.full(len(half), sign > 0))
    variance = np.concatenate(variances)
    order = np.argsort(-variance, kind="stable")
    kept = order[:count]
    basis, mixing = np.concatenate(candidates)[kept], np.concatenate(mixtures)[kept]
    signs = signs_of(basis)
    return Components(
        basis * signs[:, None, None],
        np.concatenate(flags)[kept],
        variance[order],
        mixing * signs[:, None],
    )


def signs_of(basis: np.ndarray) -> np.ndarray:
    """(K,) -1 or 1, by which the largest entry of each component (K, V, 3) becomes positive:
    eigenvectors come with arbitrary signs."""
    flat = basis.reshape(len(basis), -1)
    # The largest entry has a mirror twin of equal size; rounding makes the choice between the two
    # repeatable.
    largest = np.argmax(np.round(np.abs(flat), 4), axis=1)
    return np.sign(flat[np.arange(len(flat)), largest])


def fix_signs(basis: np.ndarray) -> np.ndarray:
    """The components (K, V, 3) times :func:`signs_of`."""
    return basis * signs_of(basis)[:, None, None]
