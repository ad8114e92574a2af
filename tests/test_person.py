"""Which pixels are of a person, by the shipped network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from reconstruct_face.backend.detect import person
from reconstruct_face.backend.detect.person import person_mask
from reconstruct_face.backend.errors import ModelError
from reconstruct_face.backend.kept import let_go

ASSETS = Path(__file__).resolve().parents[1] / "assets"
#: (x, y) in the sample photo as one sees it: cheek, hair at its top and beside the face, both
#: shoulders; wall, flag, the model of the shuttle.
HERS = [(200, 160), (225, 30), (172, 90), (278, 90), (120, 300), (330, 300)]
NOT_HERS = [(20, 60), (90, 60), (400, 60), (480, 180), (330, 100)]


@pytest.fixture
def afresh() -> Iterator[None]:
    """No network is loaded, before and after."""
    let_go()
    yield
    let_go()


def test_the_sample_s_person_is_told_from_her_ground() -> None:
    photo = cv2.cvtColor(cv2.imread(str(ASSETS / "astronaut.jpg")), cv2.COLOR_BGR2RGB)
    found = person_mask(photo)
    assert found.shape == photo.shape[:2] and found.min() >= 0 and found.max() <= 1
    assert min(found[y, x] for x, y in HERS) > 0.9
    assert max(found[y, x] for x, y in NOT_HERS) < 0.1


def test_another_file_in_its_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, afresh: None
) -> None:
    photo = cv2.imread(str(ASSETS / "astronaut.jpg"))
    data = bytearray(person.NETWORK.read_bytes())
    data[1000] ^= 1
    damaged = tmp_path / "network.tflite"
    damaged.write_bytes(data)
    for path, said in ((damaged, "damaged"), (tmp_path / "none", "missing")):
        monkeypatch.setattr(person, "NETWORK", path)
        with pytest.raises(ModelError, match=said):
            person_mask(photo)
