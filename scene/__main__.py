"""Starts the Blender worker, with the ``bpy`` module or inside a real Blender.

``python -P -m reconstruct_face.scene``, ``python scene/__main__.py`` or
``blender --background --factory-startup --python scene/__main__.py``.
"""

from __future__ import annotations

import sys

if (
    __name__ == "__main__"
    and "bpy" not in sys.modules  # a Blender that runs this script has not put its folder there
    and not getattr(sys.flags, "safe_path", False)
):
    del sys.path[0]  # as in backend/__main__.py

import importlib
import importlib.util
from pathlib import Path

PACKAGE = "reconstruct_face"


def _scene_package() -> str:
    """The name of the package this file is in, made importable when it was run by its path."""
    if __package__:
        return __package__
    root = Path(__file__).resolve().parents[1]
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
