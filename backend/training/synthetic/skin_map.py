"""Where things are on the skin: the model's masks and the mean head's measures as 256 px maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model import FaceModel
from ...raster import rasterize_uv

Float = NDArray[np.float32]

SIZE = 256
_MARGIN = 4
Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class SkinMap:
    """Maps (256, 256) in the UV layout, row 0 at v = 1; positions are those of the mean head."""

    mean: Float  #: (3, 256, 256) the model's albedo mean
    basis: Float  #: (A, 3, 256, 256)
    tone_mean: NDArray  #: (3,) mean over the bare skin of the face
    tone_basis: NDArray  #: (A, 3)
    masks: dict[str, Float]  #: 0..1
    windows: dict[str, Window]  #: around each mask
    position: Float  #: (256, 256, 3) mm
    skin: Float
    wet: Float  #: eyes, teeth, tongue and mouth
    flush: Float  #: cheeks, nose and ears, where blood shows
    nose_end: Float
    forehead: Float
    neck: Float
    under_eye: Float
    oily: Float  #: forehead, nose and chin
    brow_depth: Float  #: texels inside the brow, negative outside
    lid_distance: Float  #: texels from the lid's edge, on the skin
    upper: Float  #: 1 above the eyes' centres
    folds: Float  #: (2, 256, 256) nasolabial folds; crow's feet and bags
    texels: dict[str, NDArray[np.intp]]  #: (n, 2) rows and columns to draw spots at

    def random_texel(self, name: str, rng: np.random.Generator) -> NDArray:
        """(2,) row and column somewhere in ``texels[name]``."""
        return self.texels[name][rng.integers(len(self.texels[name]))] + rng.random(2)

    def creases(self, rng: np.random.Generator) -> Float:
        """Lines of the forehead, folds beside the mouth, bags under the eyes; 0..1."""
        y = self.position[..., 1] + rng.uniform(0, 10)
        x = self.position[..., 0]
        waves = np.sin(y * rng.uniform(0.5, 0.9) + 0.0015 * x**2 + np.sin(x * 0.08))
        lines = np.maximum(waves - 0.6, 0) * 2.5 * self.forehead * rng.random()
        return lines + rng.random() * self.folds[0] + rng.random() * self.folds[1]

    def beard_area(self, kind: str, rng: np.random.Generator) -> Float:
        """Where a beard of this ``kind`` (full, goatee, moustache) grows, 0..1."""
        area = self.masks["beard"]
        x, y = np.abs(self.position[..., 0]), self.position[..., 1]
        mouth = self._mouth_y
        if kind == "goatee":
            return area * _step(x, rng.uniform(30, 38), rng.uniform(22, 29))
        if kind == "moustache":
            above = _step(y, mouth - rng.uniform(0, 12), mouth + 4)
            return area * above * _step(x, rng.uniform(30, 40), 26)
        line = mouth + rng.uniform(-6, 22) + 0.25 * np.maximum(x - 35, 0)
        return area * np.maximum(_step(y, line + 6, line - 4), _step(x, 34, 26))

    def upper_lid(self, reach: float, window: Window) -> Float:
        """Upper lids up to ``reach`` texels from the edge, fading."""
        near = np.clip(1.3 - self.lid_distance[window] / np.float32(reach), 0, 1)
        return self.upper[window] * near * self.skin[window]

    def lash_line(self, width: float, window: Window) -> Float:
        """The lids' edges, ``width`` texels wide and stronger above."""
        edge = np.clip(np.float32(width + 0.5) - self.lid_distance[window], 0, 1)
        return edge * (0.35 + 0.65 * self.upper[window]) * self.skin[window]

    @property
    def _mouth_y(self) -> float:
        lips = self.masks["lips"] > 0.5
        return float(self.position[..., 1][lips].mean())


def fields(rng: np.random.Generator) -> Float:
    """(5, 256, 256) random fields of unit deviation: blotches of 24 texels, grain of 4, pores of 1,
    patches of 10, and strands 5 long and 1 wide."""
    out = np.empty((5, SIZE, SIZE), np.float32)
    sheet = _noise_sheet()
    for index, scale in enumerate((24, 4, 1, 10)):
        row, column = rng.integers(0, len(sheet) - SIZE, 2)
        side = max(SIZE // scale, 2) + 1
        patch = np.ascontiguousarray(sheet[row : row + side, column : column + side])
        out[index] = cv2.resize(patch, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    row, column = rng.integers(0, len(sheet) - SIZE, 2)
    patch = np.ascontiguousarray(sheet[row : row + SIZE // 5, column : column + SIZE])
    out[4] = cv2.resize(patch, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    return out


@lru_cache(maxsize=1)
def _noise_sheet() -> Float:
    """(1024, 1024) white noise, cut from rather than drawn anew."""
    return np.random.default_rng(7).standard_normal((1024, 1024)).astype(np.float32)


@lru_cache(maxsize=2)
def skin_map(model: FaceModel) -> SkinMap:
    """The maps of ``model``."""
    masks = {name: _small(model.uv_mask(name)) for name in model.mask_names}
    mean = _small(model.albedo_mean)
    basis = np.stack([_small(component.astype(np.float32)) for component in model.albedo_basis])
    atlas = rasterize_uv(model.uv, model.uv_faces, SIZE, gutter=4)
    corners = model.mean[model.faces[np.maximum(atlas.face_id, 0)]]
    position = (corners * atlas.barycentric[..., None]).sum(axis=2) * atlas.mask[..., None]
    x, y, z = np.abs(position[..., 0]), position[..., 1], position[..., 2]
    eye_x, eye_y = float(np.abs(model.eye_centers[:, 0]).mean()), float(model.eye_centers[0, 1])
    tip = model.mean[model.landmarks68[30]]
    corner = np.abs(model.mean[model.landmarks68[[48, 54]]]).mean(axis=0)
    wing = np.abs(model.mean[model.landmarks68[[31, 35]]]).mean(axis=0)

    skin, face = masks["skin"], masks["face"]
    bare = (skin > 0.95) & (face > 0.95)
    for name in ("lips", "brows", "beard", "lids"):
        bare &= masks[name] < 0.05
    cheek = _bump(x, 42, 17) * _bump(y, tip[1] + 6, 17) * face
    nose_end = np.exp(-(np.linalg.norm(position - tip, axis=-1) ** 2) / 18**2) * face
    forehead = _step(y, eye_y + 22, eye_y + 42) * face
    under_eye = _bump(x, eye_x - 2, 13) * _bump(y, eye_y - 15, 6.5) * skin * (z > 0)
    along = np.clip((wing[1] - y) / (wing[1] - corner[1]), -0.3, 1.5)
    fold_x = wing[0] + 4 + along * (corner[0] + 7 - wing[0])
    nasolabial = _bump(x, fold_x, 2.2) * _bump(along, 0.55, 0.6) * face
    bags = _bump(y, eye_y - 17 - 0.004 * (x - eye_x) ** 2, 1.8) * _bump(x, eye_x, 14) * face
    feet = np.maximum(np.sin((y - eye_y) * 0.9 + 0.1 * x), 0) * _bump(x, eye_x + 24, 7)
    feet *= _bump(y, eye_y, 10) * face

    outside = (masks["skin"] < 0.5).astype(np.uint8)
    lids = cv2.dilate((masks["lids"] > 0.3).astype(np.uint8), np.ones((31, 31), np.uint8))
    hole = outside * cv2.dilate((masks["lids"] > 0.3).astype(np.uint8), np.ones((9, 9), np.uint8))
    lid_distance = cv2.distanceTransform(1 - hole, cv2.DIST_L2, 5)
    brow = (masks["brows"] > 0.4).astype(np.uint8)
    brow_depth = cv2.distanceTransform(brow, cv2.DIST_L2, 5) - cv2.distanceTransform(
        1 - brow, cv2.DIST_L2, 5
    )
    windows = {name: _window(mask > 0.01) for name, mask in masks.items()}
    windows["lids"] = _window(lids > 0)
    windows["iris"] = _window(masks["iris"] + masks["sclera"] > 0.01)
    freckled = (cheek + nose_end > 0.35) & bare
    return SkinMap(
        mean=np.ascontiguousarray(mean.transpose(2, 0, 1)),
        basis=np.ascontiguousarray(basis.transpose(0, 3, 1, 2)),
        tone_mean=mean[bare].astype(float).mean(axis=0),
        tone_basis=basis[:, bare].astype(float).mean(axis=1),
        masks=masks,
        windows=windows,
        position=position.astype(np.float32),
        skin=skin,
        wet=np.clip(sum(masks[n] for n in ("sclera", "iris", "teeth", "tongue", "mouth")), 0, 1),
        flush=np.clip(cheek + 0.9 * nose_end + 0.6 * masks["ears"], 0, 1),
        nose_end=nose_end,
        forehead=forehead,
        neck=masks["neck"],
        under_eye=under_eye,
        oily=np.clip(forehead + masks["nose"] + 0.5 * _bump(x, 0, 14) * face, 0, 1),
        brow_depth=brow_depth,
        lid_distance=lid_distance,
        upper=_step(y, eye_y - 3, eye_y + 1),
        folds=np.stack([nasolabial, 0.6 * bags + 0.5 * feet]).astype(np.float32),
        texels={"face": np.argwhere(bare), "freckles": np.argwhere(freckled)},
    )


def _small(image: NDArray) -> Float:
    side = len(image)
    return cv2.resize(
        np.ascontiguousarray(image, np.float32),
        (SIZE, SIZE),
        interpolation=cv2.INTER_AREA if side > SIZE else cv2.INTER_LINEAR,
    )


def _window(mask: NDArray[np.bool_]) -> Window:
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return (
        slice(max(rows[0] - _MARGIN, 0), rows[-1] + 1 + _MARGIN),
        slice(max(columns[0] - _MARGIN, 0), columns[-1] + 1 + _MARGIN),
    )


def _bump(value: NDArray, centre: NDArray | float, width: float) -> Float:
    return np.exp(-(((value - centre) / width) ** 2)).astype(np.float32)


def _step(value: NDArray, low: NDArray | float, high: NDArray | float) -> Float:
    """0 at ``low`` to 1 at ``high``, smooth; falling when low > high."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
