"""The cut between the two sides: what each may import, by its text and by trying."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLENDER_SIDE = ("__init__.py", "operators", "panels", "scene", "examples")
#: What the Blender side shares with the backend; motion files are read without its process.
SHARED = (
    "reconstruct_face.backend.exchange",
    "reconstruct_face.backend.errors",
    "reconstruct_face.backend.motion",
)


def files(*parts: str) -> list[Path]:
    found = []
    for part in parts:
        path = ROOT / part
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found
    return found


def imports(path: Path, source: str | None = None) -> Iterator[str]:
    """Absolute names of all modules that ``path`` imports, anywhere in it (or in ``source``)."""
    package = ["reconstruct_face", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text() if source is None else source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """What the next two tests look at."""
    path = ROOT / "scene" / "animation" / "never.py"
    source = (
        "import numpy as np, os.path\nfrom ..mesh import about\nfrom . import curves\n"
        "def late():\n    from ...backend import errors\n    import cv2\n"
    )
    assert list(imports(path, source)) == [
        "numpy", "os.path", "reconstruct_face.scene.mesh.about",
        "reconstruct_face.scene.animation.curves", "reconstruct_face.backend.errors", "cv2",
    ]  # fmt: skip
    assert "bpy" in imports(ROOT / "scene" / "mesh.py")
    assert "torch" in imports(ROOT / "backend" / "bench" / "network.py")


@pytest.mark.parametrize("path", files(*BLENDER_SIDE), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_blender_side_imports_blender_numpy_and_the_exchange_only(path: Path) -> None:
    blender = (
        "bpy", "bpy_extras", "bl_ext", "bl_operators", "bl_ui", "gpu", "gpu_extras", "mathutils",
        "numpy", "__future__",
    )  # fmt: skip
    for name in imports(path):
        if within(name, ("reconstruct_face.backend",)):
            assert within(name, SHARED), f"{name} is not part of the exchange"
        elif not within(name, ("reconstruct_face",)):
            allowed = within(name, blender) or name.split(".")[0] in sys.stdlib_module_names
            assert allowed, f"{name} is not in Blender"


@pytest.mark.parametrize("path", files("backend"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_backend_imports_nothing_of_blender(path: Path) -> None:
    forbidden = ("bpy", "bpy_extras", "mathutils", "bmesh", "gpu", "addon_utils")
    ours = tuple(f"reconstruct_face.{part}" for part in ("scene", "operators", "panels"))
    for name in imports(path):
        assert not within(name, forbidden + ours), f"{path} imports {name}"


BLOCKER = """
import importlib, pkgutil, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is not to be imported here")

sys.meta_path.insert(0, Blocker())
import reconstruct_face
count = 0
for root in {packages!r}:
    package = importlib.import_module(f"reconstruct_face.{{root}}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and module.name not in {elsewhere!r}:
            importlib.import_module(module.name)
            count += 1
print(count)
"""


#: Runs in the verification's own environment, which test_verify.py starts.
ELSEWHERE = ("reconstruct_face.backend.verify.pytorch3d_renderer",)


def import_all(packages: tuple[str, ...], blocked: tuple[str, ...]) -> int:
    script = BLOCKER.format(packages=packages, blocked=blocked, elsewhere=ELSEWHERE)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def test_the_blender_side_runs_where_only_numpy_is() -> None:
    blocked = ("torch", "dlib", "cv2", "scipy", "PIL", "embreex", "tqdm")
    shared = ("backend.exchange", "backend.motion")
    assert import_all(("scene", "operators", "panels", *shared), blocked) > 10


def test_the_backend_runs_where_no_blender_is() -> None:
    optional = ("tensorflow", "keras", "pytorch3d", "flip_evaluator")
    assert import_all(("backend",), ("bpy", "mathutils", "bpy_extras", *optional)) > 10


def test_importing_the_root_imports_nothing_heavy() -> None:
    script = (
        "import sys; import reconstruct_face; print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"bpy", "numpy", "cv2", "dlib", "torch", "scipy", "PIL"}
    assert not heavy & set(done.stdout.split())
