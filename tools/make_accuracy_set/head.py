"""The head's mesh and materials."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray
from reconstruct_face.scene.coordinates import to_blender

#: mm, free path of red, green and blue light in skin (Christensen 2015, figure 6, rounded).
SKIN_RADIUS = (1.0, 0.45, 0.25)


def build_mesh(
    name: str, vertices: NDArray, polygons: NDArray, uv: NDArray | None = None
) -> bpy.types.Object:
    """A smooth object of ``vertices`` (V, 3) head mm and ``polygons`` (P, 4); ``uv`` (P, 4, 2)."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(to_blender(np.asarray(vertices, float)).tolist(), [], polygons.tolist())
    if uv is not None:
        layer = mesh.uv_layers.new(name="UVMap")
        layer.uv.foreach_set("vector", np.ascontiguousarray(uv, np.float32).ravel())
    mesh.shade_smooth()
    return bpy.data.objects.new(name, mesh)


def build_head(
    head: dict[str, NDArray], mesh: dict[str, NDArray], texture: NDArray, rng: np.random.Generator
) -> bpy.types.Object:
    """The posed head with its materials; ``texture`` (T, T, 3) sRGB 0..1, row 0 at v = 1."""
    uv = mesh["uv"][mesh["uv_polygons"]]
    thing = build_mesh("head", head["vertices_posed"], mesh["polygons"], uv)
    data = thing.data
    image = picture_data("albedo", texture)
    for kind in mesh["materials"].tolist():
        data.materials.append(MATERIALS[kind](image, rng))
    data.polygons.foreach_set("material_index", mesh["polygon_material"].astype(np.int32))
    keep_surface(thing, head["vertices_posed"], mesh)
    return thing


def keep_surface(thing: bpy.types.Object, target: NDArray, mesh: dict[str, NDArray]) -> None:
    """Subdivide, with the control points moved so that the smooth surface meets ``target``.

    Catmull and Clark's surface shrinks away from its control points by up to half a millimetre,
    which would be an error of the truth.
    """
    modifier = thing.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels = modifier.render_levels = 1
    skin = np.zeros(len(target), bool)
    skin[mesh["polygons"][mesh["polygon_material"] == 0]] = True
    wanted = to_blender(np.asarray(target, float))
    control = wanted.copy()
    scene = bpy.context.scene
    scene.collection.objects.link(thing)
    for _ in range(4):
        graph = bpy.context.evaluated_depsgraph_get()
        fine = thing.evaluated_get(graph).data
        found = np.empty(3 * len(fine.vertices), np.float32)
        fine.vertices.foreach_get("co", found)
        off = wanted - found.reshape(-1, 3)[: len(wanted)]
        control[skin] += 0.8 * off[skin]
        thing.data.vertices.foreach_set("co", control.ravel().astype(np.float32))
        thing.data.update()
    scene.collection.objects.unlink(thing)


def picture_data(name: str, texture: NDArray) -> bpy.types.Image:
    """``texture`` (H, W, 3) sRGB 0..1 as an image in memory."""
    height, width = texture.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = texture[::-1]  # Blender counts rows from below
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image


def principled(name: str, **inputs: Any) -> tuple[bpy.types.Material, Any]:
    """A material and its Principled BSDF with ``inputs`` (blanks written as _) set."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    return material, shader


def _textured(material: bpy.types.Material, shader: Any, image: bpy.types.Image) -> Any:
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image, node.interpolation = image, "Cubic"
    material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    return node


def skin(image: bpy.types.Image, rng: np.random.Generator) -> bpy.types.Material:
    """Subsurface skin with a random gloss, pores as bumps and blotches that no texture has."""
    material, shader = principled(
        "skin",
        Roughness=rng.uniform(0.42, 0.65),
        Specular_IOR_Level=rng.uniform(0.3, 0.5),
        Coat_Weight=rng.exponential(0.05),  # sweat and grease
        Coat_Roughness=rng.uniform(0.25, 0.45),
        Subsurface_Weight=1.0,
        Subsurface_Radius=SKIN_RADIUS,
        Subsurface_Scale=rng.uniform(0.0012, 0.0025),
    )
    shader.subsurface_method = "BURLEY"  # half the time of the random walk, hardly to be told apart
    nodes, links = material.node_tree.nodes, material.node_tree.links
    texture = _textured(material, shader, image)
    blotches = nodes.new("ShaderNodeTexNoise")
    blotches.inputs["Scale"].default_value = rng.uniform(25, 60)  # per metre
    blotches.inputs["Detail"].default_value = 5.0
    place = nodes.new("ShaderNodeTexCoord")
    links.new(place.outputs["Object"], blotches.inputs["Vector"])
    shade = nodes.new("ShaderNodeMapRange")
    strength = rng.uniform(0.02, 0.1)
    for key, value in (("From Min", 0.3), ("From Max", 0.7), ("To Min", 1 - strength),
                       ("To Max", 1 + strength)):  # fmt: skip
        shade.inputs[key].default_value = value
    links.new(blotches.outputs["Fac"], shade.inputs["Value"])
    mixed = nodes.new("ShaderNodeVectorMath")
    mixed.operation = "SCALE"
    links.new(texture.outputs["Color"], mixed.inputs["Vector"])
    links.new(shade.outputs["Result"], mixed.inputs["Scale"])
    links.new(mixed.outputs["Vector"], shader.inputs["Base Color"])
    pores = nodes.new("ShaderNodeTexNoise")
    pores.inputs["Scale"].default_value = rng.uniform(500, 900)
    pores.inputs["Detail"].default_value = 3.0
    links.new(place.outputs["Object"], pores.inputs["Vector"])
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = rng.uniform(0.1, 0.35)
    bump.inputs["Distance"].default_value = 0.0004
    links.new(pores.outputs["Fac"], bump.inputs["Height"])
    links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    return material


def eye(image: bpy.types.Image, rng: np.random.Generator) -> bpy.types.Material:
    """A matt eyeball under a tear film."""
    look = {"Roughness": 0.6, "Specular_IOR_Level": 0.1, "Coat_Weight": 1.0, "Coat_Roughness": 0.02}
    material, shader = principled("eye", **look)
    _textured(material, shader, image)
    return material


def wet(image: bpy.types.Image, rng: np.random.Generator) -> bpy.types.Material:
    """Teeth, tongue and the inside of the mouth."""
    look = {"Roughness": 0.35, "Coat_Weight": 0.4, "Coat_Roughness": 0.1}
    material, shader = principled("wet", **look)
    _textured(material, shader, image)
    return material


def cornea(image: bpy.types.Image, rng: np.random.Generator) -> bpy.types.Material:
    """Nearly clear, with a faint reflection."""
    return principled("cornea", Roughness=0.0, Alpha=0.06)[0]


def lashes(image: bpy.types.Image, rng: np.random.Generator) -> bpy.types.Material:
    """Dark brown hair."""
    return principled("lashes", Base_Color=(0.016, 0.010, 0.007, 1.0), Roughness=0.45)[0]


MATERIALS = {
    "skin": skin, "eye": eye, "iris": eye, "cornea": cornea, "lashes": lashes, "tear": cornea,
    "teeth": wet, "tongue": wet, "mouth": wet,
}  # fmt: skip
