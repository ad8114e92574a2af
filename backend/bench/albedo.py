"""``bench albedo``: how far textures are from the true albedo of heads in hard light.

The error of a texel is the mean over red, green and blue of the absolute difference of the logs of
linear light, after the median over the face is taken out of each channel: one photo cannot tell
dark skin from dim light, and that is not what is asked here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import FaceError, NoFaceError
from ..files import write_bytes
from ..geometry import srgb
from ..model import DEFAULT_MODEL, FaceModel, load_model
from ..photo.encode import decode
from ..photo.read import read_photo
from ..pipeline import Options, reconstruct
from ..texture.build import build_texture
from .accuracy_set import Truth
from .albedo_set import HEADS, SEED, SIZE, albedo_set, line_distance, texel_field, true_albedo

Double = NDArray[np.float64]

#: mm that a blink moves what counts as a lid.
BLINK_MM = 1.5
#: mm about the folds from nose to mouth.
SMILE_MM = 8.0
#: Linear light below which colours count as this.
_FLOOR = 0.004


@lru_cache(maxsize=2)
def regions_of(model: FaceModel) -> dict[str, NDArray[np.bool_]]:
    """(T, T) texels of each region, on skin."""
    skin = model.uv_mask("skin") > 0.5
    lips = model.uv_mask("lips") > 0.1
    brows = cv2.dilate(model.uv_mask("brows"), np.ones((7, 7))) > 0.5
    lids = _moved_by_blink(model) > BLINK_MM
    return {
        "lids": lids & skin,
        "brows": brows & skin & ~lids,
        "smile lines": (line_distance(model, "nasolabial") < SMILE_MM) & skin & ~lips,
        "neck": (model.uv_mask("neck") > 0.5) & skin,
        "face": (model.uv_mask("face") > 0.5) & skin,
    }


def _moved_by_blink(model: FaceModel) -> NDArray[np.float32]:
    """(T, T) mm, of the mean head."""
    names = [name for name in model.expression_names if name.startswith("eyeBlink")]
    blink = sum(model.expression_basis[model.expression_names.index(name)] for name in names)
    return texel_field(model, np.linalg.norm(blink, axis=1))


def albedo_error(model: FaceModel, found: NDArray, true: NDArray) -> dict[str, float]:
    """Error by region of ``found`` (S, S, 3) uint8 sRGB against ``true`` (T, T, 3) linear RGB."""
    size = len(true)
    linear = srgb.decode(found / 255).astype(np.float32)
    linear = cv2.resize(linear, (size, size), interpolation=cv2.INTER_AREA)
    apart = np.log(np.maximum(linear, _FLOOR)) - np.log(np.maximum(true, _FLOOR))
    regions = regions_of(model)
    apart = np.abs(apart - np.median(apart[regions["face"]], axis=0)).mean(axis=2)
    return {name: float(apart[region].mean()) for name, region in regions.items()}


def measure(
    truths: Sequence[Truth], model: FaceModel, size: int, true_shape: bool, pictures: Path | None
) -> dict[str, dict[str, float]]:
    """:func:`albedo_error` by picture's name; faces that are not found are left out.

    With ``true_shape`` the photo is put on the true head from the true camera: the texture's own
    error.  Textures of ``size`` pixels are written into ``pictures``.
    """
    found = {}
    for truth in tqdm(truths, unit="head", disable=not sys.stderr.isatty()):
        name = truth.picture.stem
        try:
            texture = _texture(truth, model, size, true_shape)
        except NoFaceError as error:
            print(f"bench albedo: {name}: {error}", file=sys.stderr)
            continue
        found[name] = albedo_error(model, texture, true_albedo(truth))
        if pictures is not None:
            cv2.imwrite(str(pictures / f"{name}.png"), texture[..., ::-1])
    return found


def _texture(truth: Truth, model: FaceModel, size: int, true_shape: bool) -> NDArray[np.uint8]:
    if not true_shape:
        options = Options(texture="albedo", texture_size=size, hair="none")
        return decode(reconstruct(truth.picture, options)[0].texture)
    camera = truth.camera
    return build_texture(
        model,
        read_photo(truth.picture).pixels,
        truth.vertices_posed,
        camera.camera_matrix,
        camera.rotation,
        camera.translation,
        size=size,
        landmarks2d=truth.landmarks2d,
        vertices_neutral=truth.vertices_neutral,
    ).image


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """For people: a row for each head, then the mean."""
    names = list(next(iter(found.values())))
    rows = {**found, "mean": mean_errors(found)}
    lines = [f"{'log albedo off':<16}" + "".join(f"{name:>13}" for name in names)]
    for head, row in rows.items():
        lines.append(f"{head:<16}" + "".join(f"{row[name]:>13.3f}" for name in names))
    return "\n".join(lines)


def mean_errors(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """By region, over the heads."""
    rows = list(found.values())
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench albedo",
        description="Error of textures by region, on a fixed set of Cycles renderings with "
        "expressions, folds, lashes and hard light, whose albedo is known.",
    )
    add = parser.add_argument
    add("--set", type=Path, metavar="FOLDER", help="the test set (default: the user's cache)")
    add("--heads", type=int, default=HEADS, help=f"pictures in the set (default {HEADS})")
    add("--size", type=int, default=SIZE, help=f"their side in pixels (default {SIZE})")
    add("--texture-size", type=int, default=1024, help="pixels (default 1024)")
    add("--true-shape", action="store_true", help="put the photo on the true head")
    add("--json", type=Path, metavar="FILE", help="write all numbers there")
    add("--pictures", type=Path, metavar="FOLDER", help="write the textures there")
    args = parser.parse_args(argv)
    if args.heads < 1 or args.size < 64:
        parser.error("--heads starts at 1, --size at 64")
    try:
        Options(texture_size=args.texture_size)
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
        model = load_model(DEFAULT_MODEL)
        truths = albedo_set(args.set, model, args.heads, args.size, SEED, _say)
        found = measure(truths, model, args.texture_size, args.true_shape, args.pictures)
        if not found:
            raise NoFaceError("In none of the set's pictures a face was found.")
        if args.json:
            write_bytes(args.json, json.dumps(found, indent=1).encode())
    except (FaceError, OSError) as error:
        print(f"bench albedo: {error}", file=sys.stderr)
        return error.exit_status if isinstance(error, FaceError) else 5
    print(table(found))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
