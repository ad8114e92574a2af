"""Who is seen in a clip: one head solved over its best frames.

Frames spread over the clip are looked at; the person seen most is taken.  To that person's sharp
and frontal frames, with different views among them, one head is fitted as to several photos
(:mod:`..fit.together`).  Each frame gives a texture, and every texel is taken from those that show
it best.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..assembly import assemble, bust_pictures, hair_of, hair_seen, shared_texture, shot_of
from ..detect.recognition import descriptor
from ..errors import ExchangeError, NoFaceError
from ..exchange import Reconstruction
from ..exchange.options import Options
from ..fit.brows import Scores
from ..fit.faces import Face, default_detector, with_landmarks
from ..fit.resting import RestingBrows, heights_of
from ..fit.scores import FRAME_LOOKS, look_at
from ..geometry.pose import initial_camera
from ..model import FaceModel, load_model
from ..network.regions import SIDES, regions_of
from ..photo import Photo
from .keyframes import Keyframe, face_of, face_share, fit_keyframes
from .shares import Here, Share, Shares
from .source import Bytes, Source
from .track import SAME_PERSON

Double = NDArray[np.float64]
Report = Callable[[float, str], None]

#: Frames looked at, and the memory they may take.
_LOOKED_AT, _BYTES = 24, 250_000_000
#: Frames that are fitted.
KEYFRAMES = 5
#: Faces of a frame that are looked at.
_FACES = 3
#: Spread of the landmark votes beyond which a frame is not fitted.
_STEADY = 0.015
#: Share of the progress before the first is fitted, which takes longer than to look for them.
_LOOKING = 0.2
#: Of the solve: each by itself, all together, their textures.
_STEPS = 3
#: Degrees between two keyframes that count as different views.
_APART = 8.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """A face in a frame."""

    index: int
    pixels: Bytes
    face: Face
    person: Double  #: (128,)
    yaw: float  #: degrees
    quality: float  #: higher is better
    brows: Double  #: (2, 2) mm, heights of inner and outer brows, right and left
    lowered: Double  #: (2,) weights of lowered brows as the networks read them, right and left
    raised: Scores | None  #: of raised ones


@dataclass(frozen=True, eq=False)
class Subject:
    """The person of a clip."""

    model: FaceModel
    identity: NDArray[np.float32]  #: (K,)
    camera_matrix: Double  #: (3, 3) of all frames
    person: Double  #: (128,) dlib's descriptor
    keyframes: tuple[Keyframe, ...]  #: the best first
    reconstruction: Reconstruction
    resting: RestingBrows
    looked_at: tuple[Candidate, ...]  #: what the person was found in, spread over the clip


def candidates(
    source: Source, progress: Report | None = None, shares: Shares | None = None
) -> list[Candidate]:
    """The faces in frames spread over the clip, of all persons; ``shares`` looks for them."""
    size = source.size[0] * source.size[1] * 3
    wanted = int(np.clip(_BYTES // max(size, 1), 8, _LOOKED_AT))
    step = max(1, (len(source.files) or source.count) // wanted)
    looked_at: list[tuple[int, Bytes]] = []

    def frames() -> Iterator[Share]:
        # Counted without those that are missing: every n-th number may be, in a folder.
        place = itertools.count()
        for frame in source.frames():
            if frame.pixels is None or next(place) % step:
                continue
            if progress:
                progress(min(frame.index / source.count, 1.0), "Looking for the best frames")
            looked_at.append((frame.index, frame.pixels))
            yield {"pixels": frame.pixels}

    found = []
    for number, told in enumerate((shares or Here()).map(face_finder, {}, frames())):
        index, pixels = looked_at[number]
        for one in told["faces"]:
            found.append(Candidate(index, pixels, face_of(one["face"]), **one["told"]))
    return found


def face_finder(common: Share) -> Callable[[Share], Share]:
    """A worker of :class:`.shares.Shares`: the faces of a frame, what :class:`Candidate` needs."""
    return lambda share: {"faces": _faces(share["pixels"])}


def _faces(pixels: Bytes) -> list[Share]:
    photo = Photo(pixels, Path(), None, False)
    found = []
    for number, detection in enumerate(default_detector().prominent(pixels)[:_FACES], start=1):
        face = with_landmarks(photo, Face(number, detection, None, None))
        if face.landmarks is None or (face.spread or 0.0) > _STEADY:
            continue
        yaw = yaw_of(face.landmarks, photo.size)
        brows, lowered, raised = _brows(pixels, face.landmarks)
        told = {
            "person": descriptor(pixels, face.landmarks),
            "yaw": yaw,
            "quality": _quality(pixels, face, yaw),
            "brows": brows,
            "lowered": lowered,
            "raised": raised,
        }
        found.append({"face": face_share(pixels, face)["face"], "told": told})
    return found


def _brows(pixels: Bytes, landmarks: NDArray) -> tuple[Double, Double, Scores | None]:
    """What :meth:`.resting.RestingBrows.of` needs of a face."""
    reader = regions_of(load_model())
    assert reader is not None
    look = look_at(reader, pixels, landmarks, FRAME_LOOKS)
    said = dict(zip(look.regions.names, look.regions.mean.tolist(), strict=True))
    heights = heights_of(landmarks, reader.template, look.brows)
    return heights, np.array([said["browDown" + side] for side in SIDES]), look.raised


def yaw_of(landmarks: NDArray, size: tuple[int, int]) -> float:
    model = load_model()
    points = model.mean[model.landmarks68][17:60]
    return initial_camera(points, landmarks[17:60], 900.0, None, size).euler_degrees[0]


def _quality(pixels: Bytes, face: Face, yaw: float) -> float:
    """Sharp, frontal, large, the mouth closed and the eyes open."""
    assert face.landmarks is not None and face.spread is not None
    marks = face.landmarks
    low = np.maximum(marks.min(0).astype(int), 0)
    high = marks.max(0).astype(int) + 1
    part = cv2.cvtColor(pixels[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    part = cv2.resize(part, (96, 96), interpolation=cv2.INTER_AREA)
    sharp = float(np.log(max(cv2.Laplacian(part.astype(np.float32), cv2.CV_32F).std(), 1e-3)))
    eyes = np.linalg.norm(marks[36] - marks[45])
    mouth = np.linalg.norm(marks[[61, 62, 63]] - marks[[67, 66, 65]], axis=1).mean() / eyes
    lids = np.linalg.norm(marks[[37, 38, 43, 44]] - marks[[41, 40, 47, 46]], axis=1).mean() / eyes
    return sharp - (yaw / 25.0) ** 2 - 60 * face.spread - 2 * mouth + 4 * lids


def main_person(found: list[Candidate], source: Source) -> list[Candidate]:
    """Those of ``found`` that show the person who is seen largest and most.

    Raises :class:`NoFaceError` when no face was found at all.
    """
    groups: list[list[Candidate]] = []
    for one in found:
        for group in groups:
            if np.linalg.norm(group[0].person - one.person) < SAME_PERSON:
                group.append(one)
                break
        else:
            groups.append([one])
    if not groups:
        raise NoFaceError(
            f"No face was found in {source.path.name}; choose a video in which one is seen from "
            "the front, upright, at least a tenth of the picture's width."
        )
    groups.sort(key=lambda group: -sum(one.face.detection.area for one in group))
    if len(groups) > 1 and len(groups[1]) > 1:
        source.note(
            "More than one person is seen; the one who is seen largest and longest was followed."
        )
    return groups[0]


def choose(found: list[Candidate], count: int = KEYFRAMES) -> list[Candidate]:
    """The best first, then good ones that show something else."""
    left = sorted(found, key=lambda one: -one.quality)
    chosen = [left.pop(0)]
    while left and len(chosen) < count:

        def worth(one: Candidate) -> float:
            apart = min(abs(one.yaw - other.yaw) for other in chosen)
            return one.quality + min(apart / _APART, 1.5)

        best = max(left, key=worth)
        left.remove(best)
        chosen.append(best)
    return chosen


def solve_subject(
    source: Source,
    known: Reconstruction | None = None,
    options: Options | None = None,
    progress: Report | None = None,
    shares: Shares | None = None,
) -> Subject:
    """The person in ``source``; with ``known`` its identity, texture and model are kept.

    Raises :class:`NoFaceError` without a face, :class:`ExchangeError` where ``known`` is not of
    its model.
    """
    options = options or Options()
    report = progress or (lambda part, step: None)
    if known is not None:
        options = replace(options, model=str(known.model["name"]))
    model = load_model(options.model, options.expressions)
    if known is not None and len(known.identity) != len(model.identity_basis):
        raise ExchangeError(
            f"The reconstruction has {len(known.identity)} identity coefficients, its face model "
            f"{model.name} {len(model.identity_basis)}; reconstruct the photo again."
        )
    mine = main_person(candidates(source, lambda f, s: report(_LOOKING * f, s), shares), source)
    chosen = choose(mine)
    resting = RestingBrows.of(
        np.array([one.brows for one in mine]),
        np.array([one.lowered for one in mine]),
        [one.raised for one in mine],
    )

    def solving(done: int) -> None:
        part = _LOOKING + (1 - _LOOKING) * done / _STEPS
        report(part, f"Solving the head, step {min(done + 1, _STEPS)} of {_STEPS}")

    held = None if known is None else np.asarray(known.identity, np.float64)
    fitted = fit_keyframes(chosen, source.path, model, options, resting, held, solving)
    best, evidence = fitted[0].fit, fitted[0].evidence
    identity = best.identity if known is None else np.asarray(known.identity, np.float32)
    shared, lights = None, [frame.fit.sh_light for frame in fitted]
    if options.texture != "none":
        shots = [
            partial(shot_of, *taken, hair=partial(hair_seen, *taken, options))
            for taken in ((frame.evidence, model, frame.fit) for frame in fitted)
        ]
        shared, lights = shared_texture(shots, model, best, options)
    keyframes = [
        Keyframe(one.pixels, frame.fit.camera, frame.fit.expression, light)
        for one, frame, light in zip(chosen, fitted, lights, strict=True)
    ]
    if known is None:
        hair = hair_of(evidence, model, best, shared, options)
        head = assemble(evidence, model, best, shared, options, hair=hair)
    else:
        head = assemble(evidence, model, best, None, options)
        head = _with_looks_of(head, known)
        if options.bust:
            head = replace(head, **bust_pictures(head, model))
    head.photo_path = str(source.path)
    person = np.mean([one.person for one in mine], axis=0)
    matrix = best.camera.camera_matrix
    return Subject(model, identity, matrix, person, tuple(keyframes), head, resting, tuple(mine))


def _with_looks_of(head: Reconstruction, known: Reconstruction) -> Reconstruction:
    """``head`` with the texture, light and hair of ``known``."""
    return replace(
        head,
        albedo=known.albedo,
        sh_light=known.sh_light,
        texture_mode=known.texture_mode,
        texture=known.texture,
        hair_points=known.hair_points,
        hair_uv=known.hair_uv,
        hair_colour=known.hair_colour,
        hair_radius=known.hair_radius,
        hair_kind=known.hair_kind,
    )
