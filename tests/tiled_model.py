"""A small folder of OBJ files with the traits of ICT-FaceKit's real one, from the default head.

The texture's plane has a tile for the face and one for the back of the head; each eyeball fills the
whole of the face's tile, over it; the teeth have a far tile; lashes are strips before the eyes; an
eyeball lies within the right one.  Names are the real ones, with those that no other project has.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.geometry.rotation import about
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.face_model import fit_sphere

SCALE, SHIFT = 0.97, np.array([3.0, 40.0, -15.0])
TURN = about(np.deg2rad(6.0), 0)
#: Shapes of the default head and what their files are called.
SHAPES = {
    "eyeBlinkLeft": "eyeBlink_L",
    "eyeBlinkRight": "eyeBlink_R",
    "jawOpen": "jawOpen",
    "mouthSmileLeft": "mouthSmile_L",
    "mouthSmileRight": "mouthSmile_R",
}
PUPILS = "PupilDilate_L"
IDENTITIES = 2


def moved(points: NDArray) -> NDArray[np.float64]:
    """(..., 3) mm of the default head in the folder's axes."""
    return SCALE * np.asarray(points, np.float64) @ TURN.T + SHIFT


def write_tiled(folder: Path) -> Path:
    """The folder, which it returns."""
    folder.mkdir(parents=True, exist_ok=True)
    model = load_model()
    mesh = _Mesh(model)
    rest = mesh.vertices(model.mean)

    def write(name: str, head: NDArray, inner: float = 0.0) -> None:
        points = mesh.vertices(head, inner) / 10
        lines = [f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in points.tolist()]
        (folder / f"{name}.obj").write_text("\n".join([*lines, mesh.rest]) + "\n")

    assert np.isfinite(rest).all()
    write("generic_neutral_mesh", model.mean)
    for k in range(IDENTITIES):
        write(f"identity{k:03d}", model.mean + model.identity_basis[k])
    names = model.expression_names
    for ours, theirs in SHAPES.items():
        write(theirs, model.mean + model.expression_basis[names.index(ours)])
    write(PUPILS, model.mean, 0.5)
    (folder / "vertex_indices.json").write_text(
        json.dumps({"expressions": [*SHAPES.values(), "noseSneer_L"]})
    )
    return folder


class _Mesh:
    """What all files share: ``rest`` is all but their vertices."""

    def __init__(self, model: FaceModel) -> None:
        kinds = np.array(model.material_kinds)[model.polygon_material[model.polygon_of_face]]
        kinds[kinds == "iris"] = "eye"
        self.eyes = model.eye_centers.astype(np.float64)
        self.radius = model.eye_radius
        self.balls = list(zip(model.globes, model.of_kind("iris"), strict=True))
        middle = model.mean[model.faces].mean(axis=1)
        lines, coordinates = [], []

        def part(name: str, faces: NDArray, uv: NDArray, corners: NDArray) -> None:
            first = sum(map(len, coordinates))
            coordinates.append(uv)
            lines.append(f"usemtl {name}")
            for vertices, places in zip(faces + 1, corners + first + 1, strict=True):
                lines.append(
                    "f " + " ".join(f"{a}/{b}" for a, b in zip(vertices, places, strict=True))
                )

        back = middle[:, 2] < -20
        own, used = model.uv.astype(np.float64), model.uv_faces
        for name, chosen, tile in (
            ("M_Face", (kinds == "skin") & ~back, 0.0),
            ("M_BackHead", (kinds == "skin") & back, 1.0),
            ("M_Teeth", kinds == "teeth", 3.0),
        ):
            part(name, model.faces[chosen], own + [tile, 0], used[chosen])
        for name, side in (("M_ScleraRight", -1), ("M_ScleraLeft", 1)):
            chosen = (kinds == "eye") & (middle[:, 0] * side > 0)
            ids, local = np.unique(used[chosen], return_inverse=True)
            flat = own[ids] - own[ids].min(axis=0)
            part(name, model.faces[chosen], flat / flat.max(axis=0), local.reshape(-1, 3))
        count = len(model.mean)
        strip = np.array([[k, k + 1, k + 11, k + 11, k + 10, k] for k in range(9)]).reshape(-1, 3)
        grid = np.stack(np.meshgrid(np.linspace(0, 1, 10), [0.0, 1.0]), -1).reshape(-1, 2)
        for k, name in enumerate(("M_EyeLashes", "M_EyeLashes")):
            part(name, strip + count + 20 * k, 0.9 * grid + [6, 0], strip)
        # The inner eyeball repeats the right one.
        eye = (kinds == "eye") & (middle[:, 0] < 0)
        self.inner, local = np.unique(model.faces[eye], return_inverse=True)
        ids, places = np.unique(used[eye], return_inverse=True)
        part("M_IrisRight", local.reshape(-1, 3) + count + 40, own[ids], places.reshape(-1, 3))
        uv = np.concatenate(coordinates)
        self.rest = "\n".join([*(f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()), *lines])

    def vertices(self, head: NDArray, inner: float = 0.0) -> NDArray[np.float64]:
        """(V, 3) mm in the folder's axes; ``inner`` mm are the inner eyeball's pupil."""
        head = np.array(head, np.float64)
        for globe, iris in self.balls:  # the eyeballs are whole spheres, the irises painted
            centre, radius = fit_sphere(head[globe])
            away = head[iris] - centre
            head[iris] = centre + radius * away / np.linalg.norm(away, axis=1, keepdims=True)
        lashes = []
        for centre in self.eyes:
            along = np.deg2rad(np.linspace(-40, 40, 10))
            for out, up in ((1.15, 12.0), (1.5, 25.0)):
                rise = np.deg2rad(up)
                ray = np.stack(
                    [
                        np.sin(along) * np.cos(rise),
                        np.full(10, np.sin(rise)),
                        np.cos(along) * np.cos(rise),
                    ],
                    axis=1,
                )
                lashes.append(centre + out * self.radius * ray)
        ball = self.eyes[0] + 0.9 * (head[self.inner] - self.eyes[0])
        ball[ball[:, 2].argmax()] += [inner, 0, 0]
        return moved(np.concatenate([head, *lashes, ball]))
