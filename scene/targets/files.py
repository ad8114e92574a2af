"""Files of a head for a target: the door of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...backend.errors import OutputError
from ...backend.exchange.formats import FORMATS
from ...backend.exchange.targets import Target, changed, target_named
from ..build import HeadScene
from ..export import (
    staged,
    write_displacement,
    write_fbx,
    write_glb,
    write_obj,
    write_usd,
    write_vrm,
)
from ..formats import meshopt
from ..formats.glb import Glb
from ..formats.vrm import Licence
from ..quiet import quiet
from .kept import keep_target
from .pictures import shrink_glb
from .stand_in import StandIn, stand_in

#: Of Unreal's importer: centimetres; of the others metres, which are 100 of FBX' own.
_CENTIMETRES, _METRES = 1.0, 100.0


def export_for(
    head_scene: HeadScene,
    folder: str | Path,
    name: str,
    target: str,
    **changes: Any,
) -> dict[str, Path]:
    """Write the head as ``folder``/``name``.* for the ``target`` (a name in ``TARGETS``) with
    ``changes`` (fields in ``CHANGEABLE``, ``author``); the main file by format.

    Levels of detail below the first are in the same file where it is an .fbx ("..._LOD1"), and
    beside it as ``name``_LOD1.* where a format has none that readers know.  What was chosen is kept
    with the head (``kept.py``).  Neither the head nor the scene is changed otherwise.

    Raises :class:`OptionError` for a target or change that there is not, :class:`OutputError` with
    one sentence when a file cannot be written.
    """
    folder = Path(folder)
    chosen = changed(target_named(target), changes)
    written = {}
    with quiet(), stand_in(head_scene, chosen) as made:
        # FBX and OBJ last: what they are written from is turned for them.
        for key in sorted(chosen.formats, key=lambda key: key in _TURNED):
            if key in _TURNED and not written.keys() & _TURNED:
                made.turn_y_up(100.0 if chosen.centimetres else 1.0)
            path = folder / f"{name}{FORMATS[key].suffix}"
            with staged(folder) as beside:
                try:
                    _WRITERS[key](made, head_scene, chosen, beside / path.name)
                    write_displacement(head_scene.head, beside, name)
                except RuntimeError as error:  # what operators raise for their error reports
                    reason = str(error).strip().removeprefix("Error: ").splitlines()[0]
                    raise OutputError(f"Cannot write {path}: {reason.rstrip('.')}.") from error
                if not (beside / path.name).exists():
                    raise OutputError(f"Blender could not write {path}; is the disk full?")
            written[key] = path
    if head_scene.head.library is None:
        keep_target(head_scene.head, target, changes)
    return {key: written[key] for key in chosen.formats}


def _fbx(made: StandIn, scene: HeadScene, target: Target, path: Path) -> None:
    """All levels in one file, called "..._LOD0" and so on.

    Unity makes its LOD Group of such names (its manual, "Importing LOD Meshes"); Unreal's importer
    wants them below a node of FBX' own class LodGroup (``FFbxImporter``), which Unity takes too.
    """
    unit = _CENTIMETRES if target.centimetres else _METRES
    with made.levels_grouped() as (group, others):
        write_fbx(
            made.scene(scene), path, others=others, centimetres=unit,
            levels="" if group is None else group.name,
        )  # fmt: skip


def _obj(made: StandIn, scene: HeadScene, target: Target, path: Path) -> None:
    write_obj(made.scene(scene), path, others=made.others, y_up=True)
    for level, head in enumerate(made.levels, 1):
        write_obj(made.scene(scene, head), _of_level(path, level), y_up=True)


def _glb(made: StandIn, scene: HeadScene, target: Target, path: Path) -> None:
    """A file for each level: glTF's own MSFT_lod is known to neither Godot nor three.js."""
    for level, head in enumerate((made.head, *made.levels)):
        out = _of_level(path, level)
        compact = target.compression != "none"
        write_glb(
            made.scene(scene, head), out, compact=compact, others=made.beside(level),
            widely=not compact,
        )  # fmt: skip
        glb = Glb.read(out)
        _shrink(glb, target)
        if target.compression == "meshopt":
            meshopt.compress(glb)
        glb.write(out)


def _vrm(made: StandIn, scene: HeadScene, target: Target, path: Path) -> None:
    for level, head in enumerate((made.head, *made.levels)):
        write_vrm(
            made.scene(scene, head),
            _of_level(path, level),
            others=made.beside(level),
            prepare=lambda glb: _shrink(glb, target),
            licence=Licence.named(target.licence, target.author),
        )


def _usd(made: StandIn, scene: HeadScene, target: Target, path: Path) -> None:
    for level, head in enumerate((made.head, *made.levels)):
        write_usd(made.scene(scene, head), _of_level(path, level), others=made.beside(level))


def _shrink(glb: Glb, target: Target) -> None:
    if target.texture:
        shrink_glb(glb, target.texture)


def _of_level(path: Path, level: int) -> Path:
    return path if level == 0 else path.with_name(f"{path.stem}_LOD{level}{path.suffix}")


#: Formats whose writers are given numbers that are y up.
_TURNED = frozenset({"fbx", "obj"})
_WRITERS: dict[str, Callable[[StandIn, HeadScene, Target, Path], None]] = {
    "fbx": _fbx,
    "obj": _obj,
    "glb": _glb,
    "vrm": _vrm,
    "usd": _usd,
}
