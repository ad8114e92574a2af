"""``bench identity``: whether a face recogniser knows the rendered head for the photographed one.

dlib's 128-number descriptor (King 2017, a ResNet trained by metric learning) of each photo and of
the Cycles rendering from the photo's camera.  It was trained on photographs: renderings lie further
from any photo, so distances are compared with those to the other photos in the folder, not with the
0.6 at which dlib calls two photos the same person.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..blender import Blender
from ..detect.recognition import cosine_distances, descriptor
from ..errors import FaceError, NoFaceError, PhotoError
from ..exchange import Reconstruction, save_reconstruction
from ..exchange.photo_tasks import collect
from ..files import write_bytes
from ..photo.encode import decode, encode_png
from ..pipeline import Options, reconstruct
from ..preview import preview_window, window_camera, window_pixels
from .runs import RUN_HELP, Run, parse_run

Bytes = NDArray[np.uint8]
Double = NDArray[np.float64]

PANEL = 512
#: Behind the rendering, so that nothing of the photo is left in it.
BACKGROUND = 128


@dataclass(frozen=True)
class Match:
    """How one photo's rendering compares with all photos; distances are 1 - cosine."""

    photo: str
    same: float  #: to its own photo
    nearest_other: float
    nearest_other_photo: str
    rank: int  #: of its own photo among all, from 1


@dataclass(frozen=True)
class Identity:
    """Of one run over a folder."""

    matches: tuple[Match, ...]
    lost: tuple[str, ...]  #: photos without a face
    same: float  #: median distance of a rendering to its photo
    others: float  #: median distance of a rendering to other photos
    photos: float  #: median distance of two different photos
    rank1: float  #: share of renderings closest to their own photo


def compare(photos: NDArray, renderings: NDArray, names: Sequence[str]) -> list[Match]:
    """A :class:`Match` per rendering; row i of both (N, 128) is of the same face, N at least 2."""
    distances = cosine_distances(renderings, photos)
    matches = []
    for i, row in enumerate(distances):
        other = int(np.argmin(np.where(np.arange(len(row)) == i, np.inf, row)))
        rank = 1 + int(np.count_nonzero(row < row[i]))
        matches.append(Match(names[i], float(row[i]), float(row[other]), names[other], rank))
    return matches


def measure_identity(
    photos: Sequence[Path], options: Options, blender: Blender, pictures: Path | None = None
) -> Identity:
    """Reconstruct, render and compare the faces of ``photos``; pairs of panels go to ``pictures``.

    Raises :class:`NoFaceError` when fewer than two photos have a face.
    """
    names: list[str] = []
    lost: list[str] = []
    pairs: list[tuple[Double, Double]] = []
    for photo in tqdm(photos, unit="photo", disable=not sys.stderr.isatty()):
        try:
            heads = reconstruct(photo, options)
        except (NoFaceError, PhotoError):
            lost.append(photo.name)
            continue
        for head in heads:
            suffix = "" if head.face_index == 1 else f" face {head.face_index}"
            names.append(photo.name + suffix)
            panels = photo_and_rendering(head, blender)
            pairs.append((descriptor(*panels[0]), descriptor(*panels[1])))
            if pictures is not None:
                both = np.hstack([panel for panel, _ in panels])
                write_bytes(pictures / f"{names[-1]}.png", encode_png(both).tobytes())
    if len(pairs) < 2:
        raise NoFaceError("Fewer than two photos have a face; give a folder of more.")
    photo, rendering = (np.stack(side) for side in zip(*pairs, strict=True))
    matches = compare(photo, rendering, names)
    apart = ~np.eye(len(names), dtype=bool)
    return Identity(
        tuple(matches),
        tuple(lost),
        same=float(np.median([match.same for match in matches])),
        others=float(np.median(cosine_distances(rendering, photo)[apart])),
        photos=float(np.median(cosine_distances(photo, photo)[apart])),
        rank1=float(np.mean([match.rank == 1 for match in matches])),
    )


def photo_and_rendering(
    head: Reconstruction, blender: Blender
) -> tuple[tuple[Bytes, Double], tuple[Bytes, Double]]:
    """The photo's window and its Cycles rendering on grey, (PANEL, PANEL, 3), each with landmarks.

    The photo's landmarks are the detected ones, the rendering's those of the head in it.
    """
    window = preview_window(head)
    with tempfile.TemporaryDirectory() as folder:
        npz = save_reconstruction(head, Path(folder) / "head.npz")
        built = blender.build(npz, Path(folder), "head", (), window)
        encoded = np.fromfile(built["photo_render"], np.uint8)
    rgba = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    rgba = cv2.resize(rgba, (PANEL, PANEL)).astype(np.float32)
    alpha = rgba[..., 3:] / 255
    rendering = np.rint(rgba[..., 2::-1] * alpha + BACKGROUND * (1 - alpha)).astype(np.uint8)
    photo = window_pixels(decode(head.photo), window, PANEL)
    to_panel = window_camera(np.eye(3), window, PANEL)
    detected, fitted = (
        points @ to_panel[:2, :2].T + to_panel[:2, 2]
        for points in (head.landmarks2d_detected, head.landmarks2d)
    )
    return (photo, detected), (np.ascontiguousarray(rendering), fitted)


def identity_table(found: dict[str, Identity]) -> str:
    """For people."""
    lines = []
    for run, result in found.items():
        lines.append(f"{run}: rendering against photos, 1 - cosine of dlib's descriptor")
        lines.append(f"  {'photo':<40}{'same':>7}{'nearest other':>15}{'rank':>6}")
        for one in sorted(result.matches, key=lambda match: match.same):
            lines.append(
                f"  {one.photo:<40.40}{one.same:>7.3f}{one.nearest_other:>15.3f}{one.rank:>6}"
            )
        lines += [f"  {name:<40.40}  no face" for name in result.lost]
        lines.append(
            f"  median: same {result.same:.3f}, others {result.others:.3f}, between photos "
            f"{result.photos:.3f}; rank-1 {result.rank1:.0%} of {len(result.matches)}"
        )
    lines.append("Photos of one person under two names count as different people.")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench identity",
        description="Whether dlib's face recogniser finds the photo of a rendered head again.",
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="FOLDER", help="photos of different people")
    add("--run", action="append", type=parse_run, metavar="NAME[:KEY=VALUE,...]", help=RUN_HELP)
    add("--json", type=Path, metavar="FILE", help="write all numbers there")
    add("--pictures", type=Path, metavar="FOLDER", help="write photo and rendering side by side")
    args = parser.parse_args(argv)
    runs: list[Run] = args.run or [parse_run("landmarks"), parse_run("network")]
    found: dict[str, Identity] = {}
    blender = Blender()
    try:
        photos = [job.photo for job in collect(args.photos, Path(tempfile.gettempdir()))]
        for run in runs:
            pictures = args.pictures and args.pictures / run.name
            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
            # A head without texture would be nobody's.
            options = run.options
            if options.texture == "none":
                options = replace(options, texture="albedo", texture_size=1024)
            found[run.name] = measure_identity(photos, options, blender, pictures)
        if args.json:
            document = {run: asdict(result) for run, result in found.items()}
            write_bytes(args.json, json.dumps(document, indent=1).encode())
    except (FaceError, OSError) as error:
        print(f"bench identity: {error}", file=sys.stderr)
        return error.exit_status if isinstance(error, FaceError) else 5
    finally:
        blender.close()
    print(identity_table(found))
    return 0
