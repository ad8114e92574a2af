"""Where dlib's 300-W predictor sees the 68 points on this model: the source of
``landmarks.RIGHT_AND_MIDDLE``.

Run with ``python -m tools.build_face_model.landmark_study``. Random heads are rendered from near
the front, detected and marked by dlib; each point is carried back through the picture to the
surface and from there to the mean head. Printed: the median over all heads and their mirror images,
its distance to the table, and the spread.

dlib's landmark file was trained on iBUG 300-W, whose terms exclude commercial use; only these 68
positions come from it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import dlib
import numpy as np

from .landmarks import MIRROR, landmark_positions
from .pictures import ROOT, Asset
from .render import View, cast, render, split_quads

HEADS = 36
SEED = 5


def predictor_path() -> Path:
    """dlib's landmark file inside ``face_recognition_models``, found without importing that
    package."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("face_recognition_models is not installed")
    return (
        Path(spec.submodule_search_locations[0])
        / "models"
        / "shape_predictor_68_face_landmarks.dat"
    )


def carry_back(
    pixels: np.ndarray, view: View, head: np.ndarray, mean: np.ndarray, skin: np.ndarray
) -> np.ndarray:
    """Pixels (68, 2) on a rendering of ``head`` (V, 3) to points (68, 3) of the mean head.

    A pixel beside the head goes to the vertex nearest to its ray.
    """
    plane = ((pixels + 0.5) / view.size * 2 - 1) * [1, -1] * view.half_height
    seen = view.to_view(head)
    origins = np.tile([0.0, 0.0, view.distance], (len(pixels), 1))
    rays = np.column_stack([plane, np.zeros(len(pixels))]) - origins
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    triangle, weights = cast(seen, skin, origins, rays)
    points = np.einsum("nk,nkd->nd", weights, mean[skin[triangle]])
    vertices = np.unique(skin)
    for number in np.flatnonzero(triangle < 0):
        arm = seen[vertices] - origins[number]
        beside = np.linalg.norm(arm - (arm @ rays[number])[:, None] * rays[number], axis=1)
        points[number] = mean[vertices[np.argmin(beside)]]
    return points


def main() -> None:
    """Prints the table."""
    asset = Asset(ROOT / "assets" / "face_model.npz")
    predictor, detector = (
        dlib.shape_predictor(str(predictor_path())),
        dlib.get_frontal_face_detector(),
    )
    skin = split_quads(asset.arrays["polygons"][asset.arrays["polygon_material"] == 0])
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(HEADS):
        mesh = asset.random_head(rng)
        yaw, pitch = rng.normal(0, 3, 2)
        view = View(yaw=yaw, pitch=pitch, target=(0, 0, 60), half_height=150, size=600)
        picture = render(mesh, view)
        faces = detector(picture, 1)
        if faces:
            parts = predictor(picture, faces[0]).parts()
            pixels = np.array([(part.x, part.y) for part in parts], float)
            found.append(carry_back(pixels, view, mesh.vertices, asset.mean, skin))
    both = np.array(found)
    both = np.concatenate([both, both[:, MIRROR] * [-1, 1, 1]])
    median = np.median(both, axis=0)
    surface = asset.landmarks()
    print(
        f"{len(found)} of {HEADS} heads detected; "
        "point, median, distance to the table, median deviation"
    )
    for index in range(68):
        deviation = np.median(np.linalg.norm(both[:, index] - median[index], axis=1))
        off = np.linalg.norm(median[index] - surface[index])
        print(f"{index:2d} {np.round(median[index], 1)} {off:.1f} {deviation:.1f}")
    off = np.linalg.norm(median - landmark_positions(), axis=1)
    print(f"mean distance to the table {off.mean():.2f} mm")


if __name__ == "__main__":
    main()
