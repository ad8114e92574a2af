"""Work of a film that depends on nothing before it: the same functions here or elsewhere.

What is handed over are functions that make a worker of what all shares have in common, and shares
of arrays and plain values; a face model may be among what is common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

Share = dict[str, Any]
#: Makes the function that does a share; of a module, so that it has a name everywhere.
Work = Callable[[Share], Callable[[Share], Share]]


class Shares(Protocol):
    """Does shares of work."""

    def map(self, work: Work, common: Share, shares: Iterable[Share]) -> Iterator[Share]:
        """What ``work(common)`` makes of each of ``shares``, in their order; these may be endless,
        or come slowly."""
        ...


class Here:
    """One after the other, in this process."""

    def map(self, work: Work, common: Share, shares: Iterable[Share]) -> Iterator[Share]:
        """As :meth:`Shares.map`."""
        return map(work(common), shares)
