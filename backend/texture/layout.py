"""What texturing needs to know about a face model, worked out once per (model, texture size)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .. import heap
from ..kept import kept
from ..model import FaceModel
from ..model.cached import cached
from ..model.face_model import split_polygons
from ..raster import Atlas, Texels, rasterize_uv, texels_of
from ..raster.atlas import texel_coordinates
from .diffuse import Graph

Float = NDArray[np.float32]
Int = NDArray[np.int32]
Bool = NDArray[np.bool_]
Box = tuple[slice, slice]

#: Texels around each island that repeat its border, per 1024 texels of the texture's side.
GUTTER_PER_1024 = 4
#: Rows that are changed at a time.
BAND_ROWS = 32

_LANDMARKS_INNER = np.r_[17:68]
_LANDMARKS_CHIN = np.r_[6:11]
_LANDMARKS_MIDDLE = np.r_[27:68]


_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, eq=False)
class Layout:
    """Texels of the skin, their mirror images, and the skin's regions.  V vertices, F triangles.

    N texels of the full-size texture belong to the skin (gutter included); ``small`` is the atlas
    at the model's own albedo resolution T, where everything smooth is worked out.
    """

    size: int
    small: Atlas
    texels: Texels  #: N
    mirror_corners: Float  #: (F, 3, 2) column and row of each triangle corner's mirror image
    skin_face: Bool  #: (F,)
    skin_vertex: Bool  #: (V,)
    albedo_mean: Float  #: (V, 3) linear RGB
    albedo_basis: Float  #: (A, V, 3)
    graph: Graph  #: the skin's edges
    regions: Regions
    small_scalp: Float  #: (T, T) the scalp as drawn in the texture
    small_strands: Float  #: (T, T) -1..1 streaks that run as hair falls
    texel_mm: float  #: side of a full-size texel in the middle of the face


@dataclass(frozen=True, eq=False)
class Regions:
    """Soft vertex regions (V,) 0..1, found from the landmarks and the mean head's proportions."""

    core: Float  #: brows, eyes, nose, mouth, chin
    believed: Float  #: the core and the cheeks: the photo is believed whatever it shows
    sure: Float  #: even skin where hair hardly ever is: nose, cheeks, around the mouth
    forehead: Float  #: between the brows and the hairline
    scalp: Float  #: where hair grows
    hairable: Float  #: the scalp and a hand's breadth around it
    overhung: Float  #: where hair may hang before the skin: the hairable, and all above the eyes
    bare_skin: Float  #: skin of even colour: neither lips, brows, lids nor scalp


def layout_of(model: FaceModel, size: int) -> Layout:
    """The :class:`Layout` of ``model`` for a size x size texture (kept in memory)."""
    with _ONE_AT_A_TIME:  # who asks while another thread works it out waits for that
        return _layout_of(model, size)


@kept(maxsize=2)
@cached
def _layout_of(model: FaceModel, size: int) -> Layout:
    small_size = model.albedo_mean.shape[0]
    skin_polygon = np.array([kind == "skin" for kind in model.material_kinds])
    skin_face = skin_polygon[model.polygon_material][model.polygon_of_face]
    skin_vertex = np.zeros(len(model.mean), dtype=bool)
    skin_vertex[model.faces[skin_face]] = True
    mean, basis = _albedo_at_vertices(model)
    small = rasterize_uv(model.uv, model.uv_faces, small_size, gutter_of(small_size))
    regions = _regions(model, skin_vertex)
    layout = Layout(
        size=size,
        small=small,
        texels=texels_of(model.uv, model.uv_faces, size, gutter_of(size), skin_face),
        mirror_corners=_mirror_corners(model, size),
        skin_face=skin_face,
        skin_vertex=skin_vertex,
        albedo_mean=mean,
        albedo_basis=basis,
        graph=Graph.of(model.edges[skin_vertex[model.edges].all(axis=1)], len(model.mean)),
        regions=regions,
        small_scalp=_small_scalp(model, small, regions),
        small_strands=_strands(small_size),
        texel_mm=_texel_mm(model, size, skin_face, regions),
    )
    heap.give_back()
    return layout


def gutter_of(size: int) -> int:
    """Width in texels of the border around each island."""
    return max(2, round(size * GUTTER_PER_1024 / 1024))


def box_of(weight: Float, margin: int = 0) -> tuple[slice, slice] | None:
    """Rows and columns of ``weight`` (H, W) that are not all 0, and ``margin`` more all round."""
    rows, columns = (np.flatnonzero(weight.any(axis=k)) for k in (1, 0))
    if not len(rows):
        return None
    row, column = (
        slice(max(int(at[0]) - margin, 0), min(int(at[-1]) + 1 + margin, side))
        for at, side in zip((rows, columns), weight.shape, strict=True)
    )
    return row, column


def scaled(box: Box, scale: float) -> Box:
    """``box`` of a picture in the same picture ``scale`` times the size."""
    row, column = (slice(round(one.start * scale), round(one.stop * scale)) for one in box)
    return row, column


def bands(box: Box) -> Iterator[Box]:
    """``box`` in bands of a few rows, so that little memory is taken."""
    rows, columns = box
    for start in range(rows.start, rows.stop, BAND_ROWS):
        yield slice(start, min(start + BAND_ROWS, rows.stop)), columns


def interpolate_texels(
    values: NDArray, faces: Int, face: NDArray[np.integer], barycentric: Float
) -> Float:
    """(N, C) per-vertex ``values`` (V, C) at N texels given by triangle and weights."""
    # Column by column: numpy takes single numbers from a small array faster than rows.
    table = np.ascontiguousarray(values.T)
    out = np.zeros((len(table), len(face)), np.result_type(values, barycentric))
    for corner in range(3):
        vertex = faces[:, corner].astype(np.intp).take(face)
        weight = np.ascontiguousarray(barycentric[:, corner])
        for column, row in zip(table, out, strict=True):
            row += column.take(vertex) * weight
    return out.T


def mirrored_texels(layout: Layout, chosen: NDArray[np.intp]) -> Float:
    """(M, 2) column and row of the mirror images of the texels ``chosen`` (M,) of the layout."""
    corners = layout.mirror_corners.reshape(-1, 2)
    of_face = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    texels = layout.texels
    return interpolate_texels(corners, of_face, texels.face[chosen], texels.barycentric(chosen))


def sample(picture: NDArray, pixels: Float, cubic: bool = False) -> NDArray:
    """(N, ...) of ``picture`` (h, w[, C]) at ``pixels`` (N, 2), the border repeated."""
    count = len(pixels)
    if not count:
        return np.zeros((0, *picture.shape[2:]), picture.dtype)
    columns = 4096
    rows = -(-count // columns)
    # cv2.remap wants a picture of coordinates with sides under 32768.
    table = np.full((rows * columns, 2), -1, np.float32)
    table[:count] = pixels
    mode = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    out = cv2.remap(
        picture, table.reshape(rows, columns, 2), None, mode, None, cv2.BORDER_REPLICATE
    )
    return out.reshape(rows * columns, *picture.shape[2:])[:count]


def enlarged(picture: Float, size: int, box: tuple[slice, slice]) -> Float:
    """Rows and columns ``box`` of ``picture`` (T, T[, C]), smoothly enlarged to size x size.

    As ``cv2.resize`` does it, which makes all of it: 50 MB of a colour at 2048.
    """
    factor = size // len(picture)
    if factor * len(picture) == size:
        return _times(picture, factor, box)
    (top, bottom), (left, right) = ((one.start, one.stop) for one in box)
    step = len(picture) / size
    matrix = np.array([[step, 0, step * (left + 0.5) - 0.5], [0, step, step * (top + 0.5) - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        picture, matrix, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _times(picture: Float, factor: int, box: tuple[slice, slice]) -> Float:
    """:func:`enlarged` by a whole ``factor``, by ``cv2.resize`` of the part that is needed: what
    ``cv2.warpAffine`` gives, in a third of the time."""
    first = [max(one.start // factor - 1, 0) for one in box]
    last = [one.stop // factor + 2 for one in box]  # past the border is the border
    part = picture[first[0] : last[0], first[1] : last[1]]
    size = (part.shape[1] * factor, part.shape[0] * factor)
    whole = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    rows, columns = (
        slice(one.start - factor * start, one.stop - factor * start)
        for one, start in zip(box, first, strict=True)
    )
    return whole[rows, columns]


def _albedo_at_vertices(model: FaceModel) -> tuple[Float, Float]:
    """Mean (V, 3) and basis (A, V, 3) of the albedo at each vertex's first texture coordinate."""
    place = np.zeros((len(model.mean), 2), dtype=np.float32)
    # Assigned backwards, so that the first polygon that uses a vertex decides.
    place[model.polygons.ravel()[::-1]] = texel_coordinates(
        model.uv[model.uv_polygons.ravel()[::-1]], model.albedo_mean.shape[0]
    )
    pictures = [model.albedo_mean, *model.albedo_basis]
    sampled = np.stack([sample(picture.astype(np.float32), place) for picture in pictures])
    return sampled[0], sampled[1:]


def _texel_mm(model: FaceModel, size: int, skin_face: Bool, regions: Regions) -> float:
    """Side in mm of a texel of a size x size texture in the middle of the mean face."""
    points = model.mean[model.faces].astype(np.float64)
    area = np.linalg.norm(
        np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1
    )
    uv = model.uv[model.uv_faces].astype(np.float64) * size
    texels = np.abs(np.linalg.det(uv[:, 1:] - uv[:, :1]))
    middle = skin_face & (regions.core[model.faces].mean(axis=1) > 0.5) & (texels > 0)
    return float(np.median(np.sqrt(area[middle] / texels[middle])))


def _mirror_corners(model: FaceModel, size: int) -> Float:
    """(F, 3, 2) where, in texels, the mirror image of each triangle corner lies.

    The corner is looked up in the mirrored *polygon*, because a vertex on a seam has several
    texture coordinates.  A polygon without a mirror image takes those of the mirror vertices, where
    these lie together in the texture, and else keeps its own.
    """
    mirrored = model.symmetry[model.polygons]
    lookup = {tuple(key): row for row, key in enumerate(np.sort(model.polygons, axis=1).tolist())}
    partner = np.array(
        [lookup.get(tuple(key), -1) for key in np.sort(mirrored, axis=1).tolist()], dtype=np.int64
    )
    same = model.polygons[partner][:, None, :] == mirrored[:, :, None]
    uv_index = np.take_along_axis(model.uv_polygons[partner], same.argmax(axis=2), axis=1)
    uv_index = np.where((partner >= 0)[:, None], uv_index, _mirror_vertices(model, mirrored))
    uv_index = split_polygons(uv_index[model.opaque])
    return texel_coordinates(model.uv[uv_index], size).astype(np.float32)


def _mirror_vertices(model: FaceModel, mirrored: Int) -> Int:
    """(P, C) the first texture coordinates of the ``mirrored`` vertices (P, C), or the own ones."""
    first = np.zeros(len(model.mean), np.int32)
    first[model.polygons.ravel()[::-1]] = model.uv_polygons.ravel()[::-1]
    found = first[mirrored]

    def reach(index: Int) -> Float:
        return np.ptp(model.uv[index], axis=1).max(axis=1)

    together = reach(found) < 6 * reach(model.uv_polygons) + 1e-3
    return np.where(together[:, None], found, model.uv_polygons)


def _regions(model: FaceModel, skin: Bool) -> Regions:
    points = model.mean[model.landmarks68]
    brow_y = points[17:27, 1].mean()
    height = brow_y - points[8, 1]
    x, y, z = model.mean.T
    front_z = points[27, 2]  # the bridge of the nose

    def near(ids: NDArray, reach: float) -> Float:
        gap = np.linalg.norm(model.mean[:, None] - points[ids][None], axis=2).min(axis=1)
        return 1 - smoothstep(0.6 * reach, 1.4 * reach, gap)

    core = np.maximum(near(_LANDMARKS_INNER, 0.18 * height), near(_LANDMARKS_CHIN, 0.15 * height))
    believed = np.maximum(core, near(_LANDMARKS_INNER, 0.28 * height)) * (1 - _ears(model, height))
    back = (front_z - z) / height
    scalp = _scalp(model, (y - brow_y) / height, back) * (1 - _ears(model, height)) * skin
    forehead = smoothstep(-0.05, 0.1, (y - brow_y) / height) * (1 - smoothstep(0.35, 0.5, back))
    forehead *= (1 - scalp) * skin
    bare = skin * (1 - scalp)
    for name in ("lips", "brows", "lids"):
        if name in model.mask_names:
            bare = bare * (1 - model.mask(name))
    # Hair may come down over the forehead and temples, not over ears, neck and mid-face.
    gap = cKDTree(model.mean[scalp > 0.5]).query(model.mean)[0] if (scalp > 0.5).any() else y * 0
    hairable = (1 - smoothstep(0.25, 0.5, gap / height)) * (1 - core) * (1 - _ears(model, height))
    if "neck" in model.mask_names:
        off_neck = 1 - model.mask("neck")
        core, hairable, believed = core * off_neck, hairable * off_neck, believed * off_neck
    sure = near(_LANDMARKS_MIDDLE, 0.18 * height) * core * bare
    # Above the eyes' corners a fringe may hang.
    sure *= 1 - smoothstep(-0.15, 0.0, (y - brow_y) / height)
    return Regions(
        core=(core * skin).astype(np.float32),
        believed=(believed * skin).astype(np.float32),
        sure=sure.astype(np.float32),
        forehead=forehead.astype(np.float32),
        scalp=scalp.astype(np.float32),
        hairable=np.maximum(hairable * skin, scalp).astype(np.float32),
        overhung=(
            np.maximum(smoothstep(-0.3, -0.15, (y - brow_y) / height), hairable) * skin
        ).astype(np.float32),
        bare_skin=bare.astype(np.float32),
    )


def _scalp(model: FaceModel, up: NDArray, back: NDArray) -> Float:
    """(V,) 1 where hair grows: the model's mask, or above a hairline in parts of the face's height
    (``up`` from the brows, ``back`` from the bridge of the nose)."""
    if "scalp" in model.mask_names:
        return model.mask("scalp")
    # Half a face above the brows in front, the ears' level at the temples, the nape's behind.
    depth = [0.0, 0.25, 0.55, 0.75, 0.95, 1.15, 1.45]
    hairline = np.interp(back, depth, [0.62, 0.55, 0.30, 0.05, 0.02, -0.35, -0.75])
    return smoothstep(-0.06, 0.10, up - hairline)


def _small_scalp(model: FaceModel, small: Atlas, regions: Regions) -> Float:
    """The scalp at the small atlas's texels, the gutter included (the model's mask has none)."""
    out = np.zeros(small.face_id.shape, dtype=np.float32)
    face, weights = small.face_id[small.mask], small.barycentric[small.mask]
    values = interpolate_texels(regions.scalp[:, None], model.faces, face, weights)
    out[small.mask] = values[:, 0]
    if "scalp" in model.mask_names:
        # The mask ends with its island, so along the island's border the vertices speak.
        border = 2 * gutter_of(len(out)) + 3
        kernel = np.ones((border, border), np.uint8)
        inner = cv2.erode(small.mask.astype(np.uint8), kernel) > 0
        out[inner] = model.uv_mask("scalp")[inner]
    # A hairline is no line: soften it by a centimetre, the islands apart from the ground.
    width = len(out) / 64
    ground = cv2.GaussianBlur(small.mask.astype(np.float32), (0, 0), width)
    return np.where(small.mask, cv2.GaussianBlur(out, (0, 0), width) / np.maximum(ground, 1e-3), 0)


def _strands(size: int) -> Float:
    """(size, size) streaks along v, about -1..1: the same every time."""
    noise = np.random.default_rng(7).normal(size=(3, size, size)).astype(np.float32)
    scales = ((0.7, size / 40), (1.5, size / 22), (size / 150, size / 16))
    layers = [
        cv2.GaussianBlur(layer, (0, 0), sigmaX=across, sigmaY=along)
        for layer, (across, along) in zip(noise, scales, strict=True)
    ]
    return np.sum([layer / layer.std() for layer in layers], axis=0) / 4


def _ears(model: FaceModel, height: float) -> Float:
    """(V,) 1 on the ears: the model's mask, or what stands out sideways behind the cheeks."""
    if "ears" in model.mask_names:
        return smoothstep(0.0, 0.5, model.mask("ears"))
    points = model.mean[model.landmarks68]
    x, y, z = model.mean.T
    band = (y < points[17:27, 1].mean() + 0.1 * height) & (y > points[48:68, 1].mean())
    behind = z < points[[0, 16], 2].mean() - 0.02 * height
    out = np.abs(x) > np.abs(points[[0, 16], 0]).mean() * 1.02
    return (band & behind & out).astype(np.float32)


def smoothstep(low: float, high: float | NDArray, value: NDArray) -> Float:
    """0 below ``low``, 1 above ``high``, 3 t^2 - 2 t^3 between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
