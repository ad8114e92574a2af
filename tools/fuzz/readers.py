"""What reads the files, by name: called with the file's path and those that go with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

Reader = Callable[[Path, list[Path]], object]


def _reconstruction(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.exchange import load_reconstruction

    return load_reconstruction(path)


def _picture(path: Path, others: list[Path]) -> object:
    """Read, and searched for faces by the whole cascade; the process stays the same for all."""
    from reconstruct_face.backend.fit.faces import detect_faces
    from reconstruct_face.backend.photo import read_photo

    return detect_faces(read_photo(path), "largest", None)


def _passes(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.exchange.passes import load_passes

    return load_passes(path)


def _noise(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.fit import noise

    noise.NOISE_FILE = path
    noise.dlib_noise.cache_clear()
    return noise.dlib_noise()


def _motion(path: Path, others: list[Path]) -> object:
    """Read, and brought to a scene's frame rate as Blender's side does."""
    from reconstruct_face.backend.motion import read_motion_file, resample

    return resample(read_motion_file(path), 24.0)


def _model(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.model.load import load_model

    return load_model(str(path))


def _stored(path: Path, others: list[Path]) -> object:
    """As 'models list' and '--model' take an imported model; its folder is ``models/NAME``."""
    from reconstruct_face.backend.exchange.model_cards import list_models, models_folder
    from reconstruct_face.backend.model.stored import load_extras, load_stored

    os.environ["RECONSTRUCT_FACE_DATA"] = str(path)
    for card in list_models():
        assert card.facts is not None
        load_stored(models_folder() / card.name)
        load_stored(models_folder() / card.name, "arkit")
        load_extras(card.name)
    return path


def _import(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.model.importing import read_model

    return read_model([path, *others])


def _stats(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.original.stats import read_stats

    return read_stats(path)


def _checkpoint(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.original.convert import read_checkpoint

    return read_checkpoint(path)


def _weights(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.model.load import load_model
    from reconstruct_face.backend.network.weights import load_weights

    return load_weights(path, load_model())


def _networks(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.original.cards import card_text, list_networks
    from reconstruct_face.backend.original.store import load_network

    os.environ["RECONSTRUCT_FACE_DATA"] = str(path)
    for card in list_networks():
        card_text(card)
        load_network(card.name)
    return path


def _config(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.training.config import read_config

    return read_config(path)


def _settings(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.original.settings import read_settings

    return read_settings(path)


def _shards(path: Path, others: list[Path]) -> object:
    from reconstruct_face.backend.model.load import load_model
    from reconstruct_face.backend.training.shards import ShardSet

    return ShardSet([path], load_model())


READERS: dict[str, Reader] = {
    "picture": _picture,
    "reconstruction": _reconstruction,
    "passes": _passes,
    "noise": _noise,
    "motion": _motion,
    "model": _model,
    "stored": _stored,
    "import": _import,
    "stats": _stats,
    "checkpoint": _checkpoint,
    "weights": _weights,
    "networks": _networks,
    "config": _config,
    "settings": _settings,
    "shards": _shards,
}
