"""Many photos to finished files on a cluster, by the loop that does them on one machine.

Every worker runs :func:`..cli.run.run` into a folder of its own: a hidden one in the output folder
where it can write there, else one on its node, whose files come back as bytes.  Only this side
moves results into the output folder, so each appears once and whole, whatever is lost on the way.
"""

from __future__ import annotations

import queue
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..blender import Blender
from ..cli.run import Outcome, Report, run, settled
from ..errors import ClusterError, FaceError, OutputError, as_face_error, error_from_code
from ..exchange.batch import BatchOptions
from ..exchange.claims import claimed
from ..exchange.options import Options
from ..exchange.output import publish, staging
from ..exchange.photo_tasks import Names, PhotoTask, digest_of, names_taken
from ..files import write_bytes
from ..photo import photo_bytes
from .host import Item
from .options import ClusterOptions
from .pool import Pool

JOB = f"{__name__}:PhotoJob"
#: Seconds between two words of a worker about its progress.
_TELL_S = 0.5
#: The file by which a worker knows the output folder.
_PROBE = "probe"


def run_photos(
    tasks: Sequence[PhotoTask],
    folder: Path,
    request: BatchOptions,
    report: Report,
    options: ClusterOptions,
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Outcome]:
    """Do every task as :func:`..cli.run.run` does, on a cluster; outcomes as they come.

    ``folder`` is what ``prepare_output`` returned.  What needs no work asks for no cluster.
    ``say`` gets a sentence about what went wrong without costing a photo.

    Raises :class:`ClusterError` where there is no cluster, or no room on it.
    """
    left = []
    for task in tasks:
        known = settled(task, folder, request)
        if known is None:
            left.append(task)
        else:
            yield known
    if not left:
        return
    with staging(folder, "cluster") as work:
        setup = setup_of(tasks, left, folder, work, request)
        with Pool(options, JOB, setup, request.needs_blender, say) as pool:
            yield from on_workers(left, folder, work, report, pool)


def on_workers(
    tasks: Sequence[PhotoTask], folder: Path, work: Path, report: Report, pool: Pool
) -> Iterator[Outcome]:
    """The outcomes of ``tasks``, whose results the workers of ``pool`` leave in ``work``."""

    def prepare(number: int, greeting: Item) -> Item:
        return item_of(tasks[number], greeting)

    for number, event in pool.run(len(tasks), prepare):
        task = tasks[number]
        if "progress" in event:
            report(task, event["progress"], event["step"])
        elif "result" in event:
            yield received(task, event["result"], folder, work)
        elif "lost" in event:
            error = ClusterError(
                f"Two workers were lost with it ({event['lost']}); do it on one machine to see why."
            )
            yield Outcome(task, "failed", error=error)
        else:
            yield Outcome(task, "failed", error=FaceError(f"{event['failed']}."))


def setup_of(
    all_tasks: Sequence[PhotoTask],
    tasks: Sequence[PhotoTask],
    folder: Path,
    work: Path,
    request: BatchOptions,
) -> Item:
    """What :class:`PhotoJob` is made of; ``work`` is a hidden folder in ``folder``."""
    token = secrets.token_hex(16)
    write_bytes(work / _PROBE, token.encode())
    samples = {str(task.photo.parent.absolute()): task for task in tasks if task.digest}
    return {
        "options": request.options.to_dict(),
        "formats": list(request.formats),
        "preview": request.preview,
        "compact": request.compact,
        "work": str(work),
        "token": token,
        "samples": [[where, str(t.photo.absolute()), t.digest] for where, t in samples.items()],
        "reserved": [task.name for task in all_tasks],
        "elsewhere": names_taken(folder, "_face"),
    }


def item_of(task: PhotoTask, greeting: Item) -> Item:
    """What the worker that greeted so gets of ``task``: its content where it cannot read it."""
    item: Item = {"photo": str(task.photo), "name": task.name, "digest": task.digest}
    folder = str(task.photo.parent.absolute())
    if folder in greeting["folders"]:
        return item | {"file": str(task.photo.absolute())}
    try:
        return item | {"content": photo_bytes(task.photo)}
    except FaceError as error:
        return item | {"error": _told(error)}


def received(task: PhotoTask, result: Item, folder: Path, work: Path) -> Outcome:
    """The outcome that a worker told, its files moved into ``folder``."""
    error = None
    if result["error"] is not None:
        error = error_from_code(**result["error"])
    outcome = Outcome(
        task,
        result["status"],
        warnings=result["warnings"],
        timings=result["timings"],
        landmark_errors=result["landmark_errors"],
        error=error,
    )
    if not result["faces"]:
        return outcome
    try:
        with claimed(task, folder, Names(folder)) as claims:
            if taken := [name for name in result["faces"] if not claims.take(name)]:
                raise OutputError(
                    f"{folder} got a {taken[0]} of another photo meanwhile, which was left; run "
                    "this again, and the photo gets a name of its own."
                )
            for name, files in result["faces"].items():
                outcome.faces[name] = _published(result, name, files, folder, work)
    except OutputError as error:
        return Outcome(task, "failed", error=error)
    return outcome


def _published(result: Item, name: str, files: list[str], folder: Path, work: Path) -> list[str]:
    """The ``files`` of one face in ``folder``: moved there, or written where they came as bytes."""
    if "content" not in result:
        return publish(Path(result["folder"]), folder, files)
    with staging(work, name) as beside:
        for file in files:
            write_bytes(beside / Path(file).name, result["content"][file])
        return publish(beside, folder)


def _told(error: FaceError) -> dict[str, str]:
    return {"code": error.code, "message": str(error), "details": error.details}


class PhotoJob:
    """On a worker: one loop that goes on from photo to photo, with a Blender that stays warm."""

    def __init__(self, setup: Item) -> None:
        self._request = BatchOptions(
            Options.from_dict(setup["options"]),
            tuple(setup["formats"]),
            setup["preview"],
            compact=setup["compact"],
        )
        self._samples = setup["samples"]
        shared = _shared(Path(setup["work"]), setup["token"])
        self._shared = shared is not None
        self._folder = shared or Path(tempfile.mkdtemp(prefix="reconstruct_face."))
        self._names = Names(self._folder, setup["reserved"], setup["elsewhere"])
        self._blender = Blender()
        self._tasks: queue.SimpleQueue[PhotoTask] = queue.SimpleQueue()
        self._lines: dict[str, queue.SimpleQueue[Item]] = {}  # by name of the photo
        self._last_told = 0.0
        self._runs = threading.Thread(target=self._run, daemon=True)

    def greeting(self) -> Item:
        """Whether the output folder is seen, and which folders of photos.

        What the first photo needs is loaded while it is looked at, as on one machine.
        """
        self._runs.start()
        seen = [where for where, sample, digest in self._samples if _seen(Path(sample), digest)]
        return {"shared": self._shared, "folders": seen}

    def do(self, item: Item) -> Iterator[Item]:
        """As :meth:`.host.Job.do`; called by several threads, a photo each."""
        line = self._lines[item["name"]] = queue.SimpleQueue()
        error = error_from_code(**item["error"]) if "error" in item else None
        content = item.get("content")
        if "file" in item:  # read here, for results to name the photo as it was named
            try:
                content = photo_bytes(Path(item["file"]))
            except FaceError as unread:
                error = unread
        self._tasks.put(
            PhotoTask(Path(item["photo"]), item["name"], item["digest"], error, content)
        )
        while "result" not in (event := line.get()):
            yield event
        yield event

    def close(self) -> None:
        """End Blender, and leave nothing on the node."""
        self._blender.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        while True:
            first = self._tasks.get()
            try:
                for outcome in run(
                    self._waiting(first),
                    self._folder,
                    self._request,
                    self._report,
                    self._blender,
                    self._names,
                ):
                    self._lines.pop(outcome.task.name).put({"result": self._result(outcome)})
            except Exception as error:  # the loop itself: what it had is failed, the rest goes on
                for name, line in list(self._lines.items()):
                    lost = Outcome(PhotoTask(Path(), name, ""), "failed")
                    lost.error = as_face_error(error)
                    line.put({"result": self._result(lost)})
                self._lines.clear()

    def _waiting(self, first: PhotoTask) -> Iterator[PhotoTask]:
        """``first`` and what waits behind it: while there is something, two are in the works."""
        yield first
        while True:
            try:
                yield self._tasks.get_nowait()
            except queue.Empty:
                return

    def _report(self, task: PhotoTask, fraction: float, step: str) -> None:
        now = time.monotonic()
        if now - self._last_told < _TELL_S:
            return
        self._last_told = now
        if (line := self._lines.get(task.name)) is not None:
            line.put({"progress": fraction, "step": step})

    def _result(self, outcome: Outcome) -> Item:
        error = outcome.error
        result: Item = {
            "status": outcome.status,
            "faces": outcome.faces,
            "warnings": outcome.warnings,
            "timings": outcome.timings,
            "landmark_errors": [float(one) for one in outcome.landmark_errors],
            "error": None if error is None else _told(error),
            "folder": str(self._folder),
        }
        if not self._shared:
            files = [self._folder / file for some in outcome.faces.values() for file in some]
            result["content"] = {file.name: file.read_bytes() for file in files}
            for file in files:
                file.unlink()
        return result


def _shared(work: Path, token: str) -> Path | None:
    """A new folder in the driver's ``work``, None where this node does not see or cannot write."""
    try:
        if (work / _PROBE).read_bytes() != token.encode():
            return None
        return Path(tempfile.mkdtemp(prefix="worker.", dir=work))
    except OSError:
        return None


def _seen(sample: Path, digest: str) -> bool:
    return bool(digest) and digest_of(sample) == digest
