"""``bench sliders``: each photo's head in Cycles, neutral and in 15 expressions, on one sheet.

Nothing is measured: it is what an artist sees who moves the sliders, to be looked at enlarged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..blender import Blender
from ..cli.reconstruct import SAMPLE
from ..errors import FaceError
from ..exchange import Reconstruction, save_reconstruction
from ..exchange.own_pictures import marked
from ..exchange.photo_tasks import collect
from ..files import write_bytes
from ..photo.encode import decode, encode_jpeg, encode_png
from ..pipeline import Options, reconstruct
from ..preview import contact_sheet, preview_window, window_pixels

Bytes = NDArray[np.uint8]

#: Title to weights; a name without side moves both sides.  Each shows what has gone wrong once:
#: lids that stay open or show lashes, lips that part or cross, folds that are painted, eyes that
#: turn out of their lids.
POSES: dict[str, dict[str, float]] = {
    "blink": {"eyeBlink": 1},
    "blink + squint": {"eyeBlink": 1, "eyeSquint": 1},
    "wide, up, brows up": {
        "eyeWide": 1, "eyeLookUp": 0.7, "browInnerUp": 1, "browOuterUp": 1,
    },
    "look left and down": {
        "eyeLookOutLeft": 1, "eyeLookInRight": 1, "eyeLookDown": 0.7,
    },
    "look right and up": {"eyeLookInLeft": 1, "eyeLookOutRight": 1, "eyeLookUp": 0.7},
    "jawOpen": {"jawOpen": 1},
    "jawOpen + mouthClose": {"jawOpen": 1, "mouthClose": 1},
    "smile + cheeks": {"mouthSmile": 1, "cheekSquint": 1, "eyeSquint": 0.4},
    "smile + blink": {"mouthSmile": 1, "eyeBlink": 1},
    "frown": {"mouthFrown": 1, "browDown": 1},
    "pucker + funnel": {"mouthPucker": 1, "mouthFunnel": 1},
    "roll upper + lower": {"mouthRollUpper": 1, "mouthRollLower": 1},
    "press + puff": {"mouthPress": 1, "cheekPuff": 1},
    "sneer + upper up": {"noseSneer": 1, "mouthUpperUp": 1},
    "tongue + jawOpen": {"tongueOut": 1, "jawOpen": 0.5},
}  # fmt: skip
SIZE = 512
#: With the denoiser; three times as many without.  Skin needs few, the eyes and teeth a little more
#: than the preview takes.
SAMPLES = 10
COLUMNS = 3
TURN = 35.0
BACKDROP = 221  #: sRGB, what the scene lays behind its pictures


@dataclass(frozen=True)
class _Angle:
    """The fields of ``Angle`` in ``scene/poses.py``."""

    name: str
    yaw: float = 0.0
    tilt: float = 0.0
    close: str = ""


def weights_of(pose: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """``pose`` by the shape keys ``names``, both sides of a name without one; others left out."""
    out = {}
    for name, weight in pose.items():
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in names:
                out[full] = float(weight)
    return out


def slider_sheet(
    head: Reconstruction, blender: Blender, *, close: bool = False, size: int = SIZE
) -> Bytes:
    """(H, W, 3) uint8 sRGB: the sheet of ``head``, every picture ``size`` pixels square.

    First the photo beside the head in its light, and the head from the side that the photo shows
    less and from behind; then neutral and :data:`POSES` from the front and turned to that side.
    With ``close`` eyes and mouth instead, from the front.  Raises what ``blender`` raises.
    """
    turn = TURN if _shows_right(head) else -TURN
    front, turned = _Angle("front"), _Angle("turned", turn, 4.0)
    behind = (_Angle("other", -turn, 4.0), _Angle("back", 180.0 - turn / 2, 4.0))
    pair = (_Angle("eyes", close="eyes"), _Angle("mouth", close="mouth"))
    usual = pair if close else (front, turned)
    titles = ["neutral: other side and back", "neutral", *POSES]
    angles = [behind, usual, *(usual for _ in POSES)]
    poses = [{}, {}, *(weights_of(pose, head.expression_names) for pose in POSES.values())]
    window = preview_window(head)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        npz = save_reconstruction(head, folder / "head.npz", compress=False)
        as_photo, pictures = blender.render_poses(
            npz, folder, window, poses, [_fields(group) for group in angles],
            size=size, samples=SAMPLES,
        )  # fmt: skip
        photo = window_pixels(decode(head.photo), window, size)
        first = write_bytes(folder / "photo.png", _joined([photo, _flat(as_photo, size)]))
        files = [first]
        for number, row in enumerate(pictures):
            joined = _joined([_flat(path, size) for path in row.values()])
            files.append(write_bytes(folder / f"pair_{number:02d}.png", joined))
        return contact_sheet(files, ["photo, and in its light", *titles], COLUMNS, 2 * size)


def _fields(angles: Sequence[_Angle]) -> list[dict[str, Any]]:
    return [asdict(angle) for angle in angles]


def _shows_right(head: Reconstruction) -> bool:
    """Whether the camera of the photo stands to the right (x < 0) of the face."""
    return bool((-head.rotation.T @ head.translation)[0] < 0)


def _flat(path: Path, size: int) -> Bytes:
    """(size, size, 3) sRGB of the PNG ``path``, laid on grey."""
    rgba = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    rgba = cv2.resize(rgba, (size, size)).astype(np.float32)
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., 2::-1] * alpha + BACKDROP * (1 - alpha)).astype(np.uint8)


def _joined(pictures: Sequence[Bytes]) -> memoryview:
    return encode_png(np.hstack(pictures)).data


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="bench sliders",
        description="Heads of photos in Cycles: neutral and 15 expressions, from the front and "
        "turned, one sheet for each face.",
    )
    add = parser.add_argument
    add("photos", nargs="*", type=Path, metavar="PHOTO", default=[SAMPLE], help="or folders")
    add("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for NAME_sliders.jpg")
    add("--close", action="store_true", help="also NAME_close.jpg: eyes and mouth")
    add("--size", type=int, default=SIZE, help=f"pixels of a picture (default {SIZE})")
    add("--texture-size", type=int, default=2048, help="pixels (default 2048)")
    args = parser.parse_args(argv)
    if not 32 <= args.size <= 2048:
        parser.error("--size is 32 to 2048")
    status = 0
    with Blender() as blender:
        try:
            options = Options(texture_size=args.texture_size, hair="none")
            args.output.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        for task in collect(args.photos, args.output):
            try:
                if task.error is not None:
                    raise task.error
                _write(task.photo, task.name, options, blender, args)
            except FaceError as error:
                print(f"bench sliders: {task.photo.name}: {error}", file=sys.stderr)
                status = error.exit_status
    return status


def _write(
    photo: Path, name: str, options: Options, blender: Blender, args: argparse.Namespace
) -> None:
    for head in reconstruct(photo, options):
        stem = name if head.face_index == 1 else f"{name}_face{head.face_index}"
        for kind, close in (("sliders", False), ("close", True)):
            if close and not args.close:
                continue
            start = time.perf_counter()
            sheet = slider_sheet(head, blender, close=close, size=args.size)
            path = write_bytes(
                args.output / f"{stem}_{kind}.jpg", marked(encode_jpeg(sheet).tobytes())
            )
            print(f"{path}  {time.perf_counter() - start:.0f} s", flush=True)
