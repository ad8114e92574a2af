"""Puts eyes of people's size and shape into the finished head, in place of the plain eyeballs.

It is a last step, as with the teeth: the plain eyeballs take part in all others, so that all
coefficients mean what they meant before.  The order of the other vertices stays; the eyes, right
then left, follow at the end, and their corneas' polygons last of all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from .albedo import AlbedoModel
from .expression import GAZE_DEGREES, gaze_rotation
from .eye_shape import GLOBE_RADIUS, UV_LIMBUS, UV_PUPIL, UV_RIM, UV_SIDE, EyeMesh, eye_mesh
from .head_mesh import MATERIALS, HeadTopology
from .lid_fit import BACK, CENTER, SEAM, globes, moulded, moved_on_globe
from .raster import rasterise
from .regions import MASK_NAMES, smooth_step
from .uv_layout import UvLayout

if TYPE_CHECKING:
    from .assembly import FaceModel

PARTS = ("eye_right", "eye_left")
ISLANDS = {
    "eye": (0.922, 0.922, 0.07),
    "back": (0.808, 0.983, 0.008),
    "cornea": (0.831, 0.981, 0.009),
}
"""Island -> (u, v, radius) of the left eye's; the right eye's is its mirror image."""
LOOK_STRETCH = 0.0194
"""Share by which an eye that looks aside by 28 degrees is too wide across the axis that it turns
about: half-way, the straight path of a shape key then leaves it as much too narrow, which would be
3 % otherwise.  Smaller turns need less, by the square."""
LIMBUS_TINT = np.array([0.62, 0.66, 0.70])
"""Factor on the white at the limbus, where the iris shines through it: a soft passage."""
WET_TINT = np.array([0.98, 0.72, 0.70])
"""Factor on the skin of the lids' inner margins and the caruncle, which are pink."""
PUPIL = 0.006
"""Linear grey of the cup behind the pupil."""
PLAIN_IRIS, WHITE_FROM = (2.35, 5.65), 6.3
"""mm from the axis of the plain eyeball: where it is all iris, and from where it is all white."""
PLAIN_STEP = np.radians(0.5)


def with_eyes(model: FaceModel) -> FaceModel:
    """The model with true eyes and lids that lie on them."""
    eye = eye_mesh()
    old = model.topology
    kept = np.flatnonzero(~np.isin(old.part, PARTS))
    stays = ~np.isin(old.polygon_part, PARTS)
    lids = _Lids(model)
    mean = model.mean + lids.mean
    motion = lids.globes
    # In a unit of the globe's size, about its middle, so that it also scales.
    basis = motion.shift[:, None] + motion.scale[:, None, None] * eye.vertices
    signs = np.where(model.identity.symmetric, 1.0, -1.0)[:, None, None]
    both = np.concatenate([signs * _mirrored(basis), basis], axis=1)
    shapes = [_looks(name, eye) for name in model.expression_names]
    place = np.array(CENTER) + eye.vertices
    topology, order = _topology(old, kept, stays, eye)
    layout = _layout(model.layout, stays, eye, order)
    kinds = np.concatenate([np.tile(eye.kind, 2)])[order]
    material = np.array([MATERIALS.index(kind) for kind in kinds.tolist()], np.uint8)
    masks = np.array([_vertex_mask(eye, name) for name in MASK_NAMES])
    albedo, uv_masks = _textures(model, layout, stays, kinds)
    anatomy = replace(
        model.anatomy,
        eye_centers=np.array([CENTER * np.array([-1, 1, 1]), CENTER]),
        eye_radius=GLOBE_RADIUS,
    )
    return replace(
        model,
        topology=topology,
        mean=np.concatenate([mean[kept], _mirrored(place), place]),
        identity=replace(
            model.identity,
            basis=np.concatenate([(model.identity.basis + lids.identity)[:, kept], both], axis=1),
        ),
        expression_basis=np.concatenate(
            [(model.expression_basis + lids.expressions)[:, kept], np.stack(shapes)], axis=1
        ),
        layout=layout,
        polygon_material=np.concatenate([model.polygon_material[stays], material]),
        vertex_masks=np.concatenate([model.vertex_masks[:, kept], masks, masks], axis=1),
        uv_masks=uv_masks,
        albedo=albedo,
        anatomy=anatomy,
    )


class _Lids:
    """What is to be added to the head's fields so that its lids lie on the new globes.

    Attributes:
        mean: (V, 3), identity: (K, V, 3), expressions: (E, V, 3) mm.
        globes: how the left globe moves.
    """

    def __init__(self, model: FaceModel) -> None:
        right, left = model.lid_rings
        lids = model.mean[left]
        moved = moulded(lids)
        self.mean = np.zeros_like(model.mean)
        self.mean[left], self.mean[right] = moved, _mirrored(moved)
        lids = lids + moved
        self.globes, change = globes(lids, model.identity.basis[:, left])
        signs = np.where(model.identity.symmetric, 1.0, -1.0)[:, None, None, None]
        self.identity = np.zeros_like(model.identity.basis)
        self.identity[:, left], self.identity[:, right] = change, signs * _mirrored(change)
        self.expressions = np.zeros_like(model.expression_basis)
        names = model.expression_names
        for number, name in enumerate(names):
            if name.endswith("Right"):
                continue
            sides = (left,) if name.endswith("Left") else (left, right)
            turn = gaze_rotation(name) if _is_look(name) else None
            shape = model.expression_basis[number]
            change = moved_on_globe(lids, shape[left], turn)
            self.expressions[number, left] = change
            partner = number
            if len(sides) == 1:
                partner = names.index(name.removesuffix("Left") + "Right")
            self.expressions[partner, right] = _mirrored(change)


def _mirrored(field: np.ndarray) -> np.ndarray:
    return field * np.array([-1.0, 1.0, 1.0])


def _is_look(name: str) -> bool:
    return any(action in name for action in GAZE_DEGREES)


def _looks(name: str, eye: EyeMesh) -> np.ndarray:
    """(2 N, 3) mm: the turn of the eye that an ``eyeLook...`` shape turns."""
    still = np.zeros((2 * len(eye.vertices), 3))
    if not _is_look(name):
        return still
    turn = gaze_rotation(name)
    axis = np.array([[1.0, 0, 0]] if abs(turn[1, 2]) > 1e-9 else [[0, 1.0, 0]])
    degrees = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    wider = 1 + LOOK_STRETCH * (degrees / 28) ** 2
    along = axis.T @ axis
    turn = turn @ (wider * (np.eye(3) - along) + along)
    left = name.endswith("Left")
    points = eye.vertices if left else _mirrored(eye.vertices)
    half = slice(len(points), None) if left else slice(None, len(points))
    still[half] = points @ turn.T - points
    return still


def _vertex_mask(eye: EyeMesh, name: str) -> np.ndarray:
    """(N,) the mask ``name``; the cornea belongs to none."""
    if name == "iris":
        return eye.of_iris.astype(float)
    white = np.zeros(len(eye.vertices))
    if name == "sclera":
        white[eye.quads[eye.kind == "eye"]] = 1.0
    return white


def _topology(
    old: HeadTopology, kept: np.ndarray, stays: np.ndarray, eye: EyeMesh
) -> tuple[HeadTopology, np.ndarray]:
    """The head with the new eyes, and the order of both eyes' polygons, corneas last."""
    lookup = np.full(len(old.part), -1)
    lookup[kept] = np.arange(len(kept))
    count = len(eye.vertices)
    quads = np.concatenate([eye.quads[:, ::-1], eye.quads + count]) + len(kept)
    order = np.argsort(np.tile(eye.kind == "cornea", 2), kind="stable")
    numbers = len(kept) + np.arange(count)
    polygons = np.concatenate([lookup[old.polygons[stays]], quads[order]])
    source = np.concatenate([old.source_index[kept], np.full(2 * count, -1)])
    no_source = np.full(quads.shape, -1)
    topology = replace(
        old,
        source_index=source.astype(np.int32),
        polygons=polygons.astype(np.int32),
        part=np.concatenate([old.part[kept], np.repeat(PARTS, count)]),
        polygon_part=np.concatenate(
            [old.polygon_part[stays], np.repeat(PARTS, len(eye.quads))[order]]
        ),
        source_uv_polygons=np.concatenate([old.source_uv_polygons[stays], no_source]).astype(
            np.int32
        ),
        symmetry=np.concatenate([lookup[old.symmetry[kept]], numbers + count, numbers]).astype(
            np.int32
        ),
        neck_loop=lookup[old.neck_loop].astype(np.int32),
    )
    return topology, order


def _layout(old: UvLayout, stays: np.ndarray, eye: EyeMesh, order: np.ndarray) -> UvLayout:
    used, local = np.unique(old.polygons[stays], return_inverse=True)
    uv = np.empty_like(eye.uv)
    for name, (u, v, radius) in ISLANDS.items():
        mine = np.unique(eye.uv_quads[eye.island == name])
        uv[mine] = eye.uv[mine] * radius + [u, v]
    quads = np.concatenate([eye.uv_quads[:, ::-1], eye.uv_quads + len(uv)]) + len(used)
    names = np.char.add(np.tile(eye.island, 2), np.repeat(["_right", "_left"], len(eye.island)))
    return UvLayout(
        np.concatenate([old.uv[used], uv * [-1, 1] + [1, 0], uv]),
        np.concatenate([local.reshape(-1, 4), quads[order]]).astype(np.int32),
        np.concatenate([old.island[stays], names[order]]),
    )


def _textures(
    model: FaceModel, layout: UvLayout, stays: np.ndarray, kinds: np.ndarray
) -> tuple[AlbedoModel, np.ndarray]:
    """Albedo and (M, S, S) masks: iris and white take the plain eyeball's colours."""
    size = model.albedo.mean.shape[0]
    texels = rasterise(layout.uv, layout.polygons, size)
    if texels.overlaps > model.uv_overlaps:
        raise ValueError(f"the eyes cover {texels.overlaps} texels twice")
    covered, new = texels.polygon >= 0, texels.polygon >= stays.sum()
    kind = np.full(covered.shape, "skin", "<U6")
    kind[new] = kinds[texels.polygon[new] - stays.sum()]
    mean, basis = model.albedo.mean.copy(), model.albedo.basis.copy()
    u, v, radius = ISLANDS["eye"]
    centre = np.array([[1 - u, v], [u, v]])
    row, column = np.nonzero(new)
    at = np.column_stack([column + 0.5, size - row - 0.5]) / size
    arm = (at - centre[(at[:, 0] > 0.5).astype(int)]) / radius
    far = np.linalg.norm(arm, axis=1)
    iris = kind[new] == "iris"
    # On the plain eyeball: mm from the axis on the iris, radians from it on the white.
    mm = np.interp(far, [UV_PUPIL, UV_RIM], PLAIN_IRIS)
    limbus = np.arcsin(WHITE_FROM / model.anatomy.eye_radius)
    angle = limbus + np.interp(far, [UV_LIMBUS, UV_SIDE], [0, np.pi / 4])
    plain = np.where(iris, np.arcsin(mm / model.anatomy.eye_radius), angle)
    angles, mean_there, basis_there = _plain_eye(model)
    for channel in range(3):
        mean[row, column, channel] = np.interp(plain, angles, mean_there[:, channel])
        for plane, there in zip(basis, basis_there, strict=True):
            plane[row, column, channel] = np.interp(plain, angles, there[:, channel])
    pupil = iris & (far < UV_PUPIL)
    mean[row[pupil], column[pupil]] = PUPIL
    basis[:, row[pupil], column[pupil]] = 0.0
    soft = smooth_step(far - UV_LIMBUS, 0.0, 0.035)[:, None]
    tint = np.where((kind[new] == "eye")[:, None], soft + (1 - soft) * LIMBUS_TINT, 1.0)
    mean[row, column] *= tint
    basis[:, row, column] *= tint
    wet = np.ones((len(model.mean), 3))
    wet[model.lid_rings[:, SEAM : BACK + 1]] = WET_TINT
    skin = covered & ~new
    rows = np.flatnonzero(stays)
    polygons = np.concatenate([model.topology.polygons[rows], np.zeros_like(layout.polygons)])
    margin = texels.sample(wet, polygons)[skin[covered]]
    mean[skin] *= margin
    basis[:, skin] *= margin
    nearest = tuple(distance_transform_edt(~covered, return_distances=False, return_indices=True))
    masks = np.where(covered, model.uv_masks, 0.0)
    for plane, name in zip(masks, MASK_NAMES, strict=True):
        plane[new] = kind[new] == {"sclera": "eye"}.get(name, name)
    return AlbedoModel(
        mean[nearest], basis[:, nearest[0], nearest[1]], model.albedo.variance_share
    ), masks


def _plain_eye(model: FaceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is painted on the front of the plain eyeballs, which is round about the axis.

    Returns:
        (N,) radians from the axis, rising; (N, 3) the mean's and (A, N, 3) the basis' colours.
    """
    texels = rasterise(model.layout.uv, model.layout.polygons, model.albedo.mean.shape[0])
    covered = texels.polygon >= 0
    part = model.topology.polygon_part[texels.polygon[covered]]
    eye = np.isin(part, PARTS)
    arms = texels.sample(model.mean, model.topology.polygons)[eye]
    arms -= model.anatomy.eye_centers[(part[eye] == PARTS[1]).astype(int)]
    angle = np.arccos(arms[:, 2] / np.linalg.norm(arms, axis=1))
    row, column = np.argwhere(covered)[eye].T
    which = np.round(angle / PLAIN_STEP).astype(int)
    count = np.bincount(which)
    bins = np.flatnonzero(count)
    front = bins[bins * PLAIN_STEP < np.pi / 2]

    def mean_of(colours: np.ndarray) -> np.ndarray:
        sums = [np.bincount(which, colours[row, column, channel]) for channel in range(3)]
        return np.stack(sums, axis=1)[front] / count[front, None]

    basis = np.stack([mean_of(plane) for plane in model.albedo.basis])
    return front * PLAIN_STEP, mean_of(model.albedo.mean), basis
