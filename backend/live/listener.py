"""A thread that listens to a UDP port and keeps what senders of faces say."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from ..errors import OptionError
from ..files import reason
from . import ifacialmocap, live_link_face, osc, vmc
from .packet import LARGEST, FacePacket, Malformed

#: Senders and subjects that are kept apart; others are refused and counted.
MOST_SENDERS, MOST_SUBJECTS = 16, 16
#: Bytes that the system keeps while this thread waits for its turn: some seconds of four faces.
_BUFFER = 1 << 20
#: Frames that wait to be taken: half a minute of four faces.
_WAITING = 8192
#: Seconds between looks at whether to go on, and without a packet after which a sender is silent.
_LOOK_S, SILENT_S = 0.2, 1.0
#: Half a day: a time code that jumps back by more has passed midnight.
_HALF_DAY, _DAY = 43_200.0, 86_400.0

Key = tuple[str, str]  #: address of the sender and name of the subject


@dataclass
class Counts:
    """What has come since the listener was started."""

    frames: int = 0
    bad: int = 0  #: packets that were none
    refused: int = 0  #: packets of hosts that are not listened to
    late: int = 0  #: frames older than one that was there before
    lost: int = 0  #: frames that nobody took in time


@dataclass(frozen=True, eq=False)
class Frame:
    """A packet with where and when it came from."""

    key: Key
    packet: FacePacket
    time: float  #: seconds by the sender's clock, else by ``arrived``
    arrived: float  #: seconds of this machine's steady clock
    late: bool  #: a newer one of this face was there before


@dataclass
class _Sender:
    collector: vmc.Collector = field(default_factory=vmc.Collector)
    newest: dict[str, Frame] = field(default_factory=dict)  #: by subject
    days: float = 0.0


class Listener:
    """Listens from :meth:`start` to :meth:`stop`; safe to be asked from another thread."""

    def __init__(
        self,
        address: str,
        port: int,
        only: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of ``address`` (of this machine; "0.0.0.0": all of its), UDP ``port`` (0: any free one).

        ``only`` are the senders' addresses; without them those of private networks and of this
        machine itself.  Raises :class:`OptionError` where one is no address.
        """
        self.address, self.port, self.counts = address, port, Counts()
        self._only = frozenset(_address(one) for one in only)
        _address(address)
        self._clock = clock
        self._senders: dict[str, _Sender] = {}
        self._frames: deque[Frame] = deque(maxlen=_WAITING)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin.  Raises :class:`OptionError` where the port cannot be listened to."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.bind((self.address, self.port))
        except (OSError, OverflowError) as error:
            made.close()
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise OptionError(
                f"Port {self.port} of {self.address} cannot be listened to ({why}); end the other "
                "program that does, or choose another port here and in the app."
            ) from error
        made.settimeout(_LOOK_S)
        with suppress(OSError):  # a bound of the system's
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.port = made.getsockname()[1]
        self._socket = made
        self._thread = threading.Thread(target=self._listen, daemon=True, name="live face")
        self._thread.start()

    def stop(self) -> None:
        """End, and let the port go."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._thread = None

    def ask(self, phone: str) -> None:
        """Ask iFacialMocap on ``phone`` to send.  Raises :class:`OptionError`."""
        assert self._socket is not None
        try:
            self._socket.sendto(ifacialmocap.START, (_address(phone), ifacialmocap.PORT))
        except OSError as error:
            raise OptionError(f"{phone} cannot be asked to send: {reason(error)}.") from error

    def take(self) -> list[Frame]:
        """The frames that have come since the last time, in the order they came."""
        with self._lock:
            found = list(self._frames)
            self._frames.clear()
        return found

    def feed(self, data: bytes, host: str) -> None:
        """Take a packet of ``host`` as if it had come."""
        if not self._listens_to(host):
            self.counts.refused += 1
            return
        sender = self._senders.get(host)
        if sender is None:
            if len(self._senders) >= MOST_SENDERS:
                self.counts.refused += 1
                return
            sender = self._senders[host] = _Sender()
        try:
            packets = _read(data, sender.collector)
        except Malformed:
            self.counts.bad += 1
            return
        for packet in packets:
            self._keep(packet, host, sender)

    def _keep(self, packet: FacePacket, host: str, sender: _Sender) -> None:
        if packet.subject not in sender.newest and len(sender.newest) >= MOST_SUBJECTS:
            self.counts.refused += 1
            return
        arrived = self._clock()
        newest = sender.newest.get(packet.subject)
        told = arrived if packet.time is None else packet.time + sender.days
        if packet.time is None and newest is not None and newest.packet.time is not None:
            # Live Link Face tells no time when it sees no face.
            told = newest.time + arrived - newest.arrived
        elif newest is not None and packet.time is not None and told < newest.time - _HALF_DAY:
            sender.days += _DAY
            told += _DAY
        late = newest is not None and told <= newest.time
        frame = Frame((host, packet.subject), packet, told, arrived, late)
        if not late and (newest is None or (packet.time is None) == (newest.packet.time is None)):
            sender.newest[packet.subject] = frame
        self.counts.frames += 1
        self.counts.late += late
        with self._lock:
            self.counts.lost += len(self._frames) == _WAITING
            self._frames.append(frame)

    def _listens_to(self, host: str) -> bool:
        if self._only:
            return host in self._only
        try:
            found = ipaddress.ip_address(host)
        except ValueError:
            return False
        return found.is_private or found.is_loopback or found.is_link_local

    def _listen(self) -> None:
        assert self._socket is not None
        while not self._ended.is_set():
            try:
                # One byte more than is read tells what is too large.
                data, (host, *_) = self._socket.recvfrom(LARGEST + 1)
            except TimeoutError:
                continue
            except OSError:  # what one of the senders refused, on Windows; or the socket is closed
                self._ended.wait(0.01)
                continue
            self.feed(data, host)


def _read(data: bytes, collector: vmc.Collector) -> list[FacePacket]:
    """The frames in a packet, whatever app sent it.  Raises :class:`Malformed`."""
    if len(data) > LARGEST:
        raise Malformed("too large")
    if live_link_face.looks_like(data):
        return [live_link_face.read(data)]
    if osc.looks_like(data):
        return collector.read(data)
    if ifacialmocap.looks_like(data):
        return [ifacialmocap.read(data)]
    raise Malformed("no packet that is known")


def _address(text: str) -> str:
    """An address as a packet's sender is told.  Raises :class:`OptionError`."""
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError as error:
        raise OptionError(
            f"'{text.strip():.60}' is no address; give four numbers, as in 192.168.0.20."
        ) from error


def own_addresses() -> list[str]:
    """Addresses of this machine that a phone in its network may reach; nothing is sent."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: UDP connects without a packet
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    return found
