"""What is round the head: shoulders, sky, lamps, camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray
from reconstruct_face.scene.camera import CameraView
from reconstruct_face.scene.coordinates import HEAD_TO_BLENDER, camera_to_blender
from scipy.spatial.transform import Rotation

from .head import build_mesh, principled

#: Ellipses down a body: height under the ears, half width, half depth, forward, in mm.
NECK = ((-165, 63, 61, -34), (-185, 84, 72, -38))
SHIRT = (
    (-156, 66, 63, -34), (-158, 72, 69, -35), (-170, 84, 78, -37), (-184, 118, 88, -40),
    (-200, 168, 98, -44), (-222, 204, 106, -46), (-260, 222, 112, -46), (-330, 224, 120, -40),
    (-450, 214, 128, -36),
)  # fmt: skip
AROUND = 48
SHIRT_COLOURS = (
    (0.02, 0.02, 0.025), (0.75, 0.74, 0.71), (0.04, 0.07, 0.17), (0.30, 0.05, 0.05),
    (0.10, 0.18, 0.10), (0.35, 0.30, 0.22), (0.20, 0.20, 0.21), (0.12, 0.25, 0.42),
)  # fmt: skip


def build_body(
    vertices: NDArray, triangles: NDArray, tone: NDArray, rng: np.random.Generator
) -> list[bpy.types.Object]:
    """The neck on from where the head (V, 3) mm ends, and a shirt, both turned a little against
    the head; ``tone`` (3,) linear RGB of the skin."""
    turn = Rotation.from_euler("YXZ", rng.normal(size=3) * (15, 4, 4), degrees=True)
    edge = neck_edge(vertices, triangles)
    pivot = edge.mean(0)
    size = np.ptp(edge[:, 0]) / 126
    turned = [
        [turn.apply(ring - pivot) + pivot for ring in _ellipses(rings, size)]
        for rings in (NECK, SHIRT)
    ]
    # Each point of the edge goes on to the point of the ellipse in its direction.
    start = _by_direction(edge, turned[0][0].mean(0))
    skin, _ = principled(
        "neck", Base_Color=(*tone, 1.0), Roughness=0.5, Subsurface_Weight=1.0,
        Subsurface_Scale=0.0015,
    )  # fmt: skip
    cloth, _ = principled(
        "cloth",
        Base_Color=(*SHIRT_COLOURS[rng.integers(len(SHIRT_COLOURS))], 1.0),
        Roughness=0.9,
        Sheen_Weight=0.3,
    )
    neck = _loft("neck", [start, *turned[0]], skin)
    return [neck, _loft("shirt", turned[1], cloth)]


def neck_edge(vertices: NDArray, triangles: NDArray) -> NDArray:
    """(N, 3) points of the lowest open edge of the mesh, in no order."""
    pairs = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, uses = np.unique(pairs, axis=0, return_counts=True)
    ends = np.unique(edges[uses == 1])
    # Teeth and eyes may be open too, but they are well above it.
    return vertices[ends[vertices[ends, 1] < vertices[ends, 1].min() + 60]]


def _by_direction(points: NDArray, centre: NDArray) -> NDArray:
    """(AROUND, 3) a closed line through ``points``, one in each direction about ``centre``."""
    turn = np.arctan2(points[:, 0] - centre[0], points[:, 2] - centre[2])
    wanted = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    order = np.argsort(turn)
    return np.stack(
        [np.interp(wanted, turn[order], points[order, k], period=2 * np.pi) for k in range(3)], 1
    )


def _ellipses(rings: tuple[tuple[float, ...], ...], size: float) -> NDArray:
    """(R, AROUND, 3) points of ``rings``; the neck's part is ``size`` times as wide."""
    turn = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    height, across, deep, forward = np.array(rings, float).T[:, :, None]
    wide = 1 + (size - 1) * np.clip((height + 230) / 60, 0, 1)
    return np.stack(
        np.broadcast_arrays(
            across * wide * np.sin(turn), height, deep * wide * np.cos(turn) + forward
        ),
        axis=-1,
    )


def _loft(name: str, rings: Sequence[NDArray], material: bpy.types.Material) -> bpy.types.Object:
    """A tube of quads through ``rings`` (AROUND, 3)."""
    i, j = np.meshgrid(np.arange(len(rings) - 1), np.arange(AROUND), indexing="ij")
    k = (j + 1) % AROUND
    corners = (i * AROUND + j, (i + 1) * AROUND + j, (i + 1) * AROUND + k, i * AROUND + k)
    thing = build_mesh(name, np.concatenate(rings), np.stack(corners, axis=-1).reshape(-1, 4))
    thing.data.materials.append(material)
    return thing


def build_camera(head: dict[str, NDArray]) -> tuple[bpy.types.Object, CameraView]:
    """The camera that sees the head as its truth says."""
    size = int(head["size"])
    view = CameraView.from_matrix(head["camera_matrix"], (size, size))
    data = bpy.data.cameras.new("camera")
    view.apply_to_camera(data)
    data.clip_start = 0.01
    camera = bpy.data.objects.new("camera", data)
    matrix = camera_to_blender(head["rotation"], head["translation"])
    camera.matrix_world = Matrix(matrix.tolist())
    return camera, view


def build_sky(
    rotation: NDArray, rng: np.random.Generator, strength: float = 1.0
) -> bpy.types.World:
    """One of Blender's own HDR panoramas (CC0), upright for the camera, turned at random."""
    folder = Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world"
    files = sorted(folder.glob("*.exr"))
    world = bpy.data.worlds.new("sky")
    if world.node_tree is None:
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    background = next(node for node in nodes if node.type == "BACKGROUND")
    background.inputs["Strength"].default_value = strength
    picture = nodes.new("ShaderNodeTexEnvironment")
    picture.image = bpy.data.images.load(str(files[rng.integers(len(files))]))
    picture.interpolation = "Cubic"
    mapping, place = nodes.new("ShaderNodeMapping"), nodes.new("ShaderNodeTexCoord")
    links.new(place.outputs["Generated"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], picture.inputs["Vector"])
    links.new(picture.outputs["Color"], background.inputs["Color"])
    # Head and camera share head coordinates here: the sky must be upright for the camera.
    camera = HEAD_TO_BLENDER @ rotation.T @ np.diag([1.0, -1.0, -1.0]) @ HEAD_TO_BLENDER.T
    turn = Rotation.from_euler("z", rng.uniform(0, 360), degrees=True)
    angles = (turn * Rotation.from_matrix(camera.T)).as_euler("xyz")
    mapping.inputs["Rotation"].default_value = angles.tolist()
    return world


def build_lamps(head: dict[str, NDArray], rng: np.random.Generator) -> list[bpy.types.Object]:
    """A key lamp somewhere in front, and at times a rim light; none outdoors in a third."""
    middle = head["vertices_posed"].mean(0)
    eye = -head["rotation"].T @ head["translation"] - middle
    eye = eye / np.linalg.norm(eye)
    lamps = []
    if rng.random() < 0.65:
        towards = Rotation.from_euler(
            "YX", [rng.uniform(-75, 75), rng.uniform(-50, 15)], degrees=True
        ).apply(eye)
        size, watts = rng.uniform(0.2, 1.0), rng.uniform(4, 22)
        lamps.append(build_lamp("key", middle, towards, size, watts, _warmth(rng)))
    if rng.random() < 0.3:
        towards = Rotation.from_euler("Y", rng.choice([-140, 140]), degrees=True).apply(eye)
        watts = rng.uniform(4, 15)
        lamps.append(build_lamp("rim", middle, towards, 0.3, watts, _warmth(rng)))
    return lamps


def _warmth(rng: np.random.Generator) -> tuple[float, float, float]:
    warmth = rng.normal() * 0.12
    return (np.exp(warmth), 1.0, np.exp(-warmth))


def build_lamp(
    name: str, middle: NDArray, towards: NDArray, size: float, watts: float,
    colour: Sequence[float],
) -> bpy.types.Object:  # fmt: skip
    """An area light of ``size`` metres, 1.2 m away from ``middle`` (3,) head mm."""
    data = bpy.data.lights.new(name, "AREA")
    data.size, data.energy = size, watts
    data.color = colour
    light = bpy.data.objects.new(name, data)
    way = Vector((HEAD_TO_BLENDER @ towards).tolist())
    light.location = Vector((HEAD_TO_BLENDER @ middle / 1000).tolist()) + 1.2 * way
    light.rotation_euler = way.to_track_quat("Z", "Y").to_euler()
    light.visible_camera = False
    return light
