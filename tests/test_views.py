"""Further photos of a person in the exchange: kept in files, seen one by one, refused damaged."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from reconstruct_face.backend.errors import ExchangeError
from reconstruct_face.backend.exchange import (
    Reconstruction,
    load_reconstruction,
    save_reconstruction,
)
from reconstruct_face.backend.exchange.views import PhotoView

from tests.synthetic_reconstruction import make_reconstruction


@pytest.fixture(scope="module")
def head() -> Reconstruction:
    made = make_reconstruction(photo_path="/photos/front.jpg")
    side = make_reconstruction(photo_path="/photos/side.jpg", face_index=2)
    rng = np.random.default_rng(4)
    views = []
    for number in range(2):
        told = {name: getattr(side, name) for name in PhotoView.of_reconstruction()}
        told["expression"] = rng.uniform(0, 1, len(made.expression)).astype(np.float32)
        told["photo"] = rng.integers(0, 255, 100 + number, np.uint8)
        views.append(PhotoView(**told, weight=0.5 * (number + 1)))
    made.views = tuple(views)
    return made


def test_views_come_back_from_a_file(head: Reconstruction, tmp_path: Path) -> None:
    back = load_reconstruction(save_reconstruction(head, tmp_path / "person.npz"))
    assert len(back.views) == 2
    for before, after in zip(head.views, back.views, strict=True):
        for field in fields(PhotoView):
            was, now = getattr(before, field.name), getattr(after, field.name)
            if isinstance(was, np.ndarray):
                assert now.dtype == was.dtype, field.name
                np.testing.assert_array_equal(now, was, field.name)
            elif field.name == "photo_path":
                assert (was, now) == ("/photos/side.jpg", "side.jpg"), "its folder stays here"
            else:
                assert now == was, field.name


def test_a_head_is_seen_in_each_photo(head: Reconstruction) -> None:
    assert head.seen_in(0) is head
    seen = head.seen_in(2)
    view = head.views[1]
    by_hand = head.vertices_neutral.astype(np.float64) + np.einsum(
        "e,evk->vk", view.expression.astype(np.float64), head.expression_basis.astype(np.float64)
    )
    np.testing.assert_allclose(seen.vertices_posed, by_hand, atol=1e-4)
    assert seen.photo_name == "side.jpg" and seen.face_index == 2
    assert seen.photo is view.photo and seen.camera_matrix is view.camera_matrix
    assert seen.identity is head.identity and seen.texture is head.texture
    seen.validate()
    with pytest.raises(IndexError):
        head.seen_in(3)
    with pytest.raises(IndexError):
        head.seen_in(-1)


@pytest.mark.parametrize(
    "damage, said",
    [
        ({"rotation": 2 * np.eye(3)}, "rotation"),
        ({"expression": np.zeros(1, np.float32)}, "expression"),
        ({"landmarks68": np.full(68, 10**6, np.int32)}, "landmarks68"),
        ({"camera_matrix": np.zeros((3, 3))}, "focal"),
        ({"sh_light": np.full((9, 3), np.nan, np.float32)}, "finite"),
        ({"image_size": (0, 4)}, "image_size"),
    ],
)
def test_damaged_views_are_refused(head: Reconstruction, damage: dict, said: str) -> None:
    broken = replace(head, views=(replace(head.views[0], **damage),))
    with pytest.raises(ExchangeError, match=said):
        broken.validate()


def test_too_many_photos_are_refused(head: Reconstruction) -> None:
    with pytest.raises(ExchangeError, match="31 photos"):
        replace(head, views=head.views[:1] * 30).validate()


@pytest.mark.parametrize(
    "member, change, said",
    [
        ("view_photo_bytes", lambda a: a + 1, "view_photo_bytes"),
        ("view_photo_bytes", lambda a: a * np.array([-1, 3]), "view_photo_bytes"),
        ("view_weight", None, "view_weight"),
        ("view_expression", lambda a: a[:1], "view_"),
    ],
)
def test_damaged_files_of_views_are_refused(
    head: Reconstruction, tmp_path: Path, member: str, change, said: str
) -> None:
    path = save_reconstruction(head, tmp_path / "person.npz")
    with np.load(path, allow_pickle=False) as data:
        members = dict(data)
    if change is None:
        del members[member]
    else:
        members[member] = change(members[member])
    np.savez(path, **members)
    with pytest.raises(ExchangeError, match=said):
        load_reconstruction(path)
