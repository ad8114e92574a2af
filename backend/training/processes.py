"""One process among several: torch's DDP, started by ``torchrun``, or alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Which process this is, and what it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files."""
        return self.rank == 0

    def shared(self, network: nn.Module) -> nn.Module:
        """``network`` with its gradients averaged over all processes."""
        if self.world == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def computes_bf16(self, precision: str) -> bool:
        """What ``precision`` of the configuration means here.

        A CPU without bf16 instructions emulates them, fifteen times slower than float32.
        """
        if precision != "auto":
            return precision == "bf16"
        if self.device.type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set in some process."""
        if self.world == 1:
            return flag
        number = torch.tensor(float(flag), device=self.device)
        distributed.all_reduce(number, distributed.ReduceOp.MAX)
        return bool(number.item())

    def first_then_all(self, work: Callable[[], T]) -> T:
        """``work()`` in the first process, and then, when it has left its files, in the others."""
        if self.world == 1:
            return work()
        done, error = None, None
        if self.first:
            try:
                done = work()
            except Exception as caught:  # the others must not wait for ever
                error = caught
        if self.any(error is not None):
            raise error or RuntimeError("The first process failed.")
        return work() if done is None else done

    def from_first(self, tensor: Tensor) -> Tensor:
        """The first process's ``tensor``."""
        if self.world > 1:
            tensor = tensor.to(self.device)
            distributed.broadcast(tensor, 0)
        return tensor


@contextmanager
def processes() -> Iterator[Processes]:
    """This process as ``torchrun``'s environment describes it; gloo on the CPU, NCCL on CUDA."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if world > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(rank, world, device)
    finally:
        if world > 1:
            distributed.destroy_process_group()
