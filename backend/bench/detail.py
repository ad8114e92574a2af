"""``bench detail``: how much closer to the true surface the relief found in a photo comes.

On heads whose relief is known to the texel (:mod:`.detail_set`).  The photo is put on the true head
from the true camera, so that nothing but the relief is measured.  The error is the mean angle
between normals over the skin of the face that is seen: of the smooth head and of the head with what
was found, against the truth at the scale that a photo of such a size holds.  Under 1 is closer than
the smooth head.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import FaceError
from ..files import write_bytes
from ..geometry import srgb
from ..geometry.triangles import vertex_normals
from ..model import DEFAULT_MODEL, FaceModel, load_model
from ..photo.read import read_photo
from ..texture.build import Texture, build_texture
from ..texture.layout import Float, layout_of
from ..texture.relief import even_skin, tangents_of
from .accuracy_set import Truth
from .detail_set import DEVELOPMENT_SEED, HEADS, SEED, SIZE, detail_set, true_relief

#: Side at which normals are compared: a texel is 0.3 mm.
SIDE = 1024
#: mm: standard deviation of what a pixel of the set's pictures, 0.3 to 0.45 mm, does not hold.
HELD_MM = 0.45
#: Degrees of the true detail from which a texel lies on a line.
LINE_DEGREES = 4.0
#: mm: what is wider is not asked of the albedo.
_WIDE_MM = 4.0


@dataclass(frozen=True)
class Measured:
    """Of one head; degrees, and log albedo."""

    smooth: float  #: mean angle of the smooth head's normals
    found: float  #: with what was found
    smooth_lines: float  #: the same on lines
    found_lines: float
    finest: float  #: ``found`` over ``smooth`` against all of the truth, pores included
    albedo: float  #: rms of the texture's fine errors on lines, the relief's shading left in
    albedo_without: float  #: taken out

    @property
    def ratio(self) -> float:
        """What is left of the smooth head's error."""
        return self.found / self.smooth

    @property
    def ratio_lines(self) -> float:
        """The same on lines."""
        return self.found_lines / self.smooth_lines


def measure(truth: Truth, model: FaceModel, size: int = 2048) -> Measured:
    """Of the head ``truth``, with textures of ``size``."""
    plain, fine = (_texture(truth, model, size, relief) for relief in (False, True))
    assert fine.displacement is not None
    height = cv2.resize(fine.displacement, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    relief, albedo = true_relief(truth)
    layout = layout_of(model, size)
    texel = layout.texel_mm * size / SIDE
    full = cv2.resize(relief, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    held = cv2.GaussianBlur(full, (0, 0), HELD_MM / texel)
    seen = cv2.resize(fine.coverage, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    where = (seen > 0.5) & (cv2.resize(even_skin(model), (SIDE, SIDE)) > 0.5)
    surface = _Surface.of(truth, model, size)
    nothing = np.zeros_like(full)
    normals = {"full": full, "held": held, "found": height, "smooth": nothing}
    normals = {name: surface.normals(field) for name, field in normals.items()}
    smooth, found = (_degrees(normals["held"], normals[name]) for name in ("smooth", "found"))
    lines = where & (smooth > LINE_DEGREES)
    finest = [
        _degrees(normals["full"], normals[name])[where].mean() for name in ("found", "smooth")
    ]
    errors = [_albedo_error(one, albedo, lines, texel) for one in (plain, fine)]
    return Measured(
        float(smooth[where].mean()),
        float(found[where].mean()),
        float(smooth[lines].mean()) if lines.any() else float("nan"),
        float(found[lines].mean()) if lines.any() else float("nan"),
        float(finest[0] / finest[1]),
        *errors,
    )


def _texture(truth: Truth, model: FaceModel, size: int, relief: bool) -> Texture:
    camera = truth.camera
    return build_texture(
        model,
        read_photo(truth.picture).pixels,
        truth.vertices_posed,
        camera.camera_matrix,
        camera.rotation,
        camera.translation,
        size=size,
        vertices_neutral=truth.vertices_posed,
        relief=relief,
    )


@dataclass(frozen=True, eq=False)
class _Surface:
    """The true smooth head at SIDE."""

    normal: Float  #: (SIDE, SIDE, 3)
    dual: Float  #: (SIDE, SIDE, 2, 3) per texel of SIDE

    @classmethod
    def of(cls, truth: Truth, model: FaceModel, size: int) -> _Surface:
        normals = vertex_normals(truth.vertices_posed, model.faces)
        found = tangents_of(model, layout_of(model, size), truth.vertices_posed, normals)
        scale = SIDE / len(found.normal)
        larger = [
            cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            for x in (found.normal, found.dual[..., 0, :], found.dual[..., 1, :])
        ]
        return cls(_unit(larger[0]), np.stack(larger[1:], 2) * scale)

    def normals(self, height: Float) -> Float:
        """(SIDE, SIDE, 3) of ``height`` (SIDE, SIDE) mm on it."""
        down, across = np.gradient(height)
        tilt = across[..., None] * self.dual[..., 0, :] + down[..., None] * self.dual[..., 1, :]
        return _unit(self.normal - tilt)


def _unit(vectors: NDArray) -> Float:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)


def _degrees(one: NDArray, other: NDArray) -> Float:
    return np.degrees(np.arccos(np.clip((one * other).sum(axis=-1), -1, 1)))


def _albedo_error(texture: Texture, true: Float, lines: NDArray, texel_mm: float) -> float:
    """rms over ``lines`` (SIDE, SIDE) of the fine part of the log brightness's error."""
    apart = np.zeros((SIDE, SIDE), np.float32)
    for sign, linear in ((1, srgb.decode(texture.image / 255)), (-1, true)):
        small = cv2.resize(np.asarray(linear, np.float32), (SIDE, SIDE), None, 0, 0, cv2.INTER_AREA)
        apart += sign * np.log(np.maximum(small, 4e-3)).mean(axis=2)
    apart -= cv2.GaussianBlur(apart, (0, 0), _WIDE_MM / texel_mm)
    return float(np.sqrt((apart[lines] ** 2).mean())) if lines.any() else float("nan")


def table(found: Mapping[str, Measured]) -> str:
    """For people: a row for each head, then the mean."""
    names = ("smooth", "found", "left", "on lines", "pores too", "albedo", "without")
    lines = [f"{'degrees, parts':<16}" + "".join(f"{name:>11}" for name in names)]
    rows = {
        name: (one.smooth, one.found, one.ratio, one.ratio_lines, one.finest)
        + (one.albedo, one.albedo_without)
        for name, one in found.items()
    }
    rows["mean"] = tuple(np.mean(list(rows.values()), axis=0))
    for name, row in rows.items():
        lines.append(f"{name:<16}" + "".join(f"{value:>11.3f}" for value in row))
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench detail",
        description="Mean angle to the true normals of the relief found in a fixed set of Cycles "
        "renderings whose wrinkles are known, against that of the smooth head.",
    )
    add = parser.add_argument
    add("--set", type=Path, metavar="FOLDER", help="the test set (default: the user's cache)")
    add("--heads", type=int, default=HEADS, help=f"pictures in the set (default {HEADS})")
    add("--size", type=int, default=SIZE, help=f"their side in pixels (default {SIZE})")
    add("--development", action="store_true", help="the four heads the method was chosen on")
    add("--json", type=Path, metavar="FILE", help="write all numbers there")
    args = parser.parse_args(argv)
    if args.heads < 1 or args.size < 64:
        parser.error("--heads starts at 1, --size at 64")
    seed, heads = (DEVELOPMENT_SEED, 4) if args.development else (SEED, args.heads)
    try:
        model = load_model(DEFAULT_MODEL)
        truths = detail_set(args.set, model, heads, args.size, seed, _say)
        quiet = not sys.stderr.isatty()
        found = {
            truth.picture.stem: measure(truth, model)
            for truth in tqdm(truths, unit="head", disable=quiet)
        }
        if args.json:
            record = {name: asdict(one) for name, one in found.items()}
            write_bytes(args.json, json.dumps(record, indent=1).encode())
    except (FaceError, OSError) as error:
        print(f"bench detail: {error}", file=sys.stderr)
        return error.exit_status if isinstance(error, FaceError) else 5
    print(table(found))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
