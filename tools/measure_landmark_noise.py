"""Measures how dlib's landmarks err on renderings of the face model: assets/landmark_noise.npz.

    python -m tools.measure_landmark_noise [--heads 300] [--seed 11]

Random heads of the model are rendered under random soft light, turned by up to 35 degrees, with
mild expressions; dlib marks them, and its points are compared with the known ones.  Each head also
counts mirrored.  Printed and stored: the bias as a linear function of the sine of yaw, and the
covariance of the rest in units of how far dlib's own votes disagree (iteratively re-weighted, so
that a lost face does not count).  The numbers are statistics of renderings of our own CC0 model and
CC0 like it.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import cv2
import numpy as np
from reconstruct_face.backend.align import UNRELIABLE_SPREAD, LandmarkPredictor
from reconstruct_face.backend.align.landmarks import MIRROR_68
from reconstruct_face.backend.bench.picture import render_picture
from reconstruct_face.backend.detect import DlibDetector
from reconstruct_face.backend.files import write_bytes
from reconstruct_face.backend.fit.noise import NOISE_FILE
from reconstruct_face.backend.geometry.camera import Camera, intrinsics
from reconstruct_face.backend.geometry.rotation import from_euler, roll_matrix
from reconstruct_face.backend.model import FaceModel, load_model
from reconstruct_face.backend.model.contour import seen_landmarks
from tqdm import tqdm

SIZE = 512
#: Of the covariance's off-diagonal part, which 300 heads leave uncertain (Ledoit and Wolf 2004).
SHRINKAGE = 0.15
#: mm: what the renderings cannot show, such as the annotators' own habits.
FLOOR_MM = 0.2


def random_view(model: FaceModel, rng: np.random.Generator) -> tuple[np.ndarray, Camera]:
    """Posed vertices (V, 3) in mm of a random head and a camera that sees it."""
    expression = np.zeros(len(model.expression_names))
    smile = rng.uniform(0, 0.8)
    for name, weight in (
        ("jawOpen", rng.uniform(0, 0.5)),
        ("mouthSmileLeft", smile),
        ("mouthSmileRight", smile),
        ("browInnerUp", rng.uniform(0, 0.6)),
    ):
        expression[model.expression_names.index(name)] = weight
    vertices = model.vertices(rng.normal(size=len(model.identity_basis)), expression)
    yaw, pitch, roll = rng.uniform(-1, 1, 3) * (35, 10, 8)
    rotation = from_euler(*np.radians((yaw, pitch, roll)))
    distance = rng.uniform(600, 1400)
    shift = np.array([*rng.uniform(-20, 20, 2), distance])
    return vertices, Camera(intrinsics(distance * SIZE / 330, (SIZE, SIZE)), rotation, shift)


def picture(
    model: FaceModel, vertices: np.ndarray, camera: Camera, rng: np.random.Generator
) -> np.ndarray:
    """The head under random soft light from before it, slightly blurred."""
    light = np.zeros((9, 3), np.float32)
    light[0], light[1] = rng.uniform(2.2, 3.0), rng.uniform(0.2, 0.7)
    light[2], light[3] = rng.uniform(0.6, 1.2), rng.uniform(-0.5, 0.5)
    albedo = model.albedo(0.8 * rng.normal(size=len(model.albedo_basis)))
    view = (camera.camera_matrix, camera.rotation, camera.translation)
    rendered = render_picture(model, vertices, albedo, light, *view, (SIZE, SIZE))
    return cv2.GaussianBlur(rendered, (0, 0), rng.uniform(0.5, 1.5))


def measure(heads: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (N, 68, 2) in mm in the head's upright frame, yaw (N,) degrees, and spread (N,)."""
    model, detector, predictor = load_model(), DlibDetector(), LandmarkPredictor()
    errors, yaws, spreads = [], [], []
    for number in tqdm(range(heads)):
        rng = np.random.default_rng([seed, number])
        vertices, camera = random_view(model, rng)
        points = seen_landmarks(model, vertices, camera)
        image = picture(model, vertices, camera, rng)
        found = detector.detect(image)
        if not found:
            continue
        marks, spread = predictor.predict_with_spread(image, found[0].box, found[0].quarter_turns)
        yaw, _, roll = camera.euler_degrees
        pixels_per_mm = camera.focal / camera.to_camera(points)[:, 2].mean()
        error = (marks - camera.project(points)) / pixels_per_mm @ roll_matrix(roll)
        errors += [error, error[MIRROR_68] * (-1, 1)]
        yaws += [yaw, -yaw]
        spreads += [spread, spread]
    return np.array(errors), np.array(yaws), np.array(spreads)


def fit_noise(
    errors: np.ndarray, yaws: np.ndarray, spreads: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Bias (2, 68, 2), covariance (136, 136) at the median spread, and that spread."""
    usable = spreads < UNRELIABLE_SPREAD
    errors, yaws, spreads = errors[usable].reshape(-1, 136), yaws[usable], spreads[usable]
    typical = float(np.median(spreads))
    design = np.stack([np.ones_like(yaws), np.sin(np.radians(yaws))], axis=1)
    scale, trust = spreads / typical, np.ones(len(errors))
    for _ in range(10):
        weight = (trust / scale)[:, None]
        bias = np.linalg.lstsq(design * weight, errors * weight, rcond=None)[0]
        rest = (errors - design @ bias) / scale[:, None]
        size = np.sqrt((rest**2).mean(axis=1))
        trust = 1 / np.maximum(1, size / (1.5 * np.median(size)))
    rest *= trust[:, None]
    covariance = rest.T @ rest / (trust**2).sum()
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
    return bias.reshape(2, 68, 2), covariance + FLOOR_MM**2 * np.eye(136), typical


def main() -> None:
    """Measures, prints a summary and writes the asset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("-o", "--out", type=Path, default=NOISE_FILE)
    options = parser.parse_args()
    errors, yaws, spreads = measure(options.heads, options.seed)
    bias, covariance, typical = fit_noise(errors, yaws, spreads)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        bias=bias.astype(np.float32),
        covariance=covariance.astype(np.float32),
        spread=np.float32(typical),
    )
    write_bytes(options.out, buffer.getvalue())
    rms = np.sqrt(np.trace(covariance) / 136)
    print(f"{len(errors) // 2} of {options.heads} heads marked, median spread {typical:.4f}")
    print(
        f"bias {np.abs(bias[0]).mean():.2f} mm mean, error about it {rms:.2f} mm rms a coordinate"
    )


if __name__ == "__main__":
    main()
