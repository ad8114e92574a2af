"""The preview leaves driven wrinkles out of its own materials, and no one else's."""

from __future__ import annotations

from typing import Any

import bpy
import pytest
from reconstruct_face.scene.studio import studio
from reconstruct_face.scene.wrinkles import WRINKLES

from tests.test_scene_skin import build, with_maps


def normal_from(material: bpy.types.Material) -> str:
    """The type of the node that tells the skin's shader its normal."""
    tree: Any = material.node_tree
    (link,) = tree.nodes["Principled BSDF"].inputs["Normal"].links
    return link.from_node.type


@pytest.mark.parametrize("wrinkles", [True, False])
def test_only_a_preview_without_wrinkles_lacks_them(wrinkles: bool) -> None:
    head = build(with_maps()).head
    mine = head.data.materials[0]
    if WRINKLES not in mine.node_tree.nodes:
        pytest.fail("the head has no wrinkles to leave out")
    assert normal_from(mine) == "BUMP"
    before = set(bpy.data.materials)
    with studio(head, wrinkles=wrinkles):
        (quick,) = (m for m in set(bpy.data.materials) - before if m.name.startswith(mine.name))
        assert normal_from(quick) == ("BUMP" if wrinkles else "NORMAL_MAP")
        assert normal_from(mine) == "BUMP"
    assert set(bpy.data.materials) == before
