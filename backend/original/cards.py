"""What is known of the converted networks: their cards, which need no torch.

Each is a folder ``networks/NAME`` in the user's data folder with ``network.safetensors`` and
``card.json``, written and loaded by :mod:`.store`.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..bounded import Damaged, checked, plain, read_json, short
from ..errors import ModelError, OutputError
from ..files import reason
from ..folders import data_folder

FORMAT, VERSION = "reconstruct_face.imported_network", 1
WEIGHTS, CARD = "network.safetensors", "card.json"
ORIGINAL, DEEP3D = "original", "deep3d"
CALLED = {
    ORIGINAL: "the network of Inverse Rendering 3DMM (ResNet-18, 240 coefficients of BFM.mat)",
    DEEP3D: "the network of Deep3DFaceRecon (ResNet-50, 257 coefficients of BFM_model_front.mat)",
}
LICENCE = "The terms under which you got the network hold for what is made with it."
#: Of what a card holds beside its name and folder (:func:`..bounded.fits`).
_KINDS: dict[str, Any] = {
    "kind": str,
    "licence": str,
    "files": {str: str},
    "weights_sha256": str,
    "pictures": int,
    "difference": float,
    "notes": [str],
    "converted": str,
    "problem": str,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class NetworkCard:
    """A converted network, for people and for choosing it."""

    name: str
    folder: str
    kind: str = ""  #: a key of :data:`CALLED`
    licence: str = LICENCE
    files: dict[str, str] = field(default_factory=dict)  #: file name -> SHA-256
    weights_sha256: str = ""  #: of the converted file
    pictures: int = 0  #: that both the original and the converted network computed
    difference: float = 0.0  #: the largest between the two, in units of the outputs
    notes: tuple[str, ...] = ()
    converted: str = ""  #: date and time, ISO 8601
    problem: str = ""  #: a sentence where it cannot be used

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"notes": list(self.notes)}


def networks_folder() -> Path:
    """Where the converted networks are; it need not exist.  Raises :class:`OutputError`."""
    return data_folder() / "networks"


def check_name(name: str) -> str:
    """``name`` if a network can be called so.  Raises :class:`ModelError`."""
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"A network cannot be called {name!r}; take letters, digits, '.', '_' and '-'."
        )
    return name


def list_networks() -> list[NetworkCard]:
    """All converted networks by name; those that cannot be used have a ``problem``."""
    try:
        folders = [path for path in networks_folder().iterdir() if path.name[:1] != "."]
        folders = [path for path in folders if os.path.isdir(path)]
    except (OSError, OutputError):
        return []
    return [_read_card(path) for path in sorted(folders)]


def find_network(name: str) -> NetworkCard:
    """The card of ``name``.  Raises :class:`ModelError` where there is none, with what there is."""
    cards = list_networks()
    for card in cards:
        if card.name == name:
            return card
    names = ", ".join(repr(card.name) for card in cards) or "none; 'models import-network' adds one"
    raise ModelError(f"There is no network {name!r}. Converted so far: {names}.")


def remove_network(name: str) -> None:
    """Delete the network ``name``.  Raises :class:`ModelError`, :class:`OutputError`."""
    folder = Path(find_network(name).folder)
    hidden = folder.with_name(f".{name}.{os.getpid()}.gone")
    try:
        os.replace(folder, hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise OutputError(f"Cannot remove {folder}: {reason(error)}.") from error


def card_text(card: NetworkCard) -> str:
    """The card in lines."""
    if card.problem:
        return card.problem
    lines = [f"{card.name}: {CALLED[card.kind]}", f"  {card.licence}"]
    lines += [f"  {note}" for note in card.notes]
    lines += [f"  {name}  sha256 {digest[:16]}" for name, digest in card.files.items()]
    return "\n".join([*lines, f"  converted {card.converted} to {card.folder}"])


def _read_card(folder: Path) -> NetworkCard:
    again = "convert it again with 'models import-network'"
    try:
        document = read_json(folder / CARD)
        checked(document, {"card": dict})
        if document.get("format") != FORMAT or document.get("version") != VERSION:
            raise Damaged("it is of another format or version")
        values: dict[str, Any] = document["card"]
        checked(values, {}, _KINDS)
        known: dict[str, Any] = {
            key: values[key] for key in NetworkCard.__dataclass_fields__ if key in values
        }
        known |= {"name": folder.name, "folder": str(folder)}
        known["notes"] = tuple(values.get("notes", ()))
        card = NetworkCard(**known)
        if card.kind not in CALLED:
            raise Damaged(f"its kind is {plain(card.kind, 40)!r}")
    except (OSError, Damaged) as error:
        return NetworkCard(
            folder.name,
            str(folder),
            problem=f"{folder} holds no network ({short(error)}); {again}.",
        )
    return card
