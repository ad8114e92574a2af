"""``blender --command reconstruct_face photo.jpg -o out.blend``, once the add-on is enabled.

Imported when the add-on is registered, so what it needs is imported when it is run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    import argparse

    from ..backend.exchange import Reconstruction
    from ..backend.exchange.options import Options

NAME = "reconstruct_face"
_INTERRUPTED = 130

_handle: Any = None


def add_command() -> None:
    """Make the command known to Blender."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, run)


def remove_command() -> None:
    """Undo :func:`add_command`."""
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None


def run(arguments: list[str]) -> int:
    """Reconstruct one photo into files; the exit status, as the ``reconstruct`` command has it."""
    from ..backend.errors import FaceError, OptionError
    from ..backend.exchange.arguments import options_of
    from . import jobs
    from .report import write_report

    parser = _parser()
    try:
        args = parser.parse_args(arguments)
        outputs = [_output(text, parser) for text in args.out]
        options = options_of(args)
    except OptionError as error:
        _say(str(error))
        return error.exit_status
    except SystemExit as end:  # Blender goes on to end itself properly
        return end.code if isinstance(end.code, int) else 2
    try:
        with jobs.interruptible():
            _reconstruct(args.photo, options, outputs, compact=args.compact)
    except Exception as error:
        expected = isinstance(error, FaceError)
        _say(str(error) if expected else f"Unexpected {type(error).__name__}: {error}")
        if not expected or error.details:
            report = write_report(error, doing=f"blender --command {NAME}", options=vars(args))
            if report is not None:
                _say(f"see {report}")
        return error.exit_status if expected else 1
    except KeyboardInterrupt:
        _say("Interrupted; what was not finished was removed.")
        return _INTERRUPTED
    finally:
        jobs.close()
    return 0


def _reconstruct(
    photo: str, options: Options, outputs: list[tuple[Path, str]], *, compact: bool = False
) -> None:
    from ..backend.exchange.output import prepare_output
    from . import jobs

    for path, _ in outputs:  # before the work, not after it
        prepare_output(path.parent)
    heads = jobs.start_reconstruction(photo, options).wait(_progress)
    for warning in dict.fromkeys(warning for head in heads for warning in head.warnings):
        _say(f"warning: {warning}")
    _progress(1.0, "Writing the files")
    _write(heads, outputs, compact=compact)


def _write(
    heads: list[Reconstruction], outputs: list[tuple[Path, str]], *, compact: bool = False
) -> None:
    from .api import add_heads
    from .build import head_scene_of, prepare_file
    from .export import export_head

    prepare_file(heads[0])
    built = [head_scene_of(head) for head in add_heads(heads, set_active=True)]
    for path, kind in outputs:
        # A .blend holds all heads; of the other formats each gets a file of its own.
        for head, around in list(zip(heads, built, strict=True))[: 1 if kind == "blend" else None]:
            end = "" if head is heads[0] else f"_face{head.face_index}"
            name = path.stem + end
            for file in export_head(around, path.parent, name, [kind], compact=compact).values():
                print(file)


def _parser() -> argparse.ArgumentParser:
    import argparse

    from ..backend.exchange.arguments import add_compact, add_options
    from ..backend.exchange.formats import FORMATS, PHOTO_KINDS

    parser = argparse.ArgumentParser(
        prog=f"blender --command {NAME}",
        description="Reconstruct a textured, animatable 3D head from a photo.",
        epilog="exit status: 0 done, 2 wrong command line, 3 the photo cannot be read, 4 no face, "
        "5 the output cannot be written, 6 a model file is missing, 8 the backend failed, "
        "130 interrupted, 1 anything else",
    )
    add = parser.add_argument
    add("photo", help=PHOTO_KINDS)
    add(
        "-o",
        "--out",
        action="append",
        required=True,
        metavar="FILE",
        help=f"what to write, by its suffix: {', '.join(x.suffix for x in FORMATS.values())}; "
        "may be repeated",
    )
    add_options(parser)
    add_compact(parser)
    return parser


def _output(text: str, parser: argparse.ArgumentParser) -> tuple[Path, str]:
    """The file and its format."""
    from ..backend.exchange.formats import FORMATS

    path = Path(text).absolute()
    kinds = {kind.suffix: name for name, kind in FORMATS.items()}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        parser.error(f"{text} has no suffix of a known format; give one of {', '.join(kinds)}")
    return path, kind


def _progress(fraction: float, step: str) -> None:
    print(f"[{fraction:4.0%}] {step}", file=sys.stderr, flush=True)


def _say(sentence: str) -> None:
    print(f"{NAME}: {sentence}", file=sys.stderr, flush=True)
