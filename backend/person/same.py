"""Which faces are one person's, and which photos are the same picture.

dlib's descriptor (:mod:`..detect.recognition`) lies within 0.6 for two photos of one person and
beyond for two people (King 2017, 99.4 % on Labeled Faces in the Wild).  Of 15 frames of three
people one person's are up to 0.57 apart and two people's 0.81 at least.  It is less sure of
children, of relatives, of photos many years apart, and of profiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]

#: dlib's own bound.
SAME_PERSON = 0.6
#: Two descriptors and two sets of landmarks (root mean square, of their size) that are nearer are
#: of one picture, saved anew or resized: the nearest frames of those films have 0.26 and 0.056.
SAME_PICTURE, SAME_MARKS = 0.12, 0.008


def chosen_faces(
    photos: Sequence[Sequence[NDArray | None]], areas: Sequence[Sequence[float]]
) -> tuple[list[int], list[float]]:
    """Per photo the face of the person whom most photos show, and how far it is from the others.

    ``photos`` hold the descriptors (128,) of their faces, None where one cannot be told; ``areas``
    their sizes.  The person is the one whose face, as the middle, has the most photos with one
    within :data:`SAME_PERSON`.  One that is not, but is so near to one of these, as a profile is to
    a half profile, has that distance.  Where none can be told the largest face is taken, at
    distance 0.
    """
    everyone = [
        (face, area)
        for faces, sizes in zip(photos, areas, strict=True)
        for face, area in zip(faces, sizes, strict=True)
        if face is not None
    ]
    middle, best = None, (-1, 0.0, 0.0)
    for one, area in everyone:
        nearest = np.array([_nearest(faces, one) for faces in photos])
        near = nearest[nearest < SAME_PERSON]
        # Of two photos of two people the larger face.
        worth = (len(near), -float(near.sum()), area)
        if worth > best:
            middle, best = one, worth
    places, distances = [], []
    for faces, sizes in zip(photos, areas, strict=True):
        away = [np.inf if f is None or middle is None else _apart(f, middle) for f in faces]
        if np.isfinite(away).any():
            places.append(int(np.argmin(away)))
            distances.append(float(np.min(away)))
        else:
            places.append(int(np.argmax(sizes)))
            distances.append(0.0)
    return places, _bridged(photos, places, distances)


def _bridged(
    photos: Sequence[Sequence[NDArray | None]], places: Sequence[int], distances: list[float]
) -> list[float]:
    """``distances`` to the middle, or to the nearest of those that are near to it if that is less
    than :data:`SAME_PERSON`."""
    faces = [given[place] for given, place in zip(photos, places, strict=True)]
    group = [
        face
        for face, away in zip(faces, distances, strict=True)
        if face is not None and away < SAME_PERSON
    ]
    out = []
    for face, away in zip(faces, distances, strict=True):
        if face is not None and away >= SAME_PERSON and group:
            nearest = min(_apart(face, other) for other in group)
            away = nearest if nearest < SAME_PERSON else away
        out.append(away)
    return out


def _nearest(faces: Sequence[NDArray | None], one: NDArray) -> float:
    return min((_apart(face, one) for face in faces if face is not None), default=np.inf)


def _apart(a: NDArray, b: NDArray) -> float:
    return float(np.linalg.norm(a - b))


def same_picture(a: NDArray, b: NDArray, first: NDArray | None, second: NDArray | None) -> bool:
    """Whether landmarks ``a`` and ``b`` (68, 2) and the descriptors (128,) beside them are of one
    picture, whatever its size."""
    if first is None or second is None or _apart(first, second) > SAME_PICTURE:
        return False
    return bool(np.sqrt(np.square(_scaled(a) - _scaled(b)).sum(1).mean()) < SAME_MARKS)


def _scaled(marks: NDArray) -> Double:
    """(68, 2) about their middle, of size 1."""
    off = np.asarray(marks, np.float64) - np.mean(marks, axis=0)
    return off / np.sqrt(np.square(off).sum(1).mean())
