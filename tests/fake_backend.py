"""A backend worker without a backend: what the photo's name says happens.

Run as ``python tests/fake_backend.py``; "none" in the name means no face, "two" two faces, "crash"
the end of the process, "bug" an unexpected exception, "slow" a tenth of a second for each step,
"stuck" a step that never ends, "locked" one that does not let go of Python's lock either.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from reconstruct_face.backend.errors import ModelError, NoFaceError, PhotoError
from reconstruct_face.backend.exchange import load_reconstruction, save_reconstruction
from reconstruct_face.backend.exchange.model_cards import (
    FORMAT,
    HEADER,
    VERSION,
    ModelCard,
    find_model,
    models_folder,
)
from reconstruct_face.backend.exchange.motion import Motion, save_motion
from reconstruct_face.backend.exchange.wire import Progress, serve
from reconstruct_face.backend.lifeline import IDLE_VARIABLE, idle_seconds

sys.path.insert(0, str(Path(__file__).parent))

from synthetic_reconstruction import (  # noqa: E402
    encode_jpeg,
    encode_png,
    make_person,
    make_reconstruction,
)

#: Those of ``backend.pipeline``.
STEPS = {
    "Reading the photo": 0.0,
    "Finding faces": 0.05,
    "Finding landmarks": 0.2,
    "Fitting the head": 0.3,
    "Making the texture": 0.5,
}


def ping(*, progress: Progress) -> dict[str, Any]:
    """Nothing to load."""
    return {"ready": True}


def detect(
    *, photo: str, folder: str, progress: Progress, thorough: bool = False
) -> dict[str, Any]:
    """No, one or two faces, by the photo's name."""
    _go_through(photo, list(STEPS)[:2], progress)
    name = Path(photo).stem
    boxes = [[20.0, 30.0, 220.0, 230.0], [300.0, 40.0, 400.0, 140.0]]
    boxes = boxes[: 0 if "none" in name else 2 if "two" in name else 1]
    pictures = [Path(folder, name) for name in ("photo.png", "face1.png", "face2.png")]
    for path in pictures[: len(boxes) + 1]:
        path.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)).tobytes())
    faces = [str(path) for path in pictures[1 : len(boxes) + 1]]
    return {"boxes": boxes, "size": [640, 480], "thumbnail": str(pictures[0]), "faces": faces}


def _go_through(photo: str, steps: list[str], progress: Progress) -> None:
    name = Path(photo).stem
    for step in steps:
        progress(STEPS[step], step)
        if step == "Reading the photo" and not Path(photo).is_file():
            raise PhotoError(f"There is no file {photo}.")
        if "slow" in name:
            time.sleep(0.1)
    if "stuck" in name:
        time.sleep(60)
    if "locked" in name:
        sum(range(10**10))  # minutes in C


def reconstruct(*, photo: str, out_dir: str, progress: Progress, **options: Any) -> dict[str, Any]:
    """One or two made-up heads, by the photo's name."""
    name = Path(photo).stem
    _go_through(photo, list(STEPS), progress)
    if "none" in name:
        raise NoFaceError(f"No face was found in {name}.")
    if "crash" in name:
        print("about to crash", file=sys.stderr, flush=True)
        os._exit(3)
    if "bug" in name:
        raise RuntimeError("half a reconstruction")
    files = []
    face = options["face"]
    both = "two" in name and face == "all"
    for number in (1, 2) if both else (face if isinstance(face, int) else 1,):
        head = make_reconstruction(
            rows=12,
            columns=16,
            photo_path=photo,
            face_index=number,
            texture_mode=options["texture"],
        )
        head.provenance["options"]["corrected"] = options["corrected"]
        files.append(str(save_reconstruction(head, Path(out_dir) / f"face{number}.npz")))
    windows = [[200.0, 100.0, 440.0, 340.0]] * len(files)
    return {"files": files, "windows": windows, "warnings": ["a warning"] if "warn" in name else []}


def reconstruct_person(
    *,
    photos: list[str],
    out_dir: str,
    corrected: list[Any] | None,
    progress: Progress,
    **options: Any,
) -> dict[str, Any]:
    """One made-up head; "best" in a photo's name makes it the main one, "stranger" is left out."""
    left_out, used = [], []
    for photo in photos:
        _go_through(photo, list(STEPS), progress)
        name = Path(photo).name
        if "none" in name:
            left_out.append([name, f"No face was found in {name}; it was left out."])
        elif "stranger" in name:
            left_out.append([name, f"{name} shows another person than the rest; it was left out."])
        else:
            used.append(photo)
    if not used:
        raise NoFaceError("No face was found in these photos.")
    used.sort(key=lambda photo: "best" not in Path(photo).name)
    head = make_person(used, rows=12, columns=16, texture_mode=options["texture"])
    head.provenance |= {"photos": [Path(photo).name for photo in used], "left_out": left_out}
    head.provenance["asked"] = {"photos": len(photos), "corrected": corrected}
    head.warnings = tuple(sentence for _, sentence in left_out)
    file = save_reconstruction(head, Path(out_dir) / "person.npz")
    window = [200.0, 100.0, 440.0, 340.0]
    return {
        "files": [str(file)],
        "windows": [window] * len(used),
        "warnings": list(head.warnings),
    }


def preview(
    *,
    npz: str,
    out: str,
    photo_render: str,
    three_quarter: str,
    window: list[float],
    progress: Progress,
) -> dict[str, Any]:
    """A picture of the right kind, if everything it needs is there."""
    load_reconstruction(npz)
    assert len(window) == 4
    for picture in (photo_render, three_quarter):
        assert Path(picture).read_bytes().startswith(b"\x89PNG")
    Path(out).write_bytes(encode_png(np.zeros((4, 16, 3), np.uint8)).tobytes())
    return {"file": out}


def verify(
    *,
    npz: str,
    blend: str,
    folder: str,
    head: str,
    blender: list[str] | None,
    size: int,
    progress: Progress,
) -> dict[str, Any]:
    """Everything passes, but for a head called "wrong"."""
    load_reconstruction(npz)
    assert Path(blend).read_bytes() and blender
    good = "wrong" not in head
    one = {"value": 0.5, "limit": "at most 1 px", "passed": True, "title": "Outlines"}
    measures = {
        "boundary_px": one,
        "depth_mm": one | {"title": "Depth", "passed": good, "value": None},
    }
    picture = Path(folder, "verification.png")
    picture.write_bytes(encode_png(np.zeros((4, 12, 3), np.uint8)).tobytes())
    document = {"name": head, "scene": good, "photo": True, "measures": measures, "size": size}
    return {"document": document, "picture": str(picture), "report": ""}


def animate(
    *, video: str, out: str, head: str | None, frame_rate: float | None, progress: Progress
) -> dict[str, Any]:
    """Twenty frames of a jaw that opens; what was done before is not done again.

    "crash" in the name means the end of the process half-way, the first time.
    """
    if not Path(video).exists():
        raise PhotoError(f"There is no video {video}.")
    name, state = Path(video).stem, Path(out).with_suffix(".frames")
    done = int(state.read_text()) if state.exists() else 0
    began = done
    while done < 20:
        progress(done / 20, f"Following the face, frame {done + 1} of 20")
        done += 1
        state.write_text(str(done))
        if "slow" in name:
            time.sleep(0.1)
        if "crash" in name and began == 0 and done == 10:
            os._exit(3)
    rate = frame_rate or 30.0
    times = np.arange(20) / rate
    weights = np.linspace(0, 0.95, 20)[:, None]
    made = make_reconstruction(rows=12, columns=16, photo_path=video)
    motion = Motion(
        times,
        ("jawOpen",),
        weights,
        np.tile(made.rotation, (20, 1, 1)),
        made.translation + np.linspace(0, 40, 20)[:, None],
        valid=np.arange(20) != 7,
        frame_rate=rate,
        header={"source": video, "image_size": list(made.image_size), "notes": ["lost once"]},
    )
    found = Path(out).with_name(Path(out).stem + "_head.npz")
    return {
        "motion": str(save_motion(out, motion)),
        "reconstruction": str(save_reconstruction(made, found)),
        "notes": ["lost once", f"began at frame {began}"],
    }


def contact_sheet(
    *, previews: list[str], titles: list[str], out: str, progress: Progress
) -> dict[str, Any]:
    """A JPEG as many pixels high as there are previews."""
    assert all(Path(path).is_file() for path in previews)
    assert len(titles) == len(previews)
    Path(out).write_bytes(encode_jpeg(np.zeros((len(previews), 8, 3), np.uint8)).tobytes())
    return {"file": out}


def import_model(
    *, paths: list[str], name: str | None, force: bool, progress: Progress
) -> dict[str, Any]:
    """A folder in the user's data with what is read of it; "bad" in a path is refused."""
    progress(0.5, "Reading the face model")
    if any("bad" in Path(path).name for path in paths):
        raise ModelError(f"{Path(paths[0]).name} is no file of a face model.")
    folder = models_folder() / (name or "bfm")
    if folder.exists() and not force:
        raise ModelError(f"There is already a face model {folder.name!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    card = ModelCard(folder.name, str(folder), kind="fake", counts={"vertices": 5})
    header = {"format": FORMAT, "version": VERSION, "card": card.to_dict()}
    (folder / HEADER).write_text(json.dumps(header))
    card.picture.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)).tobytes())
    return card.to_dict() | {"files": {Path(path).name: "" for path in paths}}


def remove_model(*, name: str, progress: Progress) -> dict[str, Any]:
    """Delete it."""
    shutil.rmtree(find_model(name).folder)
    return {}


if __name__ == "__main__":
    methods = (
        import_model,
        remove_model,
        ping,
        detect,
        reconstruct,
        reconstruct_person,
        animate,
        preview,
        contact_sheet,
        verify,
    )
    idle = idle_seconds(os.environ.get(IDLE_VARIABLE, ""))
    serve({method.__name__: method for method in methods}, {"python": "fake"}, idle)
