"""Every frame in order: decoded, followed and solved, on threads that wait for each other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network.regions import regions_of
from .pooling import FrameReader, Pool, Seen
from .prepared import Prepared
from .solve import FrameSolver, Pose
from .source import Bytes, Frame, Source
from .track import Tracked, Tracker

Double = NDArray[np.float64]
State = dict[str, NDArray]

#: Frames that wait between two stages: enough for a stage that is slow at times; each is a picture.
_AHEAD = 2


@dataclass(frozen=True, eq=False)
class FrameResult:
    """One frame, not yet smoothed."""

    time: float  #: seconds
    weights: Double  #: (E,)
    rotation: Double  #: (3, 3)
    translation: Double  #: (3,)
    valid: bool  #: the face was seen
    begins: bool  #: nothing connects it with the frame before
    shut: float = 0.0  #: 0 to 1: whether the lips touch


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.frames = 0

    def add(self, stage: str, start: float) -> float:
        """Time since ``start`` to ``stage``; now."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - start
        return now


class FramePipeline:
    """The part behind the tracker: pose and weights of a frame."""

    def __init__(self, prepared: Prepared) -> None:
        who = prepared.subject
        self.appearance = prepared.appearance
        own = prepared.own
        self.solver = FrameSolver(who.model, who.identity, who.camera_matrix, own.marked)
        self.rough: Pose | None = None  # by landmarks alone: where to look
        self.pose: Pose | None = None
        self._neutral = np.zeros(len(who.model.expression_names))
        self.pool = Pool(who.model, own.apart)

    def solve(self, pixels: Bytes, face: Tracked, seen: Seen | None, clock: Clock) -> Pose:
        """The pose of the face that was followed to this frame.

        ``seen`` is what the networks say; None where they do not know the model.
        """
        start = time.perf_counter()
        if face.fresh:
            self.rough = self.pose = None
        self.rough = self.solver.solve(face.landmarks, face.spread, self.rough)
        if self.appearance is None:
            self.pose = self.rough
            clock.add("solve", start)
            return self.rough
        start = clock.add("solve", start)
        _, belief = self.appearance.look(pixels, self.solver.camera(self.rough))
        start = clock.add("look", start)
        before = self.pose or self.rough
        shut, lids = 0.0, None
        if seen is not None:
            belief, shut, lids = self.pool.together(belief, seen), seen.shut, seen.lids
        self.pose = self.solver.solve(face.landmarks, face.spread, before, belief, shut, lids)
        clock.add("solve", start)
        return self.pose

    def state(self) -> State:
        """For :meth:`restore`."""
        found: State = {}
        for name, pose in (("rough", self.rough), ("pose", self.pose)):
            if pose is not None:
                found[f"{name}_rotation"] = pose.rotation
                found[f"{name}_translation"] = pose.translation
                found[f"{name}_weights"] = pose.weights
        return found

    def restore(self, state: State) -> None:
        """Go on where another one gave :meth:`state`."""
        poses = [
            Pose(state[f"{n}_rotation"], state[f"{n}_translation"], state[f"{n}_weights"])
            if f"{n}_rotation" in state
            else None
            for n in ("rough", "pose")
        ]
        self.rough, self.pose = poses


def follow(
    source: Source,
    prepared: Prepared,
    start: int = 0,
    state: State | None = None,
    every: int = 120,
    clock: Clock | None = None,
) -> Iterator[tuple[FrameResult, State | None]]:
    """The results of all frames from ``start``, which ``state`` came before.

    With every ``every``-th one comes the state from which another call goes on.
    """
    clock = clock or Clock()
    tracker, pipeline = Tracker(prepared.subject.person), FramePipeline(prepared)
    if state:
        tracker.restore(_under("tracker_", state))
        pipeline.restore(_under("solver_", state))
    stop = threading.Event()
    frames = _ahead(_decoded(source, start, clock), stop)
    tracked = _ahead(_tracked(frames, tracker, every, start, clock), stop)
    read = _ahead(_read(tracked, reader_of(prepared), clock), stop)
    try:
        for frame, face, seen, after in read:
            if face is None or frame.pixels is None:
                held = pipeline.pose
                result = _lost(frame, held, pipeline)
            else:
                pose = pipeline.solve(frame.pixels, face, seen, clock)
                result = FrameResult(
                    frame.time,
                    pose.weights,
                    pose.rotation,
                    pose.translation,
                    True,
                    face.cut,
                    0.0 if seen is None else seen.shut,
                )
            clock.frames += 1
            yield (
                result,
                None
                if after is None
                else _named("tracker_", after) | _named("solver_", pipeline.state()),
            )
    finally:
        stop.set()


def reader_of(prepared: Prepared) -> FrameReader | None:
    """None where frames are not looked at, or the networks do not know the model."""
    who = prepared.subject
    if prepared.appearance is None or regions_of(who.model) is None:
        return None
    return FrameReader(who.model, who.resting)


def _lost(frame: Frame, held: Pose | None, pipeline: FramePipeline) -> FrameResult:
    if held is None:
        held = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 900.0]), pipeline._neutral)
    return FrameResult(frame.time, held.weights, held.rotation, held.translation, False, False)


def _decoded(source: Source, start: int, clock: Clock) -> Iterator[Frame]:
    frames = source.frames(start)
    while True:
        began = time.perf_counter()
        frame = next(frames, None)
        clock.add("decode", began)
        if frame is None:
            return
        yield frame


def _tracked(
    frames: Iterator[Frame], tracker: Tracker, every: int, start: int, clock: Clock
) -> Iterator[tuple[Frame, Tracked | None, State | None]]:
    for frame in frames:
        began = time.perf_counter()
        face = None if frame.pixels is None else tracker.follow(frame.pixels)
        clock.add("track", began)
        last = (frame.index - start + 1) % every == 0
        yield frame, face, tracker.state() if last else None


def _read(
    tracked: Iterator[tuple[Frame, Tracked | None, State | None]],
    reader: FrameReader | None,
    clock: Clock,
) -> Iterator[tuple[Frame, Tracked | None, Seen | None, State | None]]:
    for frame, face, after in tracked:
        began = time.perf_counter()
        seen = None
        if reader is not None and face is not None and frame.pixels is not None:
            seen = reader.read(frame.pixels, face.landmarks)
        clock.add("read", began)
        yield frame, face, seen, after


def _ahead(items: Iterator[Any], stop: threading.Event) -> Iterator[Any]:
    """``items`` made on a thread of their own, a few ahead; what it raises is raised here."""
    line: queue.Queue[tuple[str, Any]] = queue.Queue(_AHEAD)

    def put(kind: str, value: Any) -> bool:
        while not stop.is_set():
            try:
                line.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:  # noqa: BLE001 - raised again by who reads
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while True:
        try:
            kind, value = line.get(timeout=0.2)
        except queue.Empty:
            if stop.is_set():
                return
            continue
        if kind == "end":
            return
        if kind == "error":
            raise value
        yield value


def _under(prefix: str, state: State) -> State:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _named(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}
