"""What may import what, followed through all modules by their text (``imports.py``)."""

from __future__ import annotations

import sys
import tomllib

import pytest

from tests.imports import (
    PACKAGE,
    ROOT,
    Project,
    anywhere,
    at_module_level,
    module_name,
    project,
    told,
    within,
)

#: What Blender's own Python has beside the standard library.
IN_BLENDER = (
    "bpy", "bpy_extras", "bl_ext", "bl_operators", "bl_ui", "bmesh", "gpu", "gpu_extras",
    "mathutils", "numpy", "aud",
)  # fmt: skip
#: Circles by way of functions' imports that have to be: (importer, imported) with the reason.
CIRCLES: dict[tuple[str, str], str] = {}


def ours(*names: str) -> tuple[str, ...]:
    """Full names of the package's modules."""
    return tuple(f"{PACKAGE}.{name}" for name in names)


BLENDER_SIDE = (*ours("operators", "panels", "scene"), "examples")
#: What the Blender side may name of the backend; what these import in turn is followed.
SHARED = ours(
    "backend.exchange",
    "backend.at_once",
    "backend.errors",
    "backend.geometry",
    "backend.live",
    "backend.motion",
    "backend.bounded",
    "backend.files",
    "backend.folders",
    "backend.arrays",
    "backend.lifeline",
    "backend.narrow",
    "backend.heap",
)
#: The rooms of ``docs/architecture.md``: a module may import those of its own row and of the rows
#: below.  What is in a function counts too.
#: What is made of torch.
TORCH = ours(
    "backend.differentiable",
    "backend.network.resnet",
    "backend.training",
    "backend.verify.pytorch3d_renderer",
)
FLOORS = (
    ours("operators", "panels"),
    ours("scene"),
    ours("backend.cli", "backend.worker", "backend.bench", "backend.cluster"),
    ours("backend.training"),
    ours("backend.person"),
    ours("backend.animate"),
    ours("backend.pipeline", "backend.assembly"),
    ours("backend.own_mesh"),
    ours("backend.fit", "backend.original"),
    ours("backend.differentiable"),
    ours("backend.network"),
    ours("backend.hair"),
    ours("backend.texture"),
    ours("backend.verify", "backend.preview"),
    ours("backend.live", "backend.ear"),
    ours("backend.motion"),
    ours("backend.model"),
    ours("backend.raster"),
    ours("backend.photo", "backend.detect", "backend.align"),
    ours("backend.blender", "backend.estimator"),
    ours("backend.exchange"),
    ours("backend.geometry"),
)
#: Small modules that any room may use; they use each other only.
GROUND = ours(
    "backend.arrays",
    "backend.bounded",
    "backend.at_once",
    "backend.clock",
    "backend.errors",
    "backend.files",
    "backend.folders",
    "backend.isolated",
    "backend.isolated_child",
    "backend.lifeline",
    "backend.narrow",
    "backend.terminal",
    "backend.heap",
    "backend.kept",
)
#: For those who make the shipped network.
MAKERS = ours(
    "backend.training",
    "backend.cli.train",
    "backend.cli.train_regions",
    "backend.cli.synthesise",
)


@pytest.fixture(scope="module")
def modules() -> Project:
    return project()


def test_the_walk_sees_the_project(modules: Project) -> None:
    """What is known to be imported is found, so that the other tests look at something."""
    scene = modules.reached(*ours("scene.worker"))
    assert {"bpy", "numpy", *ours("scene.build", "scene", "backend.exchange.npz")} <= set(scene)
    backend = modules.reached(*ours("backend.pipeline"))
    assert {"torch", "dlib", "cv2", *ours("backend.network.predict")} <= set(backend)
    assert len(modules.within(*BLENDER_SIDE)) > 70 and len(modules.within(*ours("backend"))) > 200


def test_no_modules_import_each_other_in_a_circle(modules: Project) -> None:
    assert modules.circle(at_module_level) == []


def test_nor_by_way_of_functions(modules: Project) -> None:
    assert modules.circle(anywhere, CIRCLES) == []
    for pair in CIRCLES:
        others = [other for other in CIRCLES if other != pair]
        assert modules.circle(anywhere, others), f"{pair} makes no circle any more"


def floor(name: str) -> int:
    """0 for the top; the ground is below all floors."""
    for number, rooms in enumerate(FLOORS):
        if within(name, *rooms):
            return number
    assert within(name, *GROUND), f"{name} is in no room of docs/architecture.md"
    return len(FLOORS)


def test_no_room_imports_one_that_stands_higher(modules: Project) -> None:
    entries = (PACKAGE, *ours("backend", "backend.__main__", "scene.__main__"))
    names = [
        name for name in modules.within(*ours("backend"), *BLENDER_SIDE) if name not in entries
    ]
    names = [name for name in names if not within(name, "examples")]
    assert len(names) > 250
    wrong = [
        str(one)
        for name in names
        for one in modules.imports(name)
        if anywhere(one) and within(one.name, PACKAGE) and one.name not in entries
        if floor(one.name) < floor(name)
    ]
    assert wrong == []


def test_every_room_is_on_the_architecture_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [room for rooms in (*FLOORS, GROUND) for room in rooms]
    lacking = [room for room in rooms if f"{room.rpartition('.')[2]}" not in page]
    assert lacking == []


def test_the_blender_side_reaches_only_what_blender_has(modules: Project) -> None:
    wrong = {}
    for name in [PACKAGE, *modules.within(*BLENDER_SIDE)]:
        for other, chain in modules.reached(name).items():
            top = other.partition(".")[0]
            known = top in sys.stdlib_module_names or within(other, *IN_BLENDER)
            if not known and other not in modules.files:
                wrong[other] = told(chain)
    assert wrong == {}


def test_the_blender_side_names_only_what_is_shared(modules: Project) -> None:
    wrong = [
        str(one)
        for name in [PACKAGE, *modules.within(*BLENDER_SIDE)]
        for one in modules.imports(name)
        if anywhere(one) and within(one.name, *ours("backend")) and not within(one.name, *SHARED)
    ]
    assert wrong == []


def test_the_backend_reaches_nothing_of_blender(modules: Project) -> None:
    forbidden = (*IN_BLENDER[: IN_BLENDER.index("numpy")], "addon_utils", *BLENDER_SIDE)
    wrong = {}
    for name in modules.within(*ours("backend")):
        for other, chain in modules.reached(name).items():
            if within(other, *forbidden):
                wrong[name] = told(chain)
    assert wrong == {}


def test_only_the_makers_commands_reach_training(modules: Project) -> None:
    wrong = {}
    for name in modules.within(*ours("backend")):
        if not within(name, *MAKERS):
            for other, chain in modules.reached(name).items():
                if within(other, *MAKERS):
                    wrong[name] = told(chain)
    assert wrong == {}


def test_what_runs_does_so_without_torch(modules: Project) -> None:
    """Training, PyTorch3D and tensors as such need it; who else may import it asks first."""
    wrong = {}
    for name in modules.within(PACKAGE):
        if not within(name, *TORCH, *MAKERS):
            for other, chain in modules.reached(name, lambda one: one.kind == "module").items():
                if within(other, "torch", *TORCH):
                    wrong[name] = told(chain)
    assert wrong == {}
    askers = {
        name
        for name in modules.within(PACKAGE)
        if any(within(one.name, "torch") for one in modules.imports(name))
        and not within(name, *TORCH)
    }
    assert askers == set(
        ours(
            "backend.isolated_child",
            "backend.network.device",
            "backend.network.runners",
            "backend.original.convert",
            "backend.verify.pytorch3d_worker",
            "scene.installation.probe",
        )
    )


def test_the_package_does_not_need_its_tests_or_tools(modules: Project) -> None:
    wrong = [
        str(one)
        for name in [PACKAGE, *modules.within(*ours("backend"), *BLENDER_SIDE)]
        for one in modules.imports(name)
        if anywhere(one) and within(one.name, "tests", "tools")
    ]
    assert wrong == []


def test_what_the_extensions_zip_leaves_out_is_not_missed(modules: Project) -> None:
    """``test_extension.py`` looks into the zip; this is what it will lack of the package."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    patterns = manifest["build"]["paths_exclude_pattern"]
    paths = [ROOT / pattern[1:] for pattern in patterns if pattern.startswith("/backend/")]
    assert [path for path in paths if not path.exists()] == []
    left_out = [module_name(path) for path in paths]
    assert set(MAKERS) <= set(left_out)
    wrong = [
        str(one)
        for name in [PACKAGE, *modules.within(*ours("backend"), *BLENDER_SIDE)]
        for one in modules.imports(name)
        if anywhere(one) and within(one.name, *left_out) and not within(name, *left_out)
    ]
    assert wrong == []
