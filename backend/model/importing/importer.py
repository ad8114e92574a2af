"""Files of a face model in, an imported model out: read, complete, draw, store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ModelError
from ...exchange.model_cards import ModelCard, list_models, models_folder
from ...exchange.output import prepare_output
from .raw import RawModel
from .read import read_model
from .store import check_name, write_model

if TYPE_CHECKING:
    from ..completing import CompletedModel

Progress = Callable[[float, str], None]

#: On disk; the largest that was stored (ICT-FaceKit's) has 123 MB.
NEEDED_BYTES = 150_000_000


def import_model(
    paths: Sequence[str | Path],
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> ModelCard:
    """Convert the face model in ``paths`` into this project's format, in the user's data folder.

    ``name`` is what it is called from then on; its kind's where it is not given.  The same files
    again change nothing; other files under a name that is taken are refused unless ``force``.
    ``progress(fraction, step)`` is called before each step.

    Raises :class:`ModelError` (what was found, what was wanted), :class:`OutputError`; nothing is
    written then.
    """
    report = progress or (lambda fraction, step: None)
    if name is not None:
        check_name(name)
    report(0.0, "Reading the face model")
    raw = read_model(paths)
    name = name or raw.name
    digest = digest_of(raw.files)
    there = next((card for card in list_models() if card.name == name), None)
    if there is not None and not force:
        if there.sha256 == digest and not there.problem:
            report(1.0, "Already imported")
            return there
        if not there.problem:
            raise ModelError(
                f"There is already a face model {name!r} from other files ({there.kind}); give "
                "another --name, or --force to replace it."
            )
    prepare_output(models_folder(), NEEDED_BYTES)  # completing it takes a minute
    from .picture import draw_card

    completed = _complete(raw, lambda fraction, step: report(0.08 + 0.82 * fraction, step))
    report(0.9, "Drawing the card")
    picture = draw_card(completed, raw).tobytes()
    report(0.95, "Writing the face model")
    return write_model(name, raw, completed, digest, picture)


def _complete(raw: RawModel, progress: Progress) -> CompletedModel:
    from ..completing import complete

    return complete(raw, progress)


def digest_of(files: Mapping[str, str]) -> str:
    """One SHA-256 of all files' digests, whatever they are called and in whatever order."""
    return hashlib.sha256(" ".join(sorted(files.values())).encode()).hexdigest()
