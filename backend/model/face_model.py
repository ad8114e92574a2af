"""A linear 3D morphable model (Blanz and Vetter 1999) with named expression blendshapes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..arrays import Member, check_arrays, check_range
from ..bounded import Damaged
from ..exchange.reconstruction import opaque

Float = NDArray[np.float32]
Int = NDArray[np.int32]

#: What the arrays have to be; axes as in :class:`FaceModel`, and N edges, J candidates of a jaw
#: landmark, S texels of the masks' sides, L vertices of a ring around an eye, B of one around
#: the mouth.
ARRAYS = {
    "mean": Member("f4", ("V", 3)),
    "identity_basis": Member("f4", ("K", "V", 3)),
    "expression_basis": Member("f4", ("E", "V", 3)),
    "expression_range": Member("f4", ("E", 2)),
    "polygons": Member("i4", ("P", "C")),
    "polygon_material": Member("u1", ("P",)),
    "uv": Member("f4", ("U", 2)),
    "uv_polygons": Member("i4", ("P", "C")),
    "symmetry": Member("i4", ("V",)),
    "edges": Member("i4", ("N", 2)),
    "landmarks68": Member("i4", (68,)),
    "landmarks68_triangles": Member("i4", (68, 3)),
    "landmarks68_barycentric": Member("f4", (68, 3)),
    "contour_candidates": Member("i4", (17, "J")),
    "albedo_mean": Member("f4", ("T", "T", 3)),
    "albedo_basis": Member("f4", ("A", "T", "T", 3)),
    "vertex_masks": Member("u1", ("M", "V")),
    "uv_masks": Member("u1", ("M", "S", "S")),
    "eye_centers": Member("f4", (2, 3)),
    "lid_rings": Member("i4", (2, 14, "L"), optional=True),
    "lip_rings": Member("i4", (11, "B"), optional=True),
}

#: Materials of an eye's parts.
EYE_KINDS = ("eye", "iris", "cornea")


@dataclass(frozen=True, eq=False)
class FaceModel:
    """V vertices, K identity and E expression components, P polygons, A albedo components.

    Vertices are in mm: x to the head's left, y up, z forward.  ``vertices = mean +
    identity_basis^T a + expression_basis^T w`` with ``a`` in standard deviations and ``w`` in the
    units of ``expression_range``.
    """

    name: str
    mean: Float  #: (V, 3)
    identity_basis: Float  #: (K, V, 3) mm per standard deviation
    expression_basis: Float  #: (E, V, 3) mm at weight 1
    expression_names: tuple[str, ...]
    expression_range: Float  #: (E, 2)
    polygons: Int  #: (P, 3 | 4) outward counter-clockwise
    polygon_material: NDArray[np.uint8]  #: (P,)
    material_kinds: tuple[str, ...]  #: skin, eye (the white), iris, cornea, teeth, tongue, mouth
    uv: Float  #: (U, 2) v up
    uv_polygons: Int  #: (P, 3 | 4)
    symmetry: Int  #: (V,) the mirror vertex of each vertex
    edges: Int  #: (N, 2)
    landmarks68: Int  #: (68,) vertex ids, iBUG order
    landmarks68_triangles: Int  #: (68, 3) vertex ids
    landmarks68_barycentric: Float  #: (68, 3)
    contour_candidates: Int  #: (17, C) vertex ids per jaw landmark, padded with -1
    albedo_mean: Float  #: (T, T, 3) linear-light RGB, row 0 at v = 1
    albedo_basis: NDArray[np.floating]  #: (A, T, T, 3), of the default model float16
    mask_names: tuple[str, ...]
    vertex_masks: NDArray[np.uint8]  #: (M, V) 0..255
    uv_masks: NDArray[np.uint8]  #: (M, T, T) 0..255
    eye_centers: Float  #: (2, 3) right, left, of the mean head
    eye_radius: float
    header: dict[str, Any]  #: the asset's header: version, licence, units, sha256
    #: (2, 14, L) vertex ids of the right and the left lids, in rings from behind them outwards,
    #: each from the inner corner over the upper lid and back over the lower one
    lid_rings: Int | None = None
    #: (11, B) vertex ids of the lips in rings from behind them outwards, each from the right corner
    #: over the upper lip to the left one and back over the lower one
    lip_rings: Int | None = None

    def check(self) -> None:
        """Raise :class:`..bounded.Damaged` naming the first array that does not fit the others."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        arrays = {name: array for name, array in arrays.items() if array is not None}
        lengths = check_arrays(arrays, ARRAYS)
        if lengths["C"] not in (3, 4):
            raise Damaged(f"'polygons' has shape {self.polygons.shape}, not of 3 or 4 corners")
        for name, axis in (("expression_names", "E"), ("mask_names", "M")):
            if len(getattr(self, name)) != lengths[axis]:
                raise Damaged(f"'{name}' has {len(getattr(self, name))} names, not {lengths[axis]}")
        if min(lengths[axis] for axis in "VKEPUTS") < 1:
            raise Damaged("it has an array of nothing")
        for name in (
            "polygons", "symmetry", "edges", "landmarks68", "landmarks68_triangles",
        ):  # fmt: skip
            check_range(name, getattr(self, name), lengths["V"])
        if self.lid_rings is not None:
            if lengths["L"] % 2:
                raise Damaged("'lid_rings' has not as many vertices above as below")
            check_range("lid_rings", self.lid_rings, lengths["V"])
        if self.lip_rings is not None:
            if lengths["B"] < 4:
                raise Damaged("'lip_rings' has no two lips")
            check_range("lip_rings", self.lip_rings, lengths["V"])
        check_range("contour_candidates", self.contour_candidates, lengths["V"], first=-1)
        check_range("uv_polygons", self.uv_polygons, lengths["U"])
        check_range("polygon_material", self.polygon_material, len(self.material_kinds))
        if not 0 < self.eye_radius < np.inf:
            raise Damaged(f"'eye_radius' is {self.eye_radius}")

    @cached_property
    def faces(self) -> Int:
        """(F, 3) the opaque polygons split into triangles, ``polygon_of_face`` telling from which.

        A cornea has none: whatever looks at the head sees the iris.
        """
        return split_polygons(self.polygons[self.opaque])

    @cached_property
    def uv_faces(self) -> Int:
        """(F, 3) the texture coordinates of :attr:`faces`."""
        return split_polygons(self.uv_polygons[self.opaque])

    @cached_property
    def polygon_of_face(self) -> Int:
        """(F,) the polygon each triangle comes from."""
        which = np.flatnonzero(self.opaque).astype(np.int32)
        return np.repeat(which, self.polygons.shape[1] - 2)

    @cached_property
    def opaque(self) -> NDArray[np.bool_]:
        """(P,) the polygons that hide what is behind them."""
        return opaque(self.polygon_material, self.material_kinds)

    @cached_property
    def eyeballs(self) -> list[NDArray[np.intp]]:
        """Vertex ids of all of the right (x < 0) and the left eye; empty where there is none."""
        found = self.of_kind(*EYE_KINDS)
        return found if len(found[0]) + len(found[1]) else []

    @cached_property
    def globes(self) -> list[NDArray[np.intp]]:
        """The same of the eyes' whites, which lie on spheres: :func:`fit_sphere` places them."""
        found = self.of_kind("eye")
        return found if len(found[0]) + len(found[1]) else []

    def of_kind(self, *kinds: str) -> list[NDArray[np.intp]]:
        """Vertex ids of the parts of these ``kinds`` on the right (x < 0) and the left side."""
        mine = np.array([kind in kinds for kind in self.material_kinds])[self.polygon_material]
        ids = np.unique(self.polygons[mine])
        side = self.mean[ids, 0] > 0
        return [ids[~side], ids[side]]

    def vertices(self, identity: NDArray, expression: NDArray | None = None) -> Float:
        """(V, 3) float32 mm in head coordinates; coefficients may be fewer than the basis."""
        shape = self.mean + mixed(identity, self.identity_basis)
        if expression is not None:
            shape += mixed(expression, self.expression_basis)
        return shape.astype(np.float32, copy=False)

    def albedo(self, coefficients: NDArray) -> Float:
        """(T, T, 3) linear-light RGB in [0.002, 1] for ``coefficients`` (A,) in std. deviations."""
        texture = self.albedo_mean.astype(np.float32)
        # One by one: numpy would copy the whole basis in the coefficients' precision.
        for weight, component in zip(coefficients, self.albedo_basis, strict=False):
            texture += component.astype(np.float32) * np.float32(weight)
        return np.clip(texture, 0.002, 1.0, out=texture)

    def mask(self, name: str) -> Float:
        """(V,) the vertex mask ``name`` as 0..1."""
        return self.vertex_masks[self.mask_names.index(name)].astype(np.float32) / 255.0

    def uv_mask(self, name: str) -> Float:
        """(T, T) the UV mask ``name`` as 0..1."""
        return self.uv_masks[self.mask_names.index(name)].astype(np.float32) / 255.0


_ORIGINS: WeakKeyDictionary[FaceModel, str] = WeakKeyDictionary()


def came_from(model: FaceModel, digest: str) -> None:
    """Note that ``model`` is, unchanged, what the file of this ``digest`` holds."""
    _ORIGINS[model] = digest


def origin_of(model: FaceModel) -> str | None:
    """The digest that :func:`came_from` noted; None for a model that was made of another one, which
    has the header of that."""
    return _ORIGINS.get(model)


def fit_sphere(points: NDArray) -> tuple[NDArray[np.float64], float]:
    """Centre (3,) and radius of the sphere through ``points`` (N, 3), by linear least squares.

    Exact for any part of a sphere: an eye's white lacks its front.
    """
    points = np.asarray(points, np.float64)
    start = points.mean(axis=0)
    around = points - start
    rows = np.c_[2 * around, np.ones(len(around))]
    found = np.linalg.lstsq(rows, (around**2).sum(axis=1), rcond=None)[0]
    return start + found[:3], float(np.sqrt(max(found[3] + found[:3] @ found[:3], 0)))


def mixed(coefficients: NDArray, basis: Float) -> Float:
    """(V, 3) the sum of coefficients times the first modes of ``basis`` (K, V, 3).

    In float32 whatever the coefficients are: else numpy would copy the basis, which takes longer
    than the sum.
    """
    used = basis[: len(coefficients)].reshape(len(coefficients), -1)
    return (np.asarray(coefficients, np.float32) @ used).reshape(-1, 3)


def split_polygons(polygons: Int) -> Int:
    """(P, 3 | 4) polygons as (F, 3) triangles, fanned from the first corner, in order."""
    if polygons.shape[1] == 3:
        return polygons
    fan = polygons[:, [0, 1, 2, 0, 2, 3]]
    return np.ascontiguousarray(fan.reshape(-1, 3))
