"""The training loop."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import OutputError, TrainingError
from ..files import reason
from ..model import load_model
from ..network.layout import Layout
from ..network.resnet import build_network, channels_last, filled_network, tensors_of
from ..network.weights import Weights, load_weights, save_weights
from .augment import Pictures
from .checkpoint import load_checkpoint, save_checkpoint
from .config import Config
from .curves import Curve
from .data import Place, ShardSource, to_input
from .losses import LabelLosses, weighted_sum
from .photo_stage import PhotoStage
from .posterior import error_covariances
from .processes import Processes, processes
from .validation import validate

Report = Callable[[str], None]

WEIGHTS_NAME = "face_network.safetensors"
_FINAL_RATE = 0.01
_FIRST_SIGMA = math.log(0.1)  # half sides
_MOST_BAD_STEPS = 20


def train(
    config: Config, *, resume: bool = False, report: Report = lambda line: None, command: str = ""
) -> Path:
    """Train as ``config`` says; returns the weights' file, ``config.out``/face_network.safetensors.

    Beside it: ``checkpoint.pt``, ``training.csv``, ``validation.csv``.  SIGTERM and SIGINT end the
    run with a checkpoint, ``resume`` goes on from one.  Under ``torchrun`` the processes share the
    work.  ``report`` gets lines for people; ``command`` is kept in the weights' record.

    Raises :class:`TrainingError` (data, checkpoint), :class:`~..errors.ModelError` (``init``),
    :class:`~..errors.OutputError` (nothing can be written at the end).
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    with processes() as team, _stopping() as stopped:
        run = _Run(config, team, report if team.first else lambda line: None, command, resume)
        run.go(stopped)
        return run.folder / WEIGHTS_NAME


class _Run:
    """The state of a run, and a step of it."""

    def __init__(
        self, config: Config, team: Processes, report: Report, command: str, resume: bool
    ) -> None:
        self.config, self.team, self.report, self.command = config, team, report, command
        self.folder = Path(config.out)
        self.bf16 = team.computes_bf16(config.precision)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot write to {config.out}: {reason(error)}.") from error
        self.model = load_model(config.model)
        torch.manual_seed(config.seed)
        state = load_checkpoint(self.folder) if resume else None
        self.place = _place(self.folder, state) if state else Place(0, -1)
        start = Place(self.place.epoch, self.place.number + 1)
        if config.render.size:
            from .rendered import RenderedSource

            self.source = RenderedSource(config, team, start)
        else:
            self.source = ShardSource(config, self.model, team, start)
        weights = self._first_weights()
        mean, std = (
            team.from_first(torch.from_numpy(np.array(part, np.float32)))
            for part in (weights.label_mean, weights.label_std)
        )
        self.losses = LabelLosses(self.model, mean.cpu().numpy(), std.cpu().numpy())
        self.losses.to(team.device)
        self.photos = None
        if config.photos:
            self.photos = PhotoStage(config, self.model, self.losses, team, self.report)
        self.network = channels_last(
            filled_network(weights.architecture, weights.tensors).to(team.device)
        )
        self.average = deepcopy(self.network).eval().requires_grad_(False)
        self.shared = team.shared(self.network)
        self.optimiser = torch.optim.AdamW(
            _groups(self.network, config.weight_decay), lr=config.learning_rate, fused=True
        )
        self.step, self.pictures, self.seconds = 0, 0, 0.0
        self._bad_steps = 0
        if state:
            self._take(state)

    def _take(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.losses.label_mean.copy_(state["label_mean"])
            self.losses.label_std.copy_(state["label_std"])
            self.step, self.pictures = state["step"], state["pictures"]
            self.seconds = state["seconds"]
        except (KeyError, RuntimeError, ValueError) as error:
            raise _another(self.folder) from error
        self.report(f"Going on from step {self.step}.")

    def go(self, stopped: threading.Event) -> None:
        """Steps until the end; then the checkpoint and the weights."""
        config, team = self.config, self.team
        held_out = self.source.held_out if team.first else None
        training = Curve(self.folder / "training.csv", self.step) if team.first else None
        validation = Curve(self.folder / "validation.csv", self.step) if team.first else None
        batches = self.source.batches()
        sums: dict[str, Tensor] = {}
        clock, saved, logged = time.monotonic(), time.monotonic(), self.step
        done = team.any(self._progress() >= 1)
        while not done:
            self.place, batch = next(batches)
            parts = self._train(batch)
            sums = {name: sums.get(name, 0.0) + part for name, part in parts.items()}
            now = time.monotonic()
            self.seconds, clock = self.seconds + now - clock, now
            done = team.any(stopped.is_set() or self._progress() >= 1)
            if training and (done or self.step % config.log_every == 0):
                count = self.step - logged
                row = {name: total.item() / count for name, total in sums.items()}
                training.add(self.step, self._counts() | row)
                self.report(self._line(row))
                sums, logged = {}, self.step
            if validation and held_out and (done or self.step % config.validate_every == 0):
                row = self._validate(held_out)
                validation.add(self.step, self._counts() | row)
                self.report("held out: " + _numbers(row))
            if held_out and (done or now - saved > 60 * config.checkpoint_minutes):
                self._save(held_out, last=done)
                saved = time.monotonic()

    def _train(self, batch: Pictures) -> dict[str, Tensor]:
        config, device = self.config, self.team.device
        rate = config.learning_rate * self._rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        photos = self.photos.draw(self.step) if self.photos else None
        images = (
            torch.cat([batch.images, photos.images.to(batch.images)]) if photos else batch.images
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            output = self.shared(to_input(images, device)).float()
        truth = Pictures(batch.images, batch.labels.to(device), batch.jaw.to(device))
        labelled = output[: len(truth.labels)]
        parts = self.losses(labelled, truth)
        if self.photos and photos:
            parts |= self.photos.losses(output[len(labelled) :], photos)
        plain = self.step < config.plain_steps
        loss = weighted_sum(parts, config.weights, plain=plain)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.gradient_clip)
        # The gradient is the same in all processes, so all of them leave a bad step out together.
        if norm.isfinite():
            self.optimiser.step()
            self._bad_steps = 0
        else:
            self._bad_steps += 1
            if self._bad_steps == _MOST_BAD_STEPS:
                raise TrainingError("The training diverged; lower learning_rate.")
        self.step += 1
        self.pictures += len(images) * self.team.world
        self._follow()
        return {"loss": loss.detach()} | {name: part.detach() for name, part in parts.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """The averaged weights (Polyak and Juditsky 1992) follow, at first faster."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        now = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(now[name], 1 - decay)

    def _progress(self) -> float:
        """0 to 1, by steps or hours, whichever is further."""
        config = self.config
        by_steps = self.step / config.steps if config.steps > 0 else 0.0
        by_hours = self.seconds / 3600 / config.max_hours if config.max_hours > 0 else 0.0
        return max(by_steps, by_hours)

    def _rate(self) -> float:
        """Factor of the learning rate: linear warm-up, half a cosine (Loshchilov, Hutter 2017)."""
        warm = min(1.0, (self.step + 1) / max(1, self.config.warmup_steps))
        cosine = (1 + math.cos(math.pi * min(1.0, self._progress()))) / 2
        return warm * (_FINAL_RATE + (1 - _FINAL_RATE) * cosine)

    def _validate(self, held_out: Pictures) -> dict[str, float]:
        size = self.config.batch_size
        return validate(self.average, self.losses, held_out, size, bf16=self.bf16)

    def _save(self, held_out: Pictures, *, last: bool) -> None:
        """Checkpoint and weights; before the end a full disk is told, not fatal."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "label_mean": self.losses.label_mean,
            "label_std": self.losses.label_std,
            "place": list(self.place),
        }
        try:
            save_checkpoint(self.folder, state | self._counts() | {"step": self.step})
            save_weights(self.folder / WEIGHTS_NAME, self._weights(held_out), self.model)
        except OutputError as error:
            if last:
                raise
            self.report(str(error))

    def _counts(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "seconds": self.seconds}

    def _weights(self, held_out: Pictures) -> Weights:
        config = self.config
        layout = Layout.of(self.model)
        extras = error_covariances(self.average, self.losses, layout, held_out, config.batch_size)
        record = {
            "command": self.command,
            "seed": config.seed,
            "steps": self.step,
            "pictures": self.pictures,
            "hours": round(self.seconds / 3600, 3),
            "processes": self.team.world,
            "device": self.team.device.type,
            "init": Path(config.init).name,
        }
        return Weights(
            config.architecture,
            tensors_of(self.average),
            self.losses.label_mean.cpu().numpy(),
            self.losses.label_std.cpu().numpy(),
            config.image_size,
            record,
            extras,
        )

    def _first_weights(self) -> Weights:
        """From ``init``, or fresh ones that answer the mean of the training labels."""
        config, layout = self.config, Layout.of(self.model)
        if config.init:
            return load_weights(config.init, self.model, config.architecture)
        mean, std = self.source.label_statistics()
        try:
            network = build_network(config.architecture, layout.size)
        except ValueError as error:
            raise TrainingError(str(error)) from error
        with torch.no_grad():
            network.head.bias[layout.slices["landmark_sigma"]] = _FIRST_SIGMA
        tensors = tensors_of(network)
        return Weights(config.architecture, tensors, mean, std, config.image_size)

    def _line(self, row: dict[str, float]) -> str:
        speed = self.pictures / max(self.seconds, 1e-9)
        done = f"{100 * self._progress():.1f} %"
        return f"step {self.step} ({done}, {speed:.0f} pictures/s): " + _numbers(row)


def _place(folder: Path, state: dict[str, Any]) -> Place:
    try:
        return Place(*state["place"])
    except (KeyError, TypeError) as error:
        raise _another(folder) from error


def _another(folder: Path) -> TrainingError:
    return TrainingError(
        f"The checkpoint in {folder} is of another network or model; start in another "
        "folder, or give the weights as init."
    )


def _groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only."""
    kernels = [p for p in network.parameters() if p.dim() > 1]
    vectors = [p for p in network.parameters() if p.dim() <= 1]
    return [
        {"params": kernels, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _numbers(row: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in row.items())


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; a second one interrupts as usual."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
