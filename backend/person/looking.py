"""Photos of a person, read one after the other: the faces in each, who they are, what they show.

A photo's pixels are let go of once its evidence is gathered, and read again where they are needed:
the memory that is taken does not grow with the number of photos.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..detect import Detector
from ..detect.recognition import descriptor
from ..errors import FaceError, NoFaceError
from ..exchange.options import Options
from ..fit import Evidence, gather
from ..fit.confidence import confidence_of
from ..fit.faces import Face, prominent_faces, sharpness, with_landmarks
from ..fit.together.fits import Sighted, sighted, without_pixels
from ..geometry.chunks import each
from ..model import FaceModel
from ..photo import Photo, read_photo

Double = NDArray[np.float64]

#: Faces of a photo that are compared with the others'.
MOST_FACES = 4
#: Degrees at which a face counts for a third as main photo, and the side of its box in pixels from
#: which on more tell nothing.
_TURNED, _LARGE_PX = 25.0, 400.0
#: How much a face with something before the mouth, and one that does not stand upright, count as
#: main photo: any other is better to be shown with.  Set by eye.
_COVERED, _NOT_UPRIGHT = 0.2, 0.1
#: Sharpness (:func:`..fit.faces.sharpness`) from which on a photo is as good as any.
_SHARP = 0.1


@dataclass(frozen=True, eq=False)
class Given:
    """One of the photos as they were handed in."""

    number: int  #: its place in the list, from 0
    path: Path
    photo: Photo | None = None  #: where it was read before: then it stays in memory
    corrected: Sequence[Sequence[float]] | None = None

    def read(self) -> Photo:
        """The photo.  Raises :class:`~..errors.PhotoError`."""
        return read_photo(self.path) if self.photo is None else self.photo

    @property
    def name(self) -> str:
        """For sentences."""
        return self.path.name


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo with its faces, without its pixels."""

    given: Given
    digest: str  #: of the pixels
    faces: tuple[Face, ...]
    persons: tuple[Double | None, ...]  #: (128,) of each face; None: its landmarks are guesses
    sharpness: tuple[float, ...]  #: of each face
    evidence: tuple[Evidence | None, ...]  #: of each face, where it was gathered already


@dataclass(frozen=True, eq=False)
class View:
    """One face of one photo that is taken for the person's."""

    given: Given
    digest: str
    person: Double | None  #: (128,)
    sight: Sighted
    quality: float  #: how good a main photo this is
    weight: float  #: 0..1 how far it is believed


def look(
    given: Given, model: FaceModel, options: Options, detector: Detector | None = None
) -> Seen:
    """The faces of a photo.  Raises what reading a photo and finding a face raise."""
    photo = given.read()
    digest = hashlib.blake2b(np.ascontiguousarray(photo.pixels).data, digest_size=16).hexdigest()
    found = prominent_faces(photo, detector)[:MOST_FACES]
    faces = [with_landmarks(photo, face) if options.landmarks else face for face in found]
    evidence: list[Evidence | None] = [None] * len(faces)
    if len(faces) == 1:  # whoever it is, this face is the one
        evidence[0] = _evidence(given, photo, faces[0], model, options)
    persons = [_person(photo, face, one) for face, one in zip(faces, evidence, strict=True)]
    sharp = tuple(sharpness(photo.pixels, face.detection.box) for face in faces)
    light = tuple(None if one is None else one.of_photo(_kept(given, photo)) for one in evidence)
    return Seen(given, digest, tuple(faces), tuple(persons), sharp, light)


def view_of(seen: Seen, place: int, model: FaceModel, options: Options) -> View:
    """The face ``place`` of a photo by itself.  Raises :class:`NoFaceError` where it cannot be
    read."""
    photo = seen.given.read()
    evidence = seen.evidence[place]
    if evidence is None:
        evidence = _evidence(seen.given, photo, seen.faces[place], model, options)
    evidence = evidence.of_photo(photo)
    one = sighted(evidence, model)
    score = confidence_of(evidence, one.alone).score
    yaw = one.alone.camera.euler_degrees[0]
    quality = (
        score
        * (_COVERED if evidence.covering is not None else 1.0)
        * (_NOT_UPRIGHT if evidence.face.detection.quarter_turns else 1.0)
        * float(np.exp(-((yaw / _TURNED) ** 2)))
        * min(evidence.face.side / _LARGE_PX, 1.0) ** 0.5
        * min(seen.sharpness[place] / _SHARP, 1.0) ** 0.5
    )
    person = seen.persons[place]
    if person is None:
        person = descriptor(photo.pixels, evidence.marks)
    kept = replace(one, evidence=evidence.of_photo(_kept(seen.given, photo)))
    return View(seen.given, seen.digest, person, kept, quality, believed(one))


def believed(one: Sighted) -> float:
    """0..1 how far a photo is believed beside others: turned heads as much as frontal ones, as it
    is of these that the depth is told."""
    evidence, alone = one.evidence, one.alone
    score = confidence_of(evidence, alone).score
    frontal = replace(alone, camera=replace(alone.camera, rotation=np.diag([1.0, -1.0, -1.0])))
    return max(confidence_of(evidence, frontal).score, score, 0.05)


def _evidence(
    given: Given, photo: Photo, face: Face, model: FaceModel, options: Options
) -> Evidence:
    corrected = None if given.corrected is None else [list(point) for point in given.corrected]
    return gather(photo, face, model, replace(options, corrected=corrected, face="largest"))


def _person(photo: Photo, face: Face, evidence: Evidence | None) -> Double | None:
    marks = face.landmarks if evidence is None else evidence.marks
    return None if marks is None else descriptor(photo.pixels, marks)


def _kept(given: Given, photo: Photo) -> Photo:
    """What is kept of a photo: all of one that was handed in as pixels."""
    return photo if given.photo is not None else without_pixels(photo)


def looked_at(
    photos: Sequence[Given],
    model: FaceModel,
    options: Options,
    detector: Detector | None = None,
    said: Callable[[], None] | None = None,
) -> tuple[list[Seen], list[tuple[Given, FaceError]]]:
    """All photos, and those that cannot be used with the reason; ``said`` is called at each.

    Raises the reason where it is the same kind for all: none can be used then.
    """

    def one(given: Given) -> Seen | FaceError:
        if said:
            said()
        try:
            return look(given, model, options, detector)
        except FaceError as error:
            return error

    seen: list[Seen] = []
    left: list[tuple[Given, FaceError]] = []
    for given, found in zip(photos, each(one, photos), strict=True):
        if isinstance(found, FaceError):
            left.append((given, found))
        else:
            seen.append(found)
    if not seen:
        if all(type(error) is type(left[0][1]) for _, error in left) or not left:
            raise left[0][1] if left else NoFaceError("No photo was given.")
        raise NoFaceError(f"None of the {len(left)} photos shows a face: {left[0][1]}")
    return seen, left
