"""A made-up ``Reconstruction`` for the Blender side's tests: no face model, no photo, no backend.

The "head" is an egg of quads with two eyeballs and a row of teeth, with the 52 ARKit names as
bumps.  Everything is deterministic.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from reconstruct_face.backend.exchange import MaterialSlot, Reconstruction
from reconstruct_face.backend.exchange.views import PhotoView

SIDES = ("Left", "Right")
#: Apple's ``ARFaceAnchor.BlendShapeLocation``, in the order of Live Link Face's columns.
ARKIT_NAMES = (
    *(f"eye{what}{side}" for side in SIDES for what in
      ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")),
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    *(f"mouth{what}{side}" for what in ("Smile", "Frown", "Dimple", "Stretch") for side in SIDES),
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    *(f"mouth{what}{side}" for what in ("Press", "LowerDown", "UpperUp") for side in SIDES),
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
KINDS = ("skin", "eye", "teeth", "tongue", "mouth")
HEAD_HALF_SIZE_MM = (75.0, 115.0, 95.0)


def grid_sphere(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A unit sphere of quads, poles on y: vertices, polygons, uv, uv_polygons (v up)."""
    polar = np.linspace(0.02, np.pi - 0.02, rows + 1)
    turn = np.linspace(0.0, 2 * np.pi, columns, endpoint=False)
    p, t = np.meshgrid(polar, turn, indexing="ij")
    vertices = np.stack([np.sin(p) * np.sin(t), np.cos(p), np.sin(p) * np.cos(t)], -1)
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    k = (j + 1) % columns
    quads = np.stack([i * columns + j, (i + 1) * columns + j, (i + 1) * columns + k,
                      i * columns + k], -1)  # fmt: skip
    wide = columns + 1
    uv_quads = np.stack([i * wide + j, (i + 1) * wide + j, (i + 1) * wide + j + 1,
                         i * wide + j + 1], -1)  # fmt: skip
    u, v = np.meshgrid(np.linspace(0, 1, wide), 1 - np.linspace(0, 1, rows + 1))
    uv = np.stack([u, v], -1).reshape(-1, 2)
    return vertices.reshape(-1, 3), quads.reshape(-1, 4), uv, uv_quads.reshape(-1, 4)


def _parts(rows: int, columns: int) -> dict[str, np.ndarray]:
    """The head, two eyes and the teeth as one mesh, each with its own piece of the atlas."""
    pieces = [
        (grid_sphere(rows, columns), HEAD_HALF_SIZE_MM, (0, 0, 0), (0.0, 0.25, 1.0, 0.75), 0),
        (grid_sphere(10, 12), (12, 12, 12), (32, 25, 84), (0.0, 0.0, 0.25, 0.25), 1),
        (grid_sphere(10, 12), (12, 12, 12), (-32, 25, 84), (0.25, 0.0, 0.25, 0.25), 1),
        (grid_sphere(6, 12), (20, 6, 6), (0, -45, 85), (0.5, 0.0, 0.25, 0.25), 2),
    ]
    out: dict[str, list[np.ndarray]] = {k: [] for k in ("v", "p", "uv", "uvp", "m")}
    v_count = u_count = 0
    for (v, p, uv, uvp), size, centre, (u0, v0, du, dv), material in pieces:
        out["v"].append(v * size + centre)
        out["p"].append(p + v_count)
        out["uv"].append(uv * (du, dv) + (u0, v0))
        out["uvp"].append(uvp + u_count)
        out["m"].append(np.full(len(p), material))
        v_count, u_count = v_count + len(v), u_count + len(uv)
    return {key: np.concatenate(value) for key, value in out.items()}


def _bumps(vertices: np.ndarray, count: int) -> np.ndarray:
    """(count, V, 3) smooth displacements in mm, each round a point of its own."""
    rng = np.random.default_rng(5)
    centres = vertices[rng.integers(0, len(vertices), count)]
    directions = rng.normal(size=(count, 3))
    basis = np.empty((count, len(vertices), 3), np.float32)
    for centre, direction, out in zip(centres, directions, basis, strict=True):
        near = np.exp(-((vertices - centre) ** 2).sum(1) / (2 * 25.0**2))
        out[:] = near[:, None] * direction * 5
    return basis


def encode_png(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as encoded PNG bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


def encode_jpeg(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as encoded JPEG bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def synthetic_texture(size: int = 128) -> np.ndarray:
    """(size, size, 3) uint8 sRGB: skin with a checker, white eyes with a dark iris, ivory teeth."""
    y, x = np.mgrid[:size, :size] / size
    checker = ((x * 16).astype(int) + (y * 16).astype(int)) % 2
    image = np.where(checker[..., None], (205, 160, 135), (190, 140, 115)).astype(np.uint8)
    image[y >= 0.75] = (235, 225, 200)
    image[(y >= 0.75) & (x < 0.5)] = (240, 240, 240)
    iris = np.minimum(np.abs(x - 0.0), np.abs(x - 0.25)) + np.abs(y - 0.875)
    image[(iris < 0.03)] = (40, 70, 110)
    return image


def euler_rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(3, 3) head-to-camera rotation: a frontal head (y down, z forward) turned by degrees."""
    a, b, c = np.radians([yaw, pitch, roll])
    ry = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    rx = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return rz @ rx @ ry @ np.diag([1.0, -1.0, -1.0])


def project(reconstruction: Reconstruction, points: np.ndarray) -> np.ndarray:
    """(N, 2) float64 pixels by K [R | t], with nothing of Blender in it."""
    camera = points.astype(np.float64) @ reconstruction.rotation.T + reconstruction.translation
    image = camera @ reconstruction.camera_matrix.T
    return image[:, :2] / image[:, 2:]


def make_reconstruction(
    *,
    image_size: tuple[int, int] = (640, 480),
    focal: float = 900.0,
    principal: tuple[float, float] | None = None,
    angles: tuple[float, float, float] = (15.0, -8.0, 5.0),
    rows: int = 40,
    columns: int = 60,
    names: tuple[str, ...] = ARKIT_NAMES,
    texture_mode: str = "albedo",
    photo_path: str = "/somewhere/Ada Lovelace.jpg",
    face_index: int = 1,
) -> Reconstruction:
    """A ``Reconstruction`` whose every field is consistent with the others."""
    mesh = _parts(rows, columns)
    width, height = image_size
    cx, cy = principal or ((width - 1) / 2, (height - 1) / 2)
    basis = _bumps(mesh["v"], len(names))
    rng = np.random.default_rng(11)
    arkit = names == ARKIT_NAMES
    expression = rng.uniform(0, 0.6, len(names)) if arkit else rng.normal(size=len(names))
    expression = np.clip(expression, -3, 3).astype(np.float32)
    expression_range = np.tile([0.0, 1.0] if arkit else [-3.0, 3.0], (len(names), 1))
    neutral = mesh["v"].astype(np.float32)
    posed = (neutral + np.tensordot(expression, basis, 1)).astype(np.float32)
    quads = mesh["p"].astype(np.int32)
    light = np.zeros((9, 3))
    light[0], light[2], light[3], light[1] = 2.4, 0.9, 0.5, 0.4
    photo = np.linspace(60, 200, width, dtype=np.uint8)[None, :, None].repeat(height, 0)
    result = Reconstruction(
        vertices_neutral=neutral,
        vertices_posed=posed,
        faces=quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3),
        polygons=quads,
        polygon_material=mesh["m"].astype(np.uint8),
        uv=mesh["uv"].astype(np.float32),
        uv_polygons=mesh["uvp"].astype(np.int32),
        identity=rng.normal(size=100).astype(np.float32),
        expression=expression,
        expression_names=names,
        expression_range=expression_range.astype(np.float32),
        expression_basis=basis,
        albedo=rng.normal(size=8).astype(np.float32),
        camera_matrix=np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]),
        rotation=euler_rotation(*angles),
        translation=np.array([12.0, -9.0, 800.0]),
        image_size=image_size,
        landmarks68=np.linspace(0, len(neutral) - 1, 68).astype(np.int32),
        landmarks3d=posed[np.linspace(0, len(neutral) - 1, 68).astype(np.int32)],
        landmarks2d=np.zeros((68, 2), np.float32),
        landmarks2d_detected=np.zeros((68, 2), np.float32),
        face_box=np.array([width * 0.3, height * 0.2, width * 0.7, height * 0.8], np.float32),
        sh_light=light.astype(np.float32),
        texture_mode=texture_mode,
        texture=encode_png(synthetic_texture()) if texture_mode != "none" else np.empty(0, "u1"),
        photo=encode_jpeg(np.repeat(photo, 3, 2)),
        crop=encode_png(np.zeros((8, 8, 3), np.uint8)),
        materials=tuple(MaterialSlot(kind, kind) for kind in KINDS),
        model={"name": "synthetic", "version": 1, "licence": "CC0", "sha256": "0" * 64},
        photo_path=photo_path,
        face_index=face_index,
        timings={"fit": 0.5},
        versions={"numpy": np.__version__},
        provenance={"options": {"texture": texture_mode}},
    )
    pixels = project(result, posed[result.landmarks68])
    result.landmarks2d = result.landmarks2d_detected = pixels.astype(np.float32)
    return result.validate()


#: Yaw, pitch and roll of the photos of :func:`make_person`, again from the start after the last.
VIEW_ANGLES = ((15.0, -8.0, 5.0), (-35.0, 4.0, 0.0), (60.0, 0.0, -6.0))


def make_person(photos: Sequence[str], **options: Any) -> Reconstruction:
    """:func:`make_reconstruction` of several ``photos`` (paths), the first the main one.

    Each has a camera, a size, a colour and an expression of its own.
    """
    head = make_reconstruction(photo_path=photos[0], **options)
    views = []
    for number, path in enumerate(photos[1:], start=1):
        expression = np.linspace(0.0, 0.9 / number, len(head.expression)).astype(np.float32)
        size = (400 + 40 * number, 480)
        seen = replace(
            make_reconstruction(angles=VIEW_ANGLES[number % 3], image_size=size, **options),
            expression=expression,
            vertices_posed=(
                head.vertices_neutral + np.tensordot(expression, head.expression_basis, 1)
            ).astype(np.float32),
            photo=encode_jpeg(np.full((size[1], size[0], 3), 40 * number, np.uint8)),
            photo_path=path,
        )
        seen.landmarks3d = seen.vertices_posed[seen.landmarks68]
        seen.landmarks2d = project(seen, seen.landmarks3d).astype(np.float32)
        seen.landmarks2d_detected = seen.landmarks2d
        told = {name: getattr(seen, name) for name in PhotoView.of_reconstruction()}
        views.append(PhotoView(**told, weight=0.5))
    return replace(head, views=tuple(views)).validate()
