"""A video's decoded frames as sRGB: the right colour matrix, wide gamuts, and HDR tone-mapped.

Until 4.12 OpenCV decodes everything by the matrix of BT.601 and gives code values of the video's
own transfer function and primaries.  Later ones (FFmpeg 8) convert to sRGB themselves, by a tone
curve of their own that is near this one: mid-grey of HLG becomes 144 there and 137 here.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.srgb import SRGB_TO_LINEAR, encode_bytes, from_primaries
from .container import UNSPECIFIED, VideoTags

Bytes = NDArray[np.uint8]
Change = Callable[[Bytes], Bytes]

#: Transfer functions of ITU-R BT.2100 by their number in ITU-T H.273.
PQ, HLG = 16, 18
#: The first OpenCV that decodes as the video's tags say (tried: 4.11 and 4.12 do not, 4.13 and 4.14
#: do).
_HONOURS_TAGS = (4, 13)
#: Red's and blue's share of luma by the matrix' number in H.273.
_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
_DECODED_AS = 6  #: by an OpenCV that does not look
#: Linear light of wider primaries to that of sRGB's, by their number in H.273: BT.2020, Display P3.
_TO_SRGB = {
    9: from_primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)).astype(np.float32),
    12: from_primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)).astype(np.float32),
}
_LUMINANCE_2020 = np.array([[0.2627, 0.6780, 0.0593]], np.float32)

#: cd/m2 of diffuse white in HDR (ITU-R BT.2408), and of the brightest that is kept.
WHITE, PEAK = 203.0, 1000.0
#: Up to this part of diffuse white tone-mapping changes nothing, so that skin keeps its colour.
KNEE = 0.6

#: Every 65535th of linear light as sRGB: 20 times as fast as to compute it.
_ENCODED = encode_bytes(np.arange(65536) / 65535)


def _encoded(light: NDArray[np.float32]) -> Bytes:
    return _ENCODED[np.clip(light * 65535 + 0.5, 0, 65535).astype(np.uint16)]


def to_srgb(tags: VideoTags, deep: bool) -> tuple[Change | None, list[str]]:
    """What makes sRGB of (H, W, 3) uint8 RGB frames as OpenCV gives them; None: they are sRGB.

    ``deep`` is whether the video has more than 8 bits a channel.  Beside it are notes on what is
    done.
    """
    steps: list[Change] = []
    notes: list[str] = []
    weights = _matrix_correction(tags, deep)
    if weights is not None:
        steps.append(lambda pixels: cv2.transform(pixels, weights))
    if tags.transfer in (PQ, HLG):
        steps.append(lambda pixels: _tone_mapped(pixels, tags))
        name = "HLG" if tags.transfer == HLG else "PQ"
        notes.append(f"The video is HDR ({name}); its frames were tone-mapped to sRGB.")
    elif tags.primaries in _TO_SRGB:
        gamut = _TO_SRGB[tags.primaries]
        steps.append(lambda pixels: _encoded(cv2.transform(cv2.LUT(pixels, SRGB_TO_LINEAR), gamut)))
        notes.append("The video's wide gamut was converted to sRGB.")
    elif deep and UNSPECIFIED in (tags.primaries, tags.transfer):
        notes.append(
            "The video has more than 8 bits a channel and does not say of which kind; if it looks "
            "washed out, it is HDR: export it as SDR."
        )
    if not steps or _tags_are_honoured():
        return None, notes

    def change(pixels: Bytes) -> Bytes:
        for step in steps:
            pixels = step(pixels)
        return pixels

    return change, notes


def _tags_are_honoured() -> bool:
    """Whether this OpenCV gives sRGB."""
    return tuple(int(part) for part in cv2.__version__.split(".")[:2]) >= _HONOURS_TAGS


def _matrix_correction(tags: VideoTags, deep: bool) -> NDArray[np.float32] | None:
    """(3, 4): RGB bytes decoded by BT.601 in limited range to those by the video's own matrix."""
    full = tags.full_range and deep  # of 8 bits the range is minded by all versions
    weights = _LUMA.get(tags.matrix)
    if weights is None or (weights == _LUMA[_DECODED_AS] and not full):
        return None
    undone, shift = _rgb_to_ycc(*_LUMA[_DECODED_AS]), np.zeros(3)
    if full:  # 16 + 219 Y and 128 + 224 C were taken for what is 255 Y and 128 + 255 C
        undone = np.diag([219 / 255, 224 / 255, 224 / 255]) @ undone
        shift = np.array([16.0, 0.0, 0.0])
    done = np.linalg.inv(_rgb_to_ycc(*weights))
    return np.column_stack([done @ undone, done @ shift]).astype(np.float32)


def _rgb_to_ycc(red: float, blue: float) -> NDArray[np.float64]:
    """(3, 3) R'G'B' to Y'CbCr by the luma's shares of red and blue."""
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack(
        [
            luma,
            (np.array([0, 0, 1]) - luma) / (2 - 2 * blue),
            (np.array([1, 0, 0]) - luma) / (2 - 2 * red),
        ]
    )


def _tone_mapped(pixels: Bytes, tags: VideoTags) -> Bytes:
    """Of PQ or HLG code values; light is relative to diffuse white."""
    light = cv2.LUT(pixels, _PQ_LIGHT if tags.transfer == PQ else _HLG_SCENE)
    if tags.transfer == HLG:  # the display's part (OOTF), for a peak of 1000 cd/m2: gamma 1.2
        scene = cv2.transform(light, _LUMINANCE_2020)
        light *= (PEAK / WHITE) * cv2.pow(np.maximum(scene, 1e-6), 0.2)[..., None]
    if tags.primaries in _TO_SRGB:
        light = np.maximum(cv2.transform(light, _TO_SRGB[tags.primaries]), 0)
    brightest = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])
    step = np.minimum(brightest * (_STEPS / _REACH), _STEPS - 1).astype(np.uint16)
    return _encoded(light * _SCALE[step][..., None])


def shoulder(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tone curve: light by diffuse white to the display's 0..1, the same up to :data:`KNEE`.

    Beyond it a hyperbola of the same slope that reaches 1 at :data:`PEAK`.
    """
    room, reach = 1 - KNEE, PEAK / WHITE - KNEE
    bend = reach / room - 1
    part = np.clip((light - KNEE) / reach, 0, 1)
    return np.where(light <= KNEE, light, KNEE + room * (1 + bend) * part / (1 + bend * part))


def _pq_light() -> NDArray[np.float32]:
    """(256,) the PQ curve (SMPTE ST 2084) of every byte, 1 at diffuse white."""
    m1, m2, c1, c2, c3 = 1305 / 8192, 2523 / 32, 107 / 128, 2413 / 128, 2392 / 128
    root = (np.arange(256) / 255) ** (1 / m2)
    return (10000 / WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)).astype(
        np.float32
    )


def _hlg_scene() -> NDArray[np.float32]:
    """(256,) scene light 0..1 of every byte: the inverse OETF of HLG (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    code = np.arange(256) / 255
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12).astype(np.float32)


_PQ_LIGHT, _HLG_SCENE = _pq_light(), _hlg_scene()

#: By what light is multiplied whose brightest channel is in the n-th of so many steps up to where
#: it is cut.
_STEPS, _REACH = 65536, 2 * PEAK / WHITE
_MIDDLES = ((np.arange(_STEPS) + 0.5) * (_REACH / _STEPS)).astype(np.float32)
_SCALE = shoulder(_MIDDLES) / _MIDDLES
