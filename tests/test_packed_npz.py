"""How arrays are packed: numpy reads them, and what is packed already is not packed again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
from reconstruct_face.backend.exchange.npz import write_arrays
from reconstruct_face.backend.photo import read_photo
from reconstruct_face.backend.photo.encode import decode, encode_png

SAMPLE = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"


def test_numbers_are_packed_and_pictures_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "basis": np.zeros((55, 1000, 3), np.float32),
        "names": np.array(["jawOpen", "schließen"]),
        "picture": rng.integers(0, 256, 5000).astype(np.uint8),
        "table": np.zeros((100, 100), np.uint8),
        "none": np.empty(0, np.uint8),
    }
    path = write_arrays(tmp_path / "x.npz", arrays, compress=True)
    with np.load(path, allow_pickle=False) as found:
        assert set(found.files) == set(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array)
    with zipfile.ZipFile(path) as archive:
        kinds = {one.filename: one.compress_type for one in archive.infolist()}
        assert kinds["picture.npy"] == zipfile.ZIP_STORED
        assert kinds["basis.npy"] == kinds["table.npy"] == zipfile.ZIP_DEFLATED
        assert archive.getinfo("basis.npy").compress_size < 0.01 * arrays["basis"].nbytes


def test_a_png_of_a_face_as_large_as_a_texture_is_smaller_than_opencvs_own() -> None:
    face = read_photo(SAMPLE).pixels[20:220, 130:330]
    picture = cv2.resize(face, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    packed = encode_png(picture)
    assert np.array_equal(decode(packed), picture)
    plain = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    assert len(packed) < 0.9 * len(plain)
