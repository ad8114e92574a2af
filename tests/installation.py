"""What tests of the backend's environment begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruct_face.scene.installation import check, locate, set_up, status
from reconstruct_face.scene.installation.choices import Choices, choose
from reconstruct_face.scene.installation.locate import PYTHON_VARIABLE

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def nothing_found_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No project, no running Python that would do, nothing remembered from other tests."""
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr(locate, "ROOT", tmp_path)
    monkeypatch.setattr(locate, "_NEEDED", ("cv2", "a_module_nobody_has"))
    fresh = check.Checks()
    for module in (check, locate, set_up, status):
        monkeypatch.setattr(module, "CHECKS", fresh)
    yield
    set_up.stop()
    fresh.stop()
    choose(Choices())
