"""The scene in which the preview is rendered: a copy of the head, lit and seen as told.

The user's objects, materials and render settings are not touched, and both of the preview's
pictures share geometry and textures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import bpy
import numpy as np
from numpy.typing import NDArray

from ..backend.errors import OutputError
from ..backend.exchange.reconstruction import BUST
from .build import can_denoise
from .camera import CameraView
from .coordinates import HEAD_TO_BLENDER
from .eye_materials import KIND
from .hair import copied_as_shown, hair_of, light_strands
from .hair_surface import as_rendered, holder_of
from .light import Sun, build_suns
from .parts import whole
from .quiet import quiet
from .strand_light import GUIDE_PX, GUIDE_SAMPLES, Guide
from .wrinkles import without_wrinkles

AMBIENT = 0.18  #: linear, what the grey room adds to the light

#: Kinds of surface whose light goes under them in the preview too.  The skin's takes two thirds of
#: the time of every sample and hardly shows at this size; teeth without it are grey.
WITH_SUBSURFACE = ("teeth",)
SAMPLES_WITHOUT_DENOISER = 3  #: times as many
#: How often light is followed: a third bounce on skin cannot be told from the noise, but hair has
#: its colour from light that went through many strands (Lab's a* of the sample's, whose photo has
#: 2.1: with two -0.3, with four 0.7, with eight 1.6, with sixteen 1.8, in the same seconds).
BOUNCES, HAIR_BOUNCES = 2, 8
#: Of the strands of hair, by far the slowest thing to render; as much thicker.  Strands that glow
#: (``strand_light.py``) cost less, and more of them are nearer to the real ones.
HAIR_SHARE, GLOWING_SHARE = 0.5, 0.7
#: The attribute of strands that glow.
GLOW = "preview light"


@contextmanager
def pixels_of(path: Path, *, kept: bool = True) -> Iterator[NDArray[np.float32]]:
    """(H, W, 4) the picture ``path``, as its file has it: of a PNG the colour not multiplied by
    alpha; written back in the end where it is ``kept``."""
    image = bpy.data.images.load(str(path))
    try:
        pixels = np.empty((image.size[1], image.size[0], 4), np.float32)
        image.pixels.foreach_get(pixels.ravel())
        yield pixels
        if kept:
            image.pixels.foreach_set(pixels.ravel())
            image.save()
    finally:
        bpy.data.images.remove(image)


def smooth_outline(rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """``rgba`` (H, W, 4) with the outline blurred by one pixel (1, 2, 1), all else as it is.

    So few samples leave it ragged and specked: there the denoiser, which does not look at alpha,
    takes few samples of the head for the whole pixel.
    """
    alpha = rgba[..., 3:]
    premultiplied = np.concatenate([rgba[..., :3] * alpha, alpha], axis=2)
    blurred, least, most = premultiplied, alpha, alpha
    for axis in (0, 1):
        before, after = (
            [np.take(one, _shifted(one.shape[axis], step), axis) for one in (blurred, least, most)]
            for step in (-1, 1)
        )
        blurred = (before[0] + 2 * blurred + after[0]) / 4
        least = np.minimum(np.minimum(before[1], least), after[1])
        most = np.maximum(np.maximum(before[2], most), after[2])
    smooth = np.concatenate(
        [blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-6), blurred[..., 3:]], axis=2
    )
    return np.where(least < most, smooth, rgba).astype(np.float32)


def _shifted(count: int, step: int) -> NDArray[np.int64]:
    """Indices of the neighbours of ``count`` pixels in a row; at the end it is the pixel itself."""
    return np.clip(np.arange(count) + step, 0, count - 1)


class Studio:
    """A scene with a copy of one head; see :func:`studio`."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        mesh: bpy.types.Mesh,
        strands: Sequence[bpy.types.Object] = (),
    ) -> None:
        """``strands`` are the hair in ``scene`` that is to glow by itself."""
        self._scene, self._mesh, self._strands = scene, mesh, strands
        self._made: list[bpy.types.ID] = []
        self._towards = np.array([0.0, 0.0, 1.0])  # the light that casts shadows

    def light(self, suns: Sequence[Sun], *, ambient: bool = False) -> None:
        """Light the head by ``suns``, and by a grey room; replaces the light there was."""
        self.darken()
        main = next((sun for sun in suns if sun.shadow), suns[0])
        self._towards = HEAD_TO_BLENDER @ main.direction
        lights = build_suns(list(suns), "preview light")
        for light in lights:
            self._scene.collection.objects.link(light)
            self._made.append(cast(bpy.types.ID, light.data))
        if ambient:
            self._scene.world = _grey_room()
            self._made.append(self._scene.world)

    def render(self, camera: bpy.types.Object, view: CameraView, samples: int, path: Path) -> None:
        """Write the PNG ``path`` of what ``camera`` sees; RGBA.  Raises :class:`OutputError`."""
        scene = self._scene
        scene.collection.objects.link(camera)
        try:
            scene.camera = camera
            with self._glowing(camera, view, path):
                self._draw(view, samples, path)
        finally:
            scene.collection.objects.unlink(camera)
        with pixels_of(path) as rgba:
            rgba[:] = smooth_outline(rgba)

    def _draw(self, view: CameraView, samples: int, path: Path) -> None:
        scene = self._scene
        view.apply_to_render(scene.render)
        denoised = scene.cycles.use_denoising
        scene.cycles.samples = samples * (1 if denoised else SAMPLES_WITHOUT_DENOISER)
        scene.render.filepath = str(path)
        try:
            with quiet():
                bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise OutputError(f"Cannot render {path.name}: {str(error).strip()}") from error
        if not path.exists():
            raise OutputError(f"Blender wrote no picture {path.name}; is the disk full?")

    @contextmanager
    def _glowing(self, camera: bpy.types.Object, view: CameraView, path: Path) -> Iterator[None]:
        """While in here, the strands shine with the light that ``camera`` would see on them."""
        if not self._strands:
            yield
            return
        guide = self._guide(camera, view, path.with_suffix(".exr"))
        slots = [hair.data.materials for hair in self._strands]
        own = [list(materials) for materials in slots]  # none where a user took it away
        bounces, glow = self._scene.cycles.max_bounces, _glow()
        try:
            for hair in self._strands:
                light_strands(hair.data, guide, self._towards, GLOW)
            for materials in slots:
                materials.clear()
                materials.append(glow)
            self._scene.cycles.max_bounces = BOUNCES
            yield
        finally:
            self._scene.cycles.max_bounces = bounces
            for materials, before in zip(slots, own, strict=True):
                materials.clear()
                for material in before:
                    materials.append(material)
            bpy.data.materials.remove(glow)

    def _guide(self, camera: bpy.types.Object, view: CameraView, path: Path) -> Guide:
        """The hair alone, small, as Cycles sees it; ``path`` is there for the while."""
        scale = GUIDE_PX / max(view.width, view.height)
        size = [max(1, round(side * scale)) for side in (view.width, view.height)]
        settings = self._scene.render.image_settings
        heads = [thing for thing in self._scene.objects if thing.type == "MESH"]
        for head in heads:
            head.is_holdout = True
        settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR", "32", "NONE"
        try:
            self._draw(replace(view, width=size[0], height=size[1]), GUIDE_SAMPLES, path)
            with pixels_of(path, kept=False) as pixels:
                pixels = pixels.copy()
        finally:
            path.unlink(missing_ok=True)
            _write_png(settings)
            for head in heads:
                head.is_holdout = False
        graph = bpy.context.evaluated_depsgraph_get()
        clip: Any = camera.calc_matrix_camera(graph, x=view.width, y=view.height)
        world = np.array(camera.matrix_world, np.float64)
        return Guide(pixels, np.array(clip, np.float64) @ np.linalg.inv(world), world[:3, 3])

    @contextmanager
    def without_bust(self) -> Iterator[None]:
        """While in here, a bust of the head is not there."""
        slots = self._mesh.materials
        busts = [(i, one) for i, one in enumerate(slots) if one and one.get(KIND) == BUST]
        nothing = _nothing() if busts else None
        try:
            for i, _ in busts:
                slots[i] = nothing
            yield
        finally:
            for i, material in busts:
                slots[i] = material
            bpy.data.batch_remove([one for one in (nothing,) if one is not None])

    def darken(self) -> None:
        """Remove lights and world."""
        self._scene.world = None
        bpy.data.batch_remove(self._made)
        self._made = []


@contextmanager
def studio(
    head: bpy.types.Object, *, wrinkles: bool = True, glowing: bool = False
) -> Iterator[Studio]:
    """A :class:`Studio` with ``head`` as the viewport shows it; all of it is removed in the end.

    ``glowing``: hair has light of its own, which is like the real one (``strand_light.py``): for
    pictures of few samples.

    Without the driven ``wrinkles`` a picture takes a sixth less, as their heights are looked up
    three times for a slope.  In a smile at 0.95 they move the preview by 0.4 and 0.8 of 255 (RMS),
    the noise by 2.
    """
    mesh, strands = _as_shown(head, GLOWING_SHARE if glowing else HAIR_SHARE)
    scene = bpy.data.scenes.new("preview")
    materials = [_quick(one, wrinkles) for one in mesh.materials if one is not None]
    try:
        filled = [i for i, material in enumerate(mesh.materials) if material is not None]
        for i, material in zip(filled, materials, strict=True):
            mesh.materials[i] = material
        copy = bpy.data.objects.new("preview head", mesh)
        scene.collection.objects.link(copy)
        for hair in strands:
            scene.collection.objects.link(hair)
        _set_up_cycles(scene, HAIR_BOUNCES if strands else BOUNCES)
        stage = Studio(scene, mesh, strands if glowing else ())
        try:
            yield stage
        finally:
            stage.darken()
    finally:
        scene.render.use_persistent_data = False  # lets go of what Cycles kept
        bpy.data.scenes.remove(scene)
        bpy.data.meshes.remove(mesh)
        bpy.data.batch_remove(
            [cast(bpy.types.ID, hair.data) for hair in strands]
        )  # and the objects with them
        bpy.data.batch_remove(materials)


def _as_shown(
    head: bpy.types.Object, share: float
) -> tuple[bpy.types.Mesh, list[bpy.types.Object]]:
    """Copies of the mesh of ``head`` and of the ``share`` of its hair as they are shown.

    What holds hair is the same mesh: dividing that one alone saves a quarter of a second.
    """
    shown = [hair for hair in hair_of(head) if not hair.hide_render]
    with whole(head), ExitStack() as stack:
        for hair in shown:
            stack.enter_context(as_rendered(hair))
        graph = bpy.context.evaluated_depsgraph_get()
        source = holder_of(shown[0], head) if shown else head
        mesh = bpy.data.meshes.new_from_object(
            source.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph
        )
        return mesh, [copied_as_shown(hair, share) for hair in shown]


def _quick(material: bpy.types.Material, wrinkles: bool) -> bpy.types.Material:
    """A copy of ``material`` without what costs the preview most and does not show in it."""
    copy = material.copy()
    if copy.node_tree is not None and not wrinkles:
        without_wrinkles(copy.node_tree)
        _remove_unused(copy.node_tree)
    if copy.node_tree is not None and material.get(KIND) not in WITH_SUBSURFACE:
        for node in copy.node_tree.nodes:
            if node.bl_idname == "ShaderNodeBsdfPrincipled":
                node.inputs["Subsurface Weight"].default_value = 0.0
    return copy


def _remove_unused(tree: Any) -> None:
    """Take the pictures out of ``tree`` that its output does not depend on: Cycles reads all."""
    waiting = [node for node in tree.nodes if node.type == "OUTPUT_MATERIAL"]
    used = set()
    while waiting:
        node = waiting.pop()
        if node.name not in used:
            used.add(node.name)
            waiting += [link.from_node for socket in node.inputs for link in socket.links]
    for node in list(tree.nodes):
        if node.type == "TEX_IMAGE" and node.name not in used:
            tree.nodes.remove(node)


def _nothing() -> bpy.types.Material:
    """A material that is not seen and casts no shadow."""
    material = bpy.data.materials.new("nothing")
    if material.node_tree is None:  # Blender 5 makes the nodes at once
        material.use_nodes = True
    nodes = material.node_tree.nodes
    clear = nodes.new("ShaderNodeBsdfTransparent")
    output = next(node for node in nodes if node.type == "OUTPUT_MATERIAL")
    material.node_tree.links.new(clear.outputs[0], output.inputs["Surface"])
    return material


def _set_up_cycles(scene: bpy.types.Scene, bounces: int) -> None:
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_light_tree = False  # a handful of suns: picking one costs more
    scene.cycles.max_bounces = bounces
    scene.cycles.use_denoising = can_denoise(scene)
    # "High" takes 2 s for 512 x 512 on two cores, more than the samples it saves.
    scene.cycles.denoising_quality = "FAST"
    scene.cycles.denoising_prefilter = "FAST"
    scene.view_settings.view_transform = "Standard"
    _write_png(scene.render.image_settings)
    scene.render.use_persistent_data = True  # the second picture shares geometry and textures


def _write_png(settings: Any) -> None:
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
    settings.compression = 0  # read again at once, then removed


def _glow() -> bpy.types.Material:
    """A material that shines with the attribute ``GLOW``, and is no light to others."""
    material = bpy.data.materials.new("glow")
    if material.node_tree is None:  # Blender 5 makes the nodes at once
        material.use_nodes = True
    tree: Any = material.node_tree
    tree.nodes.clear()
    attribute, shader, output = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("Attribute", "Emission", "OutputMaterial")
    )
    attribute.attribute_name = GLOW
    tree.links.new(attribute.outputs["Vector"], shader.inputs["Color"])
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    material.cycles.emission_sampling = "NONE"
    return material


def _grey_room() -> bpy.types.World:
    world = bpy.data.worlds.new("preview")
    if world.node_tree is None:  # Blender 5 makes the nodes at once
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (AMBIENT, AMBIENT, AMBIENT, 1.0)
    background.inputs["Strength"].default_value = 1.0
    return world
