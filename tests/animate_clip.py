"""Small films of made-up heads with known curves, drawn by the backend's own rasteriser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import FACING
from reconstruct_face.backend.model import load_model
from scipy.spatial.transform import Rotation

SIZE = 288
RATE = 30.0


@dataclass
class Person:
    """A head that can be drawn."""

    identity: NDArray
    albedo: NDArray[np.float32]

    @classmethod
    def number(cls, seed: int, strength: float = 0.8, inside: float = 0.3) -> Person:
        """``strength`` in standard deviations: to dlib's descriptor drawn heads look alike.

        ``inside`` is how much of the light reaches the inside of the mouth.
        """
        model, rng = load_model(), np.random.default_rng([77, seed])
        identity = strength * rng.normal(size=len(model.identity_basis))
        albedo = model.albedo(0.7 * rng.normal(size=len(model.albedo_basis)))
        openings = np.zeros(albedo.shape[:2], np.uint8)
        for number, kind in enumerate(model.material_kinds):
            if kind in ("teeth", "tongue", "mouth"):
                corners = model.uv[model.uv_polygons[model.polygon_material == number]]
                places = np.rint(corners * (1, -1) * len(albedo) + (0, len(albedo))).astype(
                    np.int32
                )
                for polygon in places.astype(np.int32):
                    cv2.fillPoly(openings, [polygon], 1)
        albedo[openings > 0] *= inside
        return cls(identity, albedo)

    def draw(
        self, weights: NDArray, camera: Camera, size: tuple[int, int], background: float = 0.25
    ) -> NDArray[np.uint8]:
        model = load_model()
        light = np.zeros((9, 3))
        light[0], light[3], light[1] = 2.2, -0.35, 0.25
        return render_picture(
            model,
            model.vertices(self.identity, weights),
            self.albedo,
            light,
            camera.camera_matrix,
            camera.rotation,
            camera.translation,
            size,
            background,
        )


def camera_at(
    yaw: float = 0.0,
    pitch: float = 0.0,
    aside: float = 0.0,
    size: tuple[int, int] = (SIZE, SIZE),
    distance: float = 620.0,
) -> Camera:
    """One that sees a head turned so many degrees, ``aside`` mm from the middle."""
    turn = Rotation.from_euler("YX", [yaw, -pitch], degrees=True).as_matrix()
    rotation = FACING @ turn
    middle = np.array([aside, 0.0, distance])
    return Camera(
        intrinsics(1.5 * size[1], size), rotation, middle - rotation @ np.array([0, -20.0, 60.0])
    )


def curves(frames: int) -> NDArray:
    """(N, E): a jaw that opens and closes, a smile, blinks."""
    names = load_model().expression_names
    weights = np.zeros((frames, len(names)))
    at = np.arange(frames)
    jaw = 0.35 * (1 - np.cos(2 * np.pi * at / 16))
    weights[:, names.index("jawOpen")] = np.where(at < frames // 2, jaw, 0.0)
    smile = np.clip((at - 0.55 * frames) / 6, 0, 1) * np.clip((0.9 * frames - at) / 6, 0, 1)
    for side in ("Left", "Right"):
        weights[:, names.index(f"mouthSmile{side}")] = 0.8 * smile
        for middle in (0.22, 0.5, 0.78):
            lid = np.interp(at - middle * frames, [-3, -1, 1, 4], [0, 1, 1, 0])
            eye = names.index(f"eyeBlink{side}")
            weights[:, eye] = np.maximum(weights[:, eye], lid)
    return weights


@dataclass
class Film:
    """Frames and what is known of them; ``None`` cameras where no head is seen."""

    path: Path
    weights: NDArray
    cameras: list[Camera | None]
    person: Person


def film(path: Path, frames: int = 64, blank: int = 0, person: int = 5) -> Film:
    """An MPEG-4 whose first ``blank`` frames show nothing."""
    who = Person.number(person)
    weights = curves(frames)
    cameras: list[Camera | None] = [None] * blank
    rng = np.random.default_rng(5)
    wall = np.full((SIZE, SIZE, 3), 137, np.uint8)
    pictures = [wall] * blank
    for i in range(blank, frames):
        camera = camera_at(7 * np.sin(i / 9), 3 * np.cos(i / 11))
        cameras.append(camera)
        picture = who.draw(weights[i], camera, (SIZE, SIZE)).astype(float)
        picture += 2.0 * rng.normal(size=picture.shape)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    write(path, pictures)
    return Film(path, weights, cameras, who)


def write(path: Path, pictures: list[NDArray[np.uint8]], rate: float = RATE) -> Path:
    """(H, W, 3) sRGB pictures as an MPEG-4."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def make_uneven(path: Path, first: int) -> Path:
    """Let the frames of the MPEG-4 from number ``first`` on last twice as long.

    By hand in the file: its table of durations ("stts") gets a second entry, all boxes around it
    grow by its eight bytes, and the edit list, which would end it early, is taken out of use.
    OpenCV writes the tables behind the pictures, so nothing else moves.
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"stts")
    entries, count, length = (int.from_bytes(data[at + k : at + k + 4], "big") for k in (8, 12, 16))
    assert entries == 1 and data.index(b"mdat") < at
    table = b"".join(n.to_bytes(4, "big") for n in (2, first, length, count - first, 2 * length))
    data[at + 8 : at + 20] = table
    for box in (b"stts", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        start = data.index(box) - 4
        size = int.from_bytes(data[start : start + 4], "big") + 8
        data[start : start + 4] = size.to_bytes(4, "big")
    if b"edts" in data:
        edits = data.index(b"edts")
        data[edits : edits + 4] = b"free"
    path.write_bytes(data)
    return path
