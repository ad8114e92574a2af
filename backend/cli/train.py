"""``python -P -m reconstruct_face.backend train CONFIG.toml``: see ``--help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import FaceError, TrainingError
from ..exchange.arguments import a_path
from ..training.config import CONFIGS, read_config


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(argv)
    try:
        config = read_config(
            args.config,
            data=args.data,
            photos=args.photos,
            out=args.out,
            init=args.init,
            max_hours=args.hours,
            seed=args.seed,
            threads=args.threads,
        )
        train = _trainer()
        path = train(
            config,
            resume=args.resume,
            report=lambda line: print(line, flush=True),
            command=" ".join(["train", *argv]),
        )
    except FaceError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_status
    print(path)
    return 0


def _trainer() -> Callable[..., Path]:
    """The training loop; raises :class:`TrainingError` where torch is not installed."""
    with asking_for_torch():
        from ..training.loop import train
    return train


@contextmanager
def asking_for_torch() -> Iterator[None]:
    """Where torch is imported: raises :class:`TrainingError` where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise TrainingError(
            f"Training needs torch, which {sys.executable} does not have; install it there (the "
            "extra 'torch')."
        ) from error


def _parser() -> argparse.ArgumentParser:
    shipped = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.toml")))
    parser = argparse.ArgumentParser(
        prog="train",
        description="Train the network.  Several GPUs: torchrun --nproc-per-node N -m "
        "reconstruct_face.backend train ...",
    )
    parser.add_argument("config", type=a_path, help=f"a TOML file, or one of: {shipped}")
    parser.add_argument("--data", action="append", metavar="FOLDER", help="shards (repeatable)")
    parser.add_argument("--photos", metavar="FOLDER", help="photographs without labels")
    parser.add_argument("--out", metavar="FOLDER", help="weights, checkpoint and curves")
    parser.add_argument("--init", metavar="FILE", help="weights to start from")
    parser.add_argument("--resume", action="store_true", help="go on from --out's checkpoint")
    parser.add_argument("--hours", type=float, help="end, over all resumed parts")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--threads", type=int, help="of the training process")
    return parser
