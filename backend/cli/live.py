"""The ``live`` command: the face before a camera, sent as VMC packets.  See ``--help``."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import socket
import sys
import threading
from collections.abc import Callable

from threadpoolctl import threadpool_limits

from ..animate.webcam import CameraFeed, LiveFace, Pace, stream
from ..errors import FaceError, OptionError
from ..exchange import load_reconstruction
from ..exchange.arguments import a_path, above_zero
from ..live import vmc
from ..live.packet import FacePacket
from ..terminal import interrupted_status

#: Seconds between two lines about how it goes.
_TOLD_S = 1.0


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    args = _parser().parse_args(argv)
    told = _as_json if args.json else _as_text
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            pace = _run(args, told)
    except FaceError as error:
        if args.json:
            print(json.dumps({"error": str(error), "code": error.code}), flush=True)
        print(f"live: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as end:
        return interrupted_status(end)
    print(f"{pace.frames} frames with a face of {pace.looked_at} looked at", file=sys.stderr)
    return 0


def _run(args: argparse.Namespace, told: Callable[[Pace], None]) -> Pace:
    to = _host_and_port(args.to)
    head = None if args.identity is None else load_reconstruction(args.identity)
    face = LiveFace(head)
    face.warm()
    camera = int(args.camera) if args.camera.isdecimal() else args.camera
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:

        def send(packet: FacePacket) -> None:
            try:
                out.sendto(vmc.packet(packet), to)
            except OSError as error:
                raise OptionError(f"Nothing can be sent to {args.to}: {error}.") from error

        feed = CameraFeed(camera, again=args.again)
        timer = threading.Timer(args.seconds, feed.close) if args.seconds else None
        if timer is not None:
            timer.start()
        if args.json:
            threading.Thread(target=_with_parent, daemon=True).start()
        try:
            return stream(feed, face, send, told, _TOLD_S)
        finally:
            feed.close()
            if timer is not None:
                timer.cancel()


def _with_parent() -> None:
    """End when standard input does: its writer has ended, or wants this process to."""
    while os.read(0, 4096):
        pass
    os._exit(0)  # a camera's driver may not return


def _as_json(pace: Pace) -> None:
    told = {"rate": pace.rate, "latency": pace.latency, "seen": pace.seen, "frames": pace.frames}
    print(json.dumps(told), flush=True)


def _as_text(pace: Pace) -> None:
    if pace.seen:
        line = f"{pace.rate:.0f} frames a second, {1000 * pace.latency:.0f} ms late"
    else:
        line = "no face is seen"
    print(line, file=sys.stderr, flush=True)


def _host_and_port(text: str) -> tuple[str, int]:
    """An address and a port.  Raises :class:`OptionError`."""
    host, _, port = text.rpartition(":")
    try:
        address = "127.0.0.1" if host == "localhost" else str(ipaddress.IPv4Address(host))
        number = int(port)
    except ValueError as error:
        raise OptionError(
            f"'{text}' is no address with a port; give them as 127.0.0.1:{vmc.PORT}."
        ) from error
    if not 1 <= number <= 65535:
        raise OptionError(f"{number} is no port; choose one from 1 to 65535.")
    return address, number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="live",
        description="Follow the face before a camera and send ARKit's weights and the head's turn "
        "as packets of the VMC protocol, which the add-on's Live Capture and other programs read. "
        "Ends with Ctrl-C.",
    )
    add = parser.add_argument
    add(
        "--camera",
        default="0",
        metavar="NUMBER|VIDEO",
        help="the camera's number, or a video that is played in real time (default: 0)",
    )
    add(
        "--to",
        default=f"127.0.0.1:{vmc.PORT}",
        metavar="HOST:PORT",
        help=f"who listens (default: 127.0.0.1:{vmc.PORT})",
    )
    add("--identity", type=a_path, metavar="NAME.npz", help="whose head it is, if it is known")
    add("--seconds", type=above_zero, metavar="N", help="end after so long")
    add("--again", action="store_true", help="play a video again and again")
    add(
        "--json",
        action="store_true",
        help="for programs: a line of JSON a second, and end when standard input does",
    )
    return parser
