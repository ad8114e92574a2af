"""What the ``models`` command does with networks."""

from __future__ import annotations

import argparse
import json
import sys

from tqdm import tqdm

from ..exchange.arguments import a_path
from ..original.cards import (
    CALLED,
    NetworkCard,
    card_text,
    find_network,
    list_networks,
    remove_network,
)


def add_import(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``models import-network``."""
    parser.add_argument(
        "path",
        type=a_path,
        metavar="FOLDER",
        help="the original's SavedModel, or Deep3DFaceRecon's epoch_20.pth",
    )
    parser.add_argument("--stats", type=a_path, help="stats_80k.npz, which goes with a SavedModel")
    parser.add_argument("--name", help="what the network is called from then on")
    parser.add_argument("--force", action="store_true", help="replace a network of that name")


def run_import(args: argparse.Namespace) -> int:
    """``models import-network``."""
    from ..original.convert import import_network

    with tqdm(total=100, disable=args.json or not sys.stderr.isatty(), leave=False) as bar:

        def show(fraction: float, step: str) -> None:
            bar.set_description(step)
            bar.update(max(0, round(100 * fraction) - bar.n))

        card = import_network(args.path, args.stats, args.name, args.force, show)
    _print(args, card.to_dict(), card_text(card))
    return 0


def add_networks(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``models networks``."""
    parser.add_argument("--show", metavar="NAME", help="what is known of one")
    parser.add_argument("--remove", metavar="NAME", help="delete one")


def run_networks(args: argparse.Namespace) -> int:
    """``models networks``."""
    if args.remove:
        remove_network(args.remove)
        _print(args, {"removed": args.remove}, f"Removed {args.remove}.")
        return 0
    if args.show:
        card = find_network(args.show)
        _print(args, card.to_dict(), card_text(card))
        return 6 if card.problem else 0
    cards = list_networks()
    lines = [_line(card) for card in cards] or ["There is no converted network."]
    _print(args, {"networks": [card.to_dict() for card in cards]}, "\n".join(lines))
    return 0


def _line(card: NetworkCard) -> str:
    return f"{card.name}  {card.problem or CALLED[card.kind]}"


def _print(args: argparse.Namespace, document: dict, text: str) -> None:
    print(json.dumps(document, indent=1) if args.json else text)
