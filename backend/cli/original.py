"""``original PHOTO...``: what a converted network makes of photos; see ``--help``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceError, ModelError, as_face_error, shown
from ..exchange.arguments import a_path
from ..exchange.claims import claimed
from ..exchange.output import prepare_output
from ..exchange.own_pictures import marked
from ..exchange.photo_tasks import Names, PhotoTask, collect
from ..files import write_bytes
from ..original.cards import DEEP3D, ORIGINAL, list_networks
from ..original.convert import DATA, import_network
from ..original.deep3d import Deep3DResult, align, read_deep3d_face, reconstruct_deep3d
from ..original.face import read_face
from ..original.picture import OriginalResult, crop_face, find_landmarks, reconstruct_crops
from ..original.settings import Settings, changed, read_settings
from ..original.stats import Stats, read_stats
from ..original.store import Network, load_network
from ..photo import encode_jpeg, read_photo

RENDERED = "_rendered"
EPILOG = """\
The settings have the names of the original's script, with - or _; --config takes them from a TOML
file. NAME_rendered.jpg is the 224 pixels wide crop and the rendering side by side, with the 68
landmarks on both. A picture without a face is reported and does not stop the others.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    try:
        settings = _settings(args).checked()
        folder = prepare_output(settings.save_rendered_to, 5_000_000)
        pictures = args.photos or settings.pictures()
        if not args.photos and not settings.image_folder and not settings.image_names:
            raise ModelError("Name photos or folders of photos, or give --image-folder.")
        work = Work(settings)
    except FaceError as error:
        print(f"original: {error}", file=sys.stderr)
        return error.exit_status
    statuses = set()
    tasks = collect(pictures, folder)
    names = Names(folder, [task.name for task in tasks])
    for task, result in run(tasks, work):
        if isinstance(result, FaceError):
            print(f"{shown(task.photo.name)}: {result}", file=sys.stderr)
            statuses.add(result.exit_status)
            continue
        try:
            with claimed(task, folder, names) as claims:
                written = write_result(folder, claims.task.name, result, args.coefficients)
        except FaceError as error:
            print(f"{shown(task.photo.name)}: {error}", file=sys.stderr)
            statuses.add(error.exit_status)
            continue
        if not args.quiet:
            print(written)
    return statuses.pop() if len(statuses) == 1 else int(bool(statuses))


Result = OriginalResult | Deep3DResult


class Work:
    """A network and its face model, ready for photos.  Raises :class:`ModelError`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.network, self._stats = find_or_convert(settings)
        if self.network.card.kind == DEEP3D:
            self._deep3d = read_deep3d_face(settings.bfm_path)
        elif not settings.exp_path:
            raise ModelError("exp_path is missing: give --exp-path with exp_80k.npz.")
        else:
            self._original = read_face([settings.bfm_path, settings.exp_path])

    def crop(self, path: Path) -> np.ndarray:
        """(224, 224, 3) what the network gets of the photo.  Raises :class:`FaceError`."""
        photo = read_photo(path)
        if self.network.card.kind == DEEP3D and not self.settings.aligned:
            return align(photo.pixels, find_landmarks(photo)).crop
        return crop_face(photo, self.settings.aligned)

    def results(self, crops: list[np.ndarray]) -> Sequence[Result]:
        """One for each of ``crops``."""
        if self.network.card.kind == DEEP3D:
            return reconstruct_deep3d(self.network, self._deep3d, crops)
        return reconstruct_crops(self.network, self._original, crops, self._stats)


def run(tasks: Sequence[PhotoTask], work: Work) -> Iterator[tuple[PhotoTask, Result | FaceError]]:
    """Every task with its result or what kept it from being done, a batch at a time."""
    waiting: list[tuple[PhotoTask, np.ndarray]] = []
    for number, task in enumerate(tasks, start=1):
        try:
            if task.error is not None:
                raise task.error
            waiting.append((task, work.crop(task.photo)))
        except Exception as error:  # noqa: BLE001 - one bad picture never stops the others
            yield task, as_face_error(error)
        if waiting and (len(waiting) == work.settings.batch_size or number == len(tasks)):
            results = work.results([crop for _, crop in waiting])
            yield from zip([one for one, _ in waiting], results, strict=True)
            waiting = []


def write_result(folder: Path, name: str, result: Result, coefficients: bool) -> Path:
    """``NAME_rendered.jpg``, and ``NAME_coefficients.json`` where that is wanted.

    Raises :class:`~..errors.OutputError`.
    """
    if coefficients:
        document = result.coefficients.to_dict() | {"landmarks": result.landmarks.tolist()}
        text = json.dumps(document, indent=1)
        write_bytes(folder / f"{name}_coefficients.json", text.encode())
    data = encode_jpeg(result.picture, quality=95)
    return write_bytes(folder / f"{name}{RENDERED}.jpg", marked(data.tobytes()))


def find_or_convert(settings: Settings) -> tuple[Network, Stats | None]:
    """The network that the settings name, and the stats where they name others than its own.

    A SavedModel's folder is converted the first time.  Raises :class:`ModelError`.
    """
    named, stats = settings.pd_model_path, settings.param_mean_std_path
    folder = Path(named)
    if not os.path.isdir(folder):
        network = load_network(named)
        if stats and network.card.kind != ORIGINAL:
            raise ModelError(f"param_mean_std_path does not go with {named}, which needs none.")
        return network, read_stats(stats) if stats else None
    from ..model.importing.checks import sha256

    known = list_networks()
    if os.path.isfile(folder / DATA):
        digest = sha256(folder / DATA)
        for card in known:
            if card.kind == ORIGINAL and not card.problem and card.files.get(DATA) == digest:
                return load_network(card.name), read_stats(stats) if stats else None
    taken = {card.name for card in known}
    base = name = Path(os.path.realpath(folder)).name.replace(" ", "_")
    number = 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    card = import_network(folder, stats or None, name)
    return load_network(card.name), None


def _settings(args: argparse.Namespace) -> Settings:
    settings = read_settings(args.config) if args.config else Settings()
    given: dict[str, Any] = {
        field.name: getattr(args, field.name)
        for field in fields(Settings)
        if getattr(args, field.name) is not None
    }
    return changed(settings, given, "the command line")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="original",
        description="Run a converted network as its makers did, on the face model it is for.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "photos", nargs="*", type=a_path, metavar="PHOTO", help="or folders of them"
    )
    parser.add_argument("--config", type=a_path, metavar="FILE.toml", help="the settings below")
    helps = {
        "param_mean_std_path": "stats_80k.npz, in place of what the network was converted with",
        "bfm_path": "BFM.mat, or BFM_model_front.mat for Deep3DFaceRecon's network",
        "exp_path": "exp_80k.npz, which goes with BFM.mat",
        "pd_model_path": "a converted network's name, or the folder trained_model_20200725",
        "image_folder": "the pictures",
        "image_names": "which of them; all unless given",
        "batch_size": "pictures at a time, 8 unless given",
        "save_rendered_to": "output folder, 'out' unless given",
        "aligned": "the pictures are FFHQ crops already: only resize them",
    }
    for field in fields(Settings):
        kind = type(getattr(Settings(), field.name))
        options: dict[str, Any] = {"dest": field.name, "help": helps.get(field.name)}
        if kind is bool:
            options |= {"action": "store_true", "default": None}
        elif kind is tuple:
            options |= {"nargs": "+", "metavar": "NAME"}
        else:
            options |= {"type": kind, "metavar": "N" if kind is int else "PATH"}
        dashed = field.name.replace("_", "-")
        flags = dict.fromkeys([f"--{dashed}", f"--{field.name}"])
        parser.add_argument(*flags, **options)
    parser.add_argument(
        "--coefficients", action="store_true", help="write NAME_coefficients.json too"
    )
    parser.add_argument("--quiet", action="store_true", help="only errors")
    return parser
