"""Which variants of the pipeline a benchmark compares, as given on the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields

from ..exchange.options import ESTIMATES, Options

RUN_HELP = (
    "a way to reconstruct, with options of the pipeline, e.g. 'best:estimate=network,quality=best' "
    "or 'free:landmarks=false'; may be repeated (default: landmarks and network)"
)


@dataclass(frozen=True)
class Run:
    """A named choice of options."""

    name: str
    options: Options


def parse_run(text: str) -> Run:
    """``NAME[:KEY=VALUE,...]``, keys being fields of :class:`Options`.

    A name that is an estimate's ("network", "landmarks") chooses it.  Textures are not made unless
    asked for.  Raises :class:`argparse.ArgumentTypeError`.
    """
    name, _, pairs = text.partition(":")
    known = {field.name for field in fields(Options)}
    chosen: dict[str, bool | int | str] = {"texture": "none", "hair": "none"}
    if name in ESTIMATES:
        chosen["estimate"] = name
    for pair in filter(None, pairs.split(",")):
        key, sign, value = pair.partition("=")
        if not sign or key not in known:
            raise argparse.ArgumentTypeError(
                f"{pair!r}: give KEY=VALUE with one of {sorted(known)}"
            )
        chosen[key] = _value(value)
    if not name:
        raise argparse.ArgumentTypeError("a run needs a name")
    try:
        return Run(name, Options(**chosen))  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _value(text: str) -> bool | int | str:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if text.lower() in words:
        return words[text.lower()]
    return int(text) if text.isdecimal() else text
