"""Photographs without labels: landmarks and FFHQ crops, found once and cached."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..align import LandmarkPredictor, ffhq_crop
from ..arrays import Member, check_arrays, map_npy
from ..bounded import read_json, reading
from ..detect import DlibDetector
from ..errors import NoFaceError, OutputError, PhotoError, TrainingError
from ..exchange.formats import names_picture
from ..files import reason, write_bytes
from ..photo import read_photo

SIZE = 224  #: pixels of the cached crops
#: Landmark votes that disagree by more are guesses, from which nothing should be learnt.
MOST_SPREAD = 0.024
_INDEX = "photos.json"
_LARGEST_INDEX = 64_000_000  #: the reasons of 300,000 pictures that were left out
_ARRAYS = {
    "crops": Member("u1", ("N", SIZE, SIZE, 3)),
    "landmarks": Member("f4", ("N", 68, 2)),
}
_REPORT_EVERY = 200
_FORMAT = 1

Bytes = NDArray[np.uint8]


class PhotoSet:
    """The faces of a folder of photographs."""

    def __init__(self, cache: Path) -> None:
        """Of a folder that :func:`prepare_photos` made."""
        with reading(TrainingError, cache, "a cache of photographs", "remove it"):
            self._crops: Bytes = map_npy(cache / "crops.npy", "r")
            self._landmarks: NDArray[np.float32] = map_npy(cache / "landmarks.npy")
            check_arrays({"crops": self._crops, "landmarks": self._landmarks}, _ARRAYS)

    def __len__(self) -> int:
        return len(self._crops)

    def draw(self, count: int, seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """(n, S, S, 3) uint8 crops and (n, 68, 2) landmarks in half sides; n is ``count`` at most.

        Which ones is decided by ``seed`` alone.
        """
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(self), min(count, len(self)), replace=False)
        return torch.from_numpy(self._crops[chosen]), torch.from_numpy(self._landmarks[chosen])


def prepare_photos(folder: Path, cache: Path, report: Callable[[str], None]) -> PhotoSet:
    """The faces under ``folder``, looked for once: ``cache`` keeps them.

    The largest face of each picture.  Pictures that cannot be read or show no usable face are
    left out, and named with the reason in ``cache``/photos.json.  The cache is made anew when a
    picture was added, removed or changed.  Raises :class:`TrainingError` when none can be used.
    """
    files = sorted(p for p in folder.rglob("*") if names_picture(p.name) and p.is_file())
    if not files:
        raise TrainingError(f"There are no pictures in {folder}.")
    signature = _signature(folder, files)
    if _known(cache) == signature:
        return PhotoSet(cache)
    try:
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        skipped = _find_faces(folder, files, cache, report)
    except OSError as error:
        raise OutputError(f"Cannot write to {cache}: {reason(error)}.") from error
    index = {"format": _FORMAT, "signature": signature, "skipped": skipped}
    report(f"{len(files) - len(skipped)} of {len(files)} photographs can be used.")
    if skipped:
        report(f"{len(skipped)} were left out: see {cache / _INDEX}.")
    if len(skipped) == len(files):
        name, why = next(iter(skipped.items()))
        raise TrainingError(
            f"None of the {len(files)} pictures in {folder} can be used; {name}, for one: {why}"
        )
    write_bytes(cache / _INDEX, json.dumps(index, indent=1).encode())
    return PhotoSet(cache)


def _find_faces(
    folder: Path, files: list[Path], cache: Path, report: Callable[[str], None]
) -> dict[str, str]:
    """Writes the arrays; returns name to reason of what was left out."""
    skipped: dict[str, str] = {}
    landmarks: list[NDArray[np.float32]] = []
    raw = cache / "crops.raw"
    with raw.open("wb") as out:
        for number, (path, found) in enumerate(zip(files, _faces(files), strict=True), start=1):
            if isinstance(found, str):
                skipped[str(path.relative_to(folder))] = found
            else:
                out.write(found[0].tobytes())
                landmarks.append(found[1])
            if number % _REPORT_EVERY == 0:
                report(f"{number} of {len(files)} photographs looked at.")
    if landmarks:
        shape = (len(landmarks), SIZE, SIZE, 3)
        np.save(cache / "crops.npy", np.memmap(raw, np.uint8, "r", shape=shape))
        np.save(cache / "landmarks.npy", np.stack(landmarks))
    raw.unlink()
    return skipped


def _faces(files: list[Path]) -> Iterator[tuple[Bytes, NDArray[np.float32]] | str]:
    """Per file the crop and its landmarks, or why there are none."""
    detector, predictor = DlibDetector(), LandmarkPredictor()
    for path in files:
        try:
            yield _face(path, detector, predictor)
        except (PhotoError, NoFaceError) as error:
            yield str(error)


def _face(
    path: Path, detector: DlibDetector, predictor: LandmarkPredictor
) -> tuple[Bytes, NDArray[np.float32]]:
    photo = read_photo(path)
    if photo.there is not None:
        raise PhotoError("it was cut off.")
    faces = detector.detect(photo.pixels)
    if not faces:
        raise NoFaceError("no face was found.")
    found = predictor.predict_with_spread(photo.pixels, faces[0].box, faces[0].quarter_turns)
    landmarks, spread = found
    if spread > MOST_SPREAD:
        raise NoFaceError("its landmarks are uncertain.")
    crop = ffhq_crop(photo.pixels, landmarks, SIZE)
    to_crop = np.linalg.inv(crop.to_photo)
    pixels = landmarks @ to_crop[:2, :2].T + to_crop[:2, 2]
    return crop.image, ((pixels - (SIZE - 1) / 2) / (SIZE / 2)).astype(np.float32)


def _signature(folder: Path, files: list[Path]) -> str:
    found = hashlib.sha256(str(_FORMAT).encode())
    for path in files:
        state = path.stat()
        found.update(f"{path.relative_to(folder)}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return found.hexdigest()


def _known(cache: Path) -> str | None:
    try:
        return read_json(cache / _INDEX, _LARGEST_INDEX)["signature"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
