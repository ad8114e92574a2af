"""The estimator without a process of its own, for tests that replace the pipeline."""

from __future__ import annotations

from typing import Any

from reconstruct_face.backend import person, pipeline
from reconstruct_face.backend.exchange import Reconstruction


class InProcess:
    """In place of :class:`reconstruct_face.backend.estimator.Estimator`."""

    pid = None

    def reconstruct(self, *args: Any) -> list[Reconstruction]:
        """As the pipeline does, whatever has been put in its place."""
        return pipeline.reconstruct(*args)

    def reconstruct_person(self, *args: Any) -> list[Reconstruction]:
        """As a person's photos are."""
        return [person.reconstruct_person(*args)]

    def start(self) -> None:
        """Nothing to start."""

    def kill(self) -> None:
        """Nothing to end."""

    def close(self) -> None:
        """Nothing to end."""
