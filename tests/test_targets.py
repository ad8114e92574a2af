"""What targets there are, and what of them is kept with a head."""

from __future__ import annotations

import json

import pytest
from reconstruct_face.backend.errors import OptionError
from reconstruct_face.backend.exchange.formats import FORMATS
from reconstruct_face.backend.exchange.targets import (
    CHANGEABLE,
    OCULUS,
    TARGETS,
    VISEME_NAMES,
    changed,
    from_text,
    target_named,
    to_text,
)
from reconstruct_face.backend.motion.visemes import VISEMES, viseme_of

from tests.errors import raises


def test_every_program_of_the_documentation_is_there() -> None:
    wanted = {"unreal", "unity", "godot", "threejs", "vrchat", "metahuman", "usd"}
    assert set(TARGETS) == wanted
    for target in TARGETS.values():
        assert set(target.formats) <= set(FORMATS) - {"blend"}
        for key, values in CHANGEABLE.items():
            assert getattr(target, key) in values
        assert target.about and target.label


def test_the_visemes_are_those_of_our_table() -> None:
    assert tuple(VISEMES) == OCULUS
    assert len(set(OCULUS)) == 15
    for names in VISEME_NAMES.values():
        assert set(names) in (set(), set(OCULUS))
        assert len(set(names.values())) == len(names)
    # Meta's and VRChat's names are read back as the viseme that they are of.
    for custom, prefix in (("oculus", "viseme_"), ("vrchat", "vrc.v_")):
        for viseme, name in VISEME_NAMES[custom].items():
            assert viseme_of(name.removeprefix(prefix)) == viseme


def test_a_change_is_kept_and_read_again() -> None:
    changes = {"texture": 512, "levels": 1, "visemes": "none", "neutral": False}
    assert from_text(to_text("unreal", changes)) == ("unreal", changes)
    chosen = changed(target_named("unreal"), changes)
    assert (chosen.texture, chosen.levels, chosen.skeleton) == (512, 1, "unreal")
    assert TARGETS["unreal"].levels == 3


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", '"unreal"', "{}", '{"target": 3}', '{"target": "doom"}', None, 4.5]
    + ['{"target": ["unreal"]}', "[" * 5000],
)
def test_what_is_damaged_is_no_target(text: object) -> None:
    assert from_text(text) == ("", {})


def test_what_is_not_known_is_left_out() -> None:
    text = {
        "target": "unity",
        "levels": 9,
        "texture": "1024",
        "formats": ["glb"],
        "visemes": "none",
    }
    text |= {"neutral": 1, "skeleton": None, "compression": ["none"]}
    assert from_text(json.dumps(text)) == ("unity", {"visemes": "none"})


def test_no_target_and_no_such_change_are_one_sentence() -> None:
    with raises(OptionError, "'doom'", "unreal, unity, godot"):
        target_named("doom")
    with raises(OptionError, "'colour'", "texture, levels"):
        changed(TARGETS["usd"], {"colour": 1})
    with raises(OptionError, "'9'", "levels", "1, 2, 3"):
        changed(TARGETS["usd"], {"levels": 9})
    with raises(OptionError, "'True'", "levels"):
        changed(TARGETS["usd"], {"levels": True})
