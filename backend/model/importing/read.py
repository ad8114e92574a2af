"""The files of a user's face model to a :class:`RawModel`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...bounded import DAMAGE, short
from ...errors import ModelError
from . import checks
from .basel import read_basel, read_bfm
from .basel_h5 import read_h5
from .deep3d import read_deep3d
from .eos import read_eos
from .flame import read_flame
from .ict import read_ict
from .naming import with_known_names
from .piece import BASEL, BFM, BLENDSHAPES, CALLED, COMPANIONS, DEEP3D, EOS, FLAME, H5, ICT, Piece
from .raw import RawModel
from .recognise import recognise


def read_model(paths: Sequence[str | Path]) -> RawModel:
    """The face model in ``paths``: one whole model and what belongs to it, in any order.

    What each file is, is told by its content.  Raises :class:`ModelError` with a sentence: what was
    found, and what was wanted.
    """
    if not paths:
        raise ModelError("Name the files of the face model.")
    main, parts = _sorted([recognise(Path(path)) for path in paths])
    try:
        model = with_known_names(_read(main, parts))
    except DAMAGE as error:  # the readers look at every array, but what they hold together?
        raise ModelError(f"{main.name} is damaged ({short(error)}).") from error
    return replace(model, files=_digests([main, *parts.values()]))


def kind_of(path: str | Path) -> str:
    """What the file is, one of :data:`.piece.CALLED`.  Raises :class:`ModelError`."""
    return recognise(Path(path)).kind


def _sorted(pieces: list[Piece]) -> tuple[Piece, dict[str, Piece]]:
    """The whole model among ``pieces``, and the rest by kind."""
    mains = [piece for piece in pieces if piece.kind in COMPANIONS]
    if len(mains) > 1:
        raise ModelError(
            f"{mains[0].name} is {CALLED[mains[0].kind]} and {mains[1].name} is "
            f"{CALLED[mains[1].kind]}: import one face model at a time."
        )
    if not mains:
        wanted = [CALLED[main] for main, kinds in COMPANIONS.items() if pieces[0].kind in kinds]
        raise ModelError(
            f"{pieces[0].name} is {CALLED[pieces[0].kind]}, which is no whole face model; give "
            f"{' or '.join(wanted)} along with it."
        )
    main = mains[0]
    parts: dict[str, Piece] = {}
    for piece in pieces:
        if piece is main:
            continue
        if piece.kind not in COMPANIONS[main.kind]:
            raise ModelError(
                f"{piece.name} is {CALLED[piece.kind]}, which does not go with {main.name}, "
                f"{CALLED[main.kind]}."
            )
        if piece.kind in parts:
            raise ModelError(
                f"{parts[piece.kind].name} and {piece.name} both are {CALLED[piece.kind]}; give "
                "one."
            )
        parts[piece.kind] = piece
    return main, parts


def _read(main: Piece, parts: dict[str, Piece]) -> RawModel:
    if main.kind == BFM:
        return read_bfm(main, parts)
    if main.kind == BASEL:
        return read_basel(main, parts)
    if main.kind == EOS:
        return read_eos(main, parts.get(BLENDSHAPES))
    return {DEEP3D: read_deep3d, H5: read_h5, ICT: read_ict, FLAME: read_flame}[main.kind](main)


def _digests(pieces: list[Piece]) -> dict[str, str]:
    """File name -> SHA-256; a folder's is that of its files' digests."""
    out = {}
    for piece in pieces:
        if piece.kind != ICT:
            out[piece.name] = checks.sha256(piece.path)
            continue
        whole = hashlib.sha256()
        for _, path in sorted(piece.fields.items()):
            whole.update(f"{path.name} {checks.sha256(path)}\n".encode())
        out[f"{piece.name}/ ({len(piece.fields)} files)"] = whole.hexdigest()
    return out
