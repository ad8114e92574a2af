"""The ``models`` command: import face models that you own, list, show and remove them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from tqdm import tqdm

from ..errors import FaceError
from ..exchange.arguments import a_path
from ..exchange.model_cards import ModelCard, find_model, list_models, models_folder
from ..model.importing.importer import import_model
from ..model.stored import remove_model
from . import networks

EPILOG = """\
what can be imported, with what along with it (told by the files' content, in any order):
  BFM.mat [exp_80k.npz [stats_80k.npz]] [BFM_info.mat] [BFM_UV.mat]
  01_MorphableModel.mat  exp_80k.npz or Exp_Pca.bin [std_exp.txt]  BFM_exp_idx.mat
  BFM_model_front.mat | model2017-1_bfm_nomouth.h5 | model2019_bfm.h5 | model2019_fullHead.h5
  the folder FaceXModel of ICT-FaceKit | FLAME's .pkl or .npz | eos's .bin [blendshapes]
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except FaceError as error:
        if getattr(args, "json", False):
            print(json.dumps({"error": {"code": error.code, "message": str(error)}}, indent=1))
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="models",
        description="Face models of your own.",
        epilog=f"They are in {_place()}.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (add, run, text) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=EPILOG if name == "import" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add(command)
        command.add_argument("--json", action="store_true", help="one JSON document")
        command.set_defaults(run=run)
    return parser


def _place() -> str:
    try:
        return str(models_folder())
    except FaceError:
        return "the user's data folder"


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=a_path, metavar="FILE", help="a file, or a folder")
    parser.add_argument("--name", help="what the model is called from then on")
    parser.add_argument("--force", action="store_true", help="replace a model of that name")


def _import(args: argparse.Namespace) -> int:
    with tqdm(total=100, disable=args.json or not sys.stderr.isatty(), leave=False) as bar:

        def show(fraction: float, step: str) -> None:
            bar.set_description(step)
            bar.update(max(0, round(100 * fraction) - bar.n))

        card = import_model(args.files, args.name, args.force, show)
    _print(args, card.to_dict(), card_text(card))
    return 0


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    """For commands without arguments of their own."""


def _list(args: argparse.Namespace) -> int:
    cards = list_models()
    width = max([len("default"), *(len(card.name) for card in cards)])
    lines = [f"{'default':{width}}  comes along"]
    lines += [f"{c.name:{width}}  {c.problem or f'{c.kind}: {c.facts}'}" for c in cards]
    _print(args, {"models": [card.to_dict() for card in cards]}, "\n".join(lines))
    return 0


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an imported model")


def _show(args: argparse.Namespace) -> int:
    card = find_model(args.name)
    _print(args, card.to_dict(), card_text(card))
    return 6 if card.problem else 0


def _remove(args: argparse.Namespace) -> int:
    remove_model(args.name)
    _print(args, {"removed": args.name}, f"Removed {args.name}.")
    return 0


def card_text(card: ModelCard) -> str:
    """The card in lines."""
    if card.problem:
        return card.problem
    lines = [f"{card.name}: {card.kind}", f"  {card.facts}", f"  {card.licence}"]
    lines += [f"  {note}" for note in card.notes]
    lines += [f"  {name.replace('_', ' ')}: {value:.3g}" for name, value in card.figures.items()]
    lines += [f"  {name}  sha256 {digest[:16]}" for name, digest in card.files.items()]
    return "\n".join([*lines, f"  imported {card.imported}", f"  picture: {card.picture}"])


def _print(args: argparse.Namespace, document: dict, text: str) -> None:
    print(json.dumps(document, indent=1) if args.json else text)


Add = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], int]

#: name -> (adds its arguments, does it, what it is for)
COMMANDS: dict[str, tuple[Add, Run, str]] = {
    "import": (_add_import, _import, "convert the files of a face model for use here"),
    "list": (_add_nothing, _list, "the models that there are"),
    "show": (_add_name, _show, "what is known of a model"),
    "remove": (_add_name, _remove, "delete an imported model"),
    "import-network": (
        networks.add_import,
        networks.run_import,
        "convert a network that you own for use here",
    ),
    "networks": (networks.add_networks, networks.run_networks, "the converted networks"),
}
