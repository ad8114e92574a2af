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
    from ..backend.errors import FaceError
    from . import jobs
    from .report import write_report

    parser = _parser()
    try:
        args = parser.parse_args(arguments)
        outputs = [_output(text, parser) for text in args.out]
        if args.estimate == "landmarks" and not args.landmarks:
            parser.error("the estimate from landmarks needs landmarks; use the network's")
    except SystemExit as end:  # Blender goes on to end itself properly
        return end.code if isinstance(end.code, int) else 2
    options = {name: getattr(args, name) for name in _OPTIONS}
    try:
        with jobs.interruptible():
            _reconstruct(args.photo, options, outputs)
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


_OPTIONS = (
    "face",
    "texture",
    "texture_size",
    "model",
    "estimate",
    "quality",
    "landmarks",
    "expressions",
)


def _reconstruct(photo: str, options: dict[str, Any], outputs: list[tuple[Path, str]]) -> None:
    from ..backend.exchange.output import prepare_output
    from . import jobs

    for path, _ in outputs:  # before the work, not after it
        prepare_output(path.parent)
    heads = jobs.start_reconstruction(photo, **options).wait(_progress)
    for warning in dict.fromkeys(warning for head in heads for warning in head.warnings):
        _say(f"warning: {warning}")
    _progress(1.0, "Writing the files")
    _write(heads, outputs)


def _write(heads: list[Reconstruction], outputs: list[tuple[Path, str]]) -> None:
    from .api import add_heads
    from .build import head_scene_of, prepare_file
    from .export import export_head

    prepare_file(heads[0])
    built = [head_scene_of(head) for head in add_heads(heads, set_active=True)]
    for path, kind in outputs:
        # A .blend holds all heads; of the other formats each gets a file of its own.
        for head, around in list(zip(heads, built, strict=True))[: 1 if kind == "blend" else None]:
            end = "" if head is heads[0] else f"_face{head.face_index}"
            for file in export_head(around, path.parent, path.stem + end, [kind]).values():
                print(file)


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog=f"blender --command {NAME}",
        description="Reconstruct a textured, animatable 3D head from a photo.",
        epilog="exit status: 0 done, 2 wrong command line, 3 the photo cannot be read, 4 no face, "
        "5 the output cannot be written, 6 a model file is missing, 8 the backend failed, "
        "130 interrupted, 1 anything else",
    )
    add = parser.add_argument
    add("photo", help="JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF")
    add(
        "-o",
        "--out",
        action="append",
        required=True,
        metavar="FILE",
        help="what to write, by its suffix: .blend, .glb, .fbx, .obj or .usdz; may be repeated",
    )
    add(
        "--face",
        type=_face,
        default="largest",
        metavar="largest|N|all",
        help="which face: the largest, the N-th largest, or all of them",
    )
    add(
        "--texture",
        choices=("albedo", "photo", "none"),
        default="albedo",
        help="albedo: the photo's lighting divided out; photo: as photographed; none",
    )
    add("--texture-size", type=_pixels, default=2048, metavar="N", help="pixels, default 2048")
    add("--model", default="default", help="face model: default, an imported one, or a file")
    add(
        "--expressions",
        choices=("native", "arkit"),
        default="native",
        help="native: the face model's own; arkit: ARKit's 52 shapes, whatever the model",
    )
    add(
        "--quality",
        choices=("fast", "balanced", "best"),
        default="balanced",
        help="how far the estimate is refined on the photo (default: balanced)",
    )
    add(
        "--estimate",
        choices=("network", "landmarks"),
        default="network",
        help="network: its estimate, refined on the photo; landmarks: a fit to 68 landmarks alone",
    )
    add(
        "--no-landmarks",
        dest="landmarks",
        action="store_false",
        help="do without dlib's landmark file, whose licence excludes commercial use",
    )
    return parser


def _face(text: str) -> int | str:
    import argparse

    if text in ("largest", "all"):
        return text
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no face; give largest, all or a number from 1")


def _pixels(text: str) -> int:
    import argparse

    if text.isdecimal() and 128 <= int(text) <= 8192:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no texture size; give 128 to 8192")


def _output(text: str, parser: argparse.ArgumentParser) -> tuple[Path, str]:
    """The file and its format."""
    from .export import FORMATS

    path = Path(text).absolute()
    kinds = {suffix: kind for kind, (suffix, _) in FORMATS.items()}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        parser.error(f"{text} has no suffix of a known format; give one of {', '.join(kinds)}")
    return path, kind


def _progress(fraction: float, step: str) -> None:
    print(f"[{fraction:4.0%}] {step}", file=sys.stderr, flush=True)


def _say(sentence: str) -> None:
    print(f"{NAME}: {sentence}", file=sys.stderr, flush=True)
