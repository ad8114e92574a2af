"""A page of every n-th frame, the photo beside the head as it was found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..exchange import Reconstruction
from ..exchange.motion import Motion
from ..exchange.own_pictures import marked
from ..files import write_bytes
from ..geometry.camera import Camera
from ..model import FaceModel, load_model
from ..photo.encode import decode, encode_jpeg
from ..preview.compose import BACKGROUND, TEXT, text_font
from .drawing import Drawer, LitTexture, lit_texture_of
from .source import Bytes, Source

#: Side of a picture, and most pictures of one page.
_SIDE, _MOST = 240, 60
EVERY = 30
#: How dark eyes and the inside of the mouth are drawn.
_DEPTH = {"eye": 1.0, "teeth": 1.6, "mouth": 3.2, "tongue": 2.4}


def write_sheet(
    path: str | Path, source: Source, motion: Motion, head: Reconstruction, every: int = EVERY
) -> Path:
    """The frames 0, ``every``, ... of ``source`` and ``head`` moved by ``motion``, as a JPEG.

    Of a long clip every second, third ... of them, so that one page holds them.  Raises
    :class:`OutputError`.
    """
    every = max(1, every)
    while len(motion.times) / every > _MOST:
        every *= 2
    options = head.provenance["options"]
    model = load_model(str(head.model["name"]), str(options.get("expressions", "native")))
    painter = _Painter(model, head)
    pairs: list[tuple[int, Bytes, Bytes]] = []
    for frame in source.frames():
        if frame.index >= len(motion.times):
            break
        if frame.index % every == 0 and frame.pixels is not None:
            pairs.append((frame.index, *painter.pair(frame.pixels, motion, frame.index)))
    return write_bytes(path, marked(encode_jpeg(_page(pairs, motion), 90).tobytes()))


class _Painter:
    def __init__(self, model: FaceModel, head: Reconstruction) -> None:
        self.model, self.identity = model, head.identity
        if len(head.texture):
            look = lit_texture_of(decode(head.texture), head.sh_light, head.rotation)
        else:
            light = np.zeros((9, 3))
            light[0] = 1.0
            albedo = model.albedo(np.zeros(len(model.albedo_basis)))
            look = LitTexture(albedo, light, head.rotation)
        self.drawer = Drawer(model, head.identity, look, whole=True)

    def pair(self, pixels: Bytes, motion: Motion, index: int) -> tuple[Bytes, Bytes]:
        """(S, S, 3) twice: what the frame shows of the head, and the head as found."""
        assert motion.rotation is not None and motion.translation is not None
        matrix = np.array(motion.header["camera_matrix"])
        rotation, translation = motion.rotation[index], motion.translation[index]
        at = [motion.names.index(name) for name in self.model.expression_names]
        vertices = self.model.vertices(self.identity, motion.weights[index, at]).astype(float)
        places = Camera(matrix, rotation, translation).project(vertices)
        low, high = places.min(axis=0), places.max(axis=0)
        side = 1.1 * float((high - low).max())
        scale = _SIDE / side
        move = np.array([[scale, 0, 0], [0, scale, 0], [0, 0, 1.0]])
        move[:2, 2] = _SIDE / 2 - scale * (low + high) / 2
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        photo = cv2.warpAffine(pixels, move[:2], (_SIDE, _SIDE), flags=flags)
        camera = Camera(np.asarray(move @ matrix, np.float64), rotation, translation)
        weights = motion.weights[index, at]
        drawn = self.drawer.draw(weights, camera, np.ones(9), _DEPTH, _SIDE)
        return np.asarray(photo), drawn


def _page(pairs: list[tuple[int, Bytes, Bytes]], motion: Motion) -> NDArray[np.uint8]:
    columns = min(max(len(pairs), 1), 4)
    rows = -(-max(len(pairs), 1) // columns)
    bar, gap = 18, 6
    wide, high = 2 * _SIDE + gap, _SIDE + bar + gap
    page = Image.new("RGB", (gap + columns * wide, gap + rows * high), BACKGROUND)
    draw, font = ImageDraw.Draw(page), text_font(12)
    for i, (index, photo, drawn) in enumerate(pairs):
        x, y = gap + i % columns * wide, gap + i // columns * high
        lost = "" if motion.valid[index] else ", lost"
        title = f"frame {index}, {motion.times[index]:.2f} s{lost}"
        draw.text((x + 2, y + bar / 2), title, TEXT, font, anchor="lm")
        page.paste(Image.fromarray(photo), (x, y + bar))
        page.paste(Image.fromarray(drawn), (x + _SIDE, y + bar))
    return np.asarray(page)
