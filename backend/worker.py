"""The command ``worker`` of the backend: for Blender, over standard in and out.

A thin shell: every method is one call of the backend with paths for pictures and arrays.  The
protocol is in ``exchange/wire.py``; a result always holds plain JSON, arrays are in the files it
names.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from . import heap, kept
from .errors import NoFaceError, OutputError
from .exchange import load_reconstruction, save_reconstruction
from .exchange.model_cards import list_models
from .exchange.options import Options
from .exchange.wire import Progress, serve
from .files import plain_name, reason, write_bytes
from .fit.faces import detect_faces
from .lifeline import IDLE_MINUTES, IDLE_VARIABLE, idle_seconds
from .model.stored import remove_model
from .photo import read_photo
from .photo.encode import encode_png
from .pipeline import reconstruct, warm_up
from .preview import preview_window, write_contact_sheet, write_preview, write_thumbnails


def ping(*, progress: Progress) -> dict[str, Any]:
    """Answers when what the first photo needs is loaded."""
    progress(0.0, "Loading the face model")
    warm_up()
    return {"ready": True}


def detect(
    *, photo: str, folder: str, progress: Progress, thorough: bool = False
) -> dict[str, Any]:
    """The faces of ``photo``, the largest first: what ``face`` of a request as thorough means.

    Returns ``{"boxes": [[x0, y0, x1, y1], ...], "size": [width, height], "thumbnail": png,
    "faces": [png, ...]}``: boxes and size in pixels of the photo as it is seen upright, pictures
    (:func:`write_thumbnails`) in ``folder``, which is made if need be.  A photo without a face has
    no boxes.
    """
    progress(0.0, "Reading the photo")
    out = _made(folder)
    picture = read_photo(photo)
    progress(0.3, "Finding faces")
    try:
        found = [face.detection for face in detect_faces(picture, "all", None, thorough)]
    except NoFaceError:
        found = []
    progress(0.9, "Drawing the faces")
    thumbnail, faces = write_thumbnails(picture.pixels, found, out)
    return {
        "boxes": [[float(x) for x in face.box] for face in found],
        "size": list(picture.size),
        "thumbnail": str(thumbnail),
        "faces": [str(path) for path in faces],
    }


def reconstruct_photo(
    *,
    photo: str,
    out_dir: str,
    progress: Progress,
    name: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Reconstruct ``photo`` into ``out_dir``: ``NAME.npz``, further faces ``NAME_face2.npz``.

    ``options`` are fields of :class:`Options`, as its ``to_dict`` has them.  Returns
    ``{"files": [npz, ...], "windows": [[x0, y0, x1, y1], ...], "warnings": [...]}``; the windows
    are what the previews show of the photo.
    """
    chosen = Options.from_dict(options)
    folder = _made(out_dir)
    heads = reconstruct(photo, chosen, progress)
    stem = name or plain_name(Path(photo).stem)
    files, windows, warnings = [], [], []
    for head in heads:
        end = "" if head.face_index == 1 else f"_face{head.face_index}"
        # Blender reads it next: packing it costs more time than it saves.
        files.append(str(save_reconstruction(head, folder / f"{stem}{end}.npz", compress=False)))
        windows.append(preview_window(head).tolist())
        warnings += [warning for warning in head.warnings if warning not in warnings]
    return {"files": files, "windows": windows, "warnings": warnings}


def reconstruct_photos(
    *,
    photos: list[str],
    out_dir: str,
    progress: Progress,
    name: str | None = None,
    corrected: list[list[list[float]] | None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Reconstruct the person in ``photos``, or in one video, into ``out_dir``: ``NAME.npz``.

    ``corrected`` are, per photo, landmarks set by hand; ``options`` as for
    :func:`reconstruct_photo`.  Returns what that does, with one window per photo: of the head's
    own, then of its views'.
    """
    from .person import reconstruct_person

    chosen = Options.from_dict(options)
    folder = _made(out_dir)
    head = reconstruct_person(photos, chosen, progress, corrected=corrected)
    stem = name or plain_name(Path(photos[0]).stem)
    file = save_reconstruction(head, folder / f"{stem}.npz", compress=False)
    windows = [preview_window(head.seen_in(i)).tolist() for i in range(1 + len(head.views))]
    return {"files": [str(file)], "windows": windows, "warnings": list(head.warnings)}


def preview(
    *,
    npz: str,
    out: str,
    progress: Progress,
    photo_render: str | None = None,
    three_quarter: str | None = None,
    window: list[float] | None = None,
) -> dict[str, Any]:
    """Compose the preview of ``npz`` and Blender's renderings into the PNG ``out``."""
    progress(0.0, "Composing the preview")
    head = load_reconstruction(npz)
    shown = preview_window(head) if window is None else np.array(window)
    return {"file": str(write_preview(head, out, photo_render, three_quarter, shown))}


def contact_sheet(
    *,
    previews: list[str],
    titles: list[str],
    out: str,
    progress: Progress,
    columns: int | None = None,
) -> dict[str, Any]:
    """Put ``previews`` on one page ``out``, JPEG or PNG by its name."""
    progress(0.0, "Composing the contact sheet")
    return {"file": str(write_contact_sheet(previews, titles, out, columns))}


def import_face_model(
    *, paths: list[str], progress: Progress, name: str | None = None, force: bool = False
) -> dict[str, Any]:
    """Import the face model in ``paths``; the card as :meth:`ModelCard.to_dict` has it."""
    # Seldom asked for, and a tenth of what the worker would load before the first photo.
    from .model.importing.importer import import_model

    return import_model(paths, name, force, progress).to_dict()


def list_face_models(*, progress: Progress) -> dict[str, Any]:
    """``{"models": [card, ...]}`` of all imported models."""
    return {"models": [card.to_dict() for card in list_models()]}


def remove_face_model(*, name: str, progress: Progress) -> dict[str, Any]:
    """Delete the imported model ``name``."""
    remove_model(name)
    return {"removed": name}


def verify_head(
    *,
    npz: str,
    blend: str,
    folder: str,
    progress: Progress,
    head: str | None = None,
    blender: Sequence[str] | None = None,
    size: int = 512,
) -> dict[str, Any]:
    """Compare what ``blend`` shows of ``head`` with the exchange file ``npz``, and with the photo.

    ``blender`` is the command that starts the scene worker.  Returns ``{"document": {...},
    "picture": png, "report": html}``; the files are in ``folder``.
    """
    from .verify.blender import SceneRenderer
    from .verify.pytorch3d import PyTorch3D
    from .verify.report import html_report
    from .verify.verify import verify

    out = _made(folder)
    with PyTorch3D() as pytorch3d, SceneRenderer(blender) as renderer:
        result = verify(
            npz, blend, pytorch3d=pytorch3d, blender=renderer, head=head, size=size,
            progress=progress,
        )  # fmt: skip
    picture = write_bytes(out / "verification.png", encode_png(result.sheet).tobytes())
    report = write_bytes(out / "verification.html", html_report([result]).encode())
    return {"document": result.document(), "picture": str(picture), "report": str(report)}


def animate_video(
    *,
    video: str,
    out: str,
    progress: Progress,
    head: str | None = None,
    frame_rate: float | None = None,
) -> dict[str, Any]:
    """Follow the face in ``video`` (a file, or a folder of frames) into the motion ``out``.

    ``head`` is a reconstruction whose identity is kept.  Returns ``{"motion": npz,
    "reconstruction": npz, "notes": [...]}``.
    """
    from .animate.job import AnimateOptions, animate

    _made(str(Path(out).parent))
    options = AnimateOptions(frame_rate=frame_rate)
    done = animate(video, out, head=head, options=options, progress=progress)
    return {
        "motion": str(done.motion),
        "reconstruction": str(done.reconstruction),
        "notes": list(done.notes),
    }


def hear_speech(
    *, sound: str, out: str, progress: Progress, frame_rate: float = 30.0
) -> dict[str, Any]:
    """What is said in the WAV file ``sound`` as the motion of a mouth, into ``out``.

    Returns ``{"motion": npz}``.
    """
    from .ear import hear
    from .exchange.motion import save_motion

    motion = hear(sound, frame_rate=frame_rate, progress=progress)
    return {"motion": str(save_motion(out, motion))}


def mesh_landmarks(*, mesh: str, progress: Progress) -> dict[str, Any]:
    """Where the landmarks of the face of the user's ``mesh`` (:class:`UsersMesh`) are.

    Returns ``{"landmarks": [[x, y, z], ...]}``, 68 in its axes and unit.
    """
    from .exchange.own_mesh import UsersMesh
    from .own_mesh import find_face
    from .own_mesh.mesh import checked

    given = UsersMesh.load(mesh)
    points, triangles = checked(given.vertices, given.triangles)
    return {"landmarks": find_face(points, triangles, progress=progress).landmarks.tolist()}


def mesh_expressions(*, mesh: str, out: str, progress: Progress) -> dict[str, Any]:
    """ARKit's shapes of the user's ``mesh`` (:class:`UsersMesh`) into the ``.npz`` file ``out``.

    Landmarks that it has are used, else found.  Returns ``{"shapes": npz, "names": [...],
    "fit_mm": 0.4, "covered": 1.0, "parts": {...}, "notes": [...]}``.
    """
    from .exchange.own_mesh import UsersMesh, save_shapes
    from .own_mesh import expressions_for

    given = UsersMesh.load(mesh)
    known = len(given.landmarks) > 0
    found = expressions_for(
        given.vertices,
        given.triangles,
        given.landmarks if known else None,
        given.landmark_ids if known else None,
        progress=progress,
    )
    return {
        "shapes": str(save_shapes(out, found.shapes, found.landmarks)),
        "names": list(found.names),
        "fit_mm": found.fit_mm,
        "covered": found.covered,
        "parts": found.parts,
        "notes": list(found.notes),
    }


def _made(folder: str) -> Path:
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {path}: {reason(error)}.") from error
    return path


def versions() -> dict[str, str]:
    """Of Python and the packages that matter, for reports of failures."""
    found = {"python": platform.python_version()}
    for name in ("onnxruntime", "numpy", "scipy", "dlib-bin", "opencv-python-headless", "pillow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


METHODS = {
    "ping": ping,
    "detect": detect,
    "reconstruct": reconstruct_photo,
    "reconstruct_person": reconstruct_photos,
    "preview": preview,
    "contact_sheet": contact_sheet,
    "verify": verify_head,
    "animate": animate_video,
    "hear": hear_speech,
    "mesh_landmarks": mesh_landmarks,
    "mesh_expressions": mesh_expressions,
    "import_model": import_face_model,
    "list_models": list_face_models,
    "remove_model": remove_face_model,
}


def main(argv: list[str]) -> int:
    """Serve until standard input closes, or nothing was asked for long."""
    heap.keep_together()
    parser = argparse.ArgumentParser(
        prog="worker", description="Answer Blender's requests on standard input."
    )
    parser.add_argument(
        "--idle-minutes",
        default=os.environ.get(IDLE_VARIABLE, ""),
        type=idle_seconds,
        help="minutes without a request after which it ends, 0: never (default: the environment "
        f"variable {IDLE_VARIABLE}, else {IDLE_MINUTES:g})",
    )
    serve(METHODS, versions(), parser.parse_args(argv).idle_minutes, kept.let_go)
    return 0
