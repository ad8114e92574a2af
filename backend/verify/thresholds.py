"""The limits of ``thresholds.toml``, and a measured value held against its own."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PATH = Path(__file__).with_name("thresholds.toml")

GROUPS = ("scene", "photo")


@dataclass(frozen=True)
class Threshold:
    """How far a measure may go; one of ``least`` and ``most`` is given."""

    name: str
    group: str  #: "scene" or "photo"
    title: str
    why: str
    unit: str = ""
    least: float | None = None
    most: float | None = None

    def allows(self, value: float) -> bool:
        """Whether ``value`` is within; what is not a number never is."""
        if self.least is not None:
            return value >= self.least
        assert self.most is not None
        return value <= self.most

    def text(self) -> str:
        """For people, as "at least 40 dB"."""
        word, limit = ("at least", self.least) if self.most is None else ("at most", self.most)
        return f"{word} {limit:g} {self.unit}".strip()


@dataclass(frozen=True)
class Measure:
    """A value and whether it passes."""

    threshold: Threshold
    value: float

    @property
    def passed(self) -> bool:
        """Whether the value is within the limits."""
        return self.threshold.allows(self.value)

    def text(self) -> str:
        """The value for people."""
        return f"{self.value:.4g} {self.threshold.unit}".strip()


@lru_cache(maxsize=1)
def thresholds() -> dict[str, Threshold]:
    """All limits by the name of their measure, in the file's order."""
    entries = tomllib.loads(PATH.read_text(encoding="utf-8"))
    return {name: Threshold(name=name, **entry) for name, entry in entries.items()}


def measure(name: str, value: float) -> Measure:
    """``value`` beside its limit."""
    return Measure(thresholds()[name], float(value))
