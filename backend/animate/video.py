"""A video file frame by frame, as its player would show it: upright, in square pixels, sRGB."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from ..exchange.temporary import temporary_folder
from ..files import reason
from ..narrow import is_narrow, narrow_name
from . import container, video_colour

Bytes = NDArray[np.uint8]
Result = TypeVar("Result")

#: A pixel further from a square than this is a damaged file's.
_MOST_ASPECT = 8.0
#: First letters of FFmpeg's codes for pixel formats with transparency, and of those for planes of
#: more than 8 bits (where the fourth byte is the number of bits).
_WITH_ALPHA, _PLANES = (b"ARGB", b"RGBA", b"ABGR", b"BGRA", b"Y4"), (b"Y3", b"Y4", b"G3", b"G4")


class Video:
    """An open video.  ``note`` gets sentences about what was done to its pixels.

    Raises :class:`PhotoError` where it is none.
    """

    def __init__(self, path: Path, note: Callable[[str], None]) -> None:
        self._path, self._note = path, note
        self._decoder = _Decoder()
        self._kept = ExitStack()
        self._alpha: _Alpha | None = None
        try:
            self._capture = self._decoder.says(lambda: _opened(path))
            self._kept.callback(lambda: self._decoder.says(self._capture.release))
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        capture = self._capture
        # On in some versions of OpenCV unless told, off in others.
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self.rate = float(capture.get(cv2.CAP_PROP_FPS))  #: frames a second, as the file says
        self.count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))  #: frames, as the file says
        code = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
        kind = code.to_bytes(4, "little")
        tags = container.read_tags(self._path)
        self._to_srgb, notes = video_colour.to_srgb(tags, kind[:2] in _PLANES and kind[3] > 8)
        for note in notes:
            self._note(note)
        if tags.alpha:
            self._open_alpha()
        elif kind.startswith(_WITH_ALPHA):
            self._note(
                "The video's transparency cannot be read, so what lies under it shows; export it "
                "over a plain background."
            )
        self._stretch = self._stretched(
            capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
        )

    def _stretched(self, across: float, down: float) -> tuple[float, float]:
        """By how much frames have to grow in x and y so that their pixels are square."""
        aspect = across / down if across > 0 and down > 0 else 1.0
        if not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
            aspect = 1.0
        if round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180:
            aspect = 1 / aspect  # it is that of the frames as they are stored
        return max(aspect, 1.0), max(1 / aspect, 1.0)

    def _open_alpha(self) -> None:
        folder = Path(self._kept.enter_context(temporary_folder()))
        try:
            there = container.write_alpha(self._path, folder / "alpha.ivf")
            self._alpha = self._kept.enter_context(_Alpha(folder / "alpha.ivf", there))
        except (*container.SHORT, PhotoError):
            self._note("The video's transparency is damaged; what lies under it shows.")
            return
        self._note("The transparent parts of the video were laid over white.")

    @property
    def complained(self) -> bool:
        """Whether the decoder had to mend something so far."""
        return self._decoder.complained

    def grab(self) -> bool:
        """Go to the next frame; False where there is none."""
        found = self._decoder.says(self._capture.grab)
        if found and self._alpha is not None:
            self._alpha.grab()
        return found

    @property
    def moment(self) -> float:
        """Seconds of the frame in the file."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def pixels(self) -> Bytes | None:
        """(H, W, 3) uint8 sRGB of the frame; None where it is damaged."""
        ok, picture = self._decoder.says(self._capture.retrieve)
        if not ok:
            return None
        pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        if self._to_srgb is not None:
            pixels = self._to_srgb(pixels)
        if self._alpha is not None:
            pixels = self._alpha.over_white(pixels)
        across, down = self._stretch
        if across != down:
            wanted = round(pixels.shape[1] * across), round(pixels.shape[0] * down)
            pixels = cv2.resize(pixels, wanted, interpolation=cv2.INTER_CUBIC)
        return np.asarray(pixels, np.uint8)

    def close(self) -> None:
        """Let go of the file."""
        self._kept.close()
        self._decoder.close()


class _Alpha:
    """The opacity of a video's frames, which is the luma of a second one."""

    def __init__(self, path: Path, there: bytes) -> None:
        self._decoder = _Decoder()  # OpenCV warns that luma alone is asked for
        try:
            self._capture = self._decoder.says(lambda: _opened(path))
        except BaseException:
            self._decoder.close()
            raise
        self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)  # luma as it is
        self._there, self._index = there, 0
        self._last: Bytes | None = None

    def __enter__(self) -> _Alpha:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.says(self._capture.release)
        self._decoder.close()

    def grab(self) -> None:
        """Go to the next frame."""
        index, self._index = self._index, self._index + 1
        self._last = None
        if self._there[index : index + 1] == b"\1":
            ok, picture = self._decoder.says(self._capture.read)
            self._last = np.asarray(picture, np.uint8) if ok else None

    def over_white(self, pixels: Bytes) -> Bytes:
        """``pixels`` laid over white."""
        alpha = self._last
        if alpha is None or alpha.shape[:2] != pixels.shape[:2]:
            return pixels
        part = alpha.reshape(*pixels.shape[:2], -1)[..., :1].astype(np.float32) / 255
        return np.rint(255 + (pixels - np.float32(255)) * part).astype(np.uint8)


def _opened(path: Path) -> cv2.VideoCapture:
    capture = _capture(str(path))
    if not capture.isOpened() and not is_narrow(path):
        try:
            # Open until the process ends: a film is read more than once.
            capture = _capture(_NARROW_NAMES.enter_context(narrow_name(path)))
        except OSError as error:
            raise PhotoError(f"{path} cannot be opened: {reason(error)}.") from error
    if not capture.isOpened():
        raise PhotoError(
            f"{path} is no video that can be read: it is damaged or of an unknown kind."
        )
    return capture


def _capture(name: str) -> cv2.VideoCapture:
    # One thread: others would say what is damaged after the frame was returned.
    return cv2.VideoCapture(name, cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, 1])


_NARROW_NAMES = ExitStack()
atexit.register(_NARROW_NAMES.close)


class _Decoder:
    """Keeps what FFmpeg says of a video away from standard error, and notes that it did.

    It mends damaged frames and gives them as if they were whole; that it says so there is all that
    OpenCV lets one know.
    """

    def __init__(self) -> None:
        self.complained = False
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - until close()

    def says(self, call: Callable[[], Result]) -> Result:
        """``call()``, while standard error goes to a file."""
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(self._said.fileno(), 2)
        try:
            return call()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if self._said.seek(0, os.SEEK_END):
                self.complained = True
                self._said.seek(0)
                self._said.truncate()

    def close(self) -> None:
        """Remove the file."""
        self._said.close()
