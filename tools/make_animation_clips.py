"""``python -m tools.make_animation_clips FOLDER``: the frames that ``bench animate`` lacks.

A scene is built once per clip; then the head's vertices, the brows and the camera move, and the
light stays where the camera has it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray
from reconstruct_face.scene.coordinates import HEAD_TO_BLENDER, camera_to_blender, to_blender
from scipy.spatial.transform import Rotation

from .make_accuracy_set.develop import develop
from .make_accuracy_set.hair import BROWS, grow
from .make_accuracy_set.head import build_head
from .make_accuracy_set.picture import (
    face_pixels,
    furnish,
    render_linear,
    set_up_cycles,
    write_png,
)
from .make_accuracy_set.surroundings import build_camera, build_lamps, build_sky

Arrays = dict[str, NDArray]


class Film:
    """One clip's scene, posed frame by frame."""

    def __init__(self, look: Arrays, mesh: Arrays) -> None:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        self.look, self.mesh = look, mesh
        scene: Any = bpy.context.scene
        self.scene, first = scene, self._head(0)
        first["vertices_posed"] = look["vertices_neutral"]
        rng = self.rng = np.random.default_rng(look["look_seed"])
        texture, things, self.brow_colour = furnish(first, mesh, rng)
        self.camera, self.view = build_camera(first)
        self.head = build_head(first, mesh, texture, rng)
        lamps = build_lamps(first, rng)
        for thing in [*things, self.head, self.camera, *lamps]:
            scene.collection.objects.link(thing)
        scene.camera = self.camera
        scene.world = build_sky(first["rotation"], rng)
        set_up_cycles(scene, self.view)
        scene.cycles.samples = int(look["samples"])
        scene.render.use_persistent_data = True
        bpy.context.view_layer.update()
        # Control points stand off the surface (make_accuracy_set.head.keep_surface).
        control = np.empty(3 * len(first["vertices_posed"]), np.float32)
        self.head.data.vertices.foreach_get("co", control)
        self.off = control.reshape(-1, 3) - to_blender(first["vertices_posed"].astype(float))
        seen = self.camera.matrix_world.inverted()
        self.lamps = [(lamp, seen @ lamp.matrix_world) for lamp in lamps]
        nodes = scene.world.node_tree.nodes
        self.mapping: Any = next(node for node in nodes if node.type == "MAPPING")
        angles = list(self.mapping.inputs["Rotation"].default_value)
        self.sky = Rotation.from_euler("xyz", angles) * _upright(first["rotation"])
        self.develop_seed = self.rng.bit_generator.state
        self.brows = next(thing for thing in things if thing.name.startswith("brows"))

    def render(self, number: int, path: Path) -> None:
        """Frame ``number`` as the PNG ``path``."""
        head = self._head(number)
        placed = to_blender(head["vertices_posed"].astype(float)) + self.off
        self.head.data.vertices.foreach_set("co", placed.ravel().astype(np.float32))
        self.head.data.update()
        self._grow_brows(head)
        matrix = camera_to_blender(head["rotation"], head["translation"])
        self.camera.matrix_world = Matrix(matrix.tolist())
        for lamp, seen in self.lamps:
            lamp.matrix_world = self.camera.matrix_world @ seen
        angles = (self.sky * _upright(head["rotation"]).inv()).as_euler("xyz")
        self.mapping.inputs["Rotation"].default_value = angles.tolist()
        self.scene.cycles.seed = number
        linear = render_linear(self.scene)
        self.rng.bit_generator.state = self.develop_seed
        noise = np.random.default_rng([*self.look["look_seed"], number])
        pixels = face_pixels(head, self.mesh)
        write_png(develop(linear, pixels, float(self.look["tone"]), self.rng, noise), path)

    def _grow_brows(self, head: Arrays) -> None:
        old = self.brows.data
        bpy.data.objects.remove(self.brows)
        assert old is not None, "brows are curves"
        bpy.data.batch_remove([old])
        rng = np.random.default_rng(self.look["look_seed"])
        self.brows = grow(
            "brows",
            BROWS,
            head["vertices_posed"].astype(float),
            self.mesh["triangles"],
            self.mesh["mask_brows"],
            self.brow_colour,
            rng,
        )
        self.scene.collection.objects.link(self.brows)

    def _head(self, number: int) -> Arrays:
        look = self.look
        return look | {
            "vertices_posed": look["vertices"][number],
            "rotation": look["rotation"][number],
            "translation": look["translation"][number],
        }


def _upright(rotation: NDArray) -> Rotation:
    """How the camera stands in the world of a head (:func:`surroundings.build_sky`)."""
    turned = HEAD_TO_BLENDER @ rotation.T @ np.diag([1.0, -1.0, -1.0]) @ HEAD_TO_BLENDER.T
    return Rotation.from_matrix(turned)


def main() -> int:
    """Render and return the exit status; a line now and then on standard output."""
    parser = argparse.ArgumentParser(prog="make_animation_clips", description=__doc__)
    parser.add_argument("folder", type=Path, help="made by 'bench animate'")
    folder: Path = parser.parse_args().folder
    clips = sorted(folder.glob("clip_*/look.npz"))
    if not clips or not (folder / "mesh.npz").is_file():
        print(f"{folder} holds no clips; run 'bench animate' instead.", file=sys.stderr)
        return 2
    mesh = dict(np.load(folder / "mesh.npz", allow_pickle=False))
    for path in clips:
        look = dict(np.load(path, allow_pickle=False))
        pictures = [path.with_name(f"{i:04d}.png") for i in range(len(look["vertices"]))]
        missing = [i for i, picture in enumerate(pictures) if not picture.is_file()]
        if not missing:
            continue
        film, start = Film(look, mesh), time.perf_counter()
        for done, number in enumerate(missing, start=1):
            film.render(number, pictures[number])
            if done % 20 == 1:
                each = (time.perf_counter() - start) / done
                print(f"{path.parent.name}: {number + 1}/{len(pictures)}, {each:.1f} s a frame",
                      flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
