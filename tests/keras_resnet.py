"""A script: the original's ResNet-18 in Keras with random weights, exported as a SavedModel.

``python keras_resnet.py OUT [VARIANT...]`` writes the folders OUT/VARIANT and, for those of the
right architecture, OUT/VARIANT.npz with 32 pictures and what Keras makes of them.
"""

from __future__ import annotations

import os
import sys

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}

import keras
import numpy as np
import tensorflow as tf

VARIANTS = ("exported", "saved", "no_projection")


def convolution(x, width, size, stride, name):
    """Convolution without bias, and batch norm with Keras' epsilon."""
    x = keras.layers.Conv2D(width, size, stride, "same", use_bias=False, name=name)(x)
    return keras.layers.BatchNormalization(name=f"{name}_bn")(x)


def resnet18(variant: str) -> keras.Model:
    """The network as section 2 of the facts file tells it, or one that differs in a point."""
    picture = keras.layers.Input((224, 224, 3))
    x = convolution(picture, 64, 7, 2, "conv1_7x7_s2")
    x = keras.layers.Activation("relu")(x)
    x = keras.layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, width in zip((2, 3, 4, 5), (64, 128, 256, 512), strict=True):
        for block in (1, 2):
            stride = 2 if block == 1 and stage > 2 else 1
            name = f"conv{stage}_{block}_3x3"
            inner = convolution(x, width, 3, stride, f"{name}_1")
            inner = keras.layers.Activation("relu")(inner)
            inner = convolution(inner, width, 3, 1, f"{name}_2")
            projects = block == 1 and not (stage == 2 and variant == "no_projection")
            beside = convolution(x, width, 1, stride, f"{name}_proj") if projects else x
            x = keras.layers.Activation("relu")(keras.layers.add([inner, beside]))
    x = keras.layers.AveragePooling2D(7)(x)
    x = keras.layers.Dense(240, name="fc")(keras.layers.Flatten()(x))
    return keras.Model(picture, x)


def randomise(model: keras.Model, seed: int) -> None:
    """Random kernels and random batch norm, of a size that leaves the outputs at about one."""
    rng = np.random.default_rng(seed)
    values = []
    for weight in model.weights:
        name, shape = weight.path, weight.shape
        if "gamma" in name:
            value = rng.uniform(0.5, 1.5, shape)
        elif "variance" in name:
            value = rng.uniform(0.3, 2.0, shape)
        elif "mean" in name or "beta" in name:
            value = rng.normal(0, 0.2, shape)
        elif len(shape) == 4:
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape)
        else:
            value = rng.normal(0, 0.0007 if len(shape) == 2 else 0.3, shape)
        values.append(value.astype(np.float32))
    model.set_weights(values)


def main(out: str, variants: list[str]) -> None:
    """Write the variants."""
    for seed, variant in enumerate(variants):
        model = resnet18(variant)
        randomise(model, seed)
        folder = os.path.join(out, variant)
        if variant == "saved":
            tf.saved_model.save(model, folder)
        else:
            model.export(folder, verbose=False)
        if variant in ("exported", "saved"):
            rng = np.random.default_rng(99)
            pictures = rng.uniform(-1, 1, (32, 224, 224, 3)).astype(np.float32)
            pictures[16:] = np.repeat(np.repeat(pictures[16:, ::16, ::16], 16, 1), 16, 2)
            outputs = np.concatenate(
                [np.asarray(model(pictures[k : k + 8], training=False)) for k in range(0, 32, 8)]
            )
            np.savez(f"{folder}.npz", pictures=pictures, outputs=outputs)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or list(VARIANTS))
