"""The backend's ``live`` command as a process: a camera's face as packets to a port of ours.

Needs no ``bpy``.  The process ends with :meth:`Webcam.stop`, with Blender, or with its camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend.exchange.child import Child, Ended
from .backend_process import ROOT
from .installation.locate import find_python, worker_environment

#: Seconds that it may take to end by itself.
_PATIENCE_S = 0.3


@dataclass(frozen=True)
class Told:
    """What the process said last."""

    started: bool = False  #: whether a frame was looked at
    rate: float = 0.0  #: frames with a face a second
    latency: float = 0.0  #: seconds from a frame to its packet
    seen: bool = False  #: whether a face is seen
    failure: str = ""  #: the sentence with which it ended; empty while it runs


class Webcam:
    """A camera that is filmed with, until :meth:`stop`."""

    def __init__(self, camera: int | str, port: int, command: Sequence[str] | None = None) -> None:
        """Send what the face before ``camera``, a number or a video's path, does to ``port`` of
        this machine.  ``command`` replaces what starts the backend.

        Raises :class:`WorkerError` where there is no backend, or it cannot be started.
        """
        if command is None:
            command = [find_python(), str(ROOT / "backend" / "__main__.py")]
        asked = ["live", "--camera", str(camera), "--to", f"127.0.0.1:{port}", "--json"]
        if isinstance(camera, str):
            asked.append("--again")
        self._child: Child | None = Child([*command, *asked], worker_environment())
        self.told = Told()

    def look(self) -> Told:
        """What it has said; never blocks."""
        while self._child is not None:
            try:
                message = self._child.take(0.0)
            except Ended:
                if not self.told.failure:
                    ended = self._child.death()
                    self.told = Told(failure=str(ended))
                self._child = None
                break
            if message is None:
                break
            failure = str(message.get("error", ""))
            self.told = Told(
                started=True,
                rate=_number(message.get("rate")),
                latency=_number(message.get("latency")),
                seen=message.get("seen") is True,
                failure=failure,
            )
        return self.told

    def stop(self) -> None:
        """End it, and let the camera go."""
        child, self._child = self._child, None
        if child is not None:
            child.close(_PATIENCE_S)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
