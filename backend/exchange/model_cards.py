"""What is known of the imported face models: their cards, which both sides read.

Each is a folder ``models/NAME`` in the user's data folder with ``header.json``, ``card.png`` and
one ``.npy`` an array, written by ``backend/model/importing/store.py`` and loaded by
``backend/model/stored.py``.  Standard library only.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..bounded import Damaged, checked, read_json, short
from ..errors import ModelError, OutputError
from ..folders import data_folder

FORMAT = "reconstruct_face.imported_model"
VERSION = 1
HEADER, PICTURE = "header.json", "card.png"
#: Of what a card holds beside its name and folder (:func:`..bounded.fits`).
_KINDS: dict[str, Any] = {
    "kind": str,
    "licence": str,
    "sha256": str,
    "files": {str: str},
    "counts": {str: int},
    "notes": [str],
    "figures": {str: float},
    "imported": str,
    "problem": str,
}


@dataclass(frozen=True)
class ModelCard:
    """An imported face model, for people and for choosing it."""

    name: str
    folder: str
    kind: str = ""  #: as "Basel Face Model 2009 (BFM.mat, with exp_80k.npz)"
    licence: str = ""  #: a sentence: whose terms hold
    sha256: str = ""  #: of the files it was made from
    files: dict[str, str] = field(default_factory=dict)  #: file name -> SHA-256
    counts: dict[str, int] = field(default_factory=dict)  #: vertices, triangles, identity, ...
    notes: tuple[str, ...] = ()  #: what was assumed, left out or made
    figures: dict[str, float] = field(default_factory=dict)  #: how well what was made fits
    imported: str = ""  #: date and time, ISO 8601
    problem: str = ""  #: a sentence where it cannot be used

    @property
    def picture(self) -> Path:
        """The picture of its mean and first modes."""
        return Path(self.folder) / PICTURE

    @property
    def facts(self) -> str:
        """Its counts in a line."""
        words = {
            "vertices": "vertices",
            "identity": "identity modes",
            "expressions": "expressions",
            "arkit": "ARKit shapes",
        }
        return ", ".join(
            f"{self.counts[k]:,} {word}" for k, word in words.items() if k in self.counts
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"notes": list(self.notes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelCard:
        """From :meth:`to_dict`; unknown keys are left out.

        Raises :class:`..bounded.Damaged` for values of another kind.
        """
        checked(values, {"name": str, "folder": str}, _KINDS)
        known: dict[str, Any] = {k: values[k] for k in cls.__dataclass_fields__ if k in values}
        known["notes"] = tuple(values.get("notes", ()))
        return cls(**known)


def models_folder() -> Path:
    """Where the imported models are; it need not exist.  Raises :class:`OutputError`."""
    return data_folder() / "models"


def list_models() -> list[ModelCard]:
    """All imported models by name; those that cannot be used have a ``problem``."""
    try:
        folders = [path for path in models_folder().iterdir() if path.name[:1] != "."]
        folders = [path for path in folders if os.path.isdir(path)]
    except (OSError, OutputError):
        return []
    return [_card(path) for path in sorted(folders)]


def find_model(name: str) -> ModelCard:
    """The card of ``name``.  Raises :class:`ModelError` where there is none, with what there is."""
    for card in list_models():
        if card.name == name:
            return card
    raise ModelError(f"There is no face model {name!r}. {there_are()}")


def there_are() -> str:
    """A sentence with the models that can be named."""
    names = [card.name for card in list_models() if not card.problem]
    if not names:
        return "There is only 'default'; 'models import' adds others."
    return f"There are 'default' and {', '.join(map(repr, names))}."


def read_header(folder: Path) -> dict[str, Any]:
    """The header of the model in ``folder``.  Raises :class:`ModelError`."""
    try:
        header = read_json(folder / HEADER)
    except FileNotFoundError as error:
        raise ModelError(f"{folder} holds no imported face model; {_advice(folder)}.") from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The imported face model {folder.name} is damaged ({HEADER}: {short(error)}); import "
            "it again."
        ) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelError(f"{folder} is not a face model that was imported here; {_advice(folder)}.")
    if header.get("version") != VERSION:
        raise ModelError(
            f"The face model {folder.name} was imported by another release (version "
            f"{header.get('version')!r:.20}, not {VERSION}); import it again."
        )
    return header


def _advice(folder: Path) -> str:
    """Only what lies among the imported models is ours; others are named by their path."""
    return "remove it" if folder.parent == models_folder() else "name another one"


def _card(folder: Path) -> ModelCard:
    try:
        header = read_header(folder)
        checked(header, {"card": dict})
        return ModelCard.from_dict(header["card"] | {"name": folder.name, "folder": str(folder)})
    except ModelError as error:
        return ModelCard(folder.name, str(folder), problem=str(error))
    except Damaged as error:
        sentence = (
            f"The imported face model {folder.name} is damaged ({HEADER}: {error}); import it "
            "again."
        )
        return ModelCard(folder.name, str(folder), problem=sentence)
