"""Jobs that stand in for photos on a real cluster; the nodes import them from here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconstruct_face.backend import pipeline
from reconstruct_face.backend.cluster.photos import PhotoJob
from reconstruct_face.backend.photo import Photo

from tests.synthetic_reconstruction import make_reconstruction


class Telling:
    """Says where it was done; ``die`` ends its worker, ``raise`` raises."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._log = Path(setup["log"])

    def greeting(self) -> dict[str, Any]:
        return {}

    def do(self, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with open(self._log, "a") as log:
            log.write(f"{item['number']}\n")
        yield {"progress": 0.5, "step": "Telling"}
        time.sleep(item.get("seconds", 0.0))
        if item.get("do") == "die":
            os.kill(os.getpid(), 9)
        if item.get("do") == "raise":
            raise KeyError(item["number"])
        yield {
            "result": {
                "number": item["number"],
                "pid": os.getpid(),
                "device": os.environ.get("RECONSTRUCT_FACE_DEVICE"),
                "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
                "threads": os.environ.get("OMP_NUM_THREADS"),
            }
        }

    def close(self) -> None: ...


class QuickPhotos(PhotoJob):
    """All of a photo's way but the reconstruction, which is a made-up head at once."""

    def __init__(self, setup: dict[str, Any]) -> None:
        def reconstruct(photo: Photo, options: object, progress: object) -> list[Any]:
            return [make_reconstruction(photo_path=str(photo.path))]

        pipeline.reconstruct = reconstruct
        super().__init__(setup)
