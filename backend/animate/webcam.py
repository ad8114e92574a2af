"""The film's path, live: frames of a camera to weights and a turn, as they come.

What a film needs the whole of is left out: the head is solved from the first frame alone, no
regressor is made for the person, and curves are smoothed by what was before only.  A frame that is
late is dropped, so that what is shown is always the newest.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import NoFaceError, PhotoError
from ..exchange import Reconstruction
from ..exchange.names import ARKIT
from ..exchange.options import Options
from ..fit import fit, gather
from ..fit.faces import Face, default_detector, detect_faces, with_landmarks
from ..fit.resting import RestingBrows
from ..geometry.camera import Camera
from ..geometry.rotation import from_euler, to_euler
from ..live.packet import FacePacket
from ..model import FaceModel, load_model
from ..photo import Photo
from ..pipeline import warm_fit
from .identity import yaw_of
from .pooling import FrameReader, Pool
from .solve import FrameSolver, Pose, WeightPrior
from .source import Bytes, open_source
from .track import Tracker

Double = NDArray[np.float64]

SUBJECT = "webcam"
#: Seconds without a picture after which a camera is gone.
GONE_S = 5.0
#: Casiez, Roussel and Vogel 2012, the one euro filter: lowest cutoff in Hz and how much it grows
#: with the speed, of weights (a second) and of the head's angles (radians a second).  On a made
#: film of 30 frames a second blinks come to 0.8 that are 0.9 unsmoothed; with 1.2 in place of 3.0
#: they came to 0.66.
STEADY_HZ, WEIGHT_QUICKLY, ANGLE_QUICKLY = 1.6, 3.0, 6.0
SPEED_HZ = 3.0  #: cutoff of the speed itself
#: A head turned further in the first frames is waited out, degrees; so many seconds at most.
_TURNED, _PATIENCE_S = 20.0, 3.0


@dataclass(frozen=True, eq=False)
class Shot:
    """A frame of a camera."""

    pixels: Bytes  #: (H, W, 3) sRGB
    time: float  #: seconds of this machine's steady clock, when it was there


class OneEuro:
    """Smooths values as they come: slow ones much, quick ones little."""

    def __init__(self, quickly: float) -> None:
        self._quickly = quickly
        self._time = 0.0
        self._value: Double | None = None
        self._speed: Double | None = None

    def __call__(self, value: NDArray, now: float) -> Double:
        """The smoothed ``value`` (N,) of the moment ``now``, seconds."""
        new, step = np.asarray(value, np.float64), now - self._time
        old, speed = self._value, self._speed
        if old is None or speed is None or not 0 < step < 1.0:
            self._speed = np.zeros_like(new)
        else:
            speed = speed + _share(SPEED_HZ, step) * ((new - old) / step - speed)
            self._speed = speed
            new = old + _share(STEADY_HZ + self._quickly * np.abs(speed), step) * (new - old)
        self._time, self._value = now, new
        return new


def _share(cutoff: Any, step: float) -> Any:
    """Of a new value, that a low-pass of ``cutoff`` Hz takes after ``step`` seconds."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


class LiveFace:
    """The face before a camera, frame by frame."""

    def __init__(self, head: Reconstruction | None = None) -> None:
        """With the identity of ``head``, of the default model with ARKit's expressions; else that
        of the first frame.  Raises :class:`PhotoError` where ``head`` is of another model."""
        self._model: FaceModel = load_model("default", "arkit")
        self._identity: NDArray | None = None
        if head is not None:
            if len(head.identity) != len(self._model.identity_basis):
                raise PhotoError(
                    f"{head.photo_name} is a head of another face model; leave it out, and the "
                    "identity is taken from the camera."
                )
            self._identity = np.asarray(head.identity, np.float64)
        self._tracker = Tracker()
        self._resting = RestingBrows.of(np.zeros((0, 2, 2)), np.zeros((0, 2)))
        self._reader = FrameReader(self._model, self._resting)
        self._pool = Pool(self._model)
        count = len(self._model.expression_names)
        self._nothing = WeightPrior(np.zeros(count), np.zeros((count, count)))
        self._solver: FrameSolver | None = None
        self._pose: Pose | None = None
        self._since: float | None = None  # when the first face was seen
        self._weights, self._angles = OneEuro(WEIGHT_QUICKLY), OneEuro(ANGLE_QUICKLY)

    def warm(self) -> None:
        """Load what the first frame needs (3 to 10 s), before the camera is opened."""
        warm_fit(Options())
        default_detector().prominent(np.zeros((64, 64, 3), np.uint8))

    @property
    def ready(self) -> bool:
        """Whether the head is known; until then frames take longer."""
        return self._solver is not None

    def see(self, shot: Shot) -> FacePacket | None:
        """What the face does in the next frame; None where it is not seen, or not known yet."""
        if self._solver is None and not self._begin(shot):
            return None
        assert self._solver is not None
        face = self._tracker.follow(shot.pixels)
        if face is None:
            return None
        seen = self._reader.read(shot.pixels, face.landmarks)
        belief = self._pool.together(self._nothing, seen)
        start = None if face.fresh else self._pose
        marks, spread = face.landmarks, face.spread
        pose = self._solver.solve(marks, spread, start, belief, seen.shut, seen.lids)
        self._pose = pose
        weights = self._weights(pose.weights, shot.time)
        angles = self._angles(np.array(to_euler(pose.rotation), np.float64), shot.time)
        names = self._model.expression_names
        known = {n: float(w) for n, w in zip(names, weights, strict=True) if n in ARKIT}
        return FacePacket(SUBJECT, known, from_euler(*angles), shot.time)

    def _begin(self, shot: Shot) -> bool:
        """Solve the head, if this frame shows it well."""
        photo = Photo(shot.pixels, Path("camera"), None, False)
        try:
            face = with_landmarks(photo, detect_faces(photo, "largest", None, False)[0])
            if face.landmarks is None:
                return False
            if self._since is None:
                self._since = shot.time
            turned = abs(yaw_of(face.landmarks, photo.size)) > _TURNED
            if turned and shot.time - self._since < _PATIENCE_S:
                return False
            camera, identity = self._solved(photo, face)
        except NoFaceError:
            return False
        self._solver = FrameSolver(self._model, identity, camera.camera_matrix)
        return True

    def _solved(self, photo: Photo, face: Face) -> tuple[Camera, NDArray]:
        options = Options(quality="fast")
        evidence = gather(photo, face, self._model, options)
        found = fit(evidence, self._model, options, self._identity)
        return found.camera, found.identity if self._identity is None else self._identity


class CameraFeed:
    """A camera, or a video file played as fast as it was filmed; the newest frame counts."""

    def __init__(self, camera: int | str | os.PathLike[str], again: bool = False) -> None:
        """``camera`` is its number, or a video's path, which is played ``again`` and again.

        Raises :class:`PhotoError` where there is no such camera or video.
        """
        self.dropped = 0  #: frames that nobody had time for
        self._condition = threading.Condition()
        self._latest: Shot | None = None
        self._error: PhotoError | None = None
        self._ended = threading.Event()
        if isinstance(camera, int):
            capture = cv2.VideoCapture(camera)
            if not capture.isOpened():
                raise PhotoError(f"There is no camera {camera}; connect one, or choose another.")
            work = lambda: self._film(capture, camera)  # noqa: E731
        else:
            source = open_source(camera)
            work = lambda: self._play(source, again)  # noqa: E731
        self._thread = threading.Thread(target=work, daemon=True, name="camera")
        self._thread.start()

    def shots(self) -> Iterator[Shot]:
        """The newest frame, whenever there is another, until the video ends or :meth:`close`.

        Raises :class:`PhotoError` where the camera gives none any more.
        """
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._latest or self._ended.is_set())
                shot, self._latest = self._latest, None
            if shot is None:
                if self._error is not None:
                    raise self._error
                return
            yield shot

    def close(self) -> None:
        """Let go of it."""
        self._ended.set()
        with self._condition:
            self._condition.notify_all()
        self._thread.join(GONE_S)

    def _put(self, pixels: Bytes) -> None:
        with self._condition:
            self.dropped += self._latest is not None
            self._latest = Shot(pixels, time.monotonic())
            self._condition.notify_all()

    def _end(self, error: PhotoError | None = None) -> None:
        self._error = error
        self._ended.set()
        with self._condition:
            self._condition.notify_all()

    def _film(self, capture: Any, number: int) -> None:
        last = time.monotonic()
        try:
            while not self._ended.is_set():
                there, picture = capture.read()
                if there:
                    last = time.monotonic()
                    self._put(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8))
                elif time.monotonic() - last > GONE_S:
                    return self._end(
                        PhotoError(
                            f"Camera {number} gives no pictures any more; connect it again, or "
                            "end the other program that uses it, and start anew."
                        )
                    )
                else:
                    self._ended.wait(0.02)
        finally:
            capture.release()

    def _play(self, source: Any, again: bool) -> None:
        try:
            while not self._ended.is_set():
                start = time.monotonic()
                for frame in source.frames():
                    if frame.pixels is None:
                        continue
                    if self._ended.wait(max(0.0, start + frame.time - time.monotonic())):
                        return
                    self._put(frame.pixels)
                if not again:
                    break
            self._end()
        except PhotoError as error:
            self._end(error)


@dataclass
class Pace:
    """How it goes, over the last second or so."""

    frames: int = 0  #: with a face, since the start
    looked_at: int = 0  #: frames, with or without
    rate: float = 0.0  #: frames with a face a second
    latency: float = 0.0  #: seconds from a frame's being there to its packet, in the mean
    seen: bool = False  #: whether the last one had a face


def stream(
    feed: CameraFeed,
    face: LiveFace,
    send: Callable[[FacePacket], None],
    tell: Callable[[Pace], None] | None = None,
    every: float = 1.0,
) -> Pace:
    """Send what ``face`` does in the frames of ``feed`` until it ends; told of every ``every`` s.

    Raises as :meth:`CameraFeed.shots`.
    """
    pace, began, count, late = Pace(), time.monotonic(), 0, 0.0
    for shot in feed.shots():
        packet = face.see(shot)
        pace.looked_at += 1
        pace.seen = packet is not None
        now = time.monotonic()
        if packet is not None:
            send(packet)
            pace.frames += 1
            count, late = count + 1, late + now - shot.time
        if now - began >= every:
            pace.rate, pace.latency = count / (now - began), late / max(count, 1)
            began, count, late = now, 0, 0.0
            if tell is not None:
                tell(pace)
    return pace
