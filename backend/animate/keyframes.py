"""The frames by which a clip's head is solved: each fitted alone, then with what they share.

A frame's fits depend on no other frame's, so they are shares of work (:mod:`.shares`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..assembly import texture_of
from ..detect import Detection
from ..exchange.options import Options
from ..fit import Evidence, FaceFit, fit, gather
from ..fit.faces import Face
from ..fit.resting import RestingBrows
from ..geometry.camera import Camera
from ..network.regions import regions_of
from ..photo import Photo
from ..texture import Texture
from .shares import Share
from .source import Bytes


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


def first_fits(common: Share) -> Callable[[Share], Share]:
    """A worker of :class:`.shares.Shares`: a frame fitted alone, of which identity (K,), focal
    length in pixels and the network's ``sigma`` are kept.

    ``resting`` in ``common`` are the shares of the person's :class:`.resting.RestingBrows`.
    """
    model, options = common["model"], Options.from_dict(common["options"])

    def work(share: Share) -> Share:
        photo = Photo(share["pixels"], Path(common["path"]), None, False)
        found = fit(_evidence(photo, common, share), model, options)
        return {
            "identity": found.identity,
            "focal": found.camera.focal,
            "sigma": found.network_sigma,
        }

    return work


def _evidence(photo: Photo, common: Share, share: Share) -> Evidence:
    """As a photo's, but for the brows: the clip tells how high this person's rest."""
    options = Options.from_dict(common["options"])
    evidence = gather(photo, face_of(share["face"]), common["model"], options)
    opinions, reader = evidence.opinions, regions_of(common["model"])
    # None, too, where landmarks are not to be believed.
    if opinions is None or opinions.brows is None or reader is None:
        return evidence
    brows = RestingBrows(common["resting"]).reader().read(evidence.marks, reader.template)
    return replace(evidence, opinions=replace(opinions, brows=brows))


def held_fits(common: Share) -> Callable[[Share], Share]:
    """A worker of :class:`.shares.Shares`: a frame fitted with the ``identity`` and ``focal`` that
    all share, for :func:`keyframe_of`; ``resting`` as :func:`first_fits` has it."""

    def work(share: Share) -> Share:
        _, held, texture = held_fit(common, share)
        return {
            "camera": vars(held.camera),
            "expression": held.expression,
            "sh_light": texture.sh_light if texture else held.sh_light,
            "texture": None if texture is None else vars(texture),
        }

    return work


def keyframe_of(pixels: Bytes, told: Share) -> tuple[Keyframe, Texture | None]:
    """What a worker of :func:`held_fits` made of a frame."""
    camera = Camera(**told["camera"])
    texture = None if told["texture"] is None else Texture(**told["texture"])
    return Keyframe(pixels, camera, told["expression"], told["sh_light"]), texture


def held_fit(common: Share, share: Share) -> tuple[Evidence, FaceFit, Texture | None]:
    """The frame fitted with ``identity`` and focal length held, and its texture."""
    model, options = common["model"], Options.from_dict(common["options"])
    photo = Photo(share["pixels"], Path(common["path"]), common["focal"], False)
    evidence = _evidence(photo, common, share)
    identity = common["identity"]
    held = replace(fit(evidence, model, options, identity), identity=identity)
    return evidence, held, texture_of(evidence, model, held, options)
