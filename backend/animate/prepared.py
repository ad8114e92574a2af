"""What every frame of a clip needs, worked out once: the head, and what it looks like."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import open_npz
from ..bounded import parse_json
from ..exchange import Reconstruction, load_reconstruction, save_reconstruction
from ..exchange.npz import write_arrays
from ..exchange.options import Options
from ..fit.noise import BROWS
from ..fit.resting import RestingBrows
from ..model import FaceModel, load_model
from ..network.regions import regions_of
from ..photo.encode import decode
from .appearance import Appearance, train
from .drawing import Drawer, Lattice, lit_texture_of
from .identity import Subject, solve_subject
from .pooling import FrameReader, Pool, Seen, apart_by
from .shares import Shares
from .solve import FrameSolver, Pose, WeightPrior
from .source import Source

Report = Callable[[float, str], None]
Double = NDArray[np.float64]

INNER_LIPS = slice(60, 68)
#: Share of the time that the head takes, the rest being what it looks like.
_HEAD = 0.5


@dataclass(frozen=True, eq=False)
class Who:
    """The part of :class:`Subject` that the frames need."""

    model: FaceModel
    identity: NDArray[np.float32]  #: (K,)
    camera_matrix: Double  #: (3, 3)
    person: Double  #: (128,)
    resting: RestingBrows


@dataclass(frozen=True, eq=False)
class Own:
    """What a clip's frames say of this person differently throughout."""

    apart: Double  #: (E,) as :func:`.pooling.apart_by` has it
    marked: Double  #: (68, 2) mm, as :meth:`.solve.FrameSolver.misses` has it


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that does not change from frame to frame."""

    subject: Who
    reconstruction: Reconstruction
    appearance: Appearance | None  #: None: landmarks alone
    own: Own
    notes: tuple[str, ...]


def prepare(
    source: Source,
    known: Reconstruction | None,
    options: Options,
    appearance: bool,
    progress: Report,
    shares: Shares | None = None,
) -> Prepared:
    """Solve the head of the person in ``source``, and learn what it looks like.

    Raises as :func:`solve_subject`.
    """
    subject = solve_subject(source, known, options, lambda p, s: progress(_HEAD * p, s), shares)
    learned = None
    if appearance and len(subject.reconstruction.texture):

        def report(part: float) -> None:
            progress(_HEAD + (1 - _HEAD) * part, "Learning what the face looks like")

        learned = learn(subject, report, shares=shares)
    who = Who(
        subject.model, subject.identity, subject.camera_matrix, subject.person, subject.resting
    )
    own = Own(np.zeros(len(subject.model.expression_names)), np.zeros((68, 2)))
    if learned is not None and regions_of(subject.model) is not None:
        own = _own(subject, learned)
    return Prepared(who, subject.reconstruction, learned, own, tuple(source.notes))


def _own(subject: Subject, learned: Appearance) -> Own:
    """Medians over the frames in which the person was found, spread over the clip."""
    solver = FrameSolver(subject.model, subject.identity, subject.camera_matrix)
    reader = FrameReader(subject.model, subject.resting)
    frames: list[tuple[NDArray, float | None, WeightPrior, Seen]] = []
    for one in subject.looked_at:
        marks, spread = one.face.landmarks, one.face.spread
        assert marks is not None  # else it is no candidate
        marks = np.asarray(marks, np.float64)
        _, looks = learned.look(one.pixels, solver.camera(solver.solve(marks, spread)))
        frames.append((marks, spread, looks, reader.read(one.pixels, marks)))
    apart = apart_by(subject.model.expression_names, [(looks, seen) for *_, looks, seen in frames])
    pool = Pool(subject.model, apart)
    missed = [
        solver.misses(marks, spread, pool.together(looks, seen))
        for marks, spread, looks, seen in frames
    ]
    marked = np.median(missed, axis=0)
    marked[BROWS] = 0.0  # their heights have been told already (:mod:`.resting`)
    marked[INNER_LIPS] = 0.0  # a mouth that is mostly open would be taken for a shut one
    return Own(apart, marked)


def learn(
    subject: Subject,
    progress: Callable[[float], None] | None = None,
    samples: int | None = None,
    shares: Shares | None = None,
) -> Appearance:
    """The regressor of ``subject``."""
    first = subject.keyframes[0]
    texture = decode(subject.reconstruction.texture)
    look = lit_texture_of(texture, first.sh_light, first.camera.rotation)
    poses = [
        Pose(k.camera.rotation, k.camera.translation, k.expression.astype(float))
        for k in subject.keyframes
    ]
    learned = train(
        subject.model,
        subject.identity,
        look,
        poses,
        subject.camera_matrix,
        progress,
        samples,
        shares=shares,
    )
    drawer = Drawer(subject.model, subject.identity, look)
    frames = [(k.pixels, k.camera, k.expression) for k in subject.keyframes]
    learned.compare(frames, drawer)
    return learned


def save_prepared(prepared: Prepared, folder: Path) -> None:
    """Into ``folder``, the reconstruction last."""
    who = prepared.subject
    arrays: dict[str, NDArray] = {
        "identity": who.identity,
        "camera_matrix": who.camera_matrix,
        "person": who.person,
        "resting": who.resting.shares,
        "overstated": who.resting.overstated,
        "apart": prepared.own.apart,
        "marked": prepared.own.marked,
        "notes": np.frombuffer(json.dumps(prepared.notes).encode(), np.uint8),
    }
    if prepared.appearance is not None:
        arrays |= {f"look_{k}": v for k, v in prepared.appearance.arrays().items()}
    write_arrays(folder / "prepared.npz", arrays)
    save_reconstruction(prepared.reconstruction, folder / "head.npz", compress=False)


def load_prepared(folder: Path) -> Prepared:
    """What :func:`save_prepared` wrote.

    Raises OSError, :class:`ExchangeError` and those of ``bounded.DAMAGE`` where it is not whole.
    """
    head = load_reconstruction(folder / "head.npz")
    with open_npz(folder / "prepared.npz") as data:
        arrays = data.read_all()
    options = head.provenance["options"]
    model = load_model(str(options["model"]), str(options["expressions"]))
    look = {k.removeprefix("look_"): v for k, v in arrays.items() if k.startswith("look_")}
    learned = Appearance.of_arrays(Lattice(model, arrays["identity"]), look) if look else None
    who = Who(
        model,
        arrays["identity"],
        arrays["camera_matrix"],
        arrays["person"],
        RestingBrows(arrays["resting"], arrays["overstated"]),
    )
    notes = tuple(parse_json(arrays["notes"].tobytes()))
    return Prepared(who, head, learned, Own(arrays["apart"], arrays["marked"]), notes)
