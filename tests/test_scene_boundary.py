"""The cut between the two sides, by trying: each is imported where the other's packages are not.

What the imports' text says is checked in ``test_architecture.py``.
"""

from __future__ import annotations

import subprocess
import sys

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
