"""Reconstruct every picture of a folder inside Blender, or with the ``bpy`` module.

    blender --background --python examples/03_folder.py -- photos/ -o out/
    python examples/03_folder.py photos/ -o out/

Per photo: NAME.blend, NAME.glb, NAME_preview.png, NAME.npz, NAME.json; at the end summary.csv and
contact_sheet.jpg.  A second run does only what is not finished.  Exit status: 0 all fine, 1 some
failed, 2 wrong options, 5 the output folder cannot be written.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Run the batch and return the exit status."""
    from reconstruct_face.backend.errors import FaceError
    from reconstruct_face.backend.exchange.arguments import options_of
    from reconstruct_face.scene.batch import BatchOptions, run_batch

    args = _parser().parse_args(arguments)
    try:
        options = BatchOptions(
            options_of(args), args.format, not args.no_preview, args.force, args.compact
        )
        results = run_batch(
            args.photos, args.out, options, jobs=args.jobs, python=args.python, report=_say
        )
    except FaceError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    failed = sum(result.status == "failed" for result in results)
    _say(f"{len(results) - failed} of {len(results)} photos are done; see {args.out}.")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    from reconstruct_face.backend.exchange.arguments import add_formats, add_options

    parser = argparse.ArgumentParser(prog="03_folder.py", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("photos", nargs="+", help="photos, or folders of photos")
    add("-o", "--out", default="out", help="output folder (default: out)")
    add_options(parser)
    add_formats(parser)
    add("--no-preview", action="store_true", help="no NAME_preview.png and no contact sheet")
    add("--force", action="store_true", help="do finished photos again")
    add(
        "--jobs", type=int, help="photos looked at at a time (default: as there is room, at most 4)"
    )
    add("--python", help="the Python that has the backend's packages")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


def _import_project() -> None:
    """Make ``reconstruct_face`` importable from this checkout, whatever its folder is called."""
    if importlib.util.find_spec("reconstruct_face") is not None:
        return
    spec = importlib.util.spec_from_file_location(
        "reconstruct_face", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["reconstruct_face"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    # Blender hands its own arguments over too; ours come after "--".
    own = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    _import_project()
    sys.exit(main(own))
