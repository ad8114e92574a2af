"""What is no photo though it looks like one: hidden companions, and pictures of our own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from reconstruct_face.backend.animate.source import open_source
from reconstruct_face.backend.cli.verify import find_pairs
from reconstruct_face.backend.errors import PhotoError
from reconstruct_face.backend.exchange.formats import names_picture
from reconstruct_face.backend.exchange.own_pictures import is_own, marked
from reconstruct_face.backend.exchange.photo_tasks import Names, collect, names_taken
from reconstruct_face.backend.model.importing.ict import NEUTRAL, recognise
from reconstruct_face.backend.photo.encode import encode_jpeg, encode_png
from reconstruct_face.backend.preview.files import write_contact_sheet

from tests.errors import has, raises

PIXELS = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)


def photo(path: Path, value: int = 0) -> Path:
    path.write_bytes(encode_png((PIXELS // 2 + value).astype(np.uint8)).tobytes())
    return path


def names_of(folder: Path, *arguments: Path) -> list[tuple[str, str]]:
    return [(t.photo.name, t.name) for t in collect(arguments or [folder], folder)]


@pytest.mark.parametrize("encode", [encode_png, encode_jpeg])
def test_the_mark_leaves_the_picture_as_it_is(tmp_path: Path, encode) -> None:
    plain = encode(PIXELS).tobytes()
    path = tmp_path / "a.bin"
    path.write_bytes(plain)
    assert not is_own(path)
    path.write_bytes(marked(plain))
    assert is_own(path)
    with Image.open(path) as picture:  # Pillow checks a PNG's sums
        text = picture.info.get("Software") or picture.info["comment"].decode()
        assert text == "Made by Reconstruct Face"
        shown = np.asarray(picture)
    raw = np.frombuffer(plain, np.uint8)
    np.testing.assert_array_equal(shown[..., ::-1], cv2.imdecode(raw, cv2.IMREAD_COLOR))
    np.testing.assert_array_equal(
        cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR),
        cv2.imdecode(raw, cv2.IMREAD_COLOR),
    )
    assert marked(b"BM anything") == b"BM anything"


def test_hidden_files_are_no_photos(tmp_path: Path) -> None:
    photo(tmp_path / "anna.jpg")
    for name in ("._anna.jpg", ".anna.png", ".DS_Store"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7 AppleDouble")
    assert names_of(tmp_path) == [("anna.jpg", "anna")]
    assert names_picture("a.JPEG") and not names_picture(".jpg") and not names_picture("a.txt")
    # Who names one means it.
    assert names_of(tmp_path, tmp_path / ".anna.png")[0][0] == ".anna.png"


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    for i in (1, 2):
        photo(tmp_path / f"f{i}.png", 10 * i)
        (tmp_path / f"._f{i}.png").write_bytes(b"\0\5\x16\7")
    write_contact_sheet([tmp_path / "f1.png"], ["f1"], tmp_path / "f3.jpg")
    source = open_source(tmp_path, 25.0)
    assert [file.name for file in source.files] == ["f1.png", "f2.png"]
    assert [frame.pixels is not None for frame in source.frames()] == [True, True]
    assert source.notes == []


def test_hidden_files_are_no_heads_and_no_shapes(tmp_path: Path) -> None:
    for name in ("anna.npz", "._anna.npz", f"{NEUTRAL}.obj", "jawOpen.obj", "._jawOpen.obj"):
        (tmp_path / name).touch()
    assert find_pairs([tmp_path], None) == [(tmp_path / "anna.npz", tmp_path / "anna.blend")]
    assert set(recognise(tmp_path).fields) == {NEUTRAL, "jawOpen"}


def test_previews_beside_the_photos_are_no_photos(tmp_path: Path) -> None:
    photo(tmp_path / "anna.jpg")
    photo(tmp_path / "ben_preview.png", 9)  # a photo that is called so
    sheet = tmp_path / "contact_sheet.jpg"
    write_contact_sheet([tmp_path / "anna.jpg"], ["anna"], sheet)
    preview = tmp_path / "anna_preview.png"
    preview.write_bytes(marked(encode_png(PIXELS).tobytes()))
    # As a run leaves it, with and without the record that says whose it is; named by a pattern too.
    wanted = [("anna.jpg", "anna"), ("ben_preview.png", "ben_preview")]
    assert names_of(tmp_path) == wanted
    assert names_of(tmp_path, *sorted(tmp_path.iterdir())) == wanted
    assert Names(tmp_path).is_free("anna", "") and not Names(tmp_path).is_free("ben", "")
    assert names_taken(tmp_path) == {"ben": ""}
    (tmp_path / "ben.npz").touch()  # version 0.1.0's previews have no mark
    assert names_of(tmp_path) == wanted[:1]
    # In another folder, and nothing beside it, it is what was asked for.
    (tmp_path / "out").mkdir()
    assert names_of(tmp_path / "out", preview) == [("anna_preview.png", "anna_preview")]


def test_nothing_but_own_pictures(tmp_path: Path) -> None:
    preview = tmp_path / "anna_preview.png"
    preview.write_bytes(marked(encode_png(PIXELS).tobytes()))
    for argument in (tmp_path, preview):
        (task,) = collect([argument], tmp_path)
        assert type(task.error) is PhotoError
        has(str(task.error), argument)
    with raises(PhotoError, tmp_path):
        open_source(tmp_path)
