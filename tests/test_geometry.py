"""``backend/geometry`` against scipy, finite differences in float64 and the standards' values."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from reconstruct_face.backend.differentiable import srgb as srgb_torch
from reconstruct_face.backend.geometry import srgb

ROOT = Path(__file__).resolve().parents[1]
#: Linear light of sRGB bytes by IEC 61966-2-1, to seven digits.
BYTES = {0: 0.0, 1: 0.0003035, 10: 0.0030353, 11: 0.0033465, 128: 0.2158605, 188: 0.5028865, 255: 1}


def test_geometry_imports_nothing_of_the_project_but_the_errors() -> None:
    for path in sorted((ROOT / "backend" / "geometry").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                name = node.module or ""
                assert node.level == 1 or (node.level, name) == (2, "errors"), f"{path}: {name}"


def test_srgb_is_the_standards() -> None:
    for byte, linear in BYTES.items():
        assert srgb.SRGB_TO_LINEAR[byte] == pytest.approx(linear, abs=6e-8)
    # "Mid grey" and the place where the pieces meet, to the standard's own precision.
    assert srgb.encode(np.array([0.18, 0.5])) == pytest.approx([0.4613561, 0.7353569], abs=1e-7)
    assert srgb.encode(np.array([0.0031308])) == pytest.approx([0.04045], abs=1e-6)
    assert srgb.decode(np.array([-0.1])) == pytest.approx([-0.1 / 12.92])
    assert srgb.encode(np.array([-1.0, 2.0])) == pytest.approx([0, 1], abs=1e-12)


def test_srgb_there_and_back() -> None:
    linear = np.linspace(0, 1, 4001)
    assert np.allclose(srgb.decode(srgb.encode(linear)), linear, atol=3e-7)  # the pieces' gap
    everything = np.arange(256, dtype=np.uint8)
    assert (srgb.encode_bytes(srgb.SRGB_TO_LINEAR) == everything).all()


def test_srgb_keeps_float32() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    assert srgb.encode(values).dtype == srgb.decode(values).dtype == np.float32
    assert srgb.luminance(np.ones((4, 3), np.float32)).dtype == np.float32
    assert srgb.luminance(np.ones((4, 3))) == pytest.approx(np.ones(4))


def test_the_torch_twin_of_srgb_with_its_slope() -> None:
    linear = torch.tensor([0.0, 0.001, 0.02, 0.3, 1.0], dtype=torch.float64, requires_grad=True)
    encoded = srgb_torch.encode(linear)
    encoded.sum().backward()
    values = linear.detach().numpy()
    assert np.allclose(encoded.detach().numpy(), srgb.encode(values), atol=1e-12)
    assert linear.grad is not None and torch.isfinite(linear.grad).all()
    step = 1e-7
    slope = (srgb.encode(values[1:-1] + step) - srgb.encode(values[1:-1] - step)) / (2 * step)
    assert np.allclose(linear.grad.numpy()[1:-1], slope, rtol=1e-5)
