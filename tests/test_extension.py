"""The root as a Blender extension: manifest, registering, packing and installing."""

from __future__ import annotations

import atexit
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
import reconstruct_face
from reconstruct_face import operators, panels
from reconstruct_face.scene import command as commands

from tests.imports import anywhere, module_name, project

ROOT = Path(__file__).resolve().parents[1]
ID = "reconstruct_face"


@pytest.fixture(scope="module")
def blender_ext() -> list[str]:
    """Blender's own tool for extensions, run by plain Python."""
    (script,) = Path(bpy.utils.system_resource("SCRIPTS")).glob(
        "addons_core/bl_pkg/cli/blender_ext.py"
    )
    return [sys.executable, str(script)]


@pytest.fixture(scope="module")
def package(blender_ext: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension as the .zip that users install."""
    out = tmp_path_factory.mktemp("package")
    subprocess.run(
        [*blender_ext, "build", "--source-dir", ROOT, "--output-dir", out], check=True, timeout=120
    )
    (path,) = out.glob("*.zip")
    return path


def test_blender_accepts_the_manifest(blender_ext: list[str]) -> None:
    done = subprocess.run(
        [*blender_ext, "validate", str(ROOT)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_says_what_the_project_says() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["license"] == [f"SPDX:{project['license']['text']}"]
    assert manifest["id"] == ID
    assert set(manifest["permissions"]) == {"files", "network", "clipboard"}
    for reason in manifest["permissions"].values():
        assert 0 < len(reason) <= 64 and reason[-1].isalnum(), reason


def test_the_package_holds_what_runs_and_nothing_else(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names}
    assert top <= {
        "__init__.py", "blender_manifest.toml", "LICENSE", "README.md",
        "assets", "backend", "operators", "panels", "scene",
    }  # fmt: skip
    for needed in (
        "scene/api.py", "backend/__main__.py", "backend/worker.py", "scene/installation/probe.py",
        "scene/installation/requirements.lock",
    ):  # fmt: skip
        assert needed in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert not [name for name in names if name.startswith(("backend/training", "backend/bench"))]
    assert package.stat().st_size < 38e6, "with pip, the thin zip has less than 40 MB"


def test_the_packages_modules_find_one_another(package: Path) -> None:
    """By their text: each import of the project's own is of a module that is in the zip."""
    with zipfile.ZipFile(package) as archive:
        packed = {module_name(ROOT / name) for name in archive.namelist() if name.endswith(".py")}
    assert f"{ID}.backend.pipeline" in packed
    ours = set(project().files)
    missing = [
        str(one)
        for name in packed & ours  # presets are no modules
        for one in project().imports(name)
        if anywhere(one) and one.name in ours - packed
    ]
    assert missing == []


def test_a_command_that_was_left_out_says_so(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    for command in ("train", "synthesise", "bench"):
        done = subprocess.run(
            [sys.executable, tmp_path / "backend" / "__main__.py", command],
            capture_output=True, text=True, timeout=60, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr == (
            f"'{command}' is not part of the extension; run it in a copy of the whole project.\n"
        )


def registered() -> set[str]:
    """Names of all registered classes of add-ons, of properties on any data, and of operators."""
    names = {f"ops.{name}" for name in dir(bpy.ops)}
    for kind in [getattr(bpy.types, name) for name in dir(bpy.types)]:
        if isinstance(kind, type) and issubclass(kind, bpy.types.ID):
            names |= {f"{kind.__name__}.{key}" for key, _ in kind.bl_rna.properties.items()}
    bases = [bpy.types.bpy_struct]
    while bases:
        for kind in bases.pop().__subclasses__():
            bases.append(kind)
            if kind.__dict__.get("bl_rna") is not None and getattr(kind, "is_registered", False):
                names.add(kind.__name__)
    return names


def test_unregistering_leaves_nothing_behind() -> None:
    before = registered()
    handlers = {name: len(getattr(bpy.app.handlers, name)) for name in _handlers()}
    for _ in range(2):
        reconstruct_face.register()
        assert registered() - before >= {
            "RECONSTRUCT_FACE_PT_reconstruct", "RECONSTRUCT_FACE_OT_setup_backend",
            "RECONSTRUCT_FACE_preferences", "Scene.reconstruct_face",
        }  # fmt: skip
        reconstruct_face.unregister()
        assert registered() - before == set()
    assert {name: len(getattr(bpy.app.handlers, name)) for name in _handlers()} == handlers


def _handlers() -> list[str]:
    return [
        name for name in dir(bpy.app.handlers) if isinstance(getattr(bpy.app.handlers, name), list)
    ]


IMPORTED = """
import sys
import bpy, bpy_extras.io_utils
before = set(sys.modules)
import reconstruct_face
reconstruct_face.register()
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_registering_imports_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "reconstruct_face" in imported
    assert imported - sys.stdlib_module_names <= {"reconstruct_face", "bpy_extras", "bl_ui"}


LOADED = """
import sys
import bpy, reconstruct_face
reconstruct_face.register()
print(*(name for name in sys.modules if name.startswith("reconstruct_face.")))
"""
#: What enabling may load beside operators and panels; a module costs about a millisecond.
AT_ONCE = {
    "backend": {"bounded", "errors", "exchange", "files", "lifeline"},
    "backend.exchange": {"formats", "options", "targets"},
    "scene": {"command", "context", "installation"},
    "scene.installation": {"blender", "choices", "environment", "requirements"},
}


def test_enabling_loads_what_is_drawn_and_no_more() -> None:
    """What builds, renders, exports and installs is loaded when it is asked for."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    names = [name.removeprefix("reconstruct_face.") for name in done.stdout.split()]
    assert "operators.reconstruct" in names and "panels.sidebar" in names
    for name in names:
        package, _, module = name.rpartition(".")
        if not name.startswith(("operators", "panels")) and package:
            assert module in AT_ONCE[package], name


INSTALL = """
import sys
import bpy
import addon_utils
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
name = "bl_ext.user_default.reconstruct_face"
assert name in bpy.context.preferences.addons, list(bpy.context.preferences.addons.keys())
assert hasattr(bpy.types, "RECONSTRUCT_FACE_PT_reconstruct")
import importlib
api = importlib.import_module(name + ".scene.api")
assert callable(api.reconstruct)
try:
    bpy.ops.reconstruct_face.reconstruct(filepath="/no such photo.jpg")
except RuntimeError as error:
    print("REPORT", error)
addon_utils.disable(name)
assert not hasattr(bpy.types, "RECONSTRUCT_FACE_PT_reconstruct")
assert not hasattr(bpy.types.Scene, "reconstruct_face")
print("INSTALLED")
"""


PREFERENCES = """
import importlib
import sys
import bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.extensions.package_install_files(
    filepath=sys.argv[1], repo="user_default", enable_on_install=True
)
name = "bl_ext.user_default.reconstruct_face"
preferences = bpy.context.preferences.addons[name].preferences
status = importlib.import_module(name + ".scene.installation.status")
locate = importlib.import_module(name + ".scene.installation.locate")
blender = importlib.import_module(name + ".scene.installation.blender")
user = bpy.utils.extension_path_user(name)
assert str(blender.backend_folder()).startswith(user), user
locate._NEEDED = ("a_module_nobody_has",)
blender.read_preferences()
assert status.installation_status().code == "offline", status.installation_status()
preferences.python = "/no/such/python"
assert status.installation_status().code == "python_missing", status.installation_status()
assert bpy.ops.reconstruct_face.open_preferences.poll()
preferences.python, preferences.device, preferences.idle_minutes = sys.prefix, "cpu", 3
found = status.installation_status()
assert (found.code, found.source) == ("checking", "preferences"), found
assert locate.find_python() == found.python
assert locate.worker_environment()["RECONSTRUCT_FACE_DEVICE"] == "cpu"
assert locate.worker_environment()["RECONSTRUCT_FACE_IDLE_MINUTES"] == "3"
assert bpy.ops.reconstruct_face.check_backend() == {"FINISHED"}
found = status.installation_status()
assert (found.code, found.device) == ("ready", "CPU"), found
print("PREFERENCES ARE READ")
"""


@pytest.mark.slow
def test_the_preferences_of_the_installed_extension(package: Path, tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "BLENDER_USER_RESOURCES": str(tmp_path / "blender"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PREFERENCES, package],
        capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert "PREFERENCES ARE READ" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_it_installs_from_the_package_and_finds_its_backend(package: Path, tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "BLENDER_USER_RESOURCES": str(tmp_path / "blender"),
        "RECONSTRUCT_FACE_PYTHON": sys.executable,
    }
    done = subprocess.run(
        [sys.executable, "-c", INSTALL, package],
        capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert "INSTALLED" in done.stdout, done.stdout + done.stderr
    report = done.stdout.split("REPORT", 1)[1].splitlines()[0]
    assert "/no such photo.jpg" in report, "the backend was asked and gave its sentence"


@pytest.mark.parametrize(
    ("app", "ends"),
    [(SimpleNamespace(), False), (SimpleNamespace(module=False), False),
     (SimpleNamespace(module=True), True)],
    ids=["Blender 4.2 to 4.4", "later ones", "the module"],
)  # fmt: skip
def test_only_the_module_is_unregistered_as_python_ends(
    app: SimpleNamespace, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (operators, panels):
        monkeypatch.setattr(module, "register", lambda: None)
    monkeypatch.setattr(commands, "add_command", lambda: None)
    monkeypatch.setitem(sys.modules, "bpy", SimpleNamespace(app=app))
    registered: list[object] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    reconstruct_face.register()
    assert bool(registered) is ends
