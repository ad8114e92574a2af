"""The options of a reconstruction on command lines, whichever program has them.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Collection
from pathlib import Path

from .formats import COMPACT_TIP, DEFAULT_FORMATS, FORMATS
from .options import ABOUT, About, Options, phrase


def add_options(
    parser: argparse.ArgumentParser,
    only: Collection[str] | None = None,
    base: Options | None = None,
) -> None:
    """Add an argument for every field of :class:`Options` that has a flag, or those in ``only``.

    ``base`` holds the defaults.  :func:`options_of` makes the options of what was parsed.
    """
    base = base or Options()
    for name, about in ABOUT.items():
        if not about.flag or (only is not None and name not in only):
            continue
        default = getattr(base, name)
        if isinstance(default, bool):
            action = "store_false" if default else "store_true"
            parser.add_argument(
                about.flag, dest=name, action=action, default=default, help=phrase(about.tip)
            )
        else:
            parser.add_argument(
                about.flag,
                dest=name,
                default=default,
                type=_number if name == "face" or about.between else str,
                choices=about.values or None,
                metavar=about.metavar,
                help=_help(about, default),
            )


def options_of(args: argparse.Namespace, base: Options | None = None) -> Options:
    """The options that were parsed; the others are those of ``base``.

    Raises :class:`OptionError`.
    """
    named = {name: getattr(args, name) for name in ABOUT if hasattr(args, name)}
    return (base or Options()).with_named(named)


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add ``--format``, whose value is a tuple of names of :data:`~.formats.FORMATS`.

    And what :func:`add_compact` adds.
    """
    parser.add_argument(
        "--format",
        type=_formats,
        default=DEFAULT_FORMATS,
        metavar="LIST",
        help=f"of {','.join(FORMATS)}, or none (default: {','.join(DEFAULT_FORMATS)})",
    )
    add_compact(parser)


def add_compact(parser: argparse.ArgumentParser) -> None:
    """Add ``--compact``, a switch that makes a .glb smaller."""
    parser.add_argument("--compact", action="store_true", help=phrase(COMPACT_TIP))


def a_path(text: str) -> Path:
    """For ``type=``: a path, which an empty text is not; Python takes it for the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name was given")
    return Path(text)


def at_least_one(text: str) -> int:
    """For ``type=``: a whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return int(text)


def above_zero(text: str) -> float:
    """For ``type=``: a finite number above zero."""
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} is no number above zero")
    return number


def _number(text: str) -> int | str:
    """Digits as a number; what is no value at all is told by :class:`Options`."""
    return int(text) if text.isdecimal() else text


def _formats(text: str) -> tuple[str, ...]:
    if text == "none":
        return ()
    formats = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    for unknown in sorted(set(formats) - set(FORMATS)):
        raise argparse.ArgumentTypeError(
            f"unknown format '{unknown}'; give some of {','.join(FORMATS)}, or none"
        )
    return formats


def _help(about: About, default: object) -> str:
    parts = [phrase(about.tip)]
    parts += [f"{choice.value}: {phrase(choice.tip)}" for choice in about.choices]
    given = "" if default == "" else f" (default: {default})"
    return ("; ".join(parts) + given).replace("%", "%%")
