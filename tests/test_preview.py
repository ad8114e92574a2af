"""Previews: that things are drawn where the camera says, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.errors import OutputError, PhotoError
from reconstruct_face.backend.exchange import Reconstruction
from reconstruct_face.backend.exchange.own_pictures import is_own
from reconstruct_face.backend.photo.encode import encode_png
from reconstruct_face.backend.preview import (
    compose_preview,
    contact_sheet,
    preview_window,
    window_pixels,
    write_contact_sheet,
    write_preview,
)
from reconstruct_face.backend.preview.compose import BACKGROUND, CAPTION, GAP
from reconstruct_face.backend.preview.overlay import (
    DETECTED,
    FITTED,
    GROUPS,
    draw_overlay,
    wire_coverage,
)

from tests.errors import raises
from tests.synthetic_reconstruction import make_person, make_reconstruction, project

WINDOW = np.array([100.0, 40.0, 300.0, 240.0])


def to_panel(u: float, v: float, window: np.ndarray, size: int) -> tuple[float, float]:
    """Where pixel (u, v) of the photo lies in the panel, from the definition of the window."""
    scale = size / (window[2] - window[0])
    return (u - window[0]) * scale - 0.5, (v - window[1]) * scale - 0.5


@pytest.fixture(scope="module")
def head() -> Reconstruction:
    return make_reconstruction()


@pytest.mark.parametrize("size", [100, 200, 512])
@pytest.mark.parametrize("window", [WINDOW, np.array([-100.0, -50.0, 300.0, 350.0])])
def test_the_window_shows_its_part_of_the_photo(window: np.ndarray, size: int) -> None:
    photo = np.zeros((240, 320, 3), np.uint8)
    photo[140:151, 180:191] = 255  # centred on (185, 145)
    panel = window_pixels(photo, window, size, outside=0).astype(float)[..., 0]
    y, x = np.mgrid[:size, :size]
    found = (x * panel).sum() / panel.sum(), (y * panel).sum() / panel.sum()
    assert found == pytest.approx(to_panel(185, 145, window, size), abs=0.15)


def test_beyond_the_photo_there_is_plain_grey() -> None:
    photo = np.full((100, 100, 3), 200, np.uint8)
    panel = window_pixels(photo, np.array([-50.0, 0.0, 50.0, 100.0]), 200, outside=30)
    assert (panel[:, :95] == 30).all()
    assert (panel[5:-5, 105:] == 200).all()


def test_the_preview_window_is_square_and_holds_head_and_margin(head: Reconstruction) -> None:
    x0, y0, x1, y1 = preview_window(head)
    assert x1 - x0 == pytest.approx(y1 - y0)
    chin = head.vertices_posed[head.landmarks68[8], 1]
    pixels = project(head, head.vertices_posed[head.vertices_posed[:, 1] > chin - 40])
    rim = 0.05 * (x1 - x0)
    assert (pixels > [x0 + rim, y0 + rim]).all()
    assert (pixels < [x1 - rim, y1 - rim]).all()
    assert max(np.ptp(pixels, axis=0)) > 0.7 * (x1 - x0), "most of the window is empty"


def _two_squares() -> Reconstruction:
    """A near square, 100 mm, before a far one of four smaller quads, seen straight from z = +."""
    head = make_reconstruction(angles=(0.0, 0.0, 0.0), focal=1000.0, image_size=(640, 480))
    near = [(-50, -50, 100), (50, -50, 100), (50, 50, 100), (-50, 50, 100)]
    far = [(x, y, 0) for y in (-40, 0, 40) for x in (-40, 0, 40)]
    quads = [(0, 1, 2, 3)]
    quads += [(a + 4, a + 5, a + 8, a + 7) for a in (0, 1, 3, 4)]
    head.vertices_posed = np.array(near + far, np.float32)
    head.polygons = np.array(quads, np.int32)
    head.polygon_material = np.zeros(len(quads), np.uint8)
    head.rotation = np.diag([1.0, -1.0, -1.0])
    head.translation = np.array([0.0, 0.0, 1000.0])
    return head


def test_the_wireframe_hides_what_is_behind_and_sits_where_the_camera_says() -> None:
    head = _two_squares()
    cx, cy = head.camera_matrix[:2, 2]
    window = np.array([cx - 100, cy - 100, cx + 100, cy + 100])
    size = 400
    coverage = wire_coverage(head, window, size)
    # The near square's edge: 50 mm at 900 mm with f = 1000 is 55.56 px from the centre.
    edge = round(to_panel(cx + 1000 * 50 / 900, cy, window, size)[0])
    assert coverage[size // 2, edge - 1 : edge + 2].max() > 0.4
    inside = coverage[size // 2 - 100 : size // 2 + 100, size // 2 - 100 : size // 2 + 100]
    assert inside.max() == 0, "lines of the far squares show through the near one"
    # Without the near square, the far one's middle line is there.
    head.polygons, head.polygon_material = head.polygons[1:], head.polygon_material[1:]
    assert wire_coverage(head, window, size)[size // 2, size // 2 - 40] > 0.4


def test_detected_and_fitted_landmarks_are_drawn_in_their_colours(head: Reconstruction) -> None:
    rng = np.random.default_rng(0)
    head.landmarks2d = rng.uniform([120, 60], [280, 220], (68, 2)).astype(np.float32)
    head.landmarks2d_detected = head.landmarks2d + np.float32(7)
    panel = draw_overlay(np.zeros((600, 600, 3), np.uint8), head, WINDOW)
    for points, colour in ((head.landmarks2d, FITTED), (head.landmarks2d_detected, DETECTED)):
        near = np.abs(panel.astype(int) - colour).sum(axis=2) < 60
        for u, v in points:
            x, y = (round(c) for c in to_panel(u, v, WINDOW, 600))
            assert near[y - 4 : y + 5, x - 4 : x + 5].any(), (u, v)


def test_the_landmark_groups_cover_all_68_once() -> None:
    covered = [i for first, last, _ in GROUPS for i in range(first, last + 1)]
    assert covered == list(range(68))


def test_four_panels_with_the_renderings_over_photo_and_backdrop(head: Reconstruction) -> None:
    window = preview_window(head)
    view = np.zeros((128, 128, 4), np.uint8)
    view[..., 0] = 255  # red, also where it is transparent: that must not bleed
    view[32:96, 32:96, 3] = 255
    sheet = compose_preview(head, view, view[..., :3], window, panel=256)
    assert sheet.shape[1] == 4 * 256 + 5 * GAP
    panels = [sheet[GAP : GAP + 256, GAP + i * (256 + GAP) :][:, :256] for i in range(4)]
    assert (panels[2][70:180, 70:180] == [255, 0, 0]).all()
    corner = panels[2][:50, :50].astype(int)
    assert (np.ptp(corner, axis=2) == 0).all(), "transparent pixels coloured the photo"
    assert (panels[3] == [255, 0, 0]).all()
    assert (panels[0] != panels[1]).any()


def test_without_renderings_two_panels(head: Reconstruction) -> None:
    sheet = compose_preview(head, None, None, preview_window(head), panel=128)
    assert sheet.shape[1] == 2 * 128 + 3 * GAP


def test_every_further_photo_has_a_panel_with_its_own_mesh() -> None:
    person = make_person([f"{'long ' * 20}{n}.jpg" for n in range(7)])
    alone = compose_preview(
        replace(person, views=()), None, None, preview_window(person), panel=256
    )
    sheet = compose_preview(person, None, None, preview_window(person), panel=256)
    assert sheet.shape[1] == alone.shape[1]
    assert (sheet[: GAP + 256] == alone[: GAP + 256]).all(), "the first row is the main photo's"
    small = (256 - GAP) // 2
    row = small + GAP + CAPTION
    assert len(sheet) == len(alone) + 2 * row, "four and two small panels are two rows"
    for place in range(6):
        seen = person.seen_in(1 + place)
        window = preview_window(seen)
        top = len(alone) + place // 4 * row + GAP
        left = GAP + place % 4 * (small + GAP)
        panel = sheet[top : top + small, left : left + small].astype(int)
        blue = panel[..., 2] - panel[..., 0]  # of fitted landmarks alone: photo and mesh are grey
        placed = [to_panel(u, v, window, small) for u, v in seen.landmarks2d.tolist()]
        inside = [np.rint(p).astype(int) for p in placed if min(p) > 3 and max(p) < small - 4]
        assert len(inside) > 30
        for x, y in inside:
            assert blue[y - 2 : y + 3, x - 2 : x + 3].max() > 50, "as its camera sees it"
        caption = sheet[top + small : top + small + CAPTION, left : left + small]
        assert (caption > 100).any(), "its name"
        gap = sheet[top + small : top + small + CAPTION, left + small : left + small + GAP]
        assert (gap == BACKGROUND).all(), "names end within their panel"
    assert (sheet[-row:, GAP + 2 * (small + GAP) :] == BACKGROUND).all()


def test_preview_file(head: Reconstruction, tmp_path: Path) -> None:
    view = tmp_path / "view.png"
    view.write_bytes(encode_png(np.full((32, 32, 4), 200, np.uint8)).tobytes())
    window = preview_window(head)
    out = write_preview(head, tmp_path / "ünd so.png", view, view, window)
    with Image.open(out) as picture:
        assert picture.width == 4 * 512 + 5 * GAP
    assert is_own(out)
    with raises(PhotoError, tmp_path / "missing.png"):
        write_preview(head, tmp_path / "b.png", tmp_path / "missing.png", None, window)
    with raises(OutputError, tmp_path / "no" / "b.png"):
        write_preview(head, tmp_path / "no" / "b.png", None, None, window)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["view.png", "ünd so.png"]


def _colour(tmp_path: Path, name: str, colour: tuple[int, int, int]) -> Path:
    Image.new("RGB", (200, 50), colour).save(tmp_path / name)
    return tmp_path / name


def test_the_contact_sheet_keeps_order_row_by_row(tmp_path: Path) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    files = [_colour(tmp_path, f"{i}.png", colour) for i, colour in enumerate(colours)]
    page = contact_sheet(files, ["a", "b" * 500, "c"], columns=2, cell_width=400)
    height, width = page.shape[:2]
    where = [(0.35, 0.25), (0.35, 0.75), (0.8, 0.25)]
    for (y, x), colour in zip(where, colours, strict=True):
        assert tuple(page[int(y * height), int(x * width)]) == colour
    assert tuple(page[int(0.8 * height), int(0.75 * width)]) not in colours


def test_contact_sheets_that_cannot_be(tmp_path: Path) -> None:
    file = _colour(tmp_path, "a.png", (1, 2, 3))
    with raises(ValueError, "0 pictures", "0 titles"):
        contact_sheet([], [])
    with raises(ValueError, "1 pictures", "2 titles"):
        contact_sheet([file], ["a", "b"])
    (tmp_path / "b.png").write_text("no picture")
    with raises(PhotoError, tmp_path / "b.png"):
        write_contact_sheet([file, tmp_path / "b.png"], ["a", "b"], tmp_path / "sheet.jpg")
    assert not (tmp_path / "sheet.jpg").exists()


def test_a_long_contact_sheet_stays_within_what_viewers_open(tmp_path: Path) -> None:
    file = _colour(tmp_path, "a.png", (9, 9, 9))
    page = contact_sheet([file] * 300, [str(i) for i in range(300)], columns=1)
    assert page.shape[0] < 20_000
