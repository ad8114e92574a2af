"""What many scenarios do: choose a photo, press the button, wait for the head."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
from user import PACKAGE, User

BUTTON = ("reconstruct_face.reconstruct(", "reconstruct_face.reconstruct_photo(")
CANCEL = ("reconstruct_face.cancel",)
SLIDER = (".key_blocks[",)
RUN_LIMIT = 400.0


def backend_state() -> str:
    """As the add-on sees its process; "none" before it was ever asked."""
    jobs = sys.modules.get(f"{PACKAGE}.scene.jobs")
    return jobs.backend_state() if jobs else "none"


def workers() -> list[int]:
    """Process numbers of backend processes, as the system sees them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if b"worker" in words and any(w.endswith(b"__main__.py") for w in words) and state != "Z":
            found.append(int(folder.name))
    return found


def busy() -> bool:
    """Whether a run goes on, or faces are looked for."""
    module = sys.modules.get(f"{PACKAGE}.operators.session")
    if module is None:
        return False
    run, look = module.SESSION.run, module.SESSION.look
    looking = look is not None and look.found is None and not look.failure
    return run is not None or looking


def pick(user: User, photo: Path | None = None) -> Iterator[float]:
    """Choose the photo, as the file selector would."""
    settings = bpy.context.scene.reconstruct_face
    settings.photo = str(photo or user.project / "assets" / "astronaut.jpg")
    for _ in range(20):
        yield 0.25
    yield from user.wait_until(lambda: not busy(), 120.0, "the faces in the photo are found")


def press(user: User) -> Iterator[float]:
    """Click Reconstruct Face and wait until the backend is at work."""
    yield from user.click(*BUTTON)
    user.stalls.enter("run")
    yield from user.wait_until(lambda: busy() or bool(user.heads()), 60.0, "the run begins")


def finish(user: User, heads: int) -> Iterator[float]:
    """Wait until there are ``heads`` heads."""
    start = time.monotonic()
    done = lambda: len(user.heads()) >= heads or not busy()  # noqa: E731
    yield from user.wait_until(done, RUN_LIMIT, "the run ends")
    # What comes between the backend's answer and the head is building it.
    yield from user.wait_until(lambda: len(user.heads()) >= heads, 20.0, f"{heads} head(s)")
    user.found.setdefault("run_seconds", []).append(round(time.monotonic() - start, 1))
    user.stalls.enter("after")
    yield 1.0


def again(user: User, heads: int = 1) -> Iterator[float]:
    """A run that must work whatever happened before."""
    yield from press(user)
    yield from finish(user, heads)
    user.check(len(user.heads()) == heads, f"the next run gives {heads} head(s)")
    yield from user.screenshot("the next run")


def unchanged(user: User, before: dict[str, list[str]]) -> None:
    """The scene is what it was."""
    after = user.scene()
    changed = {kind: (before[kind], after[kind]) for kind in before if before[kind] != after[kind]}
    user.check(not changed, f"the scene is unchanged, but for {changed}")


def values(head: bpy.types.Object) -> dict[str, float]:
    """Shape keys of a head."""
    return {key.name: round(key.value, 4) for key in head.data.shape_keys.key_blocks}
