"""What a face model's file holds, before what it lacks has been made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Int = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class RawModel:
    """A linear 3D morphable model as its file has it, in this project's units and axes.

    V vertices, F triangles, K identity, E expression and A albedo components.  Vertices are in mm:
    x to the head's left, y up, z forward, the origin where the file has it.  ``vertices = mean +
    identity_basis^T a + expression_basis^T w``: ``a`` in standard deviations; ``w`` in standard
    deviations where the expressions are principal components, else 0 to 1 (blendshapes).

    What is ``None`` the file does not have; :func:`..completing.complete` makes it.
    """

    kind: str  #: for people, as "Basel Face Model 2009 (BFM.mat)"
    mean: Double  #: (V, 3) mean neutral face
    triangles: Int  #: (F, 3) counter-clockwise seen from outside
    identity_basis: Float  #: (K, V, 3) mm per standard deviation
    identity_scale: Double  #: (K,) a standard deviation in the file's own coefficients
    expression_basis: Float  #: (E, V, 3) mm at weight 1
    expression_scale: Double  #: (E,) weight 1 in the file's own coefficients
    expression_names: tuple[str, ...]
    expression_range: Float  #: (E, 2) lowest and highest weight
    albedo_mean: Float | None = None  #: (V, 3) sRGB, 0..1
    albedo_basis: Float | None = None  #: (A, V, 3) sRGB per standard deviation
    albedo_scale: Double | None = None  #: (A,) a standard deviation in the file's own coefficients
    landmarks68: Int | None = None  #: (68,) vertex ids, iBUG order, frontal jaw line
    mouth_triangles: Int | None = None  #: (M, 3) that close the mouth, not part of ``triangles``
    uv: Float | None = None  #: (U, 2) v up
    uv_triangles: Int | None = None  #: (F, 3) into ``uv``
    symmetry: Int | None = None  #: (V,) the mirror vertex of each vertex
    part_names: tuple[str, ...] = ()  #: what the file calls the parts of its mesh, if anything
    part_of_triangle: Int | None = None  #: (F,) index into ``part_names``
    licence: str = ""  #: a sentence for the user: whose terms hold
    files: dict[str, str] = field(default_factory=dict)  #: file name -> SHA-256
    notes: tuple[str, ...] = ()  #: sentences about what was left out or assumed
    extras: dict[str, Any] = field(default_factory=dict)  #: kept in the header as it is
    name: str = "model"  #: what it is imported as, unless the user says otherwise
