"""Colour profiles and CMYK to sRGB, against the published formulas in float64."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from reconstruct_face.backend.photo import read_photo

WIDTH, HEIGHT = 96, 64


def picture() -> np.ndarray:
    """A smooth coloured picture without any symmetry, (64, 96, 3) uint8."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    channels = 40 + 180 * x, 30 + 150 * y, 200 - 160 * x * y
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


# D50-adapted primaries (columns X, Y, Z) as in the profiles of Adobe and of the ICC.
ADOBE_RGB = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)
D50 = np.array([0.9642, 1.0, 0.8249])


def fixed(values: np.ndarray) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def profile(space: bytes, pcs: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC version 2 profile (ICC.1:2001-04, sections 6 and 7)."""
    tags = {b"cprt": b"text\0\0\0\0none\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(D50)} | tags
    name = b"Test profile\0"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = bytes(4) + b"none" + struct.pack(">I", 0x02400000) + kind + space + pcs
    head += bytes(12) + b"acsp" + bytes(28) + fixed(D50)
    head = head.ljust(128, b"\0")
    return struct.pack(">I", 128 + len(table) + len(body)) + head[4:] + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def to_srgb_bytes(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, in float64."""
    linear = np.clip(linear, 0, 1)
    low, high = 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, low, high)


def test_icc_rgb_profile(tmp_path: Path) -> None:
    primaries = {
        name: b"XYZ \0\0\0\0" + fixed(ADOBE_RGB[:, i])
        for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
    }
    curves = {name: gamma_curve(563 / 256) for name in (b"rTRC", b"gTRC", b"bTRC")}
    icc = profile(b"RGB ", b"XYZ ", b"mntr", primaries | curves)
    Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=icc)
    photo = read_photo(tmp_path / "a.png")
    linear = (picture() / 255.0) ** (563 / 256)
    expected = to_srgb_bytes(linear @ ADOBE_RGB.T @ np.linalg.inv(SRGB).T)
    assert difference(expected, picture()) > 4  # it is a real change
    assert np.abs(photo.pixels - expected).max() < 2.0
    assert photo.notes == ("colours were converted from 'Test profile' to sRGB",)


def test_icc_grey_profile(tmp_path: Path) -> None:
    icc = profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": gamma_curve(1.8)})
    grey = np.tile(np.arange(64, dtype=np.uint8) * 4, (40, 1))
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=icc)
    photo = read_photo(tmp_path / "a.png")
    expected = to_srgb_bytes((grey / 255.0) ** (round(1.8 * 256) / 256))
    assert np.abs(photo.pixels[..., 0] - expected).max() < 2.0 and photo.grey


def test_broken_and_foreign_profiles_are_noted(tmp_path: Path) -> None:
    icc = profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": gamma_curve(1.8)})
    for name, data in {"broken": b"no profile" * 30, "cut": icc[:140]}.items():
        Image.fromarray(picture()).save(tmp_path / f"{name}.jpg", quality=95, icc_profile=data)
        photo = read_photo(tmp_path / f"{name}.jpg")
        assert photo.notes == ("the embedded colour profile is broken and was ignored",)
        assert difference(photo.pixels, picture()) < 1.5
    cmyk = profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": cmyk_table(np.zeros((16, 3)))})
    Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=cmyk)
    photo = read_photo(tmp_path / "a.png")
    assert difference(photo.pixels, picture()) == 0
    assert "is not for this kind of picture" in photo.notes[0]


def test_cmyk_without_a_profile(tmp_path: Path) -> None:
    Image.fromarray(picture()).convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    photo = read_photo(tmp_path / "a.jpg")
    # OpenCV undoes Adobe's inversion with code of its own
    other = cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]
    assert difference(photo.pixels, other) < 2.0
    assert difference(photo.pixels, picture()) < 3.0


def cmyk_table(lab: np.ndarray) -> bytes:
    """lut8Type with two grid points per ink; ``lab`` (16, 3) for CMYK 0000, 0001 ... 1111"""
    ramp = bytes(range(256))
    scaled = np.rint(lab * [2.55, 1, 1] + [0, 128, 128]).astype(np.uint8)
    head = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(np.eye(3).ravel())
    return head + ramp * 4 + scaled.tobytes() + ramp * 3


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """CIE 15, white D50, in float64."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = D50 * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return to_srgb_bytes(xyz @ np.linalg.inv(SRGB).T)


def test_cmyk_with_a_profile(tmp_path: Path) -> None:
    inks = np.array([[c, m, y, k] for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)])
    # inks whose colours lie within sRGB and that differ from the naive 255 - C - K
    paper = np.array([100.0, 0, 0])
    lab = paper + inks[:, :3] @ np.array([[-20.0, -10, -15], [-20, 25, 0], [-8, 0, 30]])
    lab[inks[:, 3] == 1] = 0
    icc = profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": cmyk_table(lab)})
    chosen = np.array([0, 8, 4, 2, 1])  # paper, C, M, Y, K
    patches = np.repeat(np.repeat(inks[chosen] * 255, 16, axis=0)[None], 40, axis=0)
    image = Image.frombytes("CMYK", (80, 40), patches.astype(np.uint8).tobytes())
    image.save(tmp_path / "a.tif", icc_profile=icc)
    photo = read_photo(tmp_path / "a.tif")
    expected = lab_to_srgb(lab[chosen])
    assert np.abs(photo.pixels[20, 8::16] - expected).max() < 3.0
    assert photo.notes == ("colours were converted from 'Test profile' to sRGB",)
