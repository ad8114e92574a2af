"""Strands of a preview shine with the light that a small picture shows on the hair."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.scene.build import HeadScene, build_scene
from reconstruct_face.scene.hair import hair_of, light_strands
from reconstruct_face.scene.render import render_photo_view, square_around_head
from reconstruct_face.scene.strand_light import Guide, Strands, optical_depth, strand_light
from reconstruct_face.scene.studio import GLOW, studio

from tests.synthetic_reconstruction import make_reconstruction
from tests.test_scene_hair import with_hair

UP = np.array([0.0, 0.0, 1.0])


def layers(count: int, colours: np.ndarray) -> Strands:
    """``count`` layers, 4 mm apart, of 60 strands each along x, 1 mm apart; ``colours`` (C, 3) of
    the strands by turns."""
    x = np.linspace(-0.03, 0.03, 31)
    y = np.arange(60) * 0.001 - 0.03
    z = -0.004 * np.arange(count)
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    points = np.stack([x, y, z], axis=-1).reshape(count * 60, 31, 3)
    colour = np.resize(colours, (count * 60, 3))[:, None].repeat(31, axis=1)
    return Strands(points, np.full(points.shape[:2], 0.0001), colour)


def from_above(colour: np.ndarray) -> Guide:
    """A picture 48 mm wide of nothing but ``colour`` (3,), by a camera 1 m above."""
    pixels = np.ones((24, 24, 4))
    pixels[..., :3] = colour
    matrix = np.array([[1 / 0.024, 0, 0, 0], [0, 1 / 0.024, 0, 0], [0, 0, -1, 0], [0, 0, -1, 1]])
    return Guide(pixels, matrix.astype(float), UP)


def inner(values: np.ndarray, count: int) -> np.ndarray:
    """Of ``values`` (S, P, ...) of :func:`layers` those in the picture's middle, by layer."""
    return values.reshape(count, 60, 31, *values.shape[2:])[:, 20:40, 10:21]


def test_hair_shades_what_lies_below_it() -> None:
    depth = inner(optical_depth(layers(4, np.ones((1, 3))), UP), 4).mean(axis=(1, 2))
    # A layer of strands 0.2 mm thick, one each mm, covers a fifth; half of its own shades it.
    np.testing.assert_allclose(depth, 0.2 * (np.arange(4) + 0.5), rtol=0.1)
    across = inner(optical_depth(layers(4, np.ones((1, 3))), np.array([1.0, 0, 0])), 4)
    assert np.abs(across).max() < 1e-6, "strands have no shadow along themselves"


def test_strands_alike_have_the_light_of_the_picture() -> None:
    seen = np.array([0.3, 0.1, 0.02])
    light = strand_light(layers(1, np.full((1, 3), 0.2)), from_above(seen), UP)
    np.testing.assert_allclose(inner(light, 1), np.broadcast_to(seen, (1, 20, 11, 3)), rtol=0.02)


def test_strands_differ_as_their_colours_do_about_the_light_of_the_picture() -> None:
    seen = np.array([0.3, 0.3, 0.3])
    colours = np.array([[0.20, 0.30, 0.25], [0.30, 0.20, 0.25]])
    light = inner(strand_light(layers(1, colours), from_above(seen), np.array([0, 1.0, 0])), 1)[0]
    one, other = light[0::2].mean(axis=(0, 1)), light[1::2].mean(axis=(0, 1))
    np.testing.assert_allclose((one + other) / 2, seen, rtol=0.03)
    assert one[0] < 0.9 * other[0] and other[1] < 0.9 * one[1]
    assert one[2] == pytest.approx(other[2], rel=0.03)


def test_deep_strands_are_darker() -> None:
    light = inner(strand_light(layers(6, np.full((1, 3), 0.2)), from_above(np.ones(3)), UP), 6)
    by_layer = light.mean(axis=(1, 2, 3))
    assert (np.diff(by_layer) < 0).all() and by_layer[0] > 1.05 * by_layer[-1]


def head_with_hair() -> tuple[HeadScene, Any]:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    made = with_hair(6000)[0]
    made = dataclasses.replace(made, hair_radius=np.full(6000, 0.3, np.float32))
    return build_scene(made), made


@pytest.mark.slow
def test_a_preview_of_few_samples_is_like_a_picture_of_many(tmp_path: Path) -> None:
    head, made = head_with_hair()
    window = square_around_head(made, margin=0.4)
    pictures = [
        np.asarray(Image.open(render_photo_view(head, made, window, path, size=160, samples=many)))
        for path, many in ((tmp_path / "few.png", None), (tmp_path / "many.png", 48))
    ]
    few, many = (one.astype(float) for one in pictures)
    # Where no skin shows through.
    bald = make_reconstruction()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    path = render_photo_view(
        build_scene(bald), bald, window, tmp_path / "bald.png", size=160, samples=4
    )
    skin = np.asarray(Image.open(path))[..., 3] > 0
    hair = (few[..., 3] > 200) & (many[..., 3] > 200) & ~skin
    assert hair.sum() > 300
    differences = (few - many)[hair, :3]
    assert np.abs(differences.mean(axis=0)).max() < 8, "levels of 255"


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True])
def test_strands_glow_only_while_they_are_drawn(tmp_path: Path, bare: bool) -> None:
    head, made = head_with_hair()
    if bare:  # as a user may leave it
        hair_of(head.head)[0].data.materials.clear()
    kinds = ("materials", "images", "objects", "hair_curves", "scenes", "cameras")
    before = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    window = square_around_head(made)
    render_photo_view(head, made, window, tmp_path / "a.png", size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    after = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    after["images"] -= sum(image.name == "Render Result" for image in bpy.data.images)
    assert after == before
    assert not [curves for curves in bpy.data.hair_curves if GLOW in curves.attributes]


def test_light_is_told_to_the_points_of_a_copy() -> None:
    head = head_with_hair()[0].head
    with studio(head, glowing=True):
        scene = bpy.data.scenes["preview"]
        (hair,) = [thing for thing in scene.objects if thing.type == "CURVES"]
        light_strands(hair.data, from_above(np.array([0.2, 0.1, 0.05])), UP, GLOW)
        found = np.empty(3 * len(hair.data.points), np.float32)
        hair.data.attributes[GLOW].data.foreach_get("vector", found)
    assert np.isfinite(found).all() and (found >= 0).all() and found.max() > 0.1
