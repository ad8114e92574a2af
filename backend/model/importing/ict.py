"""ICT-FaceKit's folder ``FaceXModel`` (Li et al. 2020, MIT licence): one OBJ file per shape.

Centimetres, x to the head's left, y up, z forward.  ``generic_neutral_mesh.obj``,
``identity000.obj`` on (a mode each, per standard deviation) and expressions with ARKit's names but
for ``_L`` and ``_R``.  Materials name the parts of the mesh; each part has a tile of the texture's
plane, or shares one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import LARGEST_ARRAY
from ...bounded import checked, read_json, reading
from ...errors import ModelError
from ...files import reason
from . import checks
from .obj import Obj, read_obj, read_points
from .piece import ICT, Piece
from .raw import RawModel

MM = 10.0  #: in a centimetre
NEUTRAL = "generic_neutral_mesh"
INDICES = "vertex_indices.json"
VERTICES = 26719  #: of the published topology, for which the tables below hold
#: ICT splits these two of ARKit's in halves; they are put together again.
MERGED = ("browInnerUp", "cheekPuff")
#: Its documentation's Multi-PIE landmarks: iBUG's 68.
LANDMARKS68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088,
    3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140,
    2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216,
    6207, 6470, 5517, 5966,
)  # fmt: skip
LICENCE = (
    "ICT-FaceKit, USC Institute for Creative Technologies: MIT licence; keep its copyright notice "
    "with copies of the model."
)


def recognise(folder: Path) -> Piece:
    """The folder as a piece.  Raises :class:`ModelError` where it is no FaceXModel."""
    try:
        files = {
            path.stem: path
            for path in folder.iterdir()
            if path.suffix.lower() == ".obj" and not path.name.startswith(".")
        }
    except OSError as error:
        raise ModelError(f"Cannot read {folder}: {reason(error)}.") from error
    if NEUTRAL not in files:
        nested = next((p for p in folder.glob(f"*/{NEUTRAL}.obj") if os.path.isfile(p)), None)
        if nested is not None:
            return recognise(nested.parent)
        raise ModelError(
            f"The folder {folder.name} has no {NEUTRAL}.obj, so it is not ICT-FaceKit's "
            "FaceXModel; give the files of other face models one by one."
        )
    return Piece(folder, ICT, files)


def read_ict(main: Piece) -> RawModel:
    """All shapes that the folder has."""
    files, where = dict(main.fields), main.name
    neutral = read_obj(files.pop(NEUTRAL))
    mean = neutral.points * MM
    if len(mean) * len(files) * 12 > LARGEST_ARRAY:
        raise ModelError(f"The folder {where} has {len(files)} shapes, more than can be held.")
    checks.check_size(mean, f"{NEUTRAL}.obj")
    identities = sorted(name for name in files if re.fullmatch(r"identity\d+", name))
    if not identities or identities != [f"identity{k:03d}" for k in range(len(identities))]:
        raise ModelError(
            f"The folder {where} has {len(identities)} of the files identity000.obj, "
            "identity001.obj ...; copy all of FaceXModel."
        )
    names = sorted(set(files) - set(identities))
    missing = sorted(set(_listed(main.path)) - set(names))
    if not names:
        raise ModelError(f"The folder {where} has no expressions; copy all of FaceXModel.")

    def moved(name: str) -> np.ndarray:
        points = read_points(files[name])
        if len(points) != len(mean):
            raise ModelError(
                f"{name}.obj has {len(points)} vertices and {NEUTRAL}.obj {len(mean)}; they do not "
                "belong together."
            )
        return ((points - neutral.points) * MM).astype(np.float32)

    identity = np.stack([moved(name) for name in identities])
    shapes = _named({name: moved(name) for name in names})
    landmarks = None
    if len(mean) == VERTICES:
        landmarks = np.array(LANDMARKS68, np.int32)
        checks.check_axes(mean, landmarks, where)
    return RawModel(
        kind="ICT-FaceKit face model",
        name="ict",
        mean=mean,
        triangles=checks.outward(neutral.triangles, mean),
        identity_basis=identity,
        identity_scale=np.ones(len(identity)),
        expression_basis=np.stack(list(shapes.values())),
        expression_scale=np.ones(len(shapes)),
        expression_names=tuple(shapes),
        expression_range=checks.expression_range(len(shapes), 0, 1),
        landmarks68=landmarks,
        **_texture_coordinates(neutral, mean),
        part_names=neutral.materials,
        part_of_triangle=neutral.material_of_triangle,
        licence=LICENCE,
        notes=_notes(len(mean), set(names), missing),
    )


def _listed(folder: Path) -> list[str]:
    """The expressions that ``vertex_indices.json`` lists; none where it is not there."""
    path = folder / INDICES
    if not os.path.lexists(path):
        return []
    with reading(ModelError, path, "a list of expressions"):
        document = read_json(path)
        checked(document, {}, {"expressions": [str]})
        return document.get("expressions", [])


def _named(shapes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By ARKit's names, the halves of :data:`MERGED` put together."""
    out: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        stem = re.sub(r"_[LR]$", "", name)
        side = {"_L": "Left", "_R": "Right"}.get(name[len(stem) :], "")
        new = stem if stem in MERGED else stem + side
        out[new] = out[new] + shape if new in out else shape
    return out


def _texture_coordinates(neutral: Obj, mean: np.ndarray) -> dict[str, Any]:
    if neutral.uv is None or neutral.uv_triangles is None:
        return {}
    turned = checks.outward(neutral.triangles, mean)
    same = np.array_equal(turned, neutral.triangles)
    corners = neutral.uv_triangles if same else neutral.uv_triangles[:, ::-1]
    return {"uv": neutral.uv, "uv_triangles": np.ascontiguousarray(corners)}


def _notes(count: int, names: set[str], missing: list[str]) -> tuple[str, ...]:
    notes = []
    if missing:
        more = f" and {len(missing) - 1} more files" if missing[1:] else ""
        notes.append(
            f"The folder lacks {missing[0]}.obj{more} that {INDICES} lists; copy all of FaceXModel "
            "to have its own shapes in place of transferred ones."
        )
    if any(f"{name}_L" in names for name in MERGED):
        notes.append("The halves of browInnerUp and cheekPuff are one shape each, as ARKit has it.")
    if count != VERTICES:
        notes.append(
            f"It has {count} vertices, not the published {VERTICES}; its landmarks are found by "
            "registration."
        )
    return tuple(notes)
