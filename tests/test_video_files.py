"""Videos as telephones and editors write them: turned, stretched, HDR, transparent."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruct_face.backend.animate.container import VideoTags, read_tags
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.animate.video_colour import KNEE, PEAK, WHITE, shoulder

from tests import animate_clip as clips
from tests import video_boxes as boxes
from tests.errors import has

HEIGHT, WIDTH = 96, 160
#: Red, green and blue; skin.
PATCHES = np.array([(170, 60, 50), (60, 140, 70), (40, 60, 150), (205, 160, 135), (120, 120, 120)])


def corners() -> np.ndarray:
    """A picture that is another one however it is turned."""
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    picture[:48, :64], picture[:48, -64:] = (200, 40, 40), (40, 180, 40)
    picture[-48:, :64], picture[-48:, -64:] = (40, 40, 200), (220, 220, 220)
    return picture


def patches(colours: np.ndarray) -> np.ndarray:
    """(64, 64 N, 3) uint8: a square of each of the (N, 3) colours."""
    rows = np.repeat(np.rint(colours).astype(np.uint8)[None], 64, axis=1)
    return np.repeat(rows, 64, axis=0)


def shown(path: Path, index: int = 0) -> tuple[np.ndarray, list[str]]:
    """(H, W, 3) the frame ``index`` of the video, and the notes."""
    source = open_source(path)
    pixels = list(source.frames())[index].pixels
    assert pixels is not None and pixels.dtype == np.uint8
    assert pixels.shape[1::-1] == source.size
    return pixels.astype(float), source.notes


def middles(pixels: np.ndarray, count: int) -> np.ndarray:
    return pixels[32, 32 : 64 * count : 64]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_video_is_upright(tmp_path: Path, degrees: int) -> None:
    path = boxes.turn(clips.write(tmp_path / "a.mp4", [corners()] * 3), degrees)
    pixels, notes = shown(path)
    expected = np.rot90(corners(), -degrees // 90).astype(float)
    assert pixels.shape == expected.shape and notes == []
    assert np.abs(pixels - expected).mean() < 3


@pytest.mark.parametrize(
    ("across", "down", "degrees", "size"),
    [
        (4, 3, 0, (213, 96)),
        (3, 4, 0, (160, 128)),
        (4, 3, 90, (96, 213)),
        (1, 1, 0, (160, 96)),
        (0, 1, 0, (160, 96)),
        (999, 1, 0, (160, 96)),
    ],
)
def test_pixels_are_square(
    tmp_path: Path, across: int, down: int, degrees: int, size: tuple[int, int]
) -> None:
    path = clips.write(tmp_path / "a.mp4", [corners()] * 3)
    boxes.add_to_entry(boxes.turn(path, degrees), boxes.aspect(across, down))
    pixels, _ = shown(path)
    assert pixels.shape[1::-1] == size
    expected = cv2.resize(np.rot90(corners(), -degrees // 90), size)
    assert np.abs(pixels - expected).mean() < 4


# -- colour: against the standards' formulas in float64

BT709_TO_2020 = np.array(  # ITU-R BT.2087
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


def linear(code: np.ndarray) -> np.ndarray:
    code = code / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def pq(light: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084 of cd/m2."""
    y = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(light: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100 of cd/m2 on a display of 1000: inverse OOTF of gamma 1.2, then OETF."""
    luminance = light @ [0.2627, 0.6780, 0.0593] / 1000
    scene = light / 1000 * luminance[:, None] ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(12 * scene - b) + c)


@pytest.mark.parametrize(("curve", "transfer", "name"), [(pq, 16, "PQ"), (hlg, 18, "HLG")])
def test_hdr_is_toned_down_and_skin_stays(tmp_path: Path, curve, transfer: int, name: str) -> None:
    colours = PATCHES[3:]
    code = 255 * curve(WHITE * linear(colours) @ BT709_TO_2020.T)
    assert np.abs(code - colours).max() > 20, "it would be washed out"
    path = clips.write(tmp_path / "a.mp4", [patches(code)] * 3)
    boxes.add_to_entry(path, boxes.colour(9, transfer, 6))
    pixels, notes = shown(path)
    assert np.abs(middles(pixels, 2) - colours).max() < 16
    assert len(notes) == 1 and name in notes[0]


def test_a_wide_gamut_is_narrowed(tmp_path: Path) -> None:
    inside = np.array([[0.62, 0.42, 0.34]]) * 255
    light = linear(inside) @ BT709_TO_2020.T
    code = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    path = clips.write(tmp_path / "a.mp4", [patches(code)] * 3)
    boxes.add_to_entry(path, boxes.colour(9, 14, 6))
    pixels, notes = shown(path)
    assert np.abs(code - inside).max() > 8
    assert np.abs(middles(pixels, 1) - inside).max() < 6 and len(notes) == 1


@pytest.mark.parametrize("kind", [b"nclx", b"nclc"])
def test_the_matrix_is_the_videos_own(tmp_path: Path, kind: bytes) -> None:
    path = clips.write(tmp_path / "a.mp4", [patches(PATCHES)] * 3)  # by the matrix of BT.601
    plain, _ = shown(path)
    boxes.add_to_entry(path, boxes.colour(1, 1, 1, kind))
    pixels, notes = shown(path)
    r, g, b = PATCHES.T.astype(float)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    cb, cr = (b - y) / 1.772, (r - y) / 1.402
    expected = np.stack([y + 1.5748 * cr, y - 0.1873 * cb - 0.4681 * cr, y + 1.8556 * cb], 1)
    assert np.abs(expected - middles(plain, 5)).max() > 10
    assert np.abs(np.clip(expected, 0, 255) - middles(pixels, 5)).max() < 6
    assert notes == []


def test_the_tone_curve_keeps_its_middle_and_ends() -> None:
    light = np.linspace(0, 10, 20001).astype(np.float32)
    toned = shoulder(light)
    below = light <= KNEE
    assert np.array_equal(toned[below], light[below])
    assert toned.max() == pytest.approx(1.0) and shoulder(np.float32([PEAK / WHITE])) > 0.9999
    steps = np.diff(toned)
    assert (steps >= 0).all() and np.abs(np.diff(steps)).max() < 1e-5, "no edge"


# -- transparency


@pytest.mark.seconds
def test_transparent_video_lies_over_white(tmp_path: Path) -> None:
    size = (64, 48)
    colour = np.full((48, 64, 3), (40, 90, 150), np.uint8)
    opacity = np.zeros((48, 64, 3), np.uint8)
    opacity[:, 32:] = 200
    frames = boxes.packets([colour] * 4, tmp_path)
    alphas: list[bytes | None] = [*boxes.packets([opacity] * 4, tmp_path)]
    alphas[3] = None
    path = boxes.webm(tmp_path / "a.webm", frames, alphas, size)
    under, over = 16 / 255, (16 + 200 * 219 / 255) / 255  # OpenCV wrote luma of limited range
    pixels, notes = shown(path, 2)
    assert np.abs(pixels[20, 8] - (255 + (colour[0, 0] - 255.0) * under)).max() < 6
    assert np.abs(pixels[20, 56] - (255 + (colour[0, 0] - 255.0) * over)).max() < 6
    assert notes == ["The transparent parts of the video were laid over white."]
    assert np.abs(shown(path, 3)[0] - colour).max() < 6, "a frame without is opaque"
    path.write_bytes(path.read_bytes().replace(b"V_VP9", b"V_VP7"))
    assert read_tags(path).alpha


def test_transparency_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"png "), 25.0, (64, 48))
    assert writer.isOpened()
    writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    assert shown(path)[1] == []  # RGB
    data = bytearray(path.read_bytes())
    # The PNG in it: colour type 6 (with alpha) and pixels that were packed anew.
    start = data.index(b"\x89PNG")
    end = data.index(b"IEND", start) + 8
    rgba = cv2.imencode(".png", np.full((48, 64, 4), 90, np.uint8), [16, 9])[1].tobytes()
    assert len(rgba) <= end - start
    data[start:end] = rgba.ljust(end - start, b"\0")
    path.write_bytes(data)
    has(shown(path)[1][0], "transparency")


# -- containers that are damaged


def test_tags_of_damaged_containers_are_none(tmp_path: Path) -> None:
    film = boxes.add_to_entry(
        clips.write(tmp_path / "a.mp4", [corners()] * 3), boxes.colour(9, 18, 9)
    )
    assert read_tags(film) == VideoTags(9, 18, 9)
    clip = boxes.webm(
        tmp_path / "a.webm", [b"x"], [b"y"], (8, 8), {0x55B1: 9, 0x55BA: 16, 0x55BB: 9, 0x55B9: 2}
    )
    assert read_tags(clip) == VideoTags(9, 16, 9, full_range=True, alpha=True)
    rng = np.random.default_rng(0)
    for path in (film, clip):
        data = path.read_bytes()
        for cut in range(0, min(len(data), 600), 11):
            path.write_bytes(data[:cut])
            read_tags(path)
        for _ in range(60):
            other = bytearray(data)
            for at in rng.integers(0, len(data), 8):
                other[at] = rng.integers(256)
            path.write_bytes(other)
            assert isinstance(read_tags(path), VideoTags)
    nested = b"\x1aE\xdf\xa3\x80" + b"\x18S\x80g\xff" * 1000
    clip.write_bytes(nested)
    assert read_tags(clip) == VideoTags()
