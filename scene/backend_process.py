"""The inference backend as a process of its own: found, started, asked, ended.

Needs no ``bpy``.  The methods mirror ``backend/worker.py``.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..backend.errors import OptionError, WorkerError
from ..backend.exchange import Reconstruction, load_reconstruction
from ..backend.exchange.model_cards import ModelCard
from ..backend.exchange.options import Corrected, Options, checked_corrections
from ..backend.exchange.temporary import temporary_folder
from ..backend.exchange.views import PERSONS_CORRECTED
from ..backend.exchange.wire import HasWorker, Progress, WorkerProcess
from .installation.locate import find_python, worker_environment

ROOT = Path(__file__).resolve().parents[1]

#: Longer than any library keeps the heartbeat's thread from running: torch when it is loaded, dlib
#: when it looks for faces in a large photo (3 s; 9 s on a busy machine).
SILENCE_S = 45.0
#: A search for faces that nobody waits for any more may take so long to end.
LINGER_S = 5.0


class BackendProcess(HasWorker):
    """The backend's worker, started on first use and kept warm.  Close it, or use ``with``."""

    def __init__(
        self,
        python: str | os.PathLike[str] | None = None,
        *,
        command: Sequence[str] | None = None,
        silence: float = SILENCE_S,
    ) -> None:
        """``command`` replaces the whole command line, ``python`` only the interpreter.

        A process that gives no sign of life for ``silence`` seconds counts as hung.
        """
        if command is None:
            command = [find_python(python), str(ROOT / "backend" / "__main__.py"), "worker"]
        self._worker = WorkerProcess(command, env=worker_environment())
        self.silence = silence

    @property
    def ready(self) -> bool:
        """Whether it lives and has greeted."""
        return self._worker.ready

    @property
    def about(self) -> dict[str, str]:
        """Versions of its Python and packages; empty until it has greeted."""
        return self._worker.about

    def warm_up(self, cancelled: threading.Event | None = None) -> None:
        """Start it and let it load what every photo needs.

        Raises :class:`WorkerError` and :class:`Cancelled`.
        """
        self._call("ping", {}, cancelled=cancelled)

    def detect(
        self,
        photo: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        *,
        thorough: bool = False,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Where the faces of ``photo`` are, with pictures in ``folder``: ``backend.worker.detect``.

        Raises the :class:`FaceError` that the backend met, :class:`Cancelled` once ``cancelled``
        is set.
        """
        params = {
            "photo": os.path.abspath(photo),
            "folder": os.path.abspath(folder),
            "thorough": thorough,
        }
        return self._call("detect", params, progress=progress, cancelled=cancelled, linger=LINGER_S)

    def reconstruct(
        self,
        photo: str | os.PathLike[str],
        options: Options | None = None,
        *,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
        **named: Any,
    ) -> list[Reconstruction]:
        """The heads in ``photo``, largest first.

        ``named`` are options by name, which replace those of ``options``: see
        :class:`~.options.Options` of ``backend.exchange``.

        Raises :class:`OptionError`, the :class:`FaceError` that the backend met,
        :class:`Cancelled` once ``cancelled`` is set.
        """
        chosen = (options or Options()).with_named(named)
        with temporary_folder() as folder:
            result = self.reconstruct_to(
                photo, folder, chosen, progress=progress, cancelled=cancelled
            )
            where = os.path.abspath(photo)  # the files have its name alone
            return [replace(load_reconstruction(p), photo_path=where) for p in result["files"]]

    def reconstruct_to(
        self,
        photo: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        options: Options,
        *,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """As :meth:`reconstruct`, into exchange files in ``folder``.

        Returns ``{"files": [npz, ...], "windows": [[x0, y0, x1, y1], ...], "warnings": [...]}``;
        the windows are what the previews show, in pixels of the photo.
        """
        where = {"photo": os.path.abspath(photo), "out_dir": os.path.abspath(folder)}
        params = where | options.to_dict()
        return self._call("reconstruct", params, progress=progress, cancelled=cancelled)

    def reconstruct_person(
        self,
        photos: Sequence[str | os.PathLike[str]],
        options: Options | None = None,
        *,
        corrected: Sequence[Sequence[Sequence[float]] | None] | None = None,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
        **named: Any,
    ) -> Reconstruction:
        """The head of the one person in ``photos``; the best one is its main photo, the others are
        its ``views``.

        ``corrected``: for each of ``photos`` the landmarks set by hand, as
        :attr:`.Options.corrected` has them, or None; ``provenance`` of the result keeps them for
        each of its photos.  Photos that were left out are in its ``warnings`` and, as [file name,
        sentence], in ``provenance["left_out"]``.  Otherwise as :meth:`reconstruct`; raises
        :class:`OptionError` also for corrections that do not go with ``photos``.
        """
        chosen = (options or Options()).with_named(named)
        where = [os.path.abspath(photo) for photo in photos]
        given = [checked_corrections(points) for points in corrected or [None] * len(where)]
        if len(given) != len(where):
            raise OptionError(
                f"There are corrected landmarks for {len(given)} photos, and {len(where)} photos."
            )
        with temporary_folder() as folder:
            result = self.reconstruct_person_to(
                where, folder, chosen, corrected=given, progress=progress, cancelled=cancelled
            )
            head = load_reconstruction(result["files"][0])
        return _with_places(head, where, given)

    def reconstruct_person_to(
        self,
        photos: Sequence[str | os.PathLike[str]],
        folder: str | os.PathLike[str],
        options: Options,
        *,
        corrected: Sequence[Corrected | None] = (),
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """As :meth:`reconstruct_person`, into an exchange file in ``folder``.

        Returns what :meth:`reconstruct_to` does, with one file, and a window for each photo of the
        head.
        """
        params = options.to_dict() | {
            "photos": [os.path.abspath(photo) for photo in photos],
            "out_dir": os.path.abspath(folder),
            "corrected": list(corrected) if any(corrected) else None,
        }
        return self._call("reconstruct_person", params, progress=progress, cancelled=cancelled)

    def import_model(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        name: str | None = None,
        force: bool = False,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> ModelCard:
        """Import the face model in ``paths``.  Raises what the backend met, :class:`Cancelled`."""
        params = {"paths": [os.path.abspath(path) for path in paths], "name": name, "force": force}
        card = self._call("import_model", params, progress=progress, cancelled=cancelled)
        return ModelCard.from_dict(card)

    def remove_model(self, name: str) -> None:
        """Delete an imported face model."""
        self._call("remove_model", {"name": name})

    def preview(
        self,
        npz: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        photo_render: str | os.PathLike[str],
        three_quarter: str | os.PathLike[str],
        window: Sequence[float],
    ) -> Path:
        """Compose photo, overlay and the two renderings into the PNG ``out``.

        ``window`` (x0, y0, x1, y1) is what ``photo_render`` shows, in pixels of the photo.
        """
        params = {
            "npz": str(npz),
            "out": str(out),
            "photo_render": str(photo_render),
            "three_quarter": str(three_quarter),
            "window": [float(x) for x in window],
        }
        return Path(self._call("preview", params)["file"])

    def contact_sheet(
        self,
        previews: Sequence[str | os.PathLike[str]],
        titles: Sequence[str],
        out: str | os.PathLike[str],
    ) -> Path:
        """Put all ``previews`` with their ``titles`` on one page ``out``."""
        params = {
            "previews": [str(path) for path in previews],
            "titles": list(titles),
            "out": str(out),
        }
        return Path(self._call("contact_sheet", params)["file"])

    def animate(
        self,
        video: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        head: str | os.PathLike[str] | None = None,
        frame_rate: float | None = None,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Follow the face in ``video`` (a file, or a folder of frames) into the motion ``out``.

        ``head`` is a reconstruction's ``.npz`` whose identity is kept; without one it is found.
        Returns ``{"motion": path, "reconstruction": path, "notes": [...]}``.

        Raises as :meth:`reconstruct`.
        """
        params = {
            "video": os.path.abspath(video),
            "out": os.path.abspath(out),
            "head": None if head is None else os.path.abspath(head),
            "frame_rate": frame_rate,
        }
        return self._call("animate", params, progress=progress, cancelled=cancelled)

    def hear(
        self,
        sound: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        frame_rate: float,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> str:
        """What is said in the WAV file ``sound`` into the motion ``out``; its path."""
        params = {"sound": os.fspath(sound), "out": os.fspath(out), "frame_rate": frame_rate}
        found = self._call("hear", params, progress=progress, cancelled=cancelled)
        return found["motion"]

    def mesh_landmarks(
        self,
        mesh: str | os.PathLike[str],
        *,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> list[list[float]]:
        """The 68 landmarks of the user's ``mesh``: ``backend.worker.mesh_landmarks``."""
        params = {"mesh": os.fspath(mesh)}
        found = self._call("mesh_landmarks", params, progress=progress, cancelled=cancelled)
        return found["landmarks"]

    def mesh_expressions(
        self,
        mesh: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """ARKit's shapes of the user's ``mesh``: ``backend.worker.mesh_expressions``."""
        params = {"mesh": os.fspath(mesh), "out": os.fspath(out)}
        return self._call("mesh_expressions", params, progress=progress, cancelled=cancelled)

    def verify(
        self,
        npz: str | os.PathLike[str],
        blend: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        *,
        head: str,
        blender: Sequence[str] | None,
        size: int = 512,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Compare ``head`` of the file ``blend`` with its exchange file: ``backend.worker.verify``.

        ``blender`` starts the scene worker.  Returns ``{"document": {...}, "picture": png,
        "report": html}``, the files in ``folder``.
        """
        params = {
            "npz": os.fspath(npz),
            "blend": os.fspath(blend),
            "folder": os.fspath(folder),
            "head": head,
            "blender": None if blender is None else list(blender),
            "size": size,
        }
        return self._call("verify", params, progress=progress, cancelled=cancelled)

    def _call(self, method: str, params: dict[str, Any], **options: Any) -> dict[str, Any]:
        try:
            return self._worker.call(method, params, timeout=self.silence, **options)
        except WorkerError as error:
            lacking = re.findall(r"(?m)^ModuleNotFoundError: .*'([\w.]+)'$", error.details)
            if not lacking or self.about:
                raise
            told = WorkerError(
                f"The backend's Python {self._worker.command[0]} lacks the package {lacking[-1]}; "
                "repair the backend in the add-on's preferences, or choose another Python there."
            )
            told.details = error.details
            raise told from error


def _with_places(
    head: Reconstruction, photos: Sequence[str], corrected: Sequence[Corrected | None]
) -> Reconstruction:
    """``head`` with the paths of its photos, of which its file has the names alone, and with what
    was ``corrected`` in each of ``photos``."""
    names = [head.photo_name, *(view.photo_name for view in head.views)]
    which = photos_by_name(names, photos)
    paths = [
        name if place is None else photos[place] for name, place in zip(names, which, strict=True)
    ]
    views = (replace(v, photo_path=p) for v, p in zip(head.views, paths[1:], strict=True))
    known = dict(head.provenance)
    if any(corrected):
        known[PERSONS_CORRECTED] = [None if place is None else corrected[place] for place in which]
    return replace(head, photo_path=paths[0], views=tuple(views), provenance=known)


def photos_by_name(names: Sequence[str], photos: Sequence[str]) -> list[int | None]:
    """For each of ``names``, a head's photos, which of the paths ``photos`` it is; None: none.

    Of several photos with one name the first that leaves the further ones, which stand in the
    order of ``photos``, one each.
    """
    files = [os.path.basename(photo) for photo in photos]
    best: list[int | None] = [None] * len(names)
    for main in [place for place, file in enumerate(files) if file == names[0]] or [None]:
        found, place = [main], 0
        for name in names[1:]:
            later = [p for p in range(place, len(files)) if files[p] == name and p != main]
            found.append(later[0] if later else None)
            place = later[0] + 1 if later else place
        if found.count(None) < best.count(None):
            best = found
    return best
