"""``python -P -m reconstruct_face.backend COMMAND``, with one of :data:`COMMANDS`.

Also runs by its path, ``python /any/where/backend/__main__.py worker``, without the project being
installed: that is how Blender starts it from the extension's folder with another Python.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    # The current folder (-m), or backend/ itself: neither's modules are to be found by the names of
    # others.  Python has looked there itself before, so that -P is better.
    del sys.path[0]

import importlib
import importlib.util
from pathlib import Path

PACKAGE = "reconstruct_face"
COMMANDS = {
    "reconstruct": ".cli.reconstruct",
    "bench": ".bench",
    "worker": ".worker",
    "synthesise": ".cli.synthesise",
    "train": ".cli.train",
    "train-regions": ".cli.train_regions",
    "models": ".cli.models",
    "original": ".cli.original",
    "animate": ".cli.animate",
    "live": ".cli.live",
    "motion": ".cli.motion",
    "export": ".cli.export",
    "own-mesh": ".cli.own_mesh",
    "verify": ".cli.verify",
    "verify-worker": ".verify.pytorch3d_worker",
    "read-worker": ".isolated_child",
}
NEEDS_MEMORY = ("reconstruct", "bench", "worker", "original", "animate", "live", "own-mesh")
LEFT_OUT = "is not part of the extension; run it in a copy of the whole project."
USAGE = f"usage: python -P -m reconstruct_face.backend {{{','.join(COMMANDS)}}} [options]"


def main(argv: list[str]) -> int:
    """Run the command named by the first argument; its ``main`` gets the others."""
    command = argv[0] if argv else ""
    if command not in COMMANDS:
        wanted = command in ("-h", "--help")
        print(USAGE, file=sys.stdout if wanted else sys.stderr)
        return 0 if wanted else 2
    package = _backend_package()
    if command in NEEDS_MEMORY:
        said = importlib.import_module(".terminal", package=package).too_little_memory()
        if said:
            print(f"{command}: {said}", file=sys.stderr)
            return 1
    if command.endswith("worker"):
        # Its parent may be gone before the packages are loaded.
        importlib.import_module(".lifeline", package=package).hold()
    if importlib.util.find_spec(COMMANDS[command], package) is None:
        print(f"'{command}' {LEFT_OUT}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[command], package=package)
    return module.main(argv[1:])


def _backend_package() -> str:
    """The name of the package this file is in, made importable when it was run by its path."""
    if __package__:
        return __package__
    if PACKAGE in sys.modules:
        return f"{PACKAGE}.backend"
    root = Path(__file__).resolve().parents[1]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return f"{PACKAGE}.backend"


if __name__ == "__main__":
    package = _backend_package()
    if sys.argv[1:2] and sys.argv[1].endswith("worker"):  # whose standard output is the protocol's
        sys.exit(main(sys.argv[1:]))
    sys.exit(importlib.import_module(".terminal", package).run(main, sys.argv[1:]))
