"""Reduces Blender's studio lights to the SH constants of backend/training/synthetic/light.py.

``python -m tools.measure_studio_lights`` prints the table.  The eight panoramas below
``datafiles/studiolights/world`` of the bpy package are CC0 (its license.txt: made by Greg Zaal,
Poly Haven).
"""

from __future__ import annotations

import os

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # read when cv2 loads

import importlib.util
from pathlib import Path

import cv2
import numpy as np
from reconstruct_face.backend.geometry.harmonics import COSINE_FACTORS, sh_basis
from reconstruct_face.backend.geometry.srgb import LUMINANCE

NAMES = ("city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset")


def irradiance_sh(panorama: np.ndarray) -> np.ndarray:
    """(9, 3) irradiance over pi, y up, of an equirectangular ``panorama`` (h, w, 3) linear RGB,
    scaled to mean luminance 1."""
    height, width = panorama.shape[:2]
    polar = (np.arange(height) + 0.5) / height * np.pi
    azimuth = (np.arange(width) + 0.5) / width * 2 * np.pi
    sin = np.sin(polar)[:, None]
    directions = np.stack(
        [
            sin * np.sin(azimuth),
            np.broadcast_to(np.cos(polar)[:, None], (height, width)),
            sin * np.cos(azimuth),
        ],
        axis=-1,
    )
    solid_angle = sin * (np.pi / height) * (2 * np.pi / width)
    weighted = panorama.astype(float) * solid_angle[..., None]
    radiance = np.einsum("hwk,hwc->kc", sh_basis(directions), weighted)
    coefficients = radiance * COSINE_FACTORS[:, None]
    return coefficients / (sh_basis(directions[0, 0])[0] * coefficients[0] @ LUMINANCE)


def main() -> None:
    package = importlib.util.find_spec("bpy")
    if package is None or package.origin is None:
        raise SystemExit("The bpy package is not installed.")
    root = Path(package.origin).parent
    for name in NAMES:
        (path,) = root.glob(f"*/datafiles/studiolights/world/{name}.exr")
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        table = irradiance_sh(picture[..., 2::-1])
        print(f"        # {name}")
        for rows in np.split(table, 3):
            print("        " + " ".join(f"{value:.2f}," for value in rows.ravel()))


if __name__ == "__main__":
    main()
