"""What a training run is: a TOML file, read into dataclasses.  ``configs/`` holds those shipped."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bounded import Damaged, plain, read_toml
from ..errors import TrainingError
from ..files import reason

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class LossWeights:
    """Factors of the parts of the loss; units of the parts in :mod:`.losses`."""

    landmarks: float = 10.0
    dense: float = 10.0
    sigma: float = 0.03
    neutral: float = 0.5
    posed: float = 0.5
    coefficients: float = 0.5
    albedo: float = 1.0
    illumination: float = 0.3
    rotation: float = 3.0
    scale: float = 1.0
    distance: float = 0.1
    #: Of photographs without labels.
    photo_landmarks: float = 10.0
    photometric: float = 5.0
    prior: float = 0.02


@dataclass(frozen=True)
class Augmentation:
    """Changes of the training pictures; spans are +- and uniform, shares of pictures 0 to 1."""

    flip: float = 0.5
    rotation: float = 8.0  #: degrees
    scale: float = 0.08  #: of the logarithm
    shift: float = 0.04  #: half sides
    #: Pictures that are cut as a detector's box alone would cut them: far worse.
    box_share: float = 0.15
    box_rotation: float = 20.0
    box_scale: float = 0.25
    box_shift: float = 0.2
    colour: float = 0.05  #: standard deviation of log gain (per channel), gamma and contrast
    grey: float = 0.05
    blur: float = 0.15
    erase: float = 0.25


@dataclass(frozen=True)
class Rendering:
    """Pictures drawn on the device during the training, see :mod:`.rendered`."""

    size: int = 0  #: pixels, a multiple of 16; 0: none, the pictures are read from ``data``
    scenes: int = 32  #: drawn together
    shots: int = 4  #: pictures of a scene: other cameras, light and background
    uses: float = 3.0  #: how often a picture is trained on, on average
    pool: int = 65536  #: pictures that batches are drawn from
    first: int = 8192  #: pictures before the first step


@dataclass(frozen=True)
class Config:
    """One run of ``train``; relative paths are taken from the working folder."""

    data: tuple[str, ...] = ()  #: folders of shards
    out: str = "training"
    model: str = "default"  #: or the file of a face model
    architecture: str = "resnet18"
    image_size: int = 112
    batch_size: int = 64  #: per process
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    #: The end is whichever comes first, 0 for none; the rate falls along half a cosine to 1 %.
    steps: int = 0
    max_hours: float = 0.0
    seed: int = 1
    precision: str = "auto"  #: "bf16", "fp32", or bf16 where the machine computes in it
    ema: float = 0.999  #: decay per step of the averaged weights, which are what is kept
    gradient_clip: float = 5.0
    #: Steps before the landmarks' expected errors are learnt.
    plain_steps: int = 1000
    workers: int = 1  #: processes that read and augment; 0: none beside the training itself
    threads: int = 0  #: of the training process; 0: torch's choice
    init: str = ""  #: weights to start from
    log_every: int = 50
    validate_every: int = 1000
    validation_pictures: int = 1024
    checkpoint_minutes: float = 5.0
    photos: str = ""  #: folder of photographs without labels
    photo_batch: int = 16  #: photographs per step beside ``batch_size`` labelled pictures
    weights: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = field(default_factory=Augmentation)
    render: Rendering = field(default_factory=Rendering)

    def __post_init__(self) -> None:
        if self.steps <= 0 and self.max_hours <= 0:
            raise TrainingError("The training has no end: set steps or max_hours.")
        if self.precision not in ("auto", "bf16", "fp32"):
            raise TrainingError(f"precision is {self.precision!r}; give 'auto', 'bf16' or 'fp32'.")
        if self.batch_size < 2 or not 32 <= self.image_size <= 512:
            raise TrainingError("batch_size starts at 2; image_size lies between 32 and 512.")
        render = self.render
        if render.size and self.data:
            raise TrainingError(
                "Pictures are either drawn ([render] size) or read (data); leave one of them out."
            )
        if render.size % 16 or not 0 <= render.size <= 512:
            raise TrainingError(f"[render] size is {render.size}; it is a multiple of 16 to 512.")
        if min(render.scenes, render.shots, render.pool, render.first) < 1 or render.uses <= 0:
            raise TrainingError("[render] scenes, shots, pool, first and uses are above 0.")


def read_config(path: str | Path, **changes: Any) -> Config:
    """The configuration in the TOML file ``path``; ``changes`` that are not None go before it.

    A bare name such as ``cpu`` means the shipped file of that name.  Raises
    :class:`TrainingError`: no such file, not TOML, unknown keys, values of another kind.
    """
    path = Path(path)
    shipped = CONFIGS / f"{path.name.removesuffix('.toml')}.toml"
    if not os.path.lexists(path) and path.parent == Path(".") and shipped.exists():
        path = shipped
    try:
        document = read_toml(path)
    except Damaged as error:
        raise TrainingError(f"The configuration {path} is not TOML: {error}.") from error
    except OSError as error:
        raise TrainingError(f"Cannot read the configuration {path}: {reason(error)}.") from error
    document |= {key: value for key, value in changes.items() if value is not None}
    return _build(Config, document, str(path))


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    """A dataclass of ``values``, each converted to its field's kind."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - set(fields)):
        raise TrainingError(
            f"{where} has unknown settings: {plain(', '.join(unknown))}; "
            f"known are {', '.join(sorted(fields))}."
        )
    found = {}
    for name, value in values.items():
        default = kind() if kind is not Config else Config(steps=1)
        wanted = getattr(default, name)
        if dataclasses.is_dataclass(wanted):
            if not isinstance(value, dict):
                raise TrainingError(f"{where}: [{name}] is a section.")
            found[name] = _build(type(wanted), value, f"{where} [{name}]")
        elif isinstance(wanted, tuple):
            found[name] = (value,) if isinstance(value, str) else tuple(str(v) for v in value)
        elif isinstance(wanted, float) and type(value) is int:
            found[name] = float(value)
        elif type(value) is not type(wanted):
            shown = plain(repr(value), 60)
            raise TrainingError(f"{where}: {name} is {shown}, not a {type(wanted).__name__}.")
        else:
            found[name] = value
        if isinstance(found[name], float) and not math.isfinite(found[name]):
            raise TrainingError(f"{where}: {name} is {value}, not a finite number.")
    return kind(**found)
