"""The accuracy benchmark's test set: heads with known shape, drawn here and rendered by Cycles.

A folder with ``set.json``, ``mesh.npz`` (what all heads share) and per head ``NNNN.npz`` (the
truth, and what the renderer needs) and ``NNNN.png``.  It is a cache: made when missing, made anew
when ``VERSION``, seed, size or face model differ.  The look of the pictures is the renderer's own
(``tools/make_accuracy_set``) and shares nothing with the training pictures.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, WorkerError
from ..files import write_bytes
from ..folders import cache_folder
from ..geometry import srgb
from ..geometry.camera import Camera, intrinsics
from ..geometry.rotation import from_euler
from ..model import FaceModel
from ..model.contour import seen_landmarks
from ..model.own import own_head
from .expressions import random_expression

Double = NDArray[np.float64]
Report = Callable[[str], None]
Draw = Callable[[FaceModel, int, int, int], dict[str, Any]]

#: Raised whenever the same seed gives other pictures.
VERSION = 1
SEED = 90210  #: no training run uses it
HEADS, SIZE = 48, 512
#: |yaw| in degrees; heads go to the bins in turn.
YAW_BINS = ((0.0, 15.0), (15.0, 35.0), (35.0, 60.0), (60.0, 75.0))
PITCH, ROLL = 20.0, 15.0
FOCAL_35MM = (24.0, 135.0)
NEAREST_MM = 380.0
#: The ten steps of the Monk scale as skin: its lightness with the chroma of photographed skin.
#: 8-bit sRGB, after the swatches of Monk 2023, "The Monk Skin Tone Scale".
SKIN = np.array(
    [(238, 205, 188), (229, 190, 168), (217, 172, 147), (201, 152, 124), (180, 130, 101),
     (153, 106, 79), (124, 84, 62), (97, 65, 49), (72, 50, 40), (52, 39, 34)]
)  # fmt: skip
#: Masks that tell the renderer where what grows.
MASKS = ("scalp", "beard", "brows", "face", "neck", "lips")

ROOT = Path(__file__).resolve().parents[2]
RENDERER = "tools.make_accuracy_set"


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of one picture.  Head coordinates in mm, pixels of the picture."""

    picture: Path
    vertices_neutral: Double  #: (V, 3)
    vertices_posed: Double  #: (V, 3)
    camera: Camera
    landmarks2d: Double  #: (68, 2) the far jaw as it is seen
    yaw: float  #: degrees, to the head's left

    @classmethod
    def load(cls, path: Path) -> Truth:
        """Of ``NNNN.npz``."""
        with np.load(path, allow_pickle=False) as data:
            camera = Camera(data["camera_matrix"], data["rotation"], data["translation"])
            return cls(
                path.with_suffix(".png"),
                data["vertices_neutral"].astype(np.float64),
                data["vertices_posed"].astype(np.float64),
                camera,
                data["landmarks2d"],
                float(data["yaw"]),
            )


def accuracy_set(
    folder: Path,
    model: FaceModel,
    heads: int = HEADS,
    size: int = SIZE,
    seed: int = SEED,
    report: Report = print,
    *,
    draw: Draw | None = None,
    kind: str = "accuracy_set",
) -> list[Truth]:
    """The set in ``folder``, made if it is not there; ``report`` gets lines about that.

    ``draw`` gives the arrays of a head, :func:`draw_head` unless it is another ``kind`` of set.
    An interrupted run goes on where it stopped.  Raises :class:`OutputError` when the folder
    cannot be written or holds something else, :class:`WorkerError` when Cycles fails.
    """
    draw = draw or draw_head
    wanted = {
        "format": f"reconstruct_face.{kind}",
        "version": VERSION,
        "seed": seed,
        "heads": heads,
        "size": size,
        "model_sha256": model.header["sha256"],
    }
    _prepare(folder, wanted)
    files = [folder / f"{number:04d}.npz" for number in range(heads)]
    missing = [path for path in files if not path.with_suffix(".png").is_file()]
    if missing:
        report(f"Rendering {len(missing)} of {heads} test pictures into {folder} (once)")
        write_mesh(model, folder / "mesh.npz")
        for number, path in enumerate(files):
            if path in missing:
                save_arrays(path, draw(model, number, size, seed))
        run_renderer(RENDERER, folder, report)
    return [Truth.load(path) for path in files]


def default_folder() -> Path:
    """Where the set is kept: the user's cache folder."""
    return cache_folder() / "accuracy_set"


def draw_head(model: FaceModel, number: int, size: int, seed: int) -> dict[str, Any]:
    """Arrays of head ``number``: coefficients, shape, camera, landmarks, albedo, seed of look."""
    rng = np.random.default_rng([seed, number])
    identity = rng.normal(size=len(model.identity_basis))
    kind, expression = random_expression(model.expression_names, rng)
    expression = np.clip(expression, *model.expression_range.T)
    head = own_head(model, identity, expression)
    posed = head.posed
    camera = draw_camera(YAW_BINS, number, posed[model.landmarks68], size, rng)
    albedo, tone = draw_albedo(model, rng)
    return {
        "identity": identity,
        "expression": expression,
        "expression_kind": kind,
        "vertices_neutral": head.neutral,
        "vertices_posed": posed,
        "camera_matrix": camera.camera_matrix,
        "rotation": camera.rotation,
        "translation": camera.translation,
        "landmarks2d": camera.project(seen_landmarks(model, posed, camera)),
        "yaw": camera.euler_degrees[0],
        "albedo": albedo,
        "tone": tone,
        "size": size,
        "look_seed": np.array([seed, number, 1]),
    }


def draw_camera(
    bins: Sequence[tuple[float, float]],
    number: int,
    landmarks: NDArray,
    size: int,
    rng: np.random.Generator,
) -> Camera:
    """A camera that sees ``landmarks`` (68, 3) in the yaw bin of ``number``, within the picture."""
    low, high = bins[number % len(bins)]
    side = 1 if number // len(bins) % 2 else -1
    angles = np.array([side * rng.uniform(low, high), *rng.uniform(-1, 1, 2) * (PITCH, ROLL)])
    rotation = from_euler(*np.radians(angles))
    focal = np.exp(rng.uniform(*np.log(FOCAL_35MM))) / 36 * size
    tall = np.ptp(landmarks[:, 1])
    share = rng.uniform(0.26, 0.46)  # of the picture's side, brows to chin
    distance = max(NEAREST_MM, focal * tall / (share * size))
    # The face may lie off the middle, but stays in the picture.
    aside = rng.uniform(-1, 1, 2) * (0.10, 0.07) * size / focal * distance
    centre = (landmarks.min(0) + landmarks.max(0)) / 2
    shift = np.array([*aside, distance]) - rotation @ centre
    return Camera(intrinsics(focal, (size, size)), rotation, shift)


def draw_albedo(model: FaceModel, rng: np.random.Generator) -> tuple[NDArray[np.uint8], float]:
    """(T, T, 3) sRGB and the step of the Monk scale, 0 to 9.

    Features (lips, brows, blush, iris) are the model's; the skin's own colour is not, so that
    tones outside its space occur too.
    """
    coefficients = rng.normal(size=len(model.albedo_basis)) * 0.9
    coefficients[0] = 0.0
    albedo = model.albedo(coefficients)
    skin = model.uv_mask("skin")[..., None]
    tone = rng.uniform(0, len(SKIN) - 1)
    steps = np.arange(len(SKIN))
    colour = [np.interp(tone, steps, srgb.decode(SKIN / 255)[:, c]) for c in range(3)]
    usual = np.median(albedo[model.uv_mask("face") > 0.5], axis=0)
    tinted = albedo * (np.asarray(colour) / usual)
    albedo = np.clip(skin * tinted + (1 - skin) * albedo, 0.003, 0.9)
    return srgb.encode_bytes(albedo), tone


def _prepare(folder: Path, wanted: dict[str, Any]) -> None:
    """Make ``folder`` ready for the set ``wanted``; an older set in it is removed."""
    record = folder / "set.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = json.loads(record.read_text()) if record.is_file() else None
        if found == wanted:
            return
        if found is None and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty and holds no test set; name another.")
        for old in folder.glob("[0-9][0-9][0-9][0-9].*"):
            old.unlink()
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot use {folder} for the test set ({error}).") from error
    write_bytes(record, json.dumps(wanted, indent=1).encode())


def write_mesh(model: FaceModel, path: Path) -> None:
    """What all heads share, in the renderer's terms."""
    arrays = {
        "polygons": model.polygons,
        "polygon_material": model.polygon_material,
        "uv": model.uv,
        "uv_polygons": model.uv_polygons,
        "triangles": model.faces,
        "materials": np.array(model.material_kinds),
        **{f"mask_{name}": model.mask(name) for name in MASKS},
        **{f"uv_mask_{name}": model.uv_mask(name) for name in ("scalp", "skin", "lips")},
    }
    save_arrays(path, arrays)


def save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def run_renderer(module: str, folder: Path, report: Report) -> None:
    """Run the renderer ``module`` in a process of its own, passing on the lines it prints."""
    command = [sys.executable, "-m", module, str(folder.resolve())]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                report(line.rstrip())
        except BaseException:
            process.kill()
            raise
        status = process.wait()
        complaints.seek(0)
        last = complaints.read().strip().rpartition("\n")[2]
    if status:
        raise WorkerError(f"Cycles could not render all of {folder}: {last or f'status {status}'}")
