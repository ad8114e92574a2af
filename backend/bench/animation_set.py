"""The animation benchmark's clips: heads that speak, smile, blink and turn by known curves.

A folder as :mod:`.accuracy_set` has it, with ``clip_N/`` per head: ``truth.npz`` (curves, pose,
camera), ``look.npz`` (what the renderer needs) and a PNG for every frame.  Rendered by Cycles
(``tools.make_animation_clips``) once, into the user's cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..files import write_bytes
from ..geometry.camera import intrinsics
from ..geometry.rotation import FACING, from_euler
from ..model import FaceModel
from .accuracy_set import default_folder as accuracy_folder
from .accuracy_set import draw_head, run_renderer, save_arrays, write_mesh

Double = NDArray[np.float64]
Report = Callable[[str], None]

#: Raised whenever the same seed gives other pictures.
VERSION = 1
SEED = 77210
CLIPS, FRAMES, SIZE, RATE = 2, 160, 320, 30.0
#: Cycles' samples for a pixel: a face in a compressed film is no finer.
SAMPLES = 6
FOCAL_PER_SIDE = 1.6
FACE_SHARE = 0.40  #: brows to chin, of the picture's side
#: mm, head coordinates: where the neck turns.
PIVOT = np.array([0.0, -90.0, -40.0])
RENDERER = "tools.make_animation_clips"


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip and the truth about it."""

    folder: Path  #: with the frames, 0000.png and so on
    names: tuple[str, ...]  #: E shape keys
    weights: Double  #: (N, E)
    rotation: Double  #: (N, 3, 3) head to camera
    translation: Double  #: (N, 3) mm
    camera_matrix: Double  #: (3, 3)
    identity: Double  #: (K,)
    rate: float  #: frames a second

    @classmethod
    def load(cls, folder: Path) -> Clip:
        """Of ``folder/truth.npz``."""
        with np.load(folder / "truth.npz", allow_pickle=False) as data:
            return cls(
                folder,
                tuple(data["names"].tolist()),
                data["weights"],
                data["rotation"],
                data["translation"],
                data["camera_matrix"],
                data["identity"],
                float(data["rate"]),
            )

    def write_video(self, path: Path, size: tuple[int, int] | None = None) -> Path:
        """The frames as a film (MPEG-4), enlarged into the middle of ``size`` where given."""
        frames = sorted(self.folder.glob("[0-9]*.png"))[: len(self.weights)]
        side = cv2.imread(str(frames[0])).shape[0]
        wide, high = size or (side, side)
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter.fourcc(*"mp4v"), self.rate, (wide, high)
        )
        if not writer.isOpened():
            raise OutputError(f"Cannot write the film {path}.")
        left = (wide - high) // 2
        for frame in frames:
            picture = cv2.imread(str(frame))
            if size is not None:
                picture = cv2.resize(picture, (high, high), interpolation=cv2.INTER_CUBIC)
                picture = cv2.copyMakeBorder(
                    picture, 0, 0, left, wide - high - left, cv2.BORDER_REPLICATE
                )
            writer.write(picture)
        writer.release()
        return path


def default_folder() -> Path:
    """Where the clips are kept: the user's cache folder."""
    return accuracy_folder().with_name("animation_set")


def animation_set(
    folder: Path,
    model: FaceModel,
    clips: int = CLIPS,
    frames: int = FRAMES,
    size: int = SIZE,
    seed: int = SEED,
    report: Report = print,
) -> list[Clip]:
    """The clips in ``folder``, made if they are not there; ``report`` gets lines about that.

    An interrupted run goes on where it stopped.  Raises :class:`OutputError` when the folder
    cannot be written or holds something else, :class:`WorkerError` when Cycles fails.
    """
    wanted = {
        "format": "reconstruct_face.animation_set",
        "version": VERSION,
        "seed": seed,
        "clips": clips,
        "frames": frames,
        "size": size,
        "model_sha256": model.header["sha256"],
    }
    places = [folder / f"clip_{number}" for number in range(clips)]
    if not _holds(folder, wanted):
        for number, place in enumerate(places):
            place.mkdir(parents=True, exist_ok=True)
            for old in place.glob("*.png"):
                old.unlink()
            truth, look = draw_clip(model, number, frames, size, seed)
            save_arrays(place / "look.npz", look)
            save_arrays(place / "truth.npz", truth)
        write_mesh(model, folder / "mesh.npz")
        write_bytes(folder / "set.json", json.dumps(wanted, indent=1).encode())
    missing = sum(frames - len(list(place.glob("[0-9]*.png"))) for place in places)
    if missing:
        report(f"Rendering {missing} frames into {folder} (once)")
        run_renderer(RENDERER, folder, report)
    return [Clip.load(place) for place in places]


def draw_clip(
    model: FaceModel, number: int, frames: int, size: int, seed: int
) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """The truth of clip ``number``, and what its renderer needs."""
    head = draw_head(model, number, size, seed)
    rng = np.random.default_rng([seed, number, 2])
    identity = head["identity"]
    weights = draw_curves(model.expression_names, frames, RATE, rng)
    focal = FOCAL_PER_SIDE * size
    neutral = model.vertices(identity)
    tall = np.ptp(neutral[model.landmarks68, 1])
    distance = focal * tall / (FACE_SHARE * size)
    centre = neutral[model.landmarks68].mean(axis=0).astype(np.float64)
    rotation, translation = [], []
    for angles in draw_turns(frames, RATE, rng):
        matrix = from_euler(*np.radians(angles))
        # The neck stays where it is when the head faces the camera.
        at = FACING @ (PIVOT - centre) + (0.0, 0.0, distance)
        rotation.append(matrix)
        translation.append(at - matrix @ PIVOT)
    camera = intrinsics(focal, (size, size))
    posed = np.stack([model.vertices(identity, row) for row in weights])
    truth = {
        "names": np.array(model.expression_names),
        "weights": weights,
        "rotation": np.array(rotation),
        "translation": np.array(translation),
        "camera_matrix": camera,
        "identity": identity,
        "rate": np.array(RATE),
    }
    look = {
        **{name: head[name] for name in ("albedo", "tone", "look_seed", "vertices_neutral")},
        "size": np.array(size),
        "samples": np.array(SAMPLES),
        "vertices": posed,
        "camera_matrix": camera,
        "rotation": np.array(rotation),
        "translation": np.array(translation),
    }
    return truth, look


def draw_curves(
    names: tuple[str, ...], frames: int, rate: float, rng: np.random.Generator
) -> Double:
    """(N, E) weights: speech with closures, a smile, blinks, raised brows, wandering eyes."""
    seconds = np.arange(frames) / rate
    length = frames / rate
    at = {name: i for i, name in enumerate(names)}
    weights = np.zeros((frames, len(names)))

    def put(name: str, curve: Double) -> None:
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in at:
                weights[:, at[full]] = np.maximum(weights[:, at[full]], curve)

    # Speech in the first half: a syllable every 0.2 s or so, at times the lips meet.
    spoken = _bump(seconds, 0.05 * length, 0.5 * length, 0.15)
    opening, rounding, spread = (np.zeros(frames) for _ in range(3))
    start = 0.06 * length
    while start < 0.48 * length:
        syllable = rng.uniform(0.16, 0.26)
        hump = np.exp(-0.5 * ((seconds - start - syllable / 2) / (0.30 * syllable)) ** 2)
        opening += rng.uniform(0.2, 0.6) * hump
        vowel = rng.integers(3)
        rounding += (vowel == 0) * rng.uniform(0.3, 0.6) * hump
        spread += (vowel == 1) * rng.uniform(0.2, 0.4) * hump
        start += syllable + (rng.random() < 0.25) * 0.12  # a plosive: closed for a moment
    put("jawOpen", np.clip(opening, 0, 0.7) * spoken)
    put("mouthFunnel", np.clip(rounding, 0, 0.7) * spoken)
    put("mouthStretch", np.clip(spread, 0, 0.5) * spoken)
    put("mouthLowerDown", 0.35 * np.clip(opening, 0, 0.7) * spoken)
    smile = rng.uniform(0.7, 0.95) * _bump(seconds, 0.55 * length, 0.80 * length, 0.3)
    smile = np.maximum(smile, 0.3 * _bump(seconds, 0.15 * length, 0.3 * length, 0.25))
    put("mouthSmile", smile)
    put("cheekSquint", 0.5 * smile)
    brows = rng.uniform(0.7, 0.95) * _bump(seconds, 0.82 * length, 0.96 * length, 0.18)
    put("browInnerUp", brows)
    put("browOuterUp", 0.9 * brows)
    put("eyeWide", 0.3 * brows)
    for place in (0.08, 0.27, 0.45, 0.66, 0.78, 0.93):
        # Down in 0.08 s, shut for 0.05 s, up in 0.13 s (Kwon et al. 2013, rounded).
        middle = (place + rng.uniform(-0.02, 0.02)) * length
        put("eyeBlink", _blink(seconds, middle) * rng.uniform(0.92, 1.0))
    across = 0.45 * np.sin(2 * np.pi * seconds / 2.7 + rng.uniform(0, 6))
    for side, sign in (("Left", 1), ("Right", -1)):
        put(f"eyeLookOut{side}", np.maximum(sign * across, 0))
        put(f"eyeLookIn{side}", np.maximum(-sign * across, 0))
    return np.clip(weights, 0.0, 1.0)


def draw_turns(frames: int, rate: float, rng: np.random.Generator) -> Double:
    """(N, 3) yaw, pitch, roll in degrees: small sways, and one turn to the side and back."""
    seconds = np.arange(frames) / rate
    length = frames / rate
    sway = [
        size * np.sin(2 * np.pi * seconds / rng.uniform(2.0, 4.0) + rng.uniform(0, 6))
        for size in (4.0, 3.0, 2.5)
    ]
    turn = rng.choice([-1, 1]) * 24 * _bump(seconds, 0.60 * length, 0.90 * length, 0.45)
    return np.stack([sway[0] + turn, sway[1], sway[2]], axis=1)


def _bump(seconds: Double, begin: float, end: float, ramp: float) -> Double:
    """From 0 to 1 about ``begin`` and back about ``end``, each within ``ramp`` s (smoothstep)."""
    rise = np.clip((seconds - begin) / ramp + 0.5, 0, 1)
    fall = np.clip((end - seconds) / ramp + 0.5, 0, 1)
    return (rise * rise * (3 - 2 * rise)) * (fall * fall * (3 - 2 * fall))


def _blink(seconds: Double, middle: float) -> Double:
    return np.interp(seconds - middle, [-0.105, -0.025, 0.025, 0.155], [0.0, 1.0, 1.0, 0.0])


def _holds(folder: Path, wanted: dict) -> bool:
    """Whether ``folder`` was made for ``wanted``; another set in it may be replaced."""
    record = folder / "set.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = json.loads(record.read_text()) if record.is_file() else None
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot use {folder} for the clips ({error}).") from error
    foreign = found is not None and found.get("format") != wanted["format"]
    unknown = [name for name in os.listdir(folder) if not name.startswith(("clip_", "mesh."))]
    if foreign or (found is None and unknown):
        raise OutputError(f"{folder} is not empty and holds no clips; name another.")
    return found == wanted
