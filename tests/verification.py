"""Heads to verify, and both renderers' passes of them, for the verification's tests."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from reconstruct_face.backend.exchange import MaterialSlot, Reconstruction
from reconstruct_face.backend.exchange.passes import Passes
from reconstruct_face.backend.model import load_model
from reconstruct_face.backend.photo.encode import decode
from reconstruct_face.backend.verify.measures import passes_measures
from reconstruct_face.backend.verify.pytorch3d import PyTorch3D
from reconstruct_face.backend.verify.surface import surface_of
from reconstruct_face.backend.verify.thresholds import thresholds
from reconstruct_face.backend.verify.view import (
    Frame,
    View,
    Window,
    frame_view,
    head_frame,
    view_in_frame,
)
from reconstruct_face.scene import passes
from reconstruct_face.scene.build import HeadScene, build_scene, prepare_file

from tests.synthetic_face import synthetic_face
from tests.synthetic_reconstruction import encode_jpeg, encode_png, euler_rotation, project

KINDS = ("skin", "eye", "teeth", "tongue", "mouth")


def default_head(
    angles: tuple[float, float, float] = (15.0, -8.0, 5.0),
    image_size: tuple[int, int] = (640, 480),
    seed: int = 0,
    translation: tuple[float, float, float] = (12.0, -9.0, 700.0),
) -> Reconstruction:
    """Somebody of the default face model with an expression, in his own albedo."""
    model, rng = load_model(), np.random.default_rng(seed)
    identity = rng.normal(size=len(model.identity_basis)).astype(np.float32)
    expression = np.zeros(len(model.expression_names), np.float32)
    for name, weight in (("jawOpen", 0.5), ("mouthSmileLeft", 0.7), ("eyeBlinkRight", 0.8)):
        expression[model.expression_names.index(name)] = weight
    albedo = rng.normal(size=len(model.albedo_basis)) * 0.7
    linear = model.albedo(albedo)
    texture = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    made = _reconstruction(
        neutral=model.vertices(identity),
        polygons=model.polygons,
        polygon_material=model.polygon_material,
        uv=model.uv,
        uv_polygons=model.uv_polygons,
        names=model.expression_names,
        basis=model.expression_basis,
        expression=expression,
        limits=model.expression_range,
        landmarks=model.landmarks68,
        texture=np.rint(255 * texture).astype(np.uint8),
        materials=model.material_kinds,
        view=(angles, image_size, translation),
    )
    rows, columns = np.mgrid[:512, :512] / 40  # waves as long as a fold is wide, a log of 0.4
    waves = np.stack([np.sin(rows), np.cos(columns), 0 * rows], axis=2)
    folds = 128 + 64 * waves * model.uv_mask("face")[..., None]  # of skin alone, as always
    parts = np.zeros((2, len(expression)), np.float32)
    parts[:, expression > 0.6] = ((0.2, 0.9), (1.1, 0.7))
    return replace(made, folds=encode_png(folds.astype(np.uint8)), fold_parts=parts).validate()


def basel_head() -> Reconstruction:
    """A face with the size of the Basel Face Model: 53,215 vertices, 79 principal components."""
    face, rng = synthetic_face(53215, 105840, 114), np.random.default_rng(1)
    expression = rng.normal(size=79).clip(-3, 3).astype(np.float32)
    rows, columns = np.mgrid[:512, :512] / 64
    stripes = np.stack([np.sin(rows + k * columns) for k in (1, 2, 3)], -1)
    return _reconstruction(
        neutral=(face.mean + np.tensordot(rng.normal(size=20), face.identity[:20], 1)),
        polygons=face.triangles,
        polygon_material=np.zeros(len(face.triangles), np.uint8),
        uv=face.uv,
        uv_polygons=face.triangles,
        names=tuple(f"Expression {i:02d}" for i in range(79)),
        basis=face.expression,
        expression=expression,
        limits=np.tile([-3.0, 3.0], (79, 1)),
        landmarks=face.landmarks68,
        texture=np.rint(160 + 40 * stripes).astype(np.uint8),
        materials=("skin",),
        view=((-30.0, 5.0, 0.0), (360, 500), (0.0, 0.0, 600.0)),
    )


def _reconstruction(
    *, neutral, polygons, polygon_material, uv, uv_polygons, names, basis, expression, limits,
    landmarks, texture, materials, view,
) -> Reconstruction:  # fmt: skip
    angles, (width, height), translation = view
    posed = (neutral + np.tensordot(expression, basis, 1)).astype(np.float32)
    light = np.zeros((9, 3), np.float32)
    light[0], light[2], light[3], light[1] = (2.4, 2.2, 2.0), 0.9, 0.5, 0.4
    light[4:] = 0.15 * np.random.default_rng(2).normal(size=(5, 3))
    photo = np.full((height, width, 3), 128, np.uint8)
    triangles = polygons if polygons.shape[1] == 3 else polygons[:, [0, 1, 2, 0, 2, 3]]
    made = Reconstruction(
        vertices_neutral=neutral.astype(np.float32),
        vertices_posed=posed,
        faces=triangles.reshape(-1, 3).astype(np.int32),
        polygons=polygons.astype(np.int32),
        polygon_material=polygon_material,
        uv=uv.astype(np.float32),
        uv_polygons=uv_polygons.astype(np.int32),
        identity=np.zeros(3, np.float32),
        expression=expression,
        expression_names=names,
        expression_range=np.asarray(limits, np.float32),
        expression_basis=basis,
        albedo=np.zeros(0, np.float32),
        # Off the middle, as in the crop of a larger photo.
        camera_matrix=np.array(
            [[1.4 * width, 0, 0.53 * width], [0, 1.4 * width, 0.46 * height], [0, 0, 1.0]]
        ),
        rotation=euler_rotation(*angles),
        translation=np.array(translation),
        image_size=(width, height),
        landmarks68=landmarks,
        landmarks3d=posed[landmarks],
        landmarks2d=np.zeros((68, 2), np.float32),
        landmarks2d_detected=np.zeros((68, 2), np.float32),
        face_box=np.array([0, 0, 100, 100], np.float32),
        sh_light=light,
        texture_mode="albedo",
        texture=encode_png(texture),
        photo=encode_jpeg(photo),
        crop=encode_png(np.zeros((8, 8, 3), np.uint8)),
        materials=tuple(MaterialSlot(kind, kind) for kind in materials),
        model={"name": "test"},
        photo_path="/somewhere/Ada.jpg",
    )
    seen = project(made, posed[landmarks]).astype(np.float32)
    return replace(made, landmarks2d=seen, landmarks2d_detected=seen).validate()


class Bench:
    """A head, what PyTorch3D draws of it, and a scene to plant faults in."""

    def __init__(
        self, reconstruction: Reconstruction, pytorch3d: PyTorch3D, size: int = 256
    ) -> None:
        self.reconstruction = reconstruction
        width, height = reconstruction.image_size
        self.view = frame_view(reconstruction, Frame(width, height))
        self.window = head_frame(
            self.view, reconstruction.vertices_posed[: reconstruction.head_count], size
        )
        texture = decode(reconstruction.texture).astype(np.float32) / 255
        self.expected = pytorch3d.render(surface_of(reconstruction, texture), self.seen)

    @property
    def seen(self) -> View:
        return view_in_frame(self.view, self.window)

    def scene(self) -> HeadScene:
        """A new file with the head in it."""
        prepare_file(self.reconstruction)
        return build_scene(self.reconstruction, set_active=True)

    def render(self, head: bpy.types.Object) -> Passes:
        window: Window = self.window
        return passes.render_passes(
            head,
            passes.Window(window.frame, window.left, window.top, window.width, window.height),
            self.reconstruction.sh_light,
        )

    def failures(self, head: bpy.types.Object) -> dict[str, float]:
        """The measures of the scene that are off."""
        found = passes_measures(self.expected, self.render(head))
        return {k: v for k, v in found.items() if not thresholds()[k].allows(v)}
