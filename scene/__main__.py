"""Starts the Blender worker, with the ``bpy`` module or inside a real Blender.

``python -m reconstruct_face.scene``, ``python scene/__main__.py`` or
``blender --background --factory-startup --python scene/__main__.py``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "reconstruct_face"


def _scene_package() -> str:
    """The name of the package this file is in, made importable when it was run by its path."""
    if __package__:
        return __package__
    root = Path(__file__).resolve().parents[1]
    # Run by path, Python puts scene/ itself on sys.path: 'light' or 'mesh' would be found there.
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != root / "scene"]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return f"{PACKAGE}.scene"


if __name__ == "__main__":
    importlib.import_module(".worker", package=_scene_package()).main()
