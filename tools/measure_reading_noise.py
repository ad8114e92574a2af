"""Measures how far the shipped network errs about whose head it is: assets/reading_noise.npz.

    python -m tools.measure_reading_noise [--pictures 1200] [--seed 23]

The covariance that is kept with the weights is of the pictures of the training: heads turned by up
to 75 degrees, a third of the crops by a box alone, each looked at once.  A photo is read otherwise:
its crop lies where landmarks say, three crops and their mirror images are averaged, and most heads
are turned by less than 60 degrees.  So training pictures (``backend/training/synthetic``) are read
here as photos are, from landmarks that err as dlib's do, and the identities are compared with those
drawn.  The numbers are statistics of drawings of our own CC0 model and CC0 like it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reconstruct_face.backend.files import write_bytes
from reconstruct_face.backend.fit.reading import read_aligned, regressor_for
from reconstruct_face.backend.fit.reading_noise import NOISE_FILE
from reconstruct_face.backend.model import DEFAULT_MODEL, load_model
from reconstruct_face.backend.model.contour import seen_landmarks
from reconstruct_face.backend.network.layout import Layout
from reconstruct_face.backend.network.weights import DEFAULT_WEIGHTS
from reconstruct_face.backend.training.synthetic.picture import sample_picture
from reconstruct_face.backend.training.synthetic.view import detected_marks
from tqdm import tqdm

Double = NDArray[np.float64]

#: Pixels; the network looks at 224.
SIZE = 256
#: Degrees; of heads turned further landmarks are seldom found.
MOST_YAW = 62.0
#: Pictures' worth of trust in the diagonal alone, which some hundred pictures leave surer than the
#: rest (Ledoit and Wolf 2004).
SHRINKAGE = 60.0


def measure(pictures: int, seed: int) -> Double:
    """Errors (N, K) of the identities that are read in ``pictures``, standard deviations."""
    model = load_model(DEFAULT_MODEL)
    regressor = regressor_for(DEFAULT_MODEL)
    assert regressor is not None
    layout, errors = Layout.of(model), []
    for number in tqdm(range(pictures)):
        rng = np.random.default_rng([seed, number])
        drawn = sample_picture(model, SIZE, rng)
        camera = drawn.view.camera
        if abs(camera.euler_degrees[0]) > MOST_YAW:
            continue
        true = layout.split(drawn.label)
        vertices = model.vertices(true["identity"], true["expression"])
        points = seen_landmarks(model, vertices, camera)
        marks, _ = detected_marks(camera, points, camera.project(points), rng)
        reading = read_aligned(drawn.image, marks, float(SIZE), "balanced", regressor)
        errors.append(reading.estimate.identity - true["identity"])
    return np.array(errors)


def covariance_of(errors: NDArray) -> Double:
    """(K, K) second moments of ``errors`` (N, K), shrunk towards their diagonal."""
    count = len(errors)
    moments = errors.T @ errors / count
    diagonal = np.diag(np.diag(moments))
    return (count * moments + SHRINKAGE * diagonal) / (count + SHRINKAGE)


def main() -> None:
    """Measures, prints a summary and writes the asset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("-o", "--out", type=Path, default=NOISE_FILE)
    options = parser.parse_args()
    errors = measure(options.pictures, options.seed)
    covariance = covariance_of(errors)
    buffer = io.BytesIO()
    digest = np.frombuffer(hashlib.sha256(DEFAULT_WEIGHTS.read_bytes()).digest(), np.uint8)
    np.savez_compressed(
        buffer, identity=covariance.astype(np.float32), network=digest, count=np.int32(len(errors))
    )
    write_bytes(options.out, buffer.getvalue())
    rms = np.sqrt(np.trace(covariance) / len(covariance))
    print(f"{len(errors)} of {options.pictures} pictures read, error {rms:.3f} rms a coefficient")


if __name__ == "__main__":
    main()
