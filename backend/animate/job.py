"""A video to a head and its motion: the one call behind the command line and the worker.

decode -> follow -> landmarks -> pose and weights, frame by frame in chunks -> smooth -> ``Motion``

Each chunk is written when it is done, with the state of what comes next, so that a run that was
stopped goes on where it was and ends with the same result.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..arrays import open_npz
from ..bounded import DAMAGE, Damaged, parse_json, read_json
from ..errors import Cancelled, FaceError, NoFaceError, OutputError, PhotoError
from ..exchange import Reconstruction, load_reconstruction, save_reconstruction
from ..exchange.clips import mark_of
from ..exchange.motion import Motion, save_motion
from ..exchange.npz import write_arrays
from ..exchange.options import Options
from ..files import reason, write_bytes
from ..model.importing.checks import sha256
from ..motion.resample import rate_of
from .frames import FrameResult, follow
from .prepared import Prepared, load_prepared, prepare, save_prepared
from .shares import Shares
from .smooth import DEFAULT_FILTER, smooth_motion, whole_blinks, whole_closures
from .source import Source, open_source

Progress = Callable[[float, str], None]

#: Raised whenever the same video gives another result.
VERSION = 8
#: Frames written at once.
CHUNK = 120
#: Frames between two words about the progress.
_TELL = 5
#: Share of the progress before the first frame.
_HEAD = 0.25
#: Under this share of frames with a face something is said.
_FEW = 0.9


@dataclass(frozen=True)
class AnimateOptions:
    """What can be chosen beside the reconstruction's :class:`Options`."""

    frame_rate: float | None = None  #: of a folder of frames
    appearance: bool = True  #: look at the pixels too; False: at landmarks alone
    smoothing: str = DEFAULT_FILTER  #: of :data:`.smooth.FILTERS`
    whole_blinks: bool = True  #: make blinks close the eyes (:func:`.smooth.whole_blinks`)
    reconstruction: Options = field(default_factory=lambda: Options(texture_size=1024))


@dataclass(frozen=True)
class Animated:
    """The files, and what there is to say."""

    motion: Path
    reconstruction: Path
    notes: tuple[str, ...]


def animate(
    video: str | Path,
    out: str | Path,
    *,
    head: str | Path | None = None,
    head_out: str | Path | None = None,
    options: AnimateOptions | None = None,
    progress: Progress | None = None,
    shares: Shares | None = None,
) -> Animated:
    """Follow the face in ``video``, a file or a folder of frames, into the motion ``out``.

    ``head`` is a reconstruction whose identity and texture are kept; without one they are solved
    over the clip.  ``head_out`` is where the head goes, beside ``out`` unless given.  The motion's
    weights are those of the head's shape keys; frames without the face are filled in and not
    ``valid``.  ``progress`` is called often; what it raises stops the run, which goes on from
    there when it is called again with the same arguments.  ``shares`` does what can be done
    elsewhere; the result is the same.

    Raises :class:`PhotoError` where the video cannot be read, :class:`NoFaceError` without a face,
    :class:`ExchangeError` for a bad ``head``, :class:`OutputError`.
    """
    options = options or AnimateOptions()
    report = progress or (lambda part, step: None)
    out = Path(out)
    head_path = Path(head_out) if head_out else out.with_name(f"{out.stem}_head.npz")
    source = open_source(video, options.frame_rate)
    known = None if head is None else load_reconstruction(head)
    store = _Store(out, _request(source, head, options))
    try:
        return _animated(source, known, store, out, head_path, options, report, shares)
    except (Cancelled, OutputError):
        raise  # it goes on from here
    except FaceError:
        store.remove()
        raise


def _animated(
    source: Source,
    known: Reconstruction | None,
    store: _Store,
    out: Path,
    head_path: Path,
    options: AnimateOptions,
    report: Progress,
    shares: Shares | None,
) -> Animated:
    with threadpool_limits(limits=1, user_api="blas"):
        prepared = store.prepared()
        if prepared is None:
            prepared = prepare(
                source,
                known,
                options.reconstruction,
                options.appearance,
                lambda part, step: report(_HEAD * part, step),
                shares,
            )
            store.keep(prepared)
        motion = _motion(source, prepared, store, options, report)
    save_motion(out, motion)
    shown = prepared.reconstruction
    save_reconstruction(shown, head_path, compress=False)
    store.remove()
    report(1.0, "Done")
    return Animated(out, head_path, tuple(motion.header["notes"]))


def _motion(
    source: Source, prepared: Prepared, store: _Store, options: AnimateOptions, report: Progress
) -> Motion:
    for note in prepared.notes:
        source.note(note)
    chunks = store.chunks()
    done = sum(len(chunk["times"]) for chunk in chunks)
    for chunk in chunks:
        for note in parse_json(chunk["notes"].tobytes()):
            source.note(note)
    state = _state_of(chunks[-1]) if chunks else {}
    if not (chunks and bool(chunks[-1]["last"])):

        def tick(done: int) -> None:
            share = min(done / max(source.count, 1), 1.0)
            report(_HEAD + (1 - _HEAD) * share, f"Frame {done} of {source.count}")

        for chunk in _compute(source, prepared, done, state, tick):
            store.add(chunk, len(chunks))
            chunks.append(_without_state(chunk))
    return _joined(source, prepared, chunks, options)


def _compute(
    source: Source,
    prepared: Prepared,
    start: int,
    state: dict[str, NDArray],
    tick: Callable[[int], None],
) -> Iterator[dict[str, NDArray]]:
    """The chunks from frame ``start``."""
    results: list[FrameResult] = []
    done = start
    for result, after in follow(source, prepared, start, state, CHUNK):
        results.append(result)
        done += 1
        if done % _TELL == 0:
            tick(done)
        if after is not None and len(results) == CHUNK:
            yield _chunk(results, after, source, last=False)
            results = []
    yield _chunk(results, {}, source, last=True)


def _chunk(
    results: list[FrameResult], state: dict[str, NDArray], source: Source, last: bool
) -> dict[str, NDArray]:
    arrays = {
        "times": np.array([r.time for r in results], np.float64),
        "weights": np.array([r.weights for r in results], np.float32),
        "rotation": np.array([r.rotation for r in results], np.float64),
        "translation": np.array([r.translation for r in results], np.float64),
        "valid": np.array([r.valid for r in results], np.bool_),
        "begins": np.array([r.begins for r in results], np.bool_),
        "shut": np.array([r.shut for r in results], np.float64),
        "notes": np.frombuffer(json.dumps(source.notes).encode(), np.uint8),
        "last": np.array(last),
    }
    return arrays | {f"state_{name}": value for name, value in state.items()}


def _state_of(chunk: dict[str, NDArray]) -> dict[str, NDArray]:
    return {k.removeprefix("state_"): v for k, v in chunk.items() if k.startswith("state_")}


def _joined(
    source: Source, prepared: Prepared, chunks: list[dict[str, NDArray]], options: AnimateOptions
) -> Motion:
    given = [chunk for chunk in chunks if len(chunk["times"])]
    if not given:
        raise PhotoError(f"No frame of {source.path} can be read; copy it again.")

    def whole(name: str) -> NDArray:
        return np.concatenate([chunk[name] for chunk in given])

    valid, times = whole("valid"), whole("times")
    if not valid.any():
        raise NoFaceError(f"The face was not found again in {source.path.name}.")
    rate = rate_of(times) if len(times) > 1 else source.rate
    names, solved = prepared.subject.model.expression_names, whole("weights").astype(np.float64)
    weights, rotation, translation = smooth_motion(
        solved,
        whole("rotation"),
        whole("translation"),
        valid,
        whole("begins"),
        rate,
        options.smoothing,
    )
    weights = whole_closures(
        weights, solved, names, whole("shut"), whole("begins"), rate, options.smoothing
    )
    if options.whole_blinks:
        weights = whole_blinks(weights, names, rate)
    low, high = prepared.subject.model.expression_range.T
    lost = int((~valid).sum())
    if valid.mean() < _FEW:
        source.note(f"The face was not seen in {lost} of {len(valid)} frames; filled in there.")
    elif lost:
        source.note(f"{lost} of {len(valid)} frames without the face were filled in.")
    uneven = np.diff(times)
    if len(uneven) > 2 and uneven.max() > 1.5 * np.median(uneven):
        source.note("The frame rate varies; every frame has its own time.")
    header: dict[str, Any] = {
        "source": str(source.path),
        "model": prepared.subject.model.name,
        "notes": list(source.notes),
        "camera_matrix": prepared.subject.camera_matrix.tolist(),
        "image_size": list(source.size),
    }
    if source.audio:
        header["audio"] = str(source.path)
    clipped = np.clip(weights, low, high).astype(np.float32)
    return Motion(times, names, clipped, rotation, translation, valid, rate, header)


def _request(source: Source, head: str | Path | None, options: AnimateOptions) -> dict[str, Any]:
    """What the result depends on."""
    paths = source.files or (source.path,)
    own = "" if head is None else sha256(Path(head))
    asked = asdict(options)
    for later in ("smoothing", "whole_blinks"):
        asked.pop(later)
    return {
        "version": VERSION,
        "chunk": CHUNK,
        "source": os.path.realpath(source.path),
        "mark": mark_of(paths),
        "head": own,
        "options": asked,
    }


class _Store:
    """The folder beside ``out`` with what is done so far."""

    def __init__(self, out: Path, request: dict[str, Any]) -> None:
        self.folder = out.with_name(f".{out.stem}.parts")
        record = self.folder / "request.json"
        wanted = json.loads(json.dumps(request))
        try:
            if self._read(record) != wanted:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True, exist_ok=True)
                write_bytes(record, json.dumps(wanted).encode())
        except OSError as error:
            raise OutputError(f"Cannot write {self.folder}: {reason(error)}.") from error

    @staticmethod
    def _read(record: Path) -> Any:
        try:
            return read_json(record)
        except (OSError, ValueError):
            return None

    def prepared(self) -> Prepared | None:
        """The head, where it is solved already."""
        try:
            return load_prepared(self.folder)
        except (OSError, FaceError, *DAMAGE):
            return None

    def keep(self, prepared: Prepared) -> None:
        """Write the head."""
        save_prepared(prepared, self.folder)

    def chunks(self) -> list[dict[str, NDArray]]:
        """Those that are done, without gaps."""
        found: list[dict[str, NDArray]] = []
        while True:
            try:
                with open_npz(self._path(len(found))) as data:
                    found.append(data.read_all())
            except (OSError, Damaged):
                break
        # Only the last one's state is needed.
        return [
            chunk if i == len(found) - 1 else _without_state(chunk) for i, chunk in enumerate(found)
        ]

    def add(self, chunk: dict[str, NDArray], number: int) -> None:
        """Write one more."""
        write_arrays(self._path(number), chunk)

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"chunk_{number:06d}.npz"


def _without_state(chunk: dict[str, NDArray]) -> dict[str, NDArray]:
    return {name: value for name, value in chunk.items() if not name.startswith("state_")}
