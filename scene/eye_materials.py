"""The eye's shaders: a wet white, a matt iris, a clear cornea that bends light, lashes, tears.

The cornea is one sheet: light is bent once, into a chamber of one index that reaches to the iris,
as in an eye.  Shadow rays and the iris' own diffuse rays pass it straight, since no light would
find its way through a bent one without caustics; the iris would be black.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import bpy

from ..backend.exchange.reconstruction import BUST, SEEN_THROUGH

#: Custom property of a material of ours: the kind of surface.
KIND = "reconstruct_face_kind"
#: Refractive indices: of the cornea, and of tears.
INDEX, TEARS = 1.376, 1.336

#: Inputs of the Principled BSDF.
LOOKS: dict[str, dict[str, Any]] = {
    "eye": {
        # Only the coat (the tear film) mirrors: a rougher gloss below would veil a painted iris.
        "Roughness": 0.6,
        "Specular IOR Level": 0.1,
        "Subsurface Weight": 0.3,
        "Subsurface Radius": (1.0, 0.55, 0.45),
        "Subsurface Scale": 0.001,
        "Coat Weight": 1.0,
        "Coat Roughness": 0.03,
        "Coat IOR": 1.336,
    },
    "iris": {"Roughness": 0.75, "Specular IOR Level": 0.15},
    "cornea": {"Roughness": 0.0, "IOR": INDEX, "Transmission Weight": 1.0},
    "lashes": {"Roughness": 0.45, "Specular IOR Level": 0.3},
    "tear": {"Roughness": 0.02, "IOR": TEARS, "Transmission Weight": 1.0},
}
#: Kinds that are clear: they bend light in Cycles and are films elsewhere.
CLEAR = ("cornea", "tear")

#: Linear RGB without a texture, which cornea, lashes and tears never have.
PLAIN = {
    "eye": (0.75, 0.73, 0.70),
    "iris": (0.09, 0.05, 0.03),
    "cornea": (1.0, 1.0, 1.0),
    "lashes": (0.016, 0.010, 0.007),
    "tear": (1.0, 1.0, 1.0),
}

#: What solid view draws: linear RGBA, roughness.  A rough iris would be veiled by its highlight, a
#: white cornea by its own colour; lashes are thinner than a pixel there.
_SOLID = {
    "iris": ((*PLAIN["iris"], 1.0), 0.0),
    "cornea": ((0.0, 0.0, 0.0, 0.03), 0.0),
    "lashes": ((*PLAIN["lashes"], 0.6), 0.5),
    "tear": ((0.0, 0.0, 0.0, 0.03), 0.0),
}
#: Alpha of cornea and tears in files for other programs, which show what refracts as a white cap.
FILM_ALPHA = 0.08


def make_clear(material: bpy.types.Material) -> None:
    """Make a cornea or tears of a new ``material``, whose Principled BSDF is set to ``LOOKS``."""
    tree: Any = material.node_tree
    nodes, links = tree.nodes, tree.links
    shader = nodes["Principled BSDF"]
    output = next(node for node in nodes if node.type == "OUTPUT_MATERIAL")
    clear, path = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeLightPath")
    either, mix = nodes.new("ShaderNodeMath"), nodes.new("ShaderNodeMixShader")
    either.operation, either.label = "MAXIMUM", "Light on what is behind"
    links.new(path.outputs["Is Shadow Ray"], either.inputs[0])
    links.new(path.outputs["Is Diffuse Ray"], either.inputs[1])
    links.new(either.outputs[0], mix.inputs[0])
    links.new(shader.outputs[0], mix.inputs[1])
    links.new(clear.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], output.inputs["Surface"])
    output.target, output.label = "CYCLES", "Cycles: refracts"
    film = _film(tree, clear, shader.inputs["IOR"].default_value)
    for node, place in (
        (shader, (-240, 300)), (path, (-240, 620)), (either, (60, 620)), (clear, (-240, -60)),
        (mix, (260, 380)), (output, (460, 380)), (film, (460, 0)),
    ):  # fmt: skip
        node.location = place
    # EEVEE: in 4.1 and earlier "blend_method".
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"
    else:
        material.blend_method = "BLEND"


def set_solid_look(material: bpy.types.Material, kind: str) -> None:
    """What solid view shows of a ``material`` of this ``kind``, where that is not its colour."""
    if kind in _SOLID:
        material.diffuse_color, material.roughness = _SOLID[kind]


def _film(tree: Any, clear: Any, index: float) -> Any:
    """An output for EEVEE: clear but for its reflections, which needs no ray tracing set up."""
    nodes, links = tree.nodes, tree.links
    gloss, fresnel = nodes.new("ShaderNodeBsdfAnisotropic"), nodes.new("ShaderNodeFresnel")
    gloss.inputs["Roughness"].default_value = 0.02
    fresnel.inputs["IOR"].default_value = index
    mix, output = nodes.new("ShaderNodeMixShader"), nodes.new("ShaderNodeOutputMaterial")
    output.target, output.label = "EEVEE", "EEVEE: clear film"
    links.new(fresnel.outputs[0], mix.inputs[0])
    links.new(clear.outputs[0], mix.inputs[1])
    links.new(gloss.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], output.inputs["Surface"])
    for node, place in ((fresnel, (-240, 80)), (gloss, (-240, -180)), (mix, (260, 0))):
        node.location = place
    return output


def is_seen_through(material: bpy.types.Material) -> bool:
    """Whether one looks through or between what a ``material`` of ours covers."""
    return material.get(KIND) in SEEN_THROUGH


def is_beside_photo(material: bpy.types.Material) -> bool:
    """Whether fit and texture took no notice of what a ``material`` of ours covers: what one looks
    through, and a bust."""
    return material.get(KIND) in (*SEEN_THROUGH, BUST)


@contextmanager
def clear_as_films(head: bpy.types.Object) -> Iterator[None]:
    """While in here, corneas and tears of ``head`` have a material that other programs show as a
    clear film: a Principled BSDF of alpha ``FILM_ALPHA``."""
    slots: Sequence[Any] = [
        slot for slot in head.material_slots if slot.material and slot.material.get(KIND) in CLEAR
    ]
    before, films = [slot.material for slot in slots], []
    try:
        for slot, material in zip(slots, before, strict=True):
            film = bpy.data.materials.new("film")
            films.append(film)
            if film.node_tree is None:
                film.use_nodes = True
            tree: Any = film.node_tree
            shader = tree.nodes["Principled BSDF"]
            shader.inputs["Roughness"].default_value = 0.0
            shader.inputs["Alpha"].default_value = FILM_ALPHA
            if hasattr(film, "surface_render_method"):
                film.surface_render_method = "BLENDED"
            else:
                film.blend_method = "BLEND"
            film.diffuse_color = (1.0, 1.0, 1.0, FILM_ALPHA)
            name, material.name = material.name, f"{material.name} (Blender)"
            film.name = name
            slot.material = film
        yield
    finally:
        for slot, material in zip(slots, before, strict=False):
            slot.material = material
        for film, material in zip(films, before, strict=False):
            name, film.name = film.name, "film"
            material.name = name
        bpy.data.batch_remove(films)
