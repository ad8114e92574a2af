"""A backend worker without a backend: what the photo's name says happens.

Run as ``python tests/fake_backend.py``; "none" in the name means no face, "two" two faces, "crash"
the end of the process, "bug" an unexpected exception.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from reconstruct_face.backend.errors import NoFaceError, PhotoError
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.wire import Progress, serve

sys.path.insert(0, str(Path(__file__).parent))

from synthetic_reconstruction import encode_jpeg, encode_png, make_reconstruction  # noqa: E402


def reconstruct(*, photo: str, out_dir: str, progress: Progress, **options: Any) -> dict[str, Any]:
    """One or two made-up heads, by the photo's name."""
    name = Path(photo).stem
    progress(0.5, "Pretending")
    if not Path(photo).is_file():
        raise PhotoError(f"There is no file {photo}.")
    if "none" in name:
        raise NoFaceError(f"No face was found in {name}.")
    if "crash" in name:
        print("about to crash", file=sys.stderr, flush=True)
        os._exit(3)
    if "bug" in name:
        raise RuntimeError("half a reconstruction")
    files = []
    both = "two" in name and options["face"] == "all"
    for number in range(1, 3 if both else 2):
        head = make_reconstruction(
            rows=12,
            columns=16,
            photo_path=photo,
            face_index=number,
            texture_mode=options["texture"],
        )
        files.append(str(save_reconstruction(head, Path(out_dir) / f"face{number}.npz")))
    windows = [[200.0, 100.0, 440.0, 340.0]] * len(files)
    return {"files": files, "windows": windows, "warnings": ["a warning"] if "warn" in name else []}


def preview(
    *,
    npz: str,
    out: str,
    photo_view: str,
    three_quarter: str,
    window: list[float],
    progress: Progress,
) -> dict[str, Any]:
    """A picture of the right kind, if everything it needs is there."""
    load_reconstruction(npz)
    assert len(window) == 4
    for picture in (photo_view, three_quarter):
        assert Path(picture).read_bytes().startswith(b"\x89PNG")
    Path(out).write_bytes(encode_png(np.zeros((4, 16, 3), np.uint8)).tobytes())
    return {"file": out}


def contact_sheet(
    *, previews: list[str], titles: list[str], out: str, progress: Progress
) -> dict[str, Any]:
    """A JPEG as many pixels high as there are previews."""
    assert all(Path(path).is_file() for path in previews)
    assert len(titles) == len(previews)
    Path(out).write_bytes(encode_jpeg(np.zeros((len(previews), 8, 3), np.uint8)).tobytes())
    return {"file": out}


if __name__ == "__main__":
    serve({"reconstruct": reconstruct, "preview": preview, "contact_sheet": contact_sheet})
