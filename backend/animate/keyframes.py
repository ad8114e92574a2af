"""The frames by which a clip's head is solved: each fitted alone, then all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..detect import Detection
from ..exchange.options import Options
from ..fit import Evidence, FaceFit, gather
from ..fit.faces import Face
from ..fit.resting import RestingBrows
from ..fit.together.fits import Sighted, fit_of, fit_together, sighted
from ..geometry.camera import Camera
from ..geometry.chunks import each
from ..model import FaceModel
from ..network.regions import regions_of
from ..photo import Photo
from .shares import Share
from .source import Bytes

if TYPE_CHECKING:
    from .identity import Candidate


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A frame that was fitted with the shared identity."""

    pixels: Bytes
    camera: Camera
    expression: NDArray[np.float32]  #: (E,)
    sh_light: NDArray[np.float32]  #: (9, 3) head coordinates of this frame


def face_share(pixels: Bytes, face: Face) -> Share:
    """A frame and the face in it, for the workers of this module."""
    return {"pixels": pixels, "face": vars(face) | {"detection": asdict(face.detection)}}


def face_of(told: Share) -> Face:
    """The face that :func:`face_share` was given."""
    given = dict(told)
    return Face(detection=Detection(**given.pop("detection")), **given)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A frame to which the head that all share was fitted."""

    evidence: Evidence
    fit: FaceFit


def fit_keyframes(
    frames: Sequence[Candidate],
    path: Path,
    model: FaceModel,
    options: Options,
    resting: RestingBrows,
    identity: NDArray | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Fitted]:
    """One head for all ``frames`` of the clip ``path``, and one focal length.

    ``identity`` (K,) is kept where it is known.  ``progress`` is told how many steps are done: each
    frame by itself, all together.
    """
    say = progress or (lambda done: None)
    say(0)

    def alone(one: Candidate) -> Sighted:
        photo = Photo(one.pixels, path, None, False)
        return sighted(_evidence(photo, one.face, model, options, resting), model)

    first = each(alone, frames)
    focal = float(np.exp(np.median([np.log(one.alone.camera.focal) for one in first])))

    def known(one: Sighted) -> Sighted:
        photo = replace(one.evidence.photo, focal_px=focal)
        return sighted(one.evidence.of_photo(photo), model)

    say(1)
    sights = each(known, first)
    # How sure the network is of each; frames of one clip are alike.
    sure = [1 / max(one.alone.network_sigma or 1.0, 1e-3) for one in sights]
    weights = [one / max(sure) for one in sure]
    found = fit_together(sights, model, options, weights, identity)
    say(2)
    fits = [fit_of(one, model, refined) for one, refined in zip(sights, found, strict=True)]
    if identity is not None:
        kept = np.asarray(identity, np.float32)
        fits = [replace(one, identity=kept) for one in fits]
    return [Fitted(one.evidence, fit) for one, fit in zip(sights, fits, strict=True)]


def _evidence(
    photo: Photo, face: Face, model: FaceModel, options: Options, resting: RestingBrows
) -> Evidence:
    """As a photo's, but for the brows: the clip tells how high this person's rest."""
    evidence = gather(photo, face, model, options)
    opinions, reader = evidence.opinions, regions_of(model)
    # No landmarks: the detector's are not to be believed.
    if opinions is None or evidence.landmarks is None or reader is None:
        return evidence
    brows = resting.reader().read(evidence.marks, reader.template, opinions.raised, opinions.points)
    return replace(evidence, opinions=replace(opinions, brows=brows))
