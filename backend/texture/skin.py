"""Maps of the skin's surface beside its colour: relief as normals, roughness, specular level.

The relief has two sources.  What the photo shows of lines and folds, some tenths of a millimetre to
two, is read from the finished texture's brightness: dark is deep, as where light reaches less
(Glencross et al. 2008, "A Perceptually Validated Model for Surface Depth Hallucination"; the
mesoscopic part of Beeler et al. 2010).  Pores, the fine grain between them and the lips' furrows
are smaller than a photo's pixel mostly; they are drawn the same on every head, by region.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry.chunks import in_parts
from ..geometry.srgb import SRGB_TO_LINEAR
from ..kept import kept
from ..model import FaceModel
from ..model.cached import cached
from .layout import Float, Layout, box_of, enlarged, interpolate_texels, layout_of, smoothstep

Bytes = NDArray[np.uint8]

#: Sides of the largest maps: a texel of 2048 is 0.16 mm of the face, about a pore.
LARGEST = 2048
#: Roughness of the regions, dry skin first.  Foreheads, noses and chins are oilier than cheeks;
#: the order is that of Weyrich et al. 2006, the values were set by eye in Cycles.
ROUGHNESS = {
    "skin": 0.48,
    "forehead": 0.42,
    "nose": 0.37,
    "chin": 0.45,
    "lids": 0.42,
    "lips": 0.32,
    "neck": 0.55,
    "hair": 0.75,
}
#: Depth in mm of the pores by region; fine grain is everywhere but under hair.
PORES = {
    "skin": 0.022,
    "forehead": 0.028,
    "nose": 0.05,
    "chin": 0.035,
    "lids": 0.0,
    "lips": 0.0,
    "neck": 0.012,
    "hair": 0.0,
}
PORES_PER_MM2, PORE_MM = 0.8, 0.16
GRAIN, FURROWS = 0.006, 0.03  #: mm, rms
COARSEST_MM = 0.4  #: texels larger than this, of textures under 1024, cannot hold any of them
#: Of the photo's brightness the band between these blurs, in mm, is relief; this many mm deep for
#: a log unit of brightness, and never deeper than the last.
BAND_MM, DEPTH, DEEPEST = (0.25, 2.2), 0.22, 0.09
#: What is darker than the skin by this, log, over the band's width is hair.
HAIR = (0.5, 1.0)
#: The part of the specular level that the deepest places lose: light hardly reaches them.
CAVITY = 0.6
#: Blender's plain specular level, and the part of it that painted hair keeps: it must not shine.
SPECULAR, HAIR_SPECULAR = 0.5, 0.3
#: Rows that are worked out at a time: normals of all of them would take 150 MB.
_BAND_ROWS = 64
_LOG_OF_GREY = np.log(SRGB_TO_LINEAR + 0.01).astype(np.float32)


@dataclass(frozen=True, eq=False)
class SkinMaps:
    """Pictures in the texture's layout, row 0 at v = 1; numbers, not colours."""

    normal: Bytes  #: (S, S, 3) tangent space, (n + 1) / 2 of 255; x along u, y along v
    roughness: Bytes  #: (S / 2, S / 2)
    specular: Bytes  #: (S / 2, S / 2) of Blender's "Specular IOR Level", 0.5 being plain
    height: Float  #: (S, S) mm outwards: what ``normal`` shows; a displacement's lacks the lips'


def warm_skin(model: FaceModel, size: int) -> None:
    """Work out what :func:`skin_maps` needs and does not depend on the photo."""
    _ground_of(model, min(size, LARGEST))


def skin_maps(
    model: FaceModel, image: Bytes, coverage: Float, displacement: Float | None = None
) -> SkinMaps:
    """The :class:`SkinMaps` for the texture ``image`` (N, N, 3) sRGB of a head of ``model``.

    ``coverage`` (N, N) 0..1 is how much of a texel came from a photo: what was painted has no lines
    worth raising.  S is N, at most :data:`LARGEST`.  ``displacement`` (D, D) mm is what shading
    told of lines; without it they are read from the brightness.
    """
    size = min(len(image), LARGEST)
    ground = _ground_of(model, size)
    if len(image) != size:
        image, coverage = (
            cv2.resize(x, (size, size), interpolation=cv2.INTER_AREA) for x in (image, coverage)
        )
    if displacement is None:
        height = ground.height.astype(np.float32)
        box = box_of(coverage)
        if box is not None:  # a third of the map
            seen = _relief_of(image, ground.texel_mm, box)
            seen *= ground.lined[box]
            seen *= coverage[box]
            height[box] += seen
    else:
        height = ground.height + cv2.resize(
            displacement, (size, size), interpolation=cv2.INTER_CUBIC
        )
    half = (size // 2, size // 2)
    deep = cv2.resize(height, half, interpolation=cv2.INTER_AREA)
    cavity = np.clip(deep * (-1 / DEEPEST), 0, 1)
    return SkinMaps(
        normal=_normals(height, ground.texel_mm),
        roughness=_bytes(ground.roughness + 0.12 * cavity),
        specular=_bytes(ground.specular * (1 - CAVITY * cavity)),
        height=height if displacement is None else _without_furrows(model, height),
    )


def _without_furrows(model: FaceModel, height: Float) -> Float:
    """``height`` (S, S) without what lips get: as geometry, in raking light, it is a comb."""
    lips = _shares(model, layout_of(model, len(height)))["lips"]
    return height * (1 - _full(lips, len(height)))


@kept(maxsize=1)
def plain_normals(size: int, texel_mm: float) -> Bytes:
    """(S, S, 3) the :attr:`SkinMaps.normal` of skin that is all like the neck's."""
    height = np.zeros((size, size), np.float32)
    if texel_mm < COARSEST_MM:
        height += _pores(size, texel_mm) * PORES["neck"] + _grain(size, texel_mm) * GRAIN
    return _normals(height, texel_mm)


@dataclass(frozen=True, eq=False)
class _Ground:
    """What does not depend on the photo."""

    texel_mm: float  #: side of a texel on the face
    height: NDArray[np.float16]  #: (S, S) mm, outwards
    lined: NDArray[np.float16]  #: (S, S) 0..1 where the photo's lines are relief: no brows, lips
    roughness: Float  #: (S / 2, S / 2)
    specular: Float  #: (S / 2, S / 2)


@kept(maxsize=1)
@cached
def _ground_of(model: FaceModel, size: int) -> _Ground:
    layout = layout_of(model, size)  # of the texture, but for larger ones
    shares = _shares(model, layout)
    texel = layout.texel_mm * layout.size / size
    pores, roughness = (
        np.sum([share * values[name] for name, share in shares.items()], axis=0, dtype=np.float32)
        for values in (PORES, ROUGHNESS)
    )
    bare = _full(_bare(model, layout), size)
    relief = np.zeros((size, size), np.float32)
    if texel < COARSEST_MM:
        # In place, one after the other: each takes 17 MB at 2048.
        lips = _full(shares["lips"], size)
        relief += _grain(size, texel)
        relief *= GRAIN * (1 - lips)
        pits = _pores(size, texel)
        pits *= _full(pores, size)
        relief += pits
        del pits
        relief *= bare
        if (box := box_of(lips)) is not None:
            relief[box] += lips[box] * _furrows(size, texel, box) * FURROWS
    even = 1 - smoothstep(0.0, 0.3, _widened(_marked(model, layout.small.mask.shape[0])))
    return _Ground(
        texel_mm=texel,
        height=relief.astype(np.float16),
        lined=(bare * _full(even, size)).astype(np.float16),
        roughness=_full(roughness, size // 2),
        specular=_full(SPECULAR * (1 - (1 - HAIR_SPECULAR) * shares["hair"]), size // 2),
    )


def _shares(model: FaceModel, layout: Layout) -> dict[str, Float]:
    """(T, T) 0..1 by region, together 1 everywhere."""
    points, regions = model.mean[model.landmarks68], layout.regions
    height = float(points[17:27, 1].mean() - points[8, 1])

    def near(ids: slice, reach: float) -> Float:
        gap = np.linalg.norm(model.mean[:, None] - points[ids][None], axis=2).min(axis=1)
        return 1 - smoothstep(0.5 * reach, 1.5 * reach, gap / height)

    fields = {
        "forehead": _at_texels(regions.forehead, model, layout),
        "chin": _at_texels(near(slice(7, 10), 0.16), model, layout),
        "nose": _at_texels(near(slice(27, 36), 0.10), model, layout),
    }
    side = layout.small.mask.shape[0]
    fields |= {name: _mask(model, name, side) for name in ("neck", "lids", "lips")}
    fields["hair"] = np.maximum(layout.small_scalp, _mask(model, "brows", side))
    shares = {"skin": np.ones((side, side), np.float32)}
    for name, field in fields.items():
        shares = {other: share * (1 - field) for other, share in shares.items()} | {name: field}
    return shares


def _mask(model: FaceModel, name: str, side: int) -> Float:
    """(T, T) a mask of the model, 0 where it has none of the name."""
    return model.uv_mask(name) if name in model.mask_names else np.zeros((side, side), np.float32)


def _marked(model: FaceModel, side: int) -> Float:
    """(T, T) where brightness is colour and no depth: lips' and lids' edges, brows."""
    marked = [_mask(model, name, side) for name in ("lips", "lids", "brows")]
    return np.max(marked, axis=0)


def _widened(mask: Float) -> Float:
    """``mask`` (T, T) grown and softened by a hundredth of its side."""
    width = len(mask) // 200 * 2 + 1
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return cv2.GaussianBlur(grown, (0, 0), width / 3)


def _bare(model: FaceModel, layout: Layout) -> Float:
    """(T, T) 1 on skin, 0 under hair, in the eyes and the mouth, soft between."""
    skin = _at_texels(layout.skin_vertex.astype(np.float32), model, layout)
    skin *= layout.skin_face[np.maximum(layout.small.face_id, 0)] & layout.small.mask
    inner = cv2.erode(skin, np.ones((3, 3), np.uint8))  # no slope towards the empty ground
    return cv2.GaussianBlur(inner * (1 - layout.small_scalp), (0, 0), 1)


def _at_texels(values: Float, model: FaceModel, layout: Layout) -> Float:
    """(T, T) of a vertex field (V,), 0 outside the islands."""
    small = layout.small
    out = np.zeros(small.mask.shape, np.float32)
    face, weights = small.face_id[small.mask], small.barycentric[small.mask]
    out[small.mask] = interpolate_texels(values[:, None], model.faces, face, weights)[:, 0]
    return out


def _pores(size: int, texel_mm: float) -> Float:
    """(S, S) pits of depth 1 at random places."""
    rng = np.random.default_rng(3)
    width = max(PORE_MM / texel_mm, 0.8)
    pits = (rng.random((size, size), np.float32) < PORES_PER_MM2 * texel_mm**2).astype(np.float32)
    for row in pits:
        row *= rng.uniform(0.4, 1.0, size)
    pits = cv2.GaussianBlur(pits, (0, 0), width)
    # A single one of height 1 comes out of the blur as 1 / (2 pi width^2).
    pits *= 2 * np.pi * width**2
    np.minimum(pits, 1.2, out=pits)
    return np.negative(pits, out=pits)


def _grain(size: int, texel_mm: float) -> Float:
    """(S, S) the fine net between the pores, rms 1."""
    noise = np.random.default_rng(4).standard_normal((size, size), np.float32)
    fine, coarse = (cv2.GaussianBlur(noise, (0, 0), max(mm / texel_mm, 0.7)) for mm in (0.14, 0.4))
    fine -= coarse
    del noise, coarse
    fine /= fine.std()
    return fine


def _furrows(size: int, texel_mm: float, box: tuple[slice, slice]) -> Float:
    """(h, w) lines along v as lips have them, rms 1, in the rows and columns ``box`` of S x S."""
    long, wide = 2 / texel_mm, 1.2 / texel_mm
    wider, inner = _with_margin(box, round(4 * (long + wide)))
    noise = np.random.default_rng(5).standard_normal((size, size), np.float32)[wider].copy()
    lines = cv2.GaussianBlur(noise, (0, 0), sigmaX=max(0.3 / texel_mm, 0.8), sigmaY=long)
    lines -= cv2.GaussianBlur(lines, (0, 0), wide)
    lines /= lines.std()
    return lines[inner]


def _relief_of(image: Bytes, texel_mm: float, box: tuple[slice, slice]) -> Float:
    """(h, w) mm of what the brightness of ``image`` (S, S, 3) sRGB shows of lines in the skin in
    the rows and columns ``box``."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    fine_mm, coarse_mm = BAND_MM
    sigma = max(fine_mm / texel_mm, 0.6)
    wider, inner = _with_margin(box, round(4 * sigma) + 1)
    fine = cv2.GaussianBlur(cv2.LUT(grey[wider], _LOG_OF_GREY), (0, 0), sigma)[inner]
    # Wide blurs of a quarter of the side take a tenth of the time.
    quarter = np.empty((len(grey) // 4, len(grey) // 4), np.float32)
    for start in range(0, len(quarter), _BAND_ROWS):
        rows = cv2.LUT(grey[4 * start : 4 * (start + _BAND_ROWS)], _LOG_OF_GREY)
        size = (len(quarter), len(rows) // 4)
        quarter[start : start + _BAND_ROWS] = cv2.resize(rows, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(quarter, (0, 0), coarse_mm / texel_mm / 4)
    darker = np.median(coarse) - coarse
    # In place: each takes 6 MB.
    fine -= enlarged(coarse, len(grey), box)
    fine *= DEPTH / DEEPEST
    np.tanh(fine, out=fine)
    fine *= DEEPEST
    fine *= enlarged(1 - smoothstep(*HAIR, darker), len(grey), box)
    return fine


def _with_margin(
    box: tuple[slice, slice], margin: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """``box`` grown by ``margin`` but not below 0, and where in that it lies."""
    first = [max(one.start - margin, 0) for one in box]
    rows, columns = (
        (slice(start, one.stop + margin), slice(one.start - start, one.stop - start))
        for one, start in zip(box, first, strict=True)
    )
    return (rows[0], columns[0]), (rows[1], columns[1])


def _normals(height: Float, texel_mm: float) -> Bytes:
    """(S, S, 3) the normals of ``height`` (S, S) mm, rows downwards, as bytes."""
    normals = np.empty((*height.shape, 3), np.uint8)

    def part(rows: slice) -> None:
        first = max(rows.start - 1, 0)  # slopes need a row more on both sides
        band = _band_normals(height[first : rows.stop + 1], texel_mm)
        normals[rows] = band[rows.start - first :][: rows.stop - rows.start]

    in_parts(part, len(height), _BAND_ROWS)
    return normals


def _band_normals(height: Float, texel_mm: float) -> Bytes:
    across, down = (
        cv2.Sobel(height, cv2.CV_32F, *axis, ksize=3, scale=1 / (8 * texel_mm))
        for axis in ((1, 0), (0, 1))
    )
    length = cv2.sqrt(across * across + down * down + 1)
    normal = cv2.merge([0.5 - 0.5 * across / length, 0.5 + 0.5 * down / length, 0.5 + 0.5 / length])
    return cv2.convertScaleAbs(normal, alpha=255)


def _full(field: Float, size: int) -> Float:
    return cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR)


def _bytes(values: Float) -> Bytes:
    """0..1 as 0..255, rounded."""
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
