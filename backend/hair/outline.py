"""What is measured in the picture of hair: directions, how far it stands off, how it hangs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, grey_closing

from ..geometry.camera import Camera, project
from ..geometry.srgb import LUMINANCE, SRGB_TO_LINEAR
from ..texture.layout import sample
from .surface import Surface
from .window import Window

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Detail of hair, and the tensor's smoothing, in faces: 8, 1 and 3 pixels of a face of 150, where
#: the direction differs by 5 degrees from that of 32 Gabor filters on long hair.
_FLAT, _FINE, _SMOOTH = 0.053, 0.007, 0.02
#: Beyond the mask, where less is known, directions are carried on by so much.
_CARRIED, _CARRIED_WEIGHT = 0.09, 0.35
#: Directions round the skull in which the outline is measured, and its highest over the skull.
ANGLES, HIGHEST_MM = 72, 70.0
#: Gaps in the outline up to so many directions wide are none.
_FURROW = 11
#: Cosine to the head's up over which directions are of its upper half; what the shell may be at
#: any rate, mm.
UPPER, _LEAST_MOST_MM = 0.3, 12.0
#: Hair that hangs and widens: blur of its outline, in faces, the least it is aside of the head's
#: middle at the ears, and how much wider it gets in all.
_SMOOTH_ROWS, _LEAST_ASIDE, _WIDEST = 0.04, 0.3, 2.0
#: Hair that is seen no further down than so many faces under the ears ends at the nape.
NAPE = 0.32


def turn_of(camera: Camera) -> float:
    """-1..1 the sine by which ``camera`` sees the head from its left."""
    towards = -camera.rotation.T @ camera.translation
    return float(towards[0] / max(float(np.linalg.norm(towards)), 1e-6))


def directions(window: Window, depth: Float) -> Float:
    """(h, w, 2) the doubled directions of hair by the structure tensor (Bigun and Granlund 1987).

    Of length 0..1, how far the neighbourhood agrees.
    """
    face = window.face_px
    light = np.log(SRGB_TO_LINEAR[window.picture] @ LUMINANCE + 0.004).astype(np.float32)
    light -= cv2.GaussianBlur(light, (0, 0), _FLAT * face)
    light = cv2.GaussianBlur(light, (0, 0), max(0.7, _FINE * face))
    dx, dy = (cv2.Sobel(light, cv2.CV_32F, *d) for d in ((1, 0), (0, 1)))
    # The outline of the hair would give its own direction.
    inner = (depth > 0.015 * face).astype(np.float32)
    # A hair runs across its gradient: the doubled angle turned by 180 degrees.
    parts = np.stack([dy * dy - dx * dx, -2 * dx * dy, dx * dx + dy * dy], axis=-1)
    parts *= inner[..., None]
    near = cv2.GaussianBlur(parts, (0, 0), _SMOOTH * face)
    carried = cv2.GaussianBlur(parts, (0, 0), _CARRIED * face)
    there = cv2.GaussianBlur(inner, (0, 0), _SMOOTH * face)[..., None]

    def relative(tensor: Float) -> Float:
        return tensor[..., :2] / np.maximum(tensor[..., 2:], 1e-8)

    return there * relative(near) + (1 - there) * _CARRIED_WEIGHT * relative(carried)


def standing_of(window: Window, mask: Bool, camera: Camera, surface: Surface) -> Float:
    """(ANGLES,) mm by which hair stands off the skull, from its outline in the photo."""
    middle = camera.to_camera(surface.middle[None])
    centre = project(middle, window.matrix)[0]
    mm = float(middle[0, 2] / window.matrix[0, 0])
    reach = np.arange(0, 2.4 * window.face_px, 0.5)
    turn = np.arange(ANGLES) / ANGLES * 2 * np.pi
    way = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    at = (centre + way[:, None] * reach[None, :, None]).reshape(-1, 2).astype(np.float32)

    def along(picture: Bool) -> Bool:
        inside = (at >= 0).all(axis=1) & (at < np.array(picture.shape[::-1])).all(axis=1)
        return ((sample(picture.astype(np.float32), at) > 0.5) & inside).reshape(ANGLES, len(reach))

    head, hair, known = along(window.head), along(mask), along(window.inside)
    skull = np.where(head, reach, 0).max(axis=1)
    # Out from the skull for as long as there is hair.
    beyond = reach[None] > skull[:, None]
    gone = np.cumsum(beyond & ~hair, axis=1) > 0.05 * window.face_px
    outline = np.where(hair & beyond & ~gone, reach, skull[:, None]).max(axis=1)
    height = np.clip((outline - skull) * mm, 0, HIGHEST_MM)
    # Below the ears what is seen hangs; beyond the photo's border nothing is seen.
    up = camera.rotation[:2, 1]
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    valid = (way @ up > -0.25) & np.array(
        [known[k, np.searchsorted(reach, outline[k] + 1).clip(0, len(reach) - 1)]
         for k in range(ANGLES)]
    )  # fmt: skip
    if not valid.any():
        return np.full(ANGLES, 8.0, np.float32)
    index = np.flatnonzero(valid)
    filled = np.interp(np.arange(ANGLES), index, height[index], period=ANGLES)
    # A highlight that the mask lacks would be a furrow over the whole head.
    filled = grey_closing(filled, _FURROW, mode="wrap")
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    # Hair that blows or falls behind the head is no height of a shell.
    upper = way @ up > UPPER
    filled = np.minimum(filled, max(1.5 * float(np.median(filled[upper])), _LEAST_MOST_MM))
    smooth = np.convolve(np.r_[filled[-2:], filled, filled[:2]], kernel, "valid")
    return np.maximum(smooth, 1.5).astype(np.float32)


def widening_of(window: Window, mask: Bool, camera: Camera, surface: Surface) -> Float:
    """See :attr:`PhotoHair.widening`: 0 down to the ears, then growing; what hangs does not come
    together again."""
    middle = surface.middle[None]
    centre = project(camera.to_camera(middle), window.matrix)[0, 0]
    ears = np.array([[surface.middle[0], surface.ears, surface.middle[2]]])
    first = round(float(project(camera.to_camera(ears), window.matrix)[0, 1]))
    height, width = mask.shape
    first = int(np.clip(first, 0, height - 1))
    aside = np.arange(width) - centre
    out = np.zeros((2, height), np.float32)
    for k, way in enumerate((-1, 1)):
        far = np.where(mask & (way * aside > 0), way * aside, 0).max(axis=1)
        far = gaussian_filter1d(far, _SMOOTH_ROWS * window.face_px)[first:]
        if far[0] > _LEAST_ASIDE * window.face_px:
            out[k, first:] = np.log(np.maximum.accumulate(far) / far[0])
    return np.minimum(out, np.log(_WIDEST)).astype(np.float32)


def lowest_of(window: Window, mask: Bool, camera: Camera, surface: Surface) -> tuple[float, float]:
    """mm over the origin, against gravity, where hair is seen to end, right and left."""
    y, x = np.nonzero(mask)
    depth = camera.to_camera(surface.middle[None])[0, 2]
    rays = np.column_stack([x, y, np.ones(len(x))]) @ np.linalg.inv(window.matrix).T
    points = (rays * depth - camera.translation) @ camera.rotation
    up = -points @ camera.rotation[1]
    nape = surface.ears - NAPE * surface.face
    found = []
    for side in (points[:, 0] < 0, points[:, 0] >= 0):
        own = up[side]
        low = float(np.quantile(own, 0.01)) if len(own) > 50 else nape
        cut_off = side & (up < low + 4)
        if cut_off.any():
            # Where the photo ends in the hair, that goes on for a while.
            under = np.clip(y[cut_off] + 3, 0, len(mask) - 1)
            if (~window.inside[under, x[cut_off]]).mean() > 0.5:
                low -= 0.4 * surface.face
        found.append(low if low < surface.ears - 0.12 * surface.face else nape)
    return _as_seen(found, camera)


def _as_seen(found: list[float], camera: Camera) -> tuple[float, float]:
    """Of a head that is turned the far side is hidden: it is like the near one."""
    right, left = found
    if abs(turn_of(camera)) > 0.3:
        near = min(right, left)
        return near, near
    return right, left
