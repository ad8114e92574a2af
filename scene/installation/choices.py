"""What the user chose about the backend, as plain values that any thread may read.

Blender's preferences belong to its main thread, the backend is started from another one: so the
main thread copies them here (``blender.py: read_preferences``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...backend.lifeline import IDLE_MINUTES
from .requirements import NVIDIA_GPU, PROCESSOR, Requirements

ROOT = Path(__file__).resolve().parents[2]
#: ``device``: what a run computes on.
DEVICES = ("auto", "cpu", "cuda")
#: ``hardware``: what a set-up is for.
HARDWARE = ("processor", "gpu")


@dataclass(frozen=True)
class Choices:
    """Without the add-on's preferences: no environment of our own, nothing chosen."""

    folder: Path | None = None  #: where the environment is made; None: nowhere
    python: str = ""  #: an existing Python that is used instead
    device: str = "auto"  #: one of DEVICES
    idle_minutes: float = IDLE_MINUTES  #: without a request, after which the backend ends; 0: never
    index: str = ""  #: address of a further package index, as a mirror
    online: bool = True  #: whether Blender allows access to the network
    hardware: str = "processor"  #: one of HARDWARE
    requirements: Requirements = PROCESSOR  #: the least that the backend needs
    gpu_requirements: Requirements = NVIDIA_GPU
    wheels: Path = ROOT / "wheels"  #: packages that came with the extension, see ``wheels.py``

    @property
    def wanted(self) -> Requirements:
        """What the next set-up installs."""
        return self.gpu_requirements if self.hardware == "gpu" else self.requirements


_current = Choices()


def choices() -> Choices:
    """What was chosen last."""
    return _current


def choose(new: Choices) -> None:
    """Have ``new`` used from now on; a backend that runs already is not touched."""
    global _current
    _current = new
