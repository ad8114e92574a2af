"""The pictures of ``docs/face_model.md``, drawn from the finished asset.

Run with ``python -m tools.build_face_model.pictures``.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from reconstruct_face.backend.exchange.reconstruction import opaque

from .render import Mesh, View, render

ROOT = Path(__file__).resolve().parents[2]
HEADS = 12
SEED = 11
LANDMARK_GROUPS = (
    (0, 16),
    (17, 21),
    (22, 26),
    (27, 30),
    (31, 35),
    (36, 41),
    (42, 47),
    (48, 59),
    (60, 67),
)
CLOSED_GROUPS = {36, 42, 48, 60}


class Asset:
    """The model file, with its bases as float32."""

    def __init__(self, path: Path) -> None:
        self.arrays = np.load(path, allow_pickle=False)
        self.header = json.loads(self.arrays["header"].tobytes().decode("utf-8"))
        self.mean = self.arrays["mean"].astype(float)
        self.identity = self.arrays["identity_basis"].astype(np.float32)
        self.expression = self.arrays["expression_basis"].astype(np.float32)
        self.albedo_mean = self.arrays["albedo_mean"].astype(np.float32)
        scale = self.arrays["albedo_scale"][:, None, None, None] / 127
        self.albedo_basis = self.arrays["albedo_basis"].astype(np.float32) * scale

    def mesh(self, vertices: np.ndarray, albedo: np.ndarray | None = None) -> Mesh:
        """A mesh to render, by default with the mean albedo."""
        a = self.arrays
        texture = self.albedo_mean if albedo is None else albedo
        shown = opaque(a["polygon_material"], self.header["materials"])
        corners, places = a["polygons"][shown], a["uv_polygons"][shown]
        return Mesh(vertices, corners, a["uv"].astype(float), places, texture)

    def random_head(self, rng: np.random.Generator) -> Mesh:
        """A head with N(0, 1) coefficients for identity and albedo."""
        shape = rng.normal(size=len(self.identity))
        colour = rng.normal(size=len(self.albedo_basis)).astype(np.float32)
        albedo = np.clip(self.albedo_mean + np.tensordot(colour, self.albedo_basis, 1), 0.005, 1)
        return self.mesh(self.mean + np.tensordot(shape, self.identity, 1), albedo)

    def landmarks(self) -> np.ndarray:
        """(68, 3) mm on the mean head."""
        a = self.arrays
        return np.einsum(
            "nk,nkd->nd", a["landmarks68_barycentric"], self.mean[a["landmarks68_triangles"]]
        )


def tile(pictures: list[np.ndarray], columns: int) -> np.ndarray:
    """Joins equally large pictures row by row, filling up with black."""
    pictures = pictures + [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    rows = [
        np.hstack(pictures[start : start + columns]) for start in range(0, len(pictures), columns)
    ]
    return np.vstack(rows)


def random_heads(asset: Asset) -> np.ndarray:
    """Random heads, each from the front and at three quarters."""
    rng = np.random.default_rng(SEED)
    pictures = []
    for _ in range(HEADS):
        mesh = asset.random_head(rng)
        for yaw in (0.0, -40.0):
            pictures.append(
                render(
                    mesh, View(yaw=yaw, target=(0, 8, 50), half_height=138, size=256), supersample=2
                )
            )
    return tile(pictures, 6)


def expressions(asset: Asset) -> np.ndarray:
    """All expression shapes at weight 1 (``mouthClose`` with ``jawOpen``, whose corrective it
    is)."""
    names = asset.header["expression_names"]
    pictures = []
    for name, shape in zip(names, asset.expression, strict=True):
        vertices = asset.mean + shape
        if name == "mouthClose":
            vertices = vertices + asset.expression[names.index("jawOpen")]
        view = View(yaw=-12, target=(0, -22, 60), half_height=88, size=200)
        picture = np.ascontiguousarray(render(asset.mesh(vertices), view, supersample=2))
        label = "jawOpen + mouthClose" if name == "mouthClose" else name
        cv2.putText(
            picture, label, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA
        )
        pictures.append(picture)
    return tile(pictures, 8)


def _dot(
    picture: np.ndarray, pixel: np.ndarray, radius: float, colour: tuple[int, int, int]
) -> None:
    centre = tuple(int(value) for value in np.round(pixel * 8))
    cv2.circle(picture, centre, int(radius * 8), colour, -1, cv2.LINE_AA, 3)


def landmarks(asset: Asset) -> np.ndarray:
    """The 68 points from the front, close up on eye and mouth, and the contour candidates on a
    turned head."""
    points = asset.landmarks()
    mesh = asset.mesh(asset.mean)
    pictures = []
    for target, half in (((0, -10, 60), 112), ((30, 28, 80), 30), ((0, -48, 90), 32)):
        view = View(target=target, half_height=half, size=480)
        picture = np.ascontiguousarray(render(mesh, view, supersample=2))
        pixels = view.project(points)
        for first, last in LANDMARK_GROUPS:
            line = pixels[first : last + 1] * 8
            closed = first in CLOSED_GROUPS
            cv2.polylines(
                picture, [line.round().astype(np.int32)], closed, (250, 250, 250), 1, cv2.LINE_AA, 3
            )
        for pixel in pixels:
            _dot(picture, pixel, 2.4, (60, 230, 90))
        pictures.append(picture)
    view = View(yaw=-42, target=(0, -10, 50), half_height=118, size=480)
    picture = np.ascontiguousarray(render(mesh, view, supersample=2))
    colours = ((250, 210, 40), (240, 70, 220), (60, 230, 90))
    for index, strip in enumerate(asset.arrays["contour_candidates"]):
        for vertex in strip[strip >= 0]:
            _dot(picture, view.project(asset.mean[vertex]), 1.6, colours[index % 3])
    for pixel in view.project(points[:17]):
        _dot(picture, pixel, 3.0, (250, 250, 250))
    pictures.append(picture)
    return tile(pictures, 2)


def checkerboard(asset: Asset) -> np.ndarray:
    """The UV layout, seen by a checkerboard of 64 fields on the head."""
    size = 2048
    field = (np.indices((size, size)) // (size // 64)).sum(axis=0) % 2
    board = np.repeat((0.25 + 0.5 * field)[..., None], 3, axis=2)
    mesh = asset.mesh(asset.mean, board)
    views = [View(yaw=yaw, target=(0, 5, 50), half_height=140, size=480) for yaw in (0.0, -50.0)]
    pictures = [render(mesh, view, supersample=2) for view in views]
    layout = np.full((960, 960, 3), 20, np.uint8)
    corners = asset.arrays["uv"][asset.arrays["uv_polygons"]].astype(float) * [960, -960] + [0, 960]
    cv2.polylines(
        layout,
        list((corners * 8).round().astype(np.int32)),
        True,
        (225, 225, 225),
        1,
        cv2.LINE_AA,
        3,
    )
    return np.hstack([layout, np.vstack(pictures)])


def main() -> None:
    """Writes all pictures."""
    asset = Asset(ROOT / "assets" / "face_model.npz")
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for draw, name in (
        (random_heads, "model_heads"),
        (expressions, "model_expressions"),
        (landmarks, "model_landmarks"),
        (checkerboard, "model_uv"),
    ):
        picture = cv2.cvtColor(draw(asset), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 78])


if __name__ == "__main__":
    main()
