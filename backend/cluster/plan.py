"""Which item a worker gets next, and what becomes of those whose worker was lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

#: Times an item is tried: once more, elsewhere, after its worker was lost.
TRIES = 2
#: Items that a worker has at a time: two in the works (the backend's and Blender's), one waiting.
DEPTH = 3


class Plan:
    """The items 0 to ``count`` - 1 of a run: waiting, given out, done or given up."""

    def __init__(self, count: int, depth: int = DEPTH) -> None:
        """A worker has at most ``depth`` items."""
        self._depth = depth
        self._waiting = deque(range(count))
        self._again: dict[int, str] = {}  # by item the node that it was lost with
        self._tries = [0] * count
        self._open = set(range(count))

    @property
    def finished(self) -> bool:
        """Whether every item is done or given up."""
        return not self._open

    @property
    def waiting(self) -> int:
        """How many items no worker has."""
        return len(self._waiting) + len(self._again)

    def take(self, node: str, nodes: Collection[str], held: Collection[int]) -> int | None:
        """What a worker on ``node`` that has the items ``held`` does next, None for nothing.

        ``nodes`` are all that have a worker.  An item that was lost goes to another node where
        there is one, and alone: if it is what ends its worker, it takes no others along.
        """
        if len(held) >= self._depth or any(self._tries[item] > 1 for item in held):
            return None
        if not held:
            for item, lost_with in self._again.items():
                if lost_with != node or not set(nodes) - {node}:
                    del self._again[item]
                    self._tries[item] += 1
                    return item
        if not self._waiting:
            return None
        item = self._waiting.popleft()
        self._tries[item] += 1
        return item

    def done(self, item: int) -> bool:
        """Count ``item`` as done; False where it was before."""
        if item not in self._open:
            return False
        self._open.remove(item)
        return True

    def lost(self, items: Collection[int], node: str) -> list[int]:
        """Take back what a lost worker on ``node`` had; gives those that are given up."""
        left = [item for item in items if item in self._open]
        given_up = [item for item in left if self._tries[item] >= TRIES]
        self._again |= {item: node for item in left if item not in given_up}
        self._open.difference_update(given_up)
        return given_up
