"""Where the joints of a head are, told from its mesh and its shape keys.

Metres in the axes of the head object: x to the head's left, z up, the face looks along -y.  Nothing
of the face model is asked for, so imported models and edited heads have joints too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...backend.errors import ModelError
from ...backend.exchange.names import ARKIT, matched
from ..fitted import points_of
from ..shape_keys import editable_keys
from ..vertex_groups import vertices_by_kind

Float = NDArray[np.float64]

SIDES = ("Left", "Right")
#: What ``eyeLook`` is called by, and the turn of the bone it is: about x (up, down), about z.
LOOKS = ("Up", "Down", "In", "Out")
#: Kinds of materials of an eyeball.
EYE_KINDS = ("eye", "iris", "cornea")
#: From the middle between the eyes to the joint of skull and neck, in parts of the distance between
#: the eyes: 1.0 below and 1.35 behind.  The atlas is at the height of the ear lobes and behind the
#: ear canal; on the default model's mean head that is (0, 18, -40) mm.
_ATLAS = np.array([0.0, 1.35, -0.62])
#: Where a mesh has no neck, how far below the atlas the neck's joint is, in the same measure.
_NECK = np.array([0.0, 0.55, -1.6])
#: Smaller displacements of ``jawOpen`` do not tell the jaw from the skull, metres.
_MOVES_M = 0.001


@dataclass(frozen=True)
class Shape:
    """A head's points and what its shape keys add to them; V vertices."""

    basis: Float  #: (V, 3) at rest
    deltas: Mapping[str, Float]  #: (V, 3) by ARKit's name
    keys: Mapping[str, str]  #: ARKit's name, or another shape key's own, to the shape key
    kinds: Mapping[str, NDArray[np.bool_]]  #: (V,) by kind of material, which vertices it has
    edges: NDArray[np.int32]  #: (N, 2)
    border: NDArray[np.bool_]  #: (V,) on an edge of a single polygon

    def part(self, *kinds: str) -> NDArray[np.bool_]:
        """(V,) the vertices of materials of ``kinds``."""
        none = np.zeros(len(self.basis), bool)
        return np.logical_or.reduce([none, *(self.kinds[k] for k in kinds if k in self.kinds)])


@dataclass(frozen=True)
class Joints:
    """Where bones begin, and how far their shape keys go at 1."""

    neck: Float  #: (3,)
    head: Float  #: (3,) the joint of skull and neck
    crown: Float  #: (3,)
    chest: Float | None  #: (3,) a bust's lowest middle; None without one
    jaw: Float  #: (3,) the middle of the hinge
    chin: Float  #: (3,)
    jaw_angle: float  #: radians, of ``jawOpen`` at 1
    jaw_moves: Mapping[str, Float]  #: (3,) m by ``jawLeft``, ``jawRight``, ``jawForward``
    eyes: Mapping[str, Float]  #: (3,) middle of the eyeball by side; empty without eyes
    eye_radius: float
    look_angles: Mapping[str, float]  #: radians at 1 by name of ``eyeLook``


def shape_of(head: bpy.types.Object) -> Shape:
    """The points and shape keys of ``head``.

    Raises :class:`ModelError` where it has none of ARKit's shape keys or they are not to be had.
    """
    mesh = head.data
    assert isinstance(mesh, bpy.types.Mesh)
    blocks = editable_keys(head)
    known = matched(ARKIT, blocks)
    if "jawOpen" not in known:
        raise ModelError(
            f"{head.name} has no shape key jawOpen, which tells where its jaw is; reconstruct it "
            "with ARKit expressions."
        )
    basis = points_of(mesh.shape_keys.key_blocks[0]).astype(np.float64)
    deltas = {
        name: points_of(blocks[own]).astype(np.float64) - basis for name, own in known.items()
    }
    others = {name: name for name in blocks if name not in known.values()}
    edges = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", edges)
    return Shape(
        basis=basis,
        deltas=deltas,
        keys=known | others,
        kinds=vertices_by_kind(mesh),
        edges=edges.reshape(-1, 2),
        border=_border(mesh, edges.reshape(-1, 2)),
    )


def joints_of(shape: Shape, name: str = "The head") -> Joints:
    """The joints of a head of ``shape``; ``name`` is for the sentence of the error.

    Raises :class:`ModelError` where ``jawOpen`` moves nothing as a jaw does.
    """
    eyes, radius = _eyes(shape)
    hinge, angle = _hinge(shape, name)
    chin = _chin(shape, hinge)
    middle, unit = _between_eyes(eyes, hinge, chin)
    skin = shape.part("skin") if shape.part("skin").any() else np.ones(len(shape.basis), bool)
    top = float(shape.basis[skin, 2].max())
    atlas = middle + unit * _ATLAS
    atlas[0] = hinge[0]
    neck = _neck(shape, skin, atlas, chin, unit)
    bust = shape.part("bust")
    chest = None
    if bust.any():
        low = shape.basis[bust]
        chest = np.array([neck[0], neck[1], float(low[:, 2].min())])
    lower = _rigid_part(shape, hinge)
    moves = {
        key: shape.deltas[key][lower].mean(0)
        for key in ("jawLeft", "jawRight", "jawForward")
        if key in shape.deltas
    }
    return Joints(
        neck=neck,
        head=atlas,
        crown=np.array([atlas[0], atlas[1], max(top, atlas[2] + unit)]),
        chest=chest,
        jaw=hinge,
        chin=chin,
        jaw_angle=angle,
        jaw_moves=moves,
        eyes=eyes,
        eye_radius=radius,
        look_angles=_look_angles(shape, eyes),
    )


def turn_of(start: Float, end: Float) -> tuple[Float, Float]:
    """The (3, 3) rotation and (3,) translation that take ``start`` (N, 3) nearest to ``end``
    (Kabsch 1976)."""
    first, second = start.mean(0), end.mean(0)
    u, _, vt = np.linalg.svd((start - first).T @ (end - second))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    turn = vt.T @ flip @ u.T
    return turn, second - turn @ first


def _border(mesh: bpy.types.Mesh, edges: NDArray[np.int32]) -> NDArray[np.bool_]:
    used = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("edge_index", used)
    out = np.zeros(len(mesh.vertices), bool)
    out[edges[np.bincount(used, minlength=len(edges)) == 1]] = True
    return out


def _eyes(shape: Shape) -> tuple[dict[str, Float], float]:
    """The middles of the eyeballs by side, as far as there are any, and their radius."""
    ball = shape.part("eye")
    out, radius = {}, 0.0
    for side, sign in zip(SIDES, (1, -1), strict=True):
        points = shape.basis[ball & (sign * shape.basis[:, 0] > 0)]
        if len(points) < 4:
            return {}, 0.0
        # The sphere through the white: |p|^2 = 2 p.c + (r^2 - |c|^2), least squares.
        system = np.column_stack([2 * points, np.ones(len(points))])
        found, *_ = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)
        out[side] = found[:3]
        radius = float(np.sqrt(found[3] + found[:3] @ found[:3]))
    return out, radius


def _rigid_part(shape: Shape, hinge: Float | None = None) -> NDArray[np.bool_]:
    """(V,) what goes with the jaw as a whole: lower teeth, or without teeth the chin."""
    moves = np.linalg.norm(shape.deltas["jawOpen"], axis=1)
    teeth = shape.part("teeth") & (moves > _MOVES_M)
    if teeth.sum() >= 8:
        return teeth
    return moves > 0.8 * moves.max()


def _hinge(shape: Shape, name: str) -> tuple[Float, float]:
    """The middle of the axis that the jaw turns about, and the angle at 1."""
    part = _rigid_part(shape)
    start = shape.basis[part]
    turn, shift = turn_of(start, start + shape.deltas["jawOpen"][part])
    angle = float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    # About x, downwards: y (backwards) grows as z falls in front of the hinge.
    if angle < 0.05 or turn[2, 1] < 0.02:
        raise ModelError(f"The shape key jawOpen of {name} does not turn a jaw; it was edited.")
    # The axis is nearly x: in its plane the hinge is what the turn leaves where it is.
    plane = np.ix_((1, 2), (1, 2))
    y, z = np.linalg.solve(np.eye(2) - turn[plane], shift[1:])
    return np.array([0.0, y, z]), angle


def _chin(shape: Shape, hinge: Float) -> Float:
    """The foremost point of the skin's lower end that goes with the jaw."""
    moves = np.linalg.norm(shape.deltas["jawOpen"], axis=1)
    skin = shape.part("skin") if shape.part("skin").any() else np.ones(len(moves), bool)
    near = skin & (moves > 0.7 * moves[skin].max())
    points = shape.basis[near]
    lowest = points[points[:, 2] < np.quantile(points[:, 2], 0.3)]
    front = lowest[lowest[:, 1].argmin()]
    return np.array([hinge[0], front[1], front[2]])


def _between_eyes(eyes: Mapping[str, Float], hinge: Float, chin: Float) -> tuple[Float, float]:
    """The middle between the eyes and their distance, or what jaw and chin say of these."""
    if eyes:
        left, right = (eyes[side] for side in SIDES)
        return (left + right) / 2, float(np.linalg.norm(left - right))
    # On the default model's mean head hinge to chin is 1.7 times the distance between the eyes.
    unit = float(np.linalg.norm(chin - hinge)) / 1.7
    return hinge + unit * np.array([0.0, -0.95, 0.75]), unit


def _neck(shape: Shape, skin: NDArray[np.bool_], atlas: Float, chin: Float, unit: float) -> Float:
    """The middle of the neck's lower end, a little behind it, as the spine is."""
    ring = shape.border & skin
    bust = shape.part("bust")
    if bust.any():
        ring = skin & bust
    if ring.any():
        points = shape.basis[ring]
        low = points[points[:, 2] < chin[2]]
        if len(low) >= 8:
            middle = (low.min(0) + low.max(0)) / 2
            back = low[:, 1].max()
            return np.array([atlas[0], (middle[1] + back) / 2, middle[2]])
    return atlas + unit * _NECK


def _look_angles(shape: Shape, eyes: Mapping[str, Float]) -> dict[str, float]:
    out = {}
    for side in eyes:
        sign = 1 if side == "Left" else -1
        ball = shape.part(*EYE_KINDS) & (sign * shape.basis[:, 0] > 0)
        for look in LOOKS:
            name = f"eyeLook{look}{side}"
            if name in shape.deltas:
                start = shape.basis[ball]
                turn, _ = turn_of(start, start + shape.deltas[name][ball])
                angle = float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
                if angle > 0.02:
                    out[name] = angle
    return out
