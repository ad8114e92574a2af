"""Frames with their times: of a video file, of a folder of pictures, of a camera's recording."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ..bounded import read_bytes, reading, regular_size
from ..errors import OutputError, PhotoError
from ..exchange.clips import Numbering, frame_files, numbering
from ..exchange.own_pictures import is_own
from ..files import reason
from ..motion.resample import rate_of
from ..photo import read_photo
from .video import Bytes, Video

#: Of a folder of frames, unless told.
FOLDER_RATE = 30.0
LARGEST_VIDEO = 1 << 62  #: bytes; it is decoded a frame at a time
#: A video that counts more frames than it has by less than this part is not damaged: containers
#: estimate.
_COUNT_SLACK = 0.02


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip."""

    index: int
    time: float  #: seconds from the first frame
    pixels: Bytes | None  #: (H, W, 3) sRGB; None where the file is damaged


@dataclass
class Source:
    """A clip that can be gone through from the start as often as needed, a frame at a time."""

    path: Path
    rate: float  #: frames a second, nominal
    count: int  #: frames there should be
    size: tuple[int, int]  #: width, height
    files: tuple[Path, ...] = ()  #: of a folder
    numbering: Numbering | None = None  #: of ``files``
    audio: bool = False  #: whether sound may be in the file
    notes: list[str] = field(default_factory=list)  #: what was found wrong while reading

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """From frame ``start`` to the last one that can be read; faults go to ``notes``."""
        return self._of_folder(start) if self.files else self._of_video(start)

    def note(self, sentence: str) -> None:
        """Add to ``notes`` once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _of_folder(self, start: int) -> Iterator[Frame]:
        assert self.numbering is not None
        at = dict(zip(self.numbering.indices, self.files, strict=True))
        for index in range(start, self.numbering.count):
            pixels = self._picture(at[index]) if index in at else None
            yield Frame(index, index * self.numbering.step / self.rate, pixels)

    def _picture(self, file: Path) -> Bytes | None:
        """(H, W, 3) of a folder's frame; None where it cannot be used, which is noted."""
        try:
            photo = read_photo(file)
            if photo.there is not None:
                raise PhotoError(f"{file} was cut off; copy it again.")
        except PhotoError as error:
            self.note(f"A frame was left out: {error}")
            return None
        pixels = photo.pixels
        if pixels.shape[1::-1] != self.size:
            self.note(
                f"{file.name} is {pixels.shape[1]} x {pixels.shape[0]} where the "
                f"first frame is {self.size[0]} x {self.size[1]}; it was left out."
            )
            return None
        return pixels

    def _of_video(self, start: int) -> Iterator[Frame]:
        video, mended = Video(self.path, self.note), None
        first, last, index = 0.0, -1.0, 0
        try:
            # Decoded from the start: seeking is not exact in all containers.
            while video.grab():
                moment = video.moment
                if index == 0:
                    first = moment
                moment -= first
                if moment <= last:
                    if index > 1:
                        self.note("Some time stamps of the video do not increase; evened out.")
                    moment = last + 1 / self.rate
                last = moment
                if video.complained and mended is None:
                    mended = moment
                if index >= start:
                    pixels = video.pixels()
                    if pixels is None:
                        self.note("Some frames of the video are damaged; they were left out.")
                    yield Frame(index, moment, pixels)
                index += 1
        finally:
            video.close()
        if index < self.count * (1 - _COUNT_SLACK) - 1:
            self.note(
                f"The video {self.path.name} is damaged: only {index} of its {self.count} frames "
                "can be read."
            )
        elif mended is not None:
            self.note(
                f"The video {self.path.name} is damaged at about {mended:.0f} s; it was used as "
                "its decoder could mend it."
            )


def open_source(path: str | os.PathLike[str], frame_rate: float | None = None) -> Source:
    """The clip at ``path``: a video that OpenCV reads, or a folder of pictures, by name.

    ``frame_rate`` is that of the numbers in a folder: a number that is missing is a frame without
    pixels (:func:`..exchange.clips.numbering`).

    Raises :class:`PhotoError` where nothing can be read.
    """
    if not os.fspath(path):
        raise PhotoError("A video's name is empty; choose one.")
    path = Path(path)
    if os.path.isdir(path):
        return _folder(path, frame_rate)
    with reading(PhotoError, path, "a video"):
        regular_size(path, LARGEST_VIDEO)
    notes: list[str] = []
    video = Video(path, notes.append)
    try:
        pixels = video.pixels() if video.grab() else None
        if pixels is None:
            raise PhotoError(f"No frame of {path} can be read: it is damaged; copy it again.")
        rate, count = video.rate, video.count
    finally:
        video.close()
    if not (np.isfinite(rate) and 1 <= rate <= 1000):
        rate = FOLDER_RATE
    size = pixels.shape[1], pixels.shape[0]
    return Source(path, rate, max(count, 1), size, audio=True, notes=notes)


def _folder(path: Path, frame_rate: float | None) -> Source:
    with reading(PhotoError, path, "a folder of frames"):
        files = [file for file in frame_files(path) if not is_own(file)]
    if not files:
        raise PhotoError(f"There is no picture in the folder {path}; choose one with frames.")
    size = None
    for file in files:
        try:
            size = read_photo(file).size
            break
        except PhotoError:
            continue
    if size is None:
        raise PhotoError(f"None of the {len(files)} pictures in {path} can be read.")
    rate = FOLDER_RATE if frame_rate is None else float(frame_rate)
    if not (math.isfinite(rate) and rate > 0):
        raise PhotoError(f"{frame_rate} is no frame rate; give a positive number.")
    order = numbering([file.name for file in files])
    source = Source(path, rate, order.count, size, tuple(files), order)
    if order.note:
        source.note(order.note)
    if frame_rate is None:
        source.note(f"A folder has no frame rate; {rate:.0f} a second was taken.")
    return source


def record(camera: int, folder: Path, seconds: float) -> Path:
    """Record ``seconds`` of the camera number ``camera`` as pictures in ``folder``; its frame rate
    is kept beside them for :func:`recorded_rate`.

    Raises :class:`PhotoError` when there is no such camera, :class:`OutputError` when the folder
    cannot be written.
    """
    capture = cv2.VideoCapture(camera)
    times = []
    try:
        if not capture.isOpened():
            raise PhotoError(f"There is no camera {camera}; connect one, or give a video.")
        folder.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            ok, picture = capture.read()
            if not ok:
                break
            times.append(time.monotonic() - start)
            encoded = cv2.imencode(".jpg", picture)[1]
            (folder / f"{len(times):06d}.jpg").write_bytes(encoded.tobytes())
        if len(times) < 2:
            raise PhotoError(f"The camera {camera} gives no pictures.")
        (folder / "rate.txt").write_text(str(rate_of(np.array(times))))
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {reason(error)}.") from error
    finally:
        capture.release()
    return folder


def recorded_rate(folder: Path) -> float | None:
    """What :func:`record` measured, None for a folder of other pictures."""
    try:
        rate = float(read_bytes(folder / "rate.txt", 100))
    except (OSError, ValueError):
        return None
    return rate if 0 < rate < math.inf else None
