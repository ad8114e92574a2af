"""What a photo says of the hair while it grows: where it is, which way it runs, how far it stands
off the skull, where it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.camera import Camera, project
from ..geometry.srgb import SRGB_TO_LINEAR
from ..geometry.triangles import dot, norm, unit
from ..texture.channels import tripled
from ..texture.layout import sample, smoothstep
from .colour import light_on, own_colour
from .outline import (
    ANGLES,
    HIGHEST_MM,
    NAPE,
    UPPER,
    directions,
    lowest_of,
    standing_of,
    widening_of,
)
from .surface import Surface, on_ring
from .window import Window

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

#: Strands end so far outside the mask, and are turned back from so far inside, in faces.
_OUTSIDE, _NEAR_EDGE = 0.035, 0.03
#: Colours are taken so far inside the mask, in faces: at its edge it may show skin.
_NO_EDGE = 0.03
#: Width of locks, in faces, and by how much more they are apart in colour than in the photo: some
#: of it is lost, as what lies behind shines through between strands.
_LOCK, _CONTRAST = 0.05, 1.5
#: Strands whose colours are looked up at a time: of all of them each array would take 9 MB.
_TOGETHER = 2048
#: What of a strand is not seen is like the rest, e times less after so much of its length.
_LIKE_SEEN = 0.15
#: Cosine to the camera between which a point counts as seen.
_FACING = (-0.05, 0.25)
#: The same between which a direction in the picture tells one on the head: at the outline a step
#: inwards leads as well before the ear as behind it.
_TELLS_DEPTH = (0.15, 0.5)
#: Hair that is seen beside the face lies on the skin up to so many mm, and rises from there by so
#: much of the way; by eye, on four with a fringe.
_ON_SKIN_MM, _RISES = 6.0, 0.8
#: The same of directions over the ears: the middle one, and so far from it.
_OVER_EARS, _AT_EARS = 0.05, 0.2
#: Hair that falls further under the ears than so many faces is long.
_LONG = 0.4
#: Spread of where strands end below, in faces: cut, but not with a ruler.  Beyond so many of it the
#: rest is too thin to be seen.
_RAGGED, _FEW_LEFT = 0.08, 0.7
#: Hair that hangs gets wider by so much in one step, the logarithm.
_WIDENS = 0.1
#: Behind the head's middle, in its half widths, between which a side's own length is no more.
_BEHIND = (-0.2, 0.5)
#: Short hair at the back of the head, which no photo of a face shows: from the nape (0) to the
#: crown (1), what it stands off in parts of what it does elsewhere.  By eye, on nine heads.
_BACK_UP, _BACK = (0.0, 0.3, 0.6, 0.95), (0.12, 0.35, 0.65, 1.0)


@dataclass(frozen=True, eq=False)
class PhotoHair:
    """The hair of a photo, as :class:`~.grow.Seen` asks for it."""

    window: Window
    camera: Camera  #: of the photo
    surface: Surface
    mask: Bool  #: (h, w)
    depth: Float  #: (h, w) pixels within the mask, negative outside
    inward: Float  #: (h, w, 2) unit, towards the mask's inside
    doubled: Float  #: (h, w, 2) cosine and sine of twice the direction, by their confidence
    standing: Float  #: (ANGLES,) mm over the skull, by the angle round its middle in the photo
    widening: Float  #: (2, h) log of how much wider the hair is, right and left, than at the ears
    lowest: tuple[float, float]  #: mm against :attr:`down` where hair ends, right and left

    @property
    def down(self) -> NDArray:
        """As :class:`~.grow.Seen`: the photo's."""
        return self.rotation[1]

    @cached_property
    def rotation(self) -> Float:
        """(3, 3) the camera's, in the dtype of strands."""
        return self.camera.rotation.astype(np.float32)

    def in_camera(self, points: NDArray) -> NDArray:
        """(..., 3) mm in camera coordinates of ``points`` (..., 3) of the head."""
        return points @ self.rotation.T + self.camera.translation.astype(np.float32)

    def turned(self, points: NDArray, outward: NDArray, flow: NDArray) -> NDArray:
        """As :class:`~.grow.Seen`: the photo's direction where it is seen, with ``flow``'s sign."""
        pixels, facing = self._seen(points, outward)
        known = sample(self.doubled, pixels)
        strength = norm(known)
        angle = np.arctan2(known[:, 1], known[:, 0]) / 2
        line = np.column_stack([np.cos(angle), np.sin(angle)])
        rotation = self.rotation
        in_view = flow @ rotation.T
        line[dot(line, in_view[:, :2]) < 0] *= -1
        # Hair is turned back before it leaves what is seen of it.
        inside = sample(self.depth, pixels) / self.window.face_px
        edge = (1 - smoothstep(-_NEAR_EDGE, _NEAR_EDGE, inside)) * smoothstep(*_FACING, facing)
        # Not at its tips, which run straight out.
        inward = sample(self.inward, pixels)
        edge = edge * (1 - smoothstep(0.4, 0.85, -dot(unit(in_view[:, :2]), inward)))
        line = unit(line + 1.5 * edge[:, None] * inward)
        # Along the shell: what the photo cannot say is the slope away from the camera.
        normal = outward @ rotation.T
        slope = -dot(normal[:, :2], line) / np.minimum(normal[:, 2], -0.25)
        wanted = unit(np.column_stack([line, np.clip(slope, -2, 2)])) @ rotation
        known_way = np.clip(1.6 * strength, 0, 0.95) * smoothstep(*_TELLS_DEPTH, facing)
        share = np.maximum(known_way, 0.8 * edge * smoothstep(*_FACING, facing))
        return unit(flow + tripled(share) * (wanted - flow))

    def agreement(self, points: NDArray, outward: NDArray, flow: NDArray) -> float:
        """-1..1 how far the ``flow`` (S, 3) at ``points`` of the skin is along what the photo shows
        there: 1 along it everywhere, 0 as if drawn by lot, -1 across; 0 too where nothing is seen.

        The mean of the cosine of twice the angle, by the photo's confidence and by how little the
        flow is foreshortened.
        """
        pixels, facing = self._seen(points, outward)
        known = sample(self.doubled, pixels)
        strength = norm(known)
        inside = sample(self.depth, pixels) > _NO_EDGE * self.window.face_px
        along = flow - outward * tripled(dot(flow, outward))
        in_view = along @ self.rotation.T
        x, y = in_view[:, 0], in_view[:, 1]
        across = np.maximum(x * x + y * y, 1e-12)
        doubled = np.stack([x * x - y * y, 2 * x * y], axis=1) / across[:, None]
        shown = np.sqrt(across) / np.maximum(norm(along), 1e-6)
        weight = shown * inside * (facing > _FACING[1])
        total = float((weight * strength).sum())
        return float((weight * dot(known, doubled)).sum()) / total if total > 0 else 0.0

    def kept_inside(
        self, points: NDArray, outward: NDArray, going: NDArray, stray: NDArray
    ) -> NDArray:
        """As :class:`~.grow.Seen`: back on the outline that the photo shows, along the picture."""
        pixels, facing = self._seen(points, outward)
        over = -sample(self.depth, pixels) / self.window.face_px - stray
        inward = sample(self.inward, pixels)
        # What runs straight out ends there: tips.
        straight = -dot(unit((going @ self.rotation.T)[:, :2]), inward)
        share = (1 - smoothstep(0.5, 0.9, straight)) * smoothstep(*_FACING, facing + 0.15)
        known = sample(self._inside, pixels) > 0.5
        # What is far outside was never on this outline.
        share = share * known * (over < _NEAR_EDGE * 4)
        depth = points @ self.rotation[2] + float(self.camera.translation[2])
        mm = np.maximum(over, 0) * depth * (self.window.face_px / float(self.window.matrix[0, 0]))
        return points + tripled(share * mm) * (inward @ self.rotation[:2])

    def widened(self, points: NDArray, moved: NDArray) -> NDArray:
        """As :class:`~.grow.Seen`: along the picture, from the line below the head's middle."""
        x, _, z = self.in_camera(self.surface.middle).tolist()
        at = self.in_camera(moved)
        # As seen where the head's middle is.
        aside = at[:, 0] - x / z * at[:, 2]
        was = self.in_camera(points)
        before, after = (self._widening_at(where, aside > 0) for where in (was, at))
        wider = np.expm1(np.clip(after - before, 0, _WIDENS))
        return moved + tripled(aside * wider) * self.rotation[0]

    def _widening_at(self, at: NDArray, left: NDArray) -> Float:
        """(S,) :attr:`widening` of what is ``at`` (S, 3) mm, camera coordinates, on the ``left``
        (S,) or right."""
        height = self.widening.shape[1]
        down = self.window.matrix[1].astype(np.float32)
        row = np.clip((at @ down) / at[:, 2], 0, height - 1.01)
        low = row.astype(np.intp)
        # As numpy.interp, in a fifth of its time.
        values, start = self.widening.ravel(), low + left * height
        before = values.take(start)
        return before + (row - low).astype(np.float32) * (values.take(start + 1) - before)

    def shell(self, points: NDArray) -> NDArray:
        """As :class:`~.grow.Seen`."""
        gap = (points - self.surface.middle) @ self.rotation.T
        turn = np.arctan2(gap[:, 1], gap[:, 0]) / (2 * np.pi) % 1 * ANGLES
        height = on_ring(self.standing, turn)
        # Over the middle of the picture the outline says little: as elsewhere.
        middle = 1 - smoothstep(0.35, 0.75, norm(gap[:, :2]) / self.surface.half_width)
        height = np.minimum(height + middle * (self.usual - height), self._beside_skin(points))
        if self.is_long:
            return height
        # Short hair lies closer and closer towards the nape, which no photo shows.
        nape = self.surface.ears - NAPE * self.surface.face
        up = (points[:, 1] - nape) / (self.surface.top - nape)
        part = np.interp(up, _BACK_UP, _BACK).astype(np.float32)
        z = (points[:, 2] - self.surface.middle[2]) / self.surface.half_width
        return height * (1 - (1 - part) * smoothstep(-0.1, 0.6, -z))

    def _beside_skin(self, points: NDArray) -> NDArray:
        """(S,) mm that hair may stand off at ``points`` (S, 3) for the face that shows beside it:
        there a fringe, or what falls past the temples, lies on it."""
        at = self.in_camera(points)
        middle = float(self.in_camera(self.surface.middle)[2])
        pixels = project(at, self.window.matrix)
        inside = sample(self._off_face, pixels) * at[:, 2] / float(self.window.matrix[0, 0])
        before = smoothstep(0.2, 0.6, (middle - at[:, 2]) / self.surface.half_width)
        most = _ON_SKIN_MM + _RISES * np.maximum(inside, 0)
        return np.where(before > 0, most + (1 - before) * HIGHEST_MM, np.float32(HIGHEST_MM))

    @cached_property
    def _off_face(self) -> Float:
        """(h, w) pixels to the nearest of the face, or anything of the head that no hair covers."""
        bare = self.window.head & ~self.mask
        return cv2.distanceTransform((~bare).astype(np.uint8), cv2.DIST_L2, 5)

    @property
    def is_long(self) -> bool:
        """Whether hair is seen to hang well below the ears."""
        return self.surface.ears - min(self.lowest) > _LONG * self.surface.face

    def without_wisps(self) -> PhotoHair:
        """The same of hair that is up, whatever hangs in the neck."""
        nape = self.surface.ears - NAPE * self.surface.face
        return replace(self, lowest=(nape, nape))

    @cached_property
    def usual(self) -> float:
        """mm that the hair stands off the upper half of the skull, the median."""
        up = self.camera.rotation[:2, 1]
        turn = np.arange(ANGLES) / ANGLES * 2 * np.pi
        upper = np.cos(turn) * up[0] + np.sin(turn) * up[1] > UPPER
        return float(np.median(self.standing[upper]))

    @property
    def beside(self) -> float:
        """mm that the hair stands off the skull beside the ears and a little over them, the
        median of the side where it is more."""
        up = self.camera.rotation[:2, 1]
        turn = np.arange(ANGLES) / ANGLES * 2 * np.pi
        over = np.cos(turn) * up[0] + np.sin(turn) * up[1]
        right = np.cos(turn) * up[1] - np.sin(turn) * up[0] > 0
        level = np.abs(over - _OVER_EARS) < _AT_EARS
        return max(float(np.median(self.standing[level & side])) for side in (right, ~right))

    def ended(self, points: NDArray, outward: NDArray, ragged: NDArray) -> NDArray:
        """As :class:`~.grow.Seen`."""
        pixels, facing = self._seen(points, outward)
        height, width = self.mask.shape
        x, y = np.round(pixels).astype(int).T
        out = (x < 0) | (y < 0) | (x >= width) | (y >= height)
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        unknown = out | ~self.window.inside[y, x]
        behind = self.window.head[y, x] & (facing < 0.05)
        outside = self.depth[y, x] < -_OUTSIDE * self.window.face_px
        gone = outside & ~unknown & ~behind
        share = np.clip(points[:, 0] / self.surface.half_width / 2 + 0.5, 0, 1)
        low = self.lowest[0] + share * (self.lowest[1] - self.lowest[0])
        # Hair that falls behind a shoulder is no shorter there: behind all is as long as any.
        z = (points[:, 2] - self.surface.middle[2]) / self.surface.half_width
        low = low + smoothstep(*_BEHIND, -z) * (min(self.lowest) - low)
        # The last strands end below: hair is seen to end where few are left.
        low = low + _RAGGED * self.surface.face * (ragged - _FEW_LEFT)
        return gone | (-points @ self.down < low)

    def bare(self, points: NDArray, outward: NDArray) -> Bool:
        """(S,) True for roots where the photo shows skin, or on the other side of the head does."""
        found = self._bare(points, outward)
        mirror = np.array([-1.0, 1.0, 1.0])
        hidden = self._seen(points, outward)[1] < 0.15
        return found | (hidden & self._bare(points * mirror, outward * mirror))

    def shows_hair(self, points: NDArray, outward: NDArray) -> Bool:
        """(S,) True where ``points`` of the skin are seen to lie under hair."""
        pixels, facing = self._seen(points, outward)
        return (sample(self.depth, pixels) > 0.02 * self.window.face_px) & (facing > 0.2)

    def colours(self, strands: NDArray, sh_light: NDArray) -> tuple[NDArray, Bool]:
        """(S, P, 3) linear albedo in the photo along ``strands`` (S, P, 3), and which (S,) are seen
        at all.

        ``sh_light`` (9, 3) is divided out as on a surface that faces away from the skin.  What of a
        strand is not seen is like what is seen of it, the nearest most.
        """
        found, known = np.empty(strands.shape, np.float32), np.empty(len(strands), bool)
        log = self._contrasted()
        for start in range(0, len(strands), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            found[part], known[part] = self._along(strands[part], log, sh_light)
        return found, known

    def _along(self, strands: NDArray, log: Float, sh_light: NDArray) -> tuple[NDArray, Bool]:
        """:meth:`colours` of some ``strands``, by the ``log`` light of the window (h, w, 3)."""
        count, points = strands.shape[:2]
        flat = strands.reshape(-1, 3)
        outward = self.surface.outward(flat)
        pixels, facing = self._seen(flat, outward)
        light = np.log(light_on(outward, sh_light).astype(np.float32)).reshape(count, points, 3)
        inner = sample(self.depth, pixels) > _NO_EDGE * self.window.face_px
        weight = inner * smoothstep(*_FACING, facing) * sample(self._own_colour, pixels)
        weight = weight.reshape(count, points, 1)
        shown = sample(log, pixels).reshape(count, points, 3) - light
        seen = weight[..., 0].sum(axis=1)
        apart = np.arange(points)[:, None] - np.arange(points)
        near = np.exp(-np.abs(apart) / (_LIKE_SEEN * points)).astype(np.float32)
        total = np.matmul(near, np.concatenate([weight * shown, weight], axis=2))
        rest = total[..., :3] / np.maximum(total[..., 3:], 1e-6)
        return np.exp(rest + weight * (shown - rest)), seen > 0.5

    @cached_property
    def _own_colour(self) -> Float:
        window = self.window
        ground = window.inside & ~window.head & ~self.mask
        return own_colour(window.picture, self.mask, ground, window.face_px)

    def covered(self, field: int) -> float:
        """0..1 how much of the window's field number ``field`` the hair covers."""
        weight = self.window.fields[..., field] * self.window.inside
        return float((weight * self.mask).sum() / max(float(weight.sum()), 1e-6))

    def order(self) -> float:
        """0..1 how far strands that are neighbours run alike: 0.9 straight hair, 0.5 curls."""
        far = cv2.GaussianBlur(self.doubled, (0, 0), 0.07 * self.window.face_px)
        strength = norm(self.doubled)
        inner = self.depth > 0.1 * self.window.face_px
        if not inner.any():
            return 0.9
        return float(norm(far)[inner].sum() / strength[inner].sum())

    def _contrasted(self) -> Float:
        """(h, w, 3) log linear light of the window, that of locks with :data:`_CONTRAST`."""
        log = np.log(np.maximum(SRGB_TO_LINEAR, 0.003)).astype(np.float32)[self.window.picture]
        log = cv2.GaussianBlur(log, (0, 0), 0.8)
        hair = self.mask.astype(np.float32)
        sigma = _LOCK * self.window.face_px
        around = cv2.GaussianBlur(log * tripled(hair), (0, 0), sigma)
        around /= tripled(np.maximum(cv2.GaussianBlur(hair, (0, 0), sigma), 1e-3))
        return log + (_CONTRAST - 1) * tripled(hair) * (log - around)

    def _bare(self, points: NDArray, outward: NDArray) -> Bool:
        pixels, facing = self._seen(points, outward)
        inside = sample(self.depth, pixels) / self.window.face_px
        known = sample(self._inside, pixels) > 0.5
        return (inside < -0.03) & known & (facing > 0.2)

    def _seen(self, points: NDArray, outward: NDArray) -> tuple[Float, NDArray]:
        """Pixels (S, 2) of the window and the cosine (S,) towards the camera."""
        at = self.in_camera(points)
        facing = -dot(unit(at), outward @ self.rotation.T)
        return project(at, self.window.matrix).astype(np.float32, copy=False), facing

    @cached_property
    def _inside(self) -> Float:
        return self.window.inside.astype(np.float32)


def photo_hair(window: Window, mask: Bool, camera: Camera, surface: Surface) -> PhotoHair:
    """:class:`PhotoHair` of ``mask`` (h, w) in ``window``."""
    inner = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    outer = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    depth = (inner - outer).astype(np.float32)
    smooth = cv2.GaussianBlur(depth, (0, 0), 0.02 * window.face_px)
    inward = np.stack([cv2.Sobel(smooth, cv2.CV_32F, *d) for d in ((1, 0), (0, 1))], axis=-1)
    return PhotoHair(
        window=window,
        camera=camera,
        surface=surface,
        mask=mask,
        depth=depth,
        inward=unit(inward).astype(np.float32),
        doubled=directions(window, depth),
        standing=standing_of(window, mask, camera, surface),
        widening=widening_of(window, mask, camera, surface),
        lowest=lowest_of(window, mask, camera, surface),
    )
