"""Drawn pictures of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from reconstruct_face.backend.align.teeth import INNER_LIPS
from reconstruct_face.backend.geometry.camera import Camera
from reconstruct_face.backend.geometry.triangles import vertex_normals
from reconstruct_face.backend.model import FaceModel
from reconstruct_face.backend.model.contour import landmark_points
from reconstruct_face.backend.model.sampling import sample_expression, sample_identity
from reconstruct_face.backend.raster import occluded, rasterize
from reconstruct_face.backend.training.synthetic.assembly import Assembly, assemble
from reconstruct_face.backend.training.synthetic.background import sample_background
from reconstruct_face.backend.training.synthetic.develop import Development, developed
from reconstruct_face.backend.training.synthetic.light import sample_light
from reconstruct_face.backend.training.synthetic.picture import compose
from reconstruct_face.backend.training.synthetic.props import Prop, sample_props
from reconstruct_face.backend.training.synthetic.scene import Scene, Shot
from reconstruct_face.backend.training.synthetic.skin import sample_skin
from reconstruct_face.backend.training.synthetic.view import detected_marks, sample_view

Array = np.ndarray

#: Pixels of a picture along a side.
SIZE = 384
#: Of the focal length that crops the face: for the whole head, and for a large mouth.
WHOLE_HEAD, NEAR = 0.75, 1.4
#: mm over the scalp within which hair covers it, and mm under it from which on it is looked for.
HAIR_MM, UNDER_MM = 60.0, 4.0
#: Height of the inner lips' opening over its width, from which on a mouth is open.
PARTED = 0.05
#: What hides more than can be guessed.
COVERS = ("hat", "mask", "hand", "blob")
#: A camera that leaves colours alone: a little blur and noise, and a good JPEG.
CAMERA = Development(
    blur=0.6,
    streak=(0.0, 0.0),
    small=SIZE,
    scaling=(0, 0),
    balance=(1.0, 1.0, 1.0),
    vignette=(0.0, 0.0, 0.0),
    noise=0.004,
    noise_cells=SIZE,
    noise_grey=False,
    reach=1.5,
    knee=0.0,
    contrast=0.0,
    black=0.0,
    white=1.0,
    saturation=1.0,
    sepia=False,
    quality=92,
)


@dataclass(frozen=True, eq=False)
class Example:
    """A drawn picture and what is true of it."""

    pixels: Array  #: (SIZE, SIZE, 3) uint8 sRGB
    camera: Camera
    identity: Array  #: (K,)
    expression: Array  #: (E,)
    vertices: Array  #: (V, 3) mm, posed
    albedo: Array  #: (256, 256, 3) linear, in the model's UV layout
    covered: Array  #: (V,) True under hair
    hair: Array | None  #: (3,) mean linear albedo of the hair, if any
    marks: Array  #: (68, 2) pixels, the true landmarks
    detected: Array  #: (68, 2) the same with dlib's errors
    spread: float  #: of dlib's votes
    teeth: float  #: 0..1 of the pixels between the lips that show teeth


def draw(model: FaceModel, seed: tuple[int, ...], open_mouth: bool = False) -> Example:
    """A random head with hair, beard and glasses at most; ``open_mouth``: with parted lips."""
    rng = np.random.default_rng(seed)
    identity, expression = sample_identity(model, rng), sample_expression(model, rng)
    vertices = model.vertices(identity, expression)
    while open_mouth and _opening(landmark_points(model, vertices, model.landmarks68)) < PARTED:
        expression = sample_expression(model, rng)
        vertices = model.vertices(identity, expression)
    skin = sample_skin(model, rng)
    props = sample_props(model, vertices, rng, skin.tone)
    while any(prop.kind in COVERS for prop in props):
        props = sample_props(model, vertices, rng, skin.tone)
    seen = sample_view(model, vertices, SIZE, rng)
    camera = _zoomed(seen.camera, NEAR if open_mouth else WHOLE_HEAD)
    seen = replace(seen, camera=camera)
    lamps = sample_light(camera.rotation, rng, skin.tone)
    shot = Shot(seen, lamps, bool(rng.random() < 0.6), CAMERA, np.empty(0, np.float32))
    scene = Scene(assemble(model, vertices, props), skin, sample_background(SIZE, rng), (shot,))
    pixels = developed(compose(model, scene, shot, rng), CAMERA, rng)
    ids = model.landmarks68.copy()
    ids[:17] = seen.jaw
    points = landmark_points(model, vertices, ids)
    marks = camera.project(points)
    detected, spread = detected_marks(camera, points, marks, rng)
    covered, tone = _hair(model, vertices, props)
    return Example(
        pixels,
        camera,
        identity,
        expression,
        vertices,
        skin.texture,
        covered,
        tone,
        marks,
        detected,
        spread,
        _teeth(model, scene.mesh, camera, marks),
    )


def _opening(marks: Array) -> float:
    """Height of the inner lips' opening over its width, as :func:`visible_teeth` takes them."""
    inner = marks[INNER_LIPS]
    height = np.linalg.norm(inner[[1, 2, 3]] - inner[[7, 6, 5]], axis=1).mean()
    return float(height / np.linalg.norm(inner[4] - inner[0]))


def _zoomed(camera: Camera, factor: float) -> Camera:
    matrix = camera.camera_matrix.copy()
    matrix[[0, 1], [0, 1]] *= factor
    return replace(camera, camera_matrix=matrix)


def _hair(model: FaceModel, vertices: Array, props: list[Prop]) -> tuple[Array, Array | None]:
    """(V,) True where a ray out of the head meets hair; and the hair's mean colour."""
    meshes = [prop for prop in props if prop.kind == "hair"]
    if not meshes:
        return np.zeros(len(vertices), bool), None
    normals = vertex_normals(vertices, model.faces)
    start, end = vertices - UNDER_MM * normals, vertices + HAIR_MM * normals
    covered = [occluded(start, prop.vertices, prop.faces, end, 0.0) for prop in meshes]
    colours = np.concatenate([prop.colours[prop.faces].mean(axis=1) for prop in meshes])
    return np.any(covered, axis=0), colours.mean(axis=0)


def _teeth(model: FaceModel, mesh: Assembly, camera: Camera, marks: Array) -> float:
    """The share of teeth among the pixels between the inner lips."""
    raster = rasterize(
        camera.to_camera(mesh.vertices), mesh.faces, camera.camera_matrix, (SIZE, SIZE)
    )
    inside = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(inside, [np.round(marks[INNER_LIPS]).astype(np.int32)], 1)
    face = raster.face_id[(inside > 0) & raster.mask]
    if not len(face):
        return 0.0
    on_head = face < len(model.faces)
    kind = model.polygon_material[model.polygon_of_face[np.where(on_head, face, 0)]]
    return float(np.mean(on_head & (kind == model.material_kinds.index("teeth"))))
