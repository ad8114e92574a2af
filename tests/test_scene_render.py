"""Cycles pictures of a head, judged by their pixels."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.errors import OutputError
from reconstruct_face.scene.build import build_scene, can_denoise, prepare_file
from reconstruct_face.scene.render import (
    render_photo_view,
    render_three_quarter,
    square_around_head,
)
from reconstruct_face.scene.studio import smooth_outline

from tests.errors import raises
from tests.synthetic_reconstruction import make_reconstruction, project

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _empty_file() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGBA")).astype(float) / 255


def test_the_photo_view_covers_what_the_vertices_cover(tmp_path: Path) -> None:
    made = make_reconstruction(image_size=(640, 480), principal=(300.0, 260.0))
    head_scene = build_scene(made)
    window = (100.0, -20.0, 520.0, 400.0)
    path = render_photo_view(head_scene, made, window, tmp_path / "v.png", size=210, samples=4)
    picture = pixels(path)
    assert picture.shape == (210, 210, 4)
    alpha = picture[..., 3] > 0.5
    seen = (project(made, made.vertices_posed) - window[:2]) * 0.5 - 0.5
    rows, columns = np.nonzero(alpha)
    for axis, found in ((0, columns), (1, rows)):
        # Subdivision draws the outline in a little: under 1 % of the head.
        assert found.min() == pytest.approx(seen[:, axis].min(), abs=2.0)
        assert found.max() == pytest.approx(seen[:, axis].max(), abs=2.0)
    assert picture[0, 0, 3] == 0, "there is no background"


def test_a_baked_texture_comes_out_as_in_the_photo(tmp_path: Path) -> None:
    made = make_reconstruction(texture_mode="photo", angles=(0.0, 0.0, 0.0))
    head_scene = build_scene(made)
    path = render_photo_view(
        head_scene, made, square_around_head(made), tmp_path / "v.png", size=200, samples=16
    )
    picture = pixels(path)
    inside = picture[90:180, 60:140, :3][picture[90:180, 60:140, 3] > 0.99]
    # The checker's two colours; lit evenly they come out as they are, a highlight aside.
    expected = np.mean([(205, 160, 135), (190, 140, 115)], axis=0) / 255
    assert np.abs(np.median(inside, axis=0) - expected).max() < 0.06


def test_the_three_quarter_view_frames_the_head_on_grey(tmp_path: Path) -> None:
    made = make_reconstruction()
    head_scene = build_scene(made)
    path = render_three_quarter(head_scene, made, tmp_path / "t.png", size=200, samples=4)
    picture = pixels(path)
    assert picture.shape == (200, 200, 4)
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners[:, 3] == 1).all()
    assert np.ptp(corners[:, :3]) < 0.02
    assert corners[:, :3].mean() > 0.7
    head = np.abs(picture[..., :3] - corners[0, :3]).max(-1) > 0.08
    rows, columns = np.nonzero(head)
    assert 0.8 < np.ptp(rows) / 200 < 0.95, "the head fills the picture"
    assert abs((rows.min() + rows.max()) / 2 - 99.5) < 8
    assert abs((columns.min() + columns.max()) / 2 - 99.5) < 8


def test_rendering_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    made = make_reconstruction(rows=10, columns=12)
    prepare_file(made)
    head_scene = build_scene(made)
    kinds = ("scenes", "cameras", "lights", "worlds", "objects", "images", "collections")
    before = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    render_photo_view(
        head_scene, made, square_around_head(made), tmp_path / "v.png", size=32, samples=1
    )
    render_three_quarter(head_scene, made, tmp_path / "t.png", size=32, samples=1)
    after = {kind: len(getattr(bpy.data, kind)) for kind in kinds}
    after["images"] -= sum(image.name == "Render Result" for image in bpy.data.images)
    assert after == before
    assert bpy.context.scene.name == "Scene"


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    made = make_reconstruction(rows=10, columns=12)
    head_scene = build_scene(made)
    (tmp_path / "file").write_text("in the way")
    with raises(OutputError, tmp_path / "file"):
        render_three_quarter(head_scene, made, tmp_path / "file" / "t.png", size=32, samples=1)


def test_blender_without_a_denoiser_is_told_apart() -> None:
    class Settings:
        """The Cycles settings of a build whose list of denoisers is empty, as Debian's."""

        def __setattr__(self, name: str, value: str) -> None:
            raise TypeError(f'enum "{value}" not found in ()')

    assert not can_denoise(SimpleNamespace(cycles=Settings()))
    assert can_denoise(bpy.context.scene)
    assert bpy.context.scene.cycles.denoiser == "OPENIMAGEDENOISE"


def test_the_outline_is_smooth_and_all_else_as_it_was() -> None:
    rng = np.random.default_rng(0)
    rgba = np.ones((12, 40, 4), np.float32)
    rgba[..., :3] = rng.uniform(0.2, 0.9, (12, 1, 3))  # rows of one colour each
    rgba[:, 20:] = 0.0
    rgba[:, 19, 3] = rng.integers(0, 2, 12)  # a ragged outline, with specks of another colour
    rgba[::3, 19, :3] = 0.0
    found = smooth_outline(rgba)
    assert (found[:, :18] == rgba[:, :18]).all() and (found[:, 22:] == 0).all()
    before, after = (np.abs(np.diff(one[:, 19, 3])).mean() for one in (rgba, found))
    assert after < 0.5 * before
    # In the middle by hand: the binomial mean over nine pixels, colours weighed by alpha.
    weights = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    near = rgba[4:7, 18:21].astype(np.float64)
    alpha = (near[..., 3:] * weights).sum((0, 1))
    colour = (near[..., :3] * near[..., 3:] * weights).sum((0, 1)) / alpha
    np.testing.assert_allclose(found[5, 19], [*colour, *alpha], rtol=1e-5)
