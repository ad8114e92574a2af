"""Files that libraries in C parse, read in a process of their own.

HDF5's and PyTorch's readers can be made to crash, to loop and to take all memory by a file of a few
kB.  :func:`read_isolated` starts :mod:`.isolated_child`, whose memory and time are limited, and
takes from it a JSON document and arrays as ``.npy``, which are read as a stranger's
(:mod:`.arrays`); what happens to the child is a sentence here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from .arrays import LARGEST_ARRAY, LARGEST_FILE, read_content, read_header
from .bounded import MB, Damaged, parse_json, regular_size, short
from .errors import WorkerError
from .lifeline import Lifeline

#: The command of ``backend/__main__.py`` that serves.
COMMAND = "read-worker"
#: Seconds of processor time that reading may take, and more for each byte: 20 MB a second, the
#: slowest disks' speed.  The whole, imports included, may take so many times as long on a clock.
SECONDS, SECONDS_PER_BYTE, PATIENCE = 8.0, 5e-8, 6.0
_LONGEST_LINE = MB


def read_isolated(
    kind: str, path: str | os.PathLike[str], names: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """What the reader ``kind`` (a key of ``isolated_child.READERS``) finds in the file ``path``.

    ``names`` is what is wanted of it.  Returns what it tells, as JSON, and arrays by name.

    Raises OSError, :class:`~.bounded.Damaged` where the file is not as it has to be, or reading it
    crashes or takes too much memory or time; :class:`WorkerError` where no process can be started.
    """
    size = regular_size(path, LARGEST_FILE)
    request = {
        "kind": kind,
        "path": os.path.abspath(path),
        "names": list(names),
        "seconds": SECONDS + size * SECONDS_PER_BYTE,
        "array_bytes": LARGEST_ARRAY,
        "file_bytes": LARGEST_FILE,
    }
    lifeline = Lifeline()
    # -P: nothing beside the script is importable, whatever it is called.
    command = [sys.executable, "-P", str(Path(__file__).with_name("__main__.py")), COMMAND]
    try:
        child = subprocess.Popen(
            command,
            env={**os.environ, **lifeline.variables, "HDF5_PLUGIN_PRELOAD": "::"},  # no plug-ins
            pass_fds=lifeline.fds,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        lifeline.cut()
        raise WorkerError(f"Cannot start {command[0]}: {error.strerror}.") from error
    finally:
        lifeline.started()
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    clock = threading.Timer(PATIENCE * request["seconds"], stop)
    clock.daemon = True
    errors: list[bytes] = []
    assert child.stdin and child.stdout and child.stderr
    listener = threading.Thread(target=_listen, args=(child.stderr, errors), daemon=True)
    try:
        clock.start()
        listener.start()
        with suppress(OSError):  # it has died; told below
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.close()
        answer, arrays = _answer(child.stdout)
        child.wait()
    except (ValueError, EOFError) as error:
        with suppress(subprocess.TimeoutExpired):  # else it lives, and its answer is none
            child.wait(2.0)
        status = child.poll() or 0
        child.kill()
        listener.join(1.0)
        raise _failure(status, late.is_set(), b"".join(errors), error) from error
    finally:
        clock.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
        lifeline.cut()
    if "damaged" in answer:
        raise Damaged(short(answer["damaged"]))
    return answer, arrays


def _answer(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, NDArray]]:
    line = stream.readline(_LONGEST_LINE)
    if not line:
        raise EOFError("it ended without a word")
    answer = parse_json(line)
    arrays = {}
    for name in answer.get("arrays", []):
        arrays[str(name)] = read_content(stream, read_header(stream))
    return answer, arrays


def _listen(stream: IO[bytes], kept: list[bytes]) -> None:
    """The beginning of what it says on standard error; it is read on, so that it never waits."""
    with suppress(ValueError), stream:
        while data := stream.read(4096):
            if len(kept) < 16:
                kept.append(data)


def _failure(status: int, late: bool, said: bytes, error: Exception) -> Exception:
    too_long = late or (hasattr(signal, "SIGXCPU") and status == -signal.SIGXCPU)
    if too_long:
        return Damaged("reading it takes too long")
    last = (said.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
    if "No module named" in last:
        return WorkerError(f"The process that reads files cannot run: {short(last)}.")
    if status < 0:
        return Damaged("reading it crashes")
    return Damaged(short(last or error))
