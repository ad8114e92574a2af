"""What can be chosen of a run on a cluster, and how command lines ask for it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ..errors import OptionError

#: Processor cores of a worker: the backend, and Blender where it is needed.
BACKEND_CPUS, BLENDER_CPUS = 1.0, 1.0


@dataclass(frozen=True)
class ClusterOptions:
    """Where to run, and what a worker takes of its node.  Raises :class:`OptionError`."""

    address: str = "auto"  #: of Ray's head, HOST:PORT; "auto": the one of this machine's cluster
    workers: int | None = None  #: at most; None: as many as the nodes have room for
    cpus: float | None = None  #: per worker; None: 2, or 1 where Blender is not needed
    gpus: float = 0.0  #: per worker; parts share a GPU

    def __post_init__(self) -> None:
        if not self.address or "://" in self.address:
            raise OptionError(
                f"The cluster's address is {self.address!r}; give 'auto' or HOST:PORT, from a "
                "machine of the cluster."
            )
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"{self.workers} cluster workers were asked for; give 1 or more.")
        if self.cpus is not None and not 0 < self.cpus <= 1024:
            raise OptionError(f"A cluster worker gets {self.cpus} CPUs; give 1 or more.")
        if not 0 <= self.gpus <= 16 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise OptionError(
                f"A cluster worker gets {self.gpus} GPUs; give a part of one, or a whole number."
            )

    def cpus_for(self, blender: bool) -> float:
        """Processor cores of a worker that needs Blender, or does not."""
        if self.cpus is not None:
            return self.cpus
        return BACKEND_CPUS + (BLENDER_CPUS if blender else 0.0)


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add ``--cluster`` and what goes with it."""
    add = parser.add_argument
    add(
        "--cluster",
        metavar="auto|ADDRESS",
        help="run on the Ray cluster of this machine, or on the one whose head is HOST:PORT",
    )
    add("--cluster-workers", type=int, metavar="N", help="at most so many workers")
    add(
        "--cluster-cpus",
        type=float,
        metavar="N",
        help="processor cores of a worker (default: 2, or 1 without Blender)",
    )
    add(
        "--cluster-gpus",
        type=float,
        default=None,
        metavar="N",
        help="GPUs of a worker, 0.5 for two workers on one (default: 0)",
    )


def cluster_options(args: argparse.Namespace) -> ClusterOptions | None:
    """What was asked for, None without ``--cluster``.  Raises :class:`OptionError`."""
    asked = {"workers": args.cluster_workers, "cpus": args.cluster_cpus, "gpus": args.cluster_gpus}
    given = {name: value for name, value in asked.items() if value is not None}
    if args.cluster is None:
        if given:
            flags = ", ".join(f"--cluster-{name}" for name in given)
            raise OptionError(f"{flags} needs --cluster; give that too.")
        return None
    return ClusterOptions(args.cluster, **given)
